//! What one seed means: hosts, cables, programs.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sockeye_core::lan::{BurstLength, Conditions, Duplex, Probability, QueueLimit, Rate};
use sockeye_core::socket::Family;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::EcnMode;

/// When a program ends its half of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// `shutdown` as soon as all is written.
    AtOnce,
    /// `shutdown` when the peer has.
    AfterPeer,
    /// `close`, both halves at once, when all is written and all the peer has to say was read.
    Close,
}

/// What the program at one end of a connection does.
#[derive(Clone, Debug)]
pub struct Program {
    /// How many bytes it writes.
    pub bytes: usize,
    /// The most it writes and reads in one call.
    pub write_chunk: usize,
    pub read_chunk: usize,
    /// How often, after a call, it does nothing for a while, and for how long at most.
    pub pause: Probability,
    pub longest_pause: Duration,
    pub finish: Finish,
    /// Its socket buffers.
    pub send_buffer: usize,
    pub receive_buffer: usize,
    pub no_delay: bool,
    pub ecn: EcnMode,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the client connects.
    pub start: Duration,
    pub client: Program,
    pub server: Program,
}

/// One seed in full.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub family: Family,
    /// The MTU of the client's and the server's interface.
    pub mtu: [usize; 2],
    /// The cables of client and server.
    pub cables: [Duplex; 2],
    /// Where two routers stand between the hosts: the MTU of the link between the routers, which is smaller than both
    /// hosts know.
    pub bottleneck: Option<usize>,
    pub backlog: usize,
    pub plans: Vec<Plan>,
}

/// Random choices.
pub struct Choices(ChaCha8Rng);

impl Choices {
    pub fn new(seed: u64) -> Choices {
        Choices(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + ((u128::from(self.0.next_u64()) * (high - low + 1) as u128) >> 64) as usize
    }

    /// Something that happens `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.between(0, 99) < percent
    }

    pub fn happens(&mut self, probability: Probability) -> bool {
        self.between(0, 999_999) < (probability.value() * 1e6) as usize
    }

    /// A number from `low` to `high`, small ones as likely as large ones.
    fn magnitude(&mut self, low: usize, high: usize) -> usize {
        let doublings = (high / low.max(1)).ilog2() as usize;
        let bound = (low.max(1) << self.between(0, doublings)).min(high);
        self.between(low, (2 * bound).min(high))
    }

    fn probability(&mut self, highest: f64) -> Probability {
        // A third of the conditions is absent, so that each shows itself without the others too.
        let value = if self.chance(33) { 0.0 } else { highest * self.between(0, 1000) as f64 / 1000.0 };
        Probability::new(value).expect("between 0 and 1")
    }

    fn conditions(&mut self, mtu: usize, corrupt: f64) -> Conditions {
        let delay = if self.chance(20) { 0 } else { self.magnitude(1, 200_000) };
        Conditions {
            // A packet passes two cables: together they lose three in ten at most.
            loss: self.probability(0.16),
            loss_burst: self.chance(30).then(|| BurstLength::new(self.between(1, 4) as f64)).flatten(),
            delay: Duration::from_micros(delay as u64),
            jitter: Duration::from_micros(if self.chance(50) { self.between(0, delay) as u64 } else { 0 }),
            reorder: self.probability(0.3),
            duplicate: self.probability(0.2),
            corrupt: self.probability(corrupt),
            rate: self.chance(40).then(|| Rate::new(self.magnitude(100_000, 1_000_000_000) as u64)).flatten(),
            queue: if self.chance(50) {
                QueueLimit::Frames(self.magnitude(2, 100))
            } else {
                QueueLimit::Bytes(self.magnitude(3000, 200_000))
            },
            mark: self.chance(50).then(|| QueueLimit::Frames(self.magnitude(1, 20))),
            mtu: Some(mtu),
        }
    }

    /// How many bytes go one way.
    fn bytes(&mut self) -> usize {
        match self.between(0, 99) {
            0..10 => 0,
            10..15 => self.between(1, 3),
            15..98 => self.magnitude(1, 20_000),
            _ => self.between(100_000, 300_000),
        }
    }

