//! The gate: SYNs to addresses that are none of the host's wait for the program's word.

use std::net::{Ipv4Addr, SocketAddr};

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::network::{ForeignAddresses, InterfaceId, Route, Unreachable};
use sockeye_core::socket::{CatchAll, Family, Kind, SocketId, SocketOption};
use sockeye_core::stack::{Config, HeldSyn, Refusal};
use sockeye_core::time::Duration;
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};

use super::wire::Network;

/// A client, 10.0.0.1 and fd00::1, whose way to the world leads through a host that takes any address.
pub fn world() -> Network {
    world_with(Config::default())
}

pub fn world_with(config: Config) -> Network {
    let gateway = Config { seed: 2, foreign: ForeignAddresses::Take, ..config };
    let mut network = Network::pair_with(Config { seed: 1, ..Config::default() }, gateway, 1500);
    for (destination, gateway) in [("0.0.0.0/0", "10.0.0.2"), ("::/0", "fd00::2")] {
        let route = Route {
            destination: destination.parse().unwrap(),
            gateway: Some(gateway.parse().unwrap()),
            interface: InterfaceId(1),
            metric: 0,
        };
        network.hosts[0].add_route(route).unwrap();
    }
    network
}

fn gate(network: &mut Network) -> SocketId {
    gate_for(network, CatchAll::Foreign)
}

fn gate_for(network: &mut Network, what: CatchAll) -> SocketId {
    let id = network.hosts[1].open(Family::V6, Kind::Stream).unwrap();
    network.hosts[1].open_gate(network.now, id, 16, what).unwrap();
    id
}

/// A connection begins at the client and waits at the gate.
fn knock(network: &mut Network, gate: SocketId, address: &str) -> (SocketId, HeldSyn) {
    let client = network.connect(0, address);
    network.settle();
    let syn = network.hosts[1].next_syn(network.now, gate).unwrap();
    (client, syn)
}

fn is_connecting(network: &Network, client: SocketId) -> bool {
    let ready = network.hosts[0].readiness(client).unwrap();
    !ready.is_writable() && !ready.has_failed()
}

#[test]
fn admitted_a_connection_is_one_with_the_foreign_address() {
    for (address, shown) in
        [("192.0.2.7:443", "[::ffff:192.0.2.7]:443"), ("[2001:db8::7]:443", "[2001:db8::7]:443")]
    {
        let mut network = world();
        let gate = gate(&mut network);
        while network.hosts[1].poll_event().is_some() {}
        let client = network.connect(0, address);
        network.settle();
        let event = network.hosts[1].poll_event().unwrap();
        assert!(event.socket == gate && event.readiness.is_readable());
        let syn = network.hosts[1].next_syn(network.now, gate).unwrap();
        assert_eq!(syn.destination, shown.parse::<SocketAddr>().unwrap());
        assert_eq!(network.hosts[1].next_syn(network.now, gate), Err(Error::WouldBlock));
        network.run(Duration::from_millis(500));
        assert!(is_connecting(&network, client) && network.hosts[1].is_pending(gate, syn.id));

        network.hosts[1].admit(network.now, gate, syn.id).unwrap();
        network.settle();
        assert_eq!(network.hosts[0].take_error(client), Ok(None));
        assert!(!network.hosts[1].is_pending(gate, syn.id));
        let (server, peer) = network.hosts[1].accept(network.now, gate).unwrap();
        assert_eq!(peer, syn.source);
        assert_eq!(network.hosts[1].local_address(server), Ok(syn.destination));
        let info = network.hosts[1].tcp_info(server).unwrap();
        assert!(info.sack && info.timestamps, "{info:?}");

        let question: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
        let mut heard = Vec::new();
        let mut sent = network.write(0, client, &question).unwrap();
        while heard.len() < question.len() {
            network.run(Duration::from_millis(10));
            while let Ok(bytes) = network.read(1, server) {
                heard.extend(bytes);
            }
            if sent < question.len() {
                sent += network.write(0, client, &question[sent..]).unwrap_or(0);
            }
        }
        assert!(heard == question);
        network.write(1, server, b"answer").unwrap();
        assert_eq!(network.read(0, client).unwrap(), b"answer");
        // No port is held by it: the gateway's own programs have all of theirs.
        let own = network.listen(1, "0.0.0.0:443", 1);
        network.close(1, own);
        network.close(0, client);
        network.close(1, server);
        network.close(1, gate);
        network.run(Duration::from_secs(120));
        network.assert_idle();
    }
}

