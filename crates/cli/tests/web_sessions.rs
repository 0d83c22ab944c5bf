//! Sessions of `sockeye web` against sockets of the kernel and programs in Python.

mod assistant;
mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assistant::{Assistant, text, text_of};
use running::{PATIENCE, free_port, has};
use serde_json::{Value, json};

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn peers(summary: &Value) -> Vec<&Value> {
    summary["peers"].as_array().unwrap().iter().collect()
}

fn connected(summary: &Value) -> usize {
    peers(summary).iter().filter(|peer| peer["state"] == "connected").count()
}

#[test]
fn only_who_has_the_token_is_let_in() {
    let web = Assistant::start();
    let bearer = format!("Bearer {}", web.token);
    let ask = br#"{"do": "project.save"}"#;
    let json = ("Content-Type", "application/json");
    let status = |headers: &[(&str, &str)]| web.http("POST", "/api/do", headers, ask).status;
    let let_in = ("Authorization", bearer.as_str());
    assert_eq!(status(&[json, let_in]), 200);
    assert_eq!(status(&[json]), 401);
    assert_eq!(status(&[json, ("Authorization", "Bearer x")]), 401);
    assert_eq!(status(&[json, let_in, ("Origin", "http://example.com")]), 403);
    assert_eq!(status(&[json, let_in, ("Origin", "null")]), 403);
    assert_eq!(status(&[json, let_in, ("Host", "example.com")]), 421);
    let cookie = format!("sockeye-{}={}", web.port, web.token);
    assert_eq!(status(&[json, ("Cookie", &cookie)]), 200);
    for path in ["/api/session/s1/file", "/api/session/s1/log.txt"] {
        let method = if path.ends_with("file") { "POST" } else { "GET" };
        assert_eq!(web.http(method, path, &[], b"").status, 401);
    }
}

