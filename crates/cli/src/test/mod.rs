//! `sockeye test`: packetdrill scripts, each on a stack of its own, in virtual time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

mod against;

use clap::{Args, ValueEnum};
use sockeye_script::ast::Script;
use sockeye_script::run::ladder::Rung;
use sockeye_script::run::report::{Case, Format, Report};
use sockeye_script::run::service::refusal;
use sockeye_script::run::{
    Failure as ScriptFailure, IpVersion, Kind, Options, Outcome, Service, Terms, Wishes, run as run_script,
    run_against,
};

use crate::command::parse_time;
use crate::failure::{Code, Failure};
use against::TapOpponent;

/// `sockeye test`.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Scripts, and folders whose scripts (*.pkt) are all run
    #[arg(required = true, value_name = "SCRIPT.pkt")]
    scripts: Vec<PathBuf>,
    /// Over which IP; repeatable. A script named …v4.pkt or …v6.pkt is run over that one only [default: as the script says, else ipv4]
    #[arg(long, visible_alias = "ip_version", value_name = "VERSION")]
    ip_version: Vec<Version>,
    /// How results are written
    #[arg(long, value_name = "FORMAT", default_value = "tap")]
    format: Written,
    /// Replace a word of the script; repeatable
    #[arg(long, short = 'D', value_name = "WORD=VALUE", value_parser = parse_define)]
    define: Vec<(String, String)>,
    /// Another option, as a script would have it at its top, without the hyphens; repeatable
    #[arg(long, short = 'o', value_name = "NAME[=VALUE]")]
    option: Vec<String>,
    /// Fail where a packet that the script does not mention is left over at its end, or where it goes on to another socket;
    /// packetdrill does not look there
    #[arg(long)]
    strict_end: bool,
    /// Let the packets play against another stack, behind this TAP interface, in real time. A script's calls must be those that
    /// the service there makes by itself; other scripts are skipped
    #[arg(long, value_name = "tap:NAME", value_parser = parse_against)]
    against: Option<String>,
    /// With --against: what waits at the other stack's address and port 8080 (or that of -o bind_port)
    #[arg(long, value_name = "SERVICE", default_value = "discard", requires = "against")]
    service: Offered,
    /// With --against: how far a time may be off, or an eighth of the time waited if that is more
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "25ms", requires = "against")]
    tolerance: Duration,
    /// Show all packets and calls of every script, not only of those that fail
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    /// IPv4 packets and sockets
    Ipv4,
    /// IPv6 packets and sockets
    Ipv6,
    /// IPv4 packets, IPv6 sockets with mapped addresses
    #[value(name = "ipv4-mapped-ipv6")]
    Mapped,
    /// All three
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Offered {
    /// Reads everything, says nothing, closes when its peer has
    Discard,
    /// The same, and writes all that it has read
    Echo,
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    /// Test Anything Protocol
    Tap,
    /// JUnit's XML
    Junit,
}

fn parse_against(text: &str) -> Result<String, String> {
    match text.strip_prefix("tap:") {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err("it must be tap:NAME".to_owned()),
    }
}

fn parse_define(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((word, value)) if !word.is_empty() => Ok((word.to_owned(), value.to_owned())),
        _ => Err("it must be WORD=VALUE".to_owned()),
    }
}

/// What the suites of packetdrill's authors define, since it depends on the version of IP.
fn suite_defines(version: IpVersion) -> Vec<(String, String)> {
    let (cookie, code) = match version {
        IpVersion::V6 => ("c1d1e9742a47a9bc", "address_unreachable"),
        IpVersion::V4 | IpVersion::Mapped => ("3021b9d889017eeb", "host_unreachable"),
    };
    let (level, kind) = match version {
        IpVersion::V4 => ("SOL_IP", "IP_RECVERR"),
        IpVersion::V6 | IpVersion::Mapped => ("SOL_IPV6", "IPV6_RECVERR"),
    };
    [("TFO_COOKIE", cookie), ("CODE", code), ("CMSG_LEVEL_IP", level), ("CMSG_TYPE_RECVERR", kind)]
        .map(|(word, value)| (word.to_owned(), value.to_owned()))
        .to_vec()
}

/// Runs the scripts, and says what became of them.
pub(crate) fn run(options: &TestOptions) -> Result<(), Failure> {
    let mut scripts = Vec::new();
    for path in &options.scripts {
        collect(path, &mut scripts)?;
    }
    if scripts.is_empty() {
        return Err(Failure::usage("no script (*.pkt) is there"));
    }
    let mut opponent = options.against.as_deref().map(TapOpponent::open).transpose()?;
    let mut report = Report::default();
    for path in scripts {
        let source = fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        for version in versions(options, &path, &source) {
            report.push(case(options, opponent.as_mut(), (&path, &source), version)?);
        }
    }
    tell_assumed(&report);
    let format = match options.format {
        Written::Tap => Format::Tap,
        Written::Junit => Format::Junit,
    };
    let text = report.text(format, options.verbose);
    stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Code::Network, format!("cannot write: {error}")))?;
    match report.failed() {
        0 if report.refused() == report.len() => Err(Failure::usage(format!(
            "no script can be played against a stack with a {} service: none was",
            service(options).name()
        ))),
        0 => Ok(()),
        failed => Err(Failure::new(Code::ScriptFailed, format!("{failed} of {} failed", report.len()))),
    }
}

