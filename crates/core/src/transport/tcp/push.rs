//! What a program says about the end of what it writes, and what follows from it on the wire: PSH (RFC 9293 section
//! 3.9.1.2), and whether the last, small segment may leave.
//!
//! The send buffer is a stream, but Linux keeps it in pieces, and what a peer sees of PSH is where those pieces end: a
//! write ends one, so does half of the peer's window. [`Push`] keeps the ends that are marked, not the pieces.

use core::ops::{BitOr, BitOrAssign};
use std::collections::VecDeque;

use super::connection::Connection;
use super::sender::{Nagle, Sender};
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// The most bytes in one piece, whatever the peer's window.
const LARGEST_PIECE: u32 = 65_215;
/// How many ends are remembered. PSH is advice; beyond, the oldest are forgotten.
const MOST_MARKS: usize = 8192;
/// A burst takes a 2^10th of a second to be sent.
const BURST_SHIFT: u32 = 10;
/// With each 2^9 microseconds of the shortest round trip what a burst has beyond that is halved.
const NEAR_SHIFT: u32 = 9;

/// What `send(2)` can say beside the bytes.
///
/// ```
/// use sockeye_core::transport::tcp::SendFlags;
/// let flags = SendFlags::MORE | SendFlags::END_OF_RECORD;
/// assert!(flags.contains(SendFlags::MORE) && !SendFlags::NONE.contains(SendFlags::MORE));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SendFlags(u8);

impl SendFlags {
    /// Nothing.
    pub const NONE: SendFlags = SendFlags(0);
    /// `MSG_MORE`: more follows at once, so a last segment that is not full waits for it; for a retransmission time-out
    /// at most, or until the peer acknowledges something.
    pub const MORE: SendFlags = SendFlags(1);
    /// `MSG_EOR`: no segment carries these bytes together with those written later.
    pub const END_OF_RECORD: SendFlags = SendFlags(1 << 1);
    /// `MSG_OOB`: the last of the bytes is urgent (RFC 6093). Where only a part finds room, the last of that is.
    pub const OUT_OF_BAND: SendFlags = SendFlags(1 << 2);

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: SendFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set, less all that is in `other`.
    #[must_use]
    pub const fn without(self, other: SendFlags) -> SendFlags {
        SendFlags(self.0 & !other.0)
    }
}

impl BitOr for SendFlags {
    type Output = SendFlags;
    fn bitor(self, other: SendFlags) -> SendFlags {
        SendFlags(self.0 | other.0)
    }
}

impl BitOrAssign for SendFlags {
    fn bitor_assign(&mut self, other: SendFlags) {
        self.0 |= other.0;
    }
}

/// Where a piece ends that PSH goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    end: SeqNumber,
    /// Nothing behind it shares a segment with it (`MSG_EOR`).
    is_record: bool,
}

/// The marked ends, in ascending order.
#[derive(Debug, Default)]
struct Marks {
    list: VecDeque<Mark>,
    /// How many of them end records.
    records: u32,
}

impl Marks {
    fn forget_first(&mut self) {
        if self.list.pop_front().is_some_and(|mark| mark.is_record) {
            self.records -= 1;
        }
    }

    /// The place of the first one behind `start`.
    fn behind(&self, start: SeqNumber) -> usize {
        self.list.partition_point(|mark| mark.end.at_or_before(start))
    }
}

/// What was said about the ends of what was written.
#[derive(Debug)]
pub(super) struct Push {
    /// Made when first needed, and given back by an idle connection.
    marks: Option<Box<Marks>>,
    /// The end of the last byte that was marked.
    pushed: SeqNumber,
    /// Where the piece begins that the next write is added to.
    piece: SeqNumber,
    /// What is held back before this leaves all the same.
    released: SeqNumber,
    /// Where the burst ends that is leaving.
    burst_end: SeqNumber,
    /// The last write has said that more follows.
    pub(super) more: bool,
}

impl Push {
    pub(super) fn new(start: SeqNumber) -> Self {
        Push { marks: None, pushed: start, piece: start, released: start, burst_end: start, more: false }
    }

    /// `taken` bytes were appended from `start` on, in one write.
    fn on_write(&mut self, start: SeqNumber, taken: u32, pieces: Pieces, flags: SendFlags) {
        self.begin(start, pieces);
        let end = start + taken;
        let mut is_carried = false;
        while (self.piece + pieces.goal).at_or_before(end) {
            let full = self.piece + pieces.goal;
            is_carried |= self.is_overdue(full, pieces);
            self.piece = pieces.cut(self.piece, full);
            if is_carried {
                self.pushed = full;
            }
            // What is left of it in the buffer is added to, and keeps the mark for its end.
            if self.piece == full && is_carried {
                self.mark(full, false);
                is_carried = false;
            }
        }
        self.more = flags.contains(SendFlags::MORE);
        let is_record = flags.contains(SendFlags::END_OF_RECORD);
        if !self.more || is_record || is_carried || self.is_overdue(end, pieces) {
            self.mark(end, is_record);
        }
    }

