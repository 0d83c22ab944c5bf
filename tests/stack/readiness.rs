//! Readiness and events: an event that does not come is a program that hangs.

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, Readiness, Shutdown, SocketId, SocketOption};
use sockeye_core::time::Duration;

use super::wire::Network;

/// The events of a host, with what they say, until there are none.
fn events(network: &mut Network, host: usize) -> Vec<(SocketId, Readiness)> {
    std::iter::from_fn(|| network.hosts[host].poll_event())
        .map(|event| (event.socket, event.readiness))
        .collect()
}

#[test]
fn a_datagram_that_was_refused_for_its_size_brings_an_event_when_there_is_room() {
    for size in [1, 3000, 60_000] {
        let mut network = Network::pair();
        let id = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
        let (now, to) = (network.now, Some("10.0.0.2:9000".parse().unwrap()));
        network.hosts[0].set_option(now, id, SocketOption::SendBuffer(20_000)).unwrap();
        events(&mut network, 0);
        let sent = (0..1000)
            .take_while(|_| match network.hosts[0].send_to(now, id, &vec![1; size], to) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    false
                }
            })
            .count();
        assert!((1..1000).contains(&sent), "{sent} datagrams of {size} bytes");
        assert!(!network.hosts[0].readiness(id).unwrap().is_writable());
        assert_eq!(events(&mut network, 0), []);
        network.settle();
        let news = events(&mut network, 0);
        assert!(matches!(news[..], [(socket, readiness)] if socket == id && readiness.is_writable()));
        assert_eq!(network.hosts[0].send_to(now, id, &vec![1; size], to), Ok(size));
    }
}

#[test]
fn every_error_is_news_even_when_a_call_has_taken_the_last_one() {
    let mut network = Network::pair();
    let id = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    let now = network.now;
    network.hosts[0].connect(now, id, "10.0.0.2:9".parse().unwrap()).unwrap();
    for round in 0..3 {
        network.hosts[0].send_to(now, id, b"x", None).unwrap();
        events(&mut network, 0);
        network.settle();
        let news = events(&mut network, 0);
        assert!(news.iter().any(|(socket, ready)| *socket == id && ready.has_failed()), "round {round}");
        assert_eq!(network.hosts[0].send_to(now, id, b"x", None), Err(Error::ConnectionRefused));
    }
}

#[test]
fn one_event_waits_however_often_readiness_comes_and_goes() {
    let mut network = Network::pair();
    let server = network.hosts[1].open(Family::V4, Kind::Datagram).unwrap();
    network.hosts[1].bind(network.now, server, "0.0.0.0:7".parse().unwrap()).unwrap();
    let client = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    events(&mut network, 1);
    for _ in 0..50 {
        network.hosts[0].send_to(network.now, client, b"x", Some("10.0.0.2:7".parse().unwrap())).unwrap();
        network.settle();
        network.hosts[1].receive_from(network.now, server, &mut [0; 9]).unwrap();
    }
    assert_eq!(events(&mut network, 1).len(), 1);
}

#[test]
fn sockets_that_come_and_go_unpolled_leave_no_events_and_no_turns_behind() {
    let mut network = Network::pair();
    for _ in 0..10_000 {
        let stream = network.hosts[0].open(Family::V4, Kind::Stream).unwrap();
        network.hosts[0].connect(network.now, stream, "10.0.0.2:9".parse().unwrap()).unwrap_err();
        network.hosts[0].close(network.now, stream).unwrap();
    }
    assert!(network.hosts[0].snapshot().waiting < 200, "{}", network.hosts[0].snapshot().waiting);
    assert_eq!(events(&mut network, 0), []);
    network.run(Duration::from_secs(1));
    network.assert_idle();
}

#[test]
fn a_connection_is_no_news_before_it_is_accepted_and_all_it_has_is_news_then() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let client = network.connect(0, "10.0.0.2:80");
    network.settle();
    network.write(0, client, b"early").unwrap();
    let news = events(&mut network, 1);
    assert!(news.iter().all(|(socket, _)| *socket == listener), "{news:?}");
    let (server, _) = network.hosts[1].accept(network.now, listener).unwrap();
    let news = events(&mut network, 1);
    assert!(
        matches!(news[..], [(socket, ready)] if socket == server && ready.is_readable() && ready.is_writable())
    );
}

#[test]
fn a_second_connection_is_news_after_the_first_was_accepted_and_the_queue_found_empty() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    for _ in 0..3 {
        network.connect(0, "10.0.0.2:80");
        network.settle();
        assert!(events(&mut network, 1).iter().any(|(id, ready)| *id == listener && ready.is_readable()));
        network.hosts[1].accept(network.now, listener).unwrap();
        assert_eq!(network.hosts[1].accept(network.now, listener), Err(Error::WouldBlock));
        events(&mut network, 1);
    }
}

