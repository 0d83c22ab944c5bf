//! A program of a lesson: socket calls one after the other, as a tutorial writes them. Each waits until it can be answered.
//!
//! When a call fails, the program does what most do that have a `finally`: it closes its sockets, and that is it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use sockeye_core::error::Error;
use sockeye_core::lan::Direction;
use sockeye_core::sim::Simulation;
use sockeye_core::socket::{Family, Kind, Shutdown, SocketId, SocketOption};
use sockeye_core::stack::Stack;
use sockeye_core::time::{Duration, Instant};

use super::stage::Actor;
use super::watcher::{Watcher, named};
use crate::web::recording::HostIndex;

/// What the program calls one of its sockets.
type Name = &'static str;

/// See the module. The methods write it, line by line.
#[derive(Debug)]
pub(super) struct Program {
    /// None for the hand that plugs and unplugs.
    host: Option<HostIndex>,
    acts: VecDeque<Act>,
    sockets: BTreeMap<Name, (SocketId, Kind)>,
    has_failed: bool,
    /// Of the act that is under way.
    begun: Option<Begun>,
}

/// An act that is under way.
#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    /// When it began.
    at: Instant,
    /// Bytes that are done.
    done: usize,
}

/// One line of a program.
#[derive(Debug)]
enum Act {
    Open(Name, Kind),
    Set(Name, SocketOption),
    Bind(Name, SocketAddr),
    Listen(Name, usize),
    Accept(Name, Name),
    Connect(Name, SocketAddr),
    Send(Name, Vec<u8>),
    SendTo(Name, Vec<u8>, SocketAddr),
    /// At most so many bytes at once.
    Receive(Name, usize),
    /// So many bytes, in as many calls as it takes.
    ReceiveExactly(Name, usize),
    /// Until the peer has finished.
    ReceiveToEnd(Name, usize),
    Shutdown(Name),
    Close(Name),
    Wait(Duration),
    WaitUntil(Instant),
    Say(&'static str, Map<String, Value>),
    /// Said only if something has failed.
    Lament(&'static str),
    Cable(HostIndex, Direction, Change),
    Inject(HostIndex, Vec<u8>),
}

/// What is done to a cable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It is cut for a while.
    Cut(Duration),
    /// So many frames are lost, and no chance in it.
    DropNext(usize),
}

/// How far an act has come.
enum Progress {
    /// It is done, and nothing could come of it.
    Aside,
    /// It is done, and was a call.
    Called,
    /// It was a call, and there are more to be done at once.
    Goes,
    /// It waits.
    Waits,
}

use Progress::{Aside, Called, Goes, Waits};

impl Program {
    /// A program on a host, with nothing in it.
    pub(super) fn new(host: Option<HostIndex>) -> Program {
        Program { host, acts: VecDeque::new(), sockets: BTreeMap::new(), has_failed: false, begun: None }
    }

    fn then(&mut self, act: Act) -> &mut Program {
        self.acts.push_back(act);
        self
    }

    /// `socket(AF_INET, SOCK_STREAM)`.
    pub(super) fn socket(&mut self, name: Name) -> &mut Program {
        self.then(Act::Open(name, Kind::Stream))
    }

    /// `socket(AF_INET, SOCK_DGRAM)`.
    pub(super) fn datagram_socket(&mut self, name: Name) -> &mut Program {
        self.then(Act::Open(name, Kind::Datagram))
    }

    /// `setsockopt`.
    pub(super) fn set(&mut self, name: Name, option: SocketOption) -> &mut Program {
        self.then(Act::Set(name, option))
    }

    /// `bind`.
    pub(super) fn bind(&mut self, name: Name, address: SocketAddr) -> &mut Program {
        self.then(Act::Bind(name, address))
    }

    /// `listen`.
    pub(super) fn listen(&mut self, name: Name, backlog: usize) -> &mut Program {
        self.then(Act::Listen(name, backlog))
    }

    /// `accept`; the connection is called `connection`.
    pub(super) fn accept(&mut self, name: Name, connection: Name) -> &mut Program {
        self.then(Act::Accept(name, connection))
    }

    /// `connect`.
    pub(super) fn connect(&mut self, name: Name, to: SocketAddr) -> &mut Program {
        self.then(Act::Connect(name, to))
    }

    /// `send`, until all of it is taken.
    pub(super) fn send(&mut self, name: Name, bytes: impl Into<Vec<u8>>) -> &mut Program {
        self.then(Act::Send(name, bytes.into()))
    }

    /// `sendto`.
    pub(super) fn send_to(&mut self, name: Name, bytes: &[u8], to: SocketAddr) -> &mut Program {
        self.then(Act::SendTo(name, bytes.to_vec(), to))
    }

    /// `recv(most)`.
    pub(super) fn receive(&mut self, name: Name, most: usize) -> &mut Program {
        self.then(Act::Receive(name, most))
    }

