//! Packets that raw sockets hear, before anybody else has them.

use super::{Arrival, ArrivalChecksum, Cast, Delivery, InterfaceId, Network, NetworkReceive};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

/// Whether a raw socket has taken a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One has, or several.
    Somebody,
    /// None has.
    Nobody,
}

/// The protocols that raw sockets hear: a bit for each number.
#[derive(Debug, Default)]
pub(super) struct Heard([u64; 4]);

impl Heard {
    pub(super) fn contains(&self, protocol: Protocol) -> bool {
        let number = u8::from(protocol);
        self.0[usize::from(number >> 6)] & 1 << (number & 63) != 0
    }
}

impl Network {
    /// Whether packets of this protocol to the host's own addresses and groups are [`NetworkReceive::Heard`] before they
    /// are anything else.
    pub fn set_heard(&mut self, protocol: Protocol, is_heard: bool) {
        let number = u8::from(protocol);
        let word = &mut self.heard.0[usize::from(number >> 6)];
        *word = *word & !(1 << (number & 63)) | u64::from(is_heard) << (number & 63);
    }

    /// What else becomes of a packet that was heard, or could have been. The sender is told of a protocol that is not known
    /// only where no raw socket has taken it.
    pub fn receive_heard<'p>(
        &mut self,
        now: Instant,
        delivery: Delivery<'p>,
        audience: Audience,
    ) -> NetworkReceive<'p> {
        let outcome = if delivery.meta.source.is_ipv4() {
            self.hand_up_v4(now, delivery, audience)
        } else {
            // It was parsed before.
            match Ipv6Header::parse(delivery.packet()) {
                Ok((header, _)) => self.hand_up_v6(now, &header, delivery, audience),
                Err(_) => Err(DropReason::Malformed),
            }
        };
        outcome.unwrap_or_else(NetworkReceive::Dropped)
    }

    /// A packet that this host sends, as its own raw sockets hear it.
    pub fn overheard(
        &self,
        interface: InterfaceId,
        cast: Cast,
        packet: Vec<u8>,
    ) -> Option<Delivery<'static>> {
        let arrival = Arrival { checksum: ArrivalChecksum::Verified, ..Arrival::new(interface) };
        let (meta, length) = match packet.first().map(|byte| byte >> 4) {
            Some(4) => {
                let (header, payload) = Ipv4Header::parse(&packet).ok()?;
                (super::ipv4::meta_of(&arrival, &header, cast, arrival.check()), payload.len())
            }
            _ => {
                let (header, payload) = Ipv6Header::parse(&packet).ok()?;
                (super::ipv6::meta_of(&arrival, &header, cast, arrival.check()), payload.len())
            }
        };
        Some(Delivery { meta, payload_start: packet.len() - length, packet: packet.into() })
    }

    /// Whether raw sockets are to hear a packet before anybody else does.
    pub(super) fn is_heard(&self, delivery: &Delivery<'_>) -> bool {
        self.heard.contains(delivery.meta.protocol) && !self.is_foreign(&delivery.meta)
    }
}
