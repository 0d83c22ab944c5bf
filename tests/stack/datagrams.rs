//! Datagram and ping sockets.

use std::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, SocketId, SocketOption};
use sockeye_core::stack::Ancillary;
use sockeye_core::time::Duration;

use super::wire::Network;

fn udp(network: &mut Network, host: usize, address: &str) -> SocketId {
    let address: SocketAddr = address.parse().unwrap();
    let id = network.hosts[host].open(Family::of(&address), Kind::Datagram).unwrap();
    network.hosts[host].bind(network.now, id, address).unwrap();
    id
}

fn send(network: &mut Network, host: usize, id: SocketId, bytes: &[u8], to: &str) -> Result<usize, Error> {
    let result = network.hosts[host].send_to(network.now, id, bytes, Some(to.parse().unwrap()));
    network.settle();
    result
}

fn receive(network: &mut Network, host: usize, id: SocketId) -> Result<(Vec<u8>, SocketAddr), Error> {
    let mut buffer = vec![0; 70_000];
    let received = network.hosts[host].receive_from(network.now, id, &mut buffer)?;
    buffer.truncate(received.copied);
    Ok((buffer, received.source))
}

#[test]
fn datagrams_keep_their_boundaries_sources_and_sizes_up_to_the_largest() {
    for (any, one, two) in [
        ("0.0.0.0:5000", "10.0.0.1:5000", "10.0.0.2:5000"),
        ("[::]:5000", "[fd00::1]:5000", "[fd00::2]:5000"),
    ] {
        let mut network = Network::pair();
        let client = udp(&mut network, 0, any);
        let server = udp(&mut network, 1, any);
        for size in [0, 1, 1472, 1473, 9000, 65_507] {
            let sent: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
            assert_eq!(send(&mut network, 0, client, &sent, two), Ok(size));
            let (got, source) = receive(&mut network, 1, server).unwrap();
            assert!(got == sent, "{size} bytes to {two}");
            assert_eq!(source, one.parse().unwrap());
        }
        assert_eq!(receive(&mut network, 1, server), Err(Error::WouldBlock));
        assert_eq!(send(&mut network, 0, client, &[0; 65_528], two), Err(Error::MessageTooLong));
        let truncated = send(&mut network, 0, client, b"abcdef", two)
            .and_then(|_| network.hosts[1].receive_from(network.now, server, &mut [0; 4]));
        let truncated = truncated.unwrap();
        assert_eq!((truncated.copied, truncated.length), (4, 6));
    }
}

#[test]
fn a_datagram_brings_what_it_was_sent_with_and_the_next_one_what_the_socket_says() {
    for (any, two, other) in
        [("0.0.0.0:5000", "10.0.0.2:5000", "127.0.0.1"), ("[::]:5000", "[fd00::2]:5000", "::1")]
    {
        let mut network = Network::pair();
        let client = udp(&mut network, 0, any);
        let server = udp(&mut network, 1, any);
        let now = network.now;
        network.hosts[0].set_option(now, client, SocketOption::TrafficClass(0x28)).unwrap();
        let server_address: SocketAddr = two.parse().unwrap();
        let to = Some(server_address);
        let with = Ancillary { hop_limit: Some(2), traffic_class: Some(0xb8), ..Ancillary::default() };
        network.hosts[0].send_with(now, client, b"x", to, &with).unwrap();
        network.hosts[0].send_to(now, client, b"x", to).unwrap();
        network.settle();
        for expected in [(2, 0xb8), (64, 0x28)] {
            let received = network.hosts[1].receive_from(now, server, &mut [0; 9]).unwrap();
            assert_eq!((received.hop_limit, received.traffic_class), expected);
        }
        // From another of its addresses, and from one that is not.
        let own = network.hosts[1].open(Family::of(&server_address), Kind::Datagram).unwrap();
        let from = |text: &str| Some(SocketAddr::new(text.parse().unwrap(), 0));
        let with = Ancillary { source: from(other), ..Ancillary::default() };
        network.hosts[1].send_with(now, own, b"x", to, &with).unwrap();
        network.settle();
        let received = network.hosts[1].receive_from(now, server, &mut [0; 9]).unwrap();
        assert_eq!(received.source.ip(), other.parse::<std::net::IpAddr>().unwrap());
        assert_eq!(received.source.port(), network.hosts[1].local_address(own).unwrap().port());
        let foreign = if any.starts_with('[') { "fd00::9" } else { "10.0.0.9" };
        let with = Ancillary { source: from(foreign), ..Ancillary::default() };
        assert!(network.hosts[1].send_with(now, own, b"x", to, &with).is_err());
    }
}

