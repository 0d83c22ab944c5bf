//! How the stack tells the supervisor that a socket is worth another look.
//!
//! The bell costs a system call to ring and another to silence, so it is rung only for a supervisor that sleeps; one that is awake
//! looks at the list before it does.

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Sockets to look at, by key, and the bell that is rung when there are some.
#[derive(Debug)]
pub(crate) struct Doorbell {
    ready: Mutex<Ready>,
    bell: OwnedFd,
}

#[derive(Debug, Default)]
struct Ready {
    keys: Vec<u64>,
    /// Whether the supervisor sleeps, or is about to, and has not been rung for.
    is_asleep: bool,
}

impl Doorbell {
    pub(crate) fn new() -> io::Result<Doorbell> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Doorbell { ready: Mutex::default(), bell })
    }

    /// A waker that puts `key` on the list.
    pub(crate) fn waker(self: &Arc<Self>, key: u64) -> Waker {
        Waker::from(Arc::new(Ringer { key, doorbell: Arc::clone(self) }))
    }

    /// Takes the list before sleeping. With nothing else to do, whatever comes from now on rings the bell.
    pub(crate) fn rest(&self, work: &mut VecDeque<u64>) {
        let mut ready = self.ready.lock();
        work.extend(ready.keys.drain(..));
        ready.is_asleep = work.is_empty();
    }

    /// Takes the list after sleeping.
    pub(crate) fn take(&self, work: &mut VecDeque<u64>) {
        let mut ready = self.ready.lock();
        ready.is_asleep = false;
        work.extend(ready.keys.drain(..));
    }

    /// Silences the bell.
    pub(crate) fn silence(&self) {
        let mut count = [0; 8];
        // Not rung: nothing to silence.
        let _ = read(&self.bell, &mut count);
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
        ready.keys.push(self.key);
        let is_sleeper = std::mem::take(&mut ready.is_asleep);
        drop(ready);
        if is_sleeper {
            // A full counter is a rung bell.
            let _ = write(&self.doorbell.bell, &1u64.to_ne_bytes());
        }
    }
}
