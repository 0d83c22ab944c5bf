//! The end of slow start, found before anything is lost: HyStart++ (RFC 9406), and HyStart as Linux has it.
//!
//! Both look at the shortest round-trip time of each round. Where a queue builds up it grows, and doubling the window once
//! more would only overflow the queue.

use super::SlowStartExit;
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// Samples of a round before its shortest says anything (RFC 9406, N_RTT_SAMPLE).
const ENOUGH_SAMPLES: u8 = 8;
/// By how much a round-trip time must have grown, at least and at most (MIN_RTT_THRESH, MAX_RTT_THRESH), in microseconds.
const LEAST_GROWTH: u32 = 4_000;
const MOST_GROWTH: u32 = 16_000;
/// What part of the round-trip time it must have grown by (MIN_RTT_DIVISOR).
const GROWTH_DIVISOR: u32 = 8;
/// Rounds of careful growth (CSS_ROUNDS), and what part of it they grow by (CSS_GROWTH_DIVISOR).
const CAREFUL_ROUNDS: u8 = 5;
pub(super) const CAREFUL_DIVISOR: u32 = 4;
/// Linux: below this window in segments, and with acknowledgements further apart than this, nothing is concluded.
const LOW_WINDOW: u32 = 16;
const TRAIN_GAP: Duration = Duration::from_millis(2);

/// No round-trip time yet.
const NONE: u32 = u32::MAX;

/// What an acknowledgement shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    pub(super) now: Instant,
    /// The round-trip time it measured, in microseconds.
    pub(super) rtt: u32,
    /// The shortest of the connection.
    pub(super) least_rtt: u32,
    pub(super) una: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// The congestion window in segments.
    pub(super) segments: u32,
}

/// What follows for slow start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    GoOn,
    /// It ends here: the window is the threshold.
    Exit,
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub(super) struct HyStart {
    /// SND.NXT when the round began (windowEnd); none before the first.
    round_end: Option<SeqNumber>,
    round_start: Instant,
    /// The last acknowledgement that followed closely on another.
    train_end: Instant,
    /// The shortest of this round and of the one before.
    current: u32,
    last: u32,
    samples: u8,
    /// The round-trip time careful growth began with (cssBaselineMinRtt), or [`NONE`].
    baseline: u32,
    careful_rounds: u8,
}

impl HyStart {
    pub(super) fn new() -> Self {
        HyStart {
            round_end: None,
            round_start: Instant::ZERO,
            train_end: Instant::ZERO,
            current: NONE,
            last: NONE,
            samples: 0,
            baseline: NONE,
            careful_rounds: 0,
        }
    }

    /// Whether growth is careful (RFC 9406, Conservative Slow Start).
    pub(super) fn is_careful(&self) -> bool {
        self.baseline != NONE
    }

    /// A round-trip time was measured in slow start.
    pub(super) fn observe(&mut self, method: SlowStartExit, seen: Observation) -> Verdict {
        match method {
            SlowStartExit::HyStartPlusPlus => self.observe_plus_plus(seen),
            SlowStartExit::HyStart if seen.segments >= LOW_WINDOW => self.observe_classic(seen),
            SlowStartExit::HyStart | SlowStartExit::Loss => Verdict::GoOn,
        }
    }

    fn begin_round(&mut self, seen: Observation) {
        self.round_end = Some(seen.nxt);
        self.round_start = seen.now;
        self.train_end = seen.now;
        self.last = self.current;
        self.current = NONE;
        self.samples = 0;
    }

    fn count(&mut self, rtt: u32) -> bool {
        self.current = self.current.min(rtt);
        let enough = self.samples >= ENOUGH_SAMPLES;
        self.samples = self.samples.saturating_add(1);
        enough
    }

    /// RFC 9406 section 4.2.
    fn observe_plus_plus(&mut self, seen: Observation) -> Verdict {
        if self.round_end.is_none_or(|end| seen.una.is_after(end)) {
            if self.is_careful() {
                self.careful_rounds += 1;
                if self.careful_rounds >= CAREFUL_ROUNDS {
                    return Verdict::Exit;
                }
            }
            self.begin_round(seen);
        }
        self.count(seen.rtt);
        if self.samples < ENOUGH_SAMPLES {
            return Verdict::GoOn;
        }
        if self.is_careful() {
            if self.current < self.baseline {
                // The growth was a hiccup.
                self.baseline = NONE;
            }
        } else if self.last != NONE && self.current >= self.last.saturating_add(threshold(self.last)) {
            self.baseline = self.current;
            self.careful_rounds = 0;
        }
        Verdict::GoOn
    }

    fn observe_classic(&mut self, seen: Observation) -> Verdict {
        if self.round_end.is_none_or(|end| seen.una.is_after(end)) {
            self.begin_round(seen);
        }
        // A train of acknowledgements as long as half of the shortest round trip: as much as the path holds is in flight.
        if seen.now.since(self.train_end) <= TRAIN_GAP {
            self.train_end = seen.now;
            let half = Duration::from_micros(u64::from(seen.least_rtt / 2));
            if seen.now.since(self.round_start) > half {
                return Verdict::Exit;
            }
        }
        let enough = self.count(seen.rtt);
        if enough && self.current > seen.least_rtt.saturating_add(threshold(seen.least_rtt)) {
            return Verdict::Exit;
        }
        Verdict::GoOn
    }
}

/// By how much a round-trip time above this one means a queue.
fn threshold(rtt: u32) -> u32 {
    (rtt / GROWTH_DIVISOR).clamp(LEAST_GROWTH, MOST_GROWTH)
}
