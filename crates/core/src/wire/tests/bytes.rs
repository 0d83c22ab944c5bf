//! Known bytes, computed by other means than this crate's, and hostile ones made by hand.

use super::super::error::{Ipv6Problem, Report};
use super::super::icmpv4::{Icmpv4, TimeExceededCode, UnreachableCode};
use super::super::icmpv6::Icmpv6;
use super::super::ipv4::{Ipv4Header, Ipv4Options};
use super::super::ipv6::{Ipv6Fragment, Ipv6Header};
use super::super::ndp::Ndp;
use super::super::quote::Quote;
use super::super::tcp::{Flags, Options, Segment, SeqNumber, Timestamps};
use super::super::udp::Udp;
use super::super::{ethernet::MacAddr, mld};
use super::*;

const SYN_V4: &str = "c3501e6c0102030400000000a002faf053490000020405b40402080a000000010000000001030307";
const SYN_V6: &str = "c3501e6c0102030400000000a002faf06d470000020405b40402080a000000010000000001030307";

fn syn() -> Segment {
    Segment {
        source_port: 50000,
        destination_port: 7788,
        seq: SeqNumber(0x0102_0304),
        ack: SeqNumber(0),
        flags: Flags::SYN,
        window: 64240,
        urgent: 0,
        options: Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 1, echo: 0 }),
            ..Options::default()
        },
        length: 0,
    }
}

#[test]
fn a_syn_as_linux_sends_it() {
    for (bytes, pseudo) in [(SYN_V4, pseudo_v4(Protocol::Tcp)), (SYN_V6, pseudo_v6(Protocol::Tcp))] {
        let bytes = hex(bytes);
        assert_eq!(Segment::parse(&bytes, &pseudo, ChecksumCheck::Verify), Ok((syn(), &[][..])));
        let mut headers = Headers::new();
        syn().prepend(&mut headers, &pseudo, [&[], &[]], ChecksumEmit::Full);
        assert_eq!(headers.as_slice(), bytes);
    }
    assert_eq!(
        syn().to_string(),
        "Flags [S], seq 16909060, win 64240, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0"
    );
    assert_eq!((syn().sequence_length(), syn().header_len()), (1, 40));
}

#[test]
fn any_flipped_bit_of_a_segment_is_noticed() {
    let good = hex(SYN_V4);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let parsed = Segment::parse(&bad, &pseudo_v4(Protocol::Tcp), ChecksumCheck::Verify);
        assert!(parsed.is_err(), "bit {bit}");
    }
}

#[test]
fn offload_leaves_the_sum_of_the_pseudo_header() {
    let mut headers = Headers::new();
    let pseudo = pseudo_v4(Protocol::Tcp);
    syn().prepend(&mut headers, &pseudo, [b"abc", b"de"], ChecksumEmit::PseudoOnly);
    let field = u16::from_be_bytes([headers.as_slice()[16], headers.as_slice()[17]]);
    assert_eq!(field, pseudo.with_length(45).sum());
    // What the device then does: sum from the header on, the field included, and complement.
    let mut all = [headers.as_slice(), b"abcde"].concat();
    let sum = !checksum::sum(&all);
    all[16..18].copy_from_slice(&sum.to_be_bytes());
    assert!(Segment::parse(&all, &pseudo, ChecksumCheck::Verify).is_ok());
}

#[test]
fn a_segment_header_shorter_than_five_words_is_refused() {
    let mut bytes = hex(SYN_V4);
    bytes[12] = 0x40;
    assert_eq!(
        Segment::parse(&bytes, &pseudo_v4(Protocol::Tcp), ChecksumCheck::Trust),
        Err(WireError::BadLength { what: "TCP header length", length: 16 })
    );
}

#[test]
fn sequence_numbers_wrap() {
    let (old, new) = (SeqNumber(u32::MAX - 1), SeqNumber(3));
    assert!(old.is_before(new) && new.is_after(old) && old.at_or_before(new) && new.at_or_after(old));
    assert!(!new.is_before(old) && old.at_or_before(old) && !old.is_before(old));
    assert_eq!((new - old, old + 5, new - 5), (5, new, old));
    assert_eq!((old.max(new), old.min(new)), (new, old));
    assert!(SeqNumber(2).in_window(old, 5) && !SeqNumber(3).in_window(old, 5) && !old.in_window(old, 0));
}

