//! Where slow start ends: late enough to fill the path, early enough not to overflow a queue as long as the path.

use super::Cubic;
use super::bottleneck::{Path, World};
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::TcpInfo;

/// What the sender knows two round trips after slow start has ended, when all that it lost has been seen.
fn after_slow_start(path: Path) -> TcpInfo {
    let mut world = World::new(&[Cubic], path, 7);
    for _ in 0..400 {
        world.run(Duration::from_millis(path.rtt / 5));
        let info = world.info(0);
        if info.ssthresh != usize::MAX {
            world.run(Duration::from_millis(3 * path.rtt));
            return TcpInfo { ssthresh: info.ssthresh, ..world.info(0) };
        }
    }
    panic!("slow start never ends on {path:?}");
}

#[test]
fn slow_start_fills_the_path_and_does_not_overflow_its_queue() {
    for (mbit, rtt) in
        [(100, 10), (1000, 10), (10, 50), (20, 50), (40, 50), (70, 50), (100, 50), (10, 200), (100, 200)]
    {
        let path = Path { mbit, rtt, ..Path::default() };
        let info = after_slow_start(path);
        let capacity = (mbit * rtt * 125) as f64;
        let reached = info.ssthresh as f64 / capacity;
        println!("{mbit} Mbit/s, {rtt} ms: ends with {reached:.2}, {} sent again", info.total_retransmits);
        assert!((0.9..=2.0).contains(&reached), "{path:?}: {reached:.2} of what the path holds");
        assert_eq!(info.total_retransmits, 0, "{path:?}");
    }
}

#[test]
fn slow_start_does_not_end_early_where_round_trips_vary() {
    for (mbit, rtt) in [(100, 50), (100, 200), (10, 200)] {
        for (jitter, reorder) in [(0.1, 0.0), (0.0, 0.01), (0.0, 0.05), (0.1, 0.05)] {
            let path = Path { mbit, rtt, jitter, reorder, queue: 4.0, ..Path::default() };
            let info = after_slow_start(path);
            let reached = info.ssthresh as f64 / (mbit * rtt * 125) as f64;
            println!("{mbit} Mbit/s, {rtt} ms, {jitter}, {reorder}: ends with {reached:.2}");
            assert!(reached >= 0.8, "{path:?}: {reached:.2} of what the path holds");
        }
    }
}
