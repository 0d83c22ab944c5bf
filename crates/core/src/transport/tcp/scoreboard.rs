//! What is in flight: each transmission with its time and its fate (RFC 2018, RFC 6675, RFC 8985).
//!
//! One entry stands for one transmission, be it a small segment or a burst that the device cuts; it is split where the
//! peer reports or where we retransmit a part. Entries stand in the order of their numbers, which is the order of time for
//! everything sent once; what was sent again stands a second time in a queue of its own, by time. So RACK finds what was
//! sent before a given moment without a search, every cursor only moves forward, and the work is proportional to what an
//! acknowledgement changes, not to the window.

use std::collections::VecDeque;

use super::rack::Rack;
use super::rate::{Stamp, Stamped};
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlock, SeqNumber};

/// How many entries there may be, beside those that full segments take, before small segments share one and the peer's reports
/// are no longer taken exactly: a report that would split an entry further is then disregarded, which costs a retransmission
/// and never correctness.
const MOST_ENTRIES: usize = 32_768;
/// As many bytes as share an entry then. The time of such an entry is that of its first bytes.
const DUST: u32 = 512;
/// How many entries beyond the first one not yet overdue are asked when they will be.
const LOOK_AHEAD: usize = 32;

const SACKED: u8 = 1;
const LOST: u8 = 1 << 1;
/// A retransmission of it is on its way.
const RESENT: u8 = 1 << 2;
/// It was sent more than once: no round-trip time can be taken from it (Karn).
const AMBIGUOUS: u8 = 1 << 3;

/// The moment of a transmission. A clock that is read once for a batch of frames gives many the same time: RACK would take
/// what has the lower number for the earlier one then, and give a retransmission up as soon as something arrives that left
/// just before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    at: Instant,
    /// How many left before it at the same time.
    turn: u16,
}

impl Moment {
    /// Before everything.
    pub(super) const ZERO: Moment = Moment { at: Instant::ZERO, turn: 0 };

    fn next(self, now: Instant) -> Moment {
        let turn = if self.at == now { self.turn.saturating_add(1) } else { 0 };
        Moment { at: now, turn }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    at: Instant,
    start: SeqNumber,
    length: u32,
    marks: u8,
    turn: u16,
    stamp: Stamp,
}

impl Sent {
    fn end(&self) -> SeqNumber {
        self.start + self.length
    }

    fn moment(&self) -> Moment {
        Moment { at: self.at, turn: self.turn }
    }

    fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// A retransmission on its way.
#[derive(Clone, Copy, Debug)]
struct Again {
    moment: Moment,
    start: SeqNumber,
    end: SeqNumber,
}

/// What an acknowledgement has told, put together report by report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    now: Instant,
    /// The shortest round trip known.
    min_rtt: Duration,
    /// SND.NXT at the last loss.
    high: SeqNumber,
    /// The highest number reported before this acknowledgement.
    highest: SeqNumber,
    /// Bytes not known to be delivered before.
    pub(super) bytes: u32,
    /// When the first and the last of what is now acknowledged, and was sent once, were sent.
    pub(super) acked_at: Option<(Instant, Instant)>,
    /// The same for what is now reported.
    pub(super) sacked_at: Option<(Instant, Instant)>,
    /// When something acknowledged was last sent, where that was not the first time.
    pub(super) resent_at: Option<Instant>,
    /// Something was delivered that was sent once only, and before the last loss was found (RFC 5682).
    pub(super) has_original: bool,
    /// The lowest number delivered late, that is after something above it, and sent once only.
    pub(super) reordered: Option<SeqNumber>,
    /// What was sent last of all that was delivered: when, and where it ends (RFC 8985 section 6.2, step 2).
    pub(super) newest: Option<(Moment, SeqNumber)>,
    /// The round trip of what was noted last.
    pub(super) round_trip: Duration,
    /// The same with what it remembers, however soon it was answered.
    pub(super) latest: Option<Stamped>,
}

impl Delivered {
    pub(super) fn new(now: Instant, min_rtt: Option<Duration>, high: SeqNumber, highest: SeqNumber) -> Self {
        Delivered {
            highest,
            now,
            min_rtt: min_rtt.unwrap_or_default(),
            high,
            bytes: 0,
            acked_at: None,
            sacked_at: None,
            resent_at: None,
            has_original: false,
            reordered: None,
            newest: None,
            round_trip: Duration::ZERO,
            latest: None,
        }
    }

