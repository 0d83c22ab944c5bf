//! Whether a packet of the stack is the one that the script expects, as strictly as packetdrill and somewhat stricter:
//! the payload is compared too, since every byte of a stream is known by its place.

use sockeye_core::time::Duration;
use sockeye_core::wire::tcp::Flags;

use super::failure::Difference;
use super::icmp;
use super::live::{Body, Live, RawOption, Tcp};
use super::packet::{raw_option, segment};
use super::pattern;
use super::words;
use crate::ast::{
    EchoedPacket, IcmpPacket, IpInfo, Packet, TcpOptions, TcpPacket, Tos, Transport, UdpPacket,
};

/// How timestamps are compared.
#[derive(Clone, Copy, Debug)]
pub struct TimestampRule {
    /// How long a tick of them lasts; `None`: any value will do.
    pub tick: Option<Duration>,
    /// How far a value may be off.
    pub tolerance: Duration,
}

/// Collects what differs.
#[derive(Debug, Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn check<T: PartialEq + ToString>(&mut self, field: &'static str, expected: T, actual: T) {
        if expected != actual {
            self.add(field, expected.to_string(), actual.to_string());
        }
    }

    fn add(&mut self, field: &'static str, expected: impl Into<String>, actual: impl Into<String>) {
        self.0.push(Difference { field, expected: expected.into(), actual: actual.into() });
    }
}

/// What differs between a packet that the script expects and one that has come, its numbers being the script's already.
pub fn packets(expected: &Packet, actual: &Live, rule: TimestampRule) -> Vec<Difference> {
    let mut differences = Differences::default();
    ip(&mut differences, &expected.ip, actual);
    match (&expected.transport, &actual.body) {
        (Transport::Tcp(script), Body::Tcp(live)) => tcp(&mut differences, script, live, rule),
        (Transport::Udp(script), Body::Udp { source_port, destination_port, payload }) => {
            udp(&mut differences, script, (*source_port, *destination_port), payload);
        }
        (Transport::Icmp(script), Body::Icmp { kind, code, rest, payload }) => {
            icmp_message(&mut differences, script, (*kind, *code), actual.source.is_ipv6());
            icmp_fields(&mut differences, script, *rest, payload.len());
        }
        (transport, _) => differences.add("protocol", protocol(transport), words::packet(actual)),
    }
    differences.0
}

fn protocol(transport: &Transport) -> &'static str {
    match transport {
        Transport::Tcp(_) => "TCP",
        Transport::Udp(_) => "UDP",
        Transport::Icmp(_) => "ICMP",
    }
}

/// The IP header (RFC 791, RFC 8200), as far as the script speaks of it.
fn ip(differences: &mut Differences, expected: &IpInfo, actual: &Live) {
    let ecn = actual.tos & 3;
    match expected.tos {
        Tos::Unspecified => {}
        Tos::Ecn(bits) => differences.check("ECN field", words::ecn_field(bits), words::ecn_field(ecn)),
        Tos::Ect01 if matches!(ecn, 1 | 2) => {}
        Tos::Ect01 => differences.add("ECN field", "[ect01]", words::ecn_field(ecn)),
        Tos::Octet(octet) => differences.check("TOS", octet, actual.tos),
    }
    if let Some(ttl) = expected.ttl {
        differences.check("TTL", ttl, actual.ttl);
    }
}

fn tcp(differences: &mut Differences, script: &TcpPacket, actual: &Tcp, rule: TimestampRule) {
    let expected = segment(script);
    if let Some(ports) = script.ports {
        differences.check("source port", ports.source, actual.source_port);
        differences.check("destination port", ports.destination, actual.destination_port);
    }
    differences.check("flags", words::flags(expected.flags), words::flags(actual.flags));
    differences.check("sequence number", expected.seq, actual.seq);
    differences.check("payload length", expected.payload.len(), actual.payload.len());
    differences.check("acknowledgement number", expected.ack, actual.ack);
    if script.window.is_some() {
        differences.check("window", expected.window, actual.window);
    }
    differences.check("urgent pointer", expected.urgent, actual.urgent);
    differences.check("reserved bits", 0, actual.reserved);
    if let TcpOptions::These(script) = &script.options {
        let written: Vec<u8> = script.iter().flat_map(|option| raw_option(option).bytes()).collect();
        match RawOption::parse(&written) {
            Ok(expected) => options(differences, &expected, &actual.options, rule),
            Err(text) => differences.add("options", text, words::options(&actual.options)),
        }
    }
    if expected.seq == actual.seq {
        bytes(differences, &expected.payload, &actual.payload);
    }
}

