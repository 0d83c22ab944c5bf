//! ICMP errors: sent by the rules, and understood.

use super::*;
use crate::wire::error::Report;
use crate::wire::icmpv4::{TimeExceededCode, UnreachableCode};
use crate::wire::icmpv6;

fn unreachable(code: UnreachableCode) -> Icmpv4 {
    Icmpv4::Unreachable { code, mtu: 0 }
}

#[test]
fn a_closed_port_is_reported_with_the_packet() {
    let mut ours = host(Forwarding::Off);
    for (source, destination, most) in [("10.0.0.9", "10.0.0.2", 576), ("fd00::9", "fd00::2", 1280)] {
        for length in [4, 1400] {
            let packet = udp(source, destination, length);
            ours.icmp_error(NOW, Unreachable::Port, &packet, Cast::Unicast).unwrap();
            let [sent] = &out(&mut ours)[..] else { panic!("one error") };
            let header = if ip(source).is_ipv4() { 20 } else { 40 };
            assert_eq!(sent.bytes.len(), (header + 8 + packet.len()).min(most));
            assert!(packet.starts_with(&sent.bytes[header + 8..]));
            // Whoever gets it understands it.
            let mut peer = Network::new(NetworkConfig::default());
            peer.add_interface(ETH, 1500, InterfaceKind::Link);
            peer.add_address(ETH, Cidr::new(ip(source), 24).unwrap());
            let NetworkReceive::IcmpError(error) = receive(&mut peer, &sent.bytes) else {
                panic!("no error")
            };
            assert_eq!((error.error, error.hardness), (Error::ConnectionRefused, Hardness::Hard));
            assert_eq!((error.reporter, error.quote.source), (ip(destination), ip(source)));
            assert_eq!((error.quote.source_port, error.quote.destination_port), (Some(50_000), Some(53)));
        }
    }
}

#[test]
fn errors_that_are_never_sent() {
    let mut ours = host(Forwarding::Off);
    let good = udp("10.0.0.9", "10.0.0.2", 4);
    let quoted = udp("10.0.0.2", "10.0.0.9", 4);
    let later = {
        let mut headers = Headers::new();
        let header = Ipv4Header::new(v4("10.0.0.9"), v4("10.0.0.2"), Protocol::Udp);
        Ipv4Header { fragment_offset: 8, payload_length: 8, ..header }.prepend(&mut headers);
        [headers.as_slice(), &[0; 8]].concat()
    };
    let redirect = Icmpv4::Redirect { code: 1, gateway: v4("10.0.0.3") };
    let cases: [(&str, Vec<u8>, Cast); 13] = [
        (
            "about an error",
            error_v4("10.0.0.9", "10.0.0.2", unreachable(UnreachableCode::Port), &quoted),
            Cast::Unicast,
        ),
        ("about a redirect", error_v4("10.0.0.9", "10.0.0.2", redirect, &quoted), Cast::Unicast),
        ("about a broadcast frame", good.clone(), Cast::Broadcast),
        ("about a group's frame", good.clone(), Cast::Multicast),
        ("about a group's packet", udp("10.0.0.9", "224.0.0.1", 4), Cast::Unicast),
        ("about a broadcast packet", udp("10.0.0.9", "255.255.255.255", 4), Cast::Unicast),
        ("about a later fragment", later, Cast::Unicast),
        ("to nobody", udp("0.0.0.0", "10.0.0.2", 4), Cast::Unicast),
        ("to all", udp("10.0.0.255", "10.0.0.2", 4), Cast::Unicast),
        ("to a group", udp("224.0.0.1", "10.0.0.2", 4), Cast::Unicast),
        ("to nobody in IPv6", udp("::", "fd00::2", 4), Cast::Unicast),
        ("about an IPv6 group's packet", udp("fd00::9", "ff02::1", 4), Cast::Multicast),
        (
            "about an IPv6 error",
            error_v6("fd00::9", "fd00::2", Icmpv6::PacketTooBig { mtu: 1280 }, &udp("fd00::2", "fd00::9", 4)),
            Cast::Unicast,
        ),
    ];
    for (case, packet, cast) in cases {
        let refused = ours.icmp_error(NOW, Unreachable::Port, &packet, cast);
        assert_eq!((refused, out(&mut ours).len()), (Err(DropReason::IgnoredIcmp), 0), "{case}");
    }
    ours.icmp_error(NOW, Unreachable::Port, &good, Cast::Unicast).unwrap();
    let question = ping("10.0.0.9", "10.0.0.2", 4);
    ours.icmp_error(NOW, Unreachable::Host, &question, Cast::Unicast).unwrap();
    assert_eq!(out(&mut ours).len(), 2);
}

