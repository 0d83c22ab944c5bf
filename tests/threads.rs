//! Dropping everything leaves no thread and no descriptor behind. Alone in its binary: other tests have threads too.
#![cfg(target_os = "linux")]

use sockeye::{Conditions, Host, Lan, Publish, TcpListener, TcpStream, UdpSocket};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn threads() -> usize {
    count("/proc/self/task")
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}: {} threads", threads());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_is_left_behind() {
    // What the first use of anything keeps for ever, such as the test harness, is not counted.
    let (threads_before, descriptors_before) = (threads(), descriptors());
    for round in 0..5 {
        let delay = Duration::from_millis(round % 2);
        let lan = Lan::builder()
            .seed(round)
            .conditions(Conditions { delay, ..Conditions::default() })
            .build()
            .unwrap();
        lan.observe(|_| {}).unwrap();
        let gateway = lan.host("gateway").address("10.0.0.1/24".parse().unwrap()).build().unwrap();
        let server = lan
            .host("server")
            .address("10.0.0.2/24".parse().unwrap())
            .gateway("10.0.0.1".parse().unwrap())
            .build()
            .unwrap();
        server.trace(|_| {}).unwrap();
        let listener = TcpListener::bind(&server, "10.0.0.2:80").unwrap();
        let published = lan
            .publish(Publish { listen: "127.0.0.1:0".parse().unwrap(), host: "server".into(), port: 80 })
            .unwrap();
        let mut real = std::net::TcpStream::connect(published.local_addr()).unwrap();
        let (mut carried, _) = listener.accept().unwrap();
        let mut near = TcpStream::connect(&gateway, "10.0.0.2:80").unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(b"hello").unwrap();
        far.read_exact(&mut [0; 5]).unwrap();
        real.write_all(b"hello").unwrap();
        carried.read_exact(&mut [0; 5]).unwrap();
        let datagrams = UdpSocket::bind(&server, "10.0.0.2:9").unwrap();
        datagrams.send_to(b"x", "10.0.0.1:9").unwrap();
        assert!(threads() >= threads_before + 3);
    }
    eventually("after everything is dropped", || threads() == threads_before);
    eventually("descriptors", || descriptors() == descriptors_before);

    // A connection in the middle of a conversation with a host that is gone does not hold the thread up for long.
    let lan = Lan::builder().seed(1).build().unwrap();
    let host = |name: &str, address: &str| -> Host {
        lan.host(name).address(address.parse().unwrap()).linger(Duration::from_millis(300)).build().unwrap()
    };
    let (server, client) = (host("server", "10.0.0.2/24"), host("client", "10.0.0.3/24"));
    let listener = TcpListener::bind(&server, "10.0.0.2:80").unwrap();
    let mut near = TcpStream::connect(&client, "10.0.0.2:80").unwrap();
    let far = listener.accept().unwrap();
    lan.cut("client", sockeye::sockeye_core::lan::Direction::Up, Duration::from_secs(3600));
    near.write_all(b"nobody hears this").unwrap();
    drop((near, client));
    std::thread::sleep(Duration::from_millis(100));
    assert!(threads() >= threads_before + 2, "the data was given up too early");
    drop((far, listener, server, lan));
    eventually("after the time to linger", || threads() == threads_before);

    // A shutdown waits until what was written has arrived.
    let lan = Lan::builder()
        .seed(2)
        .conditions(Conditions { delay: Duration::from_millis(30), ..Conditions::default() })
        .build()
        .unwrap();
    let server = lan.host("server").address("10.0.0.2/24".parse().unwrap()).build().unwrap();
    let client = lan.host("client").address("10.0.0.3/24".parse().unwrap()).build().unwrap();
    let listener = TcpListener::bind(&server, "10.0.0.2:80").unwrap();
    let mut near = TcpStream::connect(&client, "10.0.0.2:80").unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.write_all(&[7; 50_000]).unwrap();
    drop(near);
    client.shutdown(Duration::from_secs(20));
    let mut received = Vec::new();
    far.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 50_000);
    // Whoever still uses the host is told.
    let Err(error) = TcpStream::connect(&client, "10.0.0.2:80") else { panic!("the host is down") };
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NETDOWN.raw_os_error()));
    drop((far, listener, server, client, lan));
    eventually("after the shutdown", || threads() == threads_before);
}
