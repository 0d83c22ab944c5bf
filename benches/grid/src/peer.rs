//! Other stacks, as programs that somebody has built: each serves chargen (RFC 864) at port 19, on an interface of its own
//! in the namespace of the sending end.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use crate::namespace::{INTERFACE, Namespace};
use crate::pair::{Control, Stack};

/// The address that every peer has.
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The address of who asks a peer.
pub(crate) const ASKER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where it serves data without end.
pub(crate) const CHARGEN: u16 = 19;
/// The interface that it opens.
const OWN_INTERFACE: &str = "peer0";

/// What a peer's interface carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// Ethernet: it is bridged to ours.
    Tap,
    /// IP: the kernel routes between it and ours.
    Tun,
}

/// How a peer is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) stack: Stack,
    carries: Carries,
    command: Vec<String>,
}

impl Peer {
    /// What `benches/grid/peers/build` builds, by name, interface and arguments.
    const BUILT: [(Stack, Carries, &str, &str); 3] = [
        (Stack::Smoltcp, Carries::Tap, "smoltcp-chargen", "--dev {} --congestion {control}"),
        (Stack::Lwip, Carries::Tap, "lwip-chargen", "--dev {}"),
        (Stack::Ipstack, Carries::Tun, "ipstack-chargen", "--dev {}"),
    ];

    /// The programs that were built into a folder; those that are not there are skipped aloud.
    ///
    /// # Errors
    /// None of them is there.
    pub(crate) fn built(folder: &Path) -> io::Result<Vec<Peer>> {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let mut peers = Vec::new();
        for (stack, carries, program, arguments) in Peer::BUILT {
            let program = folder.join(program);
            if !program.is_file() {
                eprintln!("skipped: {stack}: {} is not there", program.display());
                continue;
            }
            let words = arguments.split(' ').map(|word| word.replace("{}", OWN_INTERFACE));
            let command = [program.display().to_string()].into_iter().chain(words).collect();
            peers.push(Peer { stack, carries, command });
        }
        if peers.is_empty() {
            let told =
                format!("{}: no peer is there; benches/grid/peers/build builds them", folder.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, told));
        }
        Ok(peers)
    }
}

impl FromStr for Peer {
    type Err = String;

    /// Reads `smoltcp=tap:/path/to/program --dev {}`; `{}` stands for the interface, `{control}` for the congestion control.
    fn from_str(text: &str) -> Result<Peer, String> {
        let error = || {
            format!("`{text}` is no peer: write NAME=tap:COMMAND or NAME=tun:COMMAND, {{}} for the interface")
        };
        let (name, how) = text.split_once('=').ok_or_else(error)?;
        let stack =
            [Stack::Smoltcp, Stack::Lwip, Stack::Ipstack].into_iter().find(|stack| stack.to_string() == name);
        let (carries, command) = match how.split_once(':') {
            Some(("tap", command)) => (Carries::Tap, command),
            Some(("tun", command)) => (Carries::Tun, command),
            _ => return Err(error()),
        };
        let command: Vec<String> =
            command.split_whitespace().map(|word| word.replace("{}", OWN_INTERFACE)).collect();
        if command.is_empty() {
            return Err(error());
        }
        Ok(Peer { stack: stack.ok_or_else(error)?, carries, command })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stack, self.command.join(" "))
    }
}

/// A peer that runs. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Peer {
    /// Makes the peer's interface, joins it with ours, and starts the program.
    pub(crate) fn start(&self, namespace: &Namespace, control: Control) -> io::Result<Running> {
        let mode = match self.carries {
            Carries::Tap => "tap",
            Carries::Tun => "tun",
        };
        namespace.ip(&["tuntap", "add", "dev", OWN_INTERFACE, "mode", mode])?;
        namespace.ip(&["link", "set", OWN_INTERFACE, "mtu", "1500", "txqueuelen", "20000", "up"])?;
        match self.carries {
            Carries::Tap => {
                namespace.ip(&["link", "add", "bridge0", "type", "bridge"])?;
                for interface in [INTERFACE, OWN_INTERFACE] {
                    namespace.ip(&["link", "set", interface, "master", "bridge0"])?;
                }
                namespace.ip(&["link", "set", "bridge0", "up"])?;
            }
            Carries::Tun => {
                namespace.ip(&["route", "add", &format!("{PEER}/32"), "dev", OWN_INTERFACE])?;
                namespace.ip(&["route", "add", &format!("{ASKER}/32"), "dev", INTERFACE])?;
                namespace
                    .set(&[("ipv4/ip_forward", "1"), (&format!("ipv4/conf/{INTERFACE}/proxy_arp"), "1")])?;
            }
        }
        let child = Command::new("ip")
            .args(["netns", "exec", namespace.name()])
            .args(self.command.iter().map(|word| word.replace("{control}", control.name())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut running = Running(child);
        // Until it has opened its interface and listens.
        thread::sleep(Duration::from_millis(500));
        match running.0.try_wait()? {
            Some(status) => Err(io::Error::other(format!("{self}: ended at once, {status}"))),
            None => Ok(running),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself where this fails.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_an_interface_and_a_command() {
        let peer: Peer = "smoltcp=tap:/opt/smolsrv --dev {} --mtu 1500".parse().unwrap();
        assert_eq!(peer.to_string(), "smoltcp: /opt/smolsrv --dev peer0 --mtu 1500");
        for text in ["smoltcp", "smoltcp=/opt/smolsrv", "linux=tap:x", "lwip=tap:", "mars=tun:x"] {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
    }
}
