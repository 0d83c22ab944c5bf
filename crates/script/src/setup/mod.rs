//! The shell commands of scripts as settings. No shell runs: what a command would do to a host is named here, and done by
//! whoever runs the script; a command that has no name here is an error.

mod command;
mod defaults;
mod shell;

use crate::ast::Command;
use sockeye_core::time::Duration;
use std::net::IpAddr;

/// What one command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line of the command in the script; of the built-in `defaults.sh`, that of its call.
    pub line: u32,
    /// What it does.
    pub setup: Setup,
}

/// Something that a command does to the host, or asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    /// `sysctl -q net.ipv4.tcp_sack=1`
    Sysctl(Sysctl),
    /// `/tmp/sysctl_restore_${PPID}.sh`: what `set_sysctls.py` changed is as it was before.
    RestoreSysctls,
    /// `ip route change …`: the way to one address has metrics.
    Route(Route),
    /// `ip tcp_metrics flush all`: nothing remembered of other hosts, Fast Open's cookies included.
    FlushMetrics,
    /// `tc qdisc replace dev tun0 root pfifo limit 0`
    Qdisc(Qdisc),
    /// `ethtool -K tun0 tso off gso off`
    Offload {
        /// The interface.
        device: String,
        /// Names such as `tso`, and whether each is on.
        features: Vec<(String, bool)>,
    },
    /// `sleep 0.5`
    Sleep(Duration),
    /// `echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect`
    ModuleParameter {
        /// `tcp_cubic`
        module: String,
        /// `hystart_detect`
        name: String,
        /// `3`
        value: String,
    },
    /// `nstat > /dev/null`: the counters that [`Setup::CounterGrew`] asks about count from here.
    ResetCounters,
    /// `nstat | grep TcpExtOutOfWindowIcmps`: fails unless this counter grew since they were reset.
    CounterGrew(String),
    /// `grep " 0A " /proc/net/tcp … | grep ":1F90"`: fails unless a socket listens on this port.
    Listening(u16),
    /// `rm -f /tmp/file`
    RemoveFile(String),
    /// `dd if=/dev/zero of=/tmp/file bs=1 count=5`: a file of so many zeros, which `open` then finds.
    ZeroFile {
        /// Its name.
        path: String,
        /// Octets.
        length: u64,
    },
    /// `a || b`: the second where something of the first fails or is not known.
    Otherwise {
        /// Tried first. Where its commands are not known, why.
        first: Result<Vec<Step>, SetupError>,
        /// Done if that fails.
        instead: Vec<Step>,
    },
}

/// A setting of Linux's by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// With points: `net.ipv4.tcp_sack`.
    pub name: String,
    /// As written, with one blank between numbers.
    pub value: String,
    /// `-e`: a name that does not exist is no error.
    pub optional: bool,
}

impl Sysctl {
    /// Reads `net.ipv4.tcp_sack=1`, where slashes may stand for points and `/proc/sys/` may come before.
    ///
    /// # Errors
    /// A text that has no `=`, no name or no value, in a sentence.
    pub fn parse(text: &str) -> Result<Sysctl, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is no NAME=value"))?;
        let name = name.strip_prefix("/proc/sys/").unwrap_or(name).replace('/', ".");
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || value.is_empty() {
            return Err(format!("'{text}' lacks a name or a value"));
        }
        Ok(Sysctl { name, value, optional: false })
    }
}

/// `ip route change 192.0.2.1 via 192.168.0.2 dev tun0 mtu lock 640 advmss 600 initcwnd 11`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// To whom. None: `default`.
    pub destination: Option<IpAddr>,
    /// Through whom.
    pub via: Option<IpAddr>,
    /// Out of which interface.
    pub device: Option<String>,
    /// Octets.
    pub mtu: Option<u32>,
    /// Whether path MTU discovery leaves it alone.
    pub mtu_locked: bool,
    /// The MSS announced.
    pub advmss: Option<u32>,
    /// Initial congestion window, in segments.
    pub initcwnd: Option<u32>,
    /// Initial receive window, in segments.
    pub initrwnd: Option<u32>,
    /// The shortest retransmission timeout.
    pub rto_min: Option<Duration>,
    /// Whether acknowledgments are not delayed.
    pub quickack: Option<bool>,
    /// `features ecn`
    pub ecn: bool,
}

/// What is done about an interface's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qdisc {
    /// `add`, `replace`, `change` or `delete`.
    pub verb: String,
    /// The interface.
    pub device: String,
    /// `pfifo`, `fq` and the like.
    pub kind: Option<String>,
    /// Packets; 0 drops all.
    pub limit: Option<u32>,
}

/// Why a command cannot be taken for a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct SetupError {
    /// Line in the script.
    pub line: u32,
    /// What is not known.
    pub message: String,
}

/// What a command of a script does, in order.
///
/// # Errors
/// A command, or a part of one, that is not known.
pub fn parse(command: &Command) -> Result<Vec<Step>, SetupError> {
    let mut steps = Vec::new();
    for mut alternatives in shell::commands(&command.text, command.line)? {
        // From the last one back: each stands in for those before it.
        let mut last = None;
        while let Some(pipeline) = alternatives.pop() {
            let line = pipeline.first().map_or(command.line, |simple| simple.line);
            let found = command::pipeline(&pipeline);
            last = Some(match last {
                None => found,
                Some(instead) => {
                    Ok(vec![Step { line, setup: Setup::Otherwise { first: found, instead: instead? } }])
                }
            });
        }
        steps.extend(last.transpose()?.unwrap_or_default());
    }
    Ok(steps)
}

#[cfg(test)]
mod tests;
