//! The life of a socket: open, bind, listen, accept, connect, shutdown, close.

use std::sync::Arc;

use core::net::{IpAddr, SocketAddr};

use super::route::settings_on;
use super::{Bound, Stack};
use crate::error::Error;
use crate::network::Hop;
use crate::socket::{
    Binding, Body, Datagram, Family, Holder, Kind, Listener, Readiness, Shutdown, Socket, SocketId, Stream,
    StreamMemory,
};
use crate::time::Instant;
use crate::trace::Call;
use crate::transport::demux::{Flow, FlowKey, Scope};
use crate::transport::ports::Ports;
use crate::transport::tcp::{Connection, Endpoints, Settings, State};

/// The port that asks for any.
const ANY_PORT: u16 = 0;

/// Where a packet to `target` goes: on Linux, as here, the unspecified address means this host.
pub(super) fn reachable(mut target: SocketAddr) -> SocketAddr {
    if target.ip().is_unspecified() {
        target.set_ip(match target {
            SocketAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            SocketAddr::V6(_) => IpAddr::V6(core::net::Ipv6Addr::LOCALHOST),
        });
    }
    target
}

impl Stack {
    /// Opens a socket: `socket(2)`.
    ///
    /// # Errors
    /// [`Error::TooManySockets`] at [`super::Config::socket_limit`].
    pub fn open(&mut self, family: Family, kind: Kind) -> Result<SocketId, Error> {
        if self.sockets.len() >= self.config.socket_limit {
            return Err(Error::TooManySockets);
        }
        let body = match kind {
            Kind::Stream => Body::Idle(Arc::clone(&self.settings)),
            Kind::Datagram | Kind::Ping | Kind::Raw(_) => {
                Body::Datagram(Box::new(Datagram::new(family, kind)))
            }
        };
        let id = self.sockets.insert(Socket::new(family, body)).ok_or(Error::TooManySockets)?;
        if let Kind::Raw(protocol) = kind {
            self.bind_new_raw(id, protocol);
        }
        self.report(id);
        Ok(id)
    }

    /// A socket that a program holds.
    pub(super) fn held(&self, id: SocketId) -> Result<&Socket, Error> {
        self.sockets.get(id).filter(|socket| socket.has_program()).ok_or(Error::BadSocket)
    }

    /// A socket that a program holds.
    pub(super) fn held_mut(&mut self, id: SocketId) -> Result<&mut Socket, Error> {
        self.sockets.get_mut(id).filter(|socket| socket.has_program()).ok_or(Error::BadSocket)
    }

    pub(super) fn bound_mut(&mut self, kind: Kind) -> &mut Bound {
        match kind {
            Kind::Ping => &mut self.ping,
            Kind::Raw(_) => &mut self.raw,
            _ => &mut self.udp,
        }
    }

    fn ports_mut(&mut self, id: SocketId) -> Result<&mut Ports, Error> {
        Ok(match &self.held(id)?.body {
            Body::Datagram(datagram) => {
                let kind = datagram.kind;
                &mut self.bound_mut(kind).ports
            }
            _ => &mut self.tcp.ports,
        })
    }

    /// Gives a socket its own address: `bind(2)`. Port 0 lets the host choose. A raw socket has no port, and may be given
    /// another address.
    ///
    /// # Errors
    /// [`Error::AddressInUse`]; [`Error::AddressNotAvailable`] for an address that is not this host's;
    /// [`Error::InvalidArgument`] for a socket that is bound already; [`Error::AddressFamilyNotSupported`].
    pub fn bind(&mut self, now: Instant, id: SocketId, address: SocketAddr) -> Result<(), Error> {
        let bound = self.bind_now(id, address);
        if bound.is_err() {
            self.tell(now, id, Call::Bind, (Some(address), None), bound.map(|()| 0));
            return bound;
        }
        self.told(now, id, Call::Bind, bound, |()| 0)
    }

