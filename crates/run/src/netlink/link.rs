//! Interfaces: `RTM_GETLINK` (`include/uapi/linux/if_link.h`).

use super::answer::{Reply, Wish};
use super::message::{Message, u32_at};
use crate::interface::{Interface, Medium, QUEUE_LENGTH, View};
use rustix::io::Errno;

/// `sizeof(struct ifinfomsg)`.
pub(super) const FIXED: usize = 16;

/// `IF_OPER_UNKNOWN`, which is all that Linux says of interfaces without a cable, and `IF_OPER_UP`.
const OPERATES_UNKNOWN: u8 = 0;
const OPERATES: u8 = 6;

/// `sizeof` of `struct rtnl_link_stats64`, its older brother with numbers of 32 bits, and `struct rtnl_link_ifmap`.
const STATISTICS_64: usize = 25 * 8;
const STATISTICS: usize = 24 * 4;
const MAP: usize = 32;

/// The sizes that an interface could be set to: Ethernet's least (`ETH_MIN_MTU`), and the largest IP packet.
const LEAST_MTU: u32 = 68;
const LARGEST_MTU: u32 = 65_535;

/// `GSO_MAX_SIZE` and `GSO_MAX_SEGS`.
const LARGEST_SEGMENT: u32 = 65_536;
const MOST_SEGMENTS: u32 = 65_535;

/// One interface.
fn encode(interface: &Interface) -> Message {
    let is_loopback = interface.medium == Medium::Loopback;
    let mut fixed = vec![libc::AF_UNSPEC as u8, 0];
    fixed.extend(interface.hardware_type().to_ne_bytes());
    fixed.extend(interface.index.to_ne_bytes());
    fixed.extend(interface.flags().to_ne_bytes());
    fixed.extend(0u32.to_ne_bytes());
    let mut message = Message::new(libc::RTM_NEWLINK, &fixed);
    message.string(libc::IFLA_IFNAME, &interface.name);
    message.number(libc::IFLA_TXQLEN, QUEUE_LENGTH);
    let state = if is_loopback { OPERATES_UNKNOWN } else { OPERATES };
    message.attribute(libc::IFLA_OPERSTATE, &[state]);
    message.attribute(libc::IFLA_LINKMODE, &[0]);
    message.number(libc::IFLA_MTU, interface.mtu);
    message.number(libc::IFLA_MIN_MTU, if is_loopback { 0 } else { LEAST_MTU });
    message.number(libc::IFLA_MAX_MTU, if is_loopback { 0 } else { LARGEST_MTU });
    message.number(libc::IFLA_GROUP, 0);
    message.number(libc::IFLA_PROMISCUITY, 0);
    message.number(libc::IFLA_NUM_TX_QUEUES, 1);
    message.number(libc::IFLA_GSO_MAX_SEGS, MOST_SEGMENTS);
    message.number(libc::IFLA_GSO_MAX_SIZE, LARGEST_SEGMENT);
    message.number(libc::IFLA_NUM_RX_QUEUES, 1);
    message.attribute(libc::IFLA_CARRIER, &[1]);
    message.string(libc::IFLA_QDISC, "noqueue");
    message.number(libc::IFLA_CARRIER_CHANGES, 0);
    message.attribute(libc::IFLA_MAP, &[0; MAP]);
    if let Some((own, everybody)) = interface.hardware_addresses() {
        message.attribute(libc::IFLA_ADDRESS, &own);
        message.attribute(libc::IFLA_BROADCAST, &everybody);
    }
    // The stack counts what it refuses, and not by interface.
    message.attribute(libc::IFLA_STATS64, &[0; STATISTICS_64]);
    message.attribute(libc::IFLA_STATS, &[0; STATISTICS]);
    message
}

pub(super) fn all(view: &View, wish: &Wish<'_>) -> Vec<Message> {
    let attributes = wish.request.attributes(FIXED);
    // None of ours is a bridge, or part of one, or of a kind that could be asked for.
    let is_for_others = wish.request.family() == libc::AF_BRIDGE
        || attributes.clone().number(libc::IFLA_MASTER).is_some_and(|master| master != 0)
        || attributes.clone().find_last(libc::IFLA_LINKINFO).is_some();
    if is_for_others { Vec::new() } else { view.interfaces.iter().map(encode).collect() }
}

/// One interface, by number or by name.
pub(super) fn one(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let index = u32_at(wish.request.payload, 4);
    let attributes = wish.request.attributes(FIXED);
    let name = [libc::IFLA_IFNAME, libc::IFLA_ALT_IFNAME]
        .into_iter()
        .find_map(|kind| attributes.clone().find_last(kind))
        .map(|name| name.split(|byte| *byte == 0).next().unwrap_or_default());
    let found = match (index, name) {
        (0, None) => return Err(Errno::INVAL),
        (0, Some(name)) => view.by_name(name),
        (index, _) => view.by_index(index),
    };
    found.map(|interface| Reply::One(encode(interface))).ok_or(Errno::NODEV)
}
