//! A stack, its devices and its waiters behind one lock, and what every call does there.
//!
//! The caller runs the stack: a socket call takes the lock, does its work, hands the frames that follow from it to the
//! device, and lets go whoever has been waited for, all in the caller's own thread. The driver thread
//! ([`crate::driver`]) only waits for frames and for deadlines.
//!
//! Lock order: a host's `state` first, then the LAN's (taken by its devices), then an outlet's queue. No thread ever
//! holds the locks of two hosts. Wakers and sinks run outside all of them.

use crate::clock;
use crate::error::{host_is_down, io_error};
use crate::outlet::{Outlet, Sink};
use crate::port::Port;
use crate::waiting::{Gate, Interest, Waiters, WakerKey};
use parking_lot::{Condvar, Mutex, MutexGuard};
use sockeye_core::error::Error;
use sockeye_core::socket::SocketId;
use sockeye_core::stack::Stack;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::{Trace, Tracing};
use sockeye_device::Signal;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Frames that one call hands to the devices; what is left is the driver thread's.
const TRANSMIT_BATCH: usize = 256;

/// How often the driver looks whether the sinks of a host have caught up.
pub(crate) const SINK_RETRY: Duration = Duration::from_millis(2);

/// One host at work.
pub(crate) struct Engine {
    pub(crate) name: Arc<str>,
    pub(crate) state: Mutex<State>,
    /// Wakes the driver thread.
    pub(crate) doorbell: Signal,
    /// Tells who waits in [`Engine::shut_down`] that the driver is gone.
    pub(crate) ended: Condvar,
}

/// What the lock protects.
pub(crate) struct State {
    pub(crate) stack: Stack,
    pub(crate) ports: Vec<Port>,
    pub(crate) waiters: Waiters,
    pub(crate) life: Life,
    /// Tasks to wake when the lock is released.
    pub(crate) wakers: Vec<Waker>,
    /// When the driver thread wakes by itself.
    pub(crate) alarm: Option<Instant>,
    /// Whether the driver thread waits: only then it needs the doorbell.
    pub(crate) is_driver_asleep: bool,
    /// Whether the last transmission stopped before everything had left.
    pub(crate) has_more: bool,
    pub(crate) outlet: Option<Outlet<Trace>>,
}

/// From the first socket to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Sockets may be opened and used.
    Running,
    /// Nobody holds the host any more, or it has been shut down: what connections still have to say may leave.
    Closing {
        /// The beginning.
        since: Instant,
        /// The end, whatever is left to say.
        until: Instant,
    },
    /// The driver is gone and the devices are closed.
    Ended,
}

impl State {
    /// Hands frames to the devices until none is left, a device has no room, or `budget` is used up.
    fn transmit(&mut self, now: Instant, mut budget: usize) {
        self.has_more = false;
        let sinks_are_behind = self.outlet.as_ref().is_some_and(Outlet::is_full);
        if sinks_are_behind || self.ports.iter().any(Port::is_blocked) {
            return;
        }
        while let Some(transmit) = self.stack.poll_transmit(now) {
            if let Some(port) = self.ports.iter_mut().find(|port| port.interface == transmit.interface) {
                port.send(&transmit);
                if port.is_blocked() {
                    break;
                }
            }
            budget -= 1;
            if budget == 0 {
                self.has_more = true;
                break;
            }
        }
        for port in &mut self.ports {
            port.flush();
        }
    }

    /// Lets go whoever waits for a socket that has changed, and passes traces on.
    fn announce(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            self.waiters.notify(event.socket, event.readiness, &mut self.wakers);
        }
        if let Some(outlet) = &self.outlet {
            while let Some(trace) = self.stack.poll_trace() {
                outlet.push(trace);
            }
        }
    }

    /// What follows every call into the stack: frames leave, waiters are let go.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.transmit(now, TRANSMIT_BATCH);
        self.announce();
    }

    /// Whether the driver has something to do before its alarm.
    fn needs_driver(&self) -> bool {
        let is_early = match (self.stack.poll_timeout(), self.alarm) {
            (Some(deadline), Some(alarm)) => deadline < alarm,
            (Some(_), None) => true,
            (None, _) => false,
        };
        is_early || self.has_more || self.ports.iter().any(Port::is_blocked)
    }
}

impl Engine {
    pub(crate) fn new(name: Arc<str>, stack: Stack, ports: Vec<Port>) -> io::Result<Engine> {
        let state = State {
            stack,
            ports,
            waiters: Waiters::default(),
            life: Life::Running,
            wakers: Vec::new(),
            alarm: None,
            is_driver_asleep: false,
            has_more: false,
            outlet: None,
        };
        Ok(Engine { name, state: Mutex::new(state), doorbell: Signal::new()?, ended: Condvar::new() })
    }

