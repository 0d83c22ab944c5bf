//! The command `sockeye`, run as a user runs it.
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Nothing here takes longer, or it never ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A port of the real machine that is free for TCP and UDP, and given to one caller only.
///
/// Below 30000, where the system takes none for connections that somebody opens meanwhile.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(61).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let address = ("127.0.0.1", 20_000 + (number % 10_000) as u16);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address.1;
        }
    }
}

/// The command with these arguments, in an environment that does not depend on the user's.
pub fn sockeye(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
    command.args(arguments).env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Output {
    finish(&mut sockeye(arguments), b"")
}

/// Runs a command to its end, with this input, not longer than [`PATIENCE`].
pub fn finish(command: &mut Command, input: &[u8]) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read its input to the end is not at fault.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let [stdout, stderr] = [drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap())];
    let status = wait(&mut child);
    drop(writer);
    Output { status, stdout: stdout.recv().unwrap_or_default(), stderr: stderr.recv().unwrap_or_default() }
}

fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        send.send(bytes).ok();
    });
    receive
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().ok();
            panic!("it did not end in {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server at work; killed when it is dropped.
pub struct Serving {
    child: Child,
    lines: Receiver<String>,
    /// What it said on standard error so far.
    pub said: Vec<String>,
    stdout: Receiver<Vec<u8>>,
}

impl Serving {
    /// Starts `sockeye serve` and waits until each of its services is open.
    pub fn start(services: &[&str], options: &[&str]) -> Serving {
        let mut command = sockeye(&["serve"]);
        command.args(services).args(options);
        Serving::wait_for(
            command,
            |line| line.starts_with("sockeye: ") && line.contains("; try "),
            services.len(),
        )
    }

    /// Starts a program and waits until it has said `count` lines of the kind that is waited for.
    pub fn wait_for(mut command: Command, kind: impl Fn(&str) -> bool, count: usize) -> Serving {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let stdout = drain(child.stdout.take().unwrap());
        let mut serving = Serving { child, lines, said: Vec::new(), stdout };
        let mut seen = 0;
        while seen < count {
            let Ok(line) = serving.lines.recv_timeout(PATIENCE) else {
                panic!("{command:?} said only {:#?}", serving.said);
            };
            seen += usize::from(kind(&line));
            serving.said.push(line);
        }
        serving
    }

    /// Sends a signal by its name and waits for the end: the exit code, standard output and all lines of standard error.
    pub fn end(self, signal: &str) -> (Option<i32>, Vec<u8>, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        self.wait()
    }

    /// The same, with a signal to its whole process group, as a terminal sends it.
    pub fn end_group(self, signal: &str) -> (Option<i32>, Vec<u8>, Vec<String>) {
        let group = format!("-{}", self.child.id());
        assert!(Command::new("kill").args(["-s", signal, "--", &group]).status().unwrap().success());
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(mut self) -> (Option<i32>, Vec<u8>, Vec<String>) {
        let status = wait(&mut self.child);
        let stdout = self.stdout.recv().unwrap_or_default();
        let mut said = std::mem::take(&mut self.said);
        while let Ok(line) = self.lines.recv() {
            said.push(line);
        }
        (status.code(), stdout, said)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a program is there; says so aloud if it is not.
pub fn has(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(program).is_file());
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}
