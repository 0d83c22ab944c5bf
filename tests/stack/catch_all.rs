//! Datagram and ping sockets that answer for any address.

use std::net::SocketAddr;

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::network::Unreachable;
use sockeye_core::socket::{CatchAll, Family, Kind, SocketId};
use sockeye_core::stack::{Ancillary, Received};

use super::gate::world;
use super::wire::Network;

fn catcher(network: &mut Network, kind: Kind, what: CatchAll) -> SocketId {
    let id = network.hosts[1].open(Family::V6, kind).unwrap();
    network.hosts[1].catch_all(network.now, id, what).unwrap();
    id
}

fn receive(network: &mut Network, host: usize, id: SocketId) -> Result<(Received, Vec<u8>), Error> {
    let mut buffer = vec![0; 65_536];
    let received = network.hosts[host].receive_from(network.now, id, &mut buffer)?;
    buffer.truncate(received.copied);
    Ok((received, buffer))
}

/// Sends in the name of `from`.
fn send_as(
    network: &mut Network,
    id: SocketId,
    bytes: &[u8],
    (from, to): (SocketAddr, SocketAddr),
) -> Result<usize, Error> {
    let with = Ancillary { source: Some(from), ..Ancillary::default() };
    network.hosts[1].send_with(network.now, id, bytes, Some(to), &with)
}

/// A socket of the client that is connected to `to`.
fn client(network: &mut Network, kind: Kind, to: &str) -> SocketId {
    let to: SocketAddr = to.parse().unwrap();
    let id = network.hosts[0].open(Family::of(&to), kind).unwrap();
    network.hosts[0].connect(network.now, id, to).unwrap();
    id
}

#[test]
fn datagrams_to_anybody_are_heard_and_answered_in_their_name() {
    for (to, shown) in [("192.0.2.7:53", "[::ffff:192.0.2.7]:53"), ("[2001:db8::7]:53", "[2001:db8::7]:53")] {
        let mut network = world();
        let all = catcher(&mut network, Kind::Datagram, CatchAll::Foreign);
        let near = client(&mut network, Kind::Datagram, to);
        // In fragments, too.
        let question = vec![7; 5000];
        network.hosts[0].send_to(network.now, near, &question, None).unwrap();
        network.settle();
        let (received, bytes) = receive(&mut network, 1, all).unwrap();
        assert!(bytes == question);
        assert_eq!(received.destination, shown.parse().unwrap());
        let answer = vec![8; 6000];
        let (from, source) = (received.destination, received.source);
        assert_eq!(send_as(&mut network, all, &answer, (from, source)), Ok(6000));
        network.settle();
        let (back, bytes) = receive(&mut network, 0, near).unwrap();
        assert!(bytes == answer);
        assert_eq!(back.source, to.parse().unwrap());
        // From any other port and address as well; the client, which is connected, does not hear it.
        let other = SocketAddr::new(from.ip(), 54);
        send_as(&mut network, all, b"x", (other, source)).unwrap();
        network.settle();
        assert_eq!(receive(&mut network, 0, near), Err(Error::WouldBlock));
        network.close(0, near);
        network.close(1, all);
        network.assert_idle();
    }
}

#[test]
fn a_refused_datagram_refuses_its_sender() {
    let cases = [
        (Unreachable::Port, Error::ConnectionRefused),
        (Unreachable::Host, Error::HostUnreachable),
        (Unreachable::Network, Error::NetworkUnreachable),
    ];
    for (reason, expected) in cases {
        for to in ["192.0.2.7:53", "[2001:db8::7]:53"] {
            for kind in [Kind::Datagram, Kind::Ping] {
                let mut network = world();
                let all = catcher(&mut network, kind, CatchAll::Foreign);
                let near = client(&mut network, kind, to);
                network.hosts[0].send_to(network.now, near, &[7; 3000], None).unwrap();
                network.settle();
                let (received, _) = receive(&mut network, 1, all).unwrap();
                network.hosts[1].refuse_datagram(network.now, all, &received, reason).unwrap();
                network.settle();
                assert_eq!(receive(&mut network, 0, near), Err(expected), "{to} {kind:?} {reason:?}");
                network.close(0, near);
                network.close(1, all);
                network.assert_idle();
            }
        }
    }
}

