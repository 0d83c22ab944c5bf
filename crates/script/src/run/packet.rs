//! Packets of the script as bytes: what it sends to the stack, and what it expects of it in comparable form.

use core::net::{IpAddr, SocketAddr};

use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::ipv6::Ipv6Header;
use sockeye_core::wire::tcp::{Flags, Segment};
use sockeye_core::wire::{Checksum, Headers, Protocol, PseudoHeader};

use super::flow::{Carrier, Flow};
use super::icmp;
use super::live::{RawOption, Tcp};
use super::options::Options;
use super::pattern;
use crate::ast::packet::AccEcnOrder;
use crate::ast::{
    EchoedPacket, IcmpPacket, IpInfo, Packet, TcpFlags, TcpOption, TcpOptions, TcpPacket, Tos, Transport,
};

/// The magic number of TCP Fast Open's experimental option (RFC 6994, RFC 7413 appendix A).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// An option as it is on the wire.
pub fn raw_option(option: &TcpOption) -> RawOption {
    let (kind, data) = match option {
        TcpOption::EndOfList => (0, Vec::new()),
        TcpOption::NoOperation => (1, Vec::new()),
        TcpOption::MaximumSegmentSize(bytes) => (2, bytes.to_be_bytes().to_vec()),
        TcpOption::WindowScale(shift) => (3, vec![*shift]),
        TcpOption::SackPermitted => (4, Vec::new()),
        TcpOption::Sack(blocks) => {
            let edges = blocks.iter().flat_map(|(left, right)| [*left, *right]);
            (5, edges.flat_map(u32::to_be_bytes).collect())
        }
        TcpOption::Timestamps { value, echo } => (8, [value.to_be_bytes(), echo.to_be_bytes()].concat()),
        TcpOption::FastOpen(cookie) => (34, cookie.clone()),
        TcpOption::FastOpenExperimental(cookie) => (254, [&FAST_OPEN_MAGIC, cookie.as_slice()].concat()),
        TcpOption::Md5(digest) => (19, digest.clone()),
        TcpOption::AccEcn { first, counters } => {
            let kind = if *first == AccEcnOrder::Ect0First { 172 } else { 174 };
            let bytes = |counter: &u32| counter.to_be_bytes().into_iter().skip(1);
            (kind, counters.iter().flat_map(bytes).collect())
        }
        TcpOption::Other { kind, data } => (*kind, data.clone()),
        TcpOption::Raw(octets) => return RawOption::verbatim(octets.clone()),
    };
    RawOption::new(kind, data)
}

/// Where in its stream a segment's first byte stands. A SYN's numbers are absolute, and it takes one itself.
pub fn position(sequence: u32, is_syn: bool) -> u32 {
    if is_syn { 0 } else { sequence.wrapping_sub(1) }
}

/// A segment of the script with the script's own numbers. Absent fields are zero, absent options none.
pub fn segment(tcp: &TcpPacket) -> Tcp {
    let options = match &tcp.options {
        TcpOptions::Any => Vec::new(),
        TcpOptions::These(options) => options.iter().map(raw_option).collect(),
    };
    Tcp {
        source_port: tcp.ports.map_or(0, |ports| ports.source),
        destination_port: tcp.ports.map_or(0, |ports| ports.destination),
        seq: tcp.sequence.start,
        ack: tcp.ack.unwrap_or(0),
        flags: Flags::from_bits(tcp.flags.bits),
        reserved: 0,
        window: tcp.window.unwrap_or(0),
        urgent: tcp.urgent.unwrap_or(0),
        options,
        payload: pattern::bytes(
            position(tcp.sequence.start, tcp.flags.has(TcpFlags::SYN)),
            tcp.sequence.length.into(),
        ),
    }
}

/// The ends of a packet.
#[derive(Clone, Copy, Debug)]
struct Ends {
    source: IpAddr,
    destination: IpAddr,
}

