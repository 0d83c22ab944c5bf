//! The sending half: SND.UNA, SND.NXT, SND.WND, the bytes written, and how much of them may leave now.

use super::congestion::{self, Congestion};
use super::ecn::EcnSender;
use super::loss_probe::LossProbe;
use super::mtu_probe::MtuSearch;
use super::pacing::Pacing;
use super::prr::Prr;
use super::rack::Rack;
use super::rate::Rate;
use super::recovery::Phase;
use super::rtt::Rtt;
use super::scoreboard::Scoreboard;
use super::undo::Undo;
use super::{CwndReason, RetransmitCause, Settings};
use crate::buffer::Ring;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Segment, SeqNumber};

/// A window up to this is not halved: the peer is tiny.
const TINY_WINDOW: u32 = 536;

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) iss: SeqNumber,
    pub(super) una: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// SND.WND in bytes, scaled.
    pub(super) wnd: u32,
    /// SND.WL1: sequence number of the segment that last set `wnd`.
    wl1: SeqNumber,
    /// SND.WL2: its acknowledgement.
    wl2: SeqNumber,
    /// The largest window seen: what half of a window is reckoned from.
    pub(super) max_wnd: u32,
    /// Snd.Wind.Shift (RFC 7323).
    pub(super) shift: u8,
    /// Bytes written and not acknowledged, from the first one behind SND.UNA on.
    pub(super) ring: Ring,
    /// Whether a FIN follows the last byte.
    pub(super) fin: Fin,
    /// Whether our SYN is acknowledged.
    pub(super) is_synced: bool,
    pub(super) uses_sack: bool,
    /// Bytes of payload in a full segment without SACK blocks.
    pub(super) mss: u32,
    /// The end of the last segment sent that was not full (Minshall).
    small_end: SeqNumber,
    pub(super) board: Scoreboard,
    pub(super) congestion: Congestion,
    pub(super) ecn: EcnSender,
    pub(super) rate: Rate,
    pub(super) pacing: Pacing,
    /// The search for what the path carries, where it goes on.
    pub(super) mtu_search: Option<Box<MtuSearch>>,
    pub(super) rtt: Rtt,
    pub(super) phase: Phase,
    /// SND.NXT when the present phase began (RFC 6582, recover).
    pub(super) high: SeqNumber,
    /// Without SACK: segments that duplicate acknowledgements stand for.
    pub(super) duplicates: u32,
    pub(super) rack: Rack,
    pub(super) probe: LossProbe,
    pub(super) prr: Prr,
    pub(super) undo: Undo,
    /// After a time-out: it is not yet known to be justified (RFC 5682).
    pub(super) is_frto: bool,
    /// F-RTO wants new data sent rather than old.
    pub(super) new_first: bool,
    /// The phase, and how many reductions were undone, when somebody last asked.
    pub(super) told: (Phase, u32, CwndReason),
    /// Why segments are sent again.
    pub(super) cause: RetransmitCause,
    /// Time-outs in a row.
    pub(super) timeouts: u32,
    /// Since when the peer owes an acknowledgement; [`Instant::MAX`] while it owes none.
    pub(super) waiting_since: Instant,
    /// When data was last sent.
    pub(super) last_sent: Instant,
    /// The time of the last event, for what is decided between events.
    pub(super) clock: Instant,
    pub(super) retransmitted: u32,
    /// Segments known to be delivered, the SYN among them.
    pub(super) delivered: u32,
}

impl Sender {
    pub(super) fn new(iss: SeqNumber, settings: &Settings) -> Self {
        Sender {
            iss,
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: SeqNumber(0),
            wl2: SeqNumber(0),
            max_wnd: 0,
            shift: 0,
            ring: Ring::new(),
            fin: Fin::None,
            is_synced: false,
            uses_sack: false,
            mss: 536,
            small_end: iss,
            board: Scoreboard::new(iss + 1),
            congestion: Congestion::new(settings, 536, iss.0),
            rate: Rate::new(),
            pacing: Pacing::new(),
            ecn: EcnSender::asking(settings.ecn),
            mtu_search: None,
            rtt: Rtt::new(settings.initial_rto, settings.rto_min, settings.rto_max),
            phase: Phase::Open,
            high: iss,
            duplicates: 0,
            rack: Rack::new(iss),
            probe: LossProbe::default(),
            prr: Prr::default(),
            undo: Undo::default(),
            is_frto: false,
            new_first: false,
            clock: Instant::ZERO,
            told: (Phase::Open, 0, CwndReason::Initial),
            cause: RetransmitCause::FastRetransmit,
            timeouts: 0,
            waiting_since: Instant::MAX,
            last_sent: Instant::ZERO,
            retransmitted: 0,
            delivered: 0,
        }
    }

