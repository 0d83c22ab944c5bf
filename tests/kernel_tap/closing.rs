//! How connections end, and how they wait.

use crate::ends::{Connection, Family, Side, World, setting};
use crate::namespace::INTERFACE;
use std::io::ErrorKind;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn refused(world: &World) {
    for family in Family::BOTH {
        for server in Side::BOTH {
            let address = world.listen(server, family).address();
            let Err(error) = world.connect(server.other(), address) else {
                panic!("nobody listens at {address} any more")
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{family:?} {server:?}: {error}");
        }
    }
}

pub(crate) fn killed(world: &World) {
    for family in Family::BOTH {
        for server in Side::BOTH {
            for is_server_killed in [false, true] {
                let (from_server, from_client) = world.pair(server, family);
                let (killed, mut other) =
                    if is_server_killed { (from_server, from_client) } else { (from_client, from_server) };
                killed.reset_on_drop();
                drop(killed);
                let error = other.read(&mut [0; 10]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{family:?} {server:?}: {error}");
            }
        }
    }
}

pub(crate) fn half_close(world: &World) {
    for family in Family::BOTH {
        for server in Side::BOTH {
            for is_server_first in [false, true] {
                let (from_server, from_client) = world.pair(server, family);
                let (mut first, mut second) =
                    if is_server_first { (from_server, from_client) } else { (from_client, from_server) };
                first.write_all(b"question").unwrap();
                first.end_writing();
                let mut text = String::new();
                second.read_to_string(&mut text).unwrap();
                assert_eq!(text, "question");
                let answer = vec![b'a'; 300_000];
                second.write_all(&answer).unwrap();
                drop(second);
                let mut received = Vec::new();
                first.read_to_end(&mut received).unwrap();
                assert!(received == answer, "{family:?} {server:?}: {} bytes", received.len());
            }
        }
    }
}

/// Nobody reads for half a minute; then everything arrives.
pub(crate) fn zero_window(world: &World) {
    const SIZE: usize = 32 << 20;
    let pause = Duration::from_secs(setting("SOCKEYE_ZERO_WINDOW_SECS", 30));
    thread::scope(|scope| {
        for family in Family::BOTH {
            for sender in Side::BOTH {
                scope.spawn(move || {
                    let (mut source, mut sink) = world.pair(sender, family);
                    let mut writer = source.another();
                    let start = Instant::now();
                    let writing = thread::spawn(move || {
                        let block: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
                        writer.write_all(&block).unwrap();
                        writer.end_writing();
                    });
                    thread::sleep(pause);
                    assert!(!writing.is_finished(), "{SIZE} bytes fitted into the buffers");
                    let mut received = Vec::with_capacity(SIZE);
                    read_all(&mut *sink, &mut received);
                    assert!(start.elapsed() >= pause);
                    assert_eq!(received.len(), SIZE, "{family:?}, {sender:?} sends");
                    assert!(received.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
                    writing.join().unwrap();
                    drop(sink);
                    assert_eq!(source.read(&mut [0; 1]).unwrap(), 0);
                });
            }
        }
    });
}

/// The interface goes down in the middle of a transfer and comes back: nothing is lost, and nobody spins meanwhile.
pub(crate) fn interface_down(world: &World) {
    const SIZE: usize = 8 << 20;
    let set = |state: &str| {
        let status = Command::new("ip").args(["link", "set", INTERFACE, state]).status().unwrap();
        assert!(status.success());
    };
    let (mut source, mut sink) = world.pair(Side::Ours, Family::V4);
    let mut first = [0; 1000];
    let writing = thread::spawn(move || {
        source.write_all(&vec![7; SIZE]).unwrap();
        source.end_writing();
        source
    });
    sink.read_exact(&mut first).unwrap();
    set("down");
    thread::sleep(Duration::from_millis(500));
    set("up");
    let mut rest = Vec::new();
    read_all(&mut *sink, &mut rest);
    assert_eq!(rest.len(), SIZE - first.len());
    assert!(rest.iter().all(|byte| *byte == 7));
    drop(writing.join().unwrap());
}

fn read_all(stream: &mut dyn Connection, into: &mut Vec<u8>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            length => into.extend_from_slice(&buffer[..length]),
        }
    }
}
