//! Datagram and ping sockets: whole messages in, whole messages out.

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::network::{Hop, IpMeta, Path};
use crate::socket::{Body, Datagram, Kind, Socket, SocketId};
use crate::time::Instant;
use crate::transport::demux::{Flow, FlowKey};
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
    /// Who sent it.
    pub source: SocketAddr,
    /// Echo sequence number, on a ping socket.
    pub sequence: u16,
    /// The hop limit it arrived with.
    pub hop_limit: u8,
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
            return self.set_peer(id, None, None);
        }
        let broadcast = socket.options.broadcast;
        let bound = socket.binding.map(|binding| binding.address.ip()).filter(|ip| !ip.is_unspecified());
        let path = self.network.route(target.ip(), bound, None)?;
        if path.next_hop == Hop::Broadcast && !broadcast {
            return Err(Error::PermissionDenied);
        }
        self.bind_if_needed(id)?;
        self.set_peer(id, Some(target), Some(path.source))
    }

    fn set_peer(
        &mut self,
        id: SocketId,
        peer: Option<SocketAddr>,
        source: Option<IpAddr>,
    ) -> Result<(), Error> {
        let socket = self.held_mut(id)?;
        let mut local = socket.binding.map(|binding| binding.address);
        let Body::Datagram(datagram) = &mut socket.body else { return Err(Error::NotSupported) };
        let (kind, before) = (datagram.kind, datagram.peer);
        datagram.peer = peer;
        if let (Some(own), Some(before)) = (local, before) {
            self.bound_mut(kind).demux.remove_flow(&FlowKey::new(own, before), Flow::Connection(id));
        }
        if let (Some(own), Some(source)) = (&mut local, source)
            && own.ip().is_unspecified()
        {
            own.set_ip(source);
            if let Some(binding) = &mut self.held_mut(id)?.binding {
                binding.address = *own;
            }
        }
        if let (Some(own), Some(peer)) = (local, peer) {
            self.bound_mut(kind).demux.insert_flow(FlowKey::new(own, peer), Flow::Connection(id));
        }
        self.report(id);
        Ok(())
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
        self.send_datagram(now, id, bytes, to, 0)
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
        self.send_datagram(now, id, bytes, to.map(|ip| SocketAddr::new(ip, 0)), sequence)
    }

    fn send_datagram(
        &mut self,
        _now: Instant,
        id: SocketId,
        bytes: &[u8],
        to: Option<SocketAddr>,
        mark: u16,
    ) -> Result<usize, Error> {
        let socket = self.held_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let target = to.map(|to| socket.inward(to)).transpose()?;
        let broadcast = socket.options.broadcast;
        let bound = socket.binding.map(|binding| binding.address.ip()).filter(|ip| !ip.is_unspecified());
        let Body::Datagram(datagram) = &socket.body else { return Err(Error::NotSupported) };
        if datagram.write_closed {
            return Err(Error::BrokenPipe);
        }
        let kind = datagram.kind;
        let peer = target.or(datagram.peer).ok_or(Error::DestinationRequired)?;
        if peer.port() == 0 && kind == Kind::Datagram {
            return Err(Error::InvalidArgument);
        }
        let most = if peer.is_ipv4() { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
        if bytes.len() > most {
            return Err(Error::MessageTooLong);
        }
        let source = bound.filter(|ip| !ip.is_multicast() && self.network.is_local(*ip));
        let path = self.network.route(peer.ip(), source, None)?;
        if path.next_hop == Hop::Broadcast && !broadcast {
            return Err(Error::PermissionDenied);
        }
        self.bind_if_needed(id)?;
        let socket = self.held_mut(id)?;
        let Body::Datagram(datagram) = &mut socket.body else { return Err(Error::NotSupported) };
        let entry = Entry { peer, local: None, length: bytes.len(), mark, hop_limit: 0 };
        if !datagram.sending.push(entry, &[bytes]) {
            self.report(id);
            return Err(Error::WouldBlock);
        }
        self.make_ready(id);
        Ok(bytes.len())
    }

    /// Takes the datagram that waits longest; what does not fit in `buffer` is lost, as with `recvfrom(2)`.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when none waits; and, once, what ICMP told of an earlier datagram.
    pub fn receive_from(
        &mut self,
        _now: Instant,
        id: SocketId,
        buffer: &mut [u8],
    ) -> Result<Received, Error> {
        self.take_datagram(id, buffer, Take::Away)
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
            let source = datagram.peer;
            self.report(id);
            return match source {
                // After a shutdown of reading: the end, as an empty message.
                Some(source) if read_closed => {
                    Ok(Received { copied: 0, length: 0, source, sequence: 0, hop_limit: 0 })
                }
                _ => Err(Error::WouldBlock),
            };
        };
        if take == Take::Away {
            datagram.received.pop();
        }
        let source = socket.outward(entry.peer);
        self.report(id);

        Ok(Received {
            copied,
            length: entry.length,
            source,
            sequence: entry.mark,
            hop_limit: entry.hop_limit,
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
            local: Some(local),
            length: payload.len(),
            mark: 0,
            hop_limit: meta.hop_limit,
        };
        self.deliver(Kind::Datagram, meta, local, entry, payload)
    }

    /// Gives a datagram to its socket; a broadcast or multicast to all that hear it.
    pub(super) fn deliver(
        &mut self,
        kind: Kind,
        meta: &IpMeta,
        local: SocketAddr,
        entry: Entry,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let bound = if kind == Kind::Ping { &self.ping } else { &self.udp };
        if !meta.is_unicast() {
            let hearers: Vec<SocketId> = bound.demux.all_bound(local).collect();
            let mut outcome = Err(DropReason::NoSocket);
            for id in hearers {
                if self.hears(id, entry.peer) {
                    outcome = self.enqueue(id, entry, payload);
                }
            }
            return outcome;
        }
        let id = match bound.demux.flow(&FlowKey::new(local, entry.peer)) {
            Some(Flow::Connection(id)) => id,
            // Among sockets that share the port, one that is connected to somebody else does not hear this.
            _ => bound
                .demux
                .ranked_bound(local)
                .find(|id| self.hears(*id, entry.peer))
                .ok_or(DropReason::NoSocket)?,
        };
        self.enqueue(id, entry, payload)
    }

    fn hears(&self, id: SocketId, peer: SocketAddr) -> bool {
        match self.sockets.get(id).map(|socket| &socket.body) {
            Some(Body::Datagram(datagram)) => match datagram.peer {
                Some(own) if datagram.kind == Kind::Ping => own.ip() == peer.ip(),
                Some(own) => own == peer,
                None => true,
            },
            _ => false,
        }
    }

    fn enqueue(&mut self, id: SocketId, entry: Entry, payload: &[u8]) -> Result<(), DropReason> {
        let socket = self.sockets.get_mut(id).ok_or(DropReason::NoSocket)?;
        let Body::Datagram(datagram) = &mut socket.body else { return Err(DropReason::NoSocket) };
        if datagram.read_closed || !datagram.received.push(entry, &[payload]) {
            return Err(DropReason::ReceiveBufferFull);
        }
        self.report(id);
        Ok(())
    }

    /// Sends the datagram at the front of the queue of `socket` once more through the path it takes now.
    pub(super) fn datagram_path(&self, socket: &Socket, peer: SocketAddr) -> Result<Path, Error> {
        let bound = socket.binding.map(|binding| binding.address.ip());
        let source = bound.filter(|ip| !ip.is_unspecified() && self.network.is_local(*ip));
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
    ) {
        let bound = if kind == Kind::Ping { &self.ping } else { &self.udp };
        let id = match bound.demux.flow(&FlowKey::new(local, remote)) {
            Some(Flow::Connection(id)) => Some(id),
            _ if kind == Kind::Ping => bound.demux.best_bound(local),
            _ => None,
        };
        let Some(id) = id else { return };
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.error = Some(error);
            self.report(id);
        }
    }
}

impl Datagram {
    /// Whether anything waits to be sent.
    pub(super) fn has_transmit(&self) -> bool {
        !self.sending.is_empty()
    }
}
