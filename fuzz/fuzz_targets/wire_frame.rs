//! Every parser on any bytes: none panics, none returns more than it was given, and what one understood it can write
//! so that it is understood the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_core::wire::{
    ChecksumCheck, ChecksumEmit, Headers, LinkType, Protocol, PseudoHeader,
    arp::Arp,
    checksum, describe,
    ethernet::{EtherType, Ethernet},
    icmpv4::Icmpv4,
    icmpv6::Icmpv6,
    ipv4::Ipv4Header,
    ipv6::Ipv6Header,
    mld::MldQuery,
    ndp::Ndp,
    quote::Quote,
    tcp::Segment,
    udp::Udp,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = describe(bytes, LinkType::Ip).to_string();
    let _ = describe(bytes, LinkType::Ethernet).to_string();
    frame(bytes);
    // The same with right checksums, which a fuzzer would hardly find.
    let mut repaired = bytes.to_vec();
    repair(&mut repaired);
    let _ = describe(&repaired, LinkType::Ethernet).to_string();
    frame(&repaired);
});

fn frame(bytes: &[u8]) {
    let Ok((ethernet, payload)) = Ethernet::parse(bytes) else { return };
    let mut headers = Headers::new();
    ethernet.prepend(&mut headers);
    assert_eq!([headers.as_slice(), payload].concat(), bytes);
    match ethernet.ethertype {
        EtherType::Arp => {
            if let Ok(arp) = Arp::parse(payload) {
                assert_eq!(arp.emit(), payload[..Arp::LEN]);
            }
        }
        EtherType::Ipv4 => ipv4(payload),
        EtherType::Ipv6 => ipv6(payload),
        EtherType::Other(_) => {
            // Bytes of no IP are segments and messages all the same.
            let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
            for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Icmpv6] {
                let header = Ipv6Header {
                    hop_limit: 255,
                    payload_length: payload.len(),
                    ..Ipv6Header::new(a, b, protocol)
                };
                upper(&header.pseudo(), payload);
                let _ = (Ndp::parse(payload, &header), MldQuery::parse(payload, &header));
            }
        }
    }
}

fn ipv4(packet: &[u8]) {
    let _ = Quote::parse_v4(packet);
    let Ok((header, payload)) = Ipv4Header::parse(packet) else { return };
    assert_eq!(payload.len(), header.payload_length);
    let mut headers = Headers::new();
    header.prepend(&mut headers);
    let again = [headers.as_slice(), payload].concat();
    assert_eq!(Ipv4Header::parse(&again), Ok((header, payload)));
    assert!(header.options.copied().as_slice().len() <= header.options.as_slice().len());
    if header.protocol == Protocol::Icmp
        && let Ok((icmp, data)) = Icmpv4::parse(payload)
    {
        let mut headers = Headers::new();
        icmp.prepend(&mut headers, data);
        assert_eq!(Icmpv4::parse(&[headers.as_slice(), data].concat()), Ok((icmp, data)));
        let _ = Quote::parse_v4(data);
    }
    upper(&header.pseudo(), payload);
    let mut hop = packet.to_vec();
    if let Some(left) = Ipv4Header::decrement_ttl(&mut hop) {
        assert_eq!(Ipv4Header::parse(&hop).unwrap().0.ttl, left);
    }
}

