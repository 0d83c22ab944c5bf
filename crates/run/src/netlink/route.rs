//! Routes: `RTM_GETROUTE` (`include/uapi/linux/rtnetlink.h`), all of them or the one to an address.
//!
//! The stack's own routes are the main table. What a host does with its own addresses needs no routes in the stack, and is
//! shown in the local table as Linux shows it.

use super::address::{family, from_octets, octets, scope};
use super::answer::{Reply, Wish};
use super::message::Message;
use crate::interface::{Interface, LOOPBACK, Medium, View};
use rustix::io::Errno;
use sockeye::Cidr;
use sockeye::sockeye_core::network::Route;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `sizeof(struct rtmsg)`.
const FIXED: usize = 12;

/// What Linux calls the distance of IPv6 routes that it makes itself, and of those that say none (`IP6_RT_PRIO_…`).
const METRIC_OF_KERNEL: u32 = 256;
const METRIC_OF_USER: u32 = 1024;

/// `RTM_F_CLONED`: made for this answer.
const CLONED: u32 = 0x200;

/// `RTCF_LOCAL`, `RTCF_BROADCAST`, `RTCF_MULTICAST` (`include/uapi/linux/in_route.h`).
const TO_OURSELVES: u32 = 0x8000_0000;
const TO_EVERYBODY: u32 = 0x1000_0000;
const TO_A_GROUP: u32 = 0x2000_0000;

/// `sizeof(struct rta_cacheinfo)`.
const CACHE_INFO: usize = 32;

/// One way, in the kernel's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    destination: Cidr,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
    gateway: Option<IpAddr>,
    source: Option<IpAddr>,
    index: u32,
    metric: u32,
}

impl Way {
    fn encode(&self) -> Message {
        let destination = self.destination.address();
        let prefix = self.destination.prefix();
        let mut fixed =
            vec![family(destination) as u8, prefix, 0, 0, self.table, self.protocol, self.scope, self.kind];
        fixed.extend(self.flags.to_ne_bytes());
        let mut message = Message::new(libc::RTM_NEWROUTE, &fixed);
        message.number(libc::RTA_TABLE, self.table.into());
        if prefix > 0 {
            message.attribute(libc::RTA_DST, &octets(destination));
        }
        if self.metric != 0 || destination.is_ipv6() {
            message.number(libc::RTA_PRIORITY, self.metric);
        }
        if let Some(source) = self.source {
            message.attribute(libc::RTA_PREFSRC, &octets(source));
        }
        if let Some(gateway) = self.gateway {
            message.attribute(libc::RTA_GATEWAY, &octets(gateway));
        }
        message.number(libc::RTA_OIF, self.index);
        if destination.is_ipv6() {
            message.attribute(libc::RTA_CACHEINFO, &[0; CACHE_INFO]);
            // Medium (RFC 4191 section 2.1).
            message.attribute(libc::RTA_PREF, &[0]);
        }
        message
    }

    /// A route of the stack's.
    fn of_stack(view: &View, route: &Route) -> Way {
        let index = u32::from(route.interface.0) + LOOPBACK;
        let is_v4 = route.destination.address().is_ipv4();
        let own = view.by_index(index).and_then(|interface| {
            let is_there = |own: &&Cidr| own.network() == route.destination.network();
            interface.addresses.iter().find(is_there).map(Cidr::address)
        });
        // The way to an interface's own network comes with its address.
        let is_own = route.gateway.is_none() && own.is_some();
        let metric = match (is_v4, route.metric) {
            (false, 0) if is_own => METRIC_OF_KERNEL,
            (false, 0) => METRIC_OF_USER,
            (_, metric) => metric,
        };
        Way {
            destination: route.destination.network(),
            table: libc::RT_TABLE_MAIN,
            protocol: if is_own { libc::RTPROT_KERNEL } else { libc::RTPROT_BOOT },
            scope: if is_v4 && route.gateway.is_none() {
                libc::RT_SCOPE_LINK
            } else {
                libc::RT_SCOPE_UNIVERSE
            },
            kind: libc::RTN_UNICAST,
            flags: 0,
            gateway: route.gateway,
            source: own.filter(|_| is_v4 && is_own),
            index,
            metric,
        }
    }

    /// A way in the local table.
    fn local(interface: &Interface, destination: Cidr, kind: u8) -> Way {
        let is_v4 = destination.address().is_ipv4();
        Way {
            destination,
            table: libc::RT_TABLE_LOCAL,
            protocol: libc::RTPROT_KERNEL,
            scope: match kind {
                _ if !is_v4 => libc::RT_SCOPE_UNIVERSE,
                libc::RTN_LOCAL => libc::RT_SCOPE_HOST,
                _ => libc::RT_SCOPE_LINK,
            },
            kind,
            flags: 0,
            gateway: None,
            source: None,
            index: interface.index,
            metric: 0,
        }
    }
}

/// What the local table says of one interface.
fn local_ways(interface: &Interface) -> Vec<Way> {
    let mut ways = Vec::new();
    for own in &interface.addresses {
        let address = own.address();
        let is_v4 = address.is_ipv4();
        let source = Some(address).filter(|_| is_v4);
        let mut add = |destination, kind| {
            ways.push(Way { source, ..Way::local(interface, destination, kind) });
        };
        if is_v4 && address.is_loopback() {
            add(own.network(), libc::RTN_LOCAL);
        }
        add(Cidr::host(address), libc::RTN_LOCAL);
        if let Some(broadcast) = own.broadcast().filter(|_| interface.medium != Medium::PointToPoint) {
            add(Cidr::host(broadcast.into()), libc::RTN_BROADCAST);
        }
    }
    let has_v6 = interface.addresses.iter().any(|own| own.address().is_ipv6());
    if has_v6
        && interface.medium != Medium::Loopback
        && let Ok(multicast) = Cidr::new(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8)
    {
        let way = Way::local(interface, multicast, libc::RTN_MULTICAST);
        ways.push(Way { metric: METRIC_OF_KERNEL, ..way });
    }
    ways
}

