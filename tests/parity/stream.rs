//! Connections.

use crate::place::{Listener, Place, Stream};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes that works, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

/// Bytes that are different everywhere.
fn pattern(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

pub(crate) fn echo_and_addresses<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    assert_ne!(address.port(), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, peer) = listener.accept().unwrap();
            assert_eq!(stream.local_addr().unwrap(), address);
            assert_eq!(stream.peer_addr().unwrap(), peer);
            let mut buffer = [0; 100];
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    length => stream.write_all(&buffer[..length]).unwrap(),
                }
            }
        });
        let mut stream = place.connect(address).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert_ne!(stream.local_addr().unwrap().port(), 0);
        for round in 1..50 {
            let sent = pattern(round, round as u32);
            stream.write_all(&sent).unwrap();
            let mut echo = vec![0; round];
            stream.read_exact(&mut echo).unwrap();
            assert_eq!(sent, echo);
        }
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    });
}

pub(crate) fn half_close_both_ways<P: Place>(place: &P) {
    for is_server_first in [false, true] {
        let (near, far) = place.pair();
        let (mut first, mut second) = if is_server_first { (far, near) } else { (near, far) };
        first.write_all(b"question").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        second.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question");
        // The other direction still works, for as long as anybody likes.
        for _ in 0..10 {
            second.write_all(b"answer").unwrap();
            let mut part = [0; 6];
            first.read_exact(&mut part).unwrap();
            assert_eq!(&part, b"answer");
        }
        drop(second);
        assert_eq!(first.read(&mut [0; 10]).unwrap(), 0);
    }
}

pub(crate) fn read_timeout<P: Place>(place: &P) {
    let (mut near, mut far) = place.pair();
    let patience = Duration::from_millis(200);
    near.set_read_timeout(Some(patience)).unwrap();
    assert_eq!(near.read_timeout().unwrap(), Some(patience));
    for _ in 0..2 {
        let start = Instant::now();
        let error = near.read(&mut [0; 10]).unwrap_err();
        let waited = start.elapsed();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(waited >= patience - Duration::from_millis(20) && waited < LONG, "{waited:?}");
    }
    // The connection has come to no harm, and what arrives in time is read.
    far.write_all(b"late").unwrap();
    let mut text = [0; 4];
    near.set_read_timeout(Some(LONG)).unwrap();
    near.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"late");
    near.set_read_timeout(None).unwrap();
    assert_eq!(near.read_timeout().unwrap(), None);
}

pub(crate) fn write_timeout<P: Place>(place: &P) {
    let (mut near, far) = place.pair();
    near.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let block = vec![7; 1 << 20];
    let mut sent = 0;
    let error = loop {
        match near.write(&block) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        assert!(sent < 1 << 30, "the peer reads nothing, and yet a gigabyte has been taken");
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(sent > 0);
    // Everything that was taken arrives.
    drop(near);
    let mut far = far;
    let mut received = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match far.read(&mut buffer).unwrap() {
            0 => break,
            length => received += length,
        }
    }
    assert_eq!(received, sent);
}

pub(crate) fn nonblocking<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    listener.set_nonblocking(true).unwrap();
    let Err(error) = listener.accept() else { panic!("nobody has connected") };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let mut near = place.connect(listener.local_addr().unwrap()).unwrap();
    let start = Instant::now();
    let (far, _) = loop {
        match listener.accept() {
            Ok(accepted) => break accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock && start.elapsed() < LONG => {
                thread::yield_now()
            }
            Err(error) => panic!("{error}"),
        }
    };
    far.set_nonblocking(true).unwrap();
    let error = far.read_shared(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    // Until the buffers are full, writing takes something; then it would block.
    let block = vec![1; 1 << 20];
    let mut sent = 0;
    loop {
        match far.write_shared(&block) {
            Ok(length) => sent += length,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(sent < 1 << 30);
    }
    assert!(sent > 0);
    let mut byte = [0; 1];
    near.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [1]);
    far.set_nonblocking(false).unwrap();
    near.write_all(b"x").unwrap();
    assert_eq!(far.read_shared(&mut [0; 10]).unwrap(), 1);
}

