//! The host as a router.

use super::*;
use crate::wire::checksum;

fn one(network: &mut Network) -> OutPacket {
    let mut sent = out(network);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

#[test]
fn a_packet_passes_with_one_hop_less() {
    let mut router = host(Forwarding::On);
    let packet = udp("10.0.0.9", "192.168.7.9", 100);
    assert_eq!(receive(&mut router, &packet), NetworkReceive::Consumed);
    let sent = one(&mut router);
    assert_eq!((sent.path.interface, sent.path.next_hop), (FAR, Hop::Unicast(ip("192.168.7.9"))));
    let (header, payload) = Ipv4Header::parse(&sent.bytes).unwrap();
    assert_eq!((header.ttl, payload, sent.offload), (63, &packet[20..], Offload::default()));
    let packet = udp("fd00::9", "fd07::9", 100);
    assert_eq!(receive(&mut router, &packet), NetworkReceive::Consumed);
    let sent = one(&mut router);
    let (header, payload) = Ipv6Header::parse(&sent.bytes).unwrap();
    assert_eq!((header.hop_limit, payload), (63, &packet[40..]));
    // By the gateway, where no subnet of ours is meant.
    receive(&mut router, &udp("192.168.7.9", "8.8.8.8", 10));
    assert_eq!(one(&mut router).path.next_hop, Hop::Unicast(ip("10.0.0.1")));
}

#[test]
fn a_host_passes_nothing_on() {
    let mut ours = host(Forwarding::Off);
    for packet in [udp("10.0.0.9", "8.8.8.8", 4), udp("fd00::9", "2001:db8::1", 4)] {
        assert_eq!(receive(&mut ours, &packet), NetworkReceive::Dropped(DropReason::NotOurAddress));
    }
    assert_eq!(out(&mut ours), []);
}

#[test]
fn the_last_hop_is_reported() {
    let mut router = host(Forwarding::On);
    for hops in [0, 1] {
        let mut packet = udp("10.0.0.9", "192.168.7.9", 4);
        packet[8] = hops;
        packet[10..12].fill(0);
        let sum = !checksum::sum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(DropReason::HopLimitExceeded));
        let line = lines(&mut router).remove(0);
        assert!(line.contains("10.0.0.2 > 10.0.0.9: ICMP time exceeded"), "{line}");
        let mut packet = udp("fd00::9", "fd07::9", 4);
        packet[7] = hops;
        assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(DropReason::HopLimitExceeded));
        assert_eq!(out(&mut router).len(), 1);
    }
}

#[test]
fn no_way_is_reported() {
    let mut router = host(Forwarding::On);
    let default: Vec<Route> = router.routes().filter(|route| route.gateway.is_some()).copied().collect();
    for route in default {
        router.remove_route(&route);
    }
    for packet in [udp("10.0.0.9", "8.8.8.8", 4), udp("fd00::9", "2001:db8::1", 4)] {
        assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(DropReason::NoRoute));
        assert_eq!(out(&mut router).len(), 1);
    }
}

#[test]
fn a_packet_too_big_is_cut_or_reported() {
    let mut router = host(Forwarding::On);
    // IPv4, not forbidden: pieces that the next link carries and that are the packet again at the other end.
    let packet = udp("10.0.0.9", "192.168.7.9", 1400);
    assert_eq!(receive(&mut router, &packet), NetworkReceive::Consumed);
    let pieces = out(&mut router);
    assert_eq!(pieces.len(), 2);
    let mut target = Network::new(NetworkConfig::default());
    target.add_interface(ETH, 1280, InterfaceKind::Link);
    target.add_address(ETH, cidr("192.168.7.9/24"));
    let mut whole = None;
    for piece in &pieces {
        assert!(piece.bytes.len() <= 1280);
        if let NetworkReceive::Deliver(delivery) = receive(&mut target, &piece.bytes) {
            whole = Some((delivery.payload().to_vec(), delivery.meta.hop_limit));
        }
    }
    assert_eq!(whole, Some((packet[20..].to_vec(), 63)));
    // Forbidden, or IPv6: the sender is told what would fit.
    let mut headers = Headers::new();
    let header = Ipv4Header::new(v4("10.0.0.9"), v4("192.168.7.9"), Protocol::Udp);
    Ipv4Header { dont_fragment: true, payload_length: 1400, ..header }.prepend(&mut headers);
    let packet = [headers.as_slice(), &[0; 1400]].concat();
    assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(DropReason::PacketTooBig));
    assert!(lines(&mut router)[0].contains("need to frag (mtu 1280)"));
    let packet = udp("fd00::9", "fd07::9", 1400);
    assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(DropReason::PacketTooBig));
    assert!(lines(&mut router)[0].contains("packet too big, mtu 1280"));
}

#[test]
fn what_a_device_put_together_passes_in_one_piece() {
    let mut router = host(Forwarding::On);
    let mut payload = vec![0; 20 + 5 * 1200];
    payload[12] = 5 << 4;
    let packet = packet("10.0.0.9", "192.168.7.9", Protocol::Tcp, &payload);
    let arrival =
        Arrival { segment_size: Some(1200), checksum: ArrivalChecksum::Partial, ..Arrival::new(ETH) };
    assert_eq!(router.receive(NOW, &arrival, &packet), NetworkReceive::Consumed);
    let sent = one(&mut router);
    assert_eq!(sent.bytes.len(), packet.len());
    let checksum = Some(PartialChecksum { start: 20, offset: 16 });
    assert_eq!(sent.offload, Offload { checksum, segment_size: Some(1200) });
    // Segments that do not fit the next link are not passed on.
    let arrival = Arrival { segment_size: Some(1400), ..arrival };
    let refused = router.receive(NOW, &arrival, &packet);
    assert_eq!(refused, NetworkReceive::Dropped(DropReason::PacketTooBig));
}

#[test]
fn what_is_not_passed_on() {
    let mut router = host(Forwarding::On);
    for (packet, reason) in [
        (udp("169.254.1.1", "192.168.7.9", 4), DropReason::NoRoute),
        (udp("10.0.0.9", "169.254.1.1", 4), DropReason::NoRoute),
        (udp("10.0.0.9", "240.0.0.1", 4), DropReason::NoRoute),
        (udp("10.0.0.9", "192.168.7.255", 4), DropReason::NoRoute),
        (udp("fe80::9", "fd07::9", 4), DropReason::NoRoute),
        (udp("fd00::9", "fe80::1", 4), DropReason::NoRoute),
        (udp("10.0.0.9", "224.0.0.77", 4), DropReason::NotOurAddress),
    ] {
        assert_eq!(receive(&mut router, &packet), NetworkReceive::Dropped(reason));
        // Directed broadcasts are the only ones of these whose sender hears of it.
        out(&mut router);
    }
    let arrival = Arrival { cast: Cast::Broadcast, ..Arrival::new(ETH) };
    let packet = udp("10.0.0.9", "192.168.7.9", 4);
    assert_eq!(router.receive(NOW, &arrival, &packet), NetworkReceive::Dropped(DropReason::NotOurAddress));
    assert_eq!(out(&mut router), []);
}

#[test]
fn a_router_answers_for_all_its_addresses() {
    let mut router = host(Forwarding::On);
    assert_eq!(receive(&mut router, &ping("10.0.0.9", "192.168.7.1", 4)), NetworkReceive::Consumed);
    assert!(lines(&mut router)[0].contains("192.168.7.1 > 10.0.0.9: ICMP echo reply"));
}
