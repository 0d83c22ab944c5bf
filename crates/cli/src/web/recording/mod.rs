//! Recordings: what they are made of.

pub(crate) mod sight;
