//! Two links that find each other.

use super::*;
use crate::link::PartialChecksum;
use crate::wire::arp::{Arp, ArpOperation};
use crate::wire::ethernet::{EtherType, Ethernet};

#[test]
fn arp_finds_the_neighbour_and_sets_its_packets_free_in_order() {
    let (mut ours, mut peer) = (link(1), link(2));
    assert_eq!(send(&mut ours, START, "10.0.0.2", "one"), LinkSend::Parked);
    assert_eq!(send(&mut ours, START, "10.0.0.2", "two"), LinkSend::Parked);
    assert_eq!(ours.parked(), 2);
    assert_eq!(state_of(&ours, "10.0.0.2"), Some(NeighborState::Incomplete));
    let packets = carry(&mut [&mut ours, &mut peer], START);
    let ends: Vec<_> = packets.iter().map(|packet| &packet[packet.len() - 3..]).collect();
    assert_eq!(ends, [b"one", b"two"]);
    assert_eq!(ours.parked(), 0);
    assert_eq!(state_of(&ours, "10.0.0.2"), Some(NeighborState::Reachable));
    // Whoever asks us will hear from us: it is known, though not for sure.
    assert_eq!(state_of(&peer, "10.0.0.1"), Some(NeighborState::Stale));
    assert_eq!(send(&mut peer, START, "10.0.0.1", "back"), LinkSend::Ready);
    assert_eq!(send(&mut ours, START, "10.0.0.2", "three"), LinkSend::Ready);
}

#[test]
fn neighbour_discovery_finds_the_neighbour() {
    let (mut ours, mut peer) = (link(1), link(2));
    assert_eq!(send(&mut ours, START, "fd00::2", "six"), LinkSend::Parked);
    let question = ours.poll_transmit(START).unwrap();
    let line = describe(&question.bytes, LinkType::Ethernet).to_string();
    assert!(line.contains("who has fd00::2"), "{line}");
    assert_eq!(&question.bytes[..6], [0x33, 0x33, 0xff, 0, 0, 2]);
    assert_eq!(hear(&mut peer, START, &question.bytes), Ok(None));
    let packets = carry(&mut [&mut ours, &mut peer], START);
    assert!(packets[0].ends_with(b"six"));
    assert_eq!(state_of(&ours, "fd00::2"), Some(NeighborState::Reachable));
    assert_eq!(state_of(&peer, "fd00::1"), Some(NeighborState::Stale));
}

#[test]
fn a_silent_neighbour_is_asked_three_times_and_its_packets_come_back() {
    for to in ["10.0.0.9", "fd00::9"] {
        let mut ours = link(1);
        send(&mut ours, START, to, "lost");
        let mut asked = lines(&mut ours, START).len();
        let mut now = START;
        while let Some(next) = ours.poll_timeout() {
            assert_eq!(next.since(now), SECOND);
            now = next;
            ours.handle_timeout(now);
            asked += lines(&mut ours, now).len();
        }
        assert_eq!((asked, now.since(START)), (3, 3 * SECOND), "{to}");
        let events = events(&mut ours);
        assert!(matches!(&events[..], [LinkEvent::Unreachable { next_hop, packet }]
            if *next_hop == ip(to) && packet.len() == 24 && packet.ends_with(b"lost")));
        assert_eq!((ours.neighbors().count(), ours.parked()), (0, 0));
    }
}

#[test]
fn a_lost_answer_costs_a_second() {
    let (mut ours, mut peer) = (link(1), link(2));
    send(&mut ours, START, "10.0.0.2", "late");
    lines(&mut ours, START); // the first question is lost
    assert!(run(&mut [&mut ours, &mut peer], START, START + SECOND * 999 / 1000).is_empty());
    assert_eq!(run(&mut [&mut ours, &mut peer], START, START + SECOND).len(), 1);
}

#[test]
fn packets_that_keep_coming_hasten_the_next_question() {
    let mut ours = link(1);
    send(&mut ours, START, "10.0.0.2", "a");
    assert_eq!(lines(&mut ours, START).len(), 1);
    send(&mut ours, START + SECOND / 10, "10.0.0.2", "b");
    assert_eq!(lines(&mut ours, START + SECOND / 10).len(), 0);
    send(&mut ours, START + SECOND / 4, "10.0.0.2", "c");
    assert_eq!(lines(&mut ours, START + SECOND / 4).len(), 1);
}

