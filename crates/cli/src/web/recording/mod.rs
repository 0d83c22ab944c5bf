//! Recordings: everything that happened on one clock, as rows.
//!
//! A recording is fed with what observers have seen ([`Sight`]), live or in virtual time, and tells it in the order of time.

#![allow(dead_code, reason = "half of it is used by lessons only")]

mod sight;

use parking_lot::Mutex;
use serde_json::{Value, json};
use sockeye_core::time::Instant;

pub(crate) use sight::{CableSight, HostIndex, Note, Sample, Sight};

use super::world::{Entity, Version};

/// Where a recording comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A LAN in real time.
    Live,
    /// A lesson in virtual time.
    Lesson,
    /// A capture file.
    File,
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

/// See the module.
#[derive(Debug)]
pub(crate) struct Recording {
    name: String,
    version: Version,
    opening: Opening,
    inner: Mutex<Vec<Sight>>,
}

impl Recording {
    /// A recording in which nothing has happened yet.
    pub(crate) fn new(name: String, version: Version, opening: Opening) -> Recording {
        Recording { name, version, opening, inner: Mutex::new(Vec::new()) }
    }

    /// `r1`, `r2`, …
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in what an observer has seen. Observers of different hosts may be a little apart in time; those of cables come in
    /// the order in which the LAN has told of them.
    pub(crate) fn on_sight(&self, sight: Sight) {
        self.inner.lock().push(sight);
    }

    /// Tells what can be told at `now`: everything that no observer can have more to say about.
    pub(crate) fn advance(&self, now: Instant) {
        let _ = now;
        self.version.touch();
    }

    /// Tells all the rest: nothing more comes.
    pub(crate) fn finish(&self) {
        self.advance(Instant::MAX);
    }

    /// Says which lesson this is: the member `lesson` of the summary.
    pub(crate) fn set_lesson(&self, lesson: Value) {
        let _ = lesson;
        self.version.touch();
    }

    /// Rows from one on, as `docs/web-api.md` describes them.
    pub(crate) fn rows(&self, from: u64, count: usize) -> Vec<Value> {
        let _ = (from, count);
        Vec::new()
    }
}

impl Entity for Recording {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        json!({ "recording": self.name, "title": self.opening.title })
    }
}
