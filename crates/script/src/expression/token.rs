//! Characters of code to tokens.

use super::LONGEST_TEXT;
use super::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Name(String),
    Value(Value),
    /// An operator, a bracket or a comma.
    Mark(&'static str),
    /// The end of a statement.
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    pub line: u32,
    /// Octets of the text before it, and before what follows it.
    pub place: std::ops::Range<usize>,
}

/// The longer ones first.
const MARKS: &[&str] = &[
    "**=", "//=", "<<=", ">>=", "==", "!=", "<=", ">=", "**", "//", "<<", ">>", "+=", "-=", "*=", "/=", "%=",
    "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", ",",
];

/// The tokens of `text`, which begins on `line`; a [`Kind::End`] is the last. The error is a line and a message.
pub(super) fn tokens(text: &str, mut line: u32) -> Result<Vec<Token>, (u32, String)> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut place = 0;
    let mut depth = 0_usize;
    while let Some(first) = text[place..].chars().next() {
        let rest = &text[place..];
        let (kind, length) = match first {
            // A new line within parentheses is a blank.
            '\n' if depth > 0 => {
                line = line.saturating_add(1);
                place += 1;
                continue;
            }
            '\n' | ';' => (Kind::End, 1),
            '#' => {
                place += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            // A backslash ends the line and not the statement.
            '\\' => {
                let behind = rest[1..].trim_start_matches([' ', '\t', '\r']);
                if !(behind.is_empty() || behind.starts_with('\n')) {
                    return Err((line, "a backslash within a line".to_owned()));
                }
                line = line.saturating_add(1);
                place += rest.find('\n').map_or(rest.len(), |newline| newline + 1);
                continue;
            }
            c if c.is_whitespace() => {
                place += c.len_utf8();
                continue;
            }
            '\'' | '"' => {
                let (value, length) = string(&rest[1..], first).map_err(|message| (line, message))?;
                (Kind::Value(Value::Text(value)), 1 + length)
            }
            c if c.is_ascii_digit() || c == '.' => {
                let (value, length) = number(rest).map_err(|message| (line, message))?;
                (Kind::Value(value), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                let kind = match &rest[..length] {
                    "True" => Kind::Value(Value::Boolean(true)),
                    "False" => Kind::Value(Value::Boolean(false)),
                    "None" => Kind::Value(Value::None),
                    name => Kind::Name(name.to_owned()),
                };
                (kind, length)
            }
            other => {
                let mark = MARKS.iter().find(|mark| rest.starts_with(**mark));
                let mark = mark.ok_or_else(|| (line, format!("'{other}' has no meaning here")))?;
                match *mark {
                    "(" => depth += 1,
                    ")" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                (Kind::Mark(mark), mark.len())
            }
        };
        tokens.push(Token { kind, line, place: place..place + length });
        if first == '\n' {
            line = line.saturating_add(1);
        }
        place += length;
    }
    tokens.push(Token { kind: Kind::End, line, place: place..place });
    Ok(tokens)
}

/// What stands before `quote`, and how many octets that and the quote are.
fn string(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, c)) = characters.next() {
        match c {
            c if c == quote => return Ok((value, place + 1)),
            '\n' => break,
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, same @ ('\\' | '\'' | '"'))) => value.push(same),
                Some((_, other)) => return Err(format!("the escape \\{other} is not known")),
                None => break,
            },
            other => value.push(other),
        }
        if value.len() > LONGEST_TEXT {
            return Err(format!("a text of more than {LONGEST_TEXT} octets"));
        }
    }
    Err(format!("a text has no end: {quote} expected"))
}

fn number(text: &str) -> Result<(Value, usize), String> {
    let length =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    let literal = &text[..length];
    let digits = literal.replace('_', "");
    let integer = match digits.get(..2) {
        Some("0x" | "0X") => i128::from_str_radix(&digits[2..], 16).ok(),
        Some("0o" | "0O") => i128::from_str_radix(&digits[2..], 8).ok(),
        Some("0b" | "0B") => i128::from_str_radix(&digits[2..], 2).ok(),
        // Python refuses 017, which once was octal.
        _ if digits.len() > 1 && digits.starts_with('0') && !digits.contains('.') => None,
        _ => digits.parse().ok(),
    };
    if let Some(integer) = integer {
        return Ok((Value::Integer(integer), length));
    }
    let float = digits.contains('.').then(|| digits.parse::<f64>().ok()).flatten();
    float.map(|float| (Value::Float(float), length)).ok_or_else(|| format!("'{literal}' is no number"))
}
