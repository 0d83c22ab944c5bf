//! Down from the transport layer: the transport header, the IP header, the frame.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;
use std::collections::VecDeque;

use super::{ChecksumOffload, Interface};
use crate::drop_reason::DropReason;
use crate::link::{LinkSend, NextHop, Offload, PartialChecksum};
use crate::network::{Fragmentation, Hop, InterfaceId, Network, Path, Send};
use crate::socket::IpOptions;
use crate::time::Instant;
use crate::transport::tcp::Endpoints;
use crate::wire::checksum::{ChecksumEmit, PseudoHeader};
use crate::wire::ecn::Codepoint;
use crate::wire::headers::Headers;
use crate::wire::icmpv4::Icmpv4;
use crate::wire::icmpv6::Icmpv6;
use crate::wire::ip::Protocol;
use crate::wire::tcp::Segment;
use crate::wire::udp::Udp;

/// Where the checksum stands in a TCP header, in bytes.
const TCP_CHECKSUM_OFFSET: u16 = 16;
/// Where the checksum stands in a UDP header, in bytes.
const UDP_CHECKSUM_OFFSET: u16 = 6;
/// The most bytes of IP header this host writes.
const IP_HEADERS: usize = 40;
/// The most packets on their way back to this host.
const LOOPBACK_PACKETS: usize = 1024;

/// The largest segment that packets of `mtu` bytes carry, in bytes of options and payload.
pub(super) fn mss_of(mtu: usize, ends: &Endpoints) -> u16 {
    let headers = if ends.local.is_ipv4() { 40 } else { 60 };
    // The length fields of IP reach no further, whatever the MTU.
    mtu.min(65_535).saturating_sub(headers) as u16
}

/// What the device has to do with a frame. All offsets count from the start of the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameOffload {
    /// The checksum to complete.
    pub checksum: Option<PartialChecksum>,
    /// Cut the frame into segments of this many bytes of TCP payload.
    pub segment_size: Option<u16>,
    /// Bytes of all headers, which every one of those segments repeats.
    pub header_length: u16,
}

/// A packet from this host to itself.
#[derive(Debug)]
pub(super) struct Looped {
    pub(super) packet: Vec<u8>,
    pub(super) segment_size: Option<u16>,
}

/// What became of a packet handed down.
pub(super) enum Handed {
    /// Its headers are complete: the caller of `poll_transmit` shall have it.
    Leaves(InterfaceId, FrameOffload),
    /// It was copied: it waits for the neighbour's address, goes back to this host, or left in fragments.
    Kept,
    /// It was dropped.
    Refused(DropReason),
}

/// A packet as the transport layer hands it down.
struct Down<'a> {
    path: &'a Path,
    send: Send,
    payload: [&'a [u8]; 2],
    /// Where in the transport header the checksum stands that is left to the device.
    partial: Option<u16>,
    segment_size: Option<u16>,
}

/// A segment on its way down.
pub(super) struct SegmentDown<'a> {
    pub(super) path: &'a Path,
    pub(super) ends: Endpoints,
    pub(super) segment: &'a Segment,
    pub(super) payload: [&'a [u8]; 2],
    /// Bytes of payload in each segment the device shall cut it into.
    pub(super) segment_size: Option<u16>,
    pub(super) ecn: Codepoint,
    pub(super) options: &'a IpOptions,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// A UDP datagram.
    Datagram,
    /// An echo request; its identifier is the local port.
    EchoRequest,
    /// The reply to one; its identifier is the remote port.
    EchoReply,
}

/// A datagram or echo message on its way down.
pub(super) struct Message<'a> {
    pub(super) carries: Carries,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) mark: u16,
    pub(super) payload: [&'a [u8]; 2],
}

/// The layers below the transport, borrowed together.
pub(super) struct Lower<'a> {
    pub(super) network: &'a mut Network,
    pub(super) interfaces: &'a mut [Interface],
    pub(super) loopback: &'a mut VecDeque<Looped>,
    pub(super) spare: &'a mut Vec<u8>,
    pub(super) headers: &'a mut Headers,
}

