//! The thread of a gateway.

use super::connections::Connections;
use super::doorbell::Doorbell;
use super::echoes::Echoes;
use super::flows::Flows;
use super::policy::{GatewayPolicy, HostLoopback};
use super::way::Signpost;
use crate::host::Host;
use mio::{Events, Poll, Token};
use sockeye_core::socket::CatchAll;
use sockeye_core::stack::{LOOPBACK, Stack};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const DOORBELL: Token = Token(0);

/// How often it is looked for what takes too long.
const SWEEP: Duration = Duration::from_millis(500);

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The gate: SYNs, and connections that are complete.
    Gate,
    /// Datagrams from inside.
    Datagrams,
    /// Echo requests from inside.
    Echoes,
    /// A TCP connection, by its number; numbers are not used twice.
    Connection(usize),
    /// A UDP flow.
    Flow(usize),
    /// An echo request under way.
    Echo(usize),
}

/// The token of what is real: its number, and in the lowest bits what it is.
pub(super) fn token_of(key: Key) -> Token {
    match key {
        Key::Connection(number) => Token(number << 2 | 1),
        Key::Flow(number) => Token(number << 2 | 2),
        Key::Echo(number) => Token(number << 2 | 3),
        Key::Gate | Key::Datagrams | Key::Echoes => DOORBELL,
    }
}

fn key_of(token: Token) -> Option<Key> {
    match token.0 & 3 {
        1 => Some(Key::Connection(token.0 >> 2)),
        2 => Some(Key::Flow(token.0 >> 2)),
        3 => Some(Key::Echo(token.0 >> 2)),
        _ => None,
    }
}

struct Crossing {
    poll: Poll,
    doorbell: Arc<Doorbell<Key>>,
    signpost: Signpost,
    connections: Connections,
    flows: Flows,
    echoes: Echoes,
    /// What to look at, in turn.
    work: VecDeque<Key>,
    sweep_at: Instant,
}

/// Starts the thread; it ends when the doorbell is closed, or with the host.
pub(super) fn start(host: &Host, policy: GatewayPolicy) -> io::Result<Arc<Doorbell<Key>>> {
    let poll = Poll::new()?;
    let doorbell = Arc::new(Doorbell::new(mio::Waker::new(poll.registry(), DOORBELL)?));
    // A host with further addresses on its loopback interface serves something there, and the rest is the world's.
    let has_further = host.engine().look(has_further_addresses);
    let what = match policy.host_loopback {
        HostLoopback::Off if !has_further => CatchAll::Foreign,
        _ => CatchAll::Unclaimed,
    };
    let crossing = Crossing {
        poll,
        doorbell: Arc::clone(&doorbell),
        connections: Connections::open(host, policy.connections, what, &doorbell)?,
        flows: Flows::open(host, what, &doorbell)?,
        echoes: Echoes::open(host, &doorbell)?,
        signpost: Signpost::new(policy, host.addresses()),
        work: VecDeque::from([Key::Gate, Key::Datagrams, Key::Echoes]),
        sweep_at: Instant::now() + SWEEP,
    };
    std::thread::Builder::new().name(format!("{}-world", host.name())).spawn(move || crossing.run())?;
    Ok(doorbell)
}

fn has_further_addresses(stack: &Stack) -> bool {
    let snapshot = stack.snapshot();
    let loopback = snapshot.interfaces.into_iter().find(|interface| interface.id == LOOPBACK);
    loopback.is_some_and(|loopback| loopback.addresses.iter().any(|own| !own.address().is_loopback()))
}

impl Crossing {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut ready = Vec::new();
        while !self.doorbell.is_closed() {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => break,
                _ => {}
            }
            self.work.extend(events.iter().filter_map(|event| key_of(event.token())));
            self.doorbell.take(&mut ready);
            self.work.extend(ready.drain(..));
            if self.turn().is_err() {
                break; // the host is down
            }
        }
        self.connections.cut(self.poll.registry());
    }

    /// Looks at as much as there is now: what that leaves to do comes after the next look at the events.
    fn turn(&mut self) -> io::Result<()> {
        for _ in 0..self.work.len() {
            let Some(key) = self.work.pop_front() else { break };
            if self.advance(key)? {
                self.work.push_back(key);
            }
        }
        if Instant::now() >= self.sweep_at {
            let registry = self.poll.registry();
            self.connections.sweep(registry);
            self.flows.sweep(registry);
            self.echoes.sweep(registry);
            self.sweep_at = Instant::now() + SWEEP;
        }
        Ok(())
    }

    /// `true` if there may be more to do at once.
    fn advance(&mut self, key: Key) -> io::Result<bool> {
        let (signpost, registry) = (&self.signpost, self.poll.registry());
        match key {
            Key::Gate => self.connections.welcome(signpost, registry, &self.doorbell),
            Key::Datagrams => self.flows.carry_there(signpost, registry),
            Key::Echoes => self.echoes.carry_there(signpost, registry),
            Key::Connection(number) => Ok(self.connections.advance(number, registry)),
            Key::Flow(number) => Ok(self.flows.carry_back(number, signpost)),
            Key::Echo(number) => Ok(self.echoes.carry_back(number)),
        }
    }

    /// How long to wait for events.
    fn timeout(&self) -> Option<Duration> {
        if !self.work.is_empty() {
            return Some(Duration::ZERO);
        }
        let is_idle = !self.connections.is_waiting() && self.flows.is_empty() && self.echoes.is_empty();
        // A millisecond more, or the wait could end just before the time.
        let until = || self.sweep_at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        (!is_idle).then(until)
    }
}
