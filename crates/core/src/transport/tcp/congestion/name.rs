//! The names: of the algorithms, of the ways out of slow start, and of the reasons why the window is what it is.

use core::fmt;
use core::str::FromStr;

use crate::error::Error;

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
    /// BBR version 3, draft-ietf-ccwg-bbr.
    Bbr,
}

impl CongestionName {
    /// All there are.
    pub const ALL: [CongestionName; 3] = [CongestionName::Cubic, CongestionName::Reno, CongestionName::Bbr];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            CongestionName::Cubic => "cubic",
            CongestionName::Reno => "reno",
            CongestionName::Bbr => "bbr",
        }
    }
}

impl fmt::Display for CongestionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CongestionName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        CongestionName::ALL.into_iter().find(|known| known.name() == name).ok_or(Error::InvalidArgument)
    }
}

/// How CUBIC finds the end of slow start before anything is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowStartExit {
    /// HyStart++ (RFC 9406): growing round-trip times slow the growth down first and end it five rounds later.
    HyStartPlusPlus,
    /// The older HyStart as Linux has it: growing round-trip times, or a long train of acknowledgements, end it at once.
    HyStart,
    /// Only a loss ends it.
    Loss,
}

/// What last changed the congestion window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CwndReason {
    /// Nothing yet: it is the initial window (RFC 6928).
    Initial,
    /// Slow start.
    SlowStart,
    /// Slow start, carefully: HyStart++ has seen the round-trip times grow (RFC 9406, CSS).
    HyStart,
    /// Congestion avoidance.
    Avoidance,
    /// A loss: recovery brings it down to the threshold.
    Loss,
    /// The retransmission timer.
    Timeout,
    /// A reduction that turned out to be a mistake was taken back.
    Undo,
    /// Nothing was sent for a while (RFC 5681 section 4.1).
    Idle,
    /// The program did not use it up (RFC 7661).
    ApplicationLimited,
    /// The segments have another size now.
    SegmentSize,
    /// BBR looks for the path's rate.
    BbrStartup,
    /// BBR empties the queue it has made by that.
    BbrDrain,
    /// BBR sends less than the path carries, to empty its queue.
    BbrProbeDown,
    /// BBR sends what the path carries.
    BbrCruise,
    /// BBR fills the path before it asks for more.
    BbrRefill,
    /// BBR asks for more.
    BbrProbeUp,
    /// BBR keeps little in flight, to see the path without a queue.
    BbrProbeRtt,
}

impl CwndReason {
    /// The reason in a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            CwndReason::Initial => "initial",
            CwndReason::SlowStart => "slow start",
            CwndReason::HyStart => "hystart",
            CwndReason::Avoidance => "avoidance",
            CwndReason::Loss => "loss",
            CwndReason::Timeout => "timeout",
            CwndReason::Undo => "undo",
            CwndReason::Idle => "idle",
            CwndReason::ApplicationLimited => "application limited",
            CwndReason::SegmentSize => "segment size",
            CwndReason::BbrStartup => "bbr startup",
            CwndReason::BbrDrain => "bbr drain",
            CwndReason::BbrProbeDown => "bbr down",
            CwndReason::BbrCruise => "bbr cruise",
            CwndReason::BbrRefill => "bbr refill",
            CwndReason::BbrProbeUp => "bbr up",
            CwndReason::BbrProbeRtt => "bbr probe rtt",
        }
    }
}

impl fmt::Display for CwndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
