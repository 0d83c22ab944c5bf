//! The way down: who has something to send, its segment, the IP header, the frame.
//!
//! Frames are lent, not built: [`Transmit`] is the headers, which stand in one small array of the stack, and slices of
//! the socket's own send buffer.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;

use super::{ChecksumOffload, Interface, Stack};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::link::{LinkSend, NextHop, Offload, PartialChecksum};
use crate::network::{Fragmentation, Hop, InterfaceId, Network, Path, Send};
use crate::socket::{Body, IpOptions, Kind, SocketId};
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent};
use crate::transport::tcp::Endpoints;
use crate::wire::checksum::{ChecksumEmit, PseudoHeader};
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

/// A frame on its way out, lent until the next call.
#[derive(Debug)]
pub struct Transmit<'a> {
    /// The interface it leaves by.
    pub interface: InterfaceId,
    /// All its headers, the link's first.
    pub headers: &'a [u8],
    /// What follows the headers, in two pieces either of which may be empty.
    pub payload: [&'a [u8]; 2],
    /// What the device has to do.
    pub offload: FrameOffload,
}

impl Transmit<'_> {
    /// Bytes of the whole frame.
    pub fn len(&self) -> usize {
        self.headers.len() + self.payload[0].len() + self.payload[1].len()
    }

    /// Whether there is no byte in it, which never happens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        [self.headers, self.payload[0], self.payload[1]].concat()
    }
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

/// Where the payload of the frame just polled stands.
#[derive(Debug)]
pub(super) enum Sending {
    Nothing,
    /// In a buffer of its own: the whole frame, or what follows the headers.
    Owned(Vec<u8>),
    /// In a connection's send buffer.
    Connection {
        id: SocketId,
        offset: usize,
        length: usize,
    },
    /// At the front of a datagram socket's queue.
    Datagram(SocketId),
}

/// The frame decided on; its payload is described by [`Sending`].
struct Prepared {
    interface: InterfaceId,
    offload: FrameOffload,
    socket: Option<SocketId>,
}

