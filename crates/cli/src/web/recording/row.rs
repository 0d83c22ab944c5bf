//! One row of a recording, as `docs/web-api.md` describes it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::sight::HostIndex;
use sockeye_core::wire::LinkType;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// Its number.
    pub(crate) row: u64,
    /// Seconds since the recording began.
    pub(crate) time: f64,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum What {
    /// A frame was put on a cable.
    Frame(Box<FrameRow>),
    /// A program made a call.
    Call(CallRow),
    /// A connection moved from state to state.
    State(StateRow),
    /// A sender does something else about losses.
    Recovery(RecoveryRow),
    /// A host refused bytes.
    Drop {
        /// Which host.
        host: HostIndex,
        /// The reason's name.
        reason: String,
        /// In English.
        words: String,
    },
    /// A remark.
    Note {
        /// Its kind.
        note: &'static str,
        /// What it is about.
        facts: Map<String, Value>,
        /// In English.
        words: String,
    },
    /// Frames that are only counted any more.
    Summary(Summary),
}

/// A frame.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FrameRow {
    pub(crate) from: HostIndex,
    /// Who heard it.
    pub(crate) to: Vec<HostIndex>,
    /// Seconds at which the first of them heard it.
    pub(crate) arrives: Option<f64>,
    /// Why nobody did.
    pub(crate) lost: Option<String>,
    pub(crate) words: String,
    pub(crate) protocol: &'static str,
    pub(crate) length: usize,
    pub(crate) payload: Option<String>,
    pub(crate) connection: Option<u32>,
    pub(crate) direction: Option<usize>,
    pub(crate) flags: Option<String>,
    pub(crate) seq: Option<u32>,
    pub(crate) ack: Option<u32>,
    pub(crate) window: Option<u32>,
    /// Bytes of TCP payload.
    pub(crate) data: Option<usize>,
    /// The row of its first sending.
    pub(crate) first: Option<u64>,
    /// Why it is sent again.
    pub(crate) again: Option<&'static str>,
    pub(crate) marks: Vec<&'static str>,
    /// A router has passed it on: another host has sent it before.
    #[serde(rename = "forwarded", skip_serializing_if = "core::ops::Not::not")]
    pub(crate) is_forwarded: bool,
    /// The states of the sender and the receiver when it left.
    pub(crate) states: [Option<&'static str>; 2],
    /// The frame itself, as much of it as was kept, and what it begins with.
    #[serde(skip)]
    pub(crate) bytes: Vec<u8>,
    #[serde(skip)]
    pub(crate) link: LinkType,
}

/// A call of a program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CallRow {
    pub(crate) host: HostIndex,
    pub(crate) connection: Option<u32>,
    pub(crate) call: &'static str,
    pub(crate) arguments: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateRow {
    pub(crate) host: HostIndex,
    pub(crate) connection: u32,
    pub(crate) address: String,
    pub(crate) before: &'static str,
    pub(crate) state: &'static str,
    pub(crate) cause: &'static str,
}

/// What a sender does about losses, and its window in segments.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RecoveryRow {
    pub(crate) host: HostIndex,
    pub(crate) connection: u32,
    pub(crate) words: String,
    pub(crate) cwnd: u32,
    pub(crate) ssthresh: Option<u32>,
    pub(crate) reason: &'static str,
    pub(crate) undone: bool,
}

/// Rows that have made room for newer ones.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Seconds.
    pub(crate) until: f64,
    pub(crate) frames: u64,
    pub(crate) lost: u64,
    pub(crate) again: u64,
    pub(crate) bytes: u64,
}

impl What {
    /// Its kind, as in `kind`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            What::Frame(_) => "frame",
            What::Call(_) => "call",
            What::State(_) => "state",
            What::Recovery(_) => "recovery",
            What::Drop { .. } => "drop",
            What::Note { .. } => "note",
            What::Summary(_) => "summary",
        }
    }

    /// The connection it belongs to.
    pub(crate) fn connection(&self) -> Option<u32> {
        match self {
            What::Frame(frame) => frame.connection,
            What::Call(call) => call.connection,
            What::State(state) => Some(state.connection),
            What::Recovery(recovery) => Some(recovery.connection),
            _ => None,
        }
    }

    /// Bytes of memory that it needs besides its own.
    pub(crate) fn weight(&self) -> usize {
        match self {
            What::Frame(frame) => frame.bytes.len() + frame.words.len() + 200,
            _ => 100,
        }
    }
}
