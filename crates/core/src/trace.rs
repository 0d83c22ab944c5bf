//! What happened and why, as typed events. Off by default, and then it costs one comparison.

use core::net::SocketAddr;
use std::collections::VecDeque;

use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::network::InterfaceId;
use crate::table::Handle;
use crate::time::Instant;
use crate::transport::tcp::{RecoveryChange, RetransmitCause, State};
use crate::wire::tcp::SeqNumber;

/// One event of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub event: TraceEvent,
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Out of this host.
    Sent,
    /// Into this host.
    Received,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A frame crossed an interface.
    Frame {
        /// Which one; the loopback interface shows packets without Ethernet header.
        interface: InterfaceId,
        /// Which way.
        direction: Direction,
        /// The whole frame. Where the device completes checksums, they are not complete here yet.
        frame: Box<[u8]>,
        /// Bytes of payload in each segment the frame stands for, where it stands for several.
        segment_size: Option<u16>,
        /// The socket that sent it, where it is one.
        socket: Option<Handle>,
    },
    /// A connection moved from one state to another.
    State {
        /// Its socket; none for a half-open connection and a TIME-WAIT record.
        socket: Option<Handle>,
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// The state it left.
        from: State,
        /// The state it is in now.
        to: State,
        /// What moved it: `segment`, `call`, `timer`, …
        cause: &'static str,
    },
    /// A segment was sent again.
    Retransmission {
        /// The socket; none for a half-open connection.
        socket: Option<Handle>,
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// The first sequence number sent again.
        seq: SeqNumber,
        /// Bytes of payload sent again.
        length: u32,
        /// Why.
        cause: RetransmitCause,
    },
    /// A connection does something else about losses than before, undid a reduction of its congestion window, or has
    /// another reason for the window it has.
    Recovery {
        /// Its socket.
        socket: Handle,
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
        /// What has changed.
        change: RecoveryChange,
    },
    /// A program's call was answered. One that would have to wait is told when it waits no more; a connection attempt at once,
    /// with [`Error::InProgress`], and what becomes of it is seen in the states.
    Call {
        /// The socket.
        socket: Handle,
        /// Its own address: of `accept`, the accepted connection's.
        local: Option<SocketAddr>,
        /// The other end: the peer, or the one a datagram goes to or comes from.
        remote: Option<SocketAddr>,
        /// Which call, with what was asked.
        call: Call,
        /// What it gave: bytes, where they are what it gives.
        outcome: Result<usize, Error>,
    },
    /// A timer fired.
    Timer {
        /// The socket; none for a half-open connection and a TIME-WAIT record.
        socket: Option<Handle>,
        /// Which timer: `retransmit`, `delayed-ack`, `keepalive`, `time-wait`, …
        timer: &'static str,
    },
    /// Bytes were refused.
    Drop {
        /// The interface they came by or would have left by, where known.
        interface: Option<InterfaceId>,
        /// Why.
        reason: DropReason,
        /// The beginning of what was refused, at most 128 bytes.
        excerpt: Box<[u8]>,
    },
    /// Nobody took the events in time: this many of the oldest were forgotten.
    Overrun {
        /// How many.
        lost: u64,
    },
}

/// A call of a program, by the name of the system call that it mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// `bind(2)`
    Bind,
    /// `listen(2)`
    Listen {
        /// How many connections may wait to be accepted, as it was asked for.
        backlog: usize,
    },
    /// `connect(2)`
    Connect,
    /// `accept(2)`
    Accept,
    /// `send(2)` and `sendto(2)`
    Send {
        /// Bytes that were to be sent.
        length: usize,
    },
    /// `recv(2)` and `recvfrom(2)`
    Receive {
        /// Bytes there was room for.
        room: usize,
    },
    /// `shutdown(2)`
    Shutdown {
        /// Whether of reading.
        read: bool,
        /// Whether of writing.
        write: bool,
    },
    /// `close(2)`
    Close,
}

impl Call {
    /// The system call's name.
    pub const fn name(self) -> &'static str {
        match self {
            Call::Bind => "bind",
            Call::Listen { .. } => "listen",
            Call::Connect => "connect",
            Call::Accept => "accept",
            Call::Send { .. } => "send",
            Call::Receive { .. } => "recv",
            Call::Shutdown { .. } => "shutdown",
            Call::Close => "close",
        }
    }
}

/// Whether events are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// They are not, at no cost.
    Off,
    /// They wait for `Stack::poll_trace`; at most [`Log::LIMIT`] of them, and [`Log::BYTES_LIMIT`] bytes of frames.
    On,
}

/// The events that wait to be polled.
#[derive(Debug, Default)]
pub struct Log {
    events: VecDeque<Trace>,
    /// Bytes of frames in them.
    bytes: usize,
    lost: u64,
}

impl Log {
    /// How many events wait at most; beyond it the oldest are forgotten, and an [`TraceEvent::Overrun`] says so.
    pub const LIMIT: usize = 65_536;

    /// How many bytes of frames wait at most; beyond it, too, the oldest events are forgotten.
    pub const BYTES_LIMIT: usize = 64 << 20;

    /// Records an event.
    pub fn push(&mut self, at: Instant, event: TraceEvent) {
        self.bytes += bytes_of(&event);
        while self.events.len() >= Log::LIMIT || self.bytes > Log::BYTES_LIMIT && !self.events.is_empty() {
            self.lost += 1;
            self.take();
        }
        self.events.push_back(Trace { at, event });
    }

    /// The oldest event; after a loss, first the number of those forgotten.
    pub fn pop(&mut self) -> Option<Trace> {
        if self.lost > 0 {
            let at = self.events.front().map_or(Instant::ZERO, |event| event.at);
            return Some(Trace { at, event: TraceEvent::Overrun { lost: core::mem::take(&mut self.lost) } });
        }
        self.take()
    }

    fn take(&mut self) -> Option<Trace> {
        let trace = self.events.pop_front()?;
        self.bytes -= bytes_of(&trace.event);
        Some(trace)
    }
}

/// Bytes of frames in an event.
fn bytes_of(event: &TraceEvent) -> usize {
    match event {
        TraceEvent::Frame { frame, .. } => frame.len(),
        TraceEvent::Drop { excerpt, .. } => excerpt.len(),
        _ => 0,
    }
}

/// How often bytes were refused for each [`DropReason`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        DropCounters([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    /// Counts one more.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter += 1;
        }
    }

    /// How often it was this reason.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// The reasons that occurred, with how often, in order of the layers.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().map(|reason| (*reason, self.of(*reason))).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_events_are_forgotten_and_counted_when_there_are_too_many_or_too_large() {
        let frame = |length: usize| TraceEvent::Drop {
            interface: None,
            reason: DropReason::Malformed,
            excerpt: vec![0; length].into(),
        };
        for (length, kept) in [(0, Log::LIMIT), (1 << 20, Log::BYTES_LIMIT >> 20)] {
            let mut log = Log::default();
            for at in 0..kept as u64 + 10 {
                log.push(Instant::from_millis(at), frame(length));
            }
            assert!(matches!(log.pop().unwrap().event, TraceEvent::Overrun { lost: 10 }));
            let left: Vec<Trace> = core::iter::from_fn(|| log.pop()).collect();
            assert_eq!((left.len(), left[0].at), (kept, Instant::from_millis(10)));
            assert_eq!(log.bytes, 0);
        }
    }
}
