//! Why bytes were not a header.

use thiserror::Error;

/// What a parser found wrong. `what` names the header or the field in words fit for a log line.
///
/// ```
/// use sockeye_core::wire::{WireError, ethernet::Ethernet};
/// let error = Ethernet::parse(&[0; 5]).unwrap_err();
/// assert_eq!(error.to_string(), "Ethernet header truncated: 14 bytes needed, 5 there");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// Fewer bytes than the header, or its length field, asks for.
    #[error("{what} truncated: {needed} bytes needed, {got} there")]
    Truncated {
        /// The header or option that was cut short.
        what: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        got: usize,
    },
    /// A length field that contradicts the format, such as an IPv4 header length below five words.
    #[error("{what} of {length} bytes is impossible")]
    BadLength {
        /// The length field.
        what: &'static str,
        /// What it says, in bytes.
        length: usize,
    },
    /// A version (or hardware or protocol type) other than the one parsed here.
    #[error("{what} {version} is not the one expected")]
    BadVersion {
        /// The field.
        what: &'static str,
        /// What it says.
        version: u16,
    },
    /// A checksum that does not match the bytes.
    #[error("{what} checksum is wrong")]
    BadChecksum {
        /// The protocol whose checksum it is.
        what: &'static str,
    },
    /// A checksum of zero where the protocol requires one (UDP over IPv6, RFC 8200 section 8.1).
    #[error("{what} carries no checksum")]
    NoChecksum {
        /// The protocol whose checksum is missing.
        what: &'static str,
    },
    /// A field whose value the format forbids.
    #[error("{what} has the forbidden value {value}")]
    BadValue {
        /// The field.
        what: &'static str,
        /// What it says.
        value: u32,
    },
    /// An option that is malformed in itself.
    #[error("{what} option {kind} is malformed")]
    BadOption {
        /// The protocol the option belongs to.
        what: &'static str,
        /// The option's type or kind.
        kind: u8,
    },
    /// Something in an IPv6 packet that RFC 8200 forbids to skip. See [`Ipv6Problem`] for the ICMP error it calls for.
    #[error("{}", .0)]
    Ipv6(Ipv6Problem),
}

/// What an IPv6 node found in the extension headers that it may not skip (RFC 8200 sections 4 and 4.2), with what an
/// ICMPv6 Parameter Problem needs to report it.
///
/// ```
/// use sockeye_core::wire::error::{Ipv6Problem, Report};
/// let problem = Ipv6Problem { what: "IPv6 option", value: 0xc7, code: 2, pointer: 42, report: Report::Unicast };
/// assert_eq!(problem.to_string(), "IPv6 option 199 at byte 42 cannot be accepted");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} {value} at byte {pointer} cannot be accepted")]
pub struct Ipv6Problem {
    /// The thing that is unknown or wrong.
    pub what: &'static str,
    /// Its value.
    pub value: u8,
    /// Code of the Parameter Problem: 0 erroneous field, 1 unrecognised next header, 2 unrecognised option.
    pub code: u8,
    /// Offset of the offending byte from the start of the IPv6 header.
    pub pointer: u32,
    /// Whom to tell.
    pub report: Report,
}

/// Whether a discarded packet is answered with an ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Discard in silence (option types `01xxxxxx`).
    Never,
    /// Answer whatever the destination was (option types `10xxxxxx`).
    Always,
    /// Answer unless the packet was sent to a multicast address (option types `11xxxxxx`).
    Unicast,
}

/// The first `N` bytes and the rest, or a [`WireError::Truncated`] naming `what`.
pub(crate) fn split<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(&'a [u8; N], &'a [u8]), WireError> {
    bytes.split_first_chunk::<N>().ok_or(WireError::Truncated { what, needed: N, got: bytes.len() })
}
