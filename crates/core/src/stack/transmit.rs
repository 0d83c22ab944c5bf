//! The way down: who has something to send, and its turn.
//!
//! Frames are lent, not built: [`Transmit`] is the headers, which stand in one small array of the stack, and slices of
//! the socket's own send buffer.

use core::net::SocketAddr;

use super::Stack;
use super::group::own_copy;
use super::lower::{
    Carries, FrameOffload, Handed, Lower, Message, SegmentDown, frame_offload, mss_of, tcp_header_end,
};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::network::{Hop, InterfaceId, Path};
use crate::socket::{Body, IpOptions, Kind, SocketId};
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent};
use crate::transport::tcp::Endpoints;
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::Segment;

/// How many bytes the first socket in the queue sends before it is the next one's turn: one large segment, or some forty
/// small ones. A bulk transfer must not hold the others up.
const TURN_BYTES: usize = 65_536;
/// What a frame counts beyond its payload.
const TURN_OVERHEAD: usize = 64;

/// The most bytes of payload in one packet from this host to itself, however small the segments it stands for.
const LOOPED_PAYLOAD: usize = 65_000;

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

/// What came of asking one socket.
enum Poll {
    Frame(Prepared),
    /// A frame, and nothing more at this socket.
    Last(Prepared),
    /// Something was sent that does not leave now: ask again.
    Again,
    /// Nothing more at this socket.
    Done,
}

impl Stack {
    /// How many packets that stay inside the host one poll deals with at most.
    const POLL_STEPS: usize = 1024;

