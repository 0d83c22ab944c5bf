//! The corners of a socket's life: connections that die early, hosts that talk to themselves, closes and reopenings.

use std::net::SocketAddr;

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, Shutdown, SocketOption};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::trace::{TraceEvent, Tracing};
use sockeye_core::transport::tcp::State;
use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
use sockeye_core::wire::{LinkType, describe};

use super::wire::Network;

const FOREVER: Duration = Duration::from_secs(300);

#[test]
fn a_connection_that_dies_in_the_accept_queue_is_accepted_and_says_so() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let client = network.connect(0, "10.0.0.2:80");
    network.settle();
    let now = network.now;
    network.hosts[0].set_option(now, client, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
    network.close(0, client);
    assert!(network.hosts[1].readiness(listener).unwrap().is_readable());
    let (server, from) = network.hosts[1].accept(now, listener).unwrap();
    assert_eq!(from.ip(), "10.0.0.1".parse::<std::net::IpAddr>().unwrap());
    assert!(network.hosts[1].readiness(server).unwrap().has_failed());
    assert_eq!(network.read(1, server), Err(Error::ConnectionReset));
    network.close(1, server);
    // The same, and the listener goes before anybody accepts.
    let client = network.connect(0, "10.0.0.2:80");
    network.settle();
    network.hosts[0].set_option(now, client, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
    network.close(0, client);
    network.close(1, listener);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn a_stream_connects_to_itself_by_a_simultaneous_open() {
    for address in ["127.0.0.1:4000", "10.0.0.1:4000", "[::1]:4000"] {
        let mut network = Network::pair();
        let (now, own) = (network.now, address.parse().unwrap());
        let id = network.hosts[0].open(Family::of(&own), Kind::Stream).unwrap();
        network.hosts[0].bind(now, id, own).unwrap();
        assert_eq!(network.hosts[0].connect(now, id, own), Err(Error::InProgress));
        network.run(Duration::from_secs(1));
        assert_eq!(network.hosts[0].take_error(id), Ok(None), "{address}");
        assert_eq!(network.hosts[0].tcp_info(id).unwrap().state, State::Established);
        assert_eq!(network.hosts[0].peer_address(id), network.hosts[0].local_address(id));
        network.write(0, id, b"myself").unwrap();
        assert_eq!(network.read(0, id), Ok(b"myself".to_vec()));
        network.close(0, id);
        network.run(FOREVER);
        network.assert_idle();
    }
}

#[test]
fn a_datagram_socket_connects_to_itself_and_to_the_unspecified_address() {
    let mut network = Network::pair();
    let now = network.now;
    for (own, to) in [("10.0.0.1:70", "10.0.0.1:70"), ("0.0.0.0:71", "0.0.0.0:71"), ("[::]:72", "[::]:72")] {
        let own: std::net::SocketAddr = own.parse().unwrap();
        let id = network.hosts[0].open(Family::of(&own), Kind::Datagram).unwrap();
        network.hosts[0].bind(now, id, own).unwrap();
        network.hosts[0].connect(now, id, to.parse().unwrap()).unwrap();
        network.hosts[0].send_to(now, id, b"me", None).unwrap();
        network.settle();
        let got = network.hosts[0].receive_from(now, id, &mut [0; 9]).unwrap();
        assert_eq!(Ok(got.source), network.hosts[0].local_address(id));
    }
}

#[test]
fn a_datagram_socket_forgets_its_peer_and_the_address_that_was_chosen_for_it() {
    let mut network = Network::pair();
    let now = network.now;
    let id = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[1].bind(now, id, "0.0.0.0:50".parse().unwrap()).unwrap();
    let client = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].bind(now, client, "10.0.0.1:60".parse().unwrap()).unwrap();
    for (peer, own, hears) in [
        ("127.0.0.1:9", "127.0.0.1:50", false), // a source that nobody outside could answer
        ("10.0.0.1:60", "10.0.0.2:50", true),
        ("10.0.0.9:60", "10.0.0.2:50", false),
        ("0.0.0.0:0", "0.0.0.0:50", true),
        ("10.0.0.1:61", "10.0.0.2:50", false),
        ("10.0.0.1:60", "10.0.0.2:50", true),
    ] {
        network.hosts[1].connect(now, id, peer.parse().unwrap()).unwrap();
        assert_eq!(network.hosts[1].local_address(id), Ok(own.parse().unwrap()), "connected to {peer}");
        let to = Some("10.0.0.2:50".parse().unwrap());
        network.hosts[0].send_to(now, client, b"x", to).unwrap_or_else(|error| {
            assert_eq!(error, Error::ConnectionRefused);
            network.hosts[0].send_to(now, client, b"x", to).unwrap()
        });
        network.settle();
        let heard = network.hosts[1].receive_from(now, id, &mut [0; 9]).is_ok();
        assert_eq!(heard, hears, "connected to {peer}");
    }
}

#[test]
fn of_two_connected_sockets_that_share_both_ends_the_first_hears_again_when_the_second_is_closed() {
    let mut network = Network::pair();
    let now = network.now;
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let id = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
            network.hosts[1].set_option(now, id, SocketOption::ReuseAddress(true)).unwrap();
            network.hosts[1].bind(now, id, "0.0.0.0:50".parse().unwrap()).unwrap();
            network.hosts[1].connect(now, id, "10.0.0.1:60".parse().unwrap()).unwrap();
            id
        })
        .collect();
    let client = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].bind(now, client, "10.0.0.1:60".parse().unwrap()).unwrap();
    for id in [ids[1], ids[0]] {
        network.hosts[0].send_to(now, client, b"x", Some("10.0.0.2:50".parse().unwrap())).unwrap();
        network.settle();
        assert!(network.hosts[1].receive_from(now, id, &mut [0; 9]).is_ok());
        network.close(1, id);
    }
}