    /// Our SYN is acknowledged: data begins behind it.
    pub(super) fn on_synced(&mut self) {
        self.is_synced = true;
        self.delivered = self.delivered.wrapping_add(1);
        self.una = self.iss + 1;
        self.nxt = self.nxt.max(self.una);
        self.small_end = self.una;
        self.high = self.una;
        self.rack = Rack::new(self.una);
        self.timeouts = 0;
        self.waiting_since = Instant::MAX;
    }

    /// Sequence number of the first byte in the ring.
    pub(super) fn data_start(&self) -> SeqNumber {
        if self.is_synced { self.una } else { self.iss + 1 }
    }

    /// The sequence number behind the last byte written: that of the FIN.
    pub(super) fn data_end(&self) -> SeqNumber {
        self.data_start() + self.ring.len() as u32
    }

    /// Bytes written that never left.
    pub(super) fn unsent(&self) -> u32 {
        if matches!(self.fin, Fin::Sent | Fin::Acknowledged) {
            return 0;
        }
        self.data_end().distance(self.nxt.max(self.data_start())).max(0).cast_unsigned()
    }

    /// Whether something that takes sequence numbers waits to be sent for the first time.
    pub(super) fn has_unsent(&self) -> bool {
        self.unsent() > 0 || self.fin == Fin::Queued
    }

    /// Sequence numbers sent and not acknowledged.
    pub(super) fn outstanding(&self) -> u32 {
        self.nxt.distance(self.una).max(0).cast_unsigned()
    }

    /// Bytes believed to be on their way. Without SACK every duplicate acknowledgement stands for a segment that has
    /// arrived (RFC 6582).
    pub(super) fn pipe(&self) -> u32 {
        let arrived = if self.uses_sack { 0 } else { self.duplicates.saturating_mul(self.mss) };
        self.board.pipe().saturating_sub(arrived)
    }

    /// What the congestion window lets out now, in bytes.
    pub(super) fn congestion_room(&self) -> u32 {
        self.congestion.cwnd().saturating_sub(self.pipe())
    }

    /// What a segment may carry so that the largest window the peer has shown takes two of them; the whole of one up to 536
    /// bytes, for the peer is tiny. As Linux has it.
    pub(super) fn half_of_largest_window(&self) -> u32 {
        match self.max_wnd {
            0 => u32::MAX, // none yet
            window if window > TINY_WINDOW => window / 2,
            window => window,
        }
    }

    /// What the peer's window lets out now beyond SND.NXT, in bytes.
    pub(super) fn window_room(&self) -> u32 {
        (self.una + self.wnd).distance(self.nxt).max(0).cast_unsigned()
    }

    /// Tells the congestion control how much of its window is used: after something was sent, and when the window holds
    /// the rest back.
    pub(super) fn note_usage(&mut self, now: Instant) {
        let is_full = self.congestion_room() < self.mss;
        let sent = congestion::Sent { una: self.una, nxt: self.nxt, is_full };
        self.congestion.on_sent(now, sent);
    }

    /// How many of the `unsent` bytes may leave in one segment, or in one burst of up to `largest` bytes that is cut into segments
    /// of `mss`. Zero where silly-window avoidance (RFC 9293 section 3.8.6.2.1), Nagle or a window forbids it.
    pub(super) fn sendable(&self, unsent: u32, mss: u32, largest: u32, nagle: Nagle) -> u32 {
        let limit = largest.max(mss);
        let room = self.window_room().min(self.congestion_room());
        let length = unsent.min(room).min(limit);
        if length == 0 {
            return 0;
        }
        if length == unsent && self.may_send_tail(length % mss, nagle) {
            return length;
        }
        if length >= mss {
            let whole = length - length % mss;
            let may_grow = largest > mss && self.may_defer(room, limit);
            return if may_grow { 0 } else { whole };
        }
        // Less than a segment, and not the end of what was written (or Nagle holds the end back): only where the peer's
        // window itself is that small.
        let window = self.window_room();
        let small_window = window < mss && length == window && window >= self.max_wnd / 2;
        if small_window && length < unsent { length } else { 0 }
    }

