//! What a program holds: sockets by [`SocketId`], what they are bound to, and what they are ready for.

pub mod listener;
pub mod options;
pub mod raw;
pub mod readiness;

use std::sync::Arc;

use core::net::{IpAddr, SocketAddr};

use crate::error::Error;
use crate::table::Handle;
use crate::transport::demux::{Dual, FlowKey, Scope, canonical_socket, mapped_socket};
use crate::transport::tcp::{Connection, Settings};
use crate::transport::udp::DatagramQueue;
use crate::wire::ip::Protocol;

pub use crate::transport::demux::CatchAll;
pub use listener::Listener;
pub use options::{IpOptions, OptionName, SocketOption};
pub use raw::{IcmpFilter, Raw};
pub use readiness::Readiness;

/// The name of a socket: copyable, and stale for good once the socket is closed.
pub type SocketId = Handle;

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`; without [`SocketOption::OnlyV6`] it speaks IPv4 too, in mapped addresses.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: &SocketAddr) -> Family {
        match address {
            SocketAddr::V4(_) => Family::V4,
            SocketAddr::V6(_) => Family::V6,
        }
    }

    /// The address that names none: `0.0.0.0` or `::`.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `SOCK_STREAM`: TCP.
    Stream,
    /// `SOCK_DGRAM`: UDP.
    Datagram,
    /// `SOCK_DGRAM` with `IPPROTO_ICMP`: echo requests out, their replies in.
    Ping,
    /// `SOCK_RAW`: the packets of one protocol, IPv4 ones with their header.
    Raw(Protocol),
}

/// Which directions `Stack::shutdown` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// No more reading.
    Read,
    /// No more writing: a FIN follows the data already written.
    Write,
    /// Neither.
    Both,
}

/// What a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Address and port, IPv4 ones plain even on an IPv6 socket.
    pub address: SocketAddr,
    /// The destinations the socket hears.
    pub scope: Scope,
}

/// Whether a program still holds the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A program does, or will by `accept`.
    Program,
    /// Closed; the connection finishes by itself (an orphan).
    Nobody,
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    /// Its family.
    pub family: Family,
    /// Options below the transport.
    pub options: IpOptions,
    /// Its own address, once it has one.
    pub binding: Option<Binding>,
    /// What it is.
    pub body: Body,
    /// Who holds it.
    pub holder: Holder,
    /// An error that waits for the next call or `SO_ERROR`.
    pub error: Option<Error>,
    /// The readiness that events have reported so far.
    pub reported: Readiness,
    /// Whether it stands in the queue of sockets with something to send.
    pub queued: bool,
    /// Whether an event of it waits to be polled.
    pub noticed: bool,
}

/// What kind of socket it is, and how far it got.
#[derive(Debug)]
pub enum Body {
    /// A stream socket that is neither connected nor listening, with the settings its connection will start with.
    Idle(Arc<Settings>),
    /// A listening stream socket.
    Listener(Listener),
    /// A stream socket with a connection, in whichever state.
    Stream(Box<Stream>),
    /// A datagram, ping or raw socket.
    Datagram(Box<Datagram>),
}

/// A stream socket's connection.
#[derive(Debug)]
pub struct Stream {
    /// The protocol machine.
    pub connection: Connection,
    /// The listener whose accept queue it waits in.
    pub waits_at: Option<SocketId>,
    /// The listener that counts it among the connections whose handshake is not complete (RFC 7413).
    pub counted_at: Option<SocketId>,
    /// Whether `connect` has begun and nobody has been told yet that it succeeded.
    pub is_connecting: bool,
    /// Whether the demultiplexer knows it under its own flow (a TIME-WAIT record takes its place there).
    pub in_demux: bool,
    /// What is known at its host of its memory.
    pub memory: StreamMemory,
    /// The largest segment its path was last known to carry, in bytes of payload and options.
    pub path_mss: u16,
    /// The sequence number up to which events have told of data.
    pub told: u32,
}

/// What a host knows of the memory of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamMemory {
    /// Bytes it was last seen to own.
    pub counted: usize,
    /// Whether its program waits for memory.
    pub is_waiting: bool,
    /// Whether it counts as an orphan.
    pub is_orphan: bool,
}

/// A datagram, ping or raw socket.
#[derive(Debug)]
pub struct Datagram {
    /// UDP, ICMP echo, or whatever protocol.
    pub kind: Kind,
    /// The peer given to `connect`.
    pub peer: Option<SocketAddr>,
    /// Our own address towards the peer, chosen by `connect` where `bind` has named none.
    pub source: Option<IpAddr>,
    /// Whether it catches all that is nobody's: then it answers in the name of whatever address that came to.
    pub catches_all: bool,
    /// How a raw socket sends and receives.
    pub raw: Raw,
    /// What came and was not read yet.
    pub received: DatagramQueue,
    /// What was sent and has not left yet.
    pub sending: DatagramQueue,
    /// Whether reading was shut down.
    pub read_closed: bool,
    /// Whether writing was shut down.
    pub write_closed: bool,
}

/// Default limit of bytes a datagram socket keeps in each direction, as Linux's `net.core.rmem_default`.
pub const DATAGRAM_BUFFER: usize = 212_992;

impl Datagram {
    /// An unconnected one.
    pub fn new(family: Family, kind: Kind) -> Self {
        let raw = match kind {
            Kind::Raw(protocol) => Raw::new(family, protocol),
            _ => Raw::default(),
        };
        Datagram {
            kind,
            raw,
            peer: None,
            source: None,
            catches_all: false,
            received: DatagramQueue::new(DATAGRAM_BUFFER),
            sending: DatagramQueue::new(DATAGRAM_BUFFER),
            read_closed: false,
            write_closed: false,
        }
    }
}

impl Socket {
    /// A new socket with this body.
    pub fn new(family: Family, body: Body) -> Self {
        Socket {
            family,
            options: IpOptions::default(),
            binding: None,
            body,
            holder: Holder::Program,
            error: None,
            reported: Readiness::NONE,
            queued: false,
            noticed: false,
        }
    }

    /// Whether an IPv6 wildcard of this socket takes IPv4 too.
    pub fn dual(&self) -> Dual {
        if self.family == Family::V6 && !self.options.only_v6 { Dual::Stack } else { Dual::Off }
    }

    /// Checks that a program may give `address` to this socket, and brings it to the form the stack works with: an
    /// IPv4-mapped address becomes the IPv4 address.
    ///
    /// # Errors
    /// [`Error::AddressFamilyNotSupported`] for the other family; [`Error::NetworkUnreachable`] for a mapped address
    /// on a socket that speaks IPv6 only.
    pub fn inward(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        if Family::of(&address) != self.family {
            return Err(Error::AddressFamilyNotSupported);
        }
        let plain = canonical_socket(address);
        if plain.is_ipv4() && self.family == Family::V6 && self.options.only_v6 {
            return Err(Error::NetworkUnreachable);
        }
        Ok(plain)
    }

    /// The form in which this socket shows an address to its program.
    pub fn outward(&self, address: SocketAddr) -> SocketAddr {
        match self.family {
            Family::V4 => address,
            Family::V6 => match address.ip() {
                IpAddr::V4(v4) if v4.is_unspecified() => {
                    SocketAddr::new(core::net::Ipv6Addr::UNSPECIFIED.into(), address.port())
                }
                _ => mapped_socket(address),
            },
        }
    }

    /// The address at which packets reach this socket and no other of its port, once that is one address: `bind` has
    /// named it, or `connect` has chosen it. With the port.
    pub fn own_address(&self) -> Option<SocketAddr> {
        let bound = self.binding?.address;
        match &self.body {
            Body::Datagram(datagram) if bound.ip().is_unspecified() => {
                datagram.source.map(|source| SocketAddr::new(source, bound.port()))
            }
            _ => Some(bound).filter(|bound| !bound.ip().is_unspecified()),
        }
    }

    /// The flow of a connected datagram socket. What a raw socket hears belongs to no flow.
    pub fn datagram_flow(&self) -> Option<FlowKey> {
        match &self.body {
            Body::Datagram(datagram) if !matches!(datagram.kind, Kind::Raw(_)) => {
                Some(FlowKey::new(self.own_address()?, datagram.peer?))
            }
            _ => None,
        }
    }

    /// The connection, if there is one.
    pub fn connection(&self) -> Option<&Connection> {
        match &self.body {
            Body::Stream(stream) => Some(&stream.connection),
            _ => None,
        }
    }

    /// The connection, if there is one.
    pub fn connection_mut(&mut self) -> Option<&mut Connection> {
        match &mut self.body {
            Body::Stream(stream) => Some(&mut stream.connection),
            _ => None,
        }
    }

    /// Whether a program knows this socket: it is not closed, and does not wait to be accepted.
    pub fn has_program(&self) -> bool {
        let waits = matches!(&self.body, Body::Stream(stream) if stream.waits_at.is_some());
        self.holder == Holder::Program && !waits
    }

    /// What the socket is ready for at this moment.
    pub fn readiness(&self) -> Readiness {
        let failed = self.error.is_some();
        let base =
            Readiness::NONE.with_if(Readiness::ERROR | Readiness::READABLE | Readiness::WRITABLE, failed);
        match &self.body {
            // A stream socket that was never connected polls as hung up and writable, as on Linux.
            Body::Idle(_) => base | Readiness::WRITABLE | Readiness::WRITE_CLOSED | Readiness::READ_CLOSED,
            Body::Listener(listener) => base.with_if(Readiness::READABLE, listener.is_readable()),
            Body::Stream(stream) => {
                let connection = &stream.connection;
                base.with_if(Readiness::READABLE, connection.is_readable())
                    .with_if(Readiness::WRITABLE, connection.is_writable())
                    .with_if(Readiness::READ_CLOSED, connection.is_read_closed())
                    .with_if(Readiness::WRITE_CLOSED, connection.is_write_closed())
                    .with_if(Readiness::ERROR, connection.has_failed())
                    .with_if(Readiness::URGENT, connection.has_urgent())
            }
            Body::Datagram(datagram) => base
                .with_if(Readiness::READABLE, !datagram.received.is_empty() || datagram.read_closed)
                .with_if(Readiness::READ_CLOSED, datagram.read_closed)
                .with_if(Readiness::WRITE_CLOSED, datagram.write_closed)
                // Half of the limit free, as on Linux: a sender that was refused is not woken for each datagram.
                .with_if(Readiness::WRITABLE, datagram.sending.is_half_empty() || datagram.write_closed),
        }
    }
}
