//! Who sits in the audience: gathers from cables and hosts, at every instant, what has happened, in order.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::{Map, Value};
use sockeye_core::lan::{Direction, PortId};
use sockeye_core::sim::{LanId, Simulation};
use sockeye_core::time::Instant;
use sockeye_core::trace::{Trace, TraceEvent};
use sockeye_core::transport::tcp::TcpInfo;
use sockeye_core::wire::LinkType;

use super::stage::Actor;
use super::step::{Prompter, Reached, Step};
use crate::web::recording::{CableSight, HostIndex, Note, Sample, Sight};

/// See the module.
#[derive(Debug)]
pub(super) struct Watcher {
    sights: Vec<Sight>,
    /// Bytes of frames among them.
    bytes: usize,
    reached: Vec<Reached>,
    prompter: Prompter,
    /// How each connection stood when it was last looked at.
    stood: HashMap<(HostIndex, SocketAddr, SocketAddr), TcpInfo>,
}

impl Watcher {
    /// More is not seen: a large transfer over a very bad cable ends here.
    pub(super) const LIMIT: usize = 100_000;
    /// As [`Watcher::LIMIT`], in bytes of frames.
    pub(super) const BYTES_LIMIT: usize = 32 << 20;

    pub(super) fn new(steps: &'static [Step]) -> Watcher {
        let prompter = Prompter::new(steps);
        Watcher { sights: Vec::new(), bytes: 0, reached: Vec::new(), prompter, stood: HashMap::new() }
    }

    /// Whether there is room for no more.
    pub(super) fn is_full(&self) -> bool {
        self.sights.len() >= Watcher::LIMIT || self.bytes >= Watcher::BYTES_LIMIT
    }

    /// What was seen, and the steps that were reached.
    pub(super) fn finish(mut self, at: Instant) -> (Vec<Sight>, Vec<Reached>) {
        if self.is_full() {
            let words = "so much has happened that the lesson is broken off here".to_owned();
            self.remark(at, "broken-off", words, Map::new());
        }
        (self.sights, self.reached)
    }

    /// Takes what has happened since it last looked. At one instant, hosts come first: what arrived changed them, and what they
    /// sent came of it.
    pub(super) fn look(&mut self, sim: &mut Simulation, cast: &[Actor], lans: &[LanId]) {
        for (host, actor) in cast.iter().enumerate() {
            while let Some(trace) = sim.stack_mut(actor.id).poll_trace() {
                if !is_of_frames(&trace) {
                    self.see(Sight::Host(host, trace));
                }
            }
        }
        for lan in lans {
            while let Some(seen) = sim.lan_mut(*lan).poll_observation() {
                let Some(host) = whose(cast, *lan, seen.port) else { continue };
                self.bytes += seen.frame.len();
                let (at, direction, frame, fate) = (seen.at, seen.direction, seen.frame, seen.fate);
                self.see(Sight::Cable(CableSight {
                    at,
                    host,
                    direction,
                    frame,
                    missing: 0,
                    link: LinkType::Ethernet,
                    fate,
                }));
            }
        }
        let now = sim.now();
        for (host, actor) in cast.iter().enumerate() {
            self.sample(now, host, sim, actor);
        }
    }

    fn sample(&mut self, at: Instant, host: HostIndex, sim: &Simulation, actor: &Actor) {
        for socket in sim.stack(actor.id).snapshot().sockets {
            let (Some(local), Some(remote), Some(tcp)) = (socket.local, socket.remote, socket.tcp) else {
                continue;
            };
            let key = (host, local, remote);
            if self.stood.get(&key) == Some(&*tcp) {
                continue;
            }
            self.stood.insert(key, (*tcp).clone());
            let (receive_queue, send_queue) = (socket.receive_queue, socket.send_queue);
            self.sights.push(Sight::Sample(Sample {
                at,
                host,
                local,
                remote,
                receive_queue,
                send_queue,
                tcp,
            }));
        }
    }

    /// A step, told before that which it is about.
    fn see(&mut self, sight: Sight) {
        if let Some(step) = self.prompter.on_sight(&sight) {
            self.tell(sight.at(), step, Map::new());
        }
        self.sights.push(sight);
    }

    /// A program has come to a step.
    pub(super) fn say(&mut self, at: Instant, key: &str, facts: Map<String, Value>) {
        if let Some(step) = self.prompter.say(key) {
            self.tell(at, step, facts);
        }
    }

    /// A program will never come to a step.
    pub(super) fn pass(&mut self, key: &str) {
        self.prompter.pass(key);
    }

    /// Leaves steps out that have no place in this run.
    pub(super) fn leave_out(&mut self, is_out: impl Fn(&Step) -> bool) {
        self.prompter.leave_out(is_out);
    }

    fn tell(&mut self, at: Instant, step: &'static Step, facts: Map<String, Value>) {
        self.reached.push(Reached { at, key: step.key, text: step.text, facts: facts.clone() });
        let mut facts = facts;
        facts.insert("step".to_owned(), step.key.into());
        self.remark(at, "step", step.text.to_owned(), facts);
    }

    /// Something was done to a cable.
    pub(super) fn remark(
        &mut self,
        at: Instant,
        note: &'static str,
        words: String,
        facts: Map<String, Value>,
    ) {
        self.sights.push(Sight::Note(Note { at, note, words, facts }));
    }
}

/// Frames are seen on the cables.
fn is_of_frames(trace: &Trace) -> bool {
    matches!(trace.event, TraceEvent::Frame { .. })
}

/// Whose cable that is.
fn whose(cast: &[Actor], lan: LanId, port: PortId) -> Option<HostIndex> {
    cast.iter().position(|actor| actor.plugs.contains(&(lan, port)))
}

/// A way along a cable, in a word.
pub(super) fn named(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
