//! Commands of a script as changes of the host: sysctls, routes, queues, files. No shell ever sees them.

use sockeye_core::network::{Route, RouteAttributes};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::SlowStartExit;

use super::failure::Failure;
use super::host::{Host, Outlet};
use super::process::Process;
use super::sysctl;
use crate::ast::Command;
use crate::setup::{self, Setup, Step};

/// What a command does, in order.
///
/// # Errors
/// A command that is not known, by its name.
pub fn steps(command: &Command) -> Result<Vec<Step>, Failure> {
    setup::parse(command)
        .map_err(|error| Failure::unsupported(error.line, format!("command: {}", error.message)))
}

/// What is changed: the settings that new sockets begin with, and the host and program once they are there.
#[derive(Debug)]
pub struct Target<'t> {
    /// What new sockets begin with.
    pub config: &'t mut Config,
    /// The host and its program; none before the script begins.
    pub running: Option<(&'t mut Host, &'t mut Process)>,
    /// What the interface takes to cut it; see [`super::Options::segmentation`].
    pub segmentation: Option<usize>,
    /// How long commands have slept.
    pub slept: Duration,
}

/// Does what a command does.
///
/// # Errors
/// Something that cannot be had, by its name; a check that fails.
pub fn apply(step: &Step, target: &mut Target<'_>) -> Result<(), Failure> {
    let unsupported = |what: String| Failure::unsupported(step.line, what);
    match &step.setup {
        Setup::Sysctl(sysctl) => {
            if sysctl.name == "net.ipv4.tcp_fastopen_key" {
                let keys =
                    sysctl::fast_open_keys(&sysctl.value).map_err(|text| Failure::script(step.line, text))?;
                if let Some((host, _)) = &mut target.running {
                    host.stack.set_fast_open_keys(keys);
                }
                return Ok(());
            }
            let result = sysctl::set(target.config, &sysctl.name, &sysctl.value);
            return match result {
                Err(_) if sysctl.optional && !sysctl::is_known(&sysctl.name) => Ok(()),
                other => other.map_err(|text| Failure::script(step.line, text)),
            };
        }
        // Every script has a host of its own, on which no other has changed anything; a script that wanted to see its own
        // changes undone would be the first.
        Setup::RestoreSysctls => {}
        Setup::ModuleParameter { module, name, value } => match (module.as_str(), name.as_str()) {
            ("tcp_cubic", "hystart_detect") => {
                target.config.tcp.slow_start_exit = match value.as_str() {
                    "0" => SlowStartExit::Loss,
                    "3" => SlowStartExit::HyStart,
                    other => return Err(unsupported(format!("tcp_cubic/hystart_detect={other}"))),
                };
            }
            _ => return Err(unsupported(format!("parameter {module}/{name}"))),
        },
        // Linux's fair queue sends at the pacing rate, which is all that one flow sees of it.
        Setup::Qdisc(qdisc) if qdisc.kind.as_deref() == Some("fq") => match &mut target.running {
            None => target.config.tcp.pacing = true,
            Some((host, _)) if target.config.tcp.pacing => host.outlet = Outlet::Open,
            Some(_) => return Err(unsupported("tc qdisc fq while the script runs".to_owned())),
        },
        Setup::Offload { features, .. } => offload(features, target).map_err(unsupported)?,
        Setup::Sleep(time) => target.slept += *time,
        Setup::Otherwise { first, instead } => {
            let tried = match first {
                Ok(steps) => steps.iter().try_for_each(|step| apply(step, target)).is_ok(),
                Err(_) => false,
            };
            if !tried {
                instead.iter().try_for_each(|step| apply(step, target))?;
            }
        }
        other => {
            // These need a host. Before the script begins they wait until it is there: see `needs_host`.
            let Some((host, process)) = &mut target.running else { return Ok(()) };
            return on_host(step, other, host, process);
        }
    }
    Ok(())
}