    /// `recv` again and again until so many bytes are there.
    pub(super) fn receive_exactly(&mut self, name: Name, bytes: usize) -> &mut Program {
        self.then(Act::ReceiveExactly(name, bytes))
    }

    /// `recv(most)` again and again until it returns 0.
    pub(super) fn receive_to_end(&mut self, name: Name, most: usize) -> &mut Program {
        self.then(Act::ReceiveToEnd(name, most))
    }

    /// `shutdown(SHUT_WR)`.
    pub(super) fn shutdown(&mut self, name: Name) -> &mut Program {
        self.then(Act::Shutdown(name))
    }

    /// `close`.
    pub(super) fn close(&mut self, name: Name) -> &mut Program {
        self.then(Act::Close(name))
    }

    /// `sleep`.
    pub(super) fn wait(&mut self, duration: Duration) -> &mut Program {
        self.then(Act::Wait(duration))
    }

    /// Until the clock shows this.
    pub(super) fn wait_until(&mut self, at: Instant) -> &mut Program {
        self.then(Act::WaitUntil(at))
    }

    /// A step of the lesson, if all went well so far.
    pub(super) fn say(&mut self, key: &'static str) -> &mut Program {
        self.then(Act::Say(key, Map::new()))
    }

    /// A step of the lesson, with its numbers.
    pub(super) fn say_with(&mut self, key: &'static str, facts: Map<String, Value>) -> &mut Program {
        self.then(Act::Say(key, facts))
    }

    /// A step of the lesson, if something has failed.
    pub(super) fn lament(&mut self, key: &'static str) -> &mut Program {
        self.then(Act::Lament(key))
    }

    /// Does something to the cable of a host's first interface.
    pub(super) fn cable(&mut self, host: HostIndex, direction: Direction, change: Change) -> &mut Program {
        self.then(Act::Cable(host, direction, change))
    }

    /// Puts a frame on the cable of a host that its stack knows nothing of.
    pub(super) fn inject(&mut self, host: HostIndex, frame: Vec<u8>) -> &mut Program {
        self.then(Act::Inject(host, frame))
    }

    /// The steps that it may come to.
    pub(super) fn said(&self) -> impl Iterator<Item = &'static str> {
        self.acts.iter().filter_map(|act| match act {
            Act::Say(key, _) | Act::Lament(key) => Some(*key),
            _ => None,
        })
    }

    /// Goes on to its next socket call, and does that: what comes of it leaves before the one after it, as it does where a call
    /// runs the stack. Whether it did one.
    pub(super) fn advance(&mut self, sim: &mut Simulation, cast: &[Actor], watcher: &mut Watcher) -> bool {
        let now = sim.now();
        while let Some(act) = self.acts.pop_front() {
            let mut begun = self.begun.take().unwrap_or(Begun { at: now, done: 0 });
            let progress = self.perform(sim, cast, watcher, &act, &mut begun).unwrap_or_else(|error| {
                if error == Error::WouldBlock {
                    return Waits;
                }
                self.has_failed = true;
                Called
            });
            match progress {
                Aside => {}
                Called => return true,
                Goes | Waits => {
                    self.begun = Some(begun);
                    self.acts.push_front(act);
                    return matches!(progress, Goes);
                }
            }
        }
        false
    }

    /// Does an act, as far as it goes.
    fn perform(
        &mut self,
        sim: &mut Simulation,
        cast: &[Actor],
        watcher: &mut Watcher,
        act: &Act,
        begun: &mut Begun,
    ) -> Result<Progress, Error> {
        let now = sim.now();
        match act {
            Act::Lament(key) if self.has_failed => watcher.say(now, key, Map::new()),
            Act::Lament(key) => watcher.pass(key),
            Act::Close(_) => return self.call(sim, cast, act, begun),
            Act::Say(key, _) if self.has_failed => watcher.pass(key),
            _ if self.has_failed => {}
            Act::Wait(duration) => return Ok(wait_until(sim, begun.at + *duration)),
            Act::WaitUntil(at) => return Ok(wait_until(sim, *at)),
            Act::Say(key, facts) => watcher.say(now, key, facts.clone()),
            Act::Cable(host, direction, change) => alter(sim, cast, watcher, (*host, *direction), *change),
            Act::Inject(host, frame) => {
                if let Some((lan, port)) = cast.get(*host).and_then(|actor| actor.plugs.first()) {
                    sim.lan_mut(*lan).send(now, *port, frame.clone());
                }
                return Ok(Called);
            }
            _ => return self.call(sim, cast, act, begun),
        }
        Ok(Aside)
    }

