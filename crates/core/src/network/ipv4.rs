//! An IPv4 packet arrives (RFC 791, RFC 1122 section 3.2.1).

use core::net::{IpAddr, Ipv4Addr};
use std::borrow::Cow;

use super::icmp_error::Problem;
use super::interface::Owner;
use super::reassembly::{Fragment, Outcome};
use super::{Arrival, Audience, Cast, Delivery, IpMeta, Network, NetworkReceive};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::WireError;
use crate::wire::checksum::ChecksumCheck;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;

/// Where the header names its protocol.
const PROTOCOL_POINTER: u32 = 9;

fn reason_of(error: WireError) -> DropReason {
    match error {
        WireError::BadChecksum { .. } => DropReason::BadIpChecksum,
        _ => DropReason::Malformed,
    }
}

impl Network {
    pub(super) fn receive_v4<'p>(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        packet: &'p [u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let (header, payload) = Ipv4Header::parse(packet).map_err(reason_of)?;
        let packet = packet.get(..header.header_len() + payload.len()).unwrap_or(packet);
        self.check_source_v4(arrival, &header)?;
        if header.options.has_source_route() {
            return Err(DropReason::SourceRouted);
        }
        let destination = IpAddr::V4(header.destination);
        let cast = match self.interfaces.whose(arrival.interface, destination) {
            Owner::Local
                if header.destination.is_loopback() && !self.interfaces.is_loopback(arrival.interface) =>
            {
                return Err(DropReason::MartianDestination);
            }
            Owner::Local if !arrival.cast.is_unicast() => return Err(DropReason::CastMismatch),
            Owner::Local => Cast::Unicast,
            Owner::All => Cast::Broadcast,
            Owner::Group if self.groups.is_member(arrival.interface, destination) => Cast::Multicast,
            Owner::Group => return Err(DropReason::NotOurAddress),
            Owner::Other if self.takes(arrival, destination) => Cast::Unicast,
            Owner::Other => return self.forward_v4(now, arrival, &header, packet),
        };
        if !header.is_fragment() {
            let meta = meta_of(arrival, &header, cast, arrival.check());
            let payload_start = header.header_len();
            return self.deliver_v4(now, Delivery { meta, payload_start, packet: Cow::Borrowed(packet) });
        }
        let fragment = Fragment {
            source: header.source.into(),
            destination,
            identification: header.identification.into(),
            protocol: header.protocol.into(),
            offset: header.fragment_offset.into(),
            more: header.more_fragments,
            ecn: header.ecn,
            head: packet.get(..header.header_len()).unwrap_or_default(),
            payload,
            interface: arrival.interface,
            cast,
        };
        match self.reassembly.on_fragment(now, &fragment) {
            Outcome::Kept => Ok(NetworkReceive::Consumed),
            Outcome::Dropped(reason) => Err(reason),
            Outcome::Whole(whole) => {
                let (header, _) = Ipv4Header::parse(&whole).map_err(reason_of)?;
                // A device has verified nothing of a packet that it saw in pieces.
                let meta = meta_of(arrival, &header, cast, ChecksumCheck::Verify);
                let payload_start = header.header_len();
                self.deliver_v4(now, Delivery { meta, payload_start, packet: Cow::Owned(whole) })
            }
        }
    }

    /// A whole packet for this host.
    fn deliver_v4<'p>(
        &mut self,
        now: Instant,
        delivery: Delivery<'p>,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        if self.is_heard(&delivery) {
            return Ok(NetworkReceive::Heard(delivery));
        }
        self.hand_up_v4(now, delivery, Audience::Nobody)
    }

    /// To whoever knows its protocol.
    pub(super) fn hand_up_v4<'p>(
        &mut self,
        now: Instant,
        delivery: Delivery<'p>,
        audience: Audience,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let meta = delivery.meta;
        match meta.protocol {
            Protocol::Tcp | Protocol::Udp => Ok(NetworkReceive::Deliver(delivery)),
            Protocol::Icmp => self.on_icmpv4(delivery),
            Protocol::Igmp if self.is_foreign(&meta) => Err(DropReason::NotOurAddress),
            Protocol::Igmp => self.on_igmp(now, &meta, delivery.payload()).map(|()| NetworkReceive::Consumed),
            _ if audience == Audience::Somebody => Ok(NetworkReceive::Consumed),
            _ => {
                // Whether or not the sender could be told, the packet itself was for nobody.
                let problem = Problem::Protocol { pointer: PROTOCOL_POINTER };
                let _ = self.report(now, problem, delivery.packet(), meta.cast);
                Err(DropReason::UnknownProtocol)
            }
        }
    }

    /// Who cannot have sent a packet (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7).
    fn check_source_v4(&self, arrival: &Arrival, header: &Ipv4Header) -> Result<(), DropReason> {
        let Ipv4Header { source, destination, .. } = *header;
        let is_looped = self.interfaces.is_loopback(arrival.interface);
        // A host that has no address yet speaks to all (RFC 2131) or to a group.
        let is_nameless =
            source.is_unspecified() && (destination.is_broadcast() || destination.is_multicast());
        let is_impossible = source.is_multicast()
            || source.is_broadcast()
            || is_this_network(source) && !is_nameless
            || self.interfaces.broadcast(source).is_some()
            || !is_looped && self.interfaces.is_local(source.into());
        if is_impossible { Err(DropReason::MartianSource) } else { Ok(()) }
    }
}

pub(super) fn meta_of(arrival: &Arrival, header: &Ipv4Header, cast: Cast, check: ChecksumCheck) -> IpMeta {
    IpMeta {
        interface: arrival.interface,
        source: header.source.into(),
        destination: header.destination.into(),
        protocol: header.protocol,
        hop_limit: header.ttl,
        traffic_class: header.dscp << 2 | header.ecn,
        cast,
        check,
    }
}

/// 0.0.0.0/8: "this network", which no packet comes from.
fn is_this_network(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0
}
