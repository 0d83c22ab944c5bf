//! What the bytes of a stream are: each is known by its place, so that what arrives out of place is seen.

/// The byte at `position` of a stream, the first being 0.
pub fn byte_at(position: u32) -> u8 {
    // Any two places that a lost, doubled or swapped segment could bring together differ almost always.
    let mixed = position.wrapping_mul(0x9E37_79B1);
    (mixed >> 24) as u8
}

/// `length` bytes of a stream from `position` on.
pub fn bytes(position: u32, length: usize) -> Vec<u8> {
    (0..length).map(|offset| byte_at(position.wrapping_add(offset as u32))).collect()
}

/// The first byte of `bytes` that does not belong at its place, counted from `position`.
pub fn first_wrong(position: u32, bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().position(|(offset, byte)| *byte != byte_at(position.wrapping_add(offset as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_out_of_place_are_seen() {
        assert_eq!(first_wrong(7, &bytes(7, 5000)), None);
        for shift in [1, 536, 1000, 1460, 2000, 65_536] {
            assert!(first_wrong(7, &bytes(7 + shift, 1000)).is_some(), "{shift}");
        }
    }
}
