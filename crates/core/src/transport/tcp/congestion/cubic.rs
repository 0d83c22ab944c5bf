//! CUBIC (RFC 9438), in integers: the same numbers on every machine.

use super::{Acked, CongestionControl, Window};
use crate::time::{Duration, Instant};

/// CUBIC's window. Lengths are in bytes, times in milliseconds.
///
/// With C = 0.4 segments per second cubed, a window of `w` bytes and segments of `mss` bytes, the curve is
/// `W(t) = W_max + 0.4 · mss · ((t - K) / 1000)³`.
#[derive(Clone, Debug, Default)]
pub(super) struct Cubic {
    /// The window before the last loss, less what fast convergence gave away; zero before the first.
    w_max: u32,
    /// The window before the last loss.
    prior: u32,
    epoch: Option<Epoch>,
    /// What division left over: growth in bytes times the window.
    remainder: u32,
}

/// One stretch of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// When the curve reaches `origin`, in milliseconds from the start.
    k: i32,
    origin: u32,
    /// What Reno's window would be, times 2^10.
    estimate: u64,
}

impl CongestionControl for Cubic {
    fn growth(&mut self, now: Instant, window: &Window, acked: Acked) -> u32 {
        let cwnd = window.cwnd.max(1);
        let w_max = self.w_max;
        let epoch = self.epoch.get_or_insert_with(|| {
            let below = w_max.saturating_sub(cwnd);
            Epoch {
                start: now,
                k: time_to_regain(below, window.mss),
                origin: w_max.max(cwnd),
                estimate: u64::from(cwnd) << 10,
            }
        });
        let elapsed = now.since(epoch.start);
        // Section 4.3: Reno's window, grown by alpha = 3 (1 - 0.7) / (1 + 0.7) = 9/17 of a segment per round trip until it
        // has reached the window before the loss, by a whole one from then on.
        let (numerator, denominator) =
            if epoch.estimate >> 10 < u64::from(self.prior) { (9, 17) } else { (1, 1) };
        let step = (u64::from(acked.bytes) * u64::from(window.mss)) << 10;
        epoch.estimate += step / u64::from(cwnd) * numerator / denominator;
        let estimate = u32::try_from(epoch.estimate >> 10).unwrap_or(u32::MAX);
        if epoch.curve(elapsed, window.mss) < i64::from(estimate) {
            // Section 4.3: the Reno-friendly region.
            return estimate.saturating_sub(cwnd);
        }
        // Sections 4.4 and 4.5: towards where the curve will be one round trip from now.
        let aim =
            epoch.curve(elapsed + acked.rtt, window.mss).clamp(i64::from(cwnd), i64::from(cwnd) * 3 / 2);
        let distance = u64::try_from(aim - i64::from(cwnd)).unwrap_or(0);
        let grown = distance * u64::from(acked.bytes) + u64::from(self.remainder);
        self.remainder = (grown % u64::from(cwnd)) as u32;
        u32::try_from(grown / u64::from(cwnd)).unwrap_or(u32::MAX)
    }

    fn threshold(&mut self, window: &Window, flight: u32) -> u32 {
        // A window that was not used up says nothing about the path (section 4.6): count what was, with some room.
        let used = window.cwnd.min(flight.saturating_add(3 * window.mss));
        // Section 4.7, fast convergence: a window that shrinks from loss to loss leaves room to others.
        self.w_max = if used < self.w_max { used / 20 * 17 } else { used };
        self.prior = used;
        self.restart();
        (u64::from(used) * 7 / 10) as u32
    }

    fn restart(&mut self) {
        self.epoch = None;
        self.remainder = 0;
    }
}

impl Epoch {
    /// The curve `elapsed` after the start, in bytes.
    fn curve(&self, elapsed: Duration, mss: u32) -> i64 {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        // Beyond 500 s the window has long been at its bound.
        let from_k = elapsed.saturating_sub(self.k.into()).clamp(-500_000, 500_000);
        i64::from(self.origin) + from_k * from_k * from_k / 1_000_000 * i64::from(mss) * 4 / 10_000
    }
}

/// K: how many milliseconds the curve takes from `below` bytes under its origin (section 4.2):
/// the cube root of `below / mss / 0.4` seconds cubed.
fn time_to_regain(below: u32, mss: u32) -> i32 {
    let cube = u128::from(below) * 2_500_000_000 / u128::from(mss.max(1));
    cube_root(u64::try_from(cube).unwrap_or(u64::MAX)).cast_signed()
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
        assert_eq!(cubic.threshold(&before, 100_000), 70_000);
        let window = Window { cwnd: 70_000, ssthresh: 70_000, mss: 1000 };
        let acked = Acked { bytes: 1000, rtt: Duration::from_millis(100) };
        cubic.growth(Instant::from_secs(10), &window, acked);
        let epoch = cubic.epoch.unwrap();
        assert_eq!(epoch.k, 4217);
        assert_eq!(epoch.curve(Duration::from_millis(4217), 1000), 100_000);
        assert_eq!(epoch.curve(Duration::from_millis(5217), 1000), 100_400);
        assert!((69_990..70_010).contains(&epoch.curve(Duration::ZERO, 1000)));
    }
}
