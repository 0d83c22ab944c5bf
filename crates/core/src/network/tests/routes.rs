//! Which way packets go, and from which address.

use super::*;

fn hop(network: &Network, destination: &str) -> (u8, Hop) {
    let path = network.route(ip(destination), None, None).unwrap();
    (path.interface.0, path.next_hop)
}

#[test]
fn the_longest_prefix_wins_then_the_lowest_metric() {
    let mut network = host(Forwarding::On);
    let via = |destination, gateway, metric| Route {
        destination: cidr(destination),
        gateway: Some(ip(gateway)),
        interface: FAR,
        metric,
    };
    network.add_route(via("172.16.0.0/12", "192.168.7.2", 5)).unwrap();
    network.add_route(via("172.16.5.0/24", "192.168.7.3", 9)).unwrap();
    network.add_route(via("172.16.5.77/24", "192.168.7.4", 3)).unwrap(); // the same block
    network.add_route(via("fd99::/16", "fd07::9", 0)).unwrap();
    for (destination, interface, next) in [
        ("10.0.0.77", 1, "10.0.0.77"),
        ("192.168.7.77", 2, "192.168.7.77"),
        ("172.16.5.1", 2, "192.168.7.4"),
        ("172.16.6.1", 2, "192.168.7.2"),
        ("172.32.0.1", 1, "10.0.0.1"),
        ("8.8.8.8", 1, "10.0.0.1"),
        ("fd99::5", 2, "fd07::9"),
        ("fd00::5", 1, "fd00::5"),
        ("2001:db8::1", 1, "fd00::1"),
    ] {
        assert_eq!(hop(&network, destination), (interface, Hop::Unicast(ip(next))), "{destination}");
    }
    assert!(network.remove_route(&via("172.16.5.0/24", "192.168.7.4", 3)));
    assert!(!network.remove_route(&via("172.16.5.0/24", "192.168.7.4", 3)));
    assert_eq!(hop(&network, "172.16.5.1"), (2, Hop::Unicast(ip("192.168.7.3"))));
    assert!(network.remove_route(&via("172.16.5.0/24", "192.168.7.3", 9)));
    assert_eq!(hop(&network, "172.16.5.1"), (2, Hop::Unicast(ip("192.168.7.2"))));
}

#[test]
fn routes_agree_with_a_scan_of_all() {
    let mut network = host(Forwarding::On);
    // A few hundred blocks of all lengths, made by a rule rather than by chance.
    let number = |index: u32| index.wrapping_mul(0x9e37_79b9).rotate_left(index % 31);
    for index in 0..400u32 {
        let prefix = (index % 33) as u8;
        let destination = Cidr::new(IpAddr::from(number(index).to_be_bytes()), prefix).unwrap();
        let gateway = Some(IpAddr::from([10, 0, 0, 3 + (index % 200) as u8]));
        network.add_route(Route { destination, gateway, interface: ETH, metric: index % 3 + 1 }).unwrap();
    }
    let all: Vec<Route> = network.routes().copied().collect();
    for index in 0..2000u32 {
        let destination = Ipv4Addr::from(number(index / 2) ^ (index % 7));
        if destination.is_multicast()
            || network.is_receivable(destination.into())
            || destination.is_unspecified()
        {
            continue;
        }
        let matching = all.iter().filter(|route| route.destination.contains(destination.into()));
        let key = |route: &&Route| (route.destination.prefix(), core::cmp::Reverse(route.metric));
        let best = matching.clone().max_by_key(key).map(|route| key(&route));
        let found = network.routes.find(destination.into(), None);
        let found = found.map(|(route, _)| route);
        assert_eq!(found.map(|route| key(&route)), best, "{destination}");
        assert!(found.is_some_and(|route| route.destination.contains(destination.into())));
    }
}

#[test]
fn own_addresses_lead_back() {
    let network = host(Forwarding::Off);
    for own in ["10.0.0.2", "127.0.0.1", "127.9.9.9", "::1", "fd00::2"] {
        let path = network.route(ip(own), None, None).unwrap();
        assert_eq!((path.interface, path.next_hop, path.mtu), (LO, Hop::Local, 65_536), "{own}");
        assert!(network.is_local(path.source), "{own}");
    }
}

#[test]
fn broadcast_and_groups() {
    let network = host(Forwarding::On);
    assert_eq!(hop(&network, "255.255.255.255"), (1, Hop::Broadcast));
    assert_eq!(hop(&network, "192.168.7.255"), (2, Hop::Broadcast));
    assert_eq!(hop(&network, "224.0.0.251"), (1, Hop::Multicast(ip("224.0.0.251"))));
    let path = network.route(ip("ff02::fb"), None, Some(FAR)).unwrap();
    assert_eq!(
        (path.interface, path.source, path.next_hop),
        (FAR, ip("fd07::1"), Hop::Multicast(ip("ff02::fb")))
    );
    let path = network.route(ip("224.0.0.251"), Some(ip("192.168.7.1")), None).unwrap();
    assert_eq!(path.interface, FAR);
    assert!(network.is_receivable(ip("10.0.0.255")) && !network.is_receivable(ip("10.0.0.254")));
}

