//! Whatever the pipe does, the bytes arrive exactly once and in order, both ends close, and nothing is left.

use super::pipe::{Conditions, End, Pipe};
use super::*;

/// What one end sends and has received.
#[derive(Default)]
struct Application {
    written: usize,
    read: Vec<u8>,
    has_shut: bool,
    has_ended: bool,
}

fn byte(end: usize, place: usize) -> u8 {
    (place.wrapping_mul(2_654_435_761) >> 7) as u8 ^ end as u8
}

/// Transfers `lengths` both ways. Reads and writes come in pieces of random size.
pub(super) fn transfer(pipe: &mut Pipe, lengths: [usize; 2]) {
    let start = pipe.now;
    let mut applications = [Application::default(), Application::default()];
    let mut chunk = vec![0; 16_384];
    for round in 0.. {
        assert!(round < 400_000, "no end of it");
        for end in 0..2 {
            let (most, least) = (pipe.random(8000) as usize + 1, pipe.random(4) > 0);
            let now = pipe.now;
            let Some(connection) = pipe.ends[end].connection() else { continue };
            let application = &mut applications[end];
            assert_eq!(connection.take_error(), None, "end {end} at {now}");
            while application.written < lengths[end] {
                let piece = most.min(lengths[end] - application.written);
                let bytes: Vec<u8> = (0..piece).map(|i| byte(end, application.written + i)).collect();
                match connection.write(now, &bytes) {
                    Ok(count) => application.written += count,
                    Err(crate::error::Error::WouldBlock) => break,
                    Err(error) => panic!("end {end}: {error}"),
                }
            }
            let is_open = !matches!(connection.state(), State::SynSent | State::SynReceived);
            if application.written == lengths[end] && !application.has_shut && is_open {
                application.has_shut = true;
                connection.shutdown_write(now);
            }
            while least && !application.has_ended {
                let limit = most.min(chunk.len());
                match connection.read(now, &mut chunk[..limit]) {
                    Ok(0) => application.has_ended = true,
                    Ok(count) => application.read.extend_from_slice(&chunk[..count]),
                    Err(crate::error::Error::WouldBlock) => break,
                    Err(error) => panic!("end {end}: {error}"),
                }
            }
        }
        if applications.iter().all(|application| application.has_ended && application.has_shut) {
            break;
        }
        let before = pipe.now;
        // Somebody who does not read at once comes back soon.
        if !pipe.step(before + ms(20)) {
            pipe.now = before + ms(20);
        }
        assert!(pipe.now.since(start) < Duration::from_secs(40_000), "too long");
    }
    for (end, application) in applications.iter().enumerate() {
        let other = 1 - end;
        assert_eq!(application.read.len(), lengths[other], "end {end}");
        assert!(application.read.iter().enumerate().all(|(place, value)| *value == byte(other, place)));
    }
    // Both ends close; then nothing is left, in whichever order the last segments came.
    for end in 0..2 {
        let now = pipe.now;
        if let Some(connection) = pipe.ends[end].connection() {
            connection.close(now);
        }
    }
    pipe.run(Duration::from_secs(20_000));
    for end in 0..2 {
        let End::Gone(connection) = &pipe.ends[end] else { panic!("end {end} is {:?}", pipe.ends[end]) };
        assert_eq!((connection.state(), connection.poll_timeout()), (connection.state(), None));
        assert!(!connection.has_transmit());
        assert_eq!(connection.send_queue() + connection.receive_queue(), 0);
    }
}

fn small() -> Settings {
    Settings {
        send_buffer: 9000,
        receive_buffer: 10_000,
        receive_tuning: Tuning::Fixed,
        ..Settings::default()
    }
}

/// Settings by the digits of the seed.
fn settings(seed: u64) -> Settings {
    Settings {
        sack: seed & 1 == 0,
        timestamps: seed & 2 == 0,
        window_scaling: seed & 4 == 0,
        nagle: seed & 8 == 0,
        congestion: if seed & 16 == 0 { CongestionName::Cubic } else { CongestionName::Reno },
        // On a pipe that loses half of all round trips even Linux's 15 retries are used up now and then.
        retries: 100,
        orphan_retries: 100,
        syn_retries: 30,
        syn_ack_retries: 30,
        max_segment: (seed.is_multiple_of(7)).then_some(100),
        ..if seed.is_multiple_of(3) { small() } else { Settings::default() }
    }
}

fn hostile(seed: u64, length: usize) {
    let conditions = Conditions {
        loss: (seed * 7 % 31) as u32,
        duplicate: (seed % 11) as u32,
        reorder: (seed % 23) as u32,
        delay: seed % 97,
    };
    let outcome = std::panic::catch_unwind(|| {
        let mut pipe = Pipe::new(seed, [settings(seed / 3), settings(seed)], conditions);
        if seed.is_multiple_of(5) {
            pipe.largest = 40_000;
        }
        transfer(&mut pipe, [length, length / 3]);
    });
    if let Err(cause) = outcome {
        println!("seed {seed} failed, {conditions:?}");
        std::panic::resume_unwind(cause);
    }
}

#[test]
fn a_perfect_pipe_carries_bytes_both_ways_and_both_ends_close() {
    let mut pipe = Pipe::new(
        1,
        [Settings::default(), Settings::default()],
        Conditions { delay: 10, ..Default::default() },
    );
    transfer(&mut pipe, [3_000_000, 1_000_000]);
    for end in 0..2 {
        assert_eq!(pipe.ends[end].connection().unwrap().info().total_retransmits, 0);
    }
}

#[test]
fn two_thousand_hostile_seeds() {
    for seed in 0..2000 {
        hostile(seed, 20_000);
    }
}

#[test]
fn longer_transfers_over_hostile_pipes() {
    for seed in 10_000..10_020 {
        hostile(seed, 150_000);
    }
}
