//! Seccomp notifications: a call that waits for the supervisor's answer, and the ways to answer it (`seccomp_unotify(2)`).

use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A system call of the program, waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// Names this call as long as it waits.
    pub(crate) id: u64,
    /// The thread that makes it.
    pub(crate) thread: u32,
    /// The number of the call.
    pub(crate) call: libc::c_long,
    pub(crate) arguments: [u64; 6],
}

/// Whether an answer has reached the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Delivery {
    /// It has.
    Done,
    /// A signal has interrupted the call, or the thread is gone: nobody has heard the answer.
    Gone,
}

/// What `exec` does with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inheritance {
    /// `O_CLOEXEC`.
    CloseOnExec,
    /// The next program has it too.
    Keep,
}

/// Where notifications come from.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
}

const fn request(direction: u64, number: u64, size: usize) -> libc::c_ulong {
    // `_IOC` of the kernel, as x86 and ARM have it.
    (direction << 30) | ((size as u64) << 16) | ((b'!' as u64) << 8) | number
}

const WRITE: u64 = 1;
const READ_WRITE: u64 = 3;
const RECEIVE: libc::c_ulong = request(READ_WRITE, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = request(READ_WRITE, 1, size_of::<libc::seccomp_notif_resp>());
const IS_VALID: libc::c_ulong = request(WRITE, 2, size_of::<u64>());
const ADD_FD: libc::c_ulong = request(WRITE, 3, size_of::<libc::seccomp_notif_addfd>());
const SET_FLAGS: libc::c_ulong = request(WRITE, 4, size_of::<u64>());

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`: the thread that waits for the answer runs next on this CPU.
const SYNC_WAKE_UP: u64 = 1;

impl Listener {
    pub(crate) fn new(fd: OwnedFd) -> Listener {
        let listener = Listener { fd };
        // SAFETY: the request takes its flags by value. Kernels before 6.6 do not know it, and do without.
        unsafe { libc::ioctl(listener.fd.as_raw_fd(), SET_FLAGS as _, SYNC_WAKE_UP) };
        listener
    }

    /// Takes a notification, waiting for one if there is none.
    ///
    /// # Errors
    /// `EINTR`; `ENOENT` when the thread was gone before its call could be taken.
    pub(crate) fn receive(&self) -> io::Result<Notification> {
        // SAFETY: all-zero bytes are a `seccomp_notif`, which is what the kernel asks for.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request fills a `seccomp_notif`, and `raw` is one.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), RECEIVE as _, &raw mut raw) })?;
        Ok(Notification { id: raw.id, thread: raw.pid, call: raw.data.nr.into(), arguments: raw.data.args })
    }

    fn send(&self, mut response: libc::seccomp_notif_resp) -> Delivery {
        // SAFETY: the request reads a `seccomp_notif_resp`, and `response` is one.
        match check(unsafe { libc::ioctl(self.fd.as_raw_fd(), SEND as _, &raw mut response) }) {
            Ok(_) => Delivery::Done,
            Err(_) => Delivery::Gone,
        }
    }

    /// Answers with a value, or with an error.
    pub(crate) fn answer(&self, id: u64, answer: Result<i64, Errno>) -> Delivery {
        let (val, error) = match answer {
            Ok(value) => (value, 0),
            Err(errno) => (0, -errno.raw_os_error()),
        };
        self.send(libc::seccomp_notif_resp { id, val, error, flags: 0 })
    }

    /// Lets the kernel do the call.
    pub(crate) fn go_on(&self, id: u64) -> Delivery {
        let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags })
    }

    /// Whether the call still waits. Asked after reading the thread's memory, it also says that this was its memory.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: the request reads a `u64`.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), IS_VALID as _, &raw const id) }).is_ok()
    }

    /// Gives the program a descriptor of `file`, and answers the call with its number, which is the answer here too; `None`
    /// if nobody has heard it.
    ///
    /// # Errors
    /// `EMFILE` when the program may have no more.
    pub(crate) fn answer_with_file(
        &self,
        id: u64,
        file: BorrowedFd<'_>,
        inheritance: Inheritance,
    ) -> Result<Option<u32>, Errno> {
        self.add(id, libc::SECCOMP_ADDFD_FLAG_SEND as u32, file, 0, inheritance)
    }

    /// Puts `file` in the place of a descriptor that the program has; the call still waits for its answer.
    ///
    /// # Errors
    /// `EBADF`, `EBUSY`.
    pub(crate) fn replace_file(
        &self,
        id: u64,
        descriptor: u32,
        file: BorrowedFd<'_>,
        inheritance: Inheritance,
    ) -> Result<Option<u32>, Errno> {
        self.add(id, libc::SECCOMP_ADDFD_FLAG_SETFD as u32, file, descriptor, inheritance)
    }

    fn add(
        &self,
        id: u64,
        flags: u32,
        file: BorrowedFd<'_>,
        newfd: u32,
        inheritance: Inheritance,
    ) -> Result<Option<u32>, Errno> {
        let newfd_flags = match inheritance {
            Inheritance::CloseOnExec => libc::O_CLOEXEC as u32,
            Inheritance::Keep => 0,
        };
        let srcfd = file.as_raw_fd() as u32;
        let request = libc::seccomp_notif_addfd { id, flags, srcfd, newfd, newfd_flags };
        // SAFETY: the request reads a `seccomp_notif_addfd`, and `request` is one.
        match check(unsafe { libc::ioctl(self.fd.as_raw_fd(), ADD_FD as _, &raw const request) }) {
            Ok(number) => Ok(Some(number as u32)),
            Err(Errno::NOENT | Errno::INPROGRESS | Errno::SRCH) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn check(outcome: libc::c_int) -> Result<libc::c_int, Errno> {
    if outcome < 0 {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    } else {
        Ok(outcome)
    }
}
