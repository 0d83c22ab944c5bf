//! Groups: which are listened to, and telling routers and switches so (IGMPv2, RFC 2236; MLDv2, RFC 3810).

use core::hash::BuildHasher;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{Fragmentation, Hop, InterfaceId, IpMeta, Network, Offload, OutPacket, Path, RouteAttributes};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::checksum;
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::{Ipv4Header, Ipv4Options};
use crate::wire::ipv6::Ipv6Header;
use crate::wire::mld::{MldQuery, MldRecord, MldReport};

/// The most groups a host listens to.
const MOST: usize = 1024;

const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_HERE: Ipv6Addr = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1);

const IGMP_QUERY: u8 = 0x11;
const IGMP_REPORT: u8 = 0x16;
const IGMP_LEAVE: u8 = 0x17;

/// Memberships, each as often as it was joined.
#[derive(Debug)]
pub(super) struct Groups {
    members: BTreeMap<(InterfaceId, IpAddr), u32>,
    /// Answers to queries, spread in time.
    owed: BTreeSet<(Instant, InterfaceId, IpAddr)>,
    secret: SecretState,
    rolls: u64,
}

impl Groups {
    pub(super) fn new(secret: SecretState) -> Groups {
        Groups { members: BTreeMap::new(), owed: BTreeSet::new(), secret, rolls: 0 }
    }

    pub(super) fn is_member(&self, interface: InterfaceId, group: IpAddr) -> bool {
        is_everybody(group) || self.members.contains_key(&(interface, group))
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.owed.first().map(|(at, ..)| *at)
    }

    /// Owes a report within `time` for every group of the interface that a query asks about.
    fn owe(&mut self, now: Instant, interface: InterfaceId, asked: IpAddr, time: Duration) {
        let all = self
            .members
            .range((interface, IpAddr::from([0; 4]))..)
            .take_while(|((id, _), _)| *id == interface);
        let is_asked = |group: &IpAddr| {
            group.is_ipv4() == asked.is_ipv4() && (asked.is_unspecified() || *group == asked)
        };
        let groups: Vec<IpAddr> = all.map(|((_, group), _)| *group).filter(is_asked).collect();
        // One that is owed already comes early enough: a second query brings no second report.
        let owed: BTreeSet<IpAddr> =
            self.owed.iter().filter(|(_, id, _)| *id == interface).map(|(_, _, group)| *group).collect();
        for group in groups.into_iter().filter(|group| !owed.contains(group)) {
            self.rolls += 1;
            let spread = self.secret.hash_one(self.rolls) % 1024;
            self.owed.insert((now + time * (spread as u32) / 1024, interface, group));
        }
    }

    fn forgive(&mut self, interface: InterfaceId, group: IpAddr) {
        self.owed.retain(|(_, id, other)| (*id, *other) != (interface, group));
    }

    fn pop_due(&mut self, now: Instant) -> Option<(InterfaceId, IpAddr)> {
        let (at, interface, group) = *self.owed.first()?;
        if at > now {
            return None;
        }
        self.owed.pop_first();
        Some((interface, group))
    }
}

/// Groups that everybody is in, and nobody reports.
fn is_everybody(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group == ALL_HOSTS,
        IpAddr::V6(group) => group == ALL_NODES || group == ALL_NODES_HERE,
    }
}

impl Network {
    /// Begins to listen to a group on an interface. Each `join` needs its own `leave`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an address that is no group, or an unknown interface; [`Error::NoBuffers`] when
    /// 1024 groups are listened to.
    pub fn join(&mut self, interface: InterfaceId, group: IpAddr) -> Result<(), Error> {
        if !group.is_multicast() || self.interfaces.get(interface).is_none() {
            return Err(Error::InvalidArgument);
        }
        if is_everybody(group) {
            return Ok(());
        }
        if let Some(count) = self.groups.members.get_mut(&(interface, group)) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        if self.groups.members.len() >= MOST {
            return Err(Error::NoBuffers);
        }
        self.groups.members.insert((interface, group), 1);
        self.tell_membership(interface, group, MldRecord::Join);
        Ok(())
    }

    /// Ends what one `join` began.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] where the group was not joined.
    pub fn leave(&mut self, interface: InterfaceId, group: IpAddr) -> Result<(), Error> {
        if is_everybody(group) {
            return Ok(());
        }
        let count = self.groups.members.get_mut(&(interface, group)).ok_or(Error::AddressNotAvailable)?;
        *count -= 1;
        if *count == 0 {
            self.groups.members.remove(&(interface, group));
            self.groups.forgive(interface, group);
            self.tell_membership(interface, group, MldRecord::Leave);
        }
        Ok(())
    }

