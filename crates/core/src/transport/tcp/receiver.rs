//! The receiving half: RCV.NXT, RCV.WND, the bytes that came, and the window announced for more.

use super::Settings;
use super::delayed_ack::{AckTime, DelayedAck};
use super::ecn::EcnReceiver;
use super::reassembly::{Inserted, Reassembly, most_ranges};
use super::receive_space::ReceiveSpace;
use crate::buffer::Ring;
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlocks, Segment, SeqNumber};

/// A timestamp this old says nothing any more (RFC 7323 section 5.5).
const PAWS_LIFETIME: Duration = Duration::from_secs(24 * 24 * 3600);

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) irs: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// RCV.NXT + RCV.WND as last announced: it never moves back.
    edge: SeqNumber,
    /// RCV.NXT as last acknowledged (RFC 7323, Last.ACK.sent).
    last_ack: SeqNumber,
    /// Rcv.Wind.Shift (RFC 7323); zero where the peer does not scale.
    pub(super) shift: u8,
    /// Whether the peer's FIN, and everything before it, has come.
    pub(super) is_finished: bool,
    /// The number of a FIN that has come, as long as it is not taken: something before it may be missing.
    fin: Option<SeqNumber>,
    pub(super) ring: Ring,
    /// Boxed and made when first needed: most connections never see a gap.
    reassembly: Option<Box<Reassembly>>,
    pub(super) ack: DelayedAck,
    pub(super) ecn: EcnReceiver,
    /// How many bytes of memory there are for the ring to grow into.
    pub(super) room: usize,
    /// How large the window may be.
    pub(super) space: ReceiveSpace,
    /// The largest segment we let the peer send.
    pub(super) mss: u32,
    /// TS.Recent (RFC 7323).
    pub(super) ts_recent: u32,
    ts_recent_at: Instant,
}

impl Receiver {
    /// Nothing received; the peer's SYN will be `irs`.
    pub(super) fn new(now: Instant, irs: SeqNumber, settings: &Settings) -> Self {
        let nxt = irs + 1;
        Receiver {
            irs,
            nxt,
            edge: nxt,
            last_ack: nxt,
            shift: 0,
            is_finished: false,
            fin: None,
            ring: Ring::new(),
            reassembly: None,
            ack: DelayedAck::new(),
            ecn: EcnReceiver::default(),
            room: usize::MAX,
            space: ReceiveSpace::new(now, settings),
            mss: 536,
            ts_recent: 0,
            ts_recent_at: Instant::ZERO,
        }
    }

    /// The peer's SYN has come; `announced` is the window in our own SYN or SYN-ACK.
    pub(super) fn on_synced(&mut self, irs: SeqNumber, announced: u16) {
        self.irs = irs;
        self.nxt = irs + 1;
        self.last_ack = self.nxt;
        self.edge = self.nxt + u32::from(announced);
        self.space.on_announced(announced.into());
    }

    /// A SYN-ACK leaves that acknowledges data of the SYN: it announces as much again as the first one did, as far as there
    /// is memory.
    pub(super) fn announce_unscaled(&mut self, window: u16) -> u16 {
        let room = self.space.size().saturating_sub(self.ring.len() as u32);
        let window = u32::from(window).min(room).max(self.window()).min(65_535);
        self.edge = self.edge.max(self.nxt + window);
        window as u16
    }

    /// The handshake is done, and the segment size agreed.
    pub(super) fn start(&mut self, now: Instant, settings: &Settings) {
        self.space.start(now, self.edge, settings, self.shift);
        self.ack.start(self.mss.min(self.window() / 2));
        if !settings.quick_ack {
            self.ack.set_quick(false);
        }
    }

    /// RCV.WND: what the peer was told, less what it has used.
    pub(super) fn window(&self) -> u32 {
        self.edge.distance(self.nxt).max(0).cast_unsigned()
    }

    /// The first check of RFC 9293 section 3.10.7.4, as wide as Linux has it: what begins at the edge of the window, or
    /// ends at the last acknowledgement, still brings its own acknowledgement.
    pub(super) fn is_acceptable(&self, segment: &Segment) -> bool {
        segment.end().at_or_after(self.last_ack) && segment.seq.at_or_before(self.nxt + self.window())
    }

    /// Whether the timestamp of a segment is older than what was seen (PAWS, RFC 7323 section 5.3), and not only because a
    /// retransmission has overtaken the segment.
    pub(super) fn is_old(&self, now: Instant, segment: &Segment, value: u32) -> bool {
        let is_before = value.wrapping_sub(self.ts_recent).cast_signed() < 0;
        let is_new = segment.length > 0 && segment.end().is_after(self.nxt);
        let is_late =
            || self.reassembly.as_ref().is_some_and(|reassembly| reassembly.may_be_overtaken(value));
        is_before && now.since(self.ts_recent_at) < PAWS_LIFETIME && !(is_new && is_late())
    }

