//! ICMP arrives: echo is answered, errors go to the socket they concern (RFC 1122 section 3.2.2, RFC 4443).

use core::net::IpAddr;
use std::borrow::Cow;

use super::path_mtu::plateau_below;
use super::{Delivery, Echo, Fragmentation, Hardness, IcmpError, IpMeta, Network, NetworkReceive, Send};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::time::Instant;
use crate::wire::WireError;
use crate::wire::checksum::PseudoHeader;
use crate::wire::headers::Headers;
use crate::wire::icmpv4::{self, Icmpv4};
use crate::wire::icmpv6::{self, Icmpv6};
use crate::wire::ip::Protocol;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::mld::MldQuery;
use crate::wire::ndp::Ndp;
use crate::wire::quote::Quote;

fn reason_of(error: WireError) -> DropReason {
    match error {
        WireError::BadChecksum { .. } => DropReason::BadChecksum,
        _ => DropReason::Malformed,
    }
}

/// What an error means, and whether for good; with Linux where the RFCs leave it open.
type Meaning = (Error, Hardness);

fn meaning_v4(icmp: &Icmpv4) -> Option<Meaning> {
    use icmpv4::UnreachableCode as Code;
    Some(match icmp {
        Icmpv4::Unreachable { code, .. } => match code {
            Code::Network | Code::Other(11) => (Error::NetworkUnreachable, Hardness::Soft),
            Code::NetworkProhibited | Code::Other(6) => (Error::NetworkUnreachable, Hardness::Hard),
            Code::Host | Code::Other(5 | 8 | 12) => (Error::HostUnreachable, Hardness::Soft),
            Code::HostProhibited | Code::Prohibited | Code::Other(7 | 14 | 15) => {
                (Error::HostUnreachable, Hardness::Hard)
            }
            Code::Protocol => (Error::UnknownOption, Hardness::Hard),
            Code::Port => (Error::ConnectionRefused, Hardness::Hard),
            Code::FragmentationNeeded => (Error::MessageTooLong, Hardness::Soft),
            Code::Other(_) => return None,
        },
        Icmpv4::TimeExceeded { .. } => (Error::HostUnreachable, Hardness::Soft),
        Icmpv4::ParameterProblem { .. } => (Error::UnknownOption, Hardness::Soft),
        _ => return None,
    })
}

fn meaning_v6(icmp: &Icmpv6) -> Option<Meaning> {
    use icmpv6::UnreachableCode as Code;
    Some(match icmp {
        Icmpv6::Unreachable { code } => match code {
            Code::NoRoute => (Error::NetworkUnreachable, Hardness::Soft),
            Code::Prohibited | Code::SourcePolicy | Code::RejectRoute => {
                (Error::PermissionDenied, Hardness::Hard)
            }
            Code::BeyondScope | Code::Address => (Error::HostUnreachable, Hardness::Soft),
            Code::Port => (Error::ConnectionRefused, Hardness::Hard),
            Code::Other(_) => return None,
        },
        Icmpv6::PacketTooBig { .. } => (Error::MessageTooLong, Hardness::Soft),
        Icmpv6::TimeExceeded { .. } => (Error::HostUnreachable, Hardness::Soft),
        Icmpv6::ParameterProblem { .. } => (Error::UnknownOption, Hardness::Soft),
        _ => return None,
    })
}

