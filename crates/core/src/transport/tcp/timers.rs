//! One slot for each thing a connection waits for.

use crate::time::Instant;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// An acknowledgement of what was sent (RFC 6298).
    Retransmit,
    /// The same, but only two round trips: a loss probe (RFC 8985 section 7).
    LossProbe,
    /// Something that may only be late (RFC 8985 section 6.3).
    Reordering,
    /// A window that opens (RFC 9293 section 3.8.6.1).
    Probe,
    /// Something to carry an acknowledgement.
    DelayedAck,
    /// A sign of life (RFC 9293 section 3.8.4).
    Keepalive,
    /// The user time-out (RFC 5482).
    UserTimeout,
    /// The peer's FIN, where nobody holds the connection any more.
    FinWait2,
    /// The time that a burst takes at the pacing rate.
    Pacing,
    /// Anything at all: an idle connection gives its buffers back.
    Idle,
}

/// In the order of the slots. The last two are no TCP: pacing would fill every trace, and the other is housekeeping.
const ALL: [(Timer, Option<&str>); 10] = [
    (Timer::Retransmit, Some("retransmit")),
    (Timer::LossProbe, Some("loss-probe")),
    (Timer::Reordering, Some("reordering")),
    (Timer::Probe, Some("window-probe")),
    (Timer::DelayedAck, Some("delayed-ack")),
    (Timer::Keepalive, Some("keepalive")),
    (Timer::UserTimeout, Some("user-timeout")),
    (Timer::FinWait2, Some("fin-wait-2")),
    (Timer::Pacing, None),
    (Timer::Idle, None),
];

/// The timers of one connection.
#[derive(Debug)]
pub(super) struct Timers {
    at: [Instant; ALL.len()],
}

impl Timers {
    /// None is running.
    pub(super) const fn new() -> Self {
        Timers { at: [Instant::MAX; ALL.len()] }
    }

    /// Starts a timer, or moves it.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.at.get_mut(timer as usize) {
            *slot = at;
        }
    }

    /// Stops a timer.
    pub(super) fn stop(&mut self, timer: Timer) {
        self.set(timer, Instant::MAX);
    }

    /// Stops all.
    pub(super) fn stop_all(&mut self) {
        *self = Timers::new();
    }

    /// When the timer is due; [`Instant::MAX`] where it is not running.
    pub(super) fn at(&self, timer: Timer) -> Instant {
        self.at.get(timer as usize).copied().unwrap_or(Instant::MAX)
    }

    /// Whether the timer is running.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.at(timer) != Instant::MAX
    }

    /// When the first one is due.
    pub(super) fn earliest(&self) -> Option<Instant> {
        let earliest = self.at.iter().copied().fold(Instant::MAX, Instant::min);
        (earliest != Instant::MAX).then_some(earliest)
    }

    /// The first timer that is due, which is stopped.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (timer, _) = ALL.into_iter().find(|(timer, _)| self.is_set(*timer) && self.at(*timer) <= now)?;
        self.stop(timer);
        Some(timer)
    }
}

/// Which timers of a connection have fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    bits: u16,
}

impl Fired {
    /// Their names: `retransmit`, `loss-probe`, `reordering`, `window-probe`, `delayed-ack`, `keepalive`, `user-timeout`, `fin-wait-2`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let fired = move |(timer, name): (Timer, Option<&'static str>)| {
            name.filter(|_| self.bits & 1 << timer as u8 != 0)
        };
        ALL.into_iter().filter_map(fired)
    }

    pub(super) fn insert(&mut self, timer: Timer) {
        self.bits |= 1 << timer as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_in_its_own_slot() {
        let mut timers = Timers::new();
        assert_eq!(timers.earliest(), None);
        timers.set(Timer::Keepalive, Instant::from_millis(5));
        timers.set(Timer::Retransmit, Instant::from_millis(7));
        timers.set(Timer::Idle, Instant::from_millis(6));
        assert_eq!(timers.earliest(), Some(Instant::from_millis(5)));
        assert_eq!(timers.take_due(Instant::from_millis(4)), None);
        let mut fired = Fired::default();
        while let Some(timer) = timers.take_due(Instant::from_millis(7)) {
            fired.insert(timer);
        }
        assert_eq!(fired.names().collect::<Vec<_>>(), ["retransmit", "keepalive"]);
        assert_eq!(timers.earliest(), None);
        assert!(ALL.iter().enumerate().all(|(slot, (timer, _))| slot == *timer as usize));
    }
}
