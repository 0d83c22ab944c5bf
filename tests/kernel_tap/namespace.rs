//! A network namespace for each test.

use std::io::Write;
use std::process::Command;

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "SOCKEYE_TEST_INSIDE_NAMESPACE";

/// The name of the TAP interface in the namespace.
pub(crate) const INTERFACE: &str = "tap0";

/// Runs `body` of the test `name` in a namespace with a TAP interface at 10.77.0.1/24 and fd77::1/64.
pub(crate) fn in_namespace(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        set_up();
        body();
        return;
    }
    let is_root = rustix::process::geteuid().is_root();
    let unshare: &[&str] = if is_root { &["--net"] } else { &["--user", "--map-root-user", "--net"] };
    if let Err(reason) = is_possible(unshare) {
        // Not by the macro, whose output the test harness keeps to itself.
        let _ = writeln!(std::io::stderr(), "skipped: {name}: {reason}");
        return;
    }
    let status = Command::new("unshare")
        .args(unshare)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed inside its namespace: {status}");
}

/// Whether a namespace with a TAP interface can be made here, or why not.
fn is_possible(unshare: &[&str]) -> Result<(), String> {
    let script = format!("ip tuntap add {INTERFACE} mode tap");
    let output = Command::new("unshare")
        .args(unshare)
        .args(["--", "sh", "-c", &script])
        .output()
        .map_err(|error| format!("cannot run unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("no namespace with a TAP interface: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn set_up() {
    for command in [
        "ip link set lo up",
        &format!("ip tuntap add {INTERFACE} mode tap"),
        &format!("ip addr add 10.77.0.1/24 dev {INTERFACE}"),
        &format!("ip -6 addr add fd77::1/64 dev {INTERFACE} nodad"),
        &format!("ip link set {INTERFACE} up"),
    ] {
        let mut words = command.split(' ');
        let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
        assert!(status.success(), "{command}");
    }
}