#[test]
fn many_questions_to_many_neighbours_leave_at_once() {
    let (mut ours, mut peer) = (link(1), link(2));
    for last in 10..200 {
        send(&mut ours, START, &format!("10.0.0.{last}"), "x");
        peer.add_address(START, format!("10.0.0.{last}/24").parse().unwrap(), Detection::Off);
    }
    while peer.poll_transmit(START).is_some() {}
    assert_eq!(carry(&mut [&mut ours, &mut peer], START).len(), 190);
}

#[test]
fn offload_travels_with_a_parked_packet() {
    let (mut ours, mut peer) = (link(1), link(2));
    let offload =
        Offload { checksum: Some(PartialChecksum { start: 20, offset: 16 }), segment_size: Some(1448) };
    let mut headers = Headers::new();
    headers.push_front(&[0x45; 20]);
    let to = NextHop::Unicast(ip("10.0.0.2"));
    // Larger than the MTU, since the device is to cut it.
    assert_eq!(ours.send(START, to, &mut headers, [&[7; 30_000], b"end"], &offload), LinkSend::Parked);
    hear(&mut peer, START, &ours.poll_transmit(START).unwrap().bytes).unwrap();
    hear(&mut ours, START, &peer.poll_transmit(START).unwrap().bytes).unwrap();
    let frame = ours.poll_transmit(START).unwrap();
    assert_eq!((frame.offload, frame.link_header_length, frame.bytes.len()), (offload, 14, 14 + 20 + 30_003));
    assert!(frame.bytes.ends_with(b"end"));
}

#[test]
fn broadcast_and_groups_need_no_question() {
    let mut ours = link(1);
    for (hop, first, destination) in [
        (NextHop::Broadcast, 0x45, [0xff; 6]),
        (NextHop::Multicast(ip("224.1.129.5")), 0x45, [1, 0, 0x5e, 1, 0x81, 5]),
        (NextHop::Multicast(ip("ff02::fb")), 0x60, [0x33, 0x33, 0, 0, 0, 0xfb]),
    ] {
        let mut headers = Headers::new();
        let sent = ours.send(START, hop, &mut headers, [&[first], b"rest"], &Offload::default());
        assert_eq!(sent, LinkSend::Ready);
        assert_eq!(headers.as_slice()[..6], destination);
    }
    assert_eq!(ours.poll_transmit(START), None);
}

#[test]
fn a_point_to_point_link_has_no_header_and_asks_nobody() {
    let mut tun = Link::new(LinkConfig { medium: Medium::Ip, mac: mac(1), mtu: 1500, seed: 1 });
    tun.add_address(START, "10.0.0.1/24".parse().unwrap(), Detection::On);
    assert_eq!(events(&mut tun), [LinkEvent::Ready { address: ip("10.0.0.1") }]);
    let mut headers = Headers::new();
    headers.push_front(&[0x45; 20]);
    let to = NextHop::Unicast(ip("10.0.0.2"));
    assert_eq!(tun.send(START, to, &mut headers, [b"", b""], &Offload::default()), LinkSend::Ready);
    assert_eq!((headers.len(), tun.poll_transmit(START), tun.ethernet_address()), (20, None, None));
    assert!(
        matches!(tun.receive(START, &[0x60; 40]), LinkReceive::Packet { packet, .. } if packet.len() == 40)
    );
    assert_eq!(tun.receive(START, &[0x50; 40]), LinkReceive::Dropped(DropReason::Malformed));
}

#[test]
fn too_large_a_packet_is_refused() {
    let mut headers = Headers::new();
    headers.push_front(&[0x45; 20]);
    let sent = link(1).send(START, NextHop::Broadcast, &mut headers, [&[0; 1481], b""], &Offload::default());
    assert_eq!(sent, LinkSend::Dropped(DropReason::PacketTooBig));
}

/// An ARP packet in its frame.
fn arp(to: MacAddr, operation: ArpOperation, sender: (MacAddr, &str), target: (MacAddr, &str)) -> Vec<u8> {
    let arp = Arp {
        operation,
        sender_mac: sender.0,
        sender_ip: sender.1.parse().unwrap(),
        target_mac: target.0,
        target_ip: target.1.parse().unwrap(),
    };
    let mut headers = Headers::new();
    headers.push_front(&arp.emit());
    let source = if sender.0.is_unicast() { sender.0 } else { mac(99) };
    Ethernet { destination: to, source, ethertype: EtherType::Arp }.prepend(&mut headers);
    headers.as_slice().to_vec()
}

