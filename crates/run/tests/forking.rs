//! A server that forks for each connection, and a thousand of them. (Alone in its binary: it counts what this process has.)

mod harness;

use harness::{Site, held};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 1000;

#[test]
fn a_thousand_connections_at_once_are_answered_by_children() {
    let site = Site::new();
    let before = held();
    let count = CONNECTIONS.to_string();
    let Some(mut running) = site.start("forking.py", &[&count]) else { return };
    assert_eq!(running.line(), "ready");
    let mut streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| sockeye::TcpStream::connect(&site.other, "10.0.0.2:8000").unwrap())
        .collect();
    // Only now does any child have something to do: all of them are there at once.
    for (n, stream) in streams.iter_mut().enumerate() {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(format!("number {n}\n").as_bytes()).unwrap();
    }
    for (n, mut stream) in streams.into_iter().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_else(|error| panic!("connection {n}: {error}"));
        assert_eq!(answer, format!("NUMBER {n}\n"));
    }
    let (status, output) = running.finish();
    assert!(status.success(), "{status}: {output}");
    assert_eq!(held(), before);
    // The last of our own FINs may still be on their way.
    let until = Instant::now() + Duration::from_secs(10);
    while !site.host.snapshot().sockets.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let left: Vec<_> = site.host.snapshot().sockets.iter().map(|socket| socket.state).collect();
    assert!(left.is_empty(), "{left:?}");
}
