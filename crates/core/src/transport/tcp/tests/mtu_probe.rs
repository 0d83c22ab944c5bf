//! The path MTU found by trying: when probes leave, what their fate means, and black holes.

use super::pipe::{Conditions, Pipe};
use super::*;

/// Numbers and lengths of what leaves now.
fn segments(connection: &mut Connection, now: Instant, largest: usize) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    while let Some(out) = connection.poll_transmit(now, largest) {
        let size = out.segment_size.map_or(out.segment.length.max(1), u32::from);
        let start = out.segment.seq.0;
        let count = out.segment.length.div_ceil(size).max(1);
        all.extend((0..count).map(|n| (start + n * size, size.min(out.segment.length - n * size))));
    }
    check(connection);
    all
}

/// A passive end on a path of 600 bytes, with a peer that takes 1,460 and an initial window of eleven segments.
fn served(probing: MtuProbing) -> Connection {
    let settings = Settings { mtu_probing: probing, mtu_base: 512, initial_window: 11, ..plain() };
    let opening = Opening { path_mss: 600, ..opening(1000) };
    let mut syn = from_peer(Flags::SYN, 5000, 0);
    syn.options.mss = Some(1460);
    let mut handshake = Handshake::on_syn(at(0), ends(), &syn, opening, &settings);
    let ack = from_peer(Flags::ACK, 5001, 1001);
    assert_eq!(handshake.on_segment(at(10), &ack), HandshakeStep::Complete);
    Connection::accepted(at(10), &handshake, &ack, &settings)
}

fn acknowledge(connection: &mut Connection, now: Instant, ack: u32) {
    connection.on_segment(now, &from_peer(Flags::ACK, 5001, ack), &[]).unwrap();
    check(connection);
}

#[test]
fn the_middle_between_what_works_and_what_may_is_tried_first() {
    let mut connection = served(MtuProbing::Always);
    connection.write(at(100), &[0; 4000]).unwrap();
    connection.on_path_mss(at(100), 1460); // the path grows: the burst goes on as it was cut before
    let sent = segments(&mut connection, at(100), 65_000);
    let lengths: Vec<_> = sent.iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths, [986, 600, 600, 600, 600, 600, 14], "{sent:?}");
    acknowledge(&mut connection, at(110), 5001);
    connection.write(at(200), &[0; 2000]).unwrap();
    assert_eq!(segments(&mut connection, at(200), 0), [(5001, 986), (5987, 986), (6973, 28)]);
    acknowledge(&mut connection, at(210), 7001);
    // The next middle, when the window has grown: (1460 + 986) / 2.
    let mut longest = 0;
    for round in 3..20 {
        connection.write(at(100 * round), &[0; 20_000]).unwrap();
        let sent = segments(&mut connection, at(100 * round), 0);
        longest = sent.iter().map(|(_, length)| *length).max().unwrap();
        let end = connection.info().snd_nxt.0;
        acknowledge(&mut connection, at(100 * round + 10), end);
        if longest > 986 {
            break;
        }
    }
    assert_eq!((longest, connection.info().snd_mss), (1223, 1223));
}

#[test]
fn no_probe_leaves_where_its_loss_would_cost_too_much() {
    // Not asked for.
    let mut connection = served(MtuProbing::BlackHole);
    connection.on_path_mss(at(100), 1460);
    connection.write(at(100), &[0; 4000]).unwrap();
    let longest = |sent: &[(u32, u32)]| sent.iter().map(|(_, length)| *length).max();
    assert_eq!(longest(&segments(&mut connection, at(100), 0)), Some(1460));
    // Too little data to follow it.
    let mut connection = served(MtuProbing::Always);
    connection.write(at(100), &[0; 3385]).unwrap();
    connection.on_path_mss(at(100), 1460);
    assert_eq!(longest(&segments(&mut connection, at(100), 0)), Some(600));
    // One at a time.
    let mut connection = served(MtuProbing::Always);
    connection.write(at(100), &[0; 40_000]).unwrap();
    connection.on_path_mss(at(100), 1460);
    let sent = segments(&mut connection, at(100), 0);
    assert_eq!(sent.iter().filter(|(_, length)| *length > 600).count(), 1, "{sent:?}");
}

