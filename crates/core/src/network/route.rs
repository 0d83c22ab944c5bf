//! Which way a packet goes: routes, the longest prefix first.
//!
//! A table has one level for each prefix length in use; in a level the routes are found by binary search. So a lookup
//! costs a few comparisons for each length, however many routes there are.

use core::net::IpAddr;

use super::interface::{self, InterfaceKind};
use super::{Fragmentation, Hop, InterfaceId, Network, Path, RouteAttributes};
use crate::error::Error;
use crate::wire::ip::Cidr;

/// A way to a block of addresses.
///
/// ```
/// use sockeye_core::network::{InterfaceId, Route};
/// let default = Route {
///     destination: "0.0.0.0/0".parse().unwrap(),
///     gateway: Some("10.0.0.1".parse().unwrap()),
///     interface: InterfaceId(1),
///     metric: 0,
/// };
/// assert_eq!(default.to_string(), "0.0.0.0/0 via 10.0.0.1 dev 1 metric 0");
/// ```
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

impl core::fmt::Display for Route {
    /// In the words of `ip route`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.destination)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " dev {} metric {}", self.interface.0, self.metric)
    }
}

/// Routes of one family with the same prefix length.
#[derive(Debug)]
struct Level {
    prefix: u8,
    mask: u128,
    /// By masked address, then metric, then age.
    routes: Vec<(u128, Route, RouteAttributes)>,
}

/// The routes of a host.
#[derive(Debug, Default)]
pub(super) struct Routes {
    v4: Vec<Level>,
    v6: Vec<Level>,
}

/// An address as a number, and the bits in it.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl Routes {
    /// Adds a route; one that is there already is left as it is.
    pub(super) fn add(&mut self, route: Route) {
        let route = Route { destination: route.destination.network(), ..route };
        let (prefix, (number, width)) = (route.destination.prefix(), bits(route.destination.address()));
        let levels = if route.destination.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let index = levels.partition_point(|level| level.prefix > prefix);
        if levels.get(index).is_none_or(|level| level.prefix != prefix) {
            let mask = u128::MAX.checked_shl(u32::from(width.saturating_sub(prefix))).unwrap_or(0);
            levels.insert(index, Level { prefix, mask, routes: Vec::new() });
        }
        let Some(level) = levels.get_mut(index) else { return };
        let end =
            level.routes.partition_point(|(other, held, _)| (*other, held.metric) <= (number, route.metric));
        if !level
            .routes
            .iter()
            .take(end)
            .rev()
            .take_while(|(other, ..)| *other == number)
            .any(|(_, held, _)| *held == route)
        {
            level.routes.insert(end, (number, route, RouteAttributes::default()));
        }
    }

    /// Takes a route away. Whether it was there.
    pub(super) fn remove(&mut self, route: &Route) -> bool {
        let route = Route { destination: route.destination.network(), ..*route };
        let levels = if route.destination.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let Some(index) = levels.iter().position(|level| level.prefix == route.destination.prefix()) else {
            return false;
        };
        let Some(level) = levels.get_mut(index) else { return false };
        let Some(found) = level.routes.iter().position(|(_, held, _)| *held == route) else { return false };
        level.routes.remove(found);
        if level.routes.is_empty() {
            levels.remove(index);
        }
        true
    }

    /// The best route to a destination, by one interface where that is asked for.
    pub(super) fn find(
        &self,
        destination: IpAddr,
        interface: Option<InterfaceId>,
    ) -> Option<(&Route, &RouteAttributes)> {
        let (number, _) = bits(destination);
        let levels = if destination.is_ipv4() { &self.v4 } else { &self.v6 };
        levels.iter().find_map(|level| {
            let masked = number & level.mask;
            let first = level.routes.partition_point(|(held, ..)| *held < masked);
            let same = level.routes.get(first..)?.iter().take_while(|(held, ..)| *held == masked);
            same.map(|(_, route, attributes)| (route, attributes))
                .find(|(route, _)| interface.is_none_or(|id| id == route.interface))
        })
    }

    /// Gives a route attributes. Whether it was there.
    pub(super) fn set_attributes(&mut self, route: &Route, attributes: RouteAttributes) -> bool {
        let route = Route { destination: route.destination.network(), ..*route };
        let levels = if route.destination.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let mut held = levels.iter_mut().flat_map(|level| level.routes.iter_mut());
        match held.find(|(_, held, _)| *held == route) {
            Some((_, _, slot)) => {
                *slot = attributes;
                true
            }
            None => false,
        }
    }

    /// The attributes of a route.
    pub(super) fn attributes(&self, route: &Route) -> Option<RouteAttributes> {
        let route = Route { destination: route.destination.network(), ..*route };
        let levels = if route.destination.address().is_ipv4() { &self.v4 } else { &self.v6 };
        let mut held = levels.iter().flat_map(|level| level.routes.iter());
        held.find(|(_, held, _)| *held == route).map(|(_, _, attributes)| *attributes)
    }

    /// All routes, the longest prefix first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.v4.iter().chain(&self.v6).flat_map(|level| level.routes.iter().map(|(_, route, _)| route))
    }
}