#[test]
fn a_syn_that_comes_again_is_absorbed_and_its_round_trip_is_the_paths() {
    let mut network = world();
    let gate = gate(&mut network);
    let (client, syn) = knock(&mut network, gate, "192.0.2.7:80");
    network.run(Duration::from_millis(3500));
    assert!(network.hosts[0].tcp_info(client).unwrap().total_retransmits >= 2);
    assert_eq!(network.hosts[1].next_syn(network.now, gate), Err(Error::WouldBlock));
    assert_eq!(network.hosts[1].snapshot().half_open, 1);
    network.hosts[1].admit(network.now, gate, syn.id).unwrap();
    network.settle();
    assert!(!is_connecting(&network, client));
    let info = network.hosts[0].tcp_info(client).unwrap();
    assert!(info.rtt.is_none_or(|rtt| rtt < Duration::from_secs(1)), "{:?}", info.rtt);
    let (server, _) = network.hosts[1].accept(network.now, gate).unwrap();
    assert_eq!(network.hosts[1].admit(network.now, gate, syn.id), Err(Error::ConnectionAborted));
    for (host, id) in [(0, client), (1, server), (1, gate)] {
        network.close(host, id);
    }
    network.run(Duration::from_secs(120));
    network.assert_idle();
}

#[test]
fn refused_the_client_learns_why_at_once() {
    let v4 = "192.0.2.7:80";
    let v6 = "[2001:db8::7]:80";
    let reset = Refusal::Reset;
    let cases = [
        (v4, reset, Error::ConnectionRefused),
        (v6, reset, Error::ConnectionRefused),
        (v4, Refusal::Unreachable(Unreachable::Network), Error::NetworkUnreachable),
        (v6, Refusal::Unreachable(Unreachable::Network), Error::NetworkUnreachable),
        (v4, Refusal::Unreachable(Unreachable::Host), Error::HostUnreachable),
        (v6, Refusal::Unreachable(Unreachable::Host), Error::HostUnreachable),
        (v4, Refusal::Unreachable(Unreachable::Port), Error::ConnectionRefused),
        (v6, Refusal::Unreachable(Unreachable::Port), Error::ConnectionRefused),
        (v4, Refusal::Unreachable(Unreachable::Prohibited), Error::HostUnreachable),
        (v6, Refusal::Unreachable(Unreachable::Prohibited), Error::PermissionDenied),
    ];
    for (address, refusal, expected) in cases {
        let mut network = world();
        let gate = gate(&mut network);
        let (client, syn) = knock(&mut network, gate, address);
        network.hosts[1].refuse(network.now, gate, syn.id, refusal).unwrap();
        network.settle();
        assert_eq!(network.hosts[0].take_error(client), Ok(Some(expected)), "{address} {refusal:?}");
        let again = network.hosts[1].refuse(network.now, gate, syn.id, refusal);
        assert_eq!(again, Err(Error::ConnectionAborted));
        network.close(0, client);
        network.close(1, gate);
        network.assert_idle();
    }
}

#[test]
fn dropped_it_comes_to_the_gate_again() {
    let mut network = world();
    let gate = gate(&mut network);
    let (client, syn) = knock(&mut network, gate, "192.0.2.7:80");
    network.hosts[1].refuse(network.now, gate, syn.id, Refusal::Silence).unwrap();
    network.settle();
    assert!(is_connecting(&network, client));
    network.run(Duration::from_millis(1100));
    let again = network.hosts[1].next_syn(network.now, gate).unwrap();
    assert_eq!((again.source, again.destination), (syn.source, syn.destination));
    assert_ne!(again.id, syn.id);
}

#[test]
fn what_nothing_is_said_about_is_given_up() {
    let mut network = world();
    let gate = gate(&mut network);
    let (client, syn) = knock(&mut network, gate, "192.0.2.7:80");
    network.close(0, client);
    network.connect(0, "192.0.2.8:80");
    network.settle();
    network.loses = Box::new(|_, _| true);
    network.run(Duration::from_secs(76));
    assert_eq!(network.hosts[1].admit(network.now, gate, syn.id), Err(Error::ConnectionAborted));
    // Nor is the program told of one that was given up before it asked.
    assert_eq!(network.hosts[1].next_syn(network.now, gate), Err(Error::WouldBlock));
    assert!(!network.hosts[1].readiness(gate).unwrap().is_readable());
    network.close(1, gate);
    assert!(network.hosts[1].snapshot().is_idle());
}

#[test]
fn a_client_that_vanishes_takes_its_admitted_handshake_along() {
    let mut network = world();
    let gate = gate(&mut network);
    let (client, syn) = knock(&mut network, gate, "192.0.2.7:80");
    network.close(0, client);
    network.hosts[1].admit(network.now, gate, syn.id).unwrap();
    // The SYN-ACK meets a RST.
    network.settle();
    assert!(!network.hosts[1].is_pending(gate, syn.id));
    assert_eq!(network.hosts[1].accept(network.now, gate).unwrap_err(), Error::WouldBlock);
    network.close(1, gate);
    network.assert_idle();
}

