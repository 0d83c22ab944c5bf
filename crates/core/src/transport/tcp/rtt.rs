//! Round-trip time and retransmission time-out (RFC 6298).

use crate::time::{Duration, Instant};

/// The estimate of one connection.
#[derive(Clone, Debug)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    variance: Duration,
    minimum: Duration,
    latest: Duration,
    rto: Duration,
    /// How often the RTO was doubled since the last acknowledgement of new data.
    pub(super) backoff: u32,
    bounds: (Duration, Duration),
}

impl Rtt {
    pub(super) fn new(initial: Duration, bounds: (Duration, Duration)) -> Self {
        Rtt {
            smoothed: None,
            variance: Duration::ZERO,
            minimum: Duration::MAX,
            latest: Duration::ZERO,
            rto: initial,
            backoff: 0,
            bounds,
        }
    }

    /// A measurement (RFC 6298, 2.2 and 2.3).
    pub(super) fn measured(&mut self, now: Instant, sent: Instant) {
        let sample = now.since(sent).max(Duration::from_micros(1));
        self.latest = sample;
        self.minimum = self.minimum.min(sample);
        let smoothed = match self.smoothed {
            None => {
                self.variance = sample / 2;
                sample
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(sample)) / 4;
                (smoothed * 7 + sample) / 8
            }
        };
        self.smoothed = Some(smoothed);
        // Linux bounds the variance term, not the sum: a 180 ms path then has an RTO of 380 ms.
        let (least, most) = self.bounds;
        self.rto = (smoothed + (self.variance * 4).max(least)).min(most);
    }

    pub(super) fn rto(&self) -> Duration {
        self.rto.saturating_mul(1 << self.backoff.min(20)).min(self.bounds.1)
    }

    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    pub(super) fn variance(&self) -> Duration {
        self.variance
    }

    pub(super) fn minimum(&self) -> Option<Duration> {
        self.smoothed.map(|_| self.minimum)
    }
}