/// A script, or those in a folder and its folders, in order.
fn collect(path: &Path, scripts: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        scripts.push(path.to_owned());
        return Ok(());
    }
    let unreadable = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "pkt") {
            collect(&path, scripts)?;
        }
    }
    Ok(())
}

/// Over which versions of IP a script is run.
fn versions(options: &TestOptions, path: &Path, source: &str) -> Vec<IpVersion> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let all = [IpVersion::V4, IpVersion::V6, IpVersion::Mapped];
    let asked = |version: &IpVersion| {
        let wanted = match version {
            IpVersion::V4 => Version::Ipv4,
            IpVersion::V6 => Version::Ipv6,
            IpVersion::Mapped => Version::Mapped,
        };
        options.ip_version.contains(&wanted) || options.ip_version.contains(&Version::All)
    };
    let said = || {
        let option = source.lines().find_map(|line| line.trim().strip_prefix("--ip_version="));
        option.and_then(|version| version.split_whitespace().next()?.parse().ok())
    };
    let fits = |version: &IpVersion| match version {
        IpVersion::V6 => !name.ends_with("v4"),
        IpVersion::V4 | IpVersion::Mapped => !name.ends_with("v6"),
    };
    if options.ip_version.is_empty() {
        let named = if name.ends_with("v6") { IpVersion::V6 } else { IpVersion::V4 };
        return vec![said().unwrap_or(named)];
    }
    all.into_iter().filter(asked).filter(fits).collect()
}

fn service(options: &TestOptions) -> Service {
    match options.service {
        Offered::Discard => Service::Discard,
        Offered::Echo => Service::Echo,
    }
}

fn case(
    options: &TestOptions,
    opponent: Option<&mut TapOpponent>,
    (path, source): (&Path, &str),
    version: IpVersion,
) -> Result<Case, Failure> {
    let file = path.display().to_string();
    let mut defines = suite_defines(version);
    defines.extend(options.define.iter().cloned());
    let began = Instant::now();
    let outcome = match sockeye_script::parse(&file, source, &defines) {
        Ok(script) => {
            let named = |text: &String| match text.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (text.clone(), None),
            };
            let mut wished: Vec<_> = options.option.iter().map(named).collect();
            if options.strict_end {
                wished.insert(0, ("strict_end".to_owned(), None));
            }
            let mut wishes = Wishes { ip_version: Some(version), options: wished };
            match opponent {
                None => run_script(&script, &wishes),
                Some(opponent) => {
                    let tolerance = options.tolerance.as_micros().to_string();
                    wishes.options.insert(0, ("tolerance_usecs".to_owned(), Some(tolerance)));
                    duel(opponent, &script, &wishes, service(options))?
                }
            }
        }
        Err(error) => Outcome {
            failure: Some(ScriptFailure::script(
                error.line,
                format!("column {}: {}", error.column, error.message),
            )),
            ladder: Default::default(),
            ip_version: version,
        },
    };
    Ok(Case { file, ip_version: version.name(), outcome, took: began.elapsed() })
}

/// Runs a script against another stack.
fn duel(
    opponent: &mut TapOpponent,
    script: &Script,
    wishes: &Wishes,
    service: Service,
) -> Result<Outcome, Failure> {
    let ended = |failure| Outcome {
        failure: Some(failure),
        ladder: Default::default(),
        ip_version: wishes.ip_version.unwrap_or_default(),
    };
    let options = match Options::new(script, wishes) {
        Ok(options) => options,
        Err(failure) => return Ok(ended(failure)),
    };
    if let Some(failure) = refusal(script, service, &options) {
        return Ok(ended(failure));
    }
    if options.mtu != opponent.mtu() {
        let (wanted, found) = (options.mtu, opponent.mtu());
        let text = format!("it is written for an MTU of {wanted}, and the interface has {found}");
        return Ok(ended(ScriptFailure::refused(0, text)));
    }
    // A machine that is busy with other things says nothing about the other stack: it may try again.
    for _ in 1..ATTEMPTS {
        let outcome = play(opponent, script, (wishes, &options), service)?;
        if outcome.failure.as_ref().is_none_or(|failure| failure.kind != Kind::Late) {
            return Ok(outcome);
        }
    }
    play(opponent, script, (wishes, &options), service)
}

/// How often a script is played in which the machine itself was late.
const ATTEMPTS: u32 = 5;

fn play(
    opponent: &mut TapOpponent,
    script: &Script,
    (wishes, options): (&Wishes, &Options),
    service: Service,
) -> Result<Outcome, Failure> {
    opponent.meet(options)?;
    let terms = Terms { service, first_port: opponent.next_port() };
    Ok(run_against(script, wishes, terms, opponent))
}

/// Says what the administrator of the other stack is taken to have set, each thing once.
fn tell_assumed(report: &Report) {
    let mut assumed: BTreeMap<&str, usize> = BTreeMap::new();
    let entries = report.cases().iter().flat_map(|case| &case.outcome.ladder.entries);
    for entry in entries.filter(|entry| entry.rung == Rung::Assumed) {
        *assumed.entry(&entry.text).or_default() += 1;
    }
    for (what, scripts) in assumed {
        let line = format!("sockeye: for {scripts} of the scripts the other stack must have had {what}");
        writeln!(stderr(), "{line}").ok();
    }
}
