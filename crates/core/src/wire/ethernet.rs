//! Ethernet II frames (RFC 894) and hardware addresses.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use thiserror::Error;

use super::error::{WireError, split};
use super::headers::Headers;

/// A 48-bit hardware address.
///
/// ```
/// use sockeye_core::wire::ethernet::MacAddr;
/// let mac: MacAddr = "02:00:00:00:00:0A".parse().unwrap();
/// assert_eq!(mac, MacAddr([2, 0, 0, 0, 0, 10]));
/// assert_eq!(mac.to_string(), "02:00:00:00:00:0a");
/// assert!(mac.is_unicast() && mac.is_local());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Every station.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);
    /// All zeros: no station; what an ARP request holds in place of the address it asks for.
    pub const UNSPECIFIED: MacAddr = MacAddr([0; 6]);

    /// Whether this is the address of every station.
    pub fn is_broadcast(&self) -> bool {
        *self == MacAddr::BROADCAST
    }

    /// Whether this addresses a group (the broadcast address is one).
    pub fn is_multicast(&self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether this can be one station's address: neither a group nor all zeros.
    pub fn is_unicast(&self) -> bool {
        !self.is_multicast() && *self != MacAddr::UNSPECIFIED
    }

    /// Whether the address was given locally rather than by a manufacturer.
    pub fn is_local(&self) -> bool {
        self.0[0] & 2 == 2
    }

    /// Where packets to an IPv4 group go: 01:00:5e and the low 23 bits (RFC 1112 section 6.4).
    pub fn multicast_v4(group: Ipv4Addr) -> MacAddr {
        let [_, b, c, d] = group.octets();
        MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// Where packets to an IPv6 group go: 33:33 and the low 32 bits (RFC 2464 section 7).
    pub fn multicast_v6(group: Ipv6Addr) -> MacAddr {
        let [.., a, b, c, d] = group.octets();
        MacAddr([0x33, 0x33, a, b, c, d])
    }

    /// The modified EUI-64 interface identifier, the low half of an automatic IPv6 address (RFC 4291 appendix A).
    pub fn interface_id(&self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a MAC address is six two-digit hexadecimal bytes with colons between, such as 02:00:00:00:00:01")]
pub struct MacAddrError;

impl FromStr for MacAddr {
    type Err = MacAddrError;

    /// Reads six bytes of one or two hexadecimal digits, separated by colons or by hyphens.
    fn from_str(text: &str) -> Result<MacAddr, MacAddrError> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut parts = text.split(separator);
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let part = parts.next().ok_or(MacAddrError)?;
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(MacAddrError);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| MacAddrError)?;
        }
        if parts.next().is_some() {
            return Err(MacAddrError);
        }
        Ok(MacAddr(bytes))
    }
}

/// What an Ethernet frame carries.
///
/// ```
/// use sockeye_core::wire::ethernet::EtherType;
/// assert_eq!(EtherType::from(0x0806), EtherType::Arp);
/// assert_eq!(u16::from(EtherType::Ipv6), 0x86dd);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EtherType {
    /// 0x0800
    Ipv4,
    /// 0x86dd
    Ipv6,
    /// 0x0806
    Arp,
    /// Anything else; below 0x0600 it is the length of an IEEE 802.3 frame.
    Other(u16),
}

impl From<u16> for EtherType {
    fn from(value: u16) -> EtherType {
        match value {
            0x0800 => EtherType::Ipv4,
            0x86dd => EtherType::Ipv6,
            0x0806 => EtherType::Arp,
            other => EtherType::Other(other),
        }
    }
}

impl From<EtherType> for u16 {
    fn from(ethertype: EtherType) -> u16 {
        match ethertype {
            EtherType::Ipv4 => 0x0800,
            EtherType::Ipv6 => 0x86dd,
            EtherType::Arp => 0x0806,
            EtherType::Other(other) => other,
        }
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EtherType::Ipv4 => f.write_str("IPv4"),
            EtherType::Ipv6 => f.write_str("IPv6"),
            EtherType::Arp => f.write_str("ARP"),
            EtherType::Other(other) => write!(f, "ethertype 0x{other:04x}"),
        }
    }
}

/// The header of an Ethernet II frame.
///
/// ```
/// use sockeye_core::wire::ethernet::{EtherType, Ethernet};
/// let frame = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45];
/// let (ethernet, payload) = Ethernet::parse(&frame)?;
/// assert!(ethernet.destination.is_broadcast());
/// assert_eq!(ethernet.ethertype, EtherType::Ipv4);
/// assert_eq!(payload, [0x45]);
/// # Ok::<(), sockeye_core::wire::WireError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ethernet {
    /// Who is to receive the frame.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// What it carries.
    pub ethertype: EtherType,
}

impl Ethernet {
    /// Bytes of the header.
    pub const LEN: usize = 14;

    /// The header and what follows it, padding included.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 14 bytes.
    pub fn parse(frame: &[u8]) -> Result<(Ethernet, &[u8]), WireError> {
        let (header, payload) = split::<{ Ethernet::LEN }>(frame, "Ethernet header")?;
        let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n] = header;
        let ethernet = Ethernet {
            destination: MacAddr([a, b, c, d, e, f]),
            source: MacAddr([g, h, i, j, k, l]),
            ethertype: u16::from_be_bytes([m, n]).into(),
        };
        Ok((ethernet, payload))
    }

    /// Puts the header in front.
    pub fn prepend(&self, headers: &mut Headers) {
        let MacAddr([a, b, c, d, e, f]) = self.destination;
        let MacAddr([g, h, i, j, k, l]) = self.source;
        let [m, n] = u16::from(self.ethertype).to_be_bytes();
        headers.push_front(&[a, b, c, d, e, f, g, h, i, j, k, l, m, n]);
    }
}
