//! Raw sockets: who hears which packets, and what becomes of those that are sent.

use std::net::{IpAddr, SocketAddr};

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::socket::{Family, IcmpFilter, Kind, OptionName, SocketId, SocketOption};
use sockeye_core::stack::Received;
use sockeye_core::time::Duration;
use sockeye_core::wire::checksum::{self, PseudoHeader};
use sockeye_core::wire::ip::Protocol;
use sockeye_core::wire::ipv4::Ipv4Header;

use super::wire::Network;

/// A number that no protocol has.
const EXPERIMENT: Protocol = Protocol::Other(253);

fn raw(network: &mut Network, host: usize, family: Family, protocol: Protocol) -> SocketId {
    network.hosts[host].open(family, Kind::Raw(protocol)).unwrap()
}

fn send(network: &mut Network, host: usize, id: SocketId, bytes: &[u8], to: &str) -> Result<usize, Error> {
    let to = SocketAddr::new(to.parse().unwrap(), 0);
    let result = network.hosts[host].send_to(network.now, id, bytes, Some(to));
    network.settle();
    result
}

fn take(network: &mut Network, host: usize, id: SocketId) -> Option<(Vec<u8>, Received)> {
    let mut buffer = vec![0; 70_000];
    let received = network.hosts[host].receive_from(network.now, id, &mut buffer).ok()?;
    buffer.truncate(received.copied);
    Some((buffer, received))
}

fn set(network: &mut Network, host: usize, id: SocketId, option: SocketOption) -> Result<(), Error> {
    network.hosts[host].set_option(network.now, id, option)
}

fn drops(network: &Network, host: usize, reason: DropReason) -> u64 {
    network.hosts[host].snapshot().drops.of(reason)
}

