//! Why bytes were refused. Every discard names exactly one reason, which is counted and can be traced.

use core::fmt;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $text:literal,)+) => {
        /// Why a frame, packet, datagram or segment was refused.
        ///
        /// ```
        /// use sockeye_core::drop_reason::DropReason;
        /// assert_eq!(DropReason::NoSocket.to_string(), "no socket for this port");
        /// assert!(DropReason::ALL.contains(&DropReason::NoSocket));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DropReason { $($(#[doc = $doc])+ $name,)+ }

        impl DropReason {
            /// Every reason, in order of the layers; a reason's place here is its counter's index.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name,)+];

            /// The reason in a few words.
            pub const fn message(self) -> &'static str {
                match self { $(DropReason::$name => $text,)+ }
            }
        }
    };
}

drop_reasons! {
    // Link layer.
    /// The frame came by an interface that does not exist, or that has no link.
    UnknownInterface => "no such interface",
    /// The frame is shorter than its headers, or a length field lies.
    Malformed => "malformed",
    /// The frame's destination MAC address is not ours.
    NotOurMac => "destination MAC address is not ours",
    /// The EtherType is neither IPv4, IPv6 nor ARP.
    UnknownEtherType => "unknown EtherType",
    /// The frame's source MAC address is a group's or nobody's.
    BadSourceMac => "source MAC address cannot be one station's",
    /// An ARP or NDP message says that one of our addresses is somebody else's.
    AddressConflict => "another station claims one of our addresses",
    /// An ARP or NDP message that teaches nothing: not for us, or of a kind that is not believed here.
    UnwantedDiscovery => "ARP or NDP message that is not for us or not believed",
    /// The neighbour never answered ARP or NDP.
    NeighborUnreachable => "neighbour does not answer",
    /// Too many packets already wait for that neighbour's address.
    NeighborQueueFull => "too many packets wait for that neighbour",
    // Network layer.
    /// The IP header checksum is wrong.
    BadIpChecksum => "bad IP header checksum",
    /// The destination is not an address of this host, and it does not forward.
    NotOurAddress => "destination address is not ours",
    /// No route leads to the destination.
    NoRoute => "no route to the destination",
    /// The source address cannot be a source (multicast, broadcast, loopback from outside).
    MartianSource => "impossible source address",
    /// The destination address cannot be one here (loopback from outside, unspecified).
    MartianDestination => "impossible destination address",
    /// A frame to many carried a packet to one (RFC 1122 section 3.3.6).
    CastMismatch => "packet to one host in a frame to many",
    /// The packet asks to be routed by its sender's wishes (RFC 7126).
    SourceRouted => "source-routed packet",
    /// An ICMP message that is not believed or not answered here.
    IgnoredIcmp => "ICMP message that is ignored here",
    /// The hop limit (TTL) ran out.
    HopLimitExceeded => "hop limit exceeded",
    /// The packet is larger than the link carries and must not be fragmented.
    PacketTooBig => "packet too big for the link",
    /// The reassembly memory is full, or this datagram's fragments came too late.
    ReassemblyFailed => "fragments could not be reassembled",
    /// Fragments overlap (RFC 5722).
    FragmentOverlap => "overlapping fragments",
    /// No upper layer for that protocol number.
    UnknownProtocol => "unknown protocol",
    /// An ICMP message over the rate limit.
    RateLimited => "over the ICMP rate limit",
    // Transport layer.
    /// The TCP, UDP or ICMP checksum is wrong.
    BadChecksum => "bad transport checksum",
    /// The acknowledgement is of something never sent, or far too old.
    UnacceptableAck => "unacceptable acknowledgement",
    /// The sequence number is outside the receive window.
    OutOfWindow => "sequence number outside the window",
    /// Everything in the segment was received before.
    OldDuplicate => "old duplicate",
    /// The timestamp is older than the last (PAWS, RFC 7323).
    OldTimestamp => "old timestamp",
    /// The segment is signed (RFC 2385, RFC 5925) by a key that nobody has given us.
    UnexpectedSignature => "signature without a key for it",
    /// The segment has no place in this state.
    UnexpectedSegment => "segment without place in this state",
    /// A RST ended the connection.
    Reset => "connection reset",
    /// No socket is bound to that port.
    NoSocket => "no socket for this port",
    /// The socket's reading was shut down.
    ReadingShutDown => "reading was shut down",
    /// The socket's receive buffer is full.
    ReceiveBufferFull => "receive buffer full",
    /// All connections together have as much memory as they may.
    OutOfMemory => "out of memory for buffers",
    /// Too many separate stretches of data have come out of order.
    ReassemblyFull => "too many gaps in the data received",
    /// The listener's accept queue is full.
    AcceptQueueFull => "accept queue full",
    /// The half-open queue is full and cookies are off.
    HalfOpenQueueFull => "half-open queue full",
    // Queues of this host.
    /// A bounded queue of this host was full.
    QueueFull => "queue full",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}
