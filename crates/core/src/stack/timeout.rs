//! Deadlines come up here and are handed to whoever asked for them.

use super::Stack;
use super::deadlines::Owner;
use crate::link::LinkEvent;
use crate::network::InterfaceId;
use crate::table::Handle;
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::transport::tcp::{HandshakeTimeout, RetransmitCause, State};

impl Stack {
    /// Lets everything happen that is due at `now`. Calling it too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.interfaces.len() {
            if let Some(link) = self.link_mut(InterfaceId(index as u8)) {
                link.handle_timeout(now);
                self.take_link_events(now, InterfaceId(index as u8));
            }
        }
        self.network.handle_timeout(now);
        // Everybody once: whoever is due again at once waits for the next call.
        for _ in 0..self.deadlines.len() {
            let Some(owner) = self.deadlines.pop_due(now) else { return };
            match owner {
                Owner::Socket(id) => self.on_socket_deadline(now, id),
                Owner::Handshake(handle) => self.on_handshake_deadline(now, handle),
                Owner::TimeWait(handle) => self.on_time_wait_deadline(now, handle),
            }
        }
    }

    fn on_socket_deadline(&mut self, now: Instant, id: crate::socket::SocketId) {
        if self.is_orphan_too_dear(id) {
            self.with_connection(now, id, "memory", |connection| connection.abort(now));
            return;
        }
        let Some(connection) = self.sockets.get_mut(id).and_then(|socket| socket.connection_mut()) else {
            return;
        };
        let before = connection.state();
        if connection.poll_timeout().is_some_and(|due| due <= now) {
            let fired = connection.on_timeout(now);
            for timer in fired.names() {
                self.record(now, || TraceEvent::Timer { socket: Some(id), timer });
            }
        }
        self.note_suspicion(now, id);
        self.follow_up(now, id, before, "timer");
    }

    fn on_handshake_deadline(&mut self, now: Instant, handle: Handle) {
        let Some(entry) = self.tcp.handshakes.get_mut(handle) else { return };
        let due = entry.handshake.poll_timeout();
        if due > now {
            self.deadlines.arm(due, Owner::Handshake(handle));
            return;
        }
        let (ends, listener, before) = (entry.handshake.endpoints(), entry.listener, entry.handshake.state());
        let outcome = entry.handshake.on_timeout(now);
        let next = entry.handshake.poll_timeout();
        let timer = if before == State::Listen { "hold" } else { "retransmit" };
        self.record(now, || TraceEvent::Timer { socket: None, timer });
        match outcome {
            HandshakeTimeout::Resend(segment) => {
                self.deadlines.arm(next, Owner::Handshake(handle));
                self.record(now, || TraceEvent::Retransmission {
                    socket: None,
                    local: ends.local,
                    remote: ends.remote,
                    seq: segment.seq,
                    length: 0,
                    cause: RetransmitCause::Timeout,
                });
                let options = self.options_of(listener);
                if let Err(reason) = self.reply(ends, segment, options) {
                    self.dropped(now, None, reason, &[]);
                }
            }
            HandshakeTimeout::Wait => self.deadlines.arm(next, Owner::Handshake(handle)),
            HandshakeTimeout::GiveUp => {
                self.end_handshake(handle);
                self.record_state(now, None, ends, (before, State::Closed), "timer");
            }
        }
    }

    fn on_time_wait_deadline(&mut self, now: Instant, handle: Handle) {
        let Some(entry) = self.tcp.time_waits.get(handle) else { return };
        let expires = entry.record.expires();
        if expires > now {
            self.deadlines.arm(expires, Owner::TimeWait(handle)); // a FIN seen again has restarted it
        } else {
            self.record(now, || TraceEvent::Timer { socket: None, timer: "time-wait" });
            self.end_time_wait(now, handle, "timer");
        }
    }

    /// What a link has found out by itself: a neighbour that does not answer, an address that is taken.
    pub(super) fn take_link_events(&mut self, now: Instant, interface: InterfaceId) {
        while let Some(event) = self.link_mut(interface).and_then(crate::link::Link::poll_event) {
            match event {
                LinkEvent::Unreachable { packet, .. } => {
                    self.on_neighbor_unreachable(now, interface, &packet)
                }
                LinkEvent::Conflict { address, .. } => {
                    self.network.remove_address(interface, address);
                }
                LinkEvent::Dropped { reason, packet } => self.dropped(now, Some(interface), reason, &packet),
                LinkEvent::Ready { .. } => {}
            }
        }
    }
}
