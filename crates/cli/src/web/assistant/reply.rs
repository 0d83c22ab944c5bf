//! What a session answers by itself.

use std::time::Duration;

use axum::body::Bytes;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::web::text::framing::Mode;
use crate::web::text::{Cutter, Decoder, Encoding, Framing, Outgoing, Piece, hex};
use crate::web::trouble::Trouble;

/// Rules of a session, at most.
const RULES: usize = 200;
/// A frame that is longer is answered in parts.
const FRAME: usize = 1 << 20;
/// A regular expression may become this large, in bytes.
const REGEX: usize = 1 << 20;

/// The setting `reply`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reply {
    /// In which way.
    pub(crate) mode: ReplyMode,
    /// Of the mode `fixed`.
    pub(crate) fixed: Option<Outgoing>,
    /// Of the mode `rules`.
    pub(crate) rules: Vec<Rule>,
}

/// The way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReplyMode {
    /// Not at all.
    #[default]
    Off,
    /// With the same.
    Echo,
    /// With the same in capital letters.
    Upper,
    /// With something.
    Fixed,
    /// As the first rule says that matches.
    Rules,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// How the pattern is meant.
    #[serde(rename = "match")]
    pub(crate) by: By,
    /// What must be in it.
    pub(crate) pattern: String,
    /// What is answered.
    pub(crate) reply: Outgoing,
    /// So much later.
    #[serde(default)]
    pub(crate) delay_ms: u64,
}

/// How a pattern is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Text that is in it.
    Text,
    /// Bytes that are in it.
    Hex,
    /// A regular expression for its text.
    Regex,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// So much later.
    pub(crate) delay: Duration,
}

/// The setting, ready to be applied.
#[derive(Clone, Debug)]
pub(crate) struct Reaction {
    framing: Framing,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Off,
    Echo,
    Upper,
    Fixed(Bytes),
    Rules(Vec<(Pattern, Answered)>),
}

#[derive(Clone, Debug)]
enum Pattern {
    Text(String),
    Bytes(Vec<u8>),
    Regex(Regex),
}

impl Reaction {
    /// Compiles it.
    ///
    /// # Errors
    /// Which rule makes no sense, and why.
    pub(crate) fn new(settings: &Settings) -> Result<Reaction, Trouble> {
        let reply = &settings.reply;
        if reply.rules.len() > RULES {
            return Err(Trouble::request(format!("there are at most {RULES} rules")));
        }
        let rules: Vec<_> = reply
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                rule.compile().map_err(|trouble| {
                    let words = format!("rule {}: {}", index + 1, trouble.words);
                    Trouble { words, ..trouble }.with("rule", index + 1)
                })
            })
            .collect::<Result<_, _>>()?;
        if let Some(greeting) = &settings.greeting {
            greeting.bytes()?;
        }
        let fixed = reply.fixed.as_ref().map(Outgoing::bytes).transpose()?;
        let how = match reply.mode {
            ReplyMode::Off => How::Off,
            ReplyMode::Echo => How::Echo,
            ReplyMode::Upper => How::Upper,
            ReplyMode::Fixed => {
                How::Fixed(fixed.ok_or_else(|| Trouble::request("`fixed` says what to answer"))?.into())
            }
            ReplyMode::Rules => How::Rules(rules),
        };
        Ok(Reaction { framing: settings.framing.clone(), how })
    }

    /// Whether anything is ever answered.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.how, How::Off)
    }
}

impl Rule {
    fn compile(&self) -> Result<(Pattern, Answered), Trouble> {
        let pattern = match self.by {
            By::Text => Pattern::Text(self.pattern.clone()),
            By::Hex => Pattern::Bytes(hex::parse(&self.pattern)?),
            By::Regex => {
                let regex = RegexBuilder::new(&self.pattern).size_limit(REGEX).build();
                Pattern::Regex(regex.map_err(|error| {
                    Trouble::new("bad-regex", error.to_string(), "correct the regular expression")
                        .with("pattern", self.pattern.clone())
                })?)
            }
        };
        if self.pattern.is_empty() {
            return Err(Trouble::request(
                "an empty pattern would match everything: choose a fixed reply for that",
            ));
        }
        let bytes = self.reply.bytes()?.into();
        Ok((pattern, Answered { bytes, delay: Duration::from_millis(self.delay_ms) }))
    }
}