/// `ethtool -K`: whether the interface cuts large segments by itself. Cutting in front of it (GSO) and in it (TSO) make no
/// difference that could be seen, so both must be off for the stack to do it.
fn offload(features: &[(String, bool)], target: &mut Target<'_>) -> Result<(), String> {
    for (feature, on) in features {
        match (feature.as_str(), on) {
            ("tso" | "gso", false) if target.running.is_none() => target.segmentation = None,
            ("tso" | "gso", true) if target.segmentation.is_some() => {}
            ("tso" | "gso", false) if target.segmentation.is_none() => {}
            // Nothing is joined on the way in.
            ("gro" | "lro", false) => {}
            (feature, on) => return Err(format!("ethtool: {feature} {}", if *on { "on" } else { "off" })),
        }
    }
    Ok(())
}

/// Whether a step changes the host itself, which must be there first.
pub fn needs_host(step: &Step) -> bool {
    if matches!(&step.setup, Setup::Sysctl(sysctl) if sysctl.name == "net.ipv4.tcp_fastopen_key") {
        return true;
    }
    !matches!(
        step.setup,
        Setup::Sysctl(_)
            | Setup::RestoreSysctls
            | Setup::ModuleParameter { .. }
            | Setup::Offload { .. }
            | Setup::Sleep(_)
            | Setup::Otherwise { .. }
    )
}

fn on_host(step: &Step, setup: &Setup, host: &mut Host, process: &mut Process) -> Result<(), Failure> {
    let unsupported = |what: String| Failure::unsupported(step.line, what);
    match setup {
        Setup::Qdisc(qdisc) => match (qdisc.verb.as_str(), qdisc.kind.as_deref(), qdisc.limit) {
            ("delete" | "del", ..) => host.outlet = Outlet::Open,
            (_, Some("pfifo" | "bfifo"), Some(0)) => host.outlet = Outlet::Shut,
            (_, Some("pfifo" | "pfifo_fast" | "noqueue"), _) => host.outlet = Outlet::Open,
            (_, kind, _) => {
                return Err(unsupported(format!("tc qdisc {}", kind.unwrap_or("without a kind"))));
            }
        },
        Setup::Listening(port) => {
            let listens = host.stack.snapshot().sockets.iter().any(|socket| {
                socket.state == Some(sockeye_core::transport::tcp::State::Listen)
                    && socket.local.is_some_and(|local| local.port() == *port)
            });
            if !listens {
                return Err(Failure::mismatch(step.line, format!("no socket listens on port {port}")));
            }
        }
        Setup::FlushMetrics => host.stack.forget_fast_open_cookies(),
        Setup::RemoveFile(path) => drop(process.files.remove(path)),
        Setup::ZeroFile { path, length } => drop(process.files.insert(path.clone(), *length)),
        Setup::Route(route) => change_route(route, host).map_err(unsupported)?,
        Setup::ResetCounters => return Err(unsupported("nstat".to_owned())),
        Setup::CounterGrew(name) => return Err(unsupported(format!("counter {name}"))),
        other => return Err(unsupported(format!("{other:?}"))),
    }
    Ok(())
}

/// `ip route change`: what holds on the way to the script's own end. Through whom and out of which interface says nothing:
/// there is one.
fn change_route(route: &setup::Route, host: &mut Host) -> Result<(), String> {
    for (name, is_said) in [("initrwnd", route.initrwnd.is_some()), ("quickack", route.quickack.is_some())] {
        if is_said {
            return Err(format!("ip route … {name}"));
        }
    }
    let leads_there = |known: &&Route| {
        known.interface == host.interface
            && route.destination.is_none_or(|destination| known.destination.contains(destination))
    };
    let known = host.stack.routes().find(leads_there).copied();
    let Some(known) = known else {
        let to = route.destination.map_or("default".to_owned(), |destination| destination.to_string());
        return Err(format!("ip route to {to}, where no way leads"));
    };
    let advmss = match route.advmss.map(u16::try_from) {
        None => None,
        Some(Ok(advmss)) => Some(advmss),
        Some(Err(_)) => return Err("ip route … advmss above 65535".to_owned()),
    };
    let attributes = RouteAttributes {
        mtu: route.mtu.map(|mtu| mtu as usize),
        mtu_is_locked: route.mtu_locked,
        advmss,
        initcwnd: route.initcwnd,
        rto_min: route.rto_min,
        ecn: route.ecn,
    };
    host.stack
        .set_route_attributes(&known, attributes)
        .map_err(|error| format!("ip route with these metrics: {error}"))
}
