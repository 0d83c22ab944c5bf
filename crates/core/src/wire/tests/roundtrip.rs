//! What is put in front is what is parsed, whatever the values.

use proptest::prelude::*;

use super::super::arp::{Arp, ArpOperation};
use super::super::ethernet::{Ethernet, MacAddr};
use super::super::icmpv4::{Icmpv4, UnreachableCode};
use super::super::icmpv6::{self, Icmpv6};
use super::super::ipv4::{Ipv4Header, Ipv4Options};
use super::super::ipv6::{Ipv6Fragment, Ipv6Header};
use super::super::ndp::{Ndp, PrefixInformation, RouterAdvertisement};
use super::super::tcp::{
    FastOpenCookie, FastOpenForm, Flags, Options, SackBlock, Segment, SeqNumber, Timestamps,
};
use super::super::udp::Udp;
use super::*;

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn unicast_v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits & !(0xff << 120) | 0xfd << 120))
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..100)
}

/// The addresses of a pseudo-header of either version.
fn pseudo(protocol: Protocol) -> impl Strategy<Value = PseudoHeader> {
    any::<(bool, u128, u128)>().prop_map(move |(is_v6, source, destination)| {
        PseudoHeader::new(any_ip(is_v6, source), any_ip(is_v6, destination), protocol, 0)
    })
}

fn clocks() -> impl Strategy<Value = Option<Timestamps>> {
    prop::option::of(any::<(u32, u32)>().prop_map(|(value, echo)| Timestamps { value, echo }))
}

fn options() -> impl Strategy<Value = Options> {
    let cookie = prop::sample::select(vec![0usize, 4, 6, 8, 10, 12, 14, 16])
        .prop_flat_map(|len| prop::collection::vec(any::<u8>(), len))
        .prop_map(|cookie| FastOpenCookie::new(&cookie).unwrap())
        // Sixteen bytes of the experiment's form do not fit beside everything else.
        .prop_flat_map(|cookie| {
            prop::sample::select(vec![FastOpenForm::Standard, FastOpenForm::Experimental]).prop_map(
                move |form| if cookie.as_slice().len() > 14 { cookie } else { cookie.in_form(form) },
            )
        });
    let syn = (
        prop::option::of(any::<u16>()),
        prop::option::of(any::<u8>()),
        any::<bool>(),
        clocks(),
        prop::option::of(cookie),
    )
        .prop_map(|(mss, window_scale, sack_permitted, timestamps, fast_open)| Options {
            mss,
            window_scale,
            sack_permitted,
            timestamps,
            fast_open,
            ..Options::default()
        });
    let data =
        (clocks(), prop::collection::vec(any::<(u32, u32)>(), 0..=3)).prop_map(|(timestamps, sack)| {
            let block = |(left, right)| SackBlock { left: SeqNumber(left), right: SeqNumber(right) };
            Options { timestamps, sack: sack.into_iter().map(block).collect(), ..Options::default() }
        });
    prop_oneof![syn, data]
}

