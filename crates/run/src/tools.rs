//! What the supervisor lends to whoever answers a call or moves bytes.

use crate::doorbell::Doorbell;
use crate::sys::notification::Listener;
use crate::task::{Descriptor, Tasks};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
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
    keys: u64,
}

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

    /// The program's end with this inode, where it was last `seen`, or anywhere.
    pub(crate) fn find(&mut self, seen: (u32, u32), inode: u64) -> Option<Descriptor> {
        let (thread, number) = seen;
        if let Ok(found) = self.tasks.descriptor(thread, number)
            && found.inode == inode
        {
            return Some(found);
        }
        let (process, number) = crate::process::holder(inode)?;
        self.tasks.descriptor(process, number).ok().filter(|found| found.inode == inode)
    }

    /// Makes sure that the parked calls of `key` are looked at by `deadline`.
    pub(crate) fn expect(&mut self, deadline: Option<Instant>, key: u64) {
        if let Some(deadline) = deadline {
            self.deadlines.push(Reverse((deadline, key)));
        }
    }
}
