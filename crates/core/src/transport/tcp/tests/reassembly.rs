//! The out-of-order ranges against a map of single bytes.

use proptest::prelude::*;

use super::super::reassembly::{Inserted, Reassembly, most_ranges};
use super::*;
use crate::drop_reason::DropReason;
use crate::wire::tcp::{SackBlock, Timestamps};

const MOST: usize = 100;

fn block(left: u32, right: u32) -> SackBlock {
    SackBlock { left: SeqNumber(left), right: SeqNumber(right) }
}

#[test]
fn the_range_that_changed_last_comes_first() {
    let mut reassembly = Reassembly::default();
    for left in [100, 300, 500, 700, 900] {
        assert_eq!(reassembly.insert(SeqNumber(left), SeqNumber(left + 50), MOST), Inserted::New);
    }
    assert_eq!(reassembly.blocks(1, 3).as_slice(), [block(900, 950), block(700, 750), block(500, 550)]);
    reassembly.insert(SeqNumber(350), SeqNumber(400), MOST);
    assert_eq!(reassembly.blocks(1, 3).as_slice(), [block(300, 400), block(900, 950), block(700, 750)]);
    reassembly.insert(SeqNumber(550), SeqNumber(700), MOST); // joins two
    assert_eq!(
        reassembly.blocks(1, 4).as_slice(),
        [block(500, 750), block(300, 400), block(900, 950), block(100, 150)]
    );
    assert_eq!(reassembly.highest(), Some(SeqNumber(950)));
    assert_eq!(reassembly.advance(SeqNumber(320)), SeqNumber(400));
    assert_eq!(reassembly.blocks(1, 4).as_slice(), [block(500, 750), block(900, 950)]);
}

#[test]
fn what_came_twice_is_reported_first_and_once() {
    let mut reassembly = Reassembly::default();
    reassembly.insert(SeqNumber(100), SeqNumber(200), MOST);
    assert_eq!(reassembly.insert(SeqNumber(120), SeqNumber(150), MOST), Inserted::Known);
    assert_eq!(reassembly.blocks(1, 3).as_slice(), [block(120, 150), block(100, 200)]);
    reassembly.on_reported(1);
    assert_eq!(reassembly.blocks(1, 3).as_slice(), [block(100, 200)]);
    reassembly.on_duplicate(SeqNumber(10), SeqNumber(20));
    assert_eq!(reassembly.blocks(1, 1).as_slice(), [block(10, 20)]);
}

#[test]
fn what_comes_in_a_batch_is_reported_one_by_one() {
    let mut reassembly = Reassembly::default();
    for left in [100, 200, 300, 400, 500, 600] {
        reassembly.insert(SeqNumber(left), SeqNumber(left + 50), MOST);
    }
    reassembly.on_duplicate(SeqNumber(10), SeqNumber(20));
    let mut report = |owed, most| {
        let blocks = reassembly.blocks(owed, most).as_slice().to_vec();
        reassembly.on_reported(owed);
        blocks
    };
    assert_eq!(report(7, 3), [block(100, 150), block(600, 650), block(500, 550)]);
    assert_eq!(report(6, 3), [block(200, 250), block(100, 150), block(600, 650)]);
    // Where fewer are owed than there is news, each brings more of it.
    assert_eq!(report(2, 4), [block(500, 550), block(400, 450), block(300, 350), block(200, 250)]);
    assert_eq!(report(1, 3), [block(10, 20), block(600, 650), block(500, 550)]);
    assert_eq!(report(1, 3), [block(600, 650), block(500, 550), block(400, 450)]);
}

#[test]
fn the_number_of_ranges_is_bounded_but_not_their_growth() {
    assert_eq!([1 << 20, 1 << 30].map(most_ranges), [16_384, 1 << 20]);
    let mut reassembly = Reassembly::default();
    let mut insert = |left, right| reassembly.insert(SeqNumber(left), SeqNumber(right), MOST);
    for index in 0..MOST as u32 {
        assert_eq!(insert(index * 10, index * 10 + 5), Inserted::New);
    }
    assert_eq!(insert(1005, 1006), Inserted::Refused);
    assert_eq!(insert(5, 10), Inserted::New);
    assert_eq!(insert(1005, 1006), Inserted::New);
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
                prop_assert_eq!(reassembly.insert(at(left), at(right), MOST), expected);
            }
            let waiting = model[next..].iter().filter(|there| **there).count();
            prop_assert_eq!(reassembly.bytes(), waiting);
            prop_assert_eq!(reassembly.is_empty(), waiting == 0);
            reassembly.on_reported(1);
            for block in reassembly.blocks(1, 4).as_slice() {
                let (left, right) = ((block.left - SeqNumber(start)) as usize, (block.right - SeqNumber(start)) as usize);
                prop_assert!(left > next && model[left..right].iter().all(|there| *there));
                prop_assert!(!model[left - 1] && !model[right]);
            }
        }
    }
}

