//! TCP on its way out: a SYN that is held at the gate, a real connection that is being made, and a relay between them.

use super::crossing::{Key, token_of};
use super::doorbell::Doorbell;
use super::relay::{Progress, Relay, reset_real};
use super::way::{Signpost, Way, refusal_of};
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use mio::net::TcpStream;
use mio::{Interest as Readiness, Registry};
use sockeye_core::error::Error;
use sockeye_core::network::Unreachable;
use sockeye_core::socket::{CatchAll, Family, Kind, SocketOption};
use sockeye_core::stack::{HeldSyn, Refusal};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// SYNs and accepted connections of one turn.
const TURN: usize = 64;

/// All TCP connections of a gateway.
pub(super) struct Connections {
    gate: Socket,
    waker: Waker,
    all: HashMap<usize, Connection>,
    /// Those that are admitted, by their two ends inside: the client's and the foreign one.
    admitted: HashMap<(SocketAddr, SocketAddr), usize>,
    next: usize,
    /// How many are carried.
    carried: usize,
}

/// One connection, from the SYN on.
enum Connection {
    /// The real machine is trying to connect.
    Connecting { real: TcpStream, syn: HeldSyn, until: Instant },
    /// It has succeeded, and the client's handshake goes on. `is_doubted`: it seems to have failed.
    Admitted { real: TcpStream, syn: HeldSyn, is_doubted: bool },
    /// Both ends are there.
    Carried(Relay),
}

/// Who stands at the gate.
enum Caller {
    Syn(HeldSyn),
    Connection(Socket, SocketAddr),
}

impl Connections {
    pub(super) fn open(
        host: &Host,
        limit: usize,
        what: CatchAll,
        doorbell: &Arc<Doorbell<Key>>,
    ) -> io::Result<Connections> {
        let gate = Socket::open_family(host, Family::V6, Kind::Stream)?;
        gate.set(SocketOption::NoDelay(true))?;
        gate.call(|state, now, id| state.stack.open_gate(now, id, limit, what))?;
        let waker = doorbell.waker(Key::Gate);
        Ok(Connections { gate, waker, all: HashMap::new(), admitted: HashMap::new(), next: 0, carried: 0 })
    }

    /// Whether a connection is being made, which may take too long.
    pub(super) fn is_waiting(&self) -> bool {
        self.carried < self.all.len()
    }

