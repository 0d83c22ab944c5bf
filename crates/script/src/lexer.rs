//! Characters to tokens. Where two readings are possible the longest one holds: `0...0.2` is `0`, `...`, `0.2`.

use crate::error::ScriptError;

/// What a token is. Texts are slices of the script: a digest of forty digits is no number, and a time is not binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, digits and underscores.
    Word(String),
    /// Decimal digits, with a minus sign or not.
    Integer(String),
    /// The digits behind `0x`.
    Hex(String),
    /// Digits with one point.
    Float(String),
    /// Between double quotes, escapes not resolved.
    Text(String),
    /// Between backticks.
    Command(String),
    /// Between `%{` and `}%`.
    Code(String),
    /// Four numbers with points, or groups with colons, not checked further.
    Address(String),
    /// `--name`, and what follows `=` up to a blank outside quotes.
    Option(String, Option<String>),
    /// `...`
    Ellipsis,
    /// Any other character.
    Mark(char),
    /// Behind the last.
    End,
}

impl Kind {
    /// The token in an error message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Kind::Word(text) | Kind::Integer(text) | Kind::Float(text) | Kind::Address(text) => {
                format!("'{text}'")
            }
            Kind::Hex(text) => format!("'0x{text}'"),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Command(_) => "a command".to_owned(),
            Kind::Code(_) => "a code block".to_owned(),
            Kind::Option(name, _) => format!("the option --{name}"),
            Kind::Ellipsis => "'...'".to_owned(),
            Kind::Mark(mark) => format!("'{mark}'"),
            Kind::End => "the end of the script".to_owned(),
        }
    }
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: Kind,
    /// Octets before it.
    pub start: usize,
    /// Octets before what follows it.
    pub end: usize,
    /// From 1.
    pub line: u32,
}

/// All tokens of a script, an [`Kind::End`] last.
pub(crate) fn tokens(file: &str, source: &str) -> Result<Vec<Token>, ScriptError> {
    let mut lexer = Lexer { file, source, place: 0, line: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let (start, line) = (lexer.place, lexer.line);
        let kind = lexer.next()?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, start, end: lexer.place, line });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    file: &'a str,
    source: &'a str,
    place: usize,
    line: u32,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.place..]
    }

    fn error(&self, offset: usize, message: &str) -> ScriptError {
        ScriptError::at(self.file, self.source, offset, message)
    }

    /// Goes on by `octets`, and gives what they were.
    fn take(&mut self, octets: usize) -> &'a str {
        let taken = &self.rest()[..octets];
        let lines = taken.bytes().filter(|octet| *octet == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.place += octets;
        taken
    }

    fn skip_blanks(&mut self) -> Result<(), ScriptError> {
        loop {
            let rest = self.rest();
            let blanks = span(rest, |octet| octet.is_ascii_whitespace());
            if blanks > 0 {
                self.take(blanks);
            } else if rest.starts_with("//") {
                self.take(rest.find('\n').unwrap_or(rest.len()));
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment
                    .find("*/")
                    .ok_or_else(|| self.error(self.place, "this comment has no end: */ expected"))?;
                self.take(2 + end + 2);
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Kind, ScriptError> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let Some(first) = rest.chars().next() else { return Ok(Kind::End) };
        if rest.starts_with("...") {
            self.take(3);
            return Ok(Kind::Ellipsis);
        }
        if rest.starts_with("--") && bytes.get(2).is_some_and(u8::is_ascii_alphabetic) {
            return self.option();
        }
        if rest.starts_with("%{") {
            let code = self.between("%{", "}%", "this code block has no end: }% expected")?;
            return Ok(Kind::Code(code.trim_matches([' ', '\t']).to_owned()));
        }
        if first == '"' {
            return Ok(Kind::Text(self.quoted('"', "this string has no end: \" expected")?.to_owned()));
        }
        if first == '`' {
            return Ok(Kind::Command(self.quoted('`', "this command has no end: ` expected")?.to_owned()));
        }
        let word = span(rest, is_word);
        let address = address(rest);
        if address > word {
            return Ok(Kind::Address(self.take(address).to_owned()));
        }
        let sign = usize::from(first == '-');
        let whole = span(&rest[sign..], |octet| octet.is_ascii_digit());
        let behind = &rest[sign + whole..];
        let fraction =
            behind.strip_prefix('.').map_or(0, |digits| span(digits, |octet| octet.is_ascii_digit()));
        let number = if fraction > 0 { sign + whole + 1 + fraction } else { sign + whole };
        if (fraction > 0 || whole > 0) && number >= word {
            let text = self.take(number).to_owned();
            return Ok(if fraction > 0 { Kind::Float(text) } else { Kind::Integer(text) });
        }
        if word > 2 && rest.starts_with("0x") && bytes[2..word].iter().all(u8::is_ascii_hexdigit) {
            return Ok(Kind::Hex(self.take(word)[2..].to_owned()));
        }
        if word > 0 {
            return Ok(Kind::Word(self.take(word).to_owned()));
        }
        self.take(first.len_utf8());
        Ok(Kind::Mark(first))
    }

    /// What stands between two marks, of which the second cannot be escaped.
    fn between(&mut self, open: &str, close: &str, unclosed: &str) -> Result<&'a str, ScriptError> {
        let inside = &self.rest()[open.len()..];
        let end = inside.find(close).ok_or_else(|| self.error(self.place, unclosed))?;
        let taken = self.take(open.len() + end + close.len());
        Ok(&taken[open.len()..open.len() + end])
    }

    /// What stands between two `quote`s; one behind a backslash does not end it.
    fn quoted(&mut self, quote: char, unclosed: &str) -> Result<&'a str, ScriptError> {
        let end = closing(&self.rest()[1..], quote).ok_or_else(|| self.error(self.place, unclosed))?;
        Ok(&self.take(end + 2)[1..=end])
    }

    /// `--name` or `--name=value`.
    fn option(&mut self) -> Result<Kind, ScriptError> {
        self.take(2);
        let name = self.take(span(self.rest(), |octet| is_word(octet) || octet == b'-')).to_owned();
        if !self.rest().starts_with('=') {
            return Ok(Kind::Option(name, None));
        }
        self.take(1);
        let start = self.place;
        while let Some(next) = self.rest().chars().next().filter(|c| !c.is_ascii_whitespace()) {
            match next {
                '"' => self.quoted('"', "this string has no end: \" expected")?,
                '`' => self.quoted('`', "this command has no end: ` expected")?,
                other => self.take(other.len_utf8()),
            };
        }
        if self.place == start {
            return Err(self.error(start, &format!("--{name}= stands without a value")));
        }
        Ok(Kind::Option(name, Some(self.source[start..self.place].to_owned())))
    }
}

