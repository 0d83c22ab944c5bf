//! Multicast groups that datagram sockets listen to: `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP` and their opposites. And what
//! this host itself hears of the multicast and broadcast datagrams it sends.

use core::net::{IpAddr, SocketAddr};

use super::lower::{Carries, Message};
use super::{LOOPBACK, Stack};
use crate::error::Error;
use crate::link::Cast;
use crate::network::{Hop, InterfaceId, Path};
use crate::socket::{Body, Family, IpOptions, Kind, SocketId};
use crate::time::Instant;
use crate::transport::udp::Entry;

/// One socket listens to one group on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    socket: SocketId,
    interface: InterfaceId,
    group: IpAddr,
}

impl Stack {
    /// The most memberships of all sockets together.
    pub const MEMBERSHIP_LIMIT: usize = 1024;

    /// The socket begins to listen to a group: on `interface`, or on the first one with an address of its family. The
    /// membership ends with the socket.
    ///
    /// # Errors
    /// [`Error::AddressInUse`] if it listens already; [`Error::InvalidArgument`] for an address that is no group;
    /// [`Error::AddressNotAvailable`] without a suitable interface; [`Error::NoBuffers`] beyond
    /// [`Stack::MEMBERSHIP_LIMIT`]; [`Error::NotSupported`] on a stream socket; [`Error::UnknownOption`] for a group of
    /// IPv6 on a socket of IPv4.
    pub fn join(
        &mut self,
        _now: Instant,
        id: SocketId,
        interface: Option<InterfaceId>,
        group: IpAddr,
    ) -> Result<(), Error> {
        let membership = self.membership(id, interface, group)?;
        if self.memberships.contains(&membership) {
            return Err(Error::AddressInUse);
        }
        if self.memberships.len() >= Stack::MEMBERSHIP_LIMIT {
            return Err(Error::NoBuffers);
        }
        self.network.join(membership.interface, group)?;
        self.memberships.push(membership);
        Ok(())
    }

    /// Ends what [`Stack::join`] began.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] if the socket does not listen to the group there; as [`Stack::join`].
    pub fn leave(
        &mut self,
        _now: Instant,
        id: SocketId,
        interface: Option<InterfaceId>,
        group: IpAddr,
    ) -> Result<(), Error> {
        let membership = self.membership(id, interface, group)?;
        let place = self.memberships.iter().position(|known| *known == membership);
        self.memberships.swap_remove(place.ok_or(Error::AddressNotAvailable)?);
        self.network.leave(membership.interface, group)
    }

    /// The interface that has this address.
    pub fn interface_of(&self, address: IpAddr) -> Option<InterfaceId> {
        self.interface_ids().find(|id| self.network.addresses(*id).any(|own| own.address() == address))
    }

    /// The interface with this name, `lo` for the loopback interface.
    pub fn interface_named(&self, name: &str) -> Option<InterfaceId> {
        self.interface_ids().zip(&self.interfaces).find(|(_, entry)| entry.name == name).map(|(id, _)| id)
    }

    /// A socket is being closed.
    pub(super) fn leave_all(&mut self, id: SocketId) {
        while let Some(place) = self.memberships.iter().position(|membership| membership.socket == id) {
            let membership = self.memberships.swap_remove(place);
            // It was joined once for this entry: there is nothing that could be missing.
            let _ = self.network.leave(membership.interface, membership.group);
        }
    }

    /// Gives a datagram that leaves to the sockets of this host that hear it.
    pub(super) fn deliver_own_copy(&mut self, interface: InterfaceId, copy: &OwnCopy) {
        let group = copy.entry.local.ip();
        if copy.cast == Cast::Broadcast || self.network.is_member(interface, group) {
            // Where nobody hears it, nothing is lost: the datagram itself is on its way.
            let _ = self.deliver(Kind::Datagram, copy.cast, copy.entry, &copy.payload);
        }
    }

    fn membership(
        &self,
        id: SocketId,
        interface: Option<InterfaceId>,
        group: IpAddr,
    ) -> Result<Membership, Error> {
        if !matches!(self.held(id)?.body, Body::Datagram(_)) {
            return Err(Error::NotSupported);
        }
        if group.is_ipv6() && self.held(id)?.family == Family::V4 {
            return Err(Error::UnknownOption);
        }
        if !group.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        let suits = |id: &InterfaceId| {
            *id != LOOPBACK
                && self.network.addresses(*id).any(|own| own.address().is_ipv4() == group.is_ipv4())
        };
        let interface = match interface {
            Some(interface) => interface,
            None => self.interface_ids().find(suits).ok_or(Error::AddressNotAvailable)?,
        };
        Ok(Membership { socket: id, interface, group })
    }

    fn interface_ids(&self) -> impl Iterator<Item = InterfaceId> {
        // There are never more than 256.
        (0..self.interfaces.len()).filter_map(|index| u8::try_from(index).ok()).map(InterfaceId)
    }
}

/// A multicast or broadcast datagram as this host's own sockets get it.
pub(super) struct OwnCopy {
    cast: Cast,
    entry: Entry,
    payload: Vec<u8>,
}

/// Whom this host itself belongs to of those who hear what takes this path, where it is to hear that.
pub(super) fn own_cast(path: &Path, options: &IpOptions) -> Option<Cast> {
    match path.next_hop {
        Hop::Broadcast => Some(Cast::Broadcast),
        Hop::Multicast(_) if options.multicast_loop => Some(Cast::Multicast),
        _ => None,
    }
}

/// What this host itself hears of a datagram it sends: all broadcasts, and, where the sender wants it so, its own groups'.
pub(super) fn own_copy(
    message: &Message<'_>,
    path: &Path,
    options: &IpOptions,
    default_hop_limit: u8,
) -> Option<OwnCopy> {
    let cast = own_cast(path, options)?;
    if message.carries != Carries::Datagram {
        return None;
    }
    let payload = message.payload.concat();
    let entry = Entry {
        peer: SocketAddr::new(path.source, message.local.port()),
        local: message.remote,
        length: payload.len(),
        mark: 0,
        hop_limit: Some(options.hop_limit_to(message.remote.ip()).unwrap_or(default_hop_limit)),
        traffic_class: Some(options.traffic_class),
    };
    Some(OwnCopy { cast, entry, payload })
}
