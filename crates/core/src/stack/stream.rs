//! Stream sockets: reading and writing, and what follows whenever a connection has moved.

use super::Stack;
use super::deadlines::Owner;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::socket::{Body, Holder, Kind, Readiness, SocketId};
use crate::time::Instant;
use crate::trace::{Call, TraceEvent};
use crate::transport::demux::{Flow, FlowKey};
use crate::transport::tcp::{Connection, Endpoints, SendFlags, State, Take, TcpInfo};
use crate::wire::tcp::Segment;

impl Stack {
    /// Hands bytes to a connection: as many as its send buffer takes now.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when it takes none; [`Error::BrokenPipe`] without connection, after a shutdown of writing or a
    /// reset already reported; and, once, the error that ended the connection. After a `connect` that left the
    /// SYN to the first write: [`Error::InProgress`] where the SYN takes no data along after all.
    pub fn write(&mut self, now: Instant, id: SocketId, bytes: &[u8]) -> Result<usize, Error> {
        self.send(now, id, bytes, SendFlags::NONE)
    }

    /// [`Stack::write`], saying more about the bytes: `send(2)` with flags.
    ///
    /// # Errors
    /// As [`Stack::write`].
    pub fn send(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        flags: SendFlags,
    ) -> Result<usize, Error> {
        let sent = if self.is_deferred(id) {
            self.write_deferred(now, id, bytes)
        } else {
            self.with_stream(now, id, Readiness::WRITABLE, |connection| connection.send(now, bytes, flags))
        };
        self.told(now, id, Call::Send { length: bytes.len() }, sent, |sent| *sent)
    }

    /// Takes received bytes; zero is the end of the stream: the peer's FIN.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when nothing waits; [`Error::NotConnected`]; and, once, the error that ended the
    /// connection.
    pub fn read(&mut self, now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        let room = buffer.len();
        let read = self.with_stream(now, id, Readiness::READABLE, |connection| connection.read(now, buffer));
        self.told(now, id, Call::Receive { room }, read, |read| *read)
    }

    /// [`Stack::read`] for who hands the bytes on to the program, which has not taken `waiting` bytes of them yet. So the
    /// buffer grows as the program reads, and not as it is read ahead of it.
    ///
    /// # Errors
    /// As [`Stack::read`].
    pub fn read_ahead(
        &mut self,
        now: Instant,
        id: SocketId,
        buffer: &mut [u8],
        waiting: usize,
    ) -> Result<usize, Error> {
        let room = buffer.len();
        let read = self.with_stream(now, id, Readiness::READABLE, |connection| {
            connection.keep_ahead(waiting);
            connection.read(now, buffer)
        });
        self.told(now, id, Call::Receive { room }, read, |read| *read)
    }

    /// [`Stack::read`] that leaves the bytes where they are.
    ///
    /// # Errors
    /// As [`Stack::read`].
    pub fn peek(&mut self, now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        self.with_stream(now, id, Readiness::READABLE, |connection| connection.peek(buffer))
    }

    /// Takes the peer's urgent byte: `recv(2)` with `MSG_OOB`. `None` where the stream has ended before it. It never
    /// waits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is none, it was taken, or it is to be read in line;
    /// [`Error::WouldBlock`] when it was announced and has not come; [`Error::NotConnected`].
    pub fn read_urgent(&mut self, now: Instant, id: SocketId, take: Take) -> Result<Option<u8>, Error> {
        let socket = self.held_mut(id)?;
        if !matches!(socket.body, Body::Stream(_)) {
            return Err(Error::NotConnected);
        }
        let result = self.with_connection(now, id, "call", |connection| connection.read_urgent(take));
        result.unwrap_or(Err(Error::NotConnected))
    }

    /// What reading would find now: bytes, and one more for the end of the stream: `TCP_CM_INQ`.
    ///
    /// # Errors
    /// [`Error::BadSocket`]; [`Error::NotConnected`] for a socket without connection.
    pub fn unread_hint(&self, id: SocketId) -> Result<usize, Error> {
        self.held(id)?.connection().map(Connection::unread_hint).ok_or(Error::NotConnected)
    }

