//! LANs of the page: hosts of our own stack, whose cables one can spoil while they are at work. Everything on them is recorded.

pub(crate) mod ask;
mod cable;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
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
    hosts: Vec<Host>,
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
        let stations: Vec<Station> = hosts
            .iter()
            .map(|(name, cidr)| Station { name: name.clone(), addresses: vec![cidr.address()] })
            .collect();
        let start = sockeye::now();
        let opening = Opening { title: title.clone(), kind: Kind::Live, stations, start };
        let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
        let built = build(&lan, &hosts, &recording);
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
            hosts: hosts_built,
            cables: Mutex::new(cables),
            recording,
            is_closed: AtomicBool::new(false),
        });
        let watched = Arc::downgrade(&made);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || record(&watched))
            .map_err(failed)?;
        Ok(made)
    }

    /// `l1`, `l2`, …
    fn name(&self) -> &str {
        &self.name
    }

    /// The name of its recording.
    pub(super) fn recording(&self) -> &str {
        self.recording.name()
    }

    /// A host by its name.
    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// The place of a host in the recording.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name() == name)
    }

    /// Ends it: its hosts have a moment for their last words. The recording stays.
    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for host in &self.hosts {
            host.shutdown(FAREWELL);
        }
        self.lan.flush_observations(FAREWELL);
        self.recording.finish();
    }

    fn set_conditions(&self, host: &str, way: Way, conditions: Conditions) -> Result<(), Trouble> {
        let mut cables = self.cables.lock();
        let cable = cables.get_mut(host).ok_or_else(|| Trouble::gone("host", host))?;
        if way != Way::Down {
            cable.up = conditions;
        }
        if way != Way::Up {
            cable.down = conditions;
        }
        self.lan.set_conditions(host, *cable);
        drop(cables);
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
        if !act(&self.lan, host) {
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
        for (index, host) in self.hosts.iter().enumerate() {
            let at = sockeye::now();
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

/// Puts the hosts on the LAN, each of them watched from its first frame on.
fn build(
    lan: &sockeye::Lan,
    planned: &[(String, Cidr)],
    recording: &Arc<Recording>,
) -> Result<Vec<Host>, Trouble> {
    let failed = |error: std::io::Error| Trouble::system("the LAN cannot be watched", &error);
    let names: Vec<String> = planned.iter().map(|(name, _)| name.clone()).collect();
    let seen_by = Arc::clone(recording);
    lan.observe(move |seen| {
        if let Some(host) = names.iter().position(|name| **name == *seen.host) {
            seen_by.on_sight(Sight::Cable(CableSight {
                at: seen.at,
                host,
                direction: seen.direction,
                frame: seen.frame.clone(),
                missing: 0,
                link: LinkType::Ethernet,
                fate: seen.fate,
            }));
        }
    })
    .map_err(failed)?;
    let mut hosts = Vec::new();
    for (index, (name, cidr)) in planned.iter().enumerate() {
        let host = lan.host(name.as_str()).address(*cidr).build().map_err(|error| {
            Trouble::new("bad-host", error.to_string(), "change it, and try again")
                .with("host", name.as_str())
        })?;
        let told_to = Arc::clone(recording);
        host.trace(move |trace| {
            // Frames are seen on the cables.
            if !matches!(trace.event, sockeye::TraceEvent::Frame { .. } | sockeye::TraceEvent::Timer { .. }) {
                told_to.on_sight(Sight::Host(index, trace.clone()));
            }
        })
        .map_err(failed)?;
        hosts.push(host);
    }
    Ok(hosts)
}

/// Tells what was seen, as long as there is the LAN.
fn record(lan: &Weak<Lan>) {
    let mut pace = 0_u32;
    loop {
        std::thread::sleep(PACE);
        let Some(lan) = lan.upgrade().filter(|lan| !lan.is_closed.load(Ordering::Acquire)) else { return };
        pace = pace.wrapping_add(1);
        if pace.is_multiple_of(SAMPLES) && lan.recording.has_open_connections() {
            lan.sample();
        }
        if lan.recording.is_waiting() {
            lan.recording.advance(sockeye::now());
        }
    }
}

impl Entity for Lan {
    fn version(&self) -> &Version {
        &self.version
    }

    fn summary(&self) -> Value {
        let hosts: Vec<Value> = self
            .hosts
            .iter()
            .map(|host| {
                let addresses: Vec<String> = host.addresses().iter().map(ToString::to_string).collect();
                let mac = host.interfaces().first().map(|interface| interface.mac.to_string());
                json!({
                    "host": host.name(),
                    "addresses": addresses,
                    "mac": mac,
                    "sockets": host.snapshot().sockets.len(),
                })
            })
            .collect();
        let cables: Map<String, Value> = self
            .cables
            .lock()
            .iter()
            .map(|(name, Duplex { up, down })| {
                let cable = json!({ "up": CableConditions::of(up), "down": CableConditions::of(down) });
                (name.clone(), cable)
            })
            .collect();
        json!({
            "lan": self.name,
            "title": self.title,
            "seed": self.lan.seed(),
            "recording": self.recording.name(),
            "hosts": hosts,
            "cables": cables,
        })
    }
}
