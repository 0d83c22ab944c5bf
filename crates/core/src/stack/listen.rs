//! Passive opens: a SYN for a listener, the half-open record, the cookie where records run out, the accept queue.

use std::sync::Arc;

use super::deadlines::Owner;
use super::fast_open::Answer;
use super::route::settings_on;
use super::{HalfOpen, Reply, Stack};
use crate::drop_reason::DropReason;
use crate::network::{Hardness, IcmpError};
use crate::socket::{Body, Holder, IpOptions, Listener, Readiness, Socket, SocketId, Stream, StreamMemory};
use crate::table::Handle;
use crate::time::Instant;
use crate::transport::demux::{Flow, FlowKey, Whose};
use crate::transport::tcp::{
    Connection, Endpoints, Handshake, HandshakeStep, Opening, Settings, State, cookie, reset_for,
};
use crate::wire::tcp::{Flags, Segment, SeqNumber};

impl Stack {
    /// A segment that belongs to no flow: for a listener, or for nobody (RFC 9293, 3.10.7.1 and 3.10.7.2).
    pub(super) fn on_stray_segment(
        &mut self,
        now: Instant,
        ends: Endpoints,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        if segment.flags.contains(Flags::RST) {
            return Err(DropReason::NoSocket);
        }
        let listener = self.listener_at(&ends);
        if listener.is_none() && !self.network.is_local(ends.local.ip()) {
            // Nobody here speaks for that address: it shall look as if nobody were there.
            return Err(DropReason::NotOurAddress);
        }
        if let Some(listener) = listener {
            if segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK) {
                return self.on_syn(now, listener, ends, (segment, payload), None);
            }
            if !segment.flags.contains(Flags::ACK) {
                return Err(DropReason::UnexpectedSegment);
            }
            if !segment.flags.contains(Flags::SYN)
                && self.listener(listener).is_some_and(|listener| listener.awaits_cookies(now))
                && let Some(answer) = cookie::decode(now, &ends, segment, &self.tcp.cookie_secret)
            {
                let settings = self.listener_settings(listener).unwrap_or_default();
                let handshake = Handshake::from_cookie(now, ends, segment, answer, &settings);
                let parent = self.listener(listener).is_some_and(Listener::has_room);
                if parent {
                    // No record was kept of the SYN: this is how it would have begun.
                    self.record_state(now, None, ends, (State::Listen, State::SynReceived), "cookie");
                }
                return self.promote(now, listener, ends, &handshake, segment, payload);
            }
        }
        if let Some(reset) = reset_for(segment) {
            self.reply(ends, reset, IpOptions::default())?;
        }
        Err(DropReason::NoSocket)
    }

    /// The listener for a connection between `ends`; where there is none, and for an address that is none of ours, the gate.
    pub(super) fn listener_at(&self, ends: &Endpoints) -> Option<SocketId> {
        let Endpoints { local, remote } = *ends;
        let whose = self.whose(local.ip());
        let bound =
            (whose == Whose::Own).then(|| self.tcp.demux.best_bound(local, remote, |_| true)).flatten();
        bound.or_else(|| self.tcp.demux.catcher(local.ip(), whose))
    }

    fn listener_settings(&self, listener: SocketId) -> Option<Arc<Settings>> {
        Some(Arc::clone(&self.listener(listener)?.settings))
    }

    pub(super) fn listener(&self, id: SocketId) -> Option<&Listener> {
        match &self.sockets.get(id)?.body {
            Body::Listener(listener) => Some(listener),
            _ => None,
        }
    }

    pub(super) fn listener_mut(&mut self, id: SocketId) -> Option<&mut Listener> {
        match &mut self.sockets.get_mut(id)?.body {
            Body::Listener(listener) => Some(listener),
            _ => None,
        }
    }

    /// What packets in a listener's name carry.
    pub(super) fn options_of(&self, listener: SocketId) -> IpOptions {
        self.sockets.get(listener).map_or_else(IpOptions::default, |socket| socket.options)
    }

    /// Queues a segment that no connection sends.
    pub(super) fn reply(
        &mut self,
        ends: Endpoints,
        segment: Segment,
        options: IpOptions,
    ) -> Result<(), DropReason> {
        if self.tcp.outbox.len() >= Stack::OUTBOX_LIMIT {
            return Err(DropReason::QueueFull);
        }
        self.tcp.outbox.push_back(Reply { local: ends.local, remote: ends.remote, segment, options });
        Ok(())
    }

    /// A SYN for a listener: a half-open record, or a cookie. `iss_at_least` comes from a TIME-WAIT that it ends.
    pub(super) fn on_syn(
        &mut self,
        now: Instant,
        listener: SocketId,
        ends: Endpoints,
        (segment, payload): (&Segment, &[u8]),
        iss_at_least: Option<SeqNumber>,
    ) -> Result<(), DropReason> {
        if segment.flags.contains(Flags::FIN) {
            // Nobody decent opens and closes at once. As on Linux, there is no answer; nor in TIME-WAIT.
            return Err(DropReason::UnexpectedSegment);
        }
        let mut opening = self.opening(now, &ends);
        if let Some(least) = iss_at_least
            && opening.iss.is_before(least)
        {
            opening.iss = least;
        }
        let entry = self.listener(listener).ok_or(DropReason::NoSocket)?;
        if !entry.has_room() {
            // Nobody accepts: the peer may try again (Linux does the same).
            return Err(DropReason::AcceptQueueFull);
        }
        let (has_room, is_gate) = (entry.has_half_open_room(), entry.is_gate());
        let settings = settings_on(&self.attributes(&ends), &entry.settings);
        let handshake = Handshake::on_syn(now, ends, segment, opening, &settings).met(self.tcp.codepoint);
        if is_gate {
            return self.hold_syn(now, listener, handshake);
        }
        if !has_room {
            let iss = cookie::encode(now, &ends, segment, &self.tcp.cookie_secret);
            let answer = handshake.cookie_syn_ack(now, iss, segment);
            if let Some(listener) = self.listener_mut(listener) {
                listener.on_cookie(now);
            }
            return self.reply(ends, answer, self.options_of(listener));
        }
        let cookie = match self.fast_open_answer(now, listener, ends, (segment, payload)) {
            Answer::Child { cookie } => {
                return self.promote_fast(now, listener, &handshake, (segment, payload), cookie);
            }
            Answer::Handshake { cookie } => cookie,
        };
        let mut answer = handshake.syn_ack(now);
        answer.options.fast_open = cookie;
        self.begin_handshake(handshake, listener)?;
        self.record_state(now, None, ends, (State::Listen, State::SynReceived), "segment");
        self.reply(ends, answer, self.options_of(listener))
    }

    /// Keeps a half-open connection.
    pub(super) fn begin_handshake(
        &mut self,
        handshake: Handshake,
        listener: SocketId,
    ) -> Result<Handle, DropReason> {
        let (ends, deadline) = (handshake.endpoints(), handshake.poll_timeout());
        let handle =
            self.tcp.handshakes.insert(HalfOpen { handshake, listener }).ok_or(DropReason::QueueFull)?;
        self.tcp.demux.insert_flow(FlowKey::new(ends.local, ends.remote), Flow::Handshake(handle));
        self.deadlines.arm(deadline, Owner::Handshake(handle));
        if let Some(listener) = self.listener_mut(listener) {
            listener.on_half_open();
        }
        Ok(handle)
    }

    /// What a connection between `ends` starts with.
    pub(super) fn opening(&self, now: Instant, ends: &Endpoints) -> Opening {
        Opening {
            iss: self.tcp.isn.next(now, ends),
            timestamp_offset: self.tcp.isn.timestamp_offset(ends),
            path_mss: self.path_mss(ends),
        }
    }

    /// A segment for a half-open connection.
    pub(super) fn on_handshake_segment(
        &mut self,
        now: Instant,
        handle: Handle,
        ends: Endpoints,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let entry = self.tcp.handshakes.get_mut(handle).ok_or(DropReason::NoSocket)?;
        let (listener, before) = (entry.listener, entry.handshake.state());
        match entry.handshake.on_segment(now, segment) {
            HandshakeStep::Complete => {
                if !self.listener(listener).is_some_and(Listener::has_room) {
                    // The record stays; the SYN-ACK sent again asks the peer to complete once more.
                    return Err(DropReason::AcceptQueueFull);
                }
                let entry = self.end_handshake(handle).ok_or(DropReason::NoSocket)?;
                self.promote(now, listener, ends, &entry.handshake, segment, payload)
            }
            HandshakeStep::Reply(answer) => self.reply(ends, answer, self.options_of(listener)),
            HandshakeStep::Reset(answer) => {
                self.reply(ends, answer, self.options_of(listener))?;
                Err(DropReason::UnacceptableAck)
            }
            HandshakeStep::Silent => Ok(()),
            HandshakeStep::Closed => {
                self.end_handshake(handle);
                self.record_state(now, None, ends, (before, State::Closed), "segment");
                Ok(())
            }
            HandshakeStep::Drop(reason) => Err(reason),
        }
    }

    /// Forgets a half-open connection.
    pub(super) fn end_handshake(&mut self, handle: Handle) -> Option<HalfOpen> {
        let entry = self.tcp.handshakes.remove(handle)?;
        self.deadlines.disarm(Owner::Handshake(handle));
        let ends = entry.handshake.endpoints();
        self.tcp.demux.remove_flow(&FlowKey::new(ends.local, ends.remote), Flow::Handshake(handle));
        if let Some(listener) = self.listener_mut(entry.listener) {
            listener.on_half_open_end();
            if entry.handshake.is_held() {
                listener.forget_held(handle);
            }
        }
        Some(entry)
    }

    /// An ICMP error quotes the SYN-ACK of a half-open connection: the record is forgotten, as on Linux. There is no way to
    /// tell a program of a connection that it has never seen. Which errors count is Linux's choice too: over IPv4 those
    /// that say that nobody can be reached there now, over IPv6 those that say it for good.
    pub(super) fn on_half_open_error(
        &mut self,
        now: Instant,
        handle: Handle,
        (error, seq): (&IcmpError, SeqNumber),
    ) -> Result<(), DropReason> {
        let entry = self.tcp.handshakes.get(handle).ok_or(DropReason::NoSocket)?;
        let ends = entry.handshake.endpoints();
        let counts = if ends.remote.is_ipv4() { Hardness::Soft } else { Hardness::Hard };
        let own = error.reporter == ends.local.ip();
        if own || !entry.handshake.has_sent(seq) || error.mtu.is_some() || error.hardness != counts {
            return Err(DropReason::IgnoredIcmp);
        }
        self.end_handshake(handle);
        self.record_state(now, None, ends, (State::SynReceived, State::Closed), "icmp");
        Ok(())
    }

    /// A completed handshake becomes a connection in the accept queue.
    fn promote(
        &mut self,
        now: Instant,
        listener: SocketId,
        ends: Endpoints,
        handshake: &Handshake,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        if !self.listener(listener).is_some_and(Listener::has_room) {
            return Err(DropReason::AcceptQueueFull);
        }
        if self.sockets.len() >= self.config.socket_limit {
            return Err(DropReason::QueueFull);
        }
        let parent = self.sockets.get(listener).ok_or(DropReason::NoSocket)?;
        let Body::Listener(queue) = &parent.body else { return Err(DropReason::NoSocket) };
        let settings = settings_on(&self.attributes(&ends), &queue.settings);
        let connection = Connection::accepted(now, handshake, segment, settings);
        let path_mss = self.path_mss(&ends);
        let stream = Stream {
            connection,
            waits_at: Some(listener),
            counted_at: None,
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
        if self.whose(ends.local.ip()) == Whose::Own {
            // At a foreign address there is no port that anybody here could want.
            self.tcp.ports.hold(ends.local, reuse);
        }
        self.record_state(now, Some(id), ends, (State::SynReceived, State::Established), "segment");
        if let Some(queue) = self.listener_mut(listener) {
            queue.push(id);
        }
        let outcome = self.on_connection_segment(now, id, segment, payload);
        self.report(listener);
        outcome
    }

    /// A listener becomes a bound socket again.
    pub(super) fn stop_listening(&mut self, now: Instant, id: SocketId) {
        self.end_listener(now, id);
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Listener(listener) = &mut socket.body else { return };
        let settings = Arc::clone(&listener.settings);
        socket.body = Body::Idle(settings);
        // Whoever waits in `accept` shall look again, although he is told an error.
        socket.reported = Readiness::NONE;
        if let Some(binding) = socket.binding {
            self.tcp.ports.unlisten(binding.address.port(), id);
            self.tcp.demux.remove_bound(binding.address.port(), id);
        }
        self.tcp.demux.remove_catcher(id);
        self.report(id);
    }

    /// Ends a listener: half-open connections are forgotten, those that wait to be accepted are reset. The half-open
    /// ones are found by looking through those of all listeners: closing a listener with any is rare, and an index
    /// would cost every SYN more than this ever saves.
    pub(super) fn end_listener(&mut self, now: Instant, id: SocketId) {
        let half_open: Vec<Handle> = match self.listener(id) {
            Some(listener) if listener.half_open() > 0 => {
                let own = |(_, entry): &(Handle, &HalfOpen)| entry.listener == id;
                self.tcp.handshakes.iter().filter(own).map(|(handle, _)| handle).collect()
            }
            _ => Vec::new(),
        };
        for handle in half_open {
            if let Some(entry) = self.end_handshake(handle) {
                let moved = (entry.handshake.state(), State::Closed);
                self.record_state(now, None, entry.handshake.endpoints(), moved, "close of the listener");
            }
        }
        while let Some(waiting) = self.listener_mut(id).and_then(Listener::pop) {
            if let Some(socket) = self.sockets.get_mut(waiting) {
                socket.holder = Holder::Nobody;
                if let Body::Stream(stream) = &mut socket.body {
                    stream.waits_at = None;
                }
            }
            self.with_connection(now, waiting, "close of the listener", |connection| connection.abort(now));
        }
    }
}
