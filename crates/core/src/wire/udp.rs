//! UDP datagram headers (RFC 768).

use super::checksum::{ChecksumCheck, ChecksumEmit, PseudoHeader};
use super::error::{WireError, split};
use super::headers::Headers;

/// The header of a UDP datagram.
///
/// ```
/// use sockeye_core::wire::{ChecksumCheck, ChecksumEmit, Headers, Protocol, PseudoHeader, udp::Udp};
/// let pseudo = PseudoHeader::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), Protocol::Udp, 0);
/// let udp = Udp::new(5000, 53, 5);
/// let mut headers = Headers::new();
/// udp.prepend(&mut headers, &pseudo, [b"he", b"llo"], ChecksumEmit::Full);
/// let datagram = [headers.as_slice(), b"hello"].concat();
/// assert_eq!(Udp::parse(&datagram, &pseudo, ChecksumCheck::Verify), Ok((udp, &b"hello"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp {
    /// Port it came from; zero where no answer is wanted.
    pub source_port: u16,
    /// Port it goes to.
    pub destination_port: u16,
    /// Bytes of header and payload.
    pub length: u16,
}

impl Udp {
    /// Bytes of the header.
    pub const LEN: usize = 8;
    /// The most bytes a payload can have (IPv4 leaves 20 fewer).
    pub const MAX_PAYLOAD: usize = 65535 - Udp::LEN;

    /// The header for `payload_len` bytes, at most [`Udp::MAX_PAYLOAD`].
    pub fn new(source_port: u16, destination_port: u16, payload_len: usize) -> Udp {
        let length = u16::try_from(payload_len.saturating_add(Udp::LEN)).unwrap_or(u16::MAX);
        Udp { source_port, destination_port, length }
    }

    /// The header and its payload, cut to the length field. A checksum of zero means none was computed, which IPv4
    /// allows and IPv6 does not.
    ///
    /// # Errors
    /// [`WireError::Truncated`] where header or length exceed the bytes; [`WireError::BadLength`] below 8;
    /// [`WireError::NoChecksum`]; [`WireError::BadChecksum`].
    pub fn parse<'a>(
        datagram: &'a [u8],
        pseudo: &PseudoHeader,
        check: ChecksumCheck,
    ) -> Result<(Udp, &'a [u8]), WireError> {
        let (&h, _) = split::<{ Udp::LEN }>(datagram, "UDP header")?;
        let length = u16::from_be_bytes([h[4], h[5]]);
        if usize::from(length) < Udp::LEN {
            return Err(WireError::BadLength { what: "UDP length", length: length.into() });
        }
        let Some(whole) = datagram.get(..length.into()) else {
            return Err(WireError::Truncated {
                what: "UDP datagram",
                needed: length.into(),
                got: datagram.len(),
            });
        };
        if check == ChecksumCheck::Verify {
            if [h[6], h[7]] == [0, 0] {
                if pseudo.source.is_ipv6() {
                    return Err(WireError::NoChecksum { what: "UDP over IPv6" });
                }
            } else {
                let mut checksum = pseudo.with_length(length.into()).checksum();
                checksum.add(whole);
                if checksum.finish() != 0 {
                    return Err(WireError::BadChecksum { what: "UDP" });
                }
            }
        }
        let udp = Udp {
            source_port: u16::from_be_bytes([h[0], h[1]]),
            destination_port: u16::from_be_bytes([h[2], h[3]]),
            length,
        };
        Ok((udp, whole.get(Udp::LEN..).unwrap_or_default()))
    }

    /// Puts the header in front, with a checksum over `payload` in its two pieces (the second may be empty).
    pub fn prepend(
        &self,
        headers: &mut Headers,
        pseudo: &PseudoHeader,
        payload: [&[u8]; 2],
        emit: ChecksumEmit,
    ) {
        let mut h = [0; Udp::LEN];
        h[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        h[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        h[4..6].copy_from_slice(&self.length.to_be_bytes());
        let mut checksum = pseudo.with_length(self.length.into()).checksum();
        let field = match emit {
            ChecksumEmit::PseudoOnly => checksum.partial(),
            ChecksumEmit::Full => {
                checksum.add(&h);
                checksum.add(payload[0]);
                checksum.add(payload[1]);
                // Zero would say that there is no checksum; its other form, all ones, means the same number.
                match checksum.finish() {
                    0 => 0xffff,
                    sum => sum,
                }
            }
        };
        h[6..8].copy_from_slice(&field.to_be_bytes());
        headers.push_front(&h);
    }
}
