//! The receiving half: RCV.NXT, RCV.WND, what came out of order, and the acknowledgements owed.

use crate::buffer::Ring;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlock, SackBlocks, SeqNumber};

/// The window a connection opens with before it is known how fast the program reads.
const FIRST_WINDOW: usize = 65_535;
/// How many separate ranges of out-of-order data are kept.
const MOST_RANGES: usize = 256;
/// The longest an acknowledgement is held back (RFC 9293, 3.8.6.3, allows 500 ms; Linux uses 40).
const DELAY: Duration = Duration::from_millis(40);

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) irs: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// The right edge of the window as last announced: it never moves back.
    pub(super) edge: SeqNumber,
    pub(super) shift: u8,
    pub(super) ring: Ring,
    limit: usize,
    /// The part of the limit announced so far; it grows as the program keeps up.
    target: usize,
    read_in_epoch: usize,
    ranges: Vec<SackBlock>,
    recent: Option<SeqNumber>,
    duplicate: Option<SackBlock>,
    /// The sequence number of the peer's FIN, once seen.
    pub(super) fin: Option<SeqNumber>,
    /// Acknowledgements owed at once: a count, because each duplicate is owed its own.
    pub(super) owed: u32,
    unacknowledged: usize,
    pub(super) delayed: Option<Instant>,
    quick: u32,
    pub(super) closed: bool,
    pub(super) ts_recent: u32,
    pub(super) ts_recent_at: Instant,
    last_ack_sent: SeqNumber,
}

impl Receiver {
    pub(super) fn new(irs: SeqNumber, shift: u8, limit: usize) -> Self {
        let nxt = irs + 1;
        let target = limit.min(FIRST_WINDOW);
        Receiver {
            irs,
            nxt,
            edge: nxt + target as u32,
            shift,
            ring: Ring::default(),
            limit,
            target,
            read_in_epoch: 0,
            ranges: Vec::new(),
            recent: None,
            duplicate: None,
            fin: None,
            owed: 0,
            unacknowledged: 0,
            delayed: None,
            quick: 16,
            closed: false,
            ts_recent: 0,
            ts_recent_at: Instant::ZERO,
            last_ack_sent: nxt,
        }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.target = self.target.min(limit);
    }

    /// RCV.WND as announced.
    pub(super) fn window(&self) -> u32 {
        self.edge.distance(self.nxt).max(0) as u32
    }

    /// The four cases of RFC 9293, 3.10.7.4.
    pub(super) fn is_acceptable(&self, seq: SeqNumber, length: u32) -> bool {
        let window = self.window();
        match (length, window) {
            (0, 0) => seq == self.nxt,
            (0, _) => seq.in_window(self.nxt, window),
            (_, 0) => false,
            _ => seq.in_window(self.nxt, window) || (seq + (length - 1)).in_window(self.nxt, window),
        }
    }

    /// Takes what is new of a segment's payload.
    pub(super) fn accept(&mut self, now: Instant, mut seq: SeqNumber, mut payload: &[u8], mss: usize) {
        if seq.is_before(self.nxt) {
            let known = self.nxt.distance(seq) as usize;
            let overlap = known.min(payload.len());
            self.note_duplicate(seq, seq + overlap as u32);
            payload = payload.get(known..).unwrap_or_default();
            seq = self.nxt;
        }
        let room = self.edge.distance(seq).max(0) as usize;
        payload = &payload[..payload.len().min(room)];
        if payload.is_empty() {
            self.owed += 1;
            return;
        }
        let in_order = seq == self.nxt;
        let first_gap = self.ranges.is_empty();
        let offset = seq.distance(self.nxt).max(0) as usize;
        if !in_order && !self.insert(seq, seq + payload.len() as u32) {
            self.owed += 1;
            return;
        }
        if !self.closed {
            self.ring.write(offset, payload);
        }
        if in_order {
            self.advance(payload.len());
            self.unacknowledged += payload.len();
            // A gap filled, fully or in part, is acknowledged at once (RFC 5681, 4.2).
            let at_once = !first_gap || self.unacknowledged >= 2 * mss || self.quick > 0;
            if at_once {
                self.quick = self.quick.saturating_sub(1);
                self.owed = self.owed.max(1);
            } else if self.delayed.is_none() {
                self.delayed = Some(now + DELAY);
            }
        } else {
            self.recent = Some(seq);
            self.owed += 1;
        }
    }

    /// Something came twice: the peer is told (RFC 2883).
    pub(super) fn note_duplicate(&mut self, left: SeqNumber, right: SeqNumber) {
        if left.is_before(right) {
            self.duplicate = Some(SackBlock { left, right });
        }
    }

