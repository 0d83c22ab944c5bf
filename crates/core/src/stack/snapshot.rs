//! A look at the whole host at one moment, for `ss`-like listings and for tests that nothing is left behind.

use core::net::{IpAddr, SocketAddr};

use super::Stack;
use crate::link::Neighbor;
use crate::network::{InterfaceId, Route};
use crate::socket::{Body, Holder, Kind, SocketId};
use crate::time::Instant;
use crate::trace::DropCounters;
use crate::transport::tcp::{State, TcpInfo};
use crate::wire::ethernet::MacAddr;
use crate::wire::ip::Cidr;

/// One host at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its interfaces, the loopback interface first.
    pub interfaces: Vec<InterfaceSnapshot>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its sockets, those included that nobody holds any more.
    pub sockets: Vec<SocketSnapshot>,
    /// Half-open passive connections.
    pub half_open: usize,
    /// TIME-WAIT records.
    pub time_wait: usize,
    /// Connections and records that wait for a deadline.
    pub deadlines: usize,
    /// Packets, segments and datagrams that wait in any queue of this host.
    pub waiting: usize,
    /// Bytes kept for fragments that are not whole yet.
    pub reassembly_bytes: usize,
    /// Bytes of memory in the buffers of all connections.
    pub tcp_memory: usize,
    /// Whether that is so much that buffers do not grow ([`super::MemoryLimits::pressure`]).
    pub tcp_is_pressed: bool,
    /// Connections that no program holds any more and that are not finished yet.
    pub orphans: usize,
    /// Sockets bound to ports, ports that connections hold, and flows that segments and datagrams are told apart by, of
    /// all transport protocols together.
    pub ports_and_flows: usize,
    /// Groups that sockets listen to.
    pub memberships: usize,
    /// What was refused, by reason.
    pub drops: DropCounters,
}

/// One interface.
#[derive(Clone, Debug)]
pub struct InterfaceSnapshot {
    /// Its number.
    pub id: InterfaceId,
    /// Its name.
    pub name: String,
    /// Its MAC address; none for loopback and point-to-point interfaces.
    pub mac: Option<MacAddr>,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
    /// The neighbours it knows or asks for.
    pub neighbors: Vec<Neighbor>,
    /// Packets that wait for a neighbour's address.
    pub parked: usize,
}

/// One socket.
#[derive(Clone, Debug)]
pub struct SocketSnapshot {
    /// Its handle.
    pub id: SocketId,
    /// `None` for a stream socket, else which kind of datagram socket; of a raw one, the port is the protocol's number.
    pub datagram: Option<Kind>,
    /// Its own address.
    pub local: Option<SocketAddr>,
    /// Its peer.
    pub remote: Option<SocketAddr>,
    /// State of a stream socket.
    pub state: Option<State>,
    /// Whether a program holds it.
    pub holder: Holder,
    /// Bytes (of a listener: connections) that wait to be read or accepted.
    pub receive_queue: usize,
    /// Bytes that wait to be sent or acknowledged (of a listener: its backlog).
    pub send_queue: usize,
    /// When the first of a connection's timers is due, if nothing happens before.
    pub next_timer: Option<Instant>,
    /// All that is known of a connection.
    pub tcp: Option<Box<TcpInfo>>,
}

impl Snapshot {
    /// Whether the host is as idle as when it was new: no socket, no record, no timer, nothing queued, no port held.
    pub fn is_idle(&self) -> bool {
        let records =
            [self.half_open, self.time_wait, self.deadlines, self.ports_and_flows, self.memberships];
        self.sockets.is_empty()
            && records == [0; 5]
            && [self.waiting, self.reassembly_bytes, self.tcp_memory, self.orphans] == [0; 4]
    }

    /// The addresses of all interfaces.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().map(Cidr::address))
    }
}

impl Stack {
    /// The host as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let interfaces: Vec<InterfaceSnapshot> = self
            .interfaces
            .iter()
            .enumerate()
            .map(|(index, interface)| {
                let id = InterfaceId(index as u8);
                let link = interface.link.as_ref();
                InterfaceSnapshot {
                    id,
                    name: interface.name.clone(),
                    mac: link.and_then(crate::link::Link::ethernet_address),
                    mtu: link.map_or(super::config::LOOPBACK_MTU, crate::link::Link::mtu),
                    addresses: self.network.addresses(id).collect(),
                    neighbors: link.map_or_else(Vec::new, |link| link.neighbors().collect()),
                    parked: link.map_or(0, crate::link::Link::parked),
                }
            })
            .collect();
        let parked: usize = interfaces.iter().map(|interface| interface.parked).sum();
        Snapshot {
            routes: self.network.routes().cloned().collect(),
            sockets: self.sockets.iter().map(|(id, socket)| socket_snapshot(id, socket)).collect(),
            half_open: self.tcp.handshakes.len(),
            time_wait: self.tcp.time_waits.len(),
            deadlines: self.deadlines.len(),
            waiting: self.tcp.outbox.len() + self.loopback.len() + self.ready.len() + parked,
            reassembly_bytes: self.network.reassembly_bytes(),
            tcp_memory: self.tcp.memory.used,
            tcp_is_pressed: self.tcp.memory.is_pressed,
            orphans: self.tcp.memory.orphans,
            ports_and_flows: [
                (&self.tcp.ports, &self.tcp.demux),
                (&self.udp.ports, &self.udp.demux),
                (&self.ping.ports, &self.ping.demux),
                (&self.raw.ports, &self.raw.demux),
            ]
            .map(|(ports, demux)| ports.in_use().0 + ports.in_use().1 + demux.flows() + demux.bound())
            .iter()
            .sum(),
            memberships: self.memberships.len(),
            drops: self.drops.clone(),
            interfaces,
        }
    }
}

fn socket_snapshot(id: SocketId, socket: &crate::socket::Socket) -> SocketSnapshot {
    let binding = socket.binding.map(|binding| binding.address);
    let mut snapshot = SocketSnapshot {
        id,
        datagram: None,
        local: binding,
        remote: None,
        state: Some(State::Closed),
        holder: socket.holder,
        receive_queue: 0,
        send_queue: 0,
        next_timer: None,
        tcp: None,
    };
    match &socket.body {
        Body::Idle(_) => {}
        Body::Listener(listener) => {
            snapshot.state = Some(State::Listen);
            snapshot.receive_queue = listener.waiting().len();
            snapshot.send_queue = listener.backlog();
        }
        Body::Stream(stream) => {
            let ends = stream.connection.endpoints();
            let info = stream.connection.info();
            snapshot.local = Some(ends.local);
            snapshot.remote = Some(ends.remote);
            snapshot.state = Some(stream.connection.state());
            snapshot.receive_queue = stream.connection.receive_queue();
            snapshot.send_queue = stream.connection.send_queue();
            snapshot.next_timer = stream.connection.poll_timeout();
            snapshot.tcp = Some(Box::new(info));
        }
        Body::Datagram(datagram) => {
            snapshot.datagram = Some(datagram.kind);
            snapshot.state = None;
            snapshot.remote = datagram.peer;
            snapshot.receive_queue = datagram.received.bytes();
            snapshot.send_queue = datagram.sending.bytes();
        }
    }
    snapshot
}
