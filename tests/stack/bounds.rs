//! Nobody waits for ever: turns are short, one poll does a bounded amount of work, and what one connection has learned of
//! a path helps the others.

use sockeye_core::drop_reason::DropReason;
use sockeye_core::socket::{Family, Kind, SocketOption};
use sockeye_core::stack::{Config, Stack};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::{LinkType, describe};

use super::wire::Network;

/// How many frames leave before the first that mentions `mark`, and how many leave in all.
fn place_of(network: &mut Network, mark: &str) -> (usize, usize) {
    let (mut place, mut all) = (None, 0);
    while let Some(transmit) = network.hosts[0].poll_transmit(network.now) {
        let line = describe(&transmit.to_vec(), LinkType::Ethernet).to_string();
        if line.contains(mark) {
            place.get_or_insert(all);
        }
        all += 1;
    }
    (place.expect("it is sent"), all)
}

#[test]
fn a_bulk_transfer_does_not_hold_a_small_one_up() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 9);
    let (bulk, sink) = network.connected(listener, "10.0.0.2:80");
    let (small, _) = network.connected(listener, "10.0.0.2:80");
    // The window opens.
    let mut got = 0;
    while got < 8 << 20 {
        let _ = network.write(0, bulk, &[7; 100_000]);
        network.run(Duration::from_millis(2));
        while let Ok(bytes) = network.read(1, sink) {
            got += bytes.len();
        }
    }
    let now = network.now;
    let mut written = 0;
    while let Ok(count) = network.hosts[0].write(now, bulk, &[7; 100_000]) {
        written += count;
    }
    network.hosts[0].write(now, small, b"x").unwrap();
    let port = network.hosts[0].local_address(small).unwrap().port();
    let (place, all) = place_of(&mut network, &format!(".{port} >"));
    assert!(all > 80, "only {all} frames of {written} bytes");
    assert!(place < 60, "after {place} of {all} frames");
}

#[test]
fn a_queue_of_datagrams_does_not_hold_another_socket_up() {
    let mut network = Network::pair();
    network.introduce();
    let now = network.now;
    let open = |network: &mut Network, port: u16| {
        let id = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
        network.hosts[0].bind(now, id, format!("0.0.0.0:{port}").parse().unwrap()).unwrap();
        id
    };
    let (many, one) = (open(&mut network, 1000), open(&mut network, 2000));
    let to = Some("10.0.0.2:9".parse().unwrap());
    while network.hosts[0].send_to(now, many, &[0; 700], to).is_ok() {}
    network.hosts[0].send_to(now, one, b"x", to).unwrap();
    let (place, all) = place_of(&mut network, ".2000 >");
    assert!(all > 200 && place < 100, "after {place} of {all} frames");
}

#[test]
fn one_poll_does_a_bounded_amount_of_work_and_says_when_it_stopped_in_the_middle() {
    let now = Instant::from_secs(1);
    let mut host = Stack::new(Config::default());
    let id = host.open(Family::V4, Kind::Datagram).unwrap();
    let own = "127.0.0.1:9".parse().unwrap();
    host.bind(now, id, own).unwrap();
    for option in [SocketOption::SendBuffer(1 << 20), SocketOption::ReceiveBuffer(1 << 20)] {
        host.set_option(now, id, option).unwrap();
    }
    let all = 5000;
    for _ in 0..all {
        host.send_to(now, id, b"x", Some(own)).unwrap();
    }
    assert!(host.poll_transmit(now).is_none());
    let waiting = host.snapshot().sockets[0].receive_queue;
    assert!((100..all).contains(&waiting), "{waiting} datagrams in one poll");
    let mut polls = 1;
    while host.poll_timeout().is_some_and(|at| at <= now) {
        host.handle_timeout(now);
        assert!(host.poll_transmit(now).is_none());
        polls += 1;
        assert!(polls < 100, "it never catches up");
    }
    assert_eq!(host.snapshot().sockets[0].receive_queue, all);
    host.close(now, id).unwrap();
    assert!(host.snapshot().is_idle());
}

#[test]
fn what_one_connection_learns_of_a_path_keeps_the_others_from_sending_too_much() {
    let mut network = super::routing::routed(900);
    let listener = network.listen(2, "0.0.0.0:80", 5);
    let mut pairs = Vec::new();
    for _ in 0..2 {
        let client = network.connect(0, "10.0.2.1:80");
        network.settle();
        pairs.push((client, network.hosts[2].accept(network.now, listener).unwrap().0));
    }
    for (client, server) in pairs {
        network.hosts[0].write(network.now, client, &[4; 20_000]).unwrap();
        let mut got = 0;
        for _ in 0..20 {
            network.run(Duration::from_millis(100));
            while let Ok(bytes) = network.read(2, server) {
                got += bytes.len();
            }
        }
        assert_eq!(got, 20_000);
    }
    assert_eq!(network.hosts[0].snapshot().drops.of(DropReason::PacketTooBig), 0);
}
