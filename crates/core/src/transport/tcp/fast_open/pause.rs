//! Middleboxes that let a SYN with data or the option vanish, or the connection after it: where that is suspected, clients
//! do without fast open for a while (RFC 7413 section 4.2.1 leaves it to the host; this is what Linux does).

use super::super::State;
use super::super::connection::Connection;
use crate::time::{Duration, Instant};

/// Time-outs of one connection that make it suspect.
const SUSPECT_TIMEOUTS: u32 = 3;
/// How often the pause is doubled at most.
const MOST_DOUBLINGS: u32 = 6;

/// Whether a host's clients do without fast open at the moment.
///
/// ```
/// use sockeye_core::time::{Duration, Instant};
/// use sockeye_core::transport::tcp::FastOpenPause;
/// let (mut pause, hour) = (FastOpenPause::default(), Duration::from_secs(3600));
/// let at = Instant::from_secs;
/// pause.begin(at(10), hour);
/// assert!(pause.is_on(at(3600), hour) && !pause.is_on(at(3610), hour));
/// pause.begin(at(4000), hour);
/// assert!(pause.is_on(at(4000 + 7199), hour));
/// pause.forgive();
/// assert!(!pause.is_on(at(4001), hour));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FastOpenPause {
    since: Option<Instant>,
    times: u32,
}

impl FastOpenPause {
    /// A connection was suspect: there is a pause of `time`, doubled each time in a row. None with a time of zero.
    pub fn begin(&mut self, now: Instant, time: Duration) {
        if !time.is_zero() {
            self.since = Some(now);
            self.times = self.times.saturating_add(1);
        }
    }

    /// Whether there is a pause at `now`, where the first one takes `time`.
    pub fn is_on(&self, now: Instant, time: Duration) -> bool {
        let doublings = self.times.saturating_sub(1).min(MOST_DOUBLINGS);
        self.since.is_some_and(|since| now < since + time.saturating_mul(1 << doublings))
    }

    /// Fast open has worked: no pause, and the next will be short again.
    pub fn forgive(&mut self) {
        *self = FastOpenPause::default();
    }
}

impl Connection {
    /// After a retransmission time-out, before which there were `earlier` in a row: is the path suspect?
    pub(in super::super) fn suspect_path(&mut self, earlier: u32) {
        let is_over = self.state == State::Closed;
        let is_third = earlier + 1 == SUSPECT_TIMEOUTS;
        if let Some(fast_open) = &mut self.fast_open
            && fast_open.was_tried
            && (is_third || is_over && earlier + 1 < SUSPECT_TIMEOUTS)
        {
            fast_open.is_suspect = true;
        }
    }

    /// Whether this connection makes its path suspect of swallowing what fast open sends: told once.
    pub fn take_suspicion(&mut self) -> bool {
        self.fast_open.as_mut().is_some_and(|fast_open| core::mem::take(&mut fast_open.is_suspect))
    }

    /// Whether the peer has answered a client's fast open with data of its own.
    pub fn has_fast_open_worked(&self) -> bool {
        let was_tried = self.fast_open.as_ref().is_some_and(|fast_open| fast_open.was_tried);
        was_tried && self.counters.traffic.data_segments_received > 0
    }
}
