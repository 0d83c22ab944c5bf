//! UDP to the real machine.

use crate::ends::{Inside, LONG, by_gateway, eventually, inside, loopback, loopbacks, pattern};
use sockeye::{GatewayPolicy, UdpSocket};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

/// A socket inside that is connected to a real one.
fn client(inside: &Inside, real: SocketAddr) -> UdpSocket {
    let own = if real.is_ipv4() { "10.0.0.2:0" } else { "[fd00:10::2]:0" };
    let near = UdpSocket::bind(&inside.client, own).unwrap();
    near.connect(by_gateway(real)).unwrap();
    near.set_read_timeout(Some(LONG)).unwrap();
    near
}

fn server(address: &str) -> std::net::UdpSocket {
    let server = std::net::UdpSocket::bind(address).unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    server
}

#[test]
fn datagrams_of_all_sizes_go_there_and_back_whole() {
    let inside = inside(loopback());
    for address in loopbacks() {
        let far = server(address);
        let near = client(&inside, far.local_addr().unwrap());
        let mut buffer = vec![0; 70_000];
        for length in [0, 1, 1400, 1473, 9000, 40_000, 65_507] {
            let sent = pattern(length, length as u32);
            near.send(&sent).unwrap();
            let (heard, from) = far.recv_from(&mut buffer).unwrap();
            assert!(buffer[..heard] == sent[..], "{length} bytes there");
            let back = pattern(length, 77);
            far.send_to(&back, from).unwrap();
            let heard = near.recv(&mut buffer).unwrap();
            assert!(buffer[..heard] == back[..], "{length} bytes back");
        }
    }
}

#[test]
fn every_client_has_a_flow_of_its_own() {
    let inside = inside(loopback());
    let far = server("127.0.0.1:0");
    let clients: Vec<_> = (0..5).map(|_| client(&inside, far.local_addr().unwrap())).collect();
    let mut sources = std::collections::HashSet::new();
    for round in 0..3u8 {
        for (number, near) in (0u8..).zip(&clients) {
            near.send(&[number, round]).unwrap();
            let mut buffer = [0; 10];
            let (length, from) = far.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..length], [number, round]);
            sources.insert(from);
            far.send_to(&buffer[..length], from).unwrap();
            assert_eq!(near.recv(&mut buffer).unwrap(), 2);
            assert_eq!(buffer[..2], [number, round]);
        }
    }
    assert_eq!(sources.len(), clients.len());
}

#[test]
fn a_closed_port_refuses() {
    let inside = inside(loopback());
    for address in loopbacks() {
        let closed = std::net::UdpSocket::bind(address).unwrap().local_addr().unwrap();
        let near = client(&inside, closed);
        for _ in 0..2 {
            near.send(b"anybody?").unwrap();
            assert_eq!(near.recv(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        // Somebody is there after all.
        let Ok(far) = std::net::UdpSocket::bind(closed) else { continue };
        far.set_read_timeout(Some(LONG)).unwrap();
        near.send(b"and now?").unwrap();
        assert_eq!(far.recv(&mut [0; 10]).unwrap(), 8);
    }
}

#[test]
fn a_silent_flow_is_forgotten_and_begins_again_from_another_port() {
    let inside = inside(GatewayPolicy { flow_timeout: Duration::from_millis(200), ..loopback() });
    let far = server("127.0.0.1:0");
    let near = client(&inside, far.local_addr().unwrap());
    let mut buffer = [0; 10];
    near.send(b"one").unwrap();
    let (_, first) = far.recv_from(&mut buffer).unwrap();
    // Its real socket is closed: the port can be bound.
    eventually("the flow is never forgotten", || std::net::UdpSocket::bind(first).is_ok());
    near.send(b"two").unwrap();
    let (_, second) = far.recv_from(&mut buffer).unwrap();
    far.send_to(b"back", second).unwrap();
    assert_eq!(near.recv(&mut buffer).unwrap(), 4);
}

#[test]
fn the_flow_that_was_silent_for_longest_makes_room() {
    let inside = inside(GatewayPolicy { flows: 2, ..loopback() });
    let far = server("127.0.0.1:0");
    let clients: Vec<_> = (0..3).map(|_| client(&inside, far.local_addr().unwrap())).collect();
    let mut buffer = [0; 10];
    let mut sources = Vec::new();
    for near in &clients {
        near.send(b"x").unwrap();
        sources.push(far.recv_from(&mut buffer).unwrap().1);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(std::net::UdpSocket::bind(sources[0]).is_ok(), "the first is forgotten");
    for (near, source) in clients.iter().zip(&sources).skip(1) {
        far.send_to(b"back", source).unwrap();
        assert_eq!(near.recv(&mut buffer).unwrap(), 4);
    }
}