/// An IP packet around `payload`.
fn ip_packet(ends: Ends, info: &IpInfo, protocol: Protocol, payload: &[u8]) -> Result<Vec<u8>, String> {
    let tos = match info.tos {
        Tos::Unspecified | Tos::Ect01 => 0,
        Tos::Ecn(bits) => bits & 3,
        Tos::Octet(octet) => octet,
    };
    let mut headers = Headers::new();
    match (ends.source, ends.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            if payload.len() > 65_515 {
                return Err(format!("a packet of {} bytes is none of IPv4", payload.len() + 20));
            }
            let mut header = Ipv4Header::new(source, destination, protocol);
            (header.dscp, header.ecn, header.payload_length) = (tos >> 2, tos & 3, payload.len());
            header.ttl = info.ttl.unwrap_or(255);
            header.dont_fragment = true;
            header.prepend(&mut headers);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            if payload.len() > 65_535 {
                return Err(format!("a payload of {} bytes is none of IPv6", payload.len()));
            }
            let mut header = Ipv6Header::new(source, destination, protocol);
            (header.dscp, header.ecn, header.payload_length) = (tos >> 2, tos & 3, payload.len());
            header.hop_limit = info.ttl.unwrap_or(255);
            header.flow_label = info.flow_label.unwrap_or(0);
            header.prepend(&mut headers);
        }
        _ => return Err("addresses of both families in one packet".to_owned()),
    }
    Ok([headers.as_slice(), payload].concat())
}

/// Writes a segment as it stands, checksum and all.
fn tcp_bytes(tcp: &Tcp, ends: Ends) -> Result<Vec<u8>, String> {
    let options: Vec<u8> = tcp.options.iter().flat_map(RawOption::bytes).collect();
    if !options.len().is_multiple_of(4) || options.len() > 40 {
        return Err(format!(
            "{} bytes of TCP options: they must be a multiple of four (pad with nop), at most 40",
            options.len()
        ));
    }
    let words = ((Segment::MIN_LEN + options.len()) / 4) as u16;
    let mut bytes = Vec::with_capacity(Segment::MAX_LEN + tcp.payload.len());
    bytes.extend(tcp.source_port.to_be_bytes());
    bytes.extend(tcp.destination_port.to_be_bytes());
    bytes.extend(tcp.seq.to_be_bytes());
    bytes.extend(tcp.ack.to_be_bytes());
    bytes.extend((words << 12 | tcp.flags.bits()).to_be_bytes());
    bytes.extend(tcp.window.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(tcp.urgent.to_be_bytes());
    bytes.extend(options);
    bytes.extend(&tcp.payload);
    seal(&mut bytes, 16, ends, Protocol::Tcp);
    Ok(bytes)
}

/// Writes the checksum over pseudo-header and `bytes` at `field`.
fn seal(bytes: &mut [u8], field: usize, ends: Ends, protocol: Protocol) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut checksum = PseudoHeader::new(ends.source, ends.destination, protocol, length).checksum();
    checksum.add(bytes);
    put(bytes, field, checksum.finish());
}

