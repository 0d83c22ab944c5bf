//! Two hosts or more in virtual time, and the recording of what they do.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use sockeye_core::lan::{Conditions, Direction, Observing, PortId};
use sockeye_core::network::InterfaceId;
use sockeye_core::sim::{HostConfig, HostId, LanId, Simulation};
use sockeye_core::socket::{Family, Kind as SocketKind, SocketId};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Tracing;

use super::super::{CableSight, Filter, Kind, Opening, Recording, Sight, Station};
use crate::web::world::World;

/// A LAN at work.
pub(in crate::web::recording) struct Scene {
    pub(in crate::web::recording) sim: Simulation,
    pub(in crate::web::recording) lan: LanId,
    pub(in crate::web::recording) hosts: Vec<HostId>,
    pub(in crate::web::recording) recording: Arc<Recording>,
}

/// The address of the server's listener.
pub(in crate::web::recording) const SERVER: &str = "10.0.0.2:7788";

impl Scene {
    /// Hosts `client` (10.0.0.3) and `server` (10.0.0.2), and as many more as asked for, on cables like this.
    pub(in crate::web::recording) fn new(conditions: Conditions, more: usize) -> Scene {
        let mut sim = Simulation::new(7);
        let lan = sim.add_lan();
        sim.lan_mut(lan).set_observing(Observing::On);
        let names = ["client".to_owned(), "server".to_owned()].into_iter();
        let names = names.chain((0..more).map(|number| format!("other{number}")));
        let addresses = [3, 2].into_iter().chain(10..);
        let mut stations = Vec::new();
        let mut hosts = Vec::new();
        for (name, last) in names.zip(addresses) {
            let address = format!("10.0.0.{last}");
            let config = HostConfig::new(name.clone(), format!("{address}/24").parse().unwrap());
            let host = sim.add_host(lan, HostConfig { conditions: conditions.into(), ..config }).unwrap();
            sim.stack_mut(host).set_tracing(Tracing::On);
            hosts.push(host);
            stations.push(Station { name, addresses: vec![address.parse().unwrap()] });
        }
        let opening =
            Opening { title: "a scene".to_owned(), kind: Kind::Lesson, stations, start: Instant::ZERO };
        let world = World::new();
        let recording = world.recordings.add(|name, version| Recording::new(name, version, opening));
        let mut scene = Scene { sim, lan, hosts, recording };
        // What a new interface says of itself is of no interest.
        scene.sim.run_for(Duration::from_secs(1));
        while scene.sim.lan_mut(lan).poll_observation().is_some() {}
        for host in scene.hosts.clone() {
            while scene.sim.stack_mut(host).poll_trace().is_some() {}
        }
        scene
    }

    pub(in crate::web::recording) fn port(&self, host: usize) -> PortId {
        self.sim.port(self.hosts[host], InterfaceId(1)).unwrap().1
    }

    /// Lets time go on, and records what happens.
    pub(in crate::web::recording) fn run(&mut self, millis: u64) {
        self.sim.run_for(Duration::from_millis(millis));
        self.record();
    }

    pub(in crate::web::recording) fn record(&mut self) {
        while let Some(seen) = self.sim.lan_mut(self.lan).poll_observation() {
            let host = (0..self.hosts.len()).find(|host| self.port(*host) == seen.port).unwrap();
            let sight = CableSight {
                at: seen.at,
                host,
                direction: seen.direction,
                frame: seen.frame,
                fate: seen.fate,
            };
            self.recording.on_sight(Sight::Cable(sight));
        }
        for (index, host) in self.hosts.clone().into_iter().enumerate() {
            while let Some(trace) = self.sim.stack_mut(host).poll_trace() {
                self.recording.on_sight(Sight::Host(index, trace));
            }
        }
        let now = self.sim.now();
        self.recording.advance(now);
    }

    pub(in crate::web::recording) fn listen(&mut self) -> SocketId {
        let (now, server) = (self.sim.now(), self.hosts[1]);
        let stack = self.sim.stack_mut(server);
        let listener = stack.open(Family::V4, SocketKind::Stream).unwrap();
        stack.bind(now, listener, SERVER.parse().unwrap()).unwrap();
        stack.listen(now, listener, 5).unwrap();
        listener
    }