#[test]
fn there_is_one_gate_and_only_where_any_address_is_taken() {
    let mut network = world();
    let now = network.now;
    let first = gate(&mut network);
    for family in [Family::V4, Family::V6] {
        let second = network.hosts[1].open(family, Kind::Stream).unwrap();
        let refused = network.hosts[1].open_gate(now, second, 1, CatchAll::Foreign);
        assert_eq!(refused, Err(Error::AddressInUse));
        network.close(1, second);
    }
    assert_eq!(network.hosts[1].open_gate(now, first, 1, CatchAll::Foreign), Err(Error::InvalidArgument));
    network.close(1, first);
    // One of each family is possible.
    let v4 = network.hosts[1].open(Family::V4, Kind::Stream).unwrap();
    network.hosts[1].open_gate(now, v4, 1, CatchAll::Foreign).unwrap();
    let v6 = network.hosts[1].open(Family::V6, Kind::Stream).unwrap();
    network.hosts[1].set_option(now, v6, SocketOption::OnlyV6(true)).unwrap();
    network.hosts[1].open_gate(now, v6, 1, CatchAll::Foreign).unwrap();
    let (_, syn) = knock(&mut network, v4, "192.0.2.7:80");
    assert_eq!(syn.destination, "192.0.2.7:80".parse().unwrap());
    let (_, syn) = knock(&mut network, v6, "[2001:db8::7]:80");
    assert_eq!(network.hosts[1].admit(now, v4, syn.id), Err(Error::ConnectionAborted));

    let ordinary = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    let refused = network.hosts[0].open_gate(now, ordinary, 1, CatchAll::Foreign);
    assert_eq!(refused, Err(Error::AddressNotAvailable));
    let listener = network.listen(0, "0.0.0.0:99", 1);
    assert_eq!(network.hosts[0].next_syn(now, listener), Err(Error::InvalidArgument));
}

