//! Multicast listener discovery for IPv6: queries of both versions (RFC 2710, RFC 3810) and version 2 reports.

use core::net::Ipv6Addr;

use super::checksum::PseudoHeader;
use super::error::{WireError, split};
use super::headers::Headers;
use super::icmpv6::{seal, verify};
use super::ip::Protocol;
use super::ipv6::Ipv6Header;

const QUERY: u8 = 130;
const REPORT: u8 = 143;

/// A router's question which groups are listened to.
///
/// ```
/// use sockeye_core::wire::{Protocol, PseudoHeader, ipv6::Ipv6Header, mld::MldQuery};
/// let header = Ipv6Header {
///     hop_limit: 1,
///     payload_length: 24,
///     ..Ipv6Header::new("fe80::1".parse().unwrap(), "ff02::1".parse().unwrap(), Protocol::Icmpv6)
/// };
/// let mut message = [0; 24];
/// message[0] = 130;
/// message[4..6].copy_from_slice(&10_000u16.to_be_bytes());
/// let mut checksum = header.pseudo().checksum();
/// checksum.add(&message);
/// message[2..4].copy_from_slice(&checksum.finish().to_be_bytes());
/// let query = MldQuery::parse(&message, &header).unwrap();
/// assert!(query.group.is_unspecified());
/// assert_eq!(query.max_response_millis, 10_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MldQuery {
    /// Milliseconds within which the answer is to be spread.
    pub max_response_millis: u32,
    /// The group asked about; unspecified: all.
    pub group: Ipv6Addr,
}

impl MldQuery {
    /// Whether an ICMPv6 type is a listener query's.
    pub fn is_query(kind: u8) -> bool {
        kind == QUERY
    }

    /// Reads a query of either version. A version 2 query for certain sources is read as one for the group.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadChecksum`], and [`WireError::BadValue`] for another type or for what
    /// RFC 3810 section 5.1.14 forbids: a source that is not link-local, a hop limit other than one.
    pub fn parse(message: &[u8], header: &Ipv6Header) -> Result<MldQuery, WireError> {
        let (h, _) = split::<24>(message, "MLD query")?;
        let &[kind, _, _, _, a, b, _, _, ref group @ ..] = h;
        if kind != QUERY {
            return Err(WireError::BadValue { what: "type of an MLD query", value: kind.into() });
        }
        if header.hop_limit != 1 {
            return Err(WireError::BadValue {
                what: "hop limit of an MLD query",
                value: header.hop_limit.into(),
            });
        }
        if !header.source.is_unicast_link_local() {
            return Err(WireError::BadValue { what: "source of an MLD query", value: 0 });
        }
        verify(message, &header.pseudo())?;
        let code = u32::from(u16::from_be_bytes([a, b]));
        // From 2^15 on the code of a version 2 query is a floating-point number (RFC 3810 section 5.1.3).
        let max_response_millis = if code < 1 << 15 || message.len() == 24 {
            code
        } else {
            (code & 0xfff | 0x1000) << ((code >> 12 & 7) + 3)
        };
        Ok(MldQuery { max_response_millis, group: Ipv6Addr::from(*group) })
    }
}

/// What a record of a report says of a group (RFC 3810 section 5.2.12), for listeners that take all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MldRecord {
    /// The answer to a query: this group is listened to.
    IsListening,
    /// Listening has begun.
    Join,
    /// Listening has ended.
    Leave,
}

/// Builds version 2 reports.
///
/// ```
/// use sockeye_core::wire::{Headers, mld::{MldRecord, MldReport}};
/// let mut headers = Headers::new();
/// let group = "ff02::1:ff00:2".parse().unwrap();
/// let source = "fe80::2".parse().unwrap();
/// MldReport::prepend(&mut headers, source, &[(MldRecord::Join, group)]);
/// assert_eq!(headers.len(), MldReport::message_len(1));
/// assert_eq!(headers.as_slice()[0], 143);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MldReport;

impl MldReport {
    /// Where reports go: all routers that know version 2.
    pub const DESTINATION: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
    /// The most records in one report here, so that it fits among [`Headers`] with the headers to come.
    pub const MOST_RECORDS: usize = 6;

    /// Bytes of a report of `records` records.
    pub const fn message_len(records: usize) -> usize {
        8 + 20 * records
    }

    /// Puts a report of the first [`MldReport::MOST_RECORDS`] of `records` in front. It is to be sent to
    /// [`MldReport::DESTINATION`] with hop limit one and router alert zero.
    pub fn prepend(headers: &mut Headers, source: Ipv6Addr, records: &[(MldRecord, Ipv6Addr)]) {
        let count = records.len().min(MldReport::MOST_RECORDS);
        for (record, group) in records.iter().take(count).rev() {
            let kind = match record {
                MldRecord::IsListening => 2,
                MldRecord::Leave => 3,
                MldRecord::Join => 4,
            };
            headers.push_front(&group.octets());
            headers.push_front(&[kind, 0, 0, 0]);
        }
        headers.push_front(&[REPORT, 0, 0, 0, 0, 0, 0, count as u8]);
        let pseudo = PseudoHeader::new(source.into(), MldReport::DESTINATION.into(), Protocol::Icmpv6, 0);
        seal(headers, MldReport::message_len(count), &pseudo, &[]);
    }
}
