//! LANs by the API: their cables, and LANs in projects.

mod assistant;
mod running;

use assistant::{Assistant, text};
use serde_json::{Value, json};

/// A LAN with a server and a client on it, which are connected; their names.
fn talking(web: &Assistant) -> (String, String, String) {
    let lan = web.done(json!({"do": "lan.open", "title": "two hosts", "seed": 7}))["lan"]
        .as_str()
        .unwrap()
        .to_owned();
    let place = |host: &str| json!({"on": "lan", "lan": lan, "host": host});
    let server = web.open(json!({"kind": "tcp-server", "place": place("server"), "port": 7788, "title": "upper", "settings": {"reply": {"mode": "upper"}}}));
    web.wait(&server, |session| session["state"] == "listening");
    let client = web.open(json!({"kind": "tcp-client", "place": place("client"), "to": "10.0.0.2:7788"}));
    web.wait(&client, |session| session["state"] == "connected");
    (lan, server, client)
}

fn lans(web: &Assistant, names: &[&str]) -> Vec<Value> {
    names.iter().map(|lan| web.done(json!({"do": "lan.get", "lan": lan}))["lan"].clone()).collect()
}

#[test]
fn a_project_keeps_lans_with_their_cables_and_sessions() {
    let web = Assistant::start();
    let (lan, ..) = talking(&web);
    let up = json!({"loss": 25.0, "delay_ms": 3.0});
    web.done(json!({"do": "lan.cable", "lan": lan, "host": "client", "direction": "up", "conditions": up}));
    let project = web.done(json!({"do": "project.save"}))["project"].clone();
    assert_eq!(project["lans"][0]["cables"]["client"]["up"]["loss"], 25.0);

    let other = Assistant::start();
    // Names are given anew: the sessions are on the LAN of the project all the same.
    other.done(json!({"do": "lan.open"}));
    let loaded = other.done(json!({"do": "project.load", "project": project}));
    assert_eq!((&loaded["lans"], &loaded["sessions"]), (&json!(["l2"]), &json!(["s1", "s2"])));
    let there = lans(&other, &["l2"]).remove(0);
    let here = lans(&web, &[&lan]).remove(0);
    for member in ["title", "seed", "cables"] {
        assert_eq!(there[member], here[member], "{member}");
    }
    other.done(json!({"do": "lan.cable", "lan": "l2", "host": "client", "conditions": {}}));
    other.wait("s2", |session| session["state"] == "connected");
    other.done(json!({"do": "session.send", "session": "s2", "to": "all", "outgoing": text("hello")}));
    other.wait_received("s2", "HELLO");

    // One session, and the LAN that it is on.
    web.done(json!({"do": "lan.open", "title": "another"}));
    let one = web.done(json!({"do": "project.save", "sessions": ["s1"]}))["project"].clone();
    assert_eq!((one["lans"].as_array().unwrap().len(), one["sessions"].as_array().unwrap().len()), (1, 1));
    let all = web.done(json!({"do": "project.save"}))["project"].clone();
    assert_eq!(all["lans"].as_array().unwrap().len(), 2);
}

#[test]
fn a_project_that_makes_no_sense_opens_nothing() {
    let web = Assistant::start();
    let (..) = talking(&web);
    let project = web.done(json!({"do": "project.save"}))["project"].clone();
    let wrong = |pointer: &str, value: Value| {
        let mut project = project.clone();
        *project.pointer_mut(pointer).unwrap() = value;
        let trouble = web.trouble(json!({"do": "project.load", "project": project}));
        assert_eq!(trouble["code"], "bad-project", "{trouble}");
        trouble["facts"]["member"].as_str().unwrap().to_owned()
    };
    assert_eq!(wrong("/lans/0/lan", json!(5)), "lans[0].lan");
    assert_eq!(wrong("/lans/0/seed", json!("x")), "lans[0].seed");
    assert_eq!(wrong("/lans/0/hosts/0/address", json!("10.0.0")), "lans[0].hosts");
    assert_eq!(wrong("/lans/0/cables/client/up/loss", json!(250)), "lans[0].cables.client");
    assert_eq!(wrong("/lans/0/cables", json!({"nobody": {}})), "lans[0].cables.nobody");
    assert_eq!(wrong("/lans/0/lan", json!("elsewhere")), "sessions[0].place.lan");
    assert_eq!(wrong("/sessions/1/place/host", json!("nobody")), "sessions[1].place.host");
    assert_eq!(wrong("/lans", json!({})), "lans");
    assert_eq!(web.trouble(json!({"do": "lan.get", "lan": "l2"}))["code"], "gone", "nothing was opened");
}

#[test]
fn a_cable_changes_where_it_is_said_and_nowhere_else() {
    let web = Assistant::start();
    let lan = web.done(json!({"do": "lan.open", "conditions": {"delay_ms": 5.0}}))["lan"].clone();
    let cable = |direction: &str, conditions: Value| {
        web.done(json!({"do": "lan.cable", "lan": lan, "host": "client", "direction": direction, "conditions": conditions}));
        web.done(json!({"do": "lan.get", "lan": lan}))["lan"]["cables"]["client"].clone()
    };
    let told = cable("up", json!({"loss": 10.0}));
    assert_eq!((&told["up"]["loss"], &told["up"]["delay_ms"]), (&json!(10.0), &json!(5.0)));
    assert_eq!((&told["down"]["loss"], &told["down"]["delay_ms"]), (&json!(0.0), &json!(5.0)));
    assert_eq!(
        web.trouble(json!({"do": "lan.cable", "lan": lan, "host": "nobody", "conditions": {}}))["code"],
        "gone"
    );
    let slip = json!({"do": "lan.cable", "lan": lan, "host": "client", "conditions": {"los": 1}});
    assert!(web.trouble(slip)["words"].as_str().unwrap().contains("los"));
}
