//! `--web`: the page beside other commands.

mod assistant;
mod running;

use std::io::{Read, Write};
use std::net::TcpStream;

use assistant::Assistant;
use running::{Serving, finish, free_port, has, sockeye};
use serde_json::json;

const SERVER: &str = "import socket
s = socket.create_server(('', 8008))
c, _ = s.accept()
c.sendall(c.recv(1024).upper())
c.close()
raise SystemExit(7)
";

/// The page that a command says it serves, and what it says else.
fn page(serving: &Serving) -> Assistant {
    Assistant::at(serving.said.iter().find(|line| line.contains("the page: ")).unwrap())
}

#[test]
fn a_program_is_shown_with_its_calls() {
    if !has("python3") {
        return;
    }
    let port = free_port();
    let mut command = sockeye(&["run", "--web=0", "--publish", &format!("{port}:8008"), "--"]);
    command.args(["python3", "-c", SERVER]);
    let serving = Serving::wait_for(command, |line| line.contains("is published on"), 1);
    let web = page(&serving);
    // The gateway listens too, for names.
    let is_program = |row: &serde_json::Value| row["arguments"].as_str() == Some("0.0.0.0:8008");
    let rows = web.wait_row(is_program);
    let program = rows.iter().find(|row| is_program(row)).unwrap()["host"].clone();
    web.wait_row(|row| row["host"] == program && row["call"] == "listen");
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "HELLO");
    // Nobody has the page open: it ends with the program.
    let (code, _, said) = serving.wait();
    assert_eq!(code, Some(7), "{said:?}");
}

#[test]
fn what_is_served_is_shown_and_its_cable_can_be_spoiled() {
    let port = free_port();
    let serving = Serving::start(&[&format!("upper:{port}")], &["--web=0"]);
    let web = page(&serving);
    let hello = || {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        said
    };
    assert_eq!(hello(), "HELLO");
    let rows = web.wait_row(|row| row["kind"] == "frame" && row["payload"].as_str() == Some("\"HELLO\""));
    assert!(rows.iter().any(|row| row["kind"] == "call" && row["call"] == "send" && row["outcome"] == "5"));
    assert!(rows.iter().any(|row| row["kind"] == "state" && row["state"] == "ESTABLISHED"));
    let lan = web.done(json!({"do": "lan.get", "lan": "l1"}))["lan"].clone();
    assert_eq!(lan["owner"], "serve");
    let hosts: Vec<&str> =
        lan["hosts"].as_array().unwrap().iter().map(|host| host["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["gateway", "server"]);
    assert_eq!(lan["hosts"][1]["addresses"], json!(["10.0.0.2/24"]));
    let trouble = web.trouble(json!({"do": "lan.close", "lan": "l1"}));
    assert_eq!(trouble["code"], "owned");

    let cable = json!({"do": "lan.cable", "lan": "l1", "host": "server", "conditions": {"delay_ms": 30}});
    web.done(cable);
    web.done(json!({"do": "lan.drop_next", "lan": "l1", "host": "server", "direction": "up", "frames": 1}));
    assert_eq!(hello(), "HELLO");
    let rows = web.wait_row(|row| row["lost"] == "dropped on request");
    let rows = if rows.iter().any(|row| !row["first"].is_null()) {
        rows
    } else {
        web.wait_row(|row| !row["first"].is_null())
    };
    assert!(rows.iter().any(|row| row["note"] == "cable"));
}

#[test]
fn nothing_of_it_where_there_is_no_cable() {
    let refused = finish(sockeye(&["serve", "echo:1", "--on", "os"]).arg("--web"), b"");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--web has no meaning with --on os"));
}