#[test]
fn echo_requests_to_anybody_are_heard_and_answered_in_their_name() {
    for to in ["192.0.2.7:0", "[2001:db8::7]:0"] {
        let mut network = world();
        let all = catcher(&mut network, Kind::Ping, CatchAll::Foreign);
        let near = client(&mut network, Kind::Ping, to);
        let identifier = network.hosts[0].local_address(near).unwrap().port();
        network.hosts[0].ping(network.now, near, 9, b"there?", None).unwrap();
        network.settle();
        let (request, bytes) = receive(&mut network, 1, all).unwrap();
        assert_eq!((request.sequence, request.source.port()), (9, identifier));
        assert_eq!(request.destination.ip().to_canonical(), to.parse::<SocketAddr>().unwrap().ip());
        assert_eq!(receive(&mut network, 0, near), Err(Error::WouldBlock), "the stack itself is silent");
        network.hosts[1].answer_echo(network.now, all, &request, &bytes).unwrap();
        network.settle();
        let (reply, bytes) = receive(&mut network, 0, near).unwrap();
        assert_eq!((reply.sequence, &bytes[..]), (9, &b"there?"[..]));
        assert_eq!(reply.source.ip(), to.parse::<SocketAddr>().unwrap().ip());
        // Its own addresses the host answers by itself.
        let own = if to.starts_with('[') { "[fd00::2]:0" } else { "10.0.0.2:0" };
        let own = client(&mut network, Kind::Ping, own);
        network.hosts[0].ping(network.now, own, 1, b"you?", None).unwrap();
        network.settle();
        assert!(receive(&mut network, 0, own).is_ok());
        for (host, id) in [(0, near), (0, own), (1, all)] {
            network.close(host, id);
        }
        network.assert_idle();
    }
}

#[test]
fn bound_sockets_keep_what_is_theirs() {
    let mut network = world();
    let now = network.now;
    let all = catcher(&mut network, Kind::Datagram, CatchAll::Unclaimed);
    let bound = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[1].bind(now, bound, "0.0.0.0:53".parse().unwrap()).unwrap();
    let near = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    for to in ["10.0.0.2:53", "10.0.0.2:54", "192.0.2.7:53"] {
        network.hosts[0].send_to(now, near, to.as_bytes(), Some(to.parse().unwrap())).unwrap();
    }
    network.settle();
    assert_eq!(receive(&mut network, 1, bound).unwrap().1, b"10.0.0.2:53");
    assert_eq!(receive(&mut network, 1, all).unwrap().1, b"10.0.0.2:54");
    assert_eq!(receive(&mut network, 1, all).unwrap().1, b"192.0.2.7:53");
    assert_eq!(receive(&mut network, 1, bound), Err(Error::WouldBlock));
}

#[test]
fn without_a_socket_that_asks_for_them_they_are_dropped_in_silence() {
    let mut network = world();
    network.settle();
    let before = network.hosts[1].snapshot().drops.of(DropReason::NotOurAddress);
    let near = client(&mut network, Kind::Datagram, "192.0.2.7:53");
    network.hosts[0].send_to(network.now, near, b"x", None).unwrap();
    let ping = client(&mut network, Kind::Ping, "192.0.2.7:0");
    network.hosts[0].ping(network.now, ping, 1, b"x", None).unwrap();
    network.settle();
    assert_eq!(network.hosts[1].snapshot().drops.of(DropReason::NotOurAddress), before + 2);
    assert_eq!(receive(&mut network, 0, near), Err(Error::WouldBlock));
    assert_eq!(receive(&mut network, 0, ping), Err(Error::WouldBlock));
}

#[test]
fn it_speaks_for_nobody_who_cannot_be() {
    let mut network = world();
    let now = network.now;
    let all = catcher(&mut network, Kind::Datagram, CatchAll::Foreign);
    let to: SocketAddr = "10.0.0.1:9".parse().unwrap();
    let mapped = |text: &str| -> SocketAddr { format!("[::ffff:{text}]:7").parse().unwrap() };
    let to_mapped = SocketAddr::new("::ffff:10.0.0.1".parse().unwrap(), to.port());
    for nobody in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "10.0.0.255"] {
        let refused = send_as(&mut network, all, b"x", (mapped(nobody), to_mapped));
        assert_eq!(refused, Err(Error::AddressNotAvailable), "{nobody}");
    }
    let loopback = send_as(&mut network, all, b"x", (mapped("127.0.0.1"), to_mapped));
    assert_eq!(loopback, Err(Error::InvalidArgument));
    let other_family = send_as(&mut network, all, b"x", ("[fd00::9]:7".parse().unwrap(), to_mapped));
    assert_eq!(other_family, Err(Error::InvalidArgument));
    let own_way = network.hosts[1].send_to(now, all, b"x", Some(to_mapped));
    assert_eq!(own_way, Err(Error::NotSupported));

    let ordinary = client(&mut network, Kind::Datagram, "192.0.2.7:53");
    for (source, expected) in
        [("192.0.2.9:7", Error::NetworkUnreachable), ("[fd00::9]:7", Error::AddressFamilyNotSupported)]
    {
        let with = Ancillary { source: Some(source.parse().unwrap()), ..Ancillary::default() };
        assert_eq!(network.hosts[0].send_with(now, ordinary, b"x", Some(to), &with), Err(expected));
    }
    let refused = network.hosts[0].catch_all(now, ordinary, CatchAll::Foreign);
    assert_eq!(refused, Err(Error::InvalidArgument));
    let second = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    assert_eq!(network.hosts[1].catch_all(now, second, CatchAll::Foreign), Err(Error::AddressInUse));
    let ping = network.hosts[1].open(Family::V4, Kind::Ping).unwrap();
    assert_eq!(network.hosts[1].catch_all(now, ping, CatchAll::Unclaimed), Err(Error::NotSupported));
}
