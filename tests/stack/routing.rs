//! Several interfaces and a router.

use sockeye_core::error::Error;
use sockeye_core::network::{Forwarding, Route};
use sockeye_core::socket::{Family, Kind};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;

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
        network.hosts[0].write(network.now, client, &sent).unwrap();
        let mut got = Vec::new();
        for _ in 0..100 {
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