/// What became of a packet handed down.
enum Handed {
    /// Its headers are complete: the caller of `poll_transmit` shall have it.
    Leaves(InterfaceId, FrameOffload),
    /// It was copied: it waits for the neighbour's address, goes back to this host, or left in fragments.
    Kept,
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

/// A datagram or echo request on its way down.
struct Message<'a> {
    kind: Kind,
    local: SocketAddr,
    remote: SocketAddr,
    mark: u16,
    payload: [&'a [u8]; 2],
}

/// The layers below the transport, borrowed together.
struct Lower<'a> {
    network: &'a mut Network,
    interfaces: &'a mut [Interface],
    loopback: &'a mut std::collections::VecDeque<Looped>,
    headers: &'a mut Headers,
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
    fn hand_to_link(&mut self, now: Instant, path: &Path, payload: [&[u8]; 2], offload: &Offload) -> Handed {
        let next_hop = match path.next_hop {
            Hop::Local => {
                let packet = [self.headers.as_slice(), payload[0], payload[1]].concat();
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
    #[allow(clippy::too_many_arguments)] // the one place where all that a segment needs on its way comes together
    fn hand_down_segment(
        &mut self,
        now: Instant,
        path: &Path,
        ends: Endpoints,
        segment: &Segment,
        payload: [&[u8]; 2],
        segment_size: Option<u16>,
        options: &IpOptions,
    ) -> Handed {
        let emit = self.checksum_emit(path);
        let pseudo = PseudoHeader::new(ends.local.ip(), ends.remote.ip(), Protocol::Tcp, 0);
        segment.prepend(self.headers, &pseudo, payload, emit);
        let send = Send {
            source: ends.local.ip(),
            destination: ends.remote.ip(),
            protocol: Protocol::Tcp,
            hop_limit: options.hop_limit,
            traffic_class: options.traffic_class & !3,
            fragmentation: path.fragmentation,
            payload_length: 0,
        };
        let partial = (emit == ChecksumEmit::PseudoOnly).then_some(TCP_CHECKSUM_OFFSET);
        self.hand_down(now, Down { path, send, payload, partial, segment_size })
    }

    /// From the datagram or echo request to the frame.
    fn hand_down_datagram(
        &mut self,
        now: Instant,
        path: &Path,
        message: &Message<'_>,
        options: &IpOptions,
    ) -> Handed {
        let (source, destination) = (message.local.ip(), message.remote.ip());
        let (port, payload) = (message.local.port(), message.payload);
        let mut partial = None;
        let protocol = match (message.kind, destination) {
            (Kind::Ping, IpAddr::V4(_)) => {
                let echo = Icmpv4::EchoRequest { id: port, seq: message.mark };
                echo.prepend(self.headers, &whole(payload));
                Protocol::Icmp
            }
            (Kind::Ping, IpAddr::V6(_)) => {
                let pseudo = PseudoHeader::new(source, destination, Protocol::Icmpv6, 0);
                let echo = Icmpv6::EchoRequest { id: port, seq: message.mark };
                echo.prepend(self.headers, &pseudo, &whole(payload));
                Protocol::Icmpv6
            }
            _ => {
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

    /// Who computes the checksum: nobody, on the way back to this host; the device, where it can.
    fn checksum_emit(&self, path: &Path) -> ChecksumEmit {
        let interface = self.interfaces.get(usize::from(path.interface.0));
        let offload = interface.is_some_and(|entry| entry.checksum_offload == ChecksumOffload::On);
        if offload || path.next_hop == Hop::Local { ChecksumEmit::PseudoOnly } else { ChecksumEmit::Full }
    }
}

/// Offsets from the start of the packet become offsets from the start of the frame.
fn frame_offload(offload: &Offload, link_header: usize, header_length: usize) -> FrameOffload {
    FrameOffload {
        checksum: offload.checksum.map(|partial| PartialChecksum {
            start: partial.start.saturating_add(link_header as u16),
            offset: partial.offset,
        }),
        segment_size: offload.segment_size,
        header_length: header_length as u16,
    }
}

impl Stack {
    /// The next frame to send, or `None` when there is nothing more: then, and only then, the stack can wait.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        self.finish_sending();
        let prepared = self.prepare(now)?;
        if self.log.is_some() {
            self.record_frame(now, &prepared);
        }
        let payload = self.lent();
        Some(Transmit {
            interface: prepared.interface,
            headers: self.headers.as_slice(),
            payload,
            offload: prepared.offload,
        })
    }

    fn record_frame(&mut self, now: Instant, prepared: &Prepared) {
        let [first, second] = self.lent();
        let frame = [self.headers.as_slice(), first, second].concat().into_boxed_slice();
        self.record(now, || TraceEvent::Frame {
            interface: prepared.interface,
            direction: Direction::Sent,
            frame,
            segment_size: prepared.offload.segment_size,
            socket: prepared.socket,
        });
    }

    fn lent(&self) -> [&[u8]; 2] {
        let nothing: [&[u8]; 2] = [&[], &[]];
        match &self.sending {
            Sending::Nothing => nothing,
            Sending::Owned(bytes) => [bytes, &[]],
            Sending::Connection { id, offset, length } => self
                .sockets
                .get(*id)
                .and_then(|socket| socket.connection())
                .map_or(nothing, |connection| connection.payload(*offset, *length)),
            Sending::Datagram(id) => match self.sockets.get(*id).map(|socket| &socket.body) {
                Some(Body::Datagram(datagram)) => {
                    datagram.sending.front().map_or(nothing, |(_, bytes)| bytes)
                }
                _ => nothing,
            },
        }
    }

    /// The frame polled before has left: a datagram leaves its queue only now, because its bytes were lent from there.
    fn finish_sending(&mut self) {
        match core::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::Datagram(id) => self.pop_datagram(id),
            Sending::Owned(buffer) => self.network.recycle(buffer),
            Sending::Nothing | Sending::Connection { .. } => {}
        }
    }

    fn prepare(&mut self, now: Instant) -> Option<Prepared> {
        loop {
            if let Some(looped) = self.loopback.pop_front() {
                self.receive_looped(now, looped);
                continue;
            }
            if let Some(prepared) = self.prepare_link(now) {
                return Some(prepared);
            }
            if let Some(out) = self.network.poll_transmit() {
                self.headers.clear();
                let handed =
                    self.lower(|lower| lower.hand_to_link(now, &out.path, [&out.bytes, &[]], &out.offload));
                if let Some(prepared) = self.settle(now, handed, None, Sending::Owned(out.bytes)) {
                    return Some(prepared);
                }
                continue;
            }
            if let Some(reply) = self.tcp.outbox.pop_front() {
                let ends = Endpoints { local: reply.local, remote: reply.remote };
                let handed = self.hand_down_reply(now, ends, &reply.segment);
                if let Some(prepared) = self.settle(now, handed, None, Sending::Nothing) {
                    return Some(prepared);
                }
                continue;
            }
            let id = *self.ready.front()?;
            match self.prepare_socket(now, id) {
                Poll::Frame(prepared) => return Some(prepared),
                Poll::Again => {}
                Poll::Done => {
                    self.ready.pop_front();
                    if let Some(socket) = self.sockets.get_mut(id) {
                        socket.queued = false;
                    }
                    self.reap_sent(id);
                }
            }
        }
    }

    /// ARP, neighbour discovery, and packets that waited for an address.
    fn prepare_link(&mut self, now: Instant) -> Option<Prepared> {
        for (index, interface) in self.interfaces.iter_mut().enumerate() {
            let Some(link) = &mut interface.link else { continue };
            if let Some(frame) = link.poll_transmit(now) {
                self.headers.clear();
                let offload = frame_offload(&frame.offload, frame.link_header_length, 0);
                let header_length = tcp_header_end(&frame.bytes, &offload);
                self.sending = Sending::Owned(frame.bytes);
                let offload = FrameOffload { header_length, ..offload };
                return Some(Prepared { interface: InterfaceId(index as u8), offload, socket: None });
            }
        }
        None
    }

    fn lower<T>(&mut self, act: impl FnOnce(&mut Lower<'_>) -> T) -> T {
        act(&mut Lower {
            network: &mut self.network,
            interfaces: &mut self.interfaces,
            loopback: &mut self.loopback,
            headers: &mut self.headers,
        })
    }

    /// What was handed down leaves, waits, or is dropped.
    fn settle(
        &mut self,
        now: Instant,
        handed: Handed,
        socket: Option<SocketId>,
        sending: Sending,
    ) -> Option<Prepared> {
        match handed {
            Handed::Leaves(interface, offload) => {
                self.sending = sending;
                Some(Prepared { interface, offload, socket })
            }
            Handed::Kept => None,
            Handed::Refused(reason) => {
                let headers = self.headers.clone();
                self.dropped(now, None, reason, headers.as_slice());
                None
            }
        }
    }

    /// A segment without connection.
    fn hand_down_reply(&mut self, now: Instant, ends: Endpoints, segment: &Segment) -> Handed {
        let Ok(path) = self.network.route(ends.remote.ip(), Some(ends.local.ip()), None) else {
            return Handed::Refused(DropReason::NoRoute);
        };
        let options = IpOptions::default();
        self.headers.clear();
        self.lower(|lower| lower.hand_down_segment(now, &path, ends, segment, [&[], &[]], None, &options))
    }

    fn prepare_socket(&mut self, now: Instant, id: SocketId) -> Poll {
        match self.sockets.get(id).map(|socket| &socket.body) {
            Some(Body::Stream(_)) => self.prepare_segment(now, id),
            Some(Body::Datagram(_)) => self.prepare_datagram(now, id),
            _ => Poll::Done,
        }
    }

    /// The next segment of a connection.
    fn prepare_segment(&mut self, now: Instant, id: SocketId) -> Poll {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Done };
        let options = socket.options;
        let Body::Stream(stream) = &mut socket.body else { return Poll::Done };
        let ends = stream.connection.endpoints();
        let route = self.network.route(ends.remote.ip(), Some(ends.local.ip()), None);
        let largest = match &route {
            Ok(path) if path.next_hop == Hop::Local => 65_000,
            Ok(path) => {
                self.interfaces.get(usize::from(path.interface.0)).map_or(0, |entry| entry.segmentation)
            }
            Err(_) => 0,
        };
        let before = stream.connection.state();
        let Some(out) = stream.connection.poll_transmit(now, largest) else {
            self.follow_up(now, id, before, "transmit");
            return Poll::Done;
        };
        let (segment, retransmission) = (out.segment, out.retransmission);
        let sending = Sending::Connection { id, offset: out.offset, length: out.length };
        let handed = match route {
            Ok(path) => {
                self.headers.clear();
                let payload = stream.connection.payload(out.offset, out.length);
                let mut lower = Lower {
                    network: &mut self.network,
                    interfaces: &mut self.interfaces,
                    loopback: &mut self.loopback,
                    headers: &mut self.headers,
                };
                lower.hand_down_segment(now, &path, ends, &segment, payload, out.segment_size, &options)
            }
            Err(error) => {
                stream.connection.on_unroutable(now, error);
                Handed::Refused(DropReason::NoRoute)
            }
        };
        self.follow_up(now, id, before, "transmit");
        if let Some(cause) = retransmission {
            self.record(now, || TraceEvent::Retransmission {
                socket: Some(id),
                local: ends.local,
                remote: ends.remote,
                seq: segment.seq,
                length: segment.length,
                cause,
            });
        }
        match self.settle(now, handed, Some(id), sending) {
            Some(prepared) => Poll::Frame(prepared),
            None => Poll::Again,
        }
    }

    /// The next datagram of a socket.
    fn prepare_datagram(&mut self, now: Instant, id: SocketId) -> Poll {
        let Some(socket) = self.sockets.get(id) else { return Poll::Done };
        let Body::Datagram(datagram) = &socket.body else { return Poll::Done };
        let Some((entry, payload)) = datagram.sending.front() else { return Poll::Done };
        let (kind, options) = (datagram.kind, socket.options);
        let local_port = socket.binding.map_or(0, |binding| binding.address.port());
        let path = match self.datagram_path(socket, entry.peer) {
            Ok(path) => path,
            Err(error) => {
                self.fail_datagram(id, error);
                self.dropped(now, None, DropReason::NoRoute, &[]);
                self.pop_datagram(id);
                return Poll::Again;
            }
        };
        let mut lower = Lower {
            network: &mut self.network,
            interfaces: &mut self.interfaces,
            loopback: &mut self.loopback,
            headers: &mut self.headers,
        };
        lower.headers.clear();
        let local = SocketAddr::new(path.source, local_port);
        let message = Message { kind, local, remote: entry.peer, mark: entry.mark, payload };
        let handed = lower.hand_down_datagram(now, &path, &message, &options);
        let kept = matches!(handed, Handed::Kept | Handed::Refused(_));
        let outcome = self.settle(now, handed, Some(id), Sending::Datagram(id));
        if kept {
            self.pop_datagram(id);
        }
        outcome.map_or(Poll::Again, Poll::Frame)
    }

    fn fail_datagram(&mut self, id: SocketId, error: Error) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.error = Some(error);
        }
    }

    fn pop_datagram(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Datagram(datagram) = &mut socket.body else { return };
        datagram.sending.pop();
        let more = datagram.has_transmit();
        self.report(id);
        if more && self.ready.front() == Some(&id) {
            // Everybody in turn: one talkative socket must not hold the others up.
            self.ready.rotate_left(1);
        }
    }

    /// A closed datagram socket is gone when its last datagram has left; a closed connection when it is over.
    fn reap_sent(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(id) else { return };
        match &socket.body {
            Body::Datagram(datagram) => {
                if socket.holder == crate::socket::Holder::Nobody && !datagram.has_transmit() {
                    self.remove(id);
                }
            }
            _ => self.reap(id),
        }
    }
}

/// Two pieces as one; only a ping whose bytes wrap around the end of its queue is copied.
fn whole(pieces: [&[u8]; 2]) -> Cow<'_, [u8]> {
    if pieces[1].is_empty() { Cow::Borrowed(pieces[0]) } else { Cow::Owned(pieces.concat()) }
}

/// What came of asking one socket.
enum Poll {
    Frame(Prepared),
    /// Something was sent that does not leave now: ask again.
    Again,
    /// Nothing more at this socket.
    Done,
}

/// Where the TCP header of a parked large packet ends: the device repeats everything before it.
fn tcp_header_end(frame: &[u8], offload: &FrameOffload) -> u16 {
    let start = offload.checksum.map_or(0, |partial| partial.start);
    let words = frame.get(usize::from(start) + 12).map_or(0, |byte| u16::from(byte >> 4));
    start.saturating_add(words * 4)
}
