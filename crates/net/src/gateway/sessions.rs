//! The UDP half of a published port: one socket of ours for each real client.

use super::doorbell::Doorbell;
use super::service::Key;
use crate::datagram::receive;
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use mio::net::UdpSocket;
use sockeye_core::socket::Kind;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Clients that are remembered at most; the one that has been silent for longest makes room.
const CLIENTS: usize = 1024;

/// How long a silent client is remembered.
const IDLE: Duration = Duration::from_secs(60);

/// Datagrams of one turn.
const TURN: usize = 64;

/// The largest datagram.
const LARGEST: usize = 65_535;

/// All clients of a published port.
pub(super) struct Sessions {
    carrier: Host,
    target: SocketAddr,
    real: UdpSocket,
    clients: HashMap<SocketAddr, Session>,
    buffer: Vec<u8>,
}

struct Session {
    ours: Socket,
    waker: Waker,
    last: Instant,
}

impl Sessions {
    pub(super) fn new(carrier: Host, target: SocketAddr, real: UdpSocket) -> Sessions {
        Sessions { carrier, target, real, clients: HashMap::new(), buffer: vec![0; LARGEST] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Carries what real clients have sent. `true` if there may be more.
    pub(super) fn carry_there(&mut self, doorbell: &Arc<Doorbell<Key>>) -> bool {
        for _ in 0..TURN {
            match self.real.recv_from(&mut self.buffer) {
                Ok((length, client)) => self.pass_on(doorbell, client, length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An ICMP error about an earlier answer: that client is gone, the others are not.
                Err(_) => {}
            }
        }
        true
    }

    fn pass_on(&mut self, doorbell: &Arc<Doorbell<Key>>, client: SocketAddr, length: usize) {
        if !self.clients.contains_key(&client) {
            self.make_room();
            let Ok(ours) = open(&self.carrier, self.target) else { return };
            let waker = doorbell.waker(Key::Session(client));
            self.clients.insert(client, Session { ours, waker, last: Instant::now() });
        }
        let (Some(session), Some(bytes)) = (self.clients.get_mut(&client), self.buffer.get(..length)) else {
            return;
        };
        session.last = Instant::now();
        // A datagram for which there is no room is lost, as on any router.
        let _ = session.ours.call(|state, now, id| state.stack.send_to(now, id, bytes, None));
        self.carry_back(client);
    }

    /// Carries what has come back for `client`. `true` if there may be more.
    pub(super) fn carry_back(&mut self, client: SocketAddr) -> bool {
        let Some(session) = self.clients.get_mut(&client) else { return false };
        for _ in 0..TURN {
            let mut context = Context::from_waker(&session.waker);
            let buffer = &mut self.buffer;
            let polled = session.ours.poll(Interest::Read, WakerKey::Half, &mut context, |state, now, id| {
                receive(state, now, id, buffer)
            });
            match polled {
                Poll::Pending => return false,
                Poll::Ready(Ok((length, _))) => {
                    session.last = Instant::now();
                    if let Some(bytes) = self.buffer.get(..length) {
                        let _ = self.real.send_to(bytes, client);
                    }
                }
                // The port is closed: the client cannot be told, but need not be remembered either.
                Poll::Ready(Err(_)) => {
                    self.clients.remove(&client);
                    return false;
                }
            }
        }
        true
    }

    fn make_room(&mut self) {
        if self.clients.len() < CLIENTS {
            return;
        }
        let oldest = self.clients.iter().min_by_key(|(_, session)| session.last).map(|(client, _)| *client);
        if let Some(oldest) = oldest {
            self.clients.remove(&oldest);
        }
    }

    /// Forgets who has been silent for too long.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        self.clients.retain(|_, session| now.duration_since(session.last) < IDLE);
    }

    pub(super) fn real_mut(&mut self) -> &mut UdpSocket {
        &mut self.real
    }
}

fn open(carrier: &Host, target: SocketAddr) -> io::Result<Socket> {
    let ours = Socket::open(carrier, target, Kind::Datagram)?;
    ours.call(|state, now, id| state.stack.connect(now, id, target))?;
    Ok(ours)
}
