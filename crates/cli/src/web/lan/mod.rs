//! LANs of the page: hosts of our own stack, whose cables one can spoil while they are at work. Everything on them is recorded.

pub(crate) mod ask;
mod cable;
pub(crate) mod project;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye::dns::Names;
use sockeye::{Cidr, Conditions, Host};
use sockeye_core::lan::Duplex;
use sockeye_core::wire::LinkType;

use cable::CableConditions;
pub(crate) use cable::profiles;

use super::recording::{CableSight, Kind, Note, Opening, Recording, Sample, Sight, Station};
use super::trouble::Trouble;
use super::world::{Entity, Version, World};
use crate::lan::parse_host_name;
use crate::site::drawn;

/// How often what was seen is told.
const PACE: Duration = Duration::from_millis(15);
/// Every how many paces the numbers of open connections are looked at.
const SAMPLES: u32 = 3;
/// While nothing happens, how often it is looked whether the LAN is there still, and what hosts of other processes are called.
const LULL: Duration = Duration::from_millis(300);
/// Hosts of one LAN.
const HOSTS: usize = 16;
/// So long the last words of a host are waited for.
const FAREWELL: Duration = Duration::from_millis(200);

/// What a new LAN shall be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Plan {
    title: Option<String>,
    hosts: Vec<HostPlan>,
    seed: Option<u64>,
    conditions: CableConditions,
}

/// A host of a new LAN.
#[derive(Clone, Debug, Deserialize)]
struct HostPlan {
    host: String,
    address: String,
}

/// Which ways along a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// To the switch.
    Up,
    /// To the host.
    Down,
    /// Both ways.
    #[default]
    Both,
}

/// See the module.
pub(crate) struct Lan {
    name: String,
    title: String,
    version: Version,
    lan: sockeye::Lan,
    /// The command that it belongs to, where that is not `web`.
    owner: Option<&'static str>,
    /// Who answers for names on it.
    names: Option<Names>,
    hosts: Mutex<Vec<Host>>,
    /// By cable; those that are not here are as they were made.
    cables: Mutex<BTreeMap<String, Duplex>>,
    recording: Arc<Recording>,
    is_closed: AtomicBool,
}

