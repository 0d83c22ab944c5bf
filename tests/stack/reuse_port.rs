//! Sockets that share a port by `SO_REUSEPORT`.

use std::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, OptionName, SocketId, SocketOption};
use sockeye_core::time::Duration;

use super::wire::Network;

fn sharing(network: &mut Network, host: usize, kind: Kind, address: &str) -> SocketId {
    let address: SocketAddr = address.parse().unwrap();
    let (now, host) = (network.now, &mut network.hosts[host]);
    let id = host.open(Family::of(&address), kind).unwrap();
    host.set_option(now, id, SocketOption::ReusePort(true)).unwrap();
    assert_eq!(host.option(id, OptionName::ReusePort), Ok(SocketOption::ReusePort(true)));
    assert_eq!(host.option(id, OptionName::ReuseAddress), Ok(SocketOption::ReuseAddress(false)));
    host.bind(now, id, address).unwrap();
    id
}

fn listeners(network: &mut Network, addresses: &[&str]) -> Vec<SocketId> {
    let now = network.now;
    let listener = |address: &&str| {
        let id = sharing(network, 1, Kind::Stream, address);
        network.hosts[1].listen(now, id, 100).unwrap();
        id
    };
    addresses.iter().map(listener).collect()
}

fn accept_all(network: &mut Network, listener: SocketId) -> Vec<SocketId> {
    let accept = || network.hosts[1].accept(network.now, listener).ok().map(|(id, _)| id);
    std::iter::from_fn(accept).collect()
}

/// What is read of a datagram socket now.
fn received(network: &mut Network, host: usize, id: SocketId) -> usize {
    let receive = || network.hosts[host].receive_from(network.now, id, &mut [0; 9]).ok();
    std::iter::from_fn(receive).count()
}

#[test]
fn connections_are_spread_among_the_listeners_of_the_address_that_fits_best() {
    for (address, wildcard) in [("10.0.0.2:80", "0.0.0.0:80"), ("[fd00::2]:80", "[::]:80")] {
        let mut network = Network::pair();
        let all = listeners(&mut network, &[wildcard, address, address, address]);
        let clients: Vec<_> = (0..90).map(|_| network.connect(0, address)).collect();
        network.settle();
        let shares: Vec<_> = all.iter().map(|id| accept_all(&mut network, *id)).collect();
        let counts: Vec<_> = shares.iter().map(Vec::len).collect();
        assert_eq!((counts[0], counts.iter().sum()), (0, 90));
        assert!(counts[1..].iter().all(|count| (15..50).contains(count)), "{counts:?}");
        for (host, id) in
            clients.into_iter().map(|id| (0, id)).chain(shares.concat().into_iter().map(|id| (1, id)))
        {
            network.close(host, id);
        }
        for id in all {
            network.close(1, id);
        }
        network.run(Duration::from_secs(120));
        network.assert_idle();
    }
}

#[test]
fn of_a_closed_listener_what_waits_and_what_is_half_open_is_reset_and_the_others_go_on() {
    let mut network = Network::pair();
    let all = listeners(&mut network, &["10.0.0.2:80"; 2]);
    let waiting: Vec<_> = (0..20).map(|_| network.connect(0, "10.0.0.2:80")).collect();
    network.settle();
    // The last acknowledgement of these is on its way when the listener is closed.
    let half_open: Vec<_> = (0..20).map(|_| network.connect(0, "10.0.0.2:80")).collect();
    network.loses = Box::new(|host, frame| host == 0 && frame.len() < 70);
    network.settle();
    network.loses = Box::new(|_, _| false);
    assert_eq!(network.hosts[1].snapshot().half_open, 20);
    network.close(1, all[0]);
    let kept = network.hosts[1].snapshot().half_open;
    assert!((5..16).contains(&kept), "{kept}");
    for client in &half_open {
        network.write(0, *client, b"x").unwrap();
    }
    let accepted = accept_all(&mut network, all[1]).len();
    let mut reset = 0;
    for client in waiting.iter().chain(&half_open) {
        reset += usize::from(network.hosts[0].take_error(*client) == Ok(Some(Error::ConnectionReset)));
    }
    assert_eq!(accepted + reset, 40);
    assert!(accepted > kept && reset > 20 - kept, "{accepted} accepted, {reset} reset");
    // Everybody who comes now comes to the one that is left.
    for _ in 0..20 {
        network.connect(0, "10.0.0.2:80");
    }
    network.settle();
    assert_eq!(accept_all(&mut network, all[1]).len(), 20);
}

