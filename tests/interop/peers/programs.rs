//! Programs that hold the other stacks.
//!
//! A peer is called `PEER ROLE MODE ADDRESS MTU`. Descriptor 0 is a stream of Ethernet frames, each after its length in four
//! bytes (`sockeye_device::StreamSocket`); when it ends, so does the program. It has the addresses 10.78.0.2/24 and
//! fd78::2/64. ROLE `serve` accepts one connection at port 7000 of ADDRESS, which is its own; `connect` opens one to port 7000
//! of ADDRESS, which is ours. MODE `echo` sends back what comes, and closes after the peer has; `send:BYTES` sends so many
//! bytes (their numbers modulo 251), closes its half, and then reads to the end. It says `ready` when it listens, `refused`
//! where nobody listens, and when the connection is over `done`, how many bytes came, and their hash (FNV-1a of 64 bits);
//! `error` and why where it gives up.

use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Whose stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Lwip,
    Smoltcp,
    Gvisor,
}

impl Stack {
    /// The program that holds it; none where it was not built, which is said.
    pub(crate) fn program(self) -> Option<PathBuf> {
        let variable = match self {
            Stack::Lwip => "SOCKEYE_PEER_LWIP",
            Stack::Smoltcp => return Some(PathBuf::from(env!("CARGO_BIN_EXE_smoltcp-peer"))),
            Stack::Gvisor => "SOCKEYE_PEER_GVISOR",
        };
        let program = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        if program.is_none() {
            let _ = writeln!(std::io::stderr(), "skipped: {self:?}: {variable} names no program: see ./run");
        }
        program
    }
}

/// What a peer does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) role: &'static str,
    /// None: it echoes. Else so many bytes are sent first.
    pub(crate) send: Option<usize>,
    pub(crate) address: IpAddr,
    pub(crate) mtu: usize,
}

/// A peer that runs.
pub(crate) struct Peer {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    pub(crate) fn start(program: &PathBuf, task: Task, frames: UnixStream) -> Peer {
        let mode = task.send.map_or("echo".to_owned(), |size| format!("send:{size}"));
        let mut child = Command::new(program)
            .args([task.role, &mode, &task.address.to_string(), &task.mtu.to_string()])
            .stdin(OwnedFd::from(frames))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let output = BufReader::new(child.stdout.take().expect("its words"));
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Peer { child, lines }
    }

    /// The next thing it says.
    pub(crate) fn says(&self) -> String {
        self.lines.recv_timeout(LONG).expect("the peer says something")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