    /// Releases the lock, with everything that has to happen before and after.
    pub(crate) fn release(&self, mut state: MutexGuard<'_, State>) {
        self.ring_if_needed(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        for waker in wakers {
            waker.wake();
        }
    }

    fn ring_if_needed(&self, state: &mut State) {
        if state.is_driver_asleep && state.needs_driver() {
            self.ring(state);
        }
    }

    /// Wakes the driver thread.
    pub(crate) fn ring(&self, state: &mut State) {
        if state.is_driver_asleep {
            state.is_driver_asleep = false;
            self.doorbell.fill();
        }
    }

    /// Calls into the stack, and lets happen what follows. Never waits.
    pub(crate) fn call<R>(
        &self,
        call: impl FnOnce(&mut State, Instant) -> Result<R, Error>,
    ) -> io::Result<R> {
        let mut state = self.state.lock();
        if state.life == Life::Ended {
            return Err(host_is_down());
        }
        let now = clock::now();
        let result = call(&mut state, now);
        state.settle(now);
        self.release(state);
        result.map_err(io_error)
    }

    /// Looks at the stack; nothing follows from it.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Stack) -> R) -> R {
        look(&self.state.lock().stack)
    }

    /// Looks at the stack and changes who waits for it; nothing else follows.
    pub(crate) fn inspect<R>(&self, inspect: impl FnOnce(&mut State) -> R) -> R {
        inspect(&mut self.state.lock())
    }

    /// Calls into the stack until the answer is something else than "would block", waiting in between: for ever, or
    /// for `patience`, after which the answer is [`io::ErrorKind::WouldBlock`].
    pub(crate) fn block_on<R>(
        &self,
        socket: SocketId,
        gate: &Gate,
        wait: Wait,
        mut call: impl FnMut(&mut State, Instant) -> Result<R, Error>,
    ) -> io::Result<R> {
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            if state.life == Life::Ended {
                return Err(host_is_down());
            }
            let now = clock::now();
            let turns = state.waiters.turns(socket);
            let result = call(&mut state, now);
            state.settle(now);
            match result {
                Err(Error::WouldBlock) => {}
                result => {
                    self.release(state);
                    return result.map_err(io_error);
                }
            }
            self.ring_if_needed(&mut state);
            if !state.wakers.is_empty() {
                let wakers = std::mem::take(&mut state.wakers);
                MutexGuard::unlocked(&mut state, || wakers.into_iter().for_each(Waker::wake));
            }
            if state.waiters.turns(socket) != turns {
                continue;
            }
            let condition = gate.of(wait.interest);
            match wait.patience {
                None => condition.wait(&mut state),
                Some(patience) => {
                    let started = std::time::Instant::now();
                    let deadline = match deadline {
                        Some(deadline) => deadline,
                        // A time too far away to be told is no limit.
                        None => *deadline.insert(started.checked_add(patience)),
                    };
                    match deadline {
                        None => condition.wait(&mut state),
                        Some(deadline) if started >= deadline => {
                            return Err(io_error(Error::WouldBlock));
                        }
                        Some(deadline) => {
                            // What decides is the socket's answer, once more, and then the time.
                            let _ = condition.wait_until(&mut state, deadline);
                        }
                    }
                }
            }
        }
    }

    /// Calls into the stack; if that would block, `context`'s task is woken when it may be worth another try.
    pub(crate) fn poll_on<R>(
        &self,
        socket: SocketId,
        (interest, key): (Interest, WakerKey),
        context: &mut Context<'_>,
        mut call: impl FnMut(&mut State, Instant) -> Result<R, Error>,
    ) -> Poll<io::Result<R>> {
        let mut state = self.state.lock();
        loop {
            if state.life == Life::Ended {
                return Poll::Ready(Err(host_is_down()));
            }
            let now = clock::now();
            let turns = state.waiters.turns(socket);
            let result = call(&mut state, now);
            state.settle(now);
            let answer = match result {
                Err(Error::WouldBlock) if state.waiters.turns(socket) != turns => continue,
                Err(Error::WouldBlock) => {
                    state.waiters.register(socket, interest, key, context.waker());
                    Poll::Pending
                }
                result => Poll::Ready(result.map_err(io_error)),
            };
            self.release(state);
            return answer;
        }
    }

    /// Sends every event from now on to `sink` as well.
    pub(crate) fn trace(&self, sink: Sink<Trace>) -> io::Result<()> {
        let mut state = self.state.lock();
        match &state.outlet {
            Some(outlet) => outlet.add(sink),
            None if state.life == Life::Ended => return Err(host_is_down()),
            None => {
                state.outlet = Some(Outlet::open(format!("{}-trace", self.name), sink)?);
                state.stack.set_tracing(Tracing::On);
            }
        }
        Ok(())
    }

    /// Lets the host end: at once if nothing is under way, after `patience` at the latest.
    pub(crate) fn close(&self, patience: Duration) {
        let mut state = self.state.lock();
        let since = clock::now();
        let until = since + patience;
        match state.life {
            Life::Ended => return,
            Life::Closing { until: earlier, .. } if earlier <= until => {}
            _ => state.life = Life::Closing { since, until },
        }
        self.ring(&mut state);
    }

    /// [`close`](Self::close), and waits until it is done.
    pub(crate) fn shut_down(&self, patience: Duration) {
        self.close(patience);
        let mut state = self.state.lock();
        while state.life != Life::Ended {
            self.ended.wait(&mut state);
        }
    }
}

/// How a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) interest: Interest,
    /// The longest time to wait; for ever if there is none.
    pub(crate) patience: Option<Duration>,
}
