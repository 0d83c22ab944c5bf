//! Ports and addresses: who may bind what, and that nothing is kept of who is gone.

use std::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, SocketId, SocketOption};
use sockeye_core::time::Duration;

use super::wire::Network;

fn bound(network: &mut Network, kind: Kind, reuse: bool, address: &str) -> Result<SocketId, Error> {
    let address: SocketAddr = address.parse().unwrap();
    let (now, host) = (network.now, &mut network.hosts[0]);
    let id = host.open(Family::of(&address), kind).unwrap();
    host.set_option(now, id, SocketOption::ReuseAddress(reuse)).unwrap();
    host.bind(now, id, address).map(|()| id)
}

#[test]
fn datagram_sockets_share_a_port_only_if_all_of_them_agree() {
    let mut network = Network::pair();
    let first = bound(&mut network, Kind::Datagram, false, "0.0.0.0:500").unwrap();
    assert_eq!(bound(&mut network, Kind::Datagram, true, "10.0.0.1:500"), Err(Error::AddressInUse));
    // The first changes its mind.
    network.hosts[0].set_option(network.now, first, SocketOption::ReuseAddress(true)).unwrap();
    let second = bound(&mut network, Kind::Datagram, true, "0.0.0.0:500").unwrap();
    assert_eq!(bound(&mut network, Kind::Datagram, false, "0.0.0.0:500"), Err(Error::AddressInUse));
    // Another protocol has ports of its own.
    bound(&mut network, Kind::Stream, false, "0.0.0.0:500").unwrap();
    bound(&mut network, Kind::Ping, false, "0.0.0.0:500").unwrap();
    // Among equals the last one hears.
    let client = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    let to = Some("10.0.0.1:500".parse().unwrap());
    network.hosts[1].send_to(network.now, client, b"x", to).unwrap();
    network.settle();
    let now = network.now;
    assert_eq!(network.hosts[0].receive_from(now, first, &mut [0; 9]).map(|_| ()), Err(Error::WouldBlock));
    assert!(network.hosts[0].receive_from(now, second, &mut [0; 9]).is_ok());
}

#[test]
fn a_dual_wildcard_holds_the_port_of_both_families_and_a_v6_only_one_of_its_own() {
    for only in [false, true] {
        let mut network = Network::pair();
        let (now, host) = (network.now, &mut network.hosts[0]);
        let six = host.open(Family::V6, Kind::Stream).unwrap();
        host.set_option(now, six, SocketOption::OnlyV6(only)).unwrap();
        host.bind(now, six, "[::]:80".parse().unwrap()).unwrap();
        assert_eq!(
            host.set_option(now, six, SocketOption::OnlyV6(!only)),
            Err(Error::InvalidArgument),
            "too late"
        );
        let expected = if only { Ok(()) } else { Err(Error::AddressInUse) };
        assert_eq!(bound(&mut network, Kind::Stream, false, "0.0.0.0:80").map(|_| ()), expected);
        assert_eq!(bound(&mut network, Kind::Stream, false, "[fd00::1]:80"), Err(Error::AddressInUse));
    }
}

#[test]
fn addresses_are_checked_by_kind_of_socket() {
    let mut network = Network::pair();
    for (kind, address, expected) in [
        (Kind::Stream, "10.0.0.2:80", Err(Error::AddressNotAvailable)),
        (Kind::Stream, "224.0.0.5:80", Err(Error::AddressNotAvailable)),
        (Kind::Stream, "10.0.0.255:80", Err(Error::AddressNotAvailable)),
        (Kind::Datagram, "10.0.0.2:80", Err(Error::AddressNotAvailable)),
        (Kind::Datagram, "224.0.0.5:80", Ok(())),
        (Kind::Datagram, "10.0.0.255:80", Ok(())),
        (Kind::Datagram, "127.0.0.9:80", Ok(())),
        (Kind::Stream, "[::ffff:10.0.0.1]:81", Ok(())),
    ] {
        assert_eq!(bound(&mut network, kind, false, address).map(|_| ()), expected, "{kind:?} {address}");
    }
    let now = network.now;
    let six = network.hosts[0].open(Family::V6, Kind::Datagram).unwrap();
    assert_eq!(
        network.hosts[0].bind(now, six, "10.0.0.1:9".parse().unwrap()),
        Err(Error::AddressFamilyNotSupported)
    );
    network.hosts[0].set_option(now, six, SocketOption::OnlyV6(true)).unwrap();
    let mapped = "[::ffff:10.0.0.1]:9".parse().unwrap();
    assert_eq!(network.hosts[0].bind(now, six, mapped), Err(Error::InvalidArgument));
    assert_eq!(network.hosts[0].connect(now, six, mapped), Err(Error::NetworkUnreachable));
}

#[test]
fn a_changed_mind_about_sharing_leaves_the_books_right() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 9);
    let pairs: Vec<_> = (0..3).map(|_| network.connected(listener, "10.0.0.2:80")).collect();
    let now = network.now;
    // Of three connections that hold port 80 of the server, one says that it may be shared.
    network.hosts[1].set_option(now, pairs[0].1, SocketOption::ReuseAddress(true)).unwrap();
    for (client, server) in pairs {
        network.close(1, server);
        network.close(0, client);
    }
    network.close(1, listener);
    network.run(Duration::from_secs(120));
    network.assert_idle();
}

