//! Packets of the script in both directions, for the socket under test, and the times they have.
//!
//! [`Exchange`] knows what the packets mean; where they come from and go to is a [`Wire`]: a stack of our own in virtual
//! time, or another one, in real time, behind a device.

use core::net::SocketAddr;
use std::collections::VecDeque;

use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::tcp::Flags;

use super::compare::{self, TimestampRule};
use super::flow::Flows;
use super::flow::{Carrier, Flow, Stage};
use super::host::{self, Sent};
use super::ladder::Ladder;
use super::ladder::Rung;
use super::live::{Body, Live, RawOption};
use super::words::{self, Unsaid};
use super::{Difference, Failure, Options, packet};
use crate::ast::{Action, Direction, Event, Packet, TcpFlags, TcpOptions, TcpPacket, Time, Transport};

/// How long a packet is waited for beyond its time, so as to say when it came.
const CURIOSITY: Duration = Duration::from_secs(2);
/// How long is waited for what may come at any time.
pub(super) const ENDLESS: Duration = Duration::from_secs(3600);

/// Whether the segment opens a connection: SYN without ACK.
fn opens(tcp: &TcpPacket) -> bool {
    tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::ACK)
}

/// Whether it answers one that does.
fn is_syn_ack(tcp: &TcpPacket) -> bool {
    tcp.flags.has(TcpFlags::SYN | TcpFlags::ACK)
}

/// When an event is to happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Not before this.
    pub(super) earliest: Instant,
    /// Nor after this; the same unless the script gives a range. None: whenever.
    pub(super) latest: Option<Instant>,
    /// What relative times count from.
    pub(super) base: Instant,
}

/// The event before.
#[derive(Clone, Copy, Debug)]
struct Previous {
    at: Instant,
    is_inbound: bool,
}

/// Where packets of the stack under test come from, and those of the script go to.
pub(super) trait Wire {
    /// What the packets mean.
    fn exchange(&mut self) -> &mut Exchange;

    /// The time.
    fn now(&self) -> Instant;

    /// The next packet that the stack sends; `None` when there is none until `limit`.
    ///
    /// # Errors
    /// Something else has gone wrong meanwhile.
    fn next_sent(&mut self, limit: Instant) -> Result<Option<Sent>, Failure>;

    /// Hands the stack a packet.
    ///
    /// # Errors
    /// That cannot be done.
    fn send(&mut self, packet: &[u8]) -> Result<(), Failure>;
}

/// Sends a packet of the script to the stack.
pub(super) fn inject(wire: &mut impl Wire, packet: &Packet) -> Result<(), Failure> {
    let bytes = wire.exchange().receive(packet)?;
    let at = wire.now() - host::START;
    wire.exchange().ladder.push(at, Rung::Received, expected_words(packet));
    wire.send(&bytes)
}

/// Waits for a packet of the stack and compares it with what the script says.
pub(super) fn expect(wire: &mut impl Wire, packet: &Packet, schedule: Schedule) -> Result<(), Failure> {
    wire.exchange().on_expected(packet)?;
    let limit = match schedule.latest {
        Some(latest) => latest + CURIOSITY,
        None => wire.now() + ENDLESS,
    };
    let wanted = match &packet.transport {
        Transport::Tcp(tcp) => usize::from(tcp.sequence.length),
        _ => 0,
    };
    let Some(mut whole) = next_for_test(wire, packet, limit)? else {
        let until = super::seconds(limit - host::START);
        let text = format!("no packet came until {until}");
        return Err(Failure::mismatch(packet.line, text).with(expected_words(packet), "nothing"));
    };
    let first_at = whole.at;
    let mut last_length = whole.payload_length();
    // A segment without payload is no part of a run, though its number would fit.
    while whole.payload_length() < wanted
        && last_length > 0
        && !wire.exchange().options.strict_segments
        && let Some(next) = next_for_test(wire, packet, limit)?
    {
        let (Body::Tcp(tcp), Body::Tcp(piece)) = (&mut whole.body, &next.body) else { break };
        let same_header = (whole.tos, whole.ttl, whole.flow_label) == (next.tos, next.ttl, next.flow_label);
        if !same_header || compare::join(tcp, last_length, piece, wanted).is_err() {
            wire.exchange().pending = Some(next);
            break;
        }
        last_length = piece.payload.len();
        whole.at = next.at;
    }
    wire.exchange().compare(packet, schedule, whole, first_at)
}

