//! IPv6 headers (RFC 8200), extension headers included.

mod extensions;

use core::net::Ipv6Addr;

use super::checksum::PseudoHeader;
use super::error::{Ipv6Problem, Report, WireError, split};
use super::headers::Headers;
use super::ip::Protocol;

use extensions::{FRAGMENT, HOP_BY_HOP, Walk};

/// An IPv6 header together with what its extension headers said.
///
/// ```
/// use sockeye_core::wire::{Headers, Protocol, ipv6::Ipv6Header};
/// let header = Ipv6Header {
///     payload_length: 3,
///     ..Ipv6Header::new("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), Protocol::Udp)
/// };
/// let mut headers = Headers::new();
/// headers.push_front(b"abc");
/// header.prepend(&mut headers);
/// assert_eq!(Ipv6Header::parse(headers.as_slice()), Ok((header, &b"abc"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6Header {
    /// Who sent the packet.
    pub source: Ipv6Addr,
    /// Who is to receive it.
    pub destination: Ipv6Addr,
    /// What stands behind the extension headers; in a fragment, what the fragment header names (which may be a further
    /// extension header: see [`Ipv6Header::parse_reassembled`]).
    pub protocol: Protocol,
    /// How many more routers it may pass.
    pub hop_limit: u8,
    /// Differentiated services code point, 6 bits (RFC 2474).
    pub dscp: u8,
    /// Explicit congestion notification, 2 bits (RFC 3168).
    pub ecn: u8,
    /// Flow label, 20 bits (RFC 6437).
    pub flow_label: u32,
    /// Set when this is a piece of a larger packet. A fragment that is the whole packet (RFC 6946) is none.
    pub fragment: Option<Ipv6Fragment>,
    /// The value of a Router Alert hop-by-hop option (RFC 2711); MLD messages carry 0.
    pub router_alert: Option<u16>,
    /// Where in the packet the byte stands that names `protocol`: what a Parameter Problem about an unknown protocol
    /// points to. Not used by [`Ipv6Header::prepend`].
    pub protocol_pointer: u16,
    /// Bytes behind the last extension header read.
    pub payload_length: usize,
}

/// What a fragment header says (RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6Fragment {
    /// Where this fragment's payload starts in the whole, in bytes; a multiple of eight.
    pub offset: u16,
    /// This is not the last fragment.
    pub more: bool,
    /// Says which fragments belong together.
    pub identification: u32,
}

impl Ipv6Header {
    /// Bytes of the header without extensions.
    pub const LEN: usize = 40;
    /// Bytes of a fragment header.
    pub const FRAGMENT_LEN: usize = 8;
    /// Where the fixed header names what follows it.
    const NEXT_HEADER: usize = 6;

    /// A header with hop limit 64, nothing set and no payload.
    pub fn new(source: Ipv6Addr, destination: Ipv6Addr, protocol: Protocol) -> Ipv6Header {
        Ipv6Header {
            source,
            destination,
            protocol,
            hop_limit: 64,
            dscp: 0,
            ecn: 0,
            flow_label: 0,
            fragment: None,
            router_alert: None,
            protocol_pointer: Ipv6Header::NEXT_HEADER as u16,
            payload_length: 0,
        }
    }

    /// Bytes that [`Ipv6Header::prepend`] writes.
    pub fn header_len(&self) -> usize {
        let alert = if self.router_alert.is_some() { 8 } else { 0 };
        let fragment = if self.fragment.is_some() { Ipv6Header::FRAGMENT_LEN } else { 0 };
        Ipv6Header::LEN + alert + fragment
    }

    /// The pseudo-header of the payload.
    pub fn pseudo(&self) -> PseudoHeader {
        let length = u32::try_from(self.payload_length).unwrap_or(u32::MAX);
        PseudoHeader::new(self.source.into(), self.destination.into(), self.protocol, length)
    }

    /// The header and the payload behind all extension headers, cut to the payload length. Hop-by-hop, destination
    /// options and routing headers without segments left are walked through; a fragment header ends the walk unless
    /// the fragment is the whole packet.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadVersion`], [`WireError::BadLength`] for too long a chain of extension
    /// headers, and [`WireError::Ipv6`] for what RFC 8200 forbids to skip.
    pub fn parse(packet: &[u8]) -> Result<(Ipv6Header, &[u8]), WireError> {
        let (h, rest) = Ipv6Header::fixed(packet)?;
        let payload_length = usize::from(u16::from_be_bytes([h[4], h[5]]));
        let Some(payload) = rest.get(..payload_length) else {
            let needed = Ipv6Header::LEN + payload_length;
            return Err(WireError::Truncated { what: "IPv6 packet", needed, got: packet.len() });
        };
        let header = Ipv6Header::from_fixed(h);
        Walk::new(h[6], Ipv6Header::NEXT_HEADER, Ipv6Header::LEN, payload).walk(header)
    }

