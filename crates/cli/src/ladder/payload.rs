//! Payload as text or as numbers.

use encoding_rs::{Decoder, Encoding};

/// How payload is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As text in this encoding.
    Text(&'static Encoding),
    /// As hexadecimal bytes.
    Hex,
}

/// At most so many bytes of one segment are shown.
const BYTES_AT_MOST: usize = 240;

/// One direction of a byte stream, made readable piece by piece.
///
/// A character whose bytes are in two segments is shown with the second: what the first had of it is kept here.
pub(crate) struct Reader {
    shown: Shown,
    decoder: Option<Decoder>,
}

impl Reader {
    /// The beginning of a stream.
    pub(crate) fn new(shown: Shown) -> Self {
        Reader { shown, decoder: fresh(shown) }
    }

    /// Forgets the beginning of a character: what follows does not continue it.
    pub(crate) fn skip(&mut self) {
        self.decoder = fresh(self.shown);
    }

    /// The next bytes of the stream, made readable.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> String {
        let excerpt = bytes.get(..BYTES_AT_MOST).unwrap_or(bytes);
        let mut readable = match &mut self.decoder {
            None => excerpt.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
            Some(decoder) => {
                // The longest a text can become; what does not fit would only be shown less.
                let mut text =
                    String::with_capacity(decoder.max_utf8_buffer_length(excerpt.len()).unwrap_or(0));
                let _ = decoder.decode_to_string(excerpt, &mut text, false);
                quoted(&text)
            }
        };
        if excerpt.len() < bytes.len() {
            self.skip();
            readable.push_str(&format!(" and {} bytes more", bytes.len() - excerpt.len()));
        }
        readable
    }
}

fn fresh(shown: Shown) -> Option<Decoder> {
    match shown {
        Shown::Text(encoding) => Some(encoding.new_decoder_without_bom_handling()),
        Shown::Hex => None,
    }
}

/// Text in quotation marks, on one line, with nothing in it that a terminal would obey.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            // Direction marks could turn the rest of the line around.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                quoted.extend(letter.escape_unicode());
            }
            letter if letter.is_control() => {
                quoted.push_str("\\x");
                let digit = |shift: u32| char::from_digit(u32::from(letter) >> shift & 15, 16).unwrap_or('0');
                quoted.extend([digit(4), digit(0)]);
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("shown", &self.shown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GB18030, GBK, UTF_8};

    use super::*;

    #[test]
    fn a_character_split_between_segments_is_shown_whole() {
        for (encoding, bytes) in [
            (UTF_8, &b"\xe4\xbd\xa0\xe5\xa5\xbd"[..]),
            (GBK, b"\xc4\xe3\xba\xc3"),
            (GB18030, b"\xc4\xe3\xba\xc3"),
        ] {
            for split in 0..=bytes.len() {
                let (first, second) = bytes.split_at(split);
                let mut reader = Reader::new(Shown::Text(encoding));
                let both = reader.read(first) + &reader.read(second);
                assert_eq!(both.replace('"', ""), "你好", "{} split at {split}", encoding.name());
            }
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let mut reader = Reader::new(Shown::Text(UTF_8));
        assert_eq!(reader.read(b"a\r\n\x1b[2J\"\\"), r#""a\r\n\x1b[2J\"\\""#);
        assert_eq!(reader.read("\u{202e}x".as_bytes()), r#""\u{202e}x""#);
    }

    #[test]
    fn long_payload_is_cut_and_counted() {
        let mut reader = Reader::new(Shown::Hex);
        assert_eq!(reader.read(b"\x00\xff"), "00 ff");
        assert!(reader.read(&[0; 1000]).ends_with("00 and 760 bytes more"));
    }
}
