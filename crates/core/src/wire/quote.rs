//! The packet quoted in an ICMP error: whose it was.

use core::net::IpAddr;

use super::error::WireError;
use super::ip::Protocol;
use super::ipv4::Ipv4Header;
use super::ipv6::Ipv6Header;
use super::tcp::SeqNumber;

/// What can be told of a packet from its first bytes, for handing an error to the socket it concerns.
///
/// ```
/// use sockeye_core::wire::{Headers, Protocol, ipv4::Ipv4Header, quote::Quote};
/// let header = Ipv4Header {
///     payload_length: 1400,
///     ..Ipv4Header::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), Protocol::Tcp)
/// };
/// let mut headers = Headers::new();
/// headers.push_front(&[0xc3, 0x50, 0, 80, 0, 0, 0, 5]); // 8 of the 1400 bytes
/// header.prepend(&mut headers);
/// let quote = Quote::parse_v4(headers.as_slice()).unwrap();
/// assert_eq!((quote.source_port, quote.destination_port), (Some(50000), Some(80)));
/// assert_eq!(quote.seq.unwrap().0, 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Who had sent the packet: the receiver of the error.
    pub source: IpAddr,
    /// Where it was to go.
    pub destination: IpAddr,
    /// What it carried.
    pub protocol: Protocol,
    /// Source port of a TCP segment or UDP datagram.
    pub source_port: Option<u16>,
    /// Destination port of a TCP segment or UDP datagram.
    pub destination_port: Option<u16>,
    /// Sequence number of a TCP segment, by which forged errors are told (RFC 5927).
    pub seq: Option<SeqNumber>,
    /// Identifier of an echo request.
    pub echo_id: Option<u16>,
}

impl Quote {
    /// Reads the IPv4 packet that an ICMP error quotes.
    ///
    /// # Errors
    /// What [`Ipv4Header::parse_quoted`] finds wrong.
    pub fn parse_v4(data: &[u8]) -> Result<Quote, WireError> {
        let (header, payload) = Ipv4Header::parse_quoted(data)?;
        let payload = if header.fragment_offset == 0 { payload } else { &[] };
        Ok(Quote::new(header.source.into(), header.destination.into(), header.protocol, payload))
    }

    /// Reads the IPv6 packet that an ICMPv6 error quotes.
    ///
    /// # Errors
    /// What [`Ipv6Header::parse_quoted`] finds wrong.
    pub fn parse_v6(data: &[u8]) -> Result<Quote, WireError> {
        let (header, payload) = Ipv6Header::parse_quoted(data)?;
        let payload = if header.fragment.is_none_or(|fragment| fragment.offset == 0) { payload } else { &[] };
        Ok(Quote::new(header.source.into(), header.destination.into(), header.protocol, payload))
    }

    fn new(source: IpAddr, destination: IpAddr, protocol: Protocol, payload: &[u8]) -> Quote {
        let mut quote = Quote {
            source,
            destination,
            protocol,
            source_port: None,
            destination_port: None,
            seq: None,
            echo_id: None,
        };
        match (protocol, payload) {
            (Protocol::Tcp | Protocol::Udp, &[a, b, c, d, ref rest @ ..]) => {
                quote.source_port = Some(u16::from_be_bytes([a, b]));
                quote.destination_port = Some(u16::from_be_bytes([c, d]));
                if let (Protocol::Tcp, &[e, f, g, h, ..]) = (protocol, rest) {
                    quote.seq = Some(SeqNumber(u32::from_be_bytes([e, f, g, h])));
                }
            }
            (Protocol::Icmp, &[8, _, _, _, a, b, ..]) | (Protocol::Icmpv6, &[128, _, _, _, a, b, ..]) => {
                quote.echo_id = Some(u16::from_be_bytes([a, b]));
            }
            _ => {}
        }
        quote
    }
}
