//! The out-of-order ranges against a map of single bytes.

use proptest::prelude::*;

use super::super::reassembly::{Inserted, MOST_RANGES, Reassembly};
use super::*;
use crate::wire::tcp::SackBlock;

fn block(left: u32, right: u32) -> SackBlock {
    SackBlock { left: SeqNumber(left), right: SeqNumber(right) }
}

#[test]
fn the_range_that_changed_last_comes_first() {
    let mut reassembly = Reassembly::default();
    for left in [100, 300, 500, 700, 900] {
        assert_eq!(reassembly.insert(SeqNumber(left), SeqNumber(left + 50)), Inserted::New);
    }
    assert_eq!(reassembly.blocks(3).as_slice(), [block(900, 950), block(700, 750), block(500, 550)]);
    reassembly.insert(SeqNumber(350), SeqNumber(400));
    assert_eq!(reassembly.blocks(3).as_slice(), [block(300, 400), block(900, 950), block(700, 750)]);
    reassembly.insert(SeqNumber(550), SeqNumber(700)); // joins two
    assert_eq!(
        reassembly.blocks(4).as_slice(),
        [block(500, 750), block(300, 400), block(900, 950), block(100, 150)]
    );
    assert_eq!(reassembly.highest(), Some(SeqNumber(950)));
    assert_eq!(reassembly.advance(SeqNumber(320)), SeqNumber(400));
    assert_eq!(reassembly.blocks(4).as_slice(), [block(500, 750), block(900, 950)]);
}

#[test]
fn what_came_twice_is_reported_first_and_once() {
    let mut reassembly = Reassembly::default();
    reassembly.insert(SeqNumber(100), SeqNumber(200));
    assert_eq!(reassembly.insert(SeqNumber(120), SeqNumber(150)), Inserted::Known);
    assert_eq!(reassembly.blocks(3).as_slice(), [block(120, 150), block(100, 200)]);
    reassembly.on_reported();
    assert_eq!(reassembly.blocks(3).as_slice(), [block(100, 200)]);
    reassembly.on_duplicate(SeqNumber(10), SeqNumber(20));
    assert_eq!(reassembly.blocks(1).as_slice(), [block(10, 20)]);
}

#[test]
fn the_number_of_ranges_is_bounded_but_not_their_growth() {
    let mut reassembly = Reassembly::default();
    for index in 0..MOST_RANGES as u32 {
        assert_eq!(reassembly.insert(SeqNumber(index * 10), SeqNumber(index * 10 + 5)), Inserted::New);
    }
    let one_more = SeqNumber(MOST_RANGES as u32 * 10 + 5);
    assert_eq!(reassembly.insert(one_more, one_more + 1), Inserted::Refused);
    assert_eq!(reassembly.insert(SeqNumber(5), SeqNumber(10)), Inserted::New);
    assert_eq!(reassembly.insert(one_more, one_more + 1), Inserted::New);
}

proptest! {
    #[test]
    fn holds_what_a_map_of_bytes_holds(
        start in any::<u32>(),
        steps in proptest::collection::vec((0_u32..400, 1_u32..60, any::<bool>()), 1..80),
    ) {
        let mut reassembly = Reassembly::default();
        let mut model = vec![false; 500];
        let mut next = 0_usize;
        for (left, length, in_order) in steps {
            // Byte 0 is RCV.NXT at first; the numbers wrap somewhere.
            let at = |place: usize| SeqNumber(start) + place as u32;
            if in_order {
                let end = (next + length as usize).min(499);
                model[next..end].fill(true);
                while next < 500 && model[next] {
                    next += 1;
                }
                prop_assert_eq!(reassembly.advance(at(end)), at(next));
            } else {
                let left = (left as usize).max(next + 1);
                let right = (left + length as usize).min(499);
                if left >= right {
                    continue;
                }
                let known = model[left..right].iter().all(|there| *there);
                model[left..right].fill(true);
                let expected = if known { Inserted::Known } else { Inserted::New };
                prop_assert_eq!(reassembly.insert(at(left), at(right)), expected);
            }
            let waiting = model[next..].iter().filter(|there| **there).count();
            prop_assert_eq!(reassembly.bytes(), waiting);
            prop_assert_eq!(reassembly.is_empty(), waiting == 0);
            reassembly.on_reported();
            for block in reassembly.blocks(4).as_slice() {
                let (left, right) = ((block.left - SeqNumber(start)) as usize, (block.right - SeqNumber(start)) as usize);
                prop_assert!(left > next && model[left..right].iter().all(|there| *there));
                prop_assert!(!model[left - 1] && !model[right]);
            }
        }
    }
}
