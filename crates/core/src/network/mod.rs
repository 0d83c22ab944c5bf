//! The network layer: whose packet is this, and which way does that one go. It knows no ports.
//!
//! [`Network::receive`] decides about a packet from a link: TCP and UDP go up as a [`Delivery`]; ICMP, fragments and
//! packets for others end here. On the way down [`Network::route`] finds the [`Path`], [`Network::prepend`] writes the
//! header, and [`Network::fragment`] cuts what is too large. Whatever the layer sends by itself (echo replies, ICMP
//! errors, fragments, forwarded packets, membership reports) leaves by [`Network::poll_transmit`].

mod attributes;
mod delivery;
mod foreign;
mod forward;
mod heard;
mod icmp;
mod icmp_error;
mod interface;
mod ipv4;
mod ipv6;
mod limiter;
mod multicast;
mod outbox;
mod path_mtu;
mod reassembly;
mod route;
mod send;

use core::net::{IpAddr, Ipv4Addr};

use crate::drop_reason::DropReason;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::ip::Cidr;
use crate::wire::ipv6::Ipv6Header;

pub use crate::wire::cast::Cast;
pub use crate::wire::offload::{Offload, PartialChecksum};
pub use attributes::RouteAttributes;
pub use delivery::{Arrival, ArrivalChecksum, Delivery, Echo, Hardness, IcmpError, IpMeta, NetworkReceive};
pub use foreign::ForeignAddresses;
pub use heard::Audience;
pub use icmp_error::Unreachable;
pub use interface::{InterfaceId, InterfaceKind};
pub use outbox::OutPacket;
pub use route::Route;
pub use send::{Fragmentation, Send};

use heard::Heard;
use icmp_error::Problem;
use interface::Interfaces;
use limiter::Limiter;
use multicast::Groups;
use outbox::Outbox;
use path_mtu::PathMtus;
use reassembly::Reassembly;
use route::Routes;
use send::Identifications;

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
    /// Whether packets to foreign addresses are taken.
    pub foreign: ForeignAddresses,
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
            foreign: ForeignAddresses::Refuse,
            hop_limit: 64,
            seed: 0,
            reassembly_bytes: 4 << 20,
            reassembly_bytes_per_source: 1 << 20,
            icmp_errors_per_second: 1000,
            icmp_error_burst: 100,
        }
    }
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
    /// Whether routers shall be allowed to cut a packet of that size: only where one of them claims to carry so little
    /// that it is not believed. Meant for TCP; datagrams may always be cut.
    pub fragmentation: Fragmentation,
    /// What the route says of connections.
    pub attributes: RouteAttributes,
}

/// One host's network layer.
///
/// ```
/// use sockeye_core::network::{Arrival, Hop, InterfaceId, InterfaceKind, Network, NetworkConfig, NetworkReceive, Route};
/// use sockeye_core::time::Instant;
/// use sockeye_core::wire::{Headers, LinkType, Protocol, describe, icmpv4::Icmpv4, ipv4::Ipv4Header};
///
/// let eth = InterfaceId(0);
/// let mut network = Network::new(NetworkConfig::default());
/// network.add_interface(eth, 1500, InterfaceKind::Link);
/// network.add_address(eth, "10.0.0.2/24".parse().unwrap());
/// network.add_route(Route {
///     destination: "0.0.0.0/0".parse().unwrap(),
///     gateway: Some("10.0.0.1".parse().unwrap()),
///     interface: eth,
///     metric: 0,
/// }).unwrap();
///
/// let path = network.route("192.0.2.1".parse().unwrap(), None, None).unwrap();
/// assert_eq!(path.next_hop, Hop::Unicast("10.0.0.1".parse().unwrap()));
/// assert_eq!(path.source.to_string(), "10.0.0.2");
///
/// // Somebody pings; the answer is polled.
/// let mut ping = Headers::new();
/// Icmpv4::EchoRequest { id: 1, seq: 1 }.prepend(&mut ping, b"");
/// let (from, to) = ("192.0.2.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
/// Ipv4Header { payload_length: 8, ..Ipv4Header::new(from, to, Protocol::Icmp) }.prepend(&mut ping);
/// let outcome = network.receive(Instant::ZERO, &Arrival::new(eth), ping.as_slice());
/// assert_eq!(outcome, NetworkReceive::Consumed);
/// let pong = network.poll_transmit().unwrap();
/// let line = describe(&pong.bytes, LinkType::Ip).to_string();
/// assert!(line.contains("10.0.0.2 > 192.0.2.1: ICMP echo reply, id 1, seq 1"), "{line}");
/// ```
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    interfaces: Interfaces,
    routes: Routes,
    path_mtus: PathMtus,
    groups: Groups,
    reassembly: Reassembly,
    identifications: Identifications,
    heard: Heard,
    limiter: Limiter,
    outbox: Outbox,
}

