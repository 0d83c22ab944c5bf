//! A connection: the two halves, the state, the timers, and the calls a program makes on it.

use super::congestion::Congestion;
use super::receiver::Receiver;
use super::rtt::Rtt;
use super::sender::Sender;
use super::{Endpoints, Handshake, Opening, Settings, State, TimeWait};
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Segment, SeqNumber, Timestamps};

/// One connection, from SYN-SENT or SYN-RECEIVED to CLOSED. It knows no IP header and no socket.
///
/// Methods named `on_` take what happened, `poll_` give what comes next, the others are a program's calls.
#[derive(Debug)]
pub struct Connection {
    pub(super) ends: Endpoints,
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) timestamps: Option<u32>,
    pub(super) path_mss: u16,
    pub(super) peer_mss: u16,
    pub(super) error: Option<Error>,
    pub(super) soft_error: Option<Error>,
    pub(super) failed: bool,
    /// A RST to send: its sequence number, and the acknowledgement it carries if any.
    pub(super) reset: Option<(SeqNumber, Option<SeqNumber>)>,
    pub(super) orphan: bool,
    pub(super) write_closed: bool,
    pub(super) opened_passively: bool,
    pub(super) last_heard: Instant,
    pub(super) keepalive_probes: u32,
    pub(super) keepalive_at: Option<Instant>,
    /// A probe (zero window or keepalive) to send.
    pub(super) probe: bool,
    pub(super) linger_until: Option<Instant>,
    pub(super) challenge: (u64, u32),
    pub(super) created: Instant,
}

/// Which timers fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    pub(super) bits: u8,
}

const TIMER_NAMES: [&str; 6] =
    ["retransmit", "window-probe", "delayed-ack", "keepalive", "user-timeout", "fin-wait-2"];

impl Fired {
    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        TIMER_NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.bits & 1 << bit != 0)
            .map(|(_, name)| *name)
    }
}

/// What is known about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Its state.
    pub state: State,
    /// The congestion control's name.
    pub congestion: super::CongestionName,
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
    /// Bytes of payload in a full segment.
    pub snd_mss: u16,
    /// Congestion window in bytes.
    pub cwnd: usize,
    /// Slow-start threshold in bytes.
    pub ssthresh: usize,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Its variance.
    pub rtt_variance: Duration,
    /// The shortest round-trip time seen.
    pub rtt_minimum: Option<Duration>,
    /// Retransmission time-out, back-off included.
    pub rto: Duration,
    /// Time-outs in a row.
    pub retransmits: u32,
    /// Segments sent again so far.
    pub total_retransmits: u64,
    /// Bytes sent and not acknowledged.
    pub in_flight: usize,
    /// Bytes of these that the peer reported received.
    pub sacked: usize,
    /// Bytes of these believed lost and not sent again yet.
    pub lost: usize,
}

impl Connection {
    /// An active open: SYN-SENT.
    pub fn connect(now: Instant, ends: Endpoints, settings: Settings, opening: Opening) -> Connection {
        let mut connection = Connection::new(now, ends, settings, opening, State::SynSent, SeqNumber(0));
        connection.timestamps = connection.settings.timestamps.then_some(opening.timestamp_offset);
        connection
    }

    fn new(
        now: Instant,
        ends: Endpoints,
        settings: Settings,
        opening: Opening,
        state: State,
        irs: SeqNumber,
    ) -> Connection {
        let mss = usize::from(settings.max_segment.unwrap_or(u16::MAX).min(opening.path_mss).min(536));
        let rtt = Rtt::new(settings.initial_rto, (settings.rto_min, settings.rto_max));
        let congestion = Congestion::new(settings.congestion, mss);
        Connection {
            ends,
            state,
            sender: Sender::new(opening.iss, mss, congestion, rtt),
            receiver: Receiver::new(irs, settings.window_shift(), settings.receive_buffer),
            timestamps: None,
            path_mss: opening.path_mss,
            peer_mss: 536,
            error: None,
            soft_error: None,
            failed: false,
            reset: None,
            orphan: false,
            write_closed: false,
            opened_passively: false,
            last_heard: now,
            keepalive_probes: 0,
            keepalive_at: None,
            probe: false,
            linger_until: None,
            challenge: (0, 0),
            created: now,
            settings,
        }
    }