/// The next packet of the socket under test, its numbers being the script's.
fn next_for_test(wire: &mut impl Wire, packet: &Packet, limit: Instant) -> Result<Option<Live>, Failure> {
    if let Some(live) = wire.exchange().pending.take() {
        return Ok(Some(live));
    }
    while let Some(sent) = wire.next_sent(limit)? {
        let live = Live::parse(sent.at, &sent.bytes).map_err(|text| {
            Failure::mismatch(packet.line, format!("the stack sent a malformed packet: {text}"))
        })?;
        match wire.exchange().map(packet, live) {
            Ok(live) => return Ok(Some(live)),
            Err(other) => {
                let at = other.at - host::START;
                wire.exchange().ladder.push(at, Rung::Other, words::packet(&other));
            }
        }
    }
    Ok(None)
}

/// What the packets of a script mean, and all that happened so far.
#[derive(Debug)]
pub(super) struct Exchange {
    /// How the script is run.
    pub(super) options: Options,
    /// Its sockets.
    pub(super) flows: Flows,
    /// All that happened.
    pub(super) ladder: Ladder,
    previous: Option<Previous>,
    next_port: u16,
    /// A packet that was looked at and belongs to the next event.
    pending: Option<Live>,
    /// Packets that came while the script waited for something else.
    kept: VecDeque<Sent>,
}

impl Exchange {
    /// Nothing has happened yet.
    pub(super) fn new(options: Options) -> Exchange {
        Exchange {
            options,
            flows: Flows::default(),
            ladder: Ladder::default(),
            previous: None,
            next_port: 40_000,
            pending: None,
            kept: VecDeque::new(),
        }
    }

    /// Which port the first connection of the script comes from: another one than the script before had, where the stack
    /// under test remembers that.
    pub(super) fn set_first_port(&mut self, port: u16) {
        self.next_port = port.max(1024);
    }

    /// A packet came that nobody waits for yet.
    pub(super) fn keep(&mut self, sent: Sent) {
        self.kept.push_back(sent);
    }

    /// The first packet that nobody has waited for.
    pub(super) fn kept(&mut self) -> Option<Sent> {
        self.kept.pop_front()
    }

    /// Whether anything has happened before.
    pub(super) fn has_begun(&self) -> bool {
        self.previous.is_some()
    }

    /// When `event` is to happen. Times that count from the event before count from when that really was, except from one
    /// packet of the script to the next.
    pub(super) fn schedule(&self, event: &Event, now: Instant) -> Result<Schedule, Failure> {
        let base = match (event.time, self.previous) {
            (Time::Absolute(_) | Time::AbsoluteRange(..), _) => host::START,
            (_, Some(previous)) if previous.is_inbound && is_inbound(event) => previous.at,
            _ => now,
        };
        let (first, last) = match event.time {
            Time::Absolute(at) | Time::Relative(at) => (at, Some(at)),
            Time::AbsoluteRange(first, last) | Time::RelativeRange(first, last) => (first, Some(last)),
            Time::Any => (Duration::ZERO, None),
        };
        if self.previous.is_none() && !first.is_zero() {
            return Err(Failure::script(event.line, "the first event must be at time 0"));
        }
        if let (Time::Absolute(at), Some(previous)) = (event.time, self.previous)
            && base + at < previous.at
        {
            return Err(Failure::script(event.line, "this is earlier than the event before"));
        }
        Ok(Schedule { earliest: base + first, latest: last.map(|last| base + last), base })
    }

    /// An event is over.
    pub(super) fn on_event(&mut self, event: &Event, schedule: Schedule) {
        self.previous = Some(Previous { at: schedule.earliest, is_inbound: is_inbound(event) });
    }

    /// Whether something happened when it was to happen.
    pub(super) fn check_time(&self, schedule: Schedule, at: Instant, what: &str) -> Result<(), Failure> {
        let Some(latest) = schedule.latest else { return Ok(()) };
        let since = self.previous.map_or(host::START, |previous| previous.at);
        let tolerance = self.options.tolerance_after(schedule.earliest - since);
        let early = at + tolerance < schedule.earliest;
        if !early && at <= latest + tolerance {
            return Ok(());
        }
        let relative = |at: Instant| super::seconds(at - host::START);
        let expected = if latest == schedule.earliest {
            relative(latest)
        } else {
            format!("{}~{}", relative(schedule.earliest), relative(latest))
        };
        let when = if early { "too early" } else { "too late" };
        let mut failure = Failure::mismatch(
            0,
            format!(
                "{what} {when}: at {}, not at {expected} (tolerance {})",
                relative(at),
                super::seconds(tolerance)
            ),
        );
        let field = Difference { field: "time", expected, actual: relative(at) };
        failure.differences.push(field);
        Err(failure)
    }

    /// Makes a packet of the script.
    fn receive(&mut self, packet: &Packet) -> Result<Vec<u8>, Failure> {
        if let Transport::Tcp(tcp) = &packet.transport {
            self.on_script_segment(tcp);
        }
        let options = &self.options;
        let Some(flow) = self.flows.under_test() else {
            return Err(Failure::script(packet.line, "there is no socket for this packet"));
        };
        if options.any_ip {
            flow.remote.get_or_insert(SocketAddr::new(options.remote, options.connect_port));
            flow.local.get_or_insert(SocketAddr::new(options.local, options.bind_port));
        }
        let (bytes, segment) =
            packet::inbound(packet, flow, options).map_err(|text| Failure::script(packet.line, text))?;
        flow.last_received = segment.or(flow.last_received.take());
        Ok(bytes)
    }

