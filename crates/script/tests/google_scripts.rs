//! Every script of a directory outside the repository is read; and no random change of one makes the parser panic.

use sockeye_script::ast::{Action, Packet};
use sockeye_script::expression::Program;
use sockeye_script::setup;
use std::fs;
use std::path::{Path, PathBuf};

fn scripts_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            scripts_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
}

/// A packet's words mean the packet.
fn same_when_printed(packet: &Packet) {
    let text = packet.to_string();
    let script = sockeye_script::parse("printed", &format!("+0 {text}"), &[])
        .unwrap_or_else(|error| panic!("{error}"));
    let Action::Packet(again) = &script.events[0].action else { panic!("{text} is no packet") };
    assert_eq!(Packet { line: packet.line, ..again.clone() }, *packet, "{text}");
}

#[test]
fn all_scripts_of_a_directory_are_read() {
    let Some(folder) = std::env::var_os("SOCKEYE_GOOGLE_SCRIPTS") else {
        eprintln!("skipped: SOCKEYE_GOOGLE_SCRIPTS names no directory of packetdrill scripts");
        return;
    };
    let mut paths = Vec::new();
    scripts_below(Path::new(&folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no .pkt file below {}", Path::new(&folder).display());
    let mut failed = 0;
    for path in &paths {
        let source = String::from_utf8_lossy(&fs::read(path).expect("a readable file")).into_owned();
        // What the scripts leave to the command line, with values for IPv4.
        let defines = [
            ("TFO_COOKIE", "3021b9d889017eeb"),
            ("CODE", "host_unreachable"),
            ("CMSG_LEVEL_IP", "SOL_IP"),
            ("CMSG_TYPE_RECVERR", "IP_RECVERR"),
            ("MSS", "1440"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        match sockeye_script::parse(&path.display().to_string(), &source, &defines) {
            Ok(script) => {
                assert!(!script.events.is_empty(), "{} has no events", path.display());
                let mut commands: Vec<_> = script.init.iter().chain(&script.cleanup).collect();
                for event in &script.events {
                    match &event.action {
                        Action::Packet(packet) => same_when_printed(packet),
                        Action::Command(command) => commands.push(command),
                        Action::Code(code) => {
                            if let Err(error) = Program::parse(code) {
                                failed += 1;
                                eprintln!("{}: {error}", path.display());
                            }
                        }
                        Action::Call(_) => {}
                    }
                }
                for error in commands.into_iter().filter_map(|command| setup::parse(command).err()) {
                    failed += 1;
                    eprintln!("{}: {error}", path.display());
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
    }
    assert_eq!(failed, 0, "of {} scripts", paths.len());
    eprintln!("{} scripts read", paths.len());
}
