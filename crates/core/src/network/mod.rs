//! The network layer: whose packet is this, and which way does that one go. It knows no ports.
//!
//! [`Network::receive`] decides about a packet from a link: TCP and UDP go up as a [`Delivery`]; ICMP, fragments and
//! packets for others end here. On the way down [`Network::route`] finds the [`Path`], [`Network::prepend`] writes the
//! header, and [`Network::fragment`] cuts what is too large. Whatever the layer sends by itself (echo replies, ICMP
//! errors, fragments, forwarded packets, membership reports) leaves by [`Network::poll_transmit`].

use core::net::{IpAddr, Ipv6Addr};
use std::borrow::Cow;

use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::time::Instant;
use crate::wire::checksum::ChecksumCheck;
use crate::wire::headers::Headers;
use crate::wire::ip::{Cidr, Protocol};
use crate::wire::ndp::Ndp;
use crate::wire::quote::Quote;

pub use crate::wire::cast::Cast;
pub use crate::wire::offload::{Offload, PartialChecksum};

/// Number of an interface of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u8);

/// What an interface leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// Back to this host.
    Loopback,
    /// To a link.
    Link,
}

/// Whether packets for others are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// The host is no router.
    Off,
    /// The host is a router.
    On,
}

/// How the layer behaves, and its limits.
#[derive(Clone, Copy, Debug)]
pub struct NetworkConfig {
    /// Whether the host is a router.
    pub forwarding: Forwarding,
    /// TTL or hop limit of packets whose sender does not say.
    pub hop_limit: u8,
    /// Where its secrets come from.
    pub seed: u64,
    /// The most bytes kept for fragments that are not whole yet.
    pub reassembly_bytes: usize,
    /// The most of them from one source address.
    pub reassembly_bytes_per_source: usize,
    /// ICMP errors a second, on average.
    pub icmp_errors_per_second: u32,
    /// ICMP errors at once.
    pub icmp_error_burst: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            forwarding: Forwarding::Off,
            hop_limit: 64,
            seed: 0,
            reassembly_bytes: 4 << 20,
            reassembly_bytes_per_source: 1 << 20,
            icmp_errors_per_second: 1000,
            icmp_error_burst: 100,
        }
    }
}

/// A way to a block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The block; bits behind its prefix do not count.
    pub destination: Cidr,
    /// The router to hand packets to; `None` where the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The interface that leads there.
    pub interface: InterfaceId,
    /// Among routes of the same length the lowest wins.
    pub metric: u32,
}

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// Back to this host: it never touches a link.
    Local,
    /// To the neighbour with this address.
    Unicast(IpAddr),
    /// To all on the link.
    Broadcast,
    /// To a group on the link.
    Multicast(IpAddr),
}

/// The way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The interface it leaves by; with [`Hop::Local`], the one it comes back from.
    pub interface: InterfaceId,
    /// The source address to use: the one asked for, or the best of ours (in the spirit of RFC 6724).
    pub source: IpAddr,
    /// Who gets it next.
    pub next_hop: Hop,
    /// The largest packet known to get through, in bytes.
    pub mtu: usize,
}

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
    packet: Cow<'p, [u8]>,
    payload_start: usize,
}

impl Delivery<'_> {
    /// What stands behind the IP header and its extensions.
    pub fn payload(&self) -> &[u8] {
        self.packet.get(self.payload_start..).unwrap_or_default()
    }

    /// The whole packet, for [`Network::icmp_error`].
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }
}

/// The answer to an echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo<'p> {
    /// Who answered, and how the answer came.
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
    /// The largest packet that would have passed, in bytes: the path's MTU as it is now known here.
    pub mtu: Option<usize>,
    /// Who tells it.
    pub reporter: IpAddr,
    /// The packet: `source` is our address, `destination` the remote one.
    pub quote: Quote,
}

/// Why a packet is answered with an ICMP error, for [`Network::icmp_error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// No socket on the port.
    Port,
    /// The host does not answer ARP or NDP.
    Host,
    /// No route.
    Network,
    /// Forbidden.
    Prohibited,
}

/// What came of a received packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkReceive<'p> {
    /// For the transport layer: TCP or UDP.
    Deliver(Delivery<'p>),
    /// For the ping socket with this identifier.
    EchoReply(Echo<'p>),
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

/// Whether a packet may be cut on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmentation {
    /// It may.
    Allowed,
    /// It must not: the sender wants to learn the path's MTU.
    Forbidden,
}

/// A packet to be sent, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Our address.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// TTL or hop limit; `None`: [`NetworkConfig::hop_limit`], and one for multicast.
    pub hop_limit: Option<u8>,
    /// DSCP (upper six bits) and ECN (lower two).
    pub traffic_class: u8,
    /// Whether it may be cut.
    pub fragmentation: Fragmentation,
    /// Bytes behind the IP header.
    pub payload_length: usize,
}

/// A packet that the network layer sends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutPacket {
    /// Its way.
    pub path: Path,
    /// The whole packet.
    pub bytes: Vec<u8>,
    /// What is left to the device: only forwarded packets leave something to it.
    pub offload: Offload,
}

/// One host's network layer.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
}

impl Network {
    /// A host without interfaces.
    pub fn new(config: NetworkConfig) -> Network {
        Network { config }
    }

    /// TTL or hop limit of packets whose sender does not say.
    pub fn hop_limit(&self) -> u8 {
        self.config.hop_limit
    }

