//! Several interfaces and a router.

use std::net::Ipv4Addr;

use sockeye_core::error::Error;
use sockeye_core::network::{Forwarding, InterfaceId, Route, RouteAttributes};
use sockeye_core::socket::{Family, Kind, SocketOption};
use sockeye_core::stack::{Config, Frame};
use sockeye_core::time::Duration;
use sockeye_core::trace::{Direction, TraceEvent, Tracing};
use sockeye_core::wire::checksum::{ChecksumEmit, PseudoHeader};
use sockeye_core::wire::ethernet::{EtherType, Ethernet, MacAddr};
use sockeye_core::wire::headers::Headers;
use sockeye_core::wire::icmpv4::{Icmpv4, UnreachableCode};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
use sockeye_core::wire::{LinkType, Protocol, describe};

use super::wire::Network;

/// Host 0 (10.0.1.1) - router 1 - host 2 (10.0.2.1); the second wire has its own MTU.
pub fn routed(mtu: usize) -> Network {
    let router = Config { seed: 2, forwarding: Forwarding::On, ..Config::default() };
    let host = |seed| Config { seed, ..Config::default() };
    let mut network = Network::new([host(1), router, host(3)]);
    let left = network.plug(0, &["10.0.1.1/24", "fd01::1/64"], 1500);
    let router_left = network.plug(1, &["10.0.1.254/24", "fd01::fe/64"], 1500);
    let router_right = network.plug(1, &["10.0.2.254/24", "fd02::fe/64"], mtu);
    let right = network.plug(2, &["10.0.2.1/24", "fd02::1/64"], mtu);
    network.wire(left, router_left);
    network.wire(router_right, right);
    for (host, gateways) in [(0, ["10.0.1.254", "fd01::fe"]), (2, ["10.0.2.254", "fd02::fe"])] {
        let interface = if host == 0 { left.1 } else { right.1 };
        for (gateway, all) in gateways.iter().zip(["0.0.0.0/0", "::/0"]) {
            let gateway = Some(gateway.parse().unwrap());
            let route = Route { destination: all.parse().unwrap(), gateway, interface, metric: 0 };
            network.hosts[host].add_route(route).unwrap();
        }
    }
    network
}

#[test]
fn a_connection_crosses_a_router_and_learns_the_path_mtu() {
    for (mtu, address) in [(1500, "10.0.2.1:80"), (1280, "[fd02::1]:80"), (900, "10.0.2.1:80")] {
        let mut network = routed(mtu);
        let any = if address.starts_with('[') { "[::]:80" } else { "0.0.0.0:80" };
        let listener = network.listen(2, any, 5);
        let client = network.connect(0, address);
        network.settle();
        let (server, _) = network.hosts[2].accept(network.now, listener).unwrap();
        let sent: Vec<u8> = (0..100_000_u32).map(|byte| (byte % 241) as u8).collect();
        let mut written = 0;
        let mut got = Vec::new();
        for _ in 0..100 {
            // How much the send buffer takes at once follows from what the peer's segments hold.
            if written < sent.len() {
                written += network.write(0, client, &sent[written..]).unwrap_or(0);
            }
            network.run(Duration::from_millis(100));
            while let Ok(bytes) = network.read(2, server) {
                got.extend(bytes);
            }
        }
        assert!(got == sent, "{} bytes of {} through an MTU of {mtu}", got.len(), sent.len());
    }
}

#[test]
fn a_hop_limit_that_runs_out_is_told_to_the_sender() {
    let mut network = routed(1500);
    for (family, far) in [(Family::V4, "10.0.2.1"), (Family::V6, "fd02::1")] {
        let ping = network.hosts[0].open(family, Kind::Ping).unwrap();
        let now = network.now;
        network.hosts[0].set_option(now, ping, sockeye_core::socket::SocketOption::HopLimit(1)).unwrap();
        network.hosts[0].ping(now, ping, 1, b"hop", Some(far.parse().unwrap())).unwrap();
        network.settle();
        let answer = network.hosts[0].receive_from(now, ping, &mut [0; 100]);
        assert_eq!(answer.map(|_| ()), Err(Error::HostUnreachable), "{far}");
    }
}