    /// Whether the next byte to read is, or stands behind, the one marked as urgent: `SIOCATMARK`.
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn is_at_mark(&self, id: SocketId) -> Result<bool, Error> {
        Ok(self.held(id)?.connection().is_some_and(Connection::is_at_mark))
    }

    /// What is known about a connection: `getsockopt(TCP_INFO)`.
    ///
    /// # Errors
    /// [`Error::BadSocket`]; [`Error::NotConnected`] for a socket without connection.
    pub fn tcp_info(&self, id: SocketId) -> Result<TcpInfo, Error> {
        let socket = self.sockets.get(id).ok_or(Error::BadSocket)?;
        socket.connection().map(Connection::info).ok_or(Error::NotConnected)
    }

    /// Calls a connection in the program's name. An error that waits at the socket itself comes first, once; a call
    /// that would have to wait waits for `wanted`.
    fn with_stream(
        &mut self,
        now: Instant,
        id: SocketId,
        wanted: Readiness,
        call: impl FnOnce(&mut Connection) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        let socket = self.held_mut(id)?;
        match &socket.body {
            Body::Stream(_) => {}
            // As on Linux, who writes hears of a broken pipe, also where there never was one.
            Body::Idle(_) | Body::Listener(_) if wanted == Readiness::WRITABLE => {
                return Err(Error::BrokenPipe);
            }
            Body::Idle(_) | Body::Listener(_) => return Err(Error::NotConnected),
            Body::Datagram(_) => return Err(Error::NotSupported),
        }
        if let Some(error) = socket.error.take() {
            self.report(id);
            return Err(error);
        }
        let result = self.with_connection(now, id, "call", call).unwrap_or(Err(Error::NotConnected));
        if result == Err(Error::WouldBlock) {
            self.would_block(id, wanted);
            if wanted == Readiness::WRITABLE {
                self.await_memory(id);
            }
        }
        result
    }

    /// Does something to a connection and then all that follows from it.
    pub(super) fn with_connection<T>(
        &mut self,
        now: Instant,
        id: SocketId,
        cause: &'static str,
        act: impl FnOnce(&mut Connection) -> T,
    ) -> Option<T> {
        let room = self.memory_room();
        let connection = self.sockets.get_mut(id)?.connection_mut()?;
        let before = connection.state();
        connection.set_memory_room(room);
        let result = act(connection);
        self.follow_up(now, id, before, cause);
        Some(result)
    }

    /// A segment for a connection.
    pub(super) fn on_connection_segment(
        &mut self,
        now: Instant,
        id: SocketId,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let codepoint = self.tcp.codepoint;
        self.with_connection(now, id, "segment", |connection| {
            connection.on_marked_segment(now, segment, payload, codepoint)
        })
        .unwrap_or(Err(DropReason::NoSocket))
    }

    /// After anything that moved a connection: trace, demultiplexer, deadline, queue of senders, events.
    pub(super) fn follow_up(&mut self, now: Instant, id: SocketId, before: State, cause: &'static str) {
        self.account(id);
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        let connection = &stream.connection;
        let (state, ends) = (connection.state(), connection.endpoints());
        // One that waits for its turn is asked when that comes.
        let has_transmit = socket.queued || connection.has_transmit();
        if let Some(deadline) = connection.poll_timeout() {
            self.deadlines.arm(deadline, Owner::Socket(id));
        }
        if has_transmit && !socket.queued {
            socket.queued = true;
            self.ready.push(id, &self.sockets);
        }
        if self.log.is_some() {
            self.record_recovery(now, id);
        }
        if state != before {
            self.note_fast_open(now, id, before);
            self.record_state(now, Some(id), ends, (before, state), cause);
            match state {
                State::TimeWait => self.enter_time_wait(now, id),
                State::Closed => self.leave_demux(id),
                _ => {}
            }
        }
        self.report(id);
        if !has_transmit {
            self.reap(id);
        }
    }

