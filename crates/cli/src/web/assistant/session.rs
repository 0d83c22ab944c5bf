//! A session: what it was opened with, what has become of it, and what its tasks and the API share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::counters::Counters;
use super::entry::{Channel, Kind, Side};
use super::file::Transfer;
use super::log::Log;
use super::opening::{Opening, SessionKind};
use super::peer::Peers;
use super::periodic::Periodic;
use super::reply::Reaction;
use super::settings::Settings;
use crate::place::TcpOptions;
use crate::web::text::Encoding;
use crate::web::trouble::Trouble;
use crate::web::world::{Entity, Version};

/// Whoever looks is told no more often.
const PACE: Duration = Duration::from_millis(20);
/// What a connection is told to do and has not done yet, at most.
const ORDERS: usize = 64;

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    /// `s1`, …
    pub(crate) name: String,
    version: Version,
    /// What it was opened with.
    pub(crate) opening: Opening,
    inner: Mutex<Inner>,
    log: Mutex<Log>,
    told: Mutex<Option<Instant>>,
    is_due: AtomicBool,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// On its way to one of the others.
    Opening,
    /// A server, or a forwarder, hears.
    Listening,
    /// A client has begun its handshake.
    Connecting,
    /// A client is connected.
    Connected,
    /// A UDP socket is open.
    Open,
    /// A client will connect again.
    Waiting,
    /// It was closed.
    Closed,
    /// It could not go on.
    Failed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Opening => "opening",
            State::Listening => "listening",
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Open => "open",
            State::Waiting => "waiting",
            State::Closed => "closed",
            State::Failed => "failed",
        }
    }
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// Orderly: what was sent arrives.
    Fin,
    /// At once.
    Rst,
}

/// What a connection, or a UDP socket, is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send bytes, of UDP to an address; tell how many calls it took.
    Send { bytes: Bytes, to: Option<SocketAddr>, done: Option<oneshot::Sender<Result<u64, Trouble>>> },
    /// Nothing more comes to be sent.
    EndWriting,
}

/// What one has in hand of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The other end.
    pub(crate) address: Arc<str>,
    /// What it shall do.
    pub(crate) orders: mpsc::Sender<Order>,
    ending: watch::Sender<Option<Ending>>,
    /// Apart from the orders: a peer that does not read must not hold these up.
    options: watch::Sender<TcpOptions>,
}

/// What the connection itself has of that.
#[derive(Debug)]
pub(crate) struct LinkEnd {
    /// Whose bytes they are.
    pub(crate) channel: Channel,
    /// The other end.
    pub(crate) address: Arc<str>,
    /// What it shall do.
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Whether it shall end.
    pub(crate) ending: watch::Receiver<Option<Ending>>,
    /// How its options are now.
    pub(crate) options: watch::Receiver<TcpOptions>,
}

/// The settings that hold now.
#[derive(Debug)]
pub(crate) struct Current {
    /// As they were set.
    pub(crate) settings: Settings,
    /// What is answered.
    pub(crate) reaction: Arc<Reaction>,
}

/// What changes while it runs.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) error: Option<Trouble>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) current: Arc<Current>,
    pub(crate) peers: Peers,
    pub(crate) counters: Counters,
    pub(crate) links: BTreeMap<Channel, Link>,
    pub(crate) file: Option<Transfer>,
    pub(crate) periodic: Option<Periodic>,
    /// Connections so far, of a client.
    last_link: u64,
    /// Ends what runs.
    stop: Option<watch::Sender<Option<Ending>>>,
}

