//! Bytes to typed headers and back: one file a protocol, pure, without allocation, importing nothing of ours.
//!
//! Every parser takes the bytes its layer was handed and returns the header with what follows it, cut to what the
//! header's own length fields say. A parser never panics and never reads past those lengths; what it refuses it names
//! in a [`WireError`]. On the way down each layer puts its header in front of the last one in [`Headers`].
//!
//! ```
//! use sockeye_core::wire::{ethernet::{Ethernet, EtherType, MacAddr}, headers::Headers};
//!
//! let ethernet = Ethernet {
//!     destination: MacAddr::BROADCAST,
//!     source: MacAddr([2, 0, 0, 0, 0, 1]),
//!     ethertype: EtherType::Arp,
//! };
//! let mut headers = Headers::new();
//! ethernet.prepend(&mut headers);
//! let (parsed, payload) = Ethernet::parse(headers.as_slice())?;
//! assert_eq!(parsed, ethernet);
//! assert!(payload.is_empty());
//! # Ok::<(), sockeye_core::wire::WireError>(())
//! ```

pub mod arp;
pub mod cast;
pub mod checksum;
pub mod describe;
pub mod ecn;
pub mod error;
pub mod ethernet;
pub mod headers;
pub mod icmpv4;
pub mod icmpv6;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod mld;
pub mod ndp;
pub mod offload;
pub mod quote;
pub mod tcp;
pub mod udp;

pub use checksum::{Checksum, ChecksumCheck, ChecksumEmit, PseudoHeader};
pub use describe::{LinkType, describe};
pub use error::WireError;
pub use headers::Headers;
pub use ip::{Cidr, Protocol};

#[cfg(test)]
mod tests;
