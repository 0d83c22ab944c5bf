//! One line of a story, in fields: what the ladder draws and what `--json` writes.

use std::net::SocketAddr;

use serde::Serialize;

use super::Side;

/// One thing told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Row {
    /// The beginning: who stands at the two sides.
    Start(Ends),
    /// A connection is seen for the first time.
    Connection(ConnectionRow),
    /// A frame crossed the cable, or was lost on it.
    Frame(FrameRow),
    /// A state changed without a frame beside which it could be told.
    State(StateRow),
    /// A sender does something else about losses than before, or its congestion window has another reason.
    Recovery(RecoveryRow),
    /// So many sights were too much to take: they are missing here.
    Missing {
        /// How many.
        count: u64,
    },
}

/// Who stands at the two sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Ends {
    /// On the left.
    pub(crate) left: String,
    /// On the right.
    pub(crate) right: String,
}

/// A new connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ConnectionRow {
    /// Seconds since the start.
    pub(crate) time: f64,
    /// Its number, from 1.
    pub(crate) connection: u32,
    /// The left end.
    pub(crate) left: SocketAddr,
    /// The right end.
    pub(crate) right: SocketAddr,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FrameRow {
    /// Seconds since the start when it was sent.
    pub(crate) time: f64,
    /// The number of the TCP connection it belongs to, if to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<u32>,
    /// Who sent it.
    pub(crate) from: Side,
    /// Bytes of the frame.
    pub(crate) length: usize,
    /// What it is, in tcpdump's words.
    pub(crate) words: String,
    /// The payload, readable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    /// Seconds since the start when the same sequence numbers were sent first, if they were before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_sent: Option<f64>,
    /// Why it is sent again, where the host that sent it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) again: Option<&'static str>,
    /// What the cable did to it.
    #[serde(flatten)]
    pub(crate) fate: FateFields,
    /// The state of the connection's left end, at its departure or its arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_state: Option<String>,
    /// The state of the right end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) right_state: Option<String>,
}

/// What a cable did to a frame; the plain case takes no space.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct FateFields {
    /// Seconds since the start when it arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arrives: Option<f64>,
    /// Why it does not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<String>,
    /// It arrives twice.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) duplicated: bool,
    /// One bit of it arrives flipped.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) corrupted: bool,
    /// It is held back, and may be overtaken.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) held_back: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StateRow {
    /// Seconds since the start.
    pub(crate) time: f64,
    /// The connection's number.
    pub(crate) connection: u32,
    /// At which end.
    pub(crate) side: Side,
    /// The new state.
    pub(crate) state: String,
    /// What moved it.
    pub(crate) cause: &'static str,
}

/// What a sender does about losses, and its congestion window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RecoveryRow {
    /// Seconds since the start.
    pub(crate) time: f64,
    /// The connection's number.
    pub(crate) connection: u32,
    /// At which end.
    pub(crate) side: Side,
    /// What it did: `open`, `disorder`, `cwr`, `recovery` or `loss`.
    pub(crate) before: &'static str,
    /// What it does now.
    pub(crate) recovery: &'static str,
    /// Congestion window in segments.
    pub(crate) cwnd: u32,
    /// Slow-start threshold in segments, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssthresh: Option<u32>,
    /// What last changed the window.
    pub(crate) reason: &'static str,
    /// A reduction was taken back: nothing had been lost.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) undone: bool,
}
