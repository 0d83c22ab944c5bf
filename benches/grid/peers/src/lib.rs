//! What the peers of the grid agree on.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

/// The address of every peer.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Where data without end is served (RFC 864).
pub const CHARGEN: u16 = 19;
/// Bytes of each buffer: more than three times what the longest path and its queue hold in the cells that peers play.
pub const BUFFER: usize = 4 << 20;
