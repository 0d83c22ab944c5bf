//! What leaves next: one list, in order of priority.

use super::{Connection, State, empty};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Options, Segment, SeqNumber};

/// Why a segment is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetransmitCause {
    /// The retransmission timer expired.
    Timeout,
    /// The peer's acknowledgements show that it was lost.
    FastRetransmit,
}

/// A segment to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its header, final but for the checksum.
    pub segment: Segment,
    /// Where its payload begins in the send buffer, for [`Connection::payload`].
    pub offset: usize,
    /// Bytes of payload.
    pub length: usize,
    /// Bytes of payload in each segment, where this stands for several.
    pub segment_size: Option<u16>,
    /// Why it is sent again, if it is.
    pub retransmission: Option<RetransmitCause>,
}

impl Connection {
    /// Whether [`Connection::poll_transmit`] may have something.
    pub fn has_transmit(&self) -> bool {
        if self.reset.is_some() {
            return true;
        }
        match self.state {
            State::Closed => false,
            State::SynSent | State::SynReceived => self.sender.nxt == self.sender.iss || self.sender.force,
            _ => {
                self.receiver.owed > 0
                    || self.probe
                    || self.next_retransmission().is_some()
                    || self.next_data(usize::MAX).is_some()
                    || self.fin_is_due()
                    || self.receiver.wants_update(self.sender.mss)
            }
        }
    }

    /// The bytes of a segment just polled.
    pub fn payload(&self, offset: usize, length: usize) -> [&[u8]; 2] {
        self.sender.ring.slices(offset, length)
    }

    /// The next segment. `largest` is how many bytes of payload the device cuts into segments by itself; 0 if it
    /// cannot.
    pub fn poll_transmit(&mut self, now: Instant, largest: usize) -> Option<Outgoing> {
        if let Some((seq, ack)) = self.reset.take() {
            return Some(self.rst(now, seq, ack));
        }
        match self.state {
            State::Closed => return None,
            State::SynSent | State::SynReceived => return self.syn(now),
            _ => {}
        }
        if self.sender.in_flight() == 0 && now.since(self.sender.last_sent) > self.sender.rtt.rto() {
            self.sender.congestion.on_idle();
        }
        if let Some((from, length)) = self.next_retransmission() {
            return Some(self.send_again(now, from, length));
        }
        if let Some((length, push)) = self.next_data(largest) {
            return Some(self.send_data(now, length, push));
        }
        if self.fin_is_due() {
            return Some(self.send_data(now, 0, true));
        }
        self.arm_probe(now);
        if self.probe {
            self.probe = false;
            return Some(self.send_probe(now));
        }
        if self.receiver.owed > 0 || self.receiver.wants_update(self.sender.mss) {
            let seq = self.sender.nxt;
            return Some(self.outgoing(now, seq, 0, Flags::ACK));
        }
        None
    }

    fn rst(&self, now: Instant, seq: SeqNumber, ack: Option<SeqNumber>) -> Outgoing {
        let flags = if ack.is_some() { Flags::RST | Flags::ACK } else { Flags::RST };
        let timestamps = self.timestamp(now).filter(|_| ack.is_some());
        let segment = Segment {
            seq,
            ack: ack.unwrap_or(SeqNumber(0)),
            flags,
            options: Options { timestamps, ..Options::default() },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        };
        Outgoing { segment, offset: 0, length: 0, segment_size: None, retransmission: None }
    }

    fn syn(&mut self, now: Instant) -> Option<Outgoing> {
        let again = self.sender.force;
        if self.sender.nxt != self.sender.iss && !again {
            return None;
        }
        self.sender.force = false;
        self.sender.nxt = self.sender.iss + 1;
        if again {
            self.sender.retransmitted += 1;
            self.sender.timed = None;
        } else {
            self.sender.timed = Some((self.sender.nxt, now));
        }
        self.sender.retransmit_at = Some(now + self.sender.rtt.rto());
        self.sender.stalled_since.get_or_insert(now);
        self.sender.last_sent = now;
        let answers = self.state == State::SynReceived;
        let shift = self.settings.window_scaling.then_some(self.receiver.shift);
        let segment = Segment {
            seq: self.sender.iss,
            ack: if answers { self.receiver.nxt } else { SeqNumber(0) },
            flags: if answers { Flags::SYN | Flags::ACK } else { Flags::SYN },
            window: self.settings.receive_buffer.min(65_535) as u16,
            options: Options {
                mss: Some(self.own_mss()),
                window_scale: shift,
                sack_permitted: self.settings.sack,
                timestamps: self.timestamp(now),
                ..Options::default()
            },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        };
        let retransmission = again.then_some(RetransmitCause::Timeout);
        Some(Outgoing { segment, offset: 0, length: 0, segment_size: None, retransmission })
    }

    /// A hole to fill: where, and how many bytes of sequence space.
    fn next_retransmission(&self) -> Option<(SeqNumber, usize)> {
        let sender = &self.sender;
        let (from, end) = sender.next_hole()?;
        let length = (end.distance(from) as usize).min(sender.mss);
        let has_room = sender.force || sender.pipe() + length <= sender.congestion.cwnd;
        has_room.then_some((from, length))
    }

