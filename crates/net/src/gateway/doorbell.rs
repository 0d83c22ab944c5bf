//! How our sockets reach a thread that waits in `mio`.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// A list of what is ready, by the keys its owner has given out, and the bell that is rung when it is no longer empty.
pub(super) struct Doorbell<K> {
    ready: Mutex<Vec<K>>,
    is_closed: AtomicBool,
    bell: mio::Waker,
}

impl<K: Copy + Send + Sync + 'static> Doorbell<K> {
    pub(super) fn new(bell: mio::Waker) -> Doorbell<K> {
        Doorbell { ready: Mutex::new(Vec::new()), is_closed: AtomicBool::new(false), bell }
    }

    /// A waker that puts `key` on the list.
    pub(super) fn waker(self: &Arc<Self>, key: K) -> Waker {
        Waker::from(Arc::new(Ringer { key, doorbell: Arc::clone(self) }))
    }

    /// Puts `key` on the list.
    pub(super) fn ring(&self, key: K) {
        let mut ready = self.ready.lock();
        ready.push(key);
        let is_first = ready.len() == 1;
        drop(ready);
        if is_first {
            let _ = self.bell.wake();
        }
    }

    /// Takes the list.
    pub(super) fn take(&self, into: &mut Vec<K>) {
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

struct Ringer<K> {
    key: K,
    doorbell: Arc<Doorbell<K>>,
}

impl<K: Copy + Send + Sync + 'static> Wake for Ringer<K> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.doorbell.ring(self.key);
    }
}
