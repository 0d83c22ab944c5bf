//! Addresses: `RTM_GETADDR` (`include/uapi/linux/if_addr.h`).

use super::answer::Wish;
use super::message::{Message, u32_at};
use crate::interface::{Interface, View};
use sockeye::Cidr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `INFINITY_LIFE_TIME`: ours were given, and stay.
const FOR_EVER: u32 = u32::MAX;

/// How far an address is good for (`RT_SCOPE_…`).
pub(super) fn scope(address: IpAddr) -> u8 {
    let is_of_the_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match address {
        _ if address.is_loopback() => libc::RT_SCOPE_HOST,
        _ if is_of_the_link => libc::RT_SCOPE_LINK,
        _ => libc::RT_SCOPE_UNIVERSE,
    }
}

/// The bytes of an address, in the network's order.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The address that these bytes are.
pub(super) fn from_octets(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// `AF_INET` or `AF_INET6`.
pub(super) fn family(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// The address that names none, of the same family as `address`.
pub(super) fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn encode(interface: &Interface, own: &Cidr) -> Message {
    let address = own.address();
    let flags = libc::IFA_F_PERMANENT;
    let mut fixed = vec![family(address) as u8, own.prefix(), flags as u8, scope(address)];
    fixed.extend(interface.index.to_ne_bytes());
    let mut message = Message::new(libc::RTM_NEWADDR, &fixed);
    // Of an interface with one other end, IFA_ADDRESS would be that; ours do not know it. The kernel names an IPv6
    // address without other end once.
    message.attribute(libc::IFA_ADDRESS, &octets(address));
    if address.is_ipv4() {
        message.attribute(libc::IFA_LOCAL, &octets(address));
        if let Some(broadcast) = interface.broadcast(own) {
            message.attribute(libc::IFA_BROADCAST, &broadcast.octets());
        }
        message.string(libc::IFA_LABEL, &interface.name);
    }
    let lifetimes = [FOR_EVER, FOR_EVER, 0, 0].map(u32::to_ne_bytes).concat();
    message.attribute(libc::IFA_CACHEINFO, &lifetimes);
    message.number(IFA_FLAGS, flags);
    message
}

/// `IFA_FLAGS`.
const IFA_FLAGS: u16 = 8;

/// All addresses, those of IPv4 first; of one interface only, where a program that is strict asks for it.
pub(super) fn all(view: &View, wish: &Wish<'_>) -> Vec<Message> {
    let only = Some(u32_at(wish.request.payload, 4)).filter(|index| wish.is_strict && *index != 0);
    let mut messages = Vec::new();
    for wanted in wish.families() {
        for interface in &view.interfaces {
            if only.is_some_and(|index| index != interface.index) {
                continue;
            }
            let own = interface.addresses.iter().filter(|own| family(own.address()) == wanted);
            messages.extend(own.map(|own| encode(interface, own)));
        }
    }
    messages
}