#[test]
fn failed_connects_wake_whoever_waits_for_any_direction() {
    for (address, error) in
        [("10.0.0.2:9", Error::ConnectionRefused), ("10.0.0.77:9", Error::HostUnreachable)]
    {
        let mut network = Network::pair();
        let client = network.connect(0, address);
        events(&mut network, 0);
        network.run(Duration::from_secs(10));
        let news = events(&mut network, 0);
        let all = Readiness::READABLE | Readiness::WRITABLE | Readiness::ERROR;
        assert!(news.iter().any(|(id, ready)| *id == client && ready.contains(all)), "{address}: {news:?}");
        assert_eq!(network.hosts[0].take_error(client), Ok(Some(error)));
        assert_eq!(network.hosts[0].take_error(client), Ok(None), "told once");
    }
}

#[test]
fn a_full_stream_is_writable_again_when_the_reader_has_made_room() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    let mut written = 0;
    loop {
        match network.write(0, client, &[5; 50_000]) {
            Ok(count) => written += count,
            Err(error) => break assert_eq!(error, Error::WouldBlock),
        }
        assert!(written < 100 << 20, "nothing bounds the buffers");
    }
    events(&mut network, 0);
    let (mut got, mut woken) = (0, false);
    while got < written {
        match network.read(1, server) {
            Ok(bytes) => got += bytes.len(),
            Err(_) => network.run(Duration::from_millis(100)),
        }
        woken |= events(&mut network, 0).iter().any(|(id, ready)| *id == client && ready.is_writable());
    }
    assert!(woken);
}

#[test]
fn shutdowns_wake_those_who_wait() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    let now = network.now;
    events(&mut network, 0);
    events(&mut network, 1);
    network.hosts[0].shutdown(now, client, Shutdown::Write).unwrap();
    network.settle();
    let news = events(&mut network, 1);
    assert!(news.iter().any(|(id, ready)| *id == server && ready.is_readable() && ready.is_read_closed()));
    network.hosts[1].shutdown(now, server, Shutdown::Both).unwrap();
    network.settle();
    let news = events(&mut network, 0);
    assert!(news.iter().any(|(id, ready)| *id == client && ready.is_readable()), "{news:?}");

    // Linux: a datagram socket without peer is shut down, although the call fails.
    let datagram = network.hosts[0].open(Family::V4, Kind::Datagram).unwrap();
    events(&mut network, 0);
    assert_eq!(network.hosts[0].shutdown(now, datagram, Shutdown::Both), Err(Error::NotConnected));
    assert!(events(&mut network, 0).iter().any(|(id, ready)| *id == datagram && ready.is_readable()));
    assert_eq!(network.hosts[0].receive_from(now, datagram, &mut [0; 9]).map(|got| got.length), Ok(0));
    let to = Some("10.0.0.2:7".parse().unwrap());
    assert_eq!(network.hosts[0].send_to(now, datagram, b"x", to), Err(Error::BrokenPipe));
}

#[test]
fn a_listener_that_is_shut_down_wakes_its_acceptors_and_can_listen_again() {
    let mut network = Network::pair();
    let listener = network.listen(1, "0.0.0.0:80", 3);
    let waiting = network.connect(0, "10.0.0.2:80");
    network.settle();
    network.hosts[1].accept(network.now, listener).unwrap();
    let queued = network.connect(0, "10.0.0.2:80");
    network.settle();
    events(&mut network, 1);
    network.hosts[1].shutdown(network.now, listener, Shutdown::Write).unwrap();
    assert!(network.hosts[1].readiness(listener).unwrap().is_readable(), "it still listens");
    network.hosts[1].shutdown(network.now, listener, Shutdown::Both).unwrap();
    network.settle();
    assert!(events(&mut network, 1).iter().any(|(id, _)| *id == listener));
    assert_eq!(network.hosts[1].accept(network.now, listener), Err(Error::InvalidArgument));
    assert_eq!(network.hosts[0].take_error(queued), Ok(Some(Error::ConnectionReset)));
    assert_eq!(network.hosts[0].take_error(waiting), Ok(None), "an accepted connection lives on");
    let refused = network.connect(0, "10.0.0.2:80");
    network.settle();
    assert_eq!(network.hosts[0].take_error(refused), Ok(Some(Error::ConnectionRefused)));
    network.hosts[1].listen(network.now, listener, 3).unwrap();
    network.connected(listener, "10.0.0.2:80");
}
