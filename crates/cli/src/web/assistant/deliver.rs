//! Sending to one, to some, or to all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::datagram::SOCKET;
use super::drive::resolve;
use super::entry::{Channel, Side};
use super::opening::SessionKind;
use super::session::{Order, Session};
use super::words;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// The largest payload of a UDP datagram over IPv4.
const DATAGRAM: usize = 65_507;

/// To whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Targets {
    /// `"all"`; of UDP also an address.
    Named(String),
    /// Some peers.
    Peers(Vec<u64>),
}

impl Default for Targets {
    fn default() -> Targets {
        Targets::Named("all".to_owned())
    }
}

/// How long one waits for somebody who does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as a person waits for an answer.
    Short,
    /// For ever: what is sent next is not taken before.
    Endless,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    /// To all together.
    pub(crate) bytes: u64,
    /// `send()`s.
    pub(crate) calls: u64,
}

impl Delivered {
    /// As the API writes it.
    pub(crate) fn to_json(self) -> Value {
        json!({ "bytes": self.bytes, "calls": self.calls })
    }
}

/// One of them.
struct Target {
    address: Arc<str>,
    orders: mpsc::Sender<Order>,
    to: Option<SocketAddr>,
}

/// Sends bytes, and waits until they are sent.
///
/// # Errors
/// There is nobody, somebody does not read, or a connection broke.
pub(crate) async fn deliver(
    world: &Arc<World>,
    session: &Arc<Session>,
    to: &Targets,
    side: Side,
    bytes: &Bytes,
    patience: Patience,
) -> Result<Delivered, Trouble> {
    let targets = match session.opening.kind {
        SessionKind::Udp => datagram_targets(world, session, to, bytes.len()).await?,
        _ => stream_targets(session, to, side)?,
    };
    if targets.is_empty() {
        return Err(words::nobody());
    }
    if bytes.is_empty() && session.opening.kind != SessionKind::Udp {
        return Ok(Delivered::default());
    }
    let until = match patience {
        Patience::Short => Instant::now() + Duration::from_secs(3),
        Patience::Endless => Instant::now() + Duration::from_secs(365 * 24 * 3600),
    };
    let mut waiting = Vec::with_capacity(targets.len());
    for target in targets {
        let (done, outcome) = oneshot::channel();
        let order = Order::Send { bytes: bytes.clone(), to: target.to, done: Some(done) };
        match timeout_at(until, target.orders.send(order)).await {
            Ok(_) => waiting.push((target.address, outcome)),
            Err(_) => return Err(words::blocked(&target.address)),
        }
    }
    let mut delivered = Delivered::default();
    let mut trouble = None;
    for (address, outcome) in waiting {
        match timeout_at(until, outcome).await {
            Ok(Ok(Ok(calls))) => {
                delivered.calls += calls;
                delivered.bytes += bytes.len() as u64;
            }
            Ok(Ok(Err(error))) => trouble = trouble.or(Some(error)),
            Ok(Err(_)) => {
                let words = format!("the connection with {address} ended before everything was sent");
                trouble = trouble.or(Some(Trouble::new("ended", words, "connect again")));
            }
            Err(_) => trouble = trouble.or(Some(words::blocked(&address))),
        }
    }
    trouble.map_or(Ok(delivered), Err)
}

fn stream_targets(session: &Arc<Session>, to: &Targets, side: Side) -> Result<Vec<Target>, Trouble> {
    let inner = session.inner();
    let target = |link: &super::session::Link| Target {
        address: Arc::clone(&link.address),
        orders: link.orders.clone(),
        to: None,
    };
    match to {
        Targets::Named(all) if all == "all" => {
            let links = inner.links.iter().filter(|(channel, _)| channel.side == side);
            Ok(links.map(|(_, link)| target(link)).collect())
        }
        Targets::Named(_) => {
            Err(Trouble::request("`to` is \"all\" or a list of peers; an address is for UDP"))
        }
        Targets::Peers(peers) => {
            let gone = |peer: &u64| Trouble::gone("connection of peer", &peer.to_string());
            let link = |peer: &u64| inner.links.get(&Channel { link: *peer, side });
            peers.iter().map(|peer| link(peer).map(target).ok_or_else(|| gone(peer))).collect()
        }
    }
}

/// All are the one that the session was opened with; without one, those that are known.
async fn datagram_targets(
    world: &Arc<World>,
    session: &Arc<Session>,
    to: &Targets,
    length: usize,
) -> Result<Vec<Target>, Trouble> {
    if length > DATAGRAM {
        let words = format!("a datagram has at most {DATAGRAM} bytes, and these are {length}");
        return Err(Trouble::new("EMSGSIZE", words, "send less at once").with("length", length));
    }
    let named = match to {
        Targets::Named(address) if address != "all" => {
            Some(resolve(world, &session.opening.place, address).await?)
        }
        _ => None,
    };
    let inner = session.inner();
    let Some(link) = inner.links.get(&SOCKET) else {
        return Err(Trouble::new("closed", "the session is closed", "open it again"));
    };
    let of = |address: &str| address.parse::<SocketAddr>().ok();
    let addresses: Vec<SocketAddr> = match (to, named) {
        (_, Some(named)) => vec![named],
        (Targets::Peers(peers), _) => {
            let known = |peer: &u64| inner.peers.get(*peer).and_then(|peer| of(&peer.address));
            let gone = |peer: &u64| Trouble::gone("peer", &peer.to_string());
            peers.iter().map(|peer| known(peer).ok_or_else(|| gone(peer))).collect::<Result<_, _>>()?
        }
        (Targets::Named(_), None) => match inner.remote {
            Some(remote) => vec![remote],
            None => inner.peers.all().filter_map(|(_, peer)| of(&peer.address)).collect(),
        },
    };
    if addresses.is_empty() {
        return Err(Trouble::new("nobody", "nobody is known yet", "give an address, HOST:PORT, to send to"));
    }
    let target =
        |to: SocketAddr| Target { address: to.to_string().into(), orders: link.orders.clone(), to: Some(to) };
    Ok(addresses.into_iter().map(target).collect())
}
