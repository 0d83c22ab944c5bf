//! What both versions of IP share: protocol numbers and address blocks.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use thiserror::Error;

/// The protocol above IP, by its assigned number.
///
/// ```
/// use sockeye_core::wire::Protocol;
/// assert_eq!(Protocol::from(6), Protocol::Tcp);
/// assert_eq!(u8::from(Protocol::Icmpv6), 58);
/// assert_eq!(Protocol::Other(132).to_string(), "protocol 132");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// ICMP for IPv4 (1)
    Icmp,
    /// IGMP (2)
    Igmp,
    /// TCP (6)
    Tcp,
    /// UDP (17)
    Udp,
    /// ICMP for IPv6 (58)
    Icmpv6,
    /// Any other number.
    Other(u8),
}

impl From<u8> for Protocol {
    fn from(value: u8) -> Protocol {
        match value {
            1 => Protocol::Icmp,
            2 => Protocol::Igmp,
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            58 => Protocol::Icmpv6,
            other => Protocol::Other(other),
        }
    }
}

impl From<Protocol> for u8 {
    fn from(protocol: Protocol) -> u8 {
        match protocol {
            Protocol::Icmp => 1,
            Protocol::Igmp => 2,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Icmpv6 => 58,
            Protocol::Other(other) => other,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::Icmp => f.write_str("ICMP"),
            Protocol::Igmp => f.write_str("IGMP"),
            Protocol::Tcp => f.write_str("TCP"),
            Protocol::Udp => f.write_str("UDP"),
            Protocol::Icmpv6 => f.write_str("ICMP6"),
            Protocol::Other(other) => write!(f, "protocol {other}"),
        }
    }
}

/// An address together with the length of its network's prefix: `10.0.0.2/24`, `fd00::2/64`. The bits behind the prefix
/// are kept: the same value says "this host" and "its subnet".
///
/// ```
/// use sockeye_core::wire::Cidr;
/// let cidr: Cidr = "10.0.0.2/24".parse().unwrap();
/// assert!(cidr.contains("10.0.0.77".parse().unwrap()));
/// assert_eq!(cidr.network().to_string(), "10.0.0.0/24");
/// assert_eq!(cidr.broadcast().unwrap().to_string(), "10.0.0.255");
/// assert_eq!("10.0.0.2/33".parse::<Cidr>().unwrap_err().to_string(),
///     "prefix length 33 is too long for 10.0.0.2: at most 32");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why something is no address block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CidrError {
    /// No slash.
    #[error("'{0}' has no prefix length: write it as ADDRESS/LENGTH, such as 10.0.0.2/24 or fd00::2/64")]
    NoPrefix(String),
    /// What stands before the slash is no address.
    #[error("'{0}' is not an IPv4 or IPv6 address")]
    BadAddress(String),
    /// What stands behind the slash is no number.
    #[error("'{0}' is not a prefix length: a number from 0 to 32 (IPv4) or 128 (IPv6)")]
    BadPrefix(String),
    /// The prefix is longer than the address.
    #[error("prefix length {prefix} is too long for {address}: at most {most}")]
    PrefixTooLong {
        /// The address.
        address: IpAddr,
        /// The length asked for.
        prefix: u8,
        /// The longest there is.
        most: u8,
    },
}

impl Cidr {
    /// An address with a prefix length in bits.
    ///
    /// # Errors
    /// [`CidrError::PrefixTooLong`] above 32 (IPv4) or 128 (IPv6).
    pub fn new(address: IpAddr, prefix: u8) -> Result<Cidr, CidrError> {
        let most = width(address);
        if prefix > most {
            return Err(CidrError::PrefixTooLong { address, prefix, most });
        }
        Ok(Cidr { address, prefix })
    }

    /// The block that holds this one address.
    pub fn host(address: IpAddr) -> Cidr {
        Cidr { address, prefix: width(address) }
    }

    /// The address, all bits of it.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `other` has the same prefix. An IPv4 block never holds an IPv6 address, mapped or not.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()) & mask_v4(self.prefix) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()) & mask_v6(self.prefix) == 0,
            _ => false,
        }
    }

    /// The same block with the bits behind the prefix zero.
    pub fn network(&self) -> Cidr {
        let address = match self.address {
            IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask_v4(self.prefix))),
            IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask_v6(self.prefix))),
        };
        Cidr { address, prefix: self.prefix }
    }

    /// The directed broadcast address, which IPv6 and blocks of one or two addresses (RFC 3021) do not have.
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(a) if self.prefix <= 30 => {
                Some(Ipv4Addr::from_bits(a.to_bits() | !mask_v4(self.prefix)))
            }
            _ => None,
        }
    }

    /// The prefix as a mask: `255.255.255.0`.
    pub fn netmask(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(mask_v4(self.prefix))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(mask_v6(self.prefix))),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let (address, prefix) = text.split_once('/').ok_or_else(|| CidrError::NoPrefix(text.into()))?;
        let address = address.parse().map_err(|_| CidrError::BadAddress(address.into()))?;
        // `u8::from_str` takes a sign, which has no place here.
        if prefix.starts_with('+') {
            return Err(CidrError::BadPrefix(prefix.into()));
        }
        let prefix = prefix.parse().map_err(|_| CidrError::BadPrefix(prefix.into()))?;
        Cidr::new(address, prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn membership_at_the_edges() {
        assert!(cidr("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        assert!(cidr("::/0").contains("ffff::".parse().unwrap()));
        assert!(!cidr("::/0").contains("10.0.0.1".parse().unwrap()));
        assert!(cidr("10.0.0.1/32").contains("10.0.0.1".parse().unwrap()));
        assert!(!cidr("10.0.0.1/32").contains("10.0.0.0".parse().unwrap()));
        assert!(cidr("fd00::1/127").contains("fd00::".parse().unwrap()));
        assert!(!cidr("fd00::1/127").contains("fd00::2".parse().unwrap()));
    }

    #[test]
    fn network_broadcast_and_mask() {
        assert_eq!(cidr("192.168.77.9/20").network(), cidr("192.168.64.0/20"));
        assert_eq!(cidr("192.168.77.9/20").broadcast(), Some(Ipv4Addr::new(192, 168, 79, 255)));
        assert_eq!(cidr("192.168.77.9/20").netmask().to_string(), "255.255.240.0");
        assert_eq!(cidr("10.0.0.0/31").broadcast(), None);
        assert_eq!(cidr("fd00:1:2:3:4::5/64").network(), cidr("fd00:1:2:3::/64"));
        assert_eq!(cidr("fd00::/64").broadcast(), None);
    }

    #[test]
    fn text_that_is_no_block_is_named() {
        let error = |text: &str| text.parse::<Cidr>().unwrap_err().to_string();
        assert!(error("10.0.0.1").contains("no prefix length"));
        assert!(error("10.0.0/24").starts_with("'10.0.0' is not an IPv4 or IPv6 address"));
        assert!(error("10.0.0.1/x").starts_with("'x' is not a prefix length"));
        assert!(error("10.0.0.1/+8").starts_with("'+8' is not a prefix length"));
        assert!(error("fd00::/129").contains("at most 128"));
    }

    #[test]
    fn every_protocol_number_survives() {
        for number in 0..=255 {
            assert_eq!(u8::from(Protocol::from(number)), number);
        }
    }
}
