//! What leaves next: one list, in order of priority.

use super::connection::Connection;
use super::receive_space::ReceiveSpace;
use super::recovery::Phase;
use super::sender::Fin;
use super::timers::Timer;
use super::{State, empty};
use crate::time::Instant;
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::{Flags, Options, SackBlocks, Segment, SeqNumber};

/// The most bytes of payload one packet can hold, whatever the device would cut.
const MOST_PAYLOAD: usize = 65_160;

/// Why a segment is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetransmitCause {
    /// The retransmission timer expired.
    Timeout,
    /// The peer's acknowledgements show that it was lost.
    FastRetransmit,
    /// What was sent after it has arrived, and the time in which it might have come late is over.
    Reordering,
    /// Nothing shows that it was lost: it is to draw an answer.
    LossProbe,
    /// The peer threw away what it had reported received.
    Reneging,
    /// It was too large for the path.
    PathMtu,
    /// It went with the SYN, and the peer has acknowledged the SYN only (RFC 7413).
    SynData,
}

impl RetransmitCause {
    /// The cause in a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            RetransmitCause::Timeout => "timeout",
            RetransmitCause::FastRetransmit => "fast retransmit",
            RetransmitCause::Reordering => "reordering timeout",
            RetransmitCause::LossProbe => "loss probe",
            RetransmitCause::Reneging => "reneging",
            RetransmitCause::PathMtu => "path MTU",
            RetransmitCause::SynData => "data of the SYN",
        }
    }
}

impl core::fmt::Display for RetransmitCause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// A segment to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its header, final but for the checksum.
    pub segment: Segment,
    /// Where its payload begins in the send buffer: see [`Connection::payload`].
    pub offset: usize,
    /// Bytes of payload.
    pub length: usize,
    /// Bytes of payload in each segment, where this stands for several that the device is to cut.
    pub segment_size: Option<u16>,
    /// Why it is sent again, if it is.
    pub retransmission: Option<RetransmitCause>,
    /// The ECN field of its packet.
    pub ecn: Codepoint,
}

/// What leaves next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A RST.
    Reset,
    /// A SYN or SYN-ACK.
    Syn,
    /// `payload` bytes from `start` on once more, and the FIN behind them.
    Again { start: SeqNumber, payload: u32, fin: bool, mss: u32 },
    /// `payload` new bytes, and the FIN behind them.
    Data { payload: u32, fin: bool, mss: u32 },
    /// An empty segment with an old number, for the sake of the answer.
    Probe,
    /// An acknowledgement.
    Ack,
}

impl Connection {
    /// Whether [`Connection::poll_transmit`] has something. Nothing is to be waited for: if this says no, it takes a
    /// segment, a call or a timer to change that.
    pub fn has_transmit(&self) -> bool {
        self.next(self.largest).is_some()
    }

    /// The bytes of a segment just polled, lent from the send buffer in two pieces.
    pub fn payload(&self, offset: usize, length: usize) -> [&[u8]; 2] {
        self.sender.ring.slices(offset, length)
    }

    /// The next segment to send. `largest` is how many bytes of payload the device takes at once and cuts into segments
    /// by itself; zero if it cannot.
    pub fn poll_transmit(&mut self, now: Instant, largest: usize) -> Option<Outgoing> {
        self.sender.clock = now;
        if self.sender.outstanding() == 0 && self.sender.has_unsent() && self.sender.is_synced {
            self.sender.on_restart(now);
        }
        self.renew_mtu_search(now);
        self.largest = largest.min(MOST_PAYLOAD) as u32;
        let mut outgoing = match self.next(self.largest) {
            None => {
                if !self.timers.is_set(Timer::Pacing) {
                    self.sender.note_limit(now);
                }
                self.arm_probe(now);
                return None;
            }
            Some(Next::Reset) => {
                let reset = self.reset.take()?;
                let flags = if reset.ack.is_some() { Flags::RST | Flags::ACK } else { Flags::RST };
                let ack = reset.ack.unwrap_or(SeqNumber(0));
                // One that answers a segment is as bare as if there had been no connection; one that a call or a timer
                // asks for has timestamps (RFC 7323 section 3.2 wishes them on every segment).
                let timestamps = self.timestamps(now).filter(|_| reset.ack.is_some());
                let options = Options { timestamps, ..Options::default() };
                Outgoing::bare(Segment { seq: reset.seq, ack, flags, options, ..self.header() })
            }
            Some(Next::Syn) => self.send_syn(now),
            Some(Next::Again { start, payload, fin, mss }) => self.send_again(now, start, payload, fin, mss),
            Some(Next::Data { payload, fin, mss }) => self.send_data(now, payload, fin, mss),
            Some(Next::Probe) => {
                self.probe_due = false;
                let segment = self.acknowledgement(now, SackBlocks::new());
                Outgoing::bare(Segment { seq: self.sender.una - 1, ..segment })
            }
            Some(Next::Ack) => {
                let blocks = self.sack_blocks();
                let mut segment = self.acknowledgement(now, blocks);
                self.report_marks(&mut segment);
                self.acknowledged();
                Outgoing::bare(segment)
            }
        };
        if self.urgent.is_some() && !outgoing.segment.flags.intersects(Flags::SYN | Flags::RST) {
            self.point_at_urgent(&mut outgoing.segment);
        }
        if outgoing.length > 0 {
            self.note_limit(now); // whoever asks may not ask again once nothing is left
        }
        self.count_sent(&outgoing);
        self.touch(now);
        Some(outgoing)
    }

