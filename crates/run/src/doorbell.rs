//! How the stack tells the supervisor that a socket is worth another look.

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Sockets to look at, by key, and the bell that is rung when there are some.
#[derive(Debug)]
pub(crate) struct Doorbell {
    ready: Mutex<Vec<u64>>,
    bell: OwnedFd,
}

impl Doorbell {
    pub(crate) fn new() -> io::Result<Doorbell> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Doorbell { ready: Mutex::new(Vec::new()), bell })
    }

    /// A waker that puts `key` on the list.
    pub(crate) fn waker(self: &Arc<Self>, key: u64) -> Waker {
        Waker::from(Arc::new(Ringer { key, doorbell: Arc::clone(self) }))
    }

    /// Takes the list, and silences the bell.
    pub(crate) fn take(&self, into: &mut impl Extend<u64>) {
        let mut count = [0; 8];
        // Not rung: nothing to silence.
        let _ = read(&self.bell, &mut count);
        into.extend(self.ready.lock().drain(..));
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

struct Ringer {
    key: u64,
    doorbell: Arc<Doorbell>,
}

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.doorbell.ready.lock();
        ready.push(self.key);
        let is_first = ready.len() == 1;
        drop(ready);
        if is_first {
            // A full counter is a rung bell.
            let _ = write(&self.doorbell.bell, &1u64.to_ne_bytes());
        }
    }
}