/// All routes, a family after the other, the main table before the local one; those of one table or interface only, where
/// a program that is strict asks for them.
pub(super) fn all(view: &View, wish: &Wish<'_>) -> Vec<Message> {
    let attributes = wish.request.attributes(FIXED);
    let strictly = |number: Option<u32>| number.filter(|number| wish.is_strict && *number != 0);
    let table = wish.request.payload.get(4).copied().map(u32::from);
    let table = strictly(attributes.clone().number(libc::RTA_TABLE)).or_else(|| strictly(table));
    let interface = strictly(attributes.number(libc::RTA_OIF));
    let main =
        view.routes.iter().filter(|route| route.interface.0 != 0).map(|route| Way::of_stack(view, route));
    let mut ways: Vec<Way> = main.collect();
    ways.sort_by_key(|way| (way.destination.address(), way.destination.prefix(), way.metric));
    let mut local: Vec<Way> = view.interfaces.iter().flat_map(local_ways).collect();
    local.sort_by_key(|way| (way.destination.address(), way.destination.prefix()));
    ways.extend(local);
    let families = wish.families();
    let of_family = |wanted| {
        ways.iter().filter(move |way| {
            family(way.destination.address()) == wanted
                && table.is_none_or(|table| table == u32::from(way.table))
                && interface.is_none_or(|index| index == way.index)
        })
    };
    families.into_iter().flat_map(of_family).map(Way::encode).collect()
}

/// The route that packets to an address take.
///
/// # Errors
/// `ENETUNREACH` where there is none; `EINVAL` without an address.
pub(super) fn one(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let attributes = wish.request.attributes(FIXED);
    let address = |kind| attributes.clone().find_last(kind).and_then(from_octets);
    let destination = address(libc::RTA_DST).ok_or(Errno::INVAL)?;
    if family(destination) != wish.request.family() {
        return Err(Errno::INVAL);
    }
    let by = attributes.clone().number(libc::RTA_OIF).filter(|index| *index != 0);
    if by.is_some_and(|index| view.by_index(index).is_none()) {
        return Err(Errno::NODEV);
    }
    let mut way = find(view, destination, by).ok_or(Errno::NETUNREACH)?;
    way.source = address(libc::RTA_SRC).or(way.source).or_else(|| source(view, &way, destination));
    way.destination = Cidr::host(destination);
    if destination.is_ipv4() {
        let kind = match way.kind {
            libc::RTN_LOCAL => TO_OURSELVES,
            libc::RTN_BROADCAST => TO_OURSELVES | TO_EVERYBODY,
            libc::RTN_MULTICAST => TO_A_GROUP,
            _ => 0,
        };
        way.flags = CLONED | kind;
        way.scope = libc::RT_SCOPE_UNIVERSE;
        way.protocol = libc::RTPROT_UNSPEC;
        way.metric = 0;
        // Without rules of its own Linux looks both tables up as one.
        way.table = libc::RT_TABLE_MAIN;
    }
    Ok(Reply::One(way.encode()))
}

fn find(view: &View, destination: IpAddr, by: Option<u32>) -> Option<Way> {
    let local = view.interfaces.iter().flat_map(local_ways);
    let own = local.filter(|way| way.destination.contains(destination));
    if let Some(mut own) = own.max_by_key(|way| way.destination.prefix()) {
        if own.kind == libc::RTN_LOCAL {
            // A host reaches itself without a cable.
            own.index = LOOPBACK;
        }
        return Some(own);
    }
    let is_usable = |way: &Way| by.is_none_or(|index| index == way.index);
    let mut ways = view.routes.iter().map(|route| Way::of_stack(view, route)).filter(is_usable);
    if destination == IpAddr::V4(Ipv4Addr::BROADCAST) || (destination.is_ipv4() && destination.is_multicast())
    {
        // To everybody who hears it: on the link.
        let way = ways.find(|way| way.index != LOOPBACK)?;
        let kind = if destination.is_multicast() { libc::RTN_MULTICAST } else { libc::RTN_BROADCAST };
        return Some(Way { kind, gateway: None, source: None, ..way });
    }
    let fitting = ways.filter(|way| way.destination.contains(destination));
    // The longest prefix; among routes of the same length the lowest metric, and the oldest.
    fitting.min_by_key(|way| (std::cmp::Reverse(way.destination.prefix()), way.metric))
}

/// The address that packets on this way come from: one in the network of the next hop, or else the first that is good as
/// far as the destination is.
fn source(view: &View, way: &Way, destination: IpAddr) -> Option<IpAddr> {
    if way.kind == libc::RTN_LOCAL {
        return Some(destination);
    }
    let next_hop = way.gateway.unwrap_or(destination);
    let addresses = &view.by_index(way.index)?.addresses;
    let own = || addresses.iter().filter(|own| own.address().is_ipv4() == destination.is_ipv4());
    own()
        .find(|own| own.contains(next_hop) && scope(own.address()) <= scope(destination))
        .or_else(|| own().find(|own| scope(own.address()) <= scope(destination)))
        .or_else(|| own().next())
        .map(Cidr::address)
}
