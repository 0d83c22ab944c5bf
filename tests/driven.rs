//! Hosts that a task of a tokio runtime drives.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use sockeye::{Conditions, Host, Lan};
use sockeye_core::lan::Probability;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

fn hosts(runtime: &Runtime, conditions: Conditions) -> (Host, Host) {
    let lan = Lan::builder().seed(3).conditions(conditions).build().unwrap();
    let host = |name: &str, address: &str| {
        let host = lan.host(name).address(address.parse().unwrap());
        host.drive_on(runtime.handle().clone()).build().unwrap()
    };
    (host("server", "10.0.0.2/24"), host("client", "10.0.0.3/24"))
}

/// What is lost is sent again when its time has come, in a runtime without timers of its own.
#[test]
fn deadlines_are_kept() {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let conditions = Conditions {
        loss: Probability::new(0.05).unwrap(),
        delay: Duration::from_millis(1),
        ..Conditions::default()
    };
    let (server, client) = hosts(&runtime, conditions);
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let received = runtime.block_on(async {
        let listener = sockeye::tokio::TcpListener::bind(&server, "10.0.0.2:7788").await.unwrap();
        let sent = data.clone();
        let sending = tokio::spawn(async move {
            let mut near = sockeye::tokio::TcpStream::connect(&client, "10.0.0.2:7788").await.unwrap();
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
            near
        });
        let (mut far, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        let near = sending.await.unwrap();
        let tcp = near.tcp_info().unwrap();
        assert!(tcp.total_retransmits > 0, "the cable loses frames");
        received
    });
    assert!(received == data, "{} bytes", received.len());
}

/// A host may be used by threads that are not the runtime's, too.
#[test]
fn other_threads_may_wait() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
    let (server, client) = hosts(&runtime, Conditions::default());
    let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788").unwrap();
    let mut near = sockeye::TcpStream::connect(&client, "10.0.0.2:7788").unwrap();
    let (mut far, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut near, b"hello").unwrap();
    let mut text = [0; 5];
    std::io::Read::read_exact(&mut far, &mut text).unwrap();
    assert_eq!(&text, b"hello");
    let before = Instant::now();
    client.shutdown(Duration::from_secs(5));
    server.shutdown(Duration::from_secs(5));
    assert!(before.elapsed() < Duration::from_secs(9));
}

#[test]
fn with_the_runtime_the_host_ends() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
    let (server, client) = hosts(&runtime, Conditions::default());
    let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788").unwrap();
    let near = sockeye::TcpStream::connect(&client, "10.0.0.2:7788").unwrap();
    let waiting = std::thread::spawn(move || {
        let (mut far, _) = listener.accept().unwrap();
        std::io::Read::read(&mut far, &mut [0; 5]).unwrap_err().kind()
    });
    std::thread::sleep(Duration::from_millis(100));
    drop(runtime);
    assert_eq!(waiting.join().unwrap(), ErrorKind::NetworkDown, "nobody waits for a driver that is gone");
    drop(near);
}