#[test]
fn a_router_without_route_says_so_and_a_host_does_not_forward() {
    let mut network = routed(1500);
    let client = network.connect(0, "192.0.2.7:80");
    network.run(Duration::from_secs(5));
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::NetworkUnreachable)));
    let dead = network.connect(0, "10.0.2.77:80");
    network.run(Duration::from_secs(10));
    assert_eq!(
        network.hosts[0].take_error(dead),
        Ok(Some(Error::HostUnreachable)),
        "the router's ARP goes unanswered"
    );
}

/// A pair whose second host is reached over a route of its own, with these attributes.
fn over(attributes: RouteAttributes) -> (Network, Route) {
    let mut network = Network::pair();
    let route = Route {
        destination: "10.0.0.2/32".parse().unwrap(),
        gateway: None,
        interface: InterfaceId(1),
        metric: 0,
    };
    network.hosts[0].add_route(route).unwrap();
    network.hosts[0].set_route_attributes(&route, attributes).unwrap();
    assert_eq!(network.hosts[0].route_attributes(&route), Some(attributes));
    (network, route)
}

/// The lines that host 0 has sent, in tcpdump's words, with the flags of IPv4's fragment field.
fn lines(network: &mut Network) -> Vec<(String, u8)> {
    let mut lines = Vec::new();
    while let Some(trace) = network.hosts[0].poll_trace() {
        if let TraceEvent::Frame { direction: Direction::Sent, frame, .. } = trace.event
            && frame[12..14] == [8, 0]
        {
            lines.push((describe(&frame, LinkType::Ethernet).to_string(), frame[20] >> 5));
        }
    }
    lines
}

#[test]
fn a_connection_begins_as_its_route_says() {
    let narrow = RouteAttributes {
        mtu: Some(640),
        mtu_is_locked: true,
        advmss: Some(700),
        initcwnd: Some(3),
        ecn: true,
        ..RouteAttributes::default()
    };
    let (mut network, route) = over(narrow);
    network.hosts[0].set_tracing(Tracing::On);
    let listener = network.listen(1, "10.0.0.2:80", 5);
    let client = network.connect(0, "10.0.0.2:80");
    network.settle();
    let info = network.hosts[0].tcp_info(client).unwrap();
    assert_eq!((info.snd_mss, info.cwnd, info.ecn), (588, 3 * 588, true));
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    network.write(0, client, &[1; 3000]).unwrap();
    let sent = lines(&mut network);
    assert!(sent[0].0.contains("mss 700") && sent[0].0.contains("[SEW]"), "{sent:?}");
    let data: Vec<_> = sent.iter().filter(|(line, _)| line.contains("length 588")).collect();
    assert!(data.len() >= 5 && data.iter().all(|(_, flags)| *flags == 0), "routers may cut: {sent:?}");
    // The MTU changes while the connection lives: what is written next has the new size, the burst before has not.
    network.hosts[0].set_route_attributes(&route, RouteAttributes { mtu: Some(1000), ..narrow }).unwrap();
    network.write(0, client, &[2; 588]).unwrap();
    network.write(0, client, &[3; 5000]).unwrap();
    let lengths: Vec<_> = lines(&mut network).into_iter().map(|(line, _)| line).collect();
    assert!(lengths.iter().any(|line| line.contains("length 948")), "{lengths:?}");
    while network.read(1, server).is_ok() {}
}

#[test]
fn the_other_direction_follows_its_route_too() {
    let (mut network, _) = over(RouteAttributes { advmss: Some(600), ..RouteAttributes::default() });
    let listener = network.listen(0, "10.0.0.1:80", 5);
    let client = network.connect(1, "10.0.0.1:80");
    network.settle();
    network.hosts[0].accept(network.now, listener).unwrap();
    assert_eq!(network.hosts[1].tcp_info(client).unwrap().snd_mss, 588);
}