    /// Tells those who watch what a connection does about losses now.
    fn record_recovery(&mut self, now: Instant, id: SocketId) {
        let Some(connection) = self.sockets.get_mut(id).and_then(|socket| socket.connection_mut()) else {
            return;
        };
        let Endpoints { local, remote } = connection.endpoints();
        if let Some(change) = connection.take_recovery_change() {
            self.record(now, || TraceEvent::Recovery { socket: id, local, remote, change });
        }
    }

    /// A closed connection lets its flow and its port go.
    fn leave_demux(&mut self, id: SocketId) {
        self.end_orphan(id);
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let reuse = socket.options.reuse;
        let Body::Stream(stream) = &mut socket.body else { return };
        if stream.in_demux {
            stream.in_demux = false;
            let ends = stream.connection.endpoints();
            self.tcp.demux.remove_flow(&FlowKey::new(ends.local, ends.remote), Flow::Connection(id));
            self.tcp.ports.release(ends.local, reuse);
        }
    }

    /// Removes an orphan that has nothing left to do.
    pub(super) fn reap(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(id) else { return };
        let Body::Stream(stream) = &socket.body else { return };
        let connection = &stream.connection;
        let over = connection.state() == State::Closed || !stream.in_demux;
        if socket.holder == Holder::Nobody && over && !connection.has_transmit() {
            self.remove(id);
        }
    }

    /// Takes a socket out of every table.
    pub(super) fn remove(&mut self, id: SocketId) {
        self.leave_demux(id);
        self.return_memory(id);
        self.unbind(id);
        self.sockets.remove(id);
        self.deadlines.disarm(Owner::Socket(id));
    }

    /// Nothing that comes is for this socket any more, and its port is free.
    pub(super) fn unbind(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(id) else { return };
        let (binding, flow) = (socket.binding, socket.datagram_flow());
        let is_raw =
            matches!(&socket.body, Body::Datagram(datagram) if matches!(datagram.kind, Kind::Raw(_)));
        let (ports, demux) = match &socket.body {
            Body::Datagram(datagram) => {
                let bound = self.bound_mut(datagram.kind);
                (&mut bound.ports, &mut bound.demux)
            }
            _ => (&mut self.tcp.ports, &mut self.tcp.demux),
        };
        demux.remove_catcher(id);
        let Some(binding) = binding else { return };
        let port = binding.address.port();
        ports.unbind(port, id);
        demux.remove_bound(port, id);
        if let Some(flow) = flow {
            demux.remove_flow(&flow, Flow::Connection(id));
        }
        if is_raw {
            self.hear(port);
        }
    }

    /// Compares the socket's readiness with what was last reported, and queues an event where it has grown, or where more
    /// has come to be read (which edge-triggered epoll tells of, read or unread what came before): however often that
    /// happens, one event waits until it is polled, and says what is true then.
    pub(super) fn report(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let readiness = socket.readiness();
        let has_more = match &mut socket.body {
            Body::Stream(stream) => {
                let arrived = stream.connection.arrived().0;
                core::mem::replace(&mut stream.told, arrived) != arrived && readiness.is_readable()
            }
            _ => false,
        };
        let grown = readiness.gains_on(socket.reported) || has_more;
        socket.reported = readiness;
        if grown && !socket.noticed && socket.has_program() {
            socket.noticed = true;
            self.events.push(id, &self.sockets);
        }
    }

    /// A call would have had to wait for `wanted`: when that comes (again), it is news, whatever was reported before.
    pub(super) fn would_block(&mut self, id: SocketId, wanted: Readiness) {
        self.report(id);
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.reported = socket.reported.without(wanted);
        }
    }

    /// What a socket is ready for now. (Of a closed socket too, as long as its connection is not finished.)
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, Error> {
        self.sockets.get(id).map(crate::socket::Socket::readiness).ok_or(Error::BadSocket)
    }

    /// How many connections wait to be accepted from a listener.
    ///
    /// # Errors
    /// [`Error::BadSocket`]; [`Error::InvalidArgument`] for a socket that does not listen.
    pub fn waiting_connections(&self, id: SocketId) -> Result<usize, Error> {
        match &self.held(id)?.body {
            Body::Listener(listener) => Ok(listener.waiting().len()),
            _ => Err(Error::InvalidArgument),
        }
    }
}