#[test]
fn a_server_talks_to_one_some_and_all() {
    let web = Assistant::start();
    let greeting = json!({"greeting": {"text": "welcome", "ending": "crlf"}});
    let (server, port) = web.open_at(json!({"kind": "tcp-server", "settings": greeting}));
    let mut clients: Vec<TcpStream> = (1..=3)
        .map(|count| {
            let mut client = connect(port);
            assert_eq!(read(&mut client, 9), b"welcome\r\n");
            web.wait(&server, |summary| connected(summary) == count);
            client
        })
        .collect();
    for (to, hears) in [(json!([2]), vec![1]), (json!([1, 3]), vec![0, 2]), (json!("all"), vec![0, 1, 2])] {
        let answer =
            web.done(json!({"do": "session.send", "session": server, "to": to, "outgoing": text("你好")}));
        assert_eq!(answer, json!({"bytes": 6 * hears.len(), "calls": hears.len()}));
        for index in hears {
            assert_eq!(read(&mut clients[index], 6), "你好".as_bytes());
        }
    }
    clients[1].write_all(b"<script>\0\xFF").unwrap();
    let log = web.wait_log(&server, |log| log.iter().any(|entry| entry["kind"] == "received"));
    let entry = log.iter().find(|entry| entry["kind"] == "received").unwrap();
    assert_eq!(text_of(entry), "<script>\0<ff>");
    assert_eq!((&entry["peer"], &entry["length"]), (&json!(2), &json!(10)));
    let summary = web.wait(&server, |summary| peers(summary)[1]["received"] == 10);
    assert_eq!(peers(&summary)[1]["sent"], 9 + 6 + 6);
    assert_eq!(summary["counters"]["received_bytes"], 10);
    assert_eq!(summary["counters"]["sent_calls"], 3 + 1 + 2 + 3);
    web.done(json!({"do": "session.reset_counters", "session": server}));
    assert_eq!(web.summary(&server)["counters"]["sent_bytes"], 0);

    // FIN to one, RST to another.
    let disconnect = |peer: u64, how: &str| {
        web.done(json!({"do": "session.disconnect", "session": server, "peers": [peer], "how": how}));
    };
    disconnect(1, "fin");
    assert_eq!(clients[0].read(&mut [0; 8]).unwrap(), 0);
    disconnect(2, "rst");
    assert_eq!(clients[1].read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    clients.remove(0);
    web.wait(&server, |summary| connected(summary) == 1);
    let trouble =
        web.trouble(json!({"do": "session.send", "session": server, "to": [2], "outgoing": text("x")}));
    assert_eq!(trouble["code"], "gone");
    web.done(json!({"do": "session.close", "session": server}));
    assert_eq!(clients[1].read(&mut [0; 8]).unwrap(), 0);
    drop(clients);
    web.wait(&server, |summary| summary["state"] == "closed");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    web.done(json!({"do": "session.reopen", "session": server}));
    web.wait(&server, |summary| summary["state"] == "listening");
    web.done(json!({"do": "session.forget", "session": server}));
    assert_eq!(web.trouble(json!({"do": "session.close", "session": server}))["code"], "gone");
}

#[test]
fn gbk_is_never_broken_wherever_it_is_split() {
    if !has("python3") {
        return;
    }
    let web = Assistant::start();
    let settings = json!({"encoding": "GBK", "options": {"nodelay": true}});
    let (server, port) = web.open_at(json!({"kind": "tcp-server", "settings": settings}));
    let program = format!(
        "import socket, time\n\
         data = '网络，a调试€!'.encode('gb18030').replace(b'\\xa2\\xe3', b'\\x80')\n\
         for at in range(len(data) + 1):\n\
         \x20   s = socket.create_connection(('127.0.0.1', {port}))\n\
         \x20   s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n\
         \x20   s.sendall(data[:at]); time.sleep(0.02); s.sendall(data[at:]); s.close()\n"
    );
    let status = Command::new("python3").args(["-c", &program]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());
    let log =
        web.wait_log(&server, |log| log.iter().filter(|entry| entry["code"] == "fin-received").count() == 14);
    for peer in 1..=14 {
        let entries = log.iter().filter(|entry| entry["peer"] == peer && entry["kind"] == "received");
        let said: String = entries.map(text_of).collect();
        assert_eq!(said, "网络，a调试€!", "peer {peer}");
    }
    // What is shown is decoded again, for all and for one.
    web.done(json!({"do": "session.change", "session": server, "settings": {"encoding": "ISO-8859-1"}}));
    // The first two connections are served at the same time: their entries may stand in either order.
    let log = web.log(&server);
    let of_first = log.iter().filter(|entry| entry["peer"] == 1 && entry["kind"] == "received");
    assert!(of_first.map(text_of).collect::<String>().starts_with("ÍøÂç"));
    web.done(json!({"do": "session.peer", "session": server, "peer": 1, "encoding": "GB18030"}));
    let first = web.done(json!({"do": "log.range", "session": server, "from": 0, "count": 9, "filter": {"peer": 1, "text": "网络"}}));
    assert_eq!(first["count"], 1);
}

#[test]
fn a_client_says_why_it_cannot_and_connects_again() {
    let web = Assistant::start();
    let port = free_port();
    let client = web.open(json!({"kind": "tcp-client", "to": format!("127.0.0.1:{port}")}));
    let failed = web.wait(&client, |summary| summary["state"] == "failed");
    assert_eq!(failed["error"]["code"], "ECONNREFUSED");
    assert!(failed["error"]["next"].as_str().unwrap().contains("start the server"), "{failed}");

    web.done(json!({"do": "session.change", "session": client, "settings": {"reconnect": {"after_ms": 50}}}));
    web.done(json!({"do": "session.reopen", "session": client}));
    web.wait(&client, |summary| summary["state"] == "waiting");
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    web.wait(&client, |summary| summary["state"] == "connected");
    peer.write_all(b"one").unwrap();
    web.wait_received(&client, "one");
    // Reset by the other end, as Python does it.
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let (mut peer, _) = listener.accept().unwrap();
    web.wait(&client, |summary| summary["state"] == "connected");
    let log = web.log(&client);
    assert!(log.iter().any(|entry| entry["kind"] == "error" && entry["code"] == "ECONNRESET"), "{log:#?}");
    web.done(json!({"do": "session.send", "session": client, "to": "all", "outgoing": text("hi")}));
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read(&mut peer, 2), b"hi");
    web.done(json!({"do": "session.disconnect", "session": client, "peers": "all", "how": "rst"}));
    assert_eq!(peer.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    web.wait(&client, |summary| summary["state"] == "closed");
    let unknown = web.open(json!({"kind": "tcp-client", "to": "no-such-host.invalid:80"}));
    assert_eq!(web.wait(&unknown, |summary| summary["state"] == "failed")["error"]["code"], "unknown-host");
}

#[test]
fn answers_come_by_themselves() {
    let web = Assistant::start();
    let rules = json!([
        {"match": "text", "pattern": "时间", "reply": {"text": "12:00", "ending": "lf"}, "delay_ms": 100},
        {"match": "hex", "pattern": "01 03", "reply": {"form": "hex", "text": "01 83 02", "checksum": "crc16-modbus", "order": "little"}},
        {"match": "regex", "pattern": "^(?i)quit$", "reply": {"text": "bye"}},
    ]);
    let settings = json!({"reply": {"mode": "rules", "rules": rules}});
    let (server, port) = web.open_at(json!({"kind": "tcp-server", "settings": settings}));
    let mut client = connect(port);
    let start = Instant::now();
    client.write_all("现在时间?".as_bytes()).unwrap();
    assert_eq!(read(&mut client, 6), b"12:00\n");
    assert!(start.elapsed() >= Duration::from_millis(100));
    client.write_all(b"\x01\x03\0").unwrap();
    assert_eq!(read(&mut client, 5), b"\x01\x83\x02\xC0\xF1");
    client.write_all(b"QUIT").unwrap();
    assert_eq!(read(&mut client, 3), b"bye");
    let mode = |mode: &str| {
        let settings = json!({"reply": {"mode": mode, "fixed": {"text": "ok"}}, "encoding": "GBK"});
        web.done(json!({"do": "session.change", "session": server, "settings": settings}));
    };
    mode("upper");
    client.write_all(b"a\xC4\x7Az").unwrap();
    assert_eq!(read(&mut client, 4), b"A\xC4\x7AZ");
    mode("echo");
    client.write_all(b"\0\xFFx").unwrap();
    assert_eq!(read(&mut client, 3), b"\0\xFFx");
    mode("fixed");
    client.write_all(b"x").unwrap();
    assert_eq!(read(&mut client, 2), b"ok");
    // With lines, one answer a line, and the view shows lines.
    let lines = json!({"framing": {"mode": "line"}});
    web.done(json!({"do": "session.change", "session": server, "settings": lines}));
    client.write_all(b"a\nb\nc").unwrap();
    assert_eq!(read(&mut client, 4), b"okok");
    let log = web.wait_log(&server, |log| log.iter().any(|entry| entry["open"] == true));
    let received: Vec<String> = log.iter().filter(|entry| entry["kind"] == "received").map(text_of).collect();
    assert_eq!(received.last().unwrap(), "c");
    assert!(received.contains(&"b\n".to_owned()), "{received:?}");
}

#[test]
fn the_same_is_sent_again_and_again() {
    let web = Assistant::start();
    let (server, port) = web.open_at(json!({"kind": "tcp-server"}));
    let periodic = |count: Value| {
        web.done(json!({"do": "session.periodic", "session": server, "to": "all", "outgoing": text("tick"), "every_ms": 20, "count": count}));
    };
    // Before anybody is there.
    periodic(json!(5));
    std::thread::sleep(Duration::from_millis(60));
    let mut client = connect(port);
    assert_eq!(read(&mut client, 20), b"tick".repeat(5));
    let done = web.wait(&server, |summary| summary["sending"]["periodic"].is_null());
    assert_eq!(done["counters"]["sent_calls"], 5);
    periodic(Value::Null);
    assert_eq!(read(&mut client, 40), b"tick".repeat(10));
    web.done(json!({"do": "session.stop_periodic", "session": server}));
    assert!(web.summary(&server)["sending"]["periodic"].is_null());
}

#[test]
fn a_file_goes_no_faster_than_it_is_read() {
    let web = Assistant::start();
    let (server, port) = web.open_at(json!({"kind": "tcp-server"}));
    let mut client = connect(port);
    web.wait(&server, |summary| connected(summary) == 1);
    let file: Vec<u8> = (0..20_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let path = format!("/api/session/{server}/file?name=big.bin&to=all");
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| web.authorised("POST", &path, &file));
        let stuck = web.wait(&server, |summary| summary["sending"]["file"]["sent"].as_u64() > Some(0));
        assert_eq!(stuck["sending"]["file"]["size"], 20_000_000);
        std::thread::sleep(Duration::from_millis(500));
        let sent = web.summary(&server)["sending"]["file"]["sent"].as_u64().unwrap();
        assert!(sent < 19_000_000, "{sent} bytes were taken by nobody");
        let mut received = vec![0; file.len()];
        client.read_exact(&mut received).unwrap();
        assert!(received == file);
        let response = sending.join().unwrap();
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(answer["ok"]["bytes"], 20_000_000);
    });
    // And it can be stopped.
    let path = format!("/api/session/{server}/file?name=again&to=1");
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| web.authorised("POST", &path, &file));
        web.wait(&server, |summary| summary["sending"]["file"]["sent"].as_u64() > Some(0));
        web.done(json!({"do": "session.stop_file", "session": server}));
        web.wait(&server, |summary| summary["sending"]["file"].is_null());
        drop(client);
        sending.join().ok();
    });
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    let web = Assistant::start();
    let (server, port) = web.open_at(json!({"kind": "tcp-server"}));
    let (mut deaf, mut other) = (connect(port), connect(port));
    web.wait(&server, |summary| connected(summary) == 2);
    let deaf_peer = deaf.local_addr().unwrap().to_string();
    let summary = web.summary(&server);
    let peer = peers(&summary).into_iter().find(|peer| peer["address"] == deaf_peer).unwrap()["peer"].clone();
    let long = text(&"x".repeat(20_000_000));
    let trouble =
        web.trouble(json!({"do": "session.send", "session": server, "to": [peer], "outgoing": long}));
    assert_eq!(trouble["code"], "blocked");
    web.done(json!({"do": "session.change", "session": server, "settings": {"options": {"nodelay": true}}}));
    let sending = json!({"do": "session.send", "session": server, "to": "all", "outgoing": text("y")});
    assert_eq!(web.trouble(sending)["code"], "blocked");
    assert_eq!(read(&mut other, 1), b"y");
    web.done(json!({"do": "session.disconnect", "session": server, "peers": [peer], "how": "rst"}));
    web.wait(&server, |summary| connected(summary) == 1);
    let error = std::io::copy(&mut deaf, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_forwarder_shows_both_sides() {
    let web = Assistant::start();
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = target.local_addr().unwrap().to_string();
    let (forward, port) = web.open_at(json!({"kind": "forward", "to": to}));
    let mut near = connect(port);
    let (mut far, _) = target.accept().unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    near.write_all(b"question").unwrap();
    assert_eq!(read(&mut far, 8), b"question");
    // One side ends, the other still answers.
    near.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    far.write_all(b"answer").unwrap();
    assert_eq!(read(&mut near, 6), b"answer");
    drop(far);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
    web.wait(&forward, |summary| peers(summary)[0]["state"] == "closed");
    let log = web.log(&forward);
    let shown: Vec<(&str, &str, String)> = log
        .iter()
        .filter(|entry| entry["bytes"].is_string())
        .map(|entry| (entry["side"].as_str().unwrap(), entry["kind"].as_str().unwrap(), text_of(entry)))
        .collect();
    let said = |side, kind, text: &str| (side, kind, text.to_owned());
    let expected = [
        said("near", "received", "question"),
        said("far", "sent", "question"),
        said("far", "received", "answer"),
        said("near", "sent", "answer"),
    ];
    assert_eq!(shown, expected);
    // A reset goes through as well.
    let mut near = connect(port);
    let (far, _) = target.accept().unwrap();
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
    assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    // And so does a refusal.
    drop(target);
    let mut near = connect(port);
    assert!(!matches!(near.read(&mut [0; 8]), Ok(1..)));
    web.wait_log(&forward, |log| log.iter().any(|entry| entry["code"] == "ECONNREFUSED"));
}

#[test]
fn datagrams_come_and_go() {
    let web = Assistant::start();
    let settings = json!({"reply": {"mode": "upper"}});
    let (udp, port) = web.open_at(json!({"kind": "udp", "settings": settings}));
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 64];
    // Datagrams keep their boundaries, and one may be empty.
    for message in ["one", "", "two"] {
        peer.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    }
    for message in ["ONE", "TWO"] {
        let length = peer.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], message.as_bytes());
    }
    let log = web.log(&udp);
    let lengths: Vec<&Value> =
        log.iter().filter(|entry| entry["kind"] == "received").map(|entry| &entry["length"]).collect();
    assert_eq!(lengths, [3, 0, 3]);
    let own = peer.local_addr().unwrap().to_string();
    for to in [json!("all"), json!([1]), json!(own)] {
        web.done(json!({"do": "session.send", "session": udp, "to": to, "outgoing": text("x")}));
        assert_eq!(peer.recv(&mut buffer).unwrap(), 1);
    }
    let long = text(&"x".repeat(70_000));
    let trouble = web.trouble(json!({"do": "session.send", "session": udp, "to": own, "outgoing": long}));
    assert_eq!(trouble["code"], "EMSGSIZE");
    // Nobody is there: that comes back as an error, and the session lives on.
    let nobody = format!("127.0.0.1:{}", free_port());
    let trouble = web.trouble(
        json!({"do": "session.send", "session": udp, "to": "127.255.255.255:9", "outgoing": text("x")}),
    );
    assert_eq!(trouble["code"], "EACCES");
    web.ask(&json!({"do": "session.send", "session": udp, "to": nobody, "outgoing": text("x")}));
    peer.send_to(b"still", ("127.0.0.1", port)).unwrap();
    assert_eq!(peer.recv(&mut buffer).unwrap(), 5);
    let trouble =
        web.trouble(json!({"do": "session.disconnect", "session": udp, "peers": "all", "how": "fin"}));
    assert!(trouble["words"].as_str().unwrap().contains("no connections"));
}