    /// What a segment of the script says about the socket it is for.
    fn on_script_segment(&mut self, tcp: &TcpPacket) {
        let listens = self.flows.under_test().is_none_or(|flow| flow.stage == Stage::Listening);
        if listens {
            // As packetdrill does: whatever comes first for a listener opens a connection of its own.
            let mut flow = Flow::new(None, Stage::PacketReceived, Carrier::Tcp);
            flow.remote = Some(SocketAddr::new(self.options.remote, self.next_port));
            flow.local = Some(SocketAddr::new(self.options.local, self.options.bind_port));
            flow.peer_begins(tcp.sequence.start);
            self.next_port = self.next_port.wrapping_add(1).max(1024);
            self.flows.push(flow);
            return;
        }
        let Some(flow) = self.flows.under_test() else { return };
        if tcp.flags.has(TcpFlags::URG) && !tcp.flags.has(TcpFlags::SYN) {
            flow.marks_urgent(tcp.sequence.start.wrapping_add(tcp.urgent.unwrap_or(0).into()));
        }
        match flow.stage {
            Stage::SynAckSent if tcp.flags.has(TcpFlags::ACK) => flow.stage = Stage::SynAckAcknowledged,
            Stage::SynSent if is_syn_ack(tcp) => {
                flow.stage = Stage::SynAcknowledged;
                flow.peer_begins(tcp.sequence.start);
            }
            _ => {}
        }
    }

