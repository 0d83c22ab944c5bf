//! Addresses that are none of this host's, for which it takes packets and in whose name it answers ("AnyIP"): a gateway
//! that ends connections itself instead of passing packets on.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Arrival, Forwarding, IpMeta, Network};

/// Whether packets to addresses that are none of the host's own are taken for its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignAddresses {
    /// They are passed on by a router, and dropped by any other host.
    Refuse,
    /// Those that are not passed on go to the sockets that ask for them, and to nobody else.
    Take,
}

impl Network {
    /// Whether packets to foreign addresses are taken at all.
    pub fn takes_foreign(&self) -> bool {
        self.config.foreign == ForeignAddresses::Take
    }

    /// Whether this packet to somebody else is taken. A router first passes on what it knows a way for.
    pub(super) fn takes(&self, arrival: &Arrival, destination: IpAddr) -> bool {
        let is_passed_on = || self.config.forwarding == Forwarding::On && self.way_out(destination).is_some();
        self.takes_foreign()
            && arrival.cast.is_unicast()
            && !self.interfaces.is_loopback(arrival.interface)
            && is_somebody(destination)
            && !is_passed_on()
    }

    /// Whether a delivered packet is for an address that is none of ours.
    pub(super) fn is_foreign(&self, meta: &IpMeta) -> bool {
        meta.is_unicast() && !self.is_local(meta.destination)
    }

    /// Whether packets may leave in the name of an address: an own one, or a foreign one where those are taken.
    pub fn speaks_for(&self, address: IpAddr) -> bool {
        self.is_local(address) || self.takes_foreign() && is_somebody(address) && !self.is_receivable(address)
    }
}

/// Whether an address can be one host's, reached by way of this one.
fn is_somebody(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_somebody_v4(address),
        IpAddr::V6(address) => is_somebody_v6(address),
    }
}

/// Link-local addresses are not left out: hosts do ask a gateway for them, and shall get an answer.
fn is_somebody_v4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

fn is_somebody_v6(address: Ipv6Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some())
}