    /// Deals with whoever stands at the gate. `true` if there may be more.
    ///
    /// # Errors
    /// When the host is down.
    pub(super) fn welcome(
        &mut self,
        signpost: &Signpost,
        registry: &Registry,
        doorbell: &Arc<Doorbell<Key>>,
    ) -> io::Result<bool> {
        for _ in 0..TURN {
            match self.caller() {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(Caller::Syn(syn))) => self.begin(syn, signpost, registry),
                Poll::Ready(Ok(Caller::Connection(ours, peer))) => self.join(ours, peer, doorbell),
            }
        }
        Ok(true)
    }

    fn caller(&self) -> Poll<io::Result<Caller>> {
        /// As it comes out of the stack's lock.
        enum Found<A> {
            Syn(HeldSyn),
            Connection(A),
        }
        let mut context = Context::from_waker(&self.waker);
        let polled = self.gate.poll(Interest::Read, WakerKey::Half, &mut context, |state, now, id| {
            match Socket::accept_in(state, now, id) {
                Err(Error::WouldBlock) => state.stack.next_syn(now, id).map(Found::Syn),
                other => other.map(Found::Connection),
            }
        });
        polled.map_ok(|found| match found {
            Found::Syn(syn) => Caller::Syn(syn),
            Found::Connection(accepted) => {
                let (ours, peer) = self.gate.accepted(accepted);
                Caller::Connection(ours, peer)
            }
        })
    }

    /// A SYN has come: the real connection begins.
    fn begin(&mut self, syn: HeldSyn, signpost: &Signpost, registry: &Registry) {
        let to = match signpost.way(syn.destination) {
            // Not answered, the client tries again.
            Way::To(_) if self.all.len() >= signpost.policy().connections => {
                return self.refuse(&syn, Refusal::Silence);
            }
            Way::To(to) => to,
            Way::Refused(refusal) => return self.refuse(&syn, refusal),
        };
        let number = self.next;
        self.next += 1;
        let begun = TcpStream::connect(to).and_then(|mut real| {
            let interests = Readiness::READABLE | Readiness::WRITABLE;
            registry.register(&mut real, token_of(Key::Connection(number)), interests)?;
            Ok(real)
        });
        match begun {
            Ok(real) => {
                let until = Instant::now() + signpost.policy().connect_timeout;
                self.all.insert(number, Connection::Connecting { real, syn, until });
            }
            Err(error) => self.refuse(&syn, refusal_of(&error)),
        }
    }

    fn refuse(&self, syn: &HeldSyn, refusal: Refusal) {
        // It is gone already where the client has given up.
        let _ = self.gate.call(|state, now, id| state.stack.refuse(now, id, syn.id, refusal));
    }

    /// The client's handshake is complete: the two ends find each other.
    fn join(&mut self, ours: Socket, peer: SocketAddr, doorbell: &Arc<Doorbell<Key>>) {
        let number = ours.local_addr().ok().and_then(|local| self.admitted.remove(&(peer, local)));
        let (number, real) = match number.and_then(|number| Some((number, self.all.remove(&number)?))) {
            Some((number, Connection::Admitted { real, .. })) => (number, real),
            _ => {
                let _ = ours.set(SocketOption::Linger(Some(Duration::ZERO)));
                return;
            }
        };
        let key = Key::Connection(number);
        self.all.insert(number, Connection::Carried(Relay::between(real, ours, doorbell.waker(key))));
        self.carried += 1;
        // What the real end has said meanwhile is not told again.
        doorbell.ring(key);
    }

    /// Goes on with one connection. `true` if there may be more to do at once.
    pub(super) fn advance(&mut self, number: usize, registry: &Registry) -> bool {
        match self.all.get_mut(&number) {
            Some(Connection::Carried(relay)) => match relay.advance() {
                Progress::Waiting => false,
                Progress::More => true,
                Progress::Done => {
                    self.remove(number, registry);
                    false
                }
            },
            Some(Connection::Connecting { real, syn, .. }) => {
                let syn = *syn;
                match outcome(real) {
                    None => {}
                    Some(Ok(())) => self.admit(number, syn, registry),
                    Some(Err(error)) => {
                        self.remove(number, registry);
                        self.refuse(&syn, refusal_of(&error));
                    }
                }
                false
            }
            Some(Connection::Admitted { .. }) | None => false,
        }
    }

    /// The real connection is made: the client's may be, too.
    fn admit(&mut self, number: usize, syn: HeldSyn, registry: &Registry) {
        if self.gate.call(|state, now, id| state.stack.admit(now, id, syn.id)).is_err() {
            self.remove(number, registry);
            return;
        }
        if let Some(Connection::Connecting { real, syn, .. }) = self.all.remove(&number) {
            self.admitted.insert((syn.source, syn.destination), number);
            self.all.insert(number, Connection::Admitted { real, syn, is_doubted: false });
        }
    }

    /// Gives up what has taken too long, or what nobody waits for any more. Whoever stood at the gate has been welcomed
    /// before: a connection whose handshake is over and that was not there is given up the second time.
    pub(super) fn sweep(&mut self, registry: &Registry) {
        let now = Instant::now();
        let (mut late, mut left) = (Vec::new(), Vec::new());
        for (number, connection) in &mut self.all {
            let (syn, until, is_doubted) = match connection {
                Connection::Connecting { syn, until, .. } => (*syn, Some(*until), None),
                Connection::Admitted { syn, is_doubted, .. } => (*syn, None, Some(is_doubted)),
                Connection::Carried(_) => continue,
            };
            let gate = self.gate.id();
            let is_pending = self.gate.host().engine().look(|stack| stack.is_pending(gate, syn.id));
            match (is_pending, is_doubted) {
                (true, None) if until.is_some_and(|until| until <= now) => late.push((*number, syn)),
                (true, _) => {}
                (false, Some(is_doubted)) if !*is_doubted => *is_doubted = true,
                (false, _) => left.push(*number),
            }
        }
        for (number, syn) in late {
            self.remove(number, registry);
            self.refuse(&syn, Refusal::Unreachable(Unreachable::Host));
        }
        for number in left {
            self.remove(number, registry);
        }
    }

    /// Forgets a connection; a real end that is not done with is reset.
    fn remove(&mut self, number: usize, registry: &Registry) {
        let Some(connection) = self.all.remove(&number) else { return };
        let mut real = match connection {
            Connection::Carried(relay) => {
                self.carried -= 1;
                return relay.leave(registry);
            }
            Connection::Connecting { real, .. } => real,
            Connection::Admitted { real, syn, .. } => {
                // Unless the client has come again from the same port meanwhile.
                let ends = (syn.source, syn.destination);
                if self.admitted.get(&ends) == Some(&number) {
                    self.admitted.remove(&ends);
                }
                real
            }
        };
        reset_real(&real);
        let _ = registry.deregister(&mut real);
    }

    /// Ends all connections, those with resets that are not at their end anyway, and turns away those that are being made.
    pub(super) fn cut(&mut self, registry: &Registry) {
        for connection in self.all.values() {
            match connection {
                Connection::Carried(relay) => relay.cut(),
                Connection::Connecting { syn, .. } => {
                    self.refuse(syn, Refusal::Unreachable(Unreachable::Network));
                }
                Connection::Admitted { .. } => {}
            }
        }
        let numbers: Vec<_> = self.all.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.remove(number, registry));
    }
}

/// How the real connect has ended, if it has.
fn outcome(real: &TcpStream) -> Option<io::Result<()>> {
    match real.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
    }
    match real.peer_addr() {
        Ok(_) => Some(Ok(())),
        Err(error) if error.kind() == ErrorKind::NotConnected => None,
        Err(error) => Some(Err(error)),
    }
}
