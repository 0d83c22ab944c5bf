//! ICMP messages of scripts as numbers.

use crate::ast::IcmpPacket;
use crate::constant::icmp::{IcmpVersion, numbers};

/// Type and code of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeAndCode {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
}

/// What the names of a message stand for.
///
/// # Errors
/// A name that this version of IP does not have.
pub fn type_and_code(packet: &IcmpPacket, v6: bool) -> Result<TypeAndCode, String> {
    let version = if v6 { IcmpVersion::V6 } else { IcmpVersion::V4 };
    let (kind, code) = numbers(packet, version)?;
    Ok(TypeAndCode { kind, code })
}

/// The four bytes behind the checksum: an MTU in the places of RFC 1191 or RFC 4443, or the identifier of an echo.
pub fn rest(packet: &IcmpPacket) -> [u8; 4] {
    let [a, b] = packet.id.unwrap_or(0).to_be_bytes();
    packet.mtu.map_or([a, b, 0, 0], u32::to_be_bytes)
}
