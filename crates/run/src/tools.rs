//! What the supervisor lends to whoever answers a call or moves bytes.

use crate::doorbell::Doorbell;
use crate::pairing::Pairing;
use crate::peer::Listing;
use crate::sys::notification::Listener;
use crate::task::{Descriptor, Tasks};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use sockeye::Host;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// The largest piece that is moved at once; no datagram is larger.
pub(crate) const PIECE: usize = 64 << 10;

/// The supervisor's own things, the table of sockets aside.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) host: Host,
    pub(crate) listener: Listener,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) tasks: Tasks,
    /// Where a piece stays for the moment of being moved.
    pub(crate) buffer: Vec<u8>,
    pub(crate) epoll: OwnedFd,
    /// When which socket's parked calls have to be looked at.
    pub(crate) deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    /// The kernel's listing of Unix sockets, where there is one.
    listing: Option<Listing>,
    pairing: Pairing,
    keys: u64,
}

/// What is watched at our end of a pair.
pub(crate) const NEAR: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// Keys that are no socket's.
pub(crate) const NOTIFICATIONS: u64 = 0;
pub(crate) const DOORBELL: u64 = 1;
pub(crate) const CHILD: u64 = 2;
const FIRST_SOCKET: u64 = 3;

impl Tools {
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn new(host: Host, listener: Listener) -> std::io::Result<Tools> {
        let tools = Tools {
            host,
            listener,
            doorbell: Arc::new(Doorbell::new()?),
            tasks: Tasks::default(),
            buffer: vec![0; PIECE],
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            deadlines: BinaryHeap::new(),
            listing: Listing::open().ok(),
            pairing: Pairing::new()?,
            keys: FIRST_SOCKET,
        };
        tools.watch(&tools.listener, NOTIFICATIONS, EventFlags::IN)?;
        tools.watch(&*tools.doorbell, DOORBELL, EventFlags::IN)?;
        Ok(tools)
    }

    /// A key that no other socket has had.
    pub(crate) fn next_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// Lets `key`'s turn come whenever something happens at `file`.
    ///
    /// # Errors
    /// `ENOMEM`, `ENOSPC`.
    pub(crate) fn watch(&self, file: impl AsFd, key: u64, events: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, file, EventData::new_u64(key), events)
    }

    /// A pair that keeps the boundaries of messages, and whose ends tell each other when they are closed: ours, which is
    /// watched as `key`'s, and the program's.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` when no descriptor is left.
    pub(crate) fn datagram_pair(&self, key: u64) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.new_pair(SocketType::SEQPACKET, key)
    }

    /// The same for a stream.
    ///
    /// # Errors
    /// As [`datagram_pair`](Self::datagram_pair).
    pub(crate) fn stream_pair(&self, key: u64) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.new_pair(SocketType::STREAM, key)
    }

    fn new_pair(&self, socket_type: SocketType, key: u64) -> Result<(OwnedFd, OwnedFd), Errno> {
        let (near, far) = socketpair(AddressFamily::UNIX, socket_type, SocketFlags::CLOEXEC, None)?;
        ioctl_fionbio(&near, true)?;
        self.watch(&near, key, NEAR)?;
        Ok((near, far))
    }

    /// Gives the program's end `far`, which has no other end yet, one; it is watched as `key`'s.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` when no descriptor is left.
    pub(crate) fn pair(&self, far: impl AsFd, key: u64) -> Result<OwnedFd, Errno> {
        let near = self.pairing.pair(far)?;
        self.watch(&near, key, NEAR)?;
        Ok(near)
    }

    /// The program's end with this inode, where it was last `seen`, or anywhere.
    pub(crate) fn find(&mut self, seen: (u32, u32), inode: u64) -> Option<Descriptor> {
        self.find_at(seen, inode).or_else(|| self.find_at(crate::process::holder(inode)?, inode))
    }

    /// The program's end with this inode, if it has this number in this thread.
    fn find_at(&mut self, (thread, number): (u32, u32), inode: u64) -> Option<Descriptor> {
        self.tasks.descriptor(thread, number).ok().filter(|found| found.inode == inode)
    }

    /// Whether the program still has the other end of the pair of `near`; it is where it was last `seen`, or anywhere.
    pub(crate) fn is_held(&mut self, near: &OwnedFd, seen: (u32, u32), inode: u64) -> bool {
        let listed = self.listing.as_ref().and_then(|listing| {
            let ours = rustix::fs::fstat(near).ok()?.st_ino;
            listing.peer_of(ours).ok()
        });
        match listed {
            Some(peer) => peer == inode,
            None => self.find(seen, inode).is_some(),
        }
    }

    /// Whether the program's end with this inode is where it was last `seen`.
    pub(crate) fn is_seen(&mut self, seen: (u32, u32), inode: u64) -> bool {
        self.find_at(seen, inode).is_some()
    }

    /// Makes sure that the parked calls of `key` are looked at by `deadline`.
    pub(crate) fn expect(&mut self, deadline: Option<Instant>, key: u64) {
        if let Some(deadline) = deadline {
            self.deadlines.push(Reverse((deadline, key)));
        }
    }
}
