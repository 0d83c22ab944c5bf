//! ICMP errors leave: about what, to whom, and when never (RFC 1122 section 3.2.2, RFC 4443 section 2.4).

use core::net::IpAddr;

use super::{Cast, Fragmentation, Network, Send};
use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::checksum::PseudoHeader;
use crate::wire::headers::Headers;
use crate::wire::icmpv4::{self, Icmpv4, TimeExceededCode};
use crate::wire::icmpv6::{self, Icmpv6};
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

/// The longest error, in bytes: what every host can receive (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4(c)).
const LONGEST_V4: usize = 576;
const LONGEST_V6: usize = 1280;

/// Why a packet is answered with an ICMP error, for [`Network::icmp_error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// No socket on the port.
    Port,
    /// The host does not answer ARP or NDP.
    Host,
    /// No route.
    Network,
    /// Forbidden.
    Prohibited,
}

/// All that this layer complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Unreachable(Unreachable),
    /// An unknown protocol, named by the byte at `pointer`.
    Protocol {
        pointer: u32,
    },
    TooBig {
        mtu: usize,
    },
    HopLimit,
    Reassembly,
    Parameter {
        code: u8,
        pointer: u32,
    },
}

impl Problem {
    fn v4(self) -> Icmpv4 {
        use icmpv4::UnreachableCode as Code;
        let unreachable = |code| Icmpv4::Unreachable { code, mtu: 0 };
        match self {
            Problem::Unreachable(Unreachable::Port) => unreachable(Code::Port),
            Problem::Unreachable(Unreachable::Host) => unreachable(Code::Host),
            Problem::Unreachable(Unreachable::Network) => unreachable(Code::Network),
            Problem::Unreachable(Unreachable::Prohibited) => unreachable(Code::Prohibited),
            Problem::Protocol { .. } => unreachable(Code::Protocol),
            Problem::TooBig { mtu } => Icmpv4::Unreachable {
                code: Code::FragmentationNeeded,
                mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            },
            Problem::HopLimit => Icmpv4::TimeExceeded { code: TimeExceededCode::HopLimit },
            Problem::Reassembly => Icmpv4::TimeExceeded { code: TimeExceededCode::Reassembly },
            Problem::Parameter { pointer, .. } => {
                Icmpv4::ParameterProblem { code: 0, pointer: u8::try_from(pointer).unwrap_or(u8::MAX) }
            }
        }
    }

    fn v6(self) -> Icmpv6 {
        use icmpv6::UnreachableCode as Code;
        let unreachable = |code| Icmpv6::Unreachable { code };
        match self {
            Problem::Unreachable(Unreachable::Port) => unreachable(Code::Port),
            Problem::Unreachable(Unreachable::Host) => unreachable(Code::Address),
            Problem::Unreachable(Unreachable::Network) => unreachable(Code::NoRoute),
            Problem::Unreachable(Unreachable::Prohibited) => unreachable(Code::Prohibited),
            // Code 1: an unrecognised next header (RFC 4443 section 3.4).
            Problem::Protocol { pointer } => Icmpv6::ParameterProblem { code: 1, pointer },
            Problem::TooBig { mtu } => Icmpv6::PacketTooBig { mtu: u32::try_from(mtu).unwrap_or(u32::MAX) },
            Problem::HopLimit => Icmpv6::TimeExceeded { code: TimeExceededCode::HopLimit },
            Problem::Reassembly => Icmpv6::TimeExceeded { code: TimeExceededCode::Reassembly },
            Problem::Parameter { code, pointer } => Icmpv6::ParameterProblem { code, pointer },
        }
    }

    /// Whether it is told even of packets to groups: path MTU discovery works for them, and RFC 8200 section 4.2 asks
    /// it of certain options.
    fn is_for_groups(self) -> bool {
        matches!(self, Problem::TooBig { .. } | Problem::Parameter { code: 2, .. })
    }
}

impl Network {
    /// Answers a received packet with an ICMP error, where RFC 1122 section 3.2.2 and RFC 4443 section 2.4 allow it:
    /// never about an error, a broadcast, a group's packet, a later fragment, or to an address that is not one host's.
    /// `cast` says whom the packet was for ([`IpMeta::cast`](super::IpMeta::cast)).
    ///
    /// # Errors
    /// [`DropReason::RateLimited`]; [`DropReason::IgnoredIcmp`] where no answer is allowed; [`DropReason::NoRoute`] and
    /// [`DropReason::QueueFull`] where it cannot be sent.
    pub fn icmp_error(
        &mut self,
        now: Instant,
        kind: Unreachable,
        packet: &[u8],
        cast: Cast,
    ) -> Result<(), DropReason> {
        self.report(now, Problem::Unreachable(kind), packet, cast)
    }

