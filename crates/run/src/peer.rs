//! Whether the program still has its end of a pair: the kernel's own listing of Unix sockets says (`sock_diag(7)`).

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::os::fd::OwnedFd;

/// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`, `UDIAG_SHOW_PEER`, `UNIX_DIAG_PEER` of the kernel's headers.
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const SHOW_PEER: u32 = 4;
const PEER: u16 = 2;

/// Lengths of `struct nlmsghdr`, `unix_diag_req`, `unix_diag_msg` and `rtattr`.
const HEADER: usize = 16;
const QUESTION: usize = 24;
const ANSWER: usize = 16;
const ATTRIBUTE: usize = 4;

/// The kernel's listing.
#[derive(Debug)]
pub(crate) struct Listing {
    netlink: OwnedFd,
}

impl Listing {
    /// # Errors
    /// Where the kernel or a container has no such listing.
    pub(crate) fn open() -> Result<Listing, Errno> {
        let netlink = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Listing { netlink })
    }

    /// The inode of the other end of the Unix socket with this inode; 0 when it is closed.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn peer_of(&self, inode: u64) -> Result<u64, Errno> {
        let inode = u32::try_from(inode).map_err(|_| Errno::OVERFLOW)?;
        let mut question = Vec::with_capacity(HEADER + QUESTION);
        question.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
        question.extend(BY_FAMILY.to_ne_bytes());
        question.extend(REQUEST.to_ne_bytes());
        question.extend([0; 8]); // sequence and port, which need not be told
        question.extend([libc::AF_UNIX as u8, 0, 0, 0]);
        // In any state, this one, and whatever its cookie.
        for word in [u32::MAX, inode, SHOW_PEER, u32::MAX, u32::MAX] {
            question.extend(word.to_ne_bytes());
        }
        send(&self.netlink, &question, SendFlags::empty())?;
        let mut answer = [0; 256];
        let (length, _) = recv(&self.netlink, &mut answer, RecvFlags::empty())?;
        parse(answer.get(..length).unwrap_or_default())
    }
}

fn parse(answer: &[u8]) -> Result<u64, Errno> {
    let half = |at: usize| answer.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes);
    let word = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    if half(4) != Some(BY_FAMILY) {
        let errno = word(HEADER).map_or(0, |code| (code as i32).wrapping_neg());
        return Err(Errno::from_raw_os_error(if errno > 0 { errno } else { libc::EIO }));
    }
    let mut at = HEADER + ANSWER;
    while let (Some(length), Some(kind)) = (half(at), half(at + 2)) {
        if kind == PEER {
            return word(at + ATTRIBUTE).map(u64::from).ok_or(Errno::IO);
        }
        at += usize::from(length).max(ATTRIBUTE).next_multiple_of(4);
    }
    // Without peer: it never had one, or it is gone.
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fstat;
    use rustix::net::socketpair;

    #[test]
    fn a_closed_end_is_told_from_one_that_is_shut_down() {
        let Ok(listing) = Listing::open() else {
            eprintln!("skipped: the kernel lists no Unix sockets here");
            return;
        };
        let (near, far) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let inode = |end: &OwnedFd| fstat(end).unwrap().st_ino;
        for end in [&near, &far] {
            rustix::net::shutdown(end, rustix::net::Shutdown::Write).unwrap();
        }
        assert_eq!(listing.peer_of(inode(&near)), Ok(inode(&far)));
        drop(far);
        assert_eq!(listing.peer_of(inode(&near)), Ok(0));
    }

    #[test]
    fn nonsense_is_no_answer() {
        assert!(parse(&[]).is_err());
        assert!(parse(&[0; 40]).is_err());
        let mut loops = vec![0; 64];
        loops[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        assert_eq!(parse(&loops), Ok(0));
    }
}