#[test]
fn nothing_is_kept_of_refused_failed_and_abandoned_sockets() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 1);
    let mut ids = Vec::new();
    for address in ["10.0.0.2:9", "10.0.0.77:80", "10.0.0.2:80", "127.0.0.1:9", "10.0.0.2:80"] {
        ids.push(network.connect(0, address));
    }
    let dual = network.hosts[0].open(Family::V6, Kind::Stream).unwrap();
    network.hosts[0].connect(network.now, dual, "[::ffff:10.0.0.2]:80".parse().unwrap()).unwrap_err();
    ids.push(dual);
    for kind in [Kind::Datagram, Kind::Ping] {
        for address in ["10.0.0.2:9", "10.0.0.77:9"] {
            let id = network.hosts[0].open(Family::V4, kind).unwrap();
            network.hosts[0].connect(network.now, id, address.parse().unwrap()).unwrap();
            network.hosts[0].send_to(network.now, id, b"x", None).unwrap();
            ids.push(id);
        }
    }
    network.run(Duration::from_secs(3));
    for id in &ids {
        network.hosts[0].close(network.now, *id).unwrap();
        assert_eq!(network.hosts[0].close(network.now, *id), Err(Error::BadSocket));
    }
    network.close(1, listener);
    network.run(Duration::from_secs(300));
    network.assert_idle();
}

#[test]
fn a_stale_handle_is_an_error_in_every_call_and_never_the_next_sockets() {
    let mut network = Network::pair();
    let (now, host) = (network.now, &mut network.hosts[0]);
    let to: SocketAddr = "10.0.0.2:80".parse().unwrap();
    let stale = host.open(Family::V4, Kind::Stream).unwrap();
    host.close(now, stale).unwrap();
    let next = host.open(Family::V4, Kind::Stream).unwrap();
    assert_eq!(stale.index(), next.index(), "the slot is used again");
    let bad = Err(Error::BadSocket);
    assert_eq!(host.bind(now, stale, "0.0.0.0:80".parse().unwrap()), bad);
    assert_eq!(host.listen(now, stale, 1), bad);
    assert_eq!(host.connect(now, stale, to), bad);
    assert_eq!(host.accept(now, stale).map(|_| ()), bad);
    assert_eq!(host.write(now, stale, b"x").map(|_| ()), bad);
    assert_eq!(host.read(now, stale, &mut [0]).map(|_| ()), bad);
    assert_eq!(host.peek(now, stale, &mut [0]).map(|_| ()), bad);
    assert_eq!(host.send_to(now, stale, b"x", Some(to)).map(|_| ()), bad);
    assert_eq!(host.receive_from(now, stale, &mut [0]).map(|_| ()), bad);
    assert_eq!(host.shutdown(now, stale, sockeye_core::socket::Shutdown::Both), bad);
    assert_eq!(host.local_address(stale).map(|_| ()), bad);
    assert_eq!(host.peer_address(stale).map(|_| ()), bad);
    assert_eq!(host.take_error(stale).map(|_| ()), bad);
    assert_eq!(host.readiness(stale).map(|_| ()), bad);
    assert_eq!(host.tcp_info(stale).map(|_| ()), bad);
    assert_eq!(host.set_option(now, stale, SocketOption::NoDelay(true)), bad);
    assert_eq!(host.join(now, stale, None, "224.1.1.1".parse().unwrap()), bad);
    assert_eq!(host.close(now, stale), bad);
    host.close(now, next).unwrap();
}

#[test]
fn a_refused_socket_gets_a_port_anew_and_tells_its_error_once() {
    let mut network = Network::pair();
    let client = network.connect(0, "10.0.0.2:80");
    let first = network.hosts[0].local_address(client).unwrap();
    network.settle();
    let (now, to) = (network.now, "10.0.0.2:80".parse().unwrap());
    // Its port is free again: somebody else may have it.
    let rival = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    network.hosts[0].bind(now, rival, first).unwrap();
    let listener = network.listen(1, "0.0.0.0:80", 1);
    assert_eq!(network.hosts[0].connect(now, client, to), Err(Error::ConnectionRefused));
    assert_eq!(network.hosts[0].connect(now, client, to), Err(Error::InProgress));
    network.settle();
    assert_eq!(network.hosts[0].take_error(client), Ok(None));
    assert_ne!(network.hosts[0].local_address(client), Ok(first));
    network.hosts[1].accept(now, listener).unwrap();
    // One that the program has chosen stays.
    let bound = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    network.hosts[0].bind(now, bound, "0.0.0.0:4444".parse().unwrap()).unwrap();
    network.hosts[0].connect(now, bound, "10.0.0.2:81".parse().unwrap()).unwrap_err();
    network.settle();
    assert_eq!(network.hosts[0].take_error(bound), Ok(Some(Error::ConnectionRefused)));
    assert_eq!(network.hosts[0].connect(now, bound, to), Err(Error::InProgress));
    assert_eq!(network.hosts[0].local_address(bound), Ok("10.0.0.1:4444".parse().unwrap()));
}
