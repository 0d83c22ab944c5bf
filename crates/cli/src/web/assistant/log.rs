//! The log of a session: bounded, and decoded only where it is looked at.
//!
//! An entry of a stream remembers the bytes of the character that has begun before it, at most three, so that any part of the log can be
//! decoded by itself. When the encoding changes, only those are found again.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::body::Bytes;

use super::entry::{Body, Channel, Entry, Kind, wall_clock};
use super::filter::Index;
use super::frames::{Frame, Frames, Item};
use crate::web::text::decoder::Carry;
use crate::web::text::{Decoder, Encoding, Framing, Piece};
use crate::web::trouble::Trouble;

/// Entries that are kept.
const ENTRIES: usize = 200_000;
/// Bytes that are kept.
const BYTES: usize = 256 << 20;

/// The log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) entries: VecDeque<Entry>,
    /// The number of the first of them.
    pub(super) first: u64,
    bytes: usize,
    /// Goes up when what is shown of old entries changes.
    version: u64,
    /// Of all whose encoding is not said.
    encoding: Encoding,
    encodings: HashMap<u64, Encoding>,
    streams: HashMap<(Channel, Kind), Stream>,
    /// How received bytes are cut, if not by calls.
    frames: Option<Frames>,
    /// What passes the filters that were asked for last.
    pub(super) indexes: Vec<Index>,
}

/// Where one direction of a channel stands.
#[derive(Debug)]
struct Stream {
    carry: Carry,
    /// Its last entry.
    last: u64,
    has_ended: bool,
}

/// Something of the log as it is shown: an entry, or a frame.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    /// Its number in the view.
    pub(crate) number: u64,
    /// The entry it is, or in which it begins.
    pub(crate) entry: &'a Entry,
    /// Its bytes, or the first of them.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// How many they are.
    pub(crate) length: usize,
    /// Whether it is a frame that has not ended yet.
    pub(crate) is_open: bool,
    encoding: Encoding,
    carry: Carry,
    is_last: bool,
}

impl Shown<'_> {
    /// What its bytes say.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let mut decoder = Decoder::resume(self.encoding, self.carry);
        let mut pieces = decoder.feed(&self.bytes);
        if self.is_last && self.bytes.len() == self.length {
            pieces.extend(decoder.finish());
        }
        pieces
    }

    /// The text of it, or its words.
    pub(crate) fn text(&self) -> String {
        if let Body::Words(trouble) = &self.entry.body {
            return trouble.words.clone();
        }
        let mut text = String::new();
        for piece in self.pieces() {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Bytes(bytes) => text.extend(bytes.iter().map(|_| char::REPLACEMENT_CHARACTER)),
            }
        }
        text
    }
}

impl Log {
    /// An empty log.
    pub(crate) fn new(encoding: Encoding) -> Log {
        Log {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            version: 0,
            encoding,
            encodings: HashMap::new(),
            streams: HashMap::new(),
            frames: None,
            indexes: Vec::new(),
        }
    }

    /// The number of the first thing that is shown, how many there are, and the version.
    pub(crate) fn extent(&self) -> (u64, u64, u64) {
        let (first, count) = match &self.frames {
            None => (self.first, self.entries.len()),
            Some(frames) => (frames.first(), frames.len()),
        };
        (first, count as u64, self.version)
    }

    /// Adds bytes of a stream that were sent or received by one call.
    pub(crate) fn add_bytes(&mut self, kind: Kind, channel: Channel, address: &Arc<str>, bytes: Bytes) {
        let (encoding, number) = (self.encoding_of(channel), self.end());
        let stream = self.streams.entry((channel, kind)).or_insert(Stream {
            carry: Carry::default(),
            last: number,
            has_ended: false,
        });
        let before = stream.carry;
        stream.carry = before.after(encoding, &bytes);
        stream.last = number;
        self.push(Entry {
            at: wall_clock(),
            kind,
            channel: Some(channel),
            address: Some(Arc::clone(address)),
            body: Body::Stream(bytes, before),
        });
    }

    /// Adds a datagram.
    pub(crate) fn add_datagram(&mut self, kind: Kind, channel: Channel, address: &Arc<str>, bytes: Bytes) {
        let (channel, address) = (Some(channel), Some(Arc::clone(address)));
        self.push(Entry { at: wall_clock(), kind, channel, address, body: Body::Datagram(bytes) });
    }

    /// Adds something that happened, or went wrong.
    pub(crate) fn add_words(
        &mut self,
        kind: Kind,
        channel: Option<Channel>,
        address: Option<Arc<str>>,
        what: Trouble,
    ) {
        self.push(Entry { at: wall_clock(), kind, channel, address, body: Body::Words(Box::new(what)) });
    }

    /// Nothing more comes on a channel: what is left of a character never becomes one.
    pub(crate) fn end_channel(&mut self, channel: Channel) {
        let mut changed = false;
        for kind in [Kind::Sent, Kind::Received] {
            let Some(stream) = self.streams.get_mut(&(channel, kind)) else { continue };
            stream.has_ended = true;
            changed |= !stream.carry.bytes().is_empty();
            if stream.last < self.first {
                self.streams.remove(&(channel, kind));
            }
        }
        if let Some(frames) = &mut self.frames {
            changed |= frames.end_channel(channel);
        }
        if changed {
            self.version += 1;
        }
    }