/// Answers one stream.
#[derive(Debug)]
pub(crate) struct Answerer {
    reaction: std::sync::Arc<Reaction>,
    encoding: Encoding,
    decoder: Decoder,
    /// Where messages end, if not with each call.
    cutter: Option<Cutter>,
    frame: Vec<u8>,
}

impl Answerer {
    /// For a stream that begins, or goes on with new settings.
    pub(crate) fn new(reaction: std::sync::Arc<Reaction>, encoding: Encoding) -> Answerer {
        let is_framed = reaction.framing.mode != Mode::None;
        let cutter = if is_framed { reaction.framing.cutter(encoding).ok() } else { None };
        Answerer { reaction, encoding, decoder: Decoder::new(encoding), cutter, frame: Vec::new() }
    }

    /// Whether it answers by these settings.
    pub(crate) fn is_of(&self, reaction: &std::sync::Arc<Reaction>, encoding: Encoding) -> bool {
        std::sync::Arc::ptr_eq(&self.reaction, reaction) && self.encoding == encoding
    }

    /// What is answered to what one call has received.
    pub(crate) fn answers(&mut self, at: u64, bytes: &[u8]) -> Vec<Answered> {
        if self.reaction.is_off() {
            return Vec::new();
        }
        let Some(mut cutter) = self.cutter.take() else {
            let pieces = self.decoder.feed(bytes);
            return self.answer(bytes, pieces).into_iter().collect();
        };
        let mut answers = Vec::new();
        let mut from = 0;
        for end in cutter.feed(at, bytes) {
            self.frame.extend_from_slice(bytes.get(from..end).unwrap_or_default());
            answers.extend(self.end_frame());
            from = end;
        }
        self.frame.extend_from_slice(bytes.get(from..).unwrap_or_default());
        if self.frame.len() >= FRAME {
            answers.extend(self.end_frame());
        }
        self.cutter = Some(cutter);
        answers
    }

    /// So long a silence ends the frame that has begun.
    pub(crate) fn gap(&self) -> Option<Duration> {
        let gap = self.cutter.as_ref()?.gap_ms()?;
        (!self.frame.is_empty()).then(|| Duration::from_millis(gap))
    }

    /// The silence was that long.
    pub(crate) fn end_by_silence(&mut self) -> Option<Answered> {
        if let Some(cutter) = &mut self.cutter {
            cutter.begin();
        }
        self.end_frame()
    }

    /// What is answered to a datagram.
    pub(crate) fn answer_datagram(&mut self, bytes: &[u8]) -> Option<Answered> {
        let pieces = Decoder::whole(self.encoding, bytes);
        self.answer(bytes, pieces)
    }

    fn end_frame(&mut self) -> Option<Answered> {
        let frame = std::mem::take(&mut self.frame);
        if frame.is_empty() {
            return None;
        }
        let pieces = Decoder::whole(self.encoding, &frame);
        self.answer(&frame, pieces)
    }

