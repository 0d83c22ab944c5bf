//! The scoreboard against one mark for each byte.

use proptest::prelude::*;

use super::super::rack::Rack;
use super::super::scoreboard::{Delivered, Reports, Scoreboard};
use super::*;
use crate::transport::tcp::rate::Stamp;
use crate::wire::tcp::SackBlock;

/// What is known of one byte.
#[derive(Clone, Copy, Default, PartialEq)]
struct Byte {
    at: u64,
    sacked: bool,
    lost: bool,
    resent: bool,
    ambiguous: bool,
}

/// One mark for each byte, and RACK by the letter.
struct Model {
    bytes: Vec<Byte>,
    una: usize,
    /// When the newest byte delivered was sent, where it ends, and its round-trip time.
    newest: (u64, usize),
    rtt: u64,
}

const WINDOW: u64 = 3;
const SHORTEST: u64 = 2;

impl Model {
    fn count(&self, what: impl Fn(&Byte) -> bool) -> u32 {
        self.bytes[self.una..].iter().filter(|byte| what(byte)).count() as u32
    }

    fn deliver(&mut self, now: u64, places: core::ops::Range<usize>) -> Option<(u64, usize)> {
        let mut newest = None;
        for place in places {
            let byte = self.bytes[place];
            let is_spurious = byte.ambiguous && now - byte.at < SHORTEST;
            if !byte.sacked && !is_spurious {
                self.rtt = now - byte.at;
                newest = newest.max(Some((byte.at, place + 1)));
            }
        }
        newest
    }

    fn advance(&mut self, newest: Option<(u64, usize)>) {
        let Some(newest) = newest else { return };
        self.newest = self.newest.max(newest);
    }

    fn is_overdue(&self, now: u64, at: u64, window: u64) -> bool {
        now - at >= self.rtt + window
    }

