//! A small grid in virtual time: throughput, fairness and patience on paths that are lossy, reordering, long and shared.

use sockeye_core::sim::grid::{Cell, Measured, Plan, measure};
use sockeye_core::time::Duration;

fn play(cell: &str, secs: u64) -> Measured {
    let cell: Cell = cell.parse().unwrap();
    let plan = Plan { bulk: Duration::from_secs(secs), ..Plan::default() };
    let measured = measure(&cell, &plan, 1).unwrap();
    println!("{cell}: {:.2} Mbit/s, Jain {:.3}, {:?}", measured.goodput / 1e6, measured.fairness, measured);
    measured
}

#[test]
fn a_clean_path_is_filled() {
    for (cell, floor) in [
        ("rtt=1ms rate=100mbit queue=4", 0.92),
        ("rtt=50ms rate=10mbit queue=1", 0.90),
        ("rtt=50ms rate=100mbit queue=1", 0.85),
        ("rtt=200ms rate=10mbit queue=1", 0.80),
    ] {
        let measured = play(cell, 20);
        let rate = cell.parse::<Cell>().unwrap().rate.bits_per_second() as f64;
        assert!(measured.goodput >= floor * rate, "{cell}: {:.2} Mbit/s", measured.goodput / 1e6);
    }
}

#[test]
fn losses_do_not_stop_a_flow() {
    for (cell, floor) in
        [("loss=1% rtt=10ms rate=10mbit queue=1", 5e6), ("loss=5% rtt=50ms rate=10mbit queue=1", 0.5e6)]
    {
        let measured = play(cell, 20);
        assert!(measured.goodput >= floor, "{cell}: {:.2} Mbit/s", measured.goodput / 1e6);
        // What is sent again is what was lost, give or take a tail.
        let counts = measured.counts;
        assert!(counts.needed <= counts.lost + counts.queue_full, "{counts:?}");
        assert!(counts.needed > 0 && counts.lost > 0, "{counts:?}");
    }
}

#[test]
fn a_path_as_long_as_a_timeout_has_no_spurious_one() {
    for cell in
        ["rtt=180ms rate=10mbit", "rtt=180ms rate=10mbit jitter=10%", "rtt=180ms rate=100mbit queue=4"]
    {
        let counts = play(cell, 20).counts;
        assert_eq!(counts.spurious_timeouts, 0, "{cell}: {counts:?}");
    }
}

#[test]
fn a_fast_path_wastes_nothing_where_a_queue_has_overflowed() {
    // A short queue overflows before slow start can see it grow, and leaves hundreds of holes: what lies between them must not
    // be sent again.
    let counts = play("rtt=50ms rate=1gbit queue=0.25", 2).counts;
    assert!(counts.queue_full > 500, "{counts:?}");
    assert_eq!(counts.spurious, 0, "{counts:?}");
}

#[test]
fn a_short_transfer_whose_end_is_lost_waits_for_no_timeout() {
    // The first window overflows the queue: its last segments are lost, and the FIN with them.
    let cell: Cell = "rtt=1ms rate=10mbit".parse().unwrap();
    let plan = Plan { bulk: Duration::from_millis(1), transfers: vec![(10_000, 1)], ..Plan::default() };
    let took = measure(&cell, &plan, 1).unwrap().completion;
    assert!(took[0].is_some_and(|time| time < Duration::from_millis(100)), "{took:?}");
}

#[test]
fn lost_acknowledgements_slow_nothing_down() {
    for cell in ["rtt=50ms rate=10mbit", "rtt=10ms rate=100mbit"] {
        let whole = play(cell, 20);
        let lossy = play(&format!("{cell} ack-loss=20%"), 20);
        assert!(lossy.goodput >= 0.9 * whole.goodput, "{cell}: {:.2} Mbit/s", lossy.goodput / 1e6);
        assert_eq!(lossy.counts.spurious_timeouts, 0, "{cell}: {:?}", lossy.counts);
    }
}

#[test]
fn reordering_without_loss_costs_little() {
    reorder(&["rtt=10ms rate=10mbit", "rtt=50ms rate=10mbit", "rtt=10ms rate=100mbit"]);
}

#[test]
fn reordering_costs_little_on_a_long_fast_path() {
    reorder(&["rtt=50ms rate=100mbit"]);
}

fn reorder(cells: &[&str]) {
    for cell in cells {
        let straight = play(cell, 10);
        for share in ["1%", "5%"] {
            let mixed = play(&format!("{cell} reorder={share}"), 10);
            assert!(
                mixed.goodput >= 0.9 * straight.goodput,
                "{cell} reorder={share}: {:.2} of {:.2} Mbit/s",
                mixed.goodput / 1e6,
                straight.goodput / 1e6
            );
        }
    }
}

#[test]
fn flows_share_fairly() {
    for (flows, rate, secs) in [(2, "20mbit", 60), (8, "20mbit", 60), (64, "100mbit", 20)] {
        let cell = format!("rtt=20ms rate={rate} flows={flows}");
        let measured = play(&cell, secs);
        assert!(measured.fairness >= 0.95, "{cell}: Jain's index {:.3}", measured.fairness);
        assert!(measured.least >= 0.3, "{cell}: the least flow has {:.2} of the mean", measured.least);
    }
}
