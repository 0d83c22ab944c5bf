//! A LAN in real time, asked for over the API.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::web::api;
use crate::web::world::World;

async fn ask(world: &Arc<World>, request: Value) -> Value {
    api::answer(world, serde_json::from_value(request).unwrap()).await
}

async fn rows_when(world: &Arc<World>, is_there: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer =
            ask(world, json!({ "do": "recording.rows", "recording": "r1", "from": 0, "count": 500 })).await;
        let rows = answer["ok"]["rows"].as_array().unwrap().clone();
        if is_there(&rows) {
            return rows;
        }
        assert!(Instant::now() < deadline, "{rows:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialogue_on_a_lan_is_recorded_while_it_runs() {
    let world = Arc::new(World::new());
    let conditions = json!({ "delay_ms": 2 });
    let made = ask(&world, json!({ "do": "lan.open", "seed": 7, "conditions": conditions })).await;
    assert_eq!(made, json!({ "ok": { "lan": "l1", "recording": "r1" } }));
    let (client, server) = (world.host("l1", "client").unwrap(), world.host("l1", "server").unwrap());
    let talk = move || {
        let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788").unwrap();
        let mut near = sockeye::TcpStream::connect(&client, "10.0.0.2:7788").unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(b"hello").unwrap();
        far.read_exact(&mut [0; 5]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        (listener, near, far)
    };
    let (_listener, near, far) = tokio::task::spawn_blocking(talk).await.unwrap();
    let call = |row: &Value, name: &str| row["kind"] == "call" && row["call"] == name;
    let rows = rows_when(&world, |rows| rows.iter().any(|row| call(row, "recv"))).await;
    for name in ["bind", "listen", "connect", "accept", "send"] {
        assert!(rows.iter().any(|row| call(row, name)), "{name}");
    }
    let hello = rows.iter().find(|row| row["payload"] == "\"hello\"").unwrap();
    assert_eq!((&hello["from"], &hello["to"]), (&json!(0), &json!([1])));
    assert_eq!(hello["states"], json!(["ESTABLISHED", "ESTABLISHED"]));
    assert!(hello["arrives"].as_f64().unwrap() - hello["time"].as_f64().unwrap() >= 0.004);

    let at = ask(&world, json!({ "do": "recording.at", "recording": "r1", "time": 1e9 })).await;
    let end = &at["ok"]["connections"][0]["ends"][0];
    assert_eq!(end["state"], "ESTABLISHED");
    assert!(end["cwnd"].as_u64().unwrap() > 0, "it was sampled: {at}");

    // What is done to the cable takes effect at once.
    for request in [
        json!({ "do": "lan.drop_next", "lan": "l1", "host": "client", "direction": "up", "frames": 1 }),
        json!({ "do": "lan.cable", "lan": "l1", "host": "server", "direction": "down", "conditions": { "delay_ms": 30 } }),
        json!({ "do": "lan.hold", "lan": "l1", "host": "server", "direction": "up", "ms": 50 }),
    ] {
        assert_eq!(ask(&world, request).await, json!({ "ok": {} }));
    }
    let mut near = near;
    let again = move || {
        near.write_all(b"again").unwrap();
        let mut far = far;
        far.read_exact(&mut [0; 5]).unwrap();
        (near, far)
    };
    let _sockets = tokio::task::spawn_blocking(again).await.unwrap();
    let rows = rows_when(&world, |rows| rows.iter().any(|row| !row["first"].is_null())).await;
    let lost = rows.iter().find(|row| row["lost"] == "dropped on request").unwrap();
    assert_eq!(lost["payload"], "\"again\"");
    let again = rows.iter().find(|row| row["first"] == lost["row"]).unwrap();
    assert!(!again["again"].is_null(), "the cause is known: {again}");
    let notes: Vec<_> = rows.iter().filter_map(|row| row["note"].as_str()).collect();
    assert_eq!(notes, ["drop-next", "cable", "hold"]);

    let (_, news) = world.news(0);
    assert_eq!(news["lans"]["l1"]["cables"]["server"]["down"]["delay_ms"], 30.0);
    assert_eq!(news["lans"]["l1"]["cables"]["server"]["up"]["delay_ms"], 2.0);
    assert_eq!(news["recordings"]["r1"]["connections"][0]["bytes"], json!([10, 0]));
    let kept = ask(&world, json!({ "do": "recording.forget", "recording": "r1" })).await;
    assert_eq!(kept["error"]["code"], "in-use");
    assert_eq!(ask(&world, json!({ "do": "lan.close", "lan": "l1" })).await, json!({ "ok": {} }));
    assert_eq!(
        ask(&world, json!({ "do": "recording.forget", "recording": "r1" })).await,
        json!({ "ok": {} })
    );
}

#[tokio::test]
async fn what_is_not_possible_is_said() {
    let world = Arc::new(World::new());
    let code =
        async |request| ask(&world, request).await["error"]["code"].as_str().unwrap_or("none").to_owned();
    assert_eq!(code(json!({ "do": "lan.cut", "lan": "l1", "host": "a", "ms": 1 })).await, "gone");
    assert_eq!(code(json!({ "do": "lan.open", "hosts": [] })).await, "bad-hosts");
    let twice = json!([{ "host": "a", "address": "10.0.0.1/24" }, { "host": "a", "address": "10.0.0.2/24" }]);
    assert_eq!(code(json!({ "do": "lan.open", "hosts": twice })).await, "bad-hosts");
    assert_eq!(
        code(json!({ "do": "lan.open", "hosts": [{ "host": "a", "address": "10.0.0.1" }] })).await,
        "bad-address"
    );
    assert_eq!(code(json!({ "do": "lan.open", "conditions": { "loss": 200 } })).await, "bad-conditions");
    assert_eq!(code(json!({ "do": "lan.fly" })).await, "bad-request");
    let (_, news) = world.news(0);
    assert_eq!((&news["lans"], &news["recordings"]), (&json!({}), &json!({})), "nothing is left behind");
}
