//! LANs of a project: as one opens them, with their cables as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sockeye::Cidr;
use sockeye_core::lan::Duplex;

use super::cable::CableConditions;
use super::{Lan, Plan, Way, planned};
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// A LAN that is to be opened.
#[derive(Debug)]
pub(crate) struct Draft {
    /// What the sessions of the project call it.
    pub(crate) name: String,
    plan: Plan,
    hosts: BTreeSet<String>,
    cables: Vec<(String, Duplex)>,
}

/// Both ways of a cable.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ways {
    up: CableConditions,
    down: CableConditions,
}

impl Lan {
    /// What would open a LAN like this one; none if it belongs to another command.
    pub(crate) fn opening(&self) -> Option<Value> {
        if self.owner.is_some() {
            return None;
        }
        let address = |host: &sockeye::Host| host.addresses().first().map(Cidr::to_string);
        let hosts = self.hosts.lock();
        let hosts: Vec<Value> =
            hosts.iter().map(|host| json!({ "host": host.name(), "address": address(host) })).collect();
        let cables = self.cables.lock();
        let cables: Map<String, Value> = cables
            .iter()
            .map(|(host, Duplex { up, down })| {
                (host.clone(), json!({ "up": CableConditions::of(up), "down": CableConditions::of(down) }))
            })
            .collect();
        let (name, title, seed) = (&self.name, &self.title, self.lan.seed());
        Some(json!({ "lan": name, "title": title, "seed": seed, "hosts": hosts, "cables": cables }))
    }
}

impl Draft {
    /// A LAN of a project. What it has besides is of another version, and is not looked at.
    ///
    /// # Errors
    /// The member that makes no sense, and why.
    pub(crate) fn read(lan: &Value) -> Result<Draft, (String, String)> {
        let members = lan.as_object().ok_or_else(|| (String::new(), "it is no object".to_owned()))?;
        let wrong = |member: &str, why: String| (format!(".{member}"), why);
        let name = members.get("lan").and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong("lan", "it says what sessions call the LAN".to_owned()))?;
        let mut known = Map::new();
        for member in ["title", "seed", "hosts", "conditions"] {
            let Some(value) = members.get(member) else { continue };
            // One member at a time, so that the one that is wrong is known.
            let alone = Map::from_iter([(member.to_owned(), value.clone())]);
            serde_json::from_value::<Plan>(alone.into()).map_err(|error| wrong(member, error.to_string()))?;
            known.insert(member.to_owned(), value.clone());
        }
        let plan: Plan =
            serde_json::from_value(known.into()).map_err(|error| wrong("lan", error.to_string()))?;
        let hosts = planned(&plan.hosts).map_err(|trouble| wrong("hosts", trouble.words))?;
        let hosts: BTreeSet<String> = hosts.into_iter().map(|(host, _)| host).collect();
        plan.conditions.read().map_err(|trouble| wrong("conditions", trouble.words))?;
        let cables = members.get("cables").cloned().unwrap_or_else(|| json!({}));
        let cables: BTreeMap<String, Ways> =
            serde_json::from_value(cables).map_err(|error| wrong("cables", error.to_string()))?;
        let mut read = Vec::new();
        for (host, ways) in cables {
            let member = format!("cables.{host}");
            if !hosts.contains(&host) {
                return Err(wrong(&member, "there is no such host on this LAN".to_owned()));
            }
            let conditions =
                |ways: CableConditions| ways.read().map_err(|trouble| wrong(&member, trouble.words));
            read.push((host, Duplex { up: conditions(ways.up)?, down: conditions(ways.down)? }));
        }
        Ok(Draft { name: name.to_owned(), plan, hosts, cables: read })
    }

    /// Whether there is a host of this name on it.
    pub(crate) fn has_host(&self, name: &str) -> bool {
        self.hosts.contains(name)
    }

    /// Opens it.
    ///
    /// # Errors
    /// There are too many, or the system has no threads left.
    pub(crate) fn open(&self, world: &Arc<World>) -> Result<Arc<Lan>, Trouble> {
        super::ask::check_room(world)?;
        let lan = Lan::open(world, &self.plan)?;
        for (host, cable) in &self.cables {
            lan.set_cable(host, Way::Both, *cable)?;
        }
        Ok(lan)
    }
}
