//! Congestion control: numbers in, window out. It never sees the sender.
//!
//! What all algorithms share is in [`Congestion`]: slow start (RFC 5681), the initial window (RFC 6928), what a time-out
//! and an idle time do. How the window grows beyond `ssthresh` and by how much a loss shrinks it is the algorithm's.

mod cubic;
mod reno;

use core::fmt;
use core::str::FromStr;

use crate::error::Error;
use crate::time::{Duration, Instant};
use cubic::Cubic;
use reno::Reno;

/// A congestion control by name, as `TCP_CONGESTION` knows it.
///
/// ```
/// use sockeye_core::transport::tcp::CongestionName;
/// assert_eq!("reno".parse(), Ok(CongestionName::Reno));
/// assert_eq!(CongestionName::Cubic.to_string(), "cubic");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionName {
    /// CUBIC, RFC 9438.
    Cubic,
    /// NewReno, RFC 5681 and 6582.
    Reno,
}

impl fmt::Display for CongestionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CongestionName::Cubic => "cubic",
            CongestionName::Reno => "reno",
        })
    }
}

impl FromStr for CongestionName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "cubic" => Ok(CongestionName::Cubic),
            "reno" => Ok(CongestionName::Reno),
            _ => Err(Error::InvalidArgument),
        }
    }
}

/// The largest congestion window, in bytes: what a scaled receive window can be.
const LARGEST_WINDOW: u32 = 1 << 30;

/// The two numbers of every algorithm, in bytes, and the segment size they are reckoned in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    mss: u32,
}

/// What an acknowledgement says to an algorithm in congestion avoidance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    /// Bytes newly acknowledged.
    pub(super) bytes: u32,
    /// The smoothed round-trip time.
    pub(super) rtt: Duration,
}

/// One algorithm.
trait CongestionControl {
    /// How many bytes the window grows by in congestion avoidance.
    fn growth(&mut self, now: Instant, window: &Window, acked: Acked) -> u32;
    /// The new slow-start threshold after a loss, with `flight` bytes in flight.
    fn threshold(&mut self, window: &Window, flight: u32) -> u32;
    /// Growth begins anew: after a loss, a time-out or an idle time.
    fn restart(&mut self);
}

#[derive(Clone, Debug)]
enum Algorithm {
    Reno(Reno),
    Cubic(Cubic),
}

impl Algorithm {
    fn control(&mut self) -> &mut dyn CongestionControl {
        match self {
            Algorithm::Reno(reno) => reno,
            Algorithm::Cubic(cubic) => cubic,
        }
    }
}

/// The congestion control of one connection.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    window: Window,
    algorithm: Algorithm,
}

impl Congestion {
    pub(super) fn new(name: CongestionName, mss: u32) -> Self {
        let algorithm = match name {
            CongestionName::Reno => Algorithm::Reno(Reno::default()),
            CongestionName::Cubic => Algorithm::Cubic(Cubic::default()),
        };
        let mss = mss.max(1);
        Congestion { window: Window { cwnd: initial(mss), ssthresh: u32::MAX, mss }, algorithm }
    }

    /// The congestion window in bytes.
    pub(super) fn cwnd(&self) -> u32 {
        self.window.cwnd
    }

    /// The slow-start threshold in bytes; `u32::MAX` before the first loss.
    pub(super) fn ssthresh(&self) -> u32 {
        self.window.ssthresh
    }

    /// Whether the window is below the threshold.
    pub(super) fn is_slow_start(&self) -> bool {
        self.window.cwnd < self.window.ssthresh
    }

    /// The segment size has become known, before anything was sent.
    pub(super) fn start(&mut self, mss: u32) {
        self.window.mss = mss.max(1);
        self.window.cwnd = initial(self.window.mss);
    }

    /// The handshake lost more than one of our segments: start with one (RFC 6928 section 2).
    pub(super) fn start_small(&mut self) {
        self.window.cwnd = self.window.mss;
    }

    /// The segment size has changed: the window stays the same number of segments.
    pub(super) fn set_mss(&mut self, mss: u32) {
        let mss = mss.max(1);
        let segments = (self.window.cwnd / self.window.mss).max(1);
        self.window.cwnd = segments.saturating_mul(mss);
        self.window.mss = mss;
    }

    /// New data was acknowledged while the window was what limited sending.
    pub(super) fn on_ack(&mut self, now: Instant, acked: Acked) {
        let mut rest = acked.bytes;
        if self.is_slow_start() {
            let taken = rest.min(self.window.ssthresh - self.window.cwnd);
            self.window.cwnd = (self.window.cwnd + taken).min(LARGEST_WINDOW);
            rest -= taken;
        }
        if rest > 0 {
            let growth = self.algorithm.control().growth(now, &self.window, Acked { bytes: rest, ..acked });
            self.window.cwnd = self.window.cwnd.saturating_add(growth).min(LARGEST_WINDOW);
        }
    }

    /// A loss was found with `flight` bytes in flight: threshold and window shrink.
    pub(super) fn on_loss(&mut self, flight: u32) {
        self.window.ssthresh =
            self.algorithm.control().threshold(&self.window, flight).max(2 * self.window.mss);
        self.window.cwnd = self.window.ssthresh;
    }

    /// The retransmission timer expired: the window is one segment. `Timeout::Again` leaves the threshold alone
    /// (RFC 5681 section 3.1: it is set when the first retransmission of the same data times out, not each time).
    pub(super) fn on_timeout(&mut self, flight: u32, which: Timeout) {
        if which == Timeout::First {
            self.window.ssthresh =
                self.algorithm.control().threshold(&self.window, flight).max(2 * self.window.mss);
        }
        self.algorithm.control().restart();
        self.window.cwnd = self.window.mss;
    }

    /// Nothing was sent for `idle`: the window shrinks by half for each RTO down to the initial window, as Linux does
    /// (RFC 5681 section 4.1 would allow no more than the initial window at once).
    pub(super) fn on_idle(&mut self, idle: Duration, rto: Duration) {
        let floor = initial(self.window.mss).min(self.window.cwnd);
        let mut rest = idle;
        self.window.ssthresh = self.window.ssthresh.max(self.window.cwnd / 4 * 3);
        while rest > rto && self.window.cwnd > floor {
            self.window.cwnd = (self.window.cwnd / 2).max(floor);
            rest -= rto;
        }
        self.algorithm.control().restart();
    }
}

/// Which time-out of a row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    /// The first for this data.
    First,
    /// One more without an acknowledgement between.
    Again,
}

/// The initial window (RFC 6928).
fn initial(mss: u32) -> u32 {
    (10 * mss).min((2 * mss).max(14_600))
}

#[cfg(test)]
mod tests;