    /// A write goes on with the last piece, or begins another.
    fn begin(&mut self, start: SeqNumber, pieces: Pieces) {
        self.piece = self.piece.max(pieces.nxt);
        let mut is_record = false;
        if let Some(marks) = &mut self.marks {
            while marks.list.front().is_some_and(|mark| mark.end.at_or_before(pieces.una)) {
                marks.forget_first();
            }
            let last = marks.list.back().filter(|mark| mark.end == start);
            is_record = last.is_some_and(|mark| mark.is_record);
            let is_unsent = start.is_after(self.piece) && !pieces.is_full(self.piece, start);
            if last.is_some() && !is_record && is_unsent {
                marks.list.pop_back(); // the piece has a new end
            }
        }
        if is_record || self.piece.is_after(start) || pieces.is_full(self.piece, start) {
            self.piece = start;
        }
    }

    /// Whether more than half of the largest window was written since the last mark.
    fn is_overdue(&self, end: SeqNumber, pieces: Pieces) -> bool {
        end.is_after(self.pushed + pieces.half_window)
    }

    fn mark(&mut self, end: SeqNumber, is_record: bool) {
        self.pushed = end;
        let marks = self.marks.get_or_insert_default();
        if marks.list.back().is_some_and(|mark| mark.end == end && !mark.is_record) {
            marks.list.pop_back();
        }
        if marks.list.len() >= MOST_MARKS {
            marks.forget_first();
        }
        marks.records += u32::from(is_record);
        marks.list.push_back(Mark { end, is_record });
    }

    /// What ends at `end` has PSH, then and whenever it is sent again.
    pub(super) fn on_end(&mut self, end: SeqNumber) {
        let marks = self.marks.get_or_insert_default();
        let place = marks.behind(end - 1);
        let is_known = marks.list.get(place).is_some_and(|mark| mark.end == end);
        if !is_known && marks.list.len() < MOST_MARKS {
            marks.list.insert(place, Mark { end, is_record: false });
        }
    }

    /// Whether a burst that leaves for the first time ends at `end`.
    pub(super) fn ends_burst(&self, end: SeqNumber) -> bool {
        self.burst_end == end
    }

    /// Whether a segment from `start` to `end` has PSH.
    pub(super) fn covers(&self, start: SeqNumber, end: SeqNumber) -> bool {
        let Some(marks) = &self.marks else { return false };
        marks.list.get(marks.behind(start)).is_some_and(|mark| mark.end.at_or_before(end))
    }

    /// Where the record ends that the byte `start` is part of, if that was said.
    pub(super) fn record_end(&self, start: SeqNumber) -> Option<SeqNumber> {
        let marks = self.marks.as_ref().filter(|marks| marks.records > 0)?;
        marks.list.iter().skip(marks.behind(start)).find(|mark| mark.is_record).map(|mark| mark.end)
    }

    /// Where the last piece begins.
    pub(super) fn piece(&self) -> SeqNumber {
        self.piece
    }

    /// Nothing of what was written before `end` is held back any longer.
    fn release(&mut self, end: SeqNumber) {
        self.released = end;
        self.more = false;
    }

    /// Gives the memory back: nothing is left to mark.
    pub(super) fn release_idle(&mut self) {
        self.marks = None;
    }
}

/// How the send buffer is cut at the moment of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    una: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// How many bytes the windows let out beyond `nxt`.
    room: u32,
    /// Bytes in a whole piece.
    pub(super) goal: u32,
    /// Half of the largest window seen.
    half_window: u32,
}

impl Pieces {
    pub(super) fn of(sender: &Sender) -> Pieces {
        let most = LARGEST_PIECE.min(sender.half_of_largest_window());
        let goal = (most - most % sender.mss.max(1)).max(sender.mss).max(1);
        let nxt = sender.nxt.max(sender.data_start());
        let room = sender.window_room().min(sender.congestion_room());
        Pieces { una: sender.una, nxt, room, goal, half_window: sender.max_wnd / 2 }
    }

    pub(super) fn is_full(&self, piece: SeqNumber, end: SeqNumber) -> bool {
        end.distance(piece).max(0).cast_unsigned() >= self.goal
    }

