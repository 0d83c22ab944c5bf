//! One line of text for any frame, in tcpdump's manner.

use core::fmt::{self, Display, Formatter};

use super::arp::{Arp, ArpOperation};
use super::checksum::{ChecksumCheck, PseudoHeader};
use super::error::WireError;
use super::ethernet::{EtherType, Ethernet};
use super::icmpv4::Icmpv4;
use super::icmpv6::Icmpv6;
use super::ip::Protocol;
use super::ipv4::Ipv4Header;
use super::ipv6::Ipv6Header;
use super::ndp::Ndp;
use super::quote::Quote;
use super::tcp::Segment;
use super::udp::Udp;

/// What the first bytes of a frame are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkType {
    /// An Ethernet header.
    #[default]
    Ethernet,
    /// An IP header: a point-to-point link without frames of its own (TUN).
    Ip,
}

/// A frame in words. Never fails: what is malformed is said to be.
///
/// A TCP or UDP checksum field that holds the sum of the pseudo-header alone is one left to the device to complete,
/// and not called wrong.
///
/// ```
/// use sockeye_core::wire::{LinkType, describe};
/// let frame = [
///     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, // to everyone: ARP
///     0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
/// ];
/// let line = describe(&frame, LinkType::Ethernet).to_string();
/// assert_eq!(line, "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28");
/// let line = describe(&frame[..20], LinkType::Ethernet).to_string();
/// assert_eq!(line, "ARP [malformed: ARP packet truncated: 28 bytes needed, 6 there], length 6");
/// ```
pub fn describe(frame: &[u8], link: LinkType) -> Description<'_> {
    Description { frame, link }
}

/// A frame to be displayed; see [`describe`].
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    frame: &'a [u8],
    link: LinkType,
}

impl Display for Description<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.link {
            LinkType::Ip => match self.frame.first().map(|first| first >> 4) {
                Some(4) => ipv4(f, self.frame),
                Some(6) => ipv6(f, self.frame),
                Some(version) => write!(f, "IP version {version}, length {}", self.frame.len()),
                None => f.write_str("nothing, length 0"),
            },
            LinkType::Ethernet => match Ethernet::parse(self.frame) {
                Err(error) => malformed(f, "Ethernet", error, self.frame),
                Ok((ethernet, payload)) => match ethernet.ethertype {
                    EtherType::Arp => arp(f, payload),
                    EtherType::Ipv4 => ipv4(f, payload),
                    EtherType::Ipv6 => ipv6(f, payload),
                    EtherType::Other(_) => write!(
                        f,
                        "{} > {}, {}, length {}",
                        ethernet.source,
                        ethernet.destination,
                        ethernet.ethertype,
                        payload.len()
                    ),
                },
            },
        }
    }
}

fn malformed(f: &mut Formatter<'_>, what: impl Display, error: WireError, bytes: &[u8]) -> fmt::Result {
    write!(f, "{what} [malformed: {error}], length {}", bytes.len())
}

fn arp(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    match Arp::parse(packet) {
        Err(error) => malformed(f, "ARP", error, packet),
        Ok(Arp { operation: ArpOperation::Request, sender_ip, target_ip, .. }) => {
            if sender_ip == target_ip {
                write!(f, "ARP, Announcement {target_ip}, length {}", Arp::LEN)
            } else if sender_ip.is_unspecified() {
                write!(f, "ARP, Probe {target_ip}, length {}", Arp::LEN)
            } else {
                write!(f, "ARP, Request who-has {target_ip} tell {sender_ip}, length {}", Arp::LEN)
            }
        }
        Ok(Arp { operation: ArpOperation::Reply, sender_ip, sender_mac, .. }) => {
            write!(f, "ARP, Reply {sender_ip} is-at {sender_mac}, length {}", Arp::LEN)
        }
    }
}

fn ipv4(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    let (header, payload) = match Ipv4Header::parse(packet) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Enough may be there to say whose packet it was.
            return match Ipv4Header::parse_quoted(packet) {
                Ok((header, _)) => {
                    let what = format_args!("IP {} > {}:", header.source, header.destination);
                    malformed(f, what, error, packet)
                }
                Err(_) => malformed(f, "IP", error, packet),
            };
        }
    };
    let pseudo = header.pseudo();
    if header.is_fragment() {
        let fragment = Fragment {
            id: header.identification.into(),
            offset: header.fragment_offset,
            more: header.more_fragments,
        };
        return fragment.describe(f, "IP", &pseudo, payload);
    }
    match header.protocol {
        Protocol::Icmp => {
            write!(f, "IP {} > {}: ", header.source, header.destination)?;
            match Icmpv4::parse(payload) {
                Err(error) => malformed(f, "ICMP", error, payload),
                Ok((icmp, data)) => {
                    write!(f, "ICMP {icmp}")?;
                    if icmp.is_error() {
                        quoted(f, Quote::parse_v4(data))?;
                    }
                    write!(f, ", length {}", payload.len())
                }
            }
        }
        _ => upper(f, "IP", &pseudo, payload),
    }
}

