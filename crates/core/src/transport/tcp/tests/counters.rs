//! What is counted, and what a connection is limited by.

use super::*;
use crate::error::Error;

#[test]
fn what_is_sent_and_received_is_counted() {
    let mut connection = established(plain());
    let begun = connection.info().traffic;
    assert_eq!((begun.segments_sent, begun.segments_received), (2, 1), "SYN, SYN-ACK, ACK");
    assert_eq!((begun.bytes_acknowledged, begun.bytes_received), (1, 0));
    connection.write(at(20), &[1; 3000]).unwrap();
    for length in [2920, 80] {
        assert!(connection.poll_transmit(at(20), 65_000).is_some_and(|outgoing| outgoing.length == length));
    }
    assert!(!connection.has_transmit());
    give(&mut connection, at(40), 5001, 2461, b"");
    give(&mut connection, at(50), 5011, 2461, b"later");
    give(&mut connection, at(60), 5001, 2461, b"in between");
    give(&mut connection, at(70), 5001, 2461, b"in between");
    let info = connection.info();
    assert_eq!(
        info.traffic,
        Traffic {
            segments_sent: 2 + 3,
            segments_received: 1 + 4,
            data_segments_sent: 3,
            data_segments_received: 3,
            out_of_order_segments: 1,
            bytes_sent: 3000,
            bytes_retransmitted: 0,
            bytes_acknowledged: 1 + 1460,
            bytes_received: 15,
            last_data_received: at(60),
        }
    );
    assert_eq!((info.last_data_sent, info.last_heard), (at(20), at(70)));
    assert_eq!((info.path_mtu, info.announced_mss), (1500, 1460));
    while connection.info().traffic.bytes_retransmitted == 0 {
        let due = connection.poll_timeout().unwrap();
        connection.on_timeout(due);
        sent(&mut connection, due);
    }
    let traffic = connection.info().traffic;
    assert_eq!(traffic.bytes_sent, 3000 + traffic.bytes_retransmitted);
}

#[test]
fn the_time_limited_by_the_window_and_by_the_buffer_is_told_apart() {
    let mut connection = established(Settings { send_buffer: 3000, send_tuning: Tuning::Fixed, ..plain() });
    let times = |connection: &Connection, now: u64| {
        let limits = connection.info().limits;
        (
            limits.now,
            [limits.busy(at(now)), limits.window(at(now)), limits.buffer(at(now))]
                .map(|time| time.as_millis()),
        )
    };
    assert_eq!(times(&connection, 20), (Limit::Idle, [0, 0, 0]));
    let window = |bytes, ack| Segment { window: bytes, ..from_peer(Flags::ACK, 5001, ack) };
    connection.on_segment(at(20), &window(0, 1001), &[]).unwrap();
    connection.write(at(30), &[1; 1000]).unwrap();
    assert_eq!(times(&connection, 130), (Limit::Window, [100, 100, 0]));
    connection.on_segment(at(150), &window(60_000, 1001), &[]).unwrap();
    assert_eq!(sent(&mut connection, at(150)).len(), 1);
    assert_eq!(times(&connection, 160), (Limit::Busy, [130, 120, 0]));
    connection.on_segment(at(170), &window(60_000, 2001), &[]).unwrap();
    assert_eq!(times(&connection, 500), (Limit::Idle, [140, 120, 0]));
    assert_eq!(connection.write(at(500), &[1; 4380]), Ok(4380), "a piece once begun is filled");
    // Nobody asks again once nothing is left.
    while connection.has_transmit() {
        assert!(connection.poll_transmit(at(500), 0).is_some());
    }
    assert_eq!(connection.write(at(500), &[1; 9000]), Err(Error::WouldBlock));
    assert_eq!(times(&connection, 520), (Limit::Buffer, [160, 120, 20]));
    connection.on_segment(at(530), &window(60_000, 6381), &[]).unwrap();
    assert_eq!(times(&connection, 900), (Limit::Idle, [170, 120, 30]));
}
