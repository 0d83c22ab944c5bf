//! Capture files over HTTP: `GET /api/recording/r1.pcapng` and `POST /api/recording`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sight::HostIndex;
use super::{Recording, capture};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// The largest file that is opened.
pub(crate) const LARGEST: usize = 256 << 20;

/// How many frames of the recording are not in the file, because they are only counted any more.
const SUMMARISED: HeaderName = HeaderName::from_static("sockeye-summarised");

#[derive(Debug, Deserialize)]
pub(crate) struct Titled {
    title: Option<String>,
}

/// The frames of a recording.
pub(crate) async fn send(State(world): State<Arc<World>>, Path(file): Path<String>) -> Response {
    let Some(name) = file.strip_suffix(".pcapng") else { return not_found(&Trouble::gone("file", &file)) };
    match world.recordings.get(name) {
        Ok(recording) => download(recording, None, file).await,
        Err(trouble) => not_found(&trouble),
    }
}

/// The frames of a recording, or of one of its hosts, as a file to be kept.
pub(crate) async fn download(recording: Arc<Recording>, host: Option<HostIndex>, file: String) -> Response {
    let summarised = recording.summarised();
    let written = tokio::task::spawn_blocking(move || recording.pcapng(host)).await;
    let Ok(Ok(bytes)) = written else {
        let trouble = Trouble::new("fault", "the file could not be written", "please tell us of it");
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": trouble }))).into_response();
    };
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pcapng"));
    headers.insert(SUMMARISED, summarised.into());
    if let Ok(attachment) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
        headers.insert(CONTENT_DISPOSITION, attachment);
    }
    response
}

fn not_found(trouble: &Trouble) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": trouble }))).into_response()
}

/// Opens the body of the request as a recording.
pub(crate) async fn take(
    State(world): State<Arc<World>>,
    Query(Titled { title }): Query<Titled>,
    body: Result<Bytes, BytesRejection>,
) -> Json<Value> {
    let opened = match body {
        Ok(bytes) => {
            let title: String = title.unwrap_or_else(|| "capture".to_owned()).chars().take(200).collect();
            let opened = tokio::task::spawn_blocking(move || capture::open(&world, &title, &bytes)).await;
            opened.unwrap_or_else(|_| {
                Err(Trouble::new("fault", "the file could not be read", "please tell us of it"))
            })
        }
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Trouble::new(
            "too-large",
            format!("the file is larger than {} MiB", LARGEST >> 20),
            "cut a part out of it first, as editcap does",
        )
        .with("most", LARGEST as u64 >> 20)),
        Err(refused) => Err(Trouble::request(refused.to_string())),
    };
    Json(match opened {
        Ok(recording) => json!({ "ok": { "recording": recording.name() } }),
        Err(trouble) => json!({ "error": trouble }),
    })
}
