//! Bytes by the gigabyte, and their SHA-256.

use crate::ends::{Connection, Family, Side, World, setting};
use sha2::{Digest, Sha256};
use sockeye::Conditions;
use std::thread;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

pub(crate) fn v4(world: &World) {
    each_way(world, &[Family::V4], setting("SOCKEYE_TRANSFER_MIB", 1024) * MIB);
}

pub(crate) fn v6(world: &World) {
    each_way(world, &[Family::V6], setting("SOCKEYE_TRANSFER_MIB", 1024) * MIB);
}

pub(crate) fn smaller(world: &World) {
    each_way(world, &Family::BOTH, setting("SOCKEYE_TRANSFER_MIB", 1024) * MIB / 4);
}

fn each_way(world: &World, families: &[Family], size: u64) {
    for family in families {
        for server in Side::BOTH {
            for sender in Side::BOTH {
                let (from_server, from_client) = world.pair(server, *family);
                let (source, sink) =
                    if sender == server { (from_server, from_client) } else { (from_client, from_server) };
                let start = Instant::now();
                transfer(source, sink, size);
                let seconds = start.elapsed().as_secs_f64();
                let gigabits = size as f64 * 8.0 / seconds / 1e9;
                println!(
                    "{family:?}, server {server:?}, sender {sender:?}: {size} bytes, {gigabits:.2} Gbit/s"
                );
            }
        }
    }
}

pub(crate) fn through_a_bad_cable() {
    let conditions =
        Conditions { loss: "1%".parse().unwrap(), delay: Duration::from_millis(20), ..Conditions::default() };
    let world = World::behind_a_cable(conditions);
    let size = setting("SOCKEYE_LOSSY_KIB", 16_384) << 10;
    let connections = setting("SOCKEYE_LOSSY_CONNECTIONS", 16);
    // All at once: they wait for the cable, not for the processor.
    thread::scope(|scope| {
        for family in Family::BOTH {
            for server in Side::BOTH {
                for (sender, _) in
                    Side::BOTH.into_iter().flat_map(|sender| (0..connections).map(move |n| (sender, n)))
                {
                    let world = &world;
                    scope.spawn(move || {
                        let (from_server, from_client) = world.pair(server, family);
                        let (source, sink) = if sender == server {
                            (from_server, from_client)
                        } else {
                            (from_client, from_server)
                        };
                        let start = Instant::now();
                        transfer(source, sink, size);
                        let seconds = start.elapsed().as_secs_f64();
                        println!(
                            "{family:?}, server {server:?}, sender {sender:?}: {size} bytes in {seconds:.1} s"
                        );
                    });
                }
            }
        }
    });
}

/// Sends `size` bytes from `source` to `sink`; both ends must have the same hash of them.
pub(crate) fn transfer(mut source: Box<dyn Connection>, mut sink: Box<dyn Connection>, size: u64) {
    let sending = thread::spawn(move || {
        let mut hash = Sha256::new();
        let mut block = vec![0; 256 << 10];
        let mut state = 0x9e37_79b9_7f4a_7c15 ^ size;
        let mut left = size;
        while left > 0 {
            fill(&mut block, &mut state);
            let length = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            hash.update(&block[..length]);
            source.write_all(&block[..length]).unwrap();
            left -= length as u64;
        }
        source.end_writing();
        // The other direction has ended too when this returns.
        assert_eq!(source.read(&mut [0; 1]).unwrap(), 0);
        hash.finalize()
    });
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut received = 0;
    loop {
        match sink.read(&mut buffer).unwrap() {
            0 => break,
            length => {
                hash.update(&buffer[..length]);
                received += length as u64;
            }
        }
    }
    drop(sink);
    assert_eq!(received, size);
    assert_eq!(hash.finalize(), sending.join().unwrap(), "the bytes differ");
}

/// Bytes that do not repeat (xorshift64).
fn fill(block: &mut [u8], state: &mut u64) {
    for word in block.chunks_exact_mut(8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        word.copy_from_slice(&state.to_ne_bytes());
    }
}
