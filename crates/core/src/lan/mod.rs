//! A virtual Ethernet: cables with conditions and a learning switch, as machines in virtual time.
//!
//! Nothing here waits or reads a clock. Frames are put in with the time; what comes out, and when, is decided at once by
//! the [`Conditions`] of the cable and a seed, and is asked for by `poll` and `poll_timeout`.
//!
//! ```
//! use sockeye_core::lan::{Conditions, Lan};
//! use sockeye_core::time::{Duration, Instant};
//!
//! let mut lan = Lan::new();
//! let slow = Conditions { delay: Duration::from_millis(10), ..Conditions::default() };
//! let (alice, bob) = (lan.add_port(slow, 1), lan.add_port(Conditions::default(), 2));
//! let broadcast = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[8, 0], b"hello"].concat();
//! lan.send(Instant::ZERO, alice, broadcast);
//! let at = lan.poll_timeout().unwrap();
//! let delivery = lan.poll(at).unwrap();
//! assert_eq!((delivery.port, delivery.at), (bob, Instant::from_millis(10)));
//! assert!(delivery.frame.ends_with(b"hello"));
//! ```

use core::cmp::Reverse;
use core::fmt;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::time::{Duration, Instant};

pub mod cable;
pub mod conditions;
mod dice;
pub mod fate;
mod line;
pub mod quantity;
pub mod switch;

pub use cable::{Arrival, Cable, Direction};
pub use conditions::{Conditions, Duplex};
pub use fate::{Fate, Loss, Passage};
pub use quantity::{BurstLength, Probability, QuantityError, QueueLimit, Rate, parse_duration};
pub use switch::{Forward, Switch};

/// A port of a switch. Its number is never given to another port of the same [`Lan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(u32);

impl PortId {
    /// The port with this number.
    pub const fn new(number: u32) -> PortId {
        PortId(number)
    }

    /// Its number: 0 for the first port that was added.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {}", self.0)
    }
}

/// A frame that reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When it did.
    pub at: Instant,
    /// The port whose host it reached.
    pub port: PortId,
    /// The frame.
    pub frame: Vec<u8>,
}

/// A frame that was put on a cable, and what became of it. A frame from host to host is seen twice: going up the sender's
/// cable, and down the receiver's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When it was put on the cable.
    pub at: Instant,
    /// The cable.
    pub port: PortId,
    /// Up to the switch, or down to the host.
    pub direction: Direction,
    /// The frame as it was put in; [`Passage::corrupted_bit`] says how it comes out.
    pub frame: Vec<u8>,
    /// What becomes of it.
    pub fate: Fate,
}

/// Whether what happens on the cables is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Observing {
    /// It is not, at no cost.
    #[default]
    Off,
    /// Every frame waits for [`Lan::poll_observation`]; at most [`Lan::OBSERVATION_LIMIT`] of them.
    On,
}

/// A switch with a cable at each port, for one host each.
///
/// The switch itself takes no time; the cables do what their [`Conditions`] say, each in both directions. A frame from host
/// to host passes two cables.
#[derive(Clone, Debug, Default)]
pub struct Lan {
    switch: Switch,
    /// Those that are plugged in: a LAN that many came to and left is not slower for it.
    ports: BTreeMap<PortId, Box<Cable>>,
    /// How many ports there have been.
    numbered: u32,
    /// One entry for each frame on a cable: when it comes out, in which order the entries came, and of which cable.
    due: BinaryHeap<Reverse<(Instant, u64, PortId)>>,
    entries: u64,
    observing: Observing,
    observations: VecDeque<Observation>,
    observations_lost: u64,
    /// Empty buffers to be filled again.
    spare: Vec<Vec<u8>>,
}

impl Lan {
    /// How many observations wait at most; the oldest are forgotten beyond.
    pub const OBSERVATION_LIMIT: usize = 16_384;
    const SPARE_LIMIT: usize = 256;

    /// A switch with nothing plugged in.
    pub fn new() -> Lan {
        Lan::default()
    }

    /// Plugs a new cable in. Cables that shall not lose the same frames need different seeds.
    pub fn add_port(&mut self, conditions: impl Into<Duplex>, seed: u64) -> PortId {
        let port = PortId(self.numbered);
        // Four thousand million cables later the first number comes again, and nobody remembers it.
        self.numbered = self.numbered.wrapping_add(1);
        self.ports.insert(port, Box::new(Cable::new(conditions, seed)));
        port
    }

    /// Unplugs a cable. The frames on it are gone.
    pub fn remove_port(&mut self, port: PortId) {
        if self.ports.remove(&port).is_some() {
            self.switch.forget(port);
        }
    }

    /// The cable at a port.
    pub fn cable(&self, port: PortId) -> Option<&Cable> {
        self.ports.get(&port).map(|cable| &**cable)
    }

    /// Changes the conditions of one direction of the cable at a port, for the frames that are put in from now on.
    pub fn set_conditions(&mut self, port: PortId, direction: Direction, conditions: Conditions) {
        self.control(port, |cable| cable.set_conditions(direction, conditions));
    }

    /// Drops the next `frames` frames that are put in; see [`Cable::drop_next`].
    pub fn drop_next(&mut self, port: PortId, direction: Direction, frames: usize) {
        self.control(port, |cable| cable.drop_next(direction, frames));
    }

