//! NewReno's window (RFC 5681).

use super::{Acked, CongestionControl, Window};
use crate::time::Instant;

/// One segment more for each window acknowledged; half after a loss.
#[derive(Clone, Debug, Default)]
pub(super) struct Reno;

impl CongestionControl for Reno {
    fn per_segment(&mut self, _: Instant, window: &Window, _: Acked) -> u32 {
        window.cwnd
    }

    fn threshold(&mut self, window: &Window) -> u32 {
        // Half of the window, not of the flight: a window that is not used up has shrunk already (`Congestion::validate`).
        window.segments() / 2 * window.mss
    }
}
