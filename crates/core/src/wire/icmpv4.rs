//! ICMP for IPv4 (RFC 792, RFC 1191).

use core::fmt;
use core::net::Ipv4Addr;

use super::checksum::{Checksum, sum};
use super::error::{WireError, split};
use super::headers::Headers;

/// Why a packet could not be delivered (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableCode {
    /// 0: no route.
    Network,
    /// 1: the host does not answer.
    Host,
    /// 2: the host does not know the protocol.
    Protocol,
    /// 3: nobody listens on the port.
    Port,
    /// 4: too large for the next link, and not to be fragmented.
    FragmentationNeeded,
    /// 9: communication with the network is forbidden.
    NetworkProhibited,
    /// 10: communication with the host is forbidden.
    HostProhibited,
    /// 13: forbidden by a filter.
    Prohibited,
    /// Any other code.
    Other(u8),
}

impl From<u8> for UnreachableCode {
    fn from(code: u8) -> UnreachableCode {
        match code {
            0 => UnreachableCode::Network,
            1 => UnreachableCode::Host,
            2 => UnreachableCode::Protocol,
            3 => UnreachableCode::Port,
            4 => UnreachableCode::FragmentationNeeded,
            9 => UnreachableCode::NetworkProhibited,
            10 => UnreachableCode::HostProhibited,
            13 => UnreachableCode::Prohibited,
            other => UnreachableCode::Other(other),
        }
    }
}

impl From<UnreachableCode> for u8 {
    fn from(code: UnreachableCode) -> u8 {
        match code {
            UnreachableCode::Network => 0,
            UnreachableCode::Host => 1,
            UnreachableCode::Protocol => 2,
            UnreachableCode::Port => 3,
            UnreachableCode::FragmentationNeeded => 4,
            UnreachableCode::NetworkProhibited => 9,
            UnreachableCode::HostProhibited => 10,
            UnreachableCode::Prohibited => 13,
            UnreachableCode::Other(other) => other,
        }
    }
}

/// What ran out; both versions of ICMP number them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeExceededCode {
    /// 0: the TTL or hop limit.
    HopLimit,
    /// 1: the time for fragments to arrive.
    Reassembly,
    /// Any other code.
    Other(u8),
}

impl From<u8> for TimeExceededCode {
    fn from(code: u8) -> TimeExceededCode {
        match code {
            0 => TimeExceededCode::HopLimit,
            1 => TimeExceededCode::Reassembly,
            other => TimeExceededCode::Other(other),
        }
    }
}

impl From<TimeExceededCode> for u8 {
    fn from(code: TimeExceededCode) -> u8 {
        match code {
            TimeExceededCode::HopLimit => 0,
            TimeExceededCode::Reassembly => 1,
            TimeExceededCode::Other(other) => other,
        }
    }
}

/// The header of an ICMP message: its first eight bytes. What follows is the echoed data, or the quoted packet
/// (see [`Quote`](super::quote::Quote)).
///
/// ```
/// use sockeye_core::wire::{Headers, icmpv4::Icmpv4};
/// let request = Icmpv4::EchoRequest { id: 7, seq: 1 };
/// let mut headers = Headers::new();
/// request.prepend(&mut headers, b"ping");
/// let message = [headers.as_slice(), b"ping"].concat();
/// assert_eq!(Icmpv4::parse(&message), Ok((request, &b"ping"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmpv4 {
    /// Type 8: whoever receives this sends it back.
    EchoRequest {
        /// Whose echo it is.
        id: u16,
        /// Which of them.
        seq: u16,
    },
    /// Type 0: the answer.
    EchoReply {
        /// As in the request.
        id: u16,
        /// As in the request.
        seq: u16,
    },
    /// Type 3: the quoted packet was not delivered.
    Unreachable {
        /// Why not.
        code: UnreachableCode,
        /// With [`UnreachableCode::FragmentationNeeded`], the MTU of the next link (RFC 1191), zero from routers that
        /// do not know of it; zero with any other code.
        mtu: u16,
    },
    /// Type 5: a better first hop.
    Redirect {
        /// For what: 0 network, 1 host, 2 and 3 with type of service.
        code: u8,
        /// The router to use.
        gateway: Ipv4Addr,
    },
    /// Type 11: the quoted packet ran out of time.
    TimeExceeded {
        /// What ran out.
        code: TimeExceededCode,
    },
    /// Type 12: the quoted packet is malformed.
    ParameterProblem {
        /// 0: `pointer` says where; 1: an option is missing.
        code: u8,
        /// Offset of the offending byte.
        pointer: u8,
    },
    /// Anything else.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The four bytes behind the checksum.
        rest: [u8; 4],
    },
}

