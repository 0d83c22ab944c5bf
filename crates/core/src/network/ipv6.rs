//! An IPv6 packet arrives (RFC 8200).

use core::net::{IpAddr, Ipv6Addr};
use std::borrow::Cow;

use super::icmp_error::Problem;
use super::interface::Owner;
use super::reassembly::{Fragment, Outcome};
use super::{Arrival, Audience, Cast, Delivery, IpMeta, Network, NetworkReceive};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::WireError;
use crate::wire::checksum::ChecksumCheck;
use crate::wire::error::Report;
use crate::wire::ip::Protocol;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::ndp::Ndp;

/// What can be told of a packet without its extension headers.
struct Ends {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    length: usize,
}

impl Ends {
    fn of(packet: &[u8]) -> Result<Ends, DropReason> {
        let h = packet.first_chunk::<{ Ipv6Header::LEN }>().ok_or(DropReason::Malformed)?;
        let (mut source, mut destination) = ([0; 16], [0; 16]);
        source.copy_from_slice(&h[8..24]);
        destination.copy_from_slice(&h[24..40]);
        let length = Ipv6Header::LEN + usize::from(u16::from_be_bytes([h[4], h[5]]));
        Ok(Ends { source: source.into(), destination: destination.into(), length })
    }
}

impl Network {
    pub(super) fn receive_v6<'p>(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        packet: &'p [u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let ends = Ends::of(packet)?;
        let packet = packet.get(..ends.length).ok_or(DropReason::Malformed)?;
        check_source_v6(self.interfaces.is_loopback(arrival.interface), &ends)?;
        let destination = IpAddr::V6(ends.destination);
        let cast = match self.interfaces.whose(arrival.interface, destination) {
            Owner::Local
                if ends.destination.is_loopback() && !self.interfaces.is_loopback(arrival.interface) =>
            {
                return Err(DropReason::MartianDestination);
            }
            Owner::Local if !arrival.cast.is_unicast() => return Err(DropReason::CastMismatch),
            Owner::Local => Cast::Unicast,
            Owner::Group if self.groups.is_member(arrival.interface, destination) => Cast::Multicast,
            Owner::Group => return Err(DropReason::NotOurAddress),
            Owner::Other if self.takes(arrival, destination) => Cast::Unicast,
            // Extension headers but the hop-by-hop options are none of a router's business.
            Owner::All | Owner::Other => {
                return self.forward_v6(now, arrival, ends.source, ends.destination, packet);
            }
        };
        let (header, payload) = match Ipv6Header::parse(packet) {
            Ok(parsed) => parsed,
            Err(error) => return Err(self.refuse_v6(now, error, packet, cast)),
        };
        let Some(piece) = header.fragment else {
            let meta = meta_of(arrival, &header, cast, arrival.check());
            let payload_start = packet.len() - payload.len();
            return self.deliver_v6(
                now,
                &header,
                Delivery { meta, payload_start, packet: Cow::Borrowed(packet) },
            );
        };
        let fragment = Fragment {
            source: header.source.into(),
            destination,
            identification: piece.identification,
            protocol: header.protocol.into(),
            offset: piece.offset.into(),
            more: piece.more,
            ecn: header.ecn,
            head: packet.get(..packet.len() - payload.len()).unwrap_or_default(),
            payload,
            interface: arrival.interface,
            cast,
        };
        match self.reassembly.on_fragment(now, &fragment) {
            Outcome::Kept => Ok(NetworkReceive::Consumed),
            Outcome::Dropped(reason) => Err(reason),
            Outcome::Whole(whole) => {
                let (header, payload) = match Ipv6Header::parse(&whole) {
                    Ok(parsed) => parsed,
                    Err(error) => return Err(self.refuse_v6(now, error, &whole, cast)),
                };
                // A device has verified nothing of a packet that it saw in pieces.
                let meta = meta_of(arrival, &header, cast, ChecksumCheck::Verify);
                let payload_start = whole.len() - payload.len();
                self.deliver_v6(now, &header, Delivery { meta, payload_start, packet: Cow::Owned(whole) })
            }
        }
    }

