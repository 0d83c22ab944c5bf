//! The house keeps its plan: who may import whom, how long a file may be, where `unsafe` may stand (ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crate -> the crates of ours it may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("device", &[]),
    ("net", &["sockeye-core", "sockeye-device"]),
    ("run", &["sockeye"]),
    ("script", &["sockeye-core"]),
    ("cli", &["sockeye", "sockeye-run", "sockeye-core", "sockeye-device", "sockeye-script"]),
];

/// Modules of the core that everything above the wire may use: they know no protocol.
const GROUND: &[&str] = &["time", "error", "drop_reason", "table", "hash", "buffer"];

/// Module of the core -> the modules it may import, besides [`GROUND`].
const MODULES: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("link", &["wire"]),
    ("network", &["wire"]),
    ("transport", &["wire"]),
    ("socket", &["transport", "wire"]),
    ("trace", &["transport", "network", "wire"]),
    ("stack", &["socket", "transport", "network", "link", "wire", "trace"]),
    ("lan", &["wire"]),
    ("sim", &["stack", "socket", "transport", "network", "link", "wire", "trace", "lan"]),
];

const LONGEST_FILE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a file that are code, with comments cut off.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file can be read");
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first names after each `prefix` in `text`: `crate::wire::tcp` and `crate::{wire, time}` give `wire`, `time`.
fn names_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (place, _) in text.match_indices(prefix) {
        let before = text[..place].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &text[place + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            continue;
        };
        let (mut depth, mut name) = (0, String::new());
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(std::mem::take(&mut name));
                }
                c if depth == 0 && (c.is_alphanumeric() || c == '_' || c == ':') => name.push(c),
                _ => {}
            }
        }
        names.insert(name);
    }
    names.iter().map(|name| name.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn imports_of_core() -> BTreeMap<(String, String), PathBuf> {
    let source = root().join("crates/core/src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let known: BTreeSet<&str> = MODULES.iter().map(|(name, _)| *name).chain(GROUND.iter().copied()).collect();
    let mut arrows = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&source).expect("a file of the core");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let module = parts[0].trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        assert!(known.contains(module.as_str()), "{}: a module the plan does not name", file.display());
        let text = code(&file);
        let mut targets = names_after(&text, "crate::");
        if parts.len() == 1 || parts.len() == 2 && parts[1] == "mod.rs" {
            targets.extend(names_after(&text, "super::"));
        }
        for target in targets {
            if known.contains(target.as_str()) && target != module {
                arrows.entry((module.clone(), target)).or_insert_with(|| file.clone());
            }
        }
    }
    arrows
}

#[test]
fn modules_of_the_core_import_only_what_the_plan_draws() {
    let arrows = imports_of_core();
    assert!(arrows.len() > 10, "the test sees hardly any import: it is broken");
    for ((from, to), file) in &arrows {
        let ground = GROUND.contains(&from.as_str());
        let allowed = MODULES.iter().find(|(name, _)| name == from).map_or(&[][..], |(_, allowed)| allowed);
        let permitted = if ground || from == "wire" {
            from == "buffer" && to == "error"
        } else {
            GROUND.contains(&to.as_str()) || allowed.contains(&to.as_str())
        };
        assert!(permitted, "{} imports crate::{to}, but `{from} -> {to}` is not in the plan", file.display());
    }
}

#[test]
fn crates_depend_only_downwards() {
    for (name, allowed) in CRATES {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("a manifest");
        let mut section = "";
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            }
            let dependency = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if section.contains("dependencies")
                && !section.contains("dev-")
                && dependency.starts_with("sockeye")
            {
                assert!(
                    allowed.contains(&dependency),
                    "crate {name} depends on {dependency}, against the plan"
                );
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let mut files = Vec::new();
    for folder in ["crates", "tests", "examples", "benches", "fuzz"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "the test sees hardly any file: it is broken");
    for file in files {
        let lines = fs::read_to_string(&file).expect("a source file can be read").lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines, above {LONGEST_FILE}", file.display());
    }
}

#[test]
fn unsafe_code_stands_where_the_operating_system_is_called() {
    for (name, file) in [("core", "lib.rs"), ("net", "lib.rs"), ("script", "lib.rs"), ("cli", "main.rs")] {
        let path = root().join("crates").join(name).join("src").join(file);
        let text = fs::read_to_string(&path).expect("a crate root");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{} does not forbid unsafe code", path.display());
    }
    let mut files = Vec::new();
    rust_files(&root().join("crates/run/src"), &mut files);
    assert!(files.len() > 10, "the test sees hardly any file of crates/run: it is broken");
    for file in files.iter().filter(|file| !file.components().any(|part| part.as_os_str() == "sys")) {
        assert!(!code(file).contains("unsafe {"), "{}: unsafe code belongs in sys/", file.display());
    }
}

#[test]
fn grouped_and_plain_imports_are_both_seen() {
    let text = "use crate::{wire::{ip, tcp}, time};\nlet x = crate::link::Link::new();";
    let names: Vec<_> = names_after(text, "crate::").into_iter().collect();
    assert_eq!(names, ["link", "time", "wire"]);
    assert!(names_after("use mycrate::wire;", "crate::").is_empty());
}
