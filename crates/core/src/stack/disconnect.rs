//! The way back to a socket without connection.

use std::sync::Arc;

use super::Stack;
use super::deadlines::Owner;
use crate::error::Error;
use crate::socket::{Body, Holder, Readiness, Socket, SocketId};
use crate::time::Instant;
use crate::transport::tcp::{Settings, State};

impl Stack {
    /// Takes the peer away: `connect(2)` to `AF_UNSPEC`. A connection is reset, an attempt is called off, and a listener
    /// listens no more; the socket may connect or listen again, and keeps its options and the address given by `bind`. As on
    /// Linux, [`Stack::take_error`] then says [`Error::ConnectionReset`] where a connection has ended so, unless a new one is
    /// begun before.
    ///
    /// # Errors
    /// [`Error::BadSocket`].
    pub fn disconnect(&mut self, now: Instant, id: SocketId) -> Result<(), Error> {
        let state = match &self.held(id)?.body {
            Body::Idle(_) => return Ok(()),
            Body::Datagram(_) => return self.set_peer(id, None),
            Body::Listener(_) => {
                self.stop_listening(now, id);
                return Ok(());
            }
            Body::Stream(stream) => stream.connection.state(),
        };
        self.with_connection(now, id, "disconnect", |connection| connection.abort(now));
        self.return_memory(id);
        self.deadlines.disarm(Owner::Socket(id));
        let (initial_window, rto_min) = (self.config.tcp.initial_window, self.config.tcp.rto_min);
        let socket = self.held_mut(id)?;
        let Some(connection) = socket.connection() else { return Ok(()) };
        // What the route of this connection has said is forgotten.
        let settings =
            Settings { advertised_mss: None, initial_window, rto_min, ..connection.settings().clone() };
        let old = core::mem::replace(&mut socket.body, Body::Idle(Arc::new(settings)));
        socket.error = match state {
            State::Closed | State::Closing | State::LastAck | State::TimeWait => None,
            _ => Some(Error::ConnectionReset),
        };
        socket.reported = Readiness::NONE;
        // The RST has not left yet: it does from a socket that nobody holds.
        let mut rest = Socket::new(socket.family, old);
        (rest.options, rest.holder) = (socket.options, Holder::Nobody);
        if let Some(rest) = self.sockets.insert(rest) {
            self.make_ready(rest);
        }
        self.report(id);
        Ok(())
    }
}
