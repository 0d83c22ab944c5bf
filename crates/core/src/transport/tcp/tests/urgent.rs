//! Urgent data, out of band and in line.

use super::*;
use crate::error::Error;

/// Gives the connection data whose urgent pointer is `pointer`.
fn give_urgent(connection: &mut Connection, millis: u64, seq: u32, payload: &[u8], pointer: u16) {
    let mut segment = from_peer(Flags::ACK | Flags::URG, seq, 1001);
    segment.length = payload.len() as u32;
    segment.urgent = pointer;
    let _ = connection.on_segment(at(millis), &segment, payload);
    check(connection);
}

fn read(connection: &mut Connection, most: usize) -> Result<String, Error> {
    let mut buffer = vec![0; most];
    let count = connection.read(at(99), &mut buffer)?;
    Ok(String::from_utf8(buffer[..count].to_vec()).unwrap())
}

fn take(connection: &mut Connection) -> Result<Option<char>, Error> {
    Ok(connection.read_urgent(Take::Away)?.map(char::from))
}

#[test]
fn an_urgent_byte_is_taken_out_of_the_stream_and_reads_stop_at_it() {
    let mut connection = established(plain());
    assert_eq!(take(&mut connection), Err(Error::InvalidArgument));
    give_urgent(&mut connection, 20, 5001, b"abXcd", 3);
    assert!(connection.has_urgent() && connection.is_readable() && !connection.is_at_mark());
    assert_eq!(connection.receive_queue(), 2);
    assert_eq!(connection.read_urgent(Take::Not), Ok(Some(b'X')));
    assert_eq!(take(&mut connection), Ok(Some('X')));
    assert_eq!(take(&mut connection), Err(Error::InvalidArgument), "it was taken");
    assert!(!connection.has_urgent());
    assert_eq!(read(&mut connection, 9), Ok("ab".into()));
    assert!(connection.is_at_mark());
    let mut peeked = [0; 9];
    assert_eq!((connection.peek(&mut peeked), &peeked[..2]), (Ok(2), &b"cd"[..]));
    assert!(connection.is_at_mark(), "a peek does not go past it");
    assert_eq!(read(&mut connection, 1), Ok("c".into()));
    assert!(!connection.is_at_mark());
    assert_eq!(read(&mut connection, 9), Ok("d".into()));
    assert!(connection.urgent.is_none(), "nothing is kept");
}

#[test]
fn an_urgent_byte_that_nobody_takes_is_read_over() {
    let mut connection = established(plain());
    give_urgent(&mut connection, 20, 5001, b"X", 1);
    assert!(connection.is_at_mark() && !connection.is_readable() && connection.has_urgent());
    assert_eq!(connection.receive_queue(), 0);
    assert_eq!(read(&mut connection, 9), Err(Error::WouldBlock));
    assert!(!connection.is_at_mark() && !connection.has_urgent());
    give(&mut connection, at(21), 5002, 1001, b"y");
    assert_eq!(read(&mut connection, 9), Ok("y".into()));
    let info = connection.info();
    assert_eq!((info.traffic.bytes_received, info.unread), (2, 0));
}

#[test]
fn in_line_it_is_a_byte_like_any_other_behind_a_mark() {
    let mut connection = established(Settings { urgent_in_line: true, ..plain() });
    give_urgent(&mut connection, 20, 5001, b"abXcd", 3);
    assert_eq!(take(&mut connection), Err(Error::InvalidArgument));
    assert_eq!(connection.receive_queue(), 5);
    assert_eq!(read(&mut connection, 9), Ok("ab".into()));
    assert!(connection.is_at_mark() && connection.is_readable());
    assert_eq!(read(&mut connection, 9), Ok("Xcd".into()));
    assert!(!connection.is_at_mark());
}