#[test]
fn a_closed_datagram_socket_hears_nothing_while_its_last_words_wait() {
    let mut network = Network::pair();
    let now = network.now;
    let id = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].bind(now, id, "0.0.0.0:50".parse().unwrap()).unwrap();
    network.hosts[0].send_to(now, id, b"last words", Some("10.0.0.2:9".parse().unwrap())).unwrap();
    network.hosts[0].close(now, id).unwrap();
    let next = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[0].bind(now, next, "0.0.0.0:50".parse().unwrap()).expect("the port is free at once");
    network.settle();
    assert_eq!(network.hosts[1].snapshot().drops.of(DropReason::NoSocket), 1, "they were heard of");
    network.close(0, next);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn an_attempt_to_connect_can_be_called_off() {
    let mut network = Network::pair();
    let client = network.connect(0, "10.0.0.77:80");
    network.hosts[0].shutdown(network.now, client, Shutdown::Both).unwrap();
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::ConnectionReset)));
    assert_eq!(network.hosts[0].shutdown(network.now, client, Shutdown::Both), Err(Error::NotConnected));
    let other = network.connect(0, "10.0.0.77:80");
    network.close(0, other);
    network.close(0, client);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn a_segment_without_syn_or_ack_gets_no_answer_from_a_listener_and_a_forged_cookie_a_reset() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    network.connected(listener, "10.0.0.2:80"); // the hosts know each other's MAC addresses
    for (flags, answers) in [(Flags::FIN, 0), (Flags::PSH, 0), (Flags::RST, 0), (Flags::ACK, 1)] {
        let segment = Segment {
            source_port: 5555,
            destination_port: 80,
            seq: SeqNumber(77),
            ack: SeqNumber(99),
            flags,
            window: 1000,
            urgent: 0,
            options: Options::default(),
            length: 0,
        };
        network.inject(1, [10, 0, 0, 1].into(), [10, 0, 0, 2].into(), &segment);
        let mut sent = 0;
        while let Some(transmit) = network.hosts[1].poll_transmit(network.now) {
            sent += usize::from(
                describe(&transmit.to_vec(), LinkType::Ethernet).to_string().contains("Flags [R"),
            );
        }
        assert_eq!(sent, answers, "{flags:?}");
    }
}

