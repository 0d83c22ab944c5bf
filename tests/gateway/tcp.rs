//! TCP to the real machine.

use crate::ends::{LONG, by_gateway, eventually, inside, loopback, loopbacks, pattern};
use sha2::{Digest, Sha256};
use sockeye::{Conditions, GatewayPolicy, Publish, TcpStream};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

fn linger_zero(stream: &std::net::TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

/// A real server and a client of ours that is connected to it.
fn pair(inside: &crate::ends::Inside) -> (TcpStream, std::net::TcpStream) {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(&inside.client, by_gateway(server.local_addr().unwrap())).unwrap();
    let (far, _) = server.accept().unwrap();
    near.set_read_timeout(Some(LONG)).unwrap();
    far.set_read_timeout(Some(LONG)).unwrap();
    (near, far)
}

#[test]
fn megabytes_go_both_ways_at_once_and_arrive_as_they_were() {
    const LENGTH: usize = 24 << 20;
    let inside = inside(loopback());
    for address in loopbacks() {
        let server = std::net::TcpListener::bind(address).unwrap();
        let to = by_gateway(server.local_addr().unwrap());
        let exchange = |mut reader: Box<dyn Read + Send>, mut writer: Box<dyn Write + Send>, seed| {
            let writing = thread::spawn(move || {
                let bytes = pattern(LENGTH, seed);
                writer.write_all(&bytes).unwrap();
                (Sha256::digest(&bytes), writer)
            });
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 100_000];
            let mut left = LENGTH;
            while left > 0 {
                let length = reader.read(&mut buffer).unwrap();
                assert!(length > 0, "{left} bytes are missing");
                hash.update(&buffer[..length]);
                left -= length;
            }
            let (sent, _writer) = writing.join().unwrap();
            (sent, hash.finalize())
        };
        let serving = thread::spawn(move || {
            let (far, _) = server.accept().unwrap();
            exchange(Box::new(far.try_clone().unwrap()), Box::new(far), 1)
        });
        let near = TcpStream::connect(&inside.client, to).unwrap();
        let (sent, heard) = exchange(Box::new(near.try_clone().unwrap()), Box::new(near), 2);
        let (answered, asked) = serving.join().unwrap();
        assert!(sent == asked && answered == heard);
    }
}

#[test]
fn a_bad_cable_inside_costs_time_and_no_byte() {
    let inside = inside(loopback());
    let bad = Conditions {
        loss: "3%".parse().unwrap(),
        delay: Duration::from_millis(2),
        duplicate: "2%".parse().unwrap(),
        ..Conditions::default()
    };
    assert!(inside.lan.set_conditions("client", bad));
    let (mut near, mut far) = pair(&inside);
    let bytes = pattern(2 << 20, 9);
    thread::scope(|scope| {
        scope.spawn(|| {
            near.write_all(&bytes).unwrap();
            near.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            near.read_to_end(&mut back).unwrap();
            assert!(back == bytes);
        });
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).unwrap();
        assert!(heard == bytes);
        far.write_all(&heard).unwrap();
        far.shutdown(Shutdown::Write).unwrap();
    });
}

#[test]
fn the_way_in_and_the_way_out_share_a_host() {
    let inside = inside(loopback());
    let ours = sockeye::TcpListener::bind(&inside.client, "10.0.0.2:7").unwrap();
    let publish = Publish { listen: "127.0.0.1:0".parse().unwrap(), host: "client".into(), port: 7 };
    let published = inside.lan.publish(publish).unwrap();
    // From the real machine into the LAN and out of it again.
    let mut near = TcpStream::connect(&inside.client, by_gateway(published.local_addr())).unwrap();
    let (mut far, peer) = ours.accept().unwrap();
    assert_eq!(peer.ip().to_string(), "10.0.0.1");
    near.write_all(b"round").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    far.write_all(b"trip").unwrap();
    drop(far);
    near.read_to_string(&mut text).unwrap();
    assert_eq!(text, "roundtrip");
}

#[test]
fn short_connections_one_after_the_other_leave_nothing() {
    let inside = inside(loopback());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = by_gateway(server.local_addr().unwrap());
    let serving = thread::spawn(move || {
        for stream in server.incoming().take(1000) {
            let mut stream = stream.unwrap();
            let mut text = [0; 4];
            stream.read_exact(&mut text).unwrap();
            stream.write_all(&text).unwrap();
        }
    });
    for number in 0..1000u32 {
        let mut near = TcpStream::connect(&inside.client, to).unwrap();
        near.set_read_timeout(Some(LONG)).unwrap();
        near.write_all(&number.to_be_bytes()).unwrap();
        let mut echo = [0; 4];
        near.read_exact(&mut echo).unwrap();
        assert_eq!(u32::from_be_bytes(echo), number);
    }
    serving.join().unwrap();
    // What the gateway itself holds: the gate, and the two sockets that catch all.
    eventually("sockets are left", || inside.router.snapshot().sockets.len() == 3);
    inside.gateway.close();
    eventually("something but TIME-WAIT is left", || {
        let snapshot = inside.router.snapshot();
        snapshot.sockets.is_empty() && snapshot.half_open == 0 && snapshot.deadlines == snapshot.time_wait
    });
}

#[test]
fn either_side_may_close_its_half_first() {
    let inside = inside(loopback());
    let (mut near, mut far) = pair(&inside);
    near.write_all(b"question").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question");
    far.write_all(b"answer").unwrap();
    drop(far);
    text.clear();
    near.read_to_string(&mut text).unwrap();
    assert_eq!(text, "answer");

    let (mut near, mut far) = pair(&inside);
    far.write_all(b"welcome").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    text.clear();
    near.read_to_string(&mut text).unwrap();
    assert_eq!(text, "welcome");
    near.write_all(b"thanks").unwrap();
    drop(near);
    text.clear();
    far.read_to_string(&mut text).unwrap();
    assert_eq!(text, "thanks");
}

