//! How many ICMP errors may leave (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4(f)): a token bucket.

use core::hash::BuildHasher;

use crate::hash::SecretState;
use crate::time::Instant;

const SECOND: u64 = 1_000_000_000;

/// Fills at a steady rate up to a burst; each error takes one token.
///
/// What an error costs varies a little: from a limit that is known exactly, somebody who provokes errors could learn
/// how many others were provoked (the side channel of CVE-2020-25705).
#[derive(Debug)]
pub(super) struct Limiter {
    /// In tokens a second; the bucket counts billionths of them.
    rate: u64,
    burst: u64,
    filled: u64,
    since: Instant,
    secret: SecretState,
    paid: u64,
}

impl Limiter {
    pub(super) fn new(rate: u32, burst: u32, secret: SecretState) -> Limiter {
        let burst = u64::from(burst) * SECOND;
        Limiter { rate: rate.into(), burst, filled: burst, since: Instant::ZERO, secret, paid: 0 }
    }

    /// Whether one more may leave now.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        let passed = u64::try_from(now.since(self.since).as_nanos()).unwrap_or(u64::MAX);
        self.filled = self.filled.saturating_add(passed.saturating_mul(self.rate)).min(self.burst);
        self.since = self.since.max(now);
        // Asking again does not make it cheaper: the price stands until it is paid.
        let cost = SECOND / 2 + self.secret.hash_one(self.paid) % SECOND;
        match self.filled.checked_sub(cost) {
            Some(left) => {
                self.filled = left;
                self.paid += 1;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn taken(limiter: &mut Limiter, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.takes(now)).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut limiter = Limiter::new(1000, 100, SecretState::new(1, 2));
        let start = Instant::from_secs(5);
        let burst = taken(&mut limiter, start, 10_000);
        assert!((80..=125).contains(&burst), "{burst}");
        let mut later = 0;
        for millisecond in 1..=10_000 {
            later += taken(&mut limiter, start + Duration::from_millis(millisecond), 20);
        }
        assert!((9500..=10_500).contains(&later), "{later}");
    }

    #[test]
    fn idle_time_fills_no_more_than_the_burst() {
        let mut limiter = Limiter::new(1000, 10, SecretState::new(1, 2));
        taken(&mut limiter, Instant::ZERO, 100);
        let after_a_year = taken(&mut limiter, Instant::from_secs(31_536_000), 1000);
        assert!((6..=18).contains(&after_a_year), "{after_a_year}");
    }
}
