//! What programs see of the interfaces, addresses, routes and neighbours of their host: never the real machine's.

use sockeye::{Host, Lan};
use sockeye_run::{Program, RunError};
use std::io::Read;
use std::path::Path;
use std::process::Command;

fn host() -> (Lan, Host) {
    let lan = Lan::builder().seed(7).build().unwrap();
    let host = lan
        .host("host")
        .mac("02:00:00:00:00:02".parse().unwrap())
        .address("10.0.0.2/24".parse().unwrap())
        .address("fd00::2/64".parse().unwrap())
        .gateway("10.0.0.1".parse().unwrap())
        .build()
        .unwrap();
    (lan, host)
}

/// Runs a program to its end on a host of its own, and gives what it has printed; `None`, aloud, where that is not possible.
fn run_with_code(mut command: Command, code: i32) -> Option<String> {
    let (_lan, host) = host();
    let (mut output, writer) = std::io::pipe().unwrap();
    command.stderr(writer.try_clone().unwrap());
    command.stdout(writer);
    let told = format!("{command:?}");
    let program = match Program::start(&host, command) {
        Ok(program) => program,
        Err(error @ (RunError::Refused(_) | RunError::Watch(_) | RunError::NotFound(_))) => {
            eprintln!("skipped: {told}: {error}");
            return None;
        }
        Err(error) => panic!("{told}: {error}"),
    };
    let mut printed = String::new();
    output.read_to_string(&mut printed).unwrap();
    let status = program.wait().unwrap();
    assert_eq!(status.code(), Some(code), "{told}: {printed}");
    Some(printed)
}

fn run(words: &[&str]) -> Option<String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    run_with_code(command, 0)
}

/// Runs a part of `interfaces.py`, and compares what it has printed.
fn python(part: &str, expected: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/interfaces.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(part);
    if let Some(printed) = run_with_code(command, 0) {
        assert_eq!(printed.trim_end(), expected);
    }
}

const NAMES: &str = "[(1, 'lo'), (2, 'eth0')] 2 lo";

#[test]
fn names_and_numbers_are_the_hosts() {
    python("names", NAMES);
}

#[test]
fn getifaddrs_lists_the_hosts_addresses() {
    python(
        "getifaddrs",
        "[('eth0', '10.0.0.2', '255.255.255.0'), ('eth0', 'fd00::2', 'ffff:ffff:ffff:ffff::'), \
         ('lo', '127.0.0.1', '255.0.0.0'), ('lo', '::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')]",
    );
}

#[test]
fn the_old_requests_are_answered_on_any_socket() {
    python("requests", "answered");
}

#[test]
fn every_way_to_ask_and_to_read_works() {
    python("doors", "open");
}

#[test]
fn options_are_what_they_are() {
    python("options", "kept");
}

#[test]
fn calls_that_wait_are_answered() {
    python("waiting", "waited");
}

#[test]
fn hostile_requests_disturb_nobody() {
    python("hostile", NAMES);
}

#[test]
fn answers_are_there_at_once_for_musl() {
    python("musl", "no haste");
}

