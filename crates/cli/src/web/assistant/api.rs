//! The requests `session.*`, `log.*` and `project.*`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::deliver::{Patience, Targets, deliver};
use super::download::to_json;
use super::entry::{Channel, Side};
use super::filter::{Filter, Needle, Search};
use super::opening::{Opening, SessionKind};
use super::session::{Ending, Session};
use super::{drive, periodic, project};
use crate::web::api::{Answer, parameters};
use crate::web::text::{Encoding, Outgoing};
use crate::web::trouble::Trouble;
use crate::web::world::{Entity, World};

/// Entries of one answer.
const ENTRIES: u64 = 500;
/// Bytes of an entry that are shown unless it is asked for alone.
const BYTES: usize = 4096;
/// Bytes of an entry that is asked for alone.
const WHOLE: usize = 4 << 20;
/// Sessions at once.
const SESSIONS: usize = 200;

/// A request about a session and nothing else.
#[derive(Debug, Deserialize)]
struct About {
    session: String,
}

/// `session.*`
pub(crate) async fn session(world: &Arc<World>, what: &str, given: Value) -> Answer {
    match what {
        "open" => open(world, given),
        "get" => {
            let About { session } = parameters(given)?;
            Ok(json!({ "session": world.sessions.get(&session)?.summary() }))
        }
        "close" => with(world, given, |session| session.stop(Ending::Fin)),
        "reopen" => with(world, given, |session| drive::start(world, session)),
        "forget" => {
            let About { session } = parameters(given)?;
            world.sessions.remove(&session)?.stop(Ending::Fin);
            Ok(json!({}))
        }
        "change" => change(world, given),
        "send" => send(world, given).await,
        "preview" => {
            let Preview { outgoing } = parameters(given)?;
            Ok(json!({ "bytes": STANDARD.encode(outgoing.bytes()?) }))
        }
        "periodic" => start_periodic(world, given),
        "stop_periodic" => with(world, given, |session| {
            session.inner().periodic = None;
            session.changed();
        }),
        "stop_file" => with(world, given, |session| {
            if let Some(file) = &session.inner().file {
                file.stop();
            }
        }),
        "disconnect" => disconnect(world, given),
        "peer" => peer(world, given),
        "reset_counters" => with(world, given, |session| {
            session.inner().counters = super::counters::Counters::new();
            session.changed();
        }),
        _ => Err(Trouble::request(format!("there is no request `session.{what}`"))),
    }
}

fn with(world: &Arc<World>, given: Value, act: impl FnOnce(&Arc<Session>)) -> Answer {
    let About { session } = parameters(given)?;
    act(&world.sessions.get(&session)?);
    Ok(json!({}))
}

fn open(world: &Arc<World>, given: Value) -> Answer {
    let opening: Opening = parameters(given)?;
    if world.sessions.all().len() >= SESSIONS {
        return Err(Trouble::new(
            "too-many",
            format!("there are {SESSIONS} sessions already"),
            "forget some of them",
        ));
    }
    let session = world.sessions.add(Session::prepare(opening)?);
    drive::start(world, &session);
    Ok(json!({ "session": session.name }))
}

#[derive(Deserialize)]
struct Change {
    session: String,
    settings: Map<String, Value>,
}

