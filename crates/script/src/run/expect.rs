//! Packets of the script in both directions, for the socket under test.

use core::net::SocketAddr;

use sockeye_core::time::Instant;
use sockeye_core::wire::tcp::Flags;

use super::compare::{self, TimestampRule};
use super::flow::{Carrier, Flow, Stage};
use super::host::{self, Sent};
use super::ladder::Rung;
use super::live::{Body, Live, RawOption};
use super::words::{self, Unsaid};
use super::{CURIOSITY, Difference, ENDLESS, Failure, Run, Schedule, packet};
use crate::ast::{Packet, TcpFlags, TcpOptions, TcpPacket, Transport};

/// Whether the segment opens a connection: SYN without ACK.
fn opens(tcp: &TcpPacket) -> bool {
    tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::ACK)
}

/// Whether it answers one that does.
fn is_syn_ack(tcp: &TcpPacket) -> bool {
    tcp.flags.has(TcpFlags::SYN | TcpFlags::ACK)
}

impl Run<'_> {
    /// Makes a packet of the script and hands it to the stack; says it in words.
    pub(super) fn receive(&mut self, packet: &Packet) -> Result<String, Failure> {
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
        let mss = options.mss;
        self.host.receive(&bytes, mss)?;
        Ok(expected_words(packet))
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
        match flow.stage {
            Stage::SynAckSent if tcp.flags.has(TcpFlags::ACK) => flow.stage = Stage::SynAckAcknowledged,
            Stage::SynSent if is_syn_ack(tcp) => {
                flow.stage = Stage::SynAcknowledged;
                flow.peer_begins(tcp.sequence.start);
            }
            _ => {}
        }
    }

    /// Waits for a packet of the stack and compares it with what the script says.
    pub(super) fn expect(&mut self, packet: &Packet, schedule: Schedule) -> Result<(), Failure> {
        self.on_expected(packet)?;
        let limit = match schedule.latest {
            Some(latest) => latest + CURIOSITY,
            None => self.host.now() + ENDLESS,
        };
        let wanted = match &packet.transport {
            Transport::Tcp(tcp) => usize::from(tcp.sequence.length),
            _ => 0,
        };
        let mut whole = self.next_for_test(packet, limit)?;
        let first_at = whole.at;
        let mut last_length = whole.payload_length();
        // A segment without payload is no part of a run, though its number would fit.
        while whole.payload_length() < wanted
            && last_length > 0
            && !self.options.strict_segments
            && let Some(next) = self.peek_for_test(packet, limit)?
        {
            let (Body::Tcp(tcp), Body::Tcp(piece)) = (&mut whole.body, &next.body) else { break };
            if compare::join(tcp, last_length, piece, wanted).is_err() {
                self.pending = Some(next);
                break;
            }
            last_length = piece.payload.len();
            whole.at = next.at;
        }
        self.compare(packet, schedule, whole, first_at)
    }

    /// What an expected packet says about the socket it comes from.
    fn on_expected(&mut self, packet: &Packet) -> Result<(), Failure> {
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

    /// The next packet of the socket under test, its numbers being the script's.
    fn next_for_test(&mut self, packet: &Packet, limit: Instant) -> Result<Live, Failure> {
        if let Some(live) = self.peek_for_test(packet, limit)? {
            return Ok(live);
        }
        let until = super::seconds(limit - host::START);
        let text = format!("no packet came until {until}");
        Err(Failure::mismatch(packet.line, text).with(expected_words(packet), "nothing"))
    }

    fn peek_for_test(&mut self, packet: &Packet, limit: Instant) -> Result<Option<Live>, Failure> {
        if let Some(live) = self.pending.take() {
            return Ok(Some(live));
        }
        loop {
            while let Some(sent) = self.host.next_sent() {
                let live = Live::parse(sent.at, &sent.bytes).map_err(|text| {
                    Failure::mismatch(packet.line, format!("the stack sent a malformed packet: {text}"))
                })?;
                match self.map(packet, live) {
                    Ok(live) => return Ok(Some(live)),
                    Err(other) => {
                        let at = other.at - host::START;
                        self.ladder.push(at, Rung::Other, words::packet(&other));
                    }
                }
            }
            if self.host.now() >= limit || !self.step(limit)? && self.host.unseen().next().is_none() {
                return Ok(None);
            }
        }
    }

    /// Gives a packet of the socket under test the numbers of the script; any other comes back.
    fn map(&mut self, packet: &Packet, mut live: Live) -> Result<Live, Live> {
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

    /// A packet nobody asked for, in words, with the script's numbers if it is of the socket under test.
    pub(super) fn describe(&mut self, sent: &Sent) -> String {
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
        Transport::Udp(udp) => format!("udp ({})", udp.length),
        Transport::Icmp(icmp) => {
            format!("icmp {} {}", icmp.kind, icmp.code.as_deref().unwrap_or_default()).trim_end().to_owned()
        }
    }
}
