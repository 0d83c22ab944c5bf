//! The encodings of text, by the names of `docs/web-api.md`.

use encoding_rs::EncoderResult;
use serde::{Deserialize, Serialize};

use crate::web::trouble::Trouble;

/// How characters are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Encoding {
    /// What everybody else uses.
    #[default]
    #[serde(rename = "UTF-8")]
    Utf8,
    /// Chinese, two bytes a character.
    #[serde(rename = "GBK")]
    Gbk,
    /// Chinese, and with four bytes all of Unicode.
    #[serde(rename = "GB18030")]
    Gb18030,
    /// Chinese, traditional characters.
    #[serde(rename = "Big5")]
    Big5,
    /// Japanese.
    #[serde(rename = "Shift_JIS")]
    ShiftJis,
    /// Latin-1: each byte is the character of its number.
    #[serde(rename = "ISO-8859-1")]
    Latin1,
    /// UTF-16, the low byte first.
    #[serde(rename = "UTF-16LE")]
    Utf16Le,
    /// UTF-16, the high byte first.
    #[serde(rename = "UTF-16BE")]
    Utf16Be,
}

impl Encoding {
    /// All of them.
    pub(crate) const ALL: [Encoding; 8] = [
        Encoding::Utf8,
        Encoding::Gbk,
        Encoding::Gb18030,
        Encoding::Big5,
        Encoding::ShiftJis,
        Encoding::Latin1,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
    ];

    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Gbk => "GBK",
            Encoding::Gb18030 => "GB18030",
            Encoding::Big5 => "Big5",
            Encoding::ShiftJis => "Shift_JIS",
            Encoding::Latin1 => "ISO-8859-1",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
        }
    }

    /// The tables for it, where it needs tables.
    pub(super) fn tables(self) -> Option<&'static encoding_rs::Encoding> {
        match self {
            Encoding::Utf8 => Some(encoding_rs::UTF_8),
            Encoding::Gbk => Some(encoding_rs::GBK),
            Encoding::Gb18030 => Some(encoding_rs::GB18030),
            Encoding::Big5 => Some(encoding_rs::BIG5),
            Encoding::ShiftJis => Some(encoding_rs::SHIFT_JIS),
            Encoding::Latin1 | Encoding::Utf16Le | Encoding::Utf16Be => None,
        }
    }

    /// Bytes of the smallest unit: a newline is found only where a unit begins.
    pub(crate) fn unit(self) -> usize {
        match self {
            Encoding::Utf16Le | Encoding::Utf16Be => 2,
            _ => 1,
        }
    }

    /// The bytes of a text.
    ///
    /// # Errors
    /// The first character that the encoding does not have, and where it stands, counted from 1; `before` characters stand before
    /// the text.
    pub(crate) fn encode(self, text: &str, before: usize) -> Result<Vec<u8>, Trouble> {
        match self {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Utf16Le => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Encoding::Utf16Be => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Encoding::Latin1 => {
                let bytes = text.chars().enumerate().map(|(index, character)| {
                    u8::try_from(u32::from(character))
                        .map_err(|_| self.unmappable(character, before + index + 1))
                });
                bytes.collect()
            }
            _ => self.encode_by_tables(text, before),
        }
    }

    fn encode_by_tables(self, text: &str, before: usize) -> Result<Vec<u8>, Trouble> {
        let Some(tables) = self.tables() else { return Ok(Vec::new()) };
        let mut encoder = tables.new_encoder();
        let (mut bytes, mut rest) = (Vec::with_capacity(text.len() + 4), text);
        loop {
            let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
            rest = rest.get(read..).unwrap_or_default();
            match result {
                EncoderResult::InputEmpty => return Ok(bytes),
                EncoderResult::OutputFull => bytes.reserve(rest.len() * 2 + 16),
                EncoderResult::Unmappable(character) => {
                    let done = text.len() - rest.len();
                    let position = text.get(..done).unwrap_or_default().chars().count();
                    return Err(self.unmappable(character, before + position));
                }
            }
        }
    }

    fn unmappable(self, character: char, position: usize) -> Trouble {
        let name = self.name();
        let words = format!(
            "{name} has no character `{character}` (U+{:04X}), which is number {position}",
            u32::from(character)
        );
        Trouble::new(
            "unmappable",
            words,
            "choose another encoding (UTF-8 and GB18030 have every character), or leave it away",
        )
        .with("character", character.to_string())
        .with("position", position)
        .with("encoding", name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_writes_its_bytes() {
        let bytes = |encoding: Encoding, text| encoding.encode(text, 0).unwrap();
        assert_eq!(bytes(Encoding::Utf8, "你好"), "你好".as_bytes());
        assert_eq!(bytes(Encoding::Gbk, "你好"), [0xC4, 0xE3, 0xBA, 0xC3]);
        assert_eq!(bytes(Encoding::Gb18030, "😀"), [0x94, 0x39, 0xFC, 0x36]);
        assert_eq!(bytes(Encoding::Big5, "你好"), [0xA7, 0x41, 0xA6, 0x6E]);
        assert_eq!(bytes(Encoding::ShiftJis, "日本"), [0x93, 0xFA, 0x96, 0x7B]);
        assert_eq!(bytes(Encoding::Latin1, "é\u{80}"), [0xE9, 0x80]);
        assert_eq!(bytes(Encoding::Utf16Le, "a😀"), [0x61, 0, 0x3D, 0xD8, 0x00, 0xDE]);
        assert_eq!(bytes(Encoding::Utf16Be, "a😀"), [0, 0x61, 0xD8, 0x3D, 0xDE, 0x00]);
    }

    #[test]
    fn a_character_that_is_not_there_is_named_with_its_place() {
        for (encoding, text, position) in [
            (Encoding::Gbk, "你😀", 2),
            (Encoding::Latin1, "ab你", 3),
            (Encoding::Big5, "€😀", 2),
            (Encoding::ShiftJis, "😀", 1),
        ] {
            let trouble = encoding.encode(text, 0).unwrap_err();
            assert_eq!(trouble.code, "unmappable");
            assert_eq!(trouble.facts.get("position").and_then(|n| n.as_u64()), Some(position), "{trouble:?}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_api() {
        for encoding in Encoding::ALL {
            assert_eq!(serde_json::to_value(encoding).unwrap(), encoding.name());
        }
    }
}
