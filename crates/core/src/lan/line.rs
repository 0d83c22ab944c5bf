//! One direction of a cable.

use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::conditions::Conditions;
use super::dice::Dice;
use super::fate::{Fate, Loss, Passage};
use super::quantity::QueueLimit;
use crate::time::{Duration, Instant};
use crate::wire::ecn;

/// Bytes of Ethernet header in front of the packet.
const ETHERNET_HEADER: usize = 14;

/// A frame on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) at: Instant,
    pub(super) sequence: u64,
    pub(super) sent_at: Instant,
    pub(super) frame: Vec<u8>,
}

impl Flight {
    fn key(&self) -> (Instant, u64) {
        (self.at, self.sequence)
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Flight) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Flight) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Flight) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// One direction of a cable: a queue, a transmitter, and a wire on which frames travel.
#[derive(Clone, Debug)]
pub(super) struct Line {
    conditions: Conditions,
    transmitter: Transmitter,
    /// Whether a burst of losses is going on.
    in_burst: bool,
    /// When the last frame that was not held back arrives: no other of that kind arrives earlier.
    last_arrival: Instant,
    /// The frames that keep their order, the first to arrive in front.
    in_order: VecDeque<Flight>,
    held_back: BinaryHeap<Reverse<Flight>>,
    /// Bytes of frames in both.
    in_flight: usize,
    cut_until: Instant,
    held_until: Instant,
    drop_next: usize,
    loss_dice: Dice,
    corrupt_dice: Dice,
    jitter_dice: Dice,
    reorder_dice: Dice,
    duplicate_dice: Dice,
}

impl Line {
    /// The most bytes that travel at a time, whatever the conditions say: 100 ms at 20 Gbit/s.
    const IN_FLIGHT_LIMIT: usize = 256 << 20;

    /// A line whose dice are `stream`, `stream + 16`, … of those that the seed has.
    pub(super) fn new(conditions: Conditions, seed: u64, stream: u64) -> Line {
        let dice = |die: u64| Dice::new(seed, stream + 16 * die);
        Line {
            conditions,
            transmitter: Transmitter::default(),
            in_burst: false,
            last_arrival: Instant::ZERO,
            in_order: VecDeque::new(),
            held_back: BinaryHeap::new(),
            in_flight: 0,
            cut_until: Instant::ZERO,
            held_until: Instant::ZERO,
            drop_next: 0,
            loss_dice: dice(0),
            corrupt_dice: dice(1),
            jitter_dice: dice(2),
            reorder_dice: dice(3),
            duplicate_dice: dice(4),
        }
    }

    /// Chance follows another seed from now on; what travels, waits, or is asked for stays as it is.
    pub(super) fn reseed(&mut self, seed: u64, stream: u64) {
        let fresh = Line::new(self.conditions, seed, stream);
        self.loss_dice = fresh.loss_dice;
        self.corrupt_dice = fresh.corrupt_dice;
        self.jitter_dice = fresh.jitter_dice;
        self.reorder_dice = fresh.reorder_dice;
        self.duplicate_dice = fresh.duplicate_dice;
    }

    pub(super) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    pub(super) fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    pub(super) fn cut_until(&mut self, until: Instant) {
        self.cut_until = until;
    }

    pub(super) fn hold_until(&mut self, until: Instant) {
        self.held_until = self.held_until.max(until);
    }

    pub(super) fn drop_next(&mut self, frames: usize) {
        self.drop_next = frames;
    }

    /// Bytes of frames on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Puts a frame on the line; `sequence` is counted on by one for every frame that will arrive.
    pub(super) fn push(&mut self, now: Instant, mut frame: Vec<u8>, sequence: &mut u64) -> Fate {
        let (departure, is_congested) = match self.depart(now, &frame) {
            Ok(departure) => departure,
            Err(loss) => return Fate::Lost(loss),
        };
        let is_marked = is_congested && mark(&mut frame);
        let corrupted_bit = self.corrupt(&mut frame);
        let copy = self.duplicate_dice.happens(self.conditions.duplicate).then(|| frame.clone());
        let (at, is_held_back) = self.travel(now, departure, frame, sequence);
        let copy_at = copy.map(|copy| self.travel(now, departure, copy, sequence).0);
        Fate::Arrives(Passage { at, copy_at, corrupted_bit, is_marked, is_held_back })
    }

    /// When the last bit of the frame leaves and whether it waits in a long queue, or why it never leaves or gets lost on
    /// the wire.
    fn depart(&mut self, now: Instant, frame: &[u8]) -> Result<(Instant, bool), Loss> {
        if self.drop_next > 0 {
            self.drop_next -= 1;
            return Err(Loss::Requested);
        }
        if now < self.cut_until {
            return Err(Loss::Cut);
        }
        if self.conditions.mtu.is_some_and(|mtu| frame.len().saturating_sub(ETHERNET_HEADER) > mtu) {
            return Err(Loss::TooBig);
        }
        // Twice, for the copy that may be made.
        if self.in_flight.saturating_add(2 * frame.len()) > Line::IN_FLIGHT_LIMIT {
            return Err(Loss::QueueFull);
        }
        let is_congested = self.transmitter.is_congested(now, &self.conditions);
        let departure = self.transmitter.send(now, frame.len(), &self.conditions).ok_or(Loss::QueueFull)?;
        if self.is_lost() { Err(Loss::Chance) } else { Ok((departure, is_congested)) }
    }

