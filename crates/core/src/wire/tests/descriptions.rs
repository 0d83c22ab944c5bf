//! Frames in words.

use super::super::ethernet::{EtherType, Ethernet, MacAddr};
use super::super::icmpv4::{Icmpv4, UnreachableCode};
use super::super::ipv4::Ipv4Header;
use super::super::ipv6::{Ipv6Fragment, Ipv6Header};
use super::super::ndp::Ndp;
use super::super::tcp::{Flags, Options, Segment, SeqNumber};
use super::super::udp::Udp;
use super::*;

fn v4(headers: &mut Headers, protocol: Protocol) {
    let payload_length = headers.len();
    Ipv4Header { payload_length, ..Ipv4Header::new(V4[0], V4[1], protocol) }.prepend(headers);
}

fn ip(headers: &Headers) -> String {
    describe(headers.as_slice(), LinkType::Ip).to_string()
}

fn segment() -> Segment {
    Segment {
        source_port: 50000,
        destination_port: 7788,
        seq: SeqNumber(u32::MAX),
        ack: SeqNumber(9),
        flags: Flags::ACK | Flags::PSH | Flags::URG,
        window: 100,
        urgent: 1,
        options: Options::default(),
        length: 2,
    }
}

#[test]
fn tcp_over_ethernet() {
    let mut headers = Headers::new();
    headers.push_front(b"hi");
    segment().prepend(&mut headers, &pseudo_v4(Protocol::Tcp), [b"hi", &[]], ChecksumEmit::Full);
    v4(&mut headers, Protocol::Tcp);
    let ethernet =
        Ethernet { destination: MacAddr([2; 6]), source: MacAddr([4; 6]), ethertype: EtherType::Ipv4 };
    ethernet.prepend(&mut headers);
    let line =
        "IP 10.0.0.1.50000 > 10.0.0.2.7788: Flags [P.U], seq 4294967295:1, ack 9, win 100, urg 1, length 2";
    assert_eq!(describe(headers.as_slice(), LinkType::Ethernet).to_string(), line);
    let last = headers.len() - 1;
    headers.as_mut_slice()[last] ^= 1;
    assert_eq!(
        describe(headers.as_slice(), LinkType::Ethernet).to_string(),
        format!("{line} [bad checksum]")
    );
}

#[test]
fn a_checksum_left_to_the_device_is_not_called_bad() {
    let mut headers = Headers::new();
    headers.push_front(b"hi");
    segment().prepend(&mut headers, &pseudo_v4(Protocol::Tcp), [b"hi", &[]], ChecksumEmit::PseudoOnly);
    v4(&mut headers, Protocol::Tcp);
    assert!(ip(&headers).ends_with("length 2"), "{}", ip(&headers));
}

#[test]
fn udp_and_the_error_about_it() {
    let mut headers = Headers::new();
    Udp::new(5000, 53, 0).prepend(&mut headers, &pseudo_v4(Protocol::Udp), [&[], &[]], ChecksumEmit::Full);
    v4(&mut headers, Protocol::Udp);
    assert_eq!(ip(&headers), "IP 10.0.0.1.5000 > 10.0.0.2.53: UDP, length 0");
    let quoted = headers.clone();
    Icmpv4::Unreachable { code: UnreachableCode::Port, mtu: 0 }.prepend(&mut headers, quoted.as_slice());
    v4(&mut headers, Protocol::Icmp);
    assert_eq!(
        ip(&headers),
        "IP 10.0.0.1 > 10.0.0.2: ICMP port unreachable (UDP 10.0.0.1.5000 > 10.0.0.2.53), length 36"
    );
}

#[test]
fn neighbours_and_fragments_over_ipv6() {
    let mut headers = Headers::new();
    let target = V6[1];
    Ndp::NeighborSolicitation { target, source_link: None }.prepend(&mut headers, V6[0], V6[1]);
    let header = Ipv6Header {
        hop_limit: 255,
        payload_length: headers.len(),
        ..Ipv6Header::new(V6[0], V6[1], Protocol::Icmpv6)
    };
    header.prepend(&mut headers);
    assert_eq!(
        ip(&headers),
        "IP6 fd00::1 > fd00::2: ICMP6, neighbor solicitation, who has fd00::2, length 24"
    );
    headers.clear();
    headers.push_front(&[0; 16]);
    let fragment = Some(Ipv6Fragment { offset: 1232, more: true, identification: 7 });
    Ipv6Header { fragment, payload_length: 16, ..Ipv6Header::new(V6[0], V6[1], Protocol::Udp) }
        .prepend(&mut headers);
    assert_eq!(ip(&headers), "IP6 fd00::1 > fd00::2: UDP fragment 7:16@1232+, length 16");
}

#[test]
fn what_is_malformed_is_said_to_be() {
    let mut headers = Headers::new();
    v4(&mut headers, Protocol::Tcp);
    assert_eq!(
        ip(&headers),
        "IP 10.0.0.1 > 10.0.0.2: TCP [malformed: TCP header truncated: 20 bytes needed, 0 there], length 0"
    );
    headers.as_mut_slice()[8] ^= 1;
    assert_eq!(ip(&headers), "IP 10.0.0.1 > 10.0.0.2: [malformed: IPv4 header checksum is wrong], length 20");
    assert_eq!(describe(&[], LinkType::Ip).to_string(), "nothing, length 0");
    assert_eq!(describe(&[0x50], LinkType::Ip).to_string(), "IP version 5, length 1");
    let unknown = [&[2; 12][..], &[0x88, 0xcc, 1, 2]].concat();
    assert_eq!(
        describe(&unknown, LinkType::Ethernet).to_string(),
        "02:02:02:02:02:02 > 02:02:02:02:02:02, ethertype 0x88cc, length 2"
    );
}
