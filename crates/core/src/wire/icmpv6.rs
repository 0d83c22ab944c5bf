//! ICMP for IPv6 (RFC 4443). Neighbour discovery is in [`ndp`](super::ndp), multicast listener discovery in
//! [`mld`](super::mld).

use core::fmt;

use super::checksum::PseudoHeader;
use super::error::{WireError, split};
use super::headers::Headers;
pub use super::icmpv4::TimeExceededCode;
use super::icmpv4::pair;

/// Why a packet could not be delivered (RFC 4443 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableCode {
    /// 0: no route to the destination.
    NoRoute,
    /// 1: forbidden.
    Prohibited,
    /// 2: beyond the scope of the source address.
    BeyondScope,
    /// 3: the address does not answer.
    Address,
    /// 4: nobody listens on the port.
    Port,
    /// 5: the source address failed a policy.
    SourcePolicy,
    /// 6: the route is a reject route.
    RejectRoute,
    /// Any other code.
    Other(u8),
}

impl From<u8> for UnreachableCode {
    fn from(code: u8) -> UnreachableCode {
        match code {
            0 => UnreachableCode::NoRoute,
            1 => UnreachableCode::Prohibited,
            2 => UnreachableCode::BeyondScope,
            3 => UnreachableCode::Address,
            4 => UnreachableCode::Port,
            5 => UnreachableCode::SourcePolicy,
            6 => UnreachableCode::RejectRoute,
            other => UnreachableCode::Other(other),
        }
    }
}

impl From<UnreachableCode> for u8 {
    fn from(code: UnreachableCode) -> u8 {
        match code {
            UnreachableCode::NoRoute => 0,
            UnreachableCode::Prohibited => 1,
            UnreachableCode::BeyondScope => 2,
            UnreachableCode::Address => 3,
            UnreachableCode::Port => 4,
            UnreachableCode::SourcePolicy => 5,
            UnreachableCode::RejectRoute => 6,
            UnreachableCode::Other(other) => other,
        }
    }
}

/// The header of an ICMPv6 message: its first eight bytes. What follows is the echoed data, or the quoted packet
/// (see [`Quote`](super::quote::Quote)).
///
/// ```
/// use sockeye_core::wire::{Headers, Protocol, PseudoHeader, icmpv6::Icmpv6};
/// let pseudo = PseudoHeader::new("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), Protocol::Icmpv6, 0);
/// let request = Icmpv6::EchoRequest { id: 7, seq: 1 };
/// let mut headers = Headers::new();
/// request.prepend(&mut headers, &pseudo, b"ping");
/// let message = [headers.as_slice(), b"ping"].concat();
/// assert_eq!(Icmpv6::parse(&message, &pseudo), Ok((request, &b"ping"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmpv6 {
    /// Type 1: the quoted packet was not delivered.
    Unreachable {
        /// Why not.
        code: UnreachableCode,
    },
    /// Type 2: the quoted packet was larger than a link.
    PacketTooBig {
        /// The MTU of that link.
        mtu: u32,
    },
    /// Type 3: the quoted packet ran out of time.
    TimeExceeded {
        /// What ran out.
        code: TimeExceededCode,
    },
    /// Type 4: the quoted packet cannot be processed.
    ParameterProblem {
        /// 0 erroneous field, 1 unknown next header, 2 unknown option.
        code: u8,
        /// Offset of the offending byte.
        pointer: u32,
    },
    /// Type 128: whoever receives this sends it back.
    EchoRequest {
        /// Whose echo it is.
        id: u16,
        /// Which of them.
        seq: u16,
    },
    /// Type 129: the answer.
    EchoReply {
        /// As in the request.
        id: u16,
        /// As in the request.
        seq: u16,
    },
    /// Anything else, neighbour discovery and multicast listener discovery among it.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The four bytes behind the checksum.
        rest: [u8; 4],
    },
}