    /// The decision, which changes nothing.
    pub(super) fn next(&self, largest: u32) -> Option<Next> {
        if self.reset.is_some() {
            return Some(Next::Reset);
        }
        match self.state {
            State::Closed | State::Listen => return None,
            State::SynSent => return self.syn_due.then_some(Next::Syn),
            State::SynReceived if self.syn_due => return Some(Next::Syn),
            State::SynReceived if self.is_child() => {}
            State::SynReceived | State::TimeWait => return self.next_ack(),
            _ => {}
        }
        let sender = &self.sender;
        if sender.has_unsent() || sender.board.to_resend() > 0 || sender.probe.is_due {
            let mss = self.room();
            let largest = if self.is_urgent() { 0 } else { largest };
            if let Some(probe) = self.next_probe(mss) {
                return Some(probe);
            }
            // The first segment sent again after a time-out has waited for long enough, as has a probe.
            let is_paced_out = self.timers.is_set(Timer::Pacing);
            let once = largest.min(self.burst(mss));
            let largest = once.min(sender.half_window(mss));
            if sender.new_first
                && !is_paced_out
                && !sender.nxt.is_after(sender.high)
                && let Some(data) = self.next_data(mss, largest)
            {
                return Some(data);
            }
            if (!is_paced_out || sender.phase == Phase::Loss && sender.pipe() == 0)
                && let Some(again) = self.next_again(mss, once)
            {
                return Some(again);
            }
            if !is_paced_out && let Some(data) = self.next_data(mss, largest) {
                return Some(data);
            }
        }
        if self.probe_due {
            return Some(Next::Probe);
        }
        self.next_ack()
    }

    fn next_ack(&self) -> Option<Next> {
        (self.receiver.ack.owed() > 0 || self.receiver.wants_update()).then_some(Next::Ack)
    }

    /// Bytes of payload that fit beside the options a data segment carries now.
    pub(super) fn room(&self) -> u32 {
        let blocks = if self.receiver.has_report() { self.sack_blocks().as_slice().len() as u32 } else { 0 };
        let option = if blocks > 0 { 4 + 8 * blocks } else { 0 };
        self.sender.mss.saturating_sub(option).max(1)
    }

    fn next_again(&self, mss: u32, largest: u32) -> Option<Next> {
        let sender = &self.sender;
        if self.state == State::SynReceived {
            return None; // before the SYN-ACK is acknowledged nothing but that is sent again
        }
        let (start, length) = sender.next_again()?;
        let data = sender.data_end().distance(start).max(0).cast_unsigned();
        let most = sender.congestion_room().min(largest.max(mss)).max(mss);
        // What lies beyond a window that has shrunk waits, but for the first segment, which serves as a probe.
        let inside = (sender.una + sender.wnd).distance(start).max(0).cast_unsigned();
        // With no room at all the first segment serves as a probe, as on Linux.
        let inside = if start == sender.una && inside == 0 { mss } else { inside };
        let record =
            self.push.record_end(start).map_or(u32::MAX, |end| end.distance(start).max(0).cast_unsigned());
        let whole = length.min(data).min(record);
        let mut payload = whole.min(most).min(inside);
        if payload > mss && payload < whole {
            payload -= payload % mss;
        }
        let fin = length > data && payload == data;
        (payload > 0 || fin).then_some(Next::Again { start, payload, fin, mss })
    }

