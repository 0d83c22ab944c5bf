//! A runner that passes wrong traffic is worse than none. Every script that passes is run again with one thing about what it
//! expects changed: a flag, a sequence number, a window, an acknowledgement, an option, a time, a result, an errno, an
//! assertion. Every such copy must fail.
//!
//! It is done to the repository's own scripts and, where `SOCKEYE_GOOGLE_SCRIPTS` names a folder, to those in it.

mod mutant;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sockeye_script::ast::Script;
use sockeye_script::run::{IpVersion, Kind, Wishes, run};

fn scripts_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut inside: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of scripts").flatten().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() {
            scripts_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
}

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

fn wishes(version: IpVersion) -> Wishes {
    Wishes { ip_version: Some(version), options: Vec::new() }
}

fn mutate(script: &Script, version: IpVersion, tally: &mut Tally) {
    if !run(script, &wishes(version)).has_passed() {
        return;
    }
    tally.scripts += 1;
    for mutant in mutant::all(script) {
        tally.mutants += 1;
        match run(&mutant.script, &wishes(version)).failure {
            Some(failure) if failure.kind == Kind::Mismatch => tally.caught += 1,
            Some(_) => tally.senseless += 1,
            None => tally.survivors.push(format!("{}:{}: {}", script.name, mutant.line, mutant.change)),
        }
    }
}

fn mutate_folder(folder: &Path) -> Tally {
    let mut paths = Vec::new();
    scripts_below(folder, &mut paths);
    let mut tally = Tally::default();
    for path in paths {
        let source = fs::read_to_string(&path).expect("a script");
        // Whose meaning depends on the version of IP; scripts that need others do not pass, and count for nothing.
        let defines = [("CODE", "host_unreachable"), ("TFO_COOKIE", "3021b9d889017eeb")]
            .map(|(word, value)| (word.to_owned(), value.to_owned()));
        let name = path.display().to_string();
        if let Ok(script) = sockeye_script::parse(&name, &source, &defines) {
            let version = if name.ends_with("v6.pkt") { IpVersion::V6 } else { IpVersion::V4 };
            mutate(&script, version, &mut tally);
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

#[test]
fn no_wrong_copy_of_our_scripts_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    judge(&mutate_folder(&folder), 40);
}

#[test]
fn no_wrong_copy_of_googles_scripts_passes() {
    let Some(folder) = env::var_os("SOCKEYE_GOOGLE_SCRIPTS") else {
        println!("skipped: SOCKEYE_GOOGLE_SCRIPTS names no folder of packetdrill's scripts");
        return;
    };
    judge(&mutate_folder(Path::new(&folder)), 40);
}
