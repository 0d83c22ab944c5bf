//! Whatever a script asks for, it ends: in a result, never in a panic, and in no more time or memory than a script needs.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::scripts_below;
use proptest::prelude::*;
use sockeye_script::run::{IpVersion, Wishes, run};

/// The repository's scripts, line by line.
fn sources() -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    scripts_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts"), &mut paths);
    paths.sort();
    let read =
        |path: &PathBuf| fs::read_to_string(path).expect("a script").lines().map(str::to_owned).collect();
    paths.iter().map(read).collect()
}

/// A change of a script.
#[derive(Clone, Debug)]
enum Edit {
    /// A number becomes another one.
    Number(prop::sample::Index, prop::sample::Index, String),
    /// A line is gone.
    Lost(prop::sample::Index),
    /// A line stands in another place.
    Moved(prop::sample::Index, prop::sample::Index),
    /// A line of another script is there.
    Foreign(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    use Edit::{Foreign, Lost, Moved, Number};
    let index = any::<prop::sample::Index>;
    let number = prop_oneof![
        Just("0".to_owned()),
        Just("-1".to_owned()),
        (0_u64..100_000).prop_map(|number| number.to_string()),
        Just("65535".to_owned()),
        Just("4294967295".to_owned()),
        Just("2147483648".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("99999999999".to_owned()),
    ];
    prop_oneof![
        4 => (index(), index(), number).prop_map(|(line, place, number)| Number(line, place, number)),
        1 => index().prop_map(Lost),
        1 => (index(), index()).prop_map(|(from, to)| Moved(from, to)),
        2 => (index(), index(), index()).prop_map(|(script, line, to)| Foreign(script, line, to)),
    ]
}

fn apply(lines: &mut Vec<String>, edit: &Edit, sources: &[Vec<String>]) {
    if lines.is_empty() {
        return;
    }
    match edit {
        Edit::Number(line, place, number) => {
            let line = line.index(lines.len());
            let line = &mut lines[line];
            let mut numbers = Vec::new();
            let mut start = None;
            for (at, letter) in line.char_indices().chain([(line.len(), ' ')]) {
                match (letter.is_ascii_digit(), start) {
                    (true, None) => start = Some(at),
                    (false, Some(first)) => {
                        numbers.push(first..at);
                        start = None;
                    }
                    _ => {}
                }
            }
            if !numbers.is_empty() {
                line.replace_range(numbers[place.index(numbers.len())].clone(), number);
            }
        }
        Edit::Lost(line) => drop(lines.remove(line.index(lines.len()))),
        Edit::Moved(from, to) => {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
        Edit::Foreign(script, line, to) => {
            let other = &sources[script.index(sources.len())];
            lines.insert(to.index(lines.len() + 1), other[line.index(other.len())].clone());
        }
    }
}

#[test]
fn any_change_of_a_script_comes_to_an_end() {
    let sources = sources();
    let cases = std::env::var("SOCKEYE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let script = any::<prop::sample::Index>();
    proptest!(config, |(script in script, edits in prop::collection::vec(edit(), 1..6), version in 0..3_usize)| {
        let mut lines = sources[script.index(sources.len())].clone();
        for edit in &edits {
            apply(&mut lines, edit, &sources);
        }
        let version = [IpVersion::V4, IpVersion::V6, IpVersion::Mapped][version];
        if let Ok(script) = sockeye_script::parse("t", &lines.join("\n"), &[]) {
            let outcome = run(&script, &Wishes { ip_version: Some(version), options: Vec::new() });
            // What is told of it is text, too.
            prop_assert!(outcome.failure.is_none_or(|failure| !failure.to_string().is_empty()));
        }
    });
}