    fn advance(&mut self, count: usize) {
        self.nxt += count as u32;
        let mut taken = count;
        while let Some(first) = self.ranges.first().copied() {
            if first.left.is_after(self.nxt) {
                break;
            }
            if first.right.is_after(self.nxt) {
                taken += first.right.distance(self.nxt) as usize;
                self.nxt = first.right;
            }
            self.ranges.remove(0);
        }
        if !self.closed {
            self.ring.extend(taken);
        }
    }

    /// Notes a range out of order; `false` when there are too many.
    fn insert(&mut self, left: SeqNumber, right: SeqNumber) -> bool {
        let mut merged = SackBlock { left, right };
        let from = self.ranges.partition_point(|range| range.right.is_before(left));
        let to = self.ranges.partition_point(|range| range.left.at_or_before(right));
        for range in self.ranges.get(from..to).unwrap_or_default() {
            if range.left.at_or_before(left) && right.at_or_before(range.right) {
                self.duplicate = Some(SackBlock { left, right });
            }
            merged.left = merged.left.min(range.left);
            merged.right = merged.right.max(range.right);
        }
        if from >= to && self.ranges.len() >= MOST_RANGES {
            return false;
        }
        self.ranges.splice(from..to.max(from), [merged]);
        true
    }

    /// Whether the peer's FIN and everything before it have come.
    pub(super) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.nxt.is_after(fin))
    }

    /// The peer's FIN, once everything before it is there.
    pub(super) fn reach_fin(&mut self) -> bool {
        if self.fin != Some(self.nxt) {
            return false;
        }
        self.nxt += 1;
        self.owed = self.owed.max(1);
        true
    }

    /// The ranges to report: a duplicate first (RFC 2883), then the most recent, then the others.
    pub(super) fn sack_blocks(&mut self, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        let mut room = most;
        let recent = self.recent.and_then(|seq| {
            self.ranges.iter().find(|range| range.left.at_or_before(seq) && seq.is_before(range.right))
        });
        let others = self.ranges.iter().rev().filter(|range| Some(*range) != recent);
        for block in self.duplicate.iter().chain(recent).chain(others) {
            if room == 0 {
                break;
            }
            room -= 1;
            blocks.push(*block);
        }
        self.duplicate = None;
        blocks
    }

    pub(super) fn has_gaps(&self) -> bool {
        !self.ranges.is_empty() || self.duplicate.is_some()
    }

    /// The window that could be announced now.
    fn offered(&self) -> usize {
        self.target.saturating_sub(self.ring.len())
    }

    /// Moves the right edge as far as it may, and gives the window to announce (RFC 9293, 3.8.6.2.2: not by crumbs).
    pub(super) fn announce(&mut self, mss: usize) -> u32 {
        let candidate = self.nxt + self.offered() as u32;
        let gain = candidate.distance(self.edge);
        let worthwhile = (self.target / 2).min(mss) as i32;
        if gain >= worthwhile || self.window() == 0 && gain > 0 && self.ring.is_empty() {
            self.edge = candidate;
        }
        let granularity = 1_u32 << self.shift;
        let window = self.window();
        // What the shift cannot express is not announced.
        window / granularity * granularity
    }

    /// Whether reading has opened the window so far that the peer should know.
    pub(super) fn wants_update(&self, mss: usize) -> bool {
        let candidate = self.nxt + self.offered() as u32;
        let gain = candidate.distance(self.edge);
        gain >= ((self.target / 2).min(2 * mss)) as i32 && gain >= (self.window() / 2) as i32
    }

    pub(super) fn on_read(&mut self, count: usize) {
        self.read_in_epoch += count;
        if self.read_in_epoch >= self.target / 2 && self.target < self.limit {
            self.target = (self.target * 2).min(self.limit);
            self.read_in_epoch = 0;
        }
        if self.ring.is_empty() && self.ranges.is_empty() {
            self.ring.release_if_empty();
        }
    }

    /// A segment with an acknowledgement leaves.
    pub(super) fn on_ack_sent(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        self.unacknowledged = 0;
        self.delayed = None;
        self.last_ack_sent = self.nxt;
    }

    /// RFC 7323, 4.3: which timestamp to echo.
    pub(super) fn note_timestamp(&mut self, now: Instant, seq: SeqNumber, value: u32) {
        if seq.at_or_before(self.last_ack_sent) && value.wrapping_sub(self.ts_recent) as i32 >= 0 {
            self.ts_recent = value;
            self.ts_recent_at = now;
        }
    }
}
