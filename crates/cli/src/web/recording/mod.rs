//! Recordings: everything that happened on one clock, as rows.
//!
//! A recording is fed with what observers have seen ([`Sight`]), live or in virtual time. [`tape`] puts it in the order of time and
//! joins what belongs together, [`reel`] keeps the rows, and the other files are views of them: how everything stood at a moment
//! ([`at`]), a frame peeled layer by layer, sends and segments and receives on one axis, plots, and what it all means ([`finding`]).

mod at;
mod boundary;
mod cable;
mod capture;
mod connection;
mod finding;
mod peel;
mod plot;
mod reel;
mod request;
mod row;
mod sight;
mod tape;
#[cfg(test)]
mod tests;
mod told;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use sockeye_core::time::{Duration, Instant};

pub(crate) use request::{answer, download, upload};
pub(crate) use sight::{CableSight, HostIndex, Note, Sample, Sight};

use super::api::Answer;
use super::trouble::Trouble;
use super::world::{Entity, Version, World};
use connection::Connection;
use row::{Event, FrameRow, Row};
use tape::Tape;

/// Rows and findings that one answer has at most.
const ANSWERED: usize = 500;
/// Recordings that there are at once.
const RECORDINGS: usize = 32;
/// 2 MSL, as the stack has it unless it is told otherwise.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// Where a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A LAN in real time.
    Live,
    /// A lesson in virtual time.
    #[cfg_attr(not(test), expect(dead_code, reason = "lessons are of this kind"))]
    Lesson,
    /// A capture file.
    File,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Live => "live",
            Kind::Lesson => "lesson",
            Kind::File => "file",
        }
    }
}

/// A host of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Station {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses.
    pub(crate) addresses: Vec<std::net::IpAddr>,
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

/// Whether one more recording may be made. A long one takes more than a hundred megabytes, and stays until it is forgotten.
///
/// # Errors
/// There are too many.
pub(crate) fn check_room(world: &World) -> Result<(), Trouble> {
    if world.recordings.all().len() < RECORDINGS {
        return Ok(());
    }
    let words = format!("there are {RECORDINGS} recordings already");
    Err(Trouble::new("too-many", words, "forget one that is not needed any more"))
}

/// What a client wants to see of the rows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    /// Those of one connection.
    connection: Option<u32>,
    /// None of these kinds.
    hide: Vec<String>,
}

impl Filter {
    fn passes(&self, row: &Row) -> bool {
        self.connection.is_none_or(|wanted| row.connection == Some(wanted))
            && !self.hide.iter().any(|kind| kind == row.event.kind())
    }

