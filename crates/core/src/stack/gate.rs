//! The gate: a listener for every address that is none of the host's, at every port. A SYN is held as a half-open record,
//! without an answer, until the program has said what shall become of it.

use std::sync::Arc;

use core::net::SocketAddr;

use super::Stack;
use super::deadlines::Owner;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::network::Unreachable;
use crate::socket::{Body, Listener, Readiness, SocketId};
use crate::table::Handle;
use crate::time::{Duration, Instant};
use crate::transport::demux::{CatchAll, Scope};
use crate::transport::tcp::{Handshake, State, reset_for};

/// The name of a SYN at a gate: stale for good once its connection is made, refused or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SynId(Handle);

/// A SYN that waits at a gate for its program's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSyn {
    /// Its name.
    pub id: SynId,
    /// Who wants to connect.
    pub source: SocketAddr,
    /// To whom: `accept` gives a socket with this local address.
    pub destination: SocketAddr,
}

/// How a SYN is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By a RST: the peer's `connect` ends with `ECONNREFUSED`.
    Reset,
    /// By an ICMP error: it ends with `EHOSTUNREACH`, `ENETUNREACH` and the like.
    Unreachable(Unreachable),
    /// Not at all: the peer tries again, and comes to the gate again.
    Silence,
}

impl Stack {
    /// Makes a stream socket that is not bound a gate: it takes every SYN to an address that is none of the host's (with
    /// [`CatchAll::Unclaimed`]: also to own ports on which nobody listens) in its family, or in both
    /// ([`crate::socket::SocketOption::OnlyV6`]). [`Stack::next_syn`] tells of them, [`Stack::admit`] and [`Stack::refuse`]
    /// decide. A SYN that comes again meanwhile is absorbed; one that nothing is said about is forgotten after
    /// [`super::Config::hold_time`]; more than [`super::Config::half_open_limit`] are not taken. Connections admitted
    /// end in the accept queue, which is bounded by `backlog`. Data in a SYN is not taken: the peer sends it again.
    ///
    /// ```
    /// use sockeye_core::network::ForeignAddresses;
    /// use sockeye_core::socket::{CatchAll, Family, Kind};
    /// use sockeye_core::stack::{Config, Stack};
    /// use sockeye_core::time::Instant;
    ///
    /// let mut host = Stack::new(Config { foreign: ForeignAddresses::Take, ..Config::default() });
    /// let gate = host.open(Family::V6, Kind::Stream).unwrap();
    /// host.open_gate(Instant::ZERO, gate, 128, CatchAll::Foreign).unwrap();
    /// // Nobody has knocked yet.
    /// assert!(host.next_syn(Instant::ZERO, gate).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] where [`super::Config::foreign`] is off; [`Error::AddressInUse`] when there is a gate
    /// already; [`Error::InvalidArgument`] for a socket that is bound, connected or listening; [`Error::NotSupported`]
    /// for a datagram socket.
    pub fn open_gate(
        &mut self,
        _now: Instant,
        id: SocketId,
        backlog: usize,
        what: CatchAll,
    ) -> Result<(), Error> {
        let socket = self.held(id)?;
        let settings = match &socket.body {
            Body::Idle(settings) if socket.binding.is_none() => Arc::clone(settings),
            Body::Datagram(_) => return Err(Error::NotSupported),
            _ => return Err(Error::InvalidArgument),
        };
        if !self.network.takes_foreign() {
            return Err(Error::AddressNotAvailable);
        }
        let scope = Scope::new(socket.family.unspecified(), socket.dual());
        self.tcp.demux.insert_catcher(scope, what, id)?;
        let listener = Listener::new(settings, backlog, self.config.half_open_limit).as_gate();
        self.held_mut(id)?.body = Body::Listener(listener);
        self.report(id);
        Ok(())
    }

    /// The SYN that waits longest at a gate, told of once. The gate is readable while there is one, or a connection to
    /// accept.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when none waits; [`Error::InvalidArgument`] for a socket that is no gate.
    pub fn next_syn(&mut self, _now: Instant, gate: SocketId) -> Result<HeldSyn, Error> {
        self.check_gate(gate)?;
        let Some(handle) = self.listener_mut(gate).and_then(Listener::pop_held) else {
            self.would_block(gate, Readiness::READABLE);
            return Err(Error::WouldBlock);
        };
        self.report(gate);
        let socket = self.held(gate)?;
        let entry = self.tcp.handshakes.get(handle).ok_or(Error::WouldBlock)?;
        let ends = entry.handshake.endpoints();
        let (source, destination) = (socket.outward(ends.remote), socket.outward(ends.local));
        Ok(HeldSyn { id: SynId(handle), source, destination })
    }

