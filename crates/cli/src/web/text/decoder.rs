//! Decoding a stream piece by piece, without ever breaking a character that two calls have split.
//!
//! A decoder keeps nothing but the bytes of a character that is not complete, four at most ([`Carry`]). So the log can begin to decode at
//! any entry for which it remembers those, and a change of the encoding needs only [`Carry::after`] for each entry, not their texts.

use encoding_rs::DecoderResult;
use serde_json::{Value, json};

use super::encoding::Encoding;

/// A piece of what bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What could be decoded.
    Text(String),
    /// What could not.
    Bytes(Vec<u8>),
}

impl Piece {
    /// As the API writes it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Piece::Text(text) => json!(["t", text]),
            Piece::Bytes(bytes) => json!(["x", super::hex::format(bytes)]),
        }
    }
}

/// The bytes of a character whose other bytes have not come yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carry {
    bytes: [u8; 4],
    length: u8,
}

impl Carry {
    fn new(rest: &[u8]) -> Carry {
        let mut carry = Carry::default();
        for (place, byte) in carry.bytes.iter_mut().zip(rest) {
            *place = *byte;
            carry.length += 1;
        }
        carry
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }

    /// What is carried on after more bytes.
    pub(crate) fn after(self, encoding: Encoding, bytes: &[u8]) -> Carry {
        if bytes.is_empty() {
            return self;
        }
        if self.length == 0 {
            return Carry::new(unfinished(encoding, bytes));
        }
        let joined = [self.bytes(), bytes].concat();
        Carry::new(unfinished(encoding, &joined))
    }
}

/// A decoder of one direction of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    encoding: Encoding,
    carry: Carry,
}

impl Decoder {
    /// One at the beginning of a stream.
    pub(crate) fn new(encoding: Encoding) -> Decoder {
        Decoder::resume(encoding, Carry::default())
    }

    /// One in the middle.
    pub(crate) fn resume(encoding: Encoding, carry: Carry) -> Decoder {
        Decoder { encoding, carry }
    }

    /// Decodes what more bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let joined;
        let all = if self.carry.length == 0 {
            bytes
        } else {
            joined = [self.carry.bytes(), bytes].concat();
            &joined
        };
        let rest = unfinished(self.encoding, all);
        self.carry = Carry::new(rest);
        decode(self.encoding, all.get(..all.len() - rest.len()).unwrap_or_default())
    }

    /// What has not become a character, at the end of the stream.
    pub(crate) fn finish(&mut self) -> Option<Piece> {
        let carry = std::mem::take(&mut self.carry);
        (carry.length > 0).then(|| Piece::Bytes(carry.bytes().to_vec()))
    }

    /// All of a message that stands for itself.
    pub(crate) fn whole(encoding: Encoding, bytes: &[u8]) -> Vec<Piece> {
        let mut decoder = Decoder::new(encoding);
        let mut pieces = decoder.feed(bytes);
        pieces.extend(decoder.finish());
        pieces
    }
}

/// The bytes at the end that are the beginning of a character.
fn unfinished(encoding: Encoding, bytes: &[u8]) -> &[u8] {
    let from = match encoding {
        Encoding::Utf8 => utf8_end(bytes),
        Encoding::Latin1 => bytes.len(),
        Encoding::Utf16Le => utf16_end(bytes, u16::from_le_bytes),
        Encoding::Utf16Be => utf16_end(bytes, u16::from_be_bytes),
        Encoding::Gbk | Encoding::Gb18030 => end_by(bytes, gb_length),
        Encoding::Big5 => end_by(bytes, |rest| pair_length(rest, |lead| (0x81..=0xFE).contains(&lead))),
        Encoding::ShiftJis => {
            end_by(bytes, |rest| pair_length(rest, |lead| matches!(lead, 0x81..=0x9F | 0xE0..=0xFC)))
        }
    };
    bytes.get(from..).unwrap_or_default()
}