#[test]
fn resets_are_carried_both_ways() {
    let inside = inside(loopback());
    let (near, mut far) = pair(&inside);
    near.set_linger(Some(Duration::ZERO)).unwrap();
    drop(near);
    assert_eq!(far.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let (mut near, far) = pair(&inside);
    linger_zero(&far);
    drop(far);
    assert_eq!(near.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_closed_port_refuses_at_once() {
    let inside = inside(loopback());
    for address in loopbacks() {
        let closed = std::net::TcpListener::bind(address).unwrap().local_addr().unwrap();
        let start = Instant::now();
        let error = TcpStream::connect(&inside.client, by_gateway(closed)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(start.elapsed() < Duration::from_millis(900), "the SYN was not sent twice");
    }
}

/// A listener that takes no connection any more: the system drops SYNs for it.
fn deaf() -> (rustix::fd::OwnedFd, Vec<std::net::TcpStream>, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let address: SocketAddr = getsockname(&listener).unwrap().try_into().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
        assert!(waiting.len() < 100);
    }
    (listener, waiting, address)
}

#[test]
fn who_does_not_answer_cannot_be_reached() {
    let policy = GatewayPolicy { connect_timeout: Duration::from_millis(300), ..loopback() };
    let inside = inside(policy);
    let (_listener, _waiting, address) = deaf();
    let start = Instant::now();
    let error = TcpStream::connect(&inside.client, by_gateway(address)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
    assert!(start.elapsed() >= Duration::from_millis(300) && start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_client_that_gives_up_leaves_nothing() {
    let inside = inside(loopback());
    let (_listener, _waiting, address) = deaf();
    let impatient =
        TcpStream::connect_timeout(&inside.client, &by_gateway(address), Duration::from_millis(100));
    assert_eq!(impatient.unwrap_err().kind(), ErrorKind::TimedOut);
    // The SYN is still held: nobody has told the gateway. It goes with the gateway itself.
    assert_eq!(inside.router.snapshot().half_open, 1);
    inside.gateway.close();
    eventually("the router keeps something", || inside.router.snapshot().is_idle());
}

#[test]
fn a_gateway_that_closes_turns_away_who_waits_for_it() {
    let inside = inside(loopback());
    let (_listener, _waiting, address) = deaf();
    let outcome = thread::scope(|scope| {
        let waiting = scope.spawn(|| TcpStream::connect(&inside.client, by_gateway(address)));
        eventually("no SYN is held", || inside.router.snapshot().half_open == 1);
        thread::sleep(Duration::from_millis(50));
        inside.gateway.close();
        waiting.join().unwrap()
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[test]
fn two_hundred_connections_at_once() {
    const CONNECTIONS: u32 = 200;
    let inside = inside(loopback());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = by_gateway(server.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| server.accept().unwrap().0).collect();
        for stream in &mut streams {
            let mut text = [0; 4];
            stream.read_exact(&mut text).unwrap();
            stream.write_all(&text).unwrap();
        }
    });
    thread::scope(|scope| {
        for part in 0..8u32 {
            let client = &inside.client;
            scope.spawn(move || {
                let mut streams: Vec<_> =
                    (0..CONNECTIONS / 8).map(|_| TcpStream::connect(client, to).unwrap()).collect();
                for (number, stream) in (part * 1000..).zip(&mut streams) {
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    stream.write_all(&number.to_be_bytes()).unwrap();
                }
                for (number, stream) in (part * 1000..).zip(&mut streams) {
                    let mut echo = [0; 4];
                    stream.read_exact(&mut echo).unwrap();
                    assert_eq!(u32::from_be_bytes(echo), number);
                    assert_eq!(stream.read(&mut echo).unwrap(), 0);
                }
            });
        }
    });
    serving.join().unwrap();
}

#[test]
fn beyond_its_bound_connections_wait_until_others_have_gone() {
    let inside = inside(GatewayPolicy { connections: 2, ..loopback() });
    let first = pair(&inside);
    let _second = pair(&inside);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = by_gateway(server.local_addr().unwrap());
    let third = TcpStream::connect_timeout(&inside.client, &to, Duration::from_millis(300));
    assert_eq!(third.unwrap_err().kind(), ErrorKind::TimedOut);
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| TcpStream::connect(&inside.client, to));
        thread::sleep(Duration::from_millis(100));
        drop(first);
        waiting.join().unwrap()
    });
    assert!(waiting.is_ok(), "{waiting:?}");
}

#[test]
fn a_gateway_that_closes_resets_what_it_carried() {
    let inside = inside(loopback());
    let (mut near, mut far) = pair(&inside);
    near.write_all(b"begun").unwrap();
    let mut text = [0; 5];
    far.read_exact(&mut text).unwrap();
    let port = far.local_addr().unwrap().port();
    inside.gateway.close();
    assert_eq!(near.read(&mut text).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(far.read(&mut text).unwrap_err().kind(), ErrorKind::ConnectionReset);
    eventually("the router keeps something", || inside.router.snapshot().is_idle());
    // The way is closed: what is sent to the gateway is for the gateway again.
    let after = TcpStream::connect(&inside.client, ("10.0.0.1", port));
    assert_eq!(after.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // And can be opened again.
    let _again = sockeye::Gateway::open(&inside.router, loopback()).unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(&inside.client, by_gateway(server.local_addr().unwrap())).unwrap();
}