    /// Whether a last segment of `length` bytes may leave although it is not full.
    fn may_send_tail(&self, length: u32, nagle: Nagle) -> bool {
        // Minshall: a small segment waits only for the acknowledgement of another small one.
        length == 0
            || self.fin != Fin::None
            || match nagle {
                Nagle::On => !self.small_end.is_after(self.una),
                Nagle::Off | Nagle::Released => true,
                Nagle::Corked => false,
            }
    }

    /// Data leaves for the first time; `length` counts the FIN.
    pub(super) fn on_sent(&mut self, now: Instant, length: u32, payload: u32, mss: u32) {
        let stamp = self.stamp(now, length);
        self.board.push(now, self.nxt, length, stamp);
        self.nxt += length;
        if !payload.is_multiple_of(mss) {
            self.small_end = self.nxt;
        }
        if matches!(self.phase, Phase::Cwr | Phase::Recovery) {
            self.prr.on_sent(length);
        }
        self.last_sent = now;
        self.note_usage(now);
        self.start_waiting(now);
    }

    /// The peer owes an answer, from now on unless it did already.
    pub(super) fn start_waiting(&mut self, now: Instant) {
        if !self.is_waiting() {
            self.waiting_since = now;
        }
    }

    /// The peer has answered: the wait begins anew, if anything is still owed.
    pub(super) fn restart_waiting(&mut self, now: Instant) {
        self.waiting_since = if self.outstanding() == 0 { Instant::MAX } else { now };
    }

    /// Whether the peer owes an answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting_since != Instant::MAX
    }

    /// Before new data after a pause: the congestion window forgets what it knew.
    pub(super) fn on_idle(&mut self, now: Instant) {
        let idle = now.since(self.last_sent);
        let rto = self.rtt.rto();
        if self.una == self.nxt && idle > rto {
            self.congestion.on_idle(idle, rto);
        }
    }

    /// Before new data while nothing is in flight.
    pub(super) fn on_restart(&mut self, now: Instant) {
        if self.una == self.nxt {
            self.congestion.on_restart(now);
        }
    }

    /// Takes the window of the segment that completes the handshake.
    pub(super) fn set_window(&mut self, segment: &Segment, scale: Scale) {
        self.wl1 = segment.seq - 1;
        self.wl2 = segment.ack;
        self.update_window(segment, scale);
    }

    /// Takes the window of an acceptable segment (RFC 9293 section 3.10.7.4, fifth check). Says whether it has changed.
    pub(super) fn update_window(&mut self, segment: &Segment, scale: Scale) -> bool {
        let wnd = match scale {
            Scale::Apply => u32::from(segment.window) << self.shift,
            Scale::Raw => u32::from(segment.window),
        };
        let is_newer = self.wl1.is_before(segment.seq)
            || self.wl1 == segment.seq && self.wl2.at_or_before(segment.ack)
            // A window of an acknowledgement that moves SND.UNA counts even where the sequence number is older.
            || segment.ack.is_after(self.wl2);
        if !is_newer {
            return false;
        }
        let changed = wnd != self.wnd;
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        self.wl1 = segment.seq;
        self.wl2 = segment.ack;
        changed
    }

    /// Gives the memory of an idle connection back.
    pub(super) fn release_idle(&mut self) {
        if self.ring.is_empty() {
            self.ring.release();
        }
        self.board.release();
    }

    /// Since when the peer owes an acknowledgement, as a time passed.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        if self.is_waiting() { now.since(self.waiting_since) } else { Duration::ZERO }
    }
}

/// What has become of our FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    /// The program may still write.
    None,
    /// It follows the last byte.
    Queued,
    /// It has left.
    Sent,
    /// The peer has acknowledged it.
    Acknowledged,
}

/// Whether small segments wait for acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nagle {
    /// They do.
    On,
    /// They do not (`TCP_NODELAY`).
    Off,
    /// They wait for more to be written (`TCP_CORK`, `MSG_MORE`).
    Corked,
    /// This one does not, whatever the program asked for.
    Released,
}

/// How a window field is to be read (RFC 7323 section 2.2: never scaled on a SYN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Scaled.
    Apply,
    /// As it stands.
    Raw,
}
