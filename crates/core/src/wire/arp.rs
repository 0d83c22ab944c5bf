//! The Address Resolution Protocol for IPv4 over Ethernet (RFC 826).

use core::net::Ipv4Addr;

use super::error::{WireError, split};
use super::ethernet::MacAddr;

/// What an ARP packet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpOperation {
    /// "Who has the target address?"
    Request,
    /// "The sender address is at the sender's hardware address."
    Reply,
}

/// An ARP packet.
///
/// ```
/// use sockeye_core::wire::{arp::{Arp, ArpOperation}, ethernet::MacAddr};
/// let request = Arp {
///     operation: ArpOperation::Request,
///     sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
///     sender_ip: "10.0.0.1".parse().unwrap(),
///     target_mac: MacAddr::UNSPECIFIED,
///     target_ip: "10.0.0.2".parse().unwrap(),
/// };
/// assert_eq!(Arp::parse(&request.emit()), Ok(request));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: ArpOperation,
    /// Hardware address of whoever sent this.
    pub sender_mac: MacAddr,
    /// Its IPv4 address; unspecified in a probe (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// Hardware address asked for (then ignored) or answered to.
    pub target_mac: MacAddr,
    /// The IPv4 address asked about, or answered to.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// Bytes of the packet.
    pub const LEN: usize = 28;

    /// Reads a packet; bytes behind it (Ethernet padding) are ignored.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 28 bytes; [`WireError::BadVersion`] for other hardware or protocol types;
    /// [`WireError::BadLength`] for other address lengths; [`WireError::BadValue`] for other operations.
    pub fn parse(packet: &[u8]) -> Result<Arp, WireError> {
        let (&p, _) = split::<{ Arp::LEN }>(packet, "ARP packet")?;
        let hardware = u16::from_be_bytes([p[0], p[1]]);
        if hardware != 1 {
            return Err(WireError::BadVersion { what: "ARP hardware type", version: hardware });
        }
        let protocol = u16::from_be_bytes([p[2], p[3]]);
        if protocol != 0x0800 {
            return Err(WireError::BadVersion { what: "ARP protocol type", version: protocol });
        }
        if p[4] != 6 {
            return Err(WireError::BadLength { what: "ARP hardware address", length: p[4].into() });
        }
        if p[5] != 4 {
            return Err(WireError::BadLength { what: "ARP protocol address", length: p[5].into() });
        }
        let operation = match u16::from_be_bytes([p[6], p[7]]) {
            1 => ArpOperation::Request,
            2 => ArpOperation::Reply,
            other => return Err(WireError::BadValue { what: "ARP operation", value: other.into() }),
        };
        Ok(Arp {
            operation,
            sender_mac: MacAddr([p[8], p[9], p[10], p[11], p[12], p[13]]),
            sender_ip: Ipv4Addr::new(p[14], p[15], p[16], p[17]),
            target_mac: MacAddr([p[18], p[19], p[20], p[21], p[22], p[23]]),
            target_ip: Ipv4Addr::new(p[24], p[25], p[26], p[27]),
        })
    }

    /// The packet's bytes.
    pub fn emit(&self) -> [u8; Arp::LEN] {
        let mut p = [0; Arp::LEN];
        p[0..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 0]);
        p[7] = match self.operation {
            ArpOperation::Request => 1,
            ArpOperation::Reply => 2,
        };
        p[8..14].copy_from_slice(&self.sender_mac.0);
        p[14..18].copy_from_slice(&self.sender_ip.octets());
        p[18..24].copy_from_slice(&self.target_mac.0);
        p[24..28].copy_from_slice(&self.target_ip.octets());
        p
    }
}
