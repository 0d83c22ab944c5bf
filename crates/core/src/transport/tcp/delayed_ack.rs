//! When to acknowledge (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2), in Linux's manner: at once while the peer may
//! be in slow start, at once on more than one full segment, otherwise after a time that follows the peer's rhythm.

use crate::time::{Duration, Instant};

/// The shortest time an acknowledgement is held back.
const LEAST: Duration = Duration::from_millis(40);
/// How many acknowledgements at most go out at once at the start.
const MOST_QUICK: u32 = 16;
/// How many acknowledgements are owed at most: more say nothing more to any sender.
pub(super) const MOST_OWED: u16 = 256;

/// What received data asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckTime {
    /// An acknowledgement at once.
    Now,
    /// One after this time at the latest.
    Within(Duration),
}

/// The acknowledgements owed, and when they are due.
#[derive(Debug)]
pub(super) struct DelayedAck {
    /// How many are to leave at once: a count, because each segment out of order is owed its own.
    owed: u16,
    /// How many more leave at once whatever comes.
    quick: u8,
    /// Whether the two sides talk in turns: what we answer carries the acknowledgement.
    is_interactive: bool,
    /// Bytes received in order and not acknowledged.
    unacknowledged: u32,
    /// The time an acknowledgement is held back now, in microseconds; zero before the first data.
    delay_micros: u32,
    last_data: Instant,
    /// The largest segment seen, as an estimate of the peer's full one.
    segment: u32,
}

impl DelayedAck {
    pub(super) fn new() -> Self {
        DelayedAck {
            owed: 0,
            quick: 0,
            is_interactive: false,
            unacknowledged: 0,
            delay_micros: 0,
            last_data: Instant::ZERO,
            segment: 88,
        }
    }

    /// The handshake is done: no segment will be larger than `most`.
    pub(super) fn start(&mut self, most: u32) {
        self.segment = most.min(536).max(self.segment);
    }

    /// How many acknowledgements are to leave at once.
    pub(super) fn owed(&self) -> u16 {
        self.owed
    }

    /// The largest segment seen.
    pub(super) fn segment(&self) -> u32 {
        self.segment
    }

    /// One acknowledgement is owed, in any case.
    pub(super) fn owe(&mut self) {
        self.owed = self.owed.max(1);
    }

    /// One more is owed: the peer counts them.
    pub(super) fn owe_another(&mut self) {
        self.owed = self.owed.saturating_add(1).min(MOST_OWED);
    }

    /// Data has come, `length` bytes; `most` is the largest segment the peer may send, `window` ours, `rto` the peer's
    /// patience as far as we know it.
    pub(super) fn on_data(&mut self, now: Instant, length: u32, most: u32, window: u32, rto: Duration) {
        self.segment = self.segment.max(length.min(most));
        let delay = self.delay();
        if delay.is_zero() {
            self.begin_quick(window);
            self.set_delay(LEAST);
        } else {
            let pause = now.since(self.last_data);
            if pause <= LEAST / 2 {
                self.set_delay(delay / 2 + LEAST / 2);
            } else if pause < delay {
                self.set_delay((delay / 2 + pause).min(rto));
            } else if pause > rto {
                // So long a silence ends with the peer in slow start again.
                self.begin_quick(window);
            }
        }
        self.last_data = now;
    }

