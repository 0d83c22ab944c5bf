//! Recordings by the API: frames taken apart, boundaries, plots and findings, and capture files out and in.

mod assistant;
mod running;

use std::process::Command;

use assistant::{Assistant, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use running::has;
use serde_json::{Value, json};

fn lesson(web: &Assistant, name: &str) -> String {
    let opened = web.done(json!({"do": "lesson.open", "name": name, "seed": 1}));
    opened["recording"].as_str().unwrap().to_owned()
}

fn frames(web: &Assistant, recording: &str) -> Vec<Value> {
    let asked = json!({"do": "recording.rows", "recording": recording, "from": 0, "count": 500});
    let rows = web.done(asked)["rows"].as_array().unwrap().clone();
    rows.into_iter().filter(|row| row["kind"] == "frame").collect()
}

fn take(web: &Assistant, title: &str, file: &[u8]) -> Value {
    let path = format!("/api/recording?title={title}");
    serde_json::from_slice(&web.authorised("POST", &path, file).body).unwrap()
}

#[test]
fn a_frame_is_taken_apart() {
    let web = Assistant::start();
    let recording = lesson(&web, "sticky");
    let rows = frames(&web, &recording);
    let data = rows.iter().find(|row| row["data"].as_u64() > Some(0)).unwrap();
    let frame = web.done(json!({"do": "recording.frame", "recording": recording, "row": data["row"]}));
    let bytes = STANDARD.decode(frame["bytes"].as_str().unwrap()).unwrap();
    assert_eq!(bytes.len() as u64, data["length"].as_u64().unwrap());
    let names: Vec<&str> =
        frame["layers"].as_array().unwrap().iter().filter_map(|layer| layer["name"].as_str()).collect();
    assert_eq!(names, ["Ethernet", "IPv4", "TCP", "Payload"]);
    let port = &frame["layers"][2]["fields"][1];
    assert_eq!((&port["name"], &port["value"]), (&json!("destination port"), &json!("7788")));
    let place = port["from"].as_u64().unwrap() as usize;
    assert_eq!(bytes[place..place + 2], 7788_u16.to_be_bytes());
    let trouble =
        |row: u64| web.trouble(json!({"do": "recording.frame", "recording": recording, "row": row}));
    assert_eq!(trouble(1_000_000)["code"], "gone");
    let rows = web.done(json!({"do": "recording.rows", "recording": recording, "from": 0, "count": 500}));
    let call = rows["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "call").unwrap().clone();
    assert_eq!(trouble(call["row"].as_u64().unwrap())["code"], "bad-request");
}

#[test]
fn boundaries_plots_and_findings_tell_of_a_loss() {
    let web = Assistant::start();
    let recording = lesson(&web, "fast-retransmit");
    let about = |what: &str, more: Value| {
        let mut request = json!({"do": format!("recording.{what}"), "recording": recording});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let whole =
        web.done(about("boundaries", json!({"connection": 1, "direction": 0, "from": 0, "to": null})));
    let total = whole["total"].as_u64().unwrap();
    for stripe in ["sends", "receives"] {
        let pieces = whole[stripe].as_array().unwrap();
        let bytes: u64 = pieces.iter().map(|it| it[1].as_u64().unwrap() - it[0].as_u64().unwrap()).sum();
        assert_eq!(bytes, total, "{stripe}: {whole}");
    }
    let sorts = |pieces: &Value| -> Vec<String> {
        let sorts = pieces.as_array().unwrap().iter().map(|piece| piece[3].as_str().unwrap().to_owned());
        sorts.filter(|sort| sort != "new").collect()
    };
    assert_eq!(sorts(&whole["segments"]), ["lost", "again"]);

    let plot = |name: &str| {
        web.done(about("plot", json!({"connection": 1, "direction": 0, "plot": name, "points": 200})))
    };
    assert_eq!(sorts(&plot("sequence")["segments"]), ["lost", "again"]);
    let names = |name: &str| -> Vec<String> {
        let plot = plot(name);
        let series = plot["series"].as_array().unwrap();
        assert!(series.iter().all(|it| it["unit"].is_string() && it["points"][0][1].is_number()), "{plot}");
        series.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sequence"), ["ack", "window"]);
    assert_eq!(names("window"), ["cwnd", "ssthresh", "in_flight", "peer_window"]);
    assert_eq!(names("rtt"), ["rtt", "srtt", "rto"]);
    assert_eq!(names("throughput"), ["throughput", "goodput"]);
    assert_eq!(names("queues"), ["send_queue", "receive_queue", "out_of_order", "on_the_way"]);

    let found = web.done(about("findings", json!({"from": 0, "count": 10})))["findings"].clone();
    let finding = &found[0];
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!((&finding["kind"], &finding["severity"]), (&json!("lost"), &json!("warning")));
    let row = frames(&web, &recording).into_iter().find(|row| row["row"] == finding["row"]).unwrap();
    assert!(row["first"].is_u64() && row["time"] == finding["time"], "{row}");
    let summary = web.done(about("get", json!({})))["recording"].clone();
    assert_eq!(summary["findings"], 1);
    assert_eq!(web.done(about("findings", json!({"from": 1, "count": 10})))["findings"], json!([]));

    let trouble = |what, more| web.trouble(about(what, more))["code"].clone();
    let weather = json!({"connection": 1, "direction": 0, "plot": "weather"});
    assert_eq!(trouble("plot", weather), "bad-request");
    assert_eq!(trouble("boundaries", json!({"connection": 9, "direction": 0})), "gone");
    assert_eq!(trouble("boundaries", json!({"connection": 1, "direction": 2})), "bad-request");
}

#[test]
fn a_recording_goes_out_as_a_file_and_comes_in_again() {
    let web = Assistant::start();
    let recording = lesson(&web, "fast-retransmit");
    let file = web.authorised("GET", &format!("/api/recording/{recording}.pcapng"), b"");
    assert_eq!(file.status, 200, "{}", file.head);
    assert!(
        file.head.contains("attachment; filename=\"r1.pcapng\"")
            && file.head.contains("sockeye-summarised: 0")
    );
    let opened = take(&web, "lesson.pcapng", &file.body)["ok"]["recording"].as_str().unwrap().to_owned();
    let (before, after) = (frames(&web, &recording), frames(&web, &opened));
    assert!(before.len() > 10, "{}", before.len());
    let told = |rows: &[Value]| -> Vec<Value> {
        rows.iter().map(|row| json!([row["words"], row["lost"], row["connection"]])).collect()
    };
    assert_eq!(told(&before), told(&after));
    let again = |rows: &[Value]| rows.iter().filter(|row| !row["first"].is_null()).count();
    assert!(again(&after) > 0 && again(&before) == again(&after));

    if !has("tshark") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lesson.pcapng");
    std::fs::write(&path, &file.body).unwrap();
    let tshark = |filter: &str| {
        let output = Command::new("tshark").arg("-r").arg(&path).args(["-Y", filter]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    assert_eq!(tshark("frame"), before.len());
    assert_eq!(tshark("_ws.malformed"), 0);
    assert_eq!(
        tshark("frame.comment contains \"lost\""),
        before.iter().filter(|row| row["lost"].is_string()).count()
    );
}

#[test]
fn what_is_no_capture_is_refused_in_words() {
    let web = Assistant::start();
    let trouble = take(&web, "x", b"GIF89a, not a capture")["error"].clone();
    assert_eq!(trouble["code"], "bad-capture");
    assert!(trouble["next"].as_str().unwrap().contains("Wireshark"), "{trouble}");
    let large = vec![0; (256 << 20) + 1];
    let trouble = take(&web, "x", &large)["error"].clone();
    assert_eq!((&trouble["code"], &trouble["facts"]["most"]), (&json!("too-large"), &json!(256)));
    assert!(trouble["next"].as_str().unwrap().contains("editcap"), "{trouble}");
    assert_eq!(web.authorised("GET", "/api/recording/r9.pcapng", b"").status, 404);
    assert_eq!(web.authorised("GET", "/api/recording/r9.txt", b"").status, 404);
}

#[test]
fn the_frames_of_a_session_are_those_of_its_host() {
    let web = Assistant::start();
    let lan = web.done(json!({"do": "lan.open"}))["lan"].as_str().unwrap().to_owned();
    let place = |host: &str| json!({"on": "lan", "lan": lan, "host": host});
    let server = web.open(json!({"kind": "tcp-server", "place": place("server"), "port": 7788}));
    web.wait(&server, |session| session["state"] == "listening");
    let client = web.open(json!({"kind": "tcp-client", "place": place("client"), "to": "10.0.0.2:7788"}));
    web.wait(&client, |session| session["state"] == "connected");
    web.done(json!({"do": "session.send", "session": client, "to": "all", "outgoing": text("hello")}));
    web.wait_received(&server, "hello");
    // Observers tell a little later.
    let start = std::time::Instant::now();
    let file = loop {
        let file = web.authorised("GET", &format!("/api/session/{client}/log.pcapng"), b"");
        assert_eq!(file.status, 200, "{}", file.head);
        if file.body.windows(5).any(|bytes| bytes == b"hello") {
            break file.body;
        }
        assert!(start.elapsed() < running::PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(file[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let kernel = web.open(json!({"kind": "tcp-server", "port": 0}));
    let refused = web.authorised("GET", &format!("/api/session/{kernel}/log.pcapng"), b"");
    assert_eq!(refused.status, 404);
    assert!(String::from_utf8_lossy(&refused.body).contains("tcpdump"));
}
