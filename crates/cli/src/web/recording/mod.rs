//! Recordings: everything that happened on one clock, as rows.
//!
//! A recording is fed with what observers have seen ([`Sight`]), live or in virtual time, and tells it in the order of time.

pub(crate) mod ask;
mod at;
mod boundary;
mod capture;
mod connection;
pub(crate) mod file;
mod finding;
mod peel;
mod plot;
mod row;
pub(crate) mod sight;
mod teller;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye_core::time::Instant;
use sockeye_core::wire::LinkType;

pub(crate) use sight::{CableSight, HostIndex, Note, Sample, Sight};

use super::trouble::Trouble;
use super::world::{Entity, Version, World};
use connection::Connection;
use finding::{Findings, Seen};
use row::{FrameRow, Row, Summary, What};
use teller::{Teller, Told};

/// Where a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A LAN in real time.
    Live,
    /// A lesson in virtual time.
    Lesson,
    /// A capture file.
    File,
}

/// A host of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Station {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// What its cable is called, where that is another name.
    #[serde(skip)]
    cable: Option<String>,
}

impl Station {
    /// A host whose addresses are known.
    pub(crate) fn new(name: impl Into<String>, addresses: Vec<IpAddr>) -> Station {
        Station { name: name.into(), addresses, cable: None }
    }

    /// What its cable is called.
    pub(crate) fn cable(&self) -> &str {
        self.cable.as_deref().unwrap_or(&self.name)
    }
}

/// What a recording begins with.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// For people.
    pub(crate) title: String,
    /// Where it comes from.
    pub(crate) kind: Kind,
    /// Who is there; sights name them by their place in this list.
    pub(crate) stations: Vec<Station>,
    /// Time zero of its clock.
    pub(crate) start: Instant,
}

/// Rows that are kept as they are; older ones are counted only.
const ROWS: usize = 100_000;
/// Bytes of memory that these may need.
const BYTES: usize = 96 << 20;
/// So many old rows become one at a time.
const SUMMARISED: usize = 1000;
/// Summaries that are kept.
const SUMMARIES: usize = 20_000;
/// Connections that the summary of a recording lists, the newest.
const LISTED: usize = 200;
/// Rows of one answer.
const MOST: usize = 500;
/// More recordings at a time are not made.
const RECORDINGS: usize = 64;

/// Whether there may be one more recording.
///
/// # Errors
/// There are too many.
pub(crate) fn check_room(world: &World) -> Result<(), Trouble> {
    if world.recordings.all().len() < RECORDINGS {
        return Ok(());
    }
    let words = format!("there are {RECORDINGS} recordings already");
    Err(Trouble::new("too-many-recordings", words, "forget some of them"))
}

/// Which rows a client wants to see.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    /// Those of one connection.
    connection: Option<u32>,
    /// Kinds of rows, and protocols in small letters, that are left out.
    hide: Vec<String>,
}

impl Filter {
    fn passes(&self, row: &Row) -> bool {
        let protocol = match &row.what {
            What::Frame(frame) => frame.protocol.to_lowercase(),
            other => other.kind().to_owned(),
        };
        let is_hidden = |name: &String| *name == protocol || name == row.what.kind();
        // A remark is about all of them.
        let is_ours = self.connection.is_none_or(|wanted| {
            row.what.connection() == Some(wanted) || matches!(row.what, What::Note { .. } | What::Summary(_))
        });
        is_ours && !self.hide.iter().any(is_hidden)
    }

    fn is_all(&self) -> bool {
        *self == Filter::default()
    }
}

/// See the module.
pub(crate) struct Recording {
    name: String,
    version: Version,
    opening: Opening,
    inner: Mutex<Inner>,
    /// Told when something is seen after a while in which nothing was.
    seen: Condvar,
}

