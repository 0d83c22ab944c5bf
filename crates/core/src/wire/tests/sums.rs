//! The checksum against one that is too simple to be wrong.

use proptest::prelude::*;

use super::super::checksum::{Checksum, sum, update};

fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for (at, byte) in bytes.iter().enumerate() {
        sum += if at % 2 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) };
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum & 0xffff) as u16 + (sum >> 16) as u16
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    core::iter::repeat_with(next).take(len).collect()
}

#[test]
fn every_length_at_every_alignment() {
    let bytes = noise(300);
    for start in 0..64 {
        for end in start..bytes.len() {
            assert_eq!(sum(&bytes[start..end]), naive(&bytes[start..end]), "{start}..{end}");
        }
    }
}

#[test]
fn all_ones_do_not_overflow() {
    let bytes = vec![0xff; 1 << 20];
    assert_eq!(sum(&bytes), 0xffff);
}

#[test]
fn every_split_in_three() {
    let bytes = noise(151);
    let whole = naive(&bytes);
    for first in 0..bytes.len() {
        for second in first..bytes.len() {
            let mut checksum = Checksum::new();
            checksum.add(&bytes[..first]);
            checksum.add(&bytes[first..second]);
            checksum.add(&bytes[second..]);
            assert_eq!(checksum.partial(), whole, "{first} {second}");
        }
    }
}

#[test]
fn fields_count_as_their_bytes_even_behind_an_odd_slice() {
    for odd in [&[][..], &[0x5a]] {
        let mut fields = Checksum::new();
        fields.add(odd);
        fields.add_u16(0x1234);
        fields.add_u32(0x89ab_cdef);
        assert_eq!(fields.partial(), naive(&[odd, &[0x12, 0x34, 0x89, 0xab, 0xcd, 0xef]].concat()));
    }
}

proptest! {
    #[test]
    fn an_update_equals_a_recomputation(mut bytes in prop::collection::vec(any::<u8>(), 2..80), at: usize, new: u16) {
        let at = at % (bytes.len() / 2) * 2;
        let before = !naive(&bytes);
        let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
        // Zero has two forms in one's complement: the sum of nothing but zeros is the only one that is +0.
        prop_assume!(bytes.iter().any(|byte| *byte != 0));
        prop_assert_eq!(update(before, old, new), !naive(&bytes));
    }
}