    /// Keeps the timestamp to echo (RFC 7323 section 4.3).
    pub(super) fn note_timestamp(&mut self, now: Instant, seq: SeqNumber, value: u32) {
        let is_late = value.wrapping_sub(self.ts_recent).cast_signed() < 0
            && self.reassembly.as_ref().is_some_and(|reassembly| reassembly.may_be_overtaken(value));
        if seq.at_or_before(self.last_ack) && !is_late {
            self.ts_recent = value;
            self.ts_recent_at = now;
        }
    }

    /// The payload of an acceptable segment, beginning at `seq`. New bytes are written where they belong; the
    /// acknowledgement this asks for is noted, or its time given.
    ///
    /// # Errors
    /// The reason why nothing of it was of use; it is acknowledged all the same.
    pub(super) fn on_payload(
        &mut self,
        now: Instant,
        seq: SeqNumber,
        payload: &[u8],
        timing: Timing,
    ) -> Result<Option<Duration>, DropReason> {
        let known = self.nxt.distance(seq).max(0) as usize;
        if known > 0 {
            let overlap = known.min(payload.len()) as u32;
            self.note_duplicate(seq, seq + overlap);
        }
        let Some(fresh) = payload.get(known..).filter(|fresh| !fresh.is_empty()) else {
            self.ack.owe_another();
            return Err(DropReason::OldDuplicate);
        };
        let seq = seq + known as u32;
        let room = self.edge.distance(seq).max(0) as usize;
        let fresh = fresh.get(..room).unwrap_or(fresh);
        if fresh.is_empty() {
            self.ack.owe_another();
            return Err(DropReason::ReceiveBufferFull);
        }
        let whole = fresh.len();
        let fresh = self.in_memory(seq, fresh);
        if fresh.is_empty() {
            self.ack.owe_another();
            return Err(DropReason::OutOfMemory);
        }
        if fresh.len() < whole {
            self.ack.owe();
        }
        let length = fresh.len() as u32;
        if let Some((echo, age)) = timing.echo {
            self.space.on_echo(echo, age, length >= self.ack.segment());
        }
        self.ack.on_data(now, length, self.mss, self.window(), timing.rto);
        self.space.on_segment(length, self.ring.len() as u32);
        if seq != self.nxt {
            self.ack.owe_another();
            let ts_recent = self.ts_recent;
            self.gaps().begin_gap(seq + length, ts_recent);
            return match self.insert_ahead(seq, seq + length) {
                Inserted::New => {
                    self.ring.write_ahead(seq.distance(self.nxt).max(0) as usize, fresh);
                    Ok(None)
                }
                Inserted::Known => Err(DropReason::OldDuplicate),
                Inserted::Refused => Err(DropReason::ReassemblyFull),
            };
        }
        self.ring.write_ahead(0, fresh);
        let end = seq + length;
        let waiting = self.reassembly.as_mut().filter(|reassembly| !reassembly.is_empty());
        let had_gaps = waiting.is_some();
        let ts_recent = self.ts_recent;
        let next = waiting.map_or(end, |reassembly| {
            let next = reassembly.advance(end);
            reassembly.end_gap(next, ts_recent);
            next
        });
        // The number of a FIN among them is no byte; and what a peer sends behind its FIN is nothing.
        let next = self.fin.map_or(next, |fin| fin.min(next));
        let count = next.distance(self.nxt).cast_unsigned();
        self.nxt = next;
        self.ring.advance(count as usize);
        self.space.time_window(now, self.nxt, self.window());
        let unreported = self.reassembly.as_ref().map_or(0, |reassembly| reassembly.unreported());
        let due = self.ack.on_in_order(count, unreported, timing.rtt, timing.most);
        if had_gaps || known > 0 {
            // A gap filled, wholly or in part, is news the peer waits for (RFC 5681 section 4.2).
            self.ack.owe();
            return Ok(None);
        }
        Ok(match due {
            AckTime::Now => None,
            AckTime::Within(delay) => Some(delay),
        })
    }

