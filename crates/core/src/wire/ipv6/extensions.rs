//! The chain of extension headers between an IPv6 header and what it carries (RFC 8200 section 4).

use super::{Ipv6Fragment, Ipv6Header, problem};
use crate::wire::error::{Report, WireError, split};

pub(super) const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

const PAD_1: u8 = 0;
pub(super) const PAD_N: u8 = 1;
pub(super) const ROUTER_ALERT: u8 = 5;

/// More headers than these in one packet are nobody's honest work.
const MOST_HEADERS: usize = 8;

/// One walk along the chain.
pub(super) struct Walk<'a> {
    /// What the next header is.
    next: u8,
    /// Where that is said.
    pointer: usize,
    /// Where it starts.
    offset: usize,
    rest: &'a [u8],
    is_quoted: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(next: u8, pointer: usize, offset: usize, rest: &'a [u8]) -> Walk<'a> {
        Walk { next, pointer, offset, rest, is_quoted: false }
    }

    /// Walks a packet whose end is missing, so that its length proves nothing.
    pub(super) fn walk_quoted(self, header: Ipv6Header) -> Result<(Ipv6Header, &'a [u8]), WireError> {
        Walk { is_quoted: true, ..self }.walk(header)
    }

    /// Walks to the upper layer, or to a fragment, completing `header` on the way.
    pub(super) fn walk(mut self, mut header: Ipv6Header) -> Result<(Ipv6Header, &'a [u8]), WireError> {
        for _ in 0..MOST_HEADERS {
            match self.next {
                HOP_BY_HOP if self.pointer == Ipv6Header::NEXT_HEADER => {
                    let (start, options) = self.step("IPv6 hop-by-hop header")?;
                    header.router_alert = options_in(options, start)?;
                }
                // Anywhere but first, a hop-by-hop header is an unknown one (RFC 8200 section 4).
                HOP_BY_HOP => {
                    return Err(problem("IPv6 next header", self.next, 1, self.pointer, Report::Unicast));
                }
                DESTINATION => {
                    let (start, options) = self.step("IPv6 destination options")?;
                    options_in(options, start)?;
                }
                ROUTING => {
                    let (start, fields) = self.step("IPv6 routing header")?;
                    // With no segments left the header has done its work, whatever its type. Otherwise it asks for
                    // source routing, which is refused: type 0 by RFC 5095, the others because none is known here.
                    if let &[kind, left, ..] = fields
                        && left != 0
                    {
                        return Err(problem("IPv6 routing type", kind, 0, start, Report::Unicast));
                    }
                }
                FRAGMENT => {
                    if let Some(fragment) = self.fragment()? {
                        header.fragment = Some(fragment);
                        return Ok(self.finish(header));
                    }
                }
                _ => return Ok(self.finish(header)),
            }
        }
        if matches!(self.next, HOP_BY_HOP | DESTINATION | ROUTING | FRAGMENT) {
            return Err(WireError::BadLength { what: "IPv6 extension header chain", length: self.offset });
        }
        Ok(self.finish(header))
    }

    fn finish(self, header: Ipv6Header) -> (Ipv6Header, &'a [u8]) {
        let header = Ipv6Header {
            protocol: self.next.into(),
            protocol_pointer: u16::try_from(self.pointer).unwrap_or(u16::MAX),
            payload_length: self.rest.len(),
            ..header
        };
        (header, self.rest)
    }

    /// Goes past an extension header of the usual form, returning its bytes behind next header and length, and where
    /// in the packet they start.
    fn step(&mut self, what: &'static str) -> Result<(usize, &'a [u8]), WireError> {
        let (&[next, length], _) = split::<2>(self.rest, what)?;
        let needed = (usize::from(length) + 1) * 8;
        let Some((header, rest)) = self.rest.split_at_checked(needed) else {
            return Err(WireError::Truncated { what, needed, got: self.rest.len() });
        };
        let start = self.offset + 2;
        self.next = next;
        self.pointer = self.offset;
        self.offset += needed;
        self.rest = rest;
        Ok((start, header.get(2..).unwrap_or_default()))
    }

    /// Goes past a fragment header. `None` when the fragment is the whole packet (RFC 6946).
    fn fragment(&mut self) -> Result<Option<Ipv6Fragment>, WireError> {
        let (&[next, _, a, b, id @ ..], rest) = split::<8>(self.rest, "IPv6 fragment header")?;
        let field = u16::from_be_bytes([a, b]);
        let (offset, more) = (field & !7, field & 1 == 1);
        if !self.is_quoted {
            // Both checks are RFC 8200 section 4.5's, the pointers too: the payload length, the fragment offset.
            if more && !rest.len().is_multiple_of(8) {
                return Err(problem("IPv6 fragment length", rest.len() as u8, 0, 4, Report::Unicast));
            }
            if usize::from(offset) + rest.len() > usize::from(u16::MAX) {
                return Err(problem("IPv6 fragment offset", a, 0, self.offset + 2, Report::Unicast));
            }
        }
        self.next = next;
        self.pointer = self.offset;
        self.offset += Ipv6Header::FRAGMENT_LEN;
        self.rest = rest;
        if offset == 0 && !more {
            return Ok(None);
        }
        Ok(Some(Ipv6Fragment { offset, more, identification: u32::from_be_bytes(id) }))
    }
}

/// Reads hop-by-hop or destination options that start at byte `start` of the packet; returns a router alert's value.
/// What is not known is skipped or refused as the two high bits of its type say (RFC 8200 section 4.2).
fn options_in(options: &[u8], start: usize) -> Result<Option<u16>, WireError> {
    let mut alert = None;
    let mut rest = options;
    loop {
        let pointer = start + (options.len() - rest.len());
        match *rest {
            [] => return Ok(alert),
            [PAD_1, ref after @ ..] => rest = after,
            [kind, len, ref after @ ..] => {
                let Some((data, after)) = after.split_at_checked(len.into()) else {
                    return Err(WireError::BadOption { what: "IPv6", kind });
                };
                match (kind, data) {
                    (PAD_N, _) => {}
                    (ROUTER_ALERT, &[a, b]) => alert = Some(u16::from_be_bytes([a, b])),
                    (ROUTER_ALERT, _) => return Err(WireError::BadOption { what: "IPv6", kind }),
                    _ => {
                        let report = match kind >> 6 {
                            0 => None,
                            1 => Some(Report::Never),
                            2 => Some(Report::Always),
                            _ => Some(Report::Unicast),
                        };
                        if let Some(report) = report {
                            return Err(problem("IPv6 option", kind, 2, pointer, report));
                        }
                    }
                }
                rest = after;
            }
            [kind] => return Err(WireError::BadOption { what: "IPv6", kind }),
        }
    }
}
