//! Stream sockets: POSIX meaning of every call and error.

use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, Shutdown, SocketOption};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::trace::{Direction, TraceEvent, Tracing};
use sockeye_core::transport::tcp::State;
use sockeye_core::wire::LinkType;
use sockeye_core::wire::describe;

use super::wire::Network;

const FOREVER: Duration = Duration::from_secs(300);

#[test]
fn an_echo_and_a_four_way_close_leave_nothing_behind() {
    for address in ["10.0.0.2:7788", "[fd00::2]:7788"] {
        let mut network = Network::pair();
        let any = if address.starts_with('[') { "[::]:7788" } else { "0.0.0.0:7788" };
        let listener = network.listen(1, any, 5);
        let (client, server) = network.connected(listener, address);
        assert_eq!(network.hosts[0].peer_address(client), Ok(address.parse().unwrap()));
        assert_eq!(network.hosts[0].local_address(client), network.hosts[1].peer_address(server));
        assert_eq!(network.write(0, client, b"hello"), Ok(5));
        assert_eq!(network.read(1, server), Ok(b"hello".to_vec()));
        assert_eq!(network.read(1, server), Err(Error::WouldBlock));
        assert_eq!(network.write(1, server, b"HELLO"), Ok(5));
        assert_eq!(network.read(0, client), Ok(b"HELLO".to_vec()));
        network.close(0, client);
        assert_eq!(network.read(1, server), Ok(Vec::new()), "the peer's FIN reads as zero bytes");
        network.close(1, server);
        network.close(1, listener);
        assert_eq!(network.hosts[0].snapshot().time_wait, 1, "who closes first holds TIME-WAIT");
        assert_eq!(network.hosts[1].snapshot().time_wait, 0);
        network.run(FOREVER);
        network.assert_idle();
    }
}

#[test]
fn the_handshake_is_the_textbooks() {
    let mut network = Network::pair();
    network.hosts[0].set_tracing(Tracing::On);
    let listener = network.listen(1, "10.0.0.2:80", 5);
    let (client, _) = network.connected(listener, "10.0.0.2:80");
    let mut lines = Vec::new();
    while let Some(trace) = network.hosts[0].poll_trace() {
        match trace.event {
            TraceEvent::Frame { direction, frame, .. } => {
                let arrow = if direction == Direction::Sent { ">" } else { "<" };
                let line = describe(&frame, LinkType::Ethernet).to_string();
                let flags =
                    line.split("Flags ").nth(1).map_or(line.as_str(), |rest| rest.split(',').next().unwrap());
                let known = ["who-has", "is-at", "Request", "Reply"];
                let known = known.iter().find(|word| line.contains(**word)).map_or(flags, |word| *word);
                lines.push(format!("{arrow} {known}"));
            }
            TraceEvent::State { from, to, socket, .. } => {
                assert_eq!(socket, Some(client));
                lines.push(format!("{from} -> {to}"));
            }
            _ => {}
        }
    }
    let expected = ["CLOSED -> SYN-SENT", "> [S]", "< [S.]", "SYN-SENT -> ESTABLISHED", "> [.]"];
    let tcp: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| line.contains('[') || line.contains("->")).collect();
    assert_eq!(tcp, expected, "{lines:#?}");
}

#[test]
fn a_port_nobody_listens_on_refuses() {
    let mut network = Network::pair();
    let client = network.connect(0, "10.0.0.2:9");
    network.settle();
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::ConnectionRefused)));
    assert_eq!(network.hosts[1].snapshot().drops.of(DropReason::NoSocket), 1);
    network.close(0, client);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn a_host_that_does_not_answer_arp_is_unreachable() {
    for address in ["10.0.0.77:9", "[fd00::77]:9"] {
        let mut network = Network::pair();
        let client = network.connect(0, address);
        network.run(Duration::from_secs(10));
        assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::HostUnreachable)), "{address}");
    }
}