struct Inner {
    teller: Teller,
    /// What has become of the oldest rows.
    summaries: VecDeque<Row>,
    /// The rows as they are, with consecutive numbers.
    rows: VecDeque<Row>,
    /// The number of the next row.
    next: u64,
    /// Bytes of memory of `rows`.
    weight: usize,
    summarised: u64,
    findings: Findings,
    lesson: Option<Value>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Recording {
    /// A recording in which nothing has happened yet.
    pub(crate) fn new(name: String, version: Version, opening: Opening) -> Recording {
        let inner = Inner {
            teller: Teller::new(opening.start, opening.stations.clone()),
            summaries: VecDeque::new(),
            rows: VecDeque::new(),
            next: 0,
            weight: 0,
            summarised: 0,
            findings: Findings::default(),
            lesson: None,
        };
        Recording { name, version, opening, inner: Mutex::new(inner), seen: Condvar::new() }
    }

    /// `r1`, `r2`, …
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The place of the host at a cable; one that was not there before is added.
    pub(crate) fn station(&self, cable: &str) -> HostIndex {
        let mut inner = self.inner.lock();
        let stations = &mut inner.teller.stations;
        if let Some(known) = stations.iter().position(|station| station.cable() == cable) {
            return known;
        }
        let addresses = Vec::new();
        stations.push(Station { name: cable.to_owned(), addresses, cable: Some(cable.to_owned()) });
        stations.len() - 1
    }

    /// Says what a host is called, and which addresses it has besides those that it has shown.
    pub(crate) fn introduce(&self, host: HostIndex, name: &str, addresses: &[IpAddr]) {
        if let Some(station) = self.inner.lock().teller.stations.get_mut(host) {
            name.clone_into(&mut station.name);
            let new = addresses.iter().filter(|address| !station.addresses.contains(address));
            let new: Vec<IpAddr> = new.copied().collect();
            station.addresses.extend(new);
        }
        self.version.touch();
    }

    /// All hosts.
    pub(crate) fn stations(&self) -> Vec<Station> {
        self.inner.lock().teller.stations.clone()
    }

    /// Takes in what an observer has seen. Observers of different hosts may be a little apart in time; those of cables come in
    /// the order in which the LAN has told of them.
    pub(crate) fn on_sight(&self, sight: Sight) {
        self.inner.lock().teller.on_sight(sight);
        self.seen.notify_one();
    }

    /// Waits until something waits to be told, but no longer than `patience`.
    pub(crate) fn wait_for_sights(&self, patience: std::time::Duration) {
        let mut inner = self.inner.lock();
        if !inner.teller.is_waiting() {
            self.seen.wait_for(&mut inner, patience);
        }
    }

    /// Tells what can be told at `now`: everything that no observer can have more to say about.
    pub(crate) fn advance(&self, now: Instant) {
        let mut inner = self.inner.lock();
        let before = inner.next;
        while let Some(told) = {
            let row = inner.next;
            inner.teller.poll(now, row)
        } {
            inner.push(told, self.opening.kind);
        }
        let has_more = inner.next != before;
        drop(inner);
        if has_more {
            self.version.touch();
        }
    }

    /// Whether a connection is known that is not closed at both ends.
    pub(crate) fn has_open_connections(&self) -> bool {
        self.inner.lock().teller.connections.values().any(|connection| connection.to.is_none())
    }

    /// Whether something waits to be told.
    pub(crate) fn is_waiting(&self) -> bool {
        self.inner.lock().teller.is_waiting()
    }

    /// Tells all the rest: nothing more comes.
    pub(crate) fn finish(&self) {
        self.advance(Instant::MAX);
        let mut inner = self.inner.lock();
        let end = inner.rows.back().map_or(0.0, |row| row.time);
        let Inner { findings, teller, .. } = &mut *inner;
        findings.finish(end, &teller.connections);
        drop(inner);
        self.version.touch();
    }

    /// Says which lesson this is: the member `lesson` of the summary.
    pub(crate) fn set_lesson(&self, lesson: Value) {
        self.inner.lock().lesson = Some(lesson);
        self.version.touch();
    }

    /// Rows from one on, as `docs/web-api.md` describes them.
    pub(crate) fn rows(&self, from: u64, count: usize) -> Vec<Value> {
        self.range(from, count, &Filter::default()).0
    }

    /// Rows that pass a filter: from a row number on without one, otherwise from the how manieth that passes; with where they
    /// begin, and how many there are.
    fn range(&self, from: u64, count: usize, filter: &Filter) -> (Vec<Value>, u64, u64) {
        let inner = self.inner.lock();
        let count = count.min(MOST);
        let value = |row: &Row| serde_json::to_value(row).unwrap_or(Value::Null);
        if filter.is_all() {
            let first = inner.first();
            let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
            let rows = inner.all().skip(skip).take(count).map(|row| value(&row)).collect();
            return (rows, first, inner.next - first);
        }
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let (mut rows, mut passed) = (Vec::new(), 0);
        for row in inner.all().filter(|row| filter.passes(row)) {
            if passed >= skip && rows.len() < count {
                rows.push(value(&row));
            }
            passed += 1;
        }
        (rows, 0, passed as u64)
    }

    /// The place of the first row at or after a time, among those that pass the filter.
    fn place(&self, time: f64, filter: &Filter) -> u64 {
        let inner = self.inner.lock();
        let passing = inner.all().filter(|row| filter.passes(row));
        let before = passing.take_while(|row| row.time < time).count() as u64;
        if filter.is_all() { inner.first() + before } else { before }
    }

    /// The frame of a row, what it begins with, and how many bytes it had: a capture need not have kept all of them.
    ///
    /// # Errors
    /// There is no such row, or it is no frame, or it is only counted any more.
    pub(crate) fn frame(&self, row: u64) -> Result<(Vec<u8>, LinkType, usize), Trouble> {
        let inner = self.inner.lock();
        let kept = inner.rows.front().map_or(inner.next, |row| row.row);
        if row >= inner.next {
            return Err(Trouble::gone("row", &row.to_string()));
        }
        let place = row.checked_sub(kept).and_then(|place| usize::try_from(place).ok());
        let Some(found) = place.and_then(|place| inner.rows.get(place)) else {
            let words = "this frame is only counted any more: newer ones have taken its place";
            return Err(Trouble::new(
                "summarised",
                words,
                "look at newer ones, or record for a shorter time",
            ));
        };
        match &found.what {
            What::Frame(frame) => Ok((frame.bytes.clone(), frame.link, frame.length)),
            _ => Err(Trouble::request(format!("row {row} is no frame"))),
        }
    }

    /// What was found, from a number on: the member `findings`.
    pub(crate) fn findings(&self, from: u64, count: usize) -> Value {
        json!({ "findings": self.inner.lock().findings.tell(from, count.min(MOST)) })
    }

    /// What was handed over, sent and taken of a connection, on one axis of bytes: those from `from` up to `to` that its end
    /// `direction` sends.
    ///
    /// # Errors
    /// There is no such connection or direction.
    pub(crate) fn boundaries(
        &self,
        connection: u32,
        direction: usize,
        range: (u64, u64),
    ) -> Result<Value, Trouble> {
        let inner = self.inner.lock();
        let connection = inner.connection(connection, direction)?;
        Ok(boundary::tell(connection, direction, range, |at| inner.teller.seconds(at)))
    }

    /// A plot of a connection, by its name; `span` in seconds, or from the beginning to the end.
    ///
    /// # Errors
    /// There is no such connection, direction or plot.
    pub(crate) fn plot(
        &self,
        connection: u32,
        direction: usize,
        name: &str,
        (from, to): (Option<f64>, Option<f64>),
        points: usize,
    ) -> Result<Value, Trouble> {
        let inner = self.inner.lock();
        let connection = inner.connection(connection, direction)?;
        let end = inner.rows.back().map_or(0.0, |row| row.time);
        let from = from.map_or(connection.from, |from| inner.teller.moment(from));
        let span = (from, inner.teller.moment(to.unwrap_or(end)).max(from));
        let wanted = plot::Wanted { connection, direction, span, points, start: self.opening.start };
        wanted.plot(name).ok_or_else(|| Trouble::request(format!("there is no plot `{name}`")))
    }

    /// How many frames are only counted any more.
    pub(crate) fn summarised(&self) -> u64 {
        self.inner.lock().summarised
    }
}

impl Inner {
    fn connection(&self, number: u32, direction: usize) -> Result<&Connection, Trouble> {
        if direction > 1 {
            return Err(Trouble::request("`direction` is 0 (from the first end) or 1"));
        }
        let known = self.teller.connections.get(&number);
        known.ok_or_else(|| Trouble::gone("connection", &number.to_string()))
    }