#[test]
fn groups_are_heard() {
    let web = Assistant::start();
    let port = free_port();
    let group = Ipv4Addr::new(239, 77, 88, 99);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&sender).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let open = || web.open(json!({"kind": "udp", "port": port, "join": [group], "ttl": 1}));
    // Two may hear a group at one port.
    let (one, two) = (open(), open());
    let is_over = |summary: &Value| matches!(summary["state"].as_str(), Some("open" | "failed"));
    for session in [&one, &two] {
        let summary = web.wait(session, is_over);
        if summary["error"]["code"] == "ENODEV" || summary["error"]["code"] == "EPERM" {
            eprintln!("skipped: multicast on loopback is not permitted: {}", summary["error"]);
            return;
        }
        assert_eq!(summary["state"], "open", "{summary}");
    }
    if let Err(error) = sender.send_to(b"to all", (group, port)) {
        eprintln!("skipped: multicast on loopback is not permitted: {error}");
        return;
    }
    web.wait_received(&one, "to all");
    web.wait_received(&two, "to all");
    web.done(json!({"do": "session.send", "session": one, "to": format!("{group}:{port}"), "outgoing": text("by us")}));
    web.wait_received(&two, "to allby us");
}

#[test]
fn who_has_the_port_is_said() {
    let web = Assistant::start();
    let open = |port: u16, reuse: bool| {
        let settings = json!({"options": {"reuseaddr": reuse}});
        let session = web.open(json!({"kind": "tcp-server", "port": port, "settings": settings}));
        web.wait(&session, |summary| summary["state"] == "failed" || summary["state"] == "listening")
    };
    // This program.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = open(listener.local_addr().unwrap().port(), true)["error"].clone();
    assert_eq!(error["code"], "EADDRINUSE");
    assert_eq!(error["facts"]["pid"], std::process::id());
    assert!(error["facts"]["holder"].as_str().unwrap().contains(&std::process::id().to_string()), "{error}");
    // Another session.
    let (server, port) = web.open_at(json!({"kind": "tcp-server"}));
    let error = open(port, true)["error"].clone();
    assert_eq!(error["facts"]["session"], server.as_str());
    // Nobody but TIME-WAIT, where we have closed first.
    let mut client = connect(port);
    web.wait(&server, |summary| connected(summary) == 1);
    web.done(json!({"do": "session.close", "session": server}));
    assert_eq!(client.read(&mut [0; 4]).unwrap(), 0);
    drop(client);
    web.wait(&server, |summary| summary["state"] == "closed");
    let error = open(port, false)["error"].clone();
    assert!(error["facts"]["time_wait"].as_u64() >= Some(1), "{error}");
    assert!(error["next"].as_str().unwrap().contains("reuseaddr"), "{error}");
    assert_eq!(open(port, true)["state"], "listening");
    // An address that is not ours.
    let session = web.open(json!({"kind": "tcp-server", "address": "203.0.113.7"}));
    let failed = web.wait(&session, |summary| summary["state"] == "failed");
    assert_eq!(failed["error"]["code"], "EADDRNOTAVAIL");
}

