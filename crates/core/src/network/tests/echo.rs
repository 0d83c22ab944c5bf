//! Echo, small and in fragments, and packets cut on their way out.

use super::*;
use std::borrow::Cow;

/// Two hosts that exchange what they send until nothing is left; what came up at each.
fn exchange(ours: &mut Network, peer: &mut Network) -> Vec<NetworkReceive<'static>> {
    let mut up = Vec::new();
    loop {
        let (to_peer, to_us) = (out(ours), out(peer));
        if to_peer.is_empty() && to_us.is_empty() {
            return up;
        }
        for packet in to_peer {
            assert!(packet.bytes.len() <= packet.path.mtu);
            keep(&mut up, peer.receive(NOW, &Arrival::new(ETH), &packet.bytes));
        }
        for packet in to_us {
            assert!(packet.bytes.len() <= packet.path.mtu);
            keep(&mut up, ours.receive(NOW, &Arrival::new(ETH), &packet.bytes));
        }
    }
}

fn keep(up: &mut Vec<NetworkReceive<'static>>, received: NetworkReceive<'_>) {
    match received {
        NetworkReceive::Consumed => {}
        NetworkReceive::EchoReply(echo) => {
            up.push(NetworkReceive::EchoReply(Echo { data: Cow::Owned(echo.data.into_owned()), ..echo }));
        }
        NetworkReceive::Deliver(delivery) => up.push(NetworkReceive::Deliver(Delivery {
            packet: Cow::Owned(delivery.packet.into_owned()),
            ..delivery
        })),
        other => panic!("{other:?}"),
    }
}

fn peer() -> Network {
    let mut peer = Network::new(NetworkConfig { seed: 8, ..NetworkConfig::default() });
    peer.add_interface(ETH, 1500, InterfaceKind::Link);
    peer.add_address(ETH, cidr("10.0.0.9/24"));
    peer.add_address(ETH, cidr("fd00::9/64"));
    while peer.poll_transmit().is_some() {}
    peer
}

#[test]
fn pings_of_all_sizes_come_back_as_they_were() {
    for (source, destination) in [("10.0.0.9", "10.0.0.2"), ("fd00::9", "fd00::2")] {
        for length in [0, 1, 56, 1452, 1453, 1472, 1473, 9000, 20_000, 65_499] {
            let (mut ours, mut peer) = (host(Forwarding::Off), peer());
            let request = ping(source, destination, length);
            let header = if ip(source).is_ipv4() { 20 } else { 40 };
            let path = peer.route(ip(destination), None, None).unwrap();
            let send = Send {
                source: ip(source),
                destination: ip(destination),
                protocol: if header == 20 { Protocol::Icmp } else { Protocol::Icmpv6 },
                hop_limit: None,
                traffic_class: 0xb8,
                fragmentation: Fragmentation::Allowed,
                payload_length: request.len() - header,
            };
            let mut headers = Headers::new();
            headers.push_front(&request[header..header + 8]);
            let data = &request[header + 8..];
            let (first, second) = data.split_at(length / 3);
            peer.fragment(&headers, [first, second], &send, &path).unwrap();
            let up = exchange(&mut ours, &mut peer);
            let [NetworkReceive::EchoReply(echo)] = &up[..] else { panic!("{length}: {} answers", up.len()) };
            assert_eq!((echo.id, echo.seq, echo.data.as_ref()), (3, 4, data), "{length}");
            assert_eq!((echo.meta.source, echo.meta.destination), (ip(destination), ip(source)));
            assert_eq!(echo.meta.traffic_class, 0xb8, "the answer travels as the request did");
            assert_eq!((ours.reassembly_bytes(), peer.reassembly_bytes()), (0, 0));
            assert_eq!((ours.poll_timeout(), peer.poll_timeout()), (None, None));
        }
    }
}

