//! How everything stood at a moment: the states of all ends, and the queues of the listeners.
//!
//! It follows from the rows until then. Rows that are summarised have been taken in before, so that nothing is missing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Call;
use sockeye_core::transport::tcp::State;

use super::connection::Connections;
use super::row::{CallRow, Event, Row, StateRow};
use super::sight::{HostIndex, Sample};
use super::told;

/// Ends that are remembered; those of the oldest connections are forgotten beyond.
const ENDS: usize = 1024;
/// Listeners that are remembered.
const LISTENERS: usize = 1024;

/// How an end of a connection stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EndThen {
    host: HostIndex,
    address: SocketAddr,
    state: State,
    since: Instant,
    cause: &'static str,
    /// It came from a SYN for a listener.
    is_passive: bool,
}

/// How a listener stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ListenerThen {
    half_open: usize,
    accept_queue: usize,
    backlog: usize,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Then {
    /// By connection and end.
    ends: BTreeMap<(u32, usize), EndThen>,
    listeners: BTreeMap<(HostIndex, SocketAddr), ListenerThen>,
}

impl Then {
    /// Goes on by one row.
    pub(crate) fn apply(&mut self, row: &Row) {
        match &row.event {
            Event::State(state) => self.apply_state(row, state),
            Event::Call(call) if call.outcome.is_ok() => self.apply_call(call),
            _ => {}
        }
    }

    fn apply_state(&mut self, row: &Row, moved: &StateRow) {
        let Some(connection) = row.connection else { return };
        let key = (connection, moved.end);
        let was_passive = self.ends.get(&key).is_some_and(|end| end.is_passive);
        if let Some(listener) = self.listener(moved.host, moved.local) {
            match (moved.before, moved.state) {
                (State::Listen, State::SynReceived) => listener.half_open += 1,
                (State::SynReceived, to) if was_passive => {
                    listener.half_open = listener.half_open.saturating_sub(1);
                    listener.accept_queue += usize::from(to == State::Established);
                }
                _ => {}
            }
        }
        let end = EndThen {
            host: moved.host,
            address: moved.local,
            state: moved.state,
            since: row.at,
            cause: moved.cause,
            is_passive: was_passive || moved.before == State::Listen,
        };
        self.ends.insert(key, end);
        if self.ends.len() > ENDS {
            self.ends.pop_first();
        }
    }

    fn apply_call(&mut self, call: &CallRow) {
        let Some(local) = call.local else { return };
        match call.call {
            Call::Listen { backlog } if self.listeners.len() < LISTENERS => {
                self.listeners.entry((call.host, local)).or_default().backlog = backlog;
            }
            Call::Accept => {
                if let Some(listener) = self.listener(call.host, local) {
                    listener.accept_queue = listener.accept_queue.saturating_sub(1);
                }
            }
            Call::Close | Call::Shutdown { read: true, .. } if call.remote.is_none() => {
                self.listeners.remove(&(call.host, local));
            }
            _ => {}
        }
    }

    /// The listener for connections to an address: the one bound to it, or to every address.
    fn listener(&mut self, host: HostIndex, address: SocketAddr) -> Option<&mut ListenerThen> {
        let is_for = |bound: &SocketAddr| {
            bound.port() == address.port() && (bound.ip() == address.ip() || bound.ip().is_unspecified())
        };
        let of_host = self.listeners.iter_mut().filter(|((its, bound), _)| *its == host && is_for(bound));
        of_host.max_by_key(|((_, bound), _)| !bound.ip().is_unspecified()).map(|(_, listener)| listener)
    }

    /// The members `connections` and `listeners` of the answer.
    pub(crate) fn tell(
        &self,
        connections: &Connections,
        at: Instant,
        (start, time_wait): (Instant, Duration),
    ) -> (Vec<Value>, Vec<Value>) {
        let mut told: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        let of = |number: u32, end: usize| {
            let there = connections.get(number).map(|connection| connection.end(end));
            let sample = there.and_then(|end| end.sample_at(at));
            match (self.ends.get(&(number, end)), there) {
                (Some(then), _) => then.tell(sample, (start, time_wait)),
                (None, there) => json!({
                    "host": there.and_then(|end| end.host),
                    "address": there.map(|end| end.address),
                    "state": null,
                }),
            }
        };
        for (number, _) in self.ends.keys() {
            told.entry(*number).or_insert_with(|| vec![of(*number, 0), of(*number, 1)]);
        }
        let connections =
            told.into_iter().map(|(connection, ends)| json!({ "connection": connection, "ends": ends }));
        let listeners = self.listeners.iter().map(|((host, address), listener)| {
            json!({
                "host": host,
                "address": address,
                "half_open": listener.half_open,
                "accept_queue": listener.accept_queue,
                "backlog": listener.backlog,
            })
        });
        (connections.collect(), listeners.collect())
    }
}

impl EndThen {
    fn tell(&self, sample: Option<&Sample>, (start, time_wait): (Instant, Duration)) -> Value {
        let expires = (self.state == State::TimeWait).then(|| told::seconds(self.since + time_wait, start));
        let mut told = Map::new();
        let mut put = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
        put("host", json!(self.host));
        put("address", json!(self.address));
        put("state", json!(self.state.name()));
        put("since", json!(told::seconds(self.since, start)));
        put("cause", json!(self.cause));
        put("expires", json!(expires));
        if let Some(sample) = sample {
            let tcp = &sample.tcp;
            put("cwnd", json!(tcp.cwnd));
            put("ssthresh", json!((tcp.ssthresh != usize::MAX).then_some(tcp.ssthresh)));
            put("in_flight", json!(tcp.in_flight));
            put("mss", json!(tcp.snd_mss));
            put("send_window", json!(tcp.snd_wnd));
            put("receive_window", json!(tcp.rcv_wnd));
            put("rtt", json!(tcp.rtt.map(|rtt| rtt.as_secs_f64())));
            put("rto", json!(tcp.rto.as_secs_f64()));
            put("send_queue", json!(sample.send_queue));
            put("receive_queue", json!(sample.receive_queue));
            put("out_of_order", json!(tcp.out_of_order));
        }
        Value::Object(told)
    }
}
