//! The requests about recordings.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Filter;
use super::peel::peel;
use super::plot::POINTS;
use crate::web::api::{Answer, parameters};
use crate::web::trouble::Trouble;
use crate::web::world::{Entity, World};

#[derive(Debug, Deserialize)]
struct Rows {
    recording: String,
    from: u64,
    count: usize,
    filter: Option<Filter>,
}

#[derive(Debug, Deserialize)]
struct Find {
    recording: String,
    time: f64,
    filter: Option<Filter>,
}

#[derive(Debug, Deserialize)]
struct Moment {
    recording: String,
    /// None: as it is now, or was at the end.
    time: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Numbered {
    recording: String,
    row: u64,
}

#[derive(Debug, Deserialize)]
struct Boundaries {
    recording: String,
    connection: u32,
    direction: usize,
    #[serde(default)]
    from: u64,
    to: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Plot {
    recording: String,
    connection: u32,
    direction: usize,
    plot: String,
    from: Option<f64>,
    to: Option<f64>,
    points: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Part {
    recording: String,
    from: u64,
    count: usize,
}

#[derive(Debug, Deserialize)]
struct Named {
    recording: String,
}

/// Answers `recording.…`; `what` is what stands behind the point.
///
/// # Errors
/// There is no such request or recording, or a parameter makes no sense.
pub(crate) fn answer(world: &Arc<World>, what: &str, asked: Value) -> Answer {
    match what {
        "rows" => {
            let Rows { recording, from, count, filter } = parameters(asked)?;
            let recording = world.recordings.get(&recording)?;
            let (rows, first, count) = recording.range(from, count, &filter.unwrap_or_default());
            Ok(json!({ "rows": rows, "first": first, "count": count }))
        }
        "find" => {
            let Find { recording, time, filter } = parameters(asked)?;
            let recording = world.recordings.get(&recording)?;
            Ok(json!({ "index": recording.place(time, &filter.unwrap_or_default()) }))
        }
        "at" => {
            let Moment { recording, time } = parameters(asked)?;
            Ok(world.recordings.get(&recording)?.at(time))
        }
        "frame" => {
            let Numbered { recording, row } = parameters(asked)?;
            let (bytes, link, length) = world.recordings.get(&recording)?.frame(row)?;
            Ok(json!({ "bytes": STANDARD.encode(&bytes), "layers": peel(&bytes, link, length) }))
        }
        "boundaries" => {
            let Boundaries { recording, connection, direction, from, to } = parameters(asked)?;
            let recording = world.recordings.get(&recording)?;
            recording.boundaries(connection, direction, (from, to.unwrap_or(u64::MAX)))
        }
        "plot" => {
            let Plot { recording, connection, direction, plot, from, to, points } = parameters(asked)?;
            let recording = world.recordings.get(&recording)?;
            recording.plot(connection, direction, &plot, (from, to), points.unwrap_or(POINTS))
        }
        "get" => {
            let Named { recording } = parameters(asked)?;
            Ok(json!({ "recording": world.recordings.get(&recording)?.summary() }))
        }
        "findings" => {
            let Part { recording, from, count } = parameters(asked)?;
            Ok(world.recordings.get(&recording)?.findings(from, count))
        }
        "forget" => {
            let Named { recording } = parameters(asked)?;
            world.recordings.remove(&recording)?;
            Ok(json!({}))
        }
        _ => Err(Trouble::request(format!("there is no request `recording.{what}`"))),
    }
}
