//! The receive window: what it begins with, how it follows the program, and what bounds it.

use super::pipe::{Conditions, Pipe};
use super::*;
use crate::drop_reason::DropReason;

/// The buffers that packetdrill's scripts are written for.
fn large() -> Settings {
    Settings { receive_buffer: 540_000, receive_buffer_max: 15_728_640, ..Settings::default() }
}

#[test]
fn the_first_window_and_the_scale_are_those_of_linux() {
    let syn = |settings: Settings| {
        let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
        let segment = connection.poll_transmit(at(0), 0).unwrap().segment;
        (segment.window, segment.options.window_scale)
    };
    assert_eq!(syn(Settings::default()), (64_240, Some(10)));
    assert_eq!(syn(large()), (65_535, Some(8)));
    let fixed =
        |receive_buffer| Settings { receive_buffer, receive_tuning: Tuning::Fixed, ..Settings::default() };
    assert_eq!(syn(fixed(40_000)), (18_980, Some(0)), "thirteen whole segments of the half");
    assert_eq!(syn(fixed(2 << 20)), (65_535, Some(5)));
    assert_eq!(syn(fixed(2304)), (1152, Some(0)), "less than a segment");
}

/// A transfer over a path of 100 ms for `rounds` round trips, its reader taking at most `most` bytes every 2 ms: the
/// server's buffer, and the largest window it announced.
fn transfer(settings: Settings, most: usize, rounds: usize) -> (usize, u32) {
    let client = Settings { send_buffer: 1 << 24, ..settings.clone() };
    let mut pipe = Pipe::new(3, [client, settings], Conditions { delay: 50, ..Conditions::default() });
    pipe.run(ms(151));
    let mut largest = 0;
    let mut buffer = vec![0; most];
    for _ in 0..rounds * 50 {
        let now = pipe.now;
        while pipe.client().write(now, &[7; 100_000]).is_ok() {}
        let _ = pipe.server().read(now, &mut buffer);
        largest = largest.max(pipe.server().info().rcv_wnd);
        pipe.run(ms(2));
    }
    (pipe.server().receive_buffer(), largest)
}

#[test]
fn the_window_follows_a_program_that_keeps_up() {
    for settings in [Settings::default(), large(), Settings { timestamps: false, ..Settings::default() }] {
        let (buffer, window) = transfer(settings, 1 << 20, 12);
        assert!(buffer > 4 << 20, "{buffer}");
        assert!(window > 4 << 20, "{window}");
    }
}

#[test]
fn the_window_stays_small_for_a_program_that_does_not() {
    // 200 bytes every 2 ms are 10,000 in a round trip.
    let (buffer, window) = transfer(Settings::default(), 200, 40);
    assert_eq!(buffer, 131_072);
    assert!(window <= 131_072);
}

#[test]
fn the_window_does_not_follow_who_reads_ahead_of_the_program() {
    // The program has taken nothing, or all that was read before.
    for (takes, grows) in [(false, false), (true, true)] {
        let client = Settings { send_buffer: 1 << 24, ..Settings::default() };
        let settings = [client, Settings::default()];
        let mut pipe = Pipe::new(3, settings, Conditions { delay: 50, ..Conditions::default() });
        pipe.run(ms(151));
        let mut buffer = vec![0; 1 << 20];
        let mut ahead = 0;
        for _ in 0..600 {
            let now = pipe.now;
            while pipe.client().write(now, &[7; 100_000]).is_ok() {}
            pipe.server().keep_ahead(if takes { 0 } else { ahead });
            ahead += pipe.server().read(now, &mut buffer).unwrap_or(0);
            pipe.run(ms(2));
        }
        assert_eq!(pipe.server().receive_buffer() > 131_072, grows, "after {ahead} bytes");
    }
}

#[test]
fn a_program_that_fixes_its_buffer_gets_that() {
    let fixed = Settings { receive_buffer: 400_000, receive_tuning: Tuning::Fixed, ..Settings::default() };
    let (buffer, window) = transfer(fixed, 1 << 20, 12);
    assert_eq!(buffer, 400_000);
    assert!((190_000..=200_000 + 1024).contains(&window), "{window}");
    let bounded = Settings { receive_buffer_max: 300_000, ..Settings::default() };
    let (buffer, window) = transfer(bounded, 1 << 20, 12);
    assert_eq!(buffer, 300_000);
    assert!((250_000..=300_000 + 1024).contains(&window), "{window}");
}

#[test]
fn a_clamped_window_stays_below_the_clamp() {
    let clamped = Settings { window_clamp: Some(30_000), ..Settings::default() };
    let (_, window) = transfer(clamped, 1 << 20, 12);
    assert_eq!(window, 29_200, "whole segments");
    let mut connection = established(plain());
    connection.set_settings(at(20), Settings { window_clamp: Some(10_000), ..plain() });
    for place in 0..60 {
        give(&mut connection, at(30), 5001 + place * 1000, 1001, &[9; 1000]);
        connection.read(at(30), &mut [0; 1000]).unwrap();
        sent(&mut connection, at(30));
    }
    assert_eq!(connection.info().rcv_wnd, 10_000, "what was announced before has been used up");
}

