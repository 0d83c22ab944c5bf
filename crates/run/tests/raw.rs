//! Raw sockets of programs: the same as the kernel's, and good enough for the tools that have always used them.

mod harness;

use harness::Site;
use sockeye::{Family, IpProtocol, RawSocket};
use std::path::Path;
use std::process::Command;

/// What a case of `python/raw.py` prints on the kernel's loopback interface; `None`, aloud, where we may not have one of
/// our own.
fn native(name: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/raw.py");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "python3"]).arg(script).args(["native", name]);
    match command.output() {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("unshare") || said.contains("Permission"), "{said}");
            eprintln!("skipped: {said}");
            None
        }
        Err(error) => {
            eprintln!("skipped: unshare: {error}");
            None
        }
    }
}

fn is_as_in_the_kernel(name: &str) {
    let (Some(native), Some(ours)) = (native(name), Site::new().run("raw.py", &[name])) else { return };
    let differing: Vec<_> =
        native.lines().zip(ours.lines()).filter(|(native, ours)| native != ours).collect();
    assert!(differing.is_empty() && native.lines().count() == ours.lines().count(), "{differing:#?}\n{ours}");
}

macro_rules! as_in_the_kernel {
    ($($name:ident)*) => {
        $(#[test] fn $name() { is_as_in_the_kernel(stringify!($name)); })*
    };
}

as_in_the_kernel! { ping filters headers checksums ends along }

#[test]
fn the_tutorials_traceroute_is_answered_by_whoever_it_reaches() {
    let Some(output) = Site::new().run("raw.py", &["traceroute", "10.0.0.3", "1"]) else { return };
    assert_eq!(output, "1 10.0.0.3 3 3\n");
}

#[test]
fn a_neighbor_that_is_not_there_is_told_of() {
    let Some(output) = Site::new().run("raw.py", &["unreachable", "10.0.0.99"]) else { return };
    assert_eq!(output, "10.0.0.2 3 1 True\n");
}

#[test]
fn busybox_pings_by_raw_sockets() {
    let site = Site::new();
    // What it sends is heard by a raw socket of the other host too: two requests, made by the program itself.
    let hearer = RawSocket::new(&site.other, Family::V4, IpProtocol::Icmp).unwrap();
    let Some(output) = run(&site, "busybox", &["ping", "-c", "2", "-i", "0.1", "10.0.0.3"]) else { return };
    assert!(output.contains("2 packets transmitted, 2 packets received, 0% packet loss"), "{output}");
    hearer.set_nonblocking(true);
    let mut buffer = [0; 200];
    let requests = std::iter::from_fn(|| hearer.recv_from(&mut buffer).ok().map(|_| buffer[20]));
    assert_eq!(requests.filter(|kind| *kind == 8).count(), 2);
    if let Some(output) = run(&Site::new(), "busybox", &["ping", "-c", "1", "fd00::3"]) {
        assert!(output.contains("1 packets transmitted, 1 packets received"), "{output}");
    }
}

#[test]
fn ping_falls_back_on_raw_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("without_datagrams.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/without_datagrams.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).output();
    if !built.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no C compiler");
        return;
    }
    let ping = |to: &str| {
        let mut command = Command::new("ping");
        command.args(["-n", "-c", "2", "-i", "0.3", to]).env("LD_PRELOAD", &library);
        start(&Site::new(), command, "ping")
    };
    for to in ["10.0.0.3", "fd00::3", "127.0.0.1"] {
        let Some(output) = ping(to) else { return };
        assert!(output.contains("2 packets transmitted, 2 received, 0% packet loss"), "{output}");
        assert!(!output.contains("WARNING"), "{output}");
    }
}

fn run(site: &Site, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    start(site, command, program)
}

/// What a program prints; `None`, aloud, where it is not installed.
fn start(site: &Site, command: Command, name: &str) -> Option<String> {
    if Command::new("sh").args(["-c", &format!("command -v {name}")]).output().ok()?.stdout.is_empty() {
        eprintln!("skipped: no {name}");
        return None;
    }
    Some(site.start_command(command)?.finish().1)
}
