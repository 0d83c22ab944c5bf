//! Initial sequence numbers nobody outside can guess (RFC 6528), and timestamp offsets by the same means.

use core::hash::BuildHasher;

use super::Endpoints;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::tcp::SeqNumber;

/// A source of initial sequence numbers.
#[derive(Clone, Copy, Debug)]
pub struct Isn {
    secret: SecretState,
}

impl Isn {
    /// Numbers that depend on `secret`.
    pub const fn new(secret: SecretState) -> Self {
        Isn { secret }
    }

    fn hash(&self, purpose: u8, ends: &Endpoints) -> u64 {
        self.secret.hash_one((purpose, ends))
    }

    /// ISN = M + F(connection, secret), M counting every 4 microseconds.
    pub fn next(&self, now: Instant, ends: &Endpoints) -> SeqNumber {
        SeqNumber((now.as_micros() / 4) as u32) + self.hash(0, ends) as u32
    }

    /// What this connection's timestamps add to the clock.
    pub fn timestamp_offset(&self, ends: &Endpoints) -> u32 {
        self.hash(1, ends) as u32
    }
}
