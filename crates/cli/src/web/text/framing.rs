//! Where the messages of a stream begin and end. TCP does not know: the programs have to agree on it.

use serde::{Deserialize, Serialize};

use super::checksum::Order;
use super::encoding::Encoding;
use super::hex;
use crate::web::trouble::Trouble;

/// The longest delimiter, in bytes.
const DELIMITER: usize = 64;

/// How a stream is cut into messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Framing {
    /// By what.
    pub(crate) mode: Mode,
    /// Of the mode `delimiter`: hexadecimal digits.
    pub(crate) delimiter: String,
    /// Of the mode `fixed`: bytes.
    pub(crate) size: usize,
    /// Of the mode `length`: bytes of the length, which counts what follows it.
    pub(crate) width: u8,
    /// Of the mode `length`.
    pub(crate) order: Order,
    /// Of the mode `gap`: so long nothing comes between two messages.
    pub(crate) gap_ms: u64,
}

impl Default for Framing {
    fn default() -> Framing {
        Framing {
            mode: Mode::None,
            delimiter: "0d 0a".to_owned(),
            size: 16,
            width: 2,
            order: Order::Big,
            gap_ms: 50,
        }
    }
}

/// What tells messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Nothing: each call stands for itself.
    #[default]
    None,
    /// A newline ends each.
    Line,
    /// Some bytes end each.
    Delimiter,
    /// All have the same length.
    Fixed,
    /// Each begins with its length.
    Length,
    /// A silence is between them.
    Gap,
}

impl Framing {
    /// A cutter for the beginning of a stream.
    ///
    /// # Errors
    /// Which number or which delimiter cannot be.
    pub(crate) fn cutter(&self, encoding: Encoding) -> Result<Cutter, Trouble> {
        let rule = match self.mode {
            Mode::None => Rule::Calls,
            Mode::Line => Rule::Delimiter { bytes: encoding.encode("\n", 0)?, unit: encoding.unit() },
            Mode::Delimiter => {
                let bytes = hex::parse(&self.delimiter)?;
                if bytes.is_empty() || bytes.len() > DELIMITER {
                    return Err(Trouble::request(format!("a delimiter has 1 to {DELIMITER} bytes")));
                }
                Rule::Delimiter { bytes, unit: 1 }
            }
            Mode::Fixed if self.size == 0 => return Err(Trouble::request("a frame has at least one byte")),
            Mode::Fixed => Rule::Fixed(self.size),
            Mode::Length if !matches!(self.width, 1 | 2 | 4) => {
                return Err(Trouble::request("a length has 1, 2 or 4 bytes"));
            }
            Mode::Length => Rule::Length { width: self.width.into(), order: self.order },
            Mode::Gap if self.gap_ms == 0 => {
                return Err(Trouble::request("a gap has at least one millisecond"));
            }
            Mode::Gap => Rule::Gap(self.gap_ms),
        };
        Ok(Cutter { rule, length: 0, tail: Vec::new(), need: 0, last: None })
    }
}

#[derive(Clone, Debug)]
enum Rule {
    Calls,
    /// The last unit of a delimiter ends a frame; it begins a whole number of units behind the frame's beginning.
    Delimiter {
        bytes: Vec<u8>,
        unit: usize,
    },
    Fixed(usize),
    Length {
        width: usize,
        order: Order,
    },
    Gap(u64),
}

/// Finds the ends of frames in one direction of one stream. It keeps a few bytes, not the frame.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    rule: Rule,
    /// Bytes of the frame so far.
    length: usize,
    /// Its last bytes, as far as a delimiter may have begun in them; or its length, as far as it has come.
    tail: Vec<u8>,
    /// Of the length's frames: how long this one is, once that is known.
    need: usize,
    /// When bytes came last, in milliseconds.
    last: Option<u64>,
}

impl Cutter {
    /// Takes more bytes, which came at `at` (milliseconds). Gives the places in them where a frame ends; 0 means that the frame before
    /// them has ended.
    pub(crate) fn feed(&mut self, at: u64, bytes: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let since = self.last.replace(at).map(|last| at.saturating_sub(last));
        match self.rule.clone() {
            Rule::Calls => ends.push(bytes.len()),
            Rule::Gap(gap) => {
                if self.length > 0 && since.is_some_and(|since| since >= gap) {
                    self.length = 0;
                    ends.push(0);
                }
                self.length += bytes.len();
            }
            Rule::Fixed(size) => {
                let mut end = size.saturating_sub(self.length);
                while end <= bytes.len() {
                    ends.push(end);
                    end += size;
                }
                self.length = (self.length + bytes.len()) % size;
            }
            Rule::Delimiter { bytes: delimiter, unit } => {
                let last = delimiter.last().copied().unwrap_or_default();
                for (index, byte) in bytes.iter().enumerate() {
                    self.length += 1;
                    if self.tail.len() == delimiter.len() {
                        self.tail.remove(0);
                    }
                    self.tail.push(*byte);
                    if *byte == last && self.tail == delimiter && self.length.is_multiple_of(unit) {
                        ends.push(index + 1);
                        self.begin();
                    }
                }
            }
            Rule::Length { width, order } => self.cut_by_length(bytes, width, order, &mut ends),
        }
        ends
    }