#[test]
fn ip_shows_the_host() {
    let Some(addresses) = run(&["ip", "-j", "-d", "addr"]) else { return };
    for part in [
        r#""ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536"#,
        r#""ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500"#,
        r#""operstate":"UP""#,
        r#""address":"02:00:00:00:00:02","broadcast":"ff:ff:ff:ff:ff:ff""#,
        r#""local":"10.0.0.2","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0""#,
        r#""local":"fd00::2","prefixlen":64,"scope":"global""#,
        r#""local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo""#,
    ] {
        assert!(addresses.contains(part), "{part} is not in\n{addresses}");
    }
    let links = run(&["ip", "-j", "-s", "link", "show", "dev", "eth0"]).unwrap();
    assert!(links.contains(r#""ifname":"eth0""#) && !links.contains(r#""lo""#), "{links}");
}

#[test]
fn ip_shows_the_hosts_routes() {
    let Some(main) = run(&["ip", "route"]) else { return };
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        lines(&main),
        ["default via 10.0.0.1 dev eth0", "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2"]
    );
    let v6 = run(&["ip", "-6", "route"]).unwrap();
    assert_eq!(lines(&v6), ["fd00::/64 dev eth0 proto kernel metric 256 pref medium"]);
    let local = run(&["ip", "route", "show", "table", "local"]).unwrap();
    assert_eq!(lines(&local)[0], "local 10.0.0.2 dev eth0 proto kernel scope host src 10.0.0.2");
    assert_eq!(lines(&local).len(), 5, "{local}");
    let away = run(&["ip", "route", "get", "192.0.2.1"]).unwrap();
    assert!(away.starts_with("192.0.2.1 via 10.0.0.1 dev eth0 src 10.0.0.2 "), "{away}");
    let near = run(&["ip", "-j", "route", "get", "10.0.0.77"]).unwrap();
    assert!(near.contains(r#""dst":"10.0.0.77","dev":"eth0","prefsrc":"10.0.0.2""#), "{near}");
    let own = run(&["ip", "route", "get", "10.0.0.2"]).unwrap();
    assert!(own.starts_with("local 10.0.0.2 dev lo src 10.0.0.2 "), "{own}");
    let rules = run(&["ip", "rule"]).unwrap();
    assert_eq!(rules.lines().count(), 3, "{rules}");
}

#[test]
fn ip_shows_the_hosts_neighbors() {
    // Nobody has this address, which the host asks for while it is being asked.
    let script = "python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b\"?\", (\"10.0.0.9\", 9))' && ip neigh";
    let Some(printed) = run(&["sh", "-c", script]) else { return };
    assert_eq!(printed.trim_end(), "10.0.0.9 dev eth0 INCOMPLETE");
}

#[test]
fn ip_changes_nothing() {
    for words in
        ["link set eth0 down", "addr add 10.9.9.9/24 dev eth0", "route del default", "neigh flush all"]
    {
        let mut command = Command::new("ip");
        command.args(words.split(' '));
        let code = if words == "neigh flush all" { 0 } else { 2 };
        let Some(printed) = run_with_code(command, code) else { return };
        assert_eq!(printed.contains("Operation not permitted"), code == 2, "{words}: {printed}");
    }
}

#[test]
fn hostname_shows_the_hosts_addresses() {
    if let Some(printed) = run(&["hostname", "-I"]) {
        assert_eq!(printed.trim_end(), "10.0.0.2 fd00::2");
    }
}

#[test]
fn ss_shows_the_hosts_sockets() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/interfaces.py");
    let mut command = Command::new("python3");
    command.arg(script).arg("sockets");
    let Some(printed) = run_with_code(command, 0) else { return };
    let mut lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = "udp UNCONN 0 0 10.0.0.2:53 0.0.0.0:*
udp UNCONN 0 0 [fd00::2]:53 *:*
tcp LISTEN 0 7 127.0.0.1:80 0.0.0.0:*
tcp ESTAB 0 0 127.0.0.1:80 127.0.0.1:4000
tcp ESTAB 0 0 127.0.0.1:4000 127.0.0.1:80
80 reno 4000
listening: 1";
    let mut expected: Vec<Vec<&str>> = expected.lines().map(|line| line.split(' ').collect()).collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn answers_wait_for_room() {
    python("many", "{20: 8000, 3: 2000}");
}

/// ifconfig finds names and counters in `/proc/net`, which is the real machine's; what it asks for by name is the host's.
#[test]
fn ifconfig_shows_what_it_asks_for() {
    let Some(printed) = run(&["ifconfig", "lo"]) else { return };
    assert!(printed.contains("inet 127.0.0.1  netmask 255.0.0.0"), "{printed}");
}

#[test]
fn go_lists_the_hosts_interfaces() {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("skipped: there is no go");
        return;
    }
    let folder = std::env::temp_dir().join(format!("sockeye-interfaces-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/interfaces.go");
    let built = Command::new("go")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .arg("build")
        .arg("-o")
        .arg(folder.join("interfaces"))
        .arg(source)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let printed = run(&[folder.join("interfaces").to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    if let Some(printed) = printed {
        let expected = "1 lo 65536  up|loopback|running [127.0.0.1/8 ::1/128]
2 eth0 1500 02:00:00:00:00:02 up|broadcast|multicast|running [10.0.0.2/24 fd00::2/64]\n";
        // Before Go 1.20 it did not know of `running`.
        assert!(printed == expected || printed == expected.replace("|running", ""), "{printed}");
    }
}