    /// The number of the oldest row there is: summaries stand right before the rows that are kept.
    fn first(&self) -> u64 {
        let oldest = self.rows.front().map_or(self.next, |row| row.row);
        oldest - (self.summaries.len() as u64).min(oldest)
    }

    /// All rows in order, with their numbers.
    fn all(&self) -> impl Iterator<Item = Cow<'_, Row>> {
        let first = self.first();
        let old = self.summaries.iter().zip(first..);
        let old = old.map(|(row, number)| Cow::Owned(Row { row: number, ..row.clone() }));
        old.chain(self.rows.iter().map(Cow::Borrowed))
    }

    fn push(&mut self, Told { at, what }: Told, kind: Kind) {
        let row = Row { row: self.next, time: self.teller.seconds(at), what };
        let first = match &row.what {
            What::Frame(frame) => frame.first.and_then(|first| frame_in(&self.rows, first)),
            _ => None,
        };
        let Teller { connections, stations, .. } = &self.teller;
        self.findings.on_row(&Seen { row: &row, kind, first, connections, stations });
        self.next += 1;
        self.weight += row.what.weight();
        self.rows.push_back(row);
        while self.rows.len() > ROWS + SUMMARISED || (self.weight > BYTES && self.rows.len() > SUMMARISED) {
            self.summarise();
        }
    }