impl Lower<'_> {
    /// From the transport header to the complete frame.
    fn hand_down(&mut self, now: Instant, down: Down<'_>) -> Handed {
        let transport_header = self.headers.len();
        let total = transport_header + down.payload[0].len() + down.payload[1].len();
        let send = Send { payload_length: total, ..down.send };
        let fits = self.network.header_length(&send) + total <= down.path.mtu;
        if !fits && down.segment_size.is_none() {
            return match self.network.fragment(self.headers, down.payload, &send, down.path) {
                Ok(()) => Handed::Kept,
                Err(reason) => Handed::Refused(reason),
            };
        }
        self.network.prepend(self.headers, &send);
        let ip_header = self.headers.len() - transport_header;
        let checksum = down.partial.map(|offset| PartialChecksum { start: ip_header as u16, offset });
        let offload = Offload { checksum, segment_size: down.segment_size };
        self.hand_to_link(now, down.path, down.payload, &offload)
    }

    /// From the packet to the frame.
    pub(super) fn hand_to_link(
        &mut self,
        now: Instant,
        path: &Path,
        payload: [&[u8]; 2],
        offload: &Offload,
    ) -> Handed {
        let next_hop = match path.next_hop {
            Hop::Local => {
                // It is taken up before anything else is handed down: there is hardly ever more than one.
                if self.loopback.len() >= LOOPBACK_PACKETS {
                    return Handed::Refused(DropReason::QueueFull);
                }
                let mut packet = core::mem::take(self.spare);
                packet.clear();
                for piece in [self.headers.as_slice(), payload[0], payload[1]] {
                    packet.extend_from_slice(piece);
                }
                self.loopback.push_back(Looped { packet, segment_size: offload.segment_size });
                return Handed::Kept;
            }
            Hop::Unicast(ip) => NextHop::Unicast(ip),
            Hop::Broadcast => NextHop::Broadcast,
            Hop::Multicast(group) => NextHop::Multicast(group),
        };
        let Some(link) =
            self.interfaces.get_mut(usize::from(path.interface.0)).and_then(|entry| entry.link.as_mut())
        else {
            return Handed::Refused(DropReason::NoRoute);
        };
        let packet_header = self.headers.len();
        match link.send(now, next_hop, self.headers, payload, offload) {
            LinkSend::Ready => {
                let link_header = self.headers.len() - packet_header;
                let offload = frame_offload(offload, link_header, self.headers.len());
                Handed::Leaves(path.interface, offload)
            }
            LinkSend::Parked => Handed::Kept,
            LinkSend::Dropped(reason) => Handed::Refused(reason),
        }
    }
}

