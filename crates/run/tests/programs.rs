//! Programs of all kinds: threads, children, static binaries, hostile ones.

mod harness;

use harness::Site;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs a case of `python/programs.py`.
fn case(name: &str) {
    Site::new().run("programs.py", &[name]);
}

#[test]
fn thirty_two_threads_make_two_hundred_connections_each() {
    case("threads");
}

#[test]
fn where_poll_says_that_there_is_room_there_is() {
    case("full");
}

#[test]
fn a_program_that_is_spawned_uses_the_sockets_it_inherits() {
    case("inherited");
}

#[test]
fn a_socket_may_be_passed_to_another_process() {
    case("passed");
}

#[test]
fn a_process_that_is_stopped_in_a_call_holds_up_nobody() {
    case("stopped");
}

#[test]
fn what_is_closed_in_the_middle_of_a_call_hangs_nobody() {
    case("closed");
}

#[test]
fn bad_pointers_and_lengths_are_refused_as_linux_does() {
    // The kernel's answers first: what is expected is what it says.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/programs.py");
    let native = Command::new("python3").arg(script).arg("bad").output().unwrap();
    let native = String::from_utf8(native.stdout).unwrap();
    assert!(native.contains("EFAULT"), "{native}");
    let Some(ours) = Site::new().run("programs.py", &["bad"]) else { return };
    let differing: Vec<_> =
        native.lines().zip(ours.lines()).filter(|(native, ours)| native != ours).collect();
    assert!(differing.is_empty() && native.lines().count() == ours.lines().count(), "{differing:#?}\n{ours}");
}

#[test]
fn a_hostile_program_does_not_disturb_another_on_the_same_host() {
    let site = Site::new();
    let Some(steady) = site.start("programs.py", &["steady"]) else { return };
    let hostile: Vec<_> = (0..4).map(|_| site.start("programs.py", &["hostile"]).unwrap()).collect();
    for running in hostile {
        // It may end as it likes, but it ends.
        running.finish();
    }
    let (status, output) = steady.finish();
    assert!(status.success(), "{output}");
    let snapshot = site.host.snapshot();
    assert!(snapshot.sockets.is_empty(), "{:?}", snapshot.sockets);
}

#[test]
fn a_static_program_is_no_different() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = built(&folder, "cc", &["-static", "-O1", "-o"], "c/static.c") else { return };
    run(program, "static");
}

#[test]
fn a_go_program_is_no_different() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = built(&folder, "go", &["build", "-o"], "go/echo.go") else { return };
    run(program, "go");
}

/// Builds a program from `tests`; `None`, aloud, where that cannot be done.
fn built(folder: &TempDir, compiler: &str, arguments: &[&str], source: &str) -> Option<Command> {
    let program = folder.path().join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let mut command = Command::new(compiler);
    command.args(arguments).arg(&program).arg(source).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    match command.output() {
        Ok(output) if output.status.success() => Some(Command::new(program)),
        Ok(output) => {
            eprintln!("skipped: {compiler}: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            eprintln!("skipped: {compiler}: {error}");
            None
        }
    }
}

fn run(program: Command, name: &str) {
    let Some(running) = Site::new().start_command(program) else { return };
    let (status, output) = running.finish();
    assert!(status.success() && output == "it works\n", "{name}: {status}: {output}");
}