#[test]
fn errors_are_limited_in_rate() {
    let mut ours = host(Forwarding::Off);
    let packet = udp("10.0.0.9", "10.0.0.2", 4);
    let mut refused = 0;
    for _ in 0..1000 {
        match ours.icmp_error(NOW, Unreachable::Port, &packet, Cast::Unicast) {
            Ok(()) => {}
            Err(reason) => {
                assert_eq!(reason, DropReason::RateLimited);
                refused += 1;
            }
        }
    }
    assert!((800..=950).contains(&refused), "{refused}");
    assert_eq!(out(&mut ours).len(), 1000 - refused);
}

#[test]
fn what_errors_mean() {
    use Hardness::{Hard, Soft};
    let quoted = udp("10.0.0.2", "192.0.2.1", 4);
    for (icmp, error, hardness) in [
        (unreachable(UnreachableCode::Network), Error::NetworkUnreachable, Soft),
        (unreachable(UnreachableCode::Host), Error::HostUnreachable, Soft),
        (unreachable(UnreachableCode::Protocol), Error::UnknownOption, Hard),
        (unreachable(UnreachableCode::Port), Error::ConnectionRefused, Hard),
        (unreachable(UnreachableCode::Prohibited), Error::HostUnreachable, Hard),
        (Icmpv4::TimeExceeded { code: TimeExceededCode::HopLimit }, Error::HostUnreachable, Soft),
    ] {
        let mut ours = host(Forwarding::Off);
        let packet = error_v4("10.0.0.1", "10.0.0.2", icmp, &quoted);
        let NetworkReceive::IcmpError(told) = receive(&mut ours, &packet) else { panic!("{icmp:?}") };
        assert_eq!((told.error, told.hardness, told.mtu), (error, hardness, None), "{icmp:?}");
        assert_eq!((told.reporter, told.quote.destination), (ip("10.0.0.1"), ip("192.0.2.1")));
    }
    let quoted = udp("fd00::2", "2001:db8::1", 4);
    for (code, error, hardness) in [
        (icmpv6::UnreachableCode::NoRoute, Error::NetworkUnreachable, Soft),
        (icmpv6::UnreachableCode::Prohibited, Error::PermissionDenied, Hard),
        (icmpv6::UnreachableCode::Address, Error::HostUnreachable, Soft),
        (icmpv6::UnreachableCode::Port, Error::ConnectionRefused, Hard),
    ] {
        let mut ours = host(Forwarding::Off);
        let packet = error_v6("fd00::1", "fd00::2", Icmpv6::Unreachable { code }, &quoted);
        let NetworkReceive::IcmpError(told) = receive(&mut ours, &packet) else { panic!("{code:?}") };
        assert_eq!((told.error, told.hardness), (error, hardness), "{code:?}");
    }
}

#[test]
fn errors_that_are_not_believed() {
    let mut ours = host(Forwarding::Off);
    let foreign = udp("10.0.0.8", "192.0.2.1", 4);
    let own = udp("10.0.0.2", "192.0.2.1", 4);
    let port = unreachable(UnreachableCode::Port);
    let dropped = |ours: &mut Network, packet: &[u8]| match receive(ours, packet) {
        NetworkReceive::Dropped(reason) => reason,
        other => panic!("{other:?}"),
    };
    let about_others = error_v4("10.0.0.1", "10.0.0.2", port, &foreign);
    assert_eq!(dropped(&mut ours, &about_others), DropReason::IgnoredIcmp);
    let to_all = error_v4("10.0.0.1", "10.0.0.255", port, &own);
    assert_eq!(dropped(&mut ours, &to_all), DropReason::IgnoredIcmp);
    let redirect =
        error_v4("10.0.0.1", "10.0.0.2", Icmpv4::Redirect { code: 1, gateway: v4("10.0.0.66") }, &own);
    assert_eq!(dropped(&mut ours, &redirect), DropReason::IgnoredIcmp);
    let short = error_v4("10.0.0.1", "10.0.0.2", port, &own[..12]);
    assert_eq!(dropped(&mut ours, &short), DropReason::Malformed);
    let mut damaged = error_v4("10.0.0.1", "10.0.0.2", port, &own);
    damaged[30] ^= 1;
    assert_eq!(dropped(&mut ours, &damaged), DropReason::BadChecksum);
}