    /// A passive open whose handshake `segment` completes: ESTABLISHED. The segment itself is still to be given to
    /// [`Connection::on_segment`].
    pub fn accepted(
        now: Instant,
        handshake: &Handshake,
        segment: &Segment,
        settings: &Settings,
    ) -> Connection {
        let opening = handshake.opening();
        let ends = handshake.endpoints();
        let mut connection =
            Connection::new(now, ends, settings.clone(), opening, State::Established, handshake.irs());
        connection.opened_passively = true;
        connection.timestamps = handshake.uses_timestamps().then_some(opening.timestamp_offset);
        connection.negotiate(&handshake.peer());
        let sender = &mut connection.sender;
        sender.una = opening.iss + 1;
        sender.nxt = opening.iss + 1;
        sender.high_rxt = sender.una;
        sender.lost_below = sender.una;
        sender.wnd = u32::from(segment.window) << sender.shift;
        sender.max_wnd = sender.wnd;
        sender.wl1 = segment.seq;
        sender.wl2 = segment.ack;
        if let Some(sent) = handshake.sent_once() {
            sender.rtt.measured(now, sent);
        }
        connection.receiver.ts_recent = handshake.ts_recent();
        connection.receiver.ts_recent_at = now;
        connection.arm_keepalive(now);
        connection
    }

    /// What both ends' SYNs agreed on.
    pub(super) fn negotiate(&mut self, peer: &crate::wire::tcp::Options) {
        self.peer_mss = peer.mss.unwrap_or(536).max(64);
        match peer.window_scale {
            Some(shift) if self.settings.window_scaling => self.sender.shift = shift.min(14),
            _ => {
                self.sender.shift = 0;
                self.receiver.shift = 0;
                self.receiver.set_limit(self.settings.receive_buffer.min(65_535));
            }
        }
        self.sender.uses_sack = self.settings.sack && peer.sack_permitted;
        self.size_segments();
        self.sender.congestion = Congestion::new(self.settings.congestion, self.sender.mss);
    }

    pub(super) fn size_segments(&mut self) {
        let asked = self.settings.max_segment.unwrap_or(u16::MAX);
        let whole = usize::from(self.peer_mss.min(self.path_mss).min(asked));
        let options = if self.timestamps.is_some() { 12 } else { 0 };
        self.sender.mss = whole.saturating_sub(options).max(36);
    }

    /// The MSS to announce.
    pub(super) fn own_mss(&self) -> u16 {
        self.settings.max_segment.map_or(self.path_mss, |most| most.min(self.path_mss))
    }

    /// The value of this connection's timestamp clock, which ticks every millisecond.
    pub(super) fn timestamp(&self, now: Instant) -> Option<Timestamps> {
        let offset = self.timestamps?;
        let value = (now.as_millis() as u32).wrapping_add(offset);
        Some(Timestamps { value, echo: self.receiver.ts_recent })
    }

    // ---- calls -------------------------------------------------------------------------------------------------

    /// Takes bytes to send: as many as the buffer has room for.
    ///
    /// # Errors
    /// [`Error::WouldBlock`], [`Error::BrokenPipe`], [`Error::NotConnected`], or once what ended the connection.
    pub fn write(&mut self, now: Instant, bytes: &[u8]) -> Result<usize, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.state {
            State::SynSent | State::SynReceived => return Err(Error::WouldBlock),
            State::Established | State::CloseWait if !self.write_closed => {}
            _ => return Err(Error::BrokenPipe),
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.sender.ring.push(bytes, self.settings.send_buffer) {
            0 => Err(Error::WouldBlock),
            count => {
                self.arm_probe(now);
                Ok(count)
            }
        }
    }