/// An echo request as a program builds it, with the checksum of ICMP for IPv4.
fn echo_request(data: &[u8]) -> Vec<u8> {
    let mut bytes = [&[8, 0, 0, 0, 0x12, 0x34, 0, 1], data].concat();
    let sum = !checksum::sum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn an_ipv4_packet_comes_with_its_header_and_an_ipv6_packet_without() {
    for (family, own, to, header) in [
        (Family::V4, "10.0.0.1", "10.0.0.2", 20),
        (Family::V6, "fd00::1", "fd00::2", 0),
        (Family::V4, "127.0.0.1", "127.0.0.1", 20),
        (Family::V6, "::1", "::1", 0),
    ] {
        let mut network = Network::pair();
        let there = usize::from(own != to);
        let sender = raw(&mut network, 0, family, EXPERIMENT);
        let hearer = raw(&mut network, there, family, EXPERIMENT);
        let stranger = raw(&mut network, there, family, Protocol::Other(254));
        set(&mut network, 0, sender, SocketOption::HopLimit(9)).unwrap();
        set(&mut network, 0, sender, SocketOption::TrafficClass(0x28)).unwrap();
        // The longer one comes in fragments, but for the loopback interface.
        for size in [0, 5, 9000] {
            let sent: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
            assert_eq!(send(&mut network, 0, sender, &sent, to), Ok(size));
            let (got, received) = take(&mut network, there, hearer).unwrap();
            assert!(got[header..] == sent, "{size} bytes to {to}");
            assert_eq!((received.hop_limit, received.traffic_class), (9, 0x28));
            assert_eq!(received.source, SocketAddr::new(own.parse().unwrap(), 0));
            assert_eq!(received.destination.ip(), to.parse::<IpAddr>().unwrap());
            if family == Family::V4 {
                let (parsed, payload) = Ipv4Header::parse(&got).unwrap();
                assert_eq!((parsed.ttl, parsed.protocol, payload.len()), (9, EXPERIMENT, size));
            }
        }
        assert_eq!(take(&mut network, there, stranger), None);
        assert_eq!(network.hosts[there].local_address(hearer).unwrap().port(), 253);
    }
}

#[test]
fn a_raw_socket_hears_requests_replies_and_errors_beside_those_they_are_for() {
    let mut network = Network::pair();
    let sender = raw(&mut network, 0, Family::V4, Protocol::Icmp);
    let ping = network.hosts[0].open(Family::V4, Kind::Ping).unwrap();
    let far = raw(&mut network, 1, Family::V4, Protocol::Icmp);
    send(&mut network, 0, sender, &echo_request(b"data"), "10.0.0.2").unwrap();
    assert_eq!(take(&mut network, 1, far).unwrap().0[20..], echo_request(b"data"));
    let (reply, from) = take(&mut network, 0, sender).unwrap();
    assert_eq!((&reply[20..22], &reply[24..]), (&[0, 0][..], &echo_request(b"data")[4..]));
    assert_eq!(from.source.ip(), "10.0.0.2".parse::<IpAddr>().unwrap());
    // A ping socket has its own replies, and the raw one has them too.
    network.hosts[0].ping(network.now, ping, 7, b"x", Some("10.0.0.2".parse().unwrap())).unwrap();
    network.settle();
    assert_eq!(take(&mut network, 0, ping).unwrap().1.sequence, 7);
    assert_eq!(take(&mut network, 0, sender).unwrap().0[20], 0);
    // An error, which concerns a socket of UDP.
    let udp = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    let closed = "10.0.0.2:9".parse().unwrap();
    network.hosts[0].connect(network.now, udp, closed).unwrap();
    network.hosts[0].send_to(network.now, udp, b"?", None).unwrap();
    network.settle();
    assert_eq!(network.hosts[0].take_error(udp), Ok(Some(Error::ConnectionRefused)));
    assert_eq!(take(&mut network, 0, sender).unwrap().0[20..22], [3, 3]);
    // What a raw socket has heard was not refused, although nobody else wanted it.
    let refused = [DropReason::NoSocket, DropReason::IgnoredIcmp].map(|reason| drops(&network, 0, reason));
    assert_eq!(refused, [0, 0]);
}

#[test]
fn a_bound_socket_hears_what_comes_to_its_address_and_a_connected_one_its_peer() {
    let mut network = Network::pair();
    let sender = raw(&mut network, 0, Family::V4, EXPERIMENT);
    let [any, here, elsewhere, connected] = [(); 4].map(|()| raw(&mut network, 1, Family::V4, EXPERIMENT));
    let (now, address) = (network.now, |ip: &str| SocketAddr::new(ip.parse().unwrap(), 4));
    let host = &mut network.hosts[1];
    host.bind(now, here, address("10.0.0.2")).unwrap();
    host.bind(now, elsewhere, address("10.0.0.2")).unwrap();
    host.bind(now, elsewhere, address("127.0.0.1")).unwrap(); // it may change its mind
    assert_eq!(host.bind(now, any, address("10.0.0.77")), Err(Error::AddressNotAvailable));
    host.connect(now, connected, address("10.0.0.1")).unwrap();
    assert_eq!(host.bind(now, connected, address("10.0.0.2")), Err(Error::InvalidArgument));
    assert_eq!(host.local_address(connected), Ok("10.0.0.2:253".parse().unwrap()));
    assert_eq!(host.peer_address(connected), Ok("10.0.0.1:0".parse().unwrap()));
    let heard =
        |network: &mut Network| [any, here, elsewhere, connected].map(|id| take(network, 1, id).is_some());
    send(&mut network, 0, sender, b"x", "10.0.0.2").unwrap();
    assert_eq!(heard(&mut network), [true, true, false, true]);
    send(&mut network, 1, any, b"x", "127.0.0.1").unwrap();
    assert_eq!(heard(&mut network), [true, false, true, false]);
    network.hosts[1].disconnect(now, connected).unwrap();
    send(&mut network, 1, any, b"x", "127.0.0.1").unwrap();
    assert_eq!(heard(&mut network), [true, false, true, true]);
    assert_eq!(send(&mut network, 1, connected, b"x", "::1"), Err(Error::AddressFamilyNotSupported));
    assert_eq!(network.hosts[1].send_to(now, any, b"x", None), Err(Error::DestinationRequired));
}

#[test]
fn the_filter_holds_back_types_of_icmp() {
    for (family, protocol, request, reply, to) in [
        (Family::V4, Protocol::Icmp, echo_request(b""), 0, "10.0.0.2"),
        (Family::V6, Protocol::Icmpv6, vec![128, 0, 0, 0, 0, 1, 0, 1], 129, "fd00::2"),
    ] {
        let mut network = Network::pair();
        let sender = raw(&mut network, 0, family, protocol);
        let deaf = raw(&mut network, 0, family, protocol);
        let other = raw(&mut network, 0, family, EXPERIMENT);
        let replies = IcmpFilter::BLOCK_ALL.pass(reply);
        set(&mut network, 0, sender, SocketOption::IcmpFilter(replies)).unwrap();
        set(&mut network, 0, deaf, SocketOption::IcmpFilter(IcmpFilter::PASS_ALL.block(reply))).unwrap();
        assert_eq!(
            network.hosts[0].option(sender, OptionName::IcmpFilter),
            Ok(SocketOption::IcmpFilter(replies))
        );
        assert_eq!(set(&mut network, 0, other, SocketOption::IcmpFilter(replies)), Err(Error::NotSupported));
        send(&mut network, 0, sender, &request, to).unwrap();
        let (got, _) = take(&mut network, 0, sender).unwrap();
        assert_eq!(got[if family == Family::V4 { 20 } else { 0 }], reply);
        assert_eq!(take(&mut network, 0, sender), None);
        while let Some((got, _)) = take(&mut network, 0, deaf) {
            assert!(got[0] != reply || family == Family::V4 && got[20] != reply, "{got:?}");
        }
    }
}

#[test]
fn a_header_that_is_included_is_completed_and_otherwise_left_alone() {
    let mut network = Network::pair();
    let sender = raw(&mut network, 0, Family::V4, Protocol::Other(255));
    let hearer = raw(&mut network, 1, Family::V4, EXPERIMENT);
    assert_eq!(
        network.hosts[0].option(sender, OptionName::HeaderIncluded),
        Ok(SocketOption::HeaderIncluded(true))
    );
    let mut packet = [0; 23];
    packet[..10].copy_from_slice(&[0x45, 0x10, 9, 9, 0, 0, 0, 0, 33, 253]);
    packet[16..].copy_from_slice(&[10, 0, 0, 2, b'a', b'b', b'c']);
    assert_eq!(send(&mut network, 0, sender, &packet, "10.0.0.2"), Ok(23));
    let (got, _) = take(&mut network, 1, hearer).unwrap();
    let (header, payload) = Ipv4Header::parse(&got).unwrap();
    assert_eq!((header.ttl, header.dscp, payload), (33, 4, &b"abc"[..]));
    assert_eq!(header.source, "10.0.0.1".parse::<std::net::Ipv4Addr>().unwrap());
    assert!(header.identification != 0);
    // The source and the number that are there stay, and so do the options.
    let mut packet = [0; 25];
    packet[..10].copy_from_slice(&[0x46, 0, 0, 0, 7, 7, 0, 0, 1, 253]);
    packet[12..].copy_from_slice(&[10, 0, 0, 99, 10, 0, 0, 2, 1, 1, 1, 0, b'd']);
    send(&mut network, 0, sender, &packet, "10.0.0.2").unwrap();
    let (got, received) = take(&mut network, 1, hearer).unwrap();
    assert_eq!((&got[4..6], &got[20..]), (&[7, 7][..], &[1, 1, 1, 0, b'd'][..]));
    assert_eq!(received.source.ip(), "10.0.0.99".parse::<IpAddr>().unwrap());
    // It is not cut, and not sent with less than a header.
    packet = [0x4f; 25];
    assert_eq!(send(&mut network, 0, sender, &packet, "10.0.0.2"), Err(Error::InvalidArgument));
    assert_eq!(send(&mut network, 0, sender, &packet[..19], "10.0.0.2"), Err(Error::InvalidArgument));
    assert_eq!(send(&mut network, 0, sender, &[0x45; 1501], "10.0.0.2"), Err(Error::MessageTooLong));
    // Any raw socket may be told to.
    let told = raw(&mut network, 0, Family::V4, EXPERIMENT);
    set(&mut network, 0, told, SocketOption::HeaderIncluded(true)).unwrap();
    packet[..20].copy_from_slice(&got[..20]);
    packet[0] = 0x45;
    send(&mut network, 0, told, &packet[..20], "10.0.0.2").unwrap();
    assert_eq!(take(&mut network, 1, hearer).unwrap().0.len(), 20);
}

#[test]
fn an_ipv6_header_may_be_included_too() {
    let mut network = Network::pair();
    let sender = raw(&mut network, 0, Family::V6, Protocol::Other(255));
    let hearer = raw(&mut network, 1, Family::V6, EXPERIMENT);
    let mut packet = vec![0x60, 0, 0, 0, 0, 2, 253, 5];
    for address in ["fd00::1", "fd00::2"] {
        packet.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    packet.extend(b"hi");
    send(&mut network, 0, sender, &packet, "fd00::2").unwrap();
    let (got, received) = take(&mut network, 1, hearer).unwrap();
    assert_eq!((&got[..], received.hop_limit), (&b"hi"[..], 5));
    assert_eq!(send(&mut network, 0, sender, &packet[..39], "fd00::2"), Err(Error::InvalidArgument));
}

#[test]
fn checksums_of_ipv6_are_filled_in_and_verified() {
    let mut network = Network::pair();
    let icmp = raw(&mut network, 0, Family::V6, Protocol::Icmpv6);
    send(&mut network, 0, icmp, &[128, 0, 0xff, 0xff, 0, 1, 0, 1, b'x'], "fd00::2").unwrap();
    let replies = std::iter::from_fn(|| take(&mut network, 0, icmp)).filter(|(got, _)| got[0] == 129);
    assert_eq!(replies.count(), 1);
    for offset in [Some(0), None] {
        assert_eq!(
            set(&mut network, 0, icmp, SocketOption::ChecksumOffset(offset)),
            Err(Error::InvalidArgument)
        );
    }
    let [sender, unsummed] = [(); 2].map(|()| raw(&mut network, 0, Family::V6, EXPERIMENT));
    let [hearer, careless] = [(); 2].map(|()| raw(&mut network, 1, Family::V6, EXPERIMENT));
    let at = |offset| SocketOption::ChecksumOffset(Some(offset));
    assert_eq!(set(&mut network, 0, sender, at(3)), Err(Error::InvalidArgument));
    set(&mut network, 0, sender, at(4)).unwrap();
    set(&mut network, 1, hearer, at(4)).unwrap();
    assert_eq!(send(&mut network, 0, sender, b"short", "fd00::2"), Err(Error::InvalidArgument));
    send(&mut network, 0, sender, b"some bytes", "fd00::2").unwrap();
    let (got, _) = take(&mut network, 1, hearer).unwrap();
    let ends = ["fd00::1", "fd00::2"].map(|end| end.parse().unwrap());
    let mut sum = PseudoHeader::new(ends[0], ends[1], EXPERIMENT, 10).checksum();
    sum.add(&got);
    assert_eq!((sum.finish(), &got[..4], &got[6..]), (0, &b"some"[..], &b"ytes"[..]));
    assert!(take(&mut network, 1, careless).is_some());
    send(&mut network, 0, unsummed, b"some bytes", "fd00::2").unwrap();
    assert_eq!(take(&mut network, 1, hearer), None);
    assert_eq!(take(&mut network, 1, careless).unwrap().0, b"some bytes");
    assert_eq!(drops(&network, 1, DropReason::BadChecksum), 1);
    let v4 = raw(&mut network, 0, Family::V4, EXPERIMENT);
    assert_eq!(set(&mut network, 0, v4, at(4)), Err(Error::UnknownOption));
}

#[test]
fn a_protocol_is_unreachable_only_as_long_as_nobody_hears_it() {
    for (family, to) in [(Family::V4, "10.0.0.2"), (Family::V6, "fd00::2")] {
        let mut network = Network::pair();
        let sender = raw(&mut network, 0, family, EXPERIMENT);
        let now = network.now;
        network.hosts[0].connect(now, sender, SocketAddr::new(to.parse().unwrap(), 0)).unwrap();
        let told = |network: &mut Network| {
            network.hosts[0].send_to(now, sender, b"anybody?", None).unwrap();
            network.settle();
            network.hosts[0].take_error(sender).unwrap()
        };
        let refused = if family == Family::V4 { Some(Error::UnknownOption) } else { None };
        assert_eq!(told(&mut network), refused);
        assert_eq!(drops(&network, 1, DropReason::UnknownProtocol), 1);
        // One that hears something else is no reason to be silent.
        let deaf = raw(&mut network, 1, family, EXPERIMENT);
        let loopback = if family == Family::V4 { "127.0.0.1" } else { "::1" };
        network.hosts[1].bind(now, deaf, SocketAddr::new(loopback.parse().unwrap(), 0)).unwrap();
        assert_eq!(told(&mut network), refused);
        let hearer = raw(&mut network, 1, family, EXPERIMENT);
        assert_eq!(told(&mut network), None);
        assert_eq!(drops(&network, 1, DropReason::UnknownProtocol), 2);
        network.close(1, hearer);
        network.close(1, deaf);
        assert_eq!(told(&mut network), refused);
    }
}

#[test]
fn segments_and_datagrams_are_heard_without_being_taken_away() {
    let mut network = Network::pair();
    let [tcp, udp] = [Protocol::Tcp, Protocol::Udp].map(|it| raw(&mut network, 1, Family::V4, it));
    let server = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    let (now, to) = (network.now, "10.0.0.2:53".parse().unwrap());
    network.hosts[1].bind(now, server, to).unwrap();
    let client = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].send_to(now, client, b"ask", Some(to)).unwrap();
    let stream = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    let _ = network.hosts[0].connect(now, stream, to);
    network.settle();
    assert_eq!(take(&mut network, 1, server).unwrap().0, b"ask");
    assert_eq!(take(&mut network, 1, udp).unwrap().0[28..], *b"ask");
    let (syn, _) = take(&mut network, 1, tcp).unwrap();
    assert_eq!((&syn[22..24], syn[33]), (&53_u16.to_be_bytes()[..], 2), "a SYN for port 53");
    assert_eq!(network.hosts[0].take_error(stream), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn queues_are_bounded_and_nothing_is_left_behind() {
    let mut network = Network::pair();
    let sender = raw(&mut network, 0, Family::V4, EXPERIMENT);
    let hearer = raw(&mut network, 1, Family::V4, EXPERIMENT);
    set(&mut network, 1, hearer, SocketOption::ReceiveBuffer(2500)).unwrap();
    for _ in 0..20 {
        send(&mut network, 0, sender, &[1; 1000], "10.0.0.2").unwrap();
    }
    assert_eq!(drops(&network, 1, DropReason::ReceiveBufferFull), 15);
    assert_eq!(send(&mut network, 0, sender, &[0; 65_516], "10.0.0.2"), Err(Error::MessageTooLong));
    assert_eq!(send(&mut network, 0, sender, b"x", "10.0.0.255"), Err(Error::PermissionDenied));
    for option in [SocketOption::NoDelay(true), SocketOption::OnlyV6(false)] {
        assert_eq!(set(&mut network, 0, sender, option), Err(Error::UnknownOption));
    }
    let datagram = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    let included = SocketOption::HeaderIncluded(true);
    assert_eq!(set(&mut network, 0, datagram, included), Err(Error::UnknownOption));
    network.close(0, datagram);
    // The last packet leaves although its socket is closed.
    while take(&mut network, 1, hearer).is_some() {}
    let to = "10.0.0.2:0".parse().unwrap();
    network.hosts[0].send_to(network.now, sender, b"last", Some(to)).unwrap();
    network.close(0, sender);
    network.settle();
    assert_eq!(take(&mut network, 1, hearer).unwrap().0[20..], *b"last");
    network.close(1, hearer);
    network.run(Duration::from_secs(300));
    network.assert_idle();
}

#[test]
fn a_group_is_heard_by_members_everywhere_as_long_as_that_is_wanted() {
    for (family, group) in [(Family::V4, "224.0.0.18"), (Family::V6, "ff02::12")] {
        let mut network = Network::pair();
        let hosts = [0, 0, 1];
        let [sender, neighbor, far] = hosts.map(|host| raw(&mut network, host, family, EXPERIMENT));
        let now = network.now;
        let address: IpAddr = group.parse().unwrap();
        network.hosts[0].join(now, neighbor, None, address).unwrap();
        network.hosts[1].join(now, far, None, address).unwrap();
        let heard = |network: &mut Network| {
            send(network, 0, sender, b"all", group).unwrap();
            [take(network, 0, neighbor), take(network, 1, far)]
                .map(|got| got.map(|(got, received)| (got.len(), received.hop_limit)))
        };
        let length = if family == Family::V4 { 23 } else { 3 };
        assert_eq!(heard(&mut network), [Some((length, 1)); 2]);
        set(&mut network, 0, sender, SocketOption::MulticastHopLimit(0)).unwrap();
        assert_eq!(heard(&mut network), [Some((length, 0)), None]);
        set(&mut network, 0, sender, SocketOption::MulticastHopLimit(7)).unwrap();
        set(&mut network, 0, sender, SocketOption::MulticastLoop(false)).unwrap();
        assert_eq!(heard(&mut network), [None, Some((length, 7))]);
    }
}

#[test]
fn a_neighbor_that_does_not_answer_is_told_of_by_a_message_of_the_host_to_itself() {
    for (family, protocol, own, nobody, header, message) in [
        (Family::V4, Protocol::Icmp, "10.0.0.1", "10.0.0.99", 20, [3, 1]),
        (Family::V6, Protocol::Icmpv6, "fd00::1", "fd00::99", 0, [1, 3]),
    ] {
        let mut network = Network::pair();
        let id = raw(&mut network, 0, family, protocol);
        let only = IcmpFilter::BLOCK_ALL.pass(message[0]);
        set(&mut network, 0, id, SocketOption::IcmpFilter(only)).unwrap();
        send(&mut network, 0, id, &echo_request(b"data"), nobody).unwrap();
        assert_eq!(take(&mut network, 0, id), None);
        network.run(Duration::from_secs(10));
        let (got, received) = take(&mut network, 0, id).unwrap();
        assert_eq!(got[header..header + 2], message);
        assert_eq!(received.source.ip(), own.parse::<IpAddr>().unwrap());
        // The packet is quoted: its destination, and the whole payload.
        assert!(got.ends_with(&echo_request(b"data")[4..]), "{got:?}");
    }
}
