//! Runs one scenario, so that its instructions can be counted: `sockeye-instructions bulk`. `benches/instructions/check`
//! does that for all of them. What is measured stands in a function that is never inlined, of the scenario's name; what
//! leads up to it does not count.

mod pair;

use std::process::ExitCode;

use pair::{Offload, Pair};
use sockeye_core::socket::{Family, Kind, SocketId};
use sockeye_core::time::Duration;

/// A scenario: its name, and what it does.
type Scenario = (&'static str, fn());

const SCENARIOS: [Scenario; 8] = [
    ("bulk", || bulk(&mut Pair::new(Offload::Off))),
    ("bulk-offload", || bulk_offload(&mut Pair::new(Offload::On))),
    ("bulk-lossy", || {
        let mut pair = Pair::new(Offload::Off);
        pair.lose_every = Some(101);
        bulk_lossy(&mut pair);
    }),
    ("round-trips", || {
        let mut pair = Pair::new(Offload::Off);
        let ends = pair.connect();
        round_trips(&mut pair, ends);
    }),
    ("round-trips-among-many", || {
        let mut pair = Pair::new(Offload::Off);
        let connections: Vec<_> = (0..10_000).map(|_| pair.connect()).collect();
        pair.rest(Duration::from_secs(5));
        round_trips_among_many(&mut pair, &connections);
    }),
    ("connections", || connections(&mut Pair::new(Offload::Off))),
    ("datagrams", || {
        let mut pair = Pair::new(Offload::Off);
        let sockets = [0, 1].map(|host| pair.hosts[host].open(Family::V4, Kind::Datagram).expect("a socket"));
        let at = "10.0.0.2:53".parse().expect("an address");
        pair.hosts[1].bind(pair.now, sockets[1], at).expect("bound");
        datagrams(&mut pair, sockets);
    }),
    ("half-open", || half_open(&mut Pair::new(Offload::Off))),
];

/// 16 MiB in frames of 1,500 bytes, checksums and all.
#[inline(never)]
fn bulk(pair: &mut Pair) {
    let ends = pair.connect();
    pair.transfer(ends, 16 << 20, &mut vec![0; 65_536]);
}

/// 64 MiB in large segments, without checksums.
#[inline(never)]
fn bulk_offload(pair: &mut Pair) {
    let ends = pair.connect();
    pair.transfer(ends, 64 << 20, &mut vec![0; 65_536]);
}

/// 4 MiB of which one frame in a hundred is lost.
#[inline(never)]
fn bulk_lossy(pair: &mut Pair) {
    let ends = pair.connect();
    pair.transfer(ends, 4 << 20, &mut vec![0; 65_536]);
}

/// 10,000 bytes, each answered by one before the next.
#[inline(never)]
fn round_trips(pair: &mut Pair, ends: [SocketId; 2]) {
    for _ in 0..10_000 {
        pair.round_trip(ends);
    }
}

/// The same, each time on another of 10,000 connections.
#[inline(never)]
fn round_trips_among_many(pair: &mut Pair, connections: &[[SocketId; 2]]) {
    for ends in connections {
        pair.round_trip(*ends);
    }
}

/// 2,000 connections one after the other, a byte each way.
#[inline(never)]
fn connections(pair: &mut Pair) {
    for _ in 0..2000 {
        let ends = pair.connect();
        pair.round_trip(ends);
        pair.close(ends);
    }
}

/// 10,000 datagrams of 512 bytes.
#[inline(never)]
fn datagrams(pair: &mut Pair, [near, far]: [SocketId; 2]) {
    let to = "10.0.0.2:53".parse().expect("an address");
    let mut buffer = [0; 512];
    for _ in 0..10_000 {
        pair.hosts[0].send_to(pair.now, near, &[0x5a; 512], Some(to)).expect("room");
        pair.settle();
        pair.hosts[1].receive_from(pair.now, far, &mut buffer).expect("a datagram");
    }
}

/// 2,000 SYNs that nobody follows up.
#[inline(never)]
fn half_open(pair: &mut Pair) {
    for _ in 0..2000 {
        let near = pair.hosts[0].open(Family::V4, Kind::Stream).expect("a socket");
        let _ = pair.hosts[0].connect(pair.now, near, "10.0.0.2:7788".parse().expect("an address"));
        pair.settle();
    }
}

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    match SCENARIOS.iter().find(|(name, _)| Some(*name) == asked.as_deref()) {
        Some((_, run)) => {
            run();
            ExitCode::SUCCESS
        }
        None => {
            for (name, _) in SCENARIOS {
                println!("{name}");
            }
            if asked.is_some() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}
