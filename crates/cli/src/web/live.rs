//! The WebSocket: requests and their answers, and the news, only as fast as the client reads.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::api::{self, Asked};
use super::trouble::Trouble;
use super::world::World;

/// News come no more often.
const PACE: Duration = Duration::from_millis(50);
/// Requests of one client that are under way at once; then it is not read.
const REQUESTS: usize = 64;
/// The longest request: a text of a few megabytes to be sent.
pub(crate) const LONGEST: usize = 32 << 20;

/// Opens the WebSocket.
pub(crate) async fn upgrade(State(world): State<Arc<World>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(LONGEST).on_upgrade(move |socket| serve(world, socket))
}

async fn serve(world: Arc<World>, socket: WebSocket) {
    let _viewer = world.view();
    let (sink, mut requests) = socket.split();
    let (answers, answered) = mpsc::channel(REQUESTS);
    let mut teller = tokio::spawn(tell(Arc::clone(&world), sink, answered));
    loop {
        let message = tokio::select! {
            message = requests.next() => message,
            // Nobody hears us any more.
            _ = &mut teller => return,
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            Some(Ok(_)) => continue,
        };
        let asked: Asked = match serde_json::from_str(&text) {
            Ok(asked) => asked,
            Err(error) => {
                let trouble = Trouble::request(format!("this is no request: {error}"));
                if answers.send(json!({ "error": trouble })).await.is_err() {
                    break;
                }
                continue;
            }
        };
        let Ok(place) = answers.clone().reserve_owned().await else { break };
        let world = Arc::clone(&world);
        // One that takes long does not hold up the others.
        tokio::spawn(async move { place.send(api::answer(&world, asked).await) });
    }
    teller.abort();
}

/// Sends answers at once, and news at their pace.
async fn tell(
    world: Arc<World>,
    mut sink: SplitSink<WebSocket, Message>,
    mut answers: mpsc::Receiver<Value>,
) {
    let mut changes = world.watch();
    // The first news tell everything.
    let (mut told, mut next, mut is_due) = (0, Instant::now(), true);
    loop {
        let message = tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => answer,
                None => return,
            },
            changed = changes.changed(), if !is_due => match changed {
                Ok(()) => {
                    is_due = true;
                    continue;
                }
                Err(_) => return,
            },
            () = tokio::time::sleep_until(next), if is_due => {
                is_due = false;
                next = Instant::now() + PACE;
                changes.mark_unchanged();
                let (until, news) = world.news(told);
                told = until;
                json!({ "news": news })
            }
        };
        if sink.send(Message::Text(message.to_string().into())).await.is_err() {
            return;
        }
    }
}
