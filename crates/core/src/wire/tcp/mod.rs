//! TCP segments (RFC 9293 section 3.1) as typed fields, without their payload.

mod accurate_ecn;
mod flags;
mod options;
mod seq;

use core::fmt;

use super::checksum::{ChecksumCheck, ChecksumEmit, PseudoHeader};
use super::error::{WireError, split};
use super::headers::Headers;

pub use accurate_ecn::{AccurateEcn, AccurateEcnOrder};
pub use flags::Flags;
pub use options::{FastOpenCookie, FastOpenForm, OptionBytes, Options, SackBlock, SackBlocks, Timestamps};
pub use seq::SeqNumber;

/// A TCP header; the payload stays where it is, only its length is here.
///
/// Prints as tcpdump does:
/// ```
/// use sockeye_core::wire::{ChecksumCheck, ChecksumEmit, Headers, Protocol, PseudoHeader};
/// use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
/// let segment = Segment {
///     source_port: 7788,
///     destination_port: 50000,
///     seq: SeqNumber(1),
///     ack: SeqNumber(2),
///     flags: Flags::PSH | Flags::ACK,
///     window: 65535,
///     urgent: 0,
///     options: Options::default(),
///     length: 4,
/// };
/// assert_eq!(segment.to_string(), "Flags [P.], seq 1:5, ack 2, win 65535, length 4");
///
/// let pseudo = PseudoHeader::new("10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap(), Protocol::Tcp, 0);
/// let mut headers = Headers::new();
/// segment.prepend(&mut headers, &pseudo, [b"ec", b"ho"], ChecksumEmit::Full);
/// let bytes = [headers.as_slice(), b"echo"].concat();
/// assert_eq!(Segment::parse(&bytes, &pseudo, ChecksumCheck::Verify), Ok((segment, &b"echo"[..])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Port it came from.
    pub source_port: u16,
    /// Port it goes to.
    pub destination_port: u16,
    /// SEG.SEQ: number of the first byte, or of the SYN.
    pub seq: SeqNumber,
    /// SEG.ACK: the next byte expected; meaningful with [`Flags::ACK`].
    pub ack: SeqNumber,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as it stands in the header, not scaled.
    pub window: u16,
    /// SEG.UP: offset from `seq`; meaningful with [`Flags::URG`].
    pub urgent: u16,
    /// Options.
    pub options: Options,
    /// Bytes of payload.
    pub length: u32,
}

impl Segment {
    /// Bytes of a header without options.
    pub const MIN_LEN: usize = 20;
    /// Bytes of the longest header.
    pub const MAX_LEN: usize = Segment::MIN_LEN + Options::MAX_LEN;

    /// The header and its payload. `segment` is all that the packet carries.
    ///
    /// # Errors
    /// [`WireError::Truncated`] where the header exceeds the bytes; [`WireError::BadLength`] for a data offset below
    /// five words; [`WireError::BadChecksum`]. Malformed options are no error: see [`Options`].
    pub fn parse<'a>(
        segment: &'a [u8],
        pseudo: &PseudoHeader,
        check: ChecksumCheck,
    ) -> Result<(Segment, &'a [u8]), WireError> {
        let (&h, _) = split::<{ Segment::MIN_LEN }>(segment, "TCP header")?;
        let header_len = usize::from(h[12] >> 4) * 4;
        if header_len < Segment::MIN_LEN {
            return Err(WireError::BadLength { what: "TCP header length", length: header_len });
        }
        let Some((header, payload)) = segment.split_at_checked(header_len) else {
            return Err(WireError::Truncated { what: "TCP options", needed: header_len, got: segment.len() });
        };
        if check == ChecksumCheck::Verify {
            let mut checksum = pseudo.with_length(length(segment.len())).checksum();
            checksum.add(segment);
            if checksum.finish() != 0 {
                return Err(WireError::BadChecksum { what: "TCP" });
            }
        }
        let parsed = Segment {
            source_port: u16::from_be_bytes([h[0], h[1]]),
            destination_port: u16::from_be_bytes([h[2], h[3]]),
            seq: SeqNumber(u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
            ack: SeqNumber(u32::from_be_bytes([h[8], h[9], h[10], h[11]])),
            flags: Flags::from_bits(u16::from_be_bytes([h[12], h[13]])),
            window: u16::from_be_bytes([h[14], h[15]]),
            urgent: u16::from_be_bytes([h[18], h[19]]),
            options: Options::parse(header.get(Segment::MIN_LEN..).unwrap_or_default()),
            length: length(payload.len()),
        };
        Ok((parsed, payload))
    }

    /// Bytes of this header, options included.
    pub fn header_len(&self) -> usize {
        Segment::MIN_LEN + self.options.len()
    }

    /// SEG.LEN: sequence numbers the segment takes, SYN and FIN counting one each.
    pub fn sequence_length(&self) -> u32 {
        let control = u32::from(self.flags.contains(Flags::SYN)) + u32::from(self.flags.contains(Flags::FIN));
        self.length.saturating_add(control)
    }

    /// The first sequence number behind the segment.
    pub fn end(&self) -> SeqNumber {
        self.seq + self.sequence_length()
    }

    /// Puts the header in front. Of `pseudo` only addresses and protocol count; `payload` is the segment's payload in
    /// two pieces (as a ring buffer lends it), read for the checksum and not copied.
    pub fn prepend(
        &self,
        headers: &mut Headers,
        pseudo: &PseudoHeader,
        payload: [&[u8]; 2],
        emit: ChecksumEmit,
    ) {
        let options = self.options.emit();
        let options = options.as_slice();
        let header_len = Segment::MIN_LEN + options.len();
        let mut h = [0; Segment::MIN_LEN];
        h[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        h[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        h[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        h[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        // At most 60 / 4 = 15: fits its four bits.
        let offset = ((header_len / 4) as u16) << 12;
        h[12..14].copy_from_slice(&(offset | self.flags.bits()).to_be_bytes());
        h[14..16].copy_from_slice(&self.window.to_be_bytes());
        h[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        let total = header_len.saturating_add(payload[0].len()).saturating_add(payload[1].len());
        let mut checksum = pseudo.with_length(length(total)).checksum();
        let field = match emit {
            ChecksumEmit::PseudoOnly => checksum.partial(),
            ChecksumEmit::Full => {
                checksum.add(&h);
                checksum.add(options);
                checksum.add(payload[0]);
                checksum.add(payload[1]);
                checksum.finish()
            }
        };
        h[16..18].copy_from_slice(&field.to_be_bytes());
        headers.push_front(options);
        headers.push_front(&h);
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags {}", self.flags)?;
        if self.length > 0 {
            write!(f, ", seq {}:{}", self.seq, self.seq + self.length)?;
        } else if self.flags.intersects(Flags::SYN | Flags::FIN | Flags::RST) {
            write!(f, ", seq {}", self.seq)?;
        }
        if self.flags.contains(Flags::ACK) {
            write!(f, ", ack {}", self.ack)?;
        }
        write!(f, ", win {}", self.window)?;
        if self.flags.contains(Flags::URG) {
            write!(f, ", urg {}", self.urgent)?;
        }
        if !self.options.is_empty() {
            write!(f, ", options [{}]", self.options)?;
        }
        write!(f, ", length {}", self.length)
    }
}
