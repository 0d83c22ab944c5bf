//! Sessions on the hosts of a LAN.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sockeye::{Host, Lan};

use super::deliver::{Patience, Targets, deliver};
use super::drive::drive;
use super::entry::Side;
use super::session::{Ending, Session};
use crate::web::text::Outgoing;
use crate::web::world::{Entity, World};

/// Two hosts, and what runs on them.
struct Stage {
    world: Arc<World>,
    _lan: Lan,
    server: Host,
    client: Host,
}

impl Stage {
    fn new() -> Stage {
        let lan = Lan::builder().seed(7).build().unwrap();
        let host =
            |name: &str, address: &str| lan.host(name).address(address.parse().unwrap()).build().unwrap();
        let (server, client) = (host("server", "10.0.0.2/24"), host("client", "10.0.0.3/24"));
        Stage { world: Arc::new(World::new()), _lan: lan, server, client }
    }

    /// Opens a session on a host.
    fn open(&self, host: &Host, opening: Value) -> Arc<Session> {
        let mut opening = opening;
        opening["place"] = json!({"on": "lan", "lan": "l1", "host": host.name()});
        let opening = serde_json::from_value(opening).unwrap();
        let session = self.world.sessions.add(Session::prepare(opening).unwrap());
        let stop = session.begin().unwrap();
        let (world, running, host) = (Arc::clone(&self.world), Arc::clone(&session), host.clone());
        tokio::spawn(async move {
            let usual = host.addresses().first().unwrap().address();
            let outcome = drive(&world, &running, &host, usual, stop).await;
            running.ended(outcome.err());
        });
        session
    }

    async fn send(&self, session: &Arc<Session>, to: Targets, text: &str) {
        let outgoing = Outgoing { text: text.to_owned(), ..Outgoing::default() };
        let bytes = outgoing.bytes().unwrap().into();
        deliver(&self.world, session, &to, Side::Near, &bytes, Patience::Short).await.unwrap();
    }
}

async fn wait(session: &Arc<Session>, what: impl Fn(&Value) -> bool) {
    let start = Instant::now();
    while !what(&session.summary()) {
        assert!(start.elapsed() < Duration::from_secs(20), "{:#}\n{}", session.summary(), said(session));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The texts of the log, a line each.
fn said(session: &Arc<Session>) -> String {
    let log = session.log();
    let (first, count, _) = log.extent();
    (first..first + count).filter_map(|n| Some(log.shown(n, 100)?.text() + "\n")).collect()
}

fn is_in(state: &'static str) -> impl Fn(&Value) -> bool {
    move |summary| summary["state"] == state
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_on_a_lan_are_as_on_the_machine() {
    let stage = Stage::new();
    let options = json!({"keepalive": {"idle_s": 10, "interval_s": 1, "count": 3}, "nodelay": true, "ttl": 9, "backlog": 5});
    let settings = json!({"greeting": {"text": "hello"}, "reply": {"mode": "echo"}, "options": options});
    let server = stage.open(&stage.server, json!({"kind": "tcp-server", "port": 7788, "settings": settings}));
    wait(&server, is_in("listening")).await;
    assert_eq!(server.summary()["local"], "10.0.0.2:7788");
    let client = stage.open(&stage.client, json!({"kind": "tcp-client", "to": "10.0.0.2:7788"}));
    wait(&client, is_in("connected")).await;
    stage.send(&client, Targets::default(), "你好").await;
    let echoed = |session: &Value| session["counters"]["received_bytes"] == 5 + 6;
    wait(&client, echoed).await;
    assert!(said(&client).contains("hello"), "{}", said(&client));
    server.change(json!({"options": {"nodelay": false, "ttl": 64}}).as_object().unwrap()).unwrap();
    // A reset is felt at the other end.
    server.stop(Ending::Rst);
    wait(&client, is_in("closed")).await;
    assert_eq!(client.summary()["error"]["code"], "ECONNRESET");
    wait(&server, is_in("closed")).await;
    let refused = stage.open(&stage.client, json!({"kind": "tcp-client", "to": "10.0.0.2:7788"}));
    wait(&refused, is_in("failed")).await;
    assert_eq!(refused.summary()["error"]["code"], "ECONNREFUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_a_host_is_taken_once() {
    let stage = Stage::new();
    let open = || stage.open(&stage.server, json!({"kind": "tcp-server", "port": 80}));
    let first = open();
    wait(&first, is_in("listening")).await;
    let second = open();
    wait(&second, is_in("failed")).await;
    assert_eq!(second.summary()["error"]["code"], "EADDRINUSE");
    first.stop(Ending::Fin);
    wait(&first, is_in("closed")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_groups_and_broadcasts_cross_a_lan() {
    let stage = Stage::new();
    let hears = stage.open(&stage.server, json!({"kind": "udp", "port": 5000, "join": ["239.1.2.3"]}));
    wait(&hears, is_in("open")).await;
    let opening = json!({"kind": "udp", "to": "239.1.2.3:5000", "broadcast": true, "ttl": 3});
    let says = stage.open(&stage.client, opening);
    wait(&says, is_in("open")).await;
    stage.send(&says, Targets::default(), "to a group").await;
    stage.send(&says, Targets::Named("10.0.0.2:5000".to_owned()), "to one").await;
    stage.send(&says, Targets::Named("255.255.255.255:5000".to_owned()), "to everybody").await;
    wait(&hears, |summary| summary["counters"]["received_calls"] == 3).await;
    stage.send(&hears, Targets::default(), "back").await;
    wait(&says, |summary| summary["counters"]["received_calls"] == 1).await;
    assert!(said(&says).contains("back"));
}
