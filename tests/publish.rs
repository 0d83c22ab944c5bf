//! Ports of the real machine that lead into a LAN.

use sockeye::{Lan, Publish, Published, TcpListener, UdpSocket};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn lan() -> (Lan, sockeye::Host, sockeye::Host) {
    let lan = Lan::builder().seed(7).build().unwrap();
    let gateway = lan.host("gateway").address("10.0.0.1/24".parse().unwrap()).build().unwrap();
    let server = lan
        .host("server")
        .address("10.0.0.2/24".parse().unwrap())
        .gateway("10.0.0.1".parse().unwrap())
        .build()
        .unwrap();
    (lan, gateway, server)
}

fn publish(lan: &Lan, port: u16) -> Published {
    lan.publish(Publish { listen: "127.0.0.1:0".parse().unwrap(), host: "server".into(), port }).unwrap()
}

fn linger_zero(stream: &std::net::TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_thousand_connections_at_once() {
    const CONNECTIONS: usize = 1000;
    let needed = 3 * CONNECTIONS as u64 + 200;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let raised = rustix::process::Rlimit { current: Some(needed), maximum: limit.maximum };
        if rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).is_err() {
            eprintln!("skipped: {needed} descriptors are needed, the limit is {limit:?}");
            return;
        }
    }
    let (lan, _gateway, server) = lan();
    let listener = TcpListener::bind(&server, "10.0.0.2:7").unwrap();
    let published = publish(&lan, 7);
    let serving = thread::spawn(move || {
        let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| listener.accept().unwrap().0).collect();
        for stream in &mut streams {
            let mut text = [0; 4];
            stream.read_exact(&mut text).unwrap();
            stream.write_all(&text).unwrap();
        }
    });
    let mut clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let stream = std::net::TcpStream::connect(published.local_addr()).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream
        })
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&(number as u32).to_be_bytes()).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut echo = [0; 4];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(u32::from_be_bytes(echo), number as u32);
        assert_eq!(client.read(&mut echo).unwrap(), 0);
    }
    serving.join().unwrap();
}

#[test]
fn either_side_may_close_first() {
    let (lan, _gateway, server) = lan();
    let listener = TcpListener::bind(&server, "10.0.0.2:7").unwrap();
    let published = publish(&lan, 7);
    // The real client first.
    let mut real = std::net::TcpStream::connect(published.local_addr()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    real.write_all(b"question").unwrap();
    real.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question");
    ours.write_all(b"answer").unwrap();
    drop(ours);
    text.clear();
    real.read_to_string(&mut text).unwrap();
    assert_eq!(text, "answer");
    // Our server first.
    let mut real = std::net::TcpStream::connect(published.local_addr()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    ours.write_all(b"welcome").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    text.clear();
    real.read_to_string(&mut text).unwrap();
    assert_eq!(text, "welcome");
    real.write_all(b"thanks").unwrap();
    drop(real);
    text.clear();
    ours.read_to_string(&mut text).unwrap();
    assert_eq!(text, "thanks");
}

#[test]
fn resets_are_carried_both_ways() {
    let (lan, _gateway, server) = lan();
    let listener = TcpListener::bind(&server, "10.0.0.2:7").unwrap();
    let published = publish(&lan, 7);
    let real = std::net::TcpStream::connect(published.local_addr()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    linger_zero(&real);
    drop(real);
    assert_eq!(ours.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let mut real = std::net::TcpStream::connect(published.local_addr()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_linger(Some(Duration::ZERO)).unwrap();
    drop(ours);
    real.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(real.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_closed_port_behind_resets_the_client() {
    let (lan, _gateway, _server) = lan();
    let published = publish(&lan, 81);
    // The reset may be quick enough for the connect already.
    let outcome = std::net::TcpStream::connect(published.local_addr()).and_then(|mut real| {
        real.set_read_timeout(Some(LONG))?;
        real.read(&mut [0; 10])
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_slow_reader_stops_the_writer_and_loses_nothing() {
    let (lan, _gateway, server) = lan();
    let listener = TcpListener::bind(&server, "10.0.0.2:7").unwrap();
    let published = publish(&lan, 7);
    let mut real = std::net::TcpStream::connect(published.local_addr()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    real.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let block: Vec<u8> = (0..1 << 16).map(|n| (n % 251) as u8).collect();
    let mut sent = 0;
    while let Ok(length) = real.write(&block[sent % block.len()..]) {
        sent += length;
        assert!(sent < 256 << 20, "nobody reads, and yet {sent} bytes have gone");
    }
    drop(real);
    let mut received = 0;
    let mut buffer = vec![0; 100_000];
    loop {
        let length = ours.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        for (offset, byte) in buffer[..length].iter().enumerate() {
            assert_eq!(*byte, ((received + offset) % block.len() % 251) as u8);
        }
        received += length;
    }
    assert_eq!(received, sent);
}

#[test]
fn datagrams_are_carried_too() {
    let (lan, _gateway, server) = lan();
    let socket = UdpSocket::bind(&server, "10.0.0.2:7").unwrap();
    let published = publish(&lan, 7);
    let serving = thread::spawn(move || {
        let mut buffer = [0; 2000];
        let mut sources = Vec::new();
        for _ in 0..20 {
            let (length, source) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(&buffer[..length], source).unwrap();
            sources.push(source);
        }
        sources
    });
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(published.local_addr()).unwrap();
            client.set_read_timeout(Some(LONG)).unwrap();
            client
        })
        .collect();
    for round in 0..10u8 {
        for (number, client) in (0u8..).zip(&clients) {
            let sent = vec![number; 1 + usize::from(round) * 100];
            client.send(&sent).unwrap();
            let mut buffer = [0; 2000];
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], sent[..]);
        }
    }
    let mut sources = serving.join().unwrap();
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 2, "each client has a port of its own on the gateway");
    assert!(sources.iter().all(|source| source.ip().to_string() == "10.0.0.1"));
}

#[test]
fn a_port_in_use_is_named_with_its_holder() {
    let (lan, _gateway, _server) = lan();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = holder.local_addr().unwrap();
    let error = lan.publish(Publish { listen, host: "server".into(), port: 7 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(text.contains(&format!("TCP port {} of 127.0.0.1 is in use by", listen.port())), "{text}");
    if cfg!(target_os = "linux") {
        assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
    }
    let nobody = lan
        .publish(Publish { listen: "127.0.0.1:0".parse().unwrap(), host: "nobody".into(), port: 7 })
        .unwrap_err();
    assert_eq!(nobody.to_string(), "the LAN has no host 'nobody'");
}

#[test]
fn it_ends_with_the_lan_or_when_it_is_closed() {
    fn refuses(address: SocketAddr) -> bool {
        matches!(std::net::TcpStream::connect(address), Err(error) if error.kind() == ErrorKind::ConnectionRefused)
    }
    fn eventually_refuses(address: SocketAddr) {
        let start = Instant::now();
        while !refuses(address) {
            assert!(start.elapsed() < LONG);
            thread::sleep(Duration::from_millis(2));
        }
    }
    let (lan, _gateway, server) = lan();
    let _listener = TcpListener::bind(&server, "10.0.0.2:7").unwrap();
    let closed = publish(&lan, 7);
    assert!(!refuses(closed.local_addr()));
    closed.close();
    eventually_refuses(closed.local_addr());
    let dropped = publish(&lan, 7).local_addr();
    assert!(!refuses(dropped));
    drop(lan);
    eventually_refuses(dropped);
}
