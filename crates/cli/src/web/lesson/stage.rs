//! The stage of a lesson: hosts of the real stack on virtual Ethernets, and the programs on them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use sockeye_core::error::Error;
use sockeye_core::lan::{Conditions, Direction, Duplex, Observing, PortId, Probability};
use sockeye_core::network::{InterfaceId, Route};
use sockeye_core::sim::{HostConfig, HostId, LanId, Outcome, Simulation};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Tracing;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_core::wire::ip::Cidr;

use super::Fork;
use super::parameter::Values;
use super::program::Program;
use super::step::{Cue, Reached, Step};
use super::watcher::Watcher;
use crate::web::recording::{HostIndex, Sight};

/// The interface that a host was added with.
pub(super) const FIRST: InterfaceId = InterfaceId(1);

/// A host of a lesson.
#[derive(Debug)]
pub(super) struct Actor {
    /// In the simulation.
    pub(super) id: HostId,
    /// For people.
    pub(super) name: &'static str,
    /// With prefixes.
    pub(super) addresses: Vec<Cidr>,
    /// Its cables, that of its first interface first.
    pub(super) plugs: Vec<(LanId, PortId)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    /// The world.
    pub(super) sim: Simulation,
    /// What was chosen for this lesson.
    pub(super) values: Values,
    lans: Vec<LanId>,
    cast: Vec<Actor>,
    programs: Vec<Program>,
    /// Cables that do not follow the parameters: whose, the how manieth of the host, and what it does.
    special: Vec<(HostIndex, usize, Duplex)>,
    watcher: Watcher,
}

/// An IPv4 address with its prefix.
pub(super) fn cidr(address: [u8; 4], prefix: u8) -> Result<Cidr, Error> {
    Cidr::new(IpAddr::V4(Ipv4Addr::from(address)), prefix).map_err(|_| Error::InvalidArgument)
}

impl Stage {
    /// A stage with one virtual Ethernet, and nobody on it.
    pub(super) fn new(seed: u64, values: Values, steps: &'static [Step]) -> Stage {
        let mut sim = Simulation::new(seed);
        let lans = vec![sim.add_lan()];
        let (cast, programs, special) = (Vec::new(), Vec::new(), Vec::new());
        Stage { sim, values, lans, cast, programs, special, watcher: Watcher::new(steps) }
    }

    /// Another virtual Ethernet.
    pub(super) fn add_lan(&mut self) -> LanId {
        let lan = self.sim.add_lan();
        self.lans.push(lan);
        lan
    }

    /// The first virtual Ethernet.
    pub(super) fn lan(&self) -> LanId {
        self.lans[0]
    }

    /// An ordinary host on the first virtual Ethernet.
    pub(super) fn add_host(&mut self, name: &'static str, address: Cidr) -> Result<HostIndex, Error> {
        self.add_host_on(self.lan(), name, HostConfig::new(name, address))
    }

    /// A host. Its cable is perfect until the lesson begins.
    pub(super) fn add_host_on(
        &mut self,
        lan: LanId,
        name: &'static str,
        config: HostConfig,
    ) -> Result<HostIndex, Error> {
        let addresses = config.addresses.clone();
        let id = self.sim.add_host(lan, config)?;
        let plugs = self.sim.port(id, FIRST).into_iter().collect();
        self.cast.push(Actor { id, name, addresses, plugs });
        Ok(self.cast.len() - 1)
    }

    /// Gives a host a second interface.
    pub(super) fn add_interface(
        &mut self,
        host: HostIndex,
        lan: LanId,
        config: &HostConfig,
    ) -> Result<(), Error> {
        let id = self.cast[host].id;
        let interface = self.sim.add_interface(id, lan, config)?;
        let plug = self.sim.port(id, interface);
        self.cast[host].plugs.extend(plug);
        self.cast[host].addresses.extend(&config.addresses);
        Ok(())
    }

    /// What lies beyond a host's own subnet is reached through this one.
    pub(super) fn add_gateway(&mut self, host: HostIndex, gateway: [u8; 4]) -> Result<(), Error> {
        let (destination, gateway) = (cidr([0; 4], 0)?, Some(IpAddr::V4(gateway.into())));
        let route = Route { destination, gateway, interface: FIRST, metric: 0 };
        self.sim.stack_mut(self.cast[host].id).add_route(route)
    }

    /// All hosts know their neighbours' MAC addresses for good, as if somebody had typed them in. So lessons that are about
    /// something else show no ARP, and a peer that vanishes just vanishes, as one far away does.
    pub(super) fn introduce(&mut self) -> Result<(), Error> {
        let now = self.sim.now();
        let mut known = Vec::new();
        for actor in &self.cast {
            for interface in self.sim.stack(actor.id).snapshot().interfaces {
                let (Some(mac), Some((lan, _))) = (interface.mac, self.sim.port(actor.id, interface.id))
                else {
                    continue;
                };
                known.extend(interface.addresses.iter().map(|cidr| (actor.id, lan, cidr.address(), mac)));
            }
        }
        for actor in &self.cast {
            for interface in self.sim.stack(actor.id).snapshot().interfaces {
                let Some((lan, _)) = self.sim.port(actor.id, interface.id) else { continue };
                for (_, _, address, mac) in
                    known.iter().filter(|(id, there, ..)| *id != actor.id && *there == lan)
                {
                    self.sim.stack_mut(actor.id).add_neighbor(now, interface.id, *address, *mac)?;
                }
            }
        }
        Ok(())
    }

