//! What is known about a connection, for the program and for whoever watches.

use super::ecn::Feedback;
use super::recovery::Phase;
use super::{CongestionName, Connection, CwndReason, FastOpenFailure, Limits, State, Traffic};
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// What a connection is doing about losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovering {
    /// Nothing is out of order.
    Open,
    /// Something is, and may be lost or only late.
    Disorder,
    /// The window shrinks because of ECN, or of a loss that a probe has mended.
    Cwr,
    /// Fast recovery.
    Recovery,
    /// After a retransmission time-out.
    Loss,
}

impl Recovering {
    pub(super) fn of(phase: Phase) -> Recovering {
        match phase {
            Phase::Open => Recovering::Open,
            Phase::Disorder => Recovering::Disorder,
            Phase::Cwr => Recovering::Cwr,
            Phase::Recovery => Recovering::Recovery,
            Phase::Loss => Recovering::Loss,
        }
    }

    /// Its name, as Linux has it.
    pub const fn name(self) -> &'static str {
        match self {
            Recovering::Open => "open",
            Recovering::Disorder => "disorder",
            Recovering::Cwr => "cwr",
            Recovering::Recovery => "recovery",
            Recovering::Loss => "loss",
        }
    }
}

impl core::fmt::Display for Recovering {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// A connection does something else about losses than before, has taken a reduction of its window back, or has another reason
/// for its window: [`Connection::take_recovery_change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryChange {
    /// What it did.
    pub from: Recovering,
    /// What it does now.
    pub to: Recovering,
    /// Congestion window in segments.
    pub cwnd: u32,
    /// Slow-start threshold in segments; `None` before the first loss.
    pub ssthresh: Option<u32>,
    /// What last changed the window.
    pub reason: CwndReason,
    /// A reduction was undone: nothing had been lost.
    pub is_undone: bool,
}

impl Connection {
    /// What has changed about recovery or the reason of the window since this was last asked.
    pub fn take_recovery_change(&mut self) -> Option<RecoveryChange> {
        let sender = &mut self.sender;
        let (before, reason) = (sender.told, sender.congestion.reason());
        let is_the_same = (before.0, before.1) == (sender.phase, sender.undo.undone);
        if is_the_same && !is_news(before.2, reason) {
            return None;
        }
        sender.told = (sender.phase, sender.undo.undone, reason);
        let (mss, ssthresh) = (sender.mss.max(1), sender.congestion.ssthresh());
        Some(RecoveryChange {
            from: Recovering::of(before.0),
            to: Recovering::of(sender.phase),
            cwnd: sender.congestion.cwnd() / mss,
            ssthresh: (ssthresh != u32::MAX).then_some(ssthresh / mss),
            reason,
            is_undone: before.1 != sender.undo.undone,
        })
    }
}

/// Whether another reason for the window is worth telling. That a program does not use it up, and then does again, comes
/// and goes with every write; and every connection begins in slow start.
fn is_news(before: CwndReason, now: CwndReason) -> bool {
    let is_passing = matches!(now, CwndReason::ApplicationLimited | CwndReason::SegmentSize);
    let is_beginning = (before, now) == (CwndReason::Initial, CwndReason::SlowStart);
    now != before && !is_passing && !is_beginning
}

/// What is known about a connection: `TCP_INFO`, every number as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Its state.
    pub state: State,
    /// The congestion control's name.
    pub congestion: CongestionName,
    /// What it is doing about losses.
    pub recovering: Recovering,
    /// SND.UNA.
    pub snd_una: SeqNumber,
    /// SND.NXT.
    pub snd_nxt: SeqNumber,
    /// SND.WND in bytes.
    pub snd_wnd: u32,
    /// RCV.NXT.
    pub rcv_nxt: SeqNumber,
    /// RCV.WND in bytes.
    pub rcv_wnd: u32,
    /// The largest window that will be announced at the moment (`tcpi_rcv_ssthresh`).
    pub rcv_ssthresh: u32,
    /// Bytes the program has read in its busiest round trip (`tcpi_rcv_space`).
    pub rcv_space: u32,
    /// The round-trip time as the receiver sees it.
    pub rcv_rtt: Option<Duration>,
    /// By how many bits the peer shifts its window fields.
    pub snd_shift: u8,
    /// By how many bits we shift ours.
    pub rcv_shift: u8,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Whether ECN is in use.
    pub ecn: bool,
    /// Whether it is accurate ECN (RFC 9768).
    pub accurate_ecn: bool,
    /// Whether the peer has marked data as ECN-capable.
    pub ecn_seen: bool,
    /// Whether data of a SYN was acknowledged (RFC 7413): `TCPI_OPT_SYN_DATA`.
    pub syn_data: bool,
    /// Why data did not travel with our SYN: `tcpi_fastopen_client_fail`.
    pub fast_open_failure: FastOpenFailure,
    /// Bytes of payload in a full segment that we send.
    pub snd_mss: u16,
    /// Bytes of payload in the largest segment that came.
    pub rcv_mss: u16,
    /// Congestion window in bytes.
    pub cwnd: usize,
    /// What last changed it.
    pub cwnd_reason: CwndReason,
    /// Slow-start threshold in bytes; `usize::MAX` before the first loss.
    pub ssthresh: usize,
    /// The pacing rate in bytes per second, kept to or not; `None` before a round-trip time is measured.
    pub pacing_rate: Option<u64>,
    /// The last delivery rate that said something about the path, in bytes per second.
    pub delivery_rate: u64,
    /// Whether the program had too little to send when that was measured.
    pub delivery_rate_app_limited: bool,
    /// Bytes of ours that the peer has acknowledged or reported received.
    pub delivered: u64,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Its variance.
    pub rtt_variance: Duration,
    /// The shortest round-trip time seen.
    pub rtt_minimum: Option<Duration>,
    /// Retransmission time-out, back-off included.
    pub rto: Duration,
    /// The last measurement.
    pub rtt_latest: Option<Duration>,
    /// Time-outs in a row.
    pub retransmits: u32,
    /// Unanswered window or keepalive probes.
    pub probes: u32,
    /// Segments sent again so far.
    pub total_retransmits: u64,
    /// Segments that arrived, as far as an echo of congestion came with their acknowledgement.
    pub delivered_ce: u32,
    /// Packets that came with a mark, counted where ECN is accurate.
    pub received_ce: u32,
    /// Bytes sent and not acknowledged.
    pub in_flight: usize,
    /// Bytes of these that the peer reported received.
    pub sacked: usize,
    /// Bytes of these believed lost.
    pub lost: usize,
    /// What it has sent and received so far.
    pub traffic: Traffic,
    /// What keeps it from sending more, and for how long what did.
    pub limits: Limits,
    /// When payload was last sent; before the first, when the SYN was.
    pub last_data_sent: Instant,
    /// When the peer was last heard of.
    pub last_heard: Instant,
    /// How often the retransmission or probe time-out was doubled.
    pub backoff: u32,
    /// The largest packet of the path, in bytes (`tcpi_pmtu`).
    pub path_mtu: u32,
    /// The MSS announced to the peer (`tcpi_advmss`).
    pub announced_mss: u16,
    /// How long acknowledgements are held back at the moment (`tcpi_ato`).
    pub ack_delay: Duration,
    /// Bytes whose retransmission is on its way.
    pub resent: usize,
    /// Segments by which the path was seen to reorder, 3 at least: Linux's `tcpi_reordering`.
    pub reordering: u32,
    /// Segments known to be delivered so far, the SYN among them.
    pub delivered_segments: u32,
    /// How often a segment came late.
    pub reordered: u32,
    /// How late a segment may be at the moment before it counts as lost (RFC 8985).
    pub reordering_window: Duration,
    /// Loss probes sent so far.
    pub loss_probes: u32,
    /// Segments that the peer said it received twice (D-SACK).
    pub duplicates: u32,
    /// Reductions of the window that were undone because nothing was lost.
    pub undone: u32,
    /// Bytes written and never sent.
    pub unsent: usize,
    /// Bytes that came and are not read.
    pub unread: usize,
    /// Bytes that came out of order and wait for those before them.
    pub out_of_order: usize,
}

