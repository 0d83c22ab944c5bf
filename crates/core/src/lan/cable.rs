//! A cable: frames in at one end, out at the other, later, changed or never.

use super::conditions::{Conditions, Duplex};
use super::fate::Fate;
use super::line::Line;
use crate::time::{Duration, Instant};

/// Which way along a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the host to the switch; on a cable between two hosts, from the first to the second.
    Up,
    /// From the switch to the host; on a cable between two hosts, from the second to the first.
    Down,
}

impl Direction {
    /// Both of them.
    pub const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];
}

/// A frame that comes out of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes out.
    pub at: Instant,
    /// When it was put in.
    pub sent_at: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// Its bytes, with a bit flipped perhaps.
    pub frame: Vec<u8>,
}

/// A full-duplex cable. Conditions and seed decide what becomes of a frame: the same seed with the same frames at the same
/// times gives the same arrivals.
///
/// ```
/// use sockeye_core::lan::{Cable, Conditions, Direction};
/// use sockeye_core::time::{Duration, Instant};
///
/// let slow = Conditions { delay: Duration::from_millis(20), ..Conditions::default() };
/// let mut cable = Cable::new(slow, 7);
/// let fate = cable.push(Instant::ZERO, Direction::Up, b"a frame".to_vec());
/// assert_eq!(fate.passage().unwrap().at, Instant::from_millis(20));
/// assert_eq!(cable.poll_timeout(), Some(Instant::from_millis(20)));
/// assert_eq!(cable.poll(Instant::from_millis(19)), None);
/// assert_eq!(cable.poll(Instant::from_millis(20)).unwrap().frame, b"a frame");
/// ```
#[derive(Clone, Debug)]
pub struct Cable {
    up: Line,
    down: Line,
    /// Counts the frames of both directions, to break ties.
    sequence: u64,
}

impl Cable {
    /// A cable with these conditions.
    pub fn new(conditions: impl Into<Duplex>, seed: u64) -> Cable {
        let Duplex { up, down } = conditions.into();
        Cable { up: Line::new(up, seed, 0), down: Line::new(down, seed, 1), sequence: 0 }
    }

    /// Lets chance follow another seed from now on. What was decided stays: the frames that travel, a cut, a hold, a burst of
    /// losses that goes on.
    pub fn reseed(&mut self, seed: u64) {
        self.up.reseed(seed, 0);
        self.down.reseed(seed, 1);
    }

    fn line(&self, direction: Direction) -> &Line {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    fn line_mut(&mut self, direction: Direction) -> &mut Line {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Puts a frame in and says what will become of it.
    pub fn push(&mut self, now: Instant, direction: Direction, frame: Vec<u8>) -> Fate {
        let line = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        line.push(now, frame, &mut self.sequence)
    }

    /// The next frame that has come out by now, the earliest first.
    pub fn poll(&mut self, now: Instant) -> Option<Arrival> {
        let (at, _, direction) = self.next()?;
        if at > now {
            return None;
        }
        let flight = self.line_mut(direction).pop()?;
        Some(Arrival { at: flight.at, sent_at: flight.sent_at, direction, frame: flight.frame })
    }

    /// When the next frame comes out.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next().map(|(at, ..)| at)
    }

    /// Whether nothing is on its way in this direction.
    pub fn is_empty(&self, direction: Direction) -> bool {
        self.line(direction).next().is_none()
    }

    fn next(&self) -> Option<(Instant, u64, Direction)> {
        let key = |direction| self.line(direction).next().map(|(at, sequence)| (at, sequence, direction));
        Direction::BOTH.into_iter().filter_map(key).min()
    }

    /// The conditions of one direction.
    pub fn conditions(&self, direction: Direction) -> &Conditions {
        self.line(direction).conditions()
    }

    /// Changes the conditions of one direction for the frames that are put in from now on. They still do not overtake
    /// those that travel.
    pub fn set_conditions(&mut self, direction: Direction, conditions: Conditions) {
        self.line_mut(direction).set_conditions(conditions);
    }

    /// Drops the next `frames` frames of one direction, whatever the conditions say; 0 takes that back.
    pub fn drop_next(&mut self, direction: Direction, frames: usize) {
        self.line_mut(direction).drop_next(frames);
    }

    /// Cuts one direction for a while: what is put in until then is lost; what travels arrives. Zero mends it.
    pub fn cut(&mut self, now: Instant, direction: Direction, duration: Duration) {
        self.line_mut(direction).cut_until(now + duration);
    }

    /// Holds one direction up for a while: nothing comes out, nothing is lost, and then all of it comes in order.
    /// A shorter hold does not shorten one that goes on.
    pub fn hold(&mut self, now: Instant, direction: Direction, duration: Duration) {
        self.line_mut(direction).hold_until(now + duration);
    }

    /// Bytes of frames that travel, in both directions.
    pub fn in_flight(&self) -> usize {
        self.up.in_flight() + self.down.in_flight()
    }
}

#[cfg(test)]
mod tests;