    /// The time an acknowledgement is held back now.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros.into())
    }

    fn set_delay(&mut self, delay: Duration) {
        self.delay_micros = u32::try_from(delay.as_micros()).unwrap_or(u32::MAX).max(1);
    }

    fn begin_quick(&mut self, window: u32) {
        let count = (window / (2 * self.segment.max(1))).clamp(2, MOST_QUICK);
        self.quick = self.quick.max(count as u8);
    }

    /// The next `count` acknowledgements leave at once: the peer may be in trouble.
    pub(super) fn hurry(&mut self, count: u8) {
        self.quick = self.quick.max(count);
        self.is_interactive = false;
        self.set_delay(LEAST);
    }

    /// `count` bytes more in order: when they are to be acknowledged. `unreported` segments out of order still wait for
    /// theirs, `rtt` is the path's round-trip time if known, `most` the longest delay wanted.
    pub(super) fn on_in_order(
        &mut self,
        count: u32,
        unreported: u16,
        rtt: Option<Duration>,
        most: Duration,
    ) -> AckTime {
        self.unacknowledged = self.unacknowledged.saturating_add(count);
        // What waited in the gap is answered with one acknowledgement.
        self.owed = self.owed.min(unreported.max(1));
        let is_quick = self.quick > 0 && !self.is_interactive;
        if is_quick || self.unacknowledged > self.segment {
            self.owe();
            return AckTime::Now;
        }
        let bound =
            if self.delay() > LEAST { most.min(rtt.map_or(most, |rtt| rtt.max(LEAST))) } else { most };
        AckTime::Within(self.delay().min(bound))
    }

    /// The acknowledgement of the peer's SYN is left to data that a program waits to write. Linux takes that for a
    /// conversation in turns, from the beginning.
    pub(super) fn hold_for_write(&mut self) {
        self.is_interactive = true;
        self.unacknowledged = self.unacknowledged.max(1);
        self.set_delay(LEAST);
    }

    /// Whether what comes may be acknowledged at once.
    pub(super) fn is_quick(&self) -> bool {
        !self.is_interactive
    }

    /// The program has said whether acknowledgements wait for its answers.
    pub(super) fn set_quick(&mut self, is_quick: bool) {
        self.is_interactive = !is_quick;
    }

    /// What is held back is owed now.
    pub(super) fn owe_held(&mut self) {
        if self.unacknowledged > 0 {
            self.owe();
        }
    }

    /// We have sent data: an answer, if it comes soon after the peer's.
    pub(super) fn on_data_sent(&mut self, now: Instant) {
        if self.delay_micros > 0 && now.since(self.last_data) < self.delay() {
            self.is_interactive = true;
        }
    }

    /// A held-back acknowledgement was due before anything could carry it.
    pub(super) fn on_timeout(&mut self, rto: Duration) {
        if self.is_interactive {
            // So nobody answers in turns.
            self.is_interactive = false;
            self.set_delay(LEAST);
        } else {
            self.set_delay((self.delay() * 2).min(rto));
        }
        if self.unacknowledged > 0 {
            self.owe();
        }
    }

    /// A segment with an acknowledgement has left.
    pub(super) fn on_ack_sent(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        self.quick = self.quick.saturating_sub(1);
        self.unacknowledged = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn on_segment(ack: &mut DelayedAck, now: Instant, length: u32) -> AckTime {
        ack.on_data(now, length, 1448, 65_535, MS(200));
        ack.on_in_order(length, 0, Some(MS(100)), MS(200))
    }

    #[test]
    fn quick_at_first_then_every_second_full_segment() {
        let mut ack = DelayedAck::new();
        let now = Instant::from_millis(1);
        for _ in 0..16 {
            assert_eq!(on_segment(&mut ack, now, 1448), AckTime::Now);
            ack.on_ack_sent();
            assert_eq!(ack.owed(), 0);
        }
        assert_eq!(on_segment(&mut ack, now, 1448), AckTime::Within(MS(40)));
        assert_eq!(on_segment(&mut ack, now, 1), AckTime::Now);
        assert_eq!(ack.owed(), 1);
    }

    #[test]
    fn a_coalesced_segment_counts_as_several() {
        let mut ack = DelayedAck::new();
        ack.on_data(Instant::ZERO, 1448, 1448, 65_535, MS(200));
        ack.quick = 0;
        assert_eq!(on_segment(&mut ack, Instant::ZERO, 2896), AckTime::Now);
    }

    #[test]
    fn answers_carry_acknowledgements_until_one_does_not_come() {
        let mut ack = DelayedAck::new();
        let now = Instant::from_millis(1);
        on_segment(&mut ack, now, 100);
        ack.on_data_sent(now);
        ack.on_ack_sent();
        assert_eq!(on_segment(&mut ack, Instant::from_millis(6), 100), AckTime::Within(MS(40)));
        ack.on_timeout(MS(200));
        assert_eq!(ack.owed(), 1);
        ack.on_ack_sent();
        assert_eq!(on_segment(&mut ack, Instant::from_millis(60), 100), AckTime::Now, "quick again");
    }

    #[test]
    fn each_segment_out_of_order_is_owed_its_own() {
        let mut ack = DelayedAck::new();
        for owed in 1..=3 {
            ack.owe_another();
            assert_eq!(ack.owed(), owed);
        }
        ack.on_in_order(5000, 2, None, MS(200));
        assert_eq!(ack.owed(), 2, "two of them are still out of order");
        ack.on_in_order(5000, 0, None, MS(200));
        assert_eq!(ack.owed(), 1);
    }
}
