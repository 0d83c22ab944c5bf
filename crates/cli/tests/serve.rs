//! `sockeye serve`, with the machine's own programs as clients.

mod running;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use running::{PATIENCE, Serving, finish, free_port, has, sockeye};

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends everything, closes that half, and reads to the end.
fn ask(port: u16, question: &[u8]) -> Vec<u8> {
    let mut stream = connect(port);
    let mut sender = stream.try_clone().unwrap();
    let question = question.to_vec();
    let writer = std::thread::spawn(move || {
        sender.write_all(&question).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    writer.join().unwrap();
    answer
}

/// Bytes that do not repeat.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn every_service_in_both_places() {
    for place in ["lan", "os"] {
        let ports: Vec<u16> = std::iter::repeat_with(free_port).take(7).collect();
        let names = ["echo", "upper", "discard", "chargen", "daytime", "reply=yes: indeed", "http"];
        let services: Vec<String> =
            names.iter().zip(&ports).map(|(name, port)| format!("{name}:{port}")).collect();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        let serving = Serving::start(&services, &["--on", place]);
        let [echo, upper, discard, chargen, daytime, reply, http] = ports[..] else { unreachable!() };

        let large = bytes(1_000_000);
        assert!(ask(echo, &large) == large, "echo on {place}");
        assert_eq!(ask(echo, b""), b"", "an empty echo on {place}");
        assert_eq!(ask(upper, "hello, wörld".as_bytes()), "HELLO, WöRLD".as_bytes(), "{place}");
        assert_eq!(ask(discard, &large), b"", "{place}");
        assert!(ask(daytime, b"").ends_with(b"GMT\r\n"), "{place}");
        assert_eq!(ask(reply, b"is it?"), b"yes: indeed", "{place}");
        let page = ask(
            http,
            b"GET /where?x=%3Cb%3E HTTP/1.1\r\nHost: me\r\nX-Odd: <b>\r\nConnection: close\r\n\r\n",
        );
        let page = String::from_utf8(page).unwrap();
        assert!(
            page.starts_with("HTTP/1.1 200 OK") && page.contains("GET /where?x=%3Cb%3E"),
            "{place}: {page}"
        );
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{place}: {page}");
        assert_eq!(
            page.contains("Sockeye's own") || page.contains("Sockeye&#39;s own"),
            place == "lan",
            "{page}"
        );

        let mut characters = vec![0; 300_000];
        let mut stream = connect(chargen);
        stream.write_all(b"this is thrown away").unwrap();
        stream.read_exact(&mut characters).unwrap();
        assert!(characters.starts_with(b" !\"#$%&'()*+,-./0123456789"), "{place}");
        assert_eq!(characters[0..7030], characters[7030..14060], "{place}");
        drop(stream);

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut datagram = vec![0; 65_536];
        for (port, question, wanted) in [
            (echo, &large[..9000], Some(&large[..9000])),
            (echo, &b""[..], Some(&b""[..])),
            (upper, &b"abc"[..], Some(&b"ABC"[..])),
            (reply, &b"?"[..], Some(&b"yes: indeed"[..])),
            (daytime, &b""[..], None),
            (chargen, &b""[..], None),
        ] {
            socket.send_to(question, ("127.0.0.1", port)).unwrap();
            let (length, _) =
                socket.recv_from(&mut datagram).unwrap_or_else(|e| panic!("{port} on {place}: {e}"));
            if let Some(wanted) = wanted {
                assert!(&datagram[..length] == wanted, "{port} on {place}");
            }
        }
        assert_eq!(serving.end("INT").0, Some(130), "{place}");
    }
}

#[test]
fn a_bad_cable_loses_nothing_for_good() {
    let port = free_port();
    let options = ["--loss", "10%", "--delay", "50ms", "--seed", "7", "--ladder"];
    let serving = Serving::start(&[&format!("echo:{port}")], &options);
    assert!(
        serving.said.iter().any(|line| line.contains("seed 7") && line.contains("loss 10%")),
        "{:?}",
        serving.said
    );
    let sent = bytes(100_000);
    assert!(ask(port, &sent) == sent);
    let (_, _, said) = serving.end("INT");
    let ladder = said.join("\n");
    for mark in ["✗ lost", "↻ again", "ARP who-has 10.0.0.2", "SYN seq 0", "FIN", "ESTABLISHED"] {
        assert!(ladder.contains(mark), "no {mark} in\n{ladder}");
    }
}

#[test]
fn twenty_clients_at_once_and_one_that_hangs_up() {
    let port = free_port();
    let _serving = Serving::start(&[&format!("echo:{port}")], &[]);
    // Closed with an answer unread: the kernel resets it, and nobody else is to notice.
    let mut rude = connect(port);
    rude.write_all(&bytes(10_000)).unwrap();
    drop(rude);
    let clients: Vec<_> = (1..=20usize)
        .map(|number| std::thread::spawn(move || (ask(port, &bytes(number * 5000)), bytes(number * 5000))))
        .collect();
    for client in clients {
        let (answer, question) = client.join().unwrap();
        assert!(answer == question);
    }
}

#[test]
fn nc_talks_to_it() {
    if !has("nc") {
        return;
    }
    let port = free_port();
    let serving = Serving::start(&[&format!("echo:{port}")], &["--ladder"]);
    let output = finish(Command::new("nc").args(["-N", "127.0.0.1", &port.to_string()]), b"hello from nc\n");
    assert_eq!(output.stdout, b"hello from nc\n");
    let (_, _, said) = serving.end("INT");
    let ladder = said.join("\n");
    assert!(ladder.contains(r#""hello from nc\n""#), "{ladder}");
    // Both halves are closed, and the ladder tells it to the end.
    assert!(ladder.contains("CLOSE-WAIT") && ladder.contains("TIME-WAIT"), "{ladder}");
}

#[test]
fn other_ports_are_published_when_told() {
    let (inside, outside, other) = (free_port(), free_port(), free_port());
    let services = [format!("echo:{inside}")];
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    let publish = [format!("{outside}:{inside}"), format!("127.0.0.1:{other}:{inside}")];
    let options = ["--publish", &publish[0], "--publish", &publish[1]];
    for place in ["lan", "os"] {
        let options = [&options[..], &["--on", place]].concat();
        // On the real machine there is one line for each.
        let mut command = sockeye(&["serve"]);
        command.args(&services).args(&options);
        let lines = if place == "os" { 2 } else { 1 };
        let _serving = Serving::wait_for(command, |line| line.contains("; try "), lines);
        assert_eq!(ask(outside, b"one"), b"one", "{place}");
        assert_eq!(ask(other, b"two"), b"two", "{place}");
        assert!(TcpStream::connect(("127.0.0.1", inside)).is_err(), "{place}");
    }
}

#[test]
fn json_is_one_object_a_line() {
    let port = free_port();
    let serving = Serving::start(&[&format!("echo:{port}")], &["--json", "--hex"]);
    assert_eq!(ask(port, b"\x00\xff"), b"\x00\xff");
    let (code, stdout, _) = serving.end("TERM");
    assert_eq!(code, Some(143));
    let rows: Vec<serde_json::Value> =
        String::from_utf8(stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(events[0], "start");
    assert!(events.contains(&"connection") && events.contains(&"frame"), "{events:?}");
    assert!(rows.iter().any(|row| row["payload"] == "00 ff" && row["from"] == "left"), "{rows:#?}");
    assert!(rows.iter().any(|row| row["right_state"] == "SYN-RECEIVED"), "{rows:#?}");
    let times: Vec<f64> = rows.iter().filter_map(|row| row["time"].as_f64()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn it_ends_when_nobody_reads_its_json() {
    let port = free_port();
    let mut child = sockeye(&["serve", &format!("echo:{port}"), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // What reads its output is gone before there is any.
    drop(child.stdout.take());
    let start = std::time::Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = loop {
        // Every new connection is something to tell.
        drop(TcpStream::connect(("127.0.0.1", port)));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it goes on");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn tshark_finds_nothing_wrong_with_the_capture() {
    if !has("tshark") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.pcapng");
    let port = free_port();
    let options = ["--pcap", file.to_str().unwrap(), "--loss", "5%", "--delay", "5ms", "--seed", "3"];
    let serving = Serving::start(&[&format!("echo:{port}")], &options);
    let sent = bytes(60_000);
    assert!(ask(port, &sent) == sent);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&sent[..5000], ("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // It may be lost: that is what the cable was made for.
    let _ = socket.recv_from(&mut [0; 6000]);
    assert_eq!(serving.end("INT").0, Some(130));

    let tshark = |arguments: &[&str]| {
        let mut command = Command::new("tshark");
        command.args(["-n", "-r", file.to_str().unwrap()]);
        for check in ["tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE"] {
            command.args(["-o", check]);
        }
        let output = finish(command.args(arguments), b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let bad = tshark(&[
        "-Y",
        "_ws.malformed or tcp.checksum.status == 0 or udp.checksum.status == 0 or ip.checksum.status == 0",
    ]);
    assert_eq!(bad, "");
    assert!(tshark(&["-Y", "tcp.flags.syn == 1"]).lines().count() >= 2);
    assert!(tshark(&["-Y", "tcp.analysis.retransmission or tcp.analysis.fast_retransmission or tcp.analysis.spurious_retransmission"]).lines().count() > 0);
    assert!(tshark(&["-T", "fields", "-e", "frame.comment"]).contains("lost on the cable"));
}

#[test]
fn the_locale_decides_about_the_signs() {
    let port = free_port();
    let mut command = sockeye(&["serve", &format!("echo:{port}"), "--ladder"]);
    command.env("LC_ALL", "C");
    let serving = Serving::wait_for(command, |line| line.contains("; try "), 1);
    assert_eq!(ask(port, "ä".as_bytes()), "ä".as_bytes());
    let (_, _, said) = serving.end("INT");
    let ladder = said.join("\n");
    assert!(ladder.is_ascii() && ladder.contains(r"\u{e4}") && ladder.contains("->"), "{ladder}");
}