    fn next_data(&self, mss: u32, largest: u32) -> Option<Next> {
        let sender = &self.sender;
        let unsent = sender.unsent();
        let record = self.push.record_end(sender.nxt);
        let run = record.map_or(unsent, |end| unsent.min(end.distance(sender.nxt).max(0).cast_unsigned()));
        let largest = if sender.ecn.is_cwr_due() { 0 } else { largest };
        if let Some(decided) = self.mtu_probe_step(run) {
            return decided;
        }
        let mut payload = sender.sendable(run, mss, largest, self.nagle(run == unsent));
        if payload == 0 && self.small_due {
            payload = run.min(sender.window_room()).min(mss);
        }
        // The FIN takes a sequence number like any byte, but does not wait for the congestion window.
        let fin = sender.fin == Fin::Queued && payload == unsent && sender.window_room() > payload;
        // After a shutdown, unlike a close, the FIN waits for the handshake, as on Linux.
        let fin = fin && (self.state != State::SynReceived || self.is_orphan);
        (payload > 0 || fin).then_some(Next::Data { payload, fin, mss })
    }

    fn header(&self) -> Segment {
        empty(self.ends.local.port(), self.ends.remote.port())
    }

    fn sack_blocks(&self) -> SackBlocks {
        if !self.sender.uses_sack || !self.receiver.has_report() {
            return SackBlocks::new();
        }
        let most = if self.clock.is_some() { SackBlocks::MAX_WITH_TIMESTAMPS } else { SackBlocks::MAX };
        self.receiver.sack_blocks(most)
    }

    /// A segment with nothing but an acknowledgement.
    fn acknowledgement(&mut self, now: Instant, sack: SackBlocks) -> Segment {
        Segment {
            seq: self.sender.nxt,
            ack: self.receiver.nxt,
            flags: Flags::ACK | self.receiver.ecn.flags(self.sender.ecn.feedback),
            window: self.receiver.announce(),
            options: Options { timestamps: self.timestamps(now), sack, ..Options::default() },
            ..self.header()
        }
    }

    /// An acknowledgement has left, alone or with data.
    fn acknowledged(&mut self) {
        self.receiver.on_ack_sent();
        self.timers.stop(Timer::DelayedAck);
    }

    /// The window in our SYN.
    pub(super) fn first_window(&self) -> u16 {
        ReceiveSpace::first_window(&self.settings, self.own_mss().into())
    }

    fn send_syn(&mut self, now: Instant) -> Outgoing {
        let is_answer = self.state == State::SynReceived;
        let is_again = self.sender.nxt != self.sender.iss && (self.sender.timeouts > 0 || !is_answer);
        let child = self.on_child_syn_ack(now);
        let (fast_open, payload) = match child {
            Some((cookie, _)) => (cookie, 0),
            None if is_answer || is_again => (None, 0),
            None => self.syn_extras(),
        };
        let options = Options {
            mss: Some(self.own_mss()),
            // A SYN offers what we can do, a SYN-ACK accepts what both can.
            window_scale: match is_answer {
                false => self.settings.window_scaling.then(|| self.settings.window_shift()),
                true => (self.receiver.shift > 0 || self.sender.shift > 0).then_some(self.receiver.shift),
            },
            sack_permitted: if is_answer { self.sender.uses_sack } else { self.settings.sack },
            timestamps: self.timestamps(now),
            fast_open,
            ..Options::default()
        };
        let flags = match is_answer {
            true => {
                Flags::SYN
                    | Flags::ACK
                    | super::ecn::grant(self.sender.ecn.feedback, self.receiver.ecn.accurate.first)
            }
            false => Flags::SYN | self.syn_flags(is_again),
        };
        let window = self.first_window();
        let window = if child.is_some() { self.receiver.announce_unscaled(window) } else { window };
        let segment = Segment {
            seq: self.sender.iss,
            ack: if is_answer { self.receiver.nxt } else { SeqNumber(0) },
            flags,
            window,
            options,
            length: payload,
            ..self.header()
        };
        self.syn_due = false;
        self.sender.nxt = self.sender.nxt.max(self.sender.iss + 1);
        self.sender.last_sent = now;
        if payload > 0 {
            self.sender.on_sent(now, payload, payload, self.sender.mss);
        }
        if is_answer {
            self.acknowledged();
        }
        self.sender.start_waiting(now);
        self.arm_user_timeout();
        if !self.timers.is_set(Timer::Retransmit) {
            let due = child.map_or_else(|| now + self.sender.rtt.rto(), |(_, due)| due);
            self.timers.set(Timer::Retransmit, due);
        }
        if is_again {
            self.sender.retransmitted += 1;
        }
        let cause =
            if self.sender.timeouts > 0 { RetransmitCause::Timeout } else { RetransmitCause::PathMtu };
        let retransmission = is_again.then_some(cause);
        Outgoing { length: payload as usize, retransmission, ..Outgoing::bare(segment) }
    }