#[test]
fn each_flow_of_datagrams_goes_to_one_socket_and_a_connected_one_has_its_own() {
    let mut network = Network::pair();
    let servers: Vec<_> = (0..3).map(|_| sharing(&mut network, 1, Kind::Datagram, "10.0.0.2:53")).collect();
    let to = Some("10.0.0.2:53".parse().unwrap());
    let now = network.now;
    let clients: Vec<_> =
        (0..60).map(|_| network.hosts[0].open(Family::V4, Kind::Datagram).unwrap()).collect();
    let mut shares = Vec::new();
    for _ in 0..2 {
        for client in &clients {
            network.hosts[0].send_to(now, *client, b"x", to).unwrap();
        }
        network.settle();
        let counts: Vec<_> = servers.iter().map(|id| received(&mut network, 1, *id)).collect();
        assert!(counts.iter().all(|count| (10..35).contains(count)), "{counts:?}");
        shares.push(counts);
    }
    assert_eq!(shares[0], shares[1]);
    // One is connected: it hears its peer, and all of it; the others have the rest.
    let peer = SocketAddr::new(
        "10.0.0.1".parse().unwrap(),
        network.hosts[0].local_address(clients[0]).unwrap().port(),
    );
    network.hosts[1].connect(now, servers[0], peer).unwrap();
    for client in clients.iter().chain([&clients[0]; 4]) {
        network.hosts[0].send_to(now, *client, b"x", to).unwrap();
    }
    network.settle();
    let counts: Vec<_> = servers.iter().map(|id| received(&mut network, 1, *id)).collect();
    assert_eq!((counts[0], counts[1] + counts[2]), (5, 59));
    assert!(counts[1] > 15 && counts[2] > 15, "{counts:?}");
}

#[test]
fn groups_and_broadcasts_are_heard_by_all_who_share_the_port() {
    let mut network = Network::pair();
    let hearers: Vec<_> = (0..3).map(|_| sharing(&mut network, 1, Kind::Datagram, "0.0.0.0:500")).collect();
    let now = network.now;
    let sender = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].set_option(now, sender, SocketOption::Broadcast(true)).unwrap();
    network.hosts[0].send_to(now, sender, b"x", Some("10.0.0.255:500".parse().unwrap())).unwrap();
    network.settle();
    assert!(hearers.iter().all(|id| received(&mut network, 1, *id) == 1));
}

#[test]
fn only_those_share_who_have_said_so_before() {
    let mut network = Network::pair();
    let now = network.now;
    for kind in [Kind::Stream, Kind::Datagram] {
        let first = sharing(&mut network, 1, kind, "0.0.0.0:80");
        if kind == Kind::Stream {
            network.hosts[1].listen(now, first, 9).unwrap();
        }
        let other = network.hosts[1].open(Family::V4, kind).unwrap();
        let bind = |network: &mut Network| network.hosts[1].bind(now, other, "10.0.0.2:80".parse().unwrap());
        assert_eq!(bind(&mut network), Err(Error::AddressInUse));
        network.hosts[1].set_option(now, other, SocketOption::ReuseAddress(true)).unwrap();
        assert_eq!(bind(&mut network), Err(Error::AddressInUse));
        network.hosts[1].set_option(now, other, SocketOption::ReusePort(true)).unwrap();
        assert_eq!(bind(&mut network), Ok(()));
    }
}