/// Octets at the beginning of `text` for which `belongs` holds.
fn span(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|octet| belongs(*octet)).count()
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

/// Where the first `quote` stands that no backslash precedes.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(place),
            _ => {}
        }
    }
    None
}

/// The length of the IP address that `text` begins with, or 0. `1:1001` is none: it does not parse as one.
fn address(text: &str) -> usize {
    let longest =
        span(text, |octet| octet.is_ascii_hexdigit() || octet == b':' || octet == b'.').min(LONGEST_ADDRESS);
    // One octet less as well: the colon that ends an outer header is not the address's own.
    let mut lengths = [longest, longest.saturating_sub(1)].into_iter();
    lengths.find(|length| text[..*length].parse::<std::net::IpAddr>().is_ok()).unwrap_or(0)
}

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255` and the colon behind it.
const LONGEST_ADDRESS: usize = 46;

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> =
            tokens("test", source).expect("tokens").into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds.pop(), Some(Kind::End));
        kinds
    }

    #[test]
    fn a_blocking_time_is_two_numbers_around_an_ellipsis() {
        for (source, first, second) in [("0...0.2", "0", "0.2"), ("1....5", "1", ".5"), ("+0...1", "0", "1")]
        {
            let found = kinds(source.trim_start_matches('+'));
            assert_eq!(found.len(), 3, "{source}");
            assert!(matches!(&found[0], Kind::Integer(text) if text == first), "{source}: {found:?}");
            assert_eq!(found[1], Kind::Ellipsis);
            assert!(
                matches!(&found[2], Kind::Integer(text) | Kind::Float(text) if text == second),
                "{source}: {found:?}"
            );
        }
    }

    #[test]
    fn flags_and_numbers_are_told_apart() {
        assert_eq!(kinds("P. 1:2(1)").len(), 8);
        assert_eq!(kinds("P.5"), [Kind::Word("P".into()), Kind::Float(".5".into())]);
        assert_eq!(
            kinds("5abc 12 0xfF 0x"),
            [
                Kind::Word("5abc".into()),
                Kind::Integer("12".into()),
                Kind::Hex("fF".into()),
                Kind::Word("0x".into()),
            ]
        );
        assert_eq!(kinds("= -1"), [Kind::Mark('='), Kind::Integer("-1".into())]);
        assert_eq!(kinds("- 1"), [Kind::Mark('-'), Kind::Integer("1".into())]);
    }

    #[test]
    fn addresses_are_no_sequence_numbers() {
        assert_eq!(kinds("1:1001")[0], Kind::Integer("1".into()));
        assert_eq!(kinds("192.0.2.1:"), [Kind::Address("192.0.2.1".into()), Kind::Mark(':')]);
        assert_eq!(kinds("2001:db8::1:")[0], Kind::Address("2001:db8::1".into()));
        assert_eq!(
            kinds("::ffff:192.0.2.1 ::"),
            [Kind::Address("::ffff:192.0.2.1".into()), Kind::Address("::".into()),]
        );
    }

    #[test]
    fn options_keep_their_quotes_and_comments_end() {
        assert_eq!(
            kinds("--a=1 // x\n--ip-version=ipv4 /* y\n */ --define=N=\"a b\" --c"),
            [
                Kind::Option("a".into(), Some("1".into())),
                Kind::Option("ip-version".into(), Some("ipv4".into())),
                Kind::Option("define".into(), Some("N=\"a b\"".into())),
                Kind::Option("c".into(), None),
            ]
        );
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let tokens = tokens("test", "`a\nb` \"c\\\"\n\" %{ d\n }% /*\n*/ e").expect("tokens");
        let lines: Vec<u32> = tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 3, 5, 5]);
    }

    #[test]
    fn what_has_no_end_is_shown_where_it_begins() {
        for source in ["  `ls", "  \"x", "  %{ y", "  /* z", "  --a=\"b"] {
            let error = tokens("f.pkt", source).expect_err("an error");
            assert_eq!(error.line, 1);
            assert!(error.message.contains("no end"), "{error}");
            assert!(error.to_string().starts_with("f.pkt:1:"), "{error}");
        }
    }
}
