//! IPv4 headers (RFC 791), options included.

use core::net::Ipv4Addr;

use super::checksum::{self, PseudoHeader};
use super::error::{WireError, split};
use super::headers::Headers;
use super::ip::Protocol;

/// An IPv4 header, its lengths in bytes.
///
/// ```
/// use sockeye_core::wire::{Headers, Protocol, ipv4::Ipv4Header};
/// let header = Ipv4Header {
///     payload_length: 3,
///     ..Ipv4Header::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), Protocol::Udp)
/// };
/// let mut headers = Headers::new();
/// headers.push_front(b"abc");
/// header.prepend(&mut headers);
/// assert_eq!(Ipv4Header::parse(headers.as_slice()), Ok((header, &b"abc"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Header {
    /// Who sent the packet.
    pub source: Ipv4Addr,
    /// Who is to receive it.
    pub destination: Ipv4Addr,
    /// What it carries.
    pub protocol: Protocol,
    /// How many more routers it may pass.
    pub ttl: u8,
    /// Differentiated services code point, 6 bits (RFC 2474).
    pub dscp: u8,
    /// Explicit congestion notification, 2 bits (RFC 3168).
    pub ecn: u8,
    /// Says which fragments belong together.
    pub identification: u16,
    /// Routers must not fragment it.
    pub dont_fragment: bool,
    /// This is a fragment, and not the last.
    pub more_fragments: bool,
    /// Where this fragment's payload starts in the whole, in bytes; a multiple of eight.
    pub fragment_offset: u16,
    /// Bytes behind the header.
    pub payload_length: usize,
    /// Options, raw.
    pub options: Ipv4Options,
}

impl Ipv4Header {
    /// Bytes of a header without options.
    pub const MIN_LEN: usize = 20;
    /// Bytes of the longest header.
    pub const MAX_LEN: usize = 60;
    /// Fragment offsets are counted in units of eight bytes.
    const OFFSET_UNIT: u16 = 8;

    /// A header with TTL 64, nothing set and no payload.
    pub fn new(source: Ipv4Addr, destination: Ipv4Addr, protocol: Protocol) -> Ipv4Header {
        Ipv4Header {
            source,
            destination,
            protocol,
            ttl: 64,
            dscp: 0,
            ecn: 0,
            identification: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            payload_length: 0,
            options: Ipv4Options::NONE,
        }
    }

    /// Bytes of this header.
    pub fn header_len(&self) -> usize {
        Ipv4Header::MIN_LEN + self.options.as_slice().len()
    }

    /// The pseudo-header of the payload.
    pub fn pseudo(&self) -> PseudoHeader {
        let length = u32::try_from(self.payload_length).unwrap_or(u32::MAX);
        PseudoHeader::new(self.source.into(), self.destination.into(), self.protocol, length)
    }

    /// Whether the packet is a piece of a larger one.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// The header and its payload, cut to the header's total length (which takes Ethernet padding away).
    ///
    /// # Errors
    /// [`WireError::Truncated`] where header or total length exceed the bytes; [`WireError::BadVersion`];
    /// [`WireError::BadLength`] where the length fields contradict each other; [`WireError::BadChecksum`].
    pub fn parse(packet: &[u8]) -> Result<(Ipv4Header, &[u8]), WireError> {
        let (h, header, rest) = Ipv4Header::parts(packet)?;
        let payload_length = h.payload_length;
        let Some(payload) = rest.get(..payload_length) else {
            let needed = header.len() + payload_length;
            return Err(WireError::Truncated { what: "IPv4 packet", needed, got: packet.len() });
        };
        if checksum::sum(header) != 0xffff {
            return Err(WireError::BadChecksum { what: "IPv4 header" });
        }
        Ok((h, payload))
    }

    /// Like [`Ipv4Header::parse`] for the packet quoted in an ICMP error, whose end is missing and whose checksum
    /// routers may have left wrong: the payload is what there is of it, and `payload_length` what there was.
    ///
    /// # Errors
    /// As [`Ipv4Header::parse`], but for the missing end and the checksum.
    pub fn parse_quoted(packet: &[u8]) -> Result<(Ipv4Header, &[u8]), WireError> {
        let (h, _, rest) = Ipv4Header::parts(packet)?;
        Ok((h, rest.get(..h.payload_length).unwrap_or(rest)))
    }

