//! Membership in groups.

use super::*;
use crate::time::Duration;
use crate::wire::checksum;

fn igmp(destination: &str, kind: u8, code: u8, group: &str) -> Vec<u8> {
    let [a, b, c, d] = v4(group).octets();
    let mut message = [kind, code, 0, 0, a, b, c, d];
    let sum = !checksum::sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet("10.0.0.1", destination, Protocol::Igmp, &message)
}

#[test]
fn joining_and_leaving_is_told_once() {
    let mut ours = host(Forwarding::Off);
    for (group, leaving_to) in [("224.1.2.3", "224.0.0.2"), ("ff05::1234", "ff02::16")] {
        let joining_to = if ip(group).is_ipv4() { group } else { leaving_to };
        ours.join(ETH, ip(group)).unwrap();
        ours.join(ETH, ip(group)).unwrap();
        let sent = out(&mut ours);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].path.next_hop, Hop::Multicast(ip(joining_to)));
        assert!(ours.is_member(ETH, ip(group)) && !ours.is_member(LO, ip(group)));
        ours.leave(ETH, ip(group)).unwrap();
        assert_eq!((out(&mut ours).len(), ours.is_member(ETH, ip(group))), (0, true));
        ours.leave(ETH, ip(group)).unwrap();
        let sent = out(&mut ours);
        assert_eq!(sent[0].path.next_hop, Hop::Multicast(ip(leaving_to)));
        assert!(!ours.is_member(ETH, ip(group)));
        assert_eq!(ours.leave(ETH, ip(group)), Err(Error::AddressNotAvailable));
    }
    assert_eq!(ours.join(ETH, ip("10.0.0.9")), Err(Error::InvalidArgument));
    assert_eq!(ours.join(InterfaceId(9), ip("224.1.2.3")), Err(Error::InvalidArgument));
}

#[test]
fn reports_are_what_routers_expect() {
    let mut ours = host(Forwarding::Off);
    ours.join(ETH, ip("224.1.2.3")).unwrap();
    let report = out(&mut ours).remove(0).bytes;
    let (header, message) = Ipv4Header::parse(&report).unwrap();
    assert_eq!(
        (header.ttl, header.destination, header.options.has_router_alert()),
        (1, v4("224.1.2.3"), true)
    );
    assert_eq!((message[0], &message[4..], checksum::sum(message)), (0x16, &[224, 1, 2, 3][..], 0xffff));
    // An address whose end is that of another shares its solicited-node group: there is nothing new to tell.
    ours.add_address(ETH, cidr("fe80::2/64"));
    assert_eq!(out(&mut ours), []);
}

#[test]
fn an_ipv6_address_brings_its_solicited_node_group() {
    let mut ours = host(Forwarding::Off);
    let group = ip("ff02::1:ff12:3456");
    ours.add_address(ETH, cidr("fe80::12:3456/64"));
    assert!(ours.is_member(ETH, group));
    let sent = out(&mut ours);
    assert_eq!(sent.len(), 1);
    let (header, message) = Ipv6Header::parse(&sent[0].bytes).unwrap();
    assert_eq!((header.source, header.hop_limit, header.router_alert), (v6("fe80::12:3456"), 1, Some(0)));
    assert_eq!((message[0], message.len()), (143, 28));
    assert!(Icmpv6::parse(message, &header.pseudo()).is_ok());
    // Two addresses with the same end share the group: it is left with the second.
    ours.add_address(ETH, cidr("fd00::12:3456/64"));
    ours.remove_address(ETH, ip("fe80::12:3456"));
    assert!(ours.is_member(ETH, group));
    ours.remove_address(ETH, ip("fd00::12:3456"));
    assert!(!ours.is_member(ETH, group));
}

#[test]
fn queries_are_answered_within_their_time() {
    let mut ours = host(Forwarding::Off);
    for last in 1..=20 {
        ours.join(ETH, IpAddr::from([224, 1, 2, last])).unwrap();
    }
    out(&mut ours);
    assert_eq!(receive(&mut ours, &igmp("224.0.0.1", 0x11, 100, "0.0.0.0")), NetworkReceive::Consumed);
    assert_eq!(receive(&mut ours, &igmp("224.0.0.1", 0x11, 100, "0.0.0.0")), NetworkReceive::Consumed);
    // Somebody else reports one of them: that is enough.
    assert_eq!(receive(&mut ours, &igmp("224.1.2.7", 0x16, 0, "224.1.2.7")), NetworkReceive::Consumed);
    let mut times = std::collections::BTreeSet::new();
    let mut reports = 0;
    while let Some(due) = ours.poll_timeout() {
        assert!(due.since(NOW) <= Duration::from_secs(10));
        ours.handle_timeout(due);
        reports += out(&mut ours).len();
        times.insert(due);
    }
    assert_eq!(reports, 19);
    assert!(times.len() > 10, "they are spread");
    // A question about one group.
    receive(&mut ours, &igmp("224.1.2.9", 0x11, 10, "224.1.2.9"));
    ours.handle_timeout(NOW + Duration::from_secs(1));
    assert_eq!(out(&mut ours)[0].path.next_hop, Hop::Multicast(ip("224.1.2.9")));
    assert_eq!(ours.poll_timeout(), None);
}

#[test]
fn ipv6_queries_are_answered() {
    let mut ours = host(Forwarding::Off);
    let mut message = [0; 24];
    message[0] = 130;
    message[4..6].copy_from_slice(&1000u16.to_be_bytes());
    let pseudo = PseudoHeader::new(ip("fe80::1"), ip("ff02::1"), Protocol::Icmpv6, 24);
    let mut sum = pseudo.checksum();
    sum.add(&message);
    message[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    let mut query = packet("fe80::1", "ff02::1", Protocol::Icmpv6, &message);
    query[7] = 1;
    assert_eq!(receive(&mut ours, &query), NetworkReceive::Consumed);
    ours.handle_timeout(NOW + Duration::from_secs(1));
    assert_eq!(out(&mut ours).len(), 1, "the solicited-node group of fd00::2");
    query[7] = 64;
    assert_eq!(receive(&mut ours, &query), NetworkReceive::Dropped(DropReason::Malformed));
}

#[test]
fn groups_are_bounded() {
    let mut ours = host(Forwarding::Off);
    let mut refused = 0;
    for number in 0..2000u16 {
        let [a, b] = number.to_be_bytes();
        refused += usize::from(ours.join(ETH, IpAddr::from([224, 9, a, b])) == Err(Error::NoBuffers));
        out(&mut ours);
    }
    assert_eq!(refused, 2000 - 1023, "one is the solicited-node group");
}
