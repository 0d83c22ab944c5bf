//! TCP (RFC 9293). One connection is a value with two halves, `Sender` and
//! `Receiver`, each the only owner of its RFC variables; they meet in `arrive` and `transmit`.

mod arrive;
pub mod congestion;
mod connection;
pub mod cookie;
mod handshake;
mod isn;
mod receiver;
mod rtt;
mod sender;
mod settings;
mod state;
mod time_wait;
mod transmit;

use core::net::SocketAddr;

use crate::wire::tcp::{Flags, Options, Segment, SeqNumber};

pub use congestion::CongestionName;
pub use connection::{Connection, Fired, TcpInfo};
pub use handshake::{Handshake, HandshakeStep, HandshakeTimeout};
pub use isn::Isn;
pub use settings::{Keepalive, Settings};
pub use state::State;
pub use time_wait::{TimeWait, TimeWaitStep};
pub use transmit::{Outgoing, RetransmitCause};

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
    /// ISS, the initial sequence number.
    pub iss: SeqNumber,
    /// What is added to the clock in this connection's timestamps (RFC 7323, 5.4).
    pub timestamp_offset: u32,
    /// The largest segment the path carries, in bytes of TCP payload and options.
    pub path_mss: u16,
}

/// The RST that answers a segment for nobody (RFC 9293, 3.10.7.1); none answers a RST.
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    if segment.flags.contains(Flags::RST) {
        return None;
    }
    let acknowledges = segment.flags.contains(Flags::ACK);
    let (seq, ack, flags) = if acknowledges {
        (segment.ack, SeqNumber(0), Flags::RST)
    } else {
        (SeqNumber(0), segment.end(), Flags::RST | Flags::ACK)
    };
    Some(Segment { seq, ack, flags, ..empty(segment.destination_port, segment.source_port) })
}

/// A segment with ports and nothing else.
fn empty(source_port: u16, destination_port: u16) -> Segment {
    Segment {
        source_port,
        destination_port,
        seq: SeqNumber(0),
        ack: SeqNumber(0),
        flags: Flags::default(),
        window: 0,
        urgent: 0,
        options: Options::default(),
        length: 0,
    }
}
