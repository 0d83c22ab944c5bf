//! Between what people write and what is sent: encodings, hexadecimal digits, escapes, checksums, frames.

pub(crate) mod checksum;
pub(crate) mod decoder;
pub(crate) mod encoding;
pub(crate) mod escape;
pub(crate) mod framing;
pub(crate) mod hex;
pub(crate) mod outgoing;

pub(crate) use decoder::{Decoder, Piece};
pub(crate) use encoding::Encoding;
pub(crate) use framing::{Cutter, Framing};
pub(crate) use outgoing::Outgoing;