    /// What an expected packet says about the socket it comes from.
    fn on_expected(&mut self, packet: &Packet) -> Result<(), Failure> {
        if let Some(around) = packet.encapsulation.first() {
            return Err(Failure::unsupported(packet.line, format!("encapsulation `{around}`")));
        }
        let Some(flow) = self.flows.under_test() else {
            return Err(Failure::script(packet.line, "there is no socket that could send this packet"));
        };
        if let Transport::Tcp(tcp) = &packet.transport {
            match flow.stage {
                Stage::Connecting if opens(tcp) => {
                    flow.stage = Stage::SynSent;
                    flow.script_begins(tcp.sequence.start);
                }
                Stage::PacketReceived if is_syn_ack(tcp) => flow.script_begins(tcp.sequence.start),
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives a packet of the socket under test the numbers of the script; any other comes back.
    fn map(&mut self, packet: &Packet, mut live: Live) -> Result<Live, Live> {
        // A SYN that an earlier socket sends again is not the one that the socket under test is to begin with.
        let is_elsewhere = matches!(&live.body, Body::Tcp(tcp)
            if self.flows.is_begun_elsewhere(live.from(), live.to(), tcp.seq));
        let Some(flow) = self.flows.under_test() else { return Err(live) };
        let known = flow.local == Some(live.from()) && flow.remote == Some(live.to());
        let is_icmp = matches!(live.body, Body::Icmp { .. }) && flow.carrier == Carrier::Icmp;
        let same_host = flow.remote.is_some_and(|remote| remote.ip() == live.destination);
        let opening = match (&live.body, flow.carrier, flow.stage) {
            (Body::Tcp(tcp), Carrier::Tcp, Stage::SynSent) => {
                tcp.flags.contains(Flags::SYN) && !tcp.flags.contains(Flags::ACK)
            }
            (Body::Udp { .. }, Carrier::Udp, Stage::Connecting) => true,
            _ => false,
        };
        let opening = opening && (known || !is_elsewhere);
        let is_ours = known || is_icmp && same_host || opening && flow.remote == Some(live.to());
        if !is_ours {
            return Err(live);
        }
        if !known {
            flow.local = Some(live.from());
        }
        if let Body::Tcp(tcp) = &mut live.body {
            if opening && !known {
                flow.stack_begins(tcp.seq);
            }
            let answers = matches!(&packet.transport, Transport::Tcp(script) if is_syn_ack(script));
            if flow.stage == Stage::PacketReceived && answers {
                flow.stage = Stage::SynAckSent;
                flow.stack_begins(tcp.seq);
            }
            flow.last_sent = Some(tcp.clone());
            flow.numbers_to_script(tcp);
        }
        Ok(live)
    }

    fn compare(
        &mut self,
        packet: &Packet,
        schedule: Schedule,
        mut live: Live,
        first_at: Instant,
    ) -> Result<(), Failure> {
        let rule = TimestampRule {
            tick: self.options.timestamp_tick,
            tolerance: self.options.tolerance_after(schedule.earliest - host::START),
        };
        let mut label = None;
        if let Some(flow) = self.flows.under_test() {
            if let (Transport::Tcp(script), Body::Tcp(tcp)) = (&packet.transport, &mut live.body) {
                map_timestamps(flow, script, tcp.options.as_mut_slice());
            }
            if let Some(script) = packet.ip.flow_label.filter(|label| *label != 0)
                && let Err(actual) = flow.check_flow_label(script, live.flow_label)
            {
                label = Some(Difference { field: "flow label", expected: format!("{script:#x}"), actual });
            }
        }
        self.ladder.push(live.at - host::START, Rung::Sent, words::packet(&live));
        let mut differences = compare::packets(packet, &live, rule);
        differences.extend(label);
        let both = |failure: Failure| failure.with(expected_words(packet), words::packet(&live));
        if !differences.is_empty() {
            let failure = Failure::mismatch(packet.line, "the stack sent another packet");
            return Err(both(Failure { differences, ..failure }));
        }
        self.check_time(schedule, first_at, "packet").map_err(both)?;
        self.check_time(schedule, live.at, "packet").map_err(both)
    }

    /// The stack has sent a packet that nobody asked for.
    pub(super) fn on_unseen(&mut self, sent: &Sent) {
        self.flush();
        let words = self.describe(sent);
        let rung = if self.is_of_test(sent) { Rung::Unseen } else { Rung::Other };
        self.ladder.push(sent.at - host::START, rung, words);
    }

    /// So is one that was looked at already.
    fn flush(&mut self) {
        if let Some(live) = self.pending.take() {
            self.ladder.push(live.at - host::START, Rung::Unseen, words::packet(&live));
        }
    }

    /// Nothing that the socket under test sent is left over.
    pub(super) fn check_rest(&mut self, line: u32) -> Result<(), Failure> {
        let pending = self.pending.as_ref().map(words::packet);
        let actual = match pending {
            Some(words) => words,
            None => {
                let kept: Vec<Sent> = self.kept.iter().cloned().collect();
                let Some(sent) = kept.iter().find(|sent| self.is_of_test(sent)) else { return Ok(()) };
                self.describe(sent)
            }
        };
        let failure = Failure::mismatch(line, "a packet came that the script does not mention");
        Err(failure.with("nothing", actual))
    }

    /// Whether a packet is of the socket under test.
    fn is_of_test(&mut self, sent: &Sent) -> bool {
        let Ok(live) = Live::parse(sent.at, &sent.bytes) else { return true };
        self.flows.under_test().is_some_and(|flow| {
            flow.local.is_none_or(|local| local == live.from()) && flow.remote == Some(live.to())
        })
    }

    /// All that happened.
    pub(super) fn finish(mut self) -> Ladder {
        self.flush();
        while let Some(sent) = self.kept.pop_front() {
            self.on_unseen(&sent);
        }
        self.ladder
    }

    /// A packet in words, with the script's numbers if it is of the socket under test.
    fn describe(&mut self, sent: &Sent) -> String {
        match Live::parse(sent.at, &sent.bytes) {
            Ok(mut live) => {
                let (from, to) = (live.from(), live.to());
                if let (Body::Tcp(tcp), Some(flow)) = (&mut live.body, self.flows.under_test())
                    && flow.local == Some(from)
                    && flow.remote == Some(to)
                {
                    flow.numbers_to_script(tcp);
                }
                words::packet(&live)
            }
            Err(text) => text,
        }
    }
}

/// Whether the script sends a packet.
fn is_inbound(event: &Event) -> bool {
    matches!(&event.action, Action::Packet(packet) if packet.direction == Direction::Inbound)
}

/// Timestamps that the stack has sent become the script's, if it expects any.
fn map_timestamps(flow: &mut Flow, script: &TcpPacket, actual: &mut [RawOption]) {
    let TcpOptions::These(options) = &script.options else { return };
    let expected = options.iter().map(packet::raw_option).find(|option| option.timestamps().is_some());
    let actual = actual.iter_mut().find(|option| option.timestamps().is_some());
    if let (Some(expected), Some(actual)) = (expected, actual) {
        flow.timestamp_to_script(actual, &expected);
    }
}

/// A packet of the script in words.
fn expected_words(expected: &Packet) -> String {
    match &expected.transport {
        Transport::Tcp(tcp) => {
            let unsaid = Unsaid { window: tcp.window.is_none(), options: tcp.options == TcpOptions::Any };
            let mark = match expected.ip.tos {
                crate::ast::Tos::Ecn(bits) => words::ecn(bits),
                _ => "",
            };
            format!("{mark}{}", words::segment(&packet::segment(tcp), unsaid))
        }
        Transport::Udp(udp) => udp.to_string(),
        Transport::Icmp(icmp) => icmp.to_string(),
    }
}