    /// Decodes everything anew, but for channels with an encoding of their own.
    pub(crate) fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
        self.decode_again();
    }

    /// Gives a peer an encoding of its own, or takes it away.
    pub(crate) fn set_encoding_of(&mut self, link: u64, encoding: Option<Encoding>) {
        match encoding {
            Some(encoding) => self.encodings.insert(link, encoding),
            None => self.encodings.remove(&link),
        };
        self.decode_again();
    }

    fn decode_again(&mut self) {
        for stream in self.streams.values_mut() {
            stream.carry = Carry::default();
        }
        for entry in &mut self.entries {
            let (Body::Stream(bytes, carry), Some(channel)) = (&mut entry.body, entry.channel) else {
                continue;
            };
            let Some(stream) = self.streams.get_mut(&(channel, entry.kind)) else { continue };
            let encoding = self.encodings.get(&channel.link).copied().unwrap_or(self.encoding);
            *carry = stream.carry;
            stream.carry = stream.carry.after(encoding, bytes);
        }
        // Newlines of UTF-16 are others.
        self.frame_again();
    }

    /// Cuts everything that was received anew.
    ///
    /// # Errors
    /// A framing that cannot be.
    pub(crate) fn set_framing(&mut self, framing: &Framing) -> Result<(), Trouble> {
        self.frames = Frames::new(framing)?;
        self.frame_again();
        Ok(())
    }

    fn frame_again(&mut self) {
        self.version += 1;
        self.indexes.clear();
        let Some(mut frames) = self.frames.take() else { return };
        frames.clear();
        for (index, entry) in self.entries.iter().enumerate() {
            let encoding = entry.channel.map_or(self.encoding, |channel| self.encoding_of(channel));
            frames.add(self.first + index as u64, entry, encoding);
        }
        for ((channel, _), _) in self.streams.iter().filter(|(_, stream)| stream.has_ended) {
            frames.end_channel(*channel);
        }
        self.frames = Some(frames);
    }

    /// Forgets everything that stands there. Streams go on where they are.
    pub(crate) fn clear(&mut self) {
        self.first = self.end();
        self.entries.clear();
        self.bytes = 0;
        self.streams.retain(|_, stream| !stream.has_ended);
        self.version += 1;
        self.indexes.clear();
        if let Some(frames) = &mut self.frames {
            frames.forget_before(self.first);
        }
    }

    /// What is shown at a number; of its bytes no more than `limit`.
    pub(crate) fn shown(&self, number: u64, limit: usize) -> Option<Shown<'_>> {
        match &self.frames {
            None => self.whole(number, number, limit),
            Some(frames) => match frames.item(number)? {
                Item::Entry(entry) => self.whole(number, *entry, limit),
                Item::Frame(frame) => self.frame(number, frame, limit),
            },
        }
    }

    fn whole(&self, number: u64, entry: u64, limit: usize) -> Option<Shown<'_>> {
        let found = self.entry(entry)?;
        let bytes = found.bytes();
        let (carry, is_last) = match (&found.body, found.channel) {
            (Body::Stream(_, carry), Some(channel)) => {
                let stream = self.streams.get(&(channel, found.kind));
                (*carry, stream.is_some_and(|stream| stream.has_ended && stream.last == entry))
            }
            _ => (Carry::default(), true),
        };
        Some(Shown {
            number,
            entry: found,
            bytes: Cow::Borrowed(bytes.get(..limit).unwrap_or(bytes)),
            length: bytes.len(),
            is_open: false,
            encoding: found.channel.map_or(self.encoding, |channel| self.encoding_of(channel)),
            carry,
            is_last,
        })
    }

    fn frame(&self, number: u64, frame: &Frame, limit: usize) -> Option<Shown<'_>> {
        let first = self.entry(frame.entry)?;
        let wanted = frame.length.min(limit);
        let mut bytes = Cow::Borrowed(first.bytes().get(frame.offset..).unwrap_or_default());
        let mut next = frame.entry + 1;
        // What the first entry does not hold stands in later ones of the same channel.
        while bytes.len() < wanted && next <= frame.last {
            if let Some(entry) =
                self.entry(next).filter(|entry| entry.channel == first.channel && entry.kind == first.kind)
            {
                bytes.to_mut().extend_from_slice(entry.bytes());
            }
            next += 1;
        }
        match &mut bytes {
            Cow::Borrowed(slice) => *slice = slice.get(..wanted).unwrap_or(slice),
            Cow::Owned(vector) => vector.truncate(wanted),
        }
        Some(Shown {
            number,
            entry: first,
            bytes,
            length: frame.length,
            is_open: frame.is_open,
            encoding: first.channel.map_or(self.encoding, |channel| self.encoding_of(channel)),
            carry: Carry::default(),
            is_last: !frame.is_open,
        })
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn encoding_of(&self, channel: Channel) -> Encoding {
        self.encodings.get(&channel.link).copied().unwrap_or(self.encoding)
    }

    fn push(&mut self, entry: Entry) {
        let number = self.end();
        let encoding = entry.channel.map_or(self.encoding, |channel| self.encoding_of(channel));
        if let Some(frames) = &mut self.frames
            && frames.add(number, &entry, encoding)
        {
            self.version += 1;
        }
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.forget(&oldest);
            self.first += 1;
        }
        if let Some(frames) = &mut self.frames {
            frames.forget_before(self.first);
        }
    }

    /// A channel that has ended is forgotten with its last entry.
    fn forget(&mut self, oldest: &Entry) {
        let Some(channel) = oldest.channel else { return };
        let key = (channel, oldest.kind);
        if self.streams.get(&key).is_some_and(|stream| stream.has_ended && stream.last <= self.first) {
            self.streams.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Channel = Channel { link: 1, side: super::super::entry::Side::Near };

    fn received(log: &mut Log, link: u64, bytes: &[u8]) {
        log.add_bytes(Kind::Received, Channel { link, ..A }, &"x".into(), Bytes::copy_from_slice(bytes));
    }

    fn texts(log: &Log) -> Vec<String> {
        let (first, count, _) = log.extent();
        (first..first + count).filter_map(|n| Some(log.shown(n, usize::MAX)?.text())).collect()
    }

    #[test]
    fn a_character_stands_whole_in_the_entry_that_ends_it() {
        let mut log = Log::new(Encoding::Gbk);
        received(&mut log, 1, b"a\xC4");
        // Another peer's bytes do not come between.
        received(&mut log, 2, b"b");
        received(&mut log, 1, b"\xE3\xBA");
        assert_eq!(texts(&log), ["a", "b", "你"]);
        let version = log.extent().2;
        log.end_channel(A);
        assert_eq!(texts(&log), ["a", "b", "你\u{FFFD}"]);
        assert_ne!(log.extent().2, version);
    }

    #[test]
    fn what_is_shown_is_decoded_again() {
        let mut log = Log::new(Encoding::Utf8);
        for byte in Encoding::Gbk.encode("你好", 0).unwrap() {
            received(&mut log, 1, &[byte]);
        }
        assert_ne!(texts(&log).concat(), "你好");
        log.set_encoding(Encoding::Gbk);
        assert_eq!(texts(&log), ["", "你", "", "好"]);
        log.set_encoding_of(1, Some(Encoding::Latin1));
        assert_eq!(texts(&log), ["Ä", "ã", "º", "Ã"]);
    }

    #[test]
    fn the_oldest_go_first() {
        let mut log = Log::new(Encoding::Utf8);
        for n in 0..ENTRIES + 10 {
            received(&mut log, 1, n.to_string().as_bytes());
        }
        let (first, count, _) = log.extent();
        assert_eq!((first, count), (10, ENTRIES as u64));
        assert_eq!(log.shown(10, 100).unwrap().text(), "10");
        assert!(log.shown(9, 100).is_none());
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..300 {
            log.add_bytes(Kind::Sent, A, &"x".into(), megabyte.clone());
        }
        assert_eq!(log.extent().1, 256);
        log.clear();
        assert_eq!(log.extent().1, 0);
    }

    #[test]
    fn a_hundred_thousand_entries_change_their_encoding_at_once() {
        let mut log = Log::new(Encoding::Utf8);
        let line = Encoding::Gbk.encode("网络调试助手收到的一行文字，不太长\r\n", 0).unwrap();
        for _ in 0..100_000 {
            received(&mut log, 1, &line);
        }
        let start = std::time::Instant::now();
        log.set_encoding(Encoding::Gb18030);
        assert!(start.elapsed() < std::time::Duration::from_millis(700), "{:?}", start.elapsed());
        assert!(texts(&log)[99_999].starts_with("网络"));
    }

    #[test]
    fn frames_are_cut_across_calls_and_peers() {
        let mut log = Log::new(Encoding::Utf8);
        received(&mut log, 1, b"a\nb");
        received(&mut log, 2, b"x");
        let lines: Framing = serde_json::from_value(serde_json::json!({"mode": "line"})).unwrap();
        log.set_framing(&lines).unwrap();
        assert_eq!(texts(&log), ["a\n", "b", "x"]);
        let version = log.extent().2;
        received(&mut log, 1, b"c\nd\n");
        assert_eq!(texts(&log), ["a\n", "bc\n", "x", "d\n"]);
        assert_ne!(log.extent().2, version);
        assert!(log.shown(2, 100).unwrap().is_open && !log.shown(1, 100).unwrap().is_open);
        log.end_channel(Channel { link: 2, ..A });
        assert!(!log.shown(2, 100).unwrap().is_open);
        log.set_framing(&Framing::default()).unwrap();
        assert_eq!(texts(&log), ["a\nb", "x", "c\nd\n"]);
    }
}