#[test]
fn what_arp_teaches_and_what_it_does_not() {
    use ArpOperation::{Reply, Request};
    let all = MacAddr::BROADCAST;
    let none = MacAddr::UNSPECIFIED;
    let mut ours = link(1);
    let mut hears = |frame: Vec<u8>| hear(&mut ours, START, &frame).map(|_| ());
    // Others talking to each other, an announcement, an answer nobody asked for: no entry is made.
    hears(arp(all, Request, (mac(2), "10.0.0.2"), (none, "10.0.0.3"))).unwrap();
    hears(arp(all, Request, (mac(2), "10.0.0.2"), (none, "10.0.0.2"))).unwrap();
    hears(arp(mac(1), Reply, (mac(2), "10.0.0.2"), (mac(1), "10.0.0.1"))).unwrap();
    // Impossible senders.
    let group = MacAddr([1, 0, 0x5e, 0, 0, 1]);
    let error = hears(arp(mac(1), Reply, (group, "10.0.0.2"), (mac(1), "10.0.0.1")));
    assert_eq!(error, Err(DropReason::BadSourceMac));
    for martian in ["224.0.0.1", "255.255.255.255", "127.0.0.1"] {
        let error = hears(arp(mac(1), Reply, (mac(2), martian), (mac(1), "10.0.0.1")));
        assert_eq!(error, Err(DropReason::MartianSource));
    }
    assert_eq!(ours.neighbors().count(), 0);
    // A question to us makes one; a later announcement moves it.
    hear(&mut ours, START, &arp(all, Request, (mac(2), "10.0.0.2"), (none, "10.0.0.1"))).unwrap();
    assert_eq!(lines(&mut ours, START).len(), 1);
    hear(&mut ours, START, &arp(all, Request, (mac(3), "10.0.0.2"), (none, "10.0.0.2"))).unwrap();
    let known = ours.neighbors().next().unwrap();
    assert_eq!((known.mac, known.state), (Some(mac(3)), NeighborState::Stale));
}

#[test]
fn a_neighbour_set_by_hand_is_never_asked_for() {
    let mut ours = link(1);
    ours.add_neighbor(START, ip("10.0.0.5"), mac(5));
    assert_eq!(send(&mut ours, START, "10.0.0.5", "x"), LinkSend::Ready);
    let all = MacAddr::BROADCAST;
    let moved = arp(all, ArpOperation::Request, (mac(6), "10.0.0.5"), (MacAddr::UNSPECIFIED, "10.0.0.1"));
    hear(&mut ours, START, &moved).unwrap();
    assert_eq!(ours.neighbors().next().unwrap().mac, Some(mac(5)));
    // One for whom packets wait already sets them free.
    send(&mut ours, START, "10.0.0.7", "waits");
    lines(&mut ours, START);
    ours.add_neighbor(START, ip("10.0.0.7"), mac(7));
    assert_eq!(ours.poll_transmit(START).unwrap().bytes[..6], mac(7).0);
    assert_eq!(ours.poll_timeout(), None);
}

#[test]
fn frames_for_others_are_refused() {
    let mut ours = link(1);
    let mut frame = [0; 60];
    frame[..6].copy_from_slice(&mac(9).0);
    assert_eq!(ours.receive(START, &frame), LinkReceive::Dropped(DropReason::NotOurMac));
    frame[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0]); // spanning tree
    assert_eq!(ours.receive(START, &frame), LinkReceive::Dropped(DropReason::NotOurMac));
    frame[..6].copy_from_slice(&mac(1).0);
    assert_eq!(ours.receive(START, &frame), LinkReceive::Dropped(DropReason::BadSourceMac));
    frame[6..12].copy_from_slice(&mac(2).0);
    assert_eq!(ours.receive(START, &frame), LinkReceive::Dropped(DropReason::UnknownEtherType));
    frame[12..14].copy_from_slice(&[8, 0]);
    assert_eq!(ours.receive(START, &frame), LinkReceive::Dropped(DropReason::Malformed));
    assert_eq!(ours.receive(START, &frame[..13]), LinkReceive::Dropped(DropReason::Malformed));
}
