//! Each command that scripts use, by its name.

use super::shell::{Pipeline, Simple};
use super::{Qdisc, Route, Setup, SetupError, Step, Sysctl, defaults};
use sockeye_core::time::Duration;

/// What a pipeline does.
pub(super) fn pipeline(pipeline: &Pipeline) -> Result<Vec<Step>, SetupError> {
    let line = pipeline.first().map_or(1, |simple| simple.line);
    let found = match pipeline.as_slice() {
        [simple] => alone(simple),
        [first, second] => piped(first, second).map(|setup| vec![setup]),
        _ => Err("more than two commands in a pipe".to_owned()),
    };
    let setups = found.map_err(|message| SetupError { line, message })?;
    Ok(setups.into_iter().map(|setup| Step { line, setup }).collect())
}

fn alone(simple: &Simple) -> Result<Vec<Setup>, String> {
    let words: Vec<&str> = simple.words.iter().map(String::as_str).collect();
    let Some((path, arguments)) = words.split_first() else { return Err("no command".to_owned()) };
    if *path == "echo" {
        return echo(arguments, simple.output.as_deref()).map(|setup| vec![setup]);
    }
    if let Some(file) = simple.output.as_deref().filter(|file| *file != "/dev/null" && !file.starts_with('&'))
    {
        return Err(format!("the output of '{path}' cannot be written to {file}"));
    }
    if path.ends_with("common/defaults.sh") {
        return nothing_more(path, arguments, defaults());
    }
    if path.ends_with("common/set_sysctls.py") {
        return arguments.iter().map(|text| Sysctl::parse(text).map(Setup::Sysctl)).collect();
    }
    if path.starts_with("/tmp/sysctl_restore_") && path.ends_with(".sh") {
        return nothing_more(path, arguments, vec![Setup::RestoreSysctls]);
    }
    let setup = match (path.rsplit('/').next().unwrap_or_default(), arguments) {
        ("sysctl", _) => return sysctl(arguments),
        ("ip", ["tcp_metrics", "flush"] | ["tcp_metrics", "flush", "all"]) => Setup::FlushMetrics,
        ("ip", ["-6" | "-4", "route", rest @ ..] | ["route", rest @ ..]) => Setup::Route(route(rest)?),
        ("tc", ["qdisc", rest @ ..]) => Setup::Qdisc(qdisc(rest)?),
        ("ethtool", ["-K", device, rest @ ..]) => {
            Setup::Offload { device: (*device).to_owned(), features: switches(rest)? }
        }
        ("sleep", [seconds]) => Setup::Sleep(duration(seconds, 1.0)?),
        ("nstat", []) => Setup::ResetCounters,
        ("rm", ["-f", file] | [file]) => Setup::RemoveFile((*file).to_owned()),
        ("dd", _) => zeros(arguments)?,
        ("true" | ":", _) => return Ok(Vec::new()),
        _ => return Err(format!("the command '{}' is not known", words.join(" "))),
    };
    Ok(vec![setup])
}

fn piped(first: &Simple, second: &Simple) -> Result<Setup, String> {
    let (left, right): (Vec<&str>, Vec<&str>) =
        (first.words.iter().map(String::as_str).collect(), second.words.iter().map(String::as_str).collect());
    match (left.as_slice(), right.as_slice()) {
        (["nstat"], ["grep", counter]) => Ok(Setup::CounterGrew((*counter).to_owned())),
        // The state 0A is LISTEN, and the port stands in hexadecimal behind a colon.
        (["grep", state, files @ ..], ["grep", port])
            if state.trim() == "0A"
                && !files.is_empty()
                && files.iter().all(|file| file.starts_with("/proc/net/tcp")) =>
        {
            let port = port.trim().strip_prefix(':').and_then(|port| u16::from_str_radix(port, 16).ok());
            port.map(Setup::Listening).ok_or_else(|| format!("'{}' is no port", right.join(" ")))
        }
        _ => Err(format!("the command '{} | {}' is not known", left.join(" "), right.join(" "))),
    }
}

fn nothing_more(path: &str, arguments: &[&str], setups: Vec<Setup>) -> Result<Vec<Setup>, String> {
    if arguments.is_empty() { Ok(setups) } else { Err(format!("'{path}' takes no arguments")) }
}

/// What `common/defaults.sh` does.
fn defaults() -> Vec<Setup> {
    let sysctl = |(name, value): &(&str, &str)| {
        let (name, value) = (format!("net.ipv4.{name}"), (*value).to_owned());
        Setup::Sysctl(Sysctl { name, value, optional: false })
    };
    let pfifo = Qdisc {
        verb: "add".to_owned(),
        device: "tun0".to_owned(),
        kind: Some("pfifo".to_owned()),
        limit: None,
    };
    let mut setups = vec![Setup::FlushMetrics];
    setups.extend(defaults::SYSCTLS.iter().map(sysctl));
    setups.push(Setup::Qdisc(pfifo));
    setups
}

fn sysctl(arguments: &[&str]) -> Result<Vec<Setup>, String> {
    let mut setups = Vec::new();
    let mut optional = false;
    for argument in arguments {
        match *argument {
            "-e" => optional = true,
            "-q" | "-w" | "-qw" | "-wq" => {}
            "-eq" | "-qe" => optional = true,
            text if text.starts_with('-') => return Err(format!("sysctl's option {text} is not known")),
            text => setups.push(Setup::Sysctl(Sysctl { optional, ..Sysctl::parse(text)? })),
        }
    }
    if setups.is_empty() { Err("sysctl without NAME=value".to_owned()) } else { Ok(setups) }
}