/// What the upper layers do with a report about a packet that they had sent; answers what is believed then.
fn believe(ours: &mut Network, packet: &[u8]) -> usize {
    let NetworkReceive::IcmpError(told) = receive(ours, packet) else { panic!("no error") };
    ours.on_packet_too_big(NOW, told.quote.destination, told.mtu.unwrap())
}

#[test]
fn the_path_mtu_is_learnt_and_forgotten() {
    let mut ours = host(Forwarding::Off);
    let mtu = |ours: &Network, to: &str| ours.route(ip(to), None, None).unwrap().mtu;
    let needed = |mtu| Icmpv4::Unreachable { code: UnreachableCode::FragmentationNeeded, mtu };
    let quoted = udp("10.0.0.2", "192.0.2.1", 1400);
    let packet = error_v4("10.0.0.1", "10.0.0.2", needed(1300), &quoted[..28]);
    let NetworkReceive::IcmpError(told) = receive(&mut ours, &packet) else { panic!("no error") };
    assert_eq!((told.error, told.mtu), (Error::MessageTooLong, Some(1300)));
    assert_eq!(mtu(&ours, "192.0.2.1"), 1500, "nobody has said that it was ours");
    believe(&mut ours, &packet);
    assert_eq!((mtu(&ours, "192.0.2.1"), mtu(&ours, "192.0.2.2")), (1300, 1500));
    // A router that names no MTU: the next usual one below the packet. One that lies: not below the least.
    let packet = error_v4("10.0.0.1", "10.0.0.2", needed(0), &udp("10.0.0.2", "192.0.2.2", 1400)[..28]);
    believe(&mut ours, &packet);
    assert_eq!(mtu(&ours, "192.0.2.2"), 1006);
    let packet = error_v4("10.0.0.1", "10.0.0.2", needed(60), &udp("10.0.0.2", "192.0.2.3", 1400)[..28]);
    believe(&mut ours, &packet);
    assert_eq!(mtu(&ours, "192.0.2.3"), 552);
    let quoted = udp("fd00::2", "2001:db8::1", 1400);
    let packet = error_v6("fd00::1", "fd00::2", Icmpv6::PacketTooBig { mtu: 1000 }, &quoted[..60]);
    assert_eq!((believe(&mut ours, &packet), mtu(&ours, "2001:db8::1")), (1280, 1280));
    // A report of more than the link carries changes nothing.
    ours.on_packet_too_big(NOW, ip("192.0.2.4"), 9000);
    assert_eq!(mtu(&ours, "192.0.2.4"), 1500);
    let later = NOW + core::time::Duration::from_secs(600);
    assert_eq!(ours.poll_timeout(), Some(later));
    ours.handle_timeout(later);
    assert_eq!(
        (mtu(&ours, "192.0.2.1"), ours.path_mtu(ip("2001:db8::1")), ours.poll_timeout()),
        (1500, None, None)
    );
}

#[test]
fn an_unknown_protocol_is_reported() {
    let mut ours = host(Forwarding::Off);
    let unknown = NetworkReceive::Dropped(DropReason::UnknownProtocol);
    let sctp = Protocol::Other(132);
    assert_eq!(receive(&mut ours, &packet("10.0.0.9", "10.0.0.2", sctp, &[0; 12])), unknown);
    assert!(lines(&mut ours)[0].contains("protocol unreachable"));
    assert_eq!(receive(&mut ours, &packet("fd00::9", "fd00::2", sctp, &[0; 12])), unknown);
    let sent = out(&mut ours);
    let (header, message) = Ipv6Header::parse(&sent[0].bytes).unwrap();
    let icmp = Icmpv6::parse(message, &header.pseudo()).unwrap().0;
    assert_eq!(icmp, Icmpv6::ParameterProblem { code: 1, pointer: 6 });
    // Nobody is told of a broadcast; and "no next header" is nothing to complain of.
    assert_eq!(receive(&mut ours, &packet("10.0.0.9", "10.0.0.255", sctp, &[0; 12])), unknown);
    let nothing = packet("fd00::9", "fd00::2", Protocol::Other(59), &[]);
    assert_eq!(receive(&mut ours, &nothing), NetworkReceive::Consumed);
    assert_eq!(out(&mut ours), []);
}

