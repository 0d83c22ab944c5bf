//! Addresses that are not the real machine's own: a host of ours beyond a TAP interface stands for the world.

use crate::apart::in_a_namespace;
use crate::ends::{Inside, LONG, eventually, inside, loopback, pattern};
use sockeye::sockeye_device::{Offloads, Tap};
use sockeye::{GatewayPolicy, Host, PingSocket, TcpListener, TcpStream, UdpSocket};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// A host at 10.77.0.2 and fd77::2, which the real machine reaches through its TAP interface.
fn world() -> Host {
    let tap = Tap::open("tap0", Offloads::Off).unwrap();
    Host::builder("world")
        .device(Box::new(tap))
        .address("10.77.0.2/24".parse().unwrap())
        .address("fd77::2/64".parse().unwrap())
        .build()
        .unwrap()
}

const ADDRESSES: [&str; 2] = ["10.77.0.2", "fd77::2"];

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

fn ping(inside: &Inside, to: &str, sequence: u16, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = PingSocket::new(&inside.client, to.parse().unwrap()).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.send(sequence, data).unwrap();
    let mut buffer = vec![0; 10_000];
    let reply = socket.receive(&mut buffer)?;
    assert_eq!((reply.sequence, reply.source), (sequence, to.parse::<IpAddr>().unwrap()));
    buffer.truncate(reply.length);
    Ok(buffer)
}

