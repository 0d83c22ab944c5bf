//! The way up: frame, packet, segment or datagram, socket.

use core::net::SocketAddr;

use super::lower::{Looped, mss_of};
use super::{LOOPBACK, Stack};
use crate::drop_reason::DropReason;
use crate::link::{Cast, LinkReceive};
use crate::network::{
    Arrival, ArrivalChecksum, Audience, Delivery, Echo, IcmpError, InterfaceId, IpMeta, NetworkReceive,
    Unreachable,
};
use crate::socket::{Kind, SocketId};
use crate::time::Instant;
use crate::trace::{Direction, TraceEvent};
use crate::transport::demux::{Flow, FlowKey};
use crate::transport::tcp::Endpoints;
use crate::transport::udp::Entry;
use crate::wire::WireError;
use crate::wire::checksum::PseudoHeader;
use crate::wire::ecn::Codepoint;
use crate::wire::ip::Protocol;
use crate::wire::tcp::{Flags, Segment, SeqNumber};

/// What is known of a received frame's TCP or UDP checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumState {
    /// Nothing: it is verified here.
    #[default]
    Unknown,
    /// The device has verified it.
    Verified,
    /// The sender left it to a device that was never needed; the bytes can be trusted.
    Partial,
}

/// A frame as a device hands it up.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The whole frame.
    pub bytes: &'a [u8],
    /// What the device says of its checksum.
    pub checksum: ChecksumState,
    /// Bytes of payload in each segment it was put together from (GRO), if it was.
    pub segment_size: Option<u16>,
}

impl<'a> Frame<'a> {
    /// A frame of which nothing more is known.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Frame { bytes, checksum: ChecksumState::Unknown, segment_size: None }
    }
}

/// The reason to drop what the wire formats refuse.
pub(super) fn reason_of(error: WireError) -> DropReason {
    match error {
        WireError::BadChecksum { .. } => DropReason::BadChecksum,
        _ => DropReason::Malformed,
    }
}

impl Stack {
    /// A frame has arrived at an interface.
    pub fn receive(&mut self, now: Instant, interface: InterfaceId, frame: Frame<'_>) {
        self.record(now, || TraceEvent::Frame {
            interface,
            direction: Direction::Received,
            frame: frame.bytes.into(),
            segment_size: frame.segment_size,
            socket: None,
        });
        let Some(link) = self.link_mut(interface) else {
            return self.dropped(now, None, DropReason::UnknownInterface, frame.bytes);
        };
        match link.receive(now, frame.bytes) {
            LinkReceive::Packet { packet, cast } => {
                self.receive_packet(now, interface, packet, cast, &frame);
            }
            LinkReceive::Consumed => self.take_link_events(now, interface),
            LinkReceive::Dropped(reason) => self.dropped(now, Some(interface), reason, frame.bytes),
        }
    }

    /// A packet from this host to itself.
    pub(super) fn receive_looped(&mut self, now: Instant, looped: Looped) {
        for direction in [Direction::Sent, Direction::Received] {
            self.record(now, || TraceEvent::Frame {
                interface: LOOPBACK,
                direction,
                frame: looped.packet.as_slice().into(),
                segment_size: looped.segment_size,
                socket: None,
            });
        }
        let Looped { packet, segment_size } = looped;
        let frame = Frame { bytes: &packet, checksum: ChecksumState::Partial, segment_size };
        self.receive_packet(now, LOOPBACK, &packet, Cast::Unicast, &frame);
        self.spare = packet;
    }
}

