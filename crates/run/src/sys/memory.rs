//! The memory of the program, read and written from outside.

use rustix::io::Errno;
use std::io;

fn transfer(
    thread: u32,
    address: u64,
    length: usize,
    act: impl FnOnce(libc::pid_t, libc::iovec) -> isize,
) -> Result<usize, Errno> {
    if length == 0 {
        return Ok(0);
    }
    let address = usize::try_from(address).map_err(|_| Errno::FAULT)?;
    let thread = libc::pid_t::try_from(thread).map_err(|_| Errno::SRCH)?;
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
    match usize::try_from(act(thread, there)) {
        Ok(moved) => Ok(moved),
        Err(_) => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::FAULT)),
    }
}

/// Reads what stands at `address` in the memory of `thread`, and says how much of `buffer` that filled.
///
/// # Errors
/// `EFAULT` where nothing can be read; `EPERM` where the system does not let us; `ESRCH`.
pub(crate) fn read(thread: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let here = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    transfer(thread, address, buffer.len(), |thread, there| {
        // SAFETY: `here` is `buffer`, ours alone until the call returns; `there` is an address of another process, which
        // the kernel checks.
        unsafe { libc::process_vm_readv(thread, &raw const here, 1, &raw const there, 1, 0) }
    })
}

/// Writes `bytes` to `address` in the memory of `thread`, and says how many.
///
/// # Errors
/// As [`read`].
pub(crate) fn write(thread: u32, address: u64, bytes: &[u8]) -> Result<usize, Errno> {
    let here = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    transfer(thread, address, bytes.len(), |thread, there| {
        // SAFETY: `here` is `bytes`, which the call only reads; `there` is an address of another process, which the
        // kernel checks.
        unsafe { libc::process_vm_writev(thread, &raw const here, 1, &raw const there, 1, 0) }
    })
}
