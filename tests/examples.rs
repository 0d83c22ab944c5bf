//! Every example runs to its end by itself and says what it should.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example that cargo has built beside this test.
fn run(name: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    // target/debug/deps/examples-… becomes target/debug/examples/NAME.
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    if !path.exists() {
        // With `--test examples` cargo builds only this test.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "sockeye", "--features", "tokio", "--example", name])
            .status()
            .unwrap();
        assert!(status.success(), "{name} cannot be built");
    }
    let output = Command::new(&path).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed with {}:\n{text}\n{errors}", output.status);
    text.into_owned()
}

#[test]
fn echo_server() {
    assert!(run("echo_server").contains("sent \"goodbye\", received \"goodbye\""));
}

#[test]
fn echo_client() {
    let text = run("echo_client");
    assert!(text.contains("1048576 bytes there and back"), "{text}");
    assert!(text.contains("the server has echoed 1048576 bytes"), "{text}");
}

#[test]
fn two_hosts_and_a_router() {
    let text = run("two_hosts_and_a_router");
    assert!(text.contains("14 bytes from fd02::2"), "{text}");
    assert_eq!(text.matches("from the other side of the router").count(), 2, "{text}");
}

#[test]
#[cfg(feature = "tokio")]
fn tokio_echo() {
    assert!(run("tokio_echo").contains("100 clients have heard their echo"));
}

#[test]
#[cfg(feature = "tokio")]
fn hyper_server() {
    let text = run("hyper_server");
    assert!(text.contains("GET /double/21: 200 OK \"42\""), "{text}");
}
