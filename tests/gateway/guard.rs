//! What a gateway does not let through: by policy, and to the real machine itself.

use crate::ends::{LONG, by_gateway, inside, loopback};
use sockeye::{Gateway, GatewayPolicy, HostLoopback, Lan, PingSocket, TcpStream, UdpSocket};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

fn denying(rules: &[&str]) -> GatewayPolicy {
    GatewayPolicy { deny: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..loopback() }
}

fn allowing(rules: &[&str]) -> GatewayPolicy {
    GatewayPolicy { allow: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..loopback() }
}

/// How long a connect took to fail, and how.
fn failure(inside: &crate::ends::Inside, to: &str) -> (ErrorKind, Duration) {
    let start = Instant::now();
    let to: SocketAddr = to.parse().unwrap();
    let error = TcpStream::connect_timeout(&inside.client, &to, LONG).unwrap_err();
    (error.kind(), start.elapsed())
}

#[test]
fn what_is_denied_is_told_so_at_once() {
    let inside = inside(denying(&["203.0.113.0/24", "2001:db8::/32"]));
    for (to, kind) in
        [("203.0.113.7:80", ErrorKind::HostUnreachable), ("[2001:db8::7]:80", ErrorKind::PermissionDenied)]
    {
        let (error, time) = failure(&inside, to);
        assert_eq!(error, kind);
        assert!(time < Duration::from_millis(900), "{time:?}");
        let to: SocketAddr = to.parse().unwrap();
        let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let near = UdpSocket::bind(&inside.client, own).unwrap();
        near.connect(to).unwrap();
        near.set_read_timeout(Some(LONG)).unwrap();
        near.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 9]).unwrap_err().kind(), kind);
        let ping = PingSocket::new(&inside.client, to.ip()).unwrap();
        ping.set_read_timeout(Some(LONG)).unwrap();
        ping.send(1, b"x").unwrap();
        assert_eq!(ping.receive(&mut [0; 9]).unwrap_err().kind(), kind);
    }
}

#[test]
fn deny_counts_more_than_allow_and_what_is_not_allowed_is_denied() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let real = server.local_addr().unwrap();
    let rule = format!("10.0.0.1/32:{}", real.port());
    let connect = |policy: GatewayPolicy| {
        let inside = inside(policy);
        TcpStream::connect(&inside.client, by_gateway(real)).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(connect(allowing(&[&rule])), Ok(()));
    assert_eq!(connect(allowing(&["10.0.0.1/32:1"])), Err(ErrorKind::HostUnreachable));
    assert_eq!(connect(denying(&[&rule])), Err(ErrorKind::HostUnreachable));
    let both = GatewayPolicy { deny: vec![rule.parse().unwrap()], ..allowing(&["0.0.0.0/0"]) };
    assert_eq!(connect(both), Err(ErrorKind::HostUnreachable));
    assert_eq!(connect(denying(&["10.0.0.1/32:1"])), Ok(()));
}