    /// Answers a packet with an ICMP error, where that is allowed.
    pub(super) fn report(
        &mut self,
        now: Instant,
        problem: Problem,
        packet: &[u8],
        cast: Cast,
    ) -> Result<(), DropReason> {
        match packet.first().map(|byte| byte >> 4) {
            Some(4) => self.report_v4(now, problem, packet, cast),
            _ => self.report_v6(now, problem, packet, cast),
        }
    }

    fn report_v4(
        &mut self,
        now: Instant,
        problem: Problem,
        packet: &[u8],
        cast: Cast,
    ) -> Result<(), DropReason> {
        let (header, payload) = Ipv4Header::parse_quoted(packet).map_err(|_| DropReason::IgnoredIcmp)?;
        // Of ICMP only questions are answered with errors.
        let is_error =
            header.protocol == Protocol::Icmp && !matches!(payload.first(), Some(8 | 13 | 15 | 17));
        let is_ambiguous = header.source.is_unspecified()
            || header.source.is_multicast()
            || header.source.is_broadcast()
            || self.interfaces.broadcast(header.source).is_some();
        let is_to_many =
            !cast.is_unicast() || header.destination.is_multicast() || header.destination.is_broadcast();
        if is_error || is_ambiguous || is_to_many || header.fragment_offset != 0 {
            return Err(DropReason::IgnoredIcmp);
        }
        let quote = packet.get(..LONGEST_V4 - Ipv4Header::MIN_LEN - Icmpv4::LEN).unwrap_or(packet);
        let (source, destination) =
            (self.voice(problem, header.destination.into()), IpAddr::V4(header.source));
        let mut headers = Headers::new();
        problem.v4().prepend(&mut headers, quote);
        self.complain(now, source, destination, Protocol::Icmp, |_| headers, quote)
    }

    fn report_v6(
        &mut self,
        now: Instant,
        problem: Problem,
        packet: &[u8],
        cast: Cast,
    ) -> Result<(), DropReason> {
        let h = packet.first_chunk::<{ Ipv6Header::LEN }>().ok_or(DropReason::IgnoredIcmp)?;
        let (mut from, mut to) = ([0; 16], [0; 16]);
        from.copy_from_slice(&h[8..24]);
        to.copy_from_slice(&h[24..40]);
        let (from, to) = (core::net::Ipv6Addr::from(from), core::net::Ipv6Addr::from(to));
        // Where the extension headers cannot be walked, they are what is complained of.
        let walked = Ipv6Header::parse_quoted(packet).ok();
        let is_error = walked.is_some_and(|(header, payload)| {
            let is_error = payload.first().is_none_or(|kind| *kind < 128 || *kind == 137);
            header.protocol == Protocol::Icmpv6 && is_error
        });
        let is_later =
            walked.is_some_and(|(header, _)| header.fragment.is_some_and(|piece| piece.offset != 0));
        let is_to_many = !cast.is_unicast() || to.is_multicast();
        let is_ambiguous = from.is_unspecified() || from.is_multicast();
        if is_error || is_later || is_ambiguous || is_to_many && !problem.is_for_groups() {
            return Err(DropReason::IgnoredIcmp);
        }
        let quote = packet.get(..LONGEST_V6 - Ipv6Header::LEN - Icmpv6::LEN).unwrap_or(packet);
        let write = |source| {
            let mut headers = Headers::new();
            let pseudo = PseudoHeader::new(source, from.into(), Protocol::Icmpv6, 0);
            problem.v6().prepend(&mut headers, &pseudo, quote);
            headers
        };
        let source = self.voice(problem, to.into());
        self.complain(now, source, from.into(), Protocol::Icmpv6, write, quote)
    }

    /// The address in whose name a problem is told: the one the packet went to, if it is ours. That a port is closed
    /// a foreign address says itself; everything else is a router's word.
    fn voice(&self, problem: Problem, destination: IpAddr) -> Option<IpAddr> {
        let is_hosts_own = problem == Problem::Unreachable(Unreachable::Port);
        let is_ours = self.interfaces.is_local(destination) || is_hosts_own && self.speaks_for(destination);
        is_ours.then_some(destination)
    }

    /// Sends an error from this address, or else from one that leads back.
    fn complain(
        &mut self,
        now: Instant,
        own: Option<IpAddr>,
        destination: IpAddr,
        protocol: Protocol,
        write: impl FnOnce(IpAddr) -> Headers,
        quote: &[u8],
    ) -> Result<(), DropReason> {
        let path = self.route(destination, own, None).map_err(|_| DropReason::NoRoute)?;
        if !self.limiter.takes(now) {
            return Err(DropReason::RateLimited);
        }
        let send = Send {
            source: path.source,
            destination,
            protocol,
            hop_limit: None,
            traffic_class: 0,
            fragmentation: Fragmentation::Allowed,
            payload_length: 0,
        };
        self.originate(&path, &send, [write(path.source).as_slice(), quote, &[]])
    }
}
