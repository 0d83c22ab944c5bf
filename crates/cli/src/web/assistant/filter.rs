//! What of a log somebody wants to see, and finding things in it.
//!
//! Long logs are gone through in steps, so that nobody else waits for long; what passes a filter is remembered and goes on with the log.

use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::entry::Kind;
use super::log::{Log, Shown};
use crate::web::text::hex;
use crate::web::trouble::Trouble;

/// Filters of which a log remembers what passes.
const INDEXES: usize = 4;
/// Bytes that one step looks at, and what an entry counts besides.
const STEP: usize = 2 << 20;
const ENTRY: usize = 200;

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    /// Only what was sent, or received.
    pub(crate) direction: Option<Direction>,
    /// Only a peer's.
    pub(crate) peer: Option<u64>,
    /// Only what has this in its text, in whatever case.
    pub(crate) text: Option<String>,
}

/// A way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From the session.
    Sent,
    /// To the session.
    Received,
}

impl Filter {
    /// Whether everything passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.direction.is_none() && self.peer.is_none() && self.text.as_ref().is_none_or(String::is_empty)
    }
}

/// Text to be found, in whatever case.
fn matcher(text: &str) -> Result<Regex, Trouble> {
    RegexBuilder::new(&regex::escape(text))
        .case_insensitive(true)
        .build()
        .map_err(|_| Trouble::request("the text to find is too long"))
}

/// What passes a filter.
#[derive(Debug)]
pub(crate) struct Index {
    filter: Filter,
    text: Option<Regex>,
    /// Up to here everything was looked at.
    until: u64,
    passing: VecDeque<u64>,
    /// How many have passed that are gone.
    gone: u64,
    /// Frames that were open when they were looked at.
    open: Vec<u64>,
}

impl Index {
    fn new(filter: &Filter) -> Result<Index, Trouble> {
        let text = filter.text.as_deref().filter(|text| !text.is_empty()).map(matcher).transpose()?;
        Ok(Index {
            filter: filter.clone(),
            text,
            until: 0,
            passing: VecDeque::new(),
            gone: 0,
            open: Vec::new(),
        })
    }

    fn passes(&self, shown: &Shown<'_>) -> bool {
        let is_direction = match self.filter.direction {
            None => true,
            Some(Direction::Sent) => shown.entry.kind == Kind::Sent,
            Some(Direction::Received) => shown.entry.kind == Kind::Received,
        };
        let link = shown.entry.channel.map(|channel| channel.link);
        is_direction
            && self.filter.peer.is_none_or(|peer| link == Some(peer))
            && self.text.as_ref().is_none_or(|text| text.is_match(&shown.text()))
    }

    /// Goes on for one step; whether that was all.
    fn step(&mut self, log: &Log) -> bool {
        let (first, count, _) = log.extent();
        while self.passing.front().is_some_and(|oldest| *oldest < first) {
            self.passing.pop_front();
            self.gone += 1;
        }
        for number in std::mem::take(&mut self.open) {
            let Some(shown) = log.shown(number, usize::MAX) else { continue };
            if shown.is_open {
                self.open.push(number);
            }
            if let Err(place) = self.passing.binary_search(&number)
                && self.passes(&shown)
            {
                self.passing.insert(place, number);
            }
        }
        self.until = self.until.max(first);
        let mut looked = 0;
        while self.until < first + count {
            if looked > STEP {
                return false;
            }
            if let Some(shown) = log.shown(self.until, usize::MAX) {
                looked += shown.length + ENTRY;
                if shown.is_open {
                    self.open.push(self.until);
                }
                if self.passes(&shown) {
                    self.passing.push_back(self.until);
                }
            }
            self.until += 1;
        }
        true
    }
}

impl Log {
    /// Goes on to find what passes a filter: `None` while there is more to be looked at, otherwise the first place and how many there
    /// are.
    ///
    /// # Errors
    /// A text that cannot be searched for.
    pub(crate) fn sift(&mut self, filter: &Filter) -> Result<Option<(u64, u64)>, Trouble> {
        if filter.is_empty() {
            let (first, count, _) = self.extent();
            return Ok(Some((first, count)));
        }
        let known = self.indexes.iter().position(|index| index.filter == *filter);
        let mut index = match known {
            Some(place) => self.indexes.remove(place),
            None => Index::new(filter)?,
        };
        let is_done = index.step(self);
        let extent = (index.gone, index.passing.len() as u64);
        // The one that was asked for last stands last.
        self.indexes.push(index);
        if self.indexes.len() > INDEXES {
            self.indexes.remove(0);
        }
        Ok(is_done.then_some(extent))
    }

    /// The number of what stands at a place among what passes a filter that was sifted for.
    pub(crate) fn at_place(&self, filter: &Filter, place: u64) -> Option<u64> {
        if filter.is_empty() {
            return Some(place);
        }
        let index = self.indexes.iter().find(|index| index.filter == *filter)?;
        index.passing.get(usize::try_from(place.checked_sub(index.gone)?).ok()?).copied()
    }
}

