//! Raw sockets: the packets of one protocol as they are, each to all that hear it, before the layers above have them
//! (`raw(7)`; RFC 3542 section 3).

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use super::group::own_cast;
use super::lower::{Handed, Lower};
use super::transmit::stays;
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::link::Cast;
use crate::network::{
    Audience, Delivery, Fragmentation, Hardness, IcmpError, InterfaceId, Network, Path, Send,
};
use crate::socket::raw::{is_icmp, is_icmpv6};
use crate::socket::{Binding, Body, Datagram, Family, Kind, OptionName, Raw, Socket, SocketId, SocketOption};
use crate::time::Instant;
use crate::transport::demux::Scope;
use crate::transport::udp::{DatagramQueue, Entry};
use crate::wire::checksum::{Checksum, ChecksumCheck, PseudoHeader};
use crate::wire::headers::Headers;
use crate::wire::ip::Protocol;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

/// The longest packet, in bytes: what the length field of IPv4 can say; of IPv6 without its header.
const LONGEST: usize = 65_535;
/// The longest IPv4 header.
const LONGEST_HEADER: usize = 60;

/// What stands in the place of a raw socket's port.
fn number(protocol: Protocol) -> u16 {
    u8::from(protocol).into()
}

impl Stack {
    /// A new raw socket hears all packets of its protocol, in its own family only.
    pub(super) fn bind_new_raw(&mut self, id: SocketId, protocol: Protocol) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.options.only_v6 = socket.family == Family::V6;
        let any = socket.family.unspecified();
        self.place_raw(id, SocketAddr::new(any, number(protocol)));
    }

    /// Gives a raw socket its own address, or another one: what is asked for as a port means nothing.
    pub(super) fn bind_raw(
        &mut self,
        id: SocketId,
        protocol: Protocol,
        address: SocketAddr,
    ) -> Result<(), Error> {
        let socket = self.held(id)?;
        if matches!(&socket.body, Body::Datagram(datagram) if datagram.peer.is_some()) {
            return Err(Error::InvalidArgument);
        }
        let ip = match socket.inward(address) {
            Err(Error::NetworkUnreachable) => return Err(Error::AddressNotAvailable),
            other => other?.ip(),
        };
        if !ip.is_unspecified() && !self.network.is_receivable(ip) {
            return Err(Error::AddressNotAvailable);
        }
        self.place_raw(id, SocketAddr::new(ip, number(protocol)));
        Ok(())
    }

    fn place_raw(&mut self, id: SocketId, address: SocketAddr) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let scope = Scope::new(address.ip(), socket.dual());
        let reuse = socket.options.reuse;
        socket.binding = Some(Binding { address, scope });
        self.raw.demux.remove_bound(address.port(), id);
        self.raw.demux.insert_bound(address.port(), scope, id, reuse);
        self.hear(address.port());
    }

    /// Lets the network layer know whether anybody hears the protocol with this number.
    pub(super) fn hear(&mut self, number: u16) {
        let is_heard = self.raw.demux.is_port_bound(number);
        if let Ok(number) = u8::try_from(number) {
            self.network.set_heard(Protocol::from(number), is_heard);
        }
    }

    /// Gives a packet to every raw socket that hears it.
    pub(super) fn deliver_raw(&mut self, delivery: &Delivery<'_>) -> Audience {
        let meta = &delivery.meta;
        let entry = Entry {
            peer: SocketAddr::new(meta.source, 0),
            local: SocketAddr::new(meta.destination, number(meta.protocol)),
            length: 0,
            mark: 0,
            hop_limit: Some(meta.hop_limit),
            traffic_class: Some(meta.traffic_class),
        };
        let mut hearers = core::mem::take(&mut self.hearers);
        hearers.extend(self.raw.demux.all_bound(entry.local).filter(|id| self.hears(*id, &entry)));
        // Whoever does not want this message has heard it all the same.
        let audience = if hearers.is_empty() { Audience::Nobody } else { Audience::Somebody };
        for id in hearers.drain(..) {
            if let Err(reason) = self.enqueue_raw(id, entry, delivery) {
                self.drops.count(reason);
            }
        }
        self.hearers = hearers;
        audience
    }

    fn enqueue_raw(&mut self, id: SocketId, entry: Entry, delivery: &Delivery<'_>) -> Result<(), DropReason> {
        let socket = self.sockets.get(id).ok_or(DropReason::NoSocket)?;
        let Body::Datagram(datagram) = &socket.body else { return Err(DropReason::NoSocket) };
        let meta = &delivery.meta;
        let is_unwanted = |kind: &u8| datagram.raw.filter.blocks(*kind);
        if is_icmp(socket.family, meta.protocol) && delivery.payload().first().is_some_and(is_unwanted) {
            return Ok(());
        }
        // What this host sends to itself by TCP and UDP has no checksum.
        let has_sum =
            meta.check == ChecksumCheck::Verify || !matches!(meta.protocol, Protocol::Tcp | Protocol::Udp);
        if datagram.raw.checksum.is_some() && has_sum {
            let pseudo = PseudoHeader::new(meta.source, meta.destination, meta.protocol, 0);
            if checksum_of(&pseudo, [delivery.payload(), &[]]) != 0 {
                return Err(DropReason::BadChecksum);
            }
        }
        let bytes = if meta.source.is_ipv4() { delivery.packet() } else { delivery.payload() };
        self.enqueue(id, entry, bytes)
    }

    /// What a raw socket sends next, completed now that its way is known.
    pub(super) fn hand_down_raw(
        &mut self,
        now: Instant,
        id: SocketId,
        protocol: Protocol,
        path: &Path,
    ) -> Handed {
        let refused = Handed::Refused(DropReason::NoSocket);
        let Some(socket) = self.sockets.get_mut(id) else { return refused };
        let Body::Datagram(datagram) = &mut socket.body else { return refused };
        datagram.complete_raw(protocol, path.source, &mut self.network);
        let Some((entry, payload)) = datagram.sending.front() else { return refused };
        let options = socket.options.for_one(entry.hop_limit, entry.traffic_class);
        let destination = entry.peer.ip();
        let send = (!datagram.raw.header_included).then_some(Send {
            source: path.source,
            destination,
            protocol,
            hop_limit: options.hop_limit_to(destination),
            traffic_class: options.traffic_class,
            fragmentation: Fragmentation::Allowed,
            payload_length: entry.length,
        });
        let mut lower = Lower {
            network: &mut self.network,
            interfaces: &mut self.interfaces,
            loopback: &mut self.loopback,
            spare: &mut self.spare,
            headers: &mut self.headers,
        };
        lower.headers.clear();
        let copy = own_cast(path, &options).map(|cast| {
            let mut headers = Headers::new();
            if let Some(send) = &send {
                lower.network.prepend(&mut headers, send);
            }
            (cast, [headers.as_slice(), payload[0], payload[1]].concat())
        });
        let is_kept = send.is_some() && stays(path, &options);
        let handed = if is_kept { Handed::Kept } else { lower.hand_down_raw(now, path, send, payload) };
        if let Some((cast, packet)) = copy {
            self.overhear_own(path.interface, (cast, destination), packet);
        }
        handed
    }

    /// Gives a packet for a group or for all to the raw sockets of this host that hear it.
    fn overhear_own(&mut self, interface: InterfaceId, (cast, to): (Cast, IpAddr), packet: Vec<u8>) {
        if (cast == Cast::Broadcast || self.network.is_member(interface, to))
            && let Some(delivery) = self.network.overheard(interface, cast, packet)
        {
            self.deliver_raw(&delivery);
        }
    }

    /// What ICMP tells of a packet that a raw socket may have sent: reported to those connected to where it went, if it is for
    /// good, as on Linux. Whether there are any.
    pub(super) fn on_raw_error(&mut self, now: Instant, error: &IcmpError) -> Audience {
        let quote = &error.quote;
        let local = SocketAddr::new(quote.source, number(quote.protocol));
        let peer = SocketAddr::new(quote.destination, 0);
        let sent = |id: &SocketId| {
            let socket = self.sockets.get(*id);
            let is_connected = |socket: &Socket| match &socket.body {
                Body::Datagram(datagram) => datagram.peer == Some(peer),
                _ => false,
            };
            socket.is_some_and(|socket| is_connected(socket) && socket.own_address() == Some(local))
        };
        let mut senders = core::mem::take(&mut self.hearers);
        senders.extend(self.raw.demux.all_bound(local).filter(sent));
        let audience = if senders.is_empty() { Audience::Nobody } else { Audience::Somebody };
        if let (Some(mtu), Audience::Somebody) = (error.mtu, audience) {
            self.network.on_packet_too_big(now, quote.destination, mtu);
        }
        for id in senders.drain(..) {
            if error.hardness == Hardness::Hard
                && let Some(socket) = self.sockets.get_mut(id)
            {
                socket.error = Some(error.error);
                self.report(id);
            }
        }
        self.hearers = senders;
        audience
    }

    pub(super) fn set_raw_option(&mut self, id: SocketId, option: SocketOption) -> Result<(), Error> {
        let socket = self.held_mut(id)?;
        let family = socket.family;
        let (raw, protocol) = raw_of(socket)?;
        match option {
            SocketOption::HeaderIncluded(on) => raw.header_included = on,
            SocketOption::IcmpFilter(_) if !is_icmp(family, protocol) => return Err(Error::NotSupported),
            SocketOption::IcmpFilter(filter) => raw.filter = filter,
            SocketOption::ChecksumOffset(_) if family == Family::V4 => return Err(Error::UnknownOption),
            SocketOption::ChecksumOffset(offset) if is_icmpv6(family, protocol) && offset != raw.checksum => {
                return Err(Error::InvalidArgument);
            }
            SocketOption::ChecksumOffset(Some(offset)) if offset % 2 == 1 => {
                return Err(Error::InvalidArgument);
            }
            SocketOption::ChecksumOffset(offset) => raw.checksum = offset,
            _ => return Err(Error::UnknownOption),
        }
        Ok(())
    }
}

