//! Packets that cannot be, and arbitrary bytes.

use proptest::prelude::*;

use super::*;
use crate::wire::ethernet::MacAddr;
use crate::wire::ndp::Ndp;

#[test]
fn impossible_ends() {
    let mut ours = host(Forwarding::On);
    let source = DropReason::MartianSource;
    let destination = DropReason::MartianDestination;
    for (from, to, reason) in [
        ("127.0.0.1", "10.0.0.2", source),
        ("0.0.0.0", "10.0.0.2", source),
        ("0.1.2.3", "10.0.0.2", source),
        ("224.0.0.1", "10.0.0.2", source),
        ("255.255.255.255", "10.0.0.2", source),
        ("10.0.0.255", "10.0.0.2", source),
        ("10.0.0.2", "10.0.0.2", source),
        ("192.168.7.1", "10.0.0.2", source),
        ("10.0.0.9", "127.0.0.1", destination),
        ("::1", "fd00::2", source),
        ("::", "fd00::2", source),
        ("ff02::1", "fd00::2", source),
        ("fd00::2", "fd00::2", source),
        ("::ffff:10.0.0.9", "fd00::2", source),
        ("fd00::9", "::1", destination),
        ("fd00::9", "::", destination),
        ("fd00::9", "ff01::1", destination),
        ("fd00::9", "::ffff:10.0.0.2", destination),
    ] {
        let packet = udp(from, to, 4);
        assert_eq!(receive(&mut ours, &packet), NetworkReceive::Dropped(reason), "{from} to {to}");
    }
    assert_eq!(out(&mut ours), []);
    // The same from ourselves to ourselves is fine.
    for own in ["127.0.0.1", "10.0.0.2", "::1", "fd00::2"] {
        let packet = udp(own, own, 4);
        let received = ours.receive(NOW, &Arrival::new(LO), &packet);
        assert!(matches!(received, NetworkReceive::Deliver(_)), "{own}");
    }
}

#[test]
fn broadcasts_are_delivered_as_such() {
    let mut ours = host(Forwarding::Off);
    for (from, to, cast) in [
        ("10.0.0.9", "255.255.255.255", Cast::Broadcast),
        ("10.0.0.9", "10.0.0.255", Cast::Broadcast),
        ("0.0.0.0", "255.255.255.255", Cast::Broadcast),
        ("10.0.0.9", "224.0.0.1", Cast::Multicast),
        ("fd00::9", "ff02::1", Cast::Multicast),
        ("fd00::9", "ff02::1:ff00:2", Cast::Multicast),
    ] {
        let packet = udp(from, to, 4);
        let NetworkReceive::Deliver(delivery) = receive(&mut ours, &packet) else { panic!("{from} to {to}") };
        assert_eq!(delivery.meta.cast, cast);
    }
    let unknown_group = udp("10.0.0.9", "224.0.0.99", 4);
    assert_eq!(receive(&mut ours, &unknown_group), NetworkReceive::Dropped(DropReason::NotOurAddress));
    // A packet to one in a frame to all (RFC 1122 section 3.3.6).
    let arrival = Arrival { cast: Cast::Broadcast, ..Arrival::new(ETH) };
    let packet = udp("10.0.0.9", "10.0.0.2", 4);
    assert_eq!(ours.receive(NOW, &arrival, &packet), NetworkReceive::Dropped(DropReason::CastMismatch));
}

#[test]
fn broken_headers() {
    let mut ours = host(Forwarding::Off);
    let good = udp("10.0.0.9", "10.0.0.2", 4);
    let mut damaged = good.clone();
    damaged[8] ^= 1;
    assert_eq!(receive(&mut ours, &damaged), NetworkReceive::Dropped(DropReason::BadIpChecksum));
    for length in 0..good.len() {
        assert_eq!(receive(&mut ours, &good[..length]), NetworkReceive::Dropped(DropReason::Malformed));
    }
    let good = udp("fd00::9", "fd00::2", 4);
    for length in 0..good.len() {
        assert_eq!(receive(&mut ours, &good[..length]), NetworkReceive::Dropped(DropReason::Malformed));
    }
    assert_eq!(receive(&mut ours, &[0x50; 60]), NetworkReceive::Dropped(DropReason::Malformed));
    let mut headers = Headers::new();
    let options = Ipv4Options::from_slice(&[131, 7, 4, 10, 0, 0, 9]);
    Ipv4Header { options, ..Ipv4Header::new(v4("10.0.0.9"), v4("10.0.0.2"), Protocol::Udp) }
        .prepend(&mut headers);
    assert_eq!(receive(&mut ours, headers.as_slice()), NetworkReceive::Dropped(DropReason::SourceRouted));
}

