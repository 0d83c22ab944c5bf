//! What stands in a session's log: one call that sent or received, or something that happened.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::web::text::decoder::Carry;
use crate::web::trouble::Trouble;

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A `send()`.
    Sent,
    /// A `recv()`.
    Received,
    /// Something that happened.
    Event,
    /// Something that went wrong.
    Error,
}

/// Which end of a forwarder; of other sessions there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// Who connected to it.
    #[default]
    Near,
    /// Whom it connected to.
    Far,
}

/// A connection, or who sends datagrams: whose bytes follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Channel {
    /// The peer, or of a client the number of its connection.
    pub(crate) link: u64,
    /// Of a forwarder.
    pub(crate) side: Side,
}

impl Channel {
    /// That of a peer.
    pub(crate) fn near(link: u64) -> Channel {
        Channel { link, side: Side::Near }
    }

    /// Where a forwarder carries a peer's bytes.
    pub(crate) fn far(link: u64) -> Channel {
        Channel { link, side: Side::Far }
    }
}

/// An entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// What it tells.
    pub(crate) kind: Kind,
    /// Whose, where it is not of the session as a whole.
    pub(crate) channel: Option<Channel>,
    /// The other end's address.
    pub(crate) address: Option<Arc<str>>,
    /// What was sent or received, or what happened.
    pub(crate) body: Body,
}

/// What an entry holds.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Of a stream: with the bytes of a character that has begun before them.
    Stream(Bytes, Carry),
    /// A datagram: no character goes on in the next one.
    Datagram(Bytes),
    /// In words.
    Words(Box<Trouble>),
}

impl Entry {
    /// What was sent or received; nothing of events.
    pub(crate) fn bytes(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        match &self.body {
            Body::Stream(bytes, _) | Body::Datagram(bytes) => bytes,
            Body::Words(_) => &NONE,
        }
    }

    /// What its memory counts as.
    pub(crate) fn weight(&self) -> usize {
        match &self.body {
            Body::Stream(bytes, _) | Body::Datagram(bytes) => bytes.len(),
            Body::Words(trouble) => trouble.words.len() + trouble.next.len() + 128,
        }
    }
}

/// The time, in milliseconds since 1970.
pub(crate) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