impl Icmpv6 {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// The header and what follows it. `message` is all that the packet carries.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below eight bytes; [`WireError::BadChecksum`].
    pub fn parse<'a>(message: &'a [u8], pseudo: &PseudoHeader) -> Result<(Icmpv6, &'a [u8]), WireError> {
        let (&[kind, code, _, _, a, b, c, d], data) = split::<{ Icmpv6::LEN }>(message, "ICMPv6 header")?;
        verify(message, pseudo)?;
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let icmp = match kind {
            1 => Icmpv6::Unreachable { code: code.into() },
            2 => Icmpv6::PacketTooBig { mtu: u32::from_be_bytes([a, b, c, d]) },
            3 => Icmpv6::TimeExceeded { code: code.into() },
            4 => Icmpv6::ParameterProblem { code, pointer: u32::from_be_bytes([a, b, c, d]) },
            128 if code == 0 => Icmpv6::EchoRequest { id: first, seq: second },
            129 if code == 0 => Icmpv6::EchoReply { id: first, seq: second },
            _ => Icmpv6::Other { kind, code, rest: [a, b, c, d] },
        };
        Ok((icmp, data))
    }

    /// Puts the header in front, with a checksum over `data`, which is to follow it. Of `pseudo` only the addresses
    /// count.
    pub fn prepend(&self, headers: &mut Headers, pseudo: &PseudoHeader, data: &[u8]) {
        let (kind, code, [a, b, c, d]) = self.fields();
        headers.push_front(&[kind, code, 0, 0, a, b, c, d]);
        seal(headers, Icmpv6::LEN, pseudo, data);
    }

    /// Whether this reports an error about the packet it quotes: types below 128. No error is ever sent about an
    /// error (RFC 4443 section 2.4).
    pub fn is_error(&self) -> bool {
        self.fields().0 < 128
    }

    fn fields(&self) -> (u8, u8, [u8; 4]) {
        match *self {
            Icmpv6::Unreachable { code } => (1, code.into(), [0; 4]),
            // A code other than zero is to be ignored (RFC 4443 section 3.2).
            Icmpv6::PacketTooBig { mtu } => (2, 0, mtu.to_be_bytes()),
            Icmpv6::TimeExceeded { code } => (3, code.into(), [0; 4]),
            Icmpv6::ParameterProblem { code, pointer } => (4, code, pointer.to_be_bytes()),
            Icmpv6::EchoRequest { id, seq } => (128, 0, pair(id, seq)),
            Icmpv6::EchoReply { id, seq } => (129, 0, pair(id, seq)),
            Icmpv6::Other { kind, code, rest } => (kind, code, rest),
        }
    }
}

/// Refuses an ICMPv6 message whose checksum is wrong.
pub(super) fn verify(message: &[u8], pseudo: &PseudoHeader) -> Result<(), WireError> {
    let mut checksum = icmp_only(pseudo, message.len()).checksum();
    checksum.add(message);
    if checksum.finish() != 0 {
        return Err(WireError::BadChecksum { what: "ICMPv6" });
    }
    Ok(())
}

/// Writes the checksum of the message whose first `len` bytes stand at the front of `headers`, `data` following them.
pub(super) fn seal(headers: &mut Headers, len: usize, pseudo: &PseudoHeader, data: &[u8]) {
    let Some(message) = headers.as_mut_slice().get_mut(..len) else { return };
    let mut checksum = icmp_only(pseudo, len.saturating_add(data.len())).checksum();
    checksum.add(message);
    checksum.add(data);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.finish().to_be_bytes());
    }
}

/// ICMPv6's pseudo-header names ICMPv6 even where the packet's fixed header names an extension header.
fn icmp_only(pseudo: &PseudoHeader, length: usize) -> PseudoHeader {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    PseudoHeader { protocol: super::ip::Protocol::Icmpv6, length, ..*pseudo }
}

impl fmt::Display for Icmpv6 {
    /// In tcpdump's words, without the quoted packet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Icmpv6::Unreachable { code } => match code {
                UnreachableCode::NoRoute => f.write_str("unreachable route"),
                UnreachableCode::Prohibited => f.write_str("unreachable, admin prohibited"),
                UnreachableCode::BeyondScope => f.write_str("unreachable, beyond scope of the source"),
                UnreachableCode::Address => f.write_str("unreachable address"),
                UnreachableCode::Port => f.write_str("unreachable port"),
                UnreachableCode::SourcePolicy => f.write_str("unreachable, source failed policy"),
                UnreachableCode::RejectRoute => f.write_str("unreachable, reject route"),
                UnreachableCode::Other(code) => write!(f, "unreachable, code {code}"),
            },
            Icmpv6::PacketTooBig { mtu } => write!(f, "packet too big, mtu {mtu}"),
            Icmpv6::TimeExceeded { code } => fmt::Display::fmt(code, f),
            Icmpv6::ParameterProblem { pointer, .. } => {
                write!(f, "parameter problem - octet {pointer}")
            }
            Icmpv6::EchoRequest { id, seq } => write!(f, "echo request, id {id}, seq {seq}"),
            Icmpv6::EchoReply { id, seq } => write!(f, "echo reply, id {id}, seq {seq}"),
            Icmpv6::Other { kind, code, .. } => write!(f, "type {kind}, code {code}"),
        }
    }
}