/// Options one by one: kinds, order and values. Timestamps have a rule of their own; what they echo is exact.
fn options(differences: &mut Differences, expected: &[RawOption], actual: &[RawOption], rule: TimestampRule) {
    let same = |(expected, actual): (&RawOption, &RawOption)| {
        let (Some(script), Some(live)) = (expected.timestamps(), actual.timestamps()) else {
            return expected == actual;
        };
        script.1 == live.1 && timestamp_fits(script.0, live.0, rule)
    };
    if expected.len() != actual.len() || !expected.iter().zip(actual).all(same) {
        let shown = |list: &[RawOption]| format!("<{}>", words::options(list));
        differences.add("options", shown(expected), shown(actual));
    }
}

fn timestamp_fits(expected: u32, actual: u32, rule: TimestampRule) -> bool {
    let Some(tick) = rule.tick else { return true };
    let off = expected.wrapping_sub(actual).min(actual.wrapping_sub(expected));
    tick.saturating_mul(off) <= rule.tolerance
}

fn udp(differences: &mut Differences, expected: &UdpPacket, ports: (u16, u16), payload: &[u8]) {
    if let Some(script) = expected.ports {
        differences.check("source port", script.source, ports.0);
        differences.check("destination port", script.destination, ports.1);
    }
    differences.check("payload length", usize::from(expected.length), payload.len());
    bytes(differences, &pattern::bytes(0, expected.length.into()), payload);
}

/// The first byte that is another one, where there are as many as expected.
fn bytes(differences: &mut Differences, expected: &[u8], actual: &[u8]) {
    if expected.len() == actual.len() && expected != actual {
        let at = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
        let byte = |bytes: &[u8]| format!("{:02x} at byte {at}", bytes.get(at).copied().unwrap_or_default());
        differences.add("payload", byte(expected), byte(actual));
    }
}

/// What a message says besides its type and code, as far as the script speaks of it.
fn icmp_fields(differences: &mut Differences, expected: &IcmpPacket, rest: [u8; 4], payload: usize) {
    let [a, b, _, _] = rest;
    if let Some(mtu) = expected.mtu {
        differences.check("MTU", mtu, u32::from_be_bytes(rest));
    }
    if let Some(id) = expected.id {
        differences.check("identifier", id, u16::from_be_bytes([a, b]));
    }
    match expected.echoed {
        EchoedPacket::Unspecified => {}
        EchoedPacket::Raw(length) => differences.check("payload length", usize::from(length), payload),
        EchoedPacket::Tcp(_) | EchoedPacket::Udp(_) => {
            differences.add("quoted packet", "as written", "not compared by this runner");
        }
    }
}

fn icmp_message(differences: &mut Differences, expected: &IcmpPacket, actual: (u8, u8), v6: bool) {
    match icmp::type_and_code(expected, v6) {
        Ok(of) => {
            differences.check("ICMP type", of.kind, actual.0);
            differences.check("ICMP code", of.code, actual.1);
        }
        Err(text) => differences.add("ICMP type", text, actual.0.to_string()),
    }
}

