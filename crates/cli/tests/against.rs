//! `sockeye test --against`: scripts play against the kernel, behind a TAP interface, in a namespace of the test's own.

mod running;

use std::fs;
use std::process::{Command, Output};

use running::{finish, has};

/// A network with the addresses and routes that scripts have, and services of the kernel's in it.
const SETUP: &str = r#"set -e; ip link set lo up; ip tuntap add dev t0 mode tap
    ip addr add 192.168.0.1/16 dev t0; ip link set t0 mtu $MTU up
    ip -6 addr add fd3d:a0b:17d6::1/48 dev t0 nodad
    ip route add 192.0.2.0/24 dev t0; ip -6 route add fd3d:fa7b:d17d::/48 dev t0
    sysctl -q -w net.ipv4.tcp_rmem="4096 540000 15728640" || echo 4096 540000 15728640 >/proc/sys/net/ipv4/tcp_rmem
"#;

const SERVE: &str = r#"
    "$SOCKEYE" serve discard:8080 echo:8007 --on os --publish 192.168.0.1:8080:8080 --publish 192.168.0.1:8007:8007 \
        2>"$DIR/said" & server=$!
    "$SOCKEYE" serve discard:8080 --on os --publish [fd3d:a0b:17d6::1]:8080:8080 2>"$DIR/said6" & server6=$!
    for _ in $(seq 500); do grep -q 'echo on' "$DIR/said" && grep -q 'discard on' "$DIR/said6" && break; sleep 0.02; done
    set +e
"#;

const LISTEN: &str = "
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,nop,nop,wscale 8>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale *>
  +.1 < . 1:1(0) ack 1 win 1000
   +0 accept(3, ..., ...) = 4
";

/// What is done to a connection, and what the kernel does then.
const DATA: &str = "
  +.1 < P. 1:501(500) ack 1 win 1000
   +0 > . 1:1(0) ack 501
   +0 read(4, ..., 1000) = 500
";
const REORDERED: &str = "
  +.1 < . 1001:2001(1000) ack 1 win 1000
   +0 > . 1:1(0) ack 1 <nop,nop,sack 1001:2001>
  +.1 < . 1:1001(1000) ack 1 win 1000
   +0 > . 1:1(0) ack 2001
   +0 read(4, ..., 3000) = 2000
";
const ECHOED: &str = "
  +.1 < P. 1:501(500) ack 1 win 1000
   +0 > . 1:1(0) ack 501
   +0 read(4, ..., 1000) = 500
   +0 write(4, ..., 500) = 500
   +0~+1 > P. 1:501(500) ack 501
  +.1 < . 501:501(0) ack 501 win 1000
";
const CLOSED_PORT: &str = "
   0 < S 0:0(0) win 65535 <mss 1000>
  +0 > R. 0:0(0) ack 1 win 0
";

/// Runs `sockeye test` with these options over scripts of these names and texts.
fn against_the_kernel(mtu: u16, options: &str, scripts: &[(&str, String)]) -> Option<Output> {
    if !["unshare", "ip"].into_iter().all(has) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
        command.env("SOCKEYE", env!("CARGO_BIN_EXE_sockeye")).env("LC_ALL", "C.UTF-8");
        command.env("MTU", mtu.to_string()).env("DIR", folder.path());
        finish(&mut command, b"")
    };
    let probe = run(SETUP);
    if !probe.status.success() {
        eprintln!("skipped: no TAP interface in a namespace: {}", said(&probe));
        return None;
    }
    let names = scripts.iter().map(|(name, _)| format!("\"$DIR/{name}\"")).collect::<Vec<_>>().join(" ");
    let test = format!(
        "{SETUP}{SERVE} \"$SOCKEYE\" test --against tap:t0 {options} {names}; code=$?; kill $server $server6; exit $code"
    );
    Some(run(&test))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A script, its window scale being what the kernel offers for its buffers.
fn script(parts: &[&str]) -> String {
    parts.concat().replace("wscale *", "wscale 8")
}