#[test]
fn unknown_options_are_skipped_dropped_or_reported_as_they_ask() {
    // Destination options holding one unknown option of each sort, before a UDP datagram.
    for (kind, destination, is_delivered, report) in [
        (0x1e, "fd00::2", true, None),
        (0x5e, "fd00::2", false, Some(Report::Never)),
        (0x9e, "fd00::2", false, Some(Report::Always)),
        (0x9e, "ff02::1", false, Some(Report::Always)),
        (0xde, "fd00::2", false, Some(Report::Unicast)),
        (0xde, "ff02::1", false, None),
    ] {
        let mut ours = host(Forwarding::Off);
        let datagram = udp("fd00::9", destination, 4);
        let mut payload = vec![17, 0, kind, 4, 0, 0, 0, 0];
        payload.extend_from_slice(&datagram[40..]);
        let packet = packet("fd00::9", destination, Protocol::Other(60), &payload);
        let received = receive(&mut ours, &packet);
        let sent = out(&mut ours);
        assert_eq!(matches!(received, NetworkReceive::Deliver(_)), is_delivered, "{kind:x}");
        let is_told = matches!(report, Some(Report::Always | Report::Unicast));
        assert_eq!(sent.len(), usize::from(is_told), "{kind:x} to {destination}");
        for sent in sent {
            let (header, message) = Ipv6Header::parse(&sent.bytes).unwrap();
            assert_eq!(header.source, v6("fd00::2"));
            let icmp = Icmpv6::parse(message, &header.pseudo()).unwrap().0;
            assert_eq!(icmp, Icmpv6::ParameterProblem { code: 2, pointer: 42 });
        }
    }
}

#[test]
fn half_a_packet_is_reported_when_its_time_is_over() {
    let mut ours = host(Forwarding::Off);
    for (is_first, expected) in [(true, 1), (false, 0)] {
        let mut headers = Headers::new();
        let header = Ipv4Header::new(v4("10.0.0.9"), v4("10.0.0.2"), Protocol::Udp);
        let (fragment_offset, more_fragments) = if is_first { (0, true) } else { (800, false) };
        let header =
            Ipv4Header { fragment_offset, more_fragments, payload_length: 800, identification: 9, ..header };
        header.prepend(&mut headers);
        let fragment = [headers.as_slice(), &[1; 800]].concat();
        assert_eq!(receive(&mut ours, &fragment), NetworkReceive::Consumed);
        assert!(ours.reassembly_bytes() >= 800);
        let due = ours.poll_timeout().unwrap();
        ours.handle_timeout(due);
        let said = lines(&mut ours);
        assert_eq!(said.len(), expected);
        assert!(said.iter().all(|line| line.contains("reassembly time exceeded")), "{said:?}");
        assert_eq!(ours.reassembly_bytes(), 0);
    }
}

#[test]
fn a_packet_that_waited_in_vain_concerns_its_socket_or_its_sender() {
    let mut ours = host(Forwarding::On);
    let own = ours.on_undeliverable(NOW, &udp("10.0.0.2", "10.0.0.9", 4)).unwrap();
    assert_eq!((own.error, own.quote.destination), (Error::HostUnreachable, ip("10.0.0.9")));
    assert_eq!(out(&mut ours), []);
    assert_eq!(ours.on_undeliverable(NOW, &udp("10.0.0.9", "192.168.7.9", 4)), None);
    assert!(lines(&mut ours)[0].contains("10.0.0.2 > 10.0.0.9: ICMP"));
    assert_eq!(ours.on_undeliverable(NOW, &udp("fd00::9", "fd07::9", 4)), None);
    assert!(lines(&mut ours)[0].contains("unreachable address"));
    assert_eq!(ours.on_undeliverable(NOW, b"junk"), None);
}