    /// The MAC address of a host's first interface.
    pub(super) fn mac(&self, host: HostIndex) -> MacAddr {
        let snapshot = self.sim.stack(self.cast[host].id).snapshot();
        let first = snapshot.interfaces.into_iter().find(|interface| interface.id == FIRST);
        first.and_then(|interface| interface.mac).unwrap_or(MacAddr::UNSPECIFIED)
    }

    /// A program on a host, to be written on.
    pub(super) fn program(&mut self, host: HostIndex) -> &mut Program {
        self.programs.push(Program::new(Some(host)));
        self.last_program()
    }

    /// The program that was begun last, to be written on.
    pub(super) fn last_program(&mut self) -> &mut Program {
        if self.programs.is_empty() {
            self.programs.push(Program::new(None));
        }
        let last = self.programs.len() - 1;
        &mut self.programs[last]
    }

    /// The hand that plugs and unplugs: a program on no host, to be written on.
    pub(super) fn hand(&mut self) -> &mut Program {
        self.programs.push(Program::new(None));
        self.last_program()
    }

    /// What every cable does, by the parameters `delay_ms` and `loss`.
    pub(super) fn conditions(&self) -> Conditions {
        Conditions {
            delay: Duration::from_millis(self.values.number("delay_ms").into()),
            loss: Probability::new(f64::from(self.values.number("loss")) / 100.0).unwrap_or_default(),
            ..Conditions::default()
        }
    }

    /// Gives the cable of a host (of its first interface: 0) conditions of its own.
    pub(super) fn lay(&mut self, host: HostIndex, place: usize, conditions: impl Into<Duplex>) {
        self.special.push((host, place, conditions.into()));
    }

    /// Leaves a step out that has no place with these parameters.
    pub(super) fn leave_out(&mut self, key: &str) {
        self.watcher.leave_out(|step| step.key == key);
    }

    /// The steps that the programs may come to.
    pub(super) fn said(&self) -> impl Iterator<Item = &'static str> {
        self.programs.iter().flat_map(Program::said)
    }

    /// Begins: all have announced themselves, and from now on everything is watched and the cables are what they shall be.
    pub(super) fn begin(&mut self) {
        let said: HashSet<&str> = self.said().collect();
        self.watcher.leave_out(|step| matches!(step.cue, Cue::Said) && !said.contains(step.key));
        self.sim.run_for(Duration::ZERO);
        let usual: Duplex = self.conditions().into();
        for (host, actor) in self.cast.iter().enumerate() {
            self.sim.stack_mut(actor.id).set_tracing(Tracing::On);
            for (place, (lan, port)) in actor.plugs.iter().enumerate() {
                let own = self.special.iter().find(|(whose, which, _)| (*whose, *which) == (host, place));
                let Duplex { up, down } = own.map_or(usual, |(_, _, conditions)| *conditions);
                let lan = self.sim.lan_mut(*lan);
                lan.set_conditions(*port, Direction::Up, up);
                lan.set_conditions(*port, Direction::Down, down);
            }
        }
        for lan in &self.lans {
            self.sim.lan_mut(*lan).set_observing(Observing::On);
        }
    }

    /// Plays until nothing happens any more, or for `limit`.
    pub(super) fn play(&mut self, limit: Duration, forks: &[Fork]) {
        let end = self.sim.now() + limit;
        for fork in forks.iter().filter(|fork| fork.at < end) {
            // With all that happens at that very instant.
            self.play_to(fork.at);
            self.sim.reseed_cables(fork.seed);
        }
        self.play_to(end);
    }

    fn play_to(&mut self, end: Instant) {
        let Stage { sim, lans, cast, programs, watcher, .. } = self;
        loop {
            let outcome = sim.run_until(end - sim.now(), |sim| {
                watcher.look(sim, cast, lans);
                // Each in its turn, one call at a time.
                let called = |program: &mut Program| program.advance(sim, cast, watcher);
                let calls = programs.iter_mut().map(called).filter(|called| *called).count();
                calls > 0 || watcher.is_full()
            });
            if outcome != Outcome::Met || watcher.is_full() {
                break;
            }
        }
        watcher.look(sim, cast, lans);
    }

    /// Who was on the stage, what was seen, and the steps that were reached.
    pub(super) fn finish(self) -> (Vec<Actor>, Vec<Sight>, Vec<Reached>) {
        let (sights, reached) = self.watcher.finish(self.sim.now());
        (self.cast, sights, reached)
    }
}