#[test]
fn the_kernel_does_what_scripts_say() {
    let scripts = [
        ("data.pkt", script(&[LISTEN, DATA])),
        ("reordered.pkt", script(&[LISTEN, REORDERED])),
        ("closed-port.pkt", script(&["--bind_port=81\n", CLOSED_PORT])),
    ];
    for (mtu, version) in [(1500, "ipv4"), (1520, "ipv6"), (1500, "ipv4-mapped-ipv6")] {
        let Some(output) = against_the_kernel(mtu, &format!("--ip-version {version}"), &scripts) else {
            return;
        };
        assert_eq!(output.status.code(), Some(0), "{version}: {}", said(&output));
        assert!(said(&output).contains("# 3 of 3 passed\n"), "{version}: {}", said(&output));
    }
    let echo = [("echo.pkt", script(&["--bind_port=8007\n", LISTEN, ECHOED]))];
    let Some(output) = against_the_kernel(1500, "--service echo", &echo) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_script_that_says_something_else_fails() {
    let changes = [
        ("mss 1460", "mss 1461"),
        ("wscale *>", "wscale 7>"),
        ("> S. 0:0(0) ack 1", "> S. 0:0(0) ack 2"),
        ("> . 1:1(0) ack 501", "> P. 1:1(0) ack 501"),
        ("   +0 > . 1:1(0) ack 501", "  +.1 > . 1:1(0) ack 501"),
        ("> . 1:1(0) ack 501", "> [ect0] . 1:1(0) ack 501"),
        // A packet more than the script says comes at its end.
        ("   +0 > . 1:1(0) ack 501\n", ""),
    ];
    let right = [LISTEN, DATA].concat();
    let names: Vec<String> = (0..changes.len()).map(|number| format!("{number}.pkt")).collect();
    let wrong = changes.iter().zip(&names).map(|((from, to), name)| {
        assert!(right.contains(from), "{from}");
        (name.as_str(), script(&[&right.replace(from, to)]))
    });
    let Some(output) = against_the_kernel(1500, "", &wrong.collect::<Vec<_>>()) else { return };
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("not ok")).count(), changes.len(), "{text}");
}

#[test]
fn what_nobody_does_there_is_not_played() {
    let scripts = [
        (
            "connect.pkt",
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 connect(3, ..., ...) = 0\n".to_owned(),
        ),
        ("write.pkt", script(&[LISTEN, "+0 write(4, ..., 5) = 5\n"])),
        ("option.pkt", script(&[LISTEN, "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"])),
        ("info.pkt", script(&[LISTEN, "+0 %{ assert tcpi_unacked == 0 }%\n"])),
        ("command.pkt", script(&[LISTEN, "+0 `sysctl -q net.ipv4.tcp_sack=0`\n"])),
        ("mtu.pkt", script(&["--mtu=1400\n", LISTEN])),
    ];
    let Some(output) = against_the_kernel(1500, "", &scripts) else { return };
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for reason in [
        "connect: a discard service does not make this call",
        "write: a discard service writes nothing",
        "for TCP_NODELAY",
        "TCP_INFO",
        "a command amid the script",
        "an MTU of 1400",
    ] {
        let skipped =
            |line: &str| line.starts_with("ok ") && line.contains("# SKIP ") && line.contains(reason);
        assert!(text.lines().any(skipped), "{reason}: {text}");
    }
}

#[test]
fn it_says_what_is_missing() {
    for (arguments, said_of) in [
        (&["--against", "t0", "x.pkt"][..], "tap:NAME"),
        (&["--service", "echo", "x.pkt"], "--against"),
        (&["--tolerance", "5ms", "x.pkt"], "--against"),
        (&["--against", "tap:a-name-that-is-too-long", "x.pkt"], "a-name-that-is-too-long"),
    ] {
        let output = running::run(&[&["test"], arguments].concat());
        assert!(matches!(output.status.code(), Some(2 | 8)), "{}", said(&output));
        assert!(said(&output).contains(said_of), "{}", said(&output));
    }
}
