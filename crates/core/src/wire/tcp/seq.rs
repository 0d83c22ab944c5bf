//! Sequence numbers: 32 bits that wrap.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// A sequence number (RFC 9293 section 3.4). Before and after are meant modulo 2^32, for numbers less than 2^31 apart;
/// such an order is not total, hence methods and no `Ord`.
///
/// ```
/// use sockeye_core::wire::tcp::SeqNumber;
/// let old = SeqNumber(u32::MAX);
/// let new = old + 2;
/// assert_eq!(new, SeqNumber(1));
/// assert!(old.is_before(new));
/// assert_eq!((new - old, old - new), (2, -2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// How far this lies behind `from`; negative where it lies before.
    pub const fn distance(self, from: SeqNumber) -> i32 {
        self.0.wrapping_sub(from.0).cast_signed()
    }

    /// `self < other`.
    pub const fn is_before(self, other: SeqNumber) -> bool {
        self.distance(other) < 0
    }

    /// `self > other`. Numbers exactly 2^31 apart are each before and neither after the other.
    pub const fn is_after(self, other: SeqNumber) -> bool {
        self.distance(other) > 0
    }

    /// `self <= other`.
    pub const fn at_or_before(self, other: SeqNumber) -> bool {
        self.distance(other) <= 0
    }

    /// `self >= other`.
    pub const fn at_or_after(self, other: SeqNumber) -> bool {
        self.distance(other) >= 0
    }

    /// Whether this is one of the `len` numbers from `start` on.
    pub const fn in_window(self, start: SeqNumber, len: u32) -> bool {
        self.0.wrapping_sub(start.0) < len
    }

    /// The later of two.
    pub const fn max(self, other: SeqNumber) -> SeqNumber {
        if self.is_before(other) { other } else { self }
    }

    /// The earlier of two.
    pub const fn min(self, other: SeqNumber) -> SeqNumber {
        if other.is_before(self) { other } else { self }
    }
}

impl Add<u32> for SeqNumber {
    type Output = SeqNumber;
    fn add(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for SeqNumber {
    fn add_assign(&mut self, n: u32) {
        *self = *self + n;
    }
}

impl Sub<u32> for SeqNumber {
    type Output = SeqNumber;
    fn sub(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(n))
    }
}

impl SubAssign<u32> for SeqNumber {
    fn sub_assign(&mut self, n: u32) {
        *self = *self - n;
    }
}

impl Sub<SeqNumber> for SeqNumber {
    type Output = i32;
    fn sub(self, from: SeqNumber) -> i32 {
        self.distance(from)
    }
}

impl fmt::Display for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