fn ipv6(packet: &[u8]) {
    let _ = Quote::parse_v6(packet);
    let Ok((header, payload)) = Ipv6Header::parse(packet) else { return };
    assert_eq!(payload.len(), header.payload_length);
    let mut headers = Headers::new();
    header.prepend(&mut headers);
    let again = [headers.as_slice(), payload].concat();
    let (parsed, same) = Ipv6Header::parse(&again).unwrap();
    // Padding and options without effect are not written again, so the protocol is named elsewhere.
    let protocol_pointer = parsed.protocol_pointer;
    assert_eq!((parsed, same), (Ipv6Header { protocol_pointer, ..header }, payload));
    if header.fragment.is_some() {
        let _ = header.parse_reassembled(payload);
    }
    if header.protocol == Protocol::Icmpv6 {
        if let Ok((icmp, data)) = Icmpv6::parse(payload, &header.pseudo()) {
            let mut headers = Headers::new();
            icmp.prepend(&mut headers, &header.pseudo(), data);
            let again = [headers.as_slice(), data].concat();
            assert_eq!(Icmpv6::parse(&again, &header.pseudo()), Ok((icmp, data)));
            let _ = Quote::parse_v6(data);
        }
        if let Ok(ndp) = Ndp::parse(payload, &header) {
            let mut headers = Headers::new();
            ndp.prepend(&mut headers, header.source, header.destination);
            let again = Ipv6Header { payload_length: ndp.message_len(), ..header };
            assert_eq!(Ndp::parse(headers.as_slice(), &again), Ok(ndp));
        }
        let _ = MldQuery::parse(payload, &header);
    }
    upper(&header.pseudo(), payload);
}

fn upper(pseudo: &PseudoHeader, bytes: &[u8]) {
    for check in [ChecksumCheck::Verify, ChecksumCheck::Trust] {
        if pseudo.protocol == Protocol::Tcp
            && let Ok((segment, payload)) = Segment::parse(bytes, pseudo, check)
        {
            let mut headers = Headers::new();
            segment.prepend(&mut headers, pseudo, [payload, &[]], ChecksumEmit::Full);
            assert_eq!(headers.len(), segment.header_len());
            let again = [headers.as_slice(), payload].concat();
            let (parsed, same) = Segment::parse(&again, pseudo, ChecksumCheck::Verify).unwrap();
            assert_eq!((parsed.seq, parsed.ack, parsed.flags), (segment.seq, segment.ack, segment.flags));
            assert_eq!(same, payload);
        }
        if pseudo.protocol == Protocol::Udp
            && let Ok((udp, payload)) = Udp::parse(bytes, pseudo, check)
        {
            let mut headers = Headers::new();
            udp.prepend(&mut headers, pseudo, [payload, &[]], ChecksumEmit::Full);
            let again = [headers.as_slice(), payload].concat();
            assert_eq!(Udp::parse(&again, pseudo, ChecksumCheck::Verify), Ok((udp, payload)));
        }
    }
}

/// Makes lengths and checksums right, where there is enough to tell where they stand.
fn repair(frame: &mut [u8]) {
    let Some((ethernet, packet)) = frame.split_at_mut_checked(14) else { return };
    match ethernet[12..14] {
        [0x08, 0x00] if packet.len() >= 20 => {
            packet[0] = 0x40 | (packet[0] & 15).max(5);
            let header_len = usize::from(packet[0] & 15) * 4;
            let Ok(total) = u16::try_from(packet.len()) else { return };
            let Some(header) = packet.get_mut(..header_len) else { return };
            header[2..4].copy_from_slice(&total.to_be_bytes());
            header[10..12].fill(0);
            let sum = !checksum::sum(header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            if header[9] == 1
                && let Some(message) = packet.get_mut(header_len..)
                && message.len() >= 8
            {
                message[2..4].fill(0);
                let sum = !checksum::sum(message);
                message[2..4].copy_from_slice(&sum.to_be_bytes());
            }
        }
        [0x86, 0xdd] if packet.len() >= 40 => {
            packet[0] = 0x60 | packet[0] & 15;
            let Ok(length) = u16::try_from(packet.len() - 40) else { return };
            packet[4..6].copy_from_slice(&length.to_be_bytes());
            let Ok((header, payload)) = Ipv6Header::parse(packet) else { return };
            if header.protocol == Protocol::Icmpv6 && payload.len() >= 8 {
                let at = packet.len() - payload.len();
                packet[at + 2..at + 4].fill(0);
                let mut sum = header.pseudo().checksum();
                sum.add(&packet[at..]);
                packet[at + 2..at + 4].copy_from_slice(&sum.finish().to_be_bytes());
            }
        }
        _ => {}
    }
}