    /// As much of these bytes as there is memory for; what is next is worth more than all that came out of order, which
    /// the peer must keep until it is acknowledged (RFC 2018 section 8).
    fn in_memory<'a>(&mut self, seq: SeqNumber, fresh: &'a [u8]) -> &'a [u8] {
        let gap = seq.distance(self.nxt).max(0) as usize;
        let place = self.ring.len() + gap;
        if place + fresh.len() <= self.ring.reach(self.room) {
            return fresh;
        }
        if gap > 0 {
            return &[];
        }
        let before = self.ring.capacity();
        self.reassembly = None;
        self.ring.trim(0);
        self.room = self.room.saturating_add(before - self.ring.capacity());
        let most = self.ring.reach(self.room).saturating_sub(self.ring.len());
        fresh.get(..most).unwrap_or(fresh)
    }

    /// Gives back the memory that neither waits to be read nor for what is missing.
    pub(super) fn trim(&mut self) {
        let ahead = self.highest().map_or(0, |highest| highest.distance(self.nxt).max(0) as usize);
        self.ring.trim(self.ring.len() + ahead);
    }

    /// A FIN with this number has come. Before its turn it is kept, and reported as received like the data around it: a
    /// peer that sends its last segment once more, to learn what is missing before it, needs to hear so (RFC 8985 section 7).
    pub(super) fn note_fin(&mut self, seq: SeqNumber) {
        let is_awaited = !self.is_finished && seq.at_or_after(self.nxt) && self.fin.is_none();
        if !is_awaited || seq.is_after(self.nxt) && !self.keeps_fin(seq) {
            return;
        }
        self.fin = Some(seq);
    }

    /// Whether a FIN before its turn finds a place among the ranges; it takes a number of the window as a byte does.
    fn keeps_fin(&mut self, seq: SeqNumber) -> bool {
        seq.is_before(self.edge) && self.insert_ahead(seq, seq + 1) != Inserted::Refused
    }

    /// Everything from `left` up to `right` has come before its turn.
    fn insert_ahead(&mut self, left: SeqNumber, right: SeqNumber) -> Inserted {
        let most = most_ranges(self.window());
        self.gaps().insert(left, right, most)
    }

    /// Takes the FIN if its turn has come; says whether it did.
    pub(super) fn take_fin(&mut self) -> bool {
        if self.is_finished || self.fin != Some(self.nxt) {
            return false;
        }
        self.fin = None;
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
        self.is_finished = true;
        self.ack.owe();
        true
    }

    /// The window that may be announced now. It is never less than what was announced before: RFC 9293 section 3.8.6.
    fn next_window(&self) -> u32 {
        let current = self.window();
        let waiting = self.ring.len() as u32;
        self.space.window(waiting, current, self.ack.segment(), self.shift).max(current)
    }

    /// The window field for a segment that leaves now.
    pub(super) fn announce(&mut self) -> u16 {
        if !self.is_finished {
            self.edge = self.nxt + self.next_window();
        }
        // Rounded up: a window must not shrink for the sake of the shift (RFC 7323 section 2.4).
        let unit = 1_u32 << self.shift;
        let field = self.window().div_ceil(unit).min(65_535);
        self.edge = self.edge.max(self.nxt + field * unit);
        field as u16
    }

    /// Whether reading has opened the window so far that the peer should know at once: to twice what it was.
    pub(super) fn wants_update(&self) -> bool {
        let current = self.window();
        if self.is_finished || current > self.space.full() / 2 {
            return false;
        }
        let next = self.next_window();
        next > 0 && next >= current.saturating_mul(2)
    }

    /// A segment with an acknowledgement leaves.
    pub(super) fn on_ack_sent(&mut self) {
        self.last_ack = self.nxt;
        if let Some(reassembly) = &mut self.reassembly {
            reassembly.on_reported(self.ack.owed());
        }
        self.ack.on_ack_sent();
        self.ecn.accurate.on_reported();
    }

    /// Gives the memory of an idle connection back.
    pub(super) fn release_idle(&mut self) {
        if self.ring.is_empty() && self.reassembly.as_ref().is_none_or(|reassembly| reassembly.is_empty()) {
            self.ring.release();
            self.reassembly = None;
        }
    }

    fn gaps(&mut self) -> &mut Reassembly {
        self.reassembly.get_or_insert_default()
    }

    /// Something came again that is to be reported (RFC 2883).
    pub(super) fn note_duplicate(&mut self, left: SeqNumber, right: SeqNumber) {
        self.gaps().on_duplicate(left, right);
    }

    /// The SACK blocks to send, at most `most`.
    pub(super) fn sack_blocks(&self, most: usize) -> SackBlocks {
        self.reassembly
            .as_ref()
            .map_or(SackBlocks::new(), |reassembly| reassembly.blocks(self.ack.owed(), most))
    }

    /// Whether there is anything to report in SACK blocks.
    pub(super) fn has_report(&self) -> bool {
        self.reassembly.as_ref().is_some_and(|reassembly| reassembly.has_report())
    }

    /// The highest number received, if anything is out of order.
    pub(super) fn highest(&self) -> Option<SeqNumber> {
        self.reassembly.as_ref().and_then(|reassembly| reassembly.highest())
    }

    /// Bytes out of order.
    pub(super) fn out_of_order(&self) -> usize {
        let fin = usize::from(self.fin.is_some_and(|fin| fin != self.nxt));
        self.reassembly.as_ref().map_or(0, |reassembly| reassembly.bytes().saturating_sub(fin))
    }

    /// What came out of order will not be read any more.
    pub(super) fn forget_gaps(&mut self) {
        self.reassembly = None;
        self.fin = None;
    }
}

/// What is known about time when data comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// The path's round-trip time.
    pub(super) rtt: Option<Duration>,
    /// Our own retransmission time-out, as a measure of the peer's.
    pub(super) rto: Duration,
    /// The longest an acknowledgement may be held back.
    pub(super) most: Duration,
    /// The timestamp of ours that the segment echoes, and how old it is.
    pub(super) echo: Option<(u32, Duration)>,
}
