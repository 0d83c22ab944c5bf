//! A connection: its two halves, its state and its timers.

use std::sync::Arc;

use super::counters::Counters;
use super::fast_open::FastOpenState;
use super::push::Push;
use super::receiver::Receiver;
use super::send_space::SendSpace;
use super::sender::{Fin, Scale, Sender};
use super::timers::{Timer, Timers};
use super::urgent::Urgent;
use super::{Endpoints, Handshake, Opening, Settings, State, TcpInfo, TimeWait};
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Options, Segment, SeqNumber, Timestamps};

/// The least a segment may carry in options and payload, whatever the peer or the path says: Linux has the same.
const LEAST_SEGMENT: u16 = 48;
/// What a peer takes that announces nothing (RFC 9293 section 3.7.1).
const DEFAULT_SEGMENT: u16 = 536;
/// Between two answers to segments that should not have come (RFC 5961 section 7).
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);
/// An idle connection gives its buffers back after this time.
const IDLE: Duration = Duration::from_secs(1);

/// One connection, from its SYN to CLOSED. It knows no IP header and no socket.
///
/// `on_*` take what has happened, `poll_*` give what comes next, the others are a program's calls. After anything that
/// was done to it, ask [`has_transmit`](Connection::has_transmit), [`poll_timeout`](Connection::poll_timeout) and
/// [`state`](Connection::state) again.
///
/// ```
/// use sockeye_core::time::Instant;
/// use sockeye_core::transport::tcp::{Connection, Endpoints, Opening, Settings, State};
/// use sockeye_core::wire::tcp::SeqNumber;
///
/// let ends = Endpoints { local: "10.0.0.1:40000".parse().unwrap(), remote: "10.0.0.2:7".parse().unwrap() };
/// let opening = Opening { iss: SeqNumber(1000), timestamp_offset: 0, path_mss: 1460 };
/// let mut connection = Connection::connect(Instant::ZERO, ends, Settings::default(), opening);
/// let syn = connection.poll_transmit(Instant::ZERO, 0).unwrap().segment;
/// assert_eq!(
///     syn.to_string(),
///     "Flags [S], seq 1000, win 64240, options [mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 10], length 0"
/// );
/// assert_eq!(connection.state(), State::SynSent);
/// assert_eq!(connection.poll_timeout(), Some(Instant::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct Connection {
    pub(super) ends: Endpoints,
    pub(super) settings: Arc<Settings>,
    pub(super) state: State,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) send_space: SendSpace,
    pub(super) push: Push,
    pub(super) counters: Box<Counters>,
    /// Made when first needed: hardly any connection has it.
    pub(super) urgent: Option<Box<Urgent>>,
    pub(super) timers: Timers,
    /// What is added to the clock in timestamps, where they are in use.
    pub(super) clock: Option<u32>,
    pub(super) path_mss: u16,
    pub(super) peer_mss: u16,
    /// How many bytes the device last took at once.
    pub(super) largest: u32,
    /// What the program has not been told yet.
    pub(super) error: Option<Error>,
    /// What ICMP said and may be the reason when the connection times out.
    pub(super) soft_error: Option<Error>,
    /// A RST to send.
    pub(super) reset: Option<Reset>,
    /// Segments may be larger than they are.
    pub(super) resize_due: bool,
    /// A SYN or SYN-ACK is to be sent.
    pub(super) syn_due: bool,
    /// An empty segment with an old number is to be sent, which the peer must answer.
    pub(super) probe_due: bool,
    /// The window is too small to be used well, but has been so for too long.
    pub(super) small_due: bool,
    /// No program holds the connection any more.
    pub(super) is_orphan: bool,
    pub(super) is_read_shut: bool,
    /// Window or keepalive probes not answered yet.
    pub(super) probes: u32,
    /// How often the time between window probes was doubled.
    pub(super) probe_backoff: u8,
    /// Data in or before the handshake, where there is any.
    pub(super) fast_open: Option<Box<FastOpenState>>,
    /// When the peer was last heard of.
    pub(super) last_heard: Instant,
    /// [`Instant::MAX`]: never.
    last_challenge: Instant,
}

