//! The protocol machine of Sockeye: four textbook layers behind one value, [`stack`] carrying bytes between them.
#![forbid(unsafe_code)]

pub mod buffer;
pub mod drop_reason;
pub mod error;
pub mod hash;
pub mod lan;
pub mod link;
pub mod network;
#[cfg(feature = "sim")]
pub mod sim;
pub mod socket;
pub mod stack;
pub mod table;
pub mod time;
pub mod trace;
pub mod transport;
pub mod wire;