/// What is looked for.
#[derive(Debug)]
pub(crate) enum Needle {
    /// Text, in whatever case.
    Text(Regex),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Needle {
    /// What a request names.
    ///
    /// # Errors
    /// Neither text nor digits, or what is wrong with them.
    pub(crate) fn new(text: Option<&str>, digits: Option<&str>) -> Result<Needle, Trouble> {
        match (text, digits) {
            (Some(text), _) if !text.is_empty() => matcher(text).map(Needle::Text),
            (_, Some(digits)) => match hex::parse(digits)? {
                bytes if bytes.is_empty() => Err(Trouble::request("there are no bytes to find")),
                bytes => Ok(Needle::Bytes(bytes)),
            },
            _ => Err(Trouble::request("`text` or `hex` says what to find")),
        }
    }

    fn is_in(&self, shown: &Shown<'_>) -> bool {
        match self {
            Needle::Text(text) => text.is_match(&shown.text()),
            Needle::Bytes(bytes) => shown.bytes.windows(bytes.len()).any(|window| window == bytes),
        }
    }
}

/// A search on its way, by places among what passes a filter.
#[derive(Debug)]
pub(crate) struct Search {
    /// What is looked for.
    pub(crate) needle: Needle,
    /// Among what.
    pub(crate) filter: Filter,
    /// Behind which place, or before which; at the beginning or the end otherwise.
    pub(crate) after: Option<u64>,
    /// Towards the beginning.
    pub(crate) backward: bool,
}

impl Search {
    /// Goes on for one step: `None` while there is more to be looked at, otherwise the place or that there is none.
    pub(crate) fn step(&mut self, log: &Log, first: u64, count: u64) -> Option<Option<u64>> {
        let end = first + count;
        let mut looked = 0;
        loop {
            let place = match (self.after, self.backward) {
                (None, false) => first,
                (None, true) => end.saturating_sub(1),
                (Some(after), false) => after.saturating_add(1).max(first),
                (Some(after), true) => match after.min(end).checked_sub(1) {
                    Some(place) => place,
                    None => return Some(None),
                },
            };
            if place < first || place >= end {
                return Some(None);
            }
            if looked > STEP {
                return None;
            }
            self.after = Some(place);
            let shown = log.at_place(&self.filter, place).and_then(|number| log.shown(number, usize::MAX));
            if let Some(shown) = shown {
                looked += shown.length + ENTRY;
                if self.needle.is_in(&shown) {
                    return Some(Some(place));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Bytes;

    use super::*;
    use crate::web::assistant::entry::Channel;
    use crate::web::text::Encoding;

    fn log(texts: &[(u64, &str)]) -> Log {
        let mut log = Log::new(Encoding::Utf8);
        let address: Arc<str> = "x".into();
        for (link, text) in texts {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let kind = if link % 2 == 0 { Kind::Sent } else { Kind::Received };
            log.add_bytes(kind, Channel::near(*link), &address, bytes);
        }
        log
    }

    fn sifted(log: &mut Log, filter: &Filter) -> Vec<u64> {
        let (first, count) = loop {
            if let Some(extent) = log.sift(filter).unwrap() {
                break extent;
            }
        };
        (first..first + count).filter_map(|place| log.at_place(filter, place)).collect()
    }

    #[test]
    fn filters_go_on_with_the_log() {
        let mut log = log(&[(1, "Hello"), (2, "hello"), (3, "bye")]);
        let text = Filter { text: Some("HELLO".to_owned()), ..Filter::default() };
        let received = Filter { direction: Some(Direction::Received), ..Filter::default() };
        assert_eq!(sifted(&mut log, &text), [0, 1]);
        assert_eq!(sifted(&mut log, &received), [0, 2]);
        assert_eq!(sifted(&mut log, &Filter { peer: Some(3), ..Filter::default() }), [2]);
        log.add_bytes(Kind::Received, Channel::near(1), &"x".into(), Bytes::from_static(b"o, hello"));
        assert_eq!(sifted(&mut log, &text), [0, 1, 3]);
        assert_eq!(sifted(&mut log, &received), [0, 2, 3]);
    }

    #[test]
    fn a_frame_that_grows_may_pass_later() {
        let mut log = log(&[(1, "he")]);
        log.set_framing(&serde_json::from_value(serde_json::json!({"mode": "line"})).unwrap()).unwrap();
        let filter = Filter { text: Some("hello".to_owned()), ..Filter::default() };
        assert!(sifted(&mut log, &filter).is_empty());
        log.add_bytes(Kind::Received, Channel::near(1), &"x".into(), Bytes::from_static(b"llo\nhello\n"));
        assert_eq!(sifted(&mut log, &filter).len(), 2);
    }

    #[test]
    fn things_are_found_both_ways() {
        let mut log = log(&[(1, "one"), (1, "two"), (2, "one"), (1, "ONE")]);
        let mut find = |text: Option<&str>, hex: Option<&str>, after, backward, filter: Filter| {
            let mut search = Search { needle: Needle::new(text, hex).unwrap(), filter, after, backward };
            let (first, count) = log.sift(&search.filter).unwrap().unwrap();
            search.step(&log, first, count).unwrap()
        };
        let all = Filter::default;
        assert_eq!(find(Some("one"), None, None, false, all()), Some(0));
        assert_eq!(find(Some("one"), None, Some(0), false, all()), Some(2));
        assert_eq!(find(Some("one"), None, Some(3), false, all()), None);
        assert_eq!(find(Some("one"), None, None, true, all()), Some(3));
        assert_eq!(find(Some("one"), None, Some(2), true, all()), Some(0));
        assert_eq!(find(None, Some("74 77"), None, false, all()), Some(1));
        let received = Filter { direction: Some(Direction::Received), ..all() };
        assert_eq!(find(Some("one"), None, Some(0), false, received), Some(2));
    }
}
