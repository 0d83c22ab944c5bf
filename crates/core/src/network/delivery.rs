//! What goes up from the network layer.

use core::net::{IpAddr, Ipv6Addr};
use std::borrow::Cow;

use super::{Cast, InterfaceId};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::wire::checksum::ChecksumCheck;
use crate::wire::ip::Protocol;
use crate::wire::ndp::Ndp;
use crate::wire::quote::Quote;

/// What is known of a received packet's TCP or UDP checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArrivalChecksum {
    /// Nothing.
    #[default]
    Unknown,
    /// The device has verified it.
    Verified,
    /// It is not complete yet: the sender left it to a device that was never needed.
    Partial,
}

/// How a packet came to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The interface.
    pub interface: InterfaceId,
    /// Whom its frame was addressed to.
    pub cast: Cast,
    /// What is known of the checksum above IP.
    pub checksum: ArrivalChecksum,
    /// Bytes of payload in each segment that the packet was put together from (GRO), if it was.
    pub segment_size: Option<u16>,
}

impl Arrival {
    /// A packet of which only the interface is known.
    pub const fn new(interface: InterfaceId) -> Arrival {
        Arrival { interface, cast: Cast::Unicast, checksum: ArrivalChecksum::Unknown, segment_size: None }
    }

    pub(super) fn check(&self) -> ChecksumCheck {
        match self.checksum {
            ArrivalChecksum::Unknown => ChecksumCheck::Verify,
            ArrivalChecksum::Verified | ArrivalChecksum::Partial => ChecksumCheck::Trust,
        }
    }
}

/// What the IP header said of a delivered packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpMeta {
    /// The interface it came by.
    pub interface: InterfaceId,
    /// Who sent it.
    pub source: IpAddr,
    /// Which address it was sent to.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// DSCP (upper six bits) and ECN (lower two).
    pub traffic_class: u8,
    /// Whether the packet was for this host alone.
    pub cast: Cast,
    /// Whether the checksum above IP has to be verified (always for what came in fragments).
    pub check: ChecksumCheck,
}

impl IpMeta {
    /// Whether the packet was for this host alone.
    pub fn is_unicast(&self) -> bool {
        self.cast.is_unicast()
    }
}

/// A packet for the transport layer: lent where it came in one piece, owned where it came in fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<'p> {
    /// What its header said.
    pub meta: IpMeta,
    pub(super) packet: Cow<'p, [u8]>,
    pub(super) payload_start: usize,
}

impl Delivery<'_> {
    /// What stands behind the IP header and its extensions.
    pub fn payload(&self) -> &[u8] {
        self.packet.get(self.payload_start..).unwrap_or_default()
    }

    /// The whole packet, for [`Network::icmp_error`](super::Network::icmp_error).
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }
}

/// The answer to an echo request; or a request, for somebody else to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo<'p> {
    /// Who sent it, and how it came.
    pub meta: IpMeta,
    /// The identifier of the request.
    pub id: u16,
    /// The sequence number of the request.
    pub seq: u16,
    /// The data of the request.
    pub data: Cow<'p, [u8]>,
}

/// Whether trying again makes sense (RFC 1122 section 4.2.3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardness {
    /// It may pass.
    Soft,
    /// It will not.
    Hard,
}

/// Somebody tells that a packet of ours was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// What it means for the socket. [`Error::MessageTooLong`] comes with `mtu`.
    pub error: Error,
    /// Whether it is for good.
    pub hardness: Hardness,
    /// The largest packet that would have passed, in bytes, as it is claimed: to be given to
    /// [`Network::on_packet_too_big`](super::Network::on_packet_too_big) by whoever had sent the packet.
    pub mtu: Option<usize>,
    /// Who tells it.
    pub reporter: IpAddr,
    /// The packet: `source` is our address, `destination` the remote one.
    pub quote: Quote,
}

/// What came of a received packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkReceive<'p> {
    /// For the transport layer: TCP or UDP.
    Deliver(Delivery<'p>),
    /// For raw sockets first, which hear its protocol ([`Network::set_heard`](super::Network::set_heard)); then it is to be
    /// given back, to [`Network::receive_heard`](super::Network::receive_heard).
    Heard(Delivery<'p>),
    /// For the ping socket with this identifier.
    EchoReply(Echo<'p>),
    /// An echo request to a foreign address, for the socket that answers in its name.
    EchoRequest(Echo<'p>),
    /// For the socket that had sent the quoted packet.
    IcmpError(IcmpError),
    /// For the link ([`crate::link::Link::on_ndp`]).
    Ndp {
        /// Who sent it.
        source: Ipv6Addr,
        /// Which address it was sent to.
        destination: Ipv6Addr,
        /// The message, found valid.
        message: Ndp,
    },
    /// It was dealt with here: answered, forwarded, or kept until the other fragments are there.
    Consumed,
    /// It was refused.
    Dropped(DropReason),
}
