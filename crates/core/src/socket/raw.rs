//! What raw sockets have besides what all datagram sockets have (`raw(7)`, RFC 3542 sections 3.1 and 3.2).

use super::Family;
use crate::wire::ip::Protocol;

/// Where ICMPv6 has its checksum, in bytes (RFC 4443 section 2.1).
const ICMPV6_CHECKSUM: u16 = 2;

/// `IPPROTO_RAW`: whoever sends it writes all headers.
const ALL_HEADERS: u8 = 255;

/// The types of ICMP messages that a raw socket does not want: `ICMP_FILTER`, whose 32 bits are the first word, and
/// `ICMP6_FILTER`. None by default.
///
/// ```
/// use sockeye_core::socket::IcmpFilter;
/// let replies_only = IcmpFilter::BLOCK_ALL.pass(0);
/// assert!(replies_only.blocks(8) && !replies_only.blocks(0));
/// assert_eq!(replies_only.words()[0], !1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IcmpFilter([u32; 8]);

impl IcmpFilter {
    /// Wants every message.
    pub const PASS_ALL: IcmpFilter = IcmpFilter([0; 8]);
    /// Wants none.
    pub const BLOCK_ALL: IcmpFilter = IcmpFilter([u32::MAX; 8]);

    /// A filter as the system calls have it: a bit for each type, the lowest first, set where it is not wanted.
    pub const fn new(words: [u32; 8]) -> IcmpFilter {
        IcmpFilter(words)
    }

    /// The filter as the system calls have it.
    pub const fn words(self) -> [u32; 8] {
        self.0
    }

    /// The same filter that lets messages of this type through.
    #[must_use]
    pub const fn pass(mut self, kind: u8) -> IcmpFilter {
        self.0[kind as usize / 32] &= !(1 << (kind % 32));
        self
    }

    /// The same filter that holds messages of this type back.
    #[must_use]
    pub const fn block(mut self, kind: u8) -> IcmpFilter {
        self.0[kind as usize / 32] |= 1 << (kind % 32);
        self
    }

    /// Whether messages of this type are held back.
    pub const fn blocks(self, kind: u8) -> bool {
        self.0[kind as usize / 32] & 1 << (kind % 32) != 0
    }
}

/// How a raw socket sends and receives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw {
    /// See [`SocketOption::HeaderIncluded`](super::SocketOption::HeaderIncluded).
    pub header_included: bool,
    /// See [`SocketOption::IcmpFilter`](super::SocketOption::IcmpFilter).
    pub filter: IcmpFilter,
    /// See [`SocketOption::ChecksumOffset`](super::SocketOption::ChecksumOffset).
    pub checksum: Option<u16>,
}

impl Raw {
    /// How a new raw socket does.
    pub fn new(family: Family, protocol: Protocol) -> Raw {
        Raw {
            header_included: u8::from(protocol) == ALL_HEADERS,
            filter: IcmpFilter::PASS_ALL,
            checksum: is_icmpv6(family, protocol).then_some(ICMPV6_CHECKSUM),
        }
    }
}

/// Whether a raw socket of this family and protocol is one of ICMP.
pub(crate) fn is_icmp(family: Family, protocol: Protocol) -> bool {
    family == Family::V4 && protocol == Protocol::Icmp || is_icmpv6(family, protocol)
}

/// Whether it is one of ICMPv6, whose checksum is always the stack's business.
pub(crate) fn is_icmpv6(family: Family, protocol: Protocol) -> bool {
    family == Family::V6 && protocol == Protocol::Icmpv6
}
