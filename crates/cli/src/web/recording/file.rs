//! Capture files over HTTP: `GET /api/recording/r1.pcapng` and `POST /api/recording`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::sight::HostIndex;
use super::{Recording, capture};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// The largest file that is opened.
const LARGEST: usize = 256 << 20;

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

/// All bytes of a file. One that is too large is read to its end all the same, and kept nowhere: a browser that is still sending does not
/// read the answer.
async fn collect(body: Body) -> Result<Vec<u8>, Trouble> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| Trouble::request(format!("the file did not come whole: {error}")))?;
        length = length.saturating_add(piece.len());
        if length <= LARGEST {
            bytes.extend_from_slice(&piece);
        } else {
            bytes = Vec::new();
        }
    }
    if length <= LARGEST {
        return Ok(bytes);
    }
    let most = LARGEST as u64 >> 20;
    let words = format!("the file is larger than {most} MiB");
    Err(Trouble::new("too-large", words, "cut a part out of it first, as editcap does").with("most", most))
}

/// Opens the body of the request as a recording.
pub(crate) async fn take(
    State(world): State<Arc<World>>,
    Query(Titled { title }): Query<Titled>,
    body: Body,
) -> Json<Value> {
    let opened = match collect(body).await {
        Ok(bytes) => {
            let title: String = title.unwrap_or_else(|| "capture".to_owned()).chars().take(200).collect();
            let opened = tokio::task::spawn_blocking(move || capture::open(&world, &title, &bytes)).await;
            opened.unwrap_or_else(|_| {
                Err(Trouble::new("fault", "the file could not be read", "please tell us of it"))
            })
        }
        Err(trouble) => Err(trouble),
    };
    Json(match opened {
        Ok(recording) => json!({ "ok": { "recording": recording.name() } }),
        Err(trouble) => json!({ "error": trouble }),
    })
}
