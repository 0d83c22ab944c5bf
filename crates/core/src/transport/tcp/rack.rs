//! RACK (RFC 8985): a segment is lost when one sent after it has arrived and the time in which it might still come is over.

use super::scoreboard::{Delivered, Moment};
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// Segments above a gap that mean a loss (RFC 5681 section 3.2) until reordering is seen.
const DUP_THRESH: u16 = 3;
/// The most segments by which a path is believed to reorder.
const MOST_REORDERING: u16 = 300;
/// After how many recoveries without a D-SACK the reordering window is what it was at first (section 6.2, step 4).
const PERSISTENCE: u8 = 16;

/// What is known of the newest segment delivered, and of reordering.
#[derive(Clone, Debug)]
pub(super) struct Rack {
    /// When the newest segment delivered was sent: RACK.xmit_ts.
    sent: Moment,
    /// Where it ends: RACK.end_seq.
    end: SeqNumber,
    /// Its round-trip time: RACK.rtt.
    rtt: Duration,
    /// Something was delivered since losses were last looked for.
    pub(super) has_advanced: bool,
    /// A D-SACK waits to widen the window.
    has_duplicate: bool,
    /// Whether a segment ever came late: RACK.reordering_seen.
    pub(super) has_reordering: bool,
    /// RACK.reo_wnd_mult.
    multiplier: u8,
    /// RACK.reo_wnd_persist.
    persistence: u8,
    /// How often a segment came late.
    pub(super) reordered: u16,
    /// By how many segments the path reorders.
    pub(super) reordering: u16,
    /// RACK.dsack_round: until this is acknowledged, no D-SACK widens the window further.
    round: Option<SeqNumber>,
}

impl Rack {
    pub(super) fn new(start: SeqNumber) -> Self {
        Rack {
            sent: Moment::ZERO,
            end: start,
            rtt: Duration::ZERO,
            has_advanced: false,
            has_duplicate: false,
            has_reordering: false,
            multiplier: 1,
            persistence: PERSISTENCE,
            reordered: 0,
            reordering: DUP_THRESH,
            round: None,
        }
    }

    /// Section 6.2, steps 1 to 3.
    pub(super) fn on_delivered(&mut self, delivered: &Delivered) {
        let Some((sent, end)) = delivered.newest else { return };
        self.has_advanced = true;
        // As Linux: not that of the newest where an older one came with it, which shows that others may come yet.
        self.rtt = delivered.round_trip;
        if (sent, end.distance(self.end)) > (self.sent, 0) {
            (self.sent, self.end) = (sent, end);
        }
    }

    /// A segment came after one sent later: `low` is its number, `high` the highest reported.
    pub(super) fn on_reordering(&mut self, low: SeqNumber, high: SeqNumber, mss: u32) {
        if !low.is_before(high) {
            return;
        }
        self.has_reordering = true;
        self.reordered = self.reordered.saturating_add(1);
        let segments = high.distance(low).max(0).cast_unsigned().div_ceil(mss.max(1));
        self.reordering = self.reordering.max(segments.min(MOST_REORDERING.into()) as u16);
    }

    /// A D-SACK: something was sent again for nothing.
    pub(super) fn on_duplicate(&mut self) {
        self.has_duplicate = true;
    }

    /// Section 6.2, step 4: each round trip with a D-SACK widens the window by a quarter of the shortest round trip.
    pub(super) fn adapt_window(&mut self, una: SeqNumber, nxt: SeqNumber) {
        if let Some(round) = self.round {
            if una.is_before(round) {
                self.has_duplicate = false;
            } else {
                self.round = None;
            }
        }
        if self.has_duplicate {
            self.has_duplicate = false;
            self.multiplier = self.multiplier.saturating_add(1);
            self.persistence = PERSISTENCE;
            self.round = Some(nxt);
        } else if self.persistence == 0 {
            self.multiplier = 1;
        }
    }

    /// A recovery is over.
    pub(super) fn on_recovered(&mut self) {
        self.persistence = self.persistence.saturating_sub(1);
    }

    /// A D-SACK undid a recovery: remember its lesson one recovery longer.
    pub(super) fn remember_longer(&mut self) {
        self.persistence = PERSISTENCE.min(self.persistence + 1);
    }

    /// How long a segment may be late. Where no reordering was ever seen, three segments above the gap, or a recovery
    /// that has begun, are proof enough.
    pub(super) fn window(
        &self,
        is_recovering: bool,
        sacked_segments: u32,
        min_rtt: Duration,
        smoothed: Duration,
    ) -> Duration {
        if !self.has_reordering && (is_recovering || sacked_segments >= u32::from(self.reordering)) {
            return Duration::ZERO;
        }
        let quarter = min_rtt / 4;
        quarter.saturating_mul(self.multiplier.into()).min(smoothed)
    }

    /// Whether the newest segment delivered was sent after one that left at `sent` and ends with `end`.
    pub(super) fn is_newer_than(&self, sent: Moment, end: SeqNumber) -> bool {
        (self.sent, self.end.distance(end)) > (sent, 0)
    }

    /// How long one that left at `at` may still take; none where its time is over.
    pub(super) fn overdue(&self, now: Instant, at: Instant, window: Duration) -> Option<Duration> {
        let allowed = self.rtt + window;
        let taken = now.since(at);
        (taken < allowed).then(|| allowed.saturating_sub(taken))
    }
}