impl fmt::Debug for Lan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lan").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lan {
    /// Makes a LAN, and a recording of everything on it.
    ///
    /// # Errors
    /// A name or an address makes no sense, or the system has no threads left.
    fn open(world: &Arc<World>, plan: &Plan) -> Result<Arc<Lan>, Trouble> {
        let hosts = planned(&plan.hosts)?;
        let conditions = plan.conditions.read()?;
        let seed = plan.seed.unwrap_or_else(|| drawn() >> 32);
        let failed = |error: std::io::Error| Trouble::system("the LAN cannot be made", &error);
        let lan = sockeye::Lan::builder().seed(seed).conditions(conditions).build().map_err(failed)?;
        let title = plan.title.clone().filter(|title| !title.trim().is_empty());
        let title = title
            .unwrap_or_else(|| hosts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" – "));
        let stations: Vec<Station> =
            hosts.iter().map(|(name, cidr)| Station::new(name.clone(), vec![cidr.address()])).collect();
        let start = sockeye::now();
        let opening = Opening { title: title.clone(), kind: Kind::Live, stations, start };
        let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
        let built = watch_cables(&lan, &recording).and_then(|()| build(&lan, &hosts, &recording));
        let hosts_built = match built {
            Ok(hosts) => hosts,
            Err(trouble) => {
                // Nothing was recorded.
                let _ = world.recordings.remove(recording.name());
                return Err(trouble);
            }
        };
        let cables = hosts.iter().map(|(name, _)| (name.clone(), Duplex::from(conditions))).collect();
        let made = world.lans.add(|name, version| Lan {
            name,
            title,
            version,
            lan,
            owner: None,
            names: None,
            hosts: Mutex::new(hosts_built),
            cables: Mutex::new(cables),
            recording,
            is_closed: AtomicBool::new(false),
        });
        made.start_recorder()?;
        Ok(made)
    }

    /// Shows a LAN that belongs to another command, from now on: its hosts come later.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(super) fn adopt(
        world: &World,
        lan: sockeye::Lan,
        (owner, title): (&'static str, &str),
        names: Option<Names>,
    ) -> Result<Arc<Lan>, Trouble> {
        let title = title.to_owned();
        let (stations, start) = (Vec::new(), sockeye::now());
        let opening = Opening { title: title.clone(), kind: Kind::Live, stations, start };
        let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
        watch_cables(&lan, &recording)?;
        let made = world.lans.add(|name, version| Lan {
            name,
            title,
            version,
            lan,
            owner: Some(owner),
            names,
            hosts: Mutex::default(),
            cables: Mutex::default(),
            recording,
            is_closed: AtomicBool::new(false),
        });
        made.start_recorder()?;
        Ok(made)
    }

    /// One of its hosts is this process's: what happens in it is recorded too.
    ///
    /// # Errors
    /// The host has ended.
    pub(super) fn add_host(&self, host: &Host, conditions: Conditions) -> Result<(), Trouble> {
        let index = self.recording.station(host.name());
        let addresses: Vec<IpAddr> = host.addresses().iter().map(Cidr::address).collect();
        self.recording.introduce(index, host.name(), &addresses);
        watch_host(host, index, &self.recording)?;
        self.cables.lock().insert(host.name().to_owned(), Duplex::from(conditions));
        self.hosts.lock().push(host.clone());
        self.version.touch();
        Ok(())
    }

    fn start_recorder(self: &Arc<Self>) -> Result<(), Trouble> {
        let watched = Arc::downgrade(self);
        let recorder = std::thread::Builder::new().name("recorder".to_owned());
        let started = recorder.spawn(move || record(&watched));
        started.map(drop).map_err(|error| Trouble::system("the LAN cannot be recorded", &error))
    }

    /// The other hosts get the names that they are known by.
    fn introduce(&self) {
        let Some(names) = &self.names else { return };
        let names = names.all();
        for (index, station) in self.recording.stations().into_iter().enumerate() {
            let is_its = |addresses: &[IpAddr]| addresses.iter().any(|one| station.addresses.contains(one));
            if let Some((name, _)) = names.iter().find(|(_, addresses)| is_its(addresses))
                && *name != station.name
            {
                self.recording.introduce(index, name, &[]);
                self.version.touch();
            }
        }
    }

    /// What the cable of a host is called.
    fn cable_of(&self, host: &str) -> String {
        let stations = self.recording.stations();
        let found = stations.iter().find(|station| station.name == host);
        found.map_or_else(|| host.to_owned(), |station| station.cable().to_owned())
    }

    /// `l1`, `l2`, …
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its recording.
    pub(super) fn recording(&self) -> &str {
        self.recording.name()
    }

    /// A host by its name.
    pub(super) fn host(&self, name: &str) -> Option<Host> {
        self.hosts.lock().iter().find(|host| host.name() == name).cloned()
    }

    /// The place of a host in the recording.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.recording.stations().iter().position(|station| station.name == name)
    }

    /// Ends it: its hosts have a moment for their last words. The recording stays.
    pub(super) fn close(&self) {
        for host in self.hosts.lock().iter() {
            host.shutdown(FAREWELL);
        }
        self.lan.flush_observations(FAREWELL);
        self.finish();
    }

    /// It has ended: nothing more is recorded.
    pub(super) fn finish(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.recording.finish();
    }

    /// Changes what is said of the conditions of a cable; the rest stays.
    fn change_cable(&self, host: &str, way: Way, changes: &Map<String, Value>) -> Result<(), Trouble> {
        let cable = self.cables.lock().get(&self.cable_of(host)).copied().unwrap_or_default();
        let changed = |is_meant: bool, conditions: Conditions| match is_meant {
            true => CableConditions::of(&conditions).changed(changes),
            false => Ok(conditions),
        };
        let up = changed(way != Way::Down, cable.up)?;
        let down = changed(way != Way::Up, cable.down)?;
        self.set_cable(host, way, Duplex { up, down })
    }

    fn set_cable(&self, host: &str, way: Way, cable: Duplex) -> Result<(), Trouble> {
        let key = self.cable_of(host);
        if !self.lan.set_conditions(&key, cable) {
            return Err(Trouble::gone("host", host));
        }
        self.cables.lock().insert(key, cable);
        let conditions = if way == Way::Down { cable.down } else { cable.up };
        let words = format!("the cable of {host}: {conditions}");
        let facts = [
            ("host", json!(host)),
            ("direction", json!(named(way))),
            ("value", json!(conditions.to_string())),
        ];
        self.remark("cable", words, facts);
        self.version.touch();
        Ok(())
    }

    /// Does something to the cable of a host, and says so in the recording.
    fn control(
        &self,
        host: &str,
        (note, way, value): (&'static str, Way, f64),
        act: impl FnOnce(&sockeye::Lan, &str) -> bool,
    ) -> Result<Value, Trouble> {
        if !act(&self.lan, &self.cable_of(host)) {
            return Err(Trouble::gone("host", host));
        }
        let words = format!("{note}: the cable of {host}, {}, {value}", named(way));
        let facts = [("host", json!(host)), ("direction", json!(named(way))), ("value", json!(value))];
        self.remark(note, words, facts);
        Ok(json!({}))
    }

    fn remark<const N: usize>(&self, note: &'static str, words: String, facts: [(&str, Value); N]) {
        let facts: Map<String, Value> =
            facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
        self.recording.on_sight(Sight::Note(Note { at: sockeye::now(), note, words, facts }));
    }

    /// Looks at the numbers of all connections.
    fn sample(&self) {
        let hosts = self.hosts.lock().clone();
        for host in hosts {
            let (at, index) = (sockeye::now(), self.recording.station(host.name()));
            for socket in host.snapshot().sockets {
                let (Some(local), Some(remote), Some(tcp)) = (socket.local, socket.remote, socket.tcp) else {
                    continue;
                };
                let (receive_queue, send_queue) = (socket.receive_queue, socket.send_queue);
                let sample = Sample { at, host: index, local, remote, receive_queue, send_queue, tcp };
                self.recording.on_sight(Sight::Sample(sample));
            }
        }
    }
}

