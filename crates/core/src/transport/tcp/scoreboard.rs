//! What is in flight: each transmission with its time and its fate (RFC 6675, RFC 2018).
//!
//! One entry stands for one transmission, be it a small segment or a burst that the device cuts; it is split where the
//! peer reports or where we retransmit a part. Everything is found by binary search, every mark is set once and every
//! cursor only moves forward, so that the work is proportional to what an acknowledgement changes, not to the window.

use std::collections::VecDeque;

use crate::time::Instant;
use crate::wire::tcp::{SackBlock, SeqNumber};

/// How many entries there may be before the peer's reports are no longer taken exactly: a report that would split an
/// entry further is then disregarded, which costs a retransmission and never correctness.
const MOST_ENTRIES: usize = 32_768;
/// RFC 6675's DupThresh.
const DUP_THRESH: u32 = 3;

const SACKED: u8 = 1;
const LOST: u8 = 1 << 1;
/// A retransmission of it is on its way.
const RESENT: u8 = 1 << 2;
/// It was sent more than once: no round-trip time can be taken from it (Karn).
const AMBIGUOUS: u8 = 1 << 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    at: Instant,
    start: SeqNumber,
    length: u32,
    marks: u8,
}

impl Sent {
    fn end(&self) -> SeqNumber {
        self.start + self.length
    }

    fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// What an acknowledgement or a report has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Bytes not known to be delivered before.
    pub(super) bytes: u32,
    /// When the first of these was sent, where nothing in question was sent twice.
    pub(super) sent_at: Option<Instant>,
    /// When something of it was last sent, where that was not the first time.
    pub(super) resent_at: Option<Instant>,
}

impl Delivered {
    fn note(&mut self, sent: &Sent) {
        if sent.is(AMBIGUOUS) {
            self.resent_at = self.resent_at.max(Some(sent.at));
        } else if self.sent_at.is_none() {
            self.sent_at = Some(sent.at);
        }
    }
}

/// Everything between SND.UNA and SND.NXT.
#[derive(Debug)]
pub(super) struct Scoreboard {
    entries: VecDeque<Sent>,
    outstanding: u32,
    sacked: u32,
    lost: u32,
    resent: u32,
    /// Lost and not sent again.
    to_resend: u32,
    /// The lowest entry that is lost and not sent again begins here or later.
    resend_from: SeqNumber,
    /// Below this, everything that the rule of RFC 6675 calls lost was marked.
    marked_below: SeqNumber,
    /// The end of the highest reported block.
    sacked_to: SeqNumber,
}

impl Scoreboard {
    /// Nothing in flight; the first byte will be `start`.
    pub(super) fn new(start: SeqNumber) -> Self {
        Scoreboard {
            entries: VecDeque::new(),
            outstanding: 0,
            sacked: 0,
            lost: 0,
            resent: 0,
            to_resend: 0,
            resend_from: start,
            marked_below: start,
            sacked_to: start,
        }
    }

    /// Bytes between SND.UNA and SND.NXT.
    pub(super) fn outstanding(&self) -> u32 {
        self.outstanding
    }

    /// Bytes the peer reports received.
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Bytes marked lost, sent again or not.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// Bytes marked lost that are not sent again yet.
    pub(super) fn to_resend(&self) -> u32 {
        self.to_resend
    }

    /// Bytes believed to be on their way (RFC 6675, Pipe).
    pub(super) fn pipe(&self) -> u32 {
        (self.outstanding + self.resent).saturating_sub(self.sacked + self.lost)
    }

    /// `length` sequence numbers from `start` on, the next after all others, are sent for the first time.
    pub(super) fn push(&mut self, now: Instant, start: SeqNumber, length: u32) {
        self.outstanding += length;
        if self.entries.len() >= MOST_ENTRIES
            && let Some(last) = self.entries.back_mut()
            && last.marks == 0
        {
            // Dust: the retransmission will be cut anew anyway.
            last.length += length;
            return;
        }
        self.entries.push_back(Sent { at: now, start, length, marks: 0 });
    }