impl Session {
    /// One that has not begun.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(crate) fn prepare(opening: Opening) -> Result<impl FnOnce(String, Version) -> Session, Trouble> {
        opening.check()?;
        let mut usual = Settings::default();
        if opening.ttl.is_some() {
            usual.options.ttl = opening.ttl;
        }
        let settings = usual.changed(opening.kind, &opening.settings)?;
        let reaction = Arc::new(settings.check(opening.kind)?);
        let mut log = Log::new(settings.encoding);
        log.set_framing(&settings.framing)?;
        let inner = Inner {
            state: State::Closed,
            error: None,
            local: None,
            remote: None,
            current: Arc::new(Current { settings, reaction }),
            peers: Peers::default(),
            counters: Counters::new(),
            links: BTreeMap::new(),
            file: None,
            periodic: None,
            last_link: 0,
            stop: None,
        };
        Ok(move |name, version| Session {
            name,
            version,
            opening,
            inner: Mutex::new(inner),
            log: Mutex::new(log),
            told: Mutex::new(None),
            is_due: AtomicBool::new(false),
        })
    }

    /// What changes.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// The log.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// The settings that hold now.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.inner.lock().current)
    }

    /// Something has changed: whoever looks is told, now or soon.
    pub(crate) fn changed(self: &Arc<Self>) {
        let now = Instant::now();
        let wait = {
            let mut told = self.told.lock();
            match told.map(|told| PACE.saturating_sub(now.saturating_duration_since(told))) {
                Some(wait) if !wait.is_zero() => wait,
                _ => {
                    *told = Some(now);
                    Duration::ZERO
                }
            }
        };
        if wait.is_zero() {
            self.version.touch();
        } else if !self.is_due.swap(true, Ordering::AcqRel) {
            let session = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                session.is_due.store(false, Ordering::Release);
                *session.told.lock() = Some(Instant::now());
                session.version.touch();
            });
        }
    }

    /// Begins to run, unless it does already; what is given ends it.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<watch::Receiver<Option<Ending>>> {
        let mut inner = self.inner.lock();
        if inner.stop.is_some() {
            return None;
        }
        let (stop, stopped) = watch::channel(None);
        inner.stop = Some(stop);
        inner.state = State::Opening;
        inner.error = None;
        drop(inner);
        self.changed();
        Some(stopped)
    }

    /// It runs no more.
    pub(crate) fn ended(self: &Arc<Self>, failed: Option<Trouble>) {
        if let Some(trouble) = &failed {
            self.log.lock().add_words(Kind::Error, None, None, trouble.clone());
        }
        let mut inner = self.inner.lock();
        inner.stop = None;
        inner.local = None;
        inner.remote = None;
        inner.state = if failed.is_some() { State::Failed } else { State::Closed };
        inner.error = failed.or(inner.error.take());
        inner.periodic = None;
        drop(inner);
        self.changed();
    }

    /// Whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        self.inner.lock().stop.is_some()
    }

    /// Ends it and all its connections.
    pub(crate) fn stop(self: &Arc<Self>, how: Ending) {
        let inner = self.inner.lock();
        if let Some(stop) = &inner.stop {
            stop.send_replace(Some(how));
        }
        for link in inner.links.values() {
            link.ending.send_replace(Some(how));
        }
    }

    /// Ends a connection.
    pub(crate) fn end_link(&self, channel: Channel, how: Ending) -> bool {
        let inner = self.inner.lock();
        let link = inner.links.get(&channel);
        link.is_some_and(|link| {
            link.ending.send_replace(Some(how));
            true
        })
    }

    /// Its state changes; `local` and `remote` are its ends then.
    pub(crate) fn enter(
        self: &Arc<Self>,
        state: State,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) {
        let mut inner = self.inner.lock();
        inner.state = state;
        inner.local = local;
        inner.remote = remote;
        if matches!(state, State::Listening | State::Connected | State::Open) {
            inner.error = None;
        }
        drop(inner);
        self.changed();
    }

    /// A new connection: the number of a peer of a server, or of a client's connection.
    pub(crate) fn new_number(&self, address: &Arc<str>) -> u64 {
        let mut inner = self.inner.lock();
        if self.opening.kind == SessionKind::TcpClient {
            inner.last_link += 1;
            return inner.last_link;
        }
        inner.peers.add(Arc::clone(address), "connected")
    }

    /// A connection that may be told things from now on.
    pub(crate) fn link(self: &Arc<Self>, channel: Channel, address: &Arc<str>) -> LinkEnd {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (ending, ended) = watch::channel(None);
        let mut inner = self.inner.lock();
        let (options, set) = watch::channel(inner.current.settings.options.tcp(self.opening.kind));
        // Whoever has stopped the session meanwhile means this one too.
        if let Some(how) = inner.stop.as_ref().and_then(|stop| *stop.borrow()) {
            ending.send_replace(Some(how));
        }
        inner.links.insert(channel, Link { address: Arc::clone(address), orders, ending, options });
        drop(inner);
        self.changed();
        LinkEnd { channel, address: Arc::clone(address), orders: ordered, ending: ended, options: set }
    }

    /// Nobody can tell it anything any more.
    pub(crate) fn unlink(self: &Arc<Self>, channel: Channel, state: &'static str) {
        let mut inner = self.inner.lock();
        inner.links.remove(&channel);
        if channel.side == Side::Near && self.opening.kind != SessionKind::TcpClient {
            inner.peers.set_state(channel.link, state);
        }
        drop(inner);
        if state == "closed" {
            self.log.lock().end_channel(channel);
        }
        self.changed();
    }

    /// A `recv()` has returned bytes.
    pub(crate) fn received(self: &Arc<Self>, channel: Channel, address: &Arc<str>, bytes: Bytes) {
        self.count(channel, Kind::Received, bytes.len());
        self.log.lock().add_bytes(Kind::Received, channel, address, bytes);
        self.changed();
    }

    /// A `send()` has taken bytes.
    pub(crate) fn sent(self: &Arc<Self>, channel: Channel, address: &Arc<str>, bytes: Bytes) {
        self.count(channel, Kind::Sent, bytes.len());
        self.log.lock().add_bytes(Kind::Sent, channel, address, bytes);
        self.changed();
    }

    /// A datagram was sent or received.
    pub(crate) fn datagram(self: &Arc<Self>, kind: Kind, address: &Arc<str>, bytes: Bytes) -> Channel {
        let channel = Channel::near(self.inner.lock().peers.at(address));
        self.count(channel, kind, bytes.len());
        self.log.lock().add_datagram(kind, channel, address, bytes);
        self.changed();
        channel
    }

    fn count(&self, channel: Channel, kind: Kind, bytes: usize) {
        let mut inner = self.inner.lock();
        let is_sent = kind == Kind::Sent;
        match is_sent {
            true => inner.counters.sent(bytes),
            false => inner.counters.received(bytes),
        }
        // A client has no list; of a forwarder's far ends the list says nothing.
        if channel.side == Side::Near
            && let Some(peer) = inner.peers.get_mut(channel.link)
        {
            let count = if is_sent { &mut peer.sent } else { &mut peer.received };
            *count += bytes as u64;
        }
    }

    /// Something has happened.
    pub(crate) fn happened(
        self: &Arc<Self>,
        channel: Option<Channel>,
        address: Option<&Arc<str>>,
        what: Trouble,
    ) {
        self.log.lock().add_words(Kind::Event, channel, address.cloned(), what);
        self.changed();
    }

    /// Something has gone wrong.
    pub(crate) fn went_wrong(
        self: &Arc<Self>,
        channel: Option<Channel>,
        address: Option<&Arc<str>>,
        what: Trouble,
    ) {
        self.log.lock().add_words(Kind::Error, channel, address.cloned(), what.clone());
        self.inner.lock().error = Some(what);
        self.changed();
    }

    /// The encoding of a peer.
    pub(crate) fn encoding_of(&self, link: u64) -> Encoding {
        let inner = self.inner.lock();
        inner.peers.get(link).and_then(|peer| peer.encoding).unwrap_or(inner.current.settings.encoding)
    }

    /// Changes settings; living connections follow at once.
    ///
    /// # Errors
    /// What makes no sense; then nothing has changed.
    pub(crate) fn change(self: &Arc<Self>, change: &Map<String, Value>) -> Result<(), Trouble> {
        let kind = self.opening.kind;
        let mut inner = self.inner.lock();
        let before = Arc::clone(&inner.current);
        let settings = before.settings.changed(kind, change)?;
        let is_running = inner.stop.is_some();
        if kind == SessionKind::Udp && is_running && settings.options != before.settings.options {
            return Err(Trouble::new(
                "needs-reopen",
                "the options of a UDP session are set when it is opened",
                "close it, change them, and open it again",
            ));
        }
        let reaction =
            if settings.reply == before.settings.reply && settings.framing == before.settings.framing {
                Arc::clone(&before.reaction)
            } else {
                Arc::new(settings.check(kind)?)
            };
        if settings.options != before.settings.options {
            for link in inner.links.values() {
                link.options.send_replace(settings.options.tcp(kind));
            }
        }
        inner.current = Arc::new(Current { settings: settings.clone(), reaction });
        drop(inner);
        let mut log = self.log.lock();
        if settings.encoding != before.settings.encoding {
            log.set_encoding(settings.encoding);
        }
        if settings.framing != before.settings.framing {
            log.set_framing(&settings.framing)?;
        }
        drop(log);
        self.changed();
        Ok(())
    }

    /// Measures the rates once a second, as long as it runs.
    pub(crate) async fn measure(self: &Arc<Self>) {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        loop {
            clock.tick().await;
            let is_new = self.inner.lock().counters.tick(Instant::now());
            if is_new {
                self.changed();
            }
        }
    }
}

