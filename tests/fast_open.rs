//! TCP Fast Open (RFC 7413) through the sockets that programs use.

use sockeye::{FastOpen, Host, Lan, SocketOption, TcpListener, TcpSocket, TcpStream};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;

const SERVER: &str = "10.0.0.2:80";

/// A client and a server that may, and an echo of every connection at [`SERVER`], four of them.
fn pair(client_bits: u32) -> (Host, thread::JoinHandle<Vec<bool>>) {
    let lan = Lan::builder().seed(3).build().unwrap();
    let host = |name: &str, address: &str, bits| {
        lan.host(name)
            .address(address.parse().unwrap())
            .configure(|config| config.fast_open = FastOpen::from_bits(bits))
            .build()
            .unwrap()
    };
    let (server, client) = (host("server", "10.0.0.2/24", 3), host("client", "10.0.0.3/24", client_bits));
    let listener = TcpListener::bind(&server, SERVER).unwrap();
    listener.set_option(SocketOption::FastOpen(16)).unwrap();
    let serving = thread::spawn(move || {
        let mut in_syn = Vec::new();
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            in_syn.push(stream.tcp_info().unwrap().syn_data);
            stream.write_all(&all).unwrap();
        }
        in_syn
    });
    (client, serving)
}

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

fn echoed(mut stream: TcpStream) -> Vec<u8> {
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn the_beginning_of_what_is_written_travels_with_the_syn() {
    let (client, serving) = pair(1);
    let long: Vec<u8> = (0..100_000).map(|number| (number % 251) as u8).collect();
    for data in [&b"short"[..], &long, &[], &long] {
        let stream = TcpSocket::new_v4(&client).unwrap().connect_with_data(address(), data).unwrap();
        assert!(echoed(stream) == data);
    }
    // The first had no cookie yet, the third nothing to say.
    assert_eq!(serving.join().unwrap(), [false, true, false, true]);
}

#[test]
fn connecting_can_wait_for_the_first_write() {
    let (client, serving) = pair(1);
    for number in 0..4 {
        let socket = TcpSocket::new_v4(&client).unwrap();
        socket.set_option(SocketOption::FastOpenConnect(true)).unwrap();
        let mut stream = socket.connect(address()).unwrap();
        if number == 3 {
            stream.set_nonblocking(true).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(stream.write(b"hello").unwrap(), 5);
            stream.set_nonblocking(false).unwrap();
            // A shutdown would call the attempt off; a write waits for it.
            stream.write_all(b", world").unwrap();
            assert_eq!(echoed(stream), b"hello, world");
        } else {
            let data = vec![7; if number == 2 { 10 } else { 5000 }];
            stream.write_all(&data).unwrap();
            assert!(echoed(stream) == data);
        }
    }
    assert_eq!(serving.join().unwrap(), [false, true, true, true]);
}

#[test]
fn a_host_that_may_not_says_so() {
    let (client, _) = pair(2);
    let error = TcpSocket::new_v4(&client).unwrap().connect_with_data(address(), b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(95), "{error}"); // EOPNOTSUPP
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn tasks_do_the_same() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (client, serving) = pair(1);
    for number in 0..4 {
        let socket = sockeye::tokio::TcpSocket::new_v4(&client).unwrap();
        let mut stream = if number < 2 {
            socket.connect_with_data(address(), &[5; 3000]).await.unwrap()
        } else {
            socket.set_option(SocketOption::FastOpenConnect(true)).unwrap();
            let mut stream = socket.connect(address()).await.unwrap();
            // Room for all of it in the SYN, so that the shutdown follows at once; or not.
            stream.write_all(&[5; 1000]).await.unwrap();
            if number == 3 {
                stream.write_all(&[5; 2000]).await.unwrap();
            }
            stream
        };
        let expected = if number == 2 { 1000 } else { 3000 };
        stream.shutdown().await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert!(all == vec![5; expected]);
    }
    let in_syn = tokio::task::spawn_blocking(|| serving.join().unwrap()).await.unwrap();
    assert_eq!(in_syn, [false, true, true, true]);
}