    /// Cuts the cable for a while; see [`Cable::cut`].
    pub fn cut(&mut self, now: Instant, port: PortId, direction: Direction, duration: Duration) {
        self.control(port, |cable| cable.cut(now, direction, duration));
    }

    /// Holds the cable up for a while; see [`Cable::hold`].
    pub fn hold(&mut self, now: Instant, port: PortId, direction: Direction, duration: Duration) {
        self.control(port, |cable| cable.hold(now, direction, duration));
    }

    /// Lets chance on the cable at a port follow another seed from now on; see [`Cable::reseed`].
    pub fn reseed(&mut self, port: PortId, seed: u64) {
        self.control(port, |cable| cable.reseed(seed));
    }

    /// The ports that are in use, in order.
    pub fn ports(&self) -> impl Iterator<Item = PortId> {
        self.ports.keys().copied()
    }

    fn control(&mut self, port: PortId, action: impl FnOnce(&mut Cable)) {
        if let Some(cable) = self.ports.get_mut(&port) {
            action(cable);
        }
    }

    /// The switch.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// A host puts a frame on its cable. Says what becomes of it on that cable; what happens behind the switch is seen in
    /// the observations only.
    pub fn send(&mut self, now: Instant, port: PortId, frame: Vec<u8>) -> Fate {
        if frame.len() < 14 {
            let fate = Fate::Lost(Loss::Malformed);
            self.observe(Observation { at: now, port, direction: Direction::Up, frame, fate });
            return fate;
        }
        self.push(now, port, Direction::Up, frame)
    }

    /// The next frame that has reached a host by now, the earliest first.
    pub fn poll(&mut self, now: Instant) -> Option<Delivery> {
        while let Some(&Reverse((at, _, port))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let Some(cable) = self.ports.get_mut(&port) else { continue };
            // At its own time, not at the time of the call, which can be later: so nothing is late twice.
            let Some(arrival) = cable.poll(at) else {
                // A hold has begun since.
                if let Some(at) = cable.poll_timeout() {
                    self.enter(at, port);
                }
                continue;
            };
            match arrival.direction {
                Direction::Down => return Some(Delivery { at: arrival.at, port, frame: arrival.frame }),
                Direction::Up => self.switched(arrival.at, port, arrival.frame),
            }
        }
        None
    }

    /// When [`Lan::poll`] wants to be called next. What arrives may be a frame at the switch, and none for a host.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Starts or stops observing.
    pub fn set_observing(&mut self, observing: Observing) {
        self.observing = observing;
        if observing == Observing::Off {
            self.observations.clear();
        }
    }

    /// The oldest observation not yet polled.
    pub fn poll_observation(&mut self) -> Option<Observation> {
        self.observations.pop_front()
    }

    /// How many observations were forgotten because nobody polled them in time.
    pub fn observations_lost(&self) -> u64 {
        self.observations_lost
    }

    /// An empty buffer for a frame: one that [`Lan::recycle`] brought back, where there is one.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Brings a delivered frame's buffer back, so that sending needs no new memory.
    pub fn recycle(&mut self, mut frame: Vec<u8>) {
        if self.spare.len() < Lan::SPARE_LIMIT {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// Whether no frame is on any cable.
    pub fn is_quiet(&self) -> bool {
        self.ports.values().all(|cable| cable.poll_timeout().is_none())
    }

    /// A frame has reached the switch.
    fn switched(&mut self, at: Instant, ingress: PortId, frame: Vec<u8>) {
        match self.switch.forward(at, ingress, &frame) {
            Forward::To(port) => {
                self.push(at, port, Direction::Down, frame);
            }
            Forward::Flood => {
                let others: Vec<PortId> =
                    self.ports.keys().copied().filter(|port| *port != ingress).collect();
                for port in others {
                    let mut copy = self.buffer();
                    copy.extend_from_slice(&frame);
                    self.push(at, port, Direction::Down, copy);
                }
                self.recycle(frame);
            }
            Forward::Filtered | Forward::Malformed => self.recycle(frame),
        }
    }

    fn push(&mut self, now: Instant, port: PortId, direction: Direction, frame: Vec<u8>) -> Fate {
        let sent = (self.observing == Observing::On).then(|| frame.clone());
        let fate = match self.ports.get_mut(&port) {
            Some(cable) => cable.push(now, direction, frame),
            None => Fate::Lost(Loss::Cut),
        };
        if let Fate::Arrives(passage) = fate {
            self.enter(passage.at, port);
            if let Some(copy_at) = passage.copy_at {
                self.enter(copy_at, port);
            }
        }
        if let Some(sent) = sent {
            self.observe(Observation { at: now, port, direction, frame: sent, fate });
        }
        fate
    }

    fn enter(&mut self, at: Instant, port: PortId) {
        self.due.push(Reverse((at, self.entries, port)));
        self.entries += 1;
    }

    fn observe(&mut self, observation: Observation) {
        if self.observing == Observing::Off {
            return;
        }
        if self.observations.len() >= Lan::OBSERVATION_LIMIT {
            self.observations.pop_front();
            self.observations_lost += 1;
        }
        self.observations.push_back(observation);
    }
}

#[cfg(test)]
mod tests;