    /// Does a socket call, as far as it goes.
    fn call(
        &mut self,
        sim: &mut Simulation,
        cast: &[Actor],
        act: &Act,
        begun: &mut Begun,
    ) -> Result<Progress, Error> {
        let Some(actor) = self.host.and_then(|host| cast.get(host)) else { return Ok(Aside) };
        let now = sim.now();
        let stack = sim.stack_mut(actor.id);
        let known = |name: &Name| self.sockets.get(name).copied().ok_or(Error::BadSocket);
        let socket = |name: &Name| known(name).map(|(id, _)| id);
        match act {
            Act::Open(name, kind) => {
                let id = stack.open(Family::V4, *kind)?;
                self.sockets.insert(name, (id, *kind));
            }
            Act::Set(name, option) => stack.set_option(now, socket(name)?, *option)?,
            Act::Bind(name, address) => stack.bind(now, socket(name)?, *address)?,
            Act::Listen(name, backlog) => stack.listen(now, socket(name)?, *backlog)?,
            Act::Accept(name, connection) => {
                let id = socket(name)?;
                if !stack.readiness(id)?.is_readable() {
                    return Ok(Waits);
                }
                let (id, _) = stack.accept(now, id)?;
                self.sockets.insert(connection, (id, Kind::Stream));
            }
            Act::Connect(name, to) => return connect(stack, now, socket(name)?, *to, begun),
            Act::Send(name, bytes) => return send(stack, now, socket(name)?, bytes, begun),
            Act::SendTo(name, bytes, to) => {
                stack.send_to(now, socket(name)?, bytes, Some(*to))?;
            }
            Act::Receive(name, most) => {
                receive(stack, now, known(name)?, *most)?;
            }
            Act::ReceiveExactly(name, bytes) => {
                match receive(stack, now, known(name)?, bytes - begun.done)? {
                    0 => return Err(Error::ConnectionAborted),
                    some => begun.done += some,
                }
                if begun.done < *bytes {
                    return Ok(Goes);
                }
            }
            Act::ReceiveToEnd(name, most) => {
                let received = receive(stack, now, known(name)?, *most)?;
                return Ok(if received > 0 { Goes } else { Called });
            }
            Act::Shutdown(name) => stack.shutdown(now, socket(name)?, Shutdown::Write)?,
            Act::Close(name) => {
                // What was never opened needs no closing.
                if let Some((id, _)) = self.sockets.remove(name) {
                    stack.close(now, id)?;
                }
            }
            _ => {}
        }
        Ok(Called)
    }
}

fn wait_until(sim: &mut Simulation, at: Instant) -> Progress {
    if sim.now() >= at {
        return Aside;
    }
    sim.wake_at(at);
    Waits
}

/// Connects, and waits for how that ends.
fn connect(
    stack: &mut Stack,
    now: Instant,
    id: SocketId,
    to: SocketAddr,
    begun: &mut Begun,
) -> Result<Progress, Error> {
    if begun.done == 0 {
        begun.done = 1;
        return match stack.connect(now, id, to) {
            Err(Error::InProgress) => Ok(Goes),
            other => other.map(|()| Called),
        };
    }
    let readiness = stack.readiness(id)?;
    if !readiness.is_writable() && !readiness.has_failed() {
        return Ok(Waits);
    }
    // Asked once more, it tells the outcome.
    stack.connect(now, id, to).map(|()| Called)
}

/// Sends what is left.
fn send(
    stack: &mut Stack,
    now: Instant,
    id: SocketId,
    bytes: &[u8],
    begun: &mut Begun,
) -> Result<Progress, Error> {
    begun.done += stack.write(now, id, bytes.get(begun.done..).unwrap_or_default())?;
    Ok(if begun.done < bytes.len() { Goes } else { Called })
}

/// Receives once, if there is something.
fn receive(
    stack: &mut Stack,
    now: Instant,
    (id, kind): (SocketId, Kind),
    most: usize,
) -> Result<usize, Error> {
    if !stack.readiness(id)?.is_readable() {
        return Err(Error::WouldBlock);
    }
    let mut buffer = vec![0; most];
    match kind {
        Kind::Stream => stack.read(now, id, &mut buffer),
        _ => stack.receive_from(now, id, &mut buffer).map(|received| received.copied),
    }
}

fn alter(
    sim: &mut Simulation,
    cast: &[Actor],
    watcher: &mut Watcher,
    (host, direction): (HostIndex, Direction),
    change: Change,
) {
    let Some(actor) = cast.get(host) else { return };
    let Some(&(lan, port)) = actor.plugs.first() else { return };
    let now = sim.now();
    let lan = sim.lan_mut(lan);
    let name = actor.name;
    let way = match direction {
        Direction::Up => format!("from {name}"),
        Direction::Down => format!("to {name}"),
    };
    let (note, words, value) = match change {
        Change::Cut(duration) => {
            lan.cut(now, port, direction, duration);
            ("cut", format!("the cable {way} is cut for {duration:?}"), json!(duration.as_secs_f64()))
        }
        Change::DropNext(frames) => {
            lan.drop_next(port, direction, frames);
            let what =
                if frames == 1 { "the next frame".to_owned() } else { format!("the next {frames} frames") };
            ("drop-next", format!("{what} {way} will be lost"), json!(frames))
        }
    };
    let facts = [("host", json!(host)), ("direction", json!(named(direction))), ("value", value)];
    watcher.remark(
        now,
        note,
        words,
        facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
    );
}
