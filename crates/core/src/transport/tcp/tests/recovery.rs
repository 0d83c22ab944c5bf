//! The congestion window round by round, and what losses cost.

use core::fmt::Write;

use super::pipe::{Conditions, Pipe};
use super::*;

/// A bulk transfer over a path of 100 ms, the window after each round trip.
fn rounds(settings: Settings, rule: fn(usize, &Segment) -> bool, rounds: usize) -> String {
    let settings =
        Settings { send_buffer: 1 << 24, receive_buffer: 1 << 24, receive_buffer_max: 1 << 24, ..settings };
    let mut pipe =
        Pipe::new(0, [settings.clone(), settings], Conditions { delay: 50, ..Conditions::default() });
    pipe.rule = rule;
    pipe.run(ms(151));
    let mut text = String::new();
    let mut buffer = vec![0; 1 << 20];
    for round in 0..rounds {
        // A hundred steps a round: reader and writer keep up with the path.
        for _ in 0..50 {
            let now = pipe.now;
            while pipe.client().write(now, &buffer[..100_000]).is_ok() {}
            while matches!(pipe.server().read(now, &mut buffer), Ok(1..)) {}
            pipe.run(ms(2));
        }
        let info = pipe.client().info();
        let mss = usize::from(info.snd_mss);
        let ssthresh =
            if info.ssthresh == usize::MAX { "-".into() } else { (info.ssthresh / mss).to_string() };
        let (cwnd, resent) = (info.cwnd / mss, info.total_retransmits);
        writeln!(
            text,
            "{round:>3} cwnd {cwnd:>5} ssthresh {ssthresh:>5} {:?} resent {resent}",
            info.recovering
        )
        .unwrap();
    }
    text
}

/// Loses one segment in the 7th round or so, and a run of three later on.
fn two_accidents(_: usize, segment: &Segment) -> bool {
    thread_local!(static SEEN: core::cell::Cell<u32> = const { core::cell::Cell::new(0) });
    if segment.length == 0 {
        return false;
    }
    let seen = SEEN.get();
    SEEN.set(seen + 1);
    matches!(seen, 700 | 4000..=4002)
}

#[test]
fn reno_window_by_round() {
    let settings = Settings { congestion: CongestionName::Reno, ..Settings::default() };
    insta::assert_snapshot!("reno", rounds(settings, two_accidents, 40));
}

#[test]
fn cubic_window_by_round() {
    insta::assert_snapshot!("cubic", rounds(Settings::default(), two_accidents, 60));
}

#[test]
fn newreno_without_sack_recovers_one_hole_a_round_trip() {
    let settings =
        Settings { sack: false, timestamps: false, congestion: CongestionName::Reno, ..Settings::default() };
    insta::assert_snapshot!("newreno", rounds(settings, two_accidents, 40));
}

/// Megabits a second of a bulk transfer of ten seconds at this loss (percent) and delay.
fn goodput(settings: &Settings, loss: u32, delay: u64) -> u64 {
    let settings = Settings {
        send_buffer: 1 << 22,
        receive_buffer: 1 << 22,
        receive_buffer_max: 1 << 22,
        ..settings.clone()
    };
    let mut pipe =
        Pipe::new(9, [settings.clone(), settings], Conditions { loss, delay, ..Conditions::default() });
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    let end = pipe.now + ms(10_000);
    while pipe.now < end {
        let now = pipe.now;
        if let Some(client) = pipe.ends[0].connection() {
            while client.write(now, &buffer[..50_000]).is_ok() {}
        }
        if let Some(server) = pipe.ends[1].connection() {
            while let Ok(count @ 1..) = server.read(now, &mut buffer) {
                total += count as u64;
            }
        }
        if !pipe.step(now + ms(10)) {
            pipe.now = now + ms(10);
        }
    }
    total * 8 / 10_000_000
}

#[test]
fn one_percent_of_loss_does_not_stop_the_flow() {
    // Mathis: 1448 B * 8 / 20 ms * 1.22 / sqrt(0.01) is 7 Mbit/s for Reno; CUBIC at this RTT is Reno-like.
    let sack = goodput(&Settings::default(), 1, 10);
    assert!(sack >= 5, "{sack} Mbit/s");
    let plain = goodput(&Settings { sack: false, ..Settings::default() }, 1, 10);
    assert!(plain >= 4, "{plain} Mbit/s");
}