impl Stack {
    /// From the packet on.
    fn receive_packet(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        packet: &[u8],
        cast: Cast,
        frame: &Frame<'_>,
    ) {
        let checksum = match frame.checksum {
            ChecksumState::Unknown => ArrivalChecksum::Unknown,
            ChecksumState::Verified => ArrivalChecksum::Verified,
            ChecksumState::Partial => ArrivalChecksum::Partial,
        };
        let arrival = Arrival { interface, cast, checksum, segment_size: frame.segment_size };
        let mut outcome = self.network.receive(now, &arrival, packet);
        let mut audience = Audience::Nobody;
        if let NetworkReceive::Heard(delivery) = outcome {
            audience = self.deliver_raw(&delivery);
            outcome = self.network.receive_heard(now, delivery, audience);
        }
        let outcome = match outcome {
            NetworkReceive::Deliver(delivery) => self.receive_delivery(now, &delivery),
            NetworkReceive::EchoReply(echo) => self.receive_echo_reply(&echo),
            NetworkReceive::EchoRequest(echo) => self.receive_echo_request(&echo),
            NetworkReceive::IcmpError(error) => self.on_icmp_error(now, &error),
            NetworkReceive::Ndp { source, destination, message } => {
                let link = self.link_mut(interface);
                let outcome = link.map_or(Ok(()), |link| link.on_ndp(now, source, destination, &message));
                self.take_link_events(now, interface);
                outcome
            }
            NetworkReceive::Consumed | NetworkReceive::Heard(_) => Ok(()),
            NetworkReceive::Dropped(reason) => Err(reason),
        };
        // What a raw socket has taken is not refused, whatever others make of it.
        if let (Err(reason), Audience::Nobody) = (outcome, audience) {
            self.dropped(now, Some(interface), reason, packet);
        }
    }

    /// TCP or UDP.
    fn receive_delivery(&mut self, now: Instant, delivery: &Delivery<'_>) -> Result<(), DropReason> {
        let meta = &delivery.meta;
        if meta.protocol == Protocol::Tcp {
            return self.receive_segment(now, meta, delivery.payload());
        }
        let outcome = self.receive_udp(meta, delivery.payload());
        if outcome == Err(DropReason::NoSocket) {
            // The sender is told, as far as the rules allow; the refusal is counted as what it is either way.
            if let Err(reason) = self.network.icmp_error(now, Unreachable::Port, delivery.packet(), meta.cast)
            {
                self.drops.count(reason);
            }
        }
        outcome
    }

    fn receive_segment(&mut self, now: Instant, meta: &IpMeta, bytes: &[u8]) -> Result<(), DropReason> {
        if !meta.is_unicast() {
            return Err(DropReason::NotOurAddress); // RFC 1122, 4.2.3.10
        }
        let pseudo = PseudoHeader::new(meta.source, meta.destination, Protocol::Tcp, 0);
        let (mut segment, payload) = Segment::parse(bytes, &pseudo, meta.check).map_err(reason_of)?;
        let codepoint = Codepoint::from_bits(meta.traffic_class);
        if segment.flags.contains(Flags::SYN)
            && !segment.flags.intersects(Flags::ACK | Flags::AE)
            && codepoint != Codepoint::NotEct
        {
            // A SYN must not be ECN-capable (RFC 3168 section 6.1.1): the bits come from somebody who knows no ECN. As on
            // Linux, it is not granted then.
            segment.flags = segment.flags & !(Flags::ECE | Flags::CWR);
        }
        self.tcp.codepoint = codepoint;
        let ends = Endpoints {
            local: SocketAddr::new(meta.destination, segment.destination_port),
            remote: SocketAddr::new(meta.source, segment.source_port),
        };
        let flow = self.tcp.demux.flow(&FlowKey::new(ends.local, ends.remote));
        if segment.options.is_signed && (flow.is_some() || self.listener_at(&ends).is_some()) {
            // RFC 2385 section 2.0: not even an answer for a segment that does not verify.
            return Err(DropReason::UnexpectedSignature);
        }
        match flow {
            Some(Flow::Connection(id)) => self.on_connection_segment(now, id, &segment, payload),
            Some(Flow::Handshake(handle)) => self.on_handshake_segment(now, handle, ends, &segment, payload),
            Some(Flow::TimeWait(handle)) => self.on_time_wait_segment(now, handle, ends, (&segment, payload)),
            None => self.on_stray_segment(now, ends, &segment, payload),
        }
    }

    fn receive_echo_reply(&mut self, echo: &Echo<'_>) -> Result<(), DropReason> {
        let local = SocketAddr::new(echo.meta.destination, echo.id);
        let entry = Entry {
            peer: SocketAddr::new(echo.meta.source, 0),
            local,
            length: echo.data.len(),
            mark: echo.seq,
            hop_limit: Some(echo.meta.hop_limit),
            traffic_class: Some(echo.meta.traffic_class),
        };
        self.deliver(Kind::Ping, echo.meta.cast, entry, &echo.data)
    }