impl Icmpv4 {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// The header and what follows it. `message` is all that the packet carries.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below eight bytes; [`WireError::BadChecksum`].
    pub fn parse(message: &[u8]) -> Result<(Icmpv4, &[u8]), WireError> {
        let (&[kind, code, _, _, a, b, c, d], data) = split::<{ Icmpv4::LEN }>(message, "ICMP header")?;
        if sum(message) != 0xffff {
            return Err(WireError::BadChecksum { what: "ICMP" });
        }
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let icmp = match kind {
            8 if code == 0 => Icmpv4::EchoRequest { id: first, seq: second },
            0 if code == 0 => Icmpv4::EchoReply { id: first, seq: second },
            3 => {
                let code = code.into();
                let mtu = if code == UnreachableCode::FragmentationNeeded { second } else { 0 };
                Icmpv4::Unreachable { code, mtu }
            }
            5 => Icmpv4::Redirect { code, gateway: Ipv4Addr::new(a, b, c, d) },
            11 => Icmpv4::TimeExceeded { code: code.into() },
            12 => Icmpv4::ParameterProblem { code, pointer: a },
            _ => Icmpv4::Other { kind, code, rest: [a, b, c, d] },
        };
        Ok((icmp, data))
    }

    /// Puts the header in front, with a checksum over `data`, which is to follow it.
    pub fn prepend(&self, headers: &mut Headers, data: &[u8]) {
        let (kind, code, rest) = self.fields();
        let [a, b, c, d] = rest;
        let mut h = [kind, code, 0, 0, a, b, c, d];
        let mut checksum = Checksum::new();
        checksum.add(&h);
        checksum.add(data);
        h[2..4].copy_from_slice(&checksum.finish().to_be_bytes());
        headers.push_front(&h);
    }

    /// Whether this reports an error about the packet it quotes. No error is ever sent about an error (RFC 1122).
    pub fn is_error(&self) -> bool {
        matches!(self.fields().0, 3 | 4 | 5 | 11 | 12)
    }

    fn fields(&self) -> (u8, u8, [u8; 4]) {
        match *self {
            Icmpv4::EchoRequest { id, seq } => (8, 0, pair(id, seq)),
            Icmpv4::EchoReply { id, seq } => (0, 0, pair(id, seq)),
            Icmpv4::Unreachable { code, mtu } => {
                let mtu = if code == UnreachableCode::FragmentationNeeded { mtu } else { 0 };
                (3, code.into(), pair(0, mtu))
            }
            Icmpv4::Redirect { code, gateway } => (5, code, gateway.octets()),
            Icmpv4::TimeExceeded { code } => (11, code.into(), [0; 4]),
            Icmpv4::ParameterProblem { code, pointer } => (12, code, [pointer, 0, 0, 0]),
            Icmpv4::Other { kind, code, rest } => (kind, code, rest),
        }
    }
}

/// Two 16-bit fields as the four bytes they fill.
pub(super) fn pair(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
    [a, b, c, d]
}

impl fmt::Display for Icmpv4 {
    /// In tcpdump's words, without the quoted packet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Icmpv4::EchoRequest { id, seq } => write!(f, "echo request, id {id}, seq {seq}"),
            Icmpv4::EchoReply { id, seq } => write!(f, "echo reply, id {id}, seq {seq}"),
            Icmpv4::Unreachable { code, mtu } => match code {
                UnreachableCode::Network => f.write_str("network unreachable"),
                UnreachableCode::Host => f.write_str("host unreachable"),
                UnreachableCode::Protocol => f.write_str("protocol unreachable"),
                UnreachableCode::Port => f.write_str("port unreachable"),
                UnreachableCode::FragmentationNeeded => write!(f, "unreachable - need to frag (mtu {mtu})"),
                UnreachableCode::NetworkProhibited => f.write_str("network unreachable - prohibited"),
                UnreachableCode::HostProhibited => f.write_str("host unreachable - prohibited"),
                UnreachableCode::Prohibited => f.write_str("unreachable - admin prohibited"),
                UnreachableCode::Other(code) => write!(f, "unreachable - code {code}"),
            },
            Icmpv4::Redirect { gateway, .. } => write!(f, "redirect to {gateway}"),
            Icmpv4::TimeExceeded { code } => fmt::Display::fmt(code, f),
            Icmpv4::ParameterProblem { pointer, .. } => {
                write!(f, "parameter problem - octet {pointer}")
            }
            Icmpv4::Other { kind, code, .. } => write!(f, "type {kind}, code {code}"),
        }
    }
}

impl fmt::Display for TimeExceededCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeExceededCode::HopLimit => f.write_str("time exceeded in-transit"),
            TimeExceededCode::Reassembly => f.write_str("reassembly time exceeded"),
            TimeExceededCode::Other(code) => write!(f, "time exceeded, code {code}"),
        }
    }
}
