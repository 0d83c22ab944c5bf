//! The window round by round.

use super::*;

fn of(name: CongestionName) -> Congestion {
    let settings = Settings { congestion: name, ..Settings::default() };
    Congestion::new(&settings, 1000, 7)
}

/// The window is full.
fn fill(congestion: &mut Congestion, now: Instant) {
    let nxt = SeqNumber(congestion.cwnd());
    congestion.on_sent(now, Sent { una: SeqNumber(0), nxt, is_full: true });
}

/// A loss, and a recovery that ends at once.
fn lose(congestion: &mut Congestion) {
    congestion.on_loss(congestion.cwnd());
    congestion.set_cwnd(congestion.ssthresh());
}

/// `rounds` windows' worth of acknowledgements, one segment each, a round trip apart.
fn rounds(congestion: &mut Congestion, now: &mut Instant, rtt: Duration, rounds: usize) -> Vec<u32> {
    (0..rounds)
        .map(|_| {
            *now += rtt;
            let mss = congestion.window.mss;
            fill(congestion, *now);
            for _ in 0..congestion.cwnd() / mss {
                congestion.on_ack(*now, Acked { bytes: mss });
            }
            congestion.cwnd() / mss
        })
        .collect()
}

#[test]
fn slow_start_doubles_and_reno_adds_one_segment_a_round() {
    let mut congestion = of(CongestionName::Reno);
    let mut now = Instant::ZERO;
    let rtt = Duration::from_millis(100);
    assert_eq!(congestion.cwnd(), 10_000);
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 3), [20, 40, 80]);
    lose(&mut congestion);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (40_000, 40_000));
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 5), [41, 42, 43, 44, 45]);
    congestion.on_timeout(0, Timeout::First);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (1000, 22_000));
    congestion.on_timeout(0, Timeout::Again);
    assert_eq!(congestion.ssthresh(), 22_000);
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 7), [2, 4, 8, 16, 22, 23, 24]);
}

#[test]
fn cubic_is_concave_up_to_the_old_window_and_convex_beyond() {
    let mut congestion = of(CongestionName::Cubic);
    congestion.window.cwnd = 400_000;
    lose(&mut congestion);
    assert_eq!(congestion.cwnd(), 280_000);
    let mut now = Instant::ZERO;
    // K = cbrt(120 / 0.4) = 6.69 s: 67 rounds of 100 ms.
    let curve = rounds(&mut congestion, &mut now, Duration::from_millis(100), 120);
    let steps: Vec<i64> = curve.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0])).collect();
    assert!(curve[45] < 400 && curve[70] >= 399, "{curve:?}");
    assert!(steps[..5].iter().sum::<i64>() > 5 * steps[60..70].iter().sum::<i64>().max(1), "{steps:?}");
    assert!(steps[110..].iter().sum::<i64>() > steps[60..70].iter().sum::<i64>(), "{steps:?}");
}

#[test]
fn cubic_is_at_least_reno_on_a_short_path() {
    let mut cubic = of(CongestionName::Cubic);
    cubic.window.cwnd = 20_000;
    lose(&mut cubic);
    let mut now = Instant::ZERO;
    let curve = rounds(&mut cubic, &mut now, Duration::from_millis(1), 40);
    // 14 segments after the loss; 9/17 a round up to 20, then one a round.
    assert!(curve[39] >= 40, "{curve:?}");
}

#[test]
fn an_idle_time_shrinks_the_window_to_the_initial_one_and_no_further() {
    let mut congestion = of(CongestionName::Cubic);
    congestion.window.cwnd = 160_000;
    let rto = Duration::from_millis(200);
    congestion.on_idle(Duration::from_millis(500), rto);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (40_000, u32::MAX));
    congestion.on_idle(Duration::from_secs(50), rto);
    assert_eq!(congestion.cwnd(), 10_000);
}

