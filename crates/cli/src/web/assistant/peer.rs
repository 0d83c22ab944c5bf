//! Who a session talks, or has talked, to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::entry::wall_clock;
use crate::web::text::Encoding;

/// Peers that are remembered, and told of.
const PEERS: usize = 500;

/// Somebody.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The other end's address.
    pub(crate) address: Arc<str>,
    /// `connected`, `closing`, `closed`; of UDP `open`.
    pub(crate) state: &'static str,
    /// Since when, in milliseconds since 1970.
    pub(crate) since: u64,
    /// Bytes sent there.
    pub(crate) sent: u64,
    /// Bytes received from there.
    pub(crate) received: u64,
    /// If it is another than the session's.
    pub(crate) encoding: Option<Encoding>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    last: u64,
    known: BTreeMap<u64, Peer>,
    /// Of UDP.
    by_address: HashMap<Arc<str>, u64>,
}

impl Peers {
    /// Adds one, and forgets the oldest one that has gone where there are too many.
    pub(crate) fn add(&mut self, address: Arc<str>, state: &'static str) -> u64 {
        self.last += 1;
        let peer = Peer { address, state, since: wall_clock(), sent: 0, received: 0, encoding: None };
        self.known.insert(self.last, peer);
        if self.known.len() > PEERS {
            let is_gone = |peer: &Peer| matches!(peer.state, "closed" | "open");
            let oldest = self.known.iter().find(|(_, peer)| is_gone(peer)).map(|(number, _)| *number);
            if let Some(gone) = oldest.and_then(|number| self.known.remove(&number)) {
                self.by_address.remove(&gone.address);
            }
        }
        self.last
    }

    /// The one at an address, which is new if there is none.
    pub(crate) fn at(&mut self, address: &str) -> u64 {
        if let Some(number) = self.by_address.get(address) {
            return *number;
        }
        let address: Arc<str> = address.into();
        let number = self.add(Arc::clone(&address), "open");
        self.by_address.insert(address, number);
        number
    }

    /// One of them.
    pub(crate) fn get(&self, number: u64) -> Option<&Peer> {
        self.known.get(&number)
    }

    /// One of them, to be changed.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Peer> {
        self.known.get_mut(&number)
    }

    /// One of them has another state now.
    pub(crate) fn set_state(&mut self, number: u64, state: &'static str) {
        if let Some(peer) = self.known.get_mut(&number) {
            peer.state = state;
            peer.since = wall_clock();
        }
    }

    /// All, the oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Peer)> {
        self.known.iter().map(|(number, peer)| (*number, peer))
    }

    /// As the API writes them: the newest, in their order.
    pub(crate) fn to_json(&self) -> Value {
        let newest = self.known.iter().skip(self.known.len().saturating_sub(PEERS));
        newest
            .map(|(number, peer)| {
                json!({
                    "peer": number,
                    "address": &*peer.address,
                    "state": peer.state,
                    "since": peer.since,
                    "sent": peer.sent,
                    "received": peer.received,
                    "encoding": peer.encoding,
                })
            })
            .collect()
    }
}
