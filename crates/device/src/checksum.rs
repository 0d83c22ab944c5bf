//! Completing, in software, the checksum that a sender has left for a device.

use crate::PartialChecksum;

/// Adds up `frame` from `partial.start` to its end and stores the complement at `partial.start + partial.offset`.
///
/// The field's present content, the pseudo-header's sum, is part of the sum (RFC 1071). A result of zero is stored
/// as 0xffff: the same number to whoever verifies it, and not "no checksum" to UDP. A field outside the frame
/// changes nothing and returns `false`.
///
/// ```
/// use sockeye_device::{PartialChecksum, complete_checksum};
///
/// let mut frame = [0x00, 0x01, 0xf2, 0x03, 0, 0];
/// assert!(complete_checksum(&mut frame, PartialChecksum { start: 0, offset: 4 }));
/// assert_eq!(frame[4..], [0x0d, 0xfb]);
/// ```
#[must_use]
pub fn complete_checksum(frame: &mut [u8], partial: PartialChecksum) -> bool {
    let start = usize::from(partial.start);
    let field = start + usize::from(partial.offset);
    let Some(covered) = frame.get(start..) else { return false };
    let mut sum = 0u64;
    let mut words = covered.chunks_exact(2);
    for word in &mut words {
        sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        sum += u64::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // The loop above leaves sixteen bits.
    let complement = match !(sum as u16) {
        0 => 0xffff,
        other => other,
    };
    match frame.get_mut(field..field + 2) {
        Some(bytes) => {
            bytes.copy_from_slice(&complement.to_be_bytes());
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_zero_becomes_all_ones() {
        let mut frame = [0xff, 0xff, 0, 0];
        assert!(complete_checksum(&mut frame, PartialChecksum { start: 0, offset: 2 }));
        assert_eq!(frame[2..], [0xff, 0xff]);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half_of_a_word() {
        let mut frame = [9, 0, 0, 0x12];
        assert!(complete_checksum(&mut frame, PartialChecksum { start: 1, offset: 0 }));
        assert_eq!(frame, [9, !0x12, 0xff, 0x12]);
    }

    #[test]
    fn a_field_outside_the_frame_is_refused() {
        let mut frame = [1, 2, 3, 4];
        assert!(!complete_checksum(&mut frame, PartialChecksum { start: 0, offset: 3 }));
        assert!(!complete_checksum(&mut frame, PartialChecksum { start: 5, offset: 0 }));
        assert!(!complete_checksum(&mut frame, PartialChecksum { start: u16::MAX, offset: u16::MAX }));
        assert_eq!(frame, [1, 2, 3, 4]);
    }
}
