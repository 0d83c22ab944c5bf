//! Datagrams.

use crate::place::{Datagrams, Place};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

pub(crate) fn unconnected<P: Place>(place: &P) {
    let server = place.serve_datagrams(0).unwrap();
    let address = server.local_addr().unwrap();
    assert_ne!(address.port(), 0);
    let client = place.datagrams().unwrap();
    let mut buffer = [0; 2000];
    for size in [1, 100, 1400] {
        let sent = vec![size as u8; size];
        assert_eq!(client.send_to(&sent, address).unwrap(), size);
        let (length, source) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((length, source), (size, client.local_addr().unwrap()));
        assert_eq!(buffer[..length], sent[..]);
        assert_eq!(server.send_to(&buffer[..length], source).unwrap(), size);
        assert_eq!(client.recv_from(&mut buffer).unwrap(), (size, address));
    }
    assert_eq!(client.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
}

pub(crate) fn connected_hears_its_peer_only<P: Place>(place: &P) {
    let server = place.serve_datagrams(0).unwrap();
    let client = place.datagrams().unwrap();
    let stranger = place.serve_datagrams(0).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    assert_eq!(client.send(b"question").unwrap(), 8);
    let mut buffer = [0; 100];
    let (length, source) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"question");
    stranger.send_to(b"not asked", source).unwrap();
    server.send_to(b"answer", source).unwrap();
    let length = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"answer");
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
}

pub(crate) fn closed_port_refuses<P: Place>(place: &P) {
    let address = place.serve_datagrams(0).unwrap().local_addr().unwrap();
    let client = place.datagrams().unwrap();
    client.connect(address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client.send(b"anybody?").unwrap();
    let error = client.recv(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // The error is told once, and the socket goes on.
    let server = place.serve_datagrams(address.port()).unwrap();
    client.send(b"now?").unwrap();
    let mut buffer = [0; 10];
    assert_eq!(server.recv_from(&mut buffer).unwrap().0, 4);
}

pub(crate) fn cut_short_and_empty<P: Place>(place: &P) {
    let server = place.serve_datagrams(0).unwrap();
    let client = place.datagrams().unwrap();
    let address = server.local_addr().unwrap();
    client.send_to(b"0123456789", address).unwrap();
    client.send_to(b"", address).unwrap();
    client.send_to(b"next", address).unwrap();
    let mut buffer = [0; 4];
    assert_eq!(server.recv_from(&mut buffer).unwrap().0, 4);
    assert_eq!(&buffer, b"0123");
    assert_eq!(server.recv_from(&mut buffer).unwrap().0, 0);
    assert_eq!(server.recv_from(&mut buffer).unwrap().0, 4);
    assert_eq!(&buffer, b"next");
}

pub(crate) fn peeking<P: Place>(place: &P) {
    let server = place.serve_datagrams(0).unwrap();
    let client = place.datagrams().unwrap();
    client.send_to(b"twice", server.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(server.peek_from(&mut buffer).unwrap(), (5, client.local_addr().unwrap()));
    assert_eq!(server.peek(&mut buffer).unwrap(), 5);
    assert_eq!(server.recv(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"twice");
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.peek(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
}

pub(crate) fn timeouts_and_nonblocking<P: Place>(place: &P) {
    let socket = place.datagrams().unwrap();
    let patience = Duration::from_millis(120);
    socket.set_read_timeout(Some(patience)).unwrap();
    assert_eq!(socket.read_timeout().unwrap(), Some(patience));
    let start = Instant::now();
    assert_eq!(socket.recv_from(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let waited = start.elapsed();
    assert!(waited >= patience - Duration::from_millis(20) && waited < LONG, "{waited:?}");
    let zero = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    socket.set_nonblocking(true).unwrap();
    let start = Instant::now();
    assert_eq!(socket.recv_from(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() < Duration::from_millis(100));
}

pub(crate) fn errors_of_sending<P: Place>(place: &P) {
    let socket = place.datagrams().unwrap();
    let address = place.serve_datagrams(0).unwrap().local_addr().unwrap();
    let error = socket.send(b"to whom?").unwrap_err();
    // For an IPv6 socket Linux says ENOTCONN where it says EDESTADDRREQ for an IPv4 one; both mean it.
    let expected = [Errno::DESTADDRREQ.raw_os_error(), Errno::NOTCONN.raw_os_error()];
    assert!(error.raw_os_error().is_some_and(|errno| expected.contains(&errno)), "{error}");
    let error = socket.send_to(&vec![0; 70_000], address).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::MSGSIZE.raw_os_error()));
    let taken = place.serve_datagrams(0).unwrap();
    let Err(error) = place.serve_datagrams(taken.local_addr().unwrap().port()) else {
        panic!("two sockets on one port")
    };
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

pub(crate) fn options_are_remembered<P: Place>(place: &P) {
    let socket = place.datagrams().unwrap();
    assert!(!socket.broadcast().unwrap());
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    if socket.local_addr().unwrap().is_ipv4() {
        assert_eq!(socket.ttl().unwrap(), 64);
        socket.set_ttl(3).unwrap();
        assert_eq!(socket.ttl().unwrap(), 3);
    }
    assert!(socket.take_error().unwrap().is_none());
}

pub(crate) fn clones_share_a_socket<P: Place>(place: &P) {
    let server = place.serve_datagrams(0).unwrap();
    let address = server.local_addr().unwrap();
    let clone = server.try_clone().unwrap();
    let reader = thread::spawn(move || clone.recv_from(&mut [0; 10]).unwrap().0);
    let client = place.datagrams().unwrap();
    client.send_to(b"one", address).unwrap();
    assert_eq!(reader.join().unwrap(), 3);
    client.send_to(b"four", address).unwrap();
    assert_eq!(server.recv_from(&mut [0; 10]).unwrap().0, 4);
}