fn put(bytes: &mut [u8], field: usize, value: u16) {
    if let Some(place) = bytes.get_mut(field..field + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// A packet that the script sends, as it goes onto the wire for `flow`; with the segment in it, if it is TCP.
///
/// # Errors
/// In words, why there is no such packet.
pub fn inbound(packet: &Packet, flow: &Flow, options: &Options) -> Result<(Vec<u8>, Option<Tcp>), String> {
    if let Some(around) = packet.encapsulation.first() {
        return Err(format!("unsupported: encapsulation `{around}`"));
    }
    let local = flow.local.unwrap_or(SocketAddr::new(options.local, options.bind_port));
    let remote = flow.remote.unwrap_or(SocketAddr::new(options.remote, options.connect_port));
    let ends = Ends { source: remote.ip(), destination: local.ip() };
    match &packet.transport {
        Transport::Tcp(tcp) => {
            let mut live = segment(tcp);
            if live.source_port == 0 {
                live.source_port = remote.port();
            }
            if live.destination_port == 0 {
                live.destination_port = local.port();
            }
            flow.to_live(&mut live, tcp.flags.has(TcpFlags::SYN), options.echo_scaled)?;
            let bytes = tcp_bytes(&live, ends)?;
            Ok((ip_packet(ends, &packet.ip, Protocol::Tcp, &bytes)?, Some(live)))
        }
        Transport::Udp(udp) => {
            let (source, destination) = match udp.ports {
                Some(ports) => (ports.source, ports.destination),
                None => (remote.port(), local.port()),
            };
            let payload = pattern::bytes(0, udp.length.into());
            let length = u16::try_from(payload.len() + 8).map_err(|_| "too long a datagram".to_owned())?;
            let mut bytes = Vec::with_capacity(payload.len() + 8);
            for field in [source, destination, length, 0] {
                bytes.extend(field.to_be_bytes());
            }
            bytes.extend(payload);
            seal(&mut bytes, 6, ends, Protocol::Udp);
            Ok((ip_packet(ends, &packet.ip, Protocol::Udp, &bytes)?, None))
        }
        Transport::Icmp(icmp) => {
            let bytes = icmp_bytes(icmp, flow, local, remote)?;
            let protocol = if ends.source.is_ipv6() { Protocol::Icmpv6 } else { Protocol::Icmp };
            let bytes = finish_icmp(bytes, ends);
            Ok((ip_packet(ends, &packet.ip, protocol, &bytes)?, None))
        }
    }
}

/// A RST that the other end of `flow` takes for the script's: behind what was sent last, with what was acknowledged last.
/// `None` where the two have not met.
pub fn reset(flow: &Flow) -> Option<Result<Vec<u8>, String>> {
    let (local, remote) = (flow.local?, flow.remote?);
    let (seq, ack) = match (&flow.last_received, &flow.last_sent) {
        (Some(ours), _) if ours.flags.contains(Flags::ACK) => {
            let control = [Flags::SYN, Flags::FIN].iter().filter(|flag| ours.flags.contains(**flag)).count();
            (ours.seq.wrapping_add((ours.payload.len() + control) as u32), ours.ack)
        }
        (_, Some(theirs)) if theirs.flags.contains(Flags::ACK) => (theirs.ack, theirs.seq),
        (_, Some(theirs)) => (0, theirs.seq.wrapping_add(1)),
        _ => return None,
    };
    let segment = Tcp {
        source_port: remote.port(),
        destination_port: local.port(),
        seq,
        ack,
        flags: Flags::RST | Flags::ACK,
        reserved: 0,
        window: 0,
        urgent: 0,
        options: Vec::new(),
        payload: Vec::new(),
    };
    let ends = Ends { source: remote.ip(), destination: local.ip() };
    let bytes = tcp_bytes(&segment, ends);
    Some(bytes.and_then(|bytes| ip_packet(ends, &IpInfo::default(), Protocol::Tcp, &bytes)))
}

/// An ICMP message without its checksum, with the beginning of the packet it is about.
fn icmp_bytes(
    icmp: &IcmpPacket,
    flow: &Flow,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<Vec<u8>, String> {
    let v6 = remote.is_ipv6();
    let of = icmp::type_and_code(icmp, v6)?;
    let mut bytes = vec![of.kind, of.code, 0, 0];
    bytes.extend(icmp::rest(icmp));
    let (protocol, length, quoted) = match (icmp.echoed, flow.carrier) {
        (EchoedPacket::Raw(length), _) => {
            bytes.resize(bytes.len().max(length.into()), 0);
            return Ok(bytes);
        }
        (EchoedPacket::Tcp(sequence), _) => {
            let length = Segment::MIN_LEN + usize::from(sequence.length);
            (Protocol::Tcp, length, flow.quoted_seq(sequence.start).to_be_bytes())
        }
        (EchoedPacket::Unspecified, Carrier::Tcp) => {
            (Protocol::Tcp, Segment::MIN_LEN, flow.quoted_seq(0).to_be_bytes())
        }
        (EchoedPacket::Udp(length), _) => {
            let [a, b] = length.saturating_add(8).to_be_bytes();
            (Protocol::Udp, usize::from(length) + 8, [a, b, 0, 0])
        }
        (EchoedPacket::Unspecified, Carrier::Udp) => (Protocol::Udp, 8, [0, 8, 0, 0]),
        (EchoedPacket::Unspecified, Carrier::Icmp) => return Ok(bytes),
    };
    // The first eight bytes behind the quoted IP header are all that routers must quote (RFC 792).
    let start = [&local.port().to_be_bytes(), &remote.port().to_be_bytes(), quoted.as_slice()].concat();
    let ends = Ends { source: local.ip(), destination: remote.ip() };
    let mut whole = start;
    whole.resize(length, 0);
    let packet = ip_packet(ends, &IpInfo::default(), protocol, &whole)?;
    let kept = packet.len() - length + 8;
    bytes.extend(packet.iter().take(kept));
    Ok(bytes)
}

fn finish_icmp(mut bytes: Vec<u8>, ends: Ends) -> Vec<u8> {
    if ends.source.is_ipv6() {
        seal(&mut bytes, 2, ends, Protocol::Icmpv6);
    } else {
        let mut checksum = Checksum::new();
        checksum.add(&bytes);
        let sum = checksum.finish();
        put(&mut bytes, 2, sum);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Action;
    use crate::run::flow::Stage;
    use crate::run::{Failure, Wishes};

    /// What the script puts on the wire for a packet in its words.
    fn bytes(version: &str, text: &str) -> Vec<u8> {
        let source = format!("--ip_version={version}\n+0 < {text}");
        let script = crate::parse("t", &source, &[]).unwrap_or_else(|error| panic!("{error}"));
        let options = Options::new(&script, &Wishes::default());
        let options = options.unwrap_or_else(|failure: Failure| panic!("{failure}"));
        let Action::Packet(packet) = &script.events[0].action else { panic!("{text} is no packet") };
        let carrier = if text.contains("udp") { Carrier::Udp } else { Carrier::Tcp };
        let flow = Flow::new(None, Stage::New, carrier);
        inbound(packet, &flow, &options).unwrap_or_else(|error| panic!("{text}: {error}")).0
    }

    #[test]
    fn every_word_of_a_packet_is_on_the_wire() {
        for (version, packet, changes) in [
            (
                "ipv4",
                "[ect0, ttl 9] 5 > 6 P. 1:101(100) ack 7 win 8 urg 9 <mss 4,nop,nop,sack 1:2>",
                &[
                    ("ect0", "ect1"),
                    ("ttl 9", "ttl 8"),
                    ("5 > 6", "4 > 6"),
                    ("5 > 6", "5 > 7"),
                    ("P.", "F."),
                    ("P.", "PEWA."),
                    ("1:101(100)", "2:102(100)"),
                    ("1:101(100)", "1:102(101)"),
                    ("ack 7", "ack 8"),
                    ("win 8", "win 9"),
                    ("urg 9", "urg 8"),
                    ("mss 4", "mss 5"),
                    ("nop,nop,sack", "nop,eol,sack"),
                    ("sack 1:2", "sack 1:3"),
                ][..],
            ),
            (
                "ipv6",
                "[tos 0x4, ttl 9, flowlabel 0x7] S 5:5(0) win 8 <wscale 7,nop,TS val 3 ecr 0,FO 0a0b,nop,nop>",
                &[
                    ("tos 0x4", "tos 0x5"),
                    ("ttl 9", "ttl 8"),
                    ("0x7", "0x8"),
                    ("S 5:5", "S 6:6"),
                    ("wscale 7", "wscale 8"),
                    ("val 3", "val 4"),
                    ("FO 0a0b", "FO 0a0c"),
                ][..],
            ),
            (
                "ipv4",
                "icmp unreachable frag_needed mtu 1400 [1:1001(1000)]",
                &[
                    ("1400", "1401"),
                    ("[1:1001", "[2:1002"),
                    ("unreachable frag_needed mtu 1400", "time_exceeded"),
                ],
            ),
            (
                "ipv4",
                "icmp unreachable host_unreachable [1:1001(1000)]",
                &[("host_un", "port_un"), ("[1:1001(1000)]", "[1:1002(1001)]")],
            ),
            (
                "ipv6",
                "icmp packet_too_big mtu 1400 [1:1001(1000)]",
                &[("1400", "1401"), ("[1:1001", "[2:1002")],
            ),
            ("ipv4", "icmp echo_reply id 3", &[("id 3", "id 4"), ("echo_reply", "echo_request")]),
            ("ipv4", "udp 7 > 8 (10)", &[("7 >", "6 >"), ("> 8", "> 9"), ("(10)", "(11)")]),
        ] {
            let written = bytes(version, packet);
            for (from, to) in changes {
                assert!(packet.contains(from), "{packet}: {from}");
                assert_ne!(bytes(version, &packet.replace(from, to)), written, "{packet}: {from} → {to}");
            }
        }
    }
}
