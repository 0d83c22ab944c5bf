//! The requests of `docs/web-api.md`, over HTTP and over the WebSocket alike.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::guard::{self, Guard};
use super::trouble::Trouble;
use super::world::World;
use super::{assistant, lan, lesson, live, page, recording};

/// What a request is answered with.
pub(crate) type Answer = Result<Value, Trouble>;

/// One request.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// The client's own number for it.
    id: Option<u64>,
    #[serde(rename = "do")]
    what: String,
    #[serde(flatten)]
    parameters: Value,
}

/// All paths, guarded.
pub(crate) fn router(world: Arc<World>, guard: Arc<Guard>) -> Router {
    Router::new()
        .route("/api/do", post(over_http).layer(DefaultBodyLimit::max(live::LONGEST)))
        .route("/api/live", get(live::upgrade))
        .route("/api/session/{session}/file", post(assistant::file::send))
        .route("/api/session/{session}/{file}", get(assistant::download::send))
        .route("/api/recording", post(recording::file::take))
        .route("/api/recording/{file}", get(recording::file::send))
        .fallback(get(page::file))
        .layer(from_fn_with_state(guard, guard::check))
        .with_state(world)
}

async fn over_http(State(world): State<Arc<World>>, Json(asked): Json<Asked>) -> Json<Value> {
    Json(answer(&world, asked).await)
}

/// The answer to a request, as it is sent.
pub(crate) async fn answer(world: &Arc<World>, asked: Asked) -> Value {
    let mut answer = match dispatch(world, &asked.what, asked.parameters).await {
        Ok(value) => json!({ "ok": value }),
        Err(trouble) => json!({ "error": trouble }),
    };
    if let (Some(id), Some(answer)) = (asked.id, answer.as_object_mut()) {
        answer.insert("id".to_owned(), id.into());
    }
    answer
}

async fn dispatch(world: &Arc<World>, what: &str, parameters: Value) -> Answer {
    match what.split_once('.') {
        Some(("recording", what)) => recording::ask::answer(world, what, parameters),
        Some(("lan", what)) => lan::ask::answer(world, what, parameters),
        Some(("lesson", what)) => lesson::ask::answer(world, what, parameters).await,
        Some(("session", what)) => assistant::api::session(world, what, parameters).await,
        Some(("log", what)) => assistant::api::log(world, what, parameters).await,
        Some(("project", what)) => assistant::api::project(world, what, parameters),
        _ => Err(Trouble::request(format!("there is no request `{what}`"))),
    }
}

/// The parameters of a request as a type of ours.
///
/// # Errors
/// Which one is missing or makes no sense.
pub(crate) fn parameters<T: DeserializeOwned>(parameters: Value) -> Result<T, Trouble> {
    serde_json::from_value(parameters).map_err(|error| Trouble::request(error.to_string()))
}