    /// Takes received bytes; zero is the end of the stream.
    ///
    /// # Errors
    /// [`Error::WouldBlock`], or once what ended the connection.
    pub fn read(&mut self, now: Instant, buffer: &mut [u8]) -> Result<usize, Error> {
        let _ = now;
        let count = self.peek(buffer)?;
        self.receiver.ring.consume(count);
        self.receiver.on_read(count);
        Ok(count)
    }

    /// [`Connection::read`] that leaves the bytes where they are.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.receiver.ring.copy_front(buffer);
        if count > 0 {
            return Ok(count);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let ended = self.receiver.is_finished() || self.receiver.closed || self.state == State::Closed;
        let waits = matches!(self.state, State::SynSent | State::SynReceived) || !ended;
        if buffer.is_empty() && !self.receiver.ring.is_empty() {
            return Ok(0);
        }
        if waits { Err(Error::WouldBlock) } else { Ok(0) }
    }

    /// No more writing: a FIN follows what was written.
    pub fn shutdown_write(&mut self, now: Instant) {
        let _ = now;
        self.write_closed = true;
        match self.state {
            State::SynReceived | State::Established => {
                self.sender.fin_queued = true;
                self.state = State::FinWait1;
            }
            State::CloseWait => {
                self.sender.fin_queued = true;
                self.state = State::LastAck;
            }
            _ => {}
        }
    }

    /// No more reading: what comes from now on is acknowledged and thrown away.
    pub fn shutdown_read(&mut self, now: Instant) {
        let _ = now;
        self.receiver.closed = true;
    }

    /// Closes in the program's name: the connection is an orphan from now on. Unread data, or a linger time of zero,
    /// make it a reset (RFC 1122, 4.2.2.13; RFC 2525, 2.17).
    pub fn close(&mut self, now: Instant) {
        self.orphan = true;
        let unread = !self.receiver.ring.is_empty();
        let hard = self.settings.linger == Some(Duration::ZERO);
        match self.state {
            State::SynSent | State::Closed => self.state = State::Closed,
            State::TimeWait => {}
            _ if unread || hard => self.abort(now),
            _ => {
                self.shutdown_write(now);
                self.receiver.closed = true;
                if self.state == State::FinWait2 {
                    self.linger_until = Some(now + self.settings.fin_wait_2);
                }
            }
        }
    }

    /// Resets the connection.
    pub fn abort(&mut self, now: Instant) {
        let _ = now;
        if !matches!(self.state, State::Closed | State::SynSent | State::TimeWait) {
            self.reset = Some((self.sender.nxt, Some(self.receiver.nxt)));
        }
        self.state = State::Closed;
        self.write_closed = true;
        self.sender.ring.release();
        self.receiver.ring.release();
    }

    /// Ends the connection for a reason of its own or the peer's.
    pub(super) fn fail(&mut self, error: Error) {
        self.state = State::Closed;
        self.error = Some(error);
        self.failed = true;
        self.write_closed = true;
        self.sender.ring.release();
        if self.orphan {
            self.receiver.ring.release();
        }
    }