    /// A packet that was parked for a neighbour who never answered.
    pub(super) fn on_neighbor_unreachable(&mut self, now: Instant, interface: InterfaceId, packet: &[u8]) {
        self.dropped(now, Some(interface), DropReason::NeighborUnreachable, packet);
        if let Some(error) = self.network.on_undeliverable(now, packet) {
            self.overhear_unreachable(interface, error.quote.source, packet);
            // The packet is counted already. Where this host speaks for others, only its sockets can tell whether it has
            // sent it itself, or passed it on.
            let is_ours = self.on_icmp_error(now, &error) != Err(DropReason::NoSocket)
                || self.network.is_local(error.quote.source);
            if !is_ours {
                self.network.turn_back_undeliverable(now, packet);
            }
        }
    }

    /// Somebody tells that a packet of ours was not delivered: the socket it concerns shall know.
    fn on_icmp_error(&mut self, now: Instant, error: &IcmpError) -> Result<(), DropReason> {
        let audience = self.on_raw_error(now, error);
        let quote = &error.quote;
        let port = |port: Option<u16>| port.unwrap_or_default();
        let local = SocketAddr::new(quote.source, port(quote.source_port));
        let remote = SocketAddr::new(quote.destination, port(quote.destination_port));
        match quote.protocol {
            Protocol::Tcp => {
                let seq = quote.seq.ok_or(DropReason::IgnoredIcmp)?;
                let ends = Endpoints { local, remote };
                match self.tcp.demux.flow(&FlowKey::new(local, remote)) {
                    Some(Flow::Connection(id)) => self.on_connection_error(now, id, &ends, (error, seq)),
                    Some(Flow::Handshake(handle)) => self.on_half_open_error(now, handle, (error, seq)),
                    Some(Flow::TimeWait(_)) => Err(DropReason::IgnoredIcmp),
                    None => Err(DropReason::NoSocket),
                }
            }
            Protocol::Udp => {
                self.note_datagram_mtu(now, Kind::Datagram, local, error);
                self.on_datagram_error(Kind::Datagram, local, remote, error.error)
            }
            Protocol::Icmp | Protocol::Icmpv6 => {
                let id = quote.echo_id.ok_or(DropReason::IgnoredIcmp)?;
                let local = SocketAddr::new(quote.source, id);
                self.note_datagram_mtu(now, Kind::Ping, local, error);
                self.on_datagram_error(Kind::Ping, local, SocketAddr::new(quote.destination, 0), error.error)
            }
            _ if audience == Audience::Somebody => Ok(()),
            _ => Err(DropReason::IgnoredIcmp),
        }
    }

    /// An error about a segment of a connection.
    fn on_connection_error(
        &mut self,
        now: Instant,
        id: SocketId,
        ends: &Endpoints,
        (error, seq): (&IcmpError, SeqNumber),
    ) -> Result<(), DropReason> {
        let socket = self.sockets.get(id).ok_or(DropReason::NoSocket)?;
        if !socket.connection().is_some_and(|connection| connection.is_in_flight(seq)) {
            return Err(DropReason::IgnoredIcmp);
        }
        // Where routers may cut packets, none has a reason to complain of their size, as on Linux.
        let listens = socket.options.path_mtu_discovery || ends.local.is_ipv6();
        let mss = match error.mtu {
            Some(_) if !listens || self.attributes(ends).mtu_is_locked => {
                return Err(DropReason::IgnoredIcmp);
            }
            Some(mtu) => Some(mss_of(self.network.on_packet_too_big(now, ends.remote.ip(), mtu), ends)),
            None => None,
        };
        self.with_connection(now, id, "icmp", |connection| match mss {
            Some(mss) => connection.on_packet_too_big(now, mss, seq),
            None => connection.on_icmp_error(now, error.error, seq),
        });
        Ok(())
    }

    /// A datagram was too big for the path: that is believed where a socket could have sent it.
    fn note_datagram_mtu(&mut self, now: Instant, kind: Kind, local: SocketAddr, error: &IcmpError) {
        let is_ours = self.bound_mut(kind).demux.is_bound(local);
        if let Some(mtu) = error.mtu.filter(|_| is_ours) {
            self.network.on_packet_too_big(now, error.quote.destination, mtu);
        }
    }

    /// The largest segment a connection between `ends` may send, as far as the path is known.
    pub(super) fn path_mss(&self, ends: &Endpoints) -> u16 {
        let path = self.network.route(ends.remote.ip(), Some(ends.local.ip()), None);
        let mtu = path.map_or(if ends.local.is_ipv4() { 576 } else { 1280 }, |path| path.mtu);
        mss_of(mtu, ends)
    }
}
