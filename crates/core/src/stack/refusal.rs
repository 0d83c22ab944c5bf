//! ICMP errors about packets that a program has refused. The packet itself is gone by then; what an error must quote of it,
//! the IP header and the first bytes behind it (RFC 792, RFC 4443), is written anew.

use core::net::IpAddr;

use super::Stack;
use crate::drop_reason::DropReason;
use crate::link::Cast;
use crate::network::Unreachable;
use crate::time::Instant;
use crate::transport::tcp::Endpoints;
use crate::transport::udp::Entry;
use crate::wire::checksum::{ChecksumEmit, PseudoHeader};
use crate::wire::headers::Headers;
use crate::wire::icmpv4::Icmpv4;
use crate::wire::icmpv6::Icmpv6;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;
use crate::wire::tcp::Segment;
use crate::wire::udp::Udp;

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