fn change(world: &Arc<World>, given: Value) -> Answer {
    let Change { session, settings } = parameters(given)?;
    world.sessions.get(&session)?.change(&settings)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
struct Preview {
    outgoing: Outgoing,
}

#[derive(Deserialize)]
struct Send {
    session: String,
    #[serde(default)]
    to: Targets,
    #[serde(default)]
    side: Side,
    outgoing: Outgoing,
}

async fn send(world: &Arc<World>, given: Value) -> Answer {
    let Send { session, to, side, outgoing } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    let bytes = outgoing.bytes()?.into();
    Ok(deliver(world, &session, &to, side, &bytes, Patience::Short).await?.to_json())
}

#[derive(Deserialize)]
struct Periodic {
    session: String,
    #[serde(default)]
    to: Targets,
    #[serde(default)]
    side: Side,
    outgoing: Outgoing,
    every_ms: u64,
    count: Option<u64>,
}

fn start_periodic(world: &Arc<World>, given: Value) -> Answer {
    let Periodic { session, to, side, outgoing, every_ms, count } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    let bytes = outgoing.bytes()?.into();
    periodic::start(world, &session, periodic::Plan { to, side, bytes, every_ms, count })?;
    Ok(json!({}))
}

#[derive(Deserialize)]
struct Disconnect {
    session: String,
    #[serde(default)]
    peers: Targets,
    how: Ending,
}

fn disconnect(world: &Arc<World>, given: Value) -> Answer {
    let Disconnect { session, peers, how } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    match (session.opening.kind, peers) {
        (SessionKind::Udp, _) => {
            return Err(Trouble::request("UDP has no connections: there is nothing to disconnect"));
        }
        (SessionKind::TcpClient, _) => session.stop(how),
        (_, Targets::Peers(peers)) => {
            for peer in peers {
                if !session.end_link(Channel::near(peer), how) {
                    return Err(Trouble::gone("connection of peer", &peer.to_string()));
                }
            }
        }
        (_, Targets::Named(all)) if all == "all" => {
            let channels: Vec<Channel> = session.inner().links.keys().copied().collect();
            for channel in channels {
                session.end_link(channel, how);
            }
        }
        (_, Targets::Named(_)) => return Err(Trouble::request("`peers` is \"all\" or a list of peers")),
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
struct OfPeer {
    session: String,
    peer: u64,
    encoding: Option<Encoding>,
}

fn peer(world: &Arc<World>, given: Value) -> Answer {
    let OfPeer { session, peer, encoding } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    match session.inner().peers.get_mut(peer) {
        Some(peer) => peer.encoding = encoding,
        None => return Err(Trouble::gone("peer", &peer.to_string())),
    }
    session.log().set_encoding_of(peer, encoding);
    session.changed();
    Ok(json!({}))
}

/// `log.*`
pub(crate) async fn log(world: &Arc<World>, what: &str, given: Value) -> Answer {
    match what {
        "range" => range(world, given).await,
        "entry" => entry(world, given),
        "find" => find(world, given).await,
        "clear" => with(world, given, |session| {
            session.log().clear();
            session.changed();
        }),
        _ => Err(Trouble::request(format!("there is no request `log.{what}`"))),
    }
}

#[derive(Deserialize)]
struct Range {
    session: String,
    from: u64,
    count: u64,
    filter: Option<Filter>,
}

/// Sifts the log in steps, so that whoever writes into it need not wait long.
async fn sift(session: &Session, filter: &Filter) -> Result<(u64, u64), Trouble> {
    loop {
        if let Some(extent) = session.log().sift(filter)? {
            return Ok(extent);
        }
        tokio::task::yield_now().await;
    }
}

async fn range(world: &Arc<World>, given: Value) -> Answer {
    let Range { session, from, count, filter } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    let filter = filter.unwrap_or_default();
    let (first, passing) = sift(&session, &filter).await?;
    let log = session.log();
    let from = from.max(first);
    let end = from.saturating_add(count.min(ENTRIES)).min(first + passing);
    let numbers = (from..end).filter_map(|place| log.at_place(&filter, place));
    let shown = numbers.filter_map(|number| log.shown(number, BYTES));
    let entries: Vec<Value> = shown.map(|shown| to_json(session.opening.kind, &shown)).collect();
    let (_, _, version) = log.extent();
    Ok(json!({ "entries": entries, "first": first, "count": passing, "version": version }))
}

#[derive(Deserialize)]
struct One {
    session: String,
    n: u64,
}

fn entry(world: &Arc<World>, given: Value) -> Answer {
    let One { session, n } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    let log = session.log();
    let shown = log.shown(n, WHOLE).ok_or_else(|| Trouble::gone("entry", &n.to_string()))?;
    Ok(json!({ "entry": to_json(session.opening.kind, &shown) }))
}

#[derive(Deserialize)]
struct Find {
    session: String,
    text: Option<String>,
    hex: Option<String>,
    after: Option<u64>,
    #[serde(default)]
    backward: bool,
    filter: Option<Filter>,
}

async fn find(world: &Arc<World>, given: Value) -> Answer {
    let Find { session, text, hex, after, backward, filter } = parameters(given)?;
    let session = world.sessions.get(&session)?;
    let needle = Needle::new(text.as_deref(), hex.as_deref())?;
    let mut search = Search { needle, filter: filter.unwrap_or_default(), after, backward };
    // Up to here it goes, however fast the log grows.
    let (first, count) = sift(&session, &search.filter).await?;
    loop {
        if let Some(found) = search.step(&session.log(), first, count) {
            return Ok(json!({ "index": found }));
        }
        tokio::task::yield_now().await;
        // Others may have asked for so many filters that this one is forgotten.
        sift(&session, &search.filter).await?;
    }
}

#[derive(Deserialize)]
struct Save {
    sessions: Option<Vec<String>>,
}

/// `project.*`
pub(crate) fn project(world: &Arc<World>, what: &str, given: Value) -> Answer {
    match what {
        "save" => {
            let Save { sessions } = parameters(given)?;
            Ok(json!({ "project": project::save(world, sessions.as_deref())? }))
        }
        "load" => {
            let project = given.get("project").ok_or_else(|| Trouble::request("`project` is missing"))?;
            Ok(json!(project::load(world, project)?))
        }
        _ => Err(Trouble::request(format!("there is no request `project.{what}`"))),
    }
}