proptest! {
    #[test]
    fn ethernet(destination in mac(), source in mac(), ethertype: u16, payload in payload()) {
        let ethernet = Ethernet { destination, source, ethertype: ethertype.into() };
        let mut headers = Headers::new();
        headers.push_front(&payload);
        ethernet.prepend(&mut headers);
        prop_assert_eq!(Ethernet::parse(headers.as_slice()), Ok((ethernet, &payload[..])));
        prop_assert_eq!(destination.to_string().parse(), Ok(destination));
    }

    #[test]
    fn arp(is_reply: bool, sender_mac in mac(), target_mac in mac(), ips: [u32; 2], padding in payload()) {
        let arp = Arp {
            operation: if is_reply { ArpOperation::Reply } else { ArpOperation::Request },
            sender_mac,
            sender_ip: Ipv4Addr::from_bits(ips[0]),
            target_mac,
            target_ip: Ipv4Addr::from_bits(ips[1]),
        };
        prop_assert_eq!(Arp::parse(&[&arp.emit()[..], &padding].concat()), Ok(arp));
    }

    #[test]
    fn cidr(is_v6: bool, bits: u128, prefix: u8) {
        let address = any_ip(is_v6, bits);
        if let Ok(cidr) = Cidr::new(address, prefix % 130) {
            prop_assert_eq!(cidr.to_string().parse(), Ok(cidr));
            prop_assert!(cidr.contains(address) && cidr.contains(cidr.network().address()));
            prop_assert!(cidr.broadcast().is_none_or(|broadcast| cidr.contains(broadcast.into())));
        }
    }

    #[test]
    fn ipv4(
        ips: [u32; 2], protocol: u8, ttl: u8, dscp in 0u8..64, ecn in 0u8..4, identification: u16,
        flags: [bool; 2], offset in 0u16..8192, options in prop::collection::vec(any::<u8>(), 0..=40),
        payload in payload(), padding in payload(),
    ) {
        let header = Ipv4Header {
            source: Ipv4Addr::from_bits(ips[0]),
            destination: Ipv4Addr::from_bits(ips[1]),
            protocol: protocol.into(),
            ttl,
            dscp,
            ecn,
            identification,
            dont_fragment: flags[0],
            more_fragments: flags[1],
            fragment_offset: offset * 8,
            payload_length: payload.len(),
            options: Ipv4Options::from_slice(&options),
        };
        let mut headers = Headers::new();
        header.prepend(&mut headers);
        prop_assert_eq!(headers.len(), header.header_len());
        let packet = [headers.as_slice(), &payload, &padding].concat();
        prop_assert_eq!(Ipv4Header::parse(&packet), Ok((header, &payload[..])));
        let cut = &packet[..headers.len() + payload.len() / 2];
        prop_assert_eq!(Ipv4Header::parse_quoted(cut), Ok((header, &payload[..payload.len() / 2])));
    }

    #[test]
    fn ipv6(
        ips: [u128; 2], hop_limit: u8, dscp in 0u8..64, ecn in 0u8..4, flow_label in 0u32..1 << 20,
        protocol in prop::sample::select(vec![1u8, 6, 17, 50, 58, 59, 200]),
        fragment in prop::option::of((1u16..4000, any::<bool>(), any::<u32>())),
        router_alert in prop::option::of(any::<u16>()),
        payload in prop::collection::vec(any::<[u8; 8]>(), 0..10), padding in payload(),
    ) {
        let payload = payload.concat();
        let extensions = [router_alert.is_some(), fragment.is_some()];
        let header = Ipv6Header {
            source: Ipv6Addr::from_bits(ips[0]),
            destination: Ipv6Addr::from_bits(ips[1]),
            protocol: protocol.into(),
            hop_limit,
            dscp,
            ecn,
            flow_label,
            fragment: fragment
                .map(|(offset, more, identification)| Ipv6Fragment { offset: offset * 8, more, identification }),
            router_alert,
            protocol_pointer: match extensions {
                [false, false] => 6,
                [true, true] => 48,
                _ => 40,
            },
            payload_length: payload.len(),
        };
        let mut headers = Headers::new();
        header.prepend(&mut headers);
        prop_assert_eq!(headers.len(), header.header_len());
        let packet = [headers.as_slice(), &payload, &padding].concat();
        prop_assert_eq!(Ipv6Header::parse(&packet), Ok((header, &payload[..])));
        let cut = &packet[..headers.len() + payload.len() / 2];
        prop_assert_eq!(Ipv6Header::parse_quoted(cut), Ok((header, &payload[..payload.len() / 2])));
    }

    #[test]
    fn udp(ports: [u16; 2], pseudo in pseudo(Protocol::Udp), payload in payload(), split: usize, padding in payload()) {
        let udp = Udp::new(ports[0], ports[1], payload.len());
        let (first, second) = payload.split_at(split % (payload.len() + 1));
        let mut headers = Headers::new();
        udp.prepend(&mut headers, &pseudo, [first, second], ChecksumEmit::Full);
        let datagram = [headers.as_slice(), &payload, &padding].concat();
        prop_assert_eq!(Udp::parse(&datagram, &pseudo, ChecksumCheck::Verify), Ok((udp, &payload[..])));
    }

    #[test]
    fn tcp(
        ports: [u16; 2], numbers: [u32; 2], flags in 0u16..512, window: u16, urgent: u16, options in options(),
        pseudo in pseudo(Protocol::Tcp), payload in payload(), split: usize,
    ) {
        let segment = Segment {
            source_port: ports[0],
            destination_port: ports[1],
            seq: SeqNumber(numbers[0]),
            ack: SeqNumber(numbers[1]),
            flags: Flags::from_bits(flags),
            window,
            urgent,
            options,
            length: payload.len() as u32,
        };
        let (first, second) = payload.split_at(split % (payload.len() + 1));
        let mut headers = Headers::new();
        segment.prepend(&mut headers, &pseudo, [first, second], ChecksumEmit::Full);
        prop_assert_eq!(headers.len(), segment.header_len());
        let bytes = [headers.as_slice(), &payload].concat();
        prop_assert_eq!(Segment::parse(&bytes, &pseudo, ChecksumCheck::Verify), Ok((segment, &payload[..])));
    }

    #[test]
    fn icmpv4(kind in 0u8..7, code: u8, fields: [u16; 2], data in payload()) {
        let [first, second] = fields;
        let icmp = match kind {
            0 => Icmpv4::EchoRequest { id: first, seq: second },
            1 => Icmpv4::EchoReply { id: first, seq: second },
            2 => {
                let code = UnreachableCode::from(code % 20);
                let mtu = if code == UnreachableCode::FragmentationNeeded { second } else { 0 };
                Icmpv4::Unreachable { code, mtu }
            }
            3 => Icmpv4::Redirect { code, gateway: V4[1] },
            4 => Icmpv4::TimeExceeded { code: code.into() },
            5 => Icmpv4::ParameterProblem { code, pointer: first as u8 },
            _ => Icmpv4::Other { kind: 13, code, rest: [1, 2, 3, 4] },
        };
        let mut headers = Headers::new();
        icmp.prepend(&mut headers, &data);
        let message = [headers.as_slice(), &data].concat();
        prop_assert_eq!(Icmpv4::parse(&message), Ok((icmp, &data[..])));
        prop_assert_eq!(icmp.is_error(), (2..=5).contains(&kind));
    }

    #[test]
    fn icmpv6(kind in 0u8..7, code: u8, fields: [u16; 2], word: u32, data in payload()) {
        let [id, seq] = fields;
        let icmp = match kind {
            0 => Icmpv6::EchoRequest { id, seq },
            1 => Icmpv6::EchoReply { id, seq },
            2 => Icmpv6::Unreachable { code: icmpv6::UnreachableCode::from(code) },
            3 => Icmpv6::PacketTooBig { mtu: word },
            4 => Icmpv6::TimeExceeded { code: code.into() },
            5 => Icmpv6::ParameterProblem { code, pointer: word },
            _ => Icmpv6::Other { kind: 200, code, rest: [1, 2, 3, 4] },
        };
        let pseudo = pseudo_v6(Protocol::Icmpv6);
        let mut headers = Headers::new();
        icmp.prepend(&mut headers, &pseudo, &data);
        let message = [headers.as_slice(), &data].concat();
        prop_assert_eq!(Icmpv6::parse(&message, &pseudo), Ok((icmp, &data[..])));
        prop_assert_eq!(icmp.is_error(), (2..=5).contains(&kind));
    }

    #[test]
    fn ndp(
        kind in 0u8..5, target in unicast_v6(), link in prop::option::of(mac()), flags: [bool; 3],
        numbers: [u32; 3], mtu in prop::option::of(any::<u32>()),
        prefixes in prop::collection::vec((any::<u128>(), 0u8..=128, any::<[bool; 2]>(), any::<[u32; 2]>()), 0..=4),
    ) {
        let prefix = |(prefix, length, on, lifetimes): (u128, u8, [bool; 2], [u32; 2])| PrefixInformation {
            prefix: Ipv6Addr::from_bits(prefix),
            length,
            is_on_link: on[0],
            is_autonomous: on[1],
            valid_lifetime: lifetimes[0],
            preferred_lifetime: lifetimes[1],
        };
        let [router, solicited, override_] = flags;
        let ndp = match kind {
            0 => Ndp::RouterSolicitation { source_link: link },
            1 => Ndp::RouterAdvertisement(RouterAdvertisement {
                hop_limit: numbers[0] as u8,
                is_managed: router,
                has_other_config: solicited,
                lifetime: numbers[0] as u16,
                reachable_millis: numbers[1],
                retransmit_millis: numbers[2],
                source_link: link,
                mtu,
                prefixes: prefixes.into_iter().map(prefix).collect(),
            }),
            2 => Ndp::NeighborSolicitation { target, source_link: link },
            3 => Ndp::NeighborAdvertisement { router, solicited, override_, target, target_link: link },
            _ => Ndp::Redirect { target, destination: target, target_link: link },
        };
        let header = Ipv6Header {
            hop_limit: 255,
            payload_length: ndp.message_len(),
            ..Ipv6Header::new("fe80::1".parse().unwrap(), V6[1], Protocol::Icmpv6)
        };
        let mut headers = Headers::new();
        ndp.prepend(&mut headers, header.source, header.destination);
        prop_assert_eq!(headers.len(), ndp.message_len());
        prop_assert_eq!(Ndp::parse(headers.as_slice(), &header), Ok(ndp));
        // With the headers to come there is room still.
        header.prepend(&mut headers);
        prop_assert!(headers.room() >= Ethernet::LEN);
    }
}