#[test]
fn a_window_that_is_not_used_does_not_grow_and_shrinks_in_time() {
    let mut congestion = of(CongestionName::Cubic);
    let at = Instant::from_secs(1);
    let sent = |nxt| Sent { una: SeqNumber(0), nxt: SeqNumber(nxt), is_full: false };
    // Five of ten segments are not more than half, six are (slow start: up to twice what was used).
    congestion.on_sent(at, sent(5000));
    congestion.on_ack(at, Acked { bytes: 2000 });
    assert_eq!(congestion.cwnd(), 10_000);
    congestion.on_sent(at, sent(6000));
    congestion.on_ack(at, Acked { bytes: 2000 });
    congestion.on_ack(at, Acked { bytes: 2000 });
    assert_eq!((congestion.cwnd(), congestion.reason()), (12_000, CwndReason::SlowStart));

    congestion.window.cwnd = 100_000;
    let rto = Duration::from_millis(300);
    congestion.validate(at + rto / 2, rto);
    assert_eq!(congestion.cwnd(), 100_000);
    let sent = Sent { una: SeqNumber(6000), nxt: SeqNumber(36_000), is_full: false };
    congestion.on_sent(at + rto, sent);
    congestion.validate(at + rto, rto);
    assert_eq!(congestion.cwnd(), 65_000, "halfway to the 30 that were used");
    assert_eq!(congestion.reason(), CwndReason::ApplicationLimited);
}

#[test]
fn undo_brings_back_the_window_and_the_curve() {
    let mut congestion = of(CongestionName::Cubic);
    let mut now = Instant::ZERO;
    let rtt = Duration::from_millis(100);
    congestion.window.cwnd = 100_000;
    lose(&mut congestion);
    let undisturbed = rounds(&mut congestion.clone(), &mut now.clone(), rtt, 30);
    rounds(&mut congestion, &mut now, rtt, 10);
    let (cwnd, ssthresh) = (congestion.cwnd(), congestion.ssthresh());
    lose(&mut congestion);
    assert!(congestion.cwnd() < cwnd);
    congestion.undo(cwnd, ssthresh);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (cwnd, ssthresh));
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 20), undisturbed[10..]);
}

/// A peer that acknowledges two segments every 100 ms on a path of 100 ms: the bottleneck is 166 kbit/s. The window after
/// each ten acknowledgements.
fn slow_path(exit: SlowStartExit) -> Vec<u32> {
    let settings = Settings { slow_start_exit: exit, ..Settings::default() };
    let mut congestion = Congestion::new(&settings, 1000, 7);
    let rtt = Duration::from_millis(100);
    let (mut una, mut nxt) = (0_u32, 0_u32);
    let mut sent_at = Vec::new();
    let mut now = Instant::from_secs(1);
    let mut windows = Vec::new();
    for turn in 0..60 {
        while nxt < una + congestion.cwnd() {
            nxt += 1000;
            sent_at.push(now);
        }
        fill(&mut congestion, now);
        now += rtt;
        una += 2000;
        let sample = now.since(sent_at[una as usize / 1000 - 2]);
        let trip = RoundTrip { sample, least: rtt, una: SeqNumber(una), nxt: SeqNumber(nxt) };
        congestion.on_round_trip(now, trip);
        congestion.on_ack(now, Acked { bytes: 2000 });
        if turn % 10 == 9 {
            windows.push(congestion.cwnd() / 1000);
        }
    }
    windows
}

#[test]
fn slow_start_ends_before_the_queue_overflows() {
    assert_eq!(slow_path(SlowStartExit::Loss), [30, 50, 70, 90, 110, 130]);
    // Careful when eight samples of the second round are in, and out of slow start as soon as the round trips have grown
    // further: then by the curve.
    assert_eq!(slow_path(SlowStartExit::HyStartPlusPlus), [30, 38, 39, 40, 42, 48]);
    // As tests for Linux have it: out at 48, then by a twentieth a round at first, then by the curve.
    assert_eq!(slow_path(SlowStartExit::HyStart), [30, 48, 49, 50, 52, 58]);
}