/// A connection whose peer stamps its segments.
fn stamped(value: u32, seq: u32, length: u32, flags: Flags) -> Segment {
    let echo = opening(1000).timestamp_offset;
    Segment {
        length,
        options: Options {
            timestamps: Some(Timestamps { value, echo }),
            mss: flags.contains(Flags::SYN).then_some(1460),
            sack_permitted: flags.contains(Flags::SYN),
            ..Options::default()
        },
        ..from_peer(flags, seq, 1001)
    }
}

#[test]
fn what_a_retransmission_has_overtaken_is_no_old_duplicate() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    connection.on_segment(at(10), &stamped(100, 5000, 0, Flags::SYN | Flags::ACK), &[]).unwrap();
    let mut data = |now, value, seq| {
        let outcome = connection.on_segment(at(now), &stamped(value, seq, 1, Flags::ACK), b"x");
        let answer = connection.poll_transmit(at(now), 0).map(|answer| answer.segment.options.sack);
        (outcome, answer.map(|sack| sack.as_slice().to_vec()))
    };
    // 5001 is lost, 5003 and 5005 are late. The retransmission of 5001 comes before them.
    data(100, 190, 5002).0.unwrap();
    data(101, 192, 5004).0.unwrap();
    data(102, 194, 5006).0.unwrap();
    data(150, 240, 5001).0.unwrap();
    assert_eq!(data(151, 191, 5003), (Ok(()), Some(vec![block(5006, 5007)])));
    // One that has come already is reported as come twice, whatever its timestamp.
    assert_eq!(
        data(152, 190, 5002),
        (Err(DropReason::OldTimestamp), Some(vec![block(5002, 5003), block(5006, 5007)]))
    );
    // What is older than anything since before the gap may be of an earlier round of the numbers.
    assert_eq!(data(153, 99, 5005).0, Err(DropReason::OldTimestamp));
    assert_eq!(data(154, 193, 5005), (Ok(()), Some(vec![])));
    // The gap is closed, and with it the exception; what came late has not set the clock back.
    assert_eq!(data(155, 239, 5007).0, Err(DropReason::OldTimestamp));
    assert_eq!(data(156, 240, 5007).0, Ok(()));
}

#[test]
fn every_segment_of_a_batch_is_told_of() {
    let mut connection = Connection::connect(at(0), ends(), Settings::default(), opening(1000));
    sent(&mut connection, at(0));
    connection.on_segment(at(10), &stamped(100, 5000, 0, Flags::SYN | Flags::ACK), &[]).unwrap();
    sent(&mut connection, at(10));
    // Every other one of twenty is missing, and nothing leaves before all have come. Then the first comes late.
    for place in (1..20).step_by(2) {
        connection.on_segment(at(20), &stamped(110, 5001 + place, 1, Flags::ACK), b"x").unwrap();
    }
    connection.on_segment(at(20), &stamped(110, 5001, 1, Flags::ACK), b"x").unwrap();
    let mut told = vec![];
    while let Some(answer) = connection.poll_transmit(at(20), 0) {
        assert_eq!(answer.segment.ack, SeqNumber(5003));
        told.extend(answer.segment.options.sack.as_slice().iter().map(|block| block.left.0 - 5001));
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, [3, 5, 7, 9, 11, 13, 15, 17, 19]);
}

#[test]
fn a_gap_that_never_closes_does_not_keep_old_timestamps_young() {
    let mut reassembly = Reassembly::default();
    let mut next = 100;
    for round in 0..4 {
        // Before what is missing comes, more comes behind it.
        reassembly.begin_gap(SeqNumber(next + 20), 1000 + round);
        reassembly.insert(SeqNumber(next + 10), SeqNumber(next + 20), MOST);
        reassembly.insert(SeqNumber(next + 30), SeqNumber(next + 40), MOST);
        next = reassembly.advance(SeqNumber(next + 10)).0;
        reassembly.end_gap(SeqNumber(next), 1001 + round);
    }
    assert!(reassembly.may_be_overtaken(1003), "a window ago");
    assert!(!reassembly.may_be_overtaken(1001), "three windows ago");
}
