//! Which bytes beyond RCV.NXT have come: disjoint ranges in order, and which of them changed last (RFC 2018, RFC 2883).
//! The bytes themselves already lie at their place in the receive ring.

use std::collections::VecDeque;

use crate::wire::tcp::{SackBlock, SackBlocks, SeqNumber};

/// How many separate ranges are kept. What would be one more is refused and comes again. Where a sender in slow start fills
/// a queue, every other frame of half a window is lost: there are as many holes as a long fast path has segments in flight.
pub(super) const MOST_RANGES: usize = 16_384;

/// The out-of-order part of the receiver.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Disjoint, not touching, in order. A queue, because holes are filled from the front.
    ranges: VecDeque<SackBlock>,
    /// A number inside each of the ranges that changed last, the latest first.
    recent: [Option<SeqNumber>; SackBlocks::MAX],
    /// What came twice, to be reported once.
    duplicate: Option<SackBlock>,
    /// Which timestamps may still come while something is missing.
    overtaken: Option<Overtaken>,
}

/// The timestamps of what a retransmission has overtaken. It fills a gap, so that TS.Recent becomes its own (RFC 7323 section
/// 4.3), and all that was sent before it, and is late, looks older than that though it is new. Timestamps as young as TS.Recent
/// was before the gap are no sign of numbers that have wrapped: those would be a whole sequence space older. What counts is
/// never from further back than two windows, however long something stays missing.
#[derive(Clone, Copy, Debug)]
struct Overtaken {
    /// TS.Recent before the gap.
    oldest: u32,
    /// What takes its place when everything up to `until` has come.
    next: u32,
    until: SeqNumber,
}

/// What became of a stretch of out-of-order data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// At least a part of it was missing.
    New,
    /// All of it was there already.
    Known,
    /// There are too many ranges.
    Refused,
}

impl Reassembly {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether there is anything to report.
    pub(super) fn has_report(&self) -> bool {
        !self.ranges.is_empty() || self.duplicate.is_some()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.ranges.iter().map(|range| length(range) as usize).sum()
    }

    /// Notes that everything from `left` up to `right` is there.
    pub(super) fn insert(&mut self, left: SeqNumber, right: SeqNumber) -> Inserted {
        let from = self.ranges.partition_point(|range| range.right.is_before(left));
        let to = from + self.ranges.range(from..).take_while(|range| range.left.at_or_before(right)).count();
        let mut merged = SackBlock { left, right };
        let mut touched = self.ranges.range(from..to);
        let first = touched.next();
        if let (Some(first), Some(last)) = (first, touched.next_back().or(first)) {
            if first.left.at_or_before(left) && first.right.at_or_after(right) {
                self.duplicate = Some(SackBlock { left, right });
                self.touch(left);
                return Inserted::Known;
            }
            merged = SackBlock { left: first.left.min(left), right: last.right.max(right) };
        } else if self.ranges.len() >= MOST_RANGES {
            return Inserted::Refused;
        }
        match self.ranges.get_mut(from).filter(|_| to > from) {
            Some(range) => {
                *range = merged;
                self.ranges.drain(from + 1..to);
            }
            None => self.ranges.insert(from, merged),
        }
        self.touch(left);
        Inserted::New
    }

    /// RCV.NXT has moved to `next`: says how far it moves on because of what waited, and forgets that.
    pub(super) fn advance(&mut self, next: SeqNumber) -> SeqNumber {
        let reached = self.ranges.partition_point(|range| range.left.at_or_before(next));
        let last = self.ranges.range(..reached).next_back().map(|range| range.right);
        self.ranges.drain(..reached);
        last.map_or(next, |right| right.max(next))
    }

    /// Something comes out of order, up to `right`, while TS.Recent is `ts_recent`.
    pub(super) fn begin_gap(&mut self, right: SeqNumber, ts_recent: u32) {
        if self.is_empty() {
            self.overtaken = Some(Overtaken { oldest: ts_recent, next: ts_recent, until: right });
        }
    }

    /// RCV.NXT is `next` now, and TS.Recent `ts_recent`.
    pub(super) fn end_gap(&mut self, next: SeqNumber, ts_recent: u32) {
        match (&mut self.overtaken, self.ranges.back()) {
            (_, None) => self.overtaken = None,
            (Some(overtaken), Some(last)) if next.at_or_after(overtaken.until) => {
                *overtaken = Overtaken { oldest: overtaken.next, next: ts_recent, until: last.right };
            }
            _ => {}
        }
    }

    /// Whether a segment with a timestamp below TS.Recent may have been overtaken by the one that this is from.
    pub(super) fn may_be_overtaken(&self, timestamp: u32) -> bool {
        self.overtaken.is_some_and(|overtaken| timestamp.wrapping_sub(overtaken.oldest).cast_signed() >= 0)
    }

    /// Something below RCV.NXT came again; it is reported once.
    pub(super) fn on_duplicate(&mut self, left: SeqNumber, right: SeqNumber) {
        self.duplicate = Some(SackBlock { left, right });
    }

    /// The blocks to report, at most `most`: a duplicate first (RFC 2883), then the range that changed last, then the
    /// others that changed lately (RFC 2018 section 4), then any.
    pub(super) fn blocks(&self, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        let mut full = 0;
        let mut add = |block: SackBlock| {
            if full < most && !blocks.as_slice().contains(&block) && blocks.push(block) {
                full += 1;
            }
        };
        if let Some(duplicate) = self.duplicate {
            add(duplicate);
        }
        for seq in self.recent.into_iter().flatten() {
            let index = self.ranges.partition_point(|range| range.right.at_or_before(seq));
            if let Some(range) = self.ranges.get(index).filter(|range| range.left.at_or_before(seq)) {
                add(*range);
            }
        }
        for range in self.ranges.iter().rev().take(SackBlocks::MAX) {
            add(*range);
        }
        blocks
    }

    /// The blocks were sent.
    pub(super) fn on_reported(&mut self) {
        self.duplicate = None;
    }

    /// The highest number that has come, if any is out of order.
    pub(super) fn highest(&self) -> Option<SeqNumber> {
        self.ranges.back().map(|range| range.right)
    }

    fn touch(&mut self, seq: SeqNumber) {
        let index = self.ranges.partition_point(|range| range.right.at_or_before(seq));
        let Some(range) = self.ranges.get(index).copied() else { return };
        let mut kept = [Some(seq); SackBlocks::MAX];
        let others = self.recent.into_iter().flatten();
        let others =
            others.filter(|other| !(range.left.at_or_before(*other) && other.is_before(range.right)));
        let mut slots = kept.iter_mut().skip(1);
        for other in others {
            if let Some(slot) = slots.next() {
                *slot = Some(other);
            }
        }
        slots.for_each(|slot| *slot = None);
        self.recent = kept;
    }
}

fn length(block: &SackBlock) -> u32 {
    block.right.distance(block.left).max(0).cast_unsigned()
}
