//! Whole networks in virtual time: hosts on virtual Ethernets, with one clock that jumps from event to event.
//!
//! A simulation waits for nothing: an hour of silence costs nothing. It is repeatable: the same hosts, conditions, seeds
//! and calls give the same frames at the same times, byte for byte.
//!
//! ```
//! use sockeye_core::lan::Conditions;
//! use sockeye_core::sim::{HostConfig, Outcome, Simulation};
//! use sockeye_core::socket::{Family, Kind};
//! use sockeye_core::time::Duration;
//!
//! let mut sim = Simulation::new(7);
//! let lan = sim.add_lan();
//! let bad = Conditions { loss: "20%".parse()?, delay: Duration::from_millis(30), ..Conditions::default() };
//! let server = sim.add_host(lan, HostConfig::new("server", "10.0.0.2/24".parse()?))?;
//! let client = sim.add_host(lan, HostConfig { conditions: bad.into(), ..HostConfig::new("client", "10.0.0.3/24".parse()?) })?;
//!
//! let now = sim.now();
//! let listener = sim.stack_mut(server).open(Family::V4, Kind::Stream)?;
//! sim.stack_mut(server).bind(now, listener, "10.0.0.2:7788".parse()?)?;
//! sim.stack_mut(server).listen(now, listener, 5)?;
//! let socket = sim.stack_mut(client).open(Family::V4, Kind::Stream)?;
//! let _in_progress = sim.stack_mut(client).connect(now, socket, "10.0.0.2:7788".parse()?);
//!
//! let is_connected = |sim: &mut Simulation| sim.stack(client).readiness(socket).is_ok_and(|ready| ready.is_writable());
//! assert_eq!(sim.run_until(Duration::from_secs(60), is_connected), Outcome::Met);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod grid;
mod host;

use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::Error;
use crate::lan::{Lan, PortId};
use crate::network::InterfaceId;
use crate::stack::{Config, Event, Frame, Stack};
use crate::time::{Duration, Instant};
use crate::wire::ethernet::MacAddr;

use host::{Host, Plug};
pub use host::{HostConfig, HostId};

/// A virtual Ethernet of a [`Simulation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LanId(usize);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The condition holds.
    Met,
    /// It does not, and nothing will happen any more: no frame travels, no timer runs, no alarm is set.
    Idle,
    /// It does not, and the time is up.
    TimeUp,
    /// Without time going by, more happened than could ever be meant: frames chase each other, or a deadline that has
    /// passed stays.
    Livelock,
}

/// Hosts on virtual Ethernets under one virtual clock.
#[derive(Debug)]
pub struct Simulation {
    seeds: ChaCha8Rng,
    now: Instant,
    lans: Vec<Lan>,
    /// By LAN and number of the port: whose it is.
    owners: Vec<Vec<(HostId, InterfaceId)>>,
    hosts: Vec<Host>,
    alarms: BinaryHeap<Reverse<Instant>>,
    /// What the stacks reported at this instant.
    events: VecDeque<(HostId, Event)>,
}

impl Simulation {
    /// How much may happen at one instant before it counts as a [`Outcome::Livelock`].
    pub const LIVELOCK: usize = 1_000_000;

