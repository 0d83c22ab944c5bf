//! Explain: what has happened, in words, by rules.
//!
//! Each rule looks at the rows as they are told and remembers little. What goes on is one finding that grows, and not many.

mod again;
mod ending;
mod host;
mod message;
mod nagle;
mod opening;
mod window;

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value};

use super::connection::Connection;
use super::row::{CallRow, FrameRow, Row, StateRow, What};
use super::sight::HostIndex;
use super::{Kind, Station};

/// Findings that are kept.
const FINDINGS: usize = 2000;
/// Connections that are looked after; the oldest are forgotten beyond.
const WATCHED: usize = 512;
/// What happens again within this time, in seconds, belongs to the finding before.
const SPELL: f64 = 2.0;

/// Every kind of finding: what pages in other languages have words for.
const KINDS: [&str; 31] = [
    "address-in-time-wait",
    "address-in-use",
    "again",
    "backlog-full",
    "datagram-lost",
    "drop",
    "gave-up",
    "half-open",
    "half-open-forgotten",
    "half-open-full",
    "joined-messages",
    "keepalive",
    "lost",
    "mtu-black-hole",
    "nagle",
    "needless",
    "packet-too-big",
    "refused",
    "reordering",
    "reset",
    "reset-after-close",
    "reset-half-open",
    "reset-linger",
    "reset-unread",
    "split-message",
    "syn-cookies",
    "syn-retries",
    "timed-out",
    "undone",
    "unreachable",
    "zero-window",
];

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Good to know.
    Note,
    /// It costs time.
    Warning,
    /// Something has failed.
    Error,
}

/// Something that was found, as `docs/web-api.md` describes it.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    time: f64,
    /// When it ended, or went on last.
    until: f64,
    /// The row that shows it.
    row: u64,
    connection: Option<u32>,
    kind: &'static str,
    severity: Severity,
    facts: Map<String, Value>,
    words: String,
    next: &'static str,
}

impl Finding {
    fn new(seen: &Seen<'_>, kind: &'static str, severity: Severity) -> Finding {
        debug_assert!(KINDS.contains(&kind), "{kind} is no known kind");
        let (time, row) = (seen.row.time, seen.row.row);
        let connection = seen.row.what.connection();
        let (facts, words) = (Map::new(), String::new());
        Finding { time, until: time, row, connection, kind, severity, facts, words, next: "" }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    fn says(mut self, words: impl Into<String>, next: &'static str) -> Finding {
        self.words = words.into();
        self.next = next;
        self
    }
}

/// A row, with what there is to judge it by.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) row: &'a Row,
    pub(super) kind: Kind,
    /// Where a segment's bytes were first sent, if this sends them again and that row is kept.
    pub(super) first: Option<&'a FrameRow>,
    pub(super) connections: &'a BTreeMap<u32, Connection>,
    pub(super) stations: &'a [Station],
}

impl<'a> Seen<'a> {
    /// A TCP segment as its end sends it, and which end that is.
    fn segment(&self) -> Option<(&'a FrameRow, usize)> {
        match &self.row.what {
            What::Frame(frame) if !frame.is_forwarded => Some((&**frame, frame.direction?)),
            _ => None,
        }
    }

    fn call(&self) -> Option<&'a CallRow> {
        match &self.row.what {
            What::Call(call) => Some(call),
            _ => None,
        }
    }

    fn state(&self) -> Option<&'a StateRow> {
        match &self.row.what {
            What::State(state) => Some(state),
            _ => None,
        }
    }

    fn host(&self, host: HostIndex) -> String {
        self.stations.get(host).map_or_else(|| "?".to_owned(), |station| station.name.clone())
    }

    /// An end of a connection, for people: its host, or its address.
    fn end(&self, connection: &Connection, end: usize) -> String {
        let host = connection.hosts.get(end).copied().flatten();
        let address = connection.ends.get(end).map_or_else(String::new, ToString::to_string);
        host.and_then(|host| self.stations.get(host)).map_or(address, |station| station.name.clone())
    }
}

/// Bytes that a call moved.
fn amount(call: &CallRow) -> Option<u64> {
    call.outcome.as_ref()?.parse().ok()
}

/// `has(frame, "SYN")`.
fn has(frame: &FrameRow, flag: &str) -> bool {
    frame.flags.as_deref().is_some_and(|flags| flags.split(' ').any(|one| one == flag))
}

/// What was found, by number.
#[derive(Debug, Default)]
struct List {
    findings: VecDeque<Finding>,
    /// The number of the first.
    first: u64,
}

impl List {
    /// Adds one; the answer leads to it.
    fn add(&mut self, finding: Finding) -> u64 {
        self.findings.push_back(finding);
        if self.findings.len() > FINDINGS {
            self.findings.pop_front();
            self.first += 1;
        }
        self.first + self.findings.len() as u64 - 1
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Finding> {
        self.findings.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Counts one more of what `last` leads to, if that was not long ago; otherwise begins a finding. Its words are made from the
    /// count.
    fn count(
        &mut self,
        last: &mut Option<u64>,
        time: f64,
        begin: impl FnOnce() -> Finding,
        words: impl FnOnce(u64) -> String,
    ) {
        let known = last.and_then(|number| self.get_mut(number)).filter(|it| time - it.until <= SPELL);
        if let Some(known) = known {
            let count = known.facts.get("times").and_then(Value::as_u64).unwrap_or(1) + 1;
            known.facts.insert("times".to_owned(), count.into());
            known.words = words(count);
            known.until = time;
            return;
        }
        let finding = begin().with("times", 1);
        let finding = Finding { words: words(1), ..finding };
        *last = Some(self.add(finding));
    }
}

/// What the rules remember of one connection.
#[derive(Debug, Default)]
struct Watched {
    again: again::Watch,
    ending: ending::Watch,
    message: message::Watch,
    nagle: nagle::Watch,
    opening: opening::Watch,
    window: window::Watch,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: List,
    watched: BTreeMap<u32, Watched>,
    hosts: host::Watch,
    /// Connections one end of which is gone, while the other may not know.
    gone: ending::Gone,
}

impl Findings {
    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        self.list.first + self.list.findings.len() as u64
    }

    /// Up to `count` of those that are kept, from number `from` on.
    pub(super) fn tell(&self, from: u64, count: usize) -> Value {
        let skipped = usize::try_from(from.saturating_sub(self.list.first)).unwrap_or(usize::MAX);
        let findings: Vec<&Finding> = self.list.findings.iter().skip(skipped).take(count).collect();
        serde_json::to_value(findings).unwrap_or_default()
    }

    /// Nothing more comes after `end`.
    pub(super) fn finish(&mut self, end: f64, connections: &BTreeMap<u32, Connection>) {
        self.gone.finish(end, connections, &mut self.list);
    }

    /// A row is told.
    pub(super) fn on_row(&mut self, seen: &Seen<'_>) {
        let list = &mut self.list;
        self.gone.wait(seen.row.time, seen.connections, list);
        self.hosts.look(seen, list);
        let number = seen.row.what.connection();
        let Some(connection) = number.and_then(|number| seen.connections.get(&number)) else { return };
        let watched = self.watched.entry(connection.number).or_default();
        watched.again.look(seen, connection, list);
        watched.window.look(seen, connection, list);
        watched.opening.look(seen, connection, list);
        watched.ending.look(seen, connection, &mut self.gone, list);
        watched.message.look(seen, connection, list);
        watched.nagle.look(seen, connection, list);
        while self.watched.len() > WATCHED {
            self.watched.pop_first();
        }
    }
}

#[cfg(test)]
mod tests;
