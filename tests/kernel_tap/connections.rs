//! Many connections.

use crate::ends::{Connection, Family, LONG, Listener, Side, World};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

fn echo(mut stream: Box<dyn Connection>) {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            length => stream.write_all(&buffer[..length]).unwrap(),
        }
    }
}

fn talk(mut stream: Box<dyn Connection>, number: u32) {
    stream.write_all(&number.to_be_bytes()).unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(u32::from_be_bytes(echo), number);
    stream.end_writing();
    assert_eq!(stream.read(&mut echo).unwrap(), 0);
}

/// Two thousand connections, half of them each way and of each family.
pub(crate) fn sequential(world: &World) {
    for server in Side::BOTH {
        for family in Family::BOTH {
            let listener = world.listen(server, family);
            let address = listener.address();
            let start = Instant::now();
            thread::scope(|scope| {
                scope.spawn(|| (0..2000).for_each(|_| echo(listener.accept())));
                for number in 0..2000 {
                    talk(world.connect(server.other(), address).unwrap(), number);
                }
            });
            println!("{family:?}, server {server:?}: 2000 connections in {:.2?}", start.elapsed());
        }
    }
    nothing_is_left(world);
}

/// Five hundred connections that are all open at the same moment.
pub(crate) fn simultaneous(world: &World) {
    const CONNECTIONS: usize = 500;
    for server in Side::BOTH {
        for family in Family::BOTH {
            let listener = Arc::new(world.listen(server, family));
            let address = listener.address();
            let all_are_open = Barrier::new(CONNECTIONS);
            let start = Instant::now();
            thread::scope(|scope| {
                let small = || thread::Builder::new().stack_size(128 << 10);
                let serving = Arc::clone(&listener);
                scope.spawn(move || serve(&serving, CONNECTIONS));
                for number in 0..CONNECTIONS {
                    let all_are_open = &all_are_open;
                    let client = move || {
                        let stream = world.connect(server.other(), address).unwrap();
                        all_are_open.wait();
                        talk(stream, number as u32);
                    };
                    small().spawn_scoped(scope, client).unwrap();
                }
            });
            println!("{family:?}, server {server:?}: {CONNECTIONS} at once in {:.2?}", start.elapsed());
        }
    }
    nothing_is_left(world);
}

fn serve(listener: &Listener, connections: usize) {
    for _ in 0..connections {
        let stream = listener.accept();
        thread::Builder::new().stack_size(128 << 10).spawn(move || echo(stream)).unwrap();
    }
}

/// No socket and no half-open connection; TIME-WAIT is not a socket.
fn nothing_is_left(world: &World) {
    let start = Instant::now();
    loop {
        let snapshot = world.host.snapshot();
        if snapshot.sockets.is_empty() && snapshot.half_open == 0 {
            return;
        }
        assert!(start.elapsed() < LONG, "{:?}", snapshot.sockets);
        thread::sleep(Duration::from_millis(20));
    }
}