/// A RST to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    pub(super) seq: SeqNumber,
    pub(super) ack: Option<SeqNumber>,
}

impl Connection {
    /// An active open: SYN-SENT, the SYN waiting to be polled.
    pub fn connect(
        now: Instant,
        endpoints: Endpoints,
        settings: impl Into<Arc<Settings>>,
        opening: Opening,
    ) -> Connection {
        let mut connection = Connection::new(now, endpoints, settings.into(), opening, State::SynSent);
        connection.clock = connection.settings.timestamps.then_some(opening.timestamp_offset);
        connection.syn_due = true;
        connection
    }

    /// A passive open completed by `segment`: ESTABLISHED. The same segment is then to be given to
    /// [`Connection::on_segment`] with its payload.
    pub fn accepted(
        now: Instant,
        handshake: &Handshake,
        segment: &Segment,
        settings: impl Into<Arc<Settings>>,
    ) -> Connection {
        let mut connection = Connection::half_accepted(now, handshake, settings);
        connection.sender.timeouts = handshake.resent();
        if let Some(sent) = handshake.sent_once() {
            connection.first_round_trip(now, now.since(sent));
        }
        connection.check_third_ack(segment);
        connection.establish(now, segment, Scale::Apply);
        connection
    }

    /// SYN-RECEIVED, as the half-open record has it.
    pub(super) fn half_accepted(
        now: Instant,
        handshake: &Handshake,
        settings: impl Into<Arc<Settings>>,
    ) -> Connection {
        let opening = handshake.opening();
        let ends = handshake.endpoints();
        let mut connection = Connection::new(now, ends, settings.into(), opening, State::SynReceived);
        connection.clock = handshake.uses_timestamps().then_some(opening.timestamp_offset);
        connection.receiver.on_synced(handshake.irs(), handshake.window());
        connection.negotiate(&handshake.agreed());
        connection.receiver.ts_recent = handshake.ts_recent();
        connection.sender.ecn = handshake.ecn();
        connection.receiver.ecn.accurate.first = handshake.codepoint();
        connection.sender.nxt = opening.iss + 1;
        connection
    }

    fn new(
        now: Instant,
        ends: Endpoints,
        settings: Arc<Settings>,
        opening: Opening,
        state: State,
    ) -> Connection {
        let mut connection = Connection {
            ends,
            state,
            sender: Sender::new(opening.iss, &settings),
            receiver: Receiver::new(now, SeqNumber(0), &settings),
            send_space: SendSpace::new(&settings),
            push: Push::new(opening.iss + 1),
            counters: Box::new(Counters::new(now)),
            urgent: None,
            timers: Timers::new(),
            clock: None,
            path_mss: opening.path_mss,
            peer_mss: DEFAULT_SEGMENT,
            largest: 0,
            error: None,
            soft_error: None,
            reset: None,
            resize_due: false,
            syn_due: false,
            probe_due: false,
            small_due: false,
            is_orphan: false,
            is_read_shut: false,
            probes: 0,
            probe_backoff: 0,
            fast_open: None,
            last_heard: now,
            last_challenge: Instant::MAX,
            settings,
        };
        connection.size_segments();
        connection
    }

    /// The MSS to announce.
    pub(super) fn own_mss(&self) -> u16 {
        announced_mss(self.path_mss, &self.settings)
    }

    /// The peer's SYN says what it can do; what both can is used from now on.
    pub(super) fn negotiate(&mut self, options: &Options) {
        self.peer_mss = match options.mss {
            None | Some(0) => DEFAULT_SEGMENT,
            Some(mss) => mss,
        };
        if self.settings.window_scaling
            && let Some(shift) = options.window_scale
        {
            self.sender.shift = shift.min(14);
            self.receiver.shift = self.settings.window_shift();
        }
        self.sender.uses_sack = self.settings.sack && options.sack_permitted;
        if let Some(timestamps) = options.timestamps {
            self.receiver.ts_recent = timestamps.value;
        }
        self.size_segments();
        self.sender.congestion.start(self.sender.mss);
    }

