//! A runner that passes wrong traffic is worse than none. Every script that passes is run again with one thing about what it
//! expects changed: a flag, a sequence number, a window, an acknowledgement, an option, the IP header, a time, a result, an
//! errno, what a call gives back, an assertion, a packet that is not expected or expected twice. Every such copy must fail.
//!
//! It is done to the repository's own scripts and, where `SOCKEYE_GOOGLE_SCRIPTS` names a folder, to those in it.

#[path = "../common/mod.rs"]
mod common;
mod mutant;

use std::env;
use std::fs;
use std::path::Path;

use common::scripts_below;
use sockeye_script::ast::Script;
use sockeye_script::run::{IpVersion, Kind, Wishes, run};

/// What became of the copies of all scripts.
#[derive(Debug, Default)]
struct Tally {
    scripts: usize,
    mutants: usize,
    /// Those the stack was right about and the runner called wrong: as it must be.
    caught: usize,
    /// Copies that make no sense as scripts; they say nothing about the runner.
    senseless: usize,
    survivors: Vec<String>,
}

fn wishes(version: IpVersion, strict: bool) -> Wishes {
    let options = if strict { vec![("strict_end".to_owned(), None)] } else { Vec::new() };
    Wishes { ip_version: Some(version), options }
}

fn mutate(script: &Script, version: IpVersion, tally: &mut Tally) {
    // Scripts that do not speak of their last packets are judged without looking for them, as packetdrill does.
    let Some(strict) =
        [true, false].into_iter().find(|strict| run(script, &wishes(version, *strict)).has_passed())
    else {
        return;
    };
    tally.scripts += 1;
    for mutant in mutant::all(script) {
        if !strict && mutant.change == mutant::NOT_EXPECTED {
            continue;
        }
        tally.mutants += 1;
        match run(&mutant.script, &wishes(version, strict)).failure {
            Some(failure) if failure.kind == Kind::Mismatch => tally.caught += 1,
            Some(_) => tally.senseless += 1,
            None => tally.survivors.push(format!(
                "{}:{} ({}): {}",
                script.name,
                mutant.line,
                version.name(),
                mutant.change
            )),
        }
    }
}

fn mutate_folder(folder: &Path, versions: &[IpVersion]) -> Tally {
    let mut paths = Vec::new();
    scripts_below(folder, &mut paths);
    let mut tally = Tally::default();
    for path in paths {
        let source = fs::read_to_string(&path).expect("a script");
        let name = path.display().to_string();
        for version in versions {
            let fits = if version.is_v6_on_the_wire() {
                !name.ends_with("v4.pkt")
            } else {
                !name.ends_with("v6.pkt")
            };
            // Whose meaning depends on the version of IP; scripts that need others do not pass, and count for nothing.
            let (code, cookie) = match version {
                IpVersion::V6 => ("address_unreachable", "c1d1e9742a47a9bc"),
                IpVersion::V4 | IpVersion::Mapped => ("host_unreachable", "3021b9d889017eeb"),
            };
            let defines =
                [("CODE", code), ("TFO_COOKIE", cookie)].map(|(word, value)| (word.into(), value.into()));
            if fits && let Ok(script) = sockeye_script::parse(&name, &source, &defines) {
                mutate(&script, *version, &mut tally);
            }
        }
    }
    tally
}

fn judge(tally: &Tally, least_scripts: usize) {
    let Tally { scripts, mutants, caught, senseless, survivors } = tally;
    println!("{scripts} scripts, {mutants} copies: {caught} caught, {senseless} senseless");
    assert!(*scripts >= least_scripts, "only {scripts} scripts pass");
    assert!(*caught > 10 * scripts, "hardly any copy says anything: {caught} of {mutants}");
    assert!(*senseless * 10 <= *mutants, "too many copies make no sense: {senseless} of {mutants}");
    assert!(survivors.is_empty(), "{} wrong copies pass:\n{}", survivors.len(), survivors.join("\n"));
}

const EVERY: [IpVersion; 3] = [IpVersion::V4, IpVersion::V6, IpVersion::Mapped];

#[test]
fn no_wrong_copy_of_our_scripts_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    judge(&mutate_folder(&folder, &EVERY), 120);
}

#[test]
fn no_wrong_copy_of_googles_scripts_passes() {
    let Some(folder) = env::var_os("SOCKEYE_GOOGLE_SCRIPTS") else {
        println!("skipped: SOCKEYE_GOOGLE_SCRIPTS names no folder of packetdrill's scripts");
        return;
    };
    judge(&mutate_folder(Path::new(&folder), &EVERY), 120);
}
