//! Whether the congestion window is what limits sending: only then may it grow, and a window that is not used up shrinks
//! (RFC 7661, in the way of Linux).

use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// How much of the window was used, in bytes.
#[derive(Clone, Debug)]
pub(in crate::transport::tcp) struct Usage {
    /// Whether the window was full at some time in this round.
    was_full: bool,
    /// The most outstanding in this round.
    most: u32,
    /// SND.NXT when that was noted.
    round_end: SeqNumber,
    /// The most outstanding since the window was last what limited.
    used: u32,
    /// When it last was.
    limited_at: Instant,
}

impl Usage {
    pub(super) fn new() -> Self {
        Usage { was_full: false, most: 0, round_end: SeqNumber(0), used: 0, limited_at: Instant::ZERO }
    }

    /// Something has left, or would have but for the window: `full` says that the window holds the rest back.
    pub(super) fn note(&mut self, now: Instant, sent: Sent, cwnd: u32, is_slow_start: bool) {
        let Sent { una, nxt, is_full } = sent;
        let outstanding = nxt.distance(una).max(0).cast_unsigned();
        if una.at_or_after(self.round_end) || is_full || !self.was_full && outstanding > self.most {
            self.was_full = is_full;
            self.most = outstanding;
            self.round_end = nxt;
        }
        if self.is_limited(cwnd, is_slow_start) {
            self.used = 0;
            self.limited_at = now;
        } else {
            self.used = self.used.max(outstanding);
        }
    }

    /// Whether the window was full in this round.
    pub(super) fn was_full(&self) -> bool {
        self.was_full
    }

    /// Whether the window is what limits. In slow start half of it used is enough, so that it grows to twice of what is
    /// acknowledged.
    pub(super) fn is_limited(&self, cwnd: u32, is_slow_start: bool) -> bool {
        self.was_full || is_slow_start && cwnd < self.most.saturating_mul(2)
    }

    /// For how long the window has not been what limits, and the most that was used of it; that time then begins anew.
    pub(super) fn take_unused(&mut self, now: Instant, rto: Duration) -> Option<u32> {
        if now.since(self.limited_at) < rto {
            return None;
        }
        self.limited_at = now;
        Some(core::mem::take(&mut self.used))
    }
}

/// What the sender looks like after it has sent what it could.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport::tcp) struct Sent {
    pub(in crate::transport::tcp) una: SeqNumber,
    pub(in crate::transport::tcp) nxt: SeqNumber,
    /// Whether the congestion window has no room for another segment.
    pub(in crate::transport::tcp) is_full: bool,
}
