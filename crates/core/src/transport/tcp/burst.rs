//! When a burst waits to become a larger one: large bursts cost less, but what waits too long leaves the path empty. No RFC
//! says how; the rules are Linux's.

use super::recovery::Phase;
use super::sender::Sender;
use crate::time::Duration;

/// A burst that waits for more room has to follow another closely.
const RECENT: Duration = Duration::from_millis(1);

impl Sender {
    /// Half of the window, so that two bursts are on their way.
    pub(super) fn half_window(&self, mss: u32) -> u32 {
        let mss = mss.max(1);
        (self.congestion.cwnd() / mss / 2).max(1).saturating_mul(mss)
    }

    /// Whether `room` bytes may wait to become a larger burst: a third of the window is worth waiting for, where the
    /// acknowledgements that make it are on their way and nothing is being recovered.
    pub(super) fn may_defer(&self, room: u32, largest: u32) -> bool {
        let worth = largest.min(self.wnd.min(self.congestion.cwnd()) / 3);
        let is_recent = self.clock.since(self.last_sent) < RECENT;
        let half = self.rtt.smoothed().unwrap_or_default() / 2;
        let answer_is_due = self.board.head_sent_at().is_some_and(|sent| self.clock.since(sent) >= half);
        self.phase < Phase::Recovery && room < worth && is_recent && answer_is_due
    }
}
