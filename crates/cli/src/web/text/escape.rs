//! Escapes in text: `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN` and `\uXXXX`.
//!
//! `\xNN` is a byte as it is, in every encoding. The others are characters, and are encoded like any: `\n` has two bytes in UTF-16.

use std::iter::Peekable;
use std::str::Chars;

use super::encoding::Encoding;
use crate::web::trouble::Trouble;

/// The bytes of a text with escapes.
///
/// # Errors
/// What is no escape, or cannot be encoded, and at which character it stands, counted from 1.
pub(crate) fn encode(text: &str, encoding: Encoding) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::with_capacity(text.len());
    // Characters that wait to be encoded, and where the first of them stands.
    let (mut run, mut run_from) = (String::new(), 0);
    let mut reader = Reader { rest: text.chars().peekable(), at: 0 };
    while let Some(character) = reader.next() {
        let from = reader.at;
        let escaped = match character {
            '\\' => reader.escaped(from)?,
            character => Escaped::Character(character),
        };
        match escaped {
            Escaped::Character(character) => {
                if run.is_empty() {
                    run_from = from - 1;
                }
                run.push(character);
                // What follows an escape stands further right than it would in the plain text.
                if from != reader.at {
                    bytes.extend(encoding.encode(&std::mem::take(&mut run), run_from)?);
                }
            }
            Escaped::Byte(byte) => {
                bytes.extend(encoding.encode(&std::mem::take(&mut run), run_from)?);
                bytes.push(byte);
            }
        }
    }
    bytes.extend(encoding.encode(&run, run_from)?);
    Ok(bytes)
}

/// What an escape stands for.
enum Escaped {
    Character(char),
    Byte(u8),
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// Characters taken.
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.at += 1;
        Some(next)
    }

    /// What stands behind a backslash.
    fn escaped(&mut self, from: usize) -> Result<Escaped, Trouble> {
        let character = match self.next() {
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('\\') => '\\',
            Some('x') => return Ok(Escaped::Byte(self.digits(2, from)? as u8)),
            Some('u') => self.unicode(from)?,
            other => return Err(wrong(other, from)),
        };
        Ok(Escaped::Character(character))
    }

    /// `\uXXXX`; above U+FFFF two of them, as JSON has it.
    fn unicode(&mut self, from: usize) -> Result<char, Trouble> {
        let first = self.digits(4, from)?;
        let mut code = first;
        if (0xD800..0xDC00).contains(&first) {
            if (self.next(), self.next()) != (Some('\\'), Some('u')) {
                return Err(wrong(Some('u'), from));
            }
            let second = self.digits(4, from)?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err(wrong(Some('u'), from));
            }
            code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        }
        char::from_u32(code).ok_or_else(|| wrong(Some('u'), from))
    }

    fn digits(&mut self, count: usize, from: usize) -> Result<u32, Trouble> {
        let kind = if count == 2 { 'x' } else { 'u' };
        let mut value = 0;
        for _ in 0..count {
            let digit = self.next().and_then(|character| character.to_digit(16));
            value = value * 16 + digit.ok_or_else(|| wrong(Some(kind), from))?;
        }
        Ok(value)
    }
}

fn wrong(kind: Option<char>, position: usize) -> Trouble {
    let words = match kind {
        None => format!("the text ends with a backslash, at position {position}"),
        Some('x') => format!("`\\x` at position {position} needs two hexadecimal digits"),
        Some('u') => format!("`\\u` at position {position} needs the four hexadecimal digits of a character"),
        Some(other) => format!("`\\{other}` at position {position} is no escape"),
    };
    let next =
        "there are \\r \\n \\t \\0 \\\\ \\xNN \\uXXXX; write \\\\ for a backslash, or switch escapes off";
    Trouble::new("bad-escape", words, next).with("position", position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_what_they_stand_for() {
        let bytes = |text, encoding| encode(text, encoding).unwrap();
        assert_eq!(bytes(r"a\r\n\t\0\\", Encoding::Utf8), b"a\r\n\t\0\\");
        assert_eq!(bytes(r"\x80\xFFz", Encoding::Utf8), [0x80, 0xFF, b'z']);
        assert_eq!(bytes(r"\u4f60你", Encoding::Gbk), [0xC4, 0xE3, 0xC4, 0xE3]);
        assert_eq!(bytes(r"\n\x41", Encoding::Utf16Le), [0x0A, 0, 0x41]);
        assert_eq!(bytes(r"\ud83d\ude00", Encoding::Utf8), "😀".as_bytes());
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        for (text, position) in [
            (r"ab\", 3),
            (r"a\q", 2),
            (r"\x4", 1),
            (r"ab\xg0", 3),
            (r"\u12", 1),
            (r"\ud800x", 1),
            (r"\udc00", 1),
        ] {
            let trouble = encode(text, Encoding::Utf8).unwrap_err();
            assert_eq!(trouble.code, "bad-escape");
            assert_eq!(trouble.facts.get("position").and_then(|n| n.as_u64()), Some(position), "{text}");
        }
        let trouble = encode(r"\n\x00é😀", Encoding::Latin1).unwrap_err();
        assert_eq!(trouble.facts.get("position").and_then(|n| n.as_u64()), Some(8));
    }
}