fn ipv6(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    let (header, payload) = match Ipv6Header::parse(packet) {
        Ok(parsed) => parsed,
        Err(error) => {
            return match Ipv6Header::parse_quoted(packet) {
                Ok((header, _)) => {
                    let what = format_args!("IP6 {} > {}:", header.source, header.destination);
                    malformed(f, what, error, packet)
                }
                Err(_) => malformed(f, "IP6", error, packet),
            };
        }
    };
    let pseudo = header.pseudo();
    if let Some(fragment) = header.fragment {
        let fragment = Fragment { id: fragment.identification, offset: fragment.offset, more: fragment.more };
        return fragment.describe(f, "IP6", &pseudo, payload);
    }
    match header.protocol {
        Protocol::Icmpv6 => {
            write!(f, "IP6 {} > {}: ", header.source, header.destination)?;
            match Icmpv6::parse(payload, &pseudo) {
                Err(error) => malformed(f, "ICMP6", error, payload),
                Ok((Icmpv6::Other { kind, .. }, _)) if Ndp::is_ndp(kind) => {
                    match Ndp::parse(payload, &header) {
                        Err(error) => malformed(f, "ICMP6", error, payload),
                        Ok(ndp) => write!(f, "ICMP6, {ndp}, length {}", payload.len()),
                    }
                }
                Ok((Icmpv6::Other { kind, .. }, _)) if matches!(kind, 130 | 131 | 132 | 143) => {
                    let what = match kind {
                        130 => "multicast listener query",
                        131 => "multicast listener report",
                        132 => "multicast listener done",
                        _ => "multicast listener report v2",
                    };
                    write!(f, "ICMP6, {what}, length {}", payload.len())
                }
                Ok((icmp, data)) => {
                    write!(f, "ICMP6, {icmp}")?;
                    if icmp.is_error() {
                        quoted(f, Quote::parse_v6(data))?;
                    }
                    write!(f, ", length {}", payload.len())
                }
            }
        }
        _ => upper(f, "IP6", &pseudo, payload),
    }
}

/// TCP, UDP and what is not known, over either version.
fn upper(f: &mut Formatter<'_>, ip: &str, pseudo: &PseudoHeader, payload: &[u8]) -> fmt::Result {
    let PseudoHeader { source, destination, protocol, .. } = pseudo;
    match protocol {
        Protocol::Tcp => match lenient(pseudo, payload, 16, Segment::parse) {
            Ok((segment, wrong)) => {
                let (from, to) = (segment.source_port, segment.destination_port);
                write!(f, "{ip} {source}.{from} > {destination}.{to}: {segment}{wrong}")
            }
            Err(error) => malformed(f, format_args!("{ip} {source} > {destination}: TCP"), error, payload),
        },
        Protocol::Udp => match lenient(pseudo, payload, 6, Udp::parse) {
            Ok((udp, wrong)) => {
                let (from, to) = (udp.source_port, udp.destination_port);
                let length = usize::from(udp.length).saturating_sub(Udp::LEN);
                write!(f, "{ip} {source}.{from} > {destination}.{to}: UDP, length {length}{wrong}")
            }
            Err(error) => malformed(f, format_args!("{ip} {source} > {destination}: UDP"), error, payload),
        },
        other => write!(f, "{ip} {source} > {destination}: {other}, length {}", payload.len()),
    }
}

type Parser<'a, H> = fn(&'a [u8], &PseudoHeader, ChecksumCheck) -> Result<(H, &'a [u8]), WireError>;

/// Parses even what has a wrong checksum, and then returns a remark to add. `field` is where the checksum stands.
fn lenient<'a, H>(
    pseudo: &PseudoHeader,
    bytes: &'a [u8],
    field: usize,
    parse: Parser<'a, H>,
) -> Result<(H, &'static str), WireError> {
    match parse(bytes, pseudo, ChecksumCheck::Verify) {
        Ok((header, _)) => Ok((header, "")),
        Err(WireError::BadChecksum { .. }) => {
            let (header, _) = parse(bytes, pseudo, ChecksumCheck::Trust)?;
            let is_partial = bytes.get(field..field + 2) == Some(&pseudo.sum().to_be_bytes()[..]);
            Ok((header, if is_partial { "" } else { " [bad checksum]" }))
        }
        Err(error) => Err(error),
    }
}

struct Fragment {
    id: u32,
    offset: u16,
    more: bool,
}

impl Fragment {
    fn describe(
        &self,
        f: &mut Formatter<'_>,
        ip: &str,
        pseudo: &PseudoHeader,
        payload: &[u8],
    ) -> fmt::Result {
        let PseudoHeader { source, destination, protocol, .. } = pseudo;
        let Fragment { id, offset, more } = self;
        let more = if *more { "+" } else { "" };
        let length = payload.len();
        write!(
            f,
            "{ip} {source} > {destination}: {protocol} fragment {id}:{length}@{offset}{more}, length {length}"
        )
    }
}

/// The packet that an error is about, in parentheses.
fn quoted(f: &mut Formatter<'_>, quote: Result<Quote, WireError>) -> fmt::Result {
    match quote {
        Ok(Quote {
            source,
            destination,
            protocol,
            source_port: Some(from),
            destination_port: Some(to),
            ..
        }) => {
            write!(f, " ({protocol} {source}.{from} > {destination}.{to})")
        }
        Ok(Quote { source, destination, protocol, .. }) => {
            write!(f, " ({protocol} {source} > {destination})")
        }
        Err(error) => write!(f, " (quoting [malformed: {error}])"),
    }
}