    /// Counts the oldest rows in the place of keeping them.
    fn summarise(&mut self) {
        let mut summary = Summary::default();
        let mut time = None;
        for row in self.rows.drain(..SUMMARISED.min(self.rows.len())) {
            self.weight = self.weight.saturating_sub(row.what.weight());
            time.get_or_insert(row.time);
            summary.until = row.time;
            if let What::Frame(frame) = &row.what {
                summary.frames += 1;
                summary.lost += u64::from(frame.lost.is_some());
                summary.again += u64::from(frame.first.is_some());
                summary.bytes += frame.length as u64;
            }
        }
        self.summarised += summary.frames;
        self.summaries.push_back(Row {
            row: 0,
            time: time.unwrap_or_default(),
            what: What::Summary(summary),
        });
        if self.summaries.len() > SUMMARIES {
            self.summaries.pop_front();
        }
    }
}

/// The frame of a row, if it is kept.
fn frame_in(rows: &VecDeque<Row>, row: u64) -> Option<&FrameRow> {
    let place = usize::try_from(row.checked_sub(rows.front()?.row)?).ok()?;
    match &rows.get(place)?.what {
        What::Frame(frame) => Some(frame),
        _ => None,
    }
}

impl Entity for Recording {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let inner = self.inner.lock();
        let first = inner.first();
        let connections = inner.teller.connections.values().rev().take(LISTED);
        let connections: Vec<Value> =
            connections.map(|connection| connection.summary(|at| inner.teller.seconds(at))).collect();
        let end = |row: Option<&Row>| row.map(|row| row.time);
        json!({
            "recording": self.name,
            "title": self.opening.title,
            "kind": self.opening.kind,
            "hosts": inner.teller.stations,
            "connections": connections,
            "first": first,
            "rows": inner.next - first,
            "from": end(inner.summaries.front().or(inner.rows.front())),
            "to": end(inner.rows.back()),
            "summarised": inner.summarised,
            "findings": inner.findings.count(),
            "lesson": inner.lesson,
        })
    }
}

#[cfg(test)]
mod tests;
