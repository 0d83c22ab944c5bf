//! The Python programs of `examples/python`, unmodified, with `sockeye` at the other end.

#[path = "../crates/cli/tests/running/mod.rs"]
mod running;

use std::process::{Command, Output};

use running::{Serving, finish, free_port, has, sockeye};

fn python(program: &str, port: u16) -> Command {
    let mut command = Command::new("python3");
    let path = format!("{}/../../examples/python/{program}", env!("CARGO_MANIFEST_DIR"));
    command.args([path, port.to_string()]).env("PYTHONIOENCODING", "utf-8");
    command
}

/// Starts a Python server; it says on standard output that it listens, which `sh` turns over to standard error.
fn python_server(program: &str, port: u16) -> Serving {
    let path = format!("{}/../../examples/python/{program}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec python3 \"$0\" \"$1\" >&2", &path, &port.to_string()]);
    Serving::wait_for(command, |line| line.starts_with("listening"), 1)
}

fn client(program: &str, port: u16) -> String {
    let output = finish(&mut python(program, port), b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn connect(port: u16, input: &[u8]) -> Output {
    finish(&mut sockeye(&["connect", &format!("127.0.0.1:{port}"), "--on", "os"]), input)
}

#[test]
fn clients_of_our_servers() {
    if !has("python3") {
        return;
    }
    for options in [&[][..], &["--loss", "5%", "--delay", "10ms", "--seed", "7"], &["--on", "os"]] {
        let port = free_port();
        let _upper = Serving::start(&[&format!("upper:{port}")], options);
        assert_eq!(client("upper_client.py", port), "HELLO\nTCP IS A STREAM\nGOOD BYE\n", "{options:?}");
        assert_eq!(
            client("makefile_client.py", port),
            "THIS IS LINE 1\nTHIS IS LINE 2\nTHIS IS LINE 3\n",
            "{options:?}"
        );
    }
}

#[test]
fn the_gbk_client_and_a_ladder_that_reads_gbk() {
    if !has("python3") {
        return;
    }
    let port = free_port();
    let serving = Serving::start(&[&format!("echo:{port}")], &["--ladder", "--encoding", "gbk"]);
    assert_eq!(client("gbk_client.py", port), "你好，世界！\n");
    let (_, _, said) = serving.end("INT");
    let ladder = said.join("\n");
    let shown: String =
        ladder.chars().filter(|letter| !letter.is_ascii() && letter.is_alphabetic()).collect();
    assert_eq!(shown, "你好世界你好世界", "{ladder}");
}

#[test]
fn servers_that_we_connect_to() {
    if !has("python3") {
        return;
    }
    let port = free_port();
    let one_shot = python_server("one_shot_server.py", port);
    assert_eq!(connect(port, b"hello").stdout, b"Thank you.\n");
    drop(one_shot);

    let port = free_port();
    let _loop = python_server("echo_loop_server.py", port);
    for text in ["first", "second"] {
        assert_eq!(connect(port, text.as_bytes()).stdout, text.as_bytes());
    }

    let port = free_port();
    let _upper = python_server("upper_server.py", port);
    assert_eq!(connect(port, b"one\ntwo\n").stdout, b"ONE\nTWO\n");
    assert_eq!(client("upper_client.py", port), "HELLO\nTCP IS A STREAM\nGOOD BYE\n");
}
