//! Multicast and broadcast: who hears what.

use std::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::network::InterfaceId;
use sockeye_core::socket::{Family, Kind, SocketId, SocketOption};
use sockeye_core::time::Duration;

use super::wire::Network;

const ETH: InterfaceId = InterfaceId(1);

fn member(network: &mut Network, host: usize, any: &str, group: &str) -> SocketId {
    let any: SocketAddr = any.parse().unwrap();
    let (now, stack) = (network.now, &mut network.hosts[host]);
    let id = stack.open(Family::of(&any), Kind::Datagram).unwrap();
    stack.set_option(now, id, SocketOption::ReuseAddress(true)).unwrap();
    stack.bind(now, id, any).unwrap();
    stack.join(now, id, Some(ETH), group.parse().unwrap()).unwrap();
    id
}

fn hears(network: &mut Network, host: usize, id: SocketId) -> Option<(Vec<u8>, SocketAddr, SocketAddr)> {
    let mut buffer = [0; 2000];
    let got = network.hosts[host].receive_from(network.now, id, &mut buffer).ok()?;
    Some((buffer[..got.copied].to_vec(), got.source, got.destination))
}

#[test]
fn a_group_is_heard_by_its_members_here_and_elsewhere_until_they_leave() {
    for (any, group, own) in
        [("0.0.0.0:5353", "224.0.0.251", "10.0.0.1:5353"), ("[::]:5353", "ff02::fb", "[fd00::1]:5353")]
    {
        let mut network = Network::pair();
        let to = SocketAddr::new(group.parse().unwrap(), 5353);
        let sender = member(&mut network, 0, any, group);
        let neighbor = member(&mut network, 0, any, group);
        let far = member(&mut network, 1, any, group);
        let send = |network: &mut Network, loops: bool| {
            let now = network.now;
            network.hosts[0].set_option(now, sender, SocketOption::MulticastLoop(loops)).unwrap();
            network.hosts[0].send_to(now, sender, b"all", Some(to)).unwrap();
            network.settle();
        };
        send(&mut network, true);
        let expected = Some((b"all".to_vec(), own.parse().unwrap(), to));
        assert_eq!(hears(&mut network, 1, far), expected);
        assert_eq!(hears(&mut network, 0, neighbor), expected);
        assert_eq!(hears(&mut network, 0, sender), expected, "the sender is a member like any other");
        send(&mut network, false);
        assert_eq!(hears(&mut network, 1, far), expected);
        assert_eq!(hears(&mut network, 0, neighbor), None);
        assert_eq!(hears(&mut network, 0, sender), None);
        // With a hop limit of zero it stays here.
        network.hosts[0].set_option(network.now, sender, SocketOption::MulticastHopLimit(0)).unwrap();
        send(&mut network, true);
        assert_eq!(hears(&mut network, 1, far), None);
        assert_eq!(hears(&mut network, 0, neighbor), expected);
        network.hosts[0].set_option(network.now, sender, SocketOption::MulticastHopLimit(1)).unwrap();
        network.hosts[1].leave(network.now, far, Some(ETH), group.parse().unwrap()).unwrap();
        send(&mut network, true);
        assert_eq!(hears(&mut network, 1, far), None);
        assert_eq!(
            network.hosts[1].leave(network.now, far, Some(ETH), group.parse().unwrap()),
            Err(Error::AddressNotAvailable)
        );
        for (host, id) in [(0, sender), (0, neighbor), (1, far)] {
            network.close(host, id);
        }
        network.run(Duration::from_secs(300));
        network.assert_idle();
    }
}

#[test]
fn a_membership_ends_with_its_socket() {
    let mut network = Network::pair();
    let group = "224.1.2.3";
    let first = member(&mut network, 1, "0.0.0.0:9", group);
    let second = member(&mut network, 1, "0.0.0.0:9", group);
    let client = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    let to = Some(SocketAddr::new(group.parse().unwrap(), 9));
    network.close(1, first);
    network.hosts[0].send_to(network.now, client, b"x", to).unwrap();
    network.settle();
    assert!(hears(&mut network, 1, second).is_some(), "the other one still listens");
    network.close(1, second);
    let any = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[1].bind(network.now, any, "0.0.0.0:9".parse().unwrap()).unwrap();
    network.hosts[0].send_to(network.now, client, b"x", to).unwrap();
    network.settle();
    assert!(hears(&mut network, 1, any).is_none(), "nobody here listens to the group any more");
    assert_eq!(network.hosts[1].snapshot().memberships, 0);
}

#[test]
fn who_cannot_join_is_told_why() {
    let mut network = Network::pair();
    let now = network.now;
    let udp = member(&mut network, 0, "0.0.0.0:9", "224.1.2.3");
    let tcp = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    let host = &mut network.hosts[0];
    for (id, interface, group, error) in [
        (udp, Some(ETH), "224.1.2.3", Error::AddressInUse),
        (udp, Some(ETH), "10.0.0.9", Error::InvalidArgument),
        (udp, Some(ETH), "ff02::fb", Error::UnknownOption),
        (udp, Some(InterfaceId(9)), "224.1.2.4", Error::InvalidArgument),
        (tcp, Some(ETH), "224.1.2.4", Error::NotSupported),
    ] {
        assert_eq!(host.join(now, id, interface, group.parse().unwrap()), Err(error), "{group}");
    }
    let six = host.open(Family::V6, Kind::Datagram).unwrap();
    assert_eq!(host.join(now, six, None, "224.1.2.3".parse().unwrap()), Ok(()), "a dual socket may");
}

#[test]
fn a_broadcast_is_heard_by_this_host_too_and_by_no_connected_socket() {
    let mut network = Network::pair();
    let now = network.now;
    let host = &mut network.hosts[0];
    let open = |host: &mut sockeye_core::stack::Stack| {
        let id = host.open(Family::V4, Kind::Datagram).unwrap();
        host.set_option(now, id, SocketOption::ReuseAddress(true)).unwrap();
        host.set_option(now, id, SocketOption::Broadcast(true)).unwrap();
        host.bind(now, id, "0.0.0.0:67".parse().unwrap()).unwrap();
        id
    };
    let (sender, other, connected) = (open(host), open(host), open(host));
    host.connect(now, connected, "10.0.0.1:67".parse().unwrap()).unwrap();
    host.send_to(now, sender, b"any", Some("255.255.255.255:67".parse().unwrap())).unwrap();
    network.settle();
    for id in [sender, other] {
        let (bytes, source, destination) = hears(&mut network, 0, id).unwrap();
        assert_eq!((bytes, source), (b"any".to_vec(), "10.0.0.1:67".parse().unwrap()));
        assert_eq!(destination, "255.255.255.255:67".parse().unwrap());
    }
    assert_eq!(hears(&mut network, 0, connected), None);
}
