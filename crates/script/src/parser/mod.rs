//! Tokens to a script. This file has the script's frame, options and times; packets and calls have files of their own.

mod argument;
mod call;
mod cursor;
mod option;
mod packet;
#[cfg(test)]
mod tests;

use crate::ast::{Action, Code, Command, Direction, Event, Script, ScriptOption, Time};
use crate::error::ScriptError;
use crate::lexer::{Kind, tokens};
use cursor::Cursor;
use sockeye_core::time::Duration;

/// Reads a script. `defines` are names and what they stand for, as `--define=NAME=value` gives them at the top of a script;
/// where both give a name, these hold.
///
/// # Errors
/// What is not packetdrill's language, at its place.
pub fn parse(file: &str, source: &str, defines: &[(String, String)]) -> Result<Script, ScriptError> {
    let mut cursor = Cursor::new(file, source, tokens(file, source)?);
    let mut script = Script { name: file.to_owned(), ..Script::default() };
    let mut words = Vec::new();
    while let Kind::Option(name, value) = cursor.peek().clone() {
        let line = cursor.line();
        if name == "define" {
            let text = value.as_deref().unwrap_or_default();
            let (word, meaning) =
                text.split_once('=').ok_or_else(|| cursor.expected("NAME=value behind --define="))?;
            words.push((word.to_owned(), meaning_of(meaning).ok_or_else(|| cursor.expected("one value"))?));
        }
        let value = value.map(|value| unquoted(&value).map(str::to_owned).unwrap_or(value));
        cursor.advance();
        script.options.push(ScriptOption { line, name, value });
    }
    for (word, meaning) in defines {
        let meaning = meaning_of(meaning).ok_or_else(|| cursor.expected(&format!("one value for {word}")))?;
        words.retain(|(other, _)| other != word);
        words.push((word.clone(), meaning));
    }
    cursor.define(&words);

    script.init = cursor.command();
    while *cursor.peek() != Kind::End {
        if let Some(command) = cursor.command() {
            if *cursor.peek() != Kind::End {
                return Err(cursor.expected("the end of the script behind a command without a time"));
            }
            script.cleanup = Some(command);
            break;
        }
        script.events.push(event(&mut cursor)?);
    }
    // Of one command alone nobody can say whether it comes before or after; nothing happens in between.
    Ok(script)
}

/// The one token that a defined word stands for.
fn meaning_of(text: &str) -> Option<Kind> {
    let mut found = tokens("", text).ok()?.into_iter().map(|token| token.kind);
    match (found.next(), found.next()) {
        (Some(kind), Some(Kind::End)) => Some(kind),
        _ => None,
    }
}

fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

fn event(cursor: &mut Cursor<'_>) -> Result<Event, ScriptError> {
    let line = cursor.line();
    let start = cursor.here();
    let time = time(cursor)?;
    let action = action(cursor, time)?;
    let outbound = matches!(&action, Action::Packet(packet) if packet.direction == Direction::Outbound);
    match time {
        Time::Absolute(_) | Time::Relative(_) => {}
        _ if outbound => {}
        Time::Any => return Err(cursor.error(start, "the time * is for packets that the stack sends (>)")),
        _ => return Err(cursor.error(start, "a range of times is for packets that the stack sends (>)")),
    }
    Ok(Event { line, time, action })
}

fn time(cursor: &mut Cursor<'_>) -> Result<Time, ScriptError> {
    if cursor.accept('*') {
        return Ok(Time::Any);
    }
    let relative = cursor.accept('+');
    let start = cursor.here();
    let first = seconds(cursor)?;
    if !cursor.accept('~') {
        return Ok(if relative { Time::Relative(first) } else { Time::Absolute(first) });
    }
    if relative {
        cursor.mark('+')?;
    }
    let last = seconds(cursor)?;
    if last < first {
        return Err(cursor.error(start, "this range of times ends before it begins"));
    }
    Ok(if relative { Time::RelativeRange(first, last) } else { Time::AbsoluteRange(first, last) })
}

/// Seconds with or without a fraction, of which nanoseconds and more count.
fn seconds(cursor: &mut Cursor<'_>) -> Result<Duration, ScriptError> {
    let text = match cursor.peek() {
        Kind::Integer(text) | Kind::Float(text) => text.clone(),
        _ => return Err(cursor.expected("a time (0.1, +0.1, or * for any)")),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if whole.starts_with('-') {
        return Err(cursor.expected("a time that is not negative"));
    }
    let whole = if whole.is_empty() { Ok(0) } else { whole.parse::<u32>() };
    let whole = whole.map_err(|_| cursor.expected("a time below 2^32 seconds"))?;
    let nanoseconds = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    cursor.advance();
    Ok(Duration::new(u64::from(whole), nanoseconds))
}

fn action(cursor: &mut Cursor<'_>, time: Time) -> Result<Action, ScriptError> {
    match cursor.peek().clone() {
        Kind::Mark('<') | Kind::Mark('>') => Ok(Action::Packet(packet::packet(cursor)?)),
        Kind::Word(_) | Kind::Ellipsis => Ok(Action::Call(call::call(cursor, time)?)),
        Kind::Command(text) => {
            let line = cursor.line();
            cursor.advance();
            Ok(Action::Command(Command { line, text }))
        }
        Kind::Code(text) => {
            // The text begins behind the blanks that follow the mark, which may not hold a new line.
            let line = cursor.line();
            cursor.advance();
            Ok(Action::Code(Code { line, text }))
        }
        _ => Err(cursor.expected("a packet (< or >), a call, a `command` or a %{ code }%")),
    }
}