    /// Both SYNs are acknowledged: ESTABLISHED.
    pub(super) fn establish(&mut self, now: Instant, segment: &Segment, scale: Scale) {
        // RFC 6928 section 2: after more than one lost SYN or SYN-ACK, begin with one segment.
        if self.sender.timeouts > 1 {
            self.sender.congestion.start_small();
        }
        self.sender.on_synced();
        self.sender.set_window(segment, scale);
        self.fit_segments_to_window();
        self.receiver.start(now, &self.settings);
        self.counters.traffic.last_data_received = now;
        self.fit_send_buffer();
        self.start_mtu_search(now, self.state == State::SynSent);
        self.set_state(now, State::Established);
        self.stop_transmit_timers();
        self.timers.stop(Timer::UserTimeout);
        self.syn_due = false;
        self.last_heard = now;
        if self.sender.outstanding() > 0 {
            // Data that went with our SYN, in a simultaneous open.
            self.timers.set(Timer::Retransmit, now + self.sender.rtt.rto());
        }
        self.arm_keepalive(now);
        if self.sender.fin == Fin::Queued {
            self.set_state(now, State::FinWait1);
        }
    }

    /// The handshake has shown a round-trip time.
    pub(super) fn first_round_trip(&mut self, now: Instant, sample: Duration) {
        let start = self.sender.iss + 1;
        self.sender.rtt.on_sample(start, start, sample);
        self.sender.rtt.on_minimum(now, sample);
    }

    /// Reckons how much fits into a segment, from the peer, the path and the settings.
    pub(super) fn size_segments(&mut self) {
        let own = self.own_mss();
        let sendable = self.settings.max_segment.map_or(self.path_mss, |most| most.min(self.path_mss));
        let options = if self.clock.is_some() { 12 } else { 0 };
        let most = u32::from(self.peer_mss.min(sendable).max(LEAST_SEGMENT));
        let most = self.sender.mtu_search.as_ref().map_or(most, |search| search.size().min(most));
        let most = most.max(LEAST_SEGMENT.into()) - options;
        self.sender.mss =
            most.min(self.sender.half_of_largest_window().max(u32::from(LEAST_SEGMENT) - options));
        self.receiver.mss = u32::from(own.max(LEAST_SEGMENT)) - options;
        self.receiver.space.set_mss(self.receiver.mss);
    }

    /// The peer has shown a larger window than before, which segments may have been too large or smaller for.
    pub(super) fn fit_segments_to_window(&mut self) {
        let old = self.sender.mss;
        self.size_segments();
        if self.sender.mss != old {
            self.sender.congestion.set_mss(self.sender.mss);
        }
    }

    /// The path's MTU has changed: `mss` bytes of options and payload fit now. What was too large is sent again, smaller.
    /// What fits more than before is used from the next write or acknowledgement on: a burst goes on as it began, as on
    /// Linux.
    pub fn on_path_mss(&mut self, now: Instant, mss: u16) {
        if self.has_syn_data() && mss < self.path_mss {
            // The SYN was too large with its data: it leaves again at once, alone (RFC 7413 section 4.2.1).
            self.syn_due = true;
        }
        let is_larger = mss > self.path_mss;
        if !is_larger {
            self.bound_mtu_search(mss);
        }
        self.path_mss = mss;
        self.resize_due = is_larger && self.sender.has_unsent();
        if !self.resize_due {
            self.resize(now);
        }
    }

    /// Segments get the size that the path allows now.
    pub(super) fn resize(&mut self, now: Instant) {
        self.resize_due = false;
        let old = self.sender.mss;
        self.size_segments();
        if self.sender.mss == old || !self.state.is_synchronized() {
            return;
        }
        self.sender.congestion.set_mss(self.sender.mss);
        if self.sender.mss < old {
            self.sender.resend_all();
        }
        self.arm_probe(now);
    }

    /// ICMP says that the segment with this sequence number was too big, and that `mss` bytes of options and payload
    /// would fit. Believed only of something in flight, and only downwards (RFC 5927 section 7).
    pub fn on_packet_too_big(&mut self, now: Instant, mss: u16, seq: SeqNumber) {
        if self.is_in_flight(seq) && mss < self.path_mss {
            self.on_path_mss(now, mss);
        }
    }

