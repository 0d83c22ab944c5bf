//! SYN cookies (RFC 4987, 3.6): when the half-open queue is full, the SYN-ACK's sequence number remembers in its place.

use core::hash::BuildHasher;

use super::Endpoints;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::tcp::{Segment, SeqNumber};

/// The segment sizes a cookie can remember.
const SIZES: [u16; 8] = [536, 1024, 1220, 1300, 1400, 1440, 1460, 8940];
/// How long a cookie counts, in periods of 64 seconds.
const PERIODS: u32 = 2;

/// What a cookie remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The peer's MSS, rounded down to one of a few.
    pub mss: u16,
    /// The SYN's sequence number.
    pub irs: SeqNumber,
    /// The cookie itself: our initial sequence number.
    pub iss: SeqNumber,
}

fn hash(secret: &SecretState, ends: &Endpoints, irs: SeqNumber, period: u32, size: u32) -> u32 {
    secret.hash_one((ends, irs.0, period, size)) as u32
}

fn period(now: Instant) -> u32 {
    (now.as_millis() / 64_000) as u32
}

/// The sequence number that answers `syn`: five bits of time, three of segment size, twenty-four of keyed hash.
pub fn encode(now: Instant, ends: &Endpoints, syn: &Segment, secret: &SecretState) -> SeqNumber {
    let mss = syn.options.mss.unwrap_or(536);
    let size = SIZES.iter().rposition(|size| *size <= mss).unwrap_or(0) as u32;
    let period = period(now);
    let tag = hash(secret, ends, syn.seq, period, size) >> 8;
    SeqNumber((period & 31) << 27 | size << 24 | tag)
}

/// What the cookie acknowledged by `ack` remembers, if it is one of ours and young enough.
pub fn decode(now: Instant, ends: &Endpoints, ack: &Segment, secret: &SecretState) -> Option<Cookie> {
    let (iss, irs) = (ack.ack - 1, ack.seq - 1);
    let size = iss.0 >> 24 & 7;
    let current = period(now);
    let age = (current & 31).wrapping_sub(iss.0 >> 27) & 31;
    let made = current.checked_sub(age)?;
    let valid = age < PERIODS && hash(secret, ends, irs, made, size) >> 8 == iss.0 & 0xff_ffff;
    valid.then(|| Cookie { mss: SIZES[size as usize], irs, iss })
}
