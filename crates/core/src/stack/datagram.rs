//! Datagram and ping sockets: whole messages in, whole messages out.

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::link::Cast;
use crate::network::{Hop, IpMeta, Path};
use crate::socket::{Body, Datagram, Family, Kind, Readiness, Socket, SocketId};
use crate::time::Instant;
use crate::trace::Call;
use crate::transport::demux::{Flow, FlowKey, Whose};
use crate::transport::udp::{Entry, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6};
use crate::wire::checksum::PseudoHeader;
use crate::wire::ip::Protocol;
use crate::wire::udp::Udp;

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes put in the buffer.
    pub copied: usize,
    /// Bytes the datagram has; more than `copied` where it was cut (`MSG_TRUNC`).
    pub length: usize,
    /// Who sent it; of an echo request, the port is its identifier.
    pub source: SocketAddr,
    /// Which address it was sent to (`IP_PKTINFO`): one of ours, a group's or a broadcast address; on a socket that catches
    /// all, any.
    pub destination: SocketAddr,
    /// Echo sequence number, on a ping socket.
    pub sequence: u16,
    /// The hop limit it arrived with (`IP_RECVTTL`, `IPV6_RECVHOPLIMIT`).
    pub hop_limit: u8,
    /// The DSCP and ECN bits it arrived with (`IP_RECVTOS`, `IPV6_RECVTCLASS`).
    pub traffic_class: u8,
}

/// What goes along with one datagram, instead of what the socket's options and the way it takes would say: the ancillary
/// data of `sendmsg(2)` (RFC 3542 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ancillary {
    /// Whose name it is sent in (`IP_PKTINFO`, `IPV6_PKTINFO`): one of the host's addresses, the port being the socket's;
    /// on a socket that catches all, whatever address and port the host speaks for.
    pub source: Option<SocketAddr>,
    /// The hop limit it leaves with (`IP_TTL`, `IPV6_HOPLIMIT`).
    pub hop_limit: Option<u8>,
    /// The DSCP and ECN bits it leaves with (`IP_TOS`, `IPV6_TCLASS`).
    pub traffic_class: Option<u8>,
    /// Echo sequence number, on a ping socket.
    pub sequence: u16,
}

/// Takes the datagram out of the queue, or leaves it there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    Away,
    Peek,
}

impl Stack {
    pub(super) fn connect_datagram(&mut self, id: SocketId, remote: SocketAddr) -> Result<(), Error> {
        let socket = self.held(id)?;
        let target = socket.inward(remote)?;
        if target.ip().is_unspecified() && target.port() == 0 {
            return self.set_peer(id, None);
        }
        let target = super::open::reachable(target);
        let broadcast = socket.options.broadcast;
        let bound = socket.binding.map(|binding| binding.address.ip()).and_then(|ip| self.source(ip));
        let path = self.network.route(target.ip(), bound, None)?;
        if path.next_hop == Hop::Broadcast && !broadcast {
            return Err(Error::PermissionDenied);
        }
        self.bind_if_needed(id)?;
        self.set_peer(id, Some((target, path.source)))
    }

    /// Connects to a peer from a source address, or no longer.
    pub(super) fn set_peer(&mut self, id: SocketId, ends: Option<(SocketAddr, IpAddr)>) -> Result<(), Error> {
        let socket = self.held_mut(id)?;
        let old = socket.datagram_flow();
        let Body::Datagram(datagram) = &mut socket.body else { return Err(Error::NotSupported) };
        let kind = datagram.kind;
        // An echo request has no port at its other end.
        let port_of = |peer: SocketAddr| if kind == Kind::Ping { 0 } else { peer.port() };
        datagram.peer = ends.map(|(peer, _)| SocketAddr::new(peer.ip(), port_of(peer)));
        datagram.source = ends.map(|(_, source)| source);
        let new = socket.datagram_flow();
        let demux = &mut self.bound_mut(kind).demux;
        if let Some(old) = old {
            demux.remove_flow(&old, Flow::Connection(id));
        }
        if let Some(new) = new {
            demux.insert_flow(new, Flow::Connection(id));
        }
        self.report(id);
        Ok(())
    }

    /// The address that packets of a socket with this own address come from: none where it is bound to every address,
    /// or to one at which it only hears.
    fn source(&self, own: IpAddr) -> Option<IpAddr> {
        Some(own).filter(|own| !own.is_unspecified() && self.network.is_local(*own))
    }

