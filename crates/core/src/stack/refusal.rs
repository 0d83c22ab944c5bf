//! ICMP errors about packets that a program has refused. The packet itself is gone by then; what an error must quote of it,
//! the IP header and the first bytes behind it (RFC 792, RFC 4443), is written anew. And what a host tells itself.

use core::net::IpAddr;

use super::Stack;
use crate::drop_reason::DropReason;
use crate::link::Cast;
use crate::network::{InterfaceId, Unreachable};
use crate::time::Instant;
use crate::transport::tcp::Endpoints;
use crate::transport::udp::Entry;
use crate::wire::checksum::{ChecksumEmit, PseudoHeader};
use crate::wire::headers::Headers;
use crate::wire::icmpv4::{self, Icmpv4};
use crate::wire::icmpv6::{self, Icmpv6};
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::tcp::Segment;
use crate::wire::udp::Udp;

/// How much this host quotes to itself, in bytes: what fits in the smallest packet that every host receives (RFC 1122 section
/// 3.2.2).
const OWN_QUOTE: usize = 576 - 28;

impl Stack {
    /// Answers a segment that has come between `ends` with an ICMP error.
    pub(super) fn report_segment(
        &mut self,
        now: Instant,
        ends: &Endpoints,
        segment: &Segment,
        reason: Unreachable,
    ) -> Result<(), DropReason> {
        let mut headers = Headers::new();
        let (from, to) = (ends.remote.ip(), ends.local.ip());
        let pseudo = PseudoHeader::new(from, to, Protocol::Tcp, 0);
        segment.prepend(&mut headers, &pseudo, [&[], &[]], ChecksumEmit::Full);
        let length = headers.len();
        prepend_ip(&mut headers, (from, to), Protocol::Tcp, length);
        self.network.icmp_error(now, reason, headers.as_slice(), Cast::Unicast)
    }

    /// Lets raw sockets of ICMP hear that a packet of this host's own was not delivered, as Linux tells itself. All others are
    /// told without a message.
    pub(super) fn overhear_unreachable(&mut self, interface: InterfaceId, own: IpAddr, packet: &[u8]) {
        let protocol = if own.is_ipv4() { Protocol::Icmp } else { Protocol::Icmpv6 };
        if !self.network.is_local(own) || !self.raw.demux.is_port_bound(u16::from(u8::from(protocol))) {
            return;
        }
        let quote = packet.get(..OWN_QUOTE).unwrap_or(packet);
        let mut headers = Headers::new();
        if own.is_ipv4() {
            let code = icmpv4::UnreachableCode::Host;
            Icmpv4::Unreachable { code, mtu: 0 }.prepend(&mut headers, quote);
        } else {
            let code = icmpv6::UnreachableCode::Address;
            let pseudo = PseudoHeader::new(own, own, protocol, 0);
            Icmpv6::Unreachable { code }.prepend(&mut headers, &pseudo, quote);
        }
        let length = headers.len() + quote.len();
        prepend_ip(&mut headers, (own, own), protocol, length);
        let message = [headers.as_slice(), quote].concat();
        if let Some(delivery) = self.network.overheard(interface, Cast::Unicast, message) {
            self.deliver_raw(&delivery);
        }
    }

    /// Answers a datagram or echo request with an ICMP error.
    pub(super) fn report_datagram(
        &mut self,
        now: Instant,
        protocol: Protocol,
        heard: &Entry,
        reason: Unreachable,
    ) -> Result<(), DropReason> {
        let mut headers = Headers::new();
        let ends = (heard.peer.ip(), heard.local.ip());
        let (id, seq) = (heard.peer.port(), heard.mark);
        let pseudo = PseudoHeader::new(ends.0, ends.1, protocol, 0);
        match protocol {
            Protocol::Icmp => Icmpv4::EchoRequest { id, seq }.prepend(&mut headers, &[]),
            Protocol::Icmpv6 => Icmpv6::EchoRequest { id, seq }.prepend(&mut headers, &pseudo, &[]),
            _ => {
                let udp = Udp::new(heard.peer.port(), heard.local.port(), heard.length);
                udp.prepend(&mut headers, &pseudo, [&[], &[]], ChecksumEmit::PseudoOnly);
            }
        }
        // The length is the whole packet's, although the quote ends with its headers.
        let length = headers.len() + heard.length;
        prepend_ip(&mut headers, ends, protocol, length);
        self.network.icmp_error(now, reason, headers.as_slice(), Cast::Unicast)
    }
}

/// The IP header of a packet between `ends` with so many bytes behind it.
fn prepend_ip(headers: &mut Headers, ends: (IpAddr, IpAddr), protocol: Protocol, length: usize) {
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            Ipv4Header { payload_length: length, ..Ipv4Header::new(from, to, protocol) }.prepend(headers);
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            Ipv6Header { payload_length: length, ..Ipv6Header::new(from, to, protocol) }.prepend(headers);
        }
        // No packet has ends of two families.
        _ => {}
    }
}
