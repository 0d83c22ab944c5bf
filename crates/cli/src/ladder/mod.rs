//! What happened on a cable, told in order: every frame with the states of both ends beside it.
//!
//! [`Story`] takes what observers saw ([`Sight`]) and tells it as [`Row`]s. The observers of a cable and of the two
//! hosts are different threads, so a story waits a moment before it tells something, and then tells it in the order of
//! time. [`rung`] draws rows for people; [`crate::json`] writes them for programs.

pub(crate) mod conversation;
mod payload;
pub(crate) mod recovery;
pub(crate) mod row;
pub(crate) mod rung;
pub(crate) mod speech;
mod story;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use serde::Serialize;
use sockeye_core::time::Instant;

pub(crate) use payload::Shown;
pub(crate) use recovery::{AgainSight, RecoverySight};
pub(crate) use story::{Party, Story};

/// The two ends of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// Drawn on the left: who usually asks.
    Left,
    /// Drawn on the right: who usually answers.
    Right,
}

impl Side {
    /// The opposite side.
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }

    /// What a pair holds for this side.
    fn of<T>(self, [left, right]: &[T; 2]) -> &T {
        match self {
            Side::Left => left,
            Side::Right => right,
        }
    }

    /// The same, to be changed.
    fn of_mut<T>(self, [left, right]: &mut [T; 2]) -> &mut T {
        match self {
            Side::Left => left,
            Side::Right => right,
        }
    }
}

/// Something an observer saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A frame was put on the cable.
    Frame(FrameSight),
    /// A connection changed its state.
    State(StateSight),
    /// A segment is sent again, for a reason.
    Again(AgainSight),
    /// A sender does something else about losses, or its window has another reason.
    Recovery(RecoverySight),
}

impl Sight {
    /// When it happened.
    pub(crate) fn at(&self) -> Instant {
        match self {
            Sight::Frame(frame) => frame.at,
            Sight::State(state) => state.at,
            Sight::Again(again) => again.at,
            Sight::Recovery(recovery) => recovery.at,
        }
    }
}

/// A frame, as it was put on the cable, and what became of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameSight {
    /// When it was sent.
    pub(crate) at: Instant,
    /// Who sent it.
    pub(crate) from: Side,
    /// The whole frame.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of payload in each segment, where the frame stands for several.
    pub(crate) segment_size: Option<u16>,
    /// What the cable did to it.
    pub(crate) outcome: Outcome,
}

/// What a cable did to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It arrives.
    Arrives {
        /// When.
        at: Instant,
        /// Whether a copy arrives too.
        is_doubled: bool,
        /// Whether a bit of it was flipped.
        is_damaged: bool,
        /// Whether others were let past it.
        is_held_back: bool,
    },
    /// It does not; the reason in a few words.
    Lost(String),
}

/// A change of a connection's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateSight {
    /// When.
    pub(crate) at: Instant,
    /// At which end.
    pub(crate) side: Side,
    /// The end's own address.
    pub(crate) local: SocketAddr,
    /// The address of the other end.
    pub(crate) remote: SocketAddr,
    /// The state it had before, by its name in RFC 9293.
    pub(crate) before: String,
    /// The state it has now.
    pub(crate) state: String,
    /// Whether an arriving segment moved it; otherwise a call or a timer did.
    pub(crate) by_segment: bool,
    /// What moved it, in one word.
    pub(crate) cause: &'static str,
}