#[test]
fn a_silent_host_times_out_and_no_route_is_said_at_once() {
    let mut network = Network::pair();
    let stranger = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    let far = "192.0.2.1:80".parse().unwrap();
    assert_eq!(network.hosts[0].connect(network.now, stranger, far), Err(Error::NetworkUnreachable));
    // The wire swallows TCP but not ARP.
    network.loses = Box::new(|_, frame| frame.get(12..14) == Some(&[8, 0]));
    let client = network.connect(0, "10.0.0.2:80");
    network.run(Duration::from_secs(60));
    assert_eq!(network.hosts[0].take_error(client), Ok(None));
    network.run(Duration::from_secs(200));
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::TimedOut)));
}

#[test]
fn addresses_in_use_and_addresses_of_others_are_refused() {
    let mut network = Network::pair();
    let now = network.now;
    let first = network.listen(1, "0.0.0.0:80", 1);
    let host = &mut network.hosts[1];
    let second = host.open(Family::V4, Kind::Stream).unwrap();
    assert_eq!(host.bind(now, second, "10.0.0.2:80".parse().unwrap()), Err(Error::AddressInUse));
    assert_eq!(host.bind(now, second, "10.0.0.9:80".parse().unwrap()), Err(Error::AddressNotAvailable));
    assert_eq!(host.bind(now, second, "[::1]:80".parse().unwrap()), Err(Error::AddressFamilyNotSupported));
    host.bind(now, second, "127.0.0.1:0".parse().unwrap()).unwrap();
    assert!(host.local_address(second).unwrap().port() >= 32_768);
    assert_eq!(host.bind(now, second, "127.0.0.1:81".parse().unwrap()), Err(Error::InvalidArgument));
    host.close(now, first).unwrap();
    assert_eq!(host.close(now, first), Err(Error::BadSocket), "a stale handle is an error");
    assert_eq!(host.read(now, first, &mut [0]), Err(Error::BadSocket));
    let third = host.open(Family::V4, Kind::Stream).unwrap();
    host.bind(now, third, "0.0.0.0:80".parse().unwrap()).unwrap();
}

#[test]
fn a_server_that_closed_first_needs_reuse_to_restart() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:7788", 5);
    let (client, server) = network.connected(listener, "10.0.0.2:7788");
    network.close(1, server);
    network.close(0, client);
    network.close(1, listener);
    assert_eq!(network.hosts[1].snapshot().time_wait, 1);
    let now = network.now;
    let host = &mut network.hosts[1];
    let again = host.open(Family::V4, Kind::Stream).unwrap();
    let address = "0.0.0.0:7788".parse().unwrap();
    assert_eq!(host.bind(now, again, address), Err(Error::AddressInUse));
    host.set_option(now, again, SocketOption::ReuseAddress(true)).unwrap();
    // As on Linux, both sides must have said so: the old connection did not.
    assert_eq!(host.bind(now, again, address), Err(Error::AddressInUse));
    network.run(Duration::from_secs(61));
    let now = network.now;
    network.hosts[1].bind(now, again, address).unwrap();
}

#[test]
fn calls_in_the_wrong_state_say_so() {
    let mut network = Network::pair();
    let now = network.now;
    let listener = network.listen(1, "0.0.0.0:80", 5);
    assert_eq!(network.hosts[1].accept(now, listener), Err(Error::WouldBlock));
    assert_eq!(network.hosts[1].write(now, listener, b"x"), Err(Error::BrokenPipe));
    let idle = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
    assert_eq!(network.hosts[0].accept(now, idle), Err(Error::InvalidArgument));
    assert_eq!(network.hosts[0].read(now, idle, &mut [0]), Err(Error::NotConnected));
    assert_eq!(network.hosts[0].peer_address(idle), Err(Error::NotConnected));
    assert_eq!(network.hosts[0].shutdown(now, idle, Shutdown::Both), Err(Error::NotConnected));
    let (client, _) = network.connected(listener, "10.0.0.2:80");
    let again = "10.0.0.2:80".parse().unwrap();
    // As Linux: the first call after the handshake tells that it has succeeded.
    assert_eq!(network.hosts[0].connect(now, client, again), Ok(()));
    assert_eq!(network.hosts[0].connect(now, client, again), Err(Error::IsConnected));
    assert_eq!(network.hosts[0].listen(now, client, 1), Err(Error::InvalidArgument));
    network.hosts[0].shutdown(now, client, Shutdown::Write).unwrap();
    assert_eq!(network.write(0, client, b"x"), Err(Error::BrokenPipe));
    let pending = network.connect(0, "10.0.0.2:80");
    assert_eq!(network.hosts[0].connect(now, pending, again), Err(Error::AlreadyInProgress));
}