    /// Whether it lets everything pass.
    fn is_open(&self) -> bool {
        self.connection.is_none() && self.hide.is_empty()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Recording {
    name: String,
    version: Version,
    tape: Mutex<Tape>,
    /// The member `lesson` of the summary.
    lesson: Mutex<Option<Value>>,
    time_wait: Mutex<Duration>,
}

impl Recording {
    /// A recording in which nothing has happened yet.
    pub(crate) fn new(name: String, version: Version, opening: Opening) -> Recording {
        let (tape, lesson) = (Mutex::new(Tape::new(opening)), Mutex::new(None));
        Recording { name, version, tape, lesson, time_wait: Mutex::new(TIME_WAIT) }
    }

    /// `r1`, `r2`, …
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A host that was not there at the beginning: its place in the list. The place of one that is there already by its name; none
    /// where there are too many.
    pub(crate) fn station(&self, station: Station) -> Option<HostIndex> {
        let index = self.tape.lock().station(station);
        self.version.touch();
        index
    }

    /// Takes in what an observer has seen. Observers of different hosts may be a little apart in time; those of cables come in
    /// the order in which the LAN has told of them.
    pub(crate) fn on_sight(&self, sight: Sight) {
        self.tape.lock().on_sight(sight);
    }

    /// Tells what can be told at `now`: everything that no observer can have more to say about.
    pub(crate) fn advance(&self, now: Instant) {
        if self.tape.lock().advance(now) {
            self.version.touch();
        }
    }

    /// Tells all the rest: nothing more comes.
    pub(crate) fn finish(&self) {
        self.advance(Instant::MAX);
    }

    /// Whether it is a capture file.
    fn is_file(&self) -> bool {
        self.tape.lock().opening.kind == Kind::File
    }

    /// Takes in the frames of a capture file.
    fn take_frames(&self, frames: Vec<(Instant, FrameRow)>) {
        let mut tape = self.tape.lock();
        for (at, frame) in frames {
            tape.on_captured(at, frame);
        }
    }

    /// A remark behind everything that was seen so far.
    fn remark(&self, note: &'static str, words: &str) {
        let mut tape = self.tape.lock();
        let at = tape.newest() + Duration::from_nanos(1);
        let note = Note { at, note, words: words.to_owned(), facts: serde_json::Map::new() };
        tape.on_sight(Sight::Note(note));
    }

    /// Says which lesson this is: the member `lesson` of the summary.
    #[expect(dead_code, reason = "lessons say it")]
    pub(crate) fn set_lesson(&self, lesson: Value) {
        *self.lesson.lock() = Some(lesson);
        self.version.touch();
    }

    /// How long TIME-WAIT lasts at its hosts, where that is not a minute.
    #[expect(dead_code, reason = "lessons say it")]
    pub(crate) fn set_time_wait(&self, time_wait: Duration) {
        *self.time_wait.lock() = time_wait;
    }

    /// The number of the first row at or after a moment of its clock.
    #[expect(dead_code, reason = "lessons ask for it")]
    pub(crate) fn row_at(&self, at: Instant) -> u64 {
        self.tape.lock().reel.find(at)
    }

    /// The hosts that have connections which are not over.
    pub(crate) fn busy_hosts(&self) -> Vec<(HostIndex, String)> {
        let tape = self.tape.lock();
        let open = tape.connections.iter().filter(|connection| connection.to.is_none());
        let hosts: std::collections::BTreeSet<HostIndex> =
            open.flat_map(|connection| &connection.ends).filter_map(|end| end.host).collect();
        let stations = &tape.opening.stations;
        hosts.into_iter().filter_map(|host| Some((host, stations.get(host)?.name.clone()))).collect()
    }

    /// `recording.rows`
    pub(crate) fn rows(&self, from: u64, count: usize, filter: &Filter) -> Value {
        let (tape, count) = (self.tape.lock(), count.min(ANSWERED));
        let (reel, start) = (&tape.reel, tape.opening.start);
        if filter.is_open() {
            let rows = reel.tell(from, count, start);
            return json!({ "rows": rows, "first": reel.first(), "count": reel.end() - reel.first() });
        }
        let mut passed: u64 = 0;
        let mut rows = Vec::new();
        for (number, row) in reel.iter().filter(|(_, row)| filter.passes(row)) {
            if passed >= from && rows.len() < count {
                rows.push(row.tell(number, start));
            }
            passed += 1;
        }
        json!({ "rows": rows, "first": 0, "count": passed })
    }

    /// `recording.find`
    pub(crate) fn find(&self, seconds: f64, filter: &Filter) -> Value {
        let tape = self.tape.lock();
        let at = told::instant(seconds, tape.opening.start);
        if filter.is_open() {
            return json!({ "index": tape.reel.find(at) });
        }
        let passing = tape.reel.iter().filter(|(_, row)| filter.passes(row));
        json!({ "index": passing.take_while(|(_, row)| row.at < at).count() })
    }

    /// `recording.at`
    pub(crate) fn at(&self, seconds: f64) -> Value {
        let tape = self.tape.lock();
        let start = tape.opening.start;
        let at = told::instant(seconds, start);
        let mut then = tape.then.clone();
        let mut last = None;
        for (number, row) in tape.reel.iter().take_while(|(_, row)| row.at <= at) {
            then.apply(row);
            last = Some(number);
        }
        let (connections, listeners) = then.tell(&tape.connections, at, (start, *self.time_wait.lock()));
        json!({ "time": seconds, "row": last, "connections": connections, "listeners": listeners })
    }

    /// `recording.frame`
    ///
    /// # Errors
    /// The row is no frame, or is not there in full any more.
    pub(crate) fn frame(&self, number: u64) -> Answer {
        let tape = self.tape.lock();
        let Some(row) = tape.reel.get(number) else {
            let words = format!("row {number} is only counted any more");
            return Err(
                Trouble::new("summarised", words, "newer frames can be looked into").with("row", number)
            );
        };
        let Event::Frame(frame) = &row.event else {
            return Err(Trouble::request(format!("row {number} is no frame")));
        };
        let bytes = BASE64.encode(&frame.bytes);
        Ok(json!({ "row": number, "bytes": bytes, "layers": peel::peel(&frame.bytes, frame.link) }))
    }

    /// `recording.boundaries`
    ///
    /// # Errors
    /// There is no such connection.
    pub(crate) fn boundaries(&self, connection: u32, direction: usize, range: (u64, u64)) -> Answer {
        let tape = self.tape.lock();
        let connection = self.connection(&tape, connection)?;
        Ok(boundary::tell(&tape.reel, connection, direction.min(1), range, tape.opening.start))
    }

    /// `recording.plot`
    ///
    /// # Errors
    /// There is no such connection, or no such plot.
    pub(crate) fn plot(
        &self,
        connection: u32,
        plot: &str,
        direction: usize,
        (from, to): (Option<f64>, Option<f64>),
        points: usize,
    ) -> Answer {
        let tape = self.tape.lock();
        let (reel, start) = (&tape.reel, tape.opening.start);
        let connection = self.connection(&tape, connection)?;
        let from = from.map_or(connection.from, |from| told::instant(from, start));
        let to = to.map_or(connection.to.unwrap_or(tape.until), |to| told::instant(to, start));
        let points = points.clamp(1, plot::POINTS);
        let wanted = plot::Wanted { direction: direction.min(1), span: (from, to.max(from)), points, start };
        match plot {
            "sequence" => Ok(plot::sequence(reel, connection, &wanted)),
            "window" => Ok(plot::window(reel, connection, &wanted)),
            "rtt" => Ok(plot::rtt(reel, connection, &wanted)),
            "throughput" => Ok(plot::throughput(reel, connection, &wanted)),
            "queues" => Ok(plot::queues(connection, &wanted)),
            _ => Err(Trouble::request(format!("there is no plot `{plot}`"))),
        }
    }

    fn connection<'a>(&self, tape: &'a Tape, number: u32) -> Result<&'a Connection, Trouble> {
        let gone = || Trouble::gone("connection", &format!("{number} of {}", self.name));
        tape.connections.get(number).ok_or_else(gone)
    }

