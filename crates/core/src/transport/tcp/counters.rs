//! What a connection has sent and received so far, and what has kept it from sending more: the numbers of `TCP_INFO` that
//! only count, and that nothing is decided by.

use super::connection::Connection;
use super::transmit::Outgoing;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Segment, SeqNumber};

/// What a connection has sent and received so far. A burst that the device cuts, or has joined, counts as the segments
/// it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Segments sent, of whatever kind; the SYN-ACK of a passive open is not among them, as on Linux.
    pub segments_sent: u64,
    /// Segments received, of whatever kind, useful or not.
    pub segments_received: u64,
    /// Segments with payload sent.
    pub data_segments_sent: u64,
    /// Segments with payload received.
    pub data_segments_received: u64,
    /// Segments with payload received before those that precede them.
    pub out_of_order_segments: u64,
    /// Bytes of payload sent, retransmissions included.
    pub bytes_sent: u64,
    /// Bytes of payload sent again.
    pub bytes_retransmitted: u64,
    /// Sequence numbers acknowledged by the peer: the payload, an active open's SYN, and the FIN.
    pub bytes_acknowledged: u64,
    /// Sequence numbers received in order: the payload, and the FIN.
    pub bytes_received: u64,
    /// When payload last came in order; before the first, when the connection began.
    pub last_data_received: Instant,
}

/// What keeps a connection from sending more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It has nothing to send and nothing in flight.
    Idle,
    /// It has something in flight; the path or the program limits it.
    Busy,
    /// The peer's window.
    Window,
    /// The send buffer: the program has more, and all that found room is in flight.
    Buffer,
}

/// For how long a connection was limited by what (RFC 4898 in spirit; Linux's `tcpi_busy_time` and its kin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What limits it now.
    pub now: Limit,
    since: Instant,
    busy: Duration,
    window: Duration,
    buffer: Duration,
}

impl Limits {
    /// How long it had something to send or in flight.
    pub fn busy(&self, now: Instant) -> Duration {
        self.busy + self.window(now) + self.buffer(now) + self.running(now, Limit::Busy)
    }

    /// How much of that time the peer's window was what kept it from sending.
    pub fn window(&self, now: Instant) -> Duration {
        self.window + self.running(now, Limit::Window)
    }

    /// How much of that time the send buffer was what kept the program from writing more.
    pub fn buffer(&self, now: Instant) -> Duration {
        self.buffer + self.running(now, Limit::Buffer)
    }

    fn running(&self, now: Instant, limit: Limit) -> Duration {
        if self.now == limit { now.since(self.since) } else { Duration::ZERO }
    }

    fn turn(&mut self, now: Instant, limit: Limit) {
        if self.now == limit {
            return;
        }
        let passed = now.since(self.since);
        match self.now {
            Limit::Idle => {}
            Limit::Busy => self.busy += passed,
            Limit::Window => self.window += passed,
            Limit::Buffer => self.buffer += passed,
        }
        (self.now, self.since) = (limit, now);
    }
}

/// Everything that is only counted.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) traffic: Traffic,
    pub(super) limits: Limits,
    /// The program has met a full send buffer, and it has not been told of room since.
    pub(super) is_refused: bool,
}

impl Counters {
    pub(super) fn new(now: Instant) -> Counters {
        let none = Duration::ZERO;
        Counters {
            traffic: Traffic {
                segments_sent: 0,
                segments_received: 0,
                data_segments_sent: 0,
                data_segments_received: 0,
                out_of_order_segments: 0,
                bytes_sent: 0,
                bytes_retransmitted: 0,
                bytes_acknowledged: 0,
                bytes_received: 0,
                last_data_received: now,
            },
            limits: Limits { now: Limit::Idle, since: now, busy: none, window: none, buffer: none },
            is_refused: false,
        }
    }
}

/// How far the two halves had come before a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    una: SeqNumber,
    nxt: SeqNumber,
}

impl Connection {
    /// How far the two halves have come; a SYN not yet received counts as if it had been.
    pub(super) fn progress(&self, segment: &Segment) -> Progress {
        let nxt = if self.state == super::State::SynSent { segment.seq + 1 } else { self.receiver.nxt };
        Progress { una: self.sender.una, nxt }
    }

    /// A segment has come, and has been dealt with.
    pub(super) fn count_received(&mut self, now: Instant, segment: &Segment, before: Progress) {
        let segments = u64::from(segment.length.div_ceil(self.receiver.mss.max(1)).max(1));
        let traffic = &mut self.counters.traffic;
        traffic.segments_received += segments;
        traffic.bytes_acknowledged += u64::from(self.sender.una.distance(before.una).max(0).cast_unsigned());
        let advance = self.receiver.nxt.distance(before.nxt).max(0).cast_unsigned();
        traffic.bytes_received += u64::from(advance);
        if segment.length > 0 {
            traffic.data_segments_received += segments;
            if advance > 0 {
                traffic.last_data_received = now;
            } else if segment.seq.is_after(before.nxt) {
                traffic.out_of_order_segments += segments;
            }
        }
    }

    /// Data of a SYN has come, before there was a connection to count it.
    pub(super) fn count_syn_data(&mut self, length: u32) {
        let traffic = &mut self.counters.traffic;
        traffic.segments_received += 1;
        traffic.data_segments_received += 1;
        traffic.bytes_received += u64::from(length);
    }

    /// A segment leaves.
    pub(super) fn count_sent(&mut self, outgoing: &Outgoing) {
        if self.is_child() && outgoing.segment.flags.contains(Flags::SYN) {
            return; // the SYN-ACK of a passive open
        }
        let segments =
            outgoing.segment_size.map_or(1, |size| outgoing.length.div_ceil(usize::from(size.max(1))));
        let (segments, length) = (segments.max(1) as u64, outgoing.length as u64);
        let traffic = &mut self.counters.traffic;
        traffic.segments_sent += segments;
        if length > 0 {
            traffic.data_segments_sent += segments;
            traffic.bytes_sent += length;
            if outgoing.retransmission.is_some() {
                traffic.bytes_retransmitted += length;
            }
        }
    }

    /// Notes what keeps the connection from sending more, after anything that may have changed that.
    pub(super) fn note_limit(&mut self, now: Instant) {
        self.counters.is_refused = self.counters.is_refused && !self.is_writable();
        let sender = &self.sender;
        let (unsent, outstanding) = (sender.unsent(), sender.outstanding());
        let is_path_open = sender.congestion_room() >= sender.mss;
        let limit = if !sender.is_synced || unsent == 0 && outstanding == 0 {
            Limit::Idle
        } else if unsent > 0 && is_path_open && sender.window_room() < unsent.min(sender.mss) {
            Limit::Window
        } else if unsent == 0 && is_path_open && self.counters.is_refused {
            Limit::Buffer
        } else {
            Limit::Busy
        };
        self.counters.limits.turn(now, limit);
    }
}
