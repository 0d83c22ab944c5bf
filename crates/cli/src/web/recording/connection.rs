//! The connections of a recording: who talks with whom, and how it stands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use encoding_rs::UTF_8;
use serde_json::{Value, json};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::State;

use super::sight::{HostIndex, Sample};
use super::told;
use crate::ladder::Shown;
use crate::ladder::conversation::Conversation;

/// Connections that are known at most.
const CONNECTIONS: usize = 512;
/// Connections that are told of.
const TOLD: usize = 200;
/// Samples of an end that are kept; when there are more, every second one goes.
const SAMPLES: usize = 1200;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// Its ends; the first is the one that was seen to speak first.
    pub(crate) ends: [End; 2],
    /// When it was first seen.
    pub(crate) from: Instant,
    /// When it was over at both ends.
    pub(crate) to: Option<Instant>,
    /// Where its sequence numbers begin, what has been said before.
    pub(crate) conversation: Conversation,
}

/// An end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    /// At which host, if one of the recording's.
    pub(crate) host: Option<HostIndex>,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Its state, as far as rows have told it.
    pub(crate) state: Option<State>,
    /// Bytes of payload that it has sent, each counted once.
    pub(crate) bytes: u64,
    /// Segments that it has sent again.
    pub(crate) retransmissions: u64,
    /// Bytes that its program has handed over, and taken, in rows that are summarised by now.
    pub(crate) forgotten: [u64; 2],
    /// Its numbers now and then.
    pub(crate) samples: VecDeque<Sample>,
    /// The shortest time between two of them.
    spacing: Duration,
}

impl End {
    fn new(host: Option<HostIndex>, address: SocketAddr) -> End {
        End {
            host,
            address,
            state: None,
            bytes: 0,
            retransmissions: 0,
            forgotten: [0; 2],
            samples: VecDeque::new(),
            spacing: Duration::ZERO,
        }
    }

    /// Keeps a sample; those that lie close together are thinned out when there are too many.
    pub(crate) fn keep(&mut self, sample: Sample) {
        if self.samples.back().is_some_and(|last| sample.at.since(last.at) < self.spacing) {
            return;
        }
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES {
            let mut is_odd = false;
            self.samples.retain(|_| {
                is_odd = !is_odd;
                is_odd
            });
            let first = self.samples.front().map_or(Instant::ZERO, |sample| sample.at);
            let span = self.samples.back().map_or(Duration::ZERO, |sample| sample.at.since(first));
            self.spacing = span / SAMPLES as u32;
        }
    }

    /// The last sample at a moment.
    pub(crate) fn sample_at(&self, at: Instant) -> Option<&Sample> {
        self.samples.get(self.samples.partition_point(|sample| sample.at <= at).checked_sub(1)?)
    }

    /// Whether nothing is left of the connection here but a record that waits.
    fn is_over(&self) -> bool {
        matches!(self.state, None | Some(State::Closed | State::Listen | State::TimeWait))
    }
}

impl Connection {
    /// Which end has this address; 0 sends in direction 0.
    pub(crate) fn end_of(&self, address: SocketAddr) -> usize {
        usize::from(self.ends[0].address != address)
    }

    /// An end.
    pub(crate) fn end(&self, end: usize) -> &End {
        let [first, second] = &self.ends;
        if end == 0 { first } else { second }
    }

    /// The same, to be changed.
    pub(crate) fn end_mut(&mut self, end: usize) -> &mut End {
        let [first, second] = &mut self.ends;
        if end == 0 { first } else { second }
    }

    /// An end has another state.
    pub(crate) fn moved(&mut self, at: Instant, end: usize, state: State) {
        self.end_mut(end).state = Some(state);
        if self.to.is_none() && self.ends.iter().all(End::is_over) {
            self.to = Some(at);
        }
    }

    /// As the summary of a recording has it.
    pub(crate) fn tell(&self, start: Instant) -> Value {
        let ends = self.ends.each_ref();
        json!({
            "connection": self.number,
            "ends": ends.map(|end| json!({ "host": end.host, "address": end.address })),
            "from": told::seconds(self.from, start),
            "to": self.to.map(|at| told::seconds(at, start)),
            "bytes": ends.map(|end| end.bytes),
            "retransmissions": ends.map(|end| end.retransmissions),
            "state": ends.map(|end| end.state.map(State::name)),
        })
    }
}

/// Two addresses, in an order of their own.
type Pair = (SocketAddr, SocketAddr);

fn pair(one: SocketAddr, other: SocketAddr) -> Pair {
    (one.min(other), one.max(other))
}

/// All connections that are known.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    known: BTreeMap<u32, Connection>,
    by_ends: HashMap<Pair, u32>,
    last: u32,
}

impl Connections {
    /// The newest connection between two addresses.
    pub(crate) fn between(&self, one: SocketAddr, other: SocketAddr) -> Option<u32> {
        self.by_ends.get(&pair(one, other)).copied()
    }

    /// The connection with this number.
    pub(crate) fn get(&self, number: u32) -> Option<&Connection> {
        self.known.get(&number)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Connection> {
        self.known.get_mut(&number)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Connection> {
        self.known.values()
    }

    /// Makes the acquaintance of a connection, of which `first` was seen to speak first.
    pub(crate) fn meet(
        &mut self,
        at: Instant,
        first: (Option<HostIndex>, SocketAddr),
        second: (Option<HostIndex>, SocketAddr),
    ) -> u32 {
        while self.known.len() >= CONNECTIONS {
            self.forget_one();
        }
        self.last = self.last.wrapping_add(1).max(1);
        let number = self.last;
        self.by_ends.insert(pair(first.1, second.1), number);
        let connection = Connection {
            number,
            ends: [End::new(first.0, first.1), End::new(second.0, second.1)],
            from: at,
            to: None,
            conversation: Conversation::new(number, Shown::Text(UTF_8)),
        };
        self.known.insert(number, connection);
        number
    }

    /// A flood of SYNs must not displace those that talk: one that has never sent anything goes first.
    fn forget_one(&mut self) {
        let silent = self.known.values().find(|it| it.ends.iter().all(|end| end.bytes == 0));
        let Some(number) = silent.or(self.known.values().next()).map(|it| it.number) else { return };
        let Some(gone) = self.known.remove(&number) else { return };
        let [first, second] = &gone.ends;
        let key = pair(first.address, second.address);
        if self.by_ends.get(&key) == Some(&number) {
            self.by_ends.remove(&key);
        }
    }

    /// The newest, as they are told.
    pub(crate) fn tell(&self, start: Instant) -> Vec<Value> {
        let skipped = self.known.len().saturating_sub(TOLD);
        self.known.values().skip(skipped).map(|connection| connection.tell(start)).collect()
    }
}