#[test]
fn the_log_is_saved_and_searched_and_a_project_comes_back() {
    let web = Assistant::start();
    let settings = json!({"encoding": "GBK", "chunk": 12, "options": {"keepalive": {"idle_s": 5, "interval_s": 1, "count": 3}}});
    let (server, port) = web.open_at(json!({"kind": "tcp-server", "title": "课堂", "settings": settings}));
    let mut client = connect(port);
    client.write_all(b"=1+1,\"\xC4\xE3\"\r\n\xFF<b>").unwrap();
    let log =
        web.wait_log(&server, |log| log.iter().filter(|entry| entry["kind"] == "received").count() == 2);
    assert_eq!(text_of(log.last().unwrap()), "<b>".to_owned());
    let file = |form: &str| {
        let response = web.authorised("GET", &format!("/api/session/{server}/log.{form}"), b"");
        assert_eq!(response.status, 200);
        assert!(response.head.contains("attachment"), "{}", response.head);
        String::from_utf8(response.body).unwrap()
    };
    assert!(file("txt").contains(" <- "), "{}", file("txt"));
    let csv = file("csv");
    assert!(
        csv.starts_with("n,time,kind,side,peer,address,length,text,hex\r\n") && csv.contains("'=1+1"),
        "{csv}"
    );
    let json: Value = serde_json::from_str(&file("json")).unwrap();
    assert_eq!(json.as_array().unwrap().len(), web.log(&server).len());
    assert_eq!(web.authorised("GET", &format!("/api/session/{server}/log.pcapng"), b"").status, 404);
    assert_eq!(web.authorised("GET", "/api/session/s99/log.txt", b"").status, 404);

    let find = |needle: Value| {
        let mut request = json!({"do": "log.find", "session": server, "after": null, "backward": false});
        request.as_object_mut().unwrap().extend(needle.as_object().unwrap().clone());
        web.done(request)["index"].clone()
    };
    let n = log.last().unwrap()["n"].clone();
    assert_eq!(find(json!({"text": "<B>"})), n);
    assert_eq!(find(json!({"hex": "3c 62"})), n);
    assert_eq!(find(json!({"text": "no such thing"})), Value::Null);

    let project = web.done(json!({"do": "project.save"}))["project"].clone();
    web.done(json!({"do": "session.forget", "session": server}));
    drop(client);
    let loaded = web.done(json!({"do": "project.load", "project": project}));
    let again = loaded["sessions"][0].as_str().unwrap();
    let summary = web.wait(again, |summary| summary["state"] == "listening");
    assert_eq!(summary["title"], "课堂");
    assert_eq!(summary["settings"]["encoding"], "GBK");
    assert_eq!(summary["settings"]["options"]["keepalive"]["idle_s"], 5);
    let broken = json!({"version": 1, "sessions": [{"kind": "udp"}, {"kind": "udp", "port": "x"}]});
    let trouble = web.trouble(json!({"do": "project.load", "project": broken}));
    assert_eq!(trouble["facts"]["member"], "sessions[1].port");
}

