//! A FIN that comes before its turn is kept, and reported as received.

use super::*;
use crate::wire::tcp::SackBlock;

/// A connection that uses SACK.
fn with_sack() -> Connection {
    let settings = Settings { sack: true, ..plain() };
    let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
    connection.poll_transmit(at(0), 0).unwrap();
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK, 5000, 1001);
    syn_ack.options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    sent(&mut connection, at(10));
    connection
}

/// Data of the peer, with its FIN behind it.
fn give_fin(connection: &mut Connection, millis: u64, seq: u32, payload: &[u8]) {
    let mut segment = from_peer(Flags::ACK | Flags::FIN, seq, 1001);
    segment.length = payload.len() as u32;
    let _ = connection.on_segment(at(millis), &segment, payload);
    check(connection);
}

/// The acknowledgement that leaves now, and the blocks in it.
fn answer(connection: &mut Connection, millis: u64) -> (u32, Vec<SackBlock>) {
    let outgoing = connection.poll_transmit(at(millis), 0).expect("an acknowledgement");
    (outgoing.segment.ack.0, outgoing.segment.options.sack.as_slice().to_vec())
}

fn block(left: u32, right: u32) -> SackBlock {
    SackBlock { left: SeqNumber(left), right: SeqNumber(right) }
}

#[test]
fn it_is_reported_with_the_data_and_need_not_come_again() {
    let mut connection = with_sack();
    give_fin(&mut connection, 20, 5101, &[7; 50]);
    assert_eq!(answer(&mut connection, 20), (5001, vec![block(5101, 5152)]));
    assert_eq!((connection.state(), connection.info().out_of_order), (State::Established, 50));
    give(&mut connection, at(30), 5001, 1001, &[7; 100]);
    assert_eq!(answer(&mut connection, 30), (5152, vec![]));
    assert_eq!(connection.state(), State::CloseWait);
    let mut buffer = [0; 300];
    assert_eq!(connection.read(at(31), &mut buffer), Ok(150), "its number is no byte");
    assert_eq!(connection.read(at(31), &mut buffer), Ok(0));
}

#[test]
fn one_without_data_is_kept_too_and_again_is_no_harm() {
    let mut connection = with_sack();
    for _ in 0..2 {
        give_fin(&mut connection, 20, 5101, &[]);
        assert_eq!(answer(&mut connection, 20), (5001, vec![block(5101, 5102)]));
    }
    give(&mut connection, at(30), 5001, 1001, &[7; 100]);
    assert_eq!((connection.state(), answer(&mut connection, 30).0), (State::CloseWait, 5102));
}

#[test]
fn nothing_follows_it_and_none_is_kept_beyond_the_window() {
    let mut connection = with_sack();
    give_fin(&mut connection, 20, 5101, &[]);
    give(&mut connection, at(21), 5101, 1001, &[9; 40]);
    give(&mut connection, at(22), 5001, 1001, &[7; 120]);
    assert_eq!(connection.state(), State::CloseWait);
    let mut buffer = [0; 300];
    assert_eq!(connection.read(at(23), &mut buffer), Ok(100));
    assert_eq!(connection.read(at(23), &mut buffer), Ok(0));

    let mut connection = with_sack();
    let edge = 5001 + connection.info().rcv_wnd;
    give_fin(&mut connection, 20, edge, &[]);
    give(&mut connection, at(21), 5001, 1001, &[7; 100]);
    assert_eq!((connection.state(), connection.info().out_of_order), (State::Established, 0));
}
