//! Frames in and out: whom they are addressed to, and what stands in front of a packet.

use core::net::IpAddr;

use super::neighbor::Parking;
use super::queue::Parked;
use super::{Cast, Link, LinkEvent, LinkFrame, LinkReceive, LinkSend, Medium, NextHop, Offload};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::ethernet::{EtherType, Ethernet, MacAddr};
use crate::wire::headers::Headers;

/// The version that an IP packet's first byte names.
fn version(first: Option<&u8>) -> u8 {
    first.map_or(0, |byte| byte >> 4)
}

impl Link {
    /// A frame has arrived.
    pub fn receive<'f>(&mut self, now: Instant, frame: &'f [u8]) -> LinkReceive<'f> {
        if self.config.medium == Medium::Ip {
            return match version(frame.first()) {
                4 | 6 => LinkReceive::Packet { packet: frame, cast: Cast::Unicast },
                _ => LinkReceive::Dropped(DropReason::Malformed),
            };
        }
        let Ok((header, payload)) = Ethernet::parse(frame) else {
            return LinkReceive::Dropped(DropReason::Malformed);
        };
        let cast = if header.destination == self.config.mac {
            Cast::Unicast
        } else if header.destination.is_broadcast() {
            Cast::Broadcast
        } else if is_ip_group(header.destination) {
            Cast::Multicast
        } else {
            return LinkReceive::Dropped(DropReason::NotOurMac);
        };
        if !header.source.is_unicast() {
            return LinkReceive::Dropped(DropReason::BadSourceMac);
        }
        match (header.ethertype, version(payload.first())) {
            (EtherType::Ipv4, 4) | (EtherType::Ipv6, 6) => LinkReceive::Packet { packet: payload, cast },
            (EtherType::Ipv4 | EtherType::Ipv6, _) => LinkReceive::Dropped(DropReason::Malformed),
            (EtherType::Arp, _) => self.on_arp(now, &header, payload),
            (EtherType::Other(_), _) => LinkReceive::Dropped(DropReason::UnknownEtherType),
        }
    }

    /// Puts the frame's header in front of a packet, whose first bytes stand in `headers` (which may be empty) and the
    /// rest in `payload`. Where the neighbour's MAC address is not known yet, the packet is copied and asked for.
    pub fn send(
        &mut self,
        now: Instant,
        next_hop: NextHop,
        headers: &mut Headers,
        payload: [&[u8]; 2],
        offload: &Offload,
    ) -> LinkSend {
        let [first, second] = payload;
        let length = headers.len() + first.len() + second.len();
        if length > self.config.mtu && offload.segment_size.is_none() {
            return LinkSend::Dropped(DropReason::PacketTooBig);
        }
        let ethertype = match version(headers.as_slice().first().or(first.first()).or(second.first())) {
            4 => EtherType::Ipv4,
            6 => EtherType::Ipv6,
            _ => return LinkSend::Dropped(DropReason::Malformed),
        };
        if self.config.medium == Medium::Ip {
            return LinkSend::Ready;
        }
        let destination = match next_hop {
            NextHop::Broadcast => MacAddr::BROADCAST,
            NextHop::Multicast(IpAddr::V4(group)) => MacAddr::multicast_v4(group),
            NextHop::Multicast(IpAddr::V6(group)) => MacAddr::multicast_v6(group),
            NextHop::Unicast(neighbor) => match self.neighbors.resolve(now, neighbor) {
                Some(mac) => mac,
                None => {
                    let parked = Parked::copy([headers.as_slice(), first, second], *offload);
                    return self.park(now, neighbor, parked);
                }
            },
        };
        Ethernet { destination, source: self.config.mac, ethertype }.prepend(headers);
        LinkSend::Ready
    }

    fn park(&mut self, now: Instant, neighbor: IpAddr, packet: Parked) -> LinkSend {
        let Parking { ask, is_kept } = self.neighbors.park(now, neighbor, packet);
        if let Some(ask) = ask {
            self.ask(ask);
        }
        self.report_dropped();
        if is_kept { LinkSend::Parked } else { LinkSend::Dropped(DropReason::NeighborQueueFull) }
    }

    /// Tells of parked packets that had to make room.
    pub(super) fn report_dropped(&mut self) {
        while let Some(parked) = self.neighbors.pop_dropped() {
            let packet = parked.into_packet();
            self.tell(LinkEvent::Dropped { reason: DropReason::NeighborQueueFull, packet });
        }
    }

    /// The neighbour's MAC address is known: its packets leave.
    pub(super) fn release(&mut self, neighbor: IpAddr, mac: MacAddr) {
        while let Some(mut parked) = self.neighbors.unpark(neighbor) {
            let ethertype = match version(parked.frame.get(Ethernet::LEN)) {
                4 => EtherType::Ipv4,
                _ => EtherType::Ipv6,
            };
            let mut headers = Headers::new();
            Ethernet { destination: mac, source: self.config.mac, ethertype }.prepend(&mut headers);
            if let Some(room) = parked.frame.get_mut(..Ethernet::LEN) {
                room.copy_from_slice(headers.as_slice());
            }
            self.outbox.push_back(LinkFrame {
                bytes: parked.frame,
                offload: parked.offload,
                link_header_length: Ethernet::LEN,
            });
        }
    }

    /// Sends a message of the link's own.
    pub(super) fn say(
        &mut self,
        destination: MacAddr,
        ethertype: EtherType,
        headers: &mut Headers,
    ) -> Result<(), DropReason> {
        Ethernet { destination, source: self.config.mac, ethertype }.prepend(headers);
        self.enqueue(headers)
    }

    /// Queues a whole frame of the link's own.
    pub(super) fn enqueue(&mut self, frame: &Headers) -> Result<(), DropReason> {
        if self.outbox.len() >= Link::OUTBOX_LIMIT {
            return Err(DropReason::QueueFull);
        }
        self.outbox.push_back(LinkFrame {
            bytes: frame.as_slice().to_vec(),
            offload: Offload::default(),
            link_header_length: Ethernet::LEN,
        });
        Ok(())
    }
}

/// Whether a MAC address is that of an IPv4 or IPv6 group. The network layer knows which groups are listened to.
fn is_ip_group(mac: MacAddr) -> bool {
    matches!(mac.0, [0x01, 0x00, 0x5e, ..] | [0x33, 0x33, ..])
}