    /// How far a full piece leaves at once.
    pub(super) fn sent(&self, full: SeqNumber) -> SeqNumber {
        if full.distance(self.nxt).max(0).cast_unsigned() > self.room { self.nxt + self.room } else { full }
    }

    /// Where the piece begins that follows one from `piece` to `full`: in its midst where a part of it leaves.
    pub(super) fn cut(&self, piece: SeqNumber, full: SeqNumber) -> SeqNumber {
        let sent = self.sent(full);
        if sent.is_after(piece) { sent } else { full }
    }
}

impl Connection {
    /// Notes the end of a write of which `taken` bytes found room. One that found too little has ended as far as the
    /// peer can see: what follows may be long in coming.
    pub(super) fn push_written(&mut self, taken: u32, is_whole: bool, flags: SendFlags) {
        let flags = if is_whole { flags } else { SendFlags::NONE };
        let start = self.sender.data_end() - taken;
        let pieces = Pieces::of(&self.sender);
        self.push.on_write(start, taken, pieces, flags);
    }

    /// Lets go of what cork, `MSG_MORE` or Nagle hold back now; what is written later is held again.
    pub fn release_held(&mut self, now: Instant) {
        self.push.release(self.sender.data_end());
        self.arm_probe(now);
    }

    /// What was written last is no longer held back for more to come; Nagle's rule holds.
    pub fn expect_no_more(&mut self, now: Instant) {
        self.push.more = false;
        self.arm_probe(now);
    }

    /// How the last, small segment of the unsent `run` is treated.
    pub(super) fn nagle(&self, run_ends_here: bool) -> Nagle {
        if !run_ends_here || self.is_urgent() || self.sender.nxt.is_before(self.push.released) {
            return Nagle::Released;
        }
        match (self.settings.cork || self.push.more, self.settings.nagle) {
            (true, _) => Nagle::Corked,
            (false, true) => Nagle::On,
            (false, false) => Nagle::Off,
        }
    }

    /// How many bytes leave as one burst, whether or not the device cuts it: about a millisecond's worth at the pacing rate
    /// or the one the window stands for, more on a short path, and whole segments.
    pub(super) fn burst(&self, mss: u32) -> u32 {
        let sender = &self.sender;
        let mss = u64::from(mss.max(1));
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let far = sender.rtt.minimum().map_or(0, |rtt| micros(rtt) >> NEAR_SHIFT);
        let more = u64::from(LARGEST_PIECE) >> far.min(63);
        let window = u64::from(sender.congestion.cwnd().max(sender.pipe()));
        let percent = if sender.congestion.cwnd() < sender.congestion.ssthresh() / 2 { 200 } else { 120 };
        let round = sender.rtt.smoothed().map_or(1, micros);
        let rate = sender.pacing.rate().unwrap_or(window * percent * 10_000 / round);
        let paced = rate >> BURST_SHIFT;
        let bytes = (paced + more).min(u64::from(LARGEST_PIECE));
        ((bytes / mss).max(self.settings.least_burst.into()) * mss) as u32
    }

    /// New data leaves from SND.NXT on, `payload` bytes; where a burst begins with it that no device cuts, its end is noted.
    pub(super) fn note_burst(&mut self, payload: u32, mss: u32) {
        let start = self.sender.nxt;
        if payload > mss {
            self.push.burst_end = start + payload;
        } else if mss > self.sender.mss {
            self.push.burst_end = start; // a probe for the path's MTU leaves alone
        } else if payload == mss && start.at_or_after(self.push.burst_end) && !self.is_urgent() {
            let whole = self.burst_from(start, mss);
            if whole > mss {
                self.push.burst_end = start + whole;
            }
        }
    }

    /// How many bytes from `start` on would leave at once if the device cut them.
    fn burst_from(&self, start: SeqNumber, mss: u32) -> u32 {
        let sender = &self.sender;
        let room = sender.window_room().min(sender.congestion_room());
        let unsent = sender.unsent();
        let run =
            self.push.record_end(start).map_or(unsent, |end| unsent.min(end.distance(start).unsigned_abs()));
        let whole = run.min(room).min(self.burst(mss)).min(sender.half_window(mss));
        let has_tail = whole == run && self.nagle(run == unsent) != Nagle::Corked;
        if has_tail { whole } else { whole - whole % mss.max(1) }
    }

    /// Whether so much is unsent that readiness to write waits (`TCP_NOTSENT_LOWAT`).
    pub(super) fn is_above_low_water(&self) -> bool {
        self.settings.most_unsent().is_some_and(|low| self.sender.unsent().saturating_mul(2) >= low)
    }
}