#[test]
fn the_window_grows_only_as_the_peer_uses_it() {
    let mut connection = scaled();
    let mut windows = Vec::new();
    for place in 0..3 {
        give(&mut connection, at(20), 5001 + place * 1460, 1001, &[9; 1460]);
        windows.extend(sent(&mut connection, at(20)));
    }
    // Two segments more for each that came, although nothing was read. (The scale is 8.)
    assert_eq!(
        windows,
        [
            "Flags [.], ack 6461, win 268, length 0",
            "Flags [.], ack 7921, win 279, length 0",
            "Flags [.], ack 9381, win 291, length 0",
        ]
    );
    // What carries a dialogue is no reason to open it further.
    let before = connection.receiver.space.threshold();
    give(&mut connection, at(30), 9381, 1001, b"short");
    assert_eq!(connection.receiver.space.threshold(), before);
}

/// An established connection with scaling and no other option.
fn scaled() -> Connection {
    let settings = Settings { timestamps: false, sack: false, ..large() };
    let mut connection = Connection::connect(at(0), ends(), settings, opening(1000));
    sent(&mut connection, at(0));
    let mut syn_ack = from_peer(Flags::SYN | Flags::ACK, 5000, 1001);
    syn_ack.options = Options { mss: Some(1460), window_scale: Some(0), ..Options::default() };
    connection.on_segment(at(10), &syn_ack, &[]).unwrap();
    sent(&mut connection, at(10));
    connection
}

#[test]
fn a_buffer_that_fills_shuts_the_window_with_room_to_spare() {
    let settings = Settings { receive_buffer: 200_000, receive_tuning: Tuning::Fixed, ..plain() };
    let mut connection = established(settings);
    let mut last = String::new();
    for place in 0..200 {
        give(&mut connection, at(20), 5001 + place * 1000, 1001, &[9; 1000]);
        last = sent(&mut connection, at(20)).pop().unwrap_or(last);
    }
    assert!(last.contains("win 0,"), "{last}");
    let waiting = connection.receive_queue();
    assert!((93_000..=100_000).contains(&waiting), "{waiting}");
    // It opens again when the peer can do something with it.
    let mut read = 0;
    while !connection.has_transmit() {
        read += connection.read(at(30), &mut [0; 1000]).unwrap();
    }
    assert!((1000..10_000).contains(&read), "{read}");
}

#[test]
fn what_came_early_is_forgotten_before_what_is_next_is_refused() {
    let mut connection = scaled();
    for place in 0..4 {
        give(&mut connection, at(20), 5001 + place * 1000, 1001, &[1; 1000]);
    }
    let held = connection.memory();
    assert_eq!(held, 4096 + connection.sender.board.capacity());
    give(&mut connection, at(20), 9101, 1001, &[7; 100]);
    connection.set_memory_room(MemoryRoom { is_pressed: true, bytes: 0 });
    let early = Segment { length: 1000, ..from_peer(Flags::ACK, 20_001, 1001) };
    assert_eq!(connection.on_segment(at(21), &early, &[9; 1000]), Err(DropReason::OutOfMemory));
    let next = Segment { length: 5000, ..from_peer(Flags::ACK, 9001, 1001) };
    let before = connection.memory();
    assert_eq!(connection.on_segment(at(21), &next, &[3; 5000]), Ok(()));
    assert_eq!(connection.info().out_of_order, 0, "the peer has to keep it until it is acknowledged");
    assert!(connection.receive_queue() > 4000 && connection.memory() <= before);
    assert!(connection.has_transmit(), "what was cut off is asked for at once");
}

#[test]
fn a_fin_that_came_early_is_still_known_when_memory_was_short() {
    let mut connection = scaled();
    for place in 0..4 {
        give(&mut connection, at(20), 5001 + place * 1000, 1001, &[1; 1000]);
    }
    let fin = from_peer(Flags::ACK | Flags::FIN, 9201, 1001);
    let _ = connection.on_segment(at(20), &fin, &[]);
    assert_eq!(connection.memory(), 4096 + connection.sender.board.capacity(), "a FIN is no byte");
    connection.set_memory_room(MemoryRoom { is_pressed: true, bytes: 0 });
    // It takes more than there is: what came early is forgotten, and only a part of this is taken.
    let next = Segment { length: 200, ..from_peer(Flags::ACK, 9001, 1001) };
    connection.on_segment(at(21), &next, &[3; 200]).unwrap();
    assert_eq!((connection.receive_queue(), connection.state()), (4096, State::Established));
    assert_eq!(connection.read(at(22), &mut [0; 5000]), Ok(4096));
    // The rest comes again, without the FIN even: everything before it is there now.
    give(&mut connection, at(23), 9097, 1001, &[3; 104]);
    assert_eq!((connection.receive_queue(), connection.state()), (104, State::CloseWait));
    let answer = sent(&mut connection, at(23)).pop().unwrap();
    assert!(answer.contains("ack 9202"), "{answer}");
}
