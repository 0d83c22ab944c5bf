//! The host's interfaces and its own addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::ip::Cidr;

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

/// Whose a destination address is, seen from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This host's.
    Local,
    /// Everybody's on the link.
    All,
    /// A group's.
    Group,
    /// Somebody else's.
    Other,
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) id: InterfaceId,
    pub(super) mtu: usize,
    pub(super) kind: InterfaceKind,
    pub(super) addresses: Vec<Cidr>,
}

/// All interfaces. What is asked for every packet is kept sorted.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// By number.
    all: Vec<Option<Interface>>,
    /// By the address as a number, IPv4 ones mapped.
    own: Vec<(u128, InterfaceId)>,
    broadcasts: Vec<(Ipv4Addr, InterfaceId)>,
    loopback: Option<InterfaceId>,
}

impl Interfaces {
    pub(super) fn add(&mut self, id: InterfaceId, mtu: usize, kind: InterfaceKind) {
        let index = usize::from(id.0);
        if self.all.len() <= index {
            self.all.resize_with(index + 1, || None);
        }
        if let Some(place) = self.all.get_mut(index) {
            let addresses = place.take().map_or_else(Vec::new, |old| old.addresses);
            *place = Some(Interface { id, mtu, kind, addresses });
        }
        let loopback =
            self.iter().find(|interface| interface.kind == InterfaceKind::Loopback).map(|found| found.id);
        self.loopback = loopback;
    }

    pub(super) fn get(&self, id: InterfaceId) -> Option<&Interface> {
        self.all.get(usize::from(id.0))?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.all.iter().flatten()
    }

    pub(super) fn is_loopback(&self, id: InterfaceId) -> bool {
        self.loopback == Some(id)
    }

    pub(super) fn loopback(&self) -> Option<&Interface> {
        self.get(self.loopback?)
    }

    /// Adds an address. Whether the interface exists and did not have it.
    pub(super) fn add_address(&mut self, id: InterfaceId, address: Cidr) -> bool {
        let Some(Some(interface)) = self.all.get_mut(usize::from(id.0)) else { return false };
        if interface.addresses.iter().any(|own| own.address() == address.address()) {
            return false;
        }
        interface.addresses.push(address);
        self.sort();
        true
    }

    /// Takes an address away, and says with which prefix it was there.
    pub(super) fn remove_address(&mut self, id: InterfaceId, address: IpAddr) -> Option<Cidr> {
        let interface = self.all.get_mut(usize::from(id.0))?.as_mut()?;
        let index = interface.addresses.iter().position(|own| own.address() == address)?;
        let removed = interface.addresses.remove(index);
        self.sort();
        Some(removed)
    }

    fn sort(&mut self) {
        let (mut own, mut broadcasts) = (Vec::new(), Vec::new());
        for interface in self.iter() {
            for cidr in &interface.addresses {
                own.push((number(cidr.address()), interface.id));
                if interface.kind == InterfaceKind::Link {
                    broadcasts.extend(cidr.broadcast().map(|address| (address, interface.id)));
                }
            }
        }
        own.sort_unstable();
        broadcasts.sort_unstable();
        (self.own, self.broadcasts) = (own, broadcasts);
    }

    /// Whether the address was given to an interface.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.owner(address).is_some()
    }

    /// Whether packets to the address never leave this host.
    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        is_loopback(address) || self.is_own(address)
    }

    /// The interface that has an address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<InterfaceId> {
        let address = number(address);
        let index = self.own.partition_point(|(own, _)| *own < address);
        self.own.get(index).filter(|(own, _)| *own == address).map(|(_, id)| *id)
    }

    /// The interface on whose subnet an address is the broadcast address.
    pub(super) fn broadcast(&self, address: Ipv4Addr) -> Option<InterfaceId> {
        let index = self.broadcasts.binary_search_by(|(broadcast, _)| broadcast.cmp(&address)).ok()?;
        self.broadcasts.get(index).map(|(_, id)| *id)
    }

    /// Whose address a packet that came by `from` was sent to.
    pub(super) fn whose(&self, from: InterfaceId, destination: IpAddr) -> Owner {
        if destination.is_multicast() {
            return Owner::Group;
        }
        if self.is_local(destination) {
            return Owner::Local;
        }
        match destination {
            IpAddr::V4(Ipv4Addr::BROADCAST) => Owner::All,
            IpAddr::V4(address) => {
                let is_here = |id: InterfaceId| id == from || self.is_loopback(from);
                if self.broadcast(address).is_some_and(is_here) { Owner::All } else { Owner::Other }
            }
            IpAddr::V6(_) => Owner::Other,
        }
    }

    /// The best own address for packets that leave by `id`, after RFC 6724: one of the same scope, then of the subnet
    /// of the next hop, then with the longest prefix in common. Where the interface has none, another's is lent.
    pub(super) fn source(&self, id: InterfaceId, destination: IpAddr, next_hop: IpAddr) -> Option<IpAddr> {
        let best = |interface: &Interface| {
            let suitable =
                interface.addresses.iter().filter(|own| own.address().is_ipv4() == destination.is_ipv4());
            // The first of equals wins.
            suitable.rev().max_by_key(|own| rank(own, destination, next_hop)).map(Cidr::address)
        };
        self.get(id)
            .and_then(best)
            .or_else(|| self.iter().filter(|interface| interface.kind == InterfaceKind::Link).find_map(best))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// How well an address suits as the source of packets to a destination.
fn rank(own: &Cidr, destination: IpAddr, next_hop: IpAddr) -> (bool, bool, u32) {
    let is_same_scope = is_link_local(own.address()) == is_link_local(destination);
    let common = match (own.address(), destination) {
        (IpAddr::V6(own), IpAddr::V6(destination)) => (own.to_bits() ^ destination.to_bits()).leading_zeros(),
        _ => 0,
    };
    (is_same_scope, own.contains(next_hop), common)
}

/// Whether the address is valid on one link only.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => is_link_scoped(address),
    }
}

/// A link-local address, or a group no wider than the link.
fn is_link_scoped(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || address.is_multicast() && address.octets()[1] & 0x0f <= 2
}

/// Whether the address is one that every host has for itself: 127.0.0.0/8 and ::1.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}