    fn cut_by_length(&mut self, bytes: &[u8], width: usize, order: Order, ends: &mut Vec<usize>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.tail.len() < width {
                self.tail.extend(bytes.get(at));
                at += 1;
                self.length += 1;
                if self.tail.len() < width {
                    continue;
                }
                let digit = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
                self.need = width
                    + match order {
                        Order::Big => self.tail.iter().fold(0, digit),
                        Order::Little => self.tail.iter().rev().fold(0, digit),
                    };
            } else {
                let taken = (self.need - self.length).min(bytes.len() - at);
                at += taken;
                self.length += taken;
            }
            if self.length == self.need {
                ends.push(at);
                self.begin();
            }
        }
    }

    /// Whether a frame has begun, and not ended.
    #[cfg(test)]
    fn is_inside(&self) -> bool {
        self.length > 0
    }

    /// So long a silence ends the frame.
    pub(crate) fn gap_ms(&self) -> Option<u64> {
        match self.rule {
            Rule::Gap(gap) => Some(gap),
            _ => None,
        }
    }

    /// A frame begins, whatever was before.
    pub(crate) fn begin(&mut self) {
        self.length = 0;
        self.need = 0;
        self.tail.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of a stream that comes in chunks, one each millisecond.
    fn frames(framing: &Framing, encoding: Encoding, bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut cutter = framing.cutter(encoding).unwrap();
        let (mut frames, mut frame) = (Vec::new(), Vec::new());
        for (at, chunk) in bytes.chunks(size).enumerate() {
            let mut from = 0;
            for end in cutter.feed(at as u64, chunk) {
                frame.extend_from_slice(&chunk[from..end]);
                frames.push(std::mem::take(&mut frame));
                from = end;
            }
            frame.extend_from_slice(&chunk[from..]);
        }
        assert_eq!(cutter.is_inside(), !frame.is_empty());
        (frames, frame)
    }

    fn by(mode: Mode) -> Framing {
        Framing { mode, ..Framing::default() }
    }

    #[test]
    fn frames_are_the_same_in_whatever_chunks_they_come() {
        let length = |width, order| Framing { mode: Mode::Length, width, order, ..Framing::default() };
        /// How, what comes, the frames of it, and what is left.
        type Case = (Framing, &'static [u8], &'static [&'static [u8]], &'static [u8]);
        let cases: [Case; 7] = [
            (by(Mode::Line), b"a\r\n\nbc\nd", &[b"a\r\n", b"\n", b"bc\n"], b"d"),
            (by(Mode::Delimiter), b"a\rb\r\r\nc\r\n\r", &[b"a\rb\r\r\n", b"c\r\n"], b"\r"),
            (Framing { size: 3, ..by(Mode::Fixed) }, b"abcdefgh", &[b"abc", b"def"], b"gh"),
            (length(1, Order::Big), b"\x02ab\x00\x01c\x05x", &[b"\x02ab", b"\x00", b"\x01c"], b"\x05x"),
            (length(2, Order::Big), b"\0\x02ab\0", &[b"\0\x02ab"], b"\0"),
            (length(2, Order::Little), b"\x02\0ab\x01\0c", &[b"\x02\0ab", b"\x01\0c"], b""),
            (
                length(4, Order::Big),
                b"\0\0\0\x01x\xFF\xFF\xFF\xFFyz",
                &[b"\0\0\0\x01x"],
                b"\xFF\xFF\xFF\xFFyz",
            ),
        ];
        for (framing, stream, whole, rest) in cases {
            for size in 1..=stream.len() {
                let (frames, left) = frames(&framing, Encoding::Utf8, stream, size);
                assert_eq!(frames, whole, "{framing:?} {size}");
                assert_eq!(left, rest);
            }
        }
    }

    #[test]
    fn a_newline_of_utf16_begins_with_a_character() {
        // U+0A41 U+000A, low byte first: `41 0A 0A 00`; and high byte first `0A 41 00 0A`, with U+6100 U+0A0A before.
        let little = b"\x41\x0A\x0A\x00";
        let (found, _) = frames(&by(Mode::Line), Encoding::Utf16Le, little, 1);
        assert_eq!(found, [little]);
        let big = b"\x61\x00\x0A\x0A\x00\x0A";
        let (found, _) = frames(&by(Mode::Line), Encoding::Utf16Be, big, 3);
        assert_eq!(found, [big]);
    }

    #[test]
    fn a_silence_ends_a_frame() {
        let mut cutter = Framing { gap_ms: 10, ..by(Mode::Gap) }.cutter(Encoding::Utf8).unwrap();
        assert!(cutter.feed(0, b"a").is_empty());
        assert!(cutter.feed(9, b"b").is_empty());
        assert_eq!(cutter.feed(19, b"c"), [0]);
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        for framing in [
            Framing { size: 0, ..by(Mode::Fixed) },
            Framing { width: 3, ..by(Mode::Length) },
            Framing { gap_ms: 0, ..by(Mode::Gap) },
            Framing { delimiter: String::new(), ..by(Mode::Delimiter) },
            Framing { delimiter: "0q".to_owned(), ..by(Mode::Delimiter) },
        ] {
            assert!(framing.cutter(Encoding::Utf8).is_err(), "{framing:?}");
        }
    }
}
