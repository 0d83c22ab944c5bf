//! Sending the same again and again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::deliver::{Patience, Targets, deliver};
use super::entry::Side;
use super::session::Session;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// The shortest time between two.
const SHORTEST_MS: u64 = 1;

/// What is sent again and again; it ends with this value.
#[derive(Debug)]
pub(crate) struct Periodic {
    every_ms: u64,
    count: Option<u64>,
    done: u64,
    task: AbortHandle,
}

impl Periodic {
    /// As the API writes it.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "every_ms": self.every_ms, "count": self.count, "done": self.done })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is to be sent, how often, and to whom.
pub(crate) struct Plan {
    /// To whom.
    pub(crate) to: Targets,
    /// Of a forwarder.
    pub(crate) side: Side,
    /// What.
    pub(crate) bytes: Bytes,
    /// Between the beginnings of two.
    pub(crate) every_ms: u64,
    /// How often; for ever otherwise.
    pub(crate) count: Option<u64>,
}

/// Begins to send, instead of what was sent so before. Where nobody is connected, a turn is left out.
///
/// # Errors
/// Numbers that make no sense, or a session that is closed.
pub(crate) fn start(world: &Arc<World>, session: &Arc<Session>, plan: Plan) -> Result<(), Trouble> {
    if plan.every_ms < SHORTEST_MS || plan.count == Some(0) {
        return Err(Trouble::request("`every_ms` is at least 1, and `count` too where it is said"));
    }
    if !session.is_running() {
        return Err(Trouble::new("closed", "the session is closed", "open it again"));
    }
    let mut inner = session.inner();
    let (every_ms, count) = (plan.every_ms, plan.count);
    let task = tokio::spawn(repeat(Arc::clone(world), Arc::clone(session), plan)).abort_handle();
    inner.periodic = Some(Periodic { every_ms, count, done: 0, task });
    drop(inner);
    session.changed();
    Ok(())
}

async fn repeat(world: Arc<World>, session: Arc<Session>, plan: Plan) {
    let mut clock = interval(Duration::from_millis(plan.every_ms));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut done = 0;
    while plan.count.is_none_or(|count| done < count) {
        clock.tick().await;
        match deliver(&world, &session, &plan.to, plan.side, &plan.bytes, Patience::Endless).await {
            Ok(_) => done += 1,
            // What broke stands in the log already.
            Err(_) => continue,
        }
        if let Some(periodic) = &mut session.inner().periodic {
            periodic.done = done;
        }
        session.changed();
    }
    let mut inner = session.inner();
    // Another may have taken its place this moment.
    let is_this = |periodic: &Periodic| tokio::task::try_id() == Some(periodic.task.id());
    if inner.periodic.as_ref().is_some_and(is_this) {
        inner.periodic = None;
    }
    drop(inner);
    session.changed();
}