    /// Answers a held SYN: the handshake goes on as at any listener, and ends in the accept queue.
    ///
    /// # Errors
    /// [`Error::ConnectionAborted`] when the SYN is not held any more: its sender has taken it back, or it was given up or
    /// decided on before. [`Error::InvalidArgument`] for a socket that is no gate.
    pub fn admit(&mut self, now: Instant, gate: SocketId, syn: SynId) -> Result<(), Error> {
        self.check_held(gate, syn)?;
        let entry = self.tcp.handshakes.get_mut(syn.0).ok_or(Error::ConnectionAborted)?;
        let (ends, before) = (entry.handshake.endpoints(), entry.handshake.state());
        let answer = entry.handshake.admit(now);
        let (after, deadline) = (entry.handshake.state(), entry.handshake.poll_timeout());
        self.deadlines.arm(deadline, Owner::Handshake(syn.0));
        self.record_state(now, None, ends, (before, after), "admit");
        if let Err(reason) = self.reply(ends, answer, self.options_of(gate)) {
            self.dropped(now, None, reason, &[]); // the timer sends it again
        }
        Ok(())
    }

    /// Turns a held SYN away. An answer over the rate limit of ICMP, or for which there is no room, is left out: the peer
    /// tries again.
    ///
    /// # Errors
    /// As [`Stack::admit`].
    pub fn refuse(
        &mut self,
        now: Instant,
        gate: SocketId,
        syn: SynId,
        refusal: Refusal,
    ) -> Result<(), Error> {
        self.check_held(gate, syn)?;
        let entry = self.end_handshake(syn.0).ok_or(Error::ConnectionAborted)?;
        let (ends, before) = (entry.handshake.endpoints(), entry.handshake.state());
        self.record_state(now, None, ends, (before, State::Closed), "refuse");
        let segment = entry.handshake.syn();
        let outcome = match refusal {
            Refusal::Silence => Ok(()),
            Refusal::Unreachable(reason) => self.report_segment(now, &ends, &segment, reason),
            Refusal::Reset => match reset_for(&segment) {
                Some(reset) => self.reply(ends, reset, self.options_of(gate)),
                None => Ok(()),
            },
        };
        if let Err(reason) = outcome {
            self.dropped(now, None, reason, &[]);
        }
        Ok(())
    }

    /// For how long a gate holds a SYN: [`super::Config::hold_time`].
    pub fn hold_time(&self) -> Duration {
        self.config.hold_time
    }

    /// Whether a SYN still waits, or its handshake still goes on. `false` once it is accepted, refused or given up.
    pub fn is_pending(&self, gate: SocketId, syn: SynId) -> bool {
        self.tcp.handshakes.get(syn.0).is_some_and(|entry| entry.listener == gate)
    }

    /// Holds a SYN, instead of answering it.
    pub(super) fn hold_syn(
        &mut self,
        now: Instant,
        gate: SocketId,
        handshake: Handshake,
    ) -> Result<(), DropReason> {
        if !self.listener(gate).is_some_and(Listener::has_half_open_room) {
            return Err(DropReason::HalfOpenQueueFull);
        }
        let handle = self.begin_handshake(handshake.held(now + self.config.hold_time), gate)?;
        if let Some(listener) = self.listener_mut(gate) {
            listener.push_held(handle);
        }
        self.report(gate);
        Ok(())
    }

    fn check_gate(&self, gate: SocketId) -> Result<(), Error> {
        match &self.held(gate)?.body {
            Body::Listener(listener) if listener.is_gate() => Ok(()),
            _ => Err(Error::InvalidArgument),
        }
    }

    fn check_held(&self, gate: SocketId, syn: SynId) -> Result<(), Error> {
        self.check_gate(gate)?;
        let entry = self.tcp.handshakes.get(syn.0).ok_or(Error::ConnectionAborted)?;
        let is_held = entry.listener == gate && entry.handshake.is_held();
        if is_held { Ok(()) } else { Err(Error::ConnectionAborted) }
    }
}
