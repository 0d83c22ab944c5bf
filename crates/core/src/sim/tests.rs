//! The clock, the wiring and the ends of runs.

use core::net::SocketAddr;

use super::*;
use crate::lan::{Conditions, Direction, Observation, Observing};
use crate::network::{Forwarding, Route};
use crate::socket::{Family, Kind, SocketId};

fn host(sim: &mut Simulation, lan: LanId, address: &str) -> HostId {
    sim.add_host(lan, HostConfig::new(address, address.parse().unwrap())).unwrap()
}

fn datagram_socket(sim: &mut Simulation, host: HostId, address: &str) -> SocketId {
    let now = sim.now();
    let stack = sim.stack_mut(host);
    let id = stack.open(Family::V4, Kind::Datagram).unwrap();
    stack.bind(now, id, address.parse().unwrap()).unwrap();
    id
}

fn send(sim: &mut Simulation, (host, socket): (HostId, SocketId), to: &str) {
    let now = sim.now();
    let to: SocketAddr = to.parse().unwrap();
    sim.stack_mut(host).send_to(now, socket, b"hello", Some(to)).unwrap();
}

fn is_readable(sim: &Simulation, host: HostId, socket: SocketId) -> bool {
    sim.stack(host).readiness(socket).unwrap().is_readable()
}

#[test]
fn time_is_the_sum_of_the_delays() {
    let mut sim = Simulation::new(1);
    let lan = sim.add_lan();
    let slow = Conditions { delay: Duration::from_millis(10), ..Conditions::default() };
    let config =
        HostConfig { conditions: slow.into(), ..HostConfig::new("a", "10.0.0.1/24".parse().unwrap()) };
    let a = sim.add_host(lan, config).unwrap();
    let b = host(&mut sim, lan, "10.0.0.2/24");
    let (from, to) = (datagram_socket(&mut sim, a, "10.0.0.1:1"), datagram_socket(&mut sim, b, "10.0.0.2:2"));
    sim.run_for(Duration::from_secs(1)); // until the hosts have announced themselves
    send(&mut sim, (a, from), "10.0.0.2:2");
    let outcome = sim.run_until(Duration::from_secs(9), |sim| is_readable(sim, b, to));
    // There and back for ARP, and there for the datagram.
    assert_eq!((outcome, sim.now()), (Outcome::Met, Instant::from_millis(1030)));
}

#[test]
fn a_run_ends_when_nothing_is_left_or_time_is_up() {
    let mut sim = Simulation::new(1);
    let lan = sim.add_lan();
    host(&mut sim, lan, "10.0.0.1/24");
    assert_eq!(sim.run_until(Duration::from_secs(3600), |_| false), Outcome::Idle);
    sim.wake_at(sim.now() + Duration::from_secs(10));
    let start = sim.now();
    assert_eq!(sim.run_for(Duration::from_secs(4)), Outcome::TimeUp);
    assert_eq!(sim.now() - start, Duration::from_secs(4));
    let mut asked_at = Vec::new();
    sim.run_until(Duration::from_secs(60), |sim| {
        asked_at.push(sim.now() - start);
        false
    });
    assert_eq!(asked_at, [4, 10].map(Duration::from_secs), "the alarm is an instant of its own");
    assert_eq!(sim.run_for(Duration::from_secs(60)), Outcome::Idle);
    assert_eq!(sim.now() - start, Duration::from_secs(70));
}

#[test]
fn hosts_on_two_lans_meet_through_a_router() {
    let mut sim = Simulation::new(1);
    let (left, right) = (sim.add_lan(), sim.add_lan());
    let a = host(&mut sim, left, "10.0.1.2/24");
    let b = host(&mut sim, right, "10.0.2.2/24");
    let one = HostConfig::new("router", "10.0.1.1/24".parse().unwrap());
    let two = HostConfig { addresses: vec!["10.0.2.1/24".parse().unwrap()], ..one.clone() };
    let config = Config { forwarding: Forwarding::On, ..Config::default() };
    let router = sim.add_host(left, HostConfig { config, ..one }).unwrap();
    let second = sim.add_interface(router, right, &two).unwrap();
    assert_eq!(sim.port(router, second).map(|(lan, _)| lan), Some(right));
    for (host, gateway) in [(a, "10.0.1.1"), (b, "10.0.2.1")] {
        let (destination, gateway) = ("0.0.0.0/0".parse().unwrap(), Some(gateway.parse().unwrap()));
        let interface = InterfaceId(1);
        sim.stack_mut(host).add_route(Route { destination, gateway, interface, metric: 0 }).unwrap();
    }
    let (from, to) = (datagram_socket(&mut sim, a, "0.0.0.0:1"), datagram_socket(&mut sim, b, "0.0.0.0:2"));
    send(&mut sim, (a, from), "10.0.2.2:2");
    assert_eq!(sim.run_until(Duration::from_secs(9), |sim| is_readable(sim, b, to)), Outcome::Met);
    send(&mut sim, (b, to), "10.0.1.2:1");
    assert_eq!(sim.run_until(Duration::from_secs(9), |sim| is_readable(sim, a, from)), Outcome::Met);
}

