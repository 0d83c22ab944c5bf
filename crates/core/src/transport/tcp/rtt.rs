//! Round-trip time and retransmission time-out (RFC 6298), with Linux's refinements.

use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// How long the shortest round trip counts before it is measured anew.
const MINIMUM_LIFE: Duration = Duration::from_secs(300);

/// The estimate of one connection; all times in microseconds, which is as fine as matters and takes a quarter of the room.
///
/// The smoothed time follows RFC 6298. The variance is the largest mean deviation of the last round trip, falls slowly and
/// rises at once, and a round trip that is shorter than usual counts an eighth: a path that gets better does not make the
/// time-out longer.
#[derive(Clone, Debug)]
pub(super) struct Rtt {
    /// Eight times the smoothed time; zero before the first measurement.
    smoothed_8: u32,
    /// Four times the mean deviation.
    deviation_4: u32,
    /// The largest `deviation_4` of this round trip.
    deviation_most: u32,
    /// What is added to the smoothed time.
    spread: u32,
    /// SND.NXT when this round trip began.
    round_end: SeqNumber,
    minimum: u32,
    minimum_at: Instant,
    latest: u32,
    rto: u32,
    least_spread: u32,
    most: u32,
    /// How often the RTO was doubled since the last measurement.
    backoff: u8,
}

impl Rtt {
    /// Nothing measured: the RTO is `initial`. `least_spread` bounds the variance term from below, `most` the whole.
    pub(super) fn new(initial: Duration, least_spread: Duration, most: Duration) -> Self {
        Rtt {
            smoothed_8: 0,
            deviation_4: 0,
            deviation_most: 0,
            spread: 0,
            round_end: SeqNumber(0),
            minimum: u32::MAX,
            minimum_at: Instant::ZERO,
            latest: 0,
            rto: micros(initial),
            least_spread: micros(least_spread),
            most: micros(most),
            backoff: 0,
        }
    }

    /// A measurement, never of a segment that was sent twice (Karn): RFC 6298 sections 2.2 and 2.3. Ends the back-off.
    pub(super) fn on_sample(&mut self, una: SeqNumber, nxt: SeqNumber, sample: Duration) {
        let sample = micros(sample).clamp(1, u32::MAX / 16);
        self.latest = sample;
        if self.smoothed_8 == 0 {
            self.smoothed_8 = sample * 8;
            self.deviation_4 = sample * 2;
            self.spread = self.deviation_4.max(self.least_spread);
            self.deviation_most = self.spread;
            self.round_end = nxt;
        } else {
            let off = i64::from(sample) - i64::from(self.smoothed_8 >> 3);
            self.smoothed_8 = clamped(i64::from(self.smoothed_8) + off).max(1);
            let mut change = off.abs() - i64::from(self.deviation_4 >> 2);
            if off < 0 && change > 0 {
                change >>= 3;
            }
            self.deviation_4 = clamped(i64::from(self.deviation_4) + change);
            if self.deviation_4 > self.deviation_most {
                self.deviation_most = self.deviation_4;
                self.spread = self.spread.max(self.deviation_most);
            }
            if una.is_after(self.round_end) {
                if self.deviation_most < self.spread {
                    self.spread -= (self.spread - self.deviation_most) >> 2;
                }
                self.round_end = nxt;
                self.deviation_most = self.least_spread;
            }
        }
        // As Linux: the bound applies to the variance term, not to the sum. A fixed minimum of 200 ms for the sum would
        // fire on every hiccup of a 180 ms path.
        self.rto = (self.smoothed_8 >> 3).saturating_add(self.spread).min(self.most);
        self.backoff = 0;
    }

    /// A round trip for the minimum only: that of the last segment acknowledged, which waited for no other.
    pub(super) fn on_minimum(&mut self, now: Instant, sample: Duration) {
        let sample = micros(sample).max(1);
        if sample <= self.minimum || now.since(self.minimum_at) > MINIMUM_LIFE {
            self.minimum = sample;
            self.minimum_at = now;
        }
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

    /// How often it was doubled.
    pub(super) fn backoff(&self) -> u8 {
        self.backoff
    }

    /// The least a variance counts.
    pub(super) fn least_spread(&self) -> Duration {
        Duration::from_micros(self.least_spread.into())
    }

    /// The smoothed round-trip time, once measured.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        (self.smoothed_8 > 0).then_some(Duration::from_micros((self.smoothed_8 >> 3).into()))
    }

    /// The mean deviation.
    pub(super) fn variance(&self) -> Duration {
        Duration::from_micros((self.deviation_4 >> 2).into())
    }

    /// The shortest round trip of the last minutes.
    pub(super) fn minimum(&self) -> Option<Duration> {
        (self.minimum != u32::MAX).then(|| Duration::from_micros(self.minimum.into()))
    }

    /// The last measurement.
    pub(super) fn latest(&self) -> Option<Duration> {
        self.smoothed().map(|_| Duration::from_micros(self.latest.into()))
    }
}

/// An hour and more fits; what is longer counts as that.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn clamped(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// One sample a round trip.
    fn sampled(rtt: &mut Rtt, round: u32, sample: Duration) {
        rtt.on_sample(SeqNumber(round * 10 + 5), SeqNumber(round * 10 + 10), sample);
    }

    #[test]
    fn follows_rfc_6298_with_the_bound_on_the_variance() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        assert_eq!((rtt.rto(), rtt.smoothed()), (MS(1000), None));
        sampled(&mut rtt, 0, MS(100));
        assert_eq!((rtt.smoothed(), rtt.variance(), rtt.rto()), (Some(MS(100)), MS(50), MS(300)));
        sampled(&mut rtt, 1, MS(500));
        assert_eq!(
            (rtt.smoothed(), rtt.variance(), rtt.rto()),
            (Some(MS(150)), Duration::from_micros(137_500), MS(700))
        );
        for round in 2..100 {
            sampled(&mut rtt, round, MS(180));
        }
        assert!(rtt.rto() >= MS(379), "a steady path of 180 ms has an RTO of {:?}", rtt.rto());
        assert!(rtt.rto() <= MS(420), "and the one long round trip is forgotten: {:?}", rtt.rto());
    }

    #[test]
    fn a_path_that_gets_better_does_not_lengthen_the_timeout() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        for round in 0..50 {
            sampled(&mut rtt, round, MS(800));
        }
        let before = rtt.rto();
        sampled(&mut rtt, 50, MS(100));
        assert!(rtt.rto() <= before, "{:?} after {before:?}", rtt.rto());
    }

    #[test]
    fn backs_off_up_to_the_bound_until_measured_again() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(), MS(120_000));
        sampled(&mut rtt, 0, MS(10));
        assert_eq!(rtt.rto(), MS(210));
    }

    #[test]
    fn the_minimum_is_that_of_five_minutes() {
        let mut rtt = Rtt::new(MS(1000), MS(200), MS(120_000));
        rtt.on_minimum(Instant::from_secs(1), MS(10));
        rtt.on_minimum(Instant::from_secs(2), MS(30));
        assert_eq!(rtt.minimum(), Some(MS(10)));
        rtt.on_minimum(Instant::from_secs(302), MS(30));
        assert_eq!(rtt.minimum(), Some(MS(30)));
    }
}