#[test]
fn each_direction_can_be_shut_down_by_itself() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 5);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    let now = network.now;
    network.write(0, client, b"question").unwrap();
    network.hosts[0].shutdown(now, client, Shutdown::Write).unwrap();
    network.settle();
    assert_eq!(network.read(1, server), Ok(b"question".to_vec()));
    assert_eq!(network.read(1, server), Ok(Vec::new()));
    assert!(network.hosts[1].readiness(server).unwrap().is_read_closed());
    network.write(1, server, b"answer").unwrap();
    assert_eq!(network.read(0, client), Ok(b"answer".to_vec()));
    network.close(1, server);
    assert_eq!(network.read(0, client), Ok(Vec::new()));
    network.close(0, client);
    network.close(1, listener);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn a_close_with_linger_zero_or_with_unread_data_resets() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 5);
    let now = network.now;
    for unread in [false, true] {
        let (client, server) = network.connected(listener, "10.0.0.2:80");
        if unread {
            network.write(1, server, b"never read").unwrap();
        } else {
            network.hosts[0].set_option(now, client, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
        }
        network.close(0, client);
        assert!(network.hosts[1].readiness(server).unwrap().has_failed());
        assert_eq!(network.read(1, server), Err(Error::ConnectionReset));
        assert_eq!(network.read(1, server), Ok(Vec::new()), "the error is told once");
        assert_eq!(network.write(1, server, b"x"), Err(Error::BrokenPipe));
        network.close(1, server);
    }
    network.close(1, listener);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn the_backlog_bounds_the_accept_queue_and_cookies_stand_in_for_the_half_open_one() {
    let server_side = Config { seed: 2, half_open_limit: 2, ..Config::default() };
    let mut network = Network::pair_with(Config { seed: 1, ..Config::default() }, server_side, 1500);
    let listener = network.listen(1, "0.0.0.0:80", 3);
    // The clients' acknowledgements are lost: their handshakes stay half-open.
    network.loses = Box::new(|host, frame| host == 0 && frame.get(47) == Some(&0x10));
    let clients: Vec<_> = (0..5).map(|_| network.connect(0, "10.0.0.2:80")).collect();
    network.settle();
    assert_eq!(network.hosts[1].snapshot().half_open, 2, "the half-open queue has its own bound");
    network.loses = Box::new(|_, _| false);
    for client in clients {
        network.write(0, client, b"x").unwrap(); // carries the acknowledgement again
    }
    network.run(Duration::from_secs(20));
    let waiting =
        network.hosts[1].snapshot().sockets.iter().find(|s| s.id == listener).unwrap().receive_queue;
    assert_eq!(waiting, 3, "the accept queue has the backlog's bound");
    for _ in 0..3 {
        network.hosts[1].accept(network.now, listener).unwrap();
    }
    assert_eq!(network.hosts[1].accept(network.now, listener), Err(Error::WouldBlock));
}

#[test]
fn a_connection_made_by_a_cookie_works() {
    let server_side = Config { seed: 2, half_open_limit: 0, ..Config::default() };
    let mut network = Network::pair_with(Config { seed: 1, ..Config::default() }, server_side, 1500);
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    network.write(0, client, &[7; 5000]).unwrap();
    network.run(Duration::from_secs(1));
    assert_eq!(network.read(1, server), Ok(vec![7; 5000]));
}

#[test]
fn a_listener_that_closes_resets_who_waits_in_its_queue() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let client = network.connect(0, "10.0.0.2:80");
    network.settle();
    network.close(1, listener);
    assert_eq!(network.hosts[0].take_error(client), Ok(Some(Error::ConnectionReset)));
    network.close(0, client);
    network.run(FOREVER);
    network.assert_idle();
}

