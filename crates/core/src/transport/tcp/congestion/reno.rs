//! NewReno's window (RFC 5681).

use super::{Acked, CongestionControl, Window};
use crate::time::Instant;

/// One segment more for each window acknowledged; half after a loss.
#[derive(Clone, Debug, Default)]
pub(super) struct Reno {
    /// Bytes acknowledged that have not opened the window yet.
    counted: u32,
}

impl CongestionControl for Reno {
    fn growth(&mut self, _: Instant, window: &Window, acked: Acked) -> u32 {
        self.counted = self.counted.saturating_add(acked.bytes);
        let windows = self.counted / window.cwnd.max(1);
        self.counted -= windows * window.cwnd;
        windows * window.mss
    }

    fn threshold(&mut self, _: &Window, flight: u32) -> u32 {
        self.counted = 0;
        flight / 2
    }

    fn restart(&mut self) {
        self.counted = 0;
    }
}