/// UTF-8 shows by itself where characters begin: the last three bytes tell.
fn utf8_end(bytes: &[u8]) -> usize {
    let near = bytes.len().saturating_sub(3);
    let tail = bytes.get(near..).unwrap_or_default();
    let Some(lead) = tail.iter().rposition(|byte| *byte >= 0xC0) else { return bytes.len() };
    match std::str::from_utf8(tail.get(lead..).unwrap_or_default()) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() == 0 => near + lead,
        _ => bytes.len(),
    }
}

fn utf16_end(bytes: &[u8], join: fn([u8; 2]) -> u16) -> usize {
    let even = bytes.len() & !1;
    let is_high = |end: usize| match bytes.get(end.wrapping_sub(2)..end) {
        Some(&[first, second]) => (0xD800..0xDC00).contains(&join([first, second])),
        _ => false,
    };
    if is_high(even) { even - 2 } else { even }
}

/// The other encodings have to be read from the beginning. `length` says how long the first character is, `None` if it goes on.
fn end_by(bytes: &[u8], length: impl Fn(&[u8]) -> Option<usize>) -> usize {
    let mut at = 0;
    while let Some(rest @ [first, ..]) = bytes.get(at..) {
        if *first < 0x80 {
            at += 1;
            continue;
        }
        match length(rest) {
            Some(length) => at += length,
            None => return at,
        }
    }
    bytes.len()
}

/// A lead byte and any other make two, whether they are a character or not: a second byte that is ASCII stands for itself then, and
/// ends at the same place.
fn pair_length(rest: &[u8], is_lead: impl Fn(u8) -> bool) -> Option<usize> {
    match rest {
        [lead, ..] if !is_lead(*lead) => Some(1),
        [_, _, ..] => Some(2),
        _ => None,
    }
}

/// GB18030 has four bytes where the second one is a digit. Where these do not go on as they must, lead and digit stand for
/// themselves.
fn gb_length(rest: &[u8]) -> Option<usize> {
    match rest {
        [0x80 | 0xFF, ..] => Some(1),
        [_, b'0'..=b'9', 0x81..=0xFE, b'0'..=b'9', ..] => Some(4),
        [_] | [_, b'0'..=b'9'] | [_, b'0'..=b'9', 0x81..=0xFE] => None,
        _ => Some(2),
    }
}

/// Decodes bytes that end with a character.
fn decode(encoding: Encoding, bytes: &[u8]) -> Vec<Piece> {
    if bytes.is_empty() {
        return Vec::new();
    }
    match encoding {
        Encoding::Latin1 => vec![Piece::Text(bytes.iter().map(|byte| char::from(*byte)).collect())],
        Encoding::Utf16Le => decode_utf16(bytes, u16::from_le_bytes),
        Encoding::Utf16Be => decode_utf16(bytes, u16::from_be_bytes),
        _ => match encoding.tables() {
            Some(tables) => decode_by_tables(tables, bytes),
            None => Vec::new(),
        },
    }
}

fn decode_utf16(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Vec<Piece> {
    let mut pieces = Pieces::default();
    let (units, _) = bytes.as_chunks::<2>();
    let mut at = 0;
    for character in char::decode_utf16(units.iter().map(|unit| join(*unit))) {
        let length = character.as_ref().map_or(2, |character| character.len_utf16() * 2);
        match character {
            Ok(character) => pieces.text.push(character),
            Err(_) => pieces.bad(bytes.get(at..at + length).unwrap_or_default()),
        }
        at += length;
    }
    pieces.finish()
}

fn decode_by_tables(tables: &'static encoding_rs::Encoding, bytes: &[u8]) -> Vec<Piece> {
    let mut decoder = tables.new_decoder_without_bom_handling();
    let mut pieces = Pieces::default();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let room =
            decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len() * 4 + 16);
        pieces.text.reserve(room);
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut pieces.text, true);
        at += read;
        match result {
            DecoderResult::InputEmpty => return pieces.finish(),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, beyond) => {
                let end = at.saturating_sub(beyond.into());
                let bad = bytes.get(end.saturating_sub(length.into())..end).unwrap_or_default();
                pieces.bad(bad);
                // After an error at its end the decoder has nothing more to say, and may not be asked.
                if at >= bytes.len() && beyond == 0 {
                    return pieces.finish();
                }
            }
        }
    }
}