    /// Gilbert's model: bursts end with the probability 1/length, and begin so often that the share of frames in bursts
    /// is the loss.
    fn is_lost(&mut self) -> bool {
        let loss = self.conditions.loss.value();
        let Some(burst) = self.conditions.loss_burst.filter(|_| loss > 0.0 && loss < 1.0) else {
            self.in_burst = false;
            return self.loss_dice.happens(self.conditions.loss);
        };
        // In balance as many bursts begin as end: (1 - loss) * begins = loss * ends.
        let ends = (1.0 / burst.frames()).min((1.0 - loss) / loss);
        let begins = ends * loss / (1.0 - loss);
        let changes = if self.in_burst { ends } else { begins };
        if self.loss_dice.unit() < changes {
            self.in_burst = !self.in_burst;
        }
        self.in_burst
    }

    /// Flips one bit, if the dice say so.
    fn corrupt(&mut self, frame: &mut [u8]) -> Option<usize> {
        if !self.corrupt_dice.happens(self.conditions.corrupt) {
            return None;
        }
        let bit = self.corrupt_dice.below(frame.len() as u64 * 8) as usize;
        *frame.get_mut(bit / 8)? ^= 0x80 >> (bit % 8);
        Some(bit)
    }

    /// Lets the frame travel; says when it arrives and whether it is held back.
    fn travel(
        &mut self,
        now: Instant,
        departure: Instant,
        frame: Vec<u8>,
        sequence: &mut u64,
    ) -> (Instant, bool) {
        let usual = departure + self.delay();
        let is_held_back = self.reorder_dice.happens(self.conditions.reorder);
        let mut flight = Flight { at: usual, sequence: *sequence, sent_at: now, frame };
        *sequence += 1;
        self.in_flight += flight.frame.len();
        if is_held_back {
            let span = nanos(self.conditions.reorder_span());
            flight.at = usual + Duration::from_nanos(1 + self.reorder_dice.below(span));
            let at = flight.at;
            self.held_back.push(Reverse(flight));
            (at.max(self.held_until), true)
        } else {
            self.last_arrival = usual.max(self.last_arrival);
            flight.at = self.last_arrival;
            self.in_order.push_back(flight);
            (self.last_arrival.max(self.held_until), false)
        }
    }

    fn delay(&mut self) -> Duration {
        let Conditions { delay, jitter, .. } = self.conditions;
        if jitter.is_zero() {
            return delay;
        }
        let jitter = nanos(jitter);
        let spread = jitter.saturating_mul(2).saturating_add(1);
        let shifted = nanos(delay).saturating_add(self.jitter_dice.below(spread));
        Duration::from_nanos(shifted.saturating_sub(jitter))
    }

    /// When the next frame arrives, and its place in the order of all frames of the cable.
    pub(super) fn next(&self) -> Option<(Instant, u64)> {
        let in_order = self.in_order.front().map(Flight::key);
        let held_back = self.held_back.peek().map(|Reverse(flight)| flight.key());
        let (at, sequence) = [in_order, held_back].into_iter().flatten().min()?;
        Some((at.max(self.held_until), sequence))
    }

    /// Takes the next frame from the wire, whether it is due or not.
    pub(super) fn pop(&mut self) -> Option<Flight> {
        let in_order = self.in_order.front().map(Flight::key);
        let held_back = self.held_back.peek().map(|Reverse(flight)| flight.key());
        let takes_held_back = match (in_order, held_back) {
            (Some(in_order), Some(held_back)) => held_back < in_order,
            (None, held_back) => held_back.is_some(),
            (Some(_), None) => false,
        };
        let mut flight = if takes_held_back {
            self.held_back.pop().map(|Reverse(flight)| flight)
        } else {
            self.in_order.pop_front()
        }?;
        self.in_flight = self.in_flight.saturating_sub(flight.frame.len());
        flight.at = flight.at.max(self.held_until);
        Some(flight)
    }
}

/// Marks the packet in a frame, where its sender is ECN-capable.
fn mark(frame: &mut [u8]) -> bool {
    match frame.split_first_chunk_mut::<ETHERNET_HEADER>() {
        Some(([.., 0x08, 0x00] | [.., 0x86, 0xdd], packet)) => ecn::mark(packet),
        _ => false,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What puts frames onto the wire, one after the other, at a rate.
#[derive(Clone, Debug, Default)]
struct Transmitter {
    /// When the last bit of the last frame is out.
    busy_until: Instant,
    /// When each waiting frame will be out, and its length.
    waiting: VecDeque<(Instant, usize)>,
    waiting_bytes: usize,
}

impl Transmitter {
    /// Forgets the frames that are out.
    fn advance(&mut self, now: Instant) {
        while let Some(&(out_at, length)) = self.waiting.front()
            && out_at <= now
        {
            self.waiting.pop_front();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(length);
        }
    }

    /// Whether so much waits that the next frame is to be marked.
    fn is_congested(&mut self, now: Instant, conditions: &Conditions) -> bool {
        self.advance(now);
        match conditions.mark {
            None => false,
            Some(QueueLimit::Frames(most)) => self.waiting.len() > most,
            Some(QueueLimit::Bytes(most)) => self.waiting_bytes > most,
        }
    }

    /// When the last bit of a frame of that length is out; none where there is no room for it in the queue.
    fn send(&mut self, now: Instant, length: usize, conditions: &Conditions) -> Option<Instant> {
        self.advance(now);
        let Some(rate) = conditions.rate else {
            // Frames of a time with a rate may still wait, and keep their place.
            return Some(self.busy_until.max(now));
        };
        let has_room = match conditions.queue {
            QueueLimit::Frames(limit) => self.waiting.len() < limit,
            QueueLimit::Bytes(limit) => {
                self.waiting.is_empty() || self.waiting_bytes.saturating_add(length) <= limit
            }
        };
        if !has_room {
            return None;
        }
        self.busy_until = self.busy_until.max(now) + rate.duration_of(length);
        self.waiting.push_back((self.busy_until, length));
        self.waiting_bytes += length;
        Some(self.busy_until)
    }
}
