//! What a program says about the end of what it writes.

use super::*;
use crate::error::Error;

/// A connection with a peer that takes 1000 bytes in a segment and once had a window of 32,896.
fn small_peer(settings: Settings) -> Connection {
    let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
    sent(&mut connection, at(0));
    let mut syn_ack = Segment { window: 32_896, ..from_peer(Flags::SYN | Flags::ACK, 5000, 1001) };
    syn_ack.options.mss = Some(1000);
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    sent(&mut connection, at(10));
    connection
}

/// Acknowledges up to `ack`.
fn acknowledge(connection: &mut Connection, millis: u64, ack: u32) {
    let segment = Segment { window: 32_896, ..from_peer(Flags::ACK, 5001, ack) };
    connection.on_segment(at(millis), &segment, &[]).unwrap();
}

/// What leaves, as flags and range of numbers; the device cuts up to `largest` bytes itself.
fn leaves_with(connection: &mut Connection, millis: u64, largest: usize) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(outgoing) = connection.poll_transmit(at(millis), largest) {
        let segment = outgoing.segment;
        all.push(format!("{} {}:{}", segment.flags, segment.seq.0, segment.seq.0 + segment.length));
    }
    check(connection);
    all
}

fn leaves(connection: &mut Connection, millis: u64) -> Vec<String> {
    leaves_with(connection, millis, 0)
}

#[test]
fn what_is_corked_leaves_by_full_segments_by_uncorking_and_by_nodelay() {
    let mut connection = small_peer(Settings { cork: true, ..plain() });
    connection.write(at(20), &[1; 40]).unwrap();
    connection.write(at(70), &[2; 40]).unwrap();
    assert_eq!(leaves(&mut connection, 70), [""; 0]);
    connection.write(at(71), &[3; 930]).unwrap();
    assert_eq!(leaves(&mut connection, 71), ["[.] 1001:2001"], "a full segment does not wait");
    connection.set_settings(at(72), Settings { nagle: true, ..plain() });
    connection.expect_no_more(at(72));
    assert_eq!(leaves(&mut connection, 72), ["[P.] 2001:2011"]);
    acknowledge(&mut connection, 80, 2011);

    connection.set_settings(at(90), Settings { cork: true, ..plain() });
    connection.write(at(90), &[4; 40]).unwrap();
    assert_eq!(leaves(&mut connection, 90), [""; 0]);
    connection.set_settings(at(91), Settings { cork: true, nagle: false, ..plain() });
    connection.release_held(at(91));
    assert_eq!(leaves(&mut connection, 91), ["[P.] 2011:2051"]);
    connection.write(at(92), &[5; 40]).unwrap();
    assert_eq!(leaves(&mut connection, 92), [""; 0], "what is written later is held again");
    connection.shutdown_write(at(93));
    assert_eq!(leaves(&mut connection, 93), ["[FP.] 2051:2091"], "a FIN lets go");
}

#[test]
fn what_is_corked_leaves_after_a_retransmission_timeout() {
    let mut connection = small_peer(Settings { cork: true, ..plain() });
    connection.write(at(20), &[1; 40]).unwrap();
    connection.write(at(120), &[1; 40]).unwrap();
    assert!(!connection.has_transmit());
    let due = connection.poll_timeout().unwrap();
    assert_eq!(due, at(230), "210 ms after the first write");
    connection.on_timeout(due);
    assert_eq!(leaves(&mut connection, 230), ["[P.] 1001:1081"]);
}

#[test]
fn more_holds_the_end_of_a_write_until_something_is_acknowledged() {
    let mut connection = small_peer(Settings { nagle: false, ..plain() });
    for (millis, count) in [(20, 100), (25, 160), (35, 495)] {
        connection.send(at(millis), &vec![1; count], SendFlags::MORE).unwrap();
        assert_eq!(leaves(&mut connection, millis), [""; 0]);
    }
    connection.write(at(43), &[1; 5]).unwrap();
    assert_eq!(leaves(&mut connection, 43), ["[P.] 1001:1761"]);
    acknowledge(&mut connection, 60, 1761);

    connection.send(at(100), &[2; 3100], SendFlags::MORE).unwrap();
    assert_eq!(leaves(&mut connection, 100), ["[.] 1761:2761", "[P.] 2761:3761", "[.] 3761:4761"]);
    connection.send(at(103), &[2; 50], SendFlags::MORE).unwrap();
    assert_eq!(leaves(&mut connection, 103), [""; 0]);
    acknowledge(&mut connection, 113, 3761);
    assert_eq!(leaves(&mut connection, 113), ["[.] 4761:4911"], "nobody said that this is the end");
    connection.send(at(114), &[3; 20], SendFlags::MORE).unwrap();
    connection.release_held(at(115));
    assert_eq!(leaves(&mut connection, 115), ["[.] 4911:4931"]);
}

