//! Initial sequence numbers that nobody off the path can guess (RFC 6528), and timestamp offsets by the same means.

use core::hash::BuildHasher;

use super::Endpoints;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::tcp::SeqNumber;

/// A source of initial sequence numbers: a clock that ticks every 4 µs plus a keyed hash of the two ends.
///
/// ```
/// use sockeye_core::{hash::SecretState, time::Instant, transport::tcp::{Endpoints, Isn}};
/// let isn = Isn::new(SecretState::new(1, 2));
/// let ends = Endpoints { local: "10.0.0.1:9".parse().unwrap(), remote: "10.0.0.2:10".parse().unwrap() };
/// let first = isn.next(Instant::ZERO, &ends);
/// assert_eq!(isn.next(Instant::from_micros(400), &ends) - first, 100);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Isn {
    secret: SecretState,
}

impl Isn {
    /// Numbers that depend on `secret`.
    pub const fn new(secret: SecretState) -> Self {
        Isn { secret }
    }

    /// ISN = M + F(local, remote, secret), where M counts every 4 microseconds (RFC 6528 section 3). A new incarnation
    /// of the same connection therefore starts behind the old one's numbers.
    pub fn next(&self, now: Instant, ends: &Endpoints) -> SeqNumber {
        SeqNumber((now.as_micros() / 4) as u32) + self.hash(0, ends)
    }

    /// What a connection between these ends adds to its timestamp clock (RFC 7323 section 5.4): the same for each
    /// incarnation, so that PAWS and TIME-WAIT reuse go on working.
    pub fn timestamp_offset(&self, ends: &Endpoints) -> u32 {
        self.hash(1, ends)
    }

    fn hash(&self, purpose: u8, ends: &Endpoints) -> u32 {
        self.secret.hash_one((purpose, ends)) as u32
    }
}