pub(crate) fn peek_leaves_the_bytes<P: Place>(place: &P) {
    let (mut near, mut far) = place.pair();
    near.write_all(b"twice").unwrap();
    let mut peeked = [0; 5];
    // More may be on its way at the first look.
    while far.peek(&mut peeked).unwrap() < 5 {
        thread::yield_now();
    }
    assert_eq!(&peeked, b"twice");
    let mut read = [0; 5];
    far.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"twice");
    drop(near);
    assert_eq!(far.peek(&mut peeked).unwrap(), 0);
    assert_eq!(far.read(&mut read).unwrap(), 0);
}

pub(crate) fn refused<P: Place>(place: &P) {
    let address = place.listen(0).unwrap().local_addr().unwrap();
    let Err(error) = place.connect(address) else { panic!("nobody listens there any more") };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::CONNREFUSED.raw_os_error()));
}

pub(crate) fn linger_of_zero_resets<P: Place>(place: &P) {
    let (near, mut far) = place.pair();
    near.linger_zero();
    drop(near);
    let error = far.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // An error is told once; then the stream is at its end.
    assert_eq!(far.read(&mut [0; 10]).unwrap(), 0);
}

pub(crate) fn big_transfer_both_ways<P: Place>(place: &P) {
    const SIZE: usize = 8 << 20;
    let (near, far) = place.pair();
    thread::scope(|scope| {
        for (stream, own, other) in [(&near, 1, 2), (&far, 2, 1)] {
            scope.spawn(move || {
                let bytes = pattern(SIZE, own);
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let length = stream.write_shared(&rest[..rest.len().min(100_000)]).unwrap();
                    rest = &rest[length..];
                }
                stream.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let mut received = Vec::with_capacity(SIZE);
                let mut buffer = vec![0; 70_000];
                loop {
                    match stream.read_shared(&mut buffer).unwrap() {
                        0 => break,
                        length => received.extend_from_slice(&buffer[..length]),
                    }
                }
                assert!(received == pattern(SIZE, other), "{} bytes", received.len());
            });
        }
    });
}

pub(crate) fn clones_share_a_connection<P: Place>(place: &P) {
    let (near, mut far) = place.pair();
    let mut clone = near.try_clone().unwrap();
    assert_eq!(clone.local_addr().unwrap(), near.local_addr().unwrap());
    let reader = thread::spawn(move || {
        let mut text = [0; 4];
        clone.read_exact(&mut text).unwrap();
        text
    });
    far.write_all(b"here").unwrap();
    assert_eq!(&reader.join().unwrap(), b"here");
    // The clone is gone, the connection is not; mode and timeouts are shared.
    let mut other = near.try_clone().unwrap();
    other.set_nonblocking(true).unwrap();
    assert_eq!(near.read_shared(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(near);
    other.write_all(b"still").unwrap();
    let mut text = [0; 5];
    far.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"still");
    drop(other);
    assert_eq!(far.read(&mut text).unwrap(), 0);
}

pub(crate) fn incoming_connections<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for (number, stream) in (0u8..10).zip(listener.incoming()) {
                stream.unwrap().write_all(&[number]).unwrap();
            }
        });
        for number in 0..10 {
            let mut bytes = Vec::new();
            place.connect(address).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, [number]);
        }
    });
}

pub(crate) fn many_threads_on_one_host<P: Place>(place: &P) {
    const THREADS: usize = 16;
    const ROUNDS: usize = 20;
    let listener = place.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..THREADS {
                let (mut stream, _) = listener.accept().unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut buffer) {
                        stream.write_all(&buffer[..length]).unwrap();
                    }
                });
            }
        });
        for number in 0..THREADS {
            scope.spawn(move || {
                let mut stream = place.connect(address).unwrap();
                for round in 0..ROUNDS {
                    let sent =
                        pattern(1 + (number * 37 + round * 101) % 4000, (number * ROUNDS + round) as u32);
                    stream.write_all(&sent).unwrap();
                    let mut echo = vec![0; sent.len()];
                    stream.read_exact(&mut echo).unwrap();
                    assert!(sent == echo);
                }
            });
        }
    });
}