#[test]
fn udp_with_and_without_checksum() {
    for (bytes, pseudo) in [
        ("13880035000d944268656c6c6f", pseudo_v4(Protocol::Udp)),
        ("13880035000dae4068656c6c6f", pseudo_v6(Protocol::Udp)),
    ] {
        let bytes = hex(bytes);
        let udp = Udp::new(5000, 53, 5);
        assert_eq!(Udp::parse(&bytes, &pseudo, ChecksumCheck::Verify), Ok((udp, &b"hello"[..])));
        let mut headers = Headers::new();
        udp.prepend(&mut headers, &pseudo, [b"h", b"ello"], ChecksumEmit::Full);
        assert_eq!(headers.as_slice(), &bytes[..8]);
    }
    let none = hex("13880035000d000068656c6c6f");
    assert!(Udp::parse(&none, &pseudo_v4(Protocol::Udp), ChecksumCheck::Verify).is_ok());
    assert_eq!(
        Udp::parse(&none, &pseudo_v6(Protocol::Udp), ChecksumCheck::Verify),
        Err(WireError::NoChecksum { what: "UDP over IPv6" })
    );
}

#[test]
fn a_udp_checksum_that_comes_out_as_zero_is_sent_as_ones() {
    // Choose the payload so that everything sums to 0xffff.
    let pseudo = pseudo_v4(Protocol::Udp);
    let udp = Udp::new(0, 0, 2);
    let mut headers = Headers::new();
    udp.prepend(&mut headers, &pseudo, [&[0, 0], &[]], ChecksumEmit::Full);
    let payload = [headers.as_slice()[6], headers.as_slice()[7]];
    headers.clear();
    udp.prepend(&mut headers, &pseudo, [&payload, &[]], ChecksumEmit::Full);
    assert_eq!(headers.as_slice()[6..8], [0xff, 0xff]);
    let datagram = [headers.as_slice(), &payload].concat();
    assert!(Udp::parse(&datagram, &pseudo, ChecksumCheck::Verify).is_ok());
}

#[test]
fn a_udp_length_below_the_header_or_beyond_the_bytes_is_refused() {
    let pseudo = pseudo_v4(Protocol::Udp);
    let parse = |bytes: &str| Udp::parse(&hex(bytes), &pseudo, ChecksumCheck::Trust).map(|(udp, _)| udp);
    assert_eq!(parse("1388003500070000ff"), Err(WireError::BadLength { what: "UDP length", length: 7 }));
    let truncated = WireError::Truncated { what: "UDP datagram", needed: 10, got: 9 };
    assert_eq!(parse("13880035000a0000ff"), Err(truncated));
    // What lies behind the length is not the datagram's.
    let longer = hex("1388003500090000ffeeee");
    assert_eq!(Udp::parse(&longer, &pseudo, ChecksumCheck::Trust).unwrap().1, [0xff]);
}

#[test]
fn ipv4_with_options_and_padding_behind() {
    let header = hex("46b900251234400040117ed40a0000010a00000294040000");
    let packet = [&header[..], &[7; 13], &[0; 9]].concat();
    let (parsed, payload) = Ipv4Header::parse(&packet).unwrap();
    assert_eq!(payload, [7; 13]);
    assert_eq!((parsed.dscp, parsed.ecn, parsed.identification), (46, 1, 0x1234));
    assert!(parsed.dont_fragment && !parsed.is_fragment() && parsed.options.has_router_alert());
    let mut headers = Headers::new();
    parsed.prepend(&mut headers);
    assert_eq!(headers.as_slice(), header);
}