#[test]
fn a_host_without_address_can_only_shout() {
    let mut network = Network::new(NetworkConfig::default());
    network.add_interface(ETH, 1500, InterfaceKind::Link);
    let path = network.route(ip("255.255.255.255"), None, None).unwrap();
    assert_eq!((path.source, path.next_hop), (ip("0.0.0.0"), Hop::Broadcast));
    assert_eq!(network.route(ip("10.0.0.1"), None, None), Err(Error::NetworkUnreachable));
    let default = Route { destination: cidr("0.0.0.0/0"), gateway: None, interface: ETH, metric: 0 };
    network.add_route(default).unwrap();
    assert_eq!(network.route(ip("10.0.0.1"), None, None), Err(Error::AddressNotAvailable));
}

#[test]
fn the_source_is_of_the_subnet_and_scope_of_the_destination() {
    let mut network = host(Forwarding::On);
    for address in ["10.0.5.2/24", "fe80::2/64", "2001:db8:1::2/64"] {
        network.add_address(ETH, cidr(address));
    }
    for (destination, source) in [
        ("10.0.0.9", "10.0.0.2"),
        ("10.0.5.9", "10.0.5.2"),
        ("8.8.8.8", "10.0.0.2"),
        ("192.168.7.9", "192.168.7.1"),
        ("fe80::9", "fe80::2"),
        ("fd00::9", "fd00::2"),
        ("2001:db8:1::9", "2001:db8:1::2"),
        ("ff02::1", "fe80::2"),
        ("255.255.255.255", "10.0.0.2"),
    ] {
        let path = network.route(ip(destination), None, None).unwrap();
        assert_eq!(path.source, ip(source), "{destination}");
    }
    // One asked for is used as it is.
    let path = network.route(ip("10.0.5.9"), Some(ip("10.0.0.2")), None).unwrap();
    assert_eq!(path.source, ip("10.0.0.2"));
    assert_eq!(network.route(ip("10.0.5.9"), Some(ip("127.0.0.1")), None), Err(Error::InvalidArgument));
    assert_eq!(network.route(ip("10.0.5.9"), Some(ip("::1")), None), Err(Error::InvalidArgument));
}

#[test]
fn an_address_taken_away_takes_its_subnet_along() {
    let mut network = host(Forwarding::On);
    network.add_address(FAR, cidr("192.168.7.5/24"));
    assert!(network.remove_address(FAR, ip("192.168.7.1")));
    assert_eq!(hop(&network, "192.168.7.9"), (2, Hop::Unicast(ip("192.168.7.9"))), "another still holds it");
    assert!(network.remove_address(FAR, ip("192.168.7.5")));
    assert!(!network.remove_address(FAR, ip("192.168.7.5")));
    assert_eq!(hop(&network, "192.168.7.9"), (1, Hop::Unicast(ip("10.0.0.1"))));
    assert_eq!(network.addresses(FAR).collect::<Vec<_>>(), [cidr("fd07::1/64")]);
}

#[test]
fn impossible_routes_are_refused() {
    let mut network = host(Forwarding::Off);
    let route = Route { destination: cidr("172.16.0.0/12"), gateway: None, interface: ETH, metric: 0 };
    for bad in [
        Route { interface: InterfaceId(9), ..route },
        Route { gateway: Some(ip("fd00::1")), ..route },
        Route { gateway: Some(ip("10.0.0.2")), ..route },
        Route { gateway: Some(ip("0.0.0.0")), ..route },
    ] {
        assert_eq!(network.add_route(bad), Err(Error::InvalidArgument));
    }
    let before = network.routes().count();
    network.add_route(route).unwrap();
    network.add_route(route).unwrap();
    assert_eq!(network.routes().count(), before + 1);
}

#[test]
fn identifications_of_a_pair_do_not_repeat_soon() {
    let mut network = host(Forwarding::Off);
    let send = Send {
        source: ip("10.0.0.2"),
        destination: ip("10.0.0.9"),
        protocol: Protocol::Udp,
        hop_limit: None,
        traffic_class: 0,
        fragmentation: Fragmentation::Allowed,
        payload_length: 0,
    };
    let mut number = |send: &Send| {
        let mut headers = Headers::new();
        network.prepend(&mut headers, send);
        Ipv4Header::parse(headers.as_slice()).unwrap().0
    };
    let numbers: std::collections::BTreeSet<u16> =
        (0..60_000).map(|_| number(&send).identification).collect();
    assert_eq!(numbers.len(), 60_000);
    let whole = number(&Send {
        fragmentation: Fragmentation::Forbidden,
        hop_limit: Some(9),
        traffic_class: 0xb9,
        ..send
    });
    assert_eq!((whole.identification, whole.dont_fragment), (0, true));
    assert_eq!((whole.ttl, whole.dscp, whole.ecn), (9, 0x2e, 1));
    assert_eq!(number(&Send { destination: ip("224.0.0.9"), ..send }).ttl, 1);
}
