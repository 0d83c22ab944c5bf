//! The scoreboard against one mark for each byte.

use proptest::prelude::*;

use super::super::scoreboard::{Delivered, Reports, Scoreboard};
use super::*;
use crate::wire::tcp::SackBlock;

/// What is known of one byte.
#[derive(Clone, Copy, Default, PartialEq)]
struct Byte {
    sacked: bool,
    lost: bool,
    resent: bool,
}

struct Model {
    bytes: Vec<Byte>,
    una: usize,
    /// Where the rule of RFC 6675 has marked up to.
    marked: usize,
    sacked_to: usize,
}

impl Model {
    fn count(&self, what: impl Fn(&Byte) -> bool) -> u32 {
        self.bytes[self.una..].iter().filter(|byte| what(byte)).count() as u32
    }

    /// Lost by RFC 6675: more than two segments' worth reported above, or three separate stretches.
    fn mark_lost(&mut self, mss: u32) {
        let (mut above, mut runs) = (0, 0);
        let mut edge = None;
        for place in (self.una..self.sacked_to).rev() {
            if !self.bytes[place].sacked {
                continue;
            }
            above += 1;
            let is_run_end = place + 1 == self.bytes.len() || !self.bytes[place + 1].sacked;
            runs += u32::from(is_run_end);
            if above > 2 * mss || runs >= 3 {
                edge = Some(place);
                break;
            }
        }
        let Some(edge) = edge else { return };
        for byte in &mut self.bytes[self.marked.max(self.una)..edge.max(self.marked.max(self.una))] {
            if !byte.sacked && !byte.resent {
                byte.lost = true;
            }
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_marks_on_bytes(
        start in any::<u32>(),
        steps in proptest::collection::vec((0_u8..8, 0_usize..900, 1_usize..120), 1..120),
    ) {
        const MSS: u32 = 100;
        let mut board = Scoreboard::new(SeqNumber(start));
        let mut model = Model { bytes: Vec::new(), una: 0, marked: 0, sacked_to: 0 };
        let at = |place: usize| SeqNumber(start) + place as u32;
        for (step, place, length) in steps {
            let end = model.bytes.len();
            match step {
                0..=2 => {
                    board.push(at_time(step), at(end), length as u32);
                    model.bytes.resize(end + length, Byte::default());
                }
                3 => {
                    let ack = (model.una + place / 4).min(end);
                    let new = model.bytes[model.una..ack].iter().filter(|byte| !byte.sacked).count();
                    let delivered = board.acknowledge(at(ack));
                    prop_assert_eq!(delivered.bytes as usize, new);
                    model.una = ack;
                }
                4 | 5 => {
                    let left = (model.una + 1 + place).min(end);
                    let right = (left + length).min(end);
                    if left >= right {
                        continue;
                    }
                    let mut delivered = Delivered::default();
                    board.on_sack(SackBlock { left: at(left), right: at(right) }, &mut delivered);
                    let new = model.bytes[left..right].iter().filter(|byte| !byte.sacked).count();
                    prop_assert_eq!(delivered.bytes as usize, new);
                    model.bytes[left..right].fill(Byte { sacked: true, ..Byte::default() });
                    if new > 0 {
                        model.sacked_to = model.sacked_to.max(right);
                    }
                    board.mark_lost(MSS);
                    model.mark_lost(MSS);
                }
                6 => {
                    let due = model.bytes[model.una..].iter().position(|byte| byte.lost && !byte.resent);
                    let next = board.next_lost();
                    prop_assert_eq!(next.map(|(seq, _)| seq), due.map(|due| at(model.una + due)));
                    let Some((seq, most)) = next else { continue };
                    let count = most.min(length as u32);
                    board.on_resent(Instant::ZERO, seq, count);
                    let from = (seq - SeqNumber(start)) as usize;
                    for byte in &mut model.bytes[from..from + count as usize] {
                        prop_assert!(byte.lost && !byte.sacked && !byte.resent);
                        byte.resent = true;
                    }
                }
                _ => {
                    if place % 5 > 0 {
                        continue;
                    }
                    board.lose_all(Reports::Believe);
                    for byte in &mut model.bytes[model.una..] {
                        if !byte.sacked {
                            *byte = Byte { lost: true, ..Byte::default() };
                        }
                    }
                    model.marked = end;
                }
            }
            prop_assert_eq!(board.outstanding() as usize, model.bytes.len() - model.una);
            prop_assert_eq!(board.sacked(), model.count(|byte| byte.sacked));
            prop_assert_eq!(board.lost(), model.count(|byte| byte.lost));
            prop_assert_eq!(board.to_resend(), model.count(|byte| byte.lost && !byte.resent));
            let pipe = model.count(|byte| !byte.sacked && !byte.lost) + model.count(|byte| byte.resent);
            prop_assert_eq!(board.pipe(), pipe);
        }
    }
}

fn at_time(step: u8) -> Instant {
    Instant::from_millis(u64::from(step))
}

#[test]
fn a_peer_that_takes_back_what_it_reported_is_found_out() {
    let mut board = Scoreboard::new(SeqNumber(0));
    board.push(at(0), SeqNumber(0), 1000);
    board.on_sack(SackBlock { left: SeqNumber(100), right: SeqNumber(1000) }, &mut Delivered::default());
    board.acknowledge(SeqNumber(100));
    assert!(board.is_reneged());
    board.lose_all(Reports::Disbelieve);
    assert_eq!((board.sacked(), board.lost(), board.next_lost()), (0, 900, Some((SeqNumber(100), 900))));
}

#[test]
fn a_large_lossy_window_costs_no_more_than_what_changes() {
    // 60,000 segments in flight, every tenth lost, reported one by one as a receiver does: quadratic work would take
    // minutes.
    let mut board = Scoreboard::new(SeqNumber(0));
    for index in 0..60_000 {
        board.push(at(0), SeqNumber(index * 100), 100);
    }
    let mut resent = 0;
    for index in (1..60_000).filter(|index| index % 10 != 0) {
        let left = SeqNumber(index / 10 * 1000 + 100);
        let block = SackBlock { left, right: SeqNumber((index + 1) * 100) };
        board.on_sack(block, &mut Delivered::default());
        board.mark_lost(100);
        while let Some((start, length)) = board.next_lost() {
            board.on_resent(at(1), start, length);
            resent += 1;
        }
    }
    assert_eq!((resent, board.sacked()), (6_000, 5_400_000));
}
