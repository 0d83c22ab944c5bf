//! All that the assistant has: sessions, LANs and recordings, and who wants to know of changes.
//!
//! Each change of an entity gives it a new version, from one counter for all. A client remembers up to which version it was told; what
//! is newer is news to it. So a client that reads slowly is told less often, and never of anything that is no more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Map, Value};
use sockeye::Host;
use tokio::sync::watch;

use super::about;
use super::assistant::Session;
use super::lan::Lan;
use super::recording::Recording;
use super::trouble::Trouble;

/// Counts changes, and wakes who waits for them.
#[derive(Debug)]
pub(crate) struct Changes {
    count: AtomicU64,
    told: watch::Sender<u64>,
}

impl Changes {
    fn new() -> Changes {
        Changes { count: AtomicU64::new(1), told: watch::Sender::new(1) }
    }

    /// The version for something that changes now.
    pub(crate) fn next(&self) -> u64 {
        let version = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        self.told.send_if_modified(|told| {
            let is_newer = version > *told;
            *told = version.max(*told);
            is_newer
        });
        version
    }

    /// Wakes whoever holds it whenever something changes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }
}

/// What an entity knows of its own changes.
#[derive(Debug)]
pub(crate) struct Version {
    changes: Arc<Changes>,
    version: AtomicU64,
}

impl Version {
    /// The entity has changed: whoever shows it is told.
    pub(crate) fn touch(&self) {
        self.version.store(self.changes.next(), Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// Something that is told of as a whole.
pub(crate) trait Entity: Send + Sync {
    /// Its changes.
    fn version(&self) -> &Version;
    /// As `docs/web-api.md` describes it.
    fn summary(&self) -> Value;
}

/// The entities of one kind, by name: `s1`, `s2`, …
#[derive(Debug)]
pub(crate) struct Entities<T> {
    changes: Arc<Changes>,
    /// Begins the names.
    letter: char,
    /// What one is called in messages.
    what: &'static str,
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    last: u64,
    alive: BTreeMap<u64, Arc<T>>,
    /// With the version at which they went.
    gone: BTreeMap<u64, u64>,
}

impl<T: Entity> Entities<T> {
    fn new(changes: &Arc<Changes>, letter: char, what: &'static str) -> Entities<T> {
        let inner = Inner { last: 0, alive: BTreeMap::new(), gone: BTreeMap::new() };
        Entities { changes: Arc::clone(changes), letter, what, inner: Mutex::new(inner) }
    }

    /// Adds one, made from its name and its version. Nobody hears of it before it is made.
    pub(crate) fn add(&self, make: impl FnOnce(String, Version) -> T) -> Arc<T> {
        let number = {
            let mut inner = self.inner.lock();
            inner.last += 1;
            inner.last
        };
        let version = Version { changes: Arc::clone(&self.changes), version: AtomicU64::new(0) };
        let entity = Arc::new(make(format!("{}{number}", self.letter), version));
        self.inner.lock().alive.insert(number, Arc::clone(&entity));
        entity.version().touch();
        entity
    }

    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<T>, Trouble> {
        let found = self.number(name).and_then(|number| self.inner.lock().alive.get(&number).cloned());
        found.ok_or_else(|| Trouble::gone(self.what, name))
    }

    /// Takes one out.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn remove(&self, name: &str) -> Result<Arc<T>, Trouble> {
        let gone = || Trouble::gone(self.what, name);
        let number = self.number(name).ok_or_else(gone)?;
        let mut inner = self.inner.lock();
        let entity = inner.alive.remove(&number).ok_or_else(gone)?;
        inner.gone.insert(number, self.changes.next());
        Ok(entity)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.inner.lock().alive.values().cloned().collect()
    }

    fn number(&self, name: &str) -> Option<u64> {
        name.strip_prefix(self.letter)?.parse().ok()
    }

    /// What has changed since a version.
    fn news(&self, since: u64) -> Map<String, Value> {
        let (alive, gone) = {
            let inner = self.inner.lock();
            let alive: Vec<_> = inner
                .alive
                .iter()
                .filter(|(_, entity)| entity.version().get() > since)
                .map(|(number, entity)| (*number, Arc::clone(entity)))
                .collect();
            // Who asks for everything has never heard of those that are gone.
            let gone = inner.gone.iter().filter(|(_, version)| since > 0 && **version > since);
            (alive, gone.map(|(number, _)| *number).collect::<Vec<_>>())
        };
        let name = |number: u64| format!("{}{number}", self.letter);
        let alive = alive.into_iter().map(|(number, entity)| (name(number), entity.summary()));
        alive.chain(gone.into_iter().map(|number| (name(number), Value::Null))).collect()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    changes: Arc<Changes>,
    /// What sends and receives.
    pub(crate) sessions: Entities<Session>,
    /// Where sessions may have hosts of our own stack.
    pub(crate) lans: Entities<Lan>,
    /// What has been recorded.
    pub(crate) recordings: Entities<Recording>,
    viewers: watch::Sender<usize>,
}

/// Somebody who has a page open.
#[derive(Debug)]
pub(crate) struct Viewer(Arc<World>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.send_modify(|viewers| *viewers -= 1);
    }
}

impl World {
    /// A world with nothing in it.
    pub(crate) fn new() -> World {
        let changes = Arc::new(Changes::new());
        let sessions = Entities::new(&changes, 's', "session");
        let lans = Entities::new(&changes, 'l', "LAN");
        let recordings = Entities::new(&changes, 'r', "recording");
        World { sessions, lans, recordings, changes, viewers: watch::Sender::new(0) }
    }

    /// Somebody opens a page, and has it open until what is answered is dropped.
    pub(crate) fn view(self: &Arc<Self>) -> Viewer {
        self.viewers.send_modify(|viewers| *viewers += 1);
        Viewer(Arc::clone(self))
    }

    /// How many pages are open.
    pub(crate) fn viewers(&self) -> usize {
        *self.viewers.borrow()
    }

    /// Waits until no page is open.
    pub(crate) async fn left_alone(&self) {
        // The sender is ours: it lives as long as we wait.
        let _ = self.viewers.subscribe().wait_for(|viewers| *viewers == 0).await;
    }

    /// A host of a LAN of ours, for sessions to have their sockets on.
    ///
    /// # Errors
    /// There is no such LAN, or no such host on it.
    pub(crate) fn host(&self, lan: &str, host: &str) -> Result<Host, Trouble> {
        let lan = self.lans.get(lan)?;
        lan.host(host).ok_or_else(|| Trouble::gone("host", host))
    }

    /// Wakes whoever holds it whenever something changes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.watch()
    }

    /// What has changed since a version: everything since 0. With the version that is told of now.
    pub(crate) fn news(&self, since: u64) -> (u64, Map<String, Value>) {
        // Read first: what changes meanwhile is told now and once more, and not forgotten.
        let until = self.changes.count.load(Ordering::Acquire);
        let mut news = Map::new();
        if since == 0 {
            news.insert("about".to_owned(), about::about());
        }
        let changed = [
            ("sessions", self.sessions.news(since)),
            ("lans", self.lans.news(since)),
            ("recordings", self.recordings.news(since)),
        ];
        news.extend(
            changed
                .into_iter()
                .filter(|(_, entities)| since == 0 || !entities.is_empty())
                .map(|(kind, entities)| (kind.to_owned(), Value::Object(entities))),
        );
        (until, news)
    }
}