impl Network {
    /// Adds a route.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown interface, or a gateway of the other family or that is this host.
    pub fn add_route(&mut self, route: Route) -> Result<(), Error> {
        let is_possible = |gateway: IpAddr| {
            gateway.is_ipv4() == route.destination.address().is_ipv4()
                && !gateway.is_unspecified()
                && !gateway.is_multicast()
                && !self.is_local(gateway)
        };
        if self.interfaces.get(route.interface).is_none() || !route.gateway.is_none_or(is_possible) {
            return Err(Error::InvalidArgument);
        }
        self.routes.add(route);
        Ok(())
    }

    /// Takes a route away. Whether it was there.
    pub fn remove_route(&mut self, route: &Route) -> bool {
        self.routes.remove(route)
    }

    /// All routes, those of the interfaces' own subnets included.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The way to a destination: the longest prefix, then the lowest metric. With `interface` only routes by it count.
    /// A `source` asked for is used as it is.
    ///
    /// # Errors
    /// [`Error::NetworkUnreachable`] without a route; [`Error::AddressNotAvailable`] when no own address suits;
    /// [`Error::InvalidArgument`] for a source of the other family, or a loopback source of packets that leave.
    pub fn route(
        &self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: Option<InterfaceId>,
    ) -> Result<Path, Error> {
        if source.is_some_and(|source| source.is_ipv4() != destination.is_ipv4()) {
            return Err(Error::InvalidArgument);
        }
        if self.is_local(destination) {
            return Ok(self.local_path(destination, source));
        }
        if source.is_some_and(interface::is_loopback) {
            return Err(Error::InvalidArgument);
        }
        if destination.is_unspecified() {
            return Err(Error::NetworkUnreachable);
        }
        // A link-local source belongs to one link.
        let interface = interface.or_else(|| {
            source
                .filter(|source| interface::is_link_local(*source))
                .and_then(|own| self.interfaces.owner(own))
        });
        let mut attributes = RouteAttributes::default();
        let (id, next_hop, neighbor) = match destination {
            IpAddr::V4(address) if address.is_broadcast() => {
                (self.link_for(destination, source, interface)?, Hop::Broadcast, destination)
            }
            _ if destination.is_multicast() => {
                (self.link_for(destination, source, interface)?, Hop::Multicast(destination), destination)
            }
            IpAddr::V4(address) if let Some(id) = self.interfaces.broadcast(address) => {
                (id, Hop::Broadcast, destination)
            }
            _ => {
                let found = self.routes.find(destination, interface);
                let (route, held) = found.ok_or(Error::NetworkUnreachable)?;
                attributes = *held;
                let neighbor = route.gateway.unwrap_or(destination);
                (route.interface, Hop::Unicast(neighbor), neighbor)
            }
        };
        let link = self.interfaces.get(id).ok_or(Error::NetworkUnreachable)?;
        let source = match source.or_else(|| self.interfaces.source(id, destination, neighbor)) {
            Some(source) => source,
            // A host without address asks for one this way (RFC 2131).
            None if next_hop == Hop::Broadcast => IpAddr::from([0; 4]),
            None => return Err(Error::AddressNotAvailable),
        };
        let known = match next_hop {
            Hop::Unicast(_) if !attributes.mtu_is_locked => self.path_mtus.get(destination),
            _ => None,
        };
        let most = attributes.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu));
        let mtu = known.map_or(most, |known| known.mtu.min(most));
        let fragmentation = match known {
            Some(known) => known.fragmentation,
            None if attributes.mtu_is_locked => Fragmentation::Allowed,
            None => Fragmentation::Forbidden,
        };
        Ok(Path { interface: id, source, next_hop, mtu, fragmentation, attributes })
    }

    /// From this host to itself.
    fn local_path(&self, destination: IpAddr, source: Option<IpAddr>) -> Path {
        let loopback = self.interfaces.loopback();
        let own =
            if self.interfaces.is_own(destination) { destination } else { IpAddr::from([127, 0, 0, 1]) };
        Path {
            interface: loopback.map_or(InterfaceId(0), |interface| interface.id),
            source: source.unwrap_or(own),
            next_hop: Hop::Local,
            mtu: loopback.map_or(Network::LOOPBACK_MTU, |interface| interface.mtu),
            fragmentation: Fragmentation::Forbidden,
            attributes: RouteAttributes::default(),
        }
    }

    /// The interface for packets to all or to a group: the one asked for, that of the source, that of the route there,
    /// or else the first.
    fn link_for(
        &self,
        destination: IpAddr,
        source: Option<IpAddr>,
        interface: Option<InterfaceId>,
    ) -> Result<InterfaceId, Error> {
        interface
            .or_else(|| self.interfaces.owner(source?))
            .or_else(|| self.routes.find(destination, None).map(|(route, _)| route.interface))
            .or_else(|| {
                let mut links =
                    self.interfaces.iter().filter(|interface| interface.kind == InterfaceKind::Link);
                links.next().map(|interface| interface.id)
            })
            .ok_or(Error::NetworkUnreachable)
    }
}