fn named(way: Way) -> &'static str {
    match way {
        Way::Up => "up",
        Way::Down => "down",
        Way::Both => "both",
    }
}

/// The hosts' names and addresses, the usual two where none were asked for.
fn planned(hosts: &[HostPlan]) -> Result<Vec<(String, Cidr)>, Trouble> {
    let usual = [("client", "10.0.0.3/24"), ("server", "10.0.0.2/24")];
    let asked: Vec<(&str, &str)> = match hosts {
        [] => usual.to_vec(),
        some => some.iter().map(|plan| (plan.host.as_str(), plan.address.as_str())).collect(),
    };
    if asked.len() > HOSTS {
        return Err(Trouble::request(format!("hosts: {HOSTS} at most")));
    }
    let mut planned: Vec<(String, Cidr)> = Vec::new();
    for (name, address) in asked {
        let bad = |why: String| {
            Trouble::new("bad-host", format!("{name} {address}: {why}"), "change it, and try again")
                .with("host", name)
                .with("address", address)
        };
        let name = parse_host_name(name).map_err(|error| bad(error.to_string()))?;
        let cidr: Cidr =
            address.parse().map_err(|error: sockeye_core::wire::ip::CidrError| bad(error.to_string()))?;
        let is_taken = |ip: IpAddr| planned.iter().any(|(_, known)| known.address() == ip);
        if planned.iter().any(|(known, _)| *known == name) {
            return Err(bad("another host has this name".to_owned()));
        }
        if is_taken(cidr.address()) {
            return Err(bad("another host has this address".to_owned()));
        }
        planned.push((name, cidr));
    }
    Ok(planned)
}

