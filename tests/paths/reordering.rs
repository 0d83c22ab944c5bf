//! What reordering costs where nothing is lost but by what the sender itself does.

use super::bottleneck::{Path, World, goodputs};
use super::{Bbr, CongestionName, Cubic};
use sockeye_core::time::Duration;

/// Goodput over 100 round-trip times, 10 s at least, from the start.
fn goodput(congestion: CongestionName, path: Path) -> f64 {
    goodputs(&[congestion], path, 0, (path.rtt / 10).max(10))[0]
}

#[test]
fn reordering_costs_no_more_than_a_tenth() {
    for (mbit, rtt) in [(100, 10), (10, 50), (100, 50), (10, 200), (100, 200)] {
        let ordered = Path { mbit, rtt, ..Path::default() };
        let before = goodput(Cubic, ordered);
        for reorder in [0.01, 0.05] {
            let after = goodput(Cubic, Path { reorder, ..ordered });
            assert!(
                after >= 0.9 * before,
                "{mbit} Mbit/s, {rtt} ms, {reorder}: {after:.1} of {before:.1} Mbit/s"
            );
        }
    }
}

#[test]
fn hardly_anything_is_sent_again_for_nothing() {
    for congestion in [Cubic, Bbr] {
        let path = Path { queue: 4.0, reorder: 0.05, ..Path::default() };
        let mut world = World::new(&[congestion], path, 7);
        world.run(Duration::from_secs(10));
        let info = world.info(0);
        println!("{congestion}: {} D-SACKs, {} again", info.duplicates, info.total_retransmits);
        assert!(info.duplicates <= 20, "{congestion}: {} D-SACKs", info.duplicates);
    }
}
