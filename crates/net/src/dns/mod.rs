//! Names: who answers for those of a LAN's hosts.

mod names;

pub use names::Names;