/// `echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect`, `echo 1 > /proc/sys/net/ipv4/tcp_sack`.
fn echo(arguments: &[&str], file: Option<&str>) -> Result<Setup, String> {
    let (value, file) = (arguments.join(" "), file.unwrap_or_default());
    if let Some(sysctl) = file.strip_prefix("/proc/sys/") {
        return Sysctl::parse(&format!("{sysctl}={value}")).map(Setup::Sysctl);
    }
    let parameter = file.strip_prefix("/sys/module/").and_then(|rest| rest.split_once("/parameters/"));
    match parameter {
        Some((module, name)) if !value.is_empty() => {
            Ok(Setup::ModuleParameter { module: module.to_owned(), name: name.to_owned(), value })
        }
        _ => Err(format!("echo to '{file}' is not known")),
    }
}

fn route(words: &[&str]) -> Result<Route, String> {
    let (["change" | "replace" | "add", destination], mut rest) = words.split_at(words.len().min(2)) else {
        return Err(format!("'ip route {}' is not known", words.join(" ")));
    };
    let mut route = Route::default();
    if *destination != "default" {
        route.destination = Some(parsed(destination, "an address")?);
    }
    while let Some((name, behind)) = rest.split_first() {
        let locked = *name == "mtu" && behind.first() == Some(&"lock");
        let values = if locked { behind.get(1..).unwrap_or_default() } else { behind };
        let Some((value, others)) = values.split_first() else {
            return Err(format!("'{name}' of a route lacks a value"));
        };
        match *name {
            "via" => route.via = Some(parsed(value, "an address")?),
            "dev" => route.device = Some((*value).to_owned()),
            "mtu" => (route.mtu, route.mtu_locked) = (Some(parsed(value, "an MTU")?), locked),
            "advmss" => route.advmss = Some(parsed(value, "an MSS")?),
            "initcwnd" => route.initcwnd = Some(parsed(value, "a number of segments")?),
            "initrwnd" => route.initrwnd = Some(parsed(value, "a number of segments")?),
            "rto_min" => {
                // Without a unit ip means milliseconds.
                let (digits, unit) = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
                    (Some(digits), _) => (digits, 1e-3),
                    (None, Some(digits)) => (digits, 1.0),
                    (None, None) => (*value, 1e-3),
                };
                route.rto_min = Some(duration(digits, unit)?);
            }
            "quickack" => route.quickack = Some(parsed::<u8>(value, "0 or 1")? != 0),
            "features" if *value == "ecn" => route.ecn = true,
            _ => return Err(format!("'{name} {value}' of a route is not known")),
        }
        rest = others;
    }
    Ok(route)
}

fn qdisc(words: &[&str]) -> Result<Qdisc, String> {
    let unknown = || format!("'tc qdisc {}' is not known", words.join(" "));
    let [verb @ ("add" | "replace" | "change" | "delete" | "del"), "dev", device, "root", rest @ ..] = words
    else {
        return Err(unknown());
    };
    let verb = if *verb == "del" { "delete" } else { verb };
    let (kind, limit) = match rest {
        [] if verb == "delete" => (None, None),
        [kind] => (Some(*kind), None),
        [kind, "limit", limit] => (Some(*kind), Some(parsed(limit, "a number of packets")?)),
        _ => return Err(unknown()),
    };
    Ok(Qdisc { verb: verb.to_owned(), device: (*device).to_owned(), kind: kind.map(str::to_owned), limit })
}

/// `tso off gso off`
fn switches(words: &[&str]) -> Result<Vec<(String, bool)>, String> {
    let switch = |pair: &[&str]| match pair {
        [name, "on"] => Ok(((*name).to_owned(), true)),
        [name, "off"] => Ok(((*name).to_owned(), false)),
        _ => Err(format!("'{}' is no feature with on or off", pair.join(" "))),
    };
    words.chunks(2).map(switch).collect()
}

/// `dd if=/dev/zero of=/tmp/file bs=1 count=5 status=none`
fn zeros(arguments: &[&str]) -> Result<Setup, String> {
    let (mut path, mut size, mut count, mut zero) = (None, 512_u64, None, false);
    for argument in arguments {
        match argument.split_once('=') {
            Some(("if", "/dev/zero")) => zero = true,
            Some(("of", file)) => path = Some(file.to_owned()),
            Some(("bs", value)) => size = parsed(value, "a number of octets")?,
            Some(("count", value)) => count = Some(parsed::<u64>(value, "a number of blocks")?),
            Some(("status", _)) => {}
            _ => return Err(format!("dd's '{argument}' is not known")),
        }
    }
    match (path, count.and_then(|count| size.checked_mul(count)), zero) {
        (Some(path), Some(length), true) => Ok(Setup::ZeroFile { path, length }),
        _ => Err("dd needs if=/dev/zero, of= and count=".to_owned()),
    }
}

fn parsed<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is not {what}"))
}

fn duration(text: &str, unit: f64) -> Result<Duration, String> {
    let seconds = parsed::<f64>(text, "a number of seconds")? * unit;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("'{text}' is not a time"))
}