fn raw_of(socket: &mut Socket) -> Result<(&mut Raw, Protocol), Error> {
    match &mut socket.body {
        Body::Datagram(datagram) => match datagram.kind {
            Kind::Raw(protocol) => Ok((&mut datagram.raw, protocol)),
            _ => Err(Error::UnknownOption),
        },
        _ => Err(Error::UnknownOption),
    }
}

/// Reads an option of raw sockets.
pub(super) fn raw_option(socket: &Socket, name: OptionName) -> Result<SocketOption, Error> {
    let Body::Datagram(datagram) = &socket.body else { return Err(Error::UnknownOption) };
    let Kind::Raw(protocol) = datagram.kind else { return Err(Error::UnknownOption) };
    Ok(match name {
        OptionName::HeaderIncluded => SocketOption::HeaderIncluded(datagram.raw.header_included),
        OptionName::IcmpFilter if !is_icmp(socket.family, protocol) => return Err(Error::NotSupported),
        OptionName::IcmpFilter => SocketOption::IcmpFilter(datagram.raw.filter),
        OptionName::ChecksumOffset if socket.family == Family::V6 => {
            SocketOption::ChecksumOffset(datagram.raw.checksum)
        }
        _ => return Err(Error::UnknownOption),
    })
}

/// Whether a raw socket may send this to `peer` over `path`.
pub(super) fn check_raw(raw: &Raw, peer: SocketAddr, bytes: &[u8], path: &Path) -> Result<(), Error> {
    let header = if peer.is_ipv4() { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN };
    if raw.header_included {
        // Nobody but its sender may cut a packet that is complete.
        return match bytes.len() {
            length if length > path.mtu => Err(Error::MessageTooLong),
            length if length < header.max(header_length(peer, bytes)) => Err(Error::InvalidArgument),
            _ => Ok(()),
        };
    }
    let longest = if peer.is_ipv4() { LONGEST - header } else { LONGEST };
    let least = raw.checksum.map_or(0, |offset| usize::from(offset) + 2);
    match bytes.len() {
        length if length > longest => Err(Error::MessageTooLong),
        length if length < least => Err(Error::InvalidArgument),
        _ => Ok(()),
    }
}

