//! What a watcher learns of a sender's recovery.

use sockeye_core::time::Duration;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::CongestionName::Cubic;
use sockeye_core::transport::tcp::{CwndReason, Recovering, RecoveryChange};

use super::bottleneck::{Path, World};

/// All changes in ten seconds of one flow, and how many segments were said to be sent again.
fn changes(loss: f64) -> (Vec<RecoveryChange>, usize) {
    let mut world = World::new(&[Cubic], Path { mbit: 20, rtt: 40, queue: 1.0, loss, ..Path::default() }, 7);
    world.watch(0);
    let (mut changes, mut again) = (Vec::new(), 0);
    for _ in 0..100 {
        world.run(Duration::from_millis(100));
        for trace in world.traces(0) {
            match trace.event {
                TraceEvent::Recovery { change, .. } => changes.push(change),
                TraceEvent::Retransmission { .. } => again += 1,
                _ => {}
            }
        }
    }
    assert_eq!(again as u64, world.info(0).total_retransmits, "as many as TCP_INFO counts");
    (changes, again)
}

#[test]
fn every_phase_and_every_new_reason_of_the_window_is_told_once() {
    let (changes, again) = changes(0.01);
    assert!(again > 20, "{again}");
    assert!(
        changes.iter().any(|change| change.to == Recovering::Recovery && change.reason == CwndReason::Loss)
    );
    // Each begins where the one before ended, and says something that the one before has not said.
    let mut before = (Recovering::Open, CwndReason::Initial);
    for change in &changes {
        assert_eq!(change.from, before.0, "{changes:#?}");
        assert!(change.is_undone || (change.to, change.reason) != before, "{changes:#?}");
        before = (change.to, change.reason);
    }
}

#[test]
fn a_connection_without_losses_tells_only_why_its_window_grows() {
    let (changes, again) = changes(0.0);
    assert!(changes.len() < 20 + again, "{} changes", changes.len());
    let first: Vec<CwndReason> = changes.iter().map(|change| change.reason).take(1).collect();
    assert_eq!(first, [CwndReason::HyStart], "the beginning in slow start is nothing new");
}
