//! Who waits for which socket: threads and tasks, registered in one place, under the lock of the stack.

use parking_lot::Condvar;
use sockeye_core::socket::{Readiness, SocketId};
use std::sync::Arc;
use std::task::Waker;

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Something to read, to accept, or an end.
    Read,
    /// Room to write, or the outcome of a connect.
    Write,
}

/// Which of a socket's registrations a waker belongs to: a new waker replaces the old one with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakerKey {
    /// The one task that polls this half of a stream.
    Half,
    /// One of any number of futures.
    #[cfg(feature = "tokio")]
    Future(u64),
}

/// The condition variables on which threads wait for one socket.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    read: Condvar,
    write: Condvar,
}

impl Gate {
    pub(crate) fn of(&self, interest: Interest) -> &Condvar {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    fn open(&self) {
        self.read.notify_all();
        self.write.notify_all();
    }
}

/// Everybody who waits for one socket.
#[derive(Debug)]
struct Entry {
    socket: SocketId,
    gate: Arc<Gate>,
    /// How often the socket has become ready: a call that saw "would block" and then a new number looks again.
    turns: u64,
    readers: Vec<(WakerKey, Waker)>,
    writers: Vec<(WakerKey, Waker)>,
}

impl Entry {
    fn side(&mut self, interest: Interest) -> &mut Vec<(WakerKey, Waker)> {
        match interest {
            Interest::Read => &mut self.readers,
            Interest::Write => &mut self.writers,
        }
    }
}

/// The waiters of all sockets of a host, found by the socket's index.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    entries: Vec<Option<Entry>>,
    #[cfg(feature = "tokio")]
    next_key: u64,
}

impl Waiters {
    /// Begins to keep the waiters of `socket`.
    pub(crate) fn add(&mut self, socket: SocketId) -> Arc<Gate> {
        let index = socket.index();
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, || None);
        }
        let gate = Arc::new(Gate::default());
        if let Some(slot) = self.entries.get_mut(index) {
            let entry =
                Entry { socket, gate: Arc::clone(&gate), turns: 0, readers: Vec::new(), writers: Vec::new() };
            *slot = Some(entry);
        }
        gate
    }

    /// Forgets `socket` and everybody who waits for it.
    pub(crate) fn remove(&mut self, socket: SocketId) {
        if let Some(slot) = self.entries.get_mut(socket.index())
            && slot.as_ref().is_some_and(|entry| entry.socket == socket)
        {
            *slot = None;
        }
    }

    fn entry(&mut self, socket: SocketId) -> Option<&mut Entry> {
        self.entries.get_mut(socket.index())?.as_mut().filter(|entry| entry.socket == socket)
    }

    /// How often `socket` has become ready so far.
    pub(crate) fn turns(&mut self, socket: SocketId) -> u64 {
        self.entry(socket).map_or(0, |entry| entry.turns)
    }

    /// A key for a future's registrations.
    #[cfg(feature = "tokio")]
    pub(crate) fn key(&mut self) -> WakerKey {
        self.next_key += 1;
        WakerKey::Future(self.next_key)
    }

    /// Asks for `waker` to be woken once, when `socket` may be ready for `interest`.
    pub(crate) fn register(&mut self, socket: SocketId, interest: Interest, key: WakerKey, waker: &Waker) {
        let Some(entry) = self.entry(socket) else {
            // Nothing will ever happen to it: let the task find that out.
            waker.wake_by_ref();
            return;
        };
        let side = entry.side(interest);
        match side.iter_mut().find(|(known, _)| *known == key) {
            Some((_, registered)) => registered.clone_from(waker),
            None => side.push((key, waker.clone())),
        }
    }

    /// Takes a registration back.
    #[cfg(feature = "tokio")]
    pub(crate) fn unregister(&mut self, socket: SocketId, interest: Interest, key: WakerKey) {
        if let Some(entry) = self.entry(socket) {
            entry.side(interest).retain(|(known, _)| *known != key);
        }
    }

    /// `socket` has changed: lets its threads go, and moves the wakers of its tasks to `wakers`, for the caller to
    /// wake when the lock is released.
    pub(crate) fn notify(&mut self, socket: SocketId, readiness: Readiness, wakers: &mut Vec<Waker>) {
        let Some(entry) = self.entry(socket) else { return };
        entry.turns += 1;
        let is_urgent = readiness.has_urgent();
        if readiness.is_readable() || readiness.is_read_closed() || readiness.has_failed() || is_urgent {
            entry.gate.read.notify_all();
            wakers.extend(entry.readers.drain(..).map(|(_, waker)| waker));
        }
        if readiness.is_writable() || readiness.is_write_closed() || readiness.has_failed() {
            entry.gate.write.notify_all();
            wakers.extend(entry.writers.drain(..).map(|(_, waker)| waker));
        }
    }

    /// The host is going down: lets everybody go.
    pub(crate) fn notify_all(&mut self, wakers: &mut Vec<Waker>) {
        for entry in self.entries.iter_mut().flatten() {
            entry.turns += 1;
            entry.gate.open();
            wakers.extend(entry.readers.drain(..).map(|(_, waker)| waker));
            wakers.extend(entry.writers.drain(..).map(|(_, waker)| waker));
        }
    }
}
