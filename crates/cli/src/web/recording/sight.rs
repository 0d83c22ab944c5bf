//! What a recording is made of: what observers of cables and hosts have seen, live or in virtual time.

use sockeye_core::lan::{Direction, Fate};
use sockeye_core::time::Instant;
use sockeye_core::trace::Trace;
use sockeye_core::wire::LinkType;

/// A host, by its place in [`Recording::hosts`](super::Recording).
pub(crate) type HostIndex = usize;

/// Something that was seen.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// A frame was put on the cable of a host. One from host to host is seen twice: going up the sender's cable, and down the
    /// receiver's, at the moment at which it came out of the first.
    Cable(CableSight),
    /// Something happened in a host: a call, a change of state, a retransmission, a drop, … (frames are seen on cables).
    Host(HostIndex, Trace),
    /// How a connection stood.
    Sample(Sample),
    /// The person, or the lesson, has done something: changed a cable, cut it, reached a step.
    Note(Note),
}

impl Sight {
    /// When.
    pub(crate) fn at(&self) -> Instant {
        match self {
            Sight::Cable(sight) => sight.at,
            Sight::Host(_, trace) => trace.at,
            Sight::Sample(sample) => sample.at,
            Sight::Note(note) => note.at,
        }
    }
}

/// A frame on the cable of a host.
#[derive(Clone, Debug)]
pub(crate) struct CableSight {
    /// When it was put on the cable.
    pub(crate) at: Instant,
    /// Whose cable.
    pub(crate) host: HostIndex,
    /// Up to the switch, or down to the host.
    pub(crate) direction: Direction,
    /// As it was put in.
    pub(crate) frame: Vec<u8>,
    /// So many bytes at its end are zeros here: the capture has not kept them.
    pub(crate) missing: usize,
    /// What it begins with.
    pub(crate) link: LinkType,
    /// What becomes of it on this cable.
    pub(crate) fate: Fate,
}

/// The numbers of a connection at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When.
    pub(crate) at: Instant,
    /// At which host.
    pub(crate) host: HostIndex,
    /// Its own end.
    pub(crate) local: std::net::SocketAddr,
    /// The other end.
    pub(crate) remote: std::net::SocketAddr,
    /// Bytes that wait to be read.
    pub(crate) receive_queue: usize,
    /// Bytes that wait to be sent or acknowledged.
    pub(crate) send_queue: usize,
    /// All the rest.
    pub(crate) tcp: Box<sockeye_core::transport::tcp::TcpInfo>,
}

/// A remark between the rows.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// When.
    pub(crate) at: Instant,
    /// Its kind, for translations: `cable`, `cut`, `step`, `missing`, …
    pub(crate) note: &'static str,
    /// In English.
    pub(crate) words: String,
    /// What it is about.
    pub(crate) facts: serde_json::Map<String, serde_json::Value>,
}