impl Network {
    /// The MTU of a host's way to itself, should it have no loopback interface.
    const LOOPBACK_MTU: usize = 65_536;

    /// A host without interfaces.
    pub fn new(config: NetworkConfig) -> Network {
        let secret = |purpose: &[u8; 8]| SecretState::new(config.seed, u64::from_be_bytes(*purpose));
        Network {
            interfaces: Interfaces::default(),
            routes: Routes::default(),
            path_mtus: PathMtus::new(secret(b"path mtu")),
            groups: Groups::new(secret(b"groups  ")),
            reassembly: Reassembly::new(
                secret(b"fragment"),
                config.reassembly_bytes,
                config.reassembly_bytes_per_source,
            ),
            identifications: Identifications::new(secret(b"identity")),
            heard: Heard::default(),
            limiter: Limiter::new(
                config.icmp_errors_per_second,
                config.icmp_error_burst,
                secret(b"limiter "),
            ),
            outbox: Outbox::default(),
            config,
        }
    }

    /// TTL or hop limit of packets whose sender does not say.
    pub fn hop_limit(&self) -> u8 {
        self.config.hop_limit
    }

    /// Adds an interface, or sets its MTU, in bytes, anew.
    pub fn add_interface(&mut self, id: InterfaceId, mtu: usize, kind: InterfaceKind) {
        self.interfaces.add(id, mtu, kind);
    }

    /// Gives an interface an address; its subnet is a route from then on, and the group in which its owner is looked
    /// for is listened to.
    pub fn add_address(&mut self, interface: InterfaceId, address: Cidr) {
        if !self.interfaces.add_address(interface, address) || self.interfaces.is_loopback(interface) {
            return;
        }
        self.routes.add(connected(interface, address));
        if let IpAddr::V6(own) = address.address() {
            // Full only where a thousand groups are joined: then neighbours find us by their own caches at best.
            let _ = self.join(interface, Ipv6Header::solicited_node(own).into());
        }
    }

    /// Takes an address and its subnet's route away. Whether it was there.
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        let Some(removed) = self.interfaces.remove_address(interface, address) else { return false };
        if !self.addresses(interface).any(|other| other.network() == removed.network()) {
            self.routes.remove(&connected(interface, removed));
        }
        if let IpAddr::V6(own) = address
            && !self.interfaces.is_loopback(interface)
        {
            let _ = self.leave(interface, Ipv6Header::solicited_node(own).into());
        }
        true
    }

    /// The addresses of an interface, the first given first.
    pub fn addresses(&self, interface: InterfaceId) -> impl Iterator<Item = Cidr> {
        self.interfaces.get(interface).into_iter().flat_map(|interface| interface.addresses.iter().copied())
    }

    /// Whether the address is this host's own (127.0.0.0/8 and ::1 included).
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.interfaces.is_local(address)
    }

    /// Whether packets to the address can arrive here: own, broadcast and multicast addresses.
    pub fn is_receivable(&self, address: IpAddr) -> bool {
        let is_broadcast =
            |address: Ipv4Addr| address.is_broadcast() || self.interfaces.broadcast(address).is_some();
        self.is_local(address)
            || address.is_multicast()
            || matches!(address, IpAddr::V4(address) if is_broadcast(address))
    }

    /// A packet has arrived.
    pub fn receive<'p>(&mut self, now: Instant, arrival: &Arrival, packet: &'p [u8]) -> NetworkReceive<'p> {
        let outcome = match packet.first().map(|byte| byte >> 4) {
            Some(4) => self.receive_v4(now, arrival, packet),
            Some(6) => self.receive_v6(now, arrival, packet),
            _ => Err(DropReason::Malformed),
        };
        outcome.unwrap_or_else(NetworkReceive::Dropped)
    }

    /// The next packet that the network layer sends by itself.
    pub fn poll_transmit(&mut self) -> Option<OutPacket> {
        self.outbox.pop()
    }

    /// Gives the bytes of an [`OutPacket`] back to be used again.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        self.outbox.recycle(bytes);
    }

    /// When [`Network::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.reassembly.next_due(), self.path_mtus.next_due(), self.groups.next_due()];
        due.into_iter().flatten().min()
    }

    /// Lets everything happen that is due. Calling it early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.path_mtus.expire(now);
        self.report_memberships(now);
        while let Some(expired) = self.reassembly.pop_expired(now) {
            if let Some(first) = expired.first {
                // RFC 792, RFC 8200 section 4.5: only if the first fragment had come. It may be over the rate limit.
                let _ = self.report(now, Problem::Reassembly, &first, expired.cast);
            }
        }
    }

    /// Bytes kept for fragments that are not whole yet.
    pub fn reassembly_bytes(&self) -> usize {
        self.reassembly.bytes()
    }
}

/// The route to the subnet of an address.
fn connected(interface: InterfaceId, address: Cidr) -> Route {
    Route { destination: address.network(), gateway: None, interface, metric: 0 }
}

#[cfg(test)]
mod tests;