    fn bind_now(&mut self, id: SocketId, address: SocketAddr) -> Result<(), Error> {
        let socket = self.held(id)?;
        if let Body::Datagram(datagram) = &socket.body
            && let Kind::Raw(protocol) = datagram.kind
        {
            return self.bind_raw(id, protocol, address);
        }
        let idle = matches!(&socket.body, Body::Idle(_) | Body::Datagram(_));
        if socket.binding.is_some() || !idle {
            return Err(Error::InvalidArgument);
        }
        let datagram = matches!(&socket.body, Body::Datagram(_));
        let plain = match socket.inward(address) {
            // A mapped address on a socket that speaks IPv6 only is simply not one of its addresses.
            Err(Error::NetworkUnreachable) => return Err(Error::InvalidArgument),
            other => other?,
        };
        let ip = plain.ip();
        let foreign = !ip.is_unspecified() && !self.network.is_local(ip);
        if foreign && !(datagram && self.network.is_receivable(ip)) {
            return Err(Error::AddressNotAvailable);
        }
        self.bind_to(id, plain)
    }

    /// Binds to an address already checked.
    fn bind_to(&mut self, id: SocketId, plain: SocketAddr) -> Result<(), Error> {
        let socket = self.held(id)?;
        // `::` without IPV6_V6ONLY hears both families; a plain `0.0.0.0` on an IPv6 socket came in mapped.
        let scope = Scope::new(plain.ip(), socket.dual());
        let reuse = socket.options.reuse;
        let ports = self.ports_mut(id)?;
        let port = if plain.port() == ANY_PORT {
            let probe = |ports: &Ports, port: u16| !ports.is_bound(port) && !ports.is_held(port);
            let port = ports.ephemeral(plain.ip(), None, probe).map_err(|_| Error::AddressInUse)?;
            ports.bind(port, scope, id, reuse)?;
            port
        } else {
            ports.bind(plain.port(), scope, id, reuse)?;
            plain.port()
        };
        let socket = self.held_mut(id)?;
        socket.binding = Some(Binding { address: SocketAddr::new(plain.ip(), port), scope });
        if let Body::Datagram(datagram) = &socket.body {
            let kind = datagram.kind;
            self.bound_mut(kind).demux.insert_bound(port, scope, id, reuse);
        }
        Ok(())
    }

    /// Binds a socket that is not bound yet to every address and a port of the host's choice.
    pub(super) fn bind_if_needed(&mut self, id: SocketId) -> Result<(), Error> {
        let socket = self.held(id)?;
        if socket.binding.is_some() {
            return Ok(());
        }
        self.bind_to(id, SocketAddr::new(socket.family.unspecified(), ANY_PORT))
    }

    /// Makes a stream socket listen: `listen(2)`. `backlog` bounds the connections that wait to be accepted; the
    /// half-open ones are bounded by [`super::Config::half_open_limit`].
    ///
    /// # Errors
    /// [`Error::AddressInUse`] when another socket listens there; [`Error::InvalidArgument`] for a connected socket;
    /// [`Error::NotSupported`] for a datagram socket.
    pub fn listen(&mut self, now: Instant, id: SocketId, backlog: usize) -> Result<(), Error> {
        let listens = self.listen_now(id, backlog);
        self.told(now, id, Call::Listen { backlog }, listens, |()| 0)
    }

    fn listen_now(&mut self, id: SocketId, backlog: usize) -> Result<(), Error> {
        match &mut self.held_mut(id)?.body {
            Body::Idle(_) => {}
            Body::Listener(listener) => {
                listener.set_backlog(backlog);
                return Ok(());
            }
            Body::Stream(_) => return Err(Error::InvalidArgument),
            Body::Datagram(_) => return Err(Error::NotSupported),
        }
        self.bind_if_needed(id)?;
        let socket = self.held(id)?;
        let (binding, reuse) = (socket.binding.ok_or(Error::InvalidArgument)?, socket.options.reuse);
        self.tcp.ports.listen(binding.address.port(), id)?;
        self.tcp.demux.insert_bound(binding.address.port(), binding.scope, id, reuse);
        let (half_open_limit, mode) = (self.config.half_open_limit, self.config.fast_open);
        let socket = self.held_mut(id)?;
        if let Body::Idle(settings) = &socket.body {
            let mut listener = Listener::new(Arc::clone(settings), backlog, half_open_limit);
            if mode.server && mode.all_listeners && listener.settings.fast_open.queue == 0 {
                let queue = listener.backlog() as u32;
                Arc::make_mut(&mut listener.settings).fast_open.queue = queue;
            }
            socket.body = Body::Listener(listener);
        }
        self.report(id);
        Ok(())
    }

