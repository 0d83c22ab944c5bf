//! Cut anywhere, a message is refused by the name of what is missing.

use super::super::arp::{Arp, ArpOperation};
use super::super::ethernet::{EtherType, Ethernet, MacAddr};
use super::super::icmpv4::Icmpv4;
use super::super::icmpv6::Icmpv6;
use super::super::ipv4::{Ipv4Header, Ipv4Options};
use super::super::ipv6::Ipv6Header;
use super::super::ndp::Ndp;
use super::super::tcp::{Flags, Options, Segment, SeqNumber, Timestamps};
use super::super::udp::Udp;
use super::*;

/// Asserts that every proper prefix of `whole` is refused as truncated, and that the error names one of `names` and
/// the bytes that are there.
fn cut(whole: &[u8], names: &[&str], parse: impl Fn(&[u8]) -> Result<(), WireError>) {
    assert_eq!(parse(whole), Ok(()));
    for len in 0..whole.len() {
        match parse(&whole[..len]) {
            Err(WireError::Truncated { what, needed, got }) => {
                assert!(names.contains(&what), "{what} at {len}");
                assert_eq!(got, len, "{what}");
                assert!(needed > got && needed <= whole.len(), "{what}: {needed} at {len}");
            }
            other => panic!("{len} of {}: {other:?}", whole.len()),
        }
    }
}

#[test]
fn ethernet() {
    let ethernet =
        Ethernet { destination: MacAddr::BROADCAST, source: MacAddr([2; 6]), ethertype: EtherType::Ipv4 };
    let mut headers = Headers::new();
    ethernet.prepend(&mut headers);
    cut(headers.as_slice(), &["Ethernet header"], |bytes| Ethernet::parse(bytes).map(drop));
}

#[test]
fn arp() {
    let arp = Arp {
        operation: ArpOperation::Reply,
        sender_mac: MacAddr([2; 6]),
        sender_ip: V4[0],
        target_mac: MacAddr([4; 6]),
        target_ip: V4[1],
    };
    cut(&arp.emit(), &["ARP packet"], |bytes| Arp::parse(bytes).map(drop));
}

#[test]
fn ipv4() {
    let header = Ipv4Header {
        payload_length: 9,
        options: Ipv4Options::ROUTER_ALERT,
        ..Ipv4Header::new(V4[0], V4[1], Protocol::Udp)
    };
    let mut headers = Headers::new();
    headers.push_front(&[7; 9]);
    header.prepend(&mut headers);
    let names = ["IPv4 header", "IPv4 options", "IPv4 packet"];
    cut(headers.as_slice(), &names, |bytes| Ipv4Header::parse(bytes).map(drop));
}

#[test]
fn ipv6() {
    let packet = v6_packet(60, &[17, 0, 1, 4, 0, 0, 0, 0, 9, 9]);
    cut(&packet, &["IPv6 header", "IPv6 packet"], |bytes| Ipv6Header::parse(bytes).map(drop));
}

#[test]
fn ipv6_extension_headers_cut_by_the_payload_length() {
    for (next, what) in [
        (0, "IPv6 hop-by-hop header"),
        (60, "IPv6 destination options"),
        (43, "IPv6 routing header"),
        (44, "IPv6 fragment header"),
    ] {
        let extension = [59, 0, 1, 0, 0, 0, 0, 0];
        for len in 0..8 {
            match Ipv6Header::parse(&v6_packet(next, &extension[..len])) {
                Err(WireError::Truncated { what: named, got, .. }) => assert_eq!((named, got), (what, len)),
                other => panic!("{what} of {len}: {other:?}"),
            }
        }
    }
}

#[test]
fn tcp() {
    let segment = Segment {
        source_port: 1,
        destination_port: 2,
        seq: SeqNumber(3),
        ack: SeqNumber(4),
        flags: Flags::ACK,
        window: 5,
        urgent: 0,
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() },
        length: 0,
    };
    let pseudo = pseudo_v4(Protocol::Tcp);
    let mut headers = Headers::new();
    segment.prepend(&mut headers, &pseudo, [&[], &[]], ChecksumEmit::Full);
    cut(headers.as_slice(), &["TCP header", "TCP options"], |bytes| {
        Segment::parse(bytes, &pseudo, ChecksumCheck::Verify).map(drop)
    });
}

#[test]
fn udp() {
    let pseudo = pseudo_v6(Protocol::Udp);
    let mut headers = Headers::new();
    headers.push_front(b"hello");
    Udp::new(1, 2, 5).prepend(&mut headers, &pseudo, [b"hello", &[]], ChecksumEmit::Full);
    cut(headers.as_slice(), &["UDP header", "UDP datagram"], |bytes| {
        Udp::parse(bytes, &pseudo, ChecksumCheck::Verify).map(drop)
    });
}

#[test]
fn icmp() {
    let mut headers = Headers::new();
    Icmpv4::EchoReply { id: 1, seq: 2 }.prepend(&mut headers, &[]);
    cut(headers.as_slice(), &["ICMP header"], |bytes| Icmpv4::parse(bytes).map(drop));
    headers.clear();
    let pseudo = pseudo_v6(Protocol::Icmpv6);
    Icmpv6::PacketTooBig { mtu: 1280 }.prepend(&mut headers, &pseudo, &[]);
    cut(headers.as_slice(), &["ICMPv6 header"], |bytes| Icmpv6::parse(bytes, &pseudo).map(drop));
}

#[test]
fn neighbour_discovery() {
    let ndp = Ndp::Redirect { target: V6[0], destination: V6[0], target_link: None };
    let source = "fe80::1".parse().unwrap();
    let mut headers = Headers::new();
    ndp.prepend(&mut headers, source, V6[1]);
    for len in 0..headers.len() {
        let mut message = headers.as_slice()[..len].to_vec();
        let header = Ipv6Header {
            hop_limit: 255,
            payload_length: len,
            ..Ipv6Header::new(source, V6[1], Protocol::Icmpv6)
        };
        // A right checksum, so that only the length is wrong.
        if len >= 8 {
            message[2..4].fill(0);
            let mut sum = header.pseudo().checksum();
            sum.add(&message);
            message[2..4].copy_from_slice(&sum.finish().to_be_bytes());
        }
        let what = if len < 8 { "neighbour discovery message" } else { "redirect" };
        match Ndp::parse(&message, &header) {
            Err(WireError::Truncated { what: named, .. }) => assert_eq!(named, what),
            other => panic!("{len}: {other:?}"),
        }
    }
}