impl TcpInfo {
    pub(super) fn new(connection: &Connection) -> TcpInfo {
        let (sender, receiver) = (&connection.sender, &connection.receiver);
        let ssthresh = sender.congestion.ssthresh();
        TcpInfo {
            state: connection.state,
            congestion: connection.settings.congestion,
            recovering: Recovering::of(sender.phase),
            snd_una: sender.una,
            snd_nxt: sender.nxt,
            snd_wnd: sender.wnd,
            rcv_nxt: receiver.nxt,
            rcv_wnd: receiver.window(),
            rcv_ssthresh: receiver.space.threshold(),
            rcv_space: receiver.space.busiest(),
            rcv_rtt: receiver.space.rtt(),
            snd_shift: sender.shift,
            rcv_shift: receiver.shift,
            timestamps: connection.clock.is_some(),
            sack: sender.uses_sack,
            ecn: sender.ecn.is_on(),
            accurate_ecn: sender.ecn.feedback == Feedback::Accurate,
            ecn_seen: receiver.ecn.is_seen,
            syn_data: connection.fast_open.as_ref().is_some_and(|fast_open| fast_open.syn_data),
            fast_open_failure: connection.fast_open.as_ref().map_or(FastOpenFailure::None, |it| it.failure),
            snd_mss: sender.mss as u16,
            rcv_mss: receiver.ack.segment() as u16,
            cwnd: sender.congestion.cwnd() as usize,
            cwnd_reason: sender.congestion.reason(),
            ssthresh: if ssthresh == u32::MAX { usize::MAX } else { ssthresh as usize },
            pacing_rate: sender.pacing_rate(),
            delivery_rate: sender.rate.told().0,
            delivery_rate_app_limited: sender.rate.told().1,
            delivered: sender.rate.delivered(),
            rtt: sender.rtt.smoothed(),
            rtt_variance: sender.rtt.variance(),
            rtt_minimum: sender.rtt.minimum(),
            rto: sender.rtt.rto(),
            rtt_latest: sender.rtt.latest(),
            retransmits: sender.timeouts,
            probes: connection.probes,
            total_retransmits: u64::from(sender.retransmitted),
            delivered_ce: sender.ecn.delivered_ce,
            received_ce: receiver.ecn.accurate.packets(),
            in_flight: sender.outstanding() as usize,
            sacked: sender.board.sacked() as usize,
            lost: sender.board.lost() as usize,
            traffic: connection.counters.traffic,
            limits: connection.counters.limits,
            last_data_sent: sender.last_sent,
            last_heard: connection.last_heard,
            backoff: u32::from(sender.rtt.backoff().max(connection.probe_backoff)),
            path_mtu: u32::from(connection.path_mss) + if connection.ends.local.is_ipv4() { 40 } else { 60 },
            announced_mss: connection.own_mss(),
            ack_delay: receiver.ack.delay(),
            resent: sender.board.resent() as usize,
            reordering: sender.rack.reordering.into(),
            delivered_segments: sender.delivered,
            reordered: sender.rack.reordered.into(),
            reordering_window: sender.reordering_window(),
            loss_probes: sender.probe.sent,
            duplicates: sender.undo.duplicates,
            undone: sender.undo.undone,
            unsent: sender.unsent() as usize,
            unread: receiver.ring.len(),
            out_of_order: receiver.out_of_order(),
        }
    }
}
