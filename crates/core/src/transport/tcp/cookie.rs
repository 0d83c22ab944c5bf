//! SYN cookies (RFC 4987 section 3.6): where there is no room for a half-open record, the SYN-ACK's sequence number
//! remembers in its place, and its timestamp what else was offered.

use core::hash::BuildHasher;

use super::Endpoints;
use super::connection::timestamp;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::tcp::{Segment, SeqNumber};

/// The segment sizes that a cookie can remember, as most peers have them.
const SIZES: [u16; 8] = [536, 1024, 1220, 1300, 1400, 1440, 1460, 8940];
/// How long a period of the cookie's clock is, in milliseconds; a cookie counts in its own and the next one.
const PERIOD_MS: u64 = 64_000;
/// The low bits of the SYN-ACK's timestamp: four of window scale, one of SACK, one of ECN.
const STAMP_BITS: u32 = 6;
const NO_SCALE: u32 = 15;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// What a cookie remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The cookie itself: our initial sequence number.
    pub iss: SeqNumber,
    /// The SYN's sequence number.
    pub irs: SeqNumber,
    /// The peer's MSS, rounded down to one of a few.
    pub mss: u16,
    /// The peer's window scale, if both ends have timestamps to remember it.
    pub window_scale: Option<u8>,
    /// Whether SACK was agreed on.
    pub sack: bool,
    /// Whether ECN was asked for and granted.
    pub ecn: bool,
    /// Our own timestamp as it came back.
    pub echo: Option<u32>,
    /// What we may send at most; not remembered, and so not less than what the peer takes.
    pub path_mss: u16,
}

impl Cookie {
    /// The offset that continues our timestamps from the one that came back.
    pub(super) fn timestamp_offset(&self, now: Instant) -> u32 {
        // The stamp may have been up to 2^6 behind or ahead of the clock it was made of.
        self.echo.map_or(0, |echo| echo.wrapping_add(1 << STAMP_BITS).wrapping_sub(timestamp(now, 0)))
    }
}

/// The sequence number that answers `syn`: five bits of time, three of segment size, twenty-four of keyed hash.
pub fn encode(now: Instant, ends: &Endpoints, syn: &Segment, secret: &SecretState) -> SeqNumber {
    let mss = syn.options.mss.unwrap_or(536);
    let size = SIZES.iter().rposition(|size| *size <= mss).unwrap_or(0) as u32;
    let period = period(now);
    SeqNumber((period & 31) << 27 | size << 24 | tag(secret, ends, syn.seq, period, size))
}

/// What the cookie acknowledged by `ack` remembers; `None` if it is none of ours, or too old.
///
/// ```
/// use sockeye_core::hash::SecretState;
/// use sockeye_core::time::{Duration, Instant};
/// use sockeye_core::transport::tcp::{Endpoints, cookie};
/// use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
/// let secret = SecretState::new(1, 2);
/// let ends = Endpoints { local: "10.0.0.2:80".parse().unwrap(), remote: "10.0.0.1:9999".parse().unwrap() };
/// let syn = Segment {
///     source_port: 9999, destination_port: 80, seq: SeqNumber(77), ack: SeqNumber(0), flags: Flags::SYN,
///     window: 1000, urgent: 0, options: Options { mss: Some(1452), ..Options::default() }, length: 0,
/// };
/// let now = Instant::from_secs(1000);
/// let iss = cookie::encode(now, &ends, &syn, &secret);
/// let ack = Segment { seq: SeqNumber(78), ack: iss + 1, flags: Flags::ACK, options: Options::default(), ..syn };
/// let cookie = cookie::decode(now, &ends, &ack, &secret).unwrap();
/// assert_eq!((cookie.irs, cookie.mss), (SeqNumber(77), 1440));
/// assert_eq!(cookie::decode(now + Duration::from_secs(200), &ends, &ack, &secret), None);
/// ```
pub fn decode(now: Instant, ends: &Endpoints, ack: &Segment, secret: &SecretState) -> Option<Cookie> {
    let (iss, irs) = (ack.ack - 1, ack.seq - 1);
    let size = iss.0 >> 24 & 7;
    let current = period(now);
    let age = (current & 31).wrapping_sub(iss.0 >> 27) & 31;
    let made = current.checked_sub(age).filter(|_| age <= 1)?;
    if tag(secret, ends, irs, made, size) != iss.0 & 0xff_ffff {
        return None;
    }
    let echo = ack.options.timestamps.map(|timestamps| timestamps.echo);
    let stamp = echo.unwrap_or(NO_SCALE);
    Some(Cookie {
        iss,
        irs,
        mss: SIZES.get(size as usize).copied()?,
        window_scale: Some(stamp & 15).filter(|shift| *shift != NO_SCALE).map(|shift| shift as u8),
        sack: stamp & SACK != 0,
        ecn: echo.is_some() && stamp & ECN != 0,
        echo,
        path_mss: u16::MAX,
    })
}

/// The timestamp `value` with what is to be remembered in its low bits; never ahead of it.
pub(super) fn stamp(value: u32, window_scale: Option<u8>, sack: bool, ecn: bool) -> u32 {
    let scale = window_scale.map_or(NO_SCALE, |shift| u32::from(shift.min(14)));
    let marks = scale | if sack { SACK } else { 0 } | if ecn { ECN } else { 0 };
    let stamped = value >> STAMP_BITS << STAMP_BITS | marks;
    if stamped > value { stamped.wrapping_sub(1 << STAMP_BITS) } else { stamped }
}

fn tag(secret: &SecretState, ends: &Endpoints, irs: SeqNumber, period: u32, size: u32) -> u32 {
    secret.hash_one((2_u8, ends, irs.0, period, size)) as u32 & 0xff_ffff
}

fn period(now: Instant) -> u32 {
    (now.as_millis() / PERIOD_MS) as u32
}