#[test]
fn it_may_be_announced_before_it_comes_and_the_stream_may_end_first() {
    let mut connection = established(plain());
    give_urgent(&mut connection, 20, 5001, b"ab", 3);
    assert_eq!(take(&mut connection), Err(Error::WouldBlock));
    assert_eq!(read(&mut connection, 9), Ok("ab".into()));
    assert!(connection.is_at_mark() && !connection.has_urgent());
    give(&mut connection, at(21), 5003, 1001, b"Xc");
    assert_eq!(take(&mut connection), Ok(Some('X')));
    assert_eq!(read(&mut connection, 9), Ok("c".into()));
    give_urgent(&mut connection, 22, 5005, b"", 7);
    assert_eq!(take(&mut connection), Err(Error::WouldBlock));
    connection.on_segment(at(23), &from_peer(Flags::FIN | Flags::ACK, 5005, 1001), &[]).unwrap();
    assert_eq!(take(&mut connection), Ok(None));
    // Nothing that has come already becomes urgent.
    let mut connection = established(plain());
    give(&mut connection, at(20), 5001, 1001, b"ab");
    give_urgent(&mut connection, 21, 5003, b"", 0);
    give_urgent(&mut connection, 21, 5002, b"", 1);
    assert_eq!((take(&mut connection), read(&mut connection, 9)), (Err(Error::WouldBlock), Ok("ab".into())));
}

#[test]
fn the_second_urgent_byte_overtakes_the_first() {
    let mut connection = established(plain());
    give_urgent(&mut connection, 20, 5001, b"aX", 2);
    give_urgent(&mut connection, 21, 5003, b"bY", 2);
    assert_eq!(take(&mut connection), Ok(Some('Y')));
    assert_eq!(read(&mut connection, 9), Ok("aXb".into()), "the first one is data again");
    // At the head of the stream it makes room for its successor.
    let mut connection = established(plain());
    give_urgent(&mut connection, 20, 5001, b"X", 1);
    assert_eq!(take(&mut connection), Ok(Some('X')));
    give_urgent(&mut connection, 21, 5002, b"Y", 1);
    assert_eq!((take(&mut connection), read(&mut connection, 9)), (Ok(Some('Y')), Err(Error::WouldBlock)));
}

#[test]
fn what_is_sent_urgently_points_behind_its_last_byte_and_does_not_wait() {
    let mut connection = established(plain());
    connection.write(at(20), b"ab").unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 1);
    connection.write(at(21), b"c").unwrap();
    assert!(!connection.has_transmit(), "Nagle");
    connection.send(at(22), b"dX", SendFlags::OUT_OF_BAND).unwrap();
    let urgent = ["Flags [P.U], seq 1003:1006, ack 5001, win 64240, urg 3, length 3"];
    assert_eq!(sent(&mut connection, at(22)), urgent);
    connection.write(at(23), b"e").unwrap();
    assert_eq!(sent(&mut connection, at(23)), ["Flags [P.], seq 1006:1007, ack 5001, win 64240, length 1"]);
    give(&mut connection, at(30), 5001, 1007, b"");
    assert!(connection.urgent.is_none(), "nothing is kept");
    // A shut window does not keep the announcement back.
    let shut = Segment { window: 0, ..from_peer(Flags::ACK, 5001, 1007) };
    connection.on_segment(at(40), &shut, &[]).unwrap();
    connection.send(at(41), &[7; 70_000], SendFlags::OUT_OF_BAND).unwrap();
    give_shut(&mut connection, 50);
    assert_eq!(sent(&mut connection, at(50)), ["Flags [.U], ack 5002, win 64239, urg 65535, length 0"]);
}

/// One byte from a peer whose window is shut.
fn give_shut(connection: &mut Connection, millis: u64) {
    let segment = Segment { window: 0, length: 1, ..from_peer(Flags::ACK, 5001, 1007) };
    connection.on_segment(at(millis), &segment, b"!").unwrap();
}

#[test]
fn a_device_that_cuts_bursts_gets_none_with_urgent_data() {
    let mut connection = established(plain());
    connection.send(at(20), &[1; 4000], SendFlags::OUT_OF_BAND).unwrap();
    let first = connection.poll_transmit(at(20), 65_000).unwrap();
    assert_eq!((first.length, first.segment.urgent), (1460, 4000));
    let second = connection.poll_transmit(at(20), 65_000).unwrap();
    assert_eq!((second.length, second.segment.urgent), (1460, 2540));
}

#[test]
fn what_is_left_to_read_counts_the_end_of_the_stream() {
    let mut connection = established(plain());
    give(&mut connection, at(20), 5001, 1001, b"abc");
    assert_eq!((connection.unread_hint(), connection.receive_queue()), (3, 3));
    connection.on_segment(at(21), &from_peer(Flags::FIN | Flags::ACK, 5004, 1001), &[]).unwrap();
    assert_eq!((connection.unread_hint(), connection.receive_queue()), (4, 3));
    assert_eq!(read(&mut connection, 9), Ok("abc".into()));
    assert_eq!((connection.unread_hint(), connection.receive_queue()), (1, 0));
}