    /// SND.UNA moves to `ack`.
    pub(super) fn acknowledge(&mut self, ack: SeqNumber) -> Delivered {
        let mut delivered = Delivered::default();
        while let Some(first) = self.entries.front_mut() {
            if !ack.is_after(first.start) {
                break;
            }
            let gone = first.length.min(ack.distance(first.start).max(0).cast_unsigned());
            let marks = first.marks;
            if marks & SACKED == 0 {
                delivered.bytes += gone;
                delivered.note(first);
            }
            let whole = gone == first.length;
            first.start += gone;
            first.length -= gone;
            self.discount(marks, gone);
            self.outstanding -= gone;
            if whole {
                self.entries.pop_front();
            }
        }
        self.resend_from = self.resend_from.max(ack);
        self.marked_below = self.marked_below.max(ack);
        self.sacked_to = self.sacked_to.max(ack);
        delivered
    }

    /// The peer reports a block. It must lie between SND.UNA and SND.NXT.
    pub(super) fn on_sack(&mut self, block: SackBlock, delivered: &mut Delivered) {
        self.split_at(block.left);
        self.split_at(block.right);
        let first = self.index_of(block.left);
        let mut index = first;
        let mut reported = 0;
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.end().is_after(block.right) || sent.start.is_before(block.left) {
                // Only where a split was refused.
                if sent.start.at_or_after(block.right) {
                    break;
                }
                index += 1;
                continue;
            }
            let before = *sent;
            sent.marks = SACKED | before.marks & AMBIGUOUS;
            index += 1;
            if before.is(SACKED) {
                continue;
            }
            self.discount(before.marks, before.length);
            reported += before.length;
            self.sacked += before.length;
            delivered.note(&before);
        }
        delivered.bytes += reported;
        if reported > 0 {
            self.sacked_to = self.sacked_to.max(block.right);
        }
    }

    /// Marks what RFC 6675 calls lost: below three reported segments, or reported bytes worth more than two.
    pub(super) fn mark_lost(&mut self, mss: u32) {
        if self.sacked == 0 {
            return;
        }
        let mut index = self.index_of(self.sacked_to - 1);
        let (mut bytes, mut runs, mut in_run) = (0, 0, false);
        let edge = loop {
            let Some(sent) = self.entries.get(index) else { return };
            if sent.end().at_or_before(self.marked_below) {
                return;
            }
            if sent.is(SACKED) {
                bytes += sent.length;
                runs += u32::from(!in_run);
                in_run = true;
                if bytes > (DUP_THRESH - 1) * mss || runs >= DUP_THRESH {
                    break sent.start;
                }
            } else {
                in_run = false;
            }
            let Some(before) = index.checked_sub(1) else { return };
            index = before;
        };
        if edge.at_or_before(self.marked_below) {
            return;
        }
        let from = self.index_of(self.marked_below);
        self.mark_range(from, edge);
        self.marked_below = edge;
    }

    /// Marks what is neither reported, nor marked, nor on its way again, from entry `index` up to `edge`.
    fn mark_range(&mut self, mut index: usize, edge: SeqNumber) {
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.start.at_or_after(edge) {
                break;
            }
            index += 1;
            if sent.is(SACKED | LOST | RESENT) {
                continue;
            }
            sent.marks |= LOST;
            self.lost += sent.length;
            self.to_resend += sent.length;
            self.resend_from = self.resend_from.min(sent.start);
        }
    }

    /// The first unacknowledged segment is lost, unless it is on its way again.
    pub(super) fn lose_head(&mut self, mss: u32) {
        let Some(first) = self.entries.front() else { return };
        let edge = first.start + mss.min(first.length);
        self.split_at(edge);
        self.mark_range(0, edge);
    }

    /// Everything not reported is lost, retransmissions too. `Reports::Disbelieve`: what was reported as well, because
    /// the peer may take back what it reported (RFC 2018 section 8).
    pub(super) fn lose_all(&mut self, reports: Reports) {
        (self.lost, self.resent, self.to_resend) = (0, 0, 0);
        if reports == Reports::Disbelieve {
            self.sacked = 0;
        }
        for sent in &mut self.entries {
            if reports == Reports::Believe && sent.is(SACKED) {
                continue;
            }
            sent.marks = LOST | sent.marks & AMBIGUOUS;
            self.lost += sent.length;
        }
        self.to_resend = self.lost;
        if let (Some(first), Some(last)) = (self.entries.front(), self.entries.back()) {
            self.resend_from = first.start;
            self.marked_below = last.end();
            if reports == Reports::Disbelieve {
                self.sacked_to = first.start;
            }
        }
    }

    /// Whether the peer has acknowledged up to the edge of a block it reported, and not beyond: it must have thrown the
    /// block away.
    pub(super) fn is_reneged(&self) -> bool {
        self.entries.front().is_some_and(|first| first.is(SACKED))
    }

    /// The lowest stretch that is lost and not sent again: where it begins and its length.
    pub(super) fn next_lost(&self) -> Option<(SeqNumber, u32)> {
        if self.to_resend == 0 {
            return None;
        }
        let index = self.index_of(self.resend_from);
        let due = |sent: &&Sent| sent.is(LOST) && !sent.is(RESENT);
        self.entries.range(index..).find(due).map(|sent| (sent.start, sent.length))
    }

    /// The highest stretch, if it is neither reported nor on its way again: what RFC 6675 calls the rescue.
    pub(super) fn rescue(&self) -> Option<(SeqNumber, u32)> {
        let last = self.entries.back()?;
        (!last.is(SACKED | LOST | RESENT)).then_some((last.start, last.length))
    }

    /// `length` sequence numbers from `start` on are sent again.
    pub(super) fn on_resent(&mut self, now: Instant, start: SeqNumber, length: u32) {
        let end = start + length;
        self.split_at(start);
        self.split_at(end);
        let mut index = self.index_of(start);
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.start.at_or_after(end) {
                break;
            }
            index += 1;
            if sent.is(SACKED | RESENT) {
                continue;
            }
            sent.at = now;
            sent.marks |= RESENT | AMBIGUOUS;
            self.resent += sent.length;
            if sent.is(LOST) {
                self.to_resend -= sent.length;
            }
        }
        if self.resend_from.is_before(end) {
            self.resend_from = end;
        }
        // On to the next one due, so that nobody walks over the same entries again.
        while self.to_resend > 0
            && let Some(sent) = self.entries.get(index)
            && (!sent.is(LOST) || sent.is(RESENT))
        {
            self.resend_from = sent.end();
            index += 1;
        }
    }

    /// Gives memory back. Nothing may be in flight.
    pub(super) fn release(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Forgets everything in flight; `next` is the next to be sent.
    pub(super) fn clear(&mut self, next: SeqNumber) {
        *self = Scoreboard::new(next);
    }

    /// Bytes of memory.
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Sent>()
    }

    /// The entry that holds `seq`, or the first behind it.
    fn index_of(&self, seq: SeqNumber) -> usize {
        // Most often it is about the front.
        if self.entries.front().is_none_or(|first| first.end().is_after(seq)) {
            return 0;
        }
        self.entries.partition_point(|sent| sent.end().at_or_before(seq))
    }

    /// Makes an entry begin at `seq`.
    fn split_at(&mut self, seq: SeqNumber) {
        let index = self.index_of(seq);
        let full = self.entries.len() >= 2 * MOST_ENTRIES;
        let Some(sent) = self.entries.get_mut(index) else { return };
        if full || !sent.start.is_before(seq) {
            return;
        }
        let head = seq.distance(sent.start).cast_unsigned();
        let tail = Sent { start: seq, length: sent.length - head, ..*sent };
        sent.length = head;
        self.entries.insert(index + 1, tail);
    }

    /// `length` sequence numbers with these marks are gone.
    fn discount(&mut self, marks: u8, length: u32) {
        if marks & SACKED != 0 {
            self.sacked -= length;
        }
        if marks & LOST != 0 {
            self.lost -= length;
            if marks & RESENT == 0 {
                self.to_resend -= length;
            }
        }
        if marks & RESENT != 0 {
            self.resent -= length;
        }
    }
}

/// Whether the peer's reports are still believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    /// They are.
    Believe,
    /// They are not.
    Disbelieve,
}
