//! The tests.

use crate::place::{Datagrams, Listener, Place, Stream};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

fn pattern(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

pub(crate) async fn echo<P: Place>(place: P) {
    let listener = place.listen().await;
    let address = listener.address();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1000];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                length => stream.write_all(&buffer[..length]).await.unwrap(),
            }
        }
    });
    let mut stream = place.connect(address).await.unwrap();
    for round in 1..50 {
        let sent = pattern(round * 13, round as u32);
        stream.write_all(&sent).await.unwrap();
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received).await.unwrap();
        assert!(sent == received);
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap(), 0);
    server.await.unwrap();
}

pub(crate) async fn half_close_by_halves<P: Place>(place: P) {
    let (near, far) = place.pair().await;
    let (mut near_reader, mut near_writer) = near.into_halves();
    let (mut far_reader, mut far_writer) = far.into_halves();
    let answering = tokio::spawn(async move {
        let mut question = String::new();
        far_reader.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        far_writer.write_all(b"answer").await.unwrap();
    });
    near_writer.write_all(b"question").await.unwrap();
    // Dropping the writing half is the end of the stream for the peer.
    drop(near_writer);
    let mut answer = String::new();
    near_reader.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
    answering.await.unwrap();
}

pub(crate) async fn refused<P: Place>(place: P) {
    let address = place.listen().await.address();
    let Err(error) = place.connect(address).await else { panic!("nobody listens there any more") };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) async fn reset<P: Place>(place: P) {
    let (near, mut far) = place.pair().await;
    near.reset_on_drop();
    drop(near);
    let error = far.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

pub(crate) async fn big_transfer_both_ways<P: Place>(place: P) {
    const SIZE: usize = 4 << 20;
    let (near, far) = place.pair().await;
    let mut tasks = Vec::new();
    for (stream, own, other) in [(near, 1, 2), (far, 2, 1)] {
        let (mut reader, mut writer) = stream.into_halves();
        tasks.push(tokio::spawn(async move {
            writer.write_all(&pattern(SIZE, own)).await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            let mut received = Vec::with_capacity(SIZE);
            reader.read_to_end(&mut received).await.unwrap();
            assert!(received == pattern(SIZE, other), "{} bytes", received.len());
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

pub(crate) async fn many_tasks<P: Place>(place: P) {
    const TASKS: usize = 50;
    let place = Arc::new(place);
    let listener = place.listen().await;
    let address = listener.address();
    let server = tokio::spawn(async move {
        for _ in 0..TASKS {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.into_halves();
                tokio::io::copy(&mut reader, &mut writer).await.unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..TASKS)
        .map(|number| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                let mut stream = place.connect(address).await.unwrap();
                for round in 0..5 {
                    let sent = pattern(1 + number * 50, round);
                    stream.write_all(&sent).await.unwrap();
                    let mut received = vec![0; sent.len()];
                    stream.read_exact(&mut received).await.unwrap();
                    assert!(sent == received);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    server.await.unwrap();
}

pub(crate) async fn readiness_and_trying<P: Place>(place: P) {
    let (near, far) = place.pair().await;
    near.writable().await.unwrap();
    assert!(near.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap().is_writable());
    // tokio learns that nothing is there by trying.
    assert_eq!(near.try_read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(far.try_write(b"hello").unwrap(), 5);
    let mut received = Vec::new();
    while received.len() < 5 {
        near.readable().await.unwrap();
        let mut buffer = [0; 10];
        match near.try_read(&mut buffer) {
            Ok(length) => received.extend_from_slice(&buffer[..length]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert_eq!(received, b"hello");
    let block = vec![0; 1 << 16];
    let mut sent = 0;
    loop {
        match far.try_write(&block) {
            Ok(length) => sent += length,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(sent < 1 << 30);
    }
    // Reading makes room.
    let (mut reader, writer) = near.into_halves();
    let reading = tokio::spawn(async move {
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        rest.len()
    });
    far.writable().await.unwrap();
    drop(far);
    assert_eq!(reading.await.unwrap(), sent);
    drop(writer);
}

pub(crate) async fn peeking<P: Place>(place: P) {
    let (mut near, mut far) = place.pair().await;
    near.write_all(b"x").await.unwrap();
    let mut byte = [0; 1];
    assert_eq!(far.peek(&mut byte).await.unwrap(), 1);
    assert_eq!(far.peek(&mut byte).await.unwrap(), 1);
    far.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
    drop(near);
    assert_eq!(far.peek(&mut byte).await.unwrap(), 0);
}

pub(crate) async fn waiting_can_be_cancelled<P: Place>(place: P) {
    let listener = place.listen().await;
    let short = Duration::from_millis(20);
    assert!(tokio::time::timeout(short, listener.accept()).await.is_err());
    let mut near = place.connect(listener.address()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut text = [0; 4];
    for _ in 0..3 {
        assert!(tokio::time::timeout(short, far.read(&mut text)).await.is_err());
        assert!(tokio::time::timeout(short, far.readable()).await.is_err());
    }
    near.write_all(b"here").await.unwrap();
    far.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"here");
}

pub(crate) async fn datagrams<P: Place>(place: P) {
    let server = place.serve_datagrams().await;
    let client = place.datagrams().await;
    let address = server.address();
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 2000];
        for _ in 0..20 {
            let (length, source) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(&buffer[..length], source).await.unwrap();
        }
    });
    let mut buffer = [0; 2000];
    for size in 1..=10 {
        client.send_to(&vec![7; size * 100], address).await.unwrap();
        assert_eq!(client.recv_from(&mut buffer).await.unwrap(), (size * 100, address));
    }
    client.connect(address).await.unwrap();
    assert_eq!(client.try_recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    for size in 1..=10 {
        client.send(&vec![7; size]).await.unwrap();
        client.readable().await.unwrap();
        assert_eq!(client.recv(&mut buffer).await.unwrap(), size);
    }
    answering.await.unwrap();
}

pub(crate) async fn datagrams_to_a_closed_port<P: Place>(place: P) {
    let address = place.serve_datagrams().await.address();
    let client = place.datagrams().await;
    client.connect(address).await.unwrap();
    client.send(b"anybody?").await.unwrap();
    let error = client.recv(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