#[test]
fn ipv4_length_fields_that_contradict_each_other() {
    let good = hex("46b900251234400040117ed40a0000010a00000294040000");
    let with = |at: usize, byte: u8| {
        let mut packet = [&good[..], &[0; 13]].concat();
        packet[at] = byte;
        Ipv4Header::parse(&packet).unwrap_err()
    };
    assert_eq!(with(0, 0x66), WireError::BadVersion { what: "IP version", version: 6 });
    assert_eq!(with(0, 0x44), WireError::BadLength { what: "IPv4 header length", length: 16 });
    assert_eq!(with(0, 0x4a), WireError::BadLength { what: "IPv4 total length", length: 37 });
    assert_eq!(with(3, 20), WireError::BadLength { what: "IPv4 total length", length: 20 });
    assert_eq!(with(3, 38), WireError::Truncated { what: "IPv4 packet", needed: 38, got: 37 });
    assert_eq!(with(8, 63), WireError::BadChecksum { what: "IPv4 header" });
}

#[test]
fn ttl_goes_down_and_the_checksum_with_it() {
    let mut packet = hex("46b900251234400040117ed40a0000010a00000294040000");
    packet.extend([0; 13]);
    for left in (0..64).rev() {
        assert_eq!(Ipv4Header::decrement_ttl(&mut packet), Some(left));
        assert_eq!(Ipv4Header::parse(&packet).unwrap().0.ttl, left);
    }
    assert_eq!(Ipv4Header::decrement_ttl(&mut packet), None);
    assert_eq!(Ipv4Header::decrement_ttl(&mut packet[..19]), None);
}

#[test]
fn ipv4_options_that_fragments_carry_too() {
    // No-operation, record route (not copied), router alert (copied).
    let options = Ipv4Options::from_slice(&[1, 7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0]);
    assert_eq!(options.copied(), Ipv4Options::ROUTER_ALERT);
    assert!(!options.has_source_route());
    // A length that runs past the end, or is below two, ends the walk.
    for bad in [[148, 9, 0, 0], [148, 0, 0, 0], [148, 1, 0, 0]] {
        assert_eq!(Ipv4Options::from_slice(&bad).iter().count(), 0);
    }
    assert_eq!(Ipv4Options::from_slice(&[1; 60]).as_slice().len(), 40);
}

#[test]
fn echo_requests() {
    let v4 = hex("080019270007000170696e67");
    assert_eq!(Icmpv4::parse(&v4), Ok((Icmpv4::EchoRequest { id: 7, seq: 1 }, &b"ping"[..])));
    let v6 = hex("8000a6db0007000170696e67");
    let pseudo = pseudo_v6(Protocol::Icmpv6);
    assert_eq!(Icmpv6::parse(&v6, &pseudo), Ok((Icmpv6::EchoRequest { id: 7, seq: 1 }, &b"ping"[..])));
    assert_eq!(Icmpv4::parse(&v6), Err(WireError::BadChecksum { what: "ICMP" }));
    assert_eq!(Icmpv6::parse(&v4, &pseudo), Err(WireError::BadChecksum { what: "ICMPv6" }));
}

#[test]
fn an_error_names_the_segment_it_is_about() {
    let header = Ipv4Header { payload_length: 40, ..Ipv4Header::new(V4[0], V4[1], Protocol::Tcp) };
    let mut quoted = Headers::new();
    quoted.push_front(&hex(SYN_V4)[..8]);
    header.prepend(&mut quoted);
    let error = Icmpv4::Unreachable { code: UnreachableCode::FragmentationNeeded, mtu: 1280 };
    let mut headers = Headers::new();
    error.prepend(&mut headers, quoted.as_slice());
    let message = [headers.as_slice(), quoted.as_slice()].concat();
    let (parsed, data) = Icmpv4::parse(&message).unwrap();
    assert_eq!(parsed, error);
    let quote = Quote::parse_v4(data).unwrap();
    assert_eq!((quote.source, quote.destination), (V4[0].into(), V4[1].into()));
    assert_eq!((quote.source_port, quote.destination_port), (Some(50000), Some(7788)));
    assert_eq!(quote.seq, Some(SeqNumber(0x0102_0304)));
}

