//! Bytes of no protocol: every parser returns, and what it returns lies within what it was given.

use proptest::prelude::*;

use super::super::ipv4::{Ipv4Header, Ipv4Options};
use super::super::ipv6::Ipv6Header;
use super::super::quote::Quote;
use super::super::{arp, ethernet, icmpv4, icmpv6, mld, ndp, tcp, udp};
use super::*;

/// Runs every parser over `bytes`.
fn parse_all(bytes: &[u8]) {
    let within = |payload: &[u8]| assert!(payload.len() <= bytes.len());
    let _ = ethernet::Ethernet::parse(bytes).map(|(_, payload)| within(payload));
    let _ = arp::Arp::parse(bytes);
    for parse in [Ipv4Header::parse, Ipv4Header::parse_quoted] {
        if let Ok((header, payload)) = parse(bytes) {
            within(payload);
            let _ = (header.options.copied(), header.options.has_source_route(), header.pseudo().sum());
        }
    }
    for parse in [Ipv6Header::parse, Ipv6Header::parse_quoted] {
        if let Ok((header, payload)) = parse(bytes) {
            within(payload);
            let _ = header.parse_reassembled(payload).map(|(_, payload)| within(payload));
        }
    }
    for (pseudo, hop_limit) in [(pseudo_v4(Protocol::Tcp), 255), (pseudo_v6(Protocol::Tcp), 1)] {
        for check in [ChecksumCheck::Verify, ChecksumCheck::Trust] {
            if let Ok((segment, payload)) = tcp::Segment::parse(bytes, &pseudo, check) {
                assert_eq!(segment.length as usize, payload.len());
                let _ = (segment.to_string(), segment.end(), segment.header_len());
            }
            let _ = udp::Udp::parse(bytes, &pseudo, check).map(|(_, payload)| within(payload));
        }
        let _ = icmpv6::Icmpv6::parse(bytes, &pseudo).map(|(icmp, _)| icmp.to_string());
        let header = Ipv6Header { hop_limit, ..Ipv6Header::new(V6[0], V6[1], Protocol::Icmpv6) };
        let _ = ndp::Ndp::parse(bytes, &header).map(|ndp| ndp.to_string());
        let _ = mld::MldQuery::parse(bytes, &header);
    }
    let _ = icmpv4::Icmpv4::parse(bytes).map(|(icmp, _)| icmp.to_string());
    let _ = (Quote::parse_v4(bytes), Quote::parse_v6(bytes));
    let _ = Ipv4Options::from_slice(bytes).copied();
    for link in [LinkType::Ethernet, LinkType::Ip] {
        assert!(!describe(bytes, link).to_string().is_empty());
    }
}

/// Fixes the checksum of an ICMPv6 message between the test addresses, so that parsing goes on behind it.
fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
        let length = u32::try_from(message.len()).unwrap();
        let mut sum = pseudo_v6(Protocol::Icmpv6).with_length(length).checksum();
        sum.add(&message);
        message[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_all(&bytes);
    }

    #[test]
    fn nor_do_bytes_that_begin_well(
        first in prop::sample::select(vec![0x45u8, 0x46, 0x4f, 0x60]),
        next in prop::sample::select(vec![0u8, 1, 2, 6, 17, 43, 44, 58, 59, 60]),
        mut bytes in prop::collection::vec(any::<u8>(), 40..160),
        small in any::<bool>(),
    ) {
        bytes[0] = first;
        let len = u16::try_from(bytes.len()).unwrap();
        if first == 0x60 {
            bytes[4..6].copy_from_slice(&(len - 40).to_be_bytes());
            bytes[6] = next;
            // Small numbers make long chains of extension headers.
            if small {
                bytes[40..].iter_mut().for_each(|byte| *byte %= 61);
            }
        } else {
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            bytes[9] = next;
            bytes[10..12].fill(0);
            let header = usize::from(first & 15) * 4;
            if let Some(sum) = bytes.get(..header).map(checksum::sum) {
                bytes[10..12].copy_from_slice(&(!sum).to_be_bytes());
            }
        }
        parse_all(&bytes);
    }

    #[test]
    fn nor_does_neighbour_discovery_with_a_right_checksum(
        kind in 130u8..=143,
        rest in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(3), Just(4), Just(5), any::<u8>()], 7..100),
    ) {
        let mut message = vec![kind, 0];
        message.extend(&rest[1..]);
        let message = sealed(message);
        for source in [V6[0], "fe80::1".parse().unwrap()] {
            let header = Ipv6Header {
                hop_limit: 255,
                payload_length: message.len(),
                ..Ipv6Header::new(source, V6[1], Protocol::Icmpv6)
            };
            if let Ok(ndp) = ndp::Ndp::parse(&message, &header) {
                // Whatever was understood can be said again.
                let mut headers = Headers::new();
                ndp.prepend(&mut headers, header.source, header.destination);
                prop_assert_eq!(headers.len(), ndp.message_len());
                let again = Ipv6Header { payload_length: ndp.message_len(), ..header };
                prop_assert_eq!(ndp::Ndp::parse(headers.as_slice(), &again), Ok(ndp));
            }
        }
    }
}
