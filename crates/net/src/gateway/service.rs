//! The thread of a published port.

use super::doorbell::Doorbell;
use super::relay::{Progress, Relay};
use super::sessions::Sessions;
use crate::host::Host;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DOORBELL: Token = Token(0);
const LISTENER: Token = Token(1);
const DATAGRAMS: Token = Token(2);
/// The token of the first connection; the others follow.
const FIRST_CONNECTION: usize = 3;

/// Connections accepted in one turn.
const ACCEPT_BATCH: usize = 64;

/// How long to wait when the process has no descriptors left for another connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How often silent UDP clients are looked for.
const EXPIRY: Duration = Duration::from_secs(5);

/// What a waker stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A TCP connection, by its number; numbers are not used twice.
    Connection(usize),
    /// The UDP session of this real client.
    Session(SocketAddr),
}

struct Service {
    poll: Poll,
    doorbell: Arc<Doorbell<Key>>,
    carrier: Host,
    target: SocketAddr,
    listener: TcpListener,
    /// When to accept again: now, later, or when the listener says so.
    accept_at: Option<Instant>,
    has_datagrams: bool,
    sessions: Sessions,
    connections: HashMap<usize, Relay>,
    next_connection: usize,
    /// Connections and sessions to look at, in turn.
    work: VecDeque<Key>,
    expire_at: Instant,
}

/// Starts the thread; it ends when the doorbell is closed.
pub(super) fn start(
    carrier: Host,
    target: SocketAddr,
    mut tcp: TcpListener,
    mut udp: UdpSocket,
) -> io::Result<Arc<Doorbell<Key>>> {
    let poll = Poll::new()?;
    let doorbell = Arc::new(Doorbell::new(mio::Waker::new(poll.registry(), DOORBELL)?));
    poll.registry().register(&mut tcp, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut udp, DATAGRAMS, Interest::READABLE)?;
    let service = Service {
        poll,
        doorbell: Arc::clone(&doorbell),
        sessions: Sessions::new(carrier.clone(), target, udp),
        carrier,
        target,
        listener: tcp,
        accept_at: None,
        has_datagrams: false,
        connections: HashMap::new(),
        next_connection: 0,
        work: VecDeque::new(),
        expire_at: Instant::now() + EXPIRY,
    };
    std::thread::Builder::new().name(format!("publish-{}", target.port())).spawn(move || service.run())?;
    Ok(doorbell)
}

impl Service {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut ready = Vec::new();
        while !self.doorbell.is_closed() {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => break,
                _ => {}
            }
            for event in &events {
                match event.token() {
                    DOORBELL => {}
                    LISTENER => self.accept_at = Some(Instant::now()),
                    DATAGRAMS => self.has_datagrams = true,
                    Token(token) => self.work.push_back(Key::Connection(token - FIRST_CONNECTION)),
                }
            }
            if self.accept_at.is_some_and(|at| at <= Instant::now()) {
                self.accept();
            }
            if self.has_datagrams {
                self.has_datagrams = self.sessions.carry_there(&self.doorbell);
            }
            self.doorbell.take(&mut ready);
            self.work.extend(ready.drain(..));
            // As many as there are now: what they leave to do comes after the next look at the events.
            for _ in 0..self.work.len() {
                let Some(key) = self.work.pop_front() else { break };
                self.advance(key);
            }
            if Instant::now() >= self.expire_at {
                self.sessions.expire();
                self.expire_at = Instant::now() + EXPIRY;
            }
        }
        for relay in self.connections.values() {
            relay.cut();
        }
        let _ = self.poll.registry().deregister(self.sessions.real_mut());
    }

    /// How long to wait for events.
    fn timeout(&self) -> Option<Duration> {
        if !self.work.is_empty() || self.has_datagrams {
            return Some(Duration::ZERO);
        }
        let expiry = (!self.sessions.is_empty()).then_some(self.expire_at);
        let next = self.accept_at.into_iter().chain(expiry).min()?;
        // A millisecond more, or the wait could end just before the time.
        Some(next.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    fn accept(&mut self) {
        self.accept_at = None;
        for _ in 0..ACCEPT_BATCH {
            match self.listener.accept() {
                Ok((real, _)) => self.begin(real),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    // The client has gone again.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    _ => {
                        self.accept_at = Some(Instant::now() + ACCEPT_RETRY);
                        return;
                    }
                },
            }
        }
        self.accept_at = Some(Instant::now());
    }

    fn begin(&mut self, mut real: TcpStream) {
        let number = self.next_connection;
        self.next_connection += 1;
        let token = Token(FIRST_CONNECTION + number);
        let interests = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut real, token, interests).is_err() {
            super::relay::reset_real(&real);
            return;
        }
        let waker = self.doorbell.waker(Key::Connection(number));
        if let Ok(relay) = Relay::inwards(&self.carrier, self.target, real, waker) {
            self.connections.insert(number, relay);
            self.work.push_back(Key::Connection(number));
        }
    }

    fn advance(&mut self, key: Key) {
        let is_unfinished = match key {
            Key::Session(client) => self.sessions.carry_back(client),
            Key::Connection(number) => {
                let Some(relay) = self.connections.get_mut(&number) else { return };
                match relay.advance() {
                    Progress::Waiting => false,
                    Progress::More => true,
                    Progress::Done => {
                        if let Some(relay) = self.connections.remove(&number) {
                            relay.leave(self.poll.registry());
                        }
                        false
                    }
                }
            }
        };
        if is_unfinished {
            self.work.push_back(key);
        }
    }
}
