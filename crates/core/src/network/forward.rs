//! Packets for others: the host as a router (RFC 1812, RFC 8200).
//!
//! A forwarded packet is copied once, into the outbox, with one hop less to go.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::icmp_error::{Problem, Unreachable};
use super::interface::is_link_local;
use super::{
    Arrival, ArrivalChecksum, Forwarding, Hop, Network, NetworkReceive, Offload, OutPacket, PartialChecksum,
    Path,
};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

impl Network {
    pub(super) fn forward_v4<'p>(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        header: &Ipv4Header,
        packet: &[u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let is_confined = header.source.is_link_local()
            || header.destination.is_link_local()
            || header.source.is_unspecified()
            || is_reserved(header.destination);
        self.check_forwarding(arrival, is_confined)?;
        if header.ttl <= 1 {
            return self.turn_back(now, Problem::HopLimit, arrival, packet);
        }
        let Some(path) = self.way_out(header.destination.into()) else {
            return self.turn_back(now, Problem::Unreachable(Unreachable::Network), arrival, packet);
        };
        let headers =
            header.header_len() + transport_header(header.protocol, packet.get(header.header_len()..));
        if largest_piece(arrival, packet, headers) <= path.mtu {
            return self.pass_on(arrival, &path, packet, (header.protocol, header.header_len()));
        }
        if header.dont_fragment || arrival.segment_size.is_some() {
            return self.turn_back(now, Problem::TooBig { mtu: path.mtu }, arrival, packet);
        }
        self.pass_on_in_pieces(&path, header, packet)
    }