    /// The round-trip time of the last segment delivered, of those sent once.
    pub(super) fn last_round_trip(&self) -> Option<Duration> {
        self.sacked_at.or(self.acked_at).map(|(_, last)| self.now.since(last))
    }

    /// An entry, or its beginning up to `end`, is delivered.
    fn note(&mut self, sent: &Sent, end: SeqNumber, is_report: bool) {
        let Sent { at: sent_at, stamp, .. } = *sent;
        Stamped::keep_latest(&mut self.latest, Stamped { sent_at, end, stamp });
        let resent = sent.is(AMBIGUOUS);
        if resent {
            if !is_report {
                self.resent_at = self.resent_at.max(Some(sent.at));
            }
        } else {
            let times = if is_report { &mut self.sacked_at } else { &mut self.acked_at };
            *times = Some((times.map_or(sent.at, |(first, _)| first), sent.at));
            self.has_original |= end.at_or_before(self.high);
            if sent.start.is_before(self.highest) {
                self.reordered = Some(self.reordered.map_or(sent.start, |low| low.min(sent.start)));
            }
        }
        // RFC 8985 section 6.2, step 2: an answer that comes sooner than any can is the answer to the first sending.
        if resent && self.now.since(sent.at) < self.min_rtt {
            return;
        }
        self.round_trip = self.now.since(sent.at);
        if self.newest.is_none_or(|(moment, last)| (sent.moment(), end.distance(last)) > (moment, 0)) {
            self.newest = Some((sent.moment(), end));
        }
    }
}

/// Everything between SND.UNA and SND.NXT.
#[derive(Debug)]
pub(super) struct Scoreboard {
    entries: VecDeque<Sent>,
    /// Retransmissions by time. What has become of them stands in their entries.
    again: VecDeque<Again>,
    outstanding: u32,
    sacked: u32,
    /// Segments the peer reports received.
    sacked_segments: u32,
    lost: u32,
    resent: u32,
    /// Lost and not sent again.
    to_resend: u32,
    /// Bytes ever marked lost, modulo 2^32.
    lost_ever: u32,
    /// The lowest entry that is lost and not sent again begins here or later.
    resend_from: SeqNumber,
    /// Below this, nothing sent once waits for RACK's judgement.
    judged_below: SeqNumber,
    /// The end of the highest reported block.
    sacked_to: SeqNumber,
    /// That of the last transmission.
    latest: Moment,
}

impl Scoreboard {
    /// Nothing in flight; the first byte will be `start`.
    pub(super) fn new(start: SeqNumber) -> Self {
        Scoreboard {
            entries: VecDeque::new(),
            again: VecDeque::new(),
            outstanding: 0,
            sacked: 0,
            sacked_segments: 0,
            lost: 0,
            resent: 0,
            to_resend: 0,
            lost_ever: 0,
            resend_from: start,
            judged_below: start,
            sacked_to: start,
            latest: Moment::ZERO,
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

    /// Segments the peer reports received.
    pub(super) fn sacked_segments(&self) -> u32 {
        self.sacked_segments
    }

    /// The end of the highest block reported.
    pub(super) fn sacked_to(&self) -> SeqNumber {
        self.sacked_to
    }

    /// Bytes marked lost, sent again or not.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// Bytes ever marked lost, modulo 2^32; what was lost twice counts twice.
    pub(super) fn lost_ever(&self) -> u32 {
        self.lost_ever
    }

    /// Bytes whose retransmission is on its way.
    pub(super) fn resent(&self) -> u32 {
        self.resent
    }

    /// Bytes marked lost that are not sent again yet.
    pub(super) fn to_resend(&self) -> u32 {
        self.to_resend
    }

    /// Bytes believed to be on their way (RFC 6675, Pipe).
    pub(super) fn pipe(&self) -> u32 {
        (self.outstanding + self.resent).saturating_sub(self.sacked + self.lost)
    }

    /// When the first unacknowledged entry was last sent.
    pub(super) fn head_sent_at(&self) -> Option<Instant> {
        self.entries.front().map(|first| first.at)
    }

    /// Whether something was sent again that still matters: it is on its way, or it stands at the head.
    pub(super) fn has_resent(&self) -> bool {
        self.resent > 0 || self.entries.front().is_some_and(|first| first.is(AMBIGUOUS))
    }

    /// `length` sequence numbers from `start` on, the next after all others, are sent for the first time.
    pub(super) fn push(&mut self, now: Instant, start: SeqNumber, length: u32, stamp: Stamp) {
        self.latest = self.latest.next(now);
        self.outstanding += length;
        if self.entries.len() >= MOST_ENTRIES
            && let Some(last) = self.entries.back_mut()
            && last.marks == 0
            && last.length + length <= DUST
        {
            // The retransmission will be cut anew anyway.
            last.length += length;
            return;
        }
        self.entries.push_back(Sent { at: now, start, length, marks: 0, turn: self.latest.turn, stamp });
    }

    /// SND.UNA moves to `ack`. Segments have `mss` bytes.
    pub(super) fn acknowledge(&mut self, ack: SeqNumber, mss: u32, delivered: &mut Delivered) {
        while let Some(first) = self.entries.front_mut() {
            if !ack.is_after(first.start) {
                break;
            }
            let gone = first.length.min(ack.distance(first.start).max(0).cast_unsigned());
            let marks = first.marks;
            if marks & SACKED == 0 {
                delivered.bytes += gone;
                delivered.note(first, first.start + gone, false);
            } else {
                let left = (first.length - gone).div_ceil(mss);
                self.sacked_segments =
                    self.sacked_segments.saturating_sub(first.length.div_ceil(mss).saturating_sub(left));
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
        if self.sacked == 0 {
            self.sacked_segments = 0;
        }
        self.resend_from = self.resend_from.max(ack);
        self.judged_below = self.judged_below.max(ack);
        self.sacked_to = self.sacked_to.max(ack);
        if self.resent == 0 {
            self.again.clear();
        }
    }

    /// The peer reports a block. It must lie between SND.UNA and SND.NXT. Only whole segments count, as on Linux: a part
    /// of one saves no retransmission.
    pub(super) fn on_sack(&mut self, block: SackBlock, mss: u32, delivered: &mut Delivered) {
        self.split_at_segment(block.left, mss, Edge::Left);
        self.split_at_segment(block.right, mss, Edge::Right);
        let mut index = self.index_of(block.left);
        let mut reported = 0;
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.end().is_after(block.right) || sent.start.is_before(block.left) {
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
            self.sacked_segments += before.length.div_ceil(mss);
            self.sacked_to = self.sacked_to.max(before.end());
            delivered.note(&before, before.end(), true);
        }
        delivered.bytes += reported;
    }

    /// RFC 8985 section 6.2, step 5: what was sent before something that has arrived, and longer ago than a round trip
    /// and `window`, is lost, retransmissions too. Says after which time the rest of what was sent before it will be, and
    /// whether a retransmission was lost.
    pub(super) fn detect_lost(&mut self, now: Instant, rack: &Rack, window: Duration) -> Detected {
        let mut detected = Detected::default();
        let mut index = self.index_of(self.judged_below);
        let mut ahead = 0;
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.is(SACKED | LOST | RESENT) {
                index += 1;
                if ahead == 0 {
                    self.judged_below = sent.end();
                } else {
                    ahead += 1;
                    if ahead > LOOK_AHEAD {
                        break;
                    }
                }
                continue;
            }
            if !rack.is_newer_than(sent.moment(), sent.end()) {
                break;
            }
            match rack.overdue(now, sent.at, window) {
                Some(remaining) => {
                    detected.wait = detected.wait.max(Some(remaining));
                    ahead += 1;
                    if ahead > LOOK_AHEAD {
                        break;
                    }
                }
                None => {
                    sent.marks |= LOST;
                    let (start, end, length) = (sent.start, sent.end(), sent.length);
                    self.count_lost(start, length);
                    self.lost += length;
                    if ahead == 0 {
                        self.judged_below = end;
                    }
                }
            }
            index += 1;
        }
        self.detect_lost_again(now, rack, window, &mut detected);
        detected
    }

    /// The same for retransmissions.
    fn detect_lost_again(&mut self, now: Instant, rack: &Rack, window: Duration, detected: &mut Detected) {
        while let Some(again) = self.again.front().copied() {
            let Some(index) = self.on_its_way(again) else {
                self.again.pop_front();
                continue;
            };
            let Some(sent) = self.entries.get_mut(index) else { return };
            if !rack.is_newer_than(sent.moment(), sent.end()) {
                return;
            }
            if let Some(remaining) = rack.overdue(now, sent.at, window) {
                detected.wait = detected.wait.max(Some(remaining));
                return;
            }
            detected.has_lost_again = true;
            let was_lost = sent.is(LOST);
            sent.marks = LOST | AMBIGUOUS;
            let (start, length) = (sent.start, sent.length);
            self.resent -= length;
            if !was_lost {
                self.lost += length;
            }
            self.count_lost(start, length);
        }
    }

    /// `length` bytes from `start` on are to be sent again.
    fn count_lost(&mut self, start: SeqNumber, length: u32) {
        self.to_resend += length;
        self.lost_ever = self.lost_ever.wrapping_add(length);
        self.resend_from = self.resend_from.min(start);
    }

    /// The first entry of this retransmission that is neither delivered, nor lost, nor replaced by a later one.
    fn on_its_way(&self, again: Again) -> Option<usize> {
        let from = self.index_of(again.start);
        self.entries
            .range(from..)
            .take_while(|sent| sent.start.is_before(again.end))
            .position(|sent| sent.is(RESENT) && sent.moment() == again.moment)
            .map(|place| from + place)
    }

    /// The first unacknowledged segment is lost, unless it is known to be.
    pub(super) fn lose_head(&mut self, mss: u32) {
        let Some(first) = self.entries.front() else { return };
        if first.is(SACKED | LOST) {
            return;
        }
        let edge = first.start + mss.min(first.length);
        self.split_at(edge);
        let Some(first) = self.entries.front_mut() else { return };
        let was_resent = first.is(RESENT);
        first.marks = first.marks & AMBIGUOUS | LOST;
        let (start, length) = (first.start, first.length);
        self.lost += length;
        if was_resent {
            self.resent -= length;
        }
        self.count_lost(start, length);
    }

    /// The retransmission timer expired. What was not reported is lost, retransmissions too, but for what left less than
    /// a round trip ago and is not the first (RFC 8985 section 6.3). `Reports::Disbelieve`: what was reported as well,
    /// because the peer may take back what it reported (RFC 2018 section 8).
    pub(super) fn lose_on_timeout(&mut self, now: Instant, rack: &Rack, reports: Reports) {
        let recent = |sent: &Sent| rack.overdue(now, sent.at, Duration::ZERO).is_some();
        self.lose(reports, recent);
    }

    /// All that is not reported is lost.
    pub(super) fn lose_all(&mut self) {
        self.lose(Reports::Believe, |_| false);
    }

    fn lose(&mut self, reports: Reports, is_spared: impl Fn(&Sent) -> bool) {
        if reports == Reports::Disbelieve {
            (self.sacked, self.sacked_segments) = (0, 0);
        }
        let mut is_head = true;
        let mut newly = 0_u32;
        (self.lost, self.resent, self.to_resend) = (0, 0, 0);
        for sent in &mut self.entries {
            if sent.is(SACKED) && reports == Reports::Believe {
                is_head = false;
                continue;
            }
            let waits = sent.is(LOST) && !sent.is(RESENT);
            if !waits && !is_head && !sent.is(SACKED) && is_spared(sent) {
                if sent.is(RESENT) {
                    self.resent += sent.length;
                }
                if sent.is(LOST) {
                    self.lost += sent.length;
                }
                continue;
            }
            is_head = false;
            if !waits {
                newly = newly.wrapping_add(sent.length);
            }
            sent.marks = LOST | sent.marks & AMBIGUOUS;
            self.lost += sent.length;
            self.to_resend += sent.length;
        }
        self.lost_ever = self.lost_ever.wrapping_add(newly);
        if let Some(first) = self.entries.front() {
            self.resend_from = first.start;
            self.judged_below = first.start;
            if reports == Reports::Disbelieve {
                self.sacked_to = first.start;
            }
        }
        if self.resent == 0 {
            self.again.clear();
        }
    }

    /// Nothing is lost after all.
    pub(super) fn unmark_lost(&mut self) {
        for sent in &mut self.entries {
            sent.marks &= !LOST;
        }
        (self.lost, self.to_resend) = (0, 0);
        if let Some(first) = self.entries.front() {
            self.judged_below = first.start;
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

    /// The last `most` sequence numbers in flight, or what of them was sent at once.
    pub(super) fn tail(&self, most: u32) -> Option<(SeqNumber, u32)> {
        let last = self.entries.back()?;
        let length = last.length.min(most);
        Some((last.end() - length, length))
    }

    /// `length` sequence numbers from `start` on are sent again.
    pub(super) fn on_resent(&mut self, now: Instant, start: SeqNumber, length: u32, stamp: Stamp) {
        let end = start + length;
        self.latest = self.latest.next(now);
        self.split_at(start);
        self.split_at(end);
        let mut index = self.index_of(start);
        while let Some(sent) = self.entries.get_mut(index) {
            if sent.start.at_or_after(end) {
                break;
            }
            index += 1;
            if sent.is(SACKED) {
                continue;
            }
            (sent.at, sent.turn) = (now, self.latest.turn);
            sent.stamp = stamp;
            if sent.is(RESENT) {
                continue;
            }
            sent.marks |= RESENT | AMBIGUOUS;
            self.resent += sent.length;
            if sent.is(LOST) {
                self.to_resend -= sent.length;
            }
        }
        if self.again.len() >= self.most_entries() {
            self.again.pop_front(); // the retransmission timer watches over it
        }
        self.again.push_back(Again { moment: self.latest, start, end });
        if self.resend_from.at_or_after(start) && self.resend_from.is_before(end) {
            self.resend_from = end;
        }
        // On to the next one due, so that nobody walks over the same entries again.
        while self.to_resend > 0
            && self.resend_from == end
            && let Some(sent) = self.entries.get(index)
            && (!sent.is(LOST) || sent.is(RESENT))
        {
            self.resend_from = sent.end();
            index += 1;
            if self.entries.get(index).is_none_or(|next| next.is(LOST) && !next.is(RESENT)) {
                break;
            }
        }
    }

    /// Gives memory back. Nothing may be in flight.
    pub(super) fn release(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.again = VecDeque::new();
        }
    }

    /// Forgets everything in flight; `next` is the next to be sent.
    pub(super) fn clear(&mut self, next: SeqNumber) {
        *self = Scoreboard::new(next);
    }

    /// Bytes of memory.
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() * size_of::<Sent>() + self.again.capacity() * size_of::<Again>()
    }

    fn most_entries(&self) -> usize {
        MOST_ENTRIES + (self.outstanding / DUST) as usize
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
        let full = self.entries.len() >= 2 * self.most_entries();
        let Some(sent) = self.entries.get_mut(index) else { return };
        if full || !sent.start.is_before(seq) {
            return;
        }
        let head = seq.distance(sent.start).cast_unsigned();
        let tail = Sent { start: seq, length: sent.length - head, ..*sent };
        sent.length = head;
        self.entries.insert(index + 1, tail);
    }

    /// Makes an entry begin at the first segment that lies whole behind a left edge, or behind the last that lies whole
    /// before a right edge.
    fn split_at_segment(&mut self, seq: SeqNumber, mss: u32, edge: Edge) {
        let Some(sent) = self.entries.get(self.index_of(seq)) else { return };
        let inside = seq.distance(sent.start).max(0).cast_unsigned();
        let whole = match edge {
            Edge::Left => inside.div_ceil(mss).saturating_mul(mss),
            Edge::Right => inside - inside % mss,
        };
        if whole > 0 && whole < sent.length {
            self.split_at(sent.start + whole);
        }
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

/// Which edge of a reported block.
#[derive(Clone, Copy)]
enum Edge {
    Left,
    Right,
}

/// What RACK has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Detected {
    /// After this time, more will be lost unless it arrives.
    pub(super) wait: Option<Duration>,
    /// A retransmission was lost.
    pub(super) has_lost_again: bool,
}

/// Whether the peer's reports are still believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reports {
    /// They are.
    Believe,
    /// They are not.
    Disbelieve,
}