    // ---- questions ---------------------------------------------------------------------------------------------

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its two ends.
    pub fn endpoints(&self) -> Endpoints {
        self.ends
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes its settings; they act at once.
    pub fn set_settings(&mut self, now: Instant, settings: Settings) {
        self.receiver.set_limit(settings.receive_buffer);
        self.settings = settings;
        self.keepalive_at = None;
        self.arm_keepalive(now);
    }

    /// Whether a read would not wait.
    pub fn is_readable(&self) -> bool {
        !self.receiver.ring.is_empty() || self.is_read_closed() || self.error.is_some()
    }

    /// Whether a write would not wait.
    pub fn is_writable(&self) -> bool {
        match self.state {
            State::SynSent | State::SynReceived => false,
            _ if self.write_closed || self.error.is_some() => true,
            _ => self.sender.ring.len() < self.settings.send_buffer * 2 / 3,
        }
    }

    /// Whether nothing more will come.
    pub fn is_read_closed(&self) -> bool {
        self.receiver.is_finished() || self.receiver.closed || self.state == State::Closed
    }

    /// Whether nothing more can be written.
    pub fn is_write_closed(&self) -> bool {
        self.write_closed || self.state == State::Closed
    }

    /// Whether an error waits to be taken.
    pub fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether it ended before it was ever established.
    pub fn was_refused(&self) -> bool {
        self.state == State::Closed && self.sender.una == self.sender.iss
    }

    /// The error that ended it, once.
    pub fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// Bytes that wait to be read.
    pub fn receive_queue(&self) -> usize {
        self.receiver.ring.len()
    }

    /// Bytes that wait to be sent or acknowledged.
    pub fn send_queue(&self) -> usize {
        self.sender.ring.len()
    }

    /// What takes its place in TIME-WAIT.
    pub fn time_wait(&self, now: Instant) -> TimeWait {
        TimeWait::new(now, self)
    }

    /// All that is known about it.
    pub fn info(&self) -> TcpInfo {
        let (sender, receiver) = (&self.sender, &self.receiver);
        TcpInfo {
            state: self.state,
            congestion: self.settings.congestion,
            snd_una: sender.una,
            snd_nxt: sender.nxt,
            snd_wnd: sender.wnd,
            rcv_nxt: receiver.nxt,
            rcv_wnd: receiver.window(),
            snd_mss: sender.mss as u16,
            cwnd: sender.congestion.cwnd,
            ssthresh: sender.congestion.ssthresh,
            rtt: sender.rtt.smoothed(),
            rtt_variance: sender.rtt.variance(),
            rtt_minimum: sender.rtt.minimum(),
            rto: sender.rtt.rto(),
            retransmits: sender.retries,
            total_retransmits: sender.retransmitted,
            in_flight: sender.in_flight(),
            sacked: sender.sacked_bytes(),
            lost: sender.lost_bytes(),
        }
    }

    // ---- timers ------------------------------------------------------------------------------------------------

    pub(super) fn arm_keepalive(&mut self, now: Instant) {
        let values = self.settings.keepalive_values;
        self.keepalive_at = match (self.settings.keepalive, self.keepalive_probes) {
            (false, _) => None,
            (true, 0) => Some(self.last_heard.max(self.created) + values.idle),
            (true, _) => Some(now + values.interval),
        };
    }

    /// When a timer fires next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Closed || self.state == State::TimeWait {
            return None;
        }
        let give_up = match (self.settings.user_timeout, self.sender.stalled_since) {
            (Some(limit), Some(since)) => Some(since + limit),
            _ => None,
        };
        let deadlines = [
            self.sender.retransmit_at,
            self.sender.probe_at,
            self.receiver.delayed,
            self.keepalive_at,
            self.linger_until,
            give_up,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Lets the timers fire that are due.
    pub fn on_timeout(&mut self, now: Instant) -> Fired {
        let mut fired = Fired::default();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self.poll_timeout().is_none() {
            return fired;
        }
        if let (Some(limit), Some(since)) = (self.settings.user_timeout, self.sender.stalled_since)
            && since + limit <= now
        {
            fired.bits |= 16;
            self.give_up();
            return fired;
        }
        if due(self.linger_until) {
            fired.bits |= 32;
            self.linger_until = None;
            self.state = State::Closed;
            return fired;
        }
        if due(self.sender.retransmit_at) {
            fired.bits |= 1;
            self.on_retransmit_timeout(now);
        }
        if due(self.sender.probe_at) {
            fired.bits |= 2;
            self.on_probe_timeout(now);
        }
        if due(self.receiver.delayed) {
            fired.bits |= 4;
            self.receiver.delayed = None;
            self.receiver.owed = self.receiver.owed.max(1);
        }
        if due(self.keepalive_at) {
            fired.bits |= 8;
            self.on_keepalive(now);
        }
        fired
    }

    fn give_up(&mut self) {
        let error = self.soft_error.unwrap_or(Error::TimedOut);
        self.fail(error);
    }

    fn on_retransmit_timeout(&mut self, now: Instant) {
        let limit = match self.state {
            State::SynSent | State::SynReceived => self.settings.syn_retries,
            _ if self.orphan => self.settings.orphan_retries,
            _ => self.settings.retries,
        };
        self.sender.retries += 1;
        if self.sender.retries > limit {
            self.give_up();
            return;
        }
        let sender = &mut self.sender;
        sender.rtt.backoff += 1;
        if sender.rtt.backoff == 1 && !matches!(self.state, State::SynSent | State::SynReceived) {
            let flight = sender.in_flight();
            sender.congestion.on_loss(flight);
        }
        sender.congestion.on_timeout();
        sender.lose_all();
        sender.retransmit_at = Some(now + sender.rtt.rto());
    }

    fn on_probe_timeout(&mut self, now: Instant) {
        let sender = &mut self.sender;
        sender.probes += 1;
        // The peer acknowledges probes: it may keep its window shut for ever (RFC 9293, 3.8.6.1). Unanswered ones end.
        sender.retries += 1;
        let limit = if self.orphan { self.settings.orphan_retries } else { self.settings.retries };
        if sender.retries > limit {
            self.give_up();
            return;
        }
        let wait = sender.rtt.rto().saturating_mul(1 << sender.probes.min(10)).min(self.settings.rto_max);
        sender.probe_at = Some(now + wait);
        self.probe = true;
    }

    fn on_keepalive(&mut self, now: Instant) {
        let values = self.settings.keepalive_values;
        let idle_since = self.last_heard;
        if self.keepalive_probes == 0 && now.since(idle_since) < values.idle {
            self.arm_keepalive(now);
            return;
        }
        if self.keepalive_probes >= values.probes {
            self.reset = Some((self.sender.nxt, Some(self.receiver.nxt)));
            self.give_up();
            return;
        }
        self.keepalive_probes += 1;
        // Data in flight is a probe of its own.
        self.probe |= self.sender.in_flight() == 0;
        self.arm_keepalive(now);
    }

    // ---- what the network says -----------------------------------------------------------------------------------

    /// The path carries segments of this size at most, in bytes of payload and options.
    pub fn on_path_mss(&mut self, now: Instant, mss: u16) {
        let _ = now;
        if mss >= self.path_mss {
            return;
        }
        self.path_mss = mss;
        self.size_segments();
        let sender = &mut self.sender;
        sender.congestion.set_mss(sender.mss);
        if sender.in_flight() > 0 && !matches!(self.state, State::SynSent | State::SynReceived) {
            // What was too big is gone, and nobody's fault: sent again at once without slowing down.
            sender.lost_below = sender.nxt;
            sender.high_rxt = sender.una;
            sender.recovery.get_or_insert(sender.nxt);
            sender.force = true;
        }
    }

    /// ICMP told of an error about a segment sent (RFC 5927: only about one in flight). A hard error ends an opening
    /// connection; any is the reason given when the connection later times out.
    pub fn on_icmp_error(&mut self, now: Instant, error: Error, hard: bool, seq: SeqNumber) {
        let _ = now;
        let in_flight = seq.at_or_after(self.sender.una) && seq.at_or_before(self.sender.nxt);
        if !in_flight {
            return;
        }
        let _ = hard; // Linux ends an opening connection on soft errors too
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.fail(error);
        } else {
            self.soft_error = Some(error);
        }
    }

    /// No route led to the peer when a segment was to leave.
    pub fn on_unroutable(&mut self, now: Instant, error: Error) {
        let _ = now;
        self.soft_error = Some(error);
    }

    /// At most a few challenge acknowledgements a second (RFC 5961, 7).
    pub(super) fn challenge_ack(&mut self, now: Instant) {
        let second = now.as_millis() / 1000;
        if self.challenge.0 != second {
            self.challenge = (second, 0);
        }
        if self.challenge.1 < 10 {
            self.challenge.1 += 1;
            self.receiver.owed += 1;
        }
    }
}
