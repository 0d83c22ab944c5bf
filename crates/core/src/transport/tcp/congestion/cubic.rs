//! CUBIC (RFC 9438), in integers and whole segments, as Linux reckons it.

use super::{Acked, CongestionControl, Window};
use crate::time::{Duration, Instant};

/// How seldom the curve is looked at while the window stays the same; half a round trip where that is less.
const UPDATE_INTERVAL: Duration = Duration::from_micros(31_250);
/// Right after a loss the queue is no measure of the path.
const SETTLING: Duration = Duration::from_secs(1);
/// Without a loss to aim at, the window still grows by a segment for so many acknowledged (a twentieth in a round trip).
const MOST_UNAIMED: u32 = 20;
/// A price that is never paid.
const NO_GROWTH: u32 = 100;

/// CUBIC's window: lengths in segments, times in milliseconds.
///
/// With C = 0.4 segments per second cubed the curve is `W(t) = W_max + 0.4 · ((t - K) / 1000)³`.
#[derive(Clone, Debug, Default)]
pub(super) struct Cubic {
    curve: Curve,
    /// As it was before the last loss, should that turn out to be none (section 4.9).
    before: Option<Box<Curve>>,
    /// The shortest round-trip time, in microseconds; zero before the first.
    least_rtt: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Curve {
    /// The window before the last loss, less what fast convergence gave away; zero before the first and after a time-out.
    w_max: u32,
    /// The window before the last loss (cwnd_prior).
    prior: u32,
    epoch: Option<Epoch>,
}

/// One stretch of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// When the curve reaches `origin`, in milliseconds from the start.
    k: i32,
    origin: u32,
    /// What Reno's window would be (W_est).
    estimate: u32,
    /// Bytes acknowledged that have not counted for it yet.
    acked: u32,
    /// When the curve was last looked at, for which window, and what came of it: segments acknowledged for one more.
    looked_at: Instant,
    looked_for: u32,
    price: u32,
}

impl CongestionControl for Cubic {
    fn per_segment(&mut self, now: Instant, window: &Window, acked: Acked) -> u32 {
        let cwnd = window.segments().max(1);
        let Curve { w_max, prior, .. } = self.curve;
        let mut is_new = false;
        let epoch = self.curve.epoch.get_or_insert_with(|| {
            is_new = true;
            Epoch {
                start: now,
                k: time_to_regain(w_max.saturating_sub(cwnd)),
                origin: w_max.max(cwnd),
                estimate: cwnd,
                acked: 0,
                looked_at: now,
                looked_for: cwnd,
                price: NO_GROWTH * cwnd,
            }
        });
        epoch.acked = epoch.acked.saturating_add(acked.bytes);
        let since = now.since(epoch.looked_at);
        let half = Duration::from_micros(u64::from(self.least_rtt / 2));
        if is_new || epoch.looked_for != cwnd || since > UPDATE_INTERVAL.min(half) {
            if is_new || !since.is_zero() {
                epoch.looked_at = now;
                epoch.looked_for = cwnd;
                // One round trip ahead (section 4.4).
                let elapsed = now.since(epoch.start) + Duration::from_micros(self.least_rtt.into());
                let aim = epoch.at(elapsed);
                epoch.price = if aim > cwnd { cwnd / (aim - cwnd) } else { NO_GROWTH * cwnd };
                if w_max == 0 {
                    epoch.price = epoch.price.min(MOST_UNAIMED);
                }
            }
            epoch.befriend(cwnd, prior, window.mss);
            // At most by half in a round trip.
            epoch.price = epoch.price.max(2);
        }
        epoch.price.saturating_mul(window.mss)
    }

    fn threshold(&mut self, window: &Window) -> u32 {
        self.before = Some(Box::new(self.curve));
        let cwnd = window.segments();
        // Section 4.7, fast convergence: a window that shrinks from loss to loss leaves room to others.
        let w_max = if cwnd < self.curve.w_max { cwnd * 17 / 20 } else { cwnd };
        self.curve = Curve { w_max, prior: cwnd, epoch: None };
        // 0.7 of it, by the binary fraction that Linux takes for that.
        (u64::from(cwnd) * 717 / 1024) as u32 * window.mss
    }

