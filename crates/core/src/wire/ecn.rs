//! The ECN field of an IP header (RFC 3168 section 5), and the mark a congested queue makes in it.

use super::checksum;
use super::ipv4::Ipv4Header;
use super::ipv6::Ipv6Header;

/// What the two bits say.
///
/// ```
/// use sockeye_core::wire::ecn::Codepoint;
/// assert_eq!(Codepoint::from_bits(0xb8 | 2), Codepoint::Ect0);
/// assert_eq!(Codepoint::Ce.bits(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codepoint {
    /// The sender does not know about ECN: congestion shows by loss.
    #[default]
    NotEct,
    /// ECN-capable transport, the other kind (RFC 9331: L4S).
    Ect1,
    /// ECN-capable transport.
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl Codepoint {
    /// From the two low bits of a traffic class; the six above are left out of account.
    pub const fn from_bits(bits: u8) -> Codepoint {
        match bits & 3 {
            0 => Codepoint::NotEct,
            1 => Codepoint::Ect1,
            2 => Codepoint::Ect0,
            _ => Codepoint::Ce,
        }
    }

    /// The bits as they stand on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Codepoint::NotEct => 0,
            Codepoint::Ect1 => 1,
            Codepoint::Ect0 => 2,
            Codepoint::Ce => 3,
        }
    }
}

/// Marks an IP packet whose sender is ECN-capable as a congested router does. Says whether it carries the mark now: one
/// that is not ECN-capable, or no packet at all, stays as it is.
///
/// ```
/// use sockeye_core::wire::ecn;
/// let mut packet = [0u8; 40];
/// packet[0] = 0x60;
/// assert!(!ecn::mark(&mut packet), "not ECN-capable");
/// packet[1] = 0x20; // ECT(0) in the traffic class of IPv6
/// assert!(ecn::mark(&mut packet));
/// assert_eq!(packet[1], 0x30);
/// ```
pub fn mark(packet: &mut [u8]) -> bool {
    match packet.first().map(|first| first >> 4) {
        Some(4) => packet.first_chunk_mut::<{ Ipv4Header::MIN_LEN }>().is_some_and(mark_v4),
        Some(6) => packet.first_chunk_mut::<{ Ipv6Header::LEN }>().is_some_and(mark_v6),
        _ => false,
    }
}

fn mark_v4(header: &mut [u8; Ipv4Header::MIN_LEN]) -> bool {
    if Codepoint::from_bits(header[1]) == Codepoint::NotEct {
        return false;
    }
    let old = u16::from_be_bytes([header[0], header[1]]);
    header[1] |= Codepoint::Ce.bits();
    let new = u16::from_be_bytes([header[0], header[1]]);
    let sum = checksum::update(u16::from_be_bytes([header[10], header[11]]), old, new);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    true
}

fn mark_v6(header: &mut [u8; Ipv6Header::LEN]) -> bool {
    if Codepoint::from_bits(header[1] >> 4) == Codepoint::NotEct {
        return false;
    }
    header[1] |= Codepoint::Ce.bits() << 4;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::headers::Headers;
    use crate::wire::ip::Protocol;

    #[test]
    fn a_marked_ipv4_header_still_sums_up() {
        for ecn in 0..4u8 {
            let addresses = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
            let header =
                Ipv4Header { ecn, dscp: 46, ..Ipv4Header::new(addresses.0, addresses.1, Protocol::Tcp) };
            let mut headers = Headers::new();
            header.prepend(&mut headers);
            let mut packet = headers.as_slice().to_vec();
            let marked = mark(&mut packet);
            assert_eq!(marked, ecn != 0);
            assert_eq!(checksum::sum(&packet), 0xffff);
            assert_eq!(packet[1], 46 << 2 | if marked { 3 } else { ecn });
        }
    }

    #[test]
    fn what_is_no_packet_is_left_alone() {
        for bytes in [&[][..], &[0x45; 19], &[0x6f; 39], &[0xff; 60]] {
            let mut copy = bytes.to_vec();
            assert!(!mark(&mut copy));
            assert_eq!(copy, bytes);
        }
    }
}
