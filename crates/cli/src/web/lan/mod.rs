//! LANs of the assistant: Sockeye hosts on cables that can be made bad while everything runs, and are recorded.

mod conditions;
mod recorder;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye::{Cidr, Conditions, Host};
use sockeye_core::lan::Duplex;

use super::recording::{Kind, Note, Opening, Recording, Sight, Station, check_room};
use super::trouble::Trouble;
use super::world::{Entity, Version, World};
use conditions::{Told, Way};

pub(crate) use conditions::profiles;
pub(crate) use request::answer;

/// Hosts that a LAN of the page has at most.
const HOSTS: usize = 16;
/// How long the hosts of a LAN that is closed may go on talking.
const FAREWELL: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Lan {
    name: String,
    version: Version,
    title: String,
    /// The command whose LAN it is, where it is not the page's own.
    owner: Option<&'static str>,
    lan: sockeye::Lan,
    hosts: Mutex<BTreeMap<String, Host>>,
    /// What the cables do, by host.
    cables: Mutex<BTreeMap<String, Duplex>>,
    recording: Arc<Recording>,
}

impl std::fmt::Debug for Lan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lan").field("name", &self.name).field("title", &self.title).finish_non_exhaustive()
    }
}

/// A host that somebody wants.
#[derive(Clone, Debug, Deserialize)]
struct Wanted {
    host: String,
    address: String,
}

/// A LAN that somebody wants.
#[derive(Clone, Debug, Deserialize)]
struct Plan {
    title: Option<String>,
    hosts: Option<Vec<Wanted>>,
    seed: Option<u64>,
    conditions: Option<Told>,
}

/// What is changed about a cable.
#[derive(Clone, Copy, Debug)]
enum Action {
    Conditions(Conditions),
    DropNext(usize),
    Hold(Duration),
    Cut(Duration),
}

impl Lan {
    /// Makes the LAN of a plan.
    ///
    /// # Errors
    /// What of the plan is not possible.
    fn open(world: &World, plan: Plan) -> Result<Arc<Lan>, Trouble> {
        check_room(world)?;
        let standard = || {
            [("client", "10.0.0.3/24"), ("server", "10.0.0.2/24")]
                .map(|(host, address)| Wanted { host: host.to_owned(), address: address.to_owned() })
                .to_vec()
        };
        let wanted = plan.hosts.unwrap_or_else(standard);
        if wanted.is_empty() || wanted.len() > HOSTS {
            let words = format!("a LAN has from 1 to {HOSTS} hosts, and not {}", wanted.len());
            return Err(Trouble::new("bad-hosts", words, "give another number of hosts"));
        }
        let conditions = plan.conditions.unwrap_or_default().conditions()?;
        // 32 bits: a number that every JSON reader keeps as it is.
        let seed = plan.seed.unwrap_or_else(|| drawn_seed().into());
        let lan = sockeye::Lan::builder().seed(seed).conditions(conditions).build();
        let lan = lan.map_err(|error| Trouble::system("cannot make a LAN", &error))?;
        let mut hosts = Vec::new();
        for Wanted { host, address } in &wanted {
            let cidr: Cidr = address
                .parse()
                .map_err(|error| Trouble::new("bad-address", format!("{error}"), "give it as 10.0.0.2/24"))?;
            let built = lan.host(host.clone()).address(cidr).build();
            hosts.push(built.map_err(|error| {
                Trouble::new(
                    "bad-hosts",
                    format!("cannot make host {host}: {error}"),
                    "change its name or address",
                )
            })?);
        }
        let names: Vec<&str> = wanted.iter().map(|wanted| &*wanted.host).collect();
        let title = plan.title.filter(|title| !title.is_empty()).unwrap_or_else(|| names.join(", "));
        Lan::adopt(world, &title, None, (lan, conditions), hosts)
    }

