//! The window round by round.

use super::*;

/// `rounds` windows' worth of acknowledgements, one segment each, a round trip apart.
fn rounds(congestion: &mut Congestion, now: &mut Instant, rtt: Duration, rounds: usize) -> Vec<u32> {
    (0..rounds)
        .map(|_| {
            *now += rtt;
            let mss = congestion.window.mss;
            for _ in 0..congestion.cwnd() / mss {
                congestion.on_ack(*now, Acked { bytes: mss, rtt });
            }
            congestion.cwnd() / mss
        })
        .collect()
}

#[test]
fn slow_start_doubles_and_reno_adds_one_segment_a_round() {
    let mut congestion = Congestion::new(CongestionName::Reno, 1000);
    let mut now = Instant::ZERO;
    let rtt = Duration::from_millis(100);
    assert_eq!(congestion.cwnd(), 10_000);
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 3), [20, 40, 80]);
    congestion.on_loss(80_000);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (40_000, 40_000));
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 5), [41, 42, 43, 44, 45]);
    congestion.on_timeout(45_000, Timeout::First);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (1000, 22_500));
    congestion.on_timeout(1000, Timeout::Again);
    assert_eq!(congestion.ssthresh(), 22_500);
    assert_eq!(rounds(&mut congestion, &mut now, rtt, 7), [2, 4, 8, 16, 22, 23, 24]);
}

#[test]
fn cubic_is_concave_up_to_the_old_window_and_convex_beyond() {
    let mut congestion = Congestion::new(CongestionName::Cubic, 1000);
    congestion.window.cwnd = 400_000;
    congestion.on_loss(400_000);
    assert_eq!(congestion.cwnd(), 280_000);
    let mut now = Instant::ZERO;
    // K = cbrt(120 / 0.4) = 6.69 s: 67 rounds of 100 ms.
    let curve = rounds(&mut congestion, &mut now, Duration::from_millis(100), 120);
    let steps: Vec<i64> = curve.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0])).collect();
    assert!(curve[63] < 400 && curve[70] >= 399, "{curve:?}");
    assert!(steps[..5].iter().sum::<i64>() > 5 * steps[60..70].iter().sum::<i64>().max(1), "{steps:?}");
    assert!(steps[110..].iter().sum::<i64>() > steps[60..70].iter().sum::<i64>(), "{steps:?}");
}

#[test]
fn cubic_is_at_least_reno_on_a_short_path() {
    let mut cubic = Congestion::new(CongestionName::Cubic, 1000);
    cubic.window.cwnd = 20_000;
    cubic.on_loss(20_000);
    let mut now = Instant::ZERO;
    let curve = rounds(&mut cubic, &mut now, Duration::from_millis(1), 40);
    // 14 segments after the loss; 9/17 a round up to 20, then one a round.
    assert!(curve[39] >= 40, "{curve:?}");
}

#[test]
fn an_idle_time_shrinks_the_window_to_the_initial_one_and_no_further() {
    let mut congestion = Congestion::new(CongestionName::Cubic, 1000);
    congestion.window.cwnd = 160_000;
    let rto = Duration::from_millis(200);
    congestion.on_idle(Duration::from_millis(500), rto);
    assert_eq!((congestion.cwnd(), congestion.ssthresh()), (40_000, u32::MAX));
    congestion.on_idle(Duration::from_secs(50), rto);
    assert_eq!(congestion.cwnd(), 10_000);
}