#[test]
fn a_lost_probe_is_no_congestion() {
    let mut connection = served(MtuProbing::Always);
    connection.write(at(100), &[0; 5500]).unwrap();
    connection.on_path_mss(at(100), 1460);
    let sent = segments(&mut connection, at(100), 0);
    assert_eq!((sent[0], sent.len()), ((1001, 986), 9), "{sent:?}");
    let before = connection.info();
    for _ in 0..3 {
        acknowledge(&mut connection, at(110), 1001);
    }
    let again = segments(&mut connection, at(110), 0);
    assert_eq!(again[0], (1001, 600), "{again:?}");
    let after = connection.info();
    assert_eq!((after.ssthresh, after.snd_mss), (before.ssthresh, 600));
    assert!(after.cwnd >= before.cwnd, "{before:?} {after:?}");
    acknowledge(&mut connection, at(120), 6501);
    connection.write(at(130), &[0; 600]).unwrap();
    assert_eq!(segments(&mut connection, at(130), 0), [(6501, 600)]);
    acknowledge(&mut connection, at(140), 7101);
    // Nothing as large is tried again: (985 + 512) / 2.
    connection.write(at(200), &[0; 9000]).unwrap();
    let sent = segments(&mut connection, at(200), 0);
    assert_eq!(sent[0].1, 748, "{sent:?}");
}

/// How a transfer of 300 KB ends over a path that swallows segments of more than `CARRIED` bytes in silence.
fn swallowed(probing: MtuProbing, rule: fn(usize, &Segment) -> bool) -> (usize, TcpInfo, Instant) {
    let settings = Settings { mtu_probing: probing, mtu_floor: 48, ..Settings::default() };
    let conditions = Conditions { delay: 10, ..Conditions::default() };
    let mut pipe = Pipe::new(3, [settings.clone(), settings], conditions);
    pipe.rule = rule;
    pipe.run(ms(100));
    let (data, mut got, mut written) = (vec![7; 300_000], 0, 0);
    let mut buffer = vec![0; 65_536];
    for _ in 0..9000 {
        let now = pipe.now;
        while let Ok(count) = pipe.client().write(now, &data[written..]) {
            written += count;
            if written == data.len() {
                break;
            }
        }
        while let Ok(count @ 1..) = pipe.server().read(now, &mut buffer) {
            got += count;
        }
        if got == data.len() {
            break;
        }
        pipe.run(ms(20));
    }
    let now = pipe.now;
    (got, pipe.client().info(), now)
}

/// 1,300 bytes of options and payload get through.
fn swallows(_: usize, segment: &Segment) -> bool {
    segment.length as usize + segment.options.len() > 1300
}

/// 200 bytes do.
fn swallows_nearly_all(_: usize, segment: &Segment) -> bool {
    segment.length as usize + segment.options.len() > 200
}

#[test]
fn a_black_hole_is_found_and_passed() {
    let (got, info, _) = swallowed(MtuProbing::Off, swallows);
    assert_eq!(got, 0, "without the search nothing ever arrives: {info:?}");
    let (got, info, now) = swallowed(MtuProbing::BlackHole, swallows);
    assert_eq!(got, 300_000, "{info:?}");
    assert!(now < Instant::from_secs(15), "{now}");
    assert!((1024..=1288).contains(&info.snd_mss), "{info:?}");
    let (got, info, _) = swallowed(MtuProbing::BlackHole, swallows_nearly_all);
    assert_eq!(got, 300_000, "halved until it fits: {info:?}");
    assert!((48..=188).contains(&info.snd_mss), "{info:?}");
}

#[test]
fn the_search_finds_what_the_path_carries() {
    let (got, info, now) = swallowed(MtuProbing::Always, swallows);
    assert_eq!(got, 300_000, "{info:?}");
    assert!(now < Instant::from_secs(5), "no time-out has to come first: {now}");
    assert!((1288 - 8..=1288).contains(&info.snd_mss), "{info:?}");
}

#[test]
fn the_search_begins_anew_after_some_time() {
    let mut connection = served(MtuProbing::Always);
    connection.on_path_mss(at(100), 604); // within what is not worth a probe of the 600 in use
    connection.sender.mtu_search.as_mut().unwrap().narrow(600);
    connection.on_path_mss(at(100), 1460);
    for (now, expected) in [(at(200), 600), (at(600_010), 1030)] {
        connection.write(now, &[0; 6000]).unwrap();
        let sent = segments(&mut connection, now, 0);
        assert_eq!(sent[0].1, expected, "{sent:?}");
        let end = connection.info().snd_nxt.0;
        acknowledge(&mut connection, now, end);
    }
}