#[test]
fn time_wait_records_have_a_limit_and_a_new_connection_reopens_one() {
    let side = |seed| Config { seed, time_wait_limit: 2, ..Config::default() };
    let mut network = Network::pair_with(side(1), side(2), 1500);
    let listener = network.listen(1, "0.0.0.0:80", 5);
    for _ in 0..4 {
        let (client, server) = network.connected(listener, "10.0.0.2:80");
        network.close(0, client);
        network.close(1, server);
    }
    assert_eq!(network.hosts[0].snapshot().time_wait, 2);
    // The server closes first and holds TIME-WAIT; the client comes again from the same port.
    network.run(FOREVER);
    let local = "10.0.0.1:4444".parse().unwrap();
    for _ in 0..3 {
        let client = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        network.hosts[0].bind(network.now, client, local).unwrap();
        network.hosts[0].connect(network.now, client, "10.0.0.2:80".parse().unwrap()).unwrap_err();
        network.run(Duration::from_millis(5));
        let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
        assert_eq!(network.hosts[0].take_error(client), Ok(None));
        network.close(1, server);
        network.close(0, client);
        assert_eq!(network.hosts[1].snapshot().time_wait, 1);
    }
    // Nobody listens any more: the next one learns it at once.
    network.close(1, listener);
    let client = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    network.hosts[0].bind(network.now, client, local).unwrap();
    network.hosts[0].connect(network.now, client, "10.0.0.2:80".parse().unwrap()).unwrap_err();
    network.run(Duration::from_millis(5));
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::ConnectionRefused)));
    network.close(0, client);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn every_state_that_ends_is_told_with_its_cause() {
    let mut network = Network::pair();
    network.hosts[0].set_tracing(Tracing::On);
    network.hosts[1].set_tracing(Tracing::On);
    let refused = network.connect(0, "10.0.0.2:9");
    network.settle();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    network.loses = Box::new(|host, frame| host == 0 && frame.get(47) == Some(&0x10));
    let half_open = network.connect(0, "10.0.0.2:80");
    network.settle();
    network.close(1, listener);
    let told = |network: &mut Network, host: usize| -> Vec<String> {
        std::iter::from_fn(|| network.hosts[host].poll_trace())
            .filter_map(|trace| match trace.event {
                TraceEvent::State { from, to, cause, .. } => Some(format!("{from} -> {to}: {cause}")),
                _ => None,
            })
            .collect()
    };
    let client: Vec<String> = told(&mut network, 0);
    assert_eq!(
        client,
        [
            "CLOSED -> SYN-SENT: connect",
            "SYN-SENT -> CLOSED: segment",
            "CLOSED -> SYN-SENT: connect",
            "SYN-SENT -> ESTABLISHED: segment",
        ]
    );
    let server = told(&mut network, 1);
    assert_eq!(server, ["LISTEN -> SYN-RECEIVED: segment", "SYN-RECEIVED -> CLOSED: close of the listener"]);
    // Tracing that is off again costs nothing and says nothing.
    network.hosts[0].set_tracing(Tracing::Off);
    network.close(0, refused);
    network.close(0, half_open);
    assert!(network.hosts[0].poll_trace().is_none());
}

#[test]
fn a_socket_that_is_disconnected_may_connect_and_listen_again() {
    for address in ["10.0.0.2:80", "[fd00::2]:80"] {
        let mut network = Network::pair();
        let listener = network.listen(1, address, 9);
        let (client, server) = network.connected(listener, address);
        let now = network.now;
        network.write(0, client, b"unread").unwrap();
        network.hosts[0].disconnect(now, client).unwrap();
        assert_eq!(network.hosts[0].peer_address(client), Err(Error::NotConnected));
        assert_eq!(network.hosts[0].local_address(client).unwrap().port(), 0);
        assert!(network.hosts[0].readiness(client).unwrap().has_failed());
        network.settle();
        assert_eq!(network.hosts[1].take_error(server), Ok(Some(Error::ConnectionReset)));
        network.close(1, server);
        // Again, from an address of its own; the attempt is called off.
        let own: SocketAddr =
            if address.starts_with('[') { "[fd00::1]:700" } else { "10.0.0.1:700" }.parse().unwrap();
        assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::ConnectionReset)));
        network.hosts[0].bind(now, client, own).unwrap();
        let to: SocketAddr = address.parse().unwrap();
        assert_eq!(network.hosts[0].connect(now, client, to), Err(Error::InProgress));
        network.hosts[0].disconnect(now, client).unwrap();
        assert_eq!(network.hosts[0].connect(now, client, to), Err(Error::InProgress));
        network.settle();
        assert_eq!(network.hosts[0].take_error(client), Ok(None), "of an attempt before this one");
        let (server, from) = network.hosts[1].accept(now, listener).unwrap();
        assert_eq!(from, own);
        assert_eq!(network.write(0, client, b"hello"), Ok(5));
        assert_eq!(network.read(1, server), Ok(b"hello".to_vec()));
        // And as a listener, which ends in the same way.
        network.hosts[0].disconnect(now, client).unwrap();
        network.settle();
        network.hosts[0].listen(now, client, 5).unwrap();
        network.hosts[0].disconnect(now, client).unwrap();
        assert_eq!(network.hosts[0].accept(now, client), Err(Error::InvalidArgument));
        network.hosts[0].disconnect(now, client).unwrap();
        for (host, id) in [(0, client), (1, server), (1, listener)] {
            network.close(host, id);
        }
        network.run(Duration::from_secs(120));
        network.assert_idle();
    }
}