    /// Takes the connection that waits longest: `accept(2)`. Answers its socket and the peer's address.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when none waits; [`Error::InvalidArgument`] for a socket that does not listen.
    pub fn accept(&mut self, now: Instant, id: SocketId) -> Result<(SocketId, SocketAddr), Error> {
        let accepted = self.accept_now(id);
        let of = accepted.map_or(id, |(connection, _)| connection);
        let addresses = self.addresses_if_watched(of);
        self.tell(now, id, Call::Accept, addresses, accepted.map(|_| 0));
        accepted
    }

    fn accept_now(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Error> {
        loop {
            let listener = match &mut self.held_mut(id)?.body {
                Body::Listener(listener) => listener,
                Body::Datagram(_) => return Err(Error::NotSupported),
                _ => return Err(Error::InvalidArgument),
            };
            let Some(connection) = listener.pop() else {
                self.would_block(id, Readiness::READABLE);
                return Err(Error::WouldBlock);
            };
            self.report(id);
            let Some(socket) = self.sockets.get_mut(connection) else { continue };
            let Body::Stream(stream) = &mut socket.body else { continue };
            stream.waits_at = None;
            stream.connection.on_accepted();
            let remote = stream.connection.endpoints().remote;
            let shown = socket.outward(remote);
            // Whatever came before `accept` is news to its new holder.
            socket.reported = Readiness::NONE;
            self.report(connection);
            return Ok((connection, shown));
        }
    }

    /// Connects: `connect(2)`. With `TCP_FASTOPEN_CONNECT` and a cookie of the peer the answer is success at once, and the
    /// first write opens the connection. A datagram socket is connected at once (and to `0.0.0.0:0` or `[::]:0`: no longer; [`Stack::disconnect`] does that to all kinds). A stream
    /// socket whose attempt has failed may try again.
    ///
    /// # Errors
    /// [`Error::InProgress`] for a stream socket: it becomes writable when the outcome is known, which
    /// [`Stack::take_error`] then tells. [`Error::AlreadyInProgress`], [`Error::IsConnected`],
    /// [`Error::NetworkUnreachable`], [`Error::AddressNotAvailable`] when no port is free or the bound one is in use towards
    /// that peer; and, once, why the attempt before has failed.
    pub fn connect(&mut self, now: Instant, id: SocketId, remote: SocketAddr) -> Result<(), Error> {
        let connected = self.connect_now(now, id, remote);
        let (local, peer) = self.addresses_if_watched(id);
        self.tell(now, id, Call::Connect, (local, peer.or(Some(remote))), connected.map(|()| 0));
        connected
    }

    fn connect_now(&mut self, now: Instant, id: SocketId, remote: SocketAddr) -> Result<(), Error> {
        let socket = self.held(id)?;
        if let Body::Datagram(_) = &socket.body {
            return self.connect_datagram(id, remote);
        }
        if let Body::Stream(stream) = &mut self.held_mut(id)?.body
            && stream.is_connecting
            && stream.connection.state() > State::SynReceived
        {
            stream.is_connecting = false; // once it is told that the attempt has succeeded
            return Ok(());
        }
        let ends = self.begin_connect(now, id, remote)?;
        let deferred = self.plan_deferred(now, id, &ends);
        self.with_connection(now, id, "connect", |connection| match &deferred {
            Some(plan) if plan.carries_data() => connection.defer(),
            Some(plan) => {
                connection.open_with_data(now, plan, &[]);
            }
            None => {}
        });
        if deferred.is_some_and(|plan| plan.carries_data()) { Ok(()) } else { Err(Error::InProgress) }
    }

    /// Does what `connect` does, but for what follows from it: the connection stands in SYN-SENT, and its SYN has not left.
    pub(super) fn begin_connect(
        &mut self,
        now: Instant,
        id: SocketId,
        remote: SocketAddr,
    ) -> Result<Endpoints, Error> {
        let socket = self.held(id)?;
        let target = reachable(socket.inward(remote)?);
        match &socket.body {
            Body::Listener(_) | Body::Datagram(_) => return Err(Error::IsConnected),
            Body::Stream(stream) => match stream.connection.state() {
                _ if stream.connection.is_deferred() => return Err(Error::IsConnected),
                State::SynSent | State::SynReceived if stream.is_connecting => {
                    return Err(Error::AlreadyInProgress);
                }
                State::Closed if stream.connection.was_refused() => {
                    if let Some(error) = self.take_error(id)? {
                        return Err(error);
                    }
                }
                _ => return Err(Error::IsConnected),
            },
            _ => {}
        }
        if target.port() == 0 {
            return Err(Error::ConnectionRefused);
        }
        if target.ip().is_multicast() {
            return Err(Error::NetworkUnreachable);
        }
        let bound = self.held(id)?.binding.map(|binding| binding.address);
        let source = bound.map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
        let path = self.network.route(target.ip(), source, None)?;
        if path.next_hop == Hop::Broadcast {
            return Err(Error::NetworkUnreachable);
        }
        let local_ip = path.source;
        let port = match bound {
            Some(address) => address.port(),
            None => self.choose_port(local_ip, target)?,
        };
        let ends = Endpoints { local: SocketAddr::new(local_ip, port), remote: target };
        let key = FlowKey::new(ends.local, ends.remote);
        if let Some(flow) = self.tcp.demux.flow(&key) {
            match flow {
                // Our own old incarnation in TIME-WAIT gives way only to a port asked for with SO_REUSEADDR.
                Flow::TimeWait(handle) if self.held(id)?.options.reuse.address => {
                    self.end_time_wait(now, handle, "connect");
                }
                _ => return Err(Error::AddressNotAvailable),
            }
        }
        let opening = self.opening(now, &ends);
        let (initial_window, rto_min) = (self.config.tcp.initial_window, self.config.tcp.rto_min);
        self.return_memory(id);
        let socket = self.held_mut(id)?;
        let settings = match &socket.body {
            Body::Idle(settings) => Arc::clone(settings),
            // What the route of an attempt that failed has said is forgotten.
            Body::Stream(stream) => Arc::new(Settings {
                advertised_mss: None,
                initial_window,
                rto_min,
                ..stream.connection.settings().clone()
            }),
            _ => return Err(Error::InvalidArgument),
        };
        let settings = settings_on(&path.attributes, &settings);
        let connection = Connection::connect(now, ends, settings, opening);
        let path_mss = opening.path_mss;
        socket.body = Body::Stream(Box::new(Stream {
            connection,
            waits_at: None,
            counted_at: None,
            is_connecting: true,
            in_demux: true,
            memory: StreamMemory::default(),
            told: 0,
            path_mss,
        }));
        let reuse = socket.options.reuse;
        socket.error = None; // of a connection before this one
        socket.reported = Readiness::NONE;
        self.tcp.demux.insert_flow(key, Flow::Connection(id));
        self.tcp.ports.hold(ends.local, reuse);
        self.record_state(now, Some(id), ends, (State::Closed, State::SynSent), "connect");
        Ok(ends)
    }

    /// An ephemeral port for a connection to `remote`, one that no bound socket and no such flow holds.
    fn choose_port(&mut self, local: IpAddr, remote: SocketAddr) -> Result<u16, Error> {
        let demux = &self.tcp.demux;
        self.tcp.ports.ephemeral(local, Some(remote), |ports, port| {
            let key = FlowKey::new(SocketAddr::new(local, port), remote);
            !ports.is_bound(port) && demux.flow(&key).is_none()
        })
    }

    /// Ends one direction or both: `shutdown(2)`. As on Linux, a listener whose reading is shut down listens no more
    /// (who waits in `accept` learns it), a connection attempt is called off, and a datagram socket without peer is
    /// shut down although the answer is an error (who waits in `receive_from` learns it).
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::BadSocket`].
    pub fn shutdown(&mut self, now: Instant, id: SocketId, how: Shutdown) -> Result<(), Error> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let shut = self.shutdown_now(now, id, (read, write));
        self.told(now, id, Call::Shutdown { read, write }, shut, |()| 0)
    }

    fn shutdown_now(&mut self, now: Instant, id: SocketId, (read, write): (bool, bool)) -> Result<(), Error> {
        match &mut self.held_mut(id)?.body {
            Body::Idle(_) => return Err(Error::NotConnected),
            Body::Listener(_) => {
                if read {
                    self.stop_listening(now, id);
                }
                return Ok(());
            }
            Body::Datagram(datagram) => {
                datagram.read_closed |= read;
                datagram.write_closed |= write;
                let connected = datagram.peer.is_some();
                self.report(id);
                return if connected { Ok(()) } else { Err(Error::NotConnected) };
            }
            Body::Stream(stream) => match stream.connection.state() {
                State::Closed => return Err(Error::NotConnected),
                State::SynSent => {
                    self.with_connection(now, id, "shutdown", |connection| connection.abort(now));
                    self.held_mut(id)?.error = Some(Error::ConnectionReset);
                    self.report(id);
                    return Ok(());
                }
                _ => {}
            },
        }
        self.with_connection(now, id, "shutdown", |connection| {
            if read {
                connection.shutdown_read(now);
            }
            if write {
                connection.shutdown_write(now);
            }
        });
        Ok(())
    }

    /// Closes: `close(2)`. What was written still goes out, followed by a FIN; the connection finishes by itself. With
    /// unread data, or `SO_LINGER` of zero, it is reset instead (RFC 2525, 2.17). The handle is stale from now on.
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn close(&mut self, now: Instant, id: SocketId) -> Result<(), Error> {
        let addresses = self.addresses_if_watched(id);
        let closed = self.close_now(now, id);
        self.tell(now, id, Call::Close, addresses, closed.map(|()| 0));
        closed
    }

    fn close_now(&mut self, now: Instant, id: SocketId) -> Result<(), Error> {
        self.held_mut(id)?.holder = Holder::Nobody;
        self.leave_all(id);
        match &self.sockets.get(id).ok_or(Error::BadSocket)?.body {
            Body::Listener(_) => {
                self.end_listener(now, id);
                self.remove(id);
            }
            Body::Stream(_) => {
                self.with_connection(now, id, "close", |connection| connection.close(now));
                self.begin_orphan(now, id);
                self.reap(id);
            }
            // Datagrams already sent still leave, but nobody hears any more, and the port is free.
            Body::Datagram(datagram) if datagram.has_transmit() => {
                self.unbind(id);
                self.make_ready(id);
            }
            Body::Idle(_) | Body::Datagram(_) => self.remove(id),
        }
        Ok(())
    }

    /// The socket's own address: `getsockname(2)`.
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn local_address(&self, id: SocketId) -> Result<SocketAddr, Error> {
        let socket = self.held(id)?;
        let own = match &socket.body {
            Body::Stream(stream) => Some(stream.connection.endpoints().local),
            _ => socket.own_address().or(socket.binding.map(|binding| binding.address)),
        };
        let own = own.unwrap_or_else(|| SocketAddr::new(socket.family.unspecified(), 0));
        Ok(socket.outward(own))
    }

    /// The peer's address: `getpeername(2)`.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::BadSocket`].
    pub fn peer_address(&self, id: SocketId) -> Result<SocketAddr, Error> {
        let socket = self.held(id)?;
        let peer = match &socket.body {
            Body::Stream(stream) => match stream.connection.state() {
                State::SynSent | State::Closed => None,
                _ => Some(stream.connection.endpoints().remote),
            },
            Body::Datagram(datagram) => datagram.peer,
            _ => None,
        };
        peer.map(|address| socket.outward(address)).ok_or(Error::NotConnected)
    }

    /// The error that waits at the socket, once: `getsockopt(SO_ERROR)`. Of an open connection it is what ICMP said since the
    /// peer last acknowledged something; that does not end it (RFC 5461 section 4).
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn take_error(&mut self, id: SocketId) -> Result<Option<Error>, Error> {
        let socket = self.held_mut(id)?;
        let error = socket.error.take().or_else(|| {
            let connection = socket.connection_mut()?;
            connection.take_error().or_else(|| connection.take_soft_error())
        });
        self.report(id);
        Ok(error)
    }
}