    /// An empty world at the time zero. All hosts and cables get seeds of their own from this one.
    pub fn new(seed: u64) -> Simulation {
        Simulation {
            seeds: ChaCha8Rng::seed_from_u64(seed),
            now: Instant::ZERO,
            lans: Vec::new(),
            owners: Vec::new(),
            hosts: Vec::new(),
            alarms: BinaryHeap::new(),
            events: VecDeque::new(),
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Adds a virtual Ethernet with nobody on it.
    pub fn add_lan(&mut self) -> LanId {
        self.lans.push(Lan::new());
        self.owners.push(Vec::new());
        LanId(self.lans.len() - 1)
    }

    /// Adds a host with one interface, plugged into a virtual Ethernet.
    ///
    /// # Errors
    /// As [`Simulation::add_interface`].
    ///
    /// # Panics
    /// For a virtual Ethernet of another simulation, as all methods do that are given one or a host.
    pub fn add_host(&mut self, lan: LanId, config: HostConfig) -> Result<HostId, Error> {
        let id = HostId(self.hosts.len());
        let seed = self.derived_seed();
        let stack = Stack::new(Config { seed, ..config.config.clone() });
        self.hosts.push(Host { stack, plugs: vec![None] });
        self.add_interface(id, lan, &config)?;
        Ok(id)
    }

    /// Adds an interface to a host: its second makes it a router, if [`Config::forwarding`] says so. Name and behaviour of
    /// the host stay what they were.
    ///
    /// # Errors
    /// As [`Stack::add_interface`] and [`Stack::add_address`].
    pub fn add_interface(
        &mut self,
        host: HostId,
        lan: LanId,
        config: &HostConfig,
    ) -> Result<InterfaceId, Error> {
        let seed = self.derived_seed();
        let entry = &mut self.hosts[host.0];
        let number = entry.plugs.len();
        // A MAC address given locally (the 2) that nobody else has.
        let [high, low] = (host.0 as u16 + 1).to_be_bytes();
        let mac = MacAddr([2, 0, 0, number as u8, high, low]);
        let id = entry.stack.add_interface(host::interface(config.name.clone(), mac, config.mtu))?;
        let port = self.lans[lan.0].add_port(config.conditions, seed);
        entry.plugs.push(Some(Plug { lan, port }));
        self.owners[lan.0].push((host, id));
        for address in &config.addresses {
            entry.stack.add_address(self.now, id, *address)?;
        }
        Ok(id)
    }

    /// The stack of a host.
    pub fn stack(&self, host: HostId) -> &Stack {
        &self.hosts[host.0].stack
    }

    /// The stack of a host, for calls at the time [`Simulation::now`].
    pub fn stack_mut(&mut self, host: HostId) -> &mut Stack {
        &mut self.hosts[host.0].stack
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.hosts.len()).map(HostId)
    }

    /// A virtual Ethernet.
    pub fn lan(&self, lan: LanId) -> &Lan {
        &self.lans[lan.0]
    }

    /// A virtual Ethernet: to change conditions, to cut and to hold cables, to observe.
    pub fn lan_mut(&mut self, lan: LanId) -> &mut Lan {
        &mut self.lans[lan.0]
    }

    /// The virtual Ethernet and the port an interface is plugged into; none for the loopback interface.
    pub fn port(&self, host: HostId, interface: InterfaceId) -> Option<(LanId, PortId)> {
        self.hosts[host.0]
            .plugs
            .get(usize::from(interface.0))
            .copied()
            .flatten()
            .map(|plug| (plug.lan, plug.port))
    }

    /// Lets chance on all cables follow another seed from now on, and nothing else: what the hosts draw (sequence numbers,
    /// ports) stays theirs. Of two runs that were the same until now, one can so take another way.
    pub fn reseed_cables(&mut self, seed: u64) {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        for lan in &mut self.lans {
            let ports: Vec<PortId> = lan.ports().collect();
            for port in ports {
                lan.reseed(port, seeds.next_u64());
            }
        }
    }

    /// Makes sure that the clock stops at `at`, so that a program under test can act then.
    pub fn wake_at(&mut self, at: Instant) {
        if at > self.now {
            self.alarms.push(Reverse(at));
        }
    }

    /// The next socket that has become ready for something at this instant. What is not polled before time goes on is
    /// forgotten; [`Stack::readiness`] tells it all the same.
    pub fn poll_event(&mut self) -> Option<(HostId, Event)> {
        self.events.pop_front()
    }

    /// Lets the world go on until `condition` holds, for at most `limit`. The condition is asked whenever everything that
    /// was due at one instant has happened; it may call the stacks itself, as programs on the hosts would, and is asked
    /// again when something came of that.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&mut Simulation) -> bool,
    ) -> Outcome {
        let deadline = self.now + limit;
        loop {
            if self.exchange().is_none() {
                return Outcome::Livelock;
            }
            if condition(self) {
                return Outcome::Met;
            }
            match self.exchange() {
                None => return Outcome::Livelock,
                Some(0) => {}
                Some(_) => continue,
            }
            match self.next_event() {
                None => return Outcome::Idle,
                Some(at) if at > deadline => {
                    self.now = deadline;
                    return Outcome::TimeUp;
                }
                Some(at) => self.now = self.now.max(at),
            }
            self.events.clear();
            while self.alarms.peek().is_some_and(|Reverse(at)| *at <= self.now) {
                self.alarms.pop();
            }
        }
    }

    /// Lets the world go on for `duration`, or until nothing happens any more; the clock then shows the end all the same.
    pub fn run_for(&mut self, duration: Duration) -> Outcome {
        let end = self.now + duration;
        let outcome = self.run_until(duration, |_| false);
        if outcome == Outcome::Idle {
            self.now = end;
        }
        outcome
    }

    /// When something happens next.
    pub fn next_event(&self) -> Option<Instant> {
        let stacks = self.hosts.iter().filter_map(|host| host.stack.poll_timeout());
        let lans = self.lans.iter().filter_map(Lan::poll_timeout);
        stacks.chain(lans).chain(self.alarms.peek().map(|Reverse(at)| *at)).min()
    }

    /// Lets everything happen that is due now. Says how much that was; none if there seems to be no end of it.
    fn exchange(&mut self) -> Option<usize> {
        let mut happened = 0;
        loop {
            let before = happened;
            for (id, host) in self.hosts.iter_mut().enumerate().map(|(number, host)| (HostId(number), host)) {
                if host.stack.poll_timeout().is_some_and(|at| at <= self.now) {
                    host.stack.handle_timeout(self.now);
                    happened += 1;
                }
                while let Some(transmit) = host.stack.poll_transmit(self.now) {
                    happened += 1;
                    let interface = usize::from(transmit.interface.0);
                    let Some(Some(plug)) = host.plugs.get(interface) else { continue };
                    let lan = &mut self.lans[plug.lan.0];
                    let mut frame = lan.buffer();
                    for part in [transmit.headers, transmit.payload[0], transmit.payload[1]] {
                        frame.extend_from_slice(part);
                    }
                    lan.send(self.now, plug.port, frame);
                }
                while let Some(event) = host.stack.poll_event() {
                    happened += 1;
                    self.events.push_back((id, event));
                }
            }
            for (lan, owners) in self.lans.iter_mut().zip(&self.owners) {
                while let Some(delivery) = lan.poll(self.now) {
                    happened += 1;
                    if let Some((host, interface)) = owners.get(delivery.port.number() as usize)
                        && let Some(host) = self.hosts.get_mut(host.0)
                    {
                        host.stack.receive(self.now, *interface, Frame::new(&delivery.frame));
                    }
                    lan.recycle(delivery.frame);
                }
            }
            if happened == before {
                return Some(happened);
            }
            if happened > Simulation::LIVELOCK {
                return None;
            }
        }
    }

    fn derived_seed(&mut self) -> u64 {
        self.seeds.next_u64()
    }
}

#[cfg(test)]
mod tests;