    /// Whether the interface listens to a group.
    pub fn is_member(&self, interface: InterfaceId, group: IpAddr) -> bool {
        self.groups.is_member(interface, group)
    }

    /// An IGMP message: a query is answered, somebody else's report makes ours superfluous.
    pub(super) fn on_igmp(&mut self, now: Instant, meta: &IpMeta, message: &[u8]) -> Result<(), DropReason> {
        let &[kind, code, _, _, a, b, c, d] = message.first_chunk::<8>().ok_or(DropReason::Malformed)?;
        if checksum::sum(message) != 0xffff {
            return Err(DropReason::BadChecksum);
        }
        let group = IpAddr::from([a, b, c, d]);
        match kind {
            IGMP_QUERY => {
                // Tenths of a second; version 1 has none and means ten seconds.
                let time = Duration::from_millis(if code == 0 { 10_000 } else { u64::from(code) * 100 });
                self.groups.owe(now, meta.interface, group, time);
                Ok(())
            }
            IGMP_REPORT => {
                self.groups.forgive(meta.interface, group);
                Ok(())
            }
            _ => Err(DropReason::IgnoredIcmp),
        }
    }

    pub(super) fn on_mld_query(&mut self, now: Instant, interface: InterfaceId, query: &MldQuery) {
        let time = Duration::from_millis(query.max_response_millis.into());
        self.groups.owe(now, interface, query.group.into(), time);
    }

    /// Sends the reports that are due.
    pub(super) fn report_memberships(&mut self, now: Instant) {
        while let Some((interface, group)) = self.groups.pop_due(now) {
            self.tell_membership(interface, group, MldRecord::IsListening);
        }
    }

    /// Tells routers, and the switches on the way to them. A full outbox loses the report, as the link might: routers
    /// ask again.
    fn tell_membership(&mut self, interface: InterfaceId, group: IpAddr, what: MldRecord) {
        let Some(link) = self.interfaces.get(interface) else { return };
        if self.interfaces.is_loopback(interface) {
            return;
        }
        let mtu = link.mtu;
        let addresses = || link.addresses.iter().map(|own| own.address());
        let mut headers = Headers::new();
        let (source, destination): (IpAddr, IpAddr) = match group {
            IpAddr::V4(group) => {
                let own = addresses().find_map(|own| match own {
                    IpAddr::V4(own) => Some(own),
                    IpAddr::V6(_) => None,
                });
                let source = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
                let destination = if what == MldRecord::Leave { ALL_ROUTERS } else { group };
                prepend_igmp(&mut headers, source, destination, group, what);
                (source.into(), destination.into())
            }
            IpAddr::V6(group) => {
                // Without a link-local address the report comes from nobody (RFC 3810 section 5.2.13).
                let own = addresses().find_map(|own| match own {
                    IpAddr::V6(own) if own.is_unicast_link_local() => Some(own),
                    _ => None,
                });
                let source = own.unwrap_or(Ipv6Addr::UNSPECIFIED);
                MldReport::prepend(&mut headers, source, &[(what, group)]);
                let header = Ipv6Header {
                    hop_limit: 1,
                    router_alert: Some(0),
                    payload_length: headers.len(),
                    ..Ipv6Header::new(source, MldReport::DESTINATION, Protocol::Icmpv6)
                };
                header.prepend(&mut headers);
                (source.into(), MldReport::DESTINATION.into())
            }
        };
        let next_hop = Hop::Multicast(destination);
        let fragmentation = Fragmentation::Forbidden;
        let attributes = RouteAttributes::default();
        let path = Path { interface, source, next_hop, mtu, fragmentation, attributes };
        let bytes = headers.as_slice().to_vec();
        let _ = self.outbox.push(OutPacket { path, bytes, offload: Offload::default() });
    }
}

/// An IGMPv2 report or leave message in its packet.
fn prepend_igmp(
    headers: &mut Headers,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    group: Ipv4Addr,
    what: MldRecord,
) {
    let [a, b, c, d] = group.octets();
    let kind = if what == MldRecord::Leave { IGMP_LEAVE } else { IGMP_REPORT };
    let mut message = [kind, 0, 0, 0, a, b, c, d];
    let sum = !checksum::sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    headers.push_front(&message);
    Ipv4Header {
        ttl: 1,
        options: Ipv4Options::ROUTER_ALERT,
        payload_length: message.len(),
        ..Ipv4Header::new(source, destination, Protocol::Igmp)
    }
    .prepend(headers);
}
