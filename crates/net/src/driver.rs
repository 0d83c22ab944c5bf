//! The driver: the one loop outside the stack. It waits for frames and for deadlines, and hands them in.
//!
//! Nothing is lost between looking and sleeping: the thread says under the lock until when it means to sleep, whoever
//! needs it earlier rings the doorbell, and the doorbell stays rung until the thread has looked.

use crate::clock;
use crate::engine::{Engine, Life, SINK_RETRY, State};
use crate::outlet::Outlet;
use crate::port::{Arrivals, Port};
use parking_lot::MutexGuard;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::State as TcpState;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Frames and bytes that one turn takes from one device, so that a flood leaves room for callers and timers.
const RECEIVE_FRAMES: usize = 64;
const RECEIVE_BYTES: usize = 512 << 10;

/// While connections linger, how often to look whether they are done.
const LINGER_CHECK: Duration = Duration::from_millis(10);

/// How long a closing host waits for the end of peers that owe it nothing but that.
const PEER_PATIENCE: Duration = Duration::from_millis(300);

/// How often a closing host sends a FIN again that nobody answers, to a peer that has said its own end before.
const FIN_TRIES: u32 = 4;

/// What is watched of one device.
pub(crate) struct Watch<D = OwnedFd> {
    pub(crate) input: Option<D>,
    pub(crate) output: Option<D>,
}

/// The driver's own part: it lives in a thread, or in a task ([`crate::tokio`]).
pub(crate) struct Driver {
    engine: Arc<Engine>,
    plans: Vec<Plan>,
    buffer: Vec<u8>,
}

/// Which of a device's descriptors to watch while sleeping.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) input: bool,
    pub(crate) output: bool,
}

/// What one turn leaves to do.
pub(crate) enum Turn {
    /// There is more: take another turn at once.
    Busy,
    /// Nothing, until something happens or the time has come.
    Idle(Option<Instant>),
    /// Everything: the host has ended.
    Ended,
}

