use super::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

fn device(stream: impl Into<OwnedFd>) -> StreamSocket {
    StreamSocket::new(stream, Medium::Ethernet, 1500).expect("a stream becomes a device")
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().expect("an error was expected").kind()
}

fn wait(fd: BorrowedFd<'_>, flags: PollFlags) {
    let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&timeout)).expect("poll works");
    assert_eq!(ready, 1, "nothing happened");
}

#[test]
fn frames_are_put_together_however_they_arrive() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut device = device(ours);
    let mut buffer = [0; 2000];
    for byte in b"\0\0\0\x02ab\0\0\0\x03cd" {
        assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::WouldBlock);
        theirs.write_all(&[*byte]).unwrap();
        if *byte == b'b' {
            assert_eq!(device.receive(&mut buffer).unwrap().length, 2);
            assert_eq!(&buffer[..2], b"ab");
        }
    }
    assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::WouldBlock);
    theirs.write_all(b"e\0\0\0\x01f\0\0").unwrap();
    assert_eq!(device.receive(&mut buffer).unwrap().length, 3);
    assert_eq!(&buffer[..3], b"cde");
    assert_eq!(device.receive(&mut buffer).unwrap().length, 1);
    assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::WouldBlock);
}

#[test]
fn bad_lengths_cost_a_frame_or_the_stream() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut device = device(ours);
    let mut buffer = [0; 10];
    theirs.write_all(b"\0\0\0\0\0\0\0\x0b").unwrap();
    assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::InvalidData);
    assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::InvalidData);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(kind(device.receive(&mut buffer)), io::ErrorKind::WouldBlock);
    theirs.write_all(b" world\0\0\0\x02ok").unwrap();
    assert_eq!(device.receive(&mut buffer).unwrap().length, 2);
    assert_eq!(&buffer[..2], b"ok");
    theirs.write_all(b"HTTP/1.1 400").unwrap();
    for _ in 0..2 {
        let error = device.receive(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("does not send frames"), "{error}");
    }
}

#[test]
fn the_end_says_whether_a_frame_was_cut() {
    let mut buffer = [0; 10];
    for (bytes, words) in [
        (&b""[..], "closed the stream"),
        (b"\0", "in the middle"),
        (b"\0\0\0\x03ab", "in the middle"),
        (b"\0\0\0\x02ab", "closed the stream"),
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut device = device(ours);
        theirs.write_all(bytes).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        if words == "closed the stream" && !bytes.is_empty() {
            device.receive(&mut buffer).unwrap();
        }
        for _ in 0..2 {
            let error = device.receive(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.to_string().contains("middle"), words == "in the middle", "{error}");
        }
        // Its other half is still open.
        device.send(&[IoSlice::new(b"frame")], &Offload::NONE).unwrap();
        drop(theirs);
        assert_eq!(kind(device.send(&[IoSlice::new(b"frame")], &Offload::NONE)), io::ErrorKind::BrokenPipe);
    }
}

/// Sends 3,000 frames of growing length into `ours` while the other end reads slowly, in odd pieces.
fn a_slow_reader_loses_nothing(ours: impl Into<OwnedFd>, mut theirs: impl Read + Send + 'static) {
    let mut device = device(ours);
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut piece = [0; 777];
        loop {
            match theirs.read(&mut piece).expect("the stream reads") {
                0 => return bytes,
                length => bytes.extend_from_slice(&piece[..length]),
            }
            if bytes.len() % 5 == 0 {
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
    });
    let mut expected = Vec::new();
    let mut blocked = 0;
    for number in 0..3000usize {
        let frame = vec![number as u8; 1 + number % 1514];
        expected.extend((frame.len() as u32).to_be_bytes());
        expected.extend_from_slice(&frame);
        let (one, two) = frame.split_at(frame.len() / 2);
        // Every seventh frame is of more pieces than one call takes.
        let parts: Vec<_> = match number % 7 {
            0 => frame.chunks(40).map(IoSlice::new).collect(),
            _ => vec![IoSlice::new(one), IoSlice::new(two)],
        };
        while let Err(error) = device.send(&parts, &Offload::NONE) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            blocked += 1;
            wait(device.send_readiness().unwrap(), PollFlags::OUT);
        }
    }
    while let Err(error) = device.flush() {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        wait(device.send_readiness().unwrap(), PollFlags::OUT);
    }
    drop(device);
    assert!(reader.join().unwrap() == expected, "the stream differs");
    assert!(blocked > 0, "the sender was never blocked");
}

#[test]
fn a_slow_reader_of_a_unix_stream_loses_nothing() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 8192).unwrap();
    a_slow_reader_loses_nothing(ours, theirs);
}

#[test]
fn a_slow_reader_of_a_tcp_stream_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 8192).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    a_slow_reader_loses_nothing(ours, theirs);
}

#[test]
fn a_frame_taken_in_part_leaves_with_a_flush() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 1).unwrap();
    let mut device = StreamSocket::new(ours, Medium::Ip, 65_535).unwrap();
    let frame = vec![5; 65_535];
    while device.flush().is_ok() {
        device.send(&[IoSlice::new(&frame)], &Offload::NONE).unwrap();
    }
    assert_eq!(kind(device.send(&[IoSlice::new(&frame)], &Offload::NONE)), io::ErrorKind::WouldBlock);
    let mut bytes = vec![0; 4 + 65_535];
    theirs.set_nonblocking(true).unwrap();
    let mut read = 0;
    while read < bytes.len() {
        match theirs.read(&mut bytes[read..]) {
            Ok(length) => read += length,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                let _ = device.flush();
            }
        }
    }
    assert_eq!(bytes[..4], [0, 0, 0xff, 0xff]);
    assert_eq!(bytes[4..], frame);
}

#[test]
fn a_frame_above_the_mtu_is_refused_and_nothing_is_written() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut device = device(ours);
    let refused = device.send(&[IoSlice::new(&[0; 1519])], &Offload::NONE);
    assert_eq!(kind(refused), io::ErrorKind::InvalidInput);
    theirs.set_nonblocking(true).unwrap();
    assert_eq!(kind((&theirs).read(&mut [0])), io::ErrorKind::WouldBlock);
}

#[test]
fn two_devices_understand_each_other() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (mut one, mut other) = (device(ours), device(theirs));
    let mut buffer = [0; 1518];
    for length in [1, 60, 1514, 1518] {
        one.send(&[IoSlice::new(&vec![3; length])], &Offload::NONE).unwrap();
        wait(other.readiness().unwrap(), PollFlags::IN);
        assert_eq!(other.receive(&mut buffer).unwrap(), Received { length, ..Received::default() });
    }
}
