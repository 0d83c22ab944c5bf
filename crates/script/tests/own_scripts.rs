//! The scripts of the repository are in the language: each is read, each command and assertion in it is known, and each call
//! uses only words that have a number.

mod common;

use common::scripts_below;
use sockeye_script::ast::{Action, Argument, Script};
use sockeye_script::expression::Program;
use sockeye_script::{constant, setup};
use std::fs;
use std::path::Path;

/// The words in an argument that name nothing.
fn unknown(argument: &Argument, found: &mut Vec<String>) {
    match argument {
        Argument::Word(word) if constant::value(word).is_none() => found.push(word.clone()),
        Argument::Or(members) | Argument::Array(members) | Argument::Group(members) => {
            members.iter().for_each(|member| unknown(member, found));
        }
        Argument::PollFd { fd, events, revents } => {
            [fd, events, revents].into_iter().for_each(|member| unknown(member, found));
        }
        _ => {}
    }
}

fn check(script: &Script) -> Result<(), String> {
    let mut commands: Vec<_> = script.init.iter().chain(&script.cleanup).collect();
    // Packets, and calls that must fail in a certain way: without either it would say little.
    let mut claims = 0;
    for event in &script.events {
        match &event.action {
            Action::Packet(_) => claims += 1,
            Action::Command(command) => commands.push(command),
            Action::Code(code) => {
                Program::parse(code).map_err(|error| error.to_string())?;
            }
            Action::Call(call) => {
                claims += u32::from(call.error.is_some());
                let mut words = Vec::new();
                call.arguments
                    .iter()
                    .chain([&call.result])
                    .for_each(|argument| unknown(argument, &mut words));
                let error = call.error.iter().filter(|error| constant::errno(&error.name).is_none());
                words.extend(error.map(|error| error.name.clone()));
                if !words.is_empty() {
                    return Err(format!("line {}: {} has no number", call.line, words.join(", ")));
                }
            }
        }
    }
    for command in commands {
        setup::parse(command).map_err(|error| error.to_string())?;
    }
    if claims == 0 { Err("neither packets nor errors".to_owned()) } else { Ok(()) }
}

#[test]
fn all_are_read_and_say_what_they_test() {
    let mut paths = Vec::new();
    scripts_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts"), &mut paths);
    assert!(paths.len() >= 50, "only {} scripts", paths.len());
    for path in paths {
        let source = fs::read_to_string(&path).expect("a script");
        assert!(source.starts_with("// "), "{}: the first line does not say what it tests", path.display());
        let script = sockeye_script::parse(&path.display().to_string(), &source, &[])
            .unwrap_or_else(|e| panic!("{e}"));
        check(&script).unwrap_or_else(|message| panic!("{}: {message}", path.display()));
    }
}

#[test]
fn a_word_without_a_number_is_seen() {
    let source = "+0 > . 1:1(0)\n+0 f(3, [A_B|SOL_TCP]) = -1 ENOTHING (no)";
    let script = sockeye_script::parse("t", source, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(check(&script), Err("line 2: A_B, ENOTHING has no number".to_owned()));
}
