//! How times are told.

use sockeye_core::time::Instant;

/// Seconds since the recording began.
pub(crate) fn seconds(at: Instant, start: Instant) -> f64 {
    at.since(start).as_nanos() as f64 / 1e9
}

/// The moment so many seconds after the beginning; what is no time is the beginning.
pub(crate) fn instant(seconds: f64, start: Instant) -> Instant {
    // Casts of floats end at the ends of what there is.
    Instant::from_nanos(start.as_nanos().saturating_add((seconds * 1e9).round() as u64))
}
