//! Which bytes beyond RCV.NXT have come: disjoint ranges in order, and which of them changed last (RFC 2018, RFC 2883).
//! The bytes themselves already lie at their place in the receive ring.

use std::collections::VecDeque;

use super::delayed_ack::MOST_OWED;
use crate::wire::tcp::{SackBlock, SackBlocks, SeqNumber};

/// How many separate ranges are kept where the window is small, and how many bytes of a large one there are to each. What would
/// be one more is refused and comes again. Where a sender in slow start fills a queue, every other frame of half a window is
/// lost: there are as many holes as a long fast path has segments in flight.
const FEW_RANGES: usize = 16_384;
const WINDOW_PER_RANGE: u32 = 1024;

/// The out-of-order part of the receiver.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Disjoint, not touching, in order. A queue, because holes are filled from the front.
    ranges: VecDeque<SackBlock>,
    /// A number inside each of the ranges reported last, the latest first.
    recent: [Option<SeqNumber>; SackBlocks::MAX],
    /// What has come and is not reported yet, the oldest first. Segments that come faster than acknowledgements leave are
    /// reported one by one all the same: three or four blocks would not hold what is to be told of a whole batch. Never more
    /// than there may be acknowledgements owed.
    news: VecDeque<News>,
    /// Which timestamps may still come while something is missing.
    overtaken: Option<Overtaken>,
}

/// Something that has come out of order, or once more.
#[derive(Clone, Copy, Debug)]
struct News {
    block: SackBlock,
    /// All of it was there before (RFC 2883).
    is_duplicate: bool,
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

/// How many ranges there may be in a window of this size.
pub(super) fn most_ranges(window: u32) -> usize {
    FEW_RANGES.max((window / WINDOW_PER_RANGE) as usize)
}

impl Reassembly {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether there is anything to report.
    pub(super) fn has_report(&self) -> bool {
        !self.ranges.is_empty() || !self.news.is_empty()
    }

    /// How many segments' worth of news there is.
    pub(super) fn unreported(&self) -> u16 {
        self.news.len() as u16
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.ranges.iter().map(|range| length(range) as usize).sum()
    }

    /// Notes that everything from `left` up to `right` is there. There may be `most` ranges.
    pub(super) fn insert(&mut self, left: SeqNumber, right: SeqNumber, most: usize) -> Inserted {
        let from = self.ranges.partition_point(|range| range.right.is_before(left));
        let to = from + self.ranges.range(from..).take_while(|range| range.left.at_or_before(right)).count();
        let mut merged = SackBlock { left, right };
        let mut touched = self.ranges.range(from..to);
        let first = touched.next();
        if let (Some(first), Some(last)) = (first, touched.next_back().or(first)) {
            if first.left.at_or_before(left) && first.right.at_or_after(right) {
                self.on_duplicate(left, right);
                return Inserted::Known;
            }
            merged = SackBlock { left: first.left.min(left), right: last.right.max(right) };
        } else if self.ranges.len() >= most {
            return Inserted::Refused;
        }
        match self.ranges.get_mut(from).filter(|_| to > from) {
            Some(range) => {
                *range = merged;
                self.ranges.drain(from + 1..to);
            }
            None => self.ranges.insert(from, merged),
        }
        self.push_news(News { block: SackBlock { left, right }, is_duplicate: false });
        Inserted::New
    }

    /// RCV.NXT has moved to `next`: says how far it moves on because of what waited, and forgets that.
    pub(super) fn advance(&mut self, next: SeqNumber) -> SeqNumber {
        let reached = self.ranges.partition_point(|range| range.left.at_or_before(next));
        let last = self.ranges.range(..reached).next_back().map(|range| range.right);
        self.ranges.drain(..reached);
        let next = last.map_or(next, |right| right.max(next));
        self.news.retain(|news| news.is_duplicate || news.block.left.at_or_after(next));
        next
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

    /// Something came again; it is reported once.
    pub(super) fn on_duplicate(&mut self, left: SeqNumber, right: SeqNumber) {
        self.push_news(News { block: SackBlock { left, right }, is_duplicate: true });
    }

    fn push_news(&mut self, news: News) {
        if self.news.len() >= usize::from(MOST_OWED)
            && let Some(oldest) = self.news.pop_front()
        {
            self.touch(oldest.block.left);
        }
        self.news.push_back(news);
    }

    /// How much of the news the next of `owed` acknowledgements brings.
    fn due(&self, owed: u16) -> usize {
        self.news.len().div_ceil(usize::from(owed.max(1)))
    }

    /// The blocks to report in the next of `owed` acknowledgements, at most `most`: a duplicate first (RFC 2883), then the
    /// range that changed last, then the others that changed lately (RFC 2018 section 4), then any.
    pub(super) fn blocks(&self, owed: u16, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        let mut full = 0;
        let mut add = |block: SackBlock| {
            if full < most && !blocks.as_slice().contains(&block) && blocks.push(block) {
                full += 1;
            }
        };
        let due = self.due(owed);
        if let Some(duplicate) = self.news.range(..due).rev().find(|news| news.is_duplicate) {
            add(duplicate.block);
        }
        let latest = self.news.range(..due).rev().map(|news| news.block.left);
        for seq in latest.chain(self.recent.into_iter().flatten()) {
            if let Some(range) = self.range_at(seq) {
                add(range);
            }
        }
        for range in self.ranges.iter().rev().take(SackBlocks::MAX) {
            add(*range);
        }
        blocks
    }

    /// What [`Reassembly::blocks`] says to as many owed acknowledgements was sent.
    pub(super) fn on_reported(&mut self, owed: u16) {
        for _ in 0..self.due(owed) {
            if let Some(news) = self.news.pop_front() {
                self.touch(news.block.left);
            }
        }
    }

    /// The highest number that has come, if any is out of order.
    pub(super) fn highest(&self) -> Option<SeqNumber> {
        self.ranges.back().map(|range| range.right)
    }

    /// The range that holds `seq`.
    fn range_at(&self, seq: SeqNumber) -> Option<SackBlock> {
        let index = self.ranges.partition_point(|range| range.right.at_or_before(seq));
        self.ranges.get(index).filter(|range| range.left.at_or_before(seq)).copied()
    }

    /// The range that holds `seq` was reported.
    fn touch(&mut self, seq: SeqNumber) {
        let Some(range) = self.range_at(seq) else { return };
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