    fn answer(&self, bytes: &[u8], pieces: Vec<Piece>) -> Option<Answered> {
        let now = |bytes: Bytes| (!bytes.is_empty()).then_some(Answered { bytes, delay: Duration::ZERO });
        match &self.reaction.how {
            How::Off => None,
            How::Echo => now(Bytes::copy_from_slice(bytes)),
            How::Upper => now(self.upper(pieces).into()),
            How::Fixed(fixed) => now(fixed.clone()),
            How::Rules(rules) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(more) => text.push_str(&more),
                        Piece::Bytes(bad) => text.extend(bad.iter().map(|_| char::REPLACEMENT_CHARACTER)),
                    }
                }
                let matches = |pattern: &Pattern| match pattern {
                    Pattern::Text(wanted) => text.contains(wanted),
                    Pattern::Bytes(wanted) => {
                        bytes.windows(wanted.len().max(1)).any(|window| window == wanted)
                    }
                    Pattern::Regex(regex) => regex.is_match(&text),
                };
                rules.iter().find(|(pattern, _)| matches(pattern)).map(|(_, answered)| answered.clone())
            }
        }
    }

    /// In capital letters; bytes that are no text stay, as do letters whose capitals the encoding does not have.
    fn upper(&self, pieces: Vec<Piece>) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => all.extend(bytes),
                Piece::Text(text) => match self.encoding.encode(&text.to_uppercase(), 0) {
                    Ok(bytes) => all.extend(bytes),
                    Err(_) => {
                        all.extend(self.encoding.encode(&text.to_ascii_uppercase(), 0).unwrap_or_default())
                    }
                },
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answerer(settings: serde_json::Value) -> Answerer {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        Answerer::new(std::sync::Arc::new(Reaction::new(&settings).unwrap()), settings.encoding)
    }

    fn said(answers: impl IntoIterator<Item = Answered>) -> Vec<Vec<u8>> {
        answers.into_iter().map(|answered| answered.bytes.to_vec()).collect()
    }

    #[test]
    fn capitals_are_of_whole_characters() {
        let mut upper = answerer(json!({"encoding": "GBK", "reply": {"mode": "upper"}}));
        assert_eq!(said(upper.answers(0, b"a\xC4")), [b"A"]);
        // The second byte of a character may be a small letter: 膗 is C4 7A.. and stays.
        assert_eq!(said(upper.answers(0, b"zb\xFF")), [b"\xC4zB\xFF"]);
    }

    #[test]
    fn the_first_rule_that_matches_answers() {
        let rule = |by: &str, pattern: &str, reply: &str, delay: u64| json!({"match": by, "pattern": pattern, "reply": {"text": reply}, "delay_ms": delay});
        let rules = [
            rule("text", "你好", "a", 0),
            rule("hex", "00 01", "b", 0),
            rule("regex", "^PING( |$)", "c", 30),
            rule("regex", ".", "d", 0),
        ];
        let mut answerer = answerer(json!({"reply": {"mode": "rules", "rules": rules}}));
        assert_eq!(said(answerer.answers(0, "x你好".as_bytes())), [b"a"]);
        assert_eq!(said(answerer.answers(0, b"\x00\x01")), [b"b"]);
        let ping = answerer.answers(0, b"PING 1");
        assert_eq!(ping.first().map(|ping| ping.delay), Some(Duration::from_millis(30)));
        assert_eq!(said(ping), [b"c"]);
        assert_eq!(said(answerer.answers(0, b"APING")), [b"d"]);
        assert!(answerer.answers(0, b"\n").is_empty());
    }

    #[test]
    fn with_a_framing_messages_are_answered_and_not_calls() {
        let mut echo = answerer(json!({"reply": {"mode": "echo"}, "framing": {"mode": "line"}}));
        assert!(echo.answers(0, b"ab").is_empty());
        assert_eq!(said(echo.answers(0, b"c\nd\ne")), [&b"abc\n"[..], b"d\n"]);
        let mut echo = answerer(json!({"reply": {"mode": "echo"}, "framing": {"mode": "gap", "gap_ms": 10}}));
        assert!(echo.answers(0, b"a").is_empty());
        assert_eq!(echo.gap(), Some(Duration::from_millis(10)));
        assert_eq!(said(echo.end_by_silence()), [b"a"]);
        assert_eq!(echo.gap(), None);
        assert!(echo.answers(100, b"b").is_empty());
    }
}
