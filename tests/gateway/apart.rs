//! Tests in a process of their own: this one starts itself again.

use std::io::Write;
use std::process::Command;

/// Set in the process that is started.
const INSIDE: &str = "SOCKEYE_TEST_APART";

/// Runs `body` of the test `name` in a process where nothing else runs.
pub(crate) fn in_a_process_of_its_own(name: &str, body: impl FnOnce()) {
    start_with(Command::new(std::env::current_exe().unwrap()), name, body);
}

/// Runs `body` of the test `name` in a network namespace with a TAP interface at 10.77.0.1/24 and fd77::1/64.
#[cfg(target_os = "linux")]
pub(crate) fn in_a_namespace(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_none() {
        let probe = unshare().args(["sh", "-c", "ip tuntap add tap0 mode tap"]).output();
        let problem = match probe {
            Err(error) => Some(format!("cannot run unshare: {error}")),
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        };
        if let Some(problem) = problem {
            // Not by the macro, whose output the test harness keeps to itself.
            let _ =
                writeln!(std::io::stderr(), "skipped: {name}: no namespace with a TAP interface: {problem}");
            return;
        }
    }
    let mut command = unshare();
    command.arg(std::env::current_exe().unwrap());
    start_with(command, name, || {
        for command in [
            "ip link set lo up",
            "ip tuntap add tap0 mode tap",
            "ip addr add 10.77.0.1/24 dev tap0",
            "ip -6 addr add fd77::1/64 dev tap0 nodad",
            "ip link set tap0 up",
        ] {
            let mut words = command.split(' ');
            let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
            assert!(status.success(), "{command}");
        }
        body();
    });
}

#[cfg(target_os = "linux")]
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    let is_root = rustix::process::geteuid().is_root();
    command.args(if is_root { &["--net"][..] } else { &["--user", "--map-root-user", "--net"] }).arg("--");
    command
}

fn start_with(mut command: Command, name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let output =
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1").output().unwrap();
    let _ = std::io::stderr().write_all(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{name} failed: {said}");
}