    /// New data that may leave: how many bytes, and whether they are the last written.
    fn next_data(&self, largest: usize) -> Option<(usize, bool)> {
        let sender = &self.sender;
        if !matches!(
            self.state,
            State::Established | State::CloseWait | State::FinWait1 | State::LastAck | State::Closing
        ) {
            return None;
        }
        let unsent = sender.data_end().distance(sender.nxt).max(0) as usize;
        if unsent == 0 {
            return None;
        }
        let flight = sender.in_flight();
        let window = (sender.wnd as usize).saturating_sub(flight);
        let credit = sender.congestion.cwnd.saturating_sub(sender.pipe());
        let mut length = unsent.min(window).min(credit);
        let whole =
            if largest > sender.mss { (largest / sender.mss).clamp(1, 64) * sender.mss } else { sender.mss };
        length = length.min(whole);
        if length == 0 {
            return None;
        }
        if length > sender.mss && length < unsent {
            length -= length % sender.mss;
        }
        let last = length == unsent;
        let full = length >= sender.mss;
        // Nagle (RFC 9293, 3.7.4), and no silly windows (3.8.6.2.1).
        let small_ok = last && (!self.settings.nagle || flight == 0 || sender.fin_queued);
        let half_window = length >= (sender.max_wnd as usize / 2).max(1) && window < sender.mss;
        (full || small_ok || half_window).then_some((length, last))
    }

    fn fin_is_due(&self) -> bool {
        let sender = &self.sender;
        sender.fin_queued && sender.fin.is_none() && sender.nxt == sender.data_end()
    }

    fn send_data(&mut self, now: Instant, length: usize, push: bool) -> Outgoing {
        let seq = self.sender.nxt;
        let mut flags = Flags::ACK;
        if push && length > 0 {
            flags |= Flags::PSH;
        }
        let end = seq + length as u32;
        let with_fin = self.sender.fin_queued && end == self.sender.data_end();
        if with_fin {
            flags |= Flags::FIN;
        }
        let out = self.outgoing(now, seq, length, flags);
        let sender = &mut self.sender;
        if sender.in_flight() == 0 {
            sender.stalled_since = Some(now);
        }
        if with_fin {
            sender.fin = Some(end);
        }
        sender.nxt = end + u32::from(with_fin);
        if sender.timed.is_none() {
            sender.timed = Some((sender.nxt, now));
        }
        if sender.retransmit_at.is_none() {
            sender.retransmit_at = Some(now + sender.rtt.rto());
        }
        sender.was_limited = sender.pipe() + sender.mss * 2 > sender.congestion.cwnd
            || sender.congestion.cwnd < sender.congestion.ssthresh
                && sender.pipe() * 2 > sender.congestion.cwnd;
        sender.last_sent = now;
        out
    }

    fn send_again(&mut self, now: Instant, from: SeqNumber, length: usize) -> Outgoing {
        let end_of_data = self.sender.data_end();
        let bytes = length.min(end_of_data.distance(from).max(0) as usize);
        let with_fin = self.sender.fin_sent() && from + bytes as u32 == end_of_data;
        let flags = if with_fin { Flags::ACK | Flags::FIN } else { Flags::ACK };
        let mut out = self.outgoing(now, from, bytes, flags);
        let sender = &mut self.sender;
        sender.high_rxt = from + (bytes as u32 + u32::from(with_fin)).max(1);
        sender.force = false;
        sender.retransmitted += 1;
        sender.timed = None;
        if sender.retransmit_at.is_none() {
            sender.retransmit_at = Some(now + sender.rtt.rto());
        }
        sender.last_sent = now;
        let cause =
            if sender.after_timeout { RetransmitCause::Timeout } else { RetransmitCause::FastRetransmit };
        out.retransmission = Some(cause);
        out
    }

    /// Nothing is in flight and the window is shut (or too small to be used): the peer must be asked (3.8.6.1).
    pub(super) fn arm_probe(&mut self, now: Instant) {
        let blocked = self.next_data(0).is_none();
        let sender = &mut self.sender;
        let waits = sender.data_end().is_after(sender.nxt) && sender.in_flight() == 0 && blocked;
        if waits && sender.probe_at.is_none() {
            sender.probe_at = Some(now + sender.rtt.rto());
        } else if !waits && sender.probe_at.is_some() {
            sender.probe_at = None;
            sender.probes = 0;
        }
    }

    /// An old sequence number makes the peer acknowledge (as Linux probes, for windows and for keepalive alike).
    fn send_probe(&mut self, now: Instant) -> Outgoing {
        let unsent = self.sender.data_end().is_after(self.sender.nxt);
        if unsent && self.sender.wnd > 0 && self.sender.in_flight() == 0 {
            // The window is open but small: use it.
            let length = (self.sender.wnd as usize).min(self.sender.ring.len()).min(self.sender.mss);
            return self.send_data(now, length, true);
        }
        let seq = self.sender.nxt - 1;
        self.outgoing(now, seq, 0, Flags::ACK)
    }

    fn outgoing(&mut self, now: Instant, seq: SeqNumber, length: usize, flags: Flags) -> Outgoing {
        let offset = seq.distance(self.sender.data_start()).max(0) as usize;
        let timestamps = self.timestamp(now);
        let mut options = Options { timestamps, ..Options::default() };
        if self.sender.uses_sack && self.receiver.has_gaps() && length == 0 {
            options.sack = self.receiver.sack_blocks(if timestamps.is_some() { 3 } else { 4 });
        }
        let mss = self.sender.mss;
        let window = self.receiver.announce(mss) >> self.receiver.shift;
        self.receiver.on_ack_sent();
        let segment = Segment {
            seq,
            ack: self.receiver.nxt,
            flags,
            window: window.min(65_535) as u16,
            options,
            length: length as u32,
            ..empty(self.ends.local.port(), self.ends.remote.port())
        };
        let segment_size = (length > mss).then_some(mss as u16);
        Outgoing { segment, offset, length, segment_size, retransmission: None }
    }
}
