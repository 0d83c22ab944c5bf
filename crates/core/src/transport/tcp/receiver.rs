//! The receiving half: RCV.NXT, RCV.WND, the bytes that came, and the window announced for more.

use super::Settings;
use super::delayed_ack::{AckTime, DelayedAck};
use super::ecn::EcnReceiver;
use super::reassembly::{Inserted, Reassembly};
use crate::buffer::Ring;
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlocks, Segment, SeqNumber};

/// The window a connection begins with, in bytes: all that a SYN can announce.
const FIRST_WINDOW: u32 = 65_535;
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
    pub(super) ring: Ring,
    /// Boxed and made when first needed: most connections never see a gap.
    reassembly: Option<Box<Reassembly>>,
    pub(super) ack: DelayedAck,
    pub(super) ecn: EcnReceiver,
    /// The most bytes that may wait to be read.
    limit: u32,
    /// The part of the limit that is in use: it grows as the program keeps up with what comes.
    target: u32,
    /// The largest segment we let the peer send.
    pub(super) mss: u32,
    /// TS.Recent (RFC 7323).
    pub(super) ts_recent: u32,
    ts_recent_at: Instant,
    tuning: Tuning,
}

/// Measures how fast the program reads (after the dynamic right-sizing of Fisk and Feng).
#[derive(Debug)]
struct Tuning {
    /// When the stretch being measured began.
    since: Instant,
    /// Bytes read in it.
    read: u32,
    /// Bytes read in the busiest one so far.
    most: u32,
    /// The round-trip time as the receiver sees it: how long a window takes to be filled. An upper bound.
    window_micros: u32,
    /// When the window that is being filled was announced, and where it ends.
    window_since: Instant,
    window_end: SeqNumber,
}

impl Receiver {
    /// Nothing received; the peer's SYN will be `irs`.
    pub(super) fn new(now: Instant, irs: SeqNumber, settings: &Settings) -> Self {
        let limit = bounded(settings.receive_buffer);
        let nxt = irs + 1;
        Receiver {
            irs,
            nxt,
            edge: nxt,
            last_ack: nxt,
            shift: 0,
            is_finished: false,
            ring: Ring::new(),
            reassembly: None,
            ack: DelayedAck::new(),
            ecn: EcnReceiver::default(),
            limit,
            target: limit.min(FIRST_WINDOW),
            mss: 536,
            ts_recent: 0,
            ts_recent_at: Instant::ZERO,
            tuning: Tuning {
                since: now,
                read: 0,
                most: 0,
                window_micros: u32::MAX,
                window_since: now,
                window_end: nxt,
            },
        }
    }

    /// The peer's SYN has come; `announced` is the window in our own SYN or SYN-ACK.
    pub(super) fn on_synced(&mut self, now: Instant, irs: SeqNumber, announced: u16) {
        self.irs = irs;
        self.nxt = irs + 1;
        self.last_ack = self.nxt;
        self.edge = self.nxt + u32::from(announced);
        self.tuning.window_since = now;
        self.tuning.window_end = self.edge;
    }

    /// The window for a SYN, never scaled: whole segments, as far as 16 bits go.
    pub(super) fn first_window(limit: usize, mss: u32) -> u16 {
        let window = bounded(limit).min(FIRST_WINDOW);
        (if window > mss { window - window % mss.max(1) } else { window }) as u16
    }

    /// A SYN-ACK leaves that acknowledges data of the SYN: it announces as much again as the first one did, as far as there
    /// is memory.
    pub(super) fn announce_unscaled(&mut self, window: u16) -> u16 {
        let room = self.limit.saturating_sub(self.ring.len() as u32);
        let window = u32::from(window).min(room).max(self.window()).min(65_535);
        self.edge = self.edge.max(self.nxt + window);
        window as u16
    }

