//! What is wrong with a script, and where.

use std::fmt;

/// A script that cannot be read. It prints as `file:line:column: message`, then the line with a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScriptError {
    /// The script's name.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What was expected, or what is wrong.
    pub message: String,
    /// The line itself, without its end.
    pub text: String,
}

impl ScriptError {
    /// An error at the octet `offset` of `source`; an offset inside a character or behind the end is moved back.
    pub(crate) fn at(file: &str, source: &str, offset: usize, message: impl Into<String>) -> ScriptError {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let text = source[start..].lines().next().unwrap_or_default();
        ScriptError {
            file: file.to_owned(),
            line: count(before.bytes().filter(|octet| *octet == b'\n').count()),
            column: count(before[start..].chars().count()),
            message: message.into(),
            text: text.to_owned(),
        }
    }
}

/// The ordinal, from 1, of what `before` others precede.
fn count(before: usize) -> u32 {
    u32::try_from(before).unwrap_or(u32::MAX - 1).saturating_add(1)
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, "    {}", self.text)?;
        // Tabs stay tabs, so that the caret stands under its place whatever their width.
        let place = usize::try_from(self.column).unwrap_or(1).saturating_sub(1);
        let blank: String = self
            .text
            .chars()
            .chain(std::iter::repeat(' '))
            .take(place)
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();
        write!(f, "    {blank}^")
    }
}
