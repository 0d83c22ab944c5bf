//! Bytes to typed headers and back, one file a protocol; pure.
