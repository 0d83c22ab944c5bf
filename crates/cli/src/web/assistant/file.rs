//! Sending a file: `POST /api/session/s1/file`.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::deliver::{Delivered, Patience, Targets, deliver};
use super::entry::Side;
use super::opening::SessionKind;
use super::session::Session;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// What one `send()` is given, unless it is said.
const CHUNK: usize = 16 << 10;
/// The same of UDP: what fits into a frame.
const DATAGRAM: usize = 1400;

/// A file on its way.
#[derive(Debug)]
pub(crate) struct Transfer {
    name: String,
    size: Option<u64>,
    sent: u64,
    stop: watch::Sender<bool>,
}

impl Transfer {
    /// As the API writes it.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "name": self.name, "size": self.size, "sent": self.sent })
    }

    /// It shall go no further.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// The parameters in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    #[serde(default)]
    name: String,
    /// `all`, an address, or peers with commas between them.
    to: Option<String>,
    #[serde(default)]
    side: Side,
    /// Bytes given to one `send()`.
    chunk: Option<usize>,
}

/// Sends the body of the request as it comes: whoever sends it is read no faster than the peers read.
pub(crate) async fn send(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
    body: Body,
) -> Json<Value> {
    let size = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut stream = body.into_data_stream();
    let sent = match world.sessions.get(&name) {
        Ok(session) => transfer(&world, &session, query, size, &mut stream).await,
        Err(trouble) => Err(trouble),
    };
    // What is left of it is read all the same: a connection that is closed with bytes unread is reset, and a browser that
    // sees that sends the file once more.
    while let Some(Ok(_)) = stream.next().await {}
    Json(match sent {
        Ok(delivered) => json!({ "ok": delivered.to_json() }),
        Err(trouble) => json!({ "error": trouble }),
    })
}

async fn transfer(
    world: &Arc<World>,
    session: &Arc<Session>,
    query: FileQuery,
    size: Option<u64>,
    stream: &mut BodyDataStream,
) -> Result<Delivered, Trouble> {
    let to = targets(query.to.as_deref())?;
    let is_udp = session.opening.kind == SessionKind::Udp;
    let chunk = query.chunk.unwrap_or(if is_udp { DATAGRAM } else { CHUNK });
    if !(1..=1 << 20).contains(&chunk) {
        return Err(Trouble::request("`chunk` is 1 to 1048576 bytes"));
    }
    let (stop, mut stopped) = watch::channel(false);
    {
        let mut inner = session.inner();
        if let Some(file) = &inner.file {
            let words = format!("{} is being sent already", file.name);
            return Err(Trouble::new("busy", words, "wait until it is sent, or stop it"));
        }
        let name: String = query.name.chars().take(200).collect();
        inner.file = Some(Transfer { name, size, sent: 0, stop });
    }
    // Whatever happens, even where the request is dropped.
    let _end = Cleared(session);
    session.changed();
    let sending = feed(world, session, &to, query.side, chunk, stream);
    tokio::select! {
        sent = sending => sent,
        _ = stopped.wait_for(|stopped| *stopped) => {
            Err(Trouble::new("stopped", "sending the file was stopped", ""))
        }
    }
}

async fn feed(
    world: &Arc<World>,
    session: &Arc<Session>,
    to: &Targets,
    side: Side,
    chunk: usize,
    stream: &mut BodyDataStream,
) -> Result<Delivered, Trouble> {
    let mut all = Delivered::default();
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let next = stream.next().await.transpose();
        let next = next.map_err(|error| {
            Trouble::new("upload", format!("the file came only in part: {error}"), "send it again")
        })?;
        let has_ended = next.is_none();
        pending.extend(next.unwrap_or_default());
        let mut bytes = Bytes::from(std::mem::take(&mut pending));
        // All are of the same size but the last, however the body came.
        while bytes.len() >= chunk || (has_ended && !bytes.is_empty()) {
            let piece = bytes.split_to(chunk.min(bytes.len()));
            let delivered = deliver(world, session, to, side, &piece, Patience::Endless).await?;
            all.bytes += delivered.bytes;
            all.calls += delivered.calls;
            if let Some(file) = &mut session.inner().file {
                file.sent += piece.len() as u64;
            }
            session.changed();
        }
        if has_ended {
            return Ok(all);
        }
        pending.extend_from_slice(&bytes);
    }
}

fn targets(to: Option<&str>) -> Result<Targets, Trouble> {
    match to {
        None => Ok(Targets::default()),
        Some(to) if to.bytes().all(|byte| byte.is_ascii_digit() || byte == b',') => {
            let peers: Result<Vec<u64>, _> = to.split(',').map(str::parse).collect();
            peers
                .map(Targets::Peers)
                .map_err(|_| Trouble::request("`to` is `all`, or peers with commas between them"))
        }
        Some(to) => Ok(Targets::Named(to.to_owned())),
    }
}

/// Takes the file away from the session at the end.
struct Cleared<'a>(&'a Arc<Session>);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.inner().file = None;
        self.0.changed();
    }
}