    /// A program that writes `bytes`, in a connection that carries `most` one way.
    fn program(&mut self, bytes: usize, most: usize) -> Program {
        // Tiny buffers and pauses make many rounds: not for the large transfers.
        let smallest = if most > 10_000 { 4096 } else { 1 };
        let pauses = most < 10_000 && self.chance(20);
        Program {
            bytes,
            write_chunk: self.magnitude(smallest, 65_536),
            read_chunk: self.magnitude(smallest, 65_536),
            pause: if pauses { self.probability(0.2) } else { Probability::NEVER },
            longest_pause: Duration::from_millis(self.magnitude(1, 10_000) as u64),
            finish: [Finish::AtOnce, Finish::AtOnce, Finish::AfterPeer, Finish::Close][self.between(0, 3)],
            send_buffer: self.magnitude(smallest, 262_144),
            receive_buffer: self.magnitude(smallest, 262_144),
            no_delay: self.chance(50),
            ecn: [EcnMode::On, EcnMode::Passive, EcnMode::Off][self.between(0, 2)],
        }
    }
}

impl Scenario {
    pub fn new(seed: u64) -> Scenario {
        let mut choices = Choices::new(seed);
        let family = if choices.chance(50) { Family::V4 } else { Family::V6 };
        let smallest = if family == Family::V4 { 128 } else { 1280 };
        let mtu = [(); 2].map(|()| if choices.chance(40) { choices.between(smallest, 1500) } else { 1500 });
        let narrowest = *mtu.iter().min().unwrap_or(&smallest);
        // Hosts do not believe in IPv4 links below 552 bytes, and let routers cut their packets there: in two pieces at
        // most, or a queue of two frames would lose a third piece every time.
        let bottleneck =
            choices.chance(25).then(|| choices.between(narrowest.min(smallest.max(300)), narrowest));
        // Only the client's cable flips bits: a second flip in the same frame can undo the first in the sixteen bits of
        // the checksum, and no TCP notices that. (Real cables have the CRC of Ethernet.)
        // The same goes for the pieces of one packet.
        let corrupt = if bottleneck.is_some_and(|mtu| mtu < 552) { 0.0 } else { 0.06 };
        let cables = [(mtu[0], corrupt), (mtu[1], 0.0)].map(|(mtu, corrupt)| Duplex {
            up: choices.conditions(mtu, corrupt),
            down: choices.conditions(mtu, corrupt),
        });
        let connections = if choices.chance(75) { 1 } else { choices.between(2, 4) };
        let plans = (0..connections).map(|_| {
            let (up, down) = (choices.bytes(), choices.bytes());
            let most = up.max(down);
            let mut plan = Plan {
                start: Duration::from_millis(choices.between(0, 2000) as u64),
                client: choices.program(up, most),
                server: choices.program(down, most),
            };
            if plan.client.finish == Finish::AfterPeer && plan.server.finish == Finish::AfterPeer {
                plan.server.finish = Finish::AtOnce; // they would wait for each other for ever
            }
            plan
        });
        let plans = plans.collect();
        Scenario { seed, family, mtu, cables, bottleneck, backlog: choices.between(1, 4), plans }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {:?}, backlog {}", self.seed, self.family, self.backlog)?;
        for (name, (mtu, cable)) in ["client", "server"].iter().zip(self.mtu.iter().zip(&self.cables)) {
            writeln!(f, "  {name}: mtu {mtu}\n    up:   {}\n    down: {}", cable.up, cable.down)?;
        }
        if let Some(mtu) = self.bottleneck {
            writeln!(f, "  two routers between them, mtu {mtu} between the routers")?;
        }
        for plan in &self.plans {
            writeln!(
                f,
                "  connection at {:?}\n    client: {:?}\n    server: {:?}",
                plan.start, plan.client, plan.server
            )?;
        }
        Ok(())
    }
}
