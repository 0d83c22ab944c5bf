//! Socket calls: `...0.2 read(4, ..., 1000) = -1 ETIMEDOUT (Connection timed out)`.

use super::argument::{argument, list};
use super::cursor::Cursor;
use crate::ast::{Argument, Errno, SystemCall, Time};
use crate::error::ScriptError;
use crate::lexer::Kind;

/// A call whose event happens at `time`.
pub(super) fn call(cursor: &mut Cursor<'_>, time: Time) -> Result<SystemCall, ScriptError> {
    let mut until = None;
    if *cursor.peek() == Kind::Ellipsis {
        cursor.advance();
        let start = cursor.here();
        let end = super::seconds(cursor)?;
        if matches!(time, Time::Absolute(begin) | Time::Relative(begin) if end < begin) {
            return Err(cursor.error(start, "this call returns before it is made"));
        }
        until = Some(end);
    }
    let line = cursor.line();
    let name = cursor.any_word("the name of a call")?;
    cursor.mark('(')?;
    let arguments = list(cursor, ')')?;
    cursor.mark('=')?;
    let result = if cursor.accept('?') { Argument::Unknown } else { argument(cursor)? };
    let mut error = None;
    let mut note = None;
    if let Some(word) = cursor.word().map(str::to_owned) {
        if result != Argument::Integer(-1) {
            return Err(cursor.expected("no error's name, which only a result of -1 has"));
        }
        cursor.advance();
        let text = if *cursor.peek() == Kind::Mark('(') { cursor.note()? } else { String::new() };
        error = Some(Errno { name: word, text });
    }
    if *cursor.peek() == Kind::Mark('(') {
        note = Some(cursor.note()?);
    }
    Ok(SystemCall { line, name, arguments, until, result, error, note })
}
