//! Who can stand at an end of the cable, and the loop that lets real time pass.

use std::io;
use std::os::fd::BorrowedFd;
use std::time;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sockeye_core::sim::grid::{End, GridHost, World};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::tcp::SeqNumber;

use crate::tap_end::TapEnd;

/// What stands at an end.
pub(crate) enum Stand<'a> {
    /// A stack of ours, inside this process.
    Sockeye(Box<GridHost>),
    /// Whoever is behind a TAP interface.
    Tap(TapEnd<'a>),
    /// Both, on one wire, with addresses of their own, and who of them may send next.
    Both(Box<GridHost>, TapEnd<'a>, Next),
}

/// Whose turn it is where both have something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ours,
    Theirs,
}

impl<'a> Stand<'a> {
    fn tap(&self) -> Option<&TapEnd<'a>> {
        match self {
            Stand::Sockeye(_) => None,
            Stand::Tap(tap) | Stand::Both(_, tap, _) => Some(tap),
        }
    }

    /// The stack of ours, where there is one.
    pub(crate) fn host(&self) -> Option<&GridHost> {
        match self {
            Stand::Sockeye(host) | Stand::Both(host, ..) => Some(host),
            Stand::Tap(_) => None,
        }
    }

    fn host_mut(&mut self) -> Option<&mut GridHost> {
        match self {
            Stand::Sockeye(host) | Stand::Both(host, ..) => Some(host),
            Stand::Tap(_) => None,
        }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.tap().and_then(TapEnd::readiness)
    }

    /// Frames that the kernel did not take.
    pub(crate) fn refused(&self) -> u64 {
        self.tap().map_or(0, |tap| tap.refused)
    }
}

impl End for Stand<'_> {
    fn receive(&mut self, now: Instant, frame: &[u8]) {
        match self {
            Stand::Sockeye(host) => host.receive(now, frame),
            Stand::Tap(tap) => tap.receive(now, frame),
            // Each leaves alone what is not for its address, as on any shared wire.
            Stand::Both(host, tap, _) => {
                host.receive(now, frame);
                tap.receive(now, frame);
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        if let Some(host) = self.host_mut() {
            host.wake(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool {
        match self {
            Stand::Sockeye(host) => host.poll_transmit(now, frame),
            Stand::Tap(tap) => tap.poll_transmit(now, frame),
            // In turn, or whoever comes first would always find the last room in the queue.
            Stand::Both(host, tap, next) => {
                let (is_sent, after) = match next {
                    Next::Ours => (host.poll_transmit(now, frame), Next::Theirs),
                    Next::Theirs => (tap.poll_transmit(now, frame), Next::Ours),
                };
                let first = *next;
                *next = after;
                is_sent
                    || match first {
                        Next::Ours => tap.poll_transmit(now, frame),
                        Next::Theirs => host.poll_transmit(now, frame),
                    }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.host().and_then(End::poll_timeout)
    }

    fn poll_expired(&mut self) -> Option<(u16, SeqNumber)> {
        self.host_mut().and_then(End::poll_expired)
    }
}

/// The clock of a world, which starts at zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(time::Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// How far the loop was behind its own plans.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lateness {
    turns: u64,
    total: Duration,
    /// The longest time.
    pub(crate) worst: Duration,
}

impl Lateness {
    fn add(&mut self, late: Duration) {
        self.turns += 1;
        self.total += late;
        self.worst = self.worst.max(late);
    }

    /// The mean of all times that something was due.
    pub(crate) fn mean(&self) -> Duration {
        self.total.checked_div(u32::try_from(self.turns).unwrap_or(u32::MAX)).unwrap_or_default()
    }
}

/// Lets a world go on in real time until `end`, or until `is_over` holds, which is asked again and again.
///
/// # Errors
/// Of waiting for the TAP interfaces.
pub(crate) fn run(
    world: &mut World<Stand<'_>, Stand<'_>>,
    clock: Clock,
    end: Instant,
    mut is_over: impl FnMut(&World<Stand<'_>, Stand<'_>>) -> bool,
) -> io::Result<Lateness> {
    let mut lateness = Lateness::default();
    loop {
        let now = clock.now();
        if let Some(due) = world.poll_timeout()
            && due <= now
        {
            lateness.add(now - due);
        }
        world.step(now);
        if now >= end || is_over(world) {
            return Ok(lateness);
        }
        let until = world.poll_timeout().map_or(end, |due| due.min(end));
        let rest = until.since(clock.now());
        if rest.is_zero() {
            continue;
        }
        let timeout =
            Timespec { tv_sec: rest.as_secs().cast_signed(), tv_nsec: i64::from(rest.subsec_nanos()) };
        let sides = [world.sender.readiness(), world.receiver.readiness()];
        let mut waited: Vec<PollFd<'_>> =
            sides.iter().flatten().map(|side| PollFd::from_borrowed_fd(*side, PollFlags::IN)).collect();
        match poll(&mut waited, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