#[test]
fn a_closed_port_is_told_to_a_connected_socket_only() {
    for address in ["10.0.0.2:9", "[fd00::2]:9"] {
        let mut network = Network::pair();
        let peer: SocketAddr = address.parse().unwrap();
        let now = network.now;
        let connected = network.hosts[0].open(Family::of(&peer), Kind::Datagram).unwrap();
        assert_eq!(network.hosts[0].send_to(now, connected, b"x", None), Err(Error::DestinationRequired));
        network.hosts[0].connect(now, connected, peer).unwrap();
        assert_eq!(network.hosts[0].peer_address(connected), Ok(peer));
        network.hosts[0].send_to(now, connected, b"x", None).unwrap();
        network.settle();
        assert!(network.hosts[0].readiness(connected).unwrap().has_failed());
        assert_eq!(receive(&mut network, 0, connected), Err(Error::ConnectionRefused));
        assert_eq!(receive(&mut network, 0, connected), Err(Error::WouldBlock), "told once");
        let loose = network.hosts[0].open(Family::of(&peer), Kind::Datagram).unwrap();
        send(&mut network, 0, loose, b"x", address).unwrap();
        assert_eq!(receive(&mut network, 0, loose), Err(Error::WouldBlock));
    }
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    let mut network = Network::pair();
    let server = udp(&mut network, 1, "10.0.0.2:5000");
    network.hosts[1].connect(network.now, server, "10.0.0.1:4000".parse().unwrap()).unwrap();
    let friend = udp(&mut network, 0, "10.0.0.1:4000");
    let stranger = udp(&mut network, 0, "10.0.0.1:4001");
    send(&mut network, 0, stranger, b"no", "10.0.0.2:5000").unwrap();
    send(&mut network, 0, friend, b"yes", "10.0.0.2:5000").unwrap();
    assert_eq!(receive(&mut network, 1, server).unwrap().0, b"yes");
    assert_eq!(receive(&mut network, 1, server), Err(Error::WouldBlock));
    network.hosts[1].connect(network.now, server, "0.0.0.0:0".parse().unwrap()).unwrap();
    assert_eq!(network.hosts[1].peer_address(server), Err(Error::NotConnected));
}

#[test]
fn broadcasts_need_permission_and_reach_everybody_at_the_port() {
    let mut network = Network::pair();
    let one = udp(&mut network, 1, "0.0.0.0:6000");
    let client = udp(&mut network, 0, "0.0.0.0:6000");
    for broadcast in ["10.0.0.255:6000", "255.255.255.255:6000"] {
        let now = network.now;
        network.hosts[0].set_option(now, client, SocketOption::Broadcast(false)).unwrap();
        assert_eq!(send(&mut network, 0, client, b"all", broadcast), Err(Error::PermissionDenied));
        network.hosts[0].set_option(now, client, SocketOption::Broadcast(true)).unwrap();
        assert_eq!(send(&mut network, 0, client, b"all", broadcast), Ok(3));
        assert_eq!(receive(&mut network, 1, one).unwrap().0, b"all");
    }
}

#[test]
fn pings_are_answered_even_when_they_do_not_fit_in_one_packet() {
    for (family, target) in [(Family::V4, "10.0.0.2"), (Family::V6, "fd00::2"), (Family::V4, "127.0.0.1")] {
        let mut network = Network::pair();
        let ping = network.hosts[0].open(family, Kind::Ping).unwrap();
        for size in [0, 56, 20_000] {
            let payload: Vec<u8> = (0..size).map(|byte| (byte % 253) as u8).collect();
            let to = Some(target.parse().unwrap());
            network.hosts[0].ping(network.now, ping, 42, &payload, to).unwrap();
            network.settle();
            let mut buffer = vec![0; 30_000];
            let reply = network.hosts[0].receive_from(network.now, ping, &mut buffer).unwrap();
            assert_eq!((reply.sequence, reply.copied, reply.hop_limit), (42, size, 64), "{target}");
            assert!(buffer[..size] == payload);
            assert_eq!(reply.source.ip(), target.parse::<std::net::IpAddr>().unwrap());
        }
    }
}

#[test]
fn a_full_receive_queue_drops_and_counts() {
    let mut network = Network::pair();
    let server = udp(&mut network, 1, "0.0.0.0:5000");
    let client = udp(&mut network, 0, "0.0.0.0:5000");
    network.hosts[1].set_option(network.now, server, SocketOption::ReceiveBuffer(2500)).unwrap();
    for _ in 0..20 {
        send(&mut network, 0, client, &[1; 1000], "10.0.0.2:5000").unwrap();
    }
    let drops = network.hosts[1].snapshot().drops;
    let full = drops.of(sockeye_core::drop_reason::DropReason::ReceiveBufferFull);
    assert_eq!(full, 15, "{:?}", drops.iter().collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_of_closed_sockets() {
    let mut network = Network::pair();
    let one = udp(&mut network, 0, "0.0.0.0:5000");
    // Closed before its neighbour's address is known: the datagram still arrives.
    let server = udp(&mut network, 1, "0.0.0.0:7");
    network.hosts[0].send_to(network.now, one, b"last words", Some("10.0.0.2:7".parse().unwrap())).unwrap();
    network.hosts[0].close(network.now, one).unwrap();
    network.settle();
    assert_eq!(receive(&mut network, 1, server).unwrap().0, b"last words");
    network.close(1, server);
    network.run(Duration::from_secs(300));
    network.assert_idle();
}