    /// The next frame to send, or `None` when there is nothing more: then, and only then, the stack can wait, until
    /// [`Stack::poll_timeout`]. (After much work that brought no frame, as between sockets of this host, it is `None` too,
    /// and that time is in the past.)
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
        self.is_behind = false;
        for _ in 0..Stack::POLL_STEPS {
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
                let handed = self.hand_down_reply(now, ends, &reply.segment, &reply.options);
                if let Some(prepared) = self.settle(now, handed, None, Sending::Nothing) {
                    return Some(prepared);
                }
                continue;
            }
            let id = self.ready.front()?;
            let poll = self.prepare_socket(now, id);
            if matches!(poll, Poll::Done | Poll::Last(_)) {
                self.ready.pop();
                self.turn_bytes = 0;
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.queued = false;
                }
                self.reap_sent(id);
            } else if self.turn_bytes >= TURN_BYTES {
                self.ready.rotate();
                self.turn_bytes = 0;
            }
            if let Poll::Frame(prepared) | Poll::Last(prepared) = poll {
                return Some(prepared);
            }
        }
        self.is_behind = true;
        None
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
            spare: &mut self.spare,
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
    fn hand_down_reply(
        &mut self,
        now: Instant,
        ends: Endpoints,
        segment: &Segment,
        options: &IpOptions,
    ) -> Handed {
        let Ok(path) = self.network.route(ends.remote.ip(), Some(ends.local.ip()), None) else {
            return Handed::Refused(DropReason::NoRoute);
        };
        self.headers.clear();
        let down = SegmentDown {
            path: &path,
            ends,
            segment,
            payload: [&[], &[]],
            segment_size: None,
            ecn: Codepoint::NotEct,
            options,
        };
        self.lower(|lower| lower.hand_down_segment(now, down))
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
            Ok(path) if path.next_hop == Hop::Local => LOOPED_PAYLOAD,
            Ok(path) => {
                self.interfaces.get(usize::from(path.interface.0)).map_or(0, |entry| entry.segmentation)
            }
            Err(_) => 0,
        };
        let before = stream.connection.state();
        if let Ok(path) = &route
            && mss_of(path.mtu, &ends) != stream.path_mss
        {
            // Another route, or what ICMP told somebody else to the same host: segments of the old size would be lost.
            stream.path_mss = mss_of(path.mtu, &ends);
            stream.connection.on_path_mss(now, stream.path_mss);
        }
        let Some(out) = stream.connection.poll_transmit(now, largest) else {
            self.follow_up(now, id, before, "transmit");
            return Poll::Done;
        };
        let (segment, retransmission) = (out.segment, out.retransmission);
        let sending = Sending::Connection { id, offset: out.offset, length: out.length };
        self.turn_bytes += out.length + TURN_OVERHEAD;
        let handed = match route {
            Ok(path) => {
                self.headers.clear();
                let payload = stream.connection.payload(out.offset, out.length);
                let mut lower = Lower {
                    network: &mut self.network,
                    interfaces: &mut self.interfaces,
                    loopback: &mut self.loopback,
                    spare: &mut self.spare,
                    headers: &mut self.headers,
                };
                let (path, segment_size, ecn) = (&path, out.segment_size, out.ecn);
                let down = SegmentDown {
                    path,
                    ends,
                    segment: &segment,
                    payload,
                    segment_size,
                    ecn,
                    options: &options,
                };
                lower.hand_down_segment(now, down)
            }
            Err(error) => {
                stream.connection.on_unroutable(now, error);
                Handed::Refused(DropReason::NoRoute)
            }
        };
        let has_more = stream.connection.has_transmit();
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
            Some(prepared) if has_more => Poll::Frame(prepared),
            Some(prepared) => Poll::Last(prepared),
            None => Poll::Again,
        }
    }

    /// The next datagram of a socket.
    fn prepare_datagram(&mut self, now: Instant, id: SocketId) -> Poll {
        let Some(socket) = self.sockets.get(id) else { return Poll::Done };
        let Body::Datagram(datagram) = &socket.body else { return Poll::Done };
        let Some((entry, payload)) = datagram.sending.front() else { return Poll::Done };
        let options = socket.options.for_one(entry.hop_limit, entry.traffic_class);
        let carries = match datagram.kind {
            Kind::Ping if datagram.catches_all => Carries::EchoReply,
            Kind::Ping => Carries::EchoRequest,
            _ => Carries::Datagram,
        };
        let path = match self.datagram_path(socket, entry.local.ip(), entry.peer) {
            Ok(path) => path,
            Err(error) => {
                self.fail_datagram(id, error);
                self.dropped(now, None, DropReason::NoRoute, &[]);
                self.pop_datagram(id);
                return Poll::Again;
            }
        };
        self.turn_bytes += entry.length + TURN_OVERHEAD;
        if let Kind::Raw(protocol) = datagram.kind {
            let handed = self.hand_down_raw(now, id, protocol, &path);
            return self.finish_datagram(now, id, handed);
        }
        let mut lower = Lower {
            network: &mut self.network,
            interfaces: &mut self.interfaces,
            loopback: &mut self.loopback,
            spare: &mut self.spare,
            headers: &mut self.headers,
        };
        lower.headers.clear();
        let local = SocketAddr::new(path.source, entry.local.port());
        let message = Message { carries, local, remote: entry.peer, mark: entry.mark, payload };
        let own_copy = own_copy(&message, &path, &options, lower.network.hop_limit());
        let handed = if stays(&path, &options) {
            Handed::Kept
        } else {
            lower.hand_down_datagram(now, &path, &message, &options)
        };
        let poll = self.finish_datagram(now, id, handed);
        if let Some(copy) = own_copy {
            self.deliver_own_copy(path.interface, &copy);
        }
        poll
    }

    /// A datagram was handed down: unless its bytes are lent, it leaves its queue.
    fn finish_datagram(&mut self, now: Instant, id: SocketId, handed: Handed) -> Poll {
        let leaves = matches!(handed, Handed::Leaves(..));
        let outcome = self.settle(now, handed, Some(id), Sending::Datagram(id));
        if !leaves {
            self.pop_datagram(id);
        }
        outcome.map_or(Poll::Again, Poll::Frame)
    }

    fn fail_datagram(&mut self, id: SocketId, error: Error) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.error = Some(error);
            self.report(id);
        }
    }

    fn pop_datagram(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Datagram(datagram) = &mut socket.body else { return };
        datagram.sending.pop();
        self.report(id);
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

/// Whether a message to a group does not leave the host.
pub(super) fn stays(path: &Path, options: &IpOptions) -> bool {
    matches!(path.next_hop, Hop::Multicast(_)) && options.multicast_hop_limit == 0
}