impl Network {
    pub(super) fn on_icmpv4<'p>(&mut self, delivery: Delivery<'p>) -> Result<NetworkReceive<'p>, DropReason> {
        let meta = delivery.meta;
        let (icmp, data) = Icmpv4::parse(delivery.payload()).map_err(reason_of)?;
        match icmp {
            // A request to all would have all answer: the amplifier of the "smurf" attack (RFC 1122 section 3.2.2.6).
            Icmpv4::EchoRequest { .. } if !meta.is_unicast() => Err(DropReason::IgnoredIcmp),
            Icmpv4::EchoRequest { id, seq } if self.is_foreign(&meta) => {
                Ok(NetworkReceive::EchoRequest(echo(delivery, (id, seq), Icmpv4::LEN)))
            }
            Icmpv4::EchoReply { .. } if self.is_foreign(&meta) => Err(DropReason::NotOurAddress),
            Icmpv4::EchoRequest { id, seq } => {
                let mut headers = Headers::new();
                Icmpv4::EchoReply { id, seq }.prepend(&mut headers, data);
                self.answer(&meta, Protocol::Icmp, &headers, data)?;
                Ok(NetworkReceive::Consumed)
            }
            Icmpv4::EchoReply { id, seq } => {
                Ok(NetworkReceive::EchoReply(echo(delivery, (id, seq), Icmpv4::LEN)))
            }
            _ => {
                let (error, hardness) = meaning_v4(&icmp).ok_or(DropReason::IgnoredIcmp)?;
                let quote = Quote::parse_v4(data).map_err(|_| DropReason::Malformed)?;
                let next_hop_mtu = match icmp {
                    Icmpv4::Unreachable { mtu: 0, .. } => plateau_below(length_v4(data)),
                    Icmpv4::Unreachable { mtu, .. } => mtu.into(),
                    _ => 0,
                };
                self.hand_error(&meta, (error, hardness), quote, next_hop_mtu)
            }
        }
    }

    pub(super) fn on_icmpv6<'p>(
        &mut self,
        now: Instant,
        header: &Ipv6Header,
        delivery: Delivery<'p>,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let meta = delivery.meta;
        let payload = delivery.payload();
        let kind = payload.first().copied().ok_or(DropReason::Malformed)?;
        if self.is_foreign(&meta) && (Ndp::is_ndp(kind) || MldQuery::is_query(kind)) {
            return Err(DropReason::NotOurAddress);
        }
        if Ndp::is_ndp(kind) {
            let message = Ndp::parse(payload, header).map_err(reason_of)?;
            return Ok(NetworkReceive::Ndp {
                source: header.source,
                destination: header.destination,
                message,
            });
        }
        if MldQuery::is_query(kind) {
            let query = MldQuery::parse(payload, header).map_err(reason_of)?;
            self.on_mld_query(now, meta.interface, &query);
            return Ok(NetworkReceive::Consumed);
        }
        let (icmp, data) = Icmpv6::parse(payload, &header.pseudo()).map_err(reason_of)?;
        match icmp {
            Icmpv6::EchoRequest { .. } if header.source.is_unspecified() => Err(DropReason::IgnoredIcmp),
            Icmpv6::EchoRequest { id, seq } if self.is_foreign(&meta) => {
                Ok(NetworkReceive::EchoRequest(echo(delivery, (id, seq), Icmpv6::LEN)))
            }
            Icmpv6::EchoReply { .. } if self.is_foreign(&meta) => Err(DropReason::NotOurAddress),
            Icmpv6::EchoRequest { id, seq } => {
                let mut headers = Headers::new();
                let own = self.own_end(&meta)?;
                let pseudo = PseudoHeader::new(own, meta.source, Protocol::Icmpv6, 0);
                Icmpv6::EchoReply { id, seq }.prepend(&mut headers, &pseudo, data);
                self.answer(&meta, Protocol::Icmpv6, &headers, data)?;
                Ok(NetworkReceive::Consumed)
            }
            Icmpv6::EchoReply { id, seq } => {
                Ok(NetworkReceive::EchoReply(echo(delivery, (id, seq), Icmpv6::LEN)))
            }
            _ => {
                let (error, hardness) = meaning_v6(&icmp).ok_or(DropReason::IgnoredIcmp)?;
                let quote = Quote::parse_v6(data).map_err(|_| DropReason::Malformed)?;
                let next_hop_mtu = match icmp {
                    Icmpv6::PacketTooBig { mtu } => usize::try_from(mtu).unwrap_or(usize::MAX),
                    _ => 0,
                };
                self.hand_error(&meta, (error, hardness), quote, next_hop_mtu)
            }
        }
    }

    /// Our end of what is answered: the address it came to, or, where that was a group, one of ours.
    fn own_end(&self, meta: &IpMeta) -> Result<IpAddr, DropReason> {
        if meta.is_unicast() {
            return Ok(meta.destination);
        }
        let path = self.route(meta.source, None, Some(meta.interface)).map_err(|_| DropReason::NoRoute)?;
        Ok(path.source)
    }

    /// Sends an answer back to where a message came from.
    fn answer(
        &mut self,
        meta: &IpMeta,
        protocol: Protocol,
        headers: &Headers,
        data: &[u8],
    ) -> Result<(), DropReason> {
        let source = self.own_end(meta)?;
        // Link-local addresses mean something on their own link only.
        let interface = super::interface::is_link_local(meta.source).then_some(meta.interface);
        let path = self.route(meta.source, Some(source), interface).map_err(|_| DropReason::NoRoute)?;
        let send = Send {
            source,
            destination: meta.source,
            protocol,
            hop_limit: None,
            traffic_class: meta.traffic_class & !3,
            fragmentation: Fragmentation::Allowed,
            payload_length: 0,
        };
        self.originate(&path, &send, [headers.as_slice(), data, &[]])
    }

    /// An error about a packet of ours. Whether such a packet was ever sent, the transport layer must find out
    /// (RFC 5927).
    fn hand_error<'p>(
        &self,
        meta: &IpMeta,
        (error, hardness): Meaning,
        quote: Quote,
        next_hop_mtu: usize,
    ) -> Result<NetworkReceive<'p>, DropReason> {
        let is_about_us = self.speaks_for(quote.source) && quote.source.is_ipv4() == meta.source.is_ipv4();
        if !meta.is_unicast() || !is_about_us {
            return Err(DropReason::IgnoredIcmp);
        }
        let mtu = (error == Error::MessageTooLong).then_some(next_hop_mtu);
        Ok(NetworkReceive::IcmpError(IcmpError { error, hardness, mtu, reporter: meta.source, quote }))
    }

    /// A packet whose next hop never answered ([`crate::link::LinkEvent::Unreachable`]). Where this host had sent it,
    /// the error for its socket; where it was forwarded, its sender is told, and there is `None`.
    pub fn on_undeliverable(&mut self, now: Instant, packet: &[u8]) -> Option<IcmpError> {
        let quote = match packet.first().map(|byte| byte >> 4) {
            Some(4) => Quote::parse_v4(packet).ok()?,
            _ => Quote::parse_v6(packet).ok()?,
        };
        if !self.speaks_for(quote.source) {
            self.turn_back_undeliverable(now, packet);
            return None;
        }
        Some(IcmpError {
            error: Error::HostUnreachable,
            hardness: Hardness::Hard,
            mtu: None,
            reporter: quote.source,
            quote,
        })
    }

    /// A packet that was forwarded, and whose next hop never answered: its sender is told.
    pub fn turn_back_undeliverable(&mut self, now: Instant, packet: &[u8]) {
        // It was unicast, or it would have found its way without a neighbour.
        let _ = self.icmp_error(now, super::Unreachable::Host, packet, super::Cast::Unicast);
    }
}

/// An echo message with the data behind its header.
fn echo(delivery: Delivery<'_>, (id, seq): (u16, u16), header: usize) -> Echo<'_> {
    let start = delivery.payload_start + header;
    let data = match delivery.packet {
        Cow::Borrowed(packet) => Cow::Borrowed(packet.get(start..).unwrap_or_default()),
        Cow::Owned(mut packet) => {
            packet.drain(..start.min(packet.len()));
            Cow::Owned(packet)
        }
    };
    Echo { meta: delivery.meta, id, seq, data }
}

/// The total length that a quoted IPv4 header tells.
fn length_v4(quoted: &[u8]) -> usize {
    match quoted {
        [_, _, high, low, ..] => u16::from_be_bytes([*high, *low]).into(),
        _ => 0,
    }
}