#[test]
fn listeners_hear_their_own_addresses_only_and_the_gate_the_others() {
    let mut network = world();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    // Without a gate it is as if nobody were there.
    network.settle();
    let before = network.hosts[1].snapshot().drops.of(DropReason::NotOurAddress);
    let nobody = network.connect(0, "192.0.2.7:80");
    network.settle();
    assert!(is_connecting(&network, nobody));
    assert_eq!(network.hosts[1].snapshot().drops.of(DropReason::NotOurAddress), before + 1);
    network.close(0, nobody);

    let gate = gate(&mut network);
    let (_, _) = knock(&mut network, gate, "192.0.2.7:80");
    let (_, _) = network.connected(listener, "10.0.0.2:80");
    let closed = network.connect(0, "10.0.0.2:81");
    network.settle();
    assert_eq!(network.hosts[0].take_error(closed), Ok(Some(Error::ConnectionRefused)));
    network.close(1, gate);

    // Another kind of gate takes own ports that are nobody's, too.
    let gate = gate_for(&mut network, CatchAll::Unclaimed);
    let (client, syn) = knock(&mut network, gate, "10.0.0.2:81");
    assert_eq!(syn.destination, "[::ffff:10.0.0.2]:81".parse().unwrap());
    network.hosts[1].admit(network.now, gate, syn.id).unwrap();
    network.settle();
    assert_eq!(network.hosts[0].take_error(client), Ok(None));
    let (_, _) = network.connected(listener, "10.0.0.2:80");
    let inside = network.connect(1, "127.0.0.1:81");
    network.settle();
    assert_eq!(network.hosts[1].take_error(inside), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn a_router_passes_on_what_it_knows_a_way_for() {
    let config = Config { forwarding: sockeye_core::network::Forwarding::On, ..Config::default() };
    let mut network = world_with(config);
    let away = network.plug(1, &["10.9.0.1/24"], 1500);
    let _ = away;
    let gate = gate(&mut network);
    let forwarded = network.connect(0, "10.9.0.7:80");
    network.settle();
    assert_eq!(network.hosts[1].next_syn(network.now, gate), Err(Error::WouldBlock));
    let (_, _) = knock(&mut network, gate, "192.0.2.7:80");
    // Nobody answers there: the router says so, as ever.
    network.run(Duration::from_secs(5));
    assert_eq!(network.hosts[0].take_error(forwarded), Ok(Some(Error::HostUnreachable)));
}

#[test]
fn a_new_incarnation_of_a_connection_in_time_wait_comes_to_the_gate_too() {
    let mut network = world();
    let gate = gate(&mut network);
    let incarnation = |network: &mut Network| {
        let client = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        network.hosts[0].bind(network.now, client, "10.0.0.1:5555".parse().unwrap()).unwrap();
        let to = "192.0.2.7:80".parse().unwrap();
        assert_eq!(network.hosts[0].connect(network.now, client, to), Err(Error::InProgress));
        network.settle();
        let syn = network.hosts[1].next_syn(network.now, gate).unwrap();
        network.hosts[1].admit(network.now, gate, syn.id).unwrap();
        network.settle();
        let (server, _) = network.hosts[1].accept(network.now, gate).unwrap();
        // The gateway's end closes first, and waits.
        network.close(1, server);
        network.close(0, client);
        assert_eq!(network.hosts[1].snapshot().time_wait, 1);
    };
    incarnation(&mut network);
    network.run(Duration::from_secs(2));
    incarnation(&mut network);
    network.close(1, gate);
    network.run(Duration::from_secs(120));
    network.assert_idle();
}

#[test]
fn a_gate_that_closes_forgets_and_resets_what_it_had() {
    let mut network = world();
    let gate = gate(&mut network);
    let (waiting, _) = knock(&mut network, gate, "192.0.2.7:80");
    let (accepted, syn) = knock(&mut network, gate, "192.0.2.8:80");
    network.hosts[1].admit(network.now, gate, syn.id).unwrap();
    network.settle();
    network.connect(0, "192.0.2.9:80");
    network.settle();
    network.close(1, gate);
    assert_eq!(network.hosts[0].read(network.now, accepted, &mut [0; 9]), Err(Error::ConnectionReset));
    assert!(is_connecting(&network, waiting));
    assert!(network.hosts[1].snapshot().is_idle());
}

fn syn(source_port: u16, seq: u32) -> Segment {
    Segment {
        source_port,
        destination_port: 80,
        seq: SeqNumber(seq),
        ack: SeqNumber(0),
        flags: Flags::SYN,
        window: 1000,
        urgent: 0,
        options: Options::default(),
        length: 0,
    }
}

#[test]
fn a_flood_of_syns_is_bounded_and_leaves_nothing() {
    let mut network = world_with(Config { half_open_limit: 64, ..Config::default() });
    let gate = gate(&mut network);
    let world = Ipv4Addr::new(192, 0, 2, 7);
    for number in 0..20_000u32 {
        let [_, _, high, low] = number.to_be_bytes();
        network.inject(1, Ipv4Addr::new(203, 0, high, low), world, &syn(1000, number));
    }
    let snapshot = network.hosts[1].snapshot();
    assert_eq!((snapshot.half_open, snapshot.deadlines), (64, 64));
    assert_eq!(snapshot.drops.of(DropReason::HalfOpenQueueFull), 20_000 - 64);
    assert_eq!(snapshot.waiting, 0, "nothing is answered");
    // Those that come and are taken back leave nothing in the queue of news either.
    network.run(Duration::from_secs(80));
    for number in 0..20_000u32 {
        let from = Ipv4Addr::new(203, 0, 113, 1);
        network.inject(1, from, world, &syn(1000, number));
        network.inject(1, from, world, &Segment { flags: Flags::RST, ..syn(1000, number + 1) });
    }
    assert_eq!(network.hosts[1].next_syn(network.now, gate), Err(Error::WouldBlock));
    network.close(1, gate);
    assert!(network.hosts[1].snapshot().is_idle());
}

#[test]
fn nothing_but_admission_completes_a_held_handshake() {
    let mut network = world();
    network.introduce();
    let gate = gate(&mut network);
    let (from, world) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 0, 2, 7));
    network.inject(1, from, world, &syn(1000, 7));
    for ack in [0, 1, 8, u32::MAX] {
        let ack = Segment { flags: Flags::ACK, seq: SeqNumber(8), ack: SeqNumber(ack), ..syn(1000, 8) };
        network.inject(1, from, world, &ack);
    }
    network.inject(1, from, world, &Segment { flags: Flags::FIN, ..syn(1000, 8) });
    network.inject(1, from, world, &syn(1000, 99));
    // A RST that misses, though within the window, gets no answer that could tell our number.
    network.inject(1, from, world, &Segment { flags: Flags::RST, ..syn(1000, 9) });
    assert_eq!(network.hosts[1].snapshot().half_open, 1);
    assert_eq!(network.hosts[1].accept(network.now, gate).unwrap_err(), Error::WouldBlock);
    assert!(network.hosts[1].next_syn(network.now, gate).is_ok());
    assert!(network.hosts[1].next_syn(network.now, gate).is_err());
}