    fn send_again(&mut self, now: Instant, start: SeqNumber, payload: u32, fin: bool, mss: u32) -> Outgoing {
        self.forget_mtu_probe();
        let is_probe = self.sender.probe.is_due;
        let is_head = start == self.sender.una;
        let outgoing = self.data_segment(now, start, payload, fin, mss);
        self.sender.on_sent_again(now, start, payload + u32::from(fin));
        self.pace(now, payload);
        if is_probe {
            self.on_probe_sent(now, true);
            return Outgoing { retransmission: Some(RetransmitCause::LossProbe), ..outgoing };
        }
        let is_watched = self.timers.is_set(Timer::Retransmit) || self.timers.is_set(Timer::Reordering);
        if is_head && !self.timers.is_set(Timer::Reordering) || !is_watched {
            self.start_transmit_timer(Timer::Retransmit, now + self.sender.rtt.rto());
        }
        Outgoing { retransmission: Some(self.sender.cause), ..outgoing }
    }

    fn send_data(&mut self, now: Instant, payload: u32, fin: bool, mss: u32) -> Outgoing {
        let start = self.sender.nxt;
        if mss <= self.sender.mss {
            self.note_burst(payload, mss);
        }
        let mut outgoing = self.data_segment(now, start, payload, fin, mss);
        if payload > 0 {
            let (ecn, flag) = self.sender.ecn.on_new_data();
            outgoing.ecn = ecn;
            outgoing.segment.flags |= flag;
        }
        if mss > self.sender.mss {
            self.on_mtu_probe_sent(start, payload);
        }
        let is_probe = self.sender.probe.is_due;
        let was_idle = self.sender.outstanding() == 0;
        self.sender.on_sent(now, payload + u32::from(fin), payload, mss);
        self.pace(now, payload);
        if fin {
            self.sender.fin = Fin::Sent;
        }
        self.small_due = false;
        self.probe_due = false;
        self.timers.stop(Timer::Probe);
        self.arm_user_timeout();
        if is_probe {
            self.on_probe_sent(now, false);
        } else {
            self.arm_after_sending(now, was_idle);
        }
        if payload > 0 {
            self.receiver.ack.on_data_sent(now);
        }
        // RFC 7661; where the program waits for room in the send buffer it is the peer who is slow.
        if self.settings.slow_start_after_idle && !self.counters.is_refused {
            self.sender.validate_window(now);
        }
        outgoing
    }

    /// Holds the next burst back until this one has taken its time.
    fn pace(&mut self, now: Instant, payload: u32) {
        if let Some(release) = self.sender.pacing.on_sent(now, payload, self.sender.mss) {
            self.timers.set(Timer::Pacing, release);
        }
    }

    fn data_segment(
        &mut self,
        now: Instant,
        start: SeqNumber,
        payload: u32,
        fin: bool,
        mss: u32,
    ) -> Outgoing {
        let blocks = self.sack_blocks();
        let offset = start.distance(self.sender.data_start()).max(0) as usize;
        let mut segment = self.acknowledgement(now, blocks);
        segment.seq = start;
        segment.length = payload;
        if fin {
            segment.flags |= Flags::FIN;
        }
        // A segment that a timer had to let out says that nothing follows it soon.
        // So does the last of a burst, the first time, as on Linux.
        let end = start + payload;
        let is_end = payload > 0 && start == self.sender.nxt && self.push.ends_burst(end);
        let is_burst = payload > mss || is_end;
        if is_burst || self.push.covers(start, end) || self.small_due && payload > 0 {
            segment.flags |= Flags::PSH;
        }
        self.acknowledged();
        Outgoing {
            segment,
            offset,
            length: payload as usize,
            segment_size: (payload > mss).then_some(mss as u16),
            retransmission: None,
            ecn: Codepoint::NotEct,
        }
    }
}

impl Outgoing {
    fn bare(segment: Segment) -> Outgoing {
        Outgoing {
            segment,
            offset: 0,
            length: 0,
            segment_size: None,
            retransmission: None,
            ecn: Codepoint::NotEct,
        }
    }
}