/// What a router says of a segment from host 0 to 10.0.0.2.
fn too_big(network: &mut Network, segment: &Segment, mtu: u16) {
    let (ours, theirs) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let mut quoted = Headers::new();
    let pseudo = PseudoHeader::new(ours.into(), theirs.into(), Protocol::Tcp, 0);
    segment.prepend(&mut quoted, &pseudo, [&[], &[]], ChecksumEmit::Full);
    Ipv4Header { payload_length: 1400, ..Ipv4Header::new(ours, theirs, Protocol::Tcp) }.prepend(&mut quoted);
    let quoted = quoted.as_slice()[..28].to_vec();
    let mut headers = Headers::new();
    Icmpv4::Unreachable { code: UnreachableCode::FragmentationNeeded, mtu }.prepend(&mut headers, &quoted);
    let length = headers.len() + quoted.len();
    Ipv4Header { payload_length: length, ..Ipv4Header::new(theirs, ours, Protocol::Icmp) }
        .prepend(&mut headers);
    let mac = network.hosts[0].snapshot().interfaces[1].mac.unwrap();
    Ethernet { destination: mac, source: MacAddr([2, 9, 9, 9, 9, 9]), ethertype: EtherType::Ipv4 }
        .prepend(&mut headers);
    let frame = [headers.as_slice(), &quoted].concat();
    network.hosts[0].receive(network.now, InterfaceId(1), Frame::new(&frame));
}

#[test]
fn a_smaller_path_is_believed_only_of_what_is_in_flight() {
    for lock in [false, true] {
        let attributes =
            RouteAttributes { mtu: lock.then_some(1400), mtu_is_locked: lock, ..RouteAttributes::default() };
        let (mut network, _) = over(attributes);
        let listener = network.listen(1, "10.0.0.2:80", 5);
        let (client, _) = network.connected(listener, "10.0.0.2:80");
        let port = network.hosts[0].local_address(client).unwrap().port();
        network.loses = Box::new(|_, _| true);
        network.write(0, client, &[1; 1000]).unwrap();
        let info = network.hosts[0].tcp_info(client).unwrap();
        let mss = |network: &Network| network.hosts[0].tcp_info(client).unwrap().snd_mss;
        let before = mss(&network);
        let segment = |seq| Segment {
            source_port: port,
            destination_port: 80,
            seq,
            ack: SeqNumber(0),
            flags: Flags::ACK,
            window: 0,
            urgent: 0,
            options: Options::default(),
            length: 0,
        };
        let forged = [
            segment(info.snd_una - 1),
            segment(info.snd_nxt),
            Segment { destination_port: 81, ..segment(info.snd_una) },
        ];
        for segment in forged {
            too_big(&mut network, &segment, 600);
            assert_eq!(mss(&network), before, "{segment}");
        }
        network.loses = Box::new(|_, _| false);
        network.run(Duration::from_secs(20));
        assert_eq!(mss(&network), before, "nor has the path become smaller");
        network.loses = Box::new(|_, _| true);
        network.write(0, client, &[1; 1000]).unwrap();
        let una = network.hosts[0].tcp_info(client).unwrap().snd_una;
        too_big(&mut network, &segment(una), 600);
        assert_eq!(mss(&network), if lock { before } else { 548 });
    }
}

#[test]
fn who_lets_routers_cut_does_not_listen_to_their_complaints() {
    for discovers in [true, false] {
        let (mut network, _) = over(RouteAttributes::default());
        let listener = network.listen(1, "10.0.0.2:80", 5);
        let (client, _) = network.connected(listener, "10.0.0.2:80");
        let option = SocketOption::PathMtuDiscovery(discovers);
        network.hosts[0].set_option(network.now, client, option).unwrap();
        network.loses = Box::new(|_, _| true);
        network.write(0, client, &[1; 1000]).unwrap();
        let info = network.hosts[0].tcp_info(client).unwrap();
        let segment = Segment {
            source_port: network.hosts[0].local_address(client).unwrap().port(),
            destination_port: 80,
            seq: info.snd_una,
            ack: SeqNumber(0),
            flags: Flags::ACK,
            window: 0,
            urgent: 0,
            options: Options::default(),
            length: 0,
        };
        too_big(&mut network, &segment, 600);
        let mss = network.hosts[0].tcp_info(client).unwrap().snd_mss;
        assert_eq!(mss, if discovers { 548 } else { info.snd_mss });
    }
}
