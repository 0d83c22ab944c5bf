//! TCP Fast Open (RFC 7413) at a host: what a listener answers to data in a SYN, and connecting with data.

use core::net::SocketAddr;

use super::Stack;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::socket::listener::UnconfirmedEnd;
use crate::socket::{Body, Socket, SocketId, Stream, StreamMemory};
use crate::time::{Duration, Instant};
use crate::transport::demux::{Flow, FlowKey};
use crate::transport::tcp::{
    Connection, CookieCheck, Endpoints, FastOpen, FastOpenKeys, FastOpenPlan, Handshake, State,
};
use crate::wire::tcp::{FastOpenCookie, Flags, Segment};

/// How a SYN is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// By a connection at once; the SYN-ACK brings the client a new cookie where its own is getting old.
    Child { cookie: Option<FastOpenCookie> },
    /// By an ordinary handshake, with a cookie where the client wants one.
    Handshake { cookie: Option<FastOpenCookie> },
}

impl Stack {
    /// Who may use fast open here.
    pub fn fast_open(&self) -> FastOpen {
        self.config.fast_open
    }

    /// Says who may use fast open here from now on. What listens already keeps its queue.
    pub fn set_fast_open(&mut self, fast_open: FastOpen) {
        self.config.fast_open = fast_open;
    }

    /// What the cookies of listeners without keys of their own are made with; at first of the host's seed.
    pub fn fast_open_keys(&self) -> FastOpenKeys {
        self.tcp.fast_open_keys
    }

    /// Changes the keys: [`FastOpenKeys::rotated`] gives those that still know the cookies of the old ones.
    pub fn set_fast_open_keys(&mut self, keys: FastOpenKeys) {
        self.tcp.fast_open_keys = keys;
    }

    /// For how long clients do without fast open when a path seems to swallow what it sends, from the next time on; with
    /// zero there is no pause, nor does one go on.
    pub fn set_fast_open_pause(&mut self, time: Duration) {
        self.config.fast_open_pause = time;
    }

    /// Forgets the cookies and segment sizes of all servers.
    pub fn forget_fast_open_cookies(&mut self) {
        self.tcp.fast_open_cache.clear();
    }

    /// Connects and sends the beginning of `data` in the SYN: `sendto(2)` with `MSG_FASTOPEN`. Says how much of it; the
    /// rest is to be written when the socket has become writable. Where the connection turns out to be established by
    /// an earlier `connect`, this is the `write` that it would be.
    ///
    /// # Errors
    /// [`Error::InProgress`] where no data could be sent yet, for want of a cookie: it is to be written later, all of it.
    /// [`Error::NotSupported`] where the host's [`FastOpen::client`] is off, and for a datagram socket. Otherwise as
    /// [`Stack::connect`].
    pub fn connect_with_data(
        &mut self,
        now: Instant,
        id: SocketId,
        remote: SocketAddr,
        data: &[u8],
    ) -> Result<usize, Error> {
        let client = self.config.fast_open.client;
        match &mut self.held_mut(id)?.body {
            Body::Datagram(_) => return Err(Error::NotSupported),
            _ if !client => return Err(Error::NotSupported),
            Body::Stream(stream) if stream.connection.is_deferred() => {
                return self.write_deferred(now, id, data);
            }
            Body::Stream(stream)
                if stream.is_connecting && stream.connection.state() > State::SynReceived =>
            {
                // `connect` would tell now that it has succeeded.
                stream.is_connecting = false;
                return self.write(now, id, data);
            }
            _ => {}
        }
        let ends = self.begin_connect(now, id, remote)?;
        let plan = self.plan_fast_open(now, id, &ends);
        let sent = self
            .with_connection(now, id, "connect", |connection| connection.open_with_data(now, &plan, data));
        sent.filter(|sent| *sent > 0).ok_or(Error::InProgress)
    }

    /// Says that a program waits for the handshake in order to write what [`Stack::connect_with_data`] did not take (or the
    /// first write after a `connect` that has waited for it): that data then carries the acknowledgement of the SYN-ACK.
    ///
    /// # Errors
    /// [`Error::BadSocket`]; [`Error::NotConnected`] for a socket without connection.
    pub fn expect_write(&mut self, id: SocketId) -> Result<(), Error> {
        self.held_mut(id)?.connection_mut().ok_or(Error::NotConnected)?.expect_write();
        Ok(())
    }

    /// How a connection is to be opened with data.
    fn plan_fast_open(&self, now: Instant, id: SocketId, ends: &Endpoints) -> FastOpenPlan {
        let plan = self.tcp.fast_open_cache.plan(ends.local.ip(), ends.remote.ip());
        if self.tcp.fast_open_pause.is_on(now, self.config.fast_open_pause) {
            return FastOpenPlan { is_paused: true, ..plan };
        }
        let settings = self.sockets.get(id).and_then(Socket::connection).map(Connection::settings);
        let no_cookie = settings.is_some_and(|settings| settings.fast_open.no_cookie);
        if no_cookie || self.config.fast_open.client_without_cookie {
            return FastOpenPlan { option: None, ..plan };
        }
        plan
    }

    /// The plan of a socket whose `connect` may wait for the first write.
    pub(super) fn plan_deferred(&self, now: Instant, id: SocketId, ends: &Endpoints) -> Option<FastOpenPlan> {
        let connection = self.sockets.get(id)?.connection()?;
        connection.settings().fast_open.connect.then(|| self.plan_fast_open(now, id, ends))
    }

    /// Whether `connect` has left the SYN to the first write (`TCP_FASTOPEN_CONNECT`), and none has come yet.
    pub fn is_deferred(&self, id: SocketId) -> bool {
        self.sockets.get(id).and_then(Socket::connection).is_some_and(Connection::is_deferred)
    }

