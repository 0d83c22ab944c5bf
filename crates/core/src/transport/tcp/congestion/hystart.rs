//! The end of slow start, found before anything is lost: HyStart++ (RFC 9406), and HyStart as Linux has it.
//!
//! Both look at the shortest round-trip time of each round. Where a queue builds up it grows, and doubling the window once
//! more would only overflow the queue.
//!
//! That alone comes late: what is measured now was sent when the window was half as large, so that a round trip an eighth
//! too long means twice that of the path's capacity in flight, and a queue as long as the path has overflowed. Then HyStart++'s
//! five careful rounds triple the window. So two things are added to it. Careful growth also begins where Linux's HyStart
//! would end slow start, at a train of acknowledgements half a round trip long, which is seen with about as much in flight as
//! the path holds; a false one costs little, because growth goes on. And careful growth ends as soon as the round-trip time
//! has risen beyond what it began with, which confirms it.

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
const CAREFUL_DIVISOR: u32 = 4;
/// The same where a train began it: the path is just full then, and a queue is seen only a round later.
const TRAIN_GROWTH_DIVISOR: u32 = 8;
/// Linux: below this window in segments, and with acknowledgements further apart than this, nothing is concluded.
const LOW_WINDOW: u32 = 16;
const TRAIN_GAP: Duration = Duration::from_millis(2);
/// On a long path acknowledgements are as far apart as this part of a round trip and still a train.
const TRAIN_DIVISOR: u32 = 16;

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
    /// How the sender spreads what it sends.
    pub(super) spread: Spread,
}

/// How a sender spreads what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Something else than the window is what limits it: that its acknowledgements follow on each other says nothing.
    Unlimited,
    /// It sends when acknowledgements let it.
    Clocked,
    /// It is paced: in slow start over half of a round trip.
    Paced,
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
    /// What part careful growth grows by.
    divisor: u32,
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
            divisor: CAREFUL_DIVISOR,
        }
    }

    /// Whether growth is careful (RFC 9406, Conservative Slow Start).
    fn is_careful(&self) -> bool {
        self.baseline != NONE
    }

    /// How many bytes must be acknowledged for each that the window grows by, where growth is careful.
    pub(super) fn careful_divisor(&self) -> Option<u32> {
        self.is_careful().then_some(self.divisor)
    }

    fn become_careful(&mut self, baseline: u32, divisor: u32) {
        self.baseline = baseline;
        self.divisor = divisor;
        self.careful_rounds = 0;
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

    /// RFC 9406 section 4.2, with the two additions.
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
        let fills = self.fills(seen);
        if self.samples < ENOUGH_SAMPLES {
            return Verdict::GoOn;
        }
        if self.is_careful() {
            if self.current < self.baseline {
                // The growth was a hiccup.
                self.baseline = NONE;
            } else if self.current >= self.baseline.saturating_add(confirmation(self.baseline)) {
                return Verdict::Exit;
            }
        } else if fills {
            self.become_careful(self.current.min(self.last), TRAIN_GROWTH_DIVISOR);
        } else if self.last != NONE && self.current >= self.last.saturating_add(threshold(self.last)) {
            self.become_careful(self.current, CAREFUL_DIVISOR);
        }
        Verdict::GoOn
    }

    /// Whether a train of acknowledgements has come as long as half of the shortest round trip: as much as the path holds is
    /// in flight.
    fn fills(&mut self, seen: Observation) -> bool {
        let least = Duration::from_micros(seen.least_rtt.into());
        if seen.now.since(self.train_end) > TRAIN_GAP.max(least / TRAIN_DIVISOR) {
            return false;
        }
        self.train_end = seen.now;
        let length = seen.now.since(self.round_start);
        match seen.spread {
            Spread::Unlimited => false,
            Spread::Clocked => length > least / 2,
            Spread::Paced => length > least,
        }
    }

    fn observe_classic(&mut self, seen: Observation) -> Verdict {
        if self.round_end.is_none_or(|end| seen.una.is_after(end)) {
            self.begin_round(seen);
        }
        if self.fills(seen) {
            return Verdict::Exit;
        }
        let enough = self.count(seen.rtt);
        if enough && self.current > seen.least_rtt.saturating_add(threshold(seen.least_rtt)) {
            return Verdict::Exit;
        }
        Verdict::GoOn
    }
}

/// By how much a round-trip time above the one that careful growth began with means that there is a queue indeed: as above,
/// but without the least growth, which a queue as long as a short path could never cause.
fn confirmation(rtt: u32) -> u32 {
    (rtt / GROWTH_DIVISOR).min(MOST_GROWTH)
}

/// By how much a round-trip time above this one means a queue.
fn threshold(rtt: u32) -> u32 {
    (rtt / GROWTH_DIVISOR).clamp(LEAST_GROWTH, MOST_GROWTH)
}