/// Records what passes on the cables.
fn watch_cables(lan: &sockeye::Lan, recording: &Arc<Recording>) -> Result<(), Trouble> {
    let seen_by = Arc::clone(recording);
    let observed = lan.observe(move |seen| {
        seen_by.on_sight(Sight::Cable(CableSight {
            at: seen.at,
            host: seen_by.station(&seen.host),
            direction: seen.direction,
            frame: seen.frame.clone(),
            missing: 0,
            link: LinkType::Ethernet,
            fate: seen.fate,
        }));
    });
    observed.map_err(|error| Trouble::system("the LAN cannot be watched", &error))
}

/// Records what happens in a host. Frames are seen on the cables.
fn watch_host(host: &Host, index: usize, recording: &Arc<Recording>) -> Result<(), Trouble> {
    let told_to = Arc::clone(recording);
    let traced = host.trace(move |trace| {
        if !matches!(trace.event, sockeye::TraceEvent::Frame { .. } | sockeye::TraceEvent::Timer { .. }) {
            told_to.on_sight(Sight::Host(index, trace.clone()));
        }
    });
    traced.map_err(|error| Trouble::system("the host cannot be watched", &error))
}

/// Puts the hosts on the LAN, each of them watched from its first frame on.
fn build(
    lan: &sockeye::Lan,
    planned: &[(String, Cidr)],
    recording: &Arc<Recording>,
) -> Result<Vec<Host>, Trouble> {
    let mut hosts = Vec::new();
    for (index, (name, cidr)) in planned.iter().enumerate() {
        let host = lan.host(name.as_str()).address(*cidr).build().map_err(|error| {
            Trouble::new("bad-host", error.to_string(), "change it, and try again")
                .with("host", name.as_str())
        })?;
        watch_host(&host, index, recording)?;
        hosts.push(host);
    }
    Ok(hosts)
}

/// Tells what was seen, as long as there is the LAN.
fn record(lan: &Weak<Lan>) {
    let (mut pace, mut introduced) = (0_u32, Instant::now());
    loop {
        // Held no longer than a look takes: whoever closes it may be the last who has it.
        let Some(recording) = lan.upgrade().map(|lan| Arc::clone(&lan.recording)) else { return };
        recording.wait_for_sights(LULL);
        drop(recording);
        std::thread::sleep(PACE);
        let Some(lan) = lan.upgrade().filter(|lan| !lan.is_closed.load(Ordering::Acquire)) else { return };
        pace = pace.wrapping_add(1);
        if pace.is_multiple_of(SAMPLES) && lan.recording.has_open_connections() {
            lan.sample();
        }
        if introduced.elapsed() >= LULL {
            introduced = Instant::now();
            lan.introduce();
        }
        if lan.recording.is_waiting() {
            lan.recording.advance(sockeye::now());
        }
    }
}

/// A number as JavaScript has it exactly; larger ones as text.
fn exact(number: u64) -> Value {
    if number < 1 << 53 { number.into() } else { number.to_string().into() }
}

impl Entity for Lan {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let own = self.hosts.lock().clone();
        let stations = self.recording.stations();
        let described = |station: &Station| {
            let host = own.iter().find(|host| host.name() == station.cable());
            let addresses: Vec<String> = match host {
                Some(host) => host.addresses().iter().map(ToString::to_string).collect(),
                None => station.addresses.iter().map(ToString::to_string).collect(),
            };
            let mac = host.and_then(|host| Some(host.interfaces().first()?.mac.to_string()));
            json!({
                "host": station.name,
                "addresses": addresses,
                "mac": mac,
                // Of hosts in other processes only their frames are known.
                "sockets": host.map(|host| host.snapshot().sockets.len()),
            })
        };
        let hosts: Vec<Value> = stations.iter().map(described).collect();
        let known = self.cables.lock();
        let cables: Map<String, Value> = stations
            .iter()
            .map(|station| {
                let Duplex { up, down } = known.get(station.cable()).copied().unwrap_or_default();
                let cable = json!({ "up": CableConditions::of(&up), "down": CableConditions::of(&down) });
                (station.name.clone(), cable)
            })
            .collect();
        json!({
            "lan": self.name,
            "title": self.title,
            "seed": exact(self.lan.seed()),
            "recording": self.recording.name(),
            "hosts": hosts,
            "cables": cables,
            "owner": self.owner,
        })
    }
}
