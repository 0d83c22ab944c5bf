//! The Internet checksum (RFC 1071), its incremental update (RFC 1624), and the pseudo-headers it covers.

use core::net::IpAddr;

use super::ip::Protocol;

/// Whether a parser verifies the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumCheck {
    /// Refuse what does not match.
    Verify,
    /// The device has verified it, or it never crossed a wire (offload).
    Trust,
}

/// What is written into the checksum field on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumEmit {
    /// The checksum of pseudo-header, header and payload.
    Full,
    /// Only the (not complemented) sum of the pseudo-header: the device adds the rest (checksum offload).
    PseudoOnly,
}

/// A running one's-complement sum over slices of any lengths, as if they were one.
///
/// ```
/// use sockeye_core::wire::Checksum;
/// // The example of RFC 1071 section 3, in three pieces of odd length.
/// let mut checksum = Checksum::new();
/// for piece in [&[0x00][..], &[0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]] {
///     checksum.add(piece);
/// }
/// assert_eq!(checksum.finish(), !0xddf2);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Checksum {
    /// Sum of the big-endian 16-bit words so far. Each call adds at most 18 bits: it would take 2^46 calls to overflow.
    sum: u64,
    /// The next byte is the low half of a word already begun.
    is_odd: bool,
}

impl Checksum {
    /// The sum of nothing.
    pub const fn new() -> Checksum {
        Checksum { sum: 0, is_odd: false }
    }

    /// Adds bytes; an odd length leaves the last word open for the next slice to complete.
    pub fn add(&mut self, bytes: &[u8]) {
        let sum = sum(bytes);
        self.sum += u64::from(if self.is_odd { sum.swap_bytes() } else { sum });
        self.is_odd ^= bytes.len() % 2 == 1;
    }

    /// Adds a 16-bit field.
    pub fn add_u16(&mut self, word: u16) {
        self.sum += u64::from(if self.is_odd { word.swap_bytes() } else { word });
    }

    /// Adds a 32-bit field.
    pub fn add_u32(&mut self, word: u32) {
        self.add_u16((word >> 16) as u16);
        self.add_u16(word as u16);
    }

    /// The folded sum so far, not complemented.
    pub fn partial(&self) -> u16 {
        fold(self.sum)
    }

    /// The checksum: the complement of the folded sum. Zero when the field was among the bytes and is right.
    pub fn finish(&self) -> u16 {
        !self.partial()
    }
}

/// The one's-complement sum of `bytes` as big-endian 16-bit words, folded, not complemented; an odd last byte counts as
/// the high half of a word.
///
/// ```
/// assert_eq!(sockeye_core::wire::checksum::sum(&[0x12, 0x34, 0x56]), 0x1234 + 0x5600);
/// ```
pub fn sum(bytes: &[u8]) -> u16 {
    // The sum does not depend on byte order but for one swap at the end (RFC 1071 section 2(B)), nor on the width of
    // the words, since 2^16 - 1 divides 2^32 - 1. So native 64-bit words are cut in halves and added without carries
    // into independent 64-bit lanes: each takes 2^32 additions, far more than any slice here has.
    const LANES: usize = 8;
    let (blocks, rest) = bytes.as_chunks::<{ 8 * LANES }>();
    let mut total = 0u64;
    if !blocks.is_empty() {
        let mut low = [0u64; LANES];
        let mut high = [0u64; LANES];
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for ((low, high), word) in low.iter_mut().zip(&mut high).zip(words) {
                let word = u64::from_ne_bytes(*word);
                *low += word & 0xffff_ffff;
                *high += word >> 32;
            }
        }
        total = low.iter().sum::<u64>() + high.iter().sum::<u64>();
    }
    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        let word = u64::from_ne_bytes(*word);
        total += (word & 0xffff_ffff) + (word >> 32);
    }
    let (pairs, rest) = rest.as_chunks::<2>();
    for pair in pairs {
        total += u64::from(u16::from_ne_bytes(*pair));
    }
    if let [last] = rest {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    u16::from_be(fold(total))
}

/// The checksum after one 16-bit field that it covers went from `old` to `new` (RFC 1624 equation 3).
///
/// ```
/// // RFC 1624 section 4: 0x5555 becomes 0x3285 under checksum 0xdd2f.
/// assert_eq!(sockeye_core::wire::checksum::update(0xdd2f, 0x5555, 0x3285), 0x0000);
/// ```
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(u64::from(!checksum) + u64::from(!old) + u64::from(new))
}

fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

/// What TCP, UDP and ICMPv6 checksums cover beside their own bytes (RFC 9293 section 3.1, RFC 8200 section 8.1).
///
/// ```
/// use sockeye_core::wire::{Protocol, PseudoHeader};
/// let pseudo = PseudoHeader {
///     source: "10.0.0.1".parse().unwrap(),
///     destination: "10.0.0.2".parse().unwrap(),
///     protocol: Protocol::Tcp,
///     length: 20,
/// };
/// assert_eq!(pseudo.sum(), 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 6 + 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PseudoHeader {
    /// Source address of the packet.
    pub source: IpAddr,
    /// Destination address of the packet (the last one, where a routing header names several).
    pub destination: IpAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// Bytes of that protocol's header and payload. The parsers and emitters of this crate count the bytes themselves
    /// and do not rely on it.
    pub length: u32,
}

impl PseudoHeader {
    /// The pseudo-header of `length` bytes of `protocol`.
    pub fn new(source: IpAddr, destination: IpAddr, protocol: Protocol, length: u32) -> PseudoHeader {
        PseudoHeader { source, destination, protocol, length }
    }

    /// The same addresses and protocol with another length.
    pub fn with_length(self, length: u32) -> PseudoHeader {
        PseudoHeader { length, ..self }
    }

    /// Its folded sum, not complemented: what checksum offload expects in the checksum field.
    pub fn sum(&self) -> u16 {
        self.checksum().partial()
    }

    /// A [`Checksum`] that has the pseudo-header in it already.
    pub fn checksum(&self) -> Checksum {
        let mut checksum = Checksum::new();
        for address in [self.source, self.destination] {
            match address {
                IpAddr::V4(address) => checksum.add_u32(address.to_bits()),
                IpAddr::V6(address) => {
                    for word in address.segments() {
                        checksum.add_u16(word);
                    }
                }
            }
        }
        checksum.add_u32(self.length);
        checksum.add_u16(u16::from(u8::from(self.protocol)));
        checksum
    }
}