    /// An ICMP error quotes a segment of this connection, `seq` being its sequence number. It is believed only where
    /// something with that number is in flight (RFC 5927 section 4.1). It ends a connection that is not established
    /// yet, as on Linux; later it is only remembered, and reported should the connection time out (RFC 1122 section
    /// 4.2.3.9, RFC 5461).
    pub fn on_icmp_error(&mut self, now: Instant, error: Error, seq: SeqNumber) {
        if !self.is_in_flight(seq) {
            return;
        }
        if self.is_ended_by_icmp() {
            self.fail(now, error);
        } else {
            self.soft_error = Some(error);
        }
    }

    /// Whether `seq` is in flight: an ICMP error about anything else is a guess (RFC 5927 section 4.1).
    pub fn is_in_flight(&self, seq: SeqNumber) -> bool {
        let first = if self.is_child() { self.sender.iss } else { self.sender.una };
        seq.at_or_after(first) && seq.is_before(self.sender.nxt)
    }

    /// No route leads to the peer at the moment; should that last, it is what the program is told.
    pub fn on_unroutable(&mut self, _now: Instant, error: Error) {
        self.soft_error = Some(error);
    }

    /// Moves to another state.
    pub(super) fn set_state(&mut self, now: Instant, to: State) {
        debug_assert!(State::is_legal(self.state, to), "{} to {to}", self.state);
        self.state = to;
        match to {
            State::FinWait2 if self.is_orphan => self.await_fin(now),
            State::TimeWait => self.retire(),
            State::Closed => {
                self.retire();
                self.probe_due = false;
                self.syn_due = false;
                if self.is_orphan {
                    self.receiver.ring.release();
                }
            }
            _ => {}
        }
    }

    /// Nothing is sent any more and no timer runs.
    fn retire(&mut self) {
        self.timers.stop_all();
        self.sender.waiting_since = Instant::MAX;
        self.sender.ring.release();
        self.sender.board.clear(self.sender.nxt);
        self.receiver.forget_gaps();
    }

    /// The connection is over, and the program is to learn why.
    pub(super) fn fail(&mut self, now: Instant, error: Error) {
        self.error = Some(error);
        self.set_state(now, State::Closed);
    }

    /// The peer has been silent for too long.
    pub(super) fn time_out(&mut self, now: Instant) {
        let error = self.soft_error.take().unwrap_or(Error::TimedOut);
        self.fail(now, error);
    }

    /// Owes the answer to a segment that should not have come, unless one was given just now (RFC 5961 section 7).
    pub(super) fn challenge(&mut self, now: Instant) {
        if self.last_challenge != Instant::MAX && now.since(self.last_challenge) < CHALLENGE_INTERVAL {
            return;
        }
        self.last_challenge = now;
        self.receiver.ack.owe();
    }

    /// Our timestamps option for a segment that leaves now.
    pub(super) fn timestamps(&self, now: Instant) -> Option<Timestamps> {
        let offset = self.clock?;
        Some(Timestamps { value: timestamp(now, offset), echo: self.receiver.ts_recent })
    }

    /// Notes that something happened: the buffers are wanted a while longer.
    pub(super) fn touch(&mut self, now: Instant) {
        if self.memory() > 0 && !matches!(self.state, State::Closed | State::TimeWait) {
            self.timers.set(Timer::Idle, now + IDLE);
        }
    }

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

    /// All that is known about it.
    pub fn info(&self) -> TcpInfo {
        TcpInfo::new(self)
    }

    /// What takes its place in TIME-WAIT. Nothing else answers for the connection from then on, but the last
    /// acknowledgement may still wait to be polled here.
    pub fn time_wait(&self, now: Instant) -> TimeWait {
        TimeWait::new(now, self)
    }
}

/// The MSS to announce on a path.
pub(super) fn announced_mss(path_mss: u16, settings: &Settings) -> u16 {
    let most = settings.advertised_mss.unwrap_or(path_mss);
    settings.max_segment.map_or(most, |wanted| wanted.min(most))
}

/// The timestamp clock: milliseconds.
pub(super) fn timestamp(now: Instant, offset: u32) -> u32 {
    (now.as_millis() as u32).wrapping_add(offset)
}
