//! What somebody wants to send, as it is written in the page, and the bytes of it.

use serde::{Deserialize, Serialize};

use super::checksum::{Checksum, Order};
use super::encoding::Encoding;
use super::{escape, hex};
use crate::web::trouble::Trouble;

/// Something to be sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outgoing {
    /// How `text` is meant.
    pub(crate) form: Form,
    /// As it was written.
    pub(crate) text: String,
    /// Of a text.
    pub(crate) encoding: Encoding,
    /// Whether backslashes mean something.
    pub(crate) escapes: bool,
    /// What ends it, behind the checksum.
    pub(crate) ending: Ending,
    /// What stands behind the text, and is computed from it.
    pub(crate) checksum: Checksum,
    /// The order of the checksum's bytes.
    pub(crate) order: Order,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Characters.
    #[default]
    Text,
    /// Hexadecimal digits.
    Hex,
}

/// The end of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ending {
    /// None.
    #[default]
    None,
    /// As Unix has it.
    Lf,
    /// As most protocols have it.
    Crlf,
    /// As some devices have it.
    Cr,
}

impl Outgoing {
    /// The bytes.
    ///
    /// # Errors
    /// What in the text makes no sense, and where.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Trouble> {
        let mut bytes = match self.form {
            Form::Hex => hex::parse(&self.text)?,
            Form::Text if self.escapes => escape::encode(&self.text, self.encoding)?,
            Form::Text => self.encoding.encode(&self.text, 0)?,
        };
        bytes.extend(self.checksum.of(&bytes, self.order));
        let ending = match self.ending {
            Ending::None => "",
            Ending::Lf => "\n",
            Ending::Crlf => "\r\n",
            Ending::Cr => "\r",
        };
        // Digits have no encoding: their line ends as everybody's.
        let encoding = if self.form == Form::Hex { Encoding::Utf8 } else { self.encoding };
        bytes.extend(encoding.encode(ending, 0)?);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(json: serde_json::Value) -> Result<Vec<u8>, Trouble> {
        serde_json::from_value::<Outgoing>(json).unwrap().bytes()
    }

    #[test]
    fn text_checksum_and_ending_follow_each_other() {
        let modbus = serde_json::json!({"form": "hex", "text": "01 03 00 00 00 0A", "checksum": "crc16-modbus", "order": "little"});
        assert_eq!(bytes(modbus).unwrap(), [1, 3, 0, 0, 0, 0x0A, 0xC5, 0xCD]);
        let line = serde_json::json!({"text": "ab", "checksum": "xor", "ending": "crlf"});
        assert_eq!(bytes(line).unwrap(), b"ab\x03\r\n");
        let wide =
            serde_json::json!({"text": "a\\n", "escapes": true, "encoding": "UTF-16BE", "ending": "lf"});
        assert_eq!(bytes(wide).unwrap(), b"\0a\0\n\0\n");
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(bytes(serde_json::json!({})).unwrap().is_empty());
    }
}