#[test]
fn the_real_loopback_is_not_reached_unless_it_is_asked_for() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let inside = inside(GatewayPolicy::default());
    let (error, _) = failure(&inside, &format!("10.0.0.1:{port}"));
    assert_eq!(error, ErrorKind::ConnectionRefused, "it is the gateway host itself that answers");
    let near = UdpSocket::bind(&inside.client, "0.0.0.0:0").unwrap();
    near.connect(("10.0.0.1", port)).unwrap();
    near.set_read_timeout(Some(LONG)).unwrap();
    near.send(b"x").unwrap();
    assert_eq!(near.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn no_other_name_leads_to_the_real_loopback() {
    let server = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    for host_loopback in [HostLoopback::Off, HostLoopback::On] {
        let inside = inside(GatewayPolicy { host_loopback, ..GatewayPolicy::default() });
        // A host may send what it likes: this one has routes to everything.
        for name in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.0.0.1", "::1", "::", "::ffff:127.0.0.1"] {
            let to = SocketAddr::new(name.parse().unwrap(), port);
            let outcome = TcpStream::connect_timeout(&inside.client, &to, Duration::from_millis(50));
            assert!(outcome.is_err(), "{name}");
        }
        for name in ["169.254.169.254", "::127.0.0.1"] {
            let to = SocketAddr::new(name.parse().unwrap(), port);
            let error = TcpStream::connect_timeout(&inside.client, &to, LONG).unwrap_err();
            let denied = [ErrorKind::HostUnreachable, ErrorKind::PermissionDenied];
            assert!(denied.contains(&error.kind()), "{name}: {error}");
        }
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// An address of the real machine that is none of its loopback.
fn own_address() -> Option<IpAddr> {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // TEST-NET-3: nothing is sent, only the way is looked up.
    probe.connect("203.0.113.1:9").ok()?;
    Some(probe.local_addr().ok()?.ip()).filter(|own| !own.is_loopback() && !own.is_unspecified())
}

#[test]
fn the_real_machines_other_addresses_are_its_own_too() {
    let Some(own) = own_address() else {
        let _ = writeln!(std::io::stderr(), "skipped: this machine has no address but its loopback's");
        return;
    };
    let server = std::net::TcpListener::bind((own, 0)).unwrap();
    let to = server.local_addr().unwrap();
    let closed = inside(GatewayPolicy::default());
    let (error, _) = failure(&closed, &to.to_string());
    assert_eq!(error, ErrorKind::HostUnreachable);
    let open = inside(loopback());
    let mut near = TcpStream::connect(&open.client, to).unwrap();
    let (mut far, _) = server.accept().unwrap();
    far.write_all(b"hello").unwrap();
    let mut text = [0; 5];
    near.read_exact(&mut text).unwrap();
    assert_eq!(near.peer_addr().unwrap(), to);
}

#[test]
fn ports_of_the_gateway_host_itself_are_its_own() {
    let inside = inside(loopback());
    let real = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    real.set_nonblocking(true).unwrap();
    let port = real.local_addr().unwrap().port();
    let own = sockeye::TcpListener::bind(&inside.router, ("10.0.0.1", port)).unwrap();
    let near = TcpStream::connect(&inside.client, ("10.0.0.1", port)).unwrap();
    let (_, peer) = own.accept().unwrap();
    assert_eq!(peer, near.local_addr().unwrap());
    assert_eq!(real.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_host_without_any_address_and_a_second_gateway_are_refused_with_what_to_do() {
    let lan = Lan::builder().seed(1).build().unwrap();
    let plain = lan.host("plain").address("10.0.0.1/24".parse().unwrap()).build().unwrap();
    let error = Gateway::open(&plain, GatewayPolicy::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert_eq!(
        error.to_string(),
        "host 'plain' takes packets for its own addresses only: build it with any_address()"
    );
    let inside = inside(GatewayPolicy::default());
    let error = Gateway::open(&inside.router, GatewayPolicy::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("has a gateway to the world already"), "{error}");
    let default = GatewayPolicy::default();
    for (policy, said) in [
        (GatewayPolicy { connections: 0, ..default.clone() }, "room for one connection"),
        (GatewayPolicy { flows: 0, ..default.clone() }, "one flow at least"),
        (GatewayPolicy { flow_timeout: Duration::ZERO, ..default.clone() }, "cannot be zero"),
        (GatewayPolicy { connect_timeout: Duration::from_secs(76), ..default }, "75s at most"),
    ] {
        let error = Gateway::open(&inside.router, policy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn the_gateway_ends_with_its_host() {
    let inside = inside(loopback());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let _near = TcpStream::connect(&inside.client, by_gateway(server.local_addr().unwrap())).unwrap();
    let (mut far, _) = server.accept().unwrap();
    far.set_read_timeout(Some(LONG)).unwrap();
    inside.router.shutdown(Duration::from_millis(10));
    let ended = far.read(&mut [0; 9]);
    assert!(matches!(&ended, Err(error) if error.kind() == ErrorKind::ConnectionReset), "{ended:?}");
}
