//! How our sockets reach a thread that waits in `mio`.

use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// What a waker stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A TCP connection, by its number; numbers are not used twice.
    Connection(usize),
    /// The UDP session of this real client.
    Session(SocketAddr),
}

/// A list of what is ready, and the bell that is rung when it is no longer empty.
pub(super) struct Doorbell {
    ready: Mutex<Vec<Key>>,
    is_closed: AtomicBool,
    bell: mio::Waker,
}

impl Doorbell {
    pub(super) fn new(bell: mio::Waker) -> Doorbell {
        Doorbell { ready: Mutex::new(Vec::new()), is_closed: AtomicBool::new(false), bell }
    }

    /// A waker that puts `key` on the list.
    pub(super) fn waker(self: &Arc<Self>, key: Key) -> Waker {
        Waker::from(Arc::new(Ringer { key, doorbell: Arc::clone(self) }))
    }

    /// Takes the list.
    pub(super) fn take(&self, into: &mut Vec<Key>) {
        into.append(&mut self.ready.lock());
    }

    /// Asks the thread to end.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        // Fails only where the system is out of memory; then the thread sees it with the next event.
        let _ = self.bell.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

struct Ringer {
    key: Key,
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
            let _ = self.doorbell.bell.wake();
        }
    }
}