#[test]
fn events_wake_the_program_that_answers() {
    let mut sim = Simulation::new(1);
    let lan = sim.add_lan();
    let (a, b) = (host(&mut sim, lan, "10.0.0.1/24"), host(&mut sim, lan, "10.0.0.2/24"));
    let (asks, answers) =
        (datagram_socket(&mut sim, a, "10.0.0.1:1"), datagram_socket(&mut sim, b, "10.0.0.2:2"));
    send(&mut sim, (a, asks), "10.0.0.2:2");
    let mut rounds = 0;
    let outcome = sim.run_until(Duration::from_secs(9), |sim| {
        while let Some((host, event)) = sim.poll_event() {
            let now = sim.now();
            let mut buffer = [0; 10];
            while sim.stack_mut(host).receive_from(now, event.socket, &mut buffer).is_ok() {
                rounds += 1;
                let (own, to) =
                    if host == a { ((a, asks), "10.0.0.2:2") } else { ((b, answers), "10.0.0.1:1") };
                send(sim, own, to);
            }
        }
        rounds >= 100
    });
    assert_eq!((outcome, sim.now()), (Outcome::Met, Instant::ZERO), "a perfect cable takes no time");
}

#[test]
fn a_cut_cable_and_its_repair() {
    let mut sim = Simulation::new(1);
    let lan = sim.add_lan();
    let (a, b) = (host(&mut sim, lan, "10.0.0.1/24"), host(&mut sim, lan, "10.0.0.2/24"));
    let (from, to) = (datagram_socket(&mut sim, a, "10.0.0.1:1"), datagram_socket(&mut sim, b, "10.0.0.2:2"));
    let (_, port) = sim.port(a, InterfaceId(1)).unwrap();
    sim.run_for(Duration::from_secs(1));
    let now = sim.now();
    sim.lan_mut(lan).cut(now, port, Direction::Up, Duration::from_millis(500));
    send(&mut sim, (a, from), "10.0.0.2:2");
    assert_eq!(sim.run_until(Duration::from_secs(9), |sim| is_readable(sim, b, to)), Outcome::Met);
    assert!(sim.now() >= Instant::from_millis(1500), "the second ARP request found the way");
}

/// Every frame on every cable of a talk through a bad one, with what became of it; the cables are given a new seed at a time.
fn observed(reseed: Option<(Instant, u64)>) -> Vec<Observation> {
    let mut sim = Simulation::new(5);
    let lan = sim.add_lan();
    let bad = Conditions {
        loss: "20%".parse().unwrap(),
        duplicate: "10%".parse().unwrap(),
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(5),
        ..Conditions::default()
    };
    let config =
        HostConfig { conditions: bad.into(), ..HostConfig::new("a", "10.0.0.1/24".parse().unwrap()) };
    let a = sim.add_host(lan, config).unwrap();
    let b = host(&mut sim, lan, "10.0.0.2/24");
    let from = datagram_socket(&mut sim, a, "10.0.0.1:1");
    datagram_socket(&mut sim, b, "10.0.0.2:2");
    sim.lan_mut(lan).set_observing(Observing::On);
    for number in 0..200 {
        if let Some((at, seed)) = reseed
            && sim.now() == at
        {
            sim.reseed_cables(seed);
        }
        send(&mut sim, (a, from), "10.0.0.2:2");
        sim.run_for(Duration::from_millis(10));
        assert_eq!(sim.now(), Instant::from_millis(10 * (number + 1)));
    }
    core::iter::from_fn(|| sim.lan_mut(lan).poll_observation()).collect()
}

#[test]
fn other_cables_from_a_time_on_change_nothing_before_it() {
    let at = Instant::from_secs(1);
    let before = |observations: &[Observation]| {
        observations.iter().filter(|observation| observation.at < at).cloned().collect::<Vec<_>>()
    };
    let (plain, forked) = (observed(None), observed(Some((at, 6))));
    assert!(before(&plain).len() > 150);
    assert_eq!(before(&plain), before(&forked), "byte for byte, and with the same fates");
    assert_ne!(plain, forked, "chance takes another way");
    assert_eq!(forked, observed(Some((at, 6))), "always the same one");
    assert_ne!(forked, observed(Some((at, 7))));
}