#[test]
fn a_flood_is_kept_up_with() {
    let web = Assistant::start();
    let settings = json!({"chunk": 64});
    let (server, port) = web.open_at(json!({"kind": "tcp-server", "settings": settings}));
    let mut client = connect(port);
    let start = Instant::now();
    client.write_all(&vec![b'x'; 64 * 50_000]).unwrap();
    let summary = web.wait(&server, |summary| summary["counters"]["received_bytes"] == 64 * 50_000);
    assert!(summary["log"]["count"].as_u64() >= Some(50_000));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // A long file comes whole.
    let response = web.authorised("GET", &format!("/api/session/{server}/log.json"), b"");
    let entries: Vec<Value> = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(entries.len() as u64, summary["log"]["count"].as_u64().unwrap());
    // Re-decoding it is quick.
    let start = Instant::now();
    web.done(json!({"do": "session.change", "session": server, "settings": {"encoding": "GB18030"}}));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn hosts_of_a_lan_have_sessions() {
    let web = Assistant::start();
    let lan = web.done(json!({"do": "lan.open"}))["lan"].clone();
    let on = |host: &str| json!({"on": "lan", "lan": lan, "host": host});
    let settings = json!({"reply": {"mode": "upper"}});
    let (server, port) =
        web.open_at(json!({"kind": "tcp-server", "place": on("server"), "settings": settings}));
    // Hosts are known by their names.
    let to = format!("server:{port}");
    let (client, _) = web.open_at(json!({"kind": "tcp-client", "place": on("client"), "to": to}));
    web.done(json!({"do": "session.send", "session": client, "outgoing": text("abc")}));
    web.wait_received(&client, "ABC");
    web.done(json!({"do": "session.disconnect", "session": server, "peers": "all", "how": "rst"}));
    web.wait_log(&client, |log| log.iter().any(|entry| entry["code"] == "ECONNRESET"));
    let nowhere = web.open(json!({"kind": "udp", "place": on("nobody")}));
    assert_eq!(web.wait(&nowhere, |summary| summary["state"] == "failed")["error"]["code"], "gone");
}

#[test]
fn what_is_wrong_in_an_outgoing_is_shown_where_it_is() {
    let web = Assistant::start();
    let preview = |outgoing: Value| web.ask(&json!({"do": "session.preview", "outgoing": outgoing}));
    let good = preview(json!({"form": "text", "text": "a\\x41", "escapes": true, "ending": "lf"}));
    assert_eq!(good["ok"]["bytes"], "YUEK");
    let bad = preview(json!({"form": "hex", "text": "01 zz"}));
    assert_eq!((&bad["error"]["code"], &bad["error"]["facts"]["position"]), (&json!("bad-hex"), &json!(4)));
    let bad = preview(json!({"text": "a😀", "encoding": "GBK"}));
    assert_eq!(bad["error"]["facts"]["character"], "😀");
    let trouble = web.trouble(
        json!({"do": "session.open", "kind": "tcp-server", "settings": {"options": {"nodelay": 5}}}),
    );
    assert!(trouble["words"].as_str().unwrap().contains("options"), "{trouble}");
}