    /// A whole packet for this host.
    fn deliver_v6<'p>(
        &mut self,
        now: Instant,
        header: &Ipv6Header,
        delivery: Delivery<'p>,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let meta = delivery.meta;
        let is_discovery = meta.protocol == Protocol::Icmpv6
            && delivery.payload().first().is_some_and(|kind| Ndp::is_ndp(*kind));
        // Only neighbour discovery may come from an address of ours: that is how a duplicate is found out.
        let is_looped = self.interfaces.is_loopback(meta.interface);
        if !is_discovery && !is_looped && self.interfaces.is_own(meta.source) {
            return Err(DropReason::MartianSource);
        }
        if is_discovery && matches!(delivery.packet, Cow::Owned(_)) {
            return Err(DropReason::UnwantedDiscovery); // never in fragments (RFC 6980)
        }
        if self.is_heard(&delivery) {
            return Ok(NetworkReceive::Heard(delivery));
        }
        self.hand_up_v6(now, header, delivery, Audience::Nobody)
    }

    /// To whoever knows its protocol.
    pub(super) fn hand_up_v6<'p>(
        &mut self,
        now: Instant,
        header: &Ipv6Header,
        delivery: Delivery<'p>,
        audience: Audience,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let meta = delivery.meta;
        match meta.protocol {
            Protocol::Tcp | Protocol::Udp => Ok(NetworkReceive::Deliver(delivery)),
            Protocol::Icmpv6 => self.on_icmpv6(now, header, delivery),
            // No next header: there is nothing in it, and nothing wrong with that (RFC 8200 section 4.7).
            Protocol::Other(59) => Ok(NetworkReceive::Consumed),
            _ if audience == Audience::Somebody => Ok(NetworkReceive::Consumed),
            _ => {
                let problem = Problem::Protocol { pointer: header.protocol_pointer.into() };
                let _ = self.report(now, problem, delivery.packet(), meta.cast);
                Err(DropReason::UnknownProtocol)
            }
        }
    }

    /// Tells the sender what is wrong with its extension headers, where it is to be told (RFC 8200 section 4.2).
    fn refuse_v6(&mut self, now: Instant, error: WireError, packet: &[u8], cast: Cast) -> DropReason {
        let WireError::Ipv6(problem) = error else { return DropReason::Malformed };
        let is_told = match problem.report {
            Report::Never => false,
            Report::Always => true,
            Report::Unicast => cast.is_unicast(),
        };
        if is_told {
            let _ = self.report(
                now,
                Problem::Parameter { code: problem.code, pointer: problem.pointer },
                packet,
                cast,
            );
        }
        if problem.code == 1 { DropReason::UnknownProtocol } else { DropReason::Malformed }
    }
}

pub(super) fn meta_of(arrival: &Arrival, header: &Ipv6Header, cast: Cast, check: ChecksumCheck) -> IpMeta {
    IpMeta {
        interface: arrival.interface,
        source: header.source.into(),
        destination: header.destination.into(),
        protocol: header.protocol,
        hop_limit: header.hop_limit,
        traffic_class: header.dscp << 2 | header.ecn,
        cast,
        check,
    }
}

/// Who cannot have sent a packet.
fn check_source_v6(is_looped: bool, ends: &Ends) -> Result<(), DropReason> {
    let is_impossible = ends.source.is_multicast()
        || ends.source.is_unspecified() && !ends.destination.is_multicast()
        || ends.source.is_loopback() && !is_looped
        // Addresses of the other family in disguise never travel (RFC 4291 section 2.5.5.2).
        || ends.source.to_ipv4_mapped().is_some();
    if is_impossible {
        return Err(DropReason::MartianSource);
    }
    // Groups of scope 0 and 1 never leave a host.
    let is_confined = ends.destination.is_multicast() && ends.destination.octets()[1] & 0x0f <= 1;
    if ends.destination.is_unspecified()
        || is_confined && !is_looped
        || ends.destination.to_ipv4_mapped().is_some()
    {
        return Err(DropReason::MartianDestination);
    }
    Ok(())
}
