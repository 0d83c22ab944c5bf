//! The one clock of the process: what the stack's numbers mean in real time.

use sockeye_core::time::Instant;
use std::sync::OnceLock;
use std::time::SystemTime;

struct Origin {
    monotonic: std::time::Instant,
    wall: SystemTime,
}

fn origin() -> &'static Origin {
    static ORIGIN: OnceLock<Origin> = OnceLock::new();
    ORIGIN.get_or_init(|| Origin { monotonic: std::time::Instant::now(), wall: SystemTime::now() })
}

/// The present moment on the clock that every host and every LAN of this process shares.
///
/// It starts at zero with its first use and never goes back, so that what happened on two hosts can be put in order.
///
/// ```
/// let before = sockeye::now();
/// assert!(sockeye::now() >= before);
/// ```
pub fn now() -> Instant {
    let elapsed = origin().monotonic.elapsed();
    Instant::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

/// The time of day at which `instant` was, for captures and logs. Changes of the wall clock since the first use of
/// [`now`] are not in it.
pub fn wall_clock(instant: Instant) -> SystemTime {
    origin().wall + instant.since(Instant::ZERO)
}
