//! What idle connections cost: `memory 20000` prints resident bytes for each end, of connections that have done nothing, and of the
//! same when each has exchanged a byte and rested.

#[path = "../pair.rs"]
#[allow(dead_code, reason = "the scenarios use more of it")]
mod pair;

use pair::{Offload, Pair};
use sockeye_core::time::Duration;

/// Bytes of this process that are in memory now.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") * 1024.0
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let mut pair = Pair::new(Offload::Off);
    // What a host has once is no connection's.
    pair.connect();
    pair.rest(Duration::from_secs(5));
    let before = resident();
    let each = || (resident() - before) / (2 * count) as f64;
    let ends: Vec<_> = (0..count).map(|_| pair.connect()).collect();
    pair.rest(Duration::from_secs(5));
    println!("{count} connections, idle: {:.0} bytes an end", each());
    for ends in &ends {
        pair.round_trip(*ends);
    }
    pair.rest(Duration::from_secs(5));
    println!("after a byte each way and five seconds: {:.0} bytes an end", each());
}
