//! A queue that marks instead of dropping (RFC 3168), and ends that report the marks (RFC 3168, RFC 9768).

use sockeye_core::lan::{Conditions, Duplex, QueueLimit};
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::CongestionName::{Cubic, Reno};
use sockeye_core::transport::tcp::EcnMode::{Accurate, On};
use sockeye_core::transport::tcp::{CongestionName, EcnMode, TcpInfo};

use super::bottleneck::{Path, World};

/// Ten seconds of one flow over a queue of two paths' worth that marks from a quarter of that on: megabits per second, and
/// what sender and receiver know at the end.
fn marked(congestion: CongestionName, ecn: EcnMode, loss: f64) -> (f64, TcpInfo, TcpInfo) {
    let path = Path { mbit: 50, rtt: 20, queue: 2.0, loss, reorder: 0.0, jitter: 0.0 };
    let conditions = path.conditions();
    let down = Conditions { mark: Some(QueueLimit::Bytes(62_500)), ..conditions.down };
    let mut world = World::over(&[congestion], Duplex { down, ..conditions }, ecn, 7);
    world.mark();
    world.run(Duration::from_secs(10));
    (world.counted()[0] as f64 * 8e-7, world.info(0), world.receiver_info(0))
}

#[test]
fn a_marking_queue_loses_nothing_and_stays_full_enough() {
    for (congestion, ecn) in [(Cubic, On), (Reno, On), (Cubic, Accurate), (Reno, Accurate)] {
        let (goodput, sender, receiver) = marked(congestion, ecn, 0.0);
        assert_eq!((sender.ecn, sender.accurate_ecn), (true, ecn == Accurate));
        assert!(receiver.ecn_seen && sender.delivered_ce > 0, "{congestion} {ecn:?}: {sender:?}");
        assert!(goodput > 38.0, "{congestion} {ecn:?}: {goodput:.1} Mbit/s");
        assert_eq!(sender.total_retransmits, 0, "{congestion} {ecn:?}: marked, not lost");
    }
}

#[test]
fn what_was_marked_is_what_is_reported() {
    for loss in [0.0, 0.001] {
        let (goodput, sender, receiver) = marked(Cubic, Accurate, loss);
        assert!(receiver.received_ce > 20, "{receiver:?}");
        // What the receiver has counted and not said yet is under way.
        let missing = receiver.received_ce - sender.delivered_ce;
        assert!(missing <= 32, "{} marked, {} reported", receiver.received_ce, sender.delivered_ce);
        assert!(goodput > 5.0, "{goodput:.1} Mbit/s");
    }
}