#[test]
fn a_later_fragment_quoted_has_no_ports() {
    let header =
        Ipv4Header { payload_length: 40, fragment_offset: 8, ..Ipv4Header::new(V4[0], V4[1], Protocol::Udp) };
    let mut headers = Headers::new();
    headers.push_front(&[1; 8]);
    header.prepend(&mut headers);
    assert_eq!(Quote::parse_v4(headers.as_slice()).unwrap().source_port, None);
}

#[test]
fn a_quote_behind_ipv6_extension_headers() {
    let mut packet = v6_packet(60, &[&[58, 0, 1, 4, 0, 0, 0, 0][..], &[128, 0, 0, 0, 0, 9, 0, 1]].concat());
    packet[5] = 200; // the quoted packet was longer
    let quote = Quote::parse_v6(&packet).unwrap();
    assert_eq!((quote.protocol, quote.echo_id), (Protocol::Icmpv6, Some(9)));
    let (header, payload) = Ipv6Header::parse_quoted(&packet).unwrap();
    assert_eq!((header.payload_length, payload.len()), (192, 8));
}

#[test]
fn a_neighbour_solicitation_and_what_makes_it_invalid() {
    let bytes = hex("87007a9700000000fe8000000000000000000000000000020101020000000001");
    let target = "fe80::2".parse().unwrap();
    let header = Ipv6Header {
        hop_limit: 255,
        payload_length: bytes.len(),
        ..Ipv6Header::new("fe80::1".parse().unwrap(), Ipv6Header::solicited_node(target), Protocol::Icmpv6)
    };
    let source_link = Some(MacAddr([2, 0, 0, 0, 0, 1]));
    let solicitation = Ndp::NeighborSolicitation { target, source_link };
    assert_eq!(Ndp::parse(&bytes, &header), Ok(solicitation));
    let mut headers = Headers::new();
    solicitation.prepend(&mut headers, header.source, header.destination);
    assert_eq!(headers.as_slice(), bytes);

    let routed = Ipv6Header { hop_limit: 254, ..header };
    let error = WireError::BadValue { what: "hop limit of neighbour discovery", value: 254 };
    assert_eq!(Ndp::parse(&bytes, &routed), Err(error));
    let mut zero = bytes.clone();
    zero[25] = 0; // the option's length
    zero[3] = zero[3].wrapping_add(1);
    let error = WireError::BadOption { what: "neighbour discovery", kind: 1 };
    assert_eq!(Ndp::parse(&zero, &header), Err(error));
    let unspecified = Ipv6Addr::UNSPECIFIED;
    headers.clear();
    solicitation.prepend(&mut headers, unspecified, header.destination);
    let parsed = Ndp::parse(headers.as_slice(), &Ipv6Header { source: unspecified, ..header });
    let what = "source link address of an unspecified source";
    assert_eq!(parsed, Err(WireError::BadValue { what, value: 0 }));
}

#[test]
fn duplicate_address_detection_is_a_valid_solicitation() {
    let target = "fe80::2".parse().unwrap();
    let probe = Ndp::NeighborSolicitation { target, source_link: None };
    let header = Ipv6Header {
        hop_limit: 255,
        payload_length: probe.message_len(),
        ..Ipv6Header::new(Ipv6Addr::UNSPECIFIED, Ipv6Header::solicited_node(target), Protocol::Icmpv6)
    };
    let mut headers = Headers::new();
    probe.prepend(&mut headers, header.source, header.destination);
    assert_eq!(Ndp::parse(headers.as_slice(), &header), Ok(probe));
}