    /// Another limit for what waits to be read. A window once announced stays.
    pub(super) fn set_limit(&mut self, limit: usize) {
        let old = self.limit;
        self.limit = bounded(limit);
        self.target = if self.limit < old { self.target.min(self.limit) } else { self.target };
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

    /// Whether the timestamp is older than what was seen (PAWS, RFC 7323 section 5.3).
    pub(super) fn is_old(&self, now: Instant, value: u32) -> bool {
        let is_before = value.wrapping_sub(self.ts_recent).cast_signed() < 0;
        is_before && now.since(self.ts_recent_at) < PAWS_LIFETIME
    }

    /// Keeps the timestamp to echo (RFC 7323 section 4.3).
    pub(super) fn note_timestamp(&mut self, now: Instant, seq: SeqNumber, value: u32) {
        if seq.at_or_before(self.last_ack) {
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
        let length = fresh.len() as u32;
        self.ack.on_data(now, length, self.mss, self.window(), timing.rto);
        if seq != self.nxt {
            self.ack.owe_another();
            return match self.gaps().insert(seq, seq + length) {
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
        let next = waiting.map_or(end, |reassembly| reassembly.advance(end));
        let count = next.distance(self.nxt).cast_unsigned();
        self.nxt = next;
        self.ring.advance(count as usize);
        self.time_window(now);
        let due = self.ack.on_in_order(count, timing.rtt, timing.most);
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

    /// Whether a FIN with this number is the next thing expected; if so it is taken.
    pub(super) fn on_fin(&mut self, seq: SeqNumber) -> bool {
        if self.is_finished || seq != self.nxt {
            return false;
        }
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
        self.is_finished = true;
        self.ack.owe();
        true
    }

    /// The window that there is memory for.
    fn available(&self) -> u32 {
        self.target.saturating_sub(self.ring.len() as u32)
    }

    /// By how much the window could grow.
    fn gain(&self) -> u32 {
        (self.nxt + self.available()).distance(self.edge).max(0).cast_unsigned()
    }

    /// The least growth worth telling (RFC 9293 section 3.8.6.2.2).
    fn least_gain(&self) -> u32 {
        (self.target / 2).min(self.mss).max(1)
    }

    /// The window field for a segment that leaves now; moves the edge as far as that is worth it.
    pub(super) fn announce(&mut self) -> u16 {
        if self.gain() >= self.least_gain() {
            self.edge = self.nxt + self.available();
        }
        // Rounded up: a window must not shrink for the sake of the shift (RFC 7323 section 2.4).
        let unit = 1_u32 << self.shift;
        let field = self.window().div_ceil(unit).min(65_535);
        self.edge = self.edge.max(self.nxt + field * unit);
        field as u16
    }

    /// Whether reading has opened the window so far that the peer should know at once.
    pub(super) fn wants_update(&self) -> bool {
        let gain = self.gain();
        !self.is_finished && gain >= self.least_gain() && gain >= self.window()
    }

    /// A segment with an acknowledgement leaves.
    pub(super) fn on_ack_sent(&mut self) {
        self.last_ack = self.nxt;
        self.ack.on_ack_sent();
        if let Some(reassembly) = &mut self.reassembly {
            reassembly.on_reported();
        }
    }

    /// The program has taken `count` bytes: does it keep up? `rtt` is the sender's view of the path.
    pub(super) fn on_read(&mut self, now: Instant, count: usize, rtt: Option<Duration>) {
        self.tuning.read = self.tuning.read.saturating_add(count as u32);
        if self.target >= self.limit {
            return;
        }
        let filled = Duration::from_micros(self.tuning.window_micros.into());
        let round = rtt.unwrap_or(Duration::MAX).min(filled);
        if now.since(self.tuning.since) < round {
            return;
        }
        let read = core::mem::take(&mut self.tuning.read);
        self.tuning.since = now;
        if read > self.tuning.most {
            // What was read in this round trip may be sent twice over in the next (slow start), and a few segments more.
            self.tuning.most = read;
            let wanted = read.saturating_mul(2).saturating_add(16 * self.mss);
            let scaled = FIRST_WINDOW << self.shift;
            self.target = self.target.max(wanted).min(self.limit).min(scaled.max(self.target));
        }
    }

    /// Times how long the peer takes to use up a window.
    fn time_window(&mut self, now: Instant) {
        if self.nxt.is_before(self.tuning.window_end) {
            return;
        }
        let took = now.since(self.tuning.window_since);
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        self.tuning.window_micros = self.tuning.window_micros.min(took);
        self.tuning.window_since = now;
        self.tuning.window_end = self.nxt + self.window().max(1);
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
        self.reassembly.as_ref().map_or(SackBlocks::new(), |reassembly| reassembly.blocks(most))
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
        self.reassembly.as_ref().map_or(0, |reassembly| reassembly.bytes())
    }

    /// What came out of order will not be read any more.
    pub(super) fn forget_gaps(&mut self) {
        self.reassembly = None;
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
}

/// A buffer's limit as a window: at most what scaling can express.
fn bounded(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX).min(1 << 30)
}