#[test]
fn a_wildcard_of_ipv6_takes_ipv4_too_unless_told_otherwise() {
    let mut network = Network::pair();
    let listener = network.listen(1, "[::]:80", 3);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    let mapped = network.hosts[1].peer_address(server).unwrap();
    assert!(mapped.to_string().starts_with("[::ffff:10.0.0.1]:"), "{mapped}");
    network.write(0, client, b"4").unwrap();
    assert_eq!(network.read(1, server), Ok(b"4".to_vec()));
    let now = network.now;
    let host = &mut network.hosts[1];
    let only = host.open(Family::V6, Kind::Stream).unwrap();
    host.set_option(now, only, SocketOption::OnlyV6(true)).unwrap();
    host.bind(now, only, "[::]:81".parse().unwrap()).unwrap();
    host.listen(now, only, 1).unwrap();
    let refused = network.connect(0, "10.0.0.2:81");
    network.settle();
    assert_eq!(network.hosts[0].take_error(refused), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn events_come_when_readiness_grows_and_only_then() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let client = network.connect(0, "10.0.0.2:80");
    while network.hosts[0].poll_event().is_some() {}
    network.settle();
    let event = network.hosts[0].poll_event().unwrap();
    assert!(event.socket == client && event.readiness.is_writable());
    let event = network.hosts[1].poll_event().unwrap();
    assert!(event.socket == listener && event.readiness.is_readable());
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    while network.hosts[1].poll_event().is_some() {}
    network.write(0, client, b"x").unwrap();
    let event = network.hosts[1].poll_event().unwrap();
    assert!(event.socket == server && event.readiness.is_readable());
    assert_eq!(network.hosts[1].poll_event(), None);
    network.read(1, server).unwrap();
    network.write(0, client, b"y").unwrap();
    assert_eq!(network.hosts[1].poll_event().unwrap().socket, server, "read empty, then filled again");
}

#[test]
fn a_host_talks_to_itself_over_loopback_and_by_its_own_address() {
    for address in ["127.0.0.1:80", "10.0.0.1:80", "[::1]:80", "[fd00::1]:80"] {
        let mut network = Network::pair();
        let any = if address.starts_with('[') { "[::]:80" } else { "0.0.0.0:80" };
        let listener = network.listen(0, any, 3);
        network.settle();
        let before = network.delivered; // the addresses' announcements
        let client = network.connect(0, address);
        network.settle();
        let (server, _) = network.hosts[0].accept(network.now, listener).unwrap();
        assert_eq!(network.write(0, client, &[1; 100_000]), Ok(100_000));
        let mut got = 0;
        while let Ok(bytes) = network.read(0, server) {
            got += bytes.len();
        }
        assert_eq!(got, 100_000, "{address}");
        assert_eq!(network.delivered, before, "nothing crosses the wire");
        assert_eq!(network.hosts[0].tcp_info(client).unwrap().state, State::Established);
    }
}

#[test]
fn events_that_nobody_polls_take_bounded_room() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:7788", 5);
    let (client, server) = network.connected(listener, "10.0.0.2:7788");
    for _ in 0..100 {
        assert_eq!(network.write(0, client, b"hello"), Ok(5));
        network.run(Duration::from_secs(1));
        assert_eq!(network.read(1, server), Ok(b"hello".to_vec()), "readable, and then not");
    }
    let events: Vec<_> = std::iter::from_fn(|| network.hosts[1].poll_event()).collect();
    assert!(events.iter().filter(|event| event.socket == server).count() <= 1, "{events:?}");
    assert_eq!(network.write(0, client, b"again"), Ok(5));
    network.run(FOREVER);
    let event = network.hosts[1].poll_event().expect("news after a poll");
    assert!(event.socket == server && event.readiness.is_readable());
}