#[test]
fn a_datagram_in_fragments_goes_up_whole_and_unverified() {
    let (mut ours, mut peer) = (host(Forwarding::Off), peer());
    let whole = udp("10.0.0.9", "10.0.0.2", 9000);
    let send = Send {
        source: ip("10.0.0.9"),
        destination: ip("10.0.0.2"),
        protocol: Protocol::Udp,
        hop_limit: None,
        traffic_class: 0,
        fragmentation: Fragmentation::Allowed,
        payload_length: 9008,
    };
    let path = peer.route(send.destination, None, None).unwrap();
    let mut headers = Headers::new();
    headers.push_front(&whole[20..28]);
    peer.fragment(&headers, [&whole[28..], b""], &send, &path).unwrap();
    let mut delivered = None;
    for packet in out(&mut peer) {
        // The device has verified nothing of a fragment, whatever it says.
        let arrival = Arrival { checksum: ArrivalChecksum::Verified, ..Arrival::new(ETH) };
        if let NetworkReceive::Deliver(delivery) = ours.receive(NOW, &arrival, &packet.bytes) {
            assert_eq!(delivery.meta.check, crate::wire::ChecksumCheck::Verify);
            delivered = Some(delivery.payload().to_vec());
        }
    }
    assert_eq!(delivered.as_deref(), Some(&whole[20..]));
    let forbidden = Send { fragmentation: Fragmentation::Forbidden, ..send };
    assert_eq!(
        peer.fragment(&headers, [&whole[28..], b""], &forbidden, &path),
        Err(DropReason::PacketTooBig)
    );
    let tiny = Path { mtu: 27, ..path };
    assert_eq!(peer.fragment(&headers, [&whole[28..], b""], &send, &tiny), Err(DropReason::PacketTooBig));
    assert_eq!(peer.fragment(&headers, [&[0; 65_508], b""], &send, &path), Err(DropReason::PacketTooBig));
    assert_eq!(out(&mut peer), []);
}

#[test]
fn delivery_leaves_padding_behind_and_trusts_the_device() {
    let mut ours = host(Forwarding::Off);
    for (source, destination) in [("10.0.0.9", "10.0.0.2"), ("fd00::9", "fd00::2")] {
        let packet = udp(source, destination, 4);
        let padded = [packet.as_slice(), &[0; 18]].concat();
        let NetworkReceive::Deliver(delivery) = receive(&mut ours, &padded) else { panic!("not delivered") };
        assert_eq!(delivery.packet(), packet);
        assert_eq!(delivery.payload(), &packet[packet.len() - 12..]);
        let meta = delivery.meta;
        assert_eq!(
            (meta.source, meta.destination, meta.protocol),
            (ip(source), ip(destination), Protocol::Udp)
        );
        assert_eq!(
            (meta.hop_limit, meta.cast, meta.check),
            (64, Cast::Unicast, crate::wire::ChecksumCheck::Verify)
        );
        let arrival = Arrival { checksum: ArrivalChecksum::Verified, ..Arrival::new(ETH) };
        let trusted = ours.receive(NOW, &arrival, &packet);
        assert!(
            matches!(trusted, NetworkReceive::Deliver(delivery) if delivery.meta.check == crate::wire::ChecksumCheck::Trust)
        );
    }
}

#[test]
fn a_ping_to_ourselves_stays_here() {
    let mut ours = host(Forwarding::Off);
    for own in ["127.0.0.1", "10.0.0.2", "::1"] {
        let request = ping(own, own, 30_000);
        assert_eq!(ours.receive(NOW, &Arrival::new(LO), &request), NetworkReceive::Consumed);
        let [answer] = &out(&mut ours)[..] else { panic!("one answer") };
        assert_eq!((answer.path.next_hop, answer.path.interface), (Hop::Local, LO));
        assert!(matches!(ours.receive(NOW, &Arrival::new(LO), &answer.bytes), NetworkReceive::EchoReply(_)));
    }
}

#[test]
fn a_ping_to_all_is_answered_in_ipv6_only() {
    let mut ours = host(Forwarding::Off);
    for all in ["224.0.0.1", "10.0.0.255", "255.255.255.255"] {
        assert_eq!(
            receive(&mut ours, &ping("10.0.0.9", all, 8)),
            NetworkReceive::Dropped(DropReason::IgnoredIcmp)
        );
    }
    assert_eq!(receive(&mut ours, &ping("fd00::9", "ff02::1", 8)), NetworkReceive::Consumed);
    let said = lines(&mut ours);
    assert!(said.len() == 1 && said[0].contains("fd00::2 > fd00::9"), "{said:?}");
}

#[test]
fn answers_wait_in_bounded_memory() {
    let mut ours = host(Forwarding::Off);
    let request = ping("10.0.0.9", "10.0.0.2", 1400);
    let refused = (0..20_000).filter(|_| receive(&mut ours, &request) != NetworkReceive::Consumed).count();
    let waiting = out(&mut ours);
    assert_eq!(waiting.len() + refused, 20_000);
    assert!(waiting.iter().map(|packet| packet.bytes.len()).sum::<usize>() <= 4 << 20);
    for packet in waiting {
        ours.recycle(packet.bytes);
    }
    assert_eq!(receive(&mut ours, &request), NetworkReceive::Consumed);
}