    pub(super) fn forward_v6<'p>(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        packet: &[u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let is_confined = [source, destination].iter().any(|end| {
            is_link_local(IpAddr::V6(*end)) || end.is_loopback() || end.is_unspecified() || end.is_multicast()
        });
        self.check_forwarding(arrival, is_confined)?;
        if packet.get(7).is_none_or(|hop_limit| *hop_limit <= 1) {
            return self.turn_back(now, Problem::HopLimit, arrival, packet);
        }
        let Some(path) = self.way_out(destination.into()) else {
            return self.turn_back(now, Problem::Unreachable(Unreachable::Network), arrival, packet);
        };
        let protocol = packet.get(6).map_or(Protocol::Other(59), |next| Protocol::from(*next));
        let headers = Ipv6Header::LEN + transport_header(protocol, packet.get(Ipv6Header::LEN..));
        if largest_piece(arrival, packet, headers) > path.mtu {
            return self.turn_back(now, Problem::TooBig { mtu: path.mtu }, arrival, packet);
        }
        self.pass_on(arrival, &path, packet, (protocol, Ipv6Header::LEN))
    }

    /// Whether a packet for somebody else may pass at all.
    fn check_forwarding(&self, arrival: &Arrival, is_confined: bool) -> Result<(), DropReason> {
        let is_passed_on = self.config.forwarding == Forwarding::On
            && arrival.cast.is_unicast()
            && !self.interfaces.is_loopback(arrival.interface);
        match (is_passed_on, is_confined) {
            (false, _) => Err(DropReason::NotOurAddress),
            // What is valid on one link only stays there (RFC 4291 section 2.5.6, RFC 3927 section 7).
            (true, true) => Err(DropReason::NoRoute),
            (true, false) => Ok(()),
        }
    }

    /// The way to somebody else: never to all on a link (RFC 2644). Its MTU is the link's; what the path beyond it
    /// carries is the sender's concern.
    pub(super) fn way_out(&self, destination: IpAddr) -> Option<Path> {
        let path = self.route(destination, None, None).ok()?;
        let link = self.interfaces.get(path.interface)?;
        matches!(path.next_hop, Hop::Unicast(_)).then_some(Path { mtu: link.mtu, ..path })
    }

    /// The packet goes no further: its sender is told.
    fn turn_back<'p>(
        &mut self,
        now: Instant,
        problem: Problem,
        arrival: &Arrival,
        packet: &[u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        // Whether or not the sender could be told, the packet is dropped for what is wrong with it.
        let _ = self.report(now, problem, packet, arrival.cast);
        Err(match problem {
            Problem::HopLimit => DropReason::HopLimitExceeded,
            Problem::TooBig { .. } => DropReason::PacketTooBig,
            _ => DropReason::NoRoute,
        })
    }

    fn pass_on<'p>(
        &mut self,
        arrival: &Arrival,
        path: &Path,
        packet: &[u8],
        (protocol, start): (Protocol, usize),
    ) -> Result<NetworkReceive<'p>, DropReason> {
        self.outbox.check_room(1, packet.len())?;
        let mut bytes = self.outbox.buffer(packet.len());
        bytes.extend_from_slice(packet);
        take_a_hop(&mut bytes);
        let checksum = match (arrival.checksum, protocol) {
            (ArrivalChecksum::Partial, Protocol::Tcp) => Some(16),
            (ArrivalChecksum::Partial, Protocol::Udp) => Some(6),
            _ => None,
        };
        let offload = Offload {
            checksum: checksum.map(|offset| PartialChecksum { start: start as u16, offset }),
            segment_size: arrival.segment_size,
        };
        self.outbox.push(OutPacket { path: *path, bytes, offload })?;
        Ok(NetworkReceive::Consumed)
    }

    /// Cuts an IPv4 packet that is larger than the next link (RFC 791 section 3.2).
    fn pass_on_in_pieces<'p>(
        &mut self,
        path: &Path,
        header: &Ipv4Header,
        packet: &[u8],
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let payload = packet.get(header.header_len()..).unwrap_or_default();
        let most = path.mtu.saturating_sub(header.header_len()) & !7;
        if most == 0 {
            return Err(DropReason::PacketTooBig);
        }
        let count = payload.len().div_ceil(most);
        self.outbox.check_room(count, payload.len() + count * header.header_len())?;
        for offset in (0..payload.len()).step_by(most) {
            let end = (offset + most).min(payload.len());
            let piece = payload.get(offset..end).unwrap_or_default();
            let at = usize::from(header.fragment_offset) + offset;
            let cut = Ipv4Header {
                ttl: header.ttl.saturating_sub(1),
                more_fragments: header.more_fragments || end < payload.len(),
                fragment_offset: u16::try_from(at).map_err(|_| DropReason::Malformed)?,
                payload_length: piece.len(),
                options: if offset == 0 { header.options } else { header.options.copied() },
                ..*header
            };
            let mut headers = Headers::new();
            cut.prepend(&mut headers);
            let mut bytes = self.outbox.buffer(headers.len() + piece.len());
            bytes.extend_from_slice(headers.as_slice());
            bytes.extend_from_slice(piece);
            self.outbox.push(OutPacket { path: *path, bytes, offload: Offload::default() })?;
        }
        Ok(NetworkReceive::Consumed)
    }
}

/// One hop less to go; that there is one was seen before.
fn take_a_hop(packet: &mut [u8]) {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => Ipv4Header::decrement_ttl(packet),
        _ => Ipv6Header::decrement_hop_limit(packet),
    };
}

/// How large the packet is on the next link: if it was put together from segments, as large as one of them.
fn largest_piece(arrival: &Arrival, packet: &[u8], headers: usize) -> usize {
    arrival.segment_size.map_or(packet.len(), |size| packet.len().min(headers + usize::from(size)))
}

/// Bytes of the header above IP.
fn transport_header(protocol: Protocol, payload: Option<&[u8]>) -> usize {
    match protocol {
        Protocol::Tcp => payload.and_then(|bytes| bytes.get(12)).map_or(0, |byte| usize::from(byte >> 4) * 4),
        Protocol::Udp => 8,
        _ => 0,
    }
}

/// 0.0.0.0/8, 127.0.0.0/8 and 240.0.0.0/4: no packet travels there.
fn is_reserved(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first == 0 || first == 127 || first >= 224
}