    /// Sends one datagram: to `to`, or to the connected peer. It is copied and leaves with the next transmissions.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when the send queue is full; [`Error::MessageTooLong`]; [`Error::DestinationRequired`];
    /// [`Error::PermissionDenied`] for a broadcast without [`crate::socket::SocketOption::Broadcast`]; [`Error::NetworkUnreachable`]; and,
    /// once, what ICMP told of an earlier datagram: [`Error::ConnectionRefused`], [`Error::HostUnreachable`].
    pub fn send_to(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> Result<usize, Error> {
        self.send_with(now, id, bytes, to, &Ancillary::default())
    }

    /// Sends an ICMP echo request with this sequence number; its identifier is the socket's port.
    ///
    /// # Errors
    /// As [`Stack::send_to`]; [`Error::NotSupported`] on any other socket.
    pub fn ping(
        &mut self,
        now: Instant,
        id: SocketId,
        sequence: u16,
        bytes: &[u8],
        to: Option<IpAddr>,
    ) -> Result<usize, Error> {
        match &self.held(id)?.body {
            Body::Datagram(datagram) if datagram.kind == Kind::Ping => {}
            _ => return Err(Error::NotSupported),
        }
        let with = Ancillary { sequence, ..Ancillary::default() };
        self.send_with(now, id, bytes, to.map(|ip| SocketAddr::new(ip, 0)), &with)
    }

    /// [`Stack::send_to`], or [`Stack::ping`], with what goes along with this one datagram.
    ///
    /// # Errors
    /// As [`Stack::send_to`]; [`Error::InvalidArgument`] for a source that is none of the host's addresses, which over IPv4 is
    /// [`Error::NetworkUnreachable`]. On a socket that catches all: [`Error::NotSupported`] without a source, and
    /// [`Error::AddressNotAvailable`] for an address that cannot be one.
    pub fn send_with(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        to: Option<SocketAddr>,
        with: &Ancillary,
    ) -> Result<usize, Error> {
        let sent = self.send_now(id, bytes, to, with);
        let (local, peer) = self.addresses_if_watched(id);
        self.tell(now, id, Call::Send { length: bytes.len() }, (local, to.or(peer)), sent);
        sent
    }

    fn send_now(
        &mut self,
        id: SocketId,
        bytes: &[u8],
        to: Option<SocketAddr>,
        with: &Ancillary,
    ) -> Result<usize, Error> {
        let socket = self.held_mut(id)?;
        if let Some(error) = socket.error.take() {
            self.report(id);
            return Err(error);
        }
        let target = to.map(|to| socket.inward(to).map(super::open::reachable)).transpose()?;
        let source = with.source.map(|source| socket.inward(source)).transpose()?;
        let broadcast = socket.options.broadcast;
        let Body::Datagram(datagram) = &socket.body else { return Err(Error::NotSupported) };
        if datagram.write_closed {
            return Err(Error::BrokenPipe);
        }
        let (kind, catches_all) = (datagram.kind, datagram.catches_all);
        let peer = target.or(datagram.peer).ok_or(Error::DestinationRequired)?;
        if peer.port() == 0 && kind == Kind::Datagram {
            return Err(Error::InvalidArgument);
        }
        check_length(peer, bytes)?;
        let mut local = match catches_all {
            true => self.assumed_source(source, kind)?,
            false => self.chosen_source(source, peer)?,
        };
        let path = self.datagram_path(self.held(id)?, local.ip(), peer)?;
        if path.next_hop == Hop::Broadcast && !broadcast {
            return Err(Error::PermissionDenied);
        }
        if !catches_all {
            self.bind_if_needed(id)?;
            local.set_port(self.held(id)?.binding.map_or(0, |binding| binding.address.port()));
        }
        let (hop_limit, traffic_class) = (with.hop_limit, with.traffic_class);
        let entry = Entry { peer, local, length: bytes.len(), mark: with.sequence, hop_limit, traffic_class };
        self.queue_datagram(id, entry, bytes)
    }

    /// The own address that a program has chosen for one datagram to `peer`, or none.
    fn chosen_source(&self, source: Option<SocketAddr>, peer: SocketAddr) -> Result<SocketAddr, Error> {
        match source.map(|source| source.ip()).filter(|source| !source.is_unspecified()) {
            None => Ok(SocketAddr::new(Family::of(&peer).unspecified(), 0)),
            Some(source) if self.network.is_local(source) => Ok(SocketAddr::new(source, 0)),
            // Linux's words for it.
            Some(IpAddr::V4(_)) => Err(Error::NetworkUnreachable),
            Some(IpAddr::V6(_)) => Err(Error::InvalidArgument),
        }
    }

    /// Puts a datagram among those that wait to leave.
    fn queue_datagram(&mut self, id: SocketId, entry: Entry, bytes: &[u8]) -> Result<usize, Error> {
        let socket = self.held_mut(id)?;
        let Body::Datagram(datagram) = &mut socket.body else { return Err(Error::NotSupported) };
        if !datagram.sending.push(entry, &[bytes]) {
            self.would_block(id, Readiness::WRITABLE);
            return Err(Error::WouldBlock);
        }
        self.make_ready(id);
        Ok(bytes.len())
    }

    /// Takes the datagram that waits longest; what does not fit in `buffer` is lost, as with `recvfrom(2)`.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when none waits; and, once, what ICMP told of an earlier datagram.
    pub fn receive_from(&mut self, now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<Received, Error> {
        let room = buffer.len();
        let received = self.take_datagram(id, buffer, Take::Away);
        let (local, peer) = self.addresses_if_watched(id);
        let remote = received.map_or(peer, |received| Some(received.source));
        self.tell(now, id, Call::Receive { room }, (local, remote), received.map(|received| received.copied));
        received
    }

    /// [`Stack::receive_from`] that leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`Stack::receive_from`].
    pub fn peek_from(&mut self, _now: Instant, id: SocketId, buffer: &mut [u8]) -> Result<Received, Error> {
        self.take_datagram(id, buffer, Take::Peek)
    }

    fn take_datagram(&mut self, id: SocketId, buffer: &mut [u8], take: Take) -> Result<Received, Error> {
        let socket = self.held_mut(id)?;
        if let Some(error) = socket.error.take() {
            self.report(id);
            return Err(error);
        }
        let Body::Datagram(datagram) = &mut socket.body else { return Err(Error::NotSupported) };
        let Some((entry, copied)) = datagram.received.copy_front(buffer) else {
            let read_closed = datagram.read_closed;
            if !read_closed {
                self.would_block(id, Readiness::READABLE);
                return Err(Error::WouldBlock);
            }
            // After a shutdown of reading: the end, as an empty message.
            let nobody = SocketAddr::new(socket.family.unspecified(), 0);
            let source = datagram.peer.map_or(nobody, |peer| socket.outward(peer));
            return Ok(Received {
                copied: 0,
                length: 0,
                source,
                destination: nobody,
                sequence: 0,
                hop_limit: 0,
                traffic_class: 0,
            });
        };
        if take == Take::Away {
            datagram.received.pop();
        }
        let (source, destination) = (socket.outward(entry.peer), socket.outward(entry.local));
        self.report(id);
        Ok(Received {
            copied,
            length: entry.length,
            source,
            destination,
            sequence: entry.mark,
            hop_limit: entry.hop_limit.unwrap_or_default(),
            traffic_class: entry.traffic_class.unwrap_or_default(),
        })
    }

    /// A UDP datagram from the network layer (RFC 768).
    pub(super) fn receive_udp(&mut self, meta: &IpMeta, bytes: &[u8]) -> Result<(), DropReason> {
        let pseudo = PseudoHeader::new(meta.source, meta.destination, Protocol::Udp, 0);
        let (udp, payload) = Udp::parse(bytes, &pseudo, meta.check).map_err(super::receive::reason_of)?;
        let local = SocketAddr::new(meta.destination, udp.destination_port);
        let remote = SocketAddr::new(meta.source, udp.source_port);
        let entry = Entry {
            peer: remote,
            local,
            length: payload.len(),
            mark: 0,
            hop_limit: Some(meta.hop_limit),
            traffic_class: Some(meta.traffic_class),
        };
        self.deliver(Kind::Datagram, meta.cast, entry, payload)
    }

    /// Gives a datagram to its socket; a broadcast or multicast to all that hear it.
    pub(super) fn deliver(
        &mut self,
        kind: Kind,
        cast: Cast,
        entry: Entry,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let bound = if kind == Kind::Ping { &self.ping } else { &self.udp };
        let local = entry.local;
        if !cast.is_unicast() {
            let mut hearers = core::mem::take(&mut self.hearers);
            hearers.extend(bound.demux.all_bound(local).filter(|id| self.hears(*id, &entry)));
            let nobody = hearers.is_empty();
            for id in hearers.drain(..) {
                if let Err(reason) = self.enqueue(id, entry, payload) {
                    self.drops.count(reason);
                }
            }
            self.hearers = hearers;
            return if nobody { Err(DropReason::NoSocket) } else { Ok(()) };
        }
        let whose = self.whose(local.ip());
        let id = match bound.demux.flow(&FlowKey::new(local, entry.peer)) {
            Some(Flow::Connection(id)) => Some(id),
            // Among sockets that share the port, one that is connected to somebody else does not hear this.
            _ if whose == Whose::Own => {
                bound.demux.best_bound(local, entry.peer, |id| self.hears(id, &entry))
            }
            _ => None,
        };
        let nobody = if whose == Whose::Own { DropReason::NoSocket } else { DropReason::NotOurAddress };
        let id = id.or_else(|| bound.demux.catcher(local.ip(), whose)).ok_or(nobody)?;
        self.enqueue(id, entry, payload)
    }

    /// Whether a socket hears a datagram that came for its port: a connected one hears its peer only, at its own address.
    fn hears(&self, id: SocketId, entry: &Entry) -> bool {
        let Some(socket) = self.sockets.get(id) else { return false };
        let Body::Datagram(datagram) = &socket.body else { return false };
        datagram.peer.is_none_or(|peer| {
            peer == entry.peer && socket.own_address().is_none_or(|own| own == entry.local)
        })
    }

    pub(super) fn enqueue(&mut self, id: SocketId, entry: Entry, payload: &[u8]) -> Result<(), DropReason> {
        let socket = self.sockets.get_mut(id).ok_or(DropReason::NoSocket)?;
        let Body::Datagram(datagram) = &mut socket.body else { return Err(DropReason::NoSocket) };
        if datagram.read_closed {
            return Err(DropReason::ReadingShutDown);
        }
        if !datagram.received.push(entry, &[payload]) {
            return Err(DropReason::ReceiveBufferFull);
        }
        self.report(id);
        Ok(())
    }

    /// The path that a datagram of `socket` takes to `peer` now: from `chosen`, unless that is unspecified.
    pub(super) fn datagram_path(
        &self,
        socket: &Socket,
        chosen: IpAddr,
        peer: SocketAddr,
    ) -> Result<Path, Error> {
        let own = || socket.own_address().and_then(|own| self.source(own.ip()));
        let source = if chosen.is_unspecified() { own() } else { Some(chosen) };
        self.network.route(peer.ip(), source, None)
    }

    /// What ICMP tells of a datagram sent earlier: reported to a connected socket (RFC 1122, 4.1.3.3), and to a ping
    /// socket always.
    pub(super) fn on_datagram_error(
        &mut self,
        kind: Kind,
        local: SocketAddr,
        remote: SocketAddr,
        error: Error,
    ) -> Result<(), DropReason> {
        let bound = if kind == Kind::Ping { &self.ping } else { &self.udp };
        let id = match bound.demux.flow(&FlowKey::new(local, remote)) {
            Some(Flow::Connection(id)) => Some(id),
            _ if kind == Kind::Ping && self.whose(local.ip()) == Whose::Own => {
                bound.demux.best_bound(local, remote, |_| true)
            }
            _ => None,
        };
        let id = id.ok_or(DropReason::NoSocket)?;
        self.sockets.get_mut(id).ok_or(DropReason::NoSocket)?.error = Some(error);
        self.report(id);
        Ok(())
    }
}

/// Whether one datagram can hold so much.
fn check_length(peer: SocketAddr, bytes: &[u8]) -> Result<(), Error> {
    let most = if peer.is_ipv4() { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
    if bytes.len() > most { Err(Error::MessageTooLong) } else { Ok(()) }
}

impl Datagram {
    /// Whether anything waits to be sent.
    pub(super) fn has_transmit(&self) -> bool {
        !self.sending.is_empty()
    }
}