    /// Adds an interface (or sets its MTU, in bytes, anew).
    pub fn add_interface(&mut self, id: InterfaceId, mtu: usize, kind: InterfaceKind) {
        let _ = (id, mtu, kind);
    }

    /// Gives an interface an address; its subnet is a route from then on.
    pub fn add_address(&mut self, interface: InterfaceId, address: Cidr) {
        let _ = (interface, address);
    }

    /// Takes an address and its subnet's route away. Whether it was there.
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        let _ = (interface, address);
        false
    }

    /// The addresses of an interface, the first given first.
    pub fn addresses(&self, interface: InterfaceId) -> impl Iterator<Item = Cidr> {
        let _ = interface;
        core::iter::empty()
    }

    /// Whether the address is this host's own (127.0.0.0/8 included).
    pub fn is_local(&self, address: IpAddr) -> bool {
        let _ = address;
        false
    }

    /// Whether packets to the address can arrive here: own, broadcast and multicast addresses.
    pub fn is_receivable(&self, address: IpAddr) -> bool {
        let _ = address;
        false
    }

    /// Adds a route.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown interface, or a gateway of the other family or that is this host.
    pub fn add_route(&mut self, route: Route) -> Result<(), Error> {
        let _ = route;
        Ok(())
    }

    /// Takes a route away. Whether it was there.
    pub fn remove_route(&mut self, route: &Route) -> bool {
        let _ = route;
        false
    }

    /// All routes, those of the interfaces' own subnets included.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        core::iter::empty()
    }

    /// The way to a destination: the longest prefix, then the lowest metric. With `interface` only routes by it count.
    ///
    /// # Errors
    /// [`Error::NetworkUnreachable`] without a route; [`Error::AddressNotAvailable`] when no own address suits.
    pub fn route(
        &self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: Option<InterfaceId>,
    ) -> Result<Path, Error> {
        let _ = (destination, source, interface);
        Err(Error::NetworkUnreachable)
    }

    /// A packet has arrived.
    pub fn receive<'p>(&mut self, now: Instant, arrival: &Arrival, packet: &'p [u8]) -> NetworkReceive<'p> {
        let _ = (now, arrival, packet);
        NetworkReceive::Consumed
    }

    /// Bytes of the header that [`Network::prepend`] will write.
    pub fn header_length(&self, send: &Send) -> usize {
        if send.destination.is_ipv4() { 20 } else { 40 }
    }

    /// Writes the IP header in front of what stands in `headers`.
    pub fn prepend(&mut self, headers: &mut Headers, send: &Send) {
        let _ = (headers, send);
    }

    /// Cuts a packet larger than the path's MTU: the fragments are polled. `headers` holds the transport header.
    ///
    /// # Errors
    /// [`DropReason::PacketTooBig`] where cutting is forbidden or impossible; [`DropReason::QueueFull`].
    pub fn fragment(
        &mut self,
        headers: &Headers,
        payload: [&[u8]; 2],
        send: &Send,
        path: &Path,
    ) -> Result<(), DropReason> {
        let _ = (headers, payload, send, path);
        Ok(())
    }

    /// Answers a received packet with an ICMP error, where RFC 1122 section 3.2.2 and RFC 4443 section 2.4 allow it.
    ///
    /// # Errors
    /// [`DropReason::RateLimited`]; [`DropReason::IgnoredIcmp`] where no answer is allowed; [`DropReason::QueueFull`].
    pub fn icmp_error(
        &mut self,
        now: Instant,
        kind: Unreachable,
        packet: &[u8],
        cast: Cast,
    ) -> Result<(), DropReason> {
        let _ = (now, kind, packet, cast);
        Ok(())
    }

    /// A packet whose next hop never answered ([`crate::link::LinkEvent::Unreachable`]). Where this host had sent it,
    /// the error for its socket; where it was forwarded, its sender is told, and there is `None`.
    pub fn on_undeliverable(&mut self, now: Instant, packet: &[u8]) -> Option<IcmpError> {
        let _ = (now, packet);
        None
    }

    /// The next packet that the network layer sends by itself.
    pub fn poll_transmit(&mut self) -> Option<OutPacket> {
        None
    }

    /// Gives the bytes of an [`OutPacket`] back to be used again.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        let _ = bytes;
    }

    /// When [`Network::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Lets everything happen that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// A router on the way to `destination` carries packets of at most `mtu` bytes.
    pub fn on_packet_too_big(&mut self, now: Instant, destination: IpAddr, mtu: usize) {
        let _ = (now, destination, mtu);
    }

    /// The largest packet known to reach `destination`, in bytes, if a router has said so.
    pub fn path_mtu(&self, destination: IpAddr) -> Option<usize> {
        let _ = destination;
        None
    }

    /// Begins to listen to a group on an interface. Each `join` needs its own `leave`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an address that is no group, or an unknown interface; [`Error::NoBuffers`].
    pub fn join(&mut self, now: Instant, interface: InterfaceId, group: IpAddr) -> Result<(), Error> {
        let _ = (now, interface, group);
        Ok(())
    }

    /// Ends what one `join` began.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] where the group was not joined.
    pub fn leave(&mut self, now: Instant, interface: InterfaceId, group: IpAddr) -> Result<(), Error> {
        let _ = (now, interface, group);
        Ok(())
    }

    /// Whether the interface listens to a group.
    pub fn is_member(&self, interface: InterfaceId, group: IpAddr) -> bool {
        let _ = (interface, group);
        false
    }

    /// Bytes kept for fragments that are not whole yet.
    pub fn reassembly_bytes(&self) -> usize {
        0
    }
}
