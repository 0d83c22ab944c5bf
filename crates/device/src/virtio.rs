//! The header that TUN and TAP put before a frame when they share offloads: `struct virtio_net_hdr`
//! (Virtual I/O Device 1.2, section 5.1.6), ten bytes in the machine's own byte order.

use crate::{Checksum, Medium, Offload, PartialChecksum};
use std::io::{self, IoSlice};

/// Bytes of the header.
pub(crate) const HEADER_LENGTH: usize = 10;

/// The checksum field is partial: the other side completes it from `csum_start` on.
const NEEDS_CSUM: u8 = 1;
/// The checksum has been verified.
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// Added to a TCP type when CWR is set: only the first of the segments may carry it (RFC 3168).
const GSO_ECN: u8 = 0x80;

/// Where TCP keeps CWR: the byte after the start of its header, and the bit.
const TCP_FLAGS_AT: usize = 13;
const TCP_CWR: u8 = 0x80;
/// Where UDP keeps its checksum, which tells it from TCP.
const UDP_CHECKSUM_AT: u16 = 6;

/// The header that asks for `offload` on the frame that `parts` make up.
///
/// # Errors
/// `InvalidInput` when the frame is to be segmented and is neither IPv4 nor IPv6.
pub(crate) fn encode(
    offload: &Offload,
    parts: &[IoSlice<'_>],
    medium: Medium,
) -> io::Result<[u8; HEADER_LENGTH]> {
    let mut header = [0; HEADER_LENGTH];
    let PartialChecksum { start, offset } = match offload.checksum {
        Some(partial) => partial,
        None => return Ok(header),
    };
    header[0] = NEEDS_CSUM;
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    if let Some(segment_size) = offload.segment_size {
        let version = ip_version(parts, medium);
        let mut kind = match version {
            Some(4 | 6) if offset == UDP_CHECKSUM_AT => GSO_UDP_L4,
            Some(4) => GSO_TCPV4,
            Some(6) => GSO_TCPV6,
            _ => {
                let reason = "only IPv4 and IPv6 packets can be segmented";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
        };
        let flags = byte(parts, usize::from(start) + TCP_FLAGS_AT).unwrap_or(0);
        if kind != GSO_UDP_L4 && flags & TCP_CWR != 0 {
            kind |= GSO_ECN;
        }
        header[1] = kind;
        header[2..4].copy_from_slice(&offload.header_length.to_ne_bytes());
        header[4..6].copy_from_slice(&segment_size.to_ne_bytes());
    }
    Ok(header)
}

/// What the header of a received frame says: its checksum and its segment size.
///
/// # Errors
/// `InvalidData` for a kind of segmentation that was not asked for.
pub(crate) fn decode(header: &[u8; HEADER_LENGTH]) -> io::Result<(Checksum, Option<u16>)> {
    let [flags, kind, _, _, size @ ..] = *header;
    let [size_0, size_1, start_0, start_1, offset_0, offset_1] = size;
    let checksum = if flags & NEEDS_CSUM != 0 {
        Checksum::Partial(PartialChecksum {
            start: u16::from_ne_bytes([start_0, start_1]),
            offset: u16::from_ne_bytes([offset_0, offset_1]),
        })
    } else if flags & DATA_VALID != 0 {
        Checksum::Verified
    } else {
        Checksum::Unknown
    };
    let segment_size = match kind & !GSO_ECN {
        GSO_NONE => None,
        GSO_TCPV4 | GSO_TCPV6 | GSO_UDP_L4 => {
            Some(u16::from_ne_bytes([size_0, size_1])).filter(|&size| size != 0)
        }
        _ => {
            let reason = "the interface handed up a kind of segmentation nobody asked for";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
    };
    Ok((checksum, segment_size))
}

/// The IP version of the packet in a frame, if there is a packet in it.
fn ip_version(parts: &[IoSlice<'_>], medium: Medium) -> Option<u8> {
    match medium {
        Medium::Ip => byte(parts, 0).map(|first| first >> 4),
        Medium::Ethernet => {
            let ether_type = |at| Some(u16::from_be_bytes([byte(parts, at)?, byte(parts, at + 1)?]));
            match ether_type(12)? {
                0x8100 => version_of(ether_type(16)?),
                other => version_of(other),
            }
        }
    }
}

fn version_of(ether_type: u16) -> Option<u8> {
    match ether_type {
        0x0800 => Some(4),
        0x86dd => Some(6),
        _ => None,
    }
}

/// The byte at `at` of the frame that `parts` make up.
fn byte(parts: &[IoSlice<'_>], mut at: usize) -> Option<u8> {
    for part in parts {
        match part.get(at) {
            Some(&byte) => return Some(byte),
            None => at -= part.len(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offload(offset: u16) -> Offload {
        let checksum = Some(PartialChecksum { start: 34, offset });
        Offload { checksum, segment_size: Some(1448), header_length: 66 }
    }

    fn frame(ether_type: [u8; 2], flags: u8) -> [u8; 100] {
        let mut frame = [0; 100];
        frame[12..14].copy_from_slice(&ether_type);
        frame[34 + TCP_FLAGS_AT] = flags;
        frame
    }

    fn kind(frame: &[u8], offset: u16) -> io::Result<u8> {
        // Cut in two, so that a field is looked for across pieces.
        let (one, two) = frame.split_at(13);
        encode(&offload(offset), &[IoSlice::new(one), IoSlice::new(two)], Medium::Ethernet)
            .map(|header| header[1])
    }

    #[test]
    fn the_kind_of_segmentation_is_read_off_the_frame() {
        assert_eq!(kind(&frame([8, 0], 0x18), 16).unwrap(), GSO_TCPV4);
        assert_eq!(kind(&frame([8, 0], 0x98), 16).unwrap(), GSO_TCPV4 | GSO_ECN);
        assert_eq!(kind(&frame([0x86, 0xdd], 0x10), 16).unwrap(), GSO_TCPV6);
        assert_eq!(kind(&frame([8, 0], 0xff), 6).unwrap(), GSO_UDP_L4);
        assert_eq!(kind(&frame([8, 6], 0), 16).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(kind(&[0; 13], 16).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let mut tagged = frame([0x81, 0], 0);
        tagged[16..18].copy_from_slice(&[8, 0]);
        assert_eq!(kind(&tagged, 16).unwrap(), GSO_TCPV4);
    }

    #[test]
    fn what_is_asked_reads_back() {
        let header = encode(&offload(16), &[IoSlice::new(&[0x60])], Medium::Ip).unwrap();
        let partial = PartialChecksum { start: 34, offset: 16 };
        assert_eq!(decode(&header).unwrap(), (Checksum::Partial(partial), Some(1448)));
        let header = encode(&Offload::NONE, &[], Medium::Ip).unwrap();
        assert_eq!(decode(&header).unwrap(), (Checksum::Unknown, None));
    }

    #[test]
    fn verified_and_nonsense_are_told_apart() {
        let mut header = [0; HEADER_LENGTH];
        header[0] = DATA_VALID;
        assert_eq!(decode(&header).unwrap(), (Checksum::Verified, None));
        header[1] = 3;
        assert_eq!(decode(&header).unwrap_err().kind(), io::ErrorKind::InvalidData);
        header[1] = GSO_TCPV4;
        assert_eq!(decode(&header).unwrap().1, None);
    }
}