/// Pieces in the making: neighbours of one kind become one.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    text: String,
}

impl Pieces {
    fn bad(&mut self, bytes: &[u8]) {
        self.end_text();
        match self.done.last_mut() {
            Some(Piece::Bytes(before)) => before.extend_from_slice(bytes),
            _ => self.done.push(Piece::Bytes(bytes.to_vec())),
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.end_text();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Aé你好，世界。日本 ~";

    fn joined(pieces: impl IntoIterator<Item = Piece>) -> Vec<Piece> {
        let mut all = Pieces::default();
        for piece in pieces {
            match piece {
                Piece::Text(text) => all.text.push_str(&text),
                Piece::Bytes(bytes) => all.bad(&bytes),
            }
        }
        all.finish()
    }

    fn in_chunks(encoding: Encoding, bytes: &[u8], size: usize) -> Vec<Piece> {
        let mut decoder = Decoder::new(encoding);
        let mut pieces: Vec<Piece> = bytes.chunks(size).flat_map(|chunk| decoder.feed(chunk)).collect();
        pieces.extend(decoder.finish());
        joined(pieces)
    }

    #[test]
    fn no_boundary_breaks_a_character() {
        for encoding in Encoding::ALL {
            let text: String = TEXT.chars().filter(|c| encoding.encode(&c.to_string(), 0).is_ok()).collect();
            let bytes = encoding.encode(&text, 0).unwrap();
            for at in 0..=bytes.len() {
                let mut decoder = Decoder::new(encoding);
                let (before, after) = bytes.split_at(at);
                let pieces = [decoder.feed(before), decoder.feed(after)].concat();
                assert_eq!(joined(pieces), [Piece::Text(text.clone())], "{encoding:?} at {at}");
            }
            assert_eq!(in_chunks(encoding, &bytes, 1), [Piece::Text(text.clone())]);
        }
    }

    #[test]
    fn four_bytes_of_gb18030_and_pairs_of_utf16_wait_for_their_ends() {
        for encoding in [Encoding::Gb18030, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Utf8] {
            let bytes = encoding.encode("😀", 0).unwrap();
            assert_eq!(in_chunks(encoding, &bytes, 1), [Piece::Text("😀".to_owned())]);
        }
    }

    #[test]
    fn bytes_that_are_no_character_are_shown() {
        let pieces = Decoder::whole(Encoding::Utf8, b"a\x80\xFFb\xE4\xBD");
        let x = |bytes: &[u8]| Piece::Bytes(bytes.to_vec());
        let t = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(joined(pieces), [t("a"), x(b"\x80\xFF"), t("b"), x(b"\xE4\xBD")]);
        assert_eq!(Decoder::whole(Encoding::Utf16Le, b"\x00\xDCa\x00"), [x(b"\x00\xDC"), t("a")]);
        assert_eq!(Decoder::whole(Encoding::Gbk, b"\xFFa\0"), [x(b"\xFF"), t("a\0")]);
        assert_eq!(x(b"\x80\xFF").to_json(), json!(["x", "80 ff"]));
    }

    /// Whatever the bytes are: how they are cut makes no difference, and none is lost.
    #[test]
    fn any_bytes_in_any_chunks_say_the_same() {
        let mut state = 1u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for round in 0..300 {
            // Mostly bytes that mean something to two-byte encodings.
            let bytes: Vec<u8> = (0..40)
                .map(|_| match next() % 4 {
                    0 => b'0' + next() % 10,
                    1 => 0x81 + next() % 0x7E,
                    _ => next(),
                })
                .collect();
            for encoding in Encoding::ALL {
                let whole = joined(Decoder::whole(encoding, &bytes));
                for size in [1, 2, 3, 7] {
                    assert_eq!(
                        in_chunks(encoding, &bytes, size),
                        whole,
                        "{encoding:?} {round} {size} {bytes:x?}"
                    );
                }
            }
        }
    }
}