    /// `recording.findings`
    pub(crate) fn findings(&self, from: u64, count: usize) -> Value {
        let tape = self.tape.lock();
        let findings = tape.findings.tell(from, count.min(ANSWERED), tape.opening.start);
        json!({ "findings": findings, "first": tape.findings.first(), "count": tape.findings.count() })
    }
}

impl Entity for Recording {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let tape = self.tape.lock();
        let (opening, reel) = (&tape.opening, &tape.reel);
        let hosts = opening.stations.iter();
        let mut summary = json!({
            "recording": self.name,
            "title": opening.title,
            "kind": opening.kind.name(),
            "hosts": hosts.map(|it| json!({ "name": it.name, "addresses": it.addresses })).collect::<Vec<_>>(),
            "connections": tape.connections.tell(opening.start),
            "first": reel.first(),
            "whole": reel.first_whole(),
            "rows": reel.end() - reel.first(),
            "version": tape.revision,
            "from": 0.0,
            "to": told::seconds(tape.until, opening.start),
            "summarised": reel.summarised(),
            "findings": tape.findings.count(),
        });
        if let (Some(summary), Some(lesson)) = (summary.as_object_mut(), &*self.lesson.lock()) {
            summary.insert("lesson".to_owned(), lesson.clone());
        }
        summary
    }
}
