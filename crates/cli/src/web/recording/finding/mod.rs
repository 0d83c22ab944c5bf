//! Explain: what has happened, in words, by rules.
//!
//! Each rule looks at the rows as they are told and remembers little. What goes on is one finding that grows, and not many.

mod again;
mod host;
mod message;
mod mtu;
mod nagle;
mod open;
mod reset;
mod silence;
mod window;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};
use sockeye_core::time::{Duration, Instant};

use super::connection::{Connection, Connections};
use super::reel::Reel;
use super::row::{CallRow, Event, FrameRow, Row, StateRow, TcpRow};
use super::told;

/// Findings that are kept.
const FINDINGS: usize = 2000;
/// Connections that are looked after; the oldest are forgotten beyond.
const WATCHED: usize = 512;
/// What happens again within this time belongs to the finding before.
const SPELL: Duration = Duration::from_secs(2);

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Good to know.
    Note,
    /// It costs time.
    Warning,
    /// Something has failed.
    Error,
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// When it began.
    pub(crate) at: Instant,
    /// When it ended, or went on last.
    pub(crate) until: Instant,
    /// The row that shows it.
    pub(crate) row: u64,
    /// In which connection.
    pub(crate) connection: Option<u32>,
    /// Names it.
    pub(crate) kind: &'static str,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What it is about.
    pub(crate) facts: Map<String, Value>,
    /// What has happened.
    pub(crate) words: String,
    /// What to do about it.
    pub(crate) next: &'static str,
}

impl Finding {
    fn new(seen: &Seen<'_>, kind: &'static str, severity: Severity) -> Finding {
        Finding {
            at: seen.row.at,
            until: seen.row.at,
            row: seen.number,
            connection: seen.row.connection,
            kind,
            severity,
            facts: Map::new(),
            words: String::new(),
            next: "",
        }
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

    fn tell(&self, start: Instant) -> Value {
        json!({
            "time": told::seconds(self.at, start),
            "until": told::seconds(self.until, start),
            "row": self.row,
            "connection": self.connection,
            "kind": self.kind,
            "severity": match self.severity {
                Severity::Note => "note",
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            "facts": self.facts,
            "words": self.words,
            "next": self.next,
        })
    }
}

/// A row, with what there is to judge it by.
#[derive(Clone, Copy)]
struct Seen<'a> {
    number: u64,
    row: &'a Row,
    connection: Option<&'a Connection>,
    reel: &'a Reel,
    connections: &'a Connections,
}

impl<'a> Seen<'a> {
    fn frame(&self) -> Option<&'a FrameRow> {
        match &self.row.event {
            Event::Frame(frame) => Some(frame),
            _ => None,
        }
    }

    fn segment(&self) -> Option<(&'a FrameRow, &'a TcpRow)> {
        self.frame().and_then(|frame| Some((frame, frame.tcp.as_ref()?)))
    }

    fn call(&self) -> Option<&'a CallRow> {
        match &self.row.event {
            Event::Call(call) => Some(call),
            _ => None,
        }
    }

    fn state(&self) -> Option<&'a StateRow> {
        match &self.row.event {
            Event::State(state) => Some(state),
            _ => None,
        }
    }
}

/// What the rules remember of one connection.
#[derive(Debug, Default)]
struct Watched {
    window: window::Watch,
    open: open::Watch,
    reset: reset::Watch,
    again: again::Watch,
    silence: silence::Watch,
    mtu: mtu::Watch,
    message: message::Watch,
    nagle: nagle::Watch,
}

/// What was found, by number.
#[derive(Debug, Default)]
pub(super) struct List {
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

    /// Counts one more of what `last` leads to, if that was not long ago; otherwise begins a finding. `words` are made from the
    /// count.
    fn count(
        &mut self,
        last: &mut Option<u64>,
        begin: impl FnOnce() -> Finding,
        at: Instant,
        words: impl FnOnce(u64) -> String,
    ) {
        let known = last.and_then(|number| self.get_mut(number)).filter(|it| at.since(it.until) <= SPELL);
        if let Some(known) = known {
            let count = known.facts.get("count").and_then(Value::as_u64).unwrap_or(1) + 1;
            known.facts.insert("count".to_owned(), count.into());
            known.words = words(count);
            known.until = at;
            return;
        }
        let mut finding = begin().with("count", 1);
        finding.words = words(1);
        *last = Some(self.add(finding));
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: List,
    watched: BTreeMap<u32, Watched>,
    hosts: host::Watch,
}

impl Findings {
    /// The number of the first that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.list.first
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u64 {
        self.list.first + self.list.findings.len() as u64
    }

    /// Up to `count` of them from one on, as they are told.
    pub(crate) fn tell(&self, from: u64, count: usize, start: Instant) -> Vec<Value> {
        let skipped = usize::try_from(from.saturating_sub(self.list.first)).unwrap_or(usize::MAX);
        self.list.findings.iter().skip(skipped).take(count).map(|finding| finding.tell(start)).collect()
    }

    /// A row is told.
    pub(crate) fn on_row(&mut self, number: u64, row: &Row, connections: &Connections, reel: &Reel) {
        let connection = row.connection.and_then(|number| connections.get(number));
        let seen = Seen { number, row, connection, reel, connections };
        self.hosts.look(&seen, &mut self.list);
        let Some(connection) = connection else { return };
        let watched = self.watched.entry(connection.number).or_default();
        let list = &mut self.list;
        watched.again.look(&seen, list);
        watched.window.look(&seen, connection, list);
        watched.open.look(&seen, list);
        watched.reset.look(&seen, connection, list);
        watched.silence.look(&seen, connection, list);
        watched.mtu.look(&seen, list);
        watched.message.look(&seen, list);
        watched.nagle.look(&seen, list);
        while self.watched.len() > WATCHED {
            self.watched.pop_first();
        }
    }

    /// Time has gone on: what should have come until now has not.
    pub(crate) fn on_time(&mut self, now: Instant, connections: &Connections) {
        for (number, watched) in &mut self.watched {
            if let Some(connection) = connections.get(*number) {
                watched.silence.wait(now, connection, &mut self.list);
            }
        }
    }
}

/// An end of a connection, for people.
fn end_name(connection: &Connection, end: usize) -> String {
    connection.end(end).address.to_string()
}