    fn on_round_trip(&mut self, now: Instant, sample: Duration) {
        if self.curve.epoch.is_some_and(|epoch| now.since(epoch.start) < SETTLING) {
            return;
        }
        let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).max(1);
        if self.least_rtt == 0 || sample < self.least_rtt {
            self.least_rtt = sample;
        }
    }

    fn on_timeout(&mut self) {
        // Section 4.8: the next stretch begins where slow start ends, with K = 0.
        self.curve.w_max = 0;
        self.curve.epoch = None;
    }

    fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.curve = *before;
        }
    }

    fn on_idle(&mut self, now: Instant, idle: Duration) {
        // Section 5.8: time in which nothing was sent is no time on the curve.
        if let Some(epoch) = &mut self.curve.epoch {
            epoch.start = (epoch.start + idle).min(now);
        }
    }
}

impl Epoch {
    /// The curve `elapsed` after the start, in whole segments.
    fn at(&self, elapsed: Duration) -> u32 {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        // Beyond 500 s the window has long been at its bound.
        let from_k = elapsed.saturating_sub(self.k.into()).clamp(-500_000, 500_000).unsigned_abs();
        let distance = u128::from(from_k).pow(3) * 4 / 10_000_000_000;
        let distance = u32::try_from(distance).unwrap_or(u32::MAX);
        if elapsed < i64::from(self.k) {
            self.origin.saturating_sub(distance)
        } else {
            self.origin.saturating_add(distance)
        }
    }

    /// Section 4.3: no slower than Reno, whose window would grow by alpha = 3 (1 - 0.7) / (1 + 0.7) = 9/17 of a segment a
    /// round trip until it has reached the window before the loss, and by a whole one from then on.
    fn befriend(&mut self, cwnd: u32, prior: u32, mss: u32) {
        let per_segment = if self.estimate < prior { u64::from(cwnd) * 17 / 9 } else { u64::from(cwnd) };
        let per_segment = u32::try_from(per_segment * u64::from(mss)).unwrap_or(u32::MAX).max(1);
        if self.acked > per_segment {
            self.estimate = self.estimate.saturating_add(self.acked / per_segment);
            self.acked %= per_segment;
        }
        if self.estimate > cwnd {
            self.price = self.price.min(cwnd / (self.estimate - cwnd));
        }
    }
}

/// K: how many milliseconds the curve takes from `below` segments under its origin (section 4.2):
/// the cube root of `below / 0.4` seconds cubed.
fn time_to_regain(below: u32) -> i32 {
    cube_root(u64::from(below) * 2_500_000_000).cast_signed()
}

/// The largest integer whose cube is not above `cube`.
fn cube_root(cube: u64) -> u32 {
    let mut root = 0_u64;
    for bit in (0..22).rev() {
        let candidate = root | 1 << bit;
        if candidate.checked_pow(3).is_some_and(|power| power <= cube) {
            root = candidate;
        }
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots() {
        for root in [0, 1, 2, 999, 2_097_151, 2_642_245] {
            let cube = u64::from(root) * u64::from(root) * u64::from(root);
            assert_eq!(cube_root(cube), root);
            assert_eq!(cube_root(cube + 1), root.max(u32::from(cube == 0)));
        }
    }

    #[test]
    fn the_window_is_regained_after_k() {
        // 100 segments lost down to 70: K = cbrt(30 / 0.4) = 4.217 s.
        let mut cubic = Cubic::default();
        let before = Window { cwnd: 100_000, ssthresh: u32::MAX, mss: 1000 };
        assert_eq!(cubic.threshold(&before), 70_000);
        let window = Window { cwnd: 70_000, ssthresh: 70_000, mss: 1000 };
        cubic.per_segment(Instant::from_secs(10), &window, Acked { bytes: 1000 });
        let epoch = cubic.curve.epoch.unwrap();
        assert_eq!(epoch.k, 4217);
        assert_eq!(epoch.at(Duration::from_millis(4217)), 100);
        assert_eq!(epoch.at(Duration::from_millis(7217)), 110);
        assert_eq!(epoch.at(Duration::ZERO), 71, "30 less a fraction below the old window");
    }
}
