//! `sockeye web` as a program uses it: by its API over HTTP.
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::running::{PATIENCE, sockeye};

/// An assistant at work; ended when it is dropped.
pub struct Assistant {
    /// None where it is a part of another command.
    child: Option<Child>,
    /// Of the page.
    pub port: u16,
    /// What lets one in.
    pub token: String,
}

/// An answer over HTTP.
pub struct Response {
    /// The number of the status.
    pub status: u16,
    /// The headers, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Assistant {
    /// Starts one, and waits for its address.
    pub fn start() -> Assistant {
        let mut command = sockeye(&["web", "--no-open", "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut assistant = Assistant::at(&line);
        assistant.child = Some(child);
        assistant
    }

    /// The one whose address a command with `--web` has printed.
    pub fn at(line: &str) -> Assistant {
        let address = line.find("http://127.0.0.1:").map(|place| line[place + 17..].trim());
        let (port, token) =
            address.and_then(|rest| rest.split_once("/?token=")).unwrap_or_else(|| panic!("{line}"));
        Assistant { child: None, port: port.parse().unwrap(), token: token.to_owned() }
    }

    /// The rows of the first recording, as soon as there is one among them that is waited for.
    pub fn wait_row(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let asked = json!({"do": "recording.rows", "recording": "r1", "from": 0, "count": 500});
            let rows = self.done(asked)["rows"].as_array().unwrap().clone();
            if rows.iter().any(&is_it) {
                return rows;
            }
            assert!(start.elapsed() < PATIENCE, "{rows:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// One request with these headers.
    pub fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.port));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"\r\n").unwrap();
        // Who is refused is not read to the end.
        stream.write_all(body).ok();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while reader.read_line(&mut head).unwrap() > 2 {}
        let head = head.to_lowercase();
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let mut body = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).unwrap();
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        } else {
            reader.read_to_end(&mut body).unwrap();
        }
        Response { status, head, body }
    }

    /// The same, let in.
    pub fn authorised(&self, method: &str, path: &str, body: &[u8]) -> Response {
        let bearer = format!("Bearer {}", self.token);
        self.http(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)
    }

    /// The whole answer to a request.
    pub fn ask(&self, request: &Value) -> Value {
        let response = self.authorised("POST", "/api/do", request.to_string().as_bytes());
        let said = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, 200, "{}: {said}", request["do"]);
        serde_json::from_slice(&response.body).unwrap()
    }

    /// The answer to a request that is fulfilled.
    pub fn done(&self, request: Value) -> Value {
        let answer = self.ask(&request);
        answer.get("ok").unwrap_or_else(|| panic!("{}: {answer}", request["do"])).clone()
    }

    /// Why a request is not fulfilled.
    pub fn trouble(&self, request: Value) -> Value {
        let answer = self.ask(&request);
        answer.get("error").unwrap_or_else(|| panic!("{}: {answer}", request["do"])).clone()
    }

    /// Opens a session; its name.
    pub fn open(&self, mut request: Value) -> String {
        request["do"] = "session.open".into();
        self.done(request)["session"].as_str().unwrap().to_owned()
    }

    /// Opens one, and waits until it listens, or is open: its name and port.
    pub fn open_at(&self, request: Value) -> (String, u16) {
        let session = self.open(request);
        let summary = self.wait(&session, |session| {
            matches!(session["state"].as_str(), Some("listening" | "open" | "connected"))
        });
        let local = summary["local"].as_str().unwrap();
        (session, local.rsplit_once(':').unwrap().1.parse().unwrap())
    }

    /// All of the log.
    pub fn log(&self, session: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        let mut from = 0;
        loop {
            let range = self.done(json!({"do": "log.range", "session": session, "from": from, "count": 500}));
            let entries = range["entries"].as_array().unwrap();
            if entries.is_empty() {
                return all;
            }
            from = entries.last().unwrap()["n"].as_u64().unwrap() + 1;
            all.extend(entries.iter().cloned());
        }
    }

    /// The text of all entries of a kind, joined.
    pub fn text(&self, session: &str, kind: &str) -> String {
        self.log(session).iter().filter(|entry| entry["kind"] == kind).map(text_of).collect()
    }

    /// The session as the news tell of it.
    pub fn summary(&self, session: &str) -> Value {
        self.done(json!({"do": "session.get", "session": session}))["session"].clone()
    }

    /// Waits until something holds of a session.
    pub fn wait(&self, session: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let summary = self.summary(session);
            if holds(&summary) {
                return summary;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{summary:#}\n{:#?}", self.log(session));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until something holds of a session's log.
    pub fn wait_log(&self, session: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let log = self.log(session);
            if holds(&log) {
                return log;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{log:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the received text is this.
    pub fn wait_received(&self, session: &str, text: &str) {
        self.wait_log(session, |log| {
            log.iter().filter(|entry| entry["kind"] == "received").map(text_of).collect::<String>() == text
        });
    }
}

impl Drop for Assistant {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The text of an entry; bytes that are none in angle brackets.
pub fn text_of(entry: &Value) -> String {
    let pieces = entry["pieces"].as_array().into_iter().flatten();
    pieces
        .map(|piece| match piece[0].as_str() {
            Some("t") => piece[1].as_str().unwrap_or_default().to_owned(),
            _ => format!("<{}>", piece[1].as_str().unwrap_or_default()),
        })
        .collect()
}

/// A text to be sent.
pub fn text(text: &str) -> Value {
    json!({"form": "text", "text": text, "encoding": "UTF-8", "escapes": false, "ending": "none", "checksum": "none"})
}