/// Puts `next` behind `whole`, if it goes on where that ends and looks like a piece of the same large segment, as a device
/// cuts it: all but the last are as long as the first. `wanted` is how long the whole shall become.
///
/// # Errors
/// What keeps the two apart.
pub fn join(whole: &mut Tcp, last_length: usize, next: &Tcp, wanted: usize) -> Result<(), Vec<Difference>> {
    let mut differences = Differences::default();
    // FIN and PSH stand on the last piece, CWR on the first (RFC 3168 section 6.1.2).
    let free = Flags::FIN | Flags::PSH | Flags::CWR;
    differences.check("flags", words::flags(whole.flags & !free), words::flags(next.flags & !free));
    let end = whole.seq.wrapping_add(whole.payload.len() as u32);
    differences.check("sequence number", end, next.seq);
    differences.check("acknowledgement number", whole.ack, next.ack);
    differences.check("window", whole.window, next.window);
    differences.check("urgent pointer", whole.urgent, next.urgent);
    // Only what a timestamp says may have moved on.
    let alike = |(one, other): (&RawOption, &RawOption)| match (one.timestamps(), other.timestamps()) {
        (Some((_, one)), Some((_, other))) => one == other,
        _ => one == other,
    };
    if whole.options.len() != next.options.len() || !whole.options.iter().zip(&next.options).all(alike) {
        differences.add("options", words::options(&whole.options), words::options(&next.options));
    }
    let missing = wanted.saturating_sub(whole.payload.len());
    if next.payload.len() < missing && next.payload.len() != last_length {
        differences.add("length of a piece", last_length.to_string(), next.payload.len().to_string());
    }
    if !differences.0.is_empty() {
        return Err(differences.0);
    }
    whole.payload.extend(&next.payload);
    whole.flags = (next.flags & !Flags::CWR) | (whole.flags & Flags::CWR);
    whole.options.clone_from(&next.options);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Action;
    use crate::run::flow::{Carrier, Flow, Stage};
    use crate::run::{Options, Wishes, host, packet};

    /// A packet as a stack would send it that does just what the script says.
    fn sent(expected: &Packet, v6: bool) -> Vec<u8> {
        let version = if v6 { "ipv6" } else { "ipv4" };
        let script = crate::parse("t", &format!("--ip_version={version}\n"), &[]).expect("a script");
        let options = Options::new(&script, &Wishes::default()).expect("options");
        let flow = Flow::new(None, Stage::New, Carrier::Tcp);
        packet::inbound(expected, &flow, &options).expect("a packet").0
    }

    /// Writes the checksum of a segment anew.
    fn seal(bytes: &mut [u8], header: usize, v6: bool) {
        use sockeye_core::wire::{Protocol, PseudoHeader};
        let (source, destination) = match bytes.first_chunk::<40>() {
            Some(first) if v6 => {
                let address = |at: usize| <[u8; 16]>::try_from(&first[at..at + 16]).expect("16 bytes").into();
                (address(8), address(24))
            }
            _ => {
                let address = |at: usize| <[u8; 4]>::try_from(&bytes[at..at + 4]).expect("4 bytes").into();
                (address(12), address(16))
            }
        };
        let segment = &mut bytes[header..];
        segment[16..18].fill(0);
        let mut sum = PseudoHeader::new(source, destination, Protocol::Tcp, segment.len() as u32).checksum();
        sum.add(segment);
        segment[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    }

    #[test]
    fn no_bit_of_a_segment_is_overlooked() {
        let rule = TimestampRule { tick: Some(Duration::from_millis(1)), tolerance: Duration::ZERO };
        for (v6, text) in [
            (false, "[ect0] PU. 1:21(20) ack 5 win 700 urg 3 <nop,nop,sack 7:9>"),
            (true, "[tos 0x2] S. 0:0(0) ack 1 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 8>"),
            (false, "R 9:9(0) win 0"),
        ] {
            let script = crate::parse("t", &format!("+0 < {text}"), &[]);
            let script = script.unwrap_or_else(|error| panic!("{error}"));
            let Action::Packet(expected) = &script.events[0].action else { panic!("no packet") };
            let right = sent(expected, v6);
            let judge = |bytes: &[u8]| match Live::parse(host::START, bytes) {
                Ok(live) => !packets(expected, &live, rule).is_empty(),
                Err(_) => true,
            };
            assert!(!judge(&right), "{text}: the right packet is called wrong");
            let header = if v6 { 40 } else { 20 };
            for bit in header * 8..right.len() * 8 {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 0x80 >> (bit % 8);
                assert!(judge(&wrong), "{text}: bit {bit} with the old checksum");
                // Ports tell which socket a packet is of, which is decided before.
                if bit / 8 >= header + 4 {
                    seal(&mut wrong, header, v6);
                    let is_the_checksum = (16..18).contains(&(bit / 8 - header));
                    assert!(is_the_checksum || judge(&wrong), "{text}: bit {bit}");
                }
            }
        }
    }
}
