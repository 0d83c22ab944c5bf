//! Hosts of several processes on one LAN with a name.

mod running;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use running::{Serving, finish, free_port, sockeye};
use tempfile::TempDir;

/// A user of their own, as far as LANs go.
struct User {
    runtime: TempDir,
}

impl User {
    fn new() -> User {
        User { runtime: tempfile::tempdir().unwrap() }
    }

    fn sockeye(&self, arguments: &[&str]) -> Command {
        let mut command = sockeye(arguments);
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        command
    }

    fn start(&self, arguments: &[&str], last_words: &str) -> Serving {
        let last_words = last_words.to_owned();
        Serving::wait_for(self.sockeye(arguments), move |line| line.contains(&last_words), 1)
    }

    fn lan(&self, options: &[&str]) -> Serving {
        self.start(&[&["lan", "demo"], options].concat(), "join it with")
    }

    /// Runs it to its end: exit code, standard output, standard error.
    fn run(&self, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
        let output = finish(&mut self.sockeye(arguments), input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.runtime.path().join("sockeye")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn hosts_with_fixed_addresses_meet() {
    let user = User::new();
    let lan = user.lan(&[]);
    let place = ["--on", "lan:demo"];
    let server = user.start(&[&["serve", "echo:7", "--ip", "10.0.0.20/24"], &place[..]].concat(), "; try");
    assert!(server.said.iter().any(|line| line.contains("try sockeye connect server:7 --on lan:demo")));
    let connect =
        [&["connect", "10.0.0.20:7", "--ip", "10.0.0.30/24", "--delay", "5ms"], &place[..]].concat();
    for _ in 0..3 {
        let (code, stdout, stderr) = user.run(&connect, b"over three processes\n");
        assert_eq!((code, stdout.as_str()), (Some(0), "over three processes\n"), "{stderr}");
    }
    let ping = [&["ping", "10.0.0.1", "-c", "2", "-i", "10ms", "--ip", "10.0.0.30/24"], &place[..]].concat();
    let (code, stdout, stderr) = user.run(&ping, b"");
    assert!(code == Some(0) && stdout.contains("2 received"), "{stdout}{stderr}");

    // A name has one LAN.
    let (code, _, stderr) = user.run(&["lan", "demo"], b"");
    assert!(code == Some(8) && stderr.contains("(pid ") && stderr.contains("--on lan:demo"), "{stderr}");

    // The LAN ends, and who is on it learns that.
    let (code, _, said) = lan.end("TERM");
    assert_eq!(code, Some(143));
    assert_eq!(said.iter().filter(|line| line.contains("plugged in")).count(), 5, "{said:#?}");
    let (code, _, said) = server.end("CONT");
    assert!(code == Some(1) && said.iter().any(|line| line.contains("the LAN demo has ended")), "{said:#?}");
    assert!(user.left().iter().all(|name| !name.contains(".lan")), "{:?}", user.left());
}

#[test]
fn hosts_get_addresses_and_are_known_by_name() {
    let user = User::new();
    let lan = user.lan(&[]);
    let place = ["--on", "lan:demo"];
    let web = user.start(&[&["serve", "echo:7", "--name", "web"], &place[..]].concat(), "; try");
    assert!(web.said.iter().any(|line| line.contains("web 10.0.0.2 (")), "{:#?}", web.said);
    for name in ["web:7", "WEB.lan:7", "10.0.0.2:7"] {
        let connect = [&["connect", name, "--delay", "2ms", "--ip", "dhcp"], &place[..]].concat();
        let (code, stdout, stderr) = user.run(&connect, b"by name\n");
        assert_eq!((code, stdout.as_str()), (Some(0), "by name\n"), "{stderr}");
    }
    // A name that is taken gets a number, and the ladder shows it.
    let second = user.start(&[&["serve", "echo:7", "--name", "web"], &place[..]].concat(), "; try");
    assert!(second.said.iter().any(|line| line.contains("web-2 10.0.0.4 (")), "{:#?}", second.said);
    let (code, _, stderr) = user.run(&[&["ping", "nobody", "-c", "1"], &place[..]].concat(), b"");
    assert!(code == Some(6) && stderr.contains("nobody"), "{stderr}");
    // An address that somebody has.
    let taken = [&["ping", "web", "-c", "1", "--ip", "10.0.0.2/24"], &place[..]].concat();
    let (code, _, stderr) = user.run(&taken, b"");
    assert!(code == Some(8) && stderr.contains("10.0.0.2 belongs to the host web already"), "{stderr}");

    // Who is gone has left name and address; with the same name comes the same address.
    web.end("INT");
    let (code, _, stderr) = user.run(&[&["ping", "web", "-c", "1"], &place[..]].concat(), b"");
    assert_eq!(code, Some(6), "{stderr}");
    let again = user.start(&[&["serve", "echo:7", "--name", "web"], &place[..]].concat(), "; try");
    assert!(again.said.iter().any(|line| line.contains("web 10.0.0.2 (")), "{:#?}", again.said);
    let (_, _, said) = lan.end("TERM");
    assert!(said.iter().any(|line| line.ends_with("is pulled out: web 10.0.0.2 is gone")), "{said:#?}");
}

#[test]
fn without_a_gateway_everybody_says_who_they_are() {
    let user = User::new();
    let _lan = user.lan(&["--no-gateway"]);
    let place = ["--on", "lan:demo"];
    let serve = ["serve", "echo:7", "--ip", "10.0.0.2/24", "--ip", "fd00::2/64"];
    let _server = user.start(&[&serve[..], &place[..]].concat(), "; try");
    for (own, to) in [("10.0.0.3/24", "10.0.0.2:7"), ("fd00::3/64", "[fd00::2]:7")] {
        let (code, stdout, stderr) = user.run(&[&["connect", to, "--ip", own], &place[..]].concat(), b"fine");
        assert_eq!((code, stdout.as_str()), (Some(0), "fine"), "{stderr}");
    }
    let (code, _, stderr) =
        user.run(&[&["ping", "web", "-c", "1", "--ip", "10.0.0.3/24"], &place[..]].concat(), b"");
    assert!(code == Some(6) && stderr.contains("nobody answers for names"), "{stderr}");
}

#[test]
fn a_port_of_the_real_machine_leads_to_a_host_while_it_is_there() {
    let user = User::new();
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let taken = std::net::TcpListener::bind(&at).unwrap();
    let publish = format!("{port}:web:7");
    let (code, _, stderr) = user.run(&["lan", "demo", "--publish", &publish], b"");
    let holder = format!("(pid {})", std::process::id());
    assert!(code == Some(8) && stderr.contains(&holder) && stderr.contains(":web:7"), "{stderr}");
    drop(taken);

    let lan = user.lan(&["--publish", &publish]);
    assert!(std::net::TcpStream::connect(&at).is_err(), "nobody is there");
    for _ in 0..2 {
        let web = user.start(&["serve", "upper:7", "--name", "web", "--on", "lan:demo"], "; try");
        let mut answer = [0; 5];
        let start = Instant::now();
        let is_answered = |answer: &mut [u8]| {
            let mut stream = std::net::TcpStream::connect(&at)?;
            stream.write_all(b"hello")?;
            stream.read_exact(answer)
        };
        while is_answered(&mut answer).is_err() {
            assert!(start.elapsed() < running::PATIENCE, "the port is open");
        }
        assert_eq!(&answer, b"HELLO");
        web.end("TERM");
        while std::net::TcpStream::connect(&at).is_ok() {
            assert!(start.elapsed() < running::PATIENCE, "the port is closed");
        }
    }
    let (_, _, said) = lan.end("TERM");
    assert_eq!(
        said.iter().filter(|line| line.contains("web:7 (10.0.0.2:7) is published on")).count(),
        2,
        "{said:#?}"
    );
}

#[test]
fn a_lan_that_is_not_there() {
    let user = User::new();
    let arguments = ["ping", "10.0.0.1", "--on", "lan:nowhere", "--ip", "10.0.0.3/24"];
    let (code, _, stderr) = user.run(&arguments, b"");
    assert!(code == Some(7) && stderr.contains("make it with sockeye lan nowhere"), "{stderr}");
    // What a dead process has left is replaced.
    drop(UnixListener::bind(user.runtime.path().join("sockeye/demo.lan")).unwrap());
    let (code, _, stderr) = user.run(&["ping", "10.0.0.1", "--on", "lan:demo", "--ip", "10.0.0.3/24"], b"");
    assert!(code == Some(7) && stderr.contains("no LAN called demo"), "{stderr}");
    let lan = user.lan(&["--subnet", "192.168.7.0/28", "--loss", "1%", "--seed", "5"]);
    assert!(
        lan.said
            .iter()
            .any(|line| line.contains("192.168.7.0/28, seed 5; on every cable, both ways: loss 1%"))
    );
    assert_eq!(lan.end("INT").0, Some(130));
}

#[test]
fn noise_on_a_cable_harms_nobody() {
    let user = User::new();
    let lan = user.lan(&[]);
    let path = user.runtime.path().join("sockeye/demo.lan");
    // What is no frame ends the cable.
    let mut lost = UnixStream::connect(&path).unwrap();
    lost.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(matches!(lost.read(&mut [0; 1]), Ok(0) | Err(_)));
    // Frames of all kinds, to the gateway and to all: ARP, DHCP, DNS and what looks like them.
    let mut noisy = UnixStream::connect(&path).unwrap();
    let mut state = 1u64;
    let mut number = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..5000 {
        let mut frame: Vec<u8> = (0..number(1500)).map(|_| number(256) as u8).collect();
        let to: [u8; 6] = if number(2) == 0 { [0xff; 6] } else { [2, 0, 0, 0, 0, 1] };
        let kind: [u8; 2] = [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]][number(4)];
        let header = [&to[..], &[2, 0, 0, 0, 9, number(256) as u8], &kind].concat();
        frame.splice(..frame.len().min(14), header);
        noisy.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
        noisy.write_all(&frame).unwrap();
        // The gateway answers some of it.
        noisy.set_nonblocking(true).unwrap();
        while matches!(noisy.read(&mut [0; 4096]), Ok(1..)) {}
        noisy.set_nonblocking(false).unwrap();
    }
    let (code, _, stderr) = user.run(&["ping", "gateway", "-c", "1", "--on", "lan:demo"], b"");
    assert_eq!(code, Some(0), "{stderr}");
    drop(noisy);
    assert_eq!(lan.end("INT").0, Some(130));
}

#[test]
fn nobody_has_to_wait_for_an_address() {
    let user = User::new();
    let _lan = user.lan(&["--no-gateway"]);
    for command in [&["serve", "echo:7"][..], &["ping", "web"], &["connect", "web:7"]] {
        let mut command = user.sockeye(&[command, &["--on", "lan:demo"]].concat());
        let start = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let killed = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{command:?}");
        assert!(start.elapsed() < Duration::from_secs(8), "{command:?}");
    }
}

#[test]
fn what_makes_no_sense() {
    let user = User::new();
    for (arguments, words) in [
        (&["lan", "a/b"][..], "`a/b`"),
        (&["lan", "demo", "--subnet", "fd77::/64"], "IPv4"),
        (&["lan", "demo", "--subnet", "10.0.0.0/31"], "/29"),
        (&["lan", "demo", "--publish", "8080:80"], "8080:web:80"),
        (&["lan", "demo", "--publish", "8080:web:80", "--no-gateway"], "--no-gateway"),
        (&["ping", "x", "--on", "lan:"], "name of a LAN"),
        (&["ping", "x", "--name", "me"], "--name"),
        (&["ping", "x", "--ip", "dhcp"], "--ip dhcp"),
        (&["ping", "x", "--on", "lan:demo", "--ip", "dhcp", "--ip", "10.0.0.2/24"], "--ip dhcp"),
        (&["ping", "x", "--on", "lan:demo", "--name=-me"], "`-me`"),
        (&["ping", "x", "--on", "lan:demo", "--mtu", "1400"], "--mtu"),
        (&["serve", "echo:7", "--on", "lan:demo", "--publish", "80:7"], "--publish"),
    ] {
        let (code, _, stderr) = user.run(arguments, b"");
        assert!(code == Some(2) && stderr.contains(words), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_sockets_of_all_processes_are_listed() {
    let user = User::new();
    let (code, stdout, _) = user.run(&["ss"], b"");
    assert_eq!((code, stdout.as_str()), (Some(0), "no process of this user has hosts at the moment\n"));
    let lan = user.lan(&[]);
    let place = ["--on", "lan:demo"];
    let web = user.start(&[&["serve", "upper:7", "--name", "web"], &place[..]].concat(), "; try");
    // A connection that stays: its input does not end.
    let mut client = user.sockeye(&[&["connect", "web:7", "--json"], &place[..]].concat());
    let mut client =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    client.stdin.as_mut().unwrap().write_all(b"hello").unwrap();
    client.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();

    let (code, table, stderr) = user.run(&["ss"], b"");
    assert_eq!(code, Some(0), "{stderr}");
    let heads: Vec<&str> = table.lines().filter(|line| line.contains("(pid ")).collect();
    assert_eq!(heads.len(), 3, "{table}");
    assert!(heads[1].starts_with("web 10.0.0.2/24 (pid ") && heads[1].contains("serve upper:7"), "{table}");
    let is_established = |line: &&str| line.contains("ESTABLISHED") && line.contains("10.0.0.2:7");
    assert_eq!(table.lines().filter(is_established).count(), 2, "both ends: {table}");
    assert!(table.lines().any(|line| line.starts_with(" udp") && line.contains("0.0.0.0:67")), "{table}");

    let (_, json, _) = user.run(&["ss", "--json"], b"");
    let reports: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sockets = reports[1]["hosts"][0]["sockets"].as_array().unwrap();
    let stream = sockets.iter().find(|socket| socket["state"] == "ESTABLISHED").unwrap();
    assert_eq!((&stream["protocol"], &stream["local"]), (&"tcp".into(), &"10.0.0.2:7".into()));
    assert_eq!((&stream["tcp"]["bytes_received"], &stream["tcp"]["retransmissions"]), (&5.into(), &0.into()));

    // A process that was killed has left its socket, and whoever looks next removes it.
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(user.left().iter().filter(|name| name.ends_with(".sock")).count(), 3);
    user.run(&["ss"], b"");
    assert_eq!(user.left().iter().filter(|name| name.ends_with(".sock")).count(), 2);
    web.end("INT");
    lan.end("INT");
    assert_eq!(user.left(), Vec::<String>::new());
}