    /// Like [`Ipv6Header::parse`] for the packet quoted in an ICMP error, whose end is missing: the payload is what
    /// there is of it, and `payload_length` what there was.
    ///
    /// # Errors
    /// As [`Ipv6Header::parse`], but for the missing end of the payload.
    pub fn parse_quoted(packet: &[u8]) -> Result<(Ipv6Header, &[u8]), WireError> {
        let (h, rest) = Ipv6Header::fixed(packet)?;
        let full = usize::from(u16::from_be_bytes([h[4], h[5]]));
        let there = rest.get(..full).unwrap_or(rest);
        let walk = Walk::new(h[6], Ipv6Header::NEXT_HEADER, Ipv6Header::LEN, there);
        let (header, payload) = walk.walk_quoted(Ipv6Header::from_fixed(h))?;
        let payload_length = payload.len() + (full - there.len());
        Ok((Ipv6Header { payload_length, ..header }, payload))
    }

    /// Walks the extension headers that stood behind the fragment header, once the fragments are one `payload` again.
    /// `self` is the header of the first fragment; pointers in errors count from the start of that fragment.
    ///
    /// # Errors
    /// As [`Ipv6Header::parse`].
    pub fn parse_reassembled<'a>(&self, payload: &'a [u8]) -> Result<(Ipv6Header, &'a [u8]), WireError> {
        let header = Ipv6Header { fragment: None, ..*self };
        let pointer = usize::from(self.protocol_pointer);
        let start = pointer + Ipv6Header::FRAGMENT_LEN;
        Walk::new(self.protocol.into(), pointer, start, payload).walk(header)
    }

    fn fixed(packet: &[u8]) -> Result<(&[u8; Ipv6Header::LEN], &[u8]), WireError> {
        let (h, rest) = split::<{ Ipv6Header::LEN }>(packet, "IPv6 header")?;
        if h[0] >> 4 != 6 {
            return Err(WireError::BadVersion { what: "IP version", version: (h[0] >> 4).into() });
        }
        Ok((h, rest))
    }

    fn from_fixed(h: &[u8; Ipv6Header::LEN]) -> Ipv6Header {
        let mut source = [0; 16];
        let mut destination = [0; 16];
        source.copy_from_slice(&h[8..24]);
        destination.copy_from_slice(&h[24..40]);
        let word = u32::from_be_bytes([h[0], h[1], h[2], h[3]]);
        Ipv6Header {
            hop_limit: h[7],
            dscp: (word >> 22 & 0x3f) as u8,
            ecn: (word >> 20 & 3) as u8,
            flow_label: word & 0xf_ffff,
            ..Ipv6Header::new(source.into(), destination.into(), h[6].into())
        }
    }

    /// Puts the header in front, with a hop-by-hop header for the router alert and a fragment header where asked for.
    /// A payload length that no IPv6 packet can have is written as the greatest there is: the network layer fragments
    /// before it comes to that.
    pub fn prepend(&self, headers: &mut Headers) {
        let mut next = u8::from(self.protocol);
        if let Some(fragment) = self.fragment {
            let mut h = [0; Ipv6Header::FRAGMENT_LEN];
            h[0] = next;
            h[2..4].copy_from_slice(&(fragment.offset & !7 | u16::from(fragment.more)).to_be_bytes());
            h[4..8].copy_from_slice(&fragment.identification.to_be_bytes());
            headers.push_front(&h);
            next = FRAGMENT;
        }
        if let Some(alert) = self.router_alert {
            let [a, b] = alert.to_be_bytes();
            headers.push_front(&[next, 0, extensions::ROUTER_ALERT, 2, a, b, extensions::PAD_N, 0]);
            next = HOP_BY_HOP;
        }
        let length = (self.header_len() - Ipv6Header::LEN).saturating_add(self.payload_length);
        let word = 6 << 28
            | u32::from(self.dscp & 0x3f) << 22
            | u32::from(self.ecn & 3) << 20
            | self.flow_label & 0xf_ffff;
        let mut h = [0; Ipv6Header::LEN];
        h[0..4].copy_from_slice(&word.to_be_bytes());
        h[4..6].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        h[6] = next;
        h[7] = self.hop_limit;
        h[8..24].copy_from_slice(&self.source.octets());
        h[24..40].copy_from_slice(&self.destination.octets());
        headers.push_front(&h);
    }

    /// Takes one hop off the hop limit of a packet in place and returns what is left. `None` for bytes too short to be
    /// a header, or when the limit was used up already.
    pub fn decrement_hop_limit(packet: &mut [u8]) -> Option<u8> {
        let h = packet.first_chunk_mut::<{ Ipv6Header::LEN }>()?;
        h[7] = h[7].checked_sub(1)?;
        Some(h[7])
    }

    /// The group in which the owner of `address` hears neighbour solicitations (RFC 4291 section 2.7.1).
    ///
    /// ```
    /// use sockeye_core::wire::ipv6::Ipv6Header;
    /// let group = Ipv6Header::solicited_node("fd00::12:3456".parse().unwrap());
    /// assert_eq!(group.to_string(), "ff02::1:ff12:3456");
    /// ```
    pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
        let [.., a, b] = address.segments();
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a & 0xff, b)
    }
}

fn problem(what: &'static str, value: u8, code: u8, pointer: usize, report: Report) -> WireError {
    let pointer = u32::try_from(pointer).unwrap_or(u32::MAX);
    WireError::Ipv6(Ipv6Problem { what, value, code, pointer, report })
}
