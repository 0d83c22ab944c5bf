//! What Linux gives us to stand between a program and its sockets. All of this crate's `unsafe` is in this folder.

pub(crate) mod filter;
pub(crate) mod memory;
pub(crate) mod notification;
pub(crate) mod spawn;

use std::os::fd::{AsFd, AsRawFd};

/// Bytes that were sent and that the other end of a Unix socket has not read yet, with what keeping them takes:
/// `SIOCOUTQ`. Zero exactly if the other end has read everything.
pub(crate) fn unread_there(near: impl AsFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one `int`.
    let outcome = unsafe { libc::ioctl(near.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if outcome == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}
