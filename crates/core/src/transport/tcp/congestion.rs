//! Congestion control: numbers in, window out. NewReno (RFC 5681) and CUBIC (RFC 9438).

use core::fmt;
use core::str::FromStr;

use crate::time::{Duration, Instant};

/// Congestion control by name, as `TCP_CONGESTION` knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionName {
    /// CUBIC, RFC 9438.
    Cubic,
    /// NewReno, RFC 5681 and 6582.
    Reno,
}

impl fmt::Display for CongestionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CongestionName::Cubic => "cubic",
            CongestionName::Reno => "reno",
        })
    }
}

impl FromStr for CongestionName {
    type Err = crate::error::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "cubic" => Ok(CongestionName::Cubic),
            "reno" => Ok(CongestionName::Reno),
            _ => Err(crate::error::Error::InvalidArgument),
        }
    }
}

/// CUBIC's constant of aggressiveness, in segments per second cubed.
const C: f64 = 0.4;
/// CUBIC's multiplicative decrease.
const BETA: f64 = 0.7;

/// Congestion window and slow-start threshold of one connection, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    name: CongestionName,
    mss: usize,
    pub(super) cwnd: usize,
    pub(super) ssthresh: usize,
    /// Bytes acknowledged that have not yet opened the window by a segment.
    counted: usize,
    w_max: f64,
    w_est: f64,
    k: f64,
    epoch: Option<Instant>,
}

impl Congestion {
    pub(super) fn new(name: CongestionName, mss: usize) -> Self {
        Congestion {
            name,
            mss,
            // RFC 6928.
            cwnd: (10 * mss).min((2 * mss).max(14_600)),
            ssthresh: usize::MAX,
            counted: 0,
            w_max: 0.0,
            w_est: 0.0,
            k: 0.0,
            epoch: None,
        }
    }

    pub(super) fn set_mss(&mut self, mss: usize) {
        self.cwnd = (self.cwnd / self.mss.max(1)).max(1) * mss;
        self.mss = mss;
    }

    /// New data was acknowledged outside recovery, while the window was the limit.
    pub(super) fn on_ack(&mut self, now: Instant, bytes: usize, rtt: Option<Duration>) {
        if self.cwnd < self.ssthresh {
            self.cwnd += bytes;
            return;
        }
        match self.name {
            CongestionName::Reno => self.grow_reno(bytes),
            CongestionName::Cubic => self.grow_cubic(now, bytes, rtt.unwrap_or_default()),
        }
    }

    fn grow_reno(&mut self, bytes: usize) {
        self.counted += bytes;
        if self.counted >= self.cwnd {
            self.counted -= self.cwnd;
            self.cwnd += self.mss;
        }
    }

    /// RFC 9438, 4.2 to 4.5.
    fn grow_cubic(&mut self, now: Instant, bytes: usize, rtt: Duration) {
        let mss = self.mss as f64;
        let cwnd = self.cwnd as f64 / mss;
        let epoch = *self.epoch.get_or_insert_with(|| {
            self.w_est = cwnd;
            if self.w_max < cwnd {
                self.w_max = cwnd;
                self.k = 0.0;
            } else {
                self.k = ((self.w_max - cwnd) / C).cbrt();
            }
            now
        });
        let cubic = |t: f64| C * (t - self.k).powi(3) + self.w_max;
        let t = now.since(epoch).as_secs_f64();
        let alpha = if self.w_est < self.w_max { 3.0 * (1.0 - BETA) / (1.0 + BETA) } else { 1.0 };
        self.w_est += alpha * (bytes as f64 / mss) / cwnd;
        let target = cubic(t + rtt.as_secs_f64()).clamp(cwnd, cwnd * 1.5);
        let next = if cubic(t) < self.w_est {
            self.w_est.max(cwnd)
        } else {
            cwnd + (target - cwnd) / cwnd * (bytes as f64 / mss)
        };
        self.cwnd = (next * mss) as usize;
    }

    /// A loss was detected with `flight` bytes in flight: the new threshold and window.
    pub(super) fn on_loss(&mut self, flight: usize) {
        let mss = self.mss as f64;
        let factor = if self.name == CongestionName::Cubic { BETA } else { 0.5 };
        if self.name == CongestionName::Cubic {
            let cwnd = self.cwnd as f64 / mss;
            // Fast convergence (RFC 9438, 4.7).
            self.w_max = if cwnd < self.w_max { cwnd * (1.0 + BETA) / 2.0 } else { cwnd };
            self.epoch = None;
        }
        let basis =
            if self.name == CongestionName::Cubic { self.cwnd.min(flight + 3 * self.mss) } else { flight };
        self.ssthresh = ((basis as f64 * factor) as usize).max(2 * self.mss);
        self.counted = 0;
    }

    /// Recovery is over.
    pub(super) fn on_recovered(&mut self) {
        self.cwnd = self.ssthresh.max(2 * self.mss);
        self.epoch = None;
    }

    /// The retransmission timer expired.
    pub(super) fn on_timeout(&mut self) {
        self.cwnd = self.mss;
        self.counted = 0;
        self.epoch = None;
    }

    /// The connection was idle for longer than the RTO (RFC 5681, 4.1).
    pub(super) fn on_idle(&mut self) {
        self.cwnd = self.cwnd.min((10 * self.mss).min((2 * self.mss).max(14_600)));
        self.epoch = None;
    }
}