impl Lower<'_> {
    /// From the segment to the frame.
    pub(super) fn hand_down_segment(&mut self, now: Instant, down: SegmentDown<'_>) -> Handed {
        let SegmentDown { path, ends, segment, payload, segment_size, ecn, options } = down;
        let emit = self.checksum_emit(path);
        let pseudo = PseudoHeader::new(ends.local.ip(), ends.remote.ip(), Protocol::Tcp, 0);
        segment.prepend(self.headers, &pseudo, payload, emit);
        let send = Send {
            source: ends.local.ip(),
            destination: ends.remote.ip(),
            protocol: Protocol::Tcp,
            hop_limit: options.hop_limit,
            traffic_class: options.traffic_class & !3 | ecn.bits(),
            fragmentation: match options.path_mtu_discovery {
                true => path.fragmentation,
                false => Fragmentation::Allowed,
            },
            payload_length: 0,
        };
        let partial = (emit == ChecksumEmit::PseudoOnly).then_some(TCP_CHECKSUM_OFFSET);
        self.hand_down(now, Down { path, send, payload, partial, segment_size })
    }

    /// From the datagram or echo message to the frame.
    pub(super) fn hand_down_datagram(
        &mut self,
        now: Instant,
        path: &Path,
        message: &Message<'_>,
        options: &IpOptions,
    ) -> Handed {
        let (source, destination) = (message.local.ip(), message.remote.ip());
        let (port, payload) = (message.local.port(), message.payload);
        let mut partial = None;
        let is_reply = message.carries == Carries::EchoReply;
        let (id, seq) = (if is_reply { message.remote.port() } else { port }, message.mark);
        let protocol = match (message.carries, destination) {
            (Carries::EchoRequest | Carries::EchoReply, IpAddr::V4(_)) => {
                let echo =
                    if is_reply { Icmpv4::EchoReply { id, seq } } else { Icmpv4::EchoRequest { id, seq } };
                echo.prepend(self.headers, &whole(payload));
                Protocol::Icmp
            }
            (Carries::EchoRequest | Carries::EchoReply, IpAddr::V6(_)) => {
                let pseudo = PseudoHeader::new(source, destination, Protocol::Icmpv6, 0);
                let echo =
                    if is_reply { Icmpv6::EchoReply { id, seq } } else { Icmpv6::EchoRequest { id, seq } };
                echo.prepend(self.headers, &pseudo, &whole(payload));
                Protocol::Icmpv6
            }
            (Carries::Datagram, _) => {
                let length = payload[0].len() + payload[1].len();
                let fits = length + Udp::LEN + IP_HEADERS <= path.mtu;
                // A device completes a checksum only over a whole datagram, not over fragments of one.
                let emit = if fits { self.checksum_emit(path) } else { ChecksumEmit::Full };
                let pseudo = PseudoHeader::new(source, destination, Protocol::Udp, 0);
                Udp::new(port, message.remote.port(), length).prepend(self.headers, &pseudo, payload, emit);
                partial = (emit == ChecksumEmit::PseudoOnly).then_some(UDP_CHECKSUM_OFFSET);
                Protocol::Udp
            }
        };
        let send = Send {
            source,
            destination,
            protocol,
            hop_limit: options.hop_limit_to(destination),
            traffic_class: options.traffic_class,
            fragmentation: Fragmentation::Allowed,
            payload_length: 0,
        };
        self.hand_down(now, Down { path, send, payload, partial, segment_size: None })
    }

    /// From what a raw socket sends, whose checksums are complete, to the frame; without `send` its header is too.
    pub(super) fn hand_down_raw(
        &mut self,
        now: Instant,
        path: &Path,
        send: Option<Send>,
        payload: [&[u8]; 2],
    ) -> Handed {
        match send {
            Some(send) => {
                self.hand_down(now, Down { path, send, payload, partial: None, segment_size: None })
            }
            None => self.hand_to_link(now, path, payload, &Offload::default()),
        }
    }

    /// Who computes the checksum: nobody, on the way back to this host; the device, where it can.
    fn checksum_emit(&self, path: &Path) -> ChecksumEmit {
        let interface = self.interfaces.get(usize::from(path.interface.0));
        let offload = interface.is_some_and(|entry| entry.checksum_offload == ChecksumOffload::On);
        if offload || path.next_hop == Hop::Local { ChecksumEmit::PseudoOnly } else { ChecksumEmit::Full }
    }
}

/// Offsets from the start of the packet become offsets from the start of the frame.
pub(super) fn frame_offload(offload: &Offload, link_header: usize, header_length: usize) -> FrameOffload {
    FrameOffload {
        checksum: offload.checksum.map(|partial| PartialChecksum {
            start: partial.start.saturating_add(link_header as u16),
            offset: partial.offset,
        }),
        segment_size: offload.segment_size,
        header_length: header_length as u16,
    }
}

/// Two pieces as one; only a ping whose bytes wrap around the end of its queue is copied.
fn whole(pieces: [&[u8]; 2]) -> Cow<'_, [u8]> {
    if pieces[1].is_empty() { Cow::Borrowed(pieces[0]) } else { Cow::Owned(pieces.concat()) }
}

/// Where the TCP header of a parked large packet ends: the device repeats everything before it.
pub(super) fn tcp_header_end(frame: &[u8], offload: &FrameOffload) -> u16 {
    let start = offload.checksum.map_or(0, |partial| partial.start);
    let words = frame.get(usize::from(start) + 12).map_or(0, |byte| u16::from(byte >> 4));
    start.saturating_add(words * 4)
}
