//! Whatever a user does wrong, or the network refuses: one clear line, and the documented exit code.

mod running;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use running::{Serving, finish, free_port, has, run, sockeye};

/// The last line of standard error; those before it may only say what was made.
fn complaint(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("sockeye: ")), "{stderr}");
    (*lines.last().unwrap_or(&"")).to_owned()
}

/// Checks a command's exit code, that it said one line only, and that the line has all of `words`.
fn refuses(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let line = complaint(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {line}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for word in words {
        assert!(line.contains(word), "{arguments:?}: {line:?} lacks {word:?}");
    }
    if code == 2 {
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{arguments:?}");
    }
}

#[test]
fn usage() {
    refuses(&[], 2, &["serve, connect, ping"]);
    refuses(&["serve"], 2, &["SERVICE:PORT"]);
    refuses(&["serve", "ehco:7788"], 2, &["`ehco`", "did you mean `echo`", "chargen"]);
    refuses(&["serve", "echo"], 2, &["echo:7788"]);
    refuses(&["serve", "echo:70000"], 2, &["65535"]);
    refuses(&["serve", "echo:7000", "upper:7000"], 2, &["7000"]);
    refuses(&["serve", "echo:7000", "--on", "moon"], 2, &["`moon`", "tap:NAME"]);
    refuses(&["serve", "echo:7000", "--ip", "10.0.0.300/24"], 2, &["10.0.0.300/24"]);
    refuses(&["serve", "echo:7000", "--ip", "10.0.0.2/33"], 2, &["10.0.0.2/33"]);
    refuses(&["serve", "echo:7000", "--ip", "10.0.0.2/32"], 2, &["no room"]);
    refuses(&["serve", "echo:7000", "--gateway", "192.168.0.1"], 2, &["192.168.0.1", "10.0.0.0/24"]);
    refuses(&["serve", "echo:7000", "--mac", "02:00:00"], 2, &["02:00:00"]);
    refuses(&["serve", "echo:7000", "--loss", "150%"], 2, &["150%"]);
    refuses(&["serve", "echo:7000", "--delay", "50"], 2, &["50ms"]);
    refuses(&["serve", "echo:7000", "--rate", "fast"], 2, &["10mbit"]);
    refuses(&["serve", "echo:7000", "--publish", "8080"], 2, &["PORT:PORT"]);
    refuses(&["serve", "echo:7000", "--publish", "8080:80"], 2, &["80"]);
    refuses(&["serve", "echo:7000", "--ladder", "--encoding", "klingon"], 2, &["klingon", "gbk"]);
    refuses(&["serve", "reply=你:7000", "--encoding", "latin1"], 2, &["windows-1252"]);
    refuses(&["serve", "echo:7000", "--congestion", "vegas"], 2, &["`vegas`"]);
    refuses(&["serve", "echo:7000", "--congestion", "bbr", "--on", "os"], 2, &["--congestion", "--on os"]);
    refuses(&["connect", "server:7", "--congestion", "bbr", "--udp"], 2, &["--congestion", "--udp"]);
    refuses(&["connect", "server"], 2, &["HOST:PORT"]);
    refuses(&["connect", "::1:7"], 2, &["[::1]:7788"]);
    refuses(&["connect", "server:7", "--ladder", "--json"], 2, &["standard error"]);
    refuses(&["man", "women"], 2, &["women"]);
    refuses(&["sim", "grid", "--cell", "hops=3"], 2, &["hops=3", "rtt"]);
    refuses(&["sim", "grid", "--congestion", "hope"], 2, &["hope"]);
    refuses(&["sim", "grid", "--quick", "--loss", "1%"], 2, &["--quick"]);
    refuses(&["sim", "grid", "--trace", "1s"], 2, &["--cell"]);
    refuses(&["sim", "grid", "--quick", "--trace", "1s"], 2, &["--"]);
}

#[test]
fn options_that_would_be_ignored() {
    for option in
        ["--loss=1%", "--delay=1ms", "--mtu=1400", "--seed=7", "--ip=10.0.0.2/24", "--ladder", "--json"]
    {
        let name = option.split('=').next().unwrap();
        refuses(&["serve", "echo:7000", "--on", "os", option], 2, &[name, "--on os"]);
    }
    refuses(&["serve", "echo:7000", "--no-offload"], 2, &["--no-offload", "TAP"]);
    refuses(&["serve", "echo:7000", "--on", "tap:t0"], 2, &["--ip"]);
    refuses(
        &["serve", "echo:7000", "--on", "tap:t0", "--ip", "10.0.0.2/24", "--publish", "1:7000"],
        2,
        &["--publish"],
    );
    refuses(&["serve", "echo:7000", "--on", "tun:t0", "--ip", "10.0.0.2/24", "--loss", "1%"], 2, &["--loss"]);
    refuses(
        &["serve", "echo:7000", "--on", "tun:t0", "--ip", "10.0.0.2/24", "--mac", "02:0:0:0:0:1"],
        2,
        &["--mac"],
    );
    refuses(&["serve", "echo:7000", "--hex"], 2, &["--hex", "--ladder"]);
    refuses(&["serve", "echo:7000", "--encoding", "gbk"], 2, &["--encoding", "--ladder"]);
    refuses(&["serve", "echo:7000", "--queue", "10"], 2, &["--rate"]);
    refuses(&["serve", "echo:7000", "--loss-burst", "3"], 2, &["--loss"]);
    refuses(&["connect", "server:7", "--wait", "1s"], 2, &["--udp"]);
    refuses(&["connect", "server:7", "--publish", "1:2"], 2, &["--publish"]);
}

#[test]
fn a_port_in_use_is_named_with_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = format!("echo:{port}");
    let holder = format!("(pid {})", std::process::id());
    for place in ["lan", "os"] {
        refuses(&["serve", &service, "--on", place], 8, &[&port.to_string(), &holder, "--publish"]);
    }
}