/// How long an IPv4 header says it is, in bytes.
fn header_length(peer: SocketAddr, bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(first) if peer.is_ipv4() => usize::from(first & 0xf) * 4,
        _ => 0,
    }
}

impl Datagram {
    /// Fills in what a raw socket leaves to the stack of the packet that is sent next, now that its source is known.
    pub(super) fn complete_raw(&mut self, protocol: Protocol, source: IpAddr, network: &mut Network) {
        let Some((entry, pieces)) = self.sending.front() else { return };
        let destination = entry.peer.ip();
        match (self.raw.header_included, source) {
            (true, IpAddr::V4(source)) => complete_header(&mut self.sending, |id| match id {
                0 => (network.identify(source.into(), destination) as u16, source),
                id => (id, source),
            }),
            (true, IpAddr::V6(_)) => {}
            (false, _) => {
                let Some(offset) = self.raw.checksum.map(usize::from) else { return };
                let pseudo = PseudoHeader::new(source, destination, protocol, 0);
                let sum = checksum_of(&pseudo, pieces);
                // What stood in the field is taken out of the sum.
                let old = [offset, offset + 1].map(|place| byte_at(pieces, place));
                let sum = crate::wire::checksum::update(sum, u16::from_be_bytes(old), 0);
                // A UDP checksum of zero is none (RFC 8200 section 8.1).
                let sum = if sum == 0 && protocol == Protocol::Udp { 0xffff } else { sum };
                self.sending.write_front(offset, &sum.to_be_bytes());
            }
        }
    }
}

