//! The host as its programs see it: the loopback interface is number 1, the first other one 2.

use sockeye::sockeye_core::link::Neighbor;
use sockeye::sockeye_core::network::Route;
use sockeye::sockeye_core::stack::SocketSnapshot;
use sockeye::{AnySocket, Cidr, Host, Instant, MacAddr};
use std::net::{IpAddr, Ipv4Addr};

/// The number of the interface that has `address`.
pub(crate) fn index_of(socket: &AnySocket, address: IpAddr) -> u32 {
    let address = address.to_canonical();
    if address.is_loopback() {
        return LOOPBACK;
    }
    let interfaces = socket.host().interfaces();
    let position = interfaces.iter().position(|interface| {
        interface.addresses.iter().any(|own| own.address() == address || own.contains(address))
    });
    position.map_or(2, |position| position as u32 + 2)
}

/// The number of the loopback interface.
pub(crate) const LOOPBACK: u32 = 1;

/// Packets that wait for a real interface at most, as Linux has it unless told otherwise (`DEFAULT_TX_QUEUE_LEN`). No
/// queue of ours has a length that programs could set, so they are told the usual one.
pub(crate) const QUEUE_LENGTH: u32 = 1000;

/// What carries an interface's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Loopback,
    Ethernet(MacAddr),
    /// Packets without frames, to one other end: a TUN interface.
    PointToPoint,
}

/// One interface at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) medium: Medium,
    pub(crate) mtu: u32,
    pub(crate) addresses: Vec<Cidr>,
    pub(crate) neighbors: Vec<Neighbor>,
}

/// What programs may ask about the host, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The loopback interface first.
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) routes: Vec<Route>,
    pub(crate) sockets: Vec<SocketSnapshot>,
    pub(crate) now: Instant,
}

impl View {
    pub(crate) fn of(host: &Host) -> View {
        let snapshot = host.snapshot();
        let interfaces = snapshot.interfaces.into_iter().map(|interface| Interface {
            index: u32::from(interface.id.0) + LOOPBACK,
            name: interface.name,
            medium: match interface.mac {
                _ if interface.id.0 == 0 => Medium::Loopback,
                Some(mac) => Medium::Ethernet(mac),
                None => Medium::PointToPoint,
            },
            mtu: u32::try_from(interface.mtu).unwrap_or(u32::MAX),
            addresses: interface.addresses,
            neighbors: interface.neighbors,
        });
        View {
            interfaces: interfaces.collect(),
            routes: snapshot.routes,
            sockets: snapshot.sockets,
            now: host.now(),
        }
    }

    pub(crate) fn by_index(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.index == index)
    }

    pub(crate) fn by_name(&self, name: &[u8]) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name.as_bytes() == name)
    }
}

impl Interface {
    /// `IFF_…`. Our interfaces are always up, and their cables plugged in.
    pub(crate) fn flags(&self) -> u32 {
        let own = match self.medium {
            Medium::Loopback => libc::IFF_LOOPBACK,
            Medium::Ethernet(_) => libc::IFF_BROADCAST | libc::IFF_MULTICAST,
            Medium::PointToPoint => libc::IFF_POINTOPOINT | libc::IFF_NOARP | libc::IFF_MULTICAST,
        };
        (own | libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOWER_UP) as u32
    }

    /// `ARPHRD_…`.
    pub(crate) fn hardware_type(&self) -> u16 {
        match self.medium {
            Medium::Loopback => libc::ARPHRD_LOOPBACK,
            Medium::Ethernet(_) => libc::ARPHRD_ETHER,
            Medium::PointToPoint => libc::ARPHRD_NONE,
        }
    }

    /// Its hardware address, and the one that means everybody.
    pub(crate) fn hardware_addresses(&self) -> Option<([u8; 6], [u8; 6])> {
        match self.medium {
            Medium::Loopback => Some(([0; 6], [0; 6])),
            Medium::Ethernet(mac) => Some((mac.0, [0xff; 6])),
            Medium::PointToPoint => None,
        }
    }

    /// Its IPv4 addresses, with their prefix lengths.
    pub(crate) fn v4(&self) -> impl Iterator<Item = (Ipv4Addr, Cidr)> {
        self.addresses.iter().filter_map(|own| match own.address() {
            IpAddr::V4(address) => Some((address, *own)),
            IpAddr::V6(_) => None,
        })
    }

    /// The address that means everybody in the network of `own`.
    pub(crate) fn broadcast(&self, own: &Cidr) -> Option<Ipv4Addr> {
        match self.medium {
            Medium::Ethernet(_) => own.broadcast(),
            _ => None,
        }
    }
}