    /// The header read, its bytes, and all bytes behind it.
    fn parts(packet: &[u8]) -> Result<(Ipv4Header, &[u8], &[u8]), WireError> {
        let (&h, _) = split::<{ Ipv4Header::MIN_LEN }>(packet, "IPv4 header")?;
        if h[0] >> 4 != 4 {
            return Err(WireError::BadVersion { what: "IP version", version: (h[0] >> 4).into() });
        }
        let header_len = usize::from(h[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([h[2], h[3]]));
        if header_len < Ipv4Header::MIN_LEN {
            return Err(WireError::BadLength { what: "IPv4 header length", length: header_len });
        }
        if total_len < header_len {
            return Err(WireError::BadLength { what: "IPv4 total length", length: total_len });
        }
        let Some((header, rest)) = packet.split_at_checked(header_len) else {
            return Err(WireError::Truncated { what: "IPv4 options", needed: header_len, got: packet.len() });
        };
        let fragment = u16::from_be_bytes([h[6], h[7]]);
        let parsed = Ipv4Header {
            source: Ipv4Addr::new(h[12], h[13], h[14], h[15]),
            destination: Ipv4Addr::new(h[16], h[17], h[18], h[19]),
            protocol: h[9].into(),
            ttl: h[8],
            dscp: h[1] >> 2,
            ecn: h[1] & 3,
            identification: u16::from_be_bytes([h[4], h[5]]),
            dont_fragment: fragment & 0x4000 != 0,
            more_fragments: fragment & 0x2000 != 0,
            fragment_offset: (fragment & 0x1fff) * Ipv4Header::OFFSET_UNIT,
            payload_length: total_len - header_len,
            options: Ipv4Options::from_slice(header.get(Ipv4Header::MIN_LEN..).unwrap_or_default()),
        };
        Ok((parsed, header, rest))
    }

    /// Puts the header, with its checksum, in front. A payload length that no IPv4 packet can have is written as the
    /// greatest there is, and the low bits of an offset that is no multiple of eight are lost: the network layer
    /// fragments before it comes to that.
    pub fn prepend(&self, headers: &mut Headers) {
        let options = self.options.as_slice();
        let header_len = Ipv4Header::MIN_LEN + options.len();
        let total_len = u16::try_from(header_len.saturating_add(self.payload_length)).unwrap_or(u16::MAX);
        let mut h = [0; Ipv4Header::MIN_LEN];
        // At most 60 / 4 = 15: fits its four bits.
        h[0] = 0x40 | (header_len / 4) as u8;
        h[1] = (self.dscp << 2) | (self.ecn & 3);
        h[2..4].copy_from_slice(&total_len.to_be_bytes());
        h[4..6].copy_from_slice(&self.identification.to_be_bytes());
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        let fragment = flags | (self.fragment_offset / Ipv4Header::OFFSET_UNIT);
        h[6..8].copy_from_slice(&fragment.to_be_bytes());
        h[8] = self.ttl;
        h[9] = self.protocol.into();
        h[12..16].copy_from_slice(&self.source.octets());
        h[16..20].copy_from_slice(&self.destination.octets());
        let mut sum = checksum::Checksum::new();
        sum.add(&h);
        sum.add(options);
        h[10..12].copy_from_slice(&sum.finish().to_be_bytes());
        headers.push_front(options);
        headers.push_front(&h);
    }

    /// Takes one hop off the TTL of a packet in place, adjusting its checksum (RFC 1624), and returns what is left.
    /// `None` for bytes too short to be a header, or when the TTL was used up already.
    pub fn decrement_ttl(packet: &mut [u8]) -> Option<u8> {
        let h = packet.first_chunk_mut::<{ Ipv4Header::MIN_LEN }>()?;
        let left = h[8].checked_sub(1)?;
        let old = u16::from_be_bytes([h[8], h[9]]);
        let new = u16::from_be_bytes([left, h[9]]);
        let updated = checksum::update(u16::from_be_bytes([h[10], h[11]]), old, new);
        h[8] = left;
        h[10..12].copy_from_slice(&updated.to_be_bytes());
        Some(left)
    }
}

/// The options of an IPv4 header: at most 40 bytes, padded to whole words, kept raw.
///
/// ```
/// use sockeye_core::wire::ipv4::Ipv4Options;
/// assert!(Ipv4Options::ROUTER_ALERT.has_router_alert());
/// let loose = Ipv4Options::from_slice(&[131, 7, 4, 10, 0, 0, 9]);
/// assert!(loose.has_source_route());
/// assert_eq!(loose.as_slice().len(), 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Options {
    bytes: [u8; 40],
    len: u8,
}

