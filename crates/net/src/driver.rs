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

/// What `poll` watches of one device.
struct Watch {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
}

/// The driver's own part: it lives in the thread.
pub(crate) struct Driver {
    engine: Arc<Engine>,
    watches: Vec<Watch>,
    plans: Vec<Plan>,
    buffer: Vec<u8>,
}

/// Which of a device's descriptors to watch while sleeping.
#[derive(Clone, Copy)]
struct Plan {
    input: bool,
    output: bool,
}

/// What one turn leaves to do.
enum Turn {
    /// There is more: take another turn at once.
    Busy,
    /// Nothing, until something happens or the time has come.
    Idle(Option<Instant>),
    /// Everything: the host has ended.
    Ended,
}

impl Driver {
    /// Starts the thread of `engine`, whose largest frame takes `frame_capacity` bytes.
    ///
    /// # Errors
    /// When the process has no descriptors or no threads left.
    pub(crate) fn start(engine: &Arc<Engine>, frame_capacity: usize) -> io::Result<()> {
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
        let driver = Driver {
            engine: Arc::clone(engine),
            plans: Vec::with_capacity(watches.len()),
            watches,
            buffer: vec![0; frame_capacity],
        };
        std::thread::Builder::new().name(engine.name.to_string()).spawn(move || driver.run())?;
        Ok(())
    }

    fn run(mut self) {
        // Even a panic must not leave callers waiting for a thread that is gone.
        let engine = Arc::clone(&self.engine);
        let _end = EndOnExit(&engine);
        loop {
            match self.turn(&engine) {
                Turn::Busy => {}
                Turn::Idle(until) => self.sleep(until),
                Turn::Ended => break,
            }
        }
    }

    /// Everything there is to do now, as far as one batch goes.
    fn turn(&mut self, engine: &Engine) -> Turn {
        let mut guard = engine.state.lock();
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
    fn sleep(&self, until: Option<Instant>) {
        let doorbell = self.engine.doorbell.input();
        let mut polled = Vec::with_capacity(1 + 2 * self.watches.len());
        polled.push(PollFd::from_borrowed_fd(doorbell, PollFlags::IN));
        for (watch, plan) in self.watches.iter().zip(&self.plans) {
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

/// Marks the host as ended when the driver's thread ends, and lets everybody go who waits for it.
struct EndOnExit<'a>(&'a Engine);

impl Drop for EndOnExit<'_> {
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