#[test]
fn a_listener_report_is_summed_and_a_large_delay_unfolded() {
    let group = "ff02::1:ff00:2".parse().unwrap();
    let source = "fe80::2".parse().unwrap();
    let records = [(mld::MldRecord::Join, group), (mld::MldRecord::Leave, group)];
    let mut headers = Headers::new();
    mld::MldReport::prepend(&mut headers, source, &records);
    assert_eq!(headers.len(), mld::MldReport::message_len(2));
    assert_eq!(headers.as_slice()[7..9], [2, 4]);
    assert_eq!(headers.as_slice()[28], 3);
    let destination = mld::MldReport::DESTINATION;
    let pseudo = PseudoHeader::new(source.into(), destination.into(), Protocol::Icmpv6, 0);
    assert!(Icmpv6::parse(headers.as_slice(), &pseudo).is_ok());

    let header = Ipv6Header {
        hop_limit: 1,
        payload_length: 28,
        ..Ipv6Header::new(source, "ff02::1".parse().unwrap(), Protocol::Icmpv6)
    };
    let mut query = [0; 28];
    query[0] = 130;
    query[4..6].copy_from_slice(&0x9001u16.to_be_bytes());
    let mut sum = header.pseudo().checksum();
    sum.add(&query);
    query[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    // Mantissa 0x001, exponent 1: 0x1001 shifted left by four.
    assert_eq!(mld::MldQuery::parse(&query, &header).unwrap().max_response_millis, 0x10010);
    let far = Ipv6Header { hop_limit: 2, ..header };
    assert!(matches!(mld::MldQuery::parse(&query, &far), Err(WireError::BadValue { value: 2, .. })));
}

#[test]
fn ipv6_extension_headers_are_walked_to_the_protocol_above() {
    let chain = [
        &[60, 0, 5, 2, 0, 0, 1, 0][..],         // hop-by-hop: router alert, PadN
        &[43, 1, 0, 0, 0, 0, 1, 8],             // destination options: pads
        &[0; 8],                                //   (the second half of them)
        &[17, 0, 3, 0, 0, 0, 0, 0],             // routing with no segments left
        &[0x13, 0x88, 0, 53, 0, 9, 0, 0, 0xaa], // UDP
    ]
    .concat();
    let packet = v6_packet(0, &chain);
    let (header, payload) = Ipv6Header::parse(&packet).unwrap();
    assert_eq!((header.protocol, header.router_alert, header.fragment), (Protocol::Udp, Some(0), None));
    assert_eq!((header.protocol_pointer, header.payload_length), (64, 9));
    assert_eq!(payload, &chain[32..]);
}

fn problem(next: u8, payload: &[u8]) -> Ipv6Problem {
    match Ipv6Header::parse(&v6_packet(next, payload)) {
        Err(WireError::Ipv6(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_ipv6_options_are_treated_as_their_type_says() {
    let options = |kind: u8| [59, 0, 1, 0, kind, 2, 0, 0];
    assert!(Ipv6Header::parse(&v6_packet(0, &options(0x1e))).is_ok());
    for (kind, report) in [(0x5e, Report::Never), (0x9e, Report::Always), (0xde, Report::Unicast)] {
        let expected = Ipv6Problem { what: "IPv6 option", value: kind, code: 2, pointer: 44, report };
        assert_eq!(problem(0, &options(kind)), expected);
        assert_eq!(problem(60, &options(kind)), expected);
    }
    let overlong = v6_packet(60, &[59, 0, 1, 0, 0x1e, 9, 0, 0]);
    assert_eq!(Ipv6Header::parse(&overlong), Err(WireError::BadOption { what: "IPv6", kind: 0x1e }));
}

#[test]
fn source_routing_and_misplaced_hop_by_hop_are_refused() {
    let routing = problem(43, &[59, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!((routing.code, routing.pointer, routing.value), (0, 42, 0));
    let misplaced = problem(60, &[0, 0, 1, 4, 0, 0, 0, 0]);
    assert_eq!((misplaced.code, misplaced.pointer, misplaced.value), (1, 40, 0));
    assert_eq!(misplaced.report, Report::Unicast);
}

#[test]
fn a_chain_without_end_is_refused() {
    let mut chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    let error = WireError::BadLength { what: "IPv6 extension header chain", length: 40 + 64 };
    assert_eq!(Ipv6Header::parse(&v6_packet(60, &chain)), Err(error));
    chain.truncate(64);
    chain[56] = 59;
    assert!(Ipv6Header::parse(&v6_packet(60, &chain)).is_ok());
}

#[test]
fn fragments_end_the_walk_unless_they_are_whole() {
    let piece = [&[60, 0, 0, 1, 0, 0, 0, 5][..], &[17, 0, 1, 4, 0, 0, 0, 0]].concat();
    let packet = v6_packet(44, &piece);
    let (header, payload) = Ipv6Header::parse(&packet).unwrap();
    assert_eq!(header.fragment, Some(Ipv6Fragment { offset: 0, more: true, identification: 5 }));
    assert_eq!((header.protocol, payload), (Protocol::Other(60), &piece[8..]));
    let whole = [payload, b"tail"].concat();
    let (header, payload) = header.parse_reassembled(&whole).unwrap();
    assert_eq!((header.protocol, header.fragment, payload), (Protocol::Udp, None, &b"tail"[..]));
    assert_eq!(header.protocol_pointer, 48);

    let mut atomic = packet;
    atomic[43] = 0;
    let (header, payload) = Ipv6Header::parse(&atomic).unwrap();
    assert_eq!((header.protocol, header.fragment, payload), (Protocol::Udp, None, &[][..]));
}

#[test]
fn impossible_fragments_point_to_their_fault() {
    let odd = problem(44, &[17, 0, 0, 1, 0, 0, 0, 5, 1, 2, 3]);
    assert_eq!((odd.code, odd.pointer), (0, 4));
    let beyond = problem(44, &[17, 0, 0xff, 0xf8, 0, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((beyond.code, beyond.pointer), (0, 42));
}

#[test]
fn time_exceeded_codes_keep_their_numbers() {
    for code in 0..=255 {
        assert_eq!(u8::from(TimeExceededCode::from(code)), code);
        assert_eq!(u8::from(UnreachableCode::from(code)), code);
        assert_eq!(u8::from(icmpv6::UnreachableCode::from(code)), code);
    }
}

#[test]
fn hardware_addresses_in_text() {
    assert_eq!("2:0:0:0:0:a".parse(), Ok(MacAddr([2, 0, 0, 0, 0, 10])));
    assert_eq!("02-00-00-00-00-0A".parse(), Ok(MacAddr([2, 0, 0, 0, 0, 10])));
    for bad in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "02:00:00:00:00:0g",
        "02:00:00:00:00:+1",
        "020:0:0:0:0:1",
    ] {
        assert!(bad.parse::<MacAddr>().is_err(), "{bad}");
    }
    assert_eq!(MacAddr::multicast_v4("239.129.2.3".parse().unwrap()).to_string(), "01:00:5e:01:02:03");
    assert_eq!(MacAddr::multicast_v6("ff02::1:ff00:2".parse().unwrap()).to_string(), "33:33:ff:00:00:02");
    assert_eq!(
        MacAddr([0, 0x25, 0x96, 0x12, 0x34, 0x56]).interface_id(),
        [2, 0x25, 0x96, 0xff, 0xfe, 0x12, 0x34, 0x56]
    );
    assert!(MacAddr::BROADCAST.is_multicast() && !MacAddr::UNSPECIFIED.is_unicast());
}

#[test]
fn arp_of_other_networks_is_refused() {
    let good = hex("0001080006040001 020000000001 0a000001 000000000000 0a000002");
    let with = |at: usize, byte: u8| {
        let mut packet = good.clone();
        packet[at] = byte;
        arp::Arp::parse(&packet).unwrap_err()
    };
    assert!(arp::Arp::parse(&good).is_ok());
    assert_eq!(with(1, 6), WireError::BadVersion { what: "ARP hardware type", version: 6 });
    assert_eq!(with(2, 0x86), WireError::BadVersion { what: "ARP protocol type", version: 0x8600 });
    assert_eq!(with(4, 8), WireError::BadLength { what: "ARP hardware address", length: 8 });
    assert_eq!(with(5, 16), WireError::BadLength { what: "ARP protocol address", length: 16 });
    assert_eq!(with(7, 3), WireError::BadValue { what: "ARP operation", value: 3 });
}
