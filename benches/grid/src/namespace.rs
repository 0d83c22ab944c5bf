//! A network namespace with a TAP interface, and threads inside it.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sockeye_device::{Offloads, Tap};

/// What the names of all namespaces of this program begin with; the number of the process follows.
const PREFIX: &str = "sockeye-grid";
/// The TAP interface in each.
pub(crate) const INTERFACE: &str = "tap0";

/// A namespace. It is gone when this is.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, with nothing in it but the loopback interface.
    pub(crate) fn new() -> io::Result<Namespace> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{}-{number}", process::id());
        command("ip", &["netns", "add", &name])?;
        let namespace = Namespace { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name, for `ip netns exec`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip` inside it.
    pub(crate) fn ip(&self, arguments: &[&str]) -> io::Result<()> {
        command("ip", &[&["-n", &self.name], arguments].concat())
    }

    /// Writes settings of the kernel, of this namespace only.
    pub(crate) fn set(&self, settings: &[(&str, &str)]) -> io::Result<()> {
        self.inside(|| {
            settings.iter().try_for_each(|(name, value)| {
                let path = format!("/proc/sys/net/{name}");
                fs::write(&path, value)
                    .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
            })
        })
    }

    /// The program's end of a TAP interface inside it, whose other end may have an address. Frames cross it one by one, as they
    /// are on a wire: nothing is left to the device.
    pub(crate) fn tap(&self, address: Option<Ipv4Addr>) -> io::Result<Tap> {
        let tap = self.inside(|| Tap::open(INTERFACE, Offloads::Off).map_err(io::Error::other))?;
        // So long a queue that the cable's is the only one that overflows.
        self.ip(&["link", "set", INTERFACE, "mtu", "1500", "txqueuelen", "20000", "up"])?;
        if let Some(address) = address {
            self.ip(&["addr", "add", &format!("{address}/24"), "dev", INTERFACE])?;
        }
        Ok(tap)
    }

    /// Does something in a thread inside the namespace.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let inside = || {
            self.enter()?;
            act()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|_| Err(io::Error::other("a thread in a namespace has panicked")))
    }

    /// Moves the calling thread into the namespace, for good.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let link = File::open(format!("/run/netns/{}", self.name))?;
        Ok(move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the next run looks for what was left.
        command("ip", &["netns", "del", &self.name]).ok();
    }
}

/// Removes namespaces of processes that are no more.
pub(crate) fn remove_leftovers() {
    let Ok(entries) = fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let process = rest.split('-').next().unwrap_or_default();
        if !process.is_empty() && !fs::exists(format!("/proc/{process}")).unwrap_or(true) {
            command("ip", &["netns", "del", &name]).ok();
        }
    }
}

/// Runs a program to its end, which has to be a good one.
pub(crate) fn command(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", arguments.join(" "), said.trim())))
}
