//! What a sender does about losses: why it sends a segment again, and what becomes of its congestion window.

use std::collections::VecDeque;
use std::net::SocketAddr;

use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::{RecoveryChange, RetransmitCause};
use sockeye_core::wire::tcp::{Segment, SeqNumber};

use super::Side;
use super::row::RecoveryRow;

/// So many causes wait at most for the segments they belong to; then the oldest is forgotten.
const CAUSES_AT_MOST: usize = 4096;

/// A host sends a segment again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgainSight {
    /// When.
    pub(crate) at: Instant,
    /// At which end.
    pub(crate) side: Side,
    /// The end's own address.
    pub(crate) local: SocketAddr,
    /// The address of the other end.
    pub(crate) remote: SocketAddr,
    /// The first sequence number sent again.
    pub(crate) seq: SeqNumber,
    /// How many follow it, at most.
    pub(crate) length: u32,
    /// Why.
    pub(crate) cause: RetransmitCause,
}

/// A sender does something else about losses than before, or has another reason for its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecoverySight {
    /// When.
    pub(crate) at: Instant,
    /// At which end.
    pub(crate) side: Side,
    /// The end's own address.
    pub(crate) local: SocketAddr,
    /// The address of the other end.
    pub(crate) remote: SocketAddr,
    /// What has changed.
    pub(crate) change: RecoveryChange,
}

impl RecoverySight {
    /// The row that tells it.
    pub(super) fn row(&self, time: f64, connection: u32) -> RecoveryRow {
        let RecoveryChange { from, to, cwnd, ssthresh, reason, is_undone } = self.change;
        RecoveryRow {
            time,
            connection,
            side: self.side,
            before: from.name(),
            recovery: to.name(),
            cwnd,
            ssthresh,
            reason: reason.name(),
            undone: is_undone,
        }
    }
}

/// The causes whose segments have not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Causes(VecDeque<AgainSight>);

impl Causes {
    /// Keeps a cause until its segment is told.
    pub(crate) fn push(&mut self, sight: AgainSight) {
        if self.0.len() >= CAUSES_AT_MOST {
            self.0.pop_front();
        }
        self.0.push_back(sight);
    }

    /// Why the end of `side` sent this segment again at about `at`. What is much older than that is forgotten: its segment
    /// was not seen.
    pub(crate) fn take(
        &mut self,
        (at, slack): (Instant, Duration),
        (side, local, remote): (Side, SocketAddr, SocketAddr),
        segment: &Segment,
    ) -> Option<RetransmitCause> {
        while self.0.front().is_some_and(|cause| cause.at + slack + slack < at) {
            self.0.pop_front();
        }
        let place = self.0.iter().position(|cause| {
            cause.side == side
                && (cause.local, cause.remote) == (local, remote)
                && cause.at.since(at).max(at.since(cause.at)) <= slack
                && (0..cause.length.max(1) as i32).contains(&segment.seq.distance(cause.seq))
        })?;
        let cause = self.0.get(place)?;
        let (cause, is_told) = (cause.cause, segment.end().distance(cause.seq + cause.length) >= 0);
        // What a device cuts into several segments has one cause.
        if is_told {
            self.0.remove(place);
        }
        Some(cause)
    }
}