/// A neighbour solicitation for fd00::2 in its packet.
fn solicitation(source: &str, hop_limit: u8) -> Vec<u8> {
    let (source, target) = (v6(source), v6("fd00::2"));
    let destination = Ipv6Header::solicited_node(target);
    let source_link = (!source.is_unspecified()).then_some(MacAddr([2, 0, 0, 0, 0, 9]));
    let mut headers = Headers::new();
    Ndp::NeighborSolicitation { target, source_link }.prepend(&mut headers, source, destination);
    let header = Ipv6Header::new(source, destination, Protocol::Icmpv6);
    Ipv6Header { hop_limit, payload_length: headers.len(), ..header }.prepend(&mut headers);
    headers.as_slice().to_vec()
}

#[test]
fn neighbour_discovery_goes_to_the_link_if_it_comes_from_the_link() {
    let mut ours = host(Forwarding::Off);
    // From a neighbour, from one that checks for duplicates, and from one that has our address.
    for source in ["fd00::9", "::", "fd00::2"] {
        let packet = solicitation(source, 255);
        let received = receive(&mut ours, &packet);
        assert!(
            matches!(received, NetworkReceive::Ndp { source: from, .. } if from == v6(source)),
            "{received:?}"
        );
    }
    let from_afar = solicitation("fd00::9", 254);
    assert_eq!(receive(&mut ours, &from_afar), NetworkReceive::Dropped(DropReason::Malformed));
    let mut damaged = solicitation("fd00::9", 255);
    damaged[70] ^= 1;
    assert_eq!(receive(&mut ours, &damaged), NetworkReceive::Dropped(DropReason::BadChecksum));
}

/// Bytes that look like a packet to us, so that what follows is read at all.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let template = prop_oneof![
        Just(ping("10.0.0.9", "10.0.0.2", 40)),
        Just(udp("10.0.0.9", "10.0.0.2", 40)),
        Just(ping("fd00::9", "fd00::2", 40)),
        Just(packet(
            "fd00::9",
            "fd00::2",
            Protocol::Other(60),
            &[17, 0, 1, 4, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]
        )),
        Just(packet(
            "fd00::9",
            "fd00::2",
            Protocol::Other(44),
            &[17, 0, 0, 1, 0, 0, 0, 7, 9, 9, 9, 9, 9, 9, 9, 9]
        )),
        Just(solicitation("fd00::9", 255)),
        Just(error_v4(
            "10.0.0.1",
            "10.0.0.2",
            Icmpv4::TimeExceeded { code: 0.into() },
            &udp("10.0.0.2", "8.8.8.8", 4)
        )),
        Just(udp("10.0.0.9", "192.168.7.9", 1300)),
    ];
    (
        template,
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut bytes, changes, end)| {
            for (index, value) in changes {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            if bytes[0] >> 4 == 4 {
                // So that the header checksum does not refuse everything.
                bytes[10..12].fill(0);
                let header = (usize::from(bytes[0] & 15) * 4).min(bytes.len());
                let sum = !crate::wire::checksum::sum(&bytes[..header]);
                bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            if end.index(4) == 0 {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        })
}

proptest! {
    #[test]
    fn no_bytes_do_harm(packets in prop::collection::vec(
        prop_oneof![plausible(), prop::collection::vec(any::<u8>(), 0..100)], 1..60,
    )) {
        let mut ours = host(Forwarding::On);
        let mut now = NOW;
        for packet in &packets {
            now += core::time::Duration::from_millis(500);
            if let NetworkReceive::Deliver(delivery) = ours.receive(now, &Arrival::new(ETH), packet) {
                prop_assert!(delivery.payload().len() < delivery.packet().len());
                let _ = ours.icmp_error(now, Unreachable::Port, delivery.packet(), delivery.meta.cast);
            }
            let _ = ours.on_undeliverable(now, packet);
            ours.handle_timeout(now);
            prop_assert!(ours.reassembly_bytes() <= 60 * 2000);
            for sent in out(&mut ours) {
                prop_assert!(sent.bytes.len() <= sent.path.mtu);
                // What we send ourselves is well formed, or as the sender made it.
                if sent.bytes[0] >> 4 == 4 {
                    prop_assert!(Ipv4Header::parse(&sent.bytes).is_ok());
                }
            }
        }
        let request = ping("10.0.0.9", "10.0.0.2", 4);
        prop_assert_eq!(receive(&mut ours, &request), NetworkReceive::Consumed);
        prop_assert_eq!(out(&mut ours).len(), 1);
    }
}