impl Driver {
    /// The driver of `engine`, whose largest frame takes `frame_capacity` bytes, and what it watches.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub(crate) fn new(engine: &Arc<Engine>, frame_capacity: usize) -> io::Result<(Driver, Vec<Watch>)> {
        let watches = engine
            .state
            .lock()
            .ports
            .iter()
            .map(|port| {
                let (input, output) = port.descriptors()?;
                Ok(Watch { input, output })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let plans = Vec::with_capacity(watches.len());
        Ok((Driver { engine: Arc::clone(engine), plans, buffer: vec![0; frame_capacity] }, watches))
    }

    /// Starts the thread of `engine`.
    ///
    /// # Errors
    /// As [`Driver::new`], and when the process has no threads left.
    pub(crate) fn start(engine: &Arc<Engine>, frame_capacity: usize) -> io::Result<()> {
        let (driver, watches) = Driver::new(engine, frame_capacity)?;
        std::thread::Builder::new().name(engine.name.to_string()).spawn(move || driver.run(&watches))?;
        Ok(())
    }

    fn run(mut self, watches: &[Watch]) {
        let _end = self.end_on_exit();
        loop {
            match self.turn() {
                Turn::Busy => {}
                Turn::Idle(until) => self.sleep(watches, until),
                Turn::Ended => break,
            }
        }
    }

    /// What marks the host as ended when it is dropped: even a panic must not leave callers waiting for who is gone.
    pub(crate) fn end_on_exit(&self) -> EndOnExit {
        EndOnExit(Arc::clone(&self.engine))
    }

    /// The engine it drives.
    #[cfg(feature = "tokio")]
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What to watch of each device after the last turn.
    pub(crate) fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// Everything there is to do now, as far as one batch goes.
    pub(crate) fn turn(&mut self) -> Turn {
        let mut guard = self.engine.state.lock();
        let now = clock::now();
        let state = &mut *guard;
        state.is_driver_asleep = false;
        let mut is_busy = false;
        for port in &mut state.ports {
            port.resume();
        }
        let sinks_are_behind = state.outlet.as_ref().is_some_and(Outlet::is_full);
        if !sinks_are_behind {
            for port in &mut state.ports {
                let arrivals =
                    port.receive(now, &mut state.stack, &mut self.buffer, RECEIVE_FRAMES, RECEIVE_BYTES);
                is_busy |= arrivals == Arrivals::More;
            }
        }
        if state.stack.poll_timeout().is_some_and(|deadline| deadline <= now) {
            state.stack.handle_timeout(now);
        }
        state.settle(now);
        if let Life::Closing { since, until } = state.life
            && (now >= until || has_nothing_to_say(state, now.since(since)))
        {
            return Turn::Ended;
        }
        let wakers = std::mem::take(&mut state.wakers);
        let turn = if is_busy || state.has_more {
            // Fair: a caller that waits for the lock gets it now.
            MutexGuard::unlock_fair(guard);
            Turn::Busy
        } else {
            state.alarm = next_alarm(state, now, sinks_are_behind);
            state.is_driver_asleep = true;
            self.plans.clear();
            self.plans.extend(state.ports.iter().map(|port| Plan {
                input: !sinks_are_behind && port.rests_until().is_none(),
                output: port.is_blocked(),
            }));
            let until = state.alarm;
            drop(guard);
            Turn::Idle(until)
        };
        for waker in wakers {
            waker.wake();
        }
        turn
    }

    /// Waits for a frame, for room, for the doorbell, or for the time.
    fn sleep(&self, watches: &[Watch], until: Option<Instant>) {
        let doorbell = self.engine.doorbell.input();
        let mut polled = Vec::with_capacity(1 + 2 * watches.len());
        polled.push(PollFd::from_borrowed_fd(doorbell, PollFlags::IN));
        for (watch, plan) in watches.iter().zip(self.plans()) {
            if let (Some(input), true) = (&watch.input, plan.input) {
                polled.push(PollFd::new(input, PollFlags::IN));
            }
            if let (Some(output), true) = (&watch.output, plan.output) {
                polled.push(PollFd::new(output, PollFlags::OUT));
            }
        }
        let timeout = until.map(|until| {
            let left = until.since(clock::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        // An interrupted wait is a turn with nothing to do.
        let _ = poll(&mut polled, timeout.as_ref());
        let is_rung = polled.first().is_some_and(|fd| !fd.revents().is_empty());
        if is_rung {
            self.engine.doorbell.drain();
        }
    }
}

/// When the driver must wake by itself.
fn next_alarm(state: &State, now: Instant, sinks_are_behind: bool) -> Option<Instant> {
    let mut wanted = state.stack.poll_timeout();
    let mut at_latest = |instant: Instant| {
        wanted = Some(wanted.map_or(instant, |wanted| wanted.min(instant)));
    };
    for port in &state.ports {
        if let Some(until) = port.rests_until()
            && until != Instant::MAX
        {
            at_latest(until);
        }
    }
    if sinks_are_behind {
        at_latest(now + SINK_RETRY);
    }
    if let Life::Closing { until, .. } = state.life {
        at_latest(until.min(now + LINGER_CHECK));
    }
    match (state.alarm, wanted) {
        // An alarm that is set already and too early costs one needless turn. Taking it back would cost a doorbell
        // with every write that arms the retransmission timer again.
        (Some(set), Some(wanted)) if set > now => Some(set.min(wanted)),
        (Some(set), None) if set > now => Some(set),
        _ => wanted,
    }
}

/// Marks the host as ended when the driver ends, and lets everybody go who waits for it.
pub(crate) struct EndOnExit(Arc<Engine>);

impl Drop for EndOnExit {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.life = Life::Ended;
        let ports = std::mem::take(&mut state.ports);
        let outlet = state.outlet.take();
        let mut wakers = std::mem::take(&mut state.wakers);
        state.waiters.notify_all(&mut wakers);
        self.0.ended.notify_all();
        drop(state);
        drop(ports);
        drop(outlet);
        for waker in wakers {
            waker.wake();
        }
    }
}

/// Whether no connection of a host that has been closing for `elapsed` has anything left to send, to have acknowledged,
/// or to acknowledge; and the last frames have left the cable, which are gone when it is pulled out.
fn has_nothing_to_say(state: &State, elapsed: Duration) -> bool {
    let snapshot = state.stack.snapshot();
    snapshot.waiting == 0
        && snapshot.sockets.iter().all(|socket| match socket.state {
            Some(TcpState::FinWait1 | TcpState::Closing) => false,
            // All that was written has arrived; a peer that does not say so of our FIN is no longer there.
            Some(TcpState::LastAck) => {
                let tries = socket.tcp.as_ref().map_or(0, |tcp| tcp.retransmits);
                socket.send_queue <= 1 && tries >= FIN_TRIES
            }
            // All is said, but if the peer ends now, it should have its answer.
            Some(TcpState::FinWait2) => elapsed >= PEER_PATIENCE,
            Some(TcpState::Listen) => true,
            _ => socket.send_queue == 0,
        })
        && state.ports.iter().all(Port::has_sent_all)
}