    /// The first write after a `connect` that has waited for it.
    pub(super) fn write_deferred(&mut self, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Error> {
        if !self.config.fast_open.client {
            return Err(Error::NotSupported);
        }
        let connection = self.held(id)?.connection().ok_or(Error::NotConnected)?;
        let plan = self.plan_fast_open(now, id, &connection.endpoints());
        let sent =
            self.with_connection(now, id, "write", |connection| connection.open_with_data(now, &plan, data));
        sent.filter(|sent| *sent > 0).ok_or(Error::InProgress)
    }

    /// What a SYN for a listener gets (RFC 7413 section 4.2.2).
    pub(super) fn fast_open_answer(
        &mut self,
        now: Instant,
        listener: SocketId,
        ends: Endpoints,
        (syn, payload): (&Segment, &[u8]),
    ) -> Answer {
        let (mode, offered) = (self.config.fast_open, syn.options.fast_open);
        let plain = Answer::Handshake { cookie: None };
        let is_wanted = mode.server && (!payload.is_empty() || offered.is_some());
        if !is_wanted || syn.flags.contains(Flags::FIN) {
            return plain;
        }
        let has_socket = self.sockets.len() < self.config.socket_limit;
        let Some(Body::Listener(entry)) = self.sockets.get_mut(listener).map(|socket| &mut socket.body)
        else {
            return plain;
        };
        if !entry.has_fast_open_room(now) {
            return plain;
        }
        let wanted = entry.settings.fast_open;
        if mode.server_without_cookie || wanted.no_cookie {
            return if has_socket { Answer::Child { cookie: None } } else { plain };
        }
        let Some(offered) = offered else { return plain };
        let (client, server) = (ends.remote.ip(), ends.local.ip());
        let keys = wanted.keys.unwrap_or(self.tcp.fast_open_keys);
        let fresh = Some(keys.cookie(client, server).in_form(offered.form()));
        match keys.check(&offered, client, server) {
            CookieCheck::Primary if has_socket => Answer::Child { cookie: None },
            CookieCheck::Backup if has_socket => Answer::Child { cookie: fresh },
            _ => Answer::Handshake { cookie: fresh },
        }
    }

    /// A SYN becomes a connection in the accept queue at once.
    pub(super) fn promote_fast(
        &mut self,
        now: Instant,
        listener: SocketId,
        handshake: &Handshake,
        (syn, payload): (&Segment, &[u8]),
        cookie: Option<FastOpenCookie>,
    ) -> Result<(), DropReason> {
        let ends = handshake.endpoints();
        let path_mss = self.path_mss(&ends);
        let parent = self.sockets.get(listener).ok_or(DropReason::NoSocket)?;
        let Body::Listener(queue) = &parent.body else { return Err(DropReason::NoSocket) };
        let settings = super::route::settings_on(&self.attributes(&ends), &queue.settings);
        let connection = Connection::accept_fast(now, handshake, (syn, payload), settings, cookie);
        let stream = Stream {
            connection,
            waits_at: Some(listener),
            counted_at: Some(listener),
            is_connecting: false,
            in_demux: true,
            memory: StreamMemory::default(),
            told: 0,
            path_mss,
        };
        let mut socket = Socket::new(parent.family, Body::Stream(Box::new(stream)));
        socket.options = parent.options;
        let reuse = socket.options.reuse;
        let id = self.sockets.insert(socket).ok_or(DropReason::QueueFull)?;
        self.tcp.demux.insert_flow(FlowKey::new(ends.local, ends.remote), Flow::Connection(id));
        self.tcp.ports.hold(ends.local, reuse);
        if let Some(Body::Listener(queue)) = self.sockets.get_mut(listener).map(|socket| &mut socket.body) {
            queue.on_unconfirmed();
            queue.push(id);
        }
        self.follow_up(now, id, State::Listen, "fast open");
        self.report(listener);
        Ok(())
    }

    /// A timer of a connection has expired: is its path suspect?
    pub(super) fn note_suspicion(&mut self, now: Instant, id: SocketId) {
        let connection = self.sockets.get_mut(id).and_then(Socket::connection_mut);
        if connection.is_some_and(Connection::take_suspicion) {
            self.tcp.fast_open_pause.begin(now, self.config.fast_open_pause);
        }
    }

    /// A connection has left the state it was in: a client may have learned of its server, and a listener's connection
    /// counts no longer as unconfirmed.
    pub(super) fn note_fast_open(&mut self, now: Instant, id: SocketId, before: State) {
        let Some(Body::Stream(stream)) = self.sockets.get_mut(id).map(|socket| &mut socket.body) else {
            return;
        };
        let ends = stream.connection.endpoints();
        if stream.connection.has_fast_open_worked()
            && !self.tcp.fast_open_pause.is_on(now, self.config.fast_open_pause)
        {
            self.tcp.fast_open_pause.forgive();
        }
        if before == State::SynSent
            && let Some(lesson) = stream.connection.take_fast_open_lesson()
        {
            self.tcp.fast_open_cache.learn(ends.local.ip(), ends.remote.ip(), &lesson);
            return;
        }
        if before != State::SynReceived {
            return;
        }
        let Some(listener) = stream.counted_at.take() else { return };
        let end = match stream.waits_at.is_none() && stream.connection.was_reset() {
            true => UnconfirmedEnd::Reset,
            false => UnconfirmedEnd::Plain,
        };
        if let Some(Body::Listener(queue)) = self.sockets.get_mut(listener).map(|socket| &mut socket.body) {
            queue.on_unconfirmed_end(now, end);
        }
    }
}
