//! `sockeye connect` and `sockeye ping`, and what is made from the definitions of the command line.

mod running;

use std::process::{Command, Output};

use running::{Serving, finish, free_port, has, run, sockeye};

fn connect(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = sockeye(&["connect"]);
    let output = finish(command.args(arguments), input);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_server_of_the_lan_answers() {
    let large = vec![b'x'; 500_000];
    assert!(connect(&["server:7"], &large).stdout == large);
    assert_eq!(connect(&["10.0.0.2:7", "--udp"], b"hello").stdout, b"hello");
    assert_eq!(connect(&["server:9"], b"hello").stdout, b"");
    assert!(connect(&["server:13"], b"").stdout.ends_with(b"GMT\r\n"));
    assert!(connect(&["server:80"], b"GET / HTTP/1.0\r\n\r\n").stdout.starts_with(b"HTTP/1.0 200 OK"));
}

#[test]
fn over_ipv6_and_over_a_bad_cable() {
    let options = ["[fd00::2]:7", "--ip", "fd00::9/64", "--loss", "10%", "--delay", "5ms", "--seed", "1"];
    let sent: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
    assert!(connect(&options, &sent).stdout == sent);
    let options = ["server:7", "--udp", "--ip", "fd00::9/64", "--gateway", "fd00::5"];
    assert_eq!(connect(&options, b"hello").stdout, b"hello");
}

#[test]
fn data_on_stdout_and_everything_else_on_stderr() {
    let output = connect(&["server:7", "--ladder"], "grüße".as_bytes());
    assert_eq!(output.stdout, "grüße".as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("seed ") && said.contains("ESTABLISHED") && said.contains("\"grüße\""), "{said}");
    let output = connect(&["server:7", "--json"], b"hello");
    assert_eq!(output.stdout, b"hello");
    let said = String::from_utf8(output.stderr).unwrap();
    let objects = said.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert!(objects > 5, "{said}");
}

#[test]
fn the_same_seed_makes_the_same_luck() {
    let doubled = |seed: &str| {
        let cable = ["--duplicate", "30%", "--seed", seed, "--json"];
        let mut command = sockeye(&["ping", "server", "-c", "40", "-i", "5ms", "-W", "100ms"]);
        let output = finish(command.args(cable), b"");
        let rows = String::from_utf8(output.stdout).unwrap();
        let rows = rows.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        // The frames of one direction, the first of which are as many in every run.
        let sent = rows.filter(|row| row["event"] == "frame" && row["from"] == "left");
        sent.map(|row| row.get("duplicated").is_some()).take(30).collect::<Vec<bool>>()
    };
    let first = doubled("5");
    assert!(first.len() == 30 && first.contains(&true) && first.contains(&false), "{first:?}");
    assert_eq!(first, doubled("5"));
    assert_ne!(first, doubled("6"));
}

#[test]
fn ping_in_the_words_people_know() {
    for (host, place) in [("server", "lan"), ("gateway", "lan"), ("10.0.0.3", "lan"), ("127.0.0.1", "os")] {
        let output = run(&["ping", host, "-c", "3", "-i", "20ms", "--on", place]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if place == "os" && String::from_utf8_lossy(&output.stderr).contains("ping_group_range") {
            eprintln!("skipped: this user may not ping from the real machine");
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{said} {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("64 bytes from ") && said.contains("icmp_seq=1 time="), "{said}");
        assert!(said.contains("3 packets transmitted, 3 received, 0% packet loss, time "), "{said}");
        assert!(said.contains("rtt min/avg/max/mdev = "), "{said}");
    }
    let output = run(&["ping", "server", "-c", "2", "-i", "20ms", "-s", "20000", "--delay", "20ms"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("20008 bytes from 10.0.0.2") && said.contains("2 received"), "{said}");
}

#[test]
fn connect_to_a_server_of_the_real_machine() {
    let port = free_port();
    let _serving = Serving::start(&[&format!("upper:{port}")], &[]);
    let to = format!("127.0.0.1:{port}");
    assert_eq!(connect(&[&to, "--on", "os"], b"hello").stdout, b"HELLO");
    assert_eq!(connect(&[&to, "--on", "os", "--udp"], b"hello").stdout, b"HELLO");
}

#[test]
fn an_endless_service_ends_when_nobody_reads() {
    if !has("head") {
        return;
    }
    let program = env!("CARGO_BIN_EXE_sockeye");
    let script = format!("'{program}' connect server:19 2>/dev/null | head -c 74");
    let output = finish(Command::new("sh").args(["-c", &script]), b"");
    assert_eq!(output.stdout.len(), 74);
}

#[test]
fn doctor_says_ok_or_what_to_do() {
    let output = run(&["doctor"]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().count() >= 9, "{said}");
    assert!(said.lines().all(|line| line.starts_with("ok   ") || line.starts_with("not  ")), "{said}");
}

#[test]
fn completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("sockeye"), "{shell}");
        if shell == "bash" && has("bash") {
            assert!(finish(Command::new("bash").arg("-n"), &output.stdout).status.success());
        }
    }
    let page = String::from_utf8(run(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH sockeye 1") && page.contains("EXIT STATUS"), "{page}");
    let page = String::from_utf8(run(&["man", "serve"]).stdout).unwrap();
    assert!(page.contains("sockeye\\-serve") && page.contains("loss\\-burst"), "{page}");
    for help in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let output = run(help);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    }
}