    /// Takes in a LAN that is there, with its hosts, and records what happens on it. `owner` is the command whose LAN it is; the
    /// conditions are those that its cables have.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn adopt(
        world: &World,
        title: &str,
        owner: Option<&'static str>,
        (lan, conditions): (sockeye::Lan, Conditions),
        hosts: Vec<Host>,
    ) -> Result<Arc<Lan>, Trouble> {
        let stations = hosts.iter().map(station).collect();
        let opening = Opening { title: title.to_owned(), kind: Kind::Live, stations, start: sockeye::now() };
        let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
        let cables = hosts.iter().map(|host| (host.name().to_owned(), conditions.into())).collect();
        let made = world.lans.add(|name, version| Lan {
            name,
            version,
            title: title.to_owned(),
            owner,
            lan,
            hosts: Mutex::default(),
            cables: Mutex::new(cables),
            recording,
        });
        let started = recorder::watch_cables(&made).and_then(|()| {
            hosts.into_iter().try_for_each(|host| made.add_host(host)).and_then(|()| recorder::start(&made))
        });
        started.map_err(|error| {
            let _ = world.lans.remove(&made.name);
            let _ = world.recordings.remove(made.recording.name());
            Trouble::system("cannot record the LAN", &error)
        })?;
        Ok(made)
    }

    /// One more host: its events are recorded too.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn add_host(&self, host: Host) -> std::io::Result<()> {
        recorder::watch_host(&self.recording, &host)?;
        self.cables.lock().entry(host.name().to_owned()).or_default();
        self.hosts.lock().insert(host.name().to_owned(), host);
        self.version.touch();
        Ok(())
    }

    /// A host by its name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn host(&self, name: &str) -> Result<Host, Trouble> {
        self.hosts.lock().get(name).cloned().ok_or_else(|| Trouble::gone("host", name))
    }

    /// `l1`, `l2`, …
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its recording.
    pub(crate) fn recording(&self) -> &str {
        self.recording.name()
    }

    /// Does something to a cable, and makes a note of it.
    fn act(&self, host: &str, way: Way, action: Action) -> Result<(), Trouble> {
        let mut is_there = true;
        let mut facts = Map::new();
        let mut put = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
        put("host", host.into());
        put("direction", way.name().into());
        let (note, words) = match action {
            Action::Conditions(conditions) => {
                let mut cables = self.cables.lock();
                let duplex = cables.get_mut(host).ok_or_else(|| Trouble::gone("host", host))?;
                if way != Way::Down {
                    duplex.up = conditions;
                }
                if way != Way::Up {
                    duplex.down = conditions;
                }
                is_there &= self.lan.set_conditions(host, *duplex);
                put("conditions", json!(Told::of(&conditions)));
                ("cable", format!("the cable of {host} ({}) is now: {conditions}", way.name()))
            }
            Action::DropNext(frames) => {
                put("frames", frames.into());
                (
                    "drop-next",
                    format!("the next frames on the cable of {host} ({}) are dropped: {frames}", way.name()),
                )
            }
            Action::Hold(time) => {
                put("ms", (time.as_millis() as u64).into());
                ("hold", format!("the cable of {host} ({}) is held up for {time:?}", way.name()))
            }
            Action::Cut(time) => {
                put("ms", (time.as_millis() as u64).into());
                ("cut", format!("the cable of {host} ({}) is cut for {time:?}", way.name()))
            }
        };
        for direction in way.directions() {
            is_there &= match action {
                Action::Conditions(_) => true,
                Action::DropNext(frames) => self.lan.drop_next(host, *direction, frames),
                Action::Hold(time) => self.lan.hold(host, *direction, time),
                Action::Cut(time) => self.lan.cut(host, *direction, time),
            };
        }
        if !is_there {
            return Err(Trouble::gone("host", host));
        }
        self.recording.on_sight(Sight::Note(Note { at: sockeye::now(), note, words, facts }));
        self.version.touch();
        Ok(())
    }

    /// Ends it: its hosts say goodbye, and the rest is told. Blocks for a moment.
    fn end(&self) {
        let hosts = std::mem::take(&mut *self.hosts.lock());
        std::thread::scope(|scope| {
            for host in hosts.values() {
                scope.spawn(|| host.shutdown(FAREWELL));
            }
        });
        self.lan.flush_observations(FAREWELL);
        self.recording.finish();
    }
}

impl Entity for Lan {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let hosts: Vec<Value> = self
            .hosts
            .lock()
            .iter()
            .map(|(name, host)| {
                json!({
                    "host": name,
                    "addresses": host.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "mac": host.interfaces().first().map(|interface| interface.mac.to_string()),
                    "sockets": host.snapshot().sockets.len(),
                })
            })
            .collect();
        let cables: Map<String, Value> = self
            .cables
            .lock()
            .iter()
            .map(|(name, Duplex { up, down })| {
                (name.clone(), json!({ "up": Told::of(up), "down": Told::of(down) }))
            })
            .collect();
        let mut told = json!({
            "lan": self.name,
            "title": self.title,
            "seed": self.lan.seed(),
            "recording": self.recording.name(),
            "hosts": hosts,
            "cables": cables,
        });
        if let (Some(told), Some(owner)) = (told.as_object_mut(), self.owner) {
            told.insert("owner".to_owned(), owner.into());
        }
        told
    }
}

impl World {
    /// A host of a LAN, to open sockets on.
    ///
    /// # Errors
    /// There is no such LAN, or no such host on it.
    #[cfg_attr(not(test), expect(dead_code, reason = "sessions are opened there"))]
    pub(crate) fn host(&self, lan: &str, host: &str) -> Result<Host, Trouble> {
        self.lans.get(lan)?.host(host)
    }
}

fn station(host: &Host) -> Station {
    let addresses: Vec<IpAddr> = host.addresses().iter().map(Cidr::address).collect();
    Station { name: host.name().to_owned(), addresses }
}

fn drawn_seed() -> u32 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        // No secret depends on it: any number does.
        Err(_) => sockeye::now().as_nanos() as u32,
    }
}
