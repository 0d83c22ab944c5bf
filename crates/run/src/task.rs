//! The threads of the program, as far as their calls need: their descriptors and their memory.

use crate::sys::memory;
use crate::sys::notification::Inheritance;
use rustix::fs::{OFlags, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Threads whose handles are kept at most.
const KEPT: usize = 256;

/// `PIDFD_THREAD`: a handle of a thread that leads no process. Kernels before 6.9 have no such handle.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// Handles of threads that have made calls.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    handles: HashMap<u32, OwnedFd>,
}

/// A descriptor of the program, in our hands for the time of a call.
#[derive(Debug)]
pub(crate) struct Descriptor {
    file: OwnedFd,
    /// What names the file as long as it is open anywhere.
    pub(crate) inode: u64,
}

impl Descriptor {
    /// The file behind a descriptor.
    pub(crate) fn of(file: OwnedFd) -> Result<Descriptor, Errno> {
        let inode = fstat(&file)?.st_ino;
        Ok(Descriptor { file, inode })
    }

    /// `O_NONBLOCK`.
    pub(crate) fn is_nonblocking(&self) -> bool {
        fcntl_getfl(&self.file).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Tasks {
    /// Descriptor `number` of `thread`.
    ///
    /// # Errors
    /// `EBADF` if it has none of that number; `ESRCH` if it is gone; `EPERM` where the system does not let us.
    pub(crate) fn descriptor(&mut self, thread: u32, number: u32) -> Result<Descriptor, Errno> {
        let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
        let take = |handle: &OwnedFd| pidfd_getfd(handle, number, PidfdGetfdFlags::empty());
        if let Some(handle) = self.handles.get(&thread) {
            match take(handle) {
                // The number belongs to another thread by now.
                Err(Errno::SRCH) => {}
                other => return Descriptor::of(other?),
            }
        }
        let handle = open(thread)?;
        let file = take(&handle)?;
        if self.handles.len() >= KEPT {
            self.handles.clear();
        }
        self.handles.insert(thread, handle);
        Descriptor::of(file)
    }
}

fn open(thread: u32) -> Result<OwnedFd, Errno> {
    let pid = |number: u32| i32::try_from(number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
    match pidfd_open(pid(thread)?, THREAD) {
        Err(Errno::INVAL) => pidfd_open(pid(leader(thread).ok_or(Errno::SRCH)?)?, PidfdFlags::empty()),
        other => other,
    }
}

/// The number of the process that a thread belongs to.
pub(crate) fn leader(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// The memory of the thread that makes a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) thread: u32,
}

impl Memory {
    /// What `exec` does with descriptor `number` of the thread's process.
    pub(crate) fn inheritance(self, number: u32) -> Inheritance {
        let told = std::fs::read_to_string(format!("/proc/{}/fdinfo/{number}", self.thread));
        let flags = told.ok().and_then(|told| {
            let flags = told.lines().find_map(|line| line.strip_prefix("flags:"))?;
            i32::from_str_radix(flags.trim(), 8).ok()
        });
        match flags {
            Some(flags) if flags & libc::O_CLOEXEC != 0 => Inheritance::CloseOnExec,
            _ => Inheritance::Keep,
        }
    }

    /// Fills `buffer` from `address`.
    ///
    /// # Errors
    /// `EFAULT` if not all of it can be read.
    pub(crate) fn read_exact(self, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let length = buffer.len();
        if memory::read(self.thread, address, buffer)? == length { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// Writes all of `bytes` to `address`.
    ///
    /// # Errors
    /// `EFAULT` if not all of it can be written.
    pub(crate) fn write_all(self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        if memory::write(self.thread, address, bytes)? == bytes.len() { Ok(()) } else { Err(Errno::FAULT) }
    }

    /// The number at `address`.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn read_u32(self, address: u64) -> Result<u32, Errno> {
        let mut bytes = [0; 4];
        self.read_exact(address, &mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    /// What a call that answers in a buffer of the program writes: as much of `bytes` as the `length` that stands at
    /// `length_at` allows, and how much there is.
    ///
    /// # Errors
    /// `EFAULT`; `EINVAL` for a negative length.
    pub(crate) fn write_counted(self, address: u64, length_at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let room = i32::try_from(self.read_u32(length_at)?).map_err(|_| Errno::INVAL)?;
        self.write_cut(address, usize::try_from(room).map_err(|_| Errno::INVAL)?, bytes)?;
        self.write_all(length_at, &(bytes.len() as u32).to_ne_bytes())
    }

    /// Writes as much of `bytes` as `room` allows.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn write_cut(self, address: u64, room: usize, bytes: &[u8]) -> Result<(), Errno> {
        self.write_all(address, bytes.get(..room).unwrap_or(bytes))
    }
}