    pub(in crate::web::recording) fn connect(&mut self) -> SocketId {
        let (now, client) = (self.sim.now(), self.hosts[0]);
        let stack = self.sim.stack_mut(client);
        let socket = stack.open(Family::V4, SocketKind::Stream).unwrap();
        stack.bind(now, socket, "10.0.0.3:40000".parse().unwrap()).unwrap();
        stack.connect(now, socket, SERVER.parse::<SocketAddr>().unwrap()).unwrap_err();
        socket
    }

    /// A connection attempt from a port of the host's choice.
    pub(in crate::web::recording) fn connect_anywhere(&mut self) -> SocketId {
        let (now, client) = (self.sim.now(), self.hosts[0]);
        let stack = self.sim.stack_mut(client);
        let socket = stack.open(Family::V4, SocketKind::Stream).unwrap();
        stack.connect(now, socket, SERVER.parse::<SocketAddr>().unwrap()).unwrap_err();
        socket
    }

    /// Connects and closes, so that the hosts know each other's hardware addresses.
    pub(in crate::web::recording) fn connected_once_for_arp(&mut self) {
        let socket = self.connect_anywhere();
        self.run(100);
        self.close(0, socket);
        self.run(100);
    }

    /// A connection from the client to the server: the client's socket, the server's.
    pub(in crate::web::recording) fn connected(&mut self) -> (SocketId, SocketId) {
        let listener = self.listen();
        let client = self.connect();
        self.run(5000);
        let (now, server) = (self.sim.now(), self.hosts[1]);
        let (served, _) = self.sim.stack_mut(server).accept(now, listener).unwrap();
        (client, served)
    }

    pub(in crate::web::recording) fn write(&mut self, host: usize, socket: SocketId, bytes: &[u8]) {
        let (now, host) = (self.sim.now(), self.hosts[host]);
        self.sim.stack_mut(host).write(now, socket, bytes).unwrap();
    }

    pub(in crate::web::recording) fn read(&mut self, host: usize, socket: SocketId) -> usize {
        let (now, host) = (self.sim.now(), self.hosts[host]);
        self.sim.stack_mut(host).read(now, socket, &mut [0; 65536]).unwrap_or(0)
    }

    pub(in crate::web::recording) fn close(&mut self, host: usize, socket: SocketId) {
        let (now, host) = (self.sim.now(), self.hosts[host]);
        self.sim.stack_mut(host).close(now, socket).unwrap();
    }

    /// The next frames that the host sends are lost.
    pub(in crate::web::recording) fn drop_next(&mut self, host: usize, frames: usize) {
        let (lan, port) = (self.lan, self.port(host));
        self.sim.lan_mut(lan).drop_next(port, Direction::Up, frames);
    }

    /// All rows, told.
    pub(in crate::web::recording) fn rows(&mut self) -> Vec<Value> {
        self.record();
        self.recording.finish();
        let mut rows = Vec::new();
        loop {
            let answer = self.recording.rows(rows.len() as u64, 500, &Filter::default());
            let more = answer["rows"].as_array().unwrap().clone();
            if more.is_empty() {
                return rows;
            }
            rows.extend(more);
        }
    }

    /// The rows, a line each.
    pub(in crate::web::recording) fn lines(&mut self) -> String {
        self.rows().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The kinds of the findings.
    pub(in crate::web::recording) fn kinds(&mut self) -> Vec<String> {
        self.record();
        self.recording.finish();
        let found = self.recording.findings(0, 500);
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["kind"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Everything about a row that is worth a look, in a line.
pub(in crate::web::recording) fn line(row: &Value) -> String {
    let mut line =
        format!("{:>3} {:.3} {}", row["row"], row["time"].as_f64().unwrap(), row["kind"].as_str().unwrap());
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names: &[&str] = match row["kind"].as_str().unwrap() {
        "frame" => {
            &["from", "to", "arrives", "lost", "words", "payload", "first", "again", "marks", "states"]
        }
        "call" => &["host", "call", "arguments", "outcome", "error"],
        "state" => &["host", "before", "state", "cause"],
        "recovery" => &["host", "words"],
        "drop" => &["host", "reason"],
        _ => &["words"],
    };
    for name in names {
        match &row[*name] {
            Value::Null => {}
            Value::Array(list) if list.is_empty() => {}
            value => line.push_str(&format!(" {name}={}", shown(value))),
        }
    }
    line
}