/// Waits until options are changed.
pub(super) async fn changed(options: &mut watch::Receiver<TcpOptions>) -> TcpOptions {
    match options.changed().await {
        Ok(()) => options.borrow_and_update().clone(),
        // Nobody can change them any more.
        Err(_) => std::future::pending().await,
    }
}

/// Waits until something shall end.
pub(crate) async fn ending(ending: &mut watch::Receiver<Option<Ending>>) -> Ending {
    let how = match ending.wait_for(Option::is_some).await {
        Ok(how) => *how,
        Err(_) => None,
    };
    match how {
        Some(how) => how,
        // Nobody can say so any more.
        None => std::future::pending().await,
    }
}

impl Entity for Session {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let (first, count, version) = self.log.lock().extent();
        let inner = self.inner.lock();
        json!({
            "session": self.name,
            "kind": self.opening.kind,
            "title": self.opening.title,
            "place": self.opening.place,
            "state": inner.state.name(),
            "local": inner.local,
            "remote": inner.remote,
            "to": self.opening.to,
            "error": inner.error,
            "peers": inner.peers.to_json(),
            "counters": inner.counters.to_json(),
            "settings": inner.current.settings,
            "log": { "first": first, "count": count, "version": version },
            "sending": {
                "file": inner.file.as_ref().map(Transfer::to_json),
                "periodic": inner.periodic.as_ref().map(Periodic::to_json),
            },
        })
    }
}