pub(crate) fn shutdown_ends_each_half<P: Place>(place: &P) {
    let (mut near, mut far) = place.pair();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(near.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(far.read(&mut [0; 10]).unwrap(), 0);
    far.shutdown(Shutdown::Read).unwrap();
    assert_eq!(far.read(&mut [0; 10]).unwrap(), 0);
    far.write_all(b"the other half").unwrap();
    let mut text = [0; 14];
    near.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"the other half");
}

pub(crate) fn shutdown_wakes_a_reader<P: Place>(place: &P) {
    let (near, _far) = place.pair();
    let mut clone = near.try_clone().unwrap();
    let reader = thread::spawn(move || clone.read(&mut [0; 10]).unwrap());
    thread::sleep(Duration::from_millis(50));
    near.shutdown(Shutdown::Both).unwrap();
    assert_eq!(reader.join().unwrap(), 0);
}

pub(crate) fn writing_to_a_closed_peer_fails<P: Place>(place: &P) {
    let (mut near, far) = place.pair();
    drop(far);
    let start = Instant::now();
    let error = loop {
        match near.write(b"anybody?") {
            Ok(_) => thread::sleep(Duration::from_millis(2)),
            Err(error) => break error,
        }
        assert!(start.elapsed() < LONG);
    };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
}

pub(crate) fn two_threads_accept<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let acceptors: Vec<_> = (0..2)
            .map(|_| {
                let listener = listener.try_clone().unwrap();
                scope.spawn(move || listener.accept().unwrap().1)
            })
            .collect();
        let mut own: Vec<_> = (0..2)
            .map(|_| {
                let stream = place.connect(address).unwrap();
                let local = stream.local_addr().unwrap();
                (local, stream)
            })
            .collect();
        let mut accepted: Vec<_> = acceptors.into_iter().map(|acceptor| acceptor.join().unwrap()).collect();
        accepted.sort();
        own.sort_by_key(|(local, _)| *local);
        assert!(accepted.iter().eq(own.iter().map(|(local, _)| local)));
    });
}

pub(crate) fn vectored<P: Place>(place: &P) {
    let (near, far) = place.pair();
    let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
    assert_eq!(near.write_pieces(&parts).unwrap(), 13);
    while far.peek(&mut [0; 20]).unwrap() < 13 {
        thread::yield_now();
    }
    let (mut head, mut tail) = ([0; 5], [0; 20]);
    let length = far.read_pieces(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]).unwrap();
    assert_eq!(length, 13);
    assert_eq!(&head, b"one t");
    assert_eq!(&tail[..8], b"wo three");
}

pub(crate) fn bytes_before_the_end_arrive<P: Place>(place: &P) {
    for size in [1, 1000, 300_000] {
        let (mut near, mut far) = place.pair();
        let sent = pattern(size, size as u32);
        let copy = sent.clone();
        let writer = thread::spawn(move || {
            near.write_all(&copy).unwrap();
            drop(near);
        });
        let mut received = Vec::new();
        far.read_to_end(&mut received).unwrap();
        assert!(received == sent);
        writer.join().unwrap();
    }
}

pub(crate) fn address_in_use<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    let port = listener.local_addr().unwrap().port();
    let Err(error) = place.listen(port) else { panic!("two listeners on one port") };
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
    place.listen(port).unwrap();
}

pub(crate) fn dropped_listener_refuses<P: Place>(place: &P) {
    let listener = place.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let clone = listener.try_clone().unwrap();
    drop(listener);
    let stream = place.connect(address).unwrap();
    clone.accept().unwrap();
    drop(stream);
    drop(clone);
    let Err(error) = place.connect(address) else { panic!("nobody listens there any more") };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
