//! Round-trip time and retransmission time-out (RFC 6298).

use crate::time::Duration;

/// The estimate of one connection; all times in microseconds, which is as fine as matters and takes a quarter of the room.
#[derive(Clone, Debug)]
pub(super) struct Rtt {
    /// Zero before the first measurement.
    smoothed: u32,
    variance: u32,
    minimum: u32,
    rto: u32,
    least_variance: u32,
    most: u32,
    /// How often the RTO was doubled since the last measurement.
    backoff: u8,
}

impl Rtt {
    /// Nothing measured: the RTO is `initial`. `least_variance` bounds the variance term from below, `most` the whole.
    pub(super) fn new(initial: Duration, least_variance: Duration, most: Duration) -> Self {
        Rtt {
            smoothed: 0,
            variance: 0,
            minimum: u32::MAX,
            rto: micros(initial),
            least_variance: micros(least_variance),
            most: micros(most),
            backoff: 0,
        }
    }

    /// A measurement, never of a segment that was sent twice (Karn): RFC 6298 sections 2.2 and 2.3. Ends the back-off.
    pub(super) fn on_sample(&mut self, sample: Duration) {
        let sample = micros(sample).max(1);
        self.minimum = self.minimum.min(sample);
        if self.smoothed == 0 {
            self.smoothed = sample;
            self.variance = sample / 2;
        } else {
            self.variance = weighted(self.variance, 3, self.smoothed.abs_diff(sample));
            self.smoothed = weighted(self.smoothed, 7, sample).max(1);
        }
        // As Linux: the bound applies to the variance term, not to the sum. A fixed minimum of 200 ms for the sum would
        // fire on every hiccup of a 180 ms path.
        let spread = self.variance.saturating_mul(4).max(self.least_variance);
        self.rto = self.smoothed.saturating_add(spread).min(self.most);
        self.backoff = 0;
    }

    /// The retransmission timer expired: wait twice as long next time (RFC 6298 section 5.5).
    pub(super) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// New data was acknowledged, but what was measured is ambiguous. RFC 6298 section 5 would keep the whole back-off;
    /// on a path that loses much, and without timestamps, that means minutes of silence. One doubling is taken back, so
    /// that a time-out that was too short (which doubles it again) still finds its balance.
    pub(super) fn on_unmeasured_progress(&mut self) {
        self.backoff = self.backoff.saturating_sub(1);
    }

    /// The time-out, back-off included.
    pub(super) fn rto(&self) -> Duration {
        Duration::from_micros(self.rto.saturating_mul(1 << self.backoff.min(24)).min(self.most).into())
    }

    /// The smoothed round-trip time, once measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        (self.smoothed > 0).then_some(Duration::from_micros(self.smoothed.into()))
    }

    pub(super) fn variance(&self) -> Duration {
        Duration::from_micros(self.variance.into())
    }

    pub(super) fn minimum(&self) -> Option<Duration> {
        self.smoothed().map(|_| Duration::from_micros(self.minimum.into()))
    }
}

/// An hour and more fits; what is longer counts as that.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// `old` counting `weight` times and `new` once.
fn weighted(old: u32, weight: u64, new: u32) -> u32 {
    ((u64::from(old) * weight + u64::from(new)) / (weight + 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn follows_rfc_6298_with_the_bound_on_the_variance() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        assert_eq!((rtt.rto(), rtt.smoothed()), (MS(1000), None));
        rtt.on_sample(MS(100));
        assert_eq!((rtt.smoothed(), rtt.variance(), rtt.rto()), (Some(MS(100)), MS(50), MS(300)));
        rtt.on_sample(MS(500));
        assert_eq!(
            (rtt.smoothed(), rtt.variance(), rtt.rto()),
            (Some(MS(150)), Duration::from_micros(137_500), MS(700))
        );
        for _ in 0..100 {
            rtt.on_sample(MS(180));
        }
        assert!(rtt.rto() >= MS(379), "a steady path of 180 ms has an RTO of {:?}", rtt.rto());
    }

    #[test]
    fn backs_off_up_to_the_bound_until_measured_again() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(), MS(120_000));
        rtt.on_sample(MS(10));
        assert_eq!(rtt.rto(), MS(210));
    }
}