    fn detect(&mut self, now: u64) {
        for place in self.una..self.bytes.len() {
            let byte = self.bytes[place];
            let waits = byte.lost && !byte.resent;
            if byte.sacked
                || waits
                || self.newest <= (byte.at, place + 1)
                || !self.is_overdue(now, byte.at, WINDOW)
            {
                continue;
            }
            self.bytes[place].lost = true;
            self.bytes[place].resent = false;
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_rack_on_bytes(
        start in any::<u32>(),
        steps in proptest::collection::vec((0_u8..9, 0_usize..900, 1_usize..120), 1..150),
    ) {
        const MSS: u32 = 100;
        let first = SeqNumber(start);
        let mut board = Scoreboard::new(first);
        let mut rack = Rack::new(first);
        let mut model = Model { bytes: Vec::new(), una: 0, newest: (0, 0), rtt: 0 };
        let at = |place: usize| first + place as u32;
        let mut now = 10;
        for (step, place, length) in steps {
            now += 1;
            let end = model.bytes.len();
            let fresh = || Delivered::new(super::at(now), Some(ms(SHORTEST)), first - 1, first);
            match step {
                0..=2 => {
                    board.push(super::at(now), at(end), length as u32, Stamp::default());
                    model.bytes.resize(end + length, Byte { at: now, ..Byte::default() });
                }
                3 => {
                    let ack = (model.una + place / 4).min(end);
                    let new = model.bytes[model.una..ack].iter().filter(|byte| !byte.sacked).count();
                    let mut delivered = fresh();
                    board.acknowledge(at(ack), MSS, &mut delivered);
                    prop_assert_eq!(delivered.bytes as usize, new);
                    rack.on_delivered(&delivered);
                    let newest = model.deliver(now, model.una..ack);
                    model.una = ack;
                    model.advance(newest);
                }
                4 | 5 => {
                    let left = (model.una + 1 + place).min(end);
                    let right = (left + length).min(end);
                    if left >= right {
                        continue;
                    }
                    let mut delivered = fresh();
                    board.on_sack(SackBlock { left: at(left), right: at(right) }, 1, &mut delivered);
                    let new = model.bytes[left..right].iter().filter(|byte| !byte.sacked).count();
                    prop_assert_eq!(delivered.bytes as usize, new);
                    rack.on_delivered(&delivered);
                    let newest = model.deliver(now, left..right);
                    model.advance(newest);
                    for byte in &mut model.bytes[left..right] {
                        *byte = Byte { sacked: true, lost: false, resent: false, ..*byte };
                    }
                }
                6 | 7 => {
                    let due = model.bytes[model.una..].iter().position(|byte| byte.lost && !byte.resent);
                    let next = board.next_lost();
                    prop_assert_eq!(next.map(|(seq, _)| seq), due.map(|due| at(model.una + due)));
                    let Some((seq, most)) = next else { continue };
                    let count = most.min(length as u32);
                    board.on_resent(super::at(now), seq, count, Stamp::default());
                    let from = (seq - first) as usize;
                    for byte in &mut model.bytes[from..from + count as usize] {
                        prop_assert!(byte.lost && !byte.sacked && !byte.resent);
                        *byte = Byte { at: now, resent: true, ambiguous: true, ..*byte };
                    }
                }
                _ => {
                    if place % 5 > 0 {
                        continue;
                    }
                    board.lose_on_timeout(super::at(now), &rack, Reports::Believe);
                    // The head is one entry, however long: ask the board where the next begins.
                    let has_head = model.bytes.get(model.una).is_some_and(|byte| !byte.sacked);
                    let head = board.next_lost().filter(|_| has_head).map_or(0, |(seq, most)| (seq - at(model.una)) as usize + most as usize);
                    for place in model.una..end {
                        let byte = model.bytes[place];
                        let spared = !model.is_overdue(now, byte.at, 0) && place - model.una >= head;
                        let waits = byte.lost && !byte.resent;
                        if !byte.sacked && (waits || !spared) {
                            model.bytes[place].lost = true;
                            model.bytes[place].resent = false;
                        }
                    }
                }
            }
            if matches!(step, 3..=5) {
                board.detect_lost(super::at(now), &rack, ms(WINDOW));
                model.detect(now);
            }
            prop_assert_eq!(board.outstanding() as usize, model.bytes.len() - model.una);
            prop_assert_eq!(board.sacked(), model.count(|byte| byte.sacked));
            prop_assert_eq!(board.lost(), model.count(|byte| byte.lost));
            prop_assert_eq!(board.resent(), model.count(|byte| byte.resent));
            prop_assert_eq!(board.to_resend(), model.count(|byte| byte.lost && !byte.resent));
            let pipe = model.count(|byte| !byte.sacked && !byte.lost) + model.count(|byte| byte.resent);
            prop_assert_eq!(board.pipe(), pipe);
        }
    }
}

fn delivered(millis: u64) -> Delivered {
    Delivered::new(at(millis), None, SeqNumber(0), SeqNumber(0))
}

#[test]
fn a_peer_that_takes_back_what_it_reported_is_found_out() {
    let mut board = Scoreboard::new(SeqNumber(0));
    board.push(at(0), SeqNumber(0), 1000, Stamp::default());
    let block = SackBlock { left: SeqNumber(100), right: SeqNumber(1000) };
    board.on_sack(block, 100, &mut delivered(0));
    board.acknowledge(SeqNumber(100), 100, &mut delivered(0));
    assert!(board.is_reneged());
    board.lose_on_timeout(at(200), &Rack::new(SeqNumber(0)), Reports::Disbelieve);
    assert_eq!((board.sacked(), board.lost(), board.next_lost()), (0, 900, Some((SeqNumber(100), 900))));
}

#[test]
fn a_large_lossy_window_costs_no_more_than_what_changes() {
    // 60,000 segments in flight, every tenth lost, reported one by one as a receiver does: quadratic work would take
    // minutes.
    let mut board = Scoreboard::new(SeqNumber(0));
    let mut rack = Rack::new(SeqNumber(0));
    for index in 0..60_000 {
        board.push(at(1), SeqNumber(index * 100), 100, Stamp::default());
    }
    let mut resent = 0;
    for index in (1..60_000).filter(|index| index % 10 != 0) {
        let left = SeqNumber(index / 10 * 1000 + 100);
        let block = SackBlock { left, right: SeqNumber((index + 1) * 100) };
        let mut delivered = delivered(10);
        board.on_sack(block, 100, &mut delivered);
        rack.on_delivered(&delivered);
        board.detect_lost(at(10), &rack, ms(0));
        while let Some((start, length)) = board.next_lost() {
            board.on_resent(at(10), start, length, Stamp::default());
            resent += 1;
        }
    }
    assert_eq!((resent, board.sacked()), (6_000, 5_400_000));
}

#[test]
fn what_leaves_at_the_same_time_has_an_order_all_the_same() {
    let (first, mss) = (SeqNumber(0), 100);
    let block = |left, right| SackBlock { left: SeqNumber(left), right: SeqNumber(right) };
    let mut board = Scoreboard::new(first);
    let mut rack = Rack::new(first);
    for start in [0, 100, 200, 300] {
        board.push(at(0), SeqNumber(start), mss, Stamp::default());
    }
    let mut report = |board: &mut Scoreboard, now, block| {
        let mut delivered = Delivered::new(at(now), Some(ms(50)), first, first);
        board.on_sack(block, mss, &mut delivered);
        rack.on_delivered(&delivered);
        board.detect_lost(at(now), &rack, Duration::ZERO)
    };
    // New data, what is lost once more, and new data again, by one reading of the clock.
    report(&mut board, 50, block(100, 400));
    assert_eq!(board.next_lost(), Some((first, mss)));
    board.push(at(50), SeqNumber(400), mss, Stamp::default());
    board.on_resent(at(50), first, mss, Stamp::default());
    board.push(at(50), SeqNumber(500), mss, Stamp::default());
    assert!(!report(&mut board, 100, block(400, 500)).has_lost_again, "it left before the retransmission");
    assert_eq!(board.to_resend(), 0);
    assert!(report(&mut board, 100, block(500, 600)).has_lost_again, "it left behind it");
    assert_eq!(board.next_lost(), Some((first, mss)));
}

#[test]
fn full_segments_have_their_own_times_however_many_there_are() {
    let (first, mss) = (SeqNumber(0), 1000);
    let mut board = Scoreboard::new(first);
    for number in 0..40_000 {
        board.push(at(u64::from(number)), first + number * mss, mss, Stamp::default());
    }
    let mut delivered = Delivered::new(at(40_010), Some(ms(50)), first, first);
    let block = SackBlock { left: first + mss, right: first + 35_000 * mss };
    board.on_sack(block, mss, &mut delivered);
    let mut rack = Rack::new(first);
    rack.on_delivered(&delivered);
    board.detect_lost(at(40_010), &rack, Duration::ZERO);
    assert_eq!((board.next_lost(), board.to_resend()), (Some((first, mss)), mss));
}
