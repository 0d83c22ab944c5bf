//! The send buffer: when a program may write, and how the buffer grows.

use super::pipe::{Conditions, Pipe};
use super::*;
use crate::error::Error;

/// A server whose client has announced a window of 50,000 and segments of 1,000 bytes, no scale, no other option.
fn served(settings: Settings) -> Connection {
    let settings = Settings { timestamps: false, sack: false, window_scaling: false, ..settings };
    let mut syn = from_peer(Flags::SYN, 5000, 0);
    syn.window = 50_000;
    syn.options.mss = Some(1000);
    let mut handshake = Handshake::on_syn(at(0), ends(), &syn, opening(1000), &settings);
    let ack = Segment { window: 50_000, ..from_peer(Flags::ACK, 5001, 1001) };
    assert_eq!(handshake.on_segment(at(100), &ack), HandshakeStep::Complete);
    let mut connection = Connection::accepted(at(100), &handshake, &ack, &settings);
    connection.on_segment(at(100), &ack, &[]).unwrap();
    connection
}

fn acknowledge(connection: &mut Connection, now: u64, ack: u32) {
    let segment = Segment { window: 50_000, ..from_peer(Flags::ACK, 5001, ack) };
    connection.on_segment(at(now), &segment, &[]).unwrap();
}

#[test]
fn a_write_begins_no_piece_in_a_full_buffer_and_goes_on_when_a_third_is_free() {
    // As Linux does in packetdrill's blocking-write.pkt.
    let mut connection =
        served(Settings { send_buffer: 42_000, send_tuning: Tuning::Fixed, ..Settings::default() });
    assert_eq!(connection.write(at(200), &[1; 61_000]), Ok(60_000));
    assert_eq!(connection.write(at(200), &[1; 1000]), Err(Error::WouldBlock));
    sent(&mut connection, at(200));
    for (now, ack, is_writable) in
        [(300, 11_001, false), (400, 31_001, false), (450, 36_001, false), (500, 37_001, true)]
    {
        acknowledge(&mut connection, now, ack);
        sent(&mut connection, at(now));
        assert_eq!(connection.is_writable(), is_writable, "{ack}");
    }
    assert_eq!(connection.write(at(500), &[1; 1000]), Ok(1000));
}

#[test]
fn the_buffer_begins_with_twice_the_initial_window_and_follows_the_congestion_window() {
    let idle = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    assert_eq!(idle.send_buffer(), 16_384);
    assert_eq!(established(Settings::default()).send_buffer(), 87_040, "as Linux: 2 * 10 * 4352");

    let mut pipe = Pipe::new(
        3,
        [Settings::default(), Settings::default()],
        Conditions { delay: 50, ..Conditions::default() },
    );
    pipe.run(ms(151));
    let mut sizes = Vec::new();
    for _ in 0..8 {
        for _ in 0..50 {
            let now = pipe.now;
            while pipe.client().write(now, &[7; 100_000]).is_ok() {}
            while matches!(pipe.server().read(now, &mut [0; 100_000]), Ok(1..)) {}
            pipe.run(ms(2));
        }
        let info = pipe.client().info();
        let size = pipe.client().send_buffer();
        assert!(size >= info.cwnd, "{size} for a window of {}", info.cwnd);
        sizes.push(size);
    }
    assert!(sizes[7] > 1 << 20 && sizes[7] <= 4 << 20, "{sizes:?}");
}

#[test]
fn a_program_that_fixes_its_buffer_keeps_it_and_one_that_is_slow_gets_no_more() {
    let fixed = Settings { send_buffer: 40_000, send_tuning: Tuning::Fixed, ..Settings::default() };
    for (settings, most) in [(fixed, 40_000), (Settings::default(), 87_040)] {
        let is_fixed = settings.send_tuning == Tuning::Fixed;
        let mut pipe =
            Pipe::new(4, [settings, Settings::default()], Conditions { delay: 50, ..Conditions::default() });
        pipe.run(ms(151));
        for _ in 0..200 {
            let now = pipe.now;
            let bytes = if is_fixed { 100_000 } else { 500 };
            let _ = pipe.client().write(now, &vec![7; bytes]);
            while matches!(pipe.server().read(now, &mut [0; 100_000]), Ok(1..)) {}
            assert!(pipe.client().send_queue() <= most + 65_535);
            pipe.run(ms(2));
        }
        assert_eq!(pipe.client().send_buffer(), most);
    }
}

#[test]
fn many_small_writes_fill_the_buffer_no_further_than_one_large_one() {
    let fixed = Settings { send_buffer: 10_000, send_tuning: Tuning::Fixed, ..plain() };
    let mut connection = established(fixed.clone());
    let mut written = 0;
    while connection.write(at(20), b"x").is_ok() {
        written += 1;
        assert!(written < 100_000, "never full");
    }
    let mut other = established(fixed);
    assert!(written <= other.write(at(20), &[1; 100_000]).unwrap());
}
