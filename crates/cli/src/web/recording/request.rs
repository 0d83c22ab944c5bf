//! The requests about recordings.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Filter, capture};
use crate::web::api::{Answer, parameters};
use crate::web::trouble::Trouble;
use crate::web::world::World;

#[derive(Deserialize)]
struct Which {
    recording: String,
}

#[derive(Deserialize)]
struct Range {
    recording: String,
    #[serde(default)]
    from: u64,
    count: usize,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
struct Moment {
    recording: String,
    time: f64,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
struct Numbered {
    recording: String,
    row: u64,
}

#[derive(Deserialize)]
struct Boundaries {
    recording: String,
    connection: u32,
    #[serde(default)]
    direction: usize,
    #[serde(default)]
    from: u64,
    to: Option<u64>,
}

#[derive(Deserialize)]
struct Plot {
    recording: String,
    connection: u32,
    #[serde(default)]
    direction: usize,
    plot: String,
    from: Option<f64>,
    to: Option<f64>,
    #[serde(default = "points")]
    points: usize,
}

fn points() -> usize {
    1000
}

/// Answers `recording.…`.
///
/// # Errors
/// What is wrong with the request.
pub(crate) fn answer(world: &Arc<World>, what: &str, given: Value) -> Answer {
    match what {
        "rows" => {
            let Range { recording, from, count, filter } = parameters(given)?;
            Ok(world.recordings.get(&recording)?.rows(from, count, &filter.unwrap_or_default()))
        }
        "find" => {
            let Moment { recording, time, filter } = parameters(given)?;
            Ok(world.recordings.get(&recording)?.find(time, &filter.unwrap_or_default()))
        }
        "at" => {
            let Moment { recording, time, .. } = parameters(given)?;
            Ok(world.recordings.get(&recording)?.at(time))
        }
        "findings" => {
            let Range { recording, from, count, .. } = parameters(given)?;
            Ok(world.recordings.get(&recording)?.findings(from, count))
        }
        "frame" => {
            let Numbered { recording, row } = parameters(given)?;
            world.recordings.get(&recording)?.frame(row)
        }
        "boundaries" => {
            let Boundaries { recording, connection, direction, from, to } = parameters(given)?;
            let range = (from, to.unwrap_or(u64::MAX));
            world.recordings.get(&recording)?.boundaries(connection, direction, range)
        }
        "plot" => {
            let Plot { recording, connection, direction, plot, from, to, points } = parameters(given)?;
            world.recordings.get(&recording)?.plot(connection, &plot, direction, (from, to), points)
        }
        "forget" => {
            let which: Which = parameters(given)?;
            let lan = world.lans.all().into_iter().find(|lan| lan.recording() == which.recording);
            if let Some(lan) = lan {
                let words = "a LAN goes on in this recording";
                return Err(Trouble::new("in-use", words, "close the LAN first").with("lan", lan.name()));
            }
            world.recordings.remove(&which.recording)?;
            Ok(json!({}))
        }
        _ => Err(Trouble::request(format!("there is no request `recording.{what}`"))),
    }
}

/// What goes with an upload.
#[derive(Deserialize)]
pub(crate) struct Upload {
    title: Option<String>,
}

/// `GET /api/recording/r1.pcapng`
pub(crate) async fn download(State(world): State<Arc<World>>, Path(file): Path<String>) -> Response {
    let made = async {
        let name = file.strip_suffix(".pcapng").ok_or_else(|| Trouble::gone("file", &file))?;
        let recording = world.recordings.get(name)?;
        let made = tokio::task::spawn_blocking(move || recording.pcapng()).await;
        let made = made.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        made.map_err(|error| Trouble::system("cannot make the capture", &error))
    };
    match made.await {
        Ok(bytes) => {
            let headers = [
                (CONTENT_TYPE, "application/x-pcapng".to_owned()),
                // The name is one of ours: a letter and digits.
                (CONTENT_DISPOSITION, format!("attachment; filename=\"sockeye-{file}\"")),
            ];
            (headers, bytes).into_response()
        }
        Err(trouble) => (StatusCode::NOT_FOUND, Json(json!({ "error": trouble }))).into_response(),
    }
}

/// `POST /api/recording?title=…`
pub(crate) async fn upload(
    State(world): State<Arc<World>>,
    Query(given): Query<Upload>,
    file: Bytes,
) -> Response {
    let title = given.title.unwrap_or_else(|| "capture".to_owned());
    let opened = tokio::task::spawn_blocking(move || capture::open(&world, &title, &file)).await;
    let opened = opened.unwrap_or_else(|error| Err(Trouble::new("io", error.to_string(), "try again")));
    match opened {
        Ok(recording) => Json(json!({ "ok": { "recording": recording.name() } })).into_response(),
        Err(trouble) => (StatusCode::BAD_REQUEST, Json(json!({ "error": trouble }))).into_response(),
    }
}
