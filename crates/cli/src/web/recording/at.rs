//! Everything as it was at one moment: the states of connections, and the queues of listeners.

use serde_json::{Value, json};
use sockeye_core::time::{Duration, Instant};

use super::Recording;
use super::connection::Connection;
use super::teller::{Queue, Teller};

/// How long TIME-WAIT lasts: 2 MSL with an MSL of 30 s, as Linux.
const TIME_WAIT: Duration = Duration::from_secs(60);
/// A threshold from here on is none: there was no loss yet.
const UNSET: usize = i32::MAX as usize;
/// Connections of one answer, the newest.
const MOST: usize = 200;

impl Recording {
    /// As it was at a time in seconds; without one, as it is now. Described in `docs/web-api.md`.
    pub(crate) fn at(&self, time: Option<f64>) -> Value {
        let inner = self.inner.lock();
        let end = inner.rows.back().map_or(0.0, |row| row.time);
        let time = time.unwrap_or(end);
        let moment = inner.teller.moment(time);
        let row = inner.rows.partition_point(|row| row.time <= time);
        let row = row.checked_sub(1).and_then(|place| inner.rows.get(place)).map(|row| row.row);
        let connections = inner.teller.connections.values().rev();
        let connections: Vec<Value> = connections
            .filter(|connection| connection.from <= moment)
            .take(MOST)
            .map(|connection| described(connection, &inner.teller, moment))
            .collect();
        json!({ "time": time, "row": row, "connections": connections, "listeners": listeners(&inner.teller, moment) })
    }
}

fn described(connection: &Connection, teller: &Teller, moment: Instant) -> Value {
    let end = |n: usize| {
        let state = connection.state_at(n, moment);
        let expires = state.filter(|state| state.state == "TIME-WAIT").map(|state| state.at + TIME_WAIT);
        let samples = connection.samples.get(n);
        let sample = samples.and_then(|samples| {
            let until = samples.partition_point(|sample| sample.at <= moment);
            samples.get(until.checked_sub(1)?)
        });
        json!({
            "host": connection.hosts.get(n).copied().flatten(),
            "address": connection.ends.get(n).map(ToString::to_string),
            "state": state.map(|state| state.state),
            "since": state.map(|state| teller.seconds(state.at)),
            "cause": state.map(|state| state.cause),
            "expires": expires.map(|at| teller.seconds(at)),
            "cwnd": sample.map(|sample| sample.tcp.cwnd),
            "ssthresh": sample.map(|sample| sample.tcp.ssthresh).filter(|ssthresh| *ssthresh < UNSET),
            "rtt": sample.and_then(|sample| sample.tcp.rtt).map(|rtt| rtt.as_secs_f64()),
            "rto": sample.map(|sample| sample.tcp.rto.as_secs_f64()),
            "receive_queue": sample.map(|sample| sample.receive_queue),
            "send_queue": sample.map(|sample| sample.send_queue),
        })
    };
    json!({ "connection": connection.number, "ends": [end(0), end(1)] })
}

fn listeners(teller: &Teller, moment: Instant) -> Vec<Value> {
    let mut listeners = Vec::new();
    for ((host, address), backlogs) in &teller.listeners {
        let backlog = backlogs.iter().rev().find(|(at, _)| *at <= moment);
        let Some((_, backlog)) = backlog else { continue };
        let (mut half_open, mut accepted) = (0_i64, 0_i64);
        for arrival in teller.arrivals.iter().take_while(|arrival| arrival.at <= moment) {
            let is_here = arrival.host == *host
                && arrival.local.port() == address.port()
                && (address.ip().is_unspecified() || arrival.local.ip() == address.ip());
            match arrival.queue {
                _ if !is_here => {}
                Queue::HalfOpen => half_open = (half_open + arrival.step).max(0),
                Queue::Accept => accepted = (accepted + arrival.step).max(0),
            }
        }
        listeners.push(json!({
            "host": host,
            "address": address.to_string(),
            "half_open": half_open,
            "accept_queue": accepted,
            "backlog": backlog,
        }));
    }
    listeners
}
