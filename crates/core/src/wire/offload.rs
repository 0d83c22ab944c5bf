//! What is left to the device to do with a packet.

/// A checksum that the device completes: it sums from `start` to the end of the packet and writes the complement at
/// `start + offset`, where the sum of the pseudo-header stands already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where summing starts, in bytes. Between the layers it counts from the start of the IP packet.
    pub start: u16,
    /// Where the checksum goes, in bytes from `start`.
    pub offset: u16,
}

/// What travels with a packet to the device that sends it.
///
/// ```
/// use sockeye_core::wire::offload::{Offload, PartialChecksum};
/// assert_eq!(Offload::default().checksum, None); // a complete packet
/// let udp = Offload { checksum: Some(PartialChecksum { start: 20, offset: 6 }), segment_size: None };
/// assert_ne!(udp, Offload::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The checksum to complete.
    pub checksum: Option<PartialChecksum>,
    /// Bytes of payload in each of the segments that the packet is to be cut into.
    pub segment_size: Option<u16>,
}
