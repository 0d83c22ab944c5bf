//! How congestion control fills paths: bulk transfers over a shared bottleneck, in virtual time.

mod bottleneck;
mod marks;
mod reordering;
mod slow_start;
mod traced;

use bottleneck::{Path, World, goodputs, goodputs_by, jain};
use sockeye_core::socket::SocketOption;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::CongestionName::{self, Bbr, Cubic, Reno};

/// Megabits per second of one flow, without its first `skip` seconds.
fn alone(congestion: CongestionName, path: Path, skip: u64, seconds: u64) -> f64 {
    goodputs(&[congestion], path, skip, seconds)[0]
}

#[test]
fn one_flow_fills_a_path_with_a_queue_as_long_as_itself() {
    let path = Path { mbit: 100, rtt: 50, queue: 1.0, ..Path::default() };
    for congestion in [Cubic, Reno, Bbr] {
        let goodput = alone(congestion, path, 5, 30);
        assert!(goodput >= 90.0 * 0.949, "{congestion}: {goodput:.1} Mbit/s");
    }
}

#[test]
fn bbr_is_not_stopped_by_random_loss() {
    let path = Path { mbit: 100, rtt: 50, queue: 1.0, loss: 0.01, ..Path::default() };
    let goodput = alone(Bbr, path, 5, 30);
    assert!(goodput >= 80.0 * 0.949, "{goodput:.1} Mbit/s");
}

#[test]
fn a_pacing_rate_is_kept() {
    let path = Path { mbit: 100, rtt: 20, queue: 1.0, ..Path::default() };
    let mut world = World::new(&[Cubic], path, 7);
    world.set_option(0, SocketOption::MaxPacingRate(Some(1_250_000)));
    world.run(Duration::from_secs(1));
    world.mark();
    // Bursts of two segments, spread over time: never more than two of them in a millisecond.
    let mut before = 0;
    for _ in 0..5000 {
        world.run(Duration::from_millis(1));
        let received = world.counted()[0];
        assert!(received - before <= 4 * 1448, "{} bytes at once", received - before);
        before = received;
    }
    let goodput = before as f64 * 8e-6 / 5.0;
    assert!((9.5..=10.05).contains(&goodput), "{goodput:.2} Mbit/s");
    let info = world.info(0);
    assert_eq!(info.pacing_rate, Some(1_250_000));
    assert!((1_150_000..=1_300_000).contains(&info.delivery_rate), "{}", info.delivery_rate);
    world.set_option(0, SocketOption::MaxPacingRate(None));
    world.mark();
    world.run(Duration::from_secs(5));
    let goodput = world.counted()[0] as f64 * 8e-6 / 5.0;
    assert!(goodput >= 80.0, "{goodput:.2} Mbit/s once nothing holds it back");
}

#[test]
fn another_algorithm_takes_over_a_connection() {
    let path = Path { mbit: 50, rtt: 40, queue: 1.0, ..Path::default() };
    let mut world = World::new(&[Cubic], path, 7);
    for congestion in [Cubic, Bbr, Reno, Bbr, Cubic] {
        world.set_option(0, SocketOption::Congestion(congestion));
        world.run(Duration::from_secs(5));
        world.mark();
        world.run(Duration::from_secs(5));
        let goodput = world.counted()[0] as f64 * 8e-6 / 5.0;
        assert_eq!(world.info(0).congestion, congestion);
        assert!(goodput >= 0.85 * 50.0 * 0.949, "{congestion}: {goodput:.1} Mbit/s");
    }
}

#[test]
fn flows_of_a_kind_share_fairly() {
    let path = Path { mbit: 50, rtt: 40, queue: 1.0, ..Path::default() };
    for congestion in [Cubic, Bbr] {
        for flows in [2, 8] {
            // Who is ahead in one minute is chance to a part: the median of three.
            let mut indices = [7, 8, 9].map(|seed| {
                let shares = goodputs_by(seed, &vec![congestion; flows], path, 20, 80);
                let (index, total) = (jain(&shares), shares.iter().sum::<f64>());
                println!("{flows} flows of {congestion}: {index:.3} of {total:.1} Mbit/s: {shares:.1?}");
                assert!(total >= 0.85 * 50.0, "{flows} flows of {congestion}: {total:.1} Mbit/s together");
                index
            });
            indices.sort_by(f64::total_cmp);
            assert!(indices[1] >= 0.95, "{flows} flows of {congestion}: {indices:.3?}");
        }
    }
}
