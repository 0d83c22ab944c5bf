//! A place among the tokens, and the questions that every part of the parser asks there.

use crate::ast::Command;
use crate::error::ScriptError;
use crate::lexer::{Kind, Token};

/// How deep arrays and structures may stand in each other.
const DEEPEST: u32 = 32;

pub(super) struct Cursor<'a> {
    file: &'a str,
    source: &'a str,
    tokens: Vec<Token>,
    place: usize,
    depth: u32,
}

/// What stands behind the last token, whatever is asked for.
static END: Token = Token { kind: Kind::End, start: usize::MAX, end: usize::MAX, line: u32::MAX };

impl<'a> Cursor<'a> {
    pub fn new(file: &'a str, source: &'a str, tokens: Vec<Token>) -> Cursor<'a> {
        Cursor { file, source, tokens, place: 0, depth: 0 }
    }

    /// Puts what words stand for in their place, from here on.
    pub fn define(&mut self, words: &[(String, Kind)]) {
        for token in self.tokens.iter_mut().skip(self.place) {
            let meaning = match &token.kind {
                Kind::Word(word) => words.iter().rev().find(|(name, _)| name == word),
                _ => None,
            };
            if let Some((_, meaning)) = meaning {
                token.kind = meaning.clone();
            }
        }
    }

    fn token(&self, ahead: usize) -> &Token {
        self.tokens.get(self.place.saturating_add(ahead)).or(self.tokens.last()).unwrap_or(&END)
    }

    pub fn peek(&self) -> &Kind {
        &self.token(0).kind
    }

    pub fn ahead(&self, tokens: usize) -> &Kind {
        &self.token(tokens).kind
    }

    pub fn line(&self) -> u32 {
        self.token(0).line
    }

    /// Octets of the script before the token.
    pub fn here(&self) -> usize {
        self.token(0).start
    }

    /// Whether no blank stands before the token.
    pub fn adjacent(&self) -> bool {
        self.place > 0 && self.tokens.get(self.place - 1).is_some_and(|last| last.end == self.token(0).start)
    }

    pub fn advance(&mut self) {
        self.place = self.place.saturating_add(1).min(self.tokens.len().saturating_sub(1));
    }

    pub fn error(&self, offset: usize, message: impl Into<String>) -> ScriptError {
        ScriptError::at(self.file, self.source, offset, message)
    }

    /// The error that says what should stand here instead.
    pub fn expected(&self, what: &str) -> ScriptError {
        self.error(self.here(), format!("expected {what}, found {}", self.peek().describe()))
    }

    /// Passes over `mark` if it stands here.
    pub fn accept(&mut self, mark: char) -> bool {
        let found = *self.peek() == Kind::Mark(mark);
        if found {
            self.advance();
        }
        found
    }

    pub fn mark(&mut self, mark: char) -> Result<(), ScriptError> {
        if self.accept(mark) { Ok(()) } else { Err(self.expected(&format!("'{mark}'"))) }
    }

    /// The word here, if one is.
    pub fn word(&self) -> Option<&str> {
        match self.peek() {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Passes over `word` if it stands here.
    pub fn accept_word(&mut self, word: &str) -> bool {
        let found = self.word() == Some(word);
        if found {
            self.advance();
        }
        found
    }

    pub fn keyword(&mut self, word: &str) -> Result<(), ScriptError> {
        if self.accept_word(word) { Ok(()) } else { Err(self.expected(&format!("'{word}'"))) }
    }

    /// Any word.
    pub fn any_word(&mut self, what: &str) -> Result<String, ScriptError> {
        let Some(word) = self.word().map(str::to_owned) else { return Err(self.expected(what)) };
        self.advance();
        Ok(word)
    }

    /// Passes over `...`.
    pub fn ellipsis(&mut self) -> Result<(), ScriptError> {
        if *self.peek() != Kind::Ellipsis {
            return Err(self.expected("'...'"));
        }
        self.advance();
        Ok(())
    }

    /// A string, its escapes as they are.
    pub fn text(&mut self) -> Result<String, ScriptError> {
        let Kind::Text(text) = self.peek().clone() else { return Err(self.expected("a string")) };
        self.advance();
        Ok(text)
    }

    /// A number, decimal or hexadecimal.
    pub fn integer(&mut self, what: &str) -> Result<i64, ScriptError> {
        let value = match self.peek() {
            Kind::Integer(digits) => digits.parse::<i64>().ok(),
            // All 64 bits may be given, as in an epoll_event.
            Kind::Hex(digits) => u64::from_str_radix(digits, 16).ok().map(|value| value as i64),
            _ => return Err(self.expected(what)),
        };
        let value = value.ok_or_else(|| self.expected(&format!("{what} of 64 bits at most")))?;
        self.advance();
        Ok(value)
    }

    /// A number from 0 to `last`.
    pub fn number<T>(&mut self, what: &str, last: T) -> Result<T, ScriptError>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        let start = self.here();
        let value = self.integer(what)?;
        match T::try_from(value) {
            Ok(value) if value <= last => Ok(value),
            _ => Err(self.error(start, format!("{value} is out of range: {what} goes from 0 to {last}"))),
        }
    }

    /// Hexadecimal digits, two an octet, written without 0x.
    pub fn octets(&mut self, what: &str) -> Result<Vec<u8>, ScriptError> {
        let digits = match self.peek() {
            Kind::Word(text) | Kind::Integer(text) => text.clone(),
            _ => return Err(self.expected(what)),
        };
        let octets: Option<Vec<u8>> = (digits.len() % 2 == 0)
            .then(|| digits.as_bytes().chunks(2).map(hexadecimal).collect::<Option<Vec<u8>>>())
            .flatten();
        let octets =
            octets.ok_or_else(|| self.expected(&format!("{what}, two hexadecimal digits an octet")))?;
        self.advance();
        Ok(octets)
    }

    /// The command here, if one is.
    pub fn command(&mut self) -> Option<Command> {
        let Kind::Command(text) = self.peek().clone() else { return None };
        let line = self.line();
        self.advance();
        Some(Command { line, text })
    }

    /// `( any text )`, without the parentheses and with inner ones.
    pub fn note(&mut self) -> Result<String, ScriptError> {
        let (open, line) = (self.here(), self.line());
        self.mark('(')?;
        let (mut depth, start) = (1_u32, self.here());
        while self.line() == line && *self.peek() != Kind::End {
            let here = self.here();
            if self.accept('(') {
                depth = depth.saturating_add(1);
            } else if self.accept(')') {
                depth -= 1;
                if depth == 0 {
                    return Ok(self.source.get(start..here).unwrap_or_default().trim().to_owned());
                }
            } else {
                self.advance();
            }
        }
        Err(self.error(open, "this parenthesis is not closed in its line: ')' expected"))
    }

    /// Runs `inner` one level deeper, unless that is too deep.
    pub fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        if self.depth >= DEEPEST {
            return Err(self.error(self.here(), format!("more than {DEEPEST} brackets stand in each other")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

fn hexadecimal(pair: &[u8]) -> Option<u8> {
    let mut value = 0_u8;
    for digit in pair {
        value = value << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
    }
    Some(value)
}