#[test]
fn a_timeout_begins_again_from_one_segment_and_doubles_its_patience() {
    let mut connection = established(Settings { mtu_probing: MtuProbing::Off, ..plain() });
    connection.write(at(20), &[1; 5000]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 4);
    let mut times = Vec::new();
    for _ in 0..5 {
        let due = loop {
            let due = connection.poll_timeout().unwrap();
            let fired = connection.on_timeout(due);
            if fired.names().any(|name| name == "retransmit") {
                break due;
            }
        };
        times.push(due.as_millis());
        assert_eq!(
            sent(&mut connection, due),
            ["Flags [.], seq 1001:2461, ack 5001, win 64240, length 1460"]
        );
    }
    assert_eq!(times, [230, 650, 1490, 3170, 6530], "an RTO of 210 ms, doubled each time");
    assert_eq!(connection.info().recovering, Recovering::Loss);
    // The acknowledgement of one lets two leave: slow start.
    give(&mut connection, at(6540), 5001, 2461, b"");
    assert_eq!(sent(&mut connection, at(6540)).len(), 2);
    give(&mut connection, at(6550), 5001, 6001, b"");
    // Without SACK it is over only when something newer is acknowledged: duplicates of what was sent again are no news.
    assert_eq!((connection.info().recovering, connection.info().retransmits), (Recovering::Loss, 0));
    connection.write(at(6560), &[1; 1000]).unwrap();
    assert_eq!(sent(&mut connection, at(6560)).len(), 1);
    give(&mut connection, at(6570), 5001, 7001, b"");
    assert_eq!(connection.info().recovering, Recovering::Open);
}

#[test]
fn limited_transmit_sends_new_data_on_the_first_two_duplicates() {
    let mut connection = established(plain());
    connection.write(at(20), &[1; 60_000]).unwrap();
    assert_eq!(sent(&mut connection, at(20)).len(), 10);
    for expected in ["15601:17061", "17061:18521"] {
        give(&mut connection, at(30), 5001, 1001, b"");
        let line = format!("Flags [.], seq {expected}, ack 5001, win 64240, length 1460");
        assert_eq!(sent(&mut connection, at(30)), [line]);
    }
    give(&mut connection, at(30), 5001, 1001, b"");
    let third = sent(&mut connection, at(30));
    assert_eq!(third[0], "Flags [.], seq 1001:2461, ack 5001, win 64240, length 1460");
    assert_eq!(connection.info().recovering, Recovering::Recovery);
}

/// What leaves now through a device that cuts.
fn bursts(connection: &mut Connection, now: Instant) -> Vec<usize> {
    let lengths = core::iter::from_fn(|| connection.poll_transmit(now, 60_000))
        .map(|outgoing| outgoing.length)
        .collect();
    assert!(!connection.has_transmit());
    lengths
}

#[test]
fn bursts_are_two_segments_on_a_slow_path_and_half_a_window_on_a_fast_one() {
    let mut connection = established(plain());
    connection.write(at(20), &[1; 200_000]).unwrap();
    assert_eq!(bursts(&mut connection, at(20)), [2920; 5]);
    give(&mut connection, at(30), 5001, 2461, b"");
    assert_eq!(bursts(&mut connection, at(30)), [2920]);

    let micros = |micros: u64| Instant::from_micros(20_000 + micros);
    let mut connection = connected(plain(), micros(0), micros(50));
    connection.write(micros(50), &[1; 200_000]).unwrap();
    assert_eq!(bursts(&mut connection, micros(60)), [5 * 1460; 2]);
    give(&mut connection, micros(110), 5001, 2461, b"");
    assert_eq!(bursts(&mut connection, micros(110)), [0; 0], "two segments' worth of room is not three");
    give(&mut connection, micros(111), 5001, 3921, b"");
    assert_eq!(bursts(&mut connection, micros(111)), [4 * 1460]);
}

#[test]
fn a_burst_does_not_wait_where_nothing_was_sent_for_a_while() {
    let micros = |micros: u64| Instant::from_micros(20_000 + micros);
    let mut connection = connected(plain(), micros(0), micros(50));
    connection.write(micros(50), &[1; 200_000]).unwrap();
    bursts(&mut connection, micros(60));
    give(&mut connection, micros(1200), 5001, 2461, b"");
    assert_eq!(bursts(&mut connection, micros(1200)), [2920]);
}