#[test]
fn each_write_and_each_half_window_ends_with_psh() {
    let mut connection = small_peer(Settings { nagle: false, ..plain() });
    connection.write(at(20), &[1; 1500]).unwrap();
    assert_eq!(leaves(&mut connection, 20), ["[.] 1001:2001", "[P.] 2001:2501"]);
    connection.write(at(21), &[1; 700]).unwrap();
    connection.write(at(21), &[1; 700]).unwrap();
    assert_eq!(leaves(&mut connection, 21), ["[.] 2501:3501", "[P.] 3501:3901"], "two writes, one piece");
    acknowledge(&mut connection, 30, 3901);
    connection.write(at(40), &[1; 40_000]).unwrap();
    let mut pushed = Vec::new();
    for round in 0..8 {
        for segment in leaves(&mut connection, 50 + round) {
            if segment.starts_with("[P.]") {
                pushed.push(segment[5..].to_owned());
            }
        }
        let nxt = connection.info().snd_nxt.0;
        acknowledge(&mut connection, 50 + round, nxt);
    }
    // A piece holds 16,000 bytes. Ten segments of the first leave at once; the end of what is then filled up to 16,000
    // again lies more than half of 32,896 behind the last mark.
    // So do bursts, which begin anew there.
    assert_eq!(pushed[..2], ["4901:5901", "6901:7901"]);
    assert!(["28901:29901", "42901:43901"].iter().all(|end| pushed.iter().any(|pushed| pushed == end)));
}

#[test]
fn a_burst_ends_with_psh_and_a_segment_of_it_sent_again_does_not() {
    let mut connection = small_peer(plain());
    connection.send(at(20), &[1; 3500], SendFlags::MORE).unwrap();
    // A burst is a millisecond's worth, and two segments at least.
    assert_eq!(leaves_with(&mut connection, 20, 65_000), ["[P.] 1001:3001", "[.] 3001:4001"]);
    while !connection.has_transmit() {
        let due = connection.poll_timeout().unwrap();
        connection.on_timeout(due);
    }
    assert_eq!(leaves(&mut connection, 400)[0], "[.] 1001:2001");
    acknowledge(&mut connection, 410, 2001);
    // F-RTO first sends what is new, and only then the rest again.
    assert_eq!(leaves(&mut connection, 410), ["[.] 4001:4501"]);
    acknowledge(&mut connection, 420, 2001);
    assert_eq!(leaves(&mut connection, 420)[0], "[.] 2001:3001");
    // Which frames it takes to carry a burst does not show.
    let mut connection = small_peer(plain());
    connection.send(at(20), &[1; 3500], SendFlags::MORE).unwrap();
    assert_eq!(leaves(&mut connection, 20), ["[.] 1001:2001", "[P.] 2001:3001", "[.] 3001:4001"]);
}

#[test]
fn a_record_shares_no_segment_with_what_follows() {
    let mut connection = small_peer(plain());
    connection.write(at(20), &[0; 10_400]).unwrap();
    connection.send(at(20), &[1; 400], SendFlags::END_OF_RECORD).unwrap();
    connection.send(at(20), &[2; 400], SendFlags::END_OF_RECORD).unwrap();
    connection.write(at(20), &[3; 2000]).unwrap();
    assert_eq!(leaves(&mut connection, 20).len(), 10);
    acknowledge(&mut connection, 30, 11_001);
    assert_eq!(
        leaves(&mut connection, 30),
        ["[P.] 11001:11801", "[P.] 11801:12201", "[.] 12201:13201", "[P.] 13201:14201"]
    );
}

#[test]
fn a_low_water_mark_bounds_what_is_unsent() {
    let mut connection = small_peer(Settings { unsent_low_water: Some(4000), ..plain() });
    assert_eq!(connection.write(at(20), &[1; 59_000]), Ok(26_000), "a piece once begun is filled");
    assert_eq!(leaves(&mut connection, 20).len(), 10);
    assert_eq!(connection.write(at(21), &[1; 59_000]), Err(Error::WouldBlock));
    for (millis, ack) in [(30, 3001), (40, 5001), (50, 7001)] {
        assert!(!connection.is_writable());
        acknowledge(&mut connection, millis, ack);
        leaves(&mut connection, millis);
    }
    assert!(!connection.is_writable());
    acknowledge(&mut connection, 60, 9001);
    leaves(&mut connection, 60);
    assert!(connection.is_writable(), "less than half is unsent");
    assert!(connection.write(at(61), &[1; 100]).is_ok());
}