#[test]
fn connections_and_datagrams_reach_the_world() {
    in_a_namespace("world::connections_and_datagrams_reach_the_world", || {
        let world = world();
        let inside = inside(GatewayPolicy::default());
        for address in ADDRESSES {
            let to = at(address, 80);
            let listener = TcpListener::bind(&world, to).unwrap();
            let mut near = TcpStream::connect(&inside.client, to).unwrap();
            assert_eq!(near.peer_addr().unwrap(), to);
            let (mut far, from) = listener.accept().unwrap();
            let kernel: IpAddr =
                if to.is_ipv4() { [10, 77, 0, 1].into() } else { "fd77::1".parse().unwrap() };
            assert_eq!(from.ip(), kernel, "it comes from the real machine");
            let bytes = pattern(3_000_000, 5);
            let heard = std::thread::scope(|scope| {
                let reading = scope.spawn(|| {
                    let mut heard = Vec::new();
                    far.read_to_end(&mut heard).unwrap();
                    heard
                });
                near.write_all(&bytes).unwrap();
                near.shutdown(Shutdown::Write).unwrap();
                reading.join().unwrap()
            });
            assert!(heard == bytes);
            far.write_all(b"answer").unwrap();
            drop(far);
            let mut text = String::new();
            near.read_to_string(&mut text).unwrap();
            assert_eq!(text, "answer");

            let far = UdpSocket::bind(&world, at(address, 53)).unwrap();
            let near =
                UdpSocket::bind(&inside.client, if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
            near.connect(at(address, 53)).unwrap();
            near.set_read_timeout(Some(LONG)).unwrap();
            near.send(&bytes[..5000]).unwrap();
            let mut buffer = vec![0; 6000];
            let (length, from) = far.recv_from(&mut buffer).unwrap();
            assert!(buffer[..length] == bytes[..5000]);
            far.send_to(b"back", from).unwrap();
            assert_eq!(near.recv(&mut buffer).unwrap(), 4);
            drop(far);
            near.send(b"still there?").unwrap();
            assert_eq!(near.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    });
}

/// How many UDP sockets of the real machine are connected to a port of the world.
fn flows_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    table.lines().filter(|line| line.contains(&format!(" 02004D0A:{port:04X} "))).count()
}

#[test]
fn a_flow_to_dns_is_forgotten_soon_after_its_answer() {
    in_a_namespace("world::a_flow_to_dns_is_forgotten_soon_after_its_answer", || {
        let world = world();
        let inside = inside(GatewayPolicy::default());
        for port in [53, 54] {
            let far = UdpSocket::bind(&world, at("10.77.0.2", port)).unwrap();
            let near = UdpSocket::bind(&inside.client, "0.0.0.0:0").unwrap();
            near.connect(at("10.77.0.2", port)).unwrap();
            near.set_read_timeout(Some(LONG)).unwrap();
            near.send(b"question").unwrap();
            let mut buffer = [0; 20];
            let (_, from) = far.recv_from(&mut buffer).unwrap();
            far.send_to(b"answer", from).unwrap();
            near.recv(&mut buffer).unwrap();
            assert_eq!(flows_to(port), 1);
        }
        eventually("the flow to DNS stays", || flows_to(53) == 0);
        assert_eq!(flows_to(54), 1);
    });
}

#[test]
fn who_is_not_there_is_told_as_what_it_is() {
    in_a_namespace("world::who_is_not_there_is_told_as_what_it_is", || {
        let _world = world();
        let inside = inside(GatewayPolicy::default());
        let fails = |to: &str| {
            let start = Instant::now();
            let error = TcpStream::connect_timeout(&inside.client, &to.parse().unwrap(), LONG).unwrap_err();
            (error.kind(), start.elapsed())
        };
        for closed in ["10.77.0.2:81", "[fd77::2]:81"] {
            assert_eq!(fails(closed).0, ErrorKind::ConnectionRefused, "{closed}");
        }
        // Nobody answers ARP or NDP; no route leads there.
        for (to, kind) in [
            ("10.77.0.99:80", ErrorKind::HostUnreachable),
            ("[fd77::99]:80", ErrorKind::HostUnreachable),
            ("203.0.113.7:80", ErrorKind::NetworkUnreachable),
            ("[2001:db8::7]:80", ErrorKind::NetworkUnreachable),
        ] {
            let (error, time) = fails(to);
            assert_eq!(error, kind, "{to}");
            assert!(time < Duration::from_secs(10), "{to}: {time:?}");
        }
    });
}

#[test]
fn the_machines_own_addresses_are_guarded_and_opened_by_host_loopback() {
    in_a_namespace("world::the_machines_own_addresses_are_guarded_and_opened_by_host_loopback", || {
        let _world = world();
        let listener = std::net::TcpListener::bind("[::]:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for (own, kind) in
            [("10.77.0.1", ErrorKind::HostUnreachable), ("fd77::1", ErrorKind::PermissionDenied)]
        {
            let closed = inside(GatewayPolicy::default());
            let error = TcpStream::connect(&closed.client, at(own, port)).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(ping(&closed, own, 1, b"x").unwrap_err().kind(), kind);
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            let open = inside(loopback());
            TcpStream::connect(&open.client, at(own, port)).unwrap();
            listener.accept().unwrap();
        }
    });
}

#[test]
fn blocks_routed_to_lo_are_guarded_and_binding_to_anything_does_not_fool_the_guard() {
    in_a_namespace(
        "world::blocks_routed_to_lo_are_guarded_and_binding_to_anything_does_not_fool_the_guard",
        || {
            let world = world();
            let status = std::process::Command::new("ip")
                .args(["route", "add", "local", "198.51.100.0/24", "dev", "lo"])
                .status()
                .unwrap();
            assert!(status.success());
            let inside = inside(GatewayPolicy::default());
            let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let kind = |to: SocketAddr| TcpStream::connect(&inside.client, to).unwrap_err().kind();
            assert_eq!(kind(at("198.51.100.9", port)), ErrorKind::HostUnreachable);

            let far = TcpListener::bind(&world, "10.77.0.2:80").unwrap();
            std::fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1").unwrap();
            TcpStream::connect(&inside.client, "10.77.0.2:80").unwrap();
            far.accept().unwrap();
            assert_eq!(kind(at("10.77.0.1", port)), ErrorKind::HostUnreachable);
            assert_eq!(kind(at("198.51.100.9", port)), ErrorKind::HostUnreachable);
        },
    );
}

#[test]
fn echo_requests_are_carried_where_the_system_lets_us() {
    in_a_namespace("world::echo_requests_are_carried_where_the_system_lets_us", || {
        let _world = world();
        let range = "/proc/sys/net/ipv4/ping_group_range";
        std::fs::write(range, "1 0").unwrap();
        let without = inside(GatewayPolicy::default());
        let warnings = without.gateway.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains("net.ipv4.ping_group_range (1 0)"),
            "{warnings:?}"
        );
        assert_eq!(ping(&without, "10.77.0.2", 1, b"x").unwrap_err().kind(), ErrorKind::HostUnreachable);
        assert_eq!(ping(&without, "fd77::2", 1, b"x").unwrap_err().kind(), ErrorKind::PermissionDenied);
        drop(without);

        std::fs::write(range, "0 0").unwrap();
        let with = inside(GatewayPolicy::default());
        assert_eq!(with.gateway.warnings(), [] as [String; 0]);
        for address in ADDRESSES {
            for (sequence, length) in [(1, 0), (2, 56), (65_535, 1400), (3, 8000)] {
                let data = pattern(length, 3);
                assert!(ping(&with, address, sequence, &data).unwrap() == data, "{address} {length}");
            }
        }
        assert_eq!(ping(&with, "203.0.113.7", 1, b"x").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
    });
}