#[test]
fn a_udp_port_in_use_is_named_too() {
    let port = free_port();
    let _socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let service = format!("echo:{port}");
    for place in ["lan", "os"] {
        refuses(&["serve", &service, "--on", place], 8, &[&port.to_string(), "in use"]);
    }
}

#[test]
fn a_capture_that_cannot_be_written() {
    refuses(
        &["serve", "echo:7000", "--pcap", "/nowhere/at/all.pcapng"],
        2,
        &["/nowhere/at/all.pcapng", "no such file"],
    );
}

#[test]
fn addresses_and_names_that_are_not_there() {
    refuses(&["connect", "192.0.2.1:7"], 7, &["192.0.2.1", "outside the LAN", "server 10.0.0.2"]);
    refuses(&["ping", "192.0.2.1"], 7, &["outside the LAN"]);
    refuses(&["connect", "nosuch:7"], 6, &["nosuch", "gateway"]);
    refuses(&["ping", "nosuch"], 6, &["nosuch", "gateway"]);
}

#[test]
fn refused_unreachable_and_silent() {
    refuses(&["connect", "server:1"], 7, &["10.0.0.2:1", "connection refused"]);
    refuses(&["connect", "10.0.0.99:7"], 7, &["10.0.0.99:7", "no route to host"]);
    refuses(
        &["connect", "server:7", "--loss", "100%", "--timeout", "300ms"],
        28,
        &["10.0.0.2:7", "timed out"],
    );
    refuses(&["connect", &format!("127.0.0.1:{}", free_port()), "--on", "os"], 7, &["connection refused"]);
}

#[test]
fn a_closed_udp_port_refuses() {
    let closed = format!("127.0.0.1:{}", free_port());
    for (to, place) in [("server:1", "lan"), (closed.as_str(), "os")] {
        let output = finish(&mut sockeye(&["connect", "--udp", to, "--on", place]), b"is anybody there?");
        assert_eq!(output.status.code(), Some(7), "{place}: {}", complaint(&output));
    }
}

#[test]
fn a_ping_without_answer() {
    let output = run(&["ping", "server", "-c", "2", "-i", "50ms", "-W", "200ms", "--loss", "100%"]);
    assert_eq!(output.status.code(), Some(28), "{}", complaint(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .contains("2 packets transmitted, 0 received, 100% packet loss")
    );
}

#[test]
fn a_reset_connection() {
    if !has("python3") {
        return;
    }
    let port = free_port();
    let server = "import socket, struct, sys\n\
                  listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n\
                  print('ready', file=sys.stderr, flush=True)\n\
                  connection, _ = listener.accept()\n\
                  connection.recv(1)\n\
                  connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n\
                  connection.close()\n";
    let mut python = Command::new("python3");
    python.args(["-c", server, &port.to_string()]);
    let _server = Serving::wait_for(python, |line| line == "ready", 1);
    let output = finish(&mut sockeye(&["connect", &format!("127.0.0.1:{port}"), "--on", "os"]), b"hello");
    assert_eq!(output.status.code(), Some(56), "{}", complaint(&output));
}

#[test]
fn signals_end_it_cleanly() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for place in ["lan", "os"] {
            let service = format!("echo:{}", free_port());
            let (ended, stdout, _) = Serving::start(&[&service], &["--on", place]).end(signal);
            assert_eq!((ended, stdout), (Some(code), vec![]), "{signal} on {place}");
        }
    }
}

/// As a user without privileges, in a folder that such a user can reach.
#[test]
fn a_tap_without_permission_says_what_to_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("sockeye");
    fs::copy(env!("CARGO_BIN_EXE_sockeye"), &program).unwrap();
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    // The device itself may be closed to the user, or missing: then another line says what to do.
    let tun = fs::metadata("/dev/net/tun").map(|device| device.permissions().mode() & 0o006);
    for (mode, place) in [("tap", "tap:sockeyet0"), ("tun", "tun:sockeyet0")] {
        let mut command = Command::new(&program);
        command.args(["serve", "echo:7", "--on", place, "--ip", "10.77.0.2/24"]).current_dir("/");
        if is_root {
            command.uid(65534).gid(65534);
        }
        let output = finish(&mut command, b"");
        let line = complaint(&output);
        assert_eq!(output.status.code(), Some(8), "{line}");
        match &tun {
            Ok(0o006) => {
                assert!(line.contains(&format!("ip tuntap add dev sockeyet0 mode {mode}")), "{line}")
            }
            Ok(_) => assert!(line.contains("chmod 666 /dev/net/tun"), "{line}"),
            Err(_) => assert!(line.contains("modprobe tun"), "{line}"),
        }
    }
}