impl Ipv4Options {
    /// No options.
    pub const NONE: Ipv4Options = Ipv4Options { bytes: [0; 40], len: 0 };

    /// Router Alert (RFC 2113), which IGMP messages carry.
    pub const ROUTER_ALERT: Ipv4Options = {
        let mut bytes = [0; 40];
        bytes[0] = 148;
        bytes[1] = 4;
        Ipv4Options { bytes, len: 4 }
    };

    /// Options from raw bytes: padded with zeros to a whole number of words, and cut at 40 bytes.
    pub fn from_slice(options: &[u8]) -> Ipv4Options {
        let mut bytes = [0; 40];
        for (to, from) in bytes.iter_mut().zip(options) {
            *to = *from;
        }
        Ipv4Options { bytes, len: options.len().min(40).next_multiple_of(4) as u8 }
    }

    /// The raw bytes, a whole number of words.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The options one by one: the type byte and the data behind the length byte. Padding is skipped; the walk ends at
    /// an end-of-options byte or at the first option whose length is impossible.
    pub fn iter(&self) -> Ipv4OptionsIter<'_> {
        Ipv4OptionsIter { rest: self.as_slice() }
    }

    /// Whether every router is asked to look at the packet (RFC 2113).
    pub fn has_router_alert(&self) -> bool {
        self.iter().any(|(kind, _)| kind == 148)
    }

    /// Whether a loose or strict source route is there. Such packets are to be dropped (RFC 7126).
    pub fn has_source_route(&self) -> bool {
        self.iter().any(|(kind, _)| kind == 131 || kind == 137)
    }

    /// Those options that every fragment after the first carries too (RFC 791: the copied flag).
    pub fn copied(&self) -> Ipv4Options {
        let mut copied = Ipv4Options::NONE;
        let mut len = 0;
        for (kind, data) in self.iter().filter(|(kind, _)| kind & 0x80 != 0) {
            // What is copied came out of 40 bytes and goes into 40 bytes.
            let Some(room) = copied.bytes.get_mut(len..len + 2 + data.len()) else { break };
            if let [kind_byte, len_byte, rest @ ..] = room {
                *kind_byte = kind;
                *len_byte = data.len() as u8 + 2;
                rest.copy_from_slice(data);
            }
            len += 2 + data.len();
        }
        copied.len = len.next_multiple_of(4) as u8;
        copied
    }
}

impl Default for Ipv4Options {
    fn default() -> Ipv4Options {
        Ipv4Options::NONE
    }
}

/// Walks through IPv4 options; see [`Ipv4Options::iter`].
#[derive(Debug, Clone)]
pub struct Ipv4OptionsIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Ipv4OptionsIter<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            match *self.rest {
                [1, ref rest @ ..] => self.rest = rest,
                [kind, len, ..] if kind != 0 && len >= 2 => {
                    let Some((option, rest)) = self.rest.split_at_checked(len.into()) else {
                        self.rest = &[];
                        return None;
                    };
                    self.rest = rest;
                    return Some((kind, option.get(2..).unwrap_or_default()));
                }
                _ => {
                    self.rest = &[];
                    return None;
                }
            }
        }
    }
}
