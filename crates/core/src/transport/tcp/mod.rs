//! TCP (RFC 9293), room by room.
//!
//! One connection is a value, [`Connection`]: segments, calls and time go in (`on_*`, `write`, `close` …), segments and
//! readiness come out (`poll_*`). It knows no IP header, no socket and no clock. Inside are two halves, each the only
//! owner of its RFC variables: `sender` (SND.\*, with `scoreboard`, `rtt`, `recovery` and `congestion`) and `receiver`
//! (RCV.\*, with `reassembly` and `delayed_ack`). They meet in two places only: `arrive`, where a segment comes in, and
//! `transmit`, which decides what leaves next.
//!
//! Before a passive open is complete there is no connection but a [`Handshake`] (or not even that: [`cookie`]), and
//! after the last FIN a [`TimeWait`] of a few words.

mod accurate_ecn;
mod arrive;
mod burst;
mod call;
mod congestion;
mod connection;
pub mod cookie;
mod counters;
mod delayed_ack;
mod ecn;
mod fast_open;
mod handshake;
mod info;
mod isn;
mod loss_probe;
mod memory;
mod mtu_probe;
mod pacing;
mod probe;
mod prr;
mod push;
mod rack;
mod rate;
mod reassembly;
mod receive_space;
mod receiver;
mod recovery;
mod rtt;
mod scoreboard;
mod send_space;
mod sender;
mod settings;
mod state;
mod time_wait;
mod timers;
mod transmit;
mod undo;
mod urgent;

use core::net::SocketAddr;

use crate::wire::tcp::{Flags, Options, Segment, SeqNumber};

pub use congestion::{CongestionName, CwndReason, SlowStartExit};
pub use connection::Connection;
pub use counters::{Limit, Limits, Traffic};
pub use ecn::EcnMode;
pub use fast_open::{
    CookieCheck, FastOpen, FastOpenCache, FastOpenFailure, FastOpenKeys, FastOpenLesson, FastOpenOptions,
    FastOpenPause, FastOpenPlan,
};
pub use handshake::{Handshake, HandshakeStep, HandshakeTimeout};
pub use info::{Recovering, RecoveryChange, TcpInfo};
pub use isn::Isn;
pub use memory::MemoryRoom;
pub use mtu_probe::MtuProbing;
pub use push::SendFlags;
pub use settings::{FinWait2, Keepalive, QuickAck, Settings, Tuning};
pub use state::State;
pub use time_wait::{TimeWait, TimeWaitStep};
pub use timers::Fired;
pub use transmit::{Outgoing, RetransmitCause};
pub use urgent::Take;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// This host's.
    pub local: SocketAddr,
    /// The other's.
    pub remote: SocketAddr,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// ISS, the initial sequence number: [`Isn::next`].
    pub iss: SeqNumber,
    /// What is added to the clock in this connection's timestamps (RFC 7323 section 5.4): [`Isn::timestamp_offset`].
    pub timestamp_offset: u32,
    /// The largest segment the path carries, in bytes of TCP options and payload: the MTU less 40 (IPv4) or 60 (IPv6).
    pub path_mss: u16,
}

/// The RST that answers a segment which belongs to no connection (RFC 9293 section 3.10.7.1); a RST is answered by
/// nothing.
///
/// ```
/// use sockeye_core::transport::tcp::reset_for;
/// use sockeye_core::wire::tcp::{Flags, Options, Segment, SeqNumber};
/// let syn = Segment {
///     source_port: 40000, destination_port: 9, seq: SeqNumber(7), ack: SeqNumber(0), flags: Flags::SYN,
///     window: 1000, urgent: 0, options: Options::default(), length: 0,
/// };
/// let reset = reset_for(&syn).unwrap();
/// assert_eq!(reset.to_string(), "Flags [R.], seq 0, ack 8, win 0, length 0");
/// assert_eq!(reset_for(&reset), None);
/// ```
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    if segment.flags.contains(Flags::RST) {
        return None;
    }
    let reset = empty(segment.destination_port, segment.source_port);
    Some(if segment.flags.contains(Flags::ACK) {
        Segment { seq: segment.ack, flags: Flags::RST, ..reset }
    } else {
        Segment { ack: segment.end(), flags: Flags::RST | Flags::ACK, ..reset }
    })
}

/// A segment with ports and nothing else.
fn empty(source_port: u16, destination_port: u16) -> Segment {
    Segment {
        source_port,
        destination_port,
        seq: SeqNumber(0),
        ack: SeqNumber(0),
        flags: Flags::NONE,
        window: 0,
        urgent: 0,
        options: Options::default(),
        length: 0,
    }
}

#[cfg(test)]
mod tests;