/// Completes the IPv4 header that the next packet begins with, as Linux does: `chosen` gives the identification in the place
/// of the one there, and the source in the place of none.
fn complete_header(sending: &mut DatagramQueue, chosen: impl FnOnce(u16) -> (u16, core::net::Ipv4Addr)) {
    let mut header = [0; LONGEST_HEADER];
    let Some((entry, _)) = sending.copy_front(&mut header) else { return };
    let length = usize::from(header[0] & 0xf) * 4;
    let Some(header) = header.get_mut(..length).filter(|header| header.len() >= Ipv4Header::MIN_LEN) else {
        return;
    };
    let (identification, source) = chosen(u16::from_be_bytes([header[4], header[5]]));
    header[2..4].copy_from_slice(&(entry.length as u16).to_be_bytes());
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[10..12].fill(0);
    if header[12..16] == [0; 4] {
        header[12..16].copy_from_slice(&source.octets());
    }
    let mut checksum = Checksum::new();
    checksum.add(header);
    header[10..12].copy_from_slice(&checksum.finish().to_be_bytes());
    sending.write_front(0, header);
}

fn byte_at([first, second]: [&[u8]; 2], place: usize) -> u8 {
    let byte = first.get(place).or_else(|| second.get(place.checked_sub(first.len())?));
    byte.copied().unwrap_or_default()
}

/// The checksum of a payload and its pseudo-header; zero where the field is among the bytes and is right.
fn checksum_of(pseudo: &PseudoHeader, pieces: [&[u8]; 2]) -> u16 {
    let length = pieces[0].len() + pieces[1].len();
    let mut checksum = pseudo.with_length(length as u32).checksum();
    pieces.iter().for_each(|piece| checksum.add(piece));
    checksum.finish()
}
