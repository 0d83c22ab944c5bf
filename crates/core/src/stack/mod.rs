//! One host: four layers and the sockets on top, with a short spine that carries values between them.
//!
//! [`Stack`] does no I/O and reads no clock. Bytes go up in [`receive`](Stack::receive) and down in
//! [`transmit`](Stack::poll_transmit); the socket calls stand in `open`, `stream`, `datagram` and `option`.
//! The same calls with the same times and the same seed give the same bytes.
//!
//! The methods are of five sorts:
//! - *inputs*: [`Stack::receive`], [`Stack::handle_timeout`];
//! - *outputs*: [`Stack::poll_transmit`], [`Stack::poll_timeout`], [`Stack::poll_event`], [`Stack::poll_trace`];
//! - *configuration*: [`Stack::add_interface`], [`Stack::add_address`], [`Stack::add_route`];
//! - *socket calls*, none of which waits: [`Stack::open`], [`Stack::bind`], [`Stack::connect`], …;
//! - *looking in*: [`Stack::snapshot`], [`Stack::tcp_info`].
//!
//! After any input or call, poll the transmissions until there are none, then the events, then the timeout. A timeout
//! that has passed already says that the stack has put work off: [`Stack::handle_timeout`], and poll again.

mod catch_all;
mod config;
mod datagram;
mod deadlines;
mod disconnect;
mod fast_open;
mod gate;
mod group;
mod listen;
mod lower;
mod memory;
mod open;
mod option;
mod queue;
mod raw;
mod receive;
mod refusal;
mod route;
mod snapshot;
mod stream;
mod time_wait;
mod timeout;
mod told;
mod transmit;

use std::sync::Arc;

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::hash::SecretState;
use crate::link::{Link, LinkConfig};
use crate::network::{InterfaceId, InterfaceKind, Network, NetworkConfig};
use crate::socket::{IpOptions, Readiness, Socket, SocketId};
use crate::table::{Handle, Table};
use crate::time::Instant;
use crate::trace::{DropCounters, Log, Trace, TraceEvent, Tracing};
use crate::transport::demux::Demux;
use crate::transport::ports::Ports;
use crate::transport::tcp::{
    Endpoints, FastOpenCache, FastOpenKeys, FastOpenPause, Handshake, Isn, Settings, State, TimeWait,
};
use crate::wire::ecn::Codepoint;
use crate::wire::ethernet::MacAddr;
use crate::wire::headers::Headers;
use crate::wire::ip::Cidr;
use crate::wire::tcp::Segment;

pub use config::{ChecksumOffload, Config, InterfaceConfig, MemoryLimits};
pub use datagram::{Ancillary, Received};
pub use gate::{HeldSyn, Refusal, SynId};
pub use lower::FrameOffload;
pub use receive::{ChecksumState, Frame};
pub use snapshot::{InterfaceSnapshot, Snapshot, SocketSnapshot};
pub use transmit::Transmit;

use deadlines::Deadlines;
use lower::Looped;
use queue::SocketQueue;
use transmit::Sending;

/// The loopback interface, which every host has.
pub const LOOPBACK: InterfaceId = InterfaceId(0);

/// Something changed at a socket: look at it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which socket.
    pub socket: SocketId,
    /// What it is ready for.
    pub readiness: Readiness,
}

/// One host.
///
/// ```
/// use sockeye_core::stack::{Config, Stack};
/// use sockeye_core::socket::{Family, Kind};
/// use sockeye_core::time::Instant;
///
/// // A host with nothing but its loopback interface.
/// let now = Instant::ZERO;
/// let mut host = Stack::new(Config::default());
/// let server = host.open(Family::V4, Kind::Stream).unwrap();
/// host.bind(now, server, "127.0.0.1:7788".parse().unwrap()).unwrap();
/// host.listen(now, server, 5).unwrap();
///
/// let client = host.open(Family::V4, Kind::Stream).unwrap();
/// host.connect(now, client, "127.0.0.1:7788".parse().unwrap()).unwrap_err(); // EINPROGRESS
/// while host.poll_transmit(now).is_some() {} // nothing leaves the host, but the handshake is done
/// let (served, from) = host.accept(now, server).unwrap();
/// assert_eq!(from, host.local_address(client).unwrap());
///
/// host.write(now, client, b"hello").unwrap();
/// while host.poll_transmit(now).is_some() {}
/// let mut buffer = [0; 10];
/// assert_eq!(host.read(now, served, &mut buffer), Ok(5));
/// assert_eq!(&buffer[..5], b"hello");
/// ```
#[derive(Debug)]
pub struct Stack {
    config: Config,
    /// What TCP sockets begin with: `config.tcp`, once for all of them that change nothing.
    settings: Arc<Settings>,
    secret: SecretState,
    interfaces: Vec<Interface>,
    network: Network,
    sockets: Table<Socket>,
    tcp: Tcp,
    udp: Bound,
    /// Multicast groups, by socket; few, and looked through only when they change.
    memberships: Vec<group::Membership>,
    ping: Bound,
    /// The port of a raw socket is the number of its protocol, which it shares with whoever wants it.
    raw: Bound,
    /// Sockets with something to send.
    ready: SocketQueue,
    /// Bytes that the first of them has sent in its turn.
    turn_bytes: usize,
    /// Sockets with news for their programs.
    events: SocketQueue,
    deadlines: Deadlines,
    /// Packets from this host to itself.
    loopback: VecDeque<Looped>,
    /// A buffer for the next of them.
    spare: Vec<u8>,
    /// Whether the last poll stopped in the middle, so as not to take too long.
    is_behind: bool,
    /// Who hears a multicast or broadcast datagram, while it is delivered.
    hearers: Vec<SocketId>,
    headers: Headers,
    sending: Sending,
    log: Option<Box<Log>>,
    drops: DropCounters,
}

/// An interface and what its device can do.
#[derive(Debug)]
struct Interface {
    name: String,
    /// None for the loopback interface.
    link: Option<Link>,
    checksum_offload: ChecksumOffload,
    segmentation: usize,
}

/// What TCP keeps besides its connections.
#[derive(Debug)]
struct Tcp {
    demux: Demux,
    ports: Ports,
    handshakes: Table<HalfOpen>,
    time_waits: Table<Remembered>,
    isn: Isn,
    memory: memory::Memory,
    cookie_secret: SecretState,
    /// The ECN field of the packet whose segment is being looked at.
    codepoint: Codepoint,
    /// What is known of servers, for opening connections with data.
    fast_open_cache: FastOpenCache,
    fast_open_keys: FastOpenKeys,
    fast_open_pause: FastOpenPause,
    /// Segments that no connection sends: RSTs, SYN-ACKs, the last acknowledgement of TIME-WAIT.
    outbox: VecDeque<Reply>,
}

/// Who is bound where, for UDP, for ping or for raw sockets.
#[derive(Debug)]
struct Bound {
    demux: Demux,
    ports: Ports,
}

/// A half-open passive connection and its listener.
#[derive(Debug)]
struct HalfOpen {
    handshake: Handshake,
    listener: SocketId,
}

/// A connection in TIME-WAIT.
#[derive(Debug)]
struct Remembered {
    record: TimeWait,
    /// Its socket's: what it says goes the same way.
    options: IpOptions,
}

/// A segment to be sent without a connection.
#[derive(Debug)]
struct Reply {
    local: SocketAddr,
    remote: SocketAddr,
    segment: Segment,
    options: IpOptions,
}

impl Stack {
    /// The most segments without connection that wait to be sent.
    const OUTBOX_LIMIT: usize = 4096;

    /// A host with a loopback interface (127.0.0.1/8 and ::1) and nothing else.
    pub fn new(config: Config) -> Stack {
        let mut dice = ChaCha12Rng::seed_from_u64(config.seed);
        let mut secret = || SecretState::new(dice.next_u64(), dice.next_u64());
        let (common, tcp, udp, ping, isn, cookie) =
            (secret(), secret(), secret(), secret(), secret(), secret());
        let network = Network::new(NetworkConfig {
            forwarding: config.forwarding,
            foreign: config.foreign,
            seed: dice.next_u64(),
            ..NetworkConfig::default()
        });
        // Drawn last, so that the numbers before them stay what they were.
        let fast_open = SecretState::new(dice.next_u64(), dice.next_u64());
        let mut fast_open_key = [0; 16];
        dice.fill_bytes(&mut fast_open_key);
        let raw = SecretState::new(dice.next_u64(), dice.next_u64());
        let mut stack = Stack {
            secret: common,
            interfaces: Vec::new(),
            network,
            sockets: Table::new(),
            tcp: Tcp {
                demux: Demux::new(tcp),
                ports: Ports::new(tcp),
                handshakes: Table::new(),
                time_waits: Table::new(),
                isn: Isn::new(isn),
                memory: memory::Memory::default(),
                cookie_secret: cookie,
                codepoint: Codepoint::NotEct,
                fast_open_cache: FastOpenCache::new(fast_open),
                fast_open_keys: config.fast_open_keys.unwrap_or(FastOpenKeys::new(fast_open_key)),
                fast_open_pause: FastOpenPause::default(),
                outbox: VecDeque::new(),
            },
            memberships: Vec::new(),
            udp: Bound { demux: Demux::new(udp), ports: Ports::new(udp) },
            ping: Bound { demux: Demux::new(ping), ports: Ports::new(ping) },
            raw: Bound { demux: Demux::new(raw), ports: Ports::new(raw) },
            ready: SocketQueue::default(),
            turn_bytes: 0,
            events: SocketQueue::default(),
            deadlines: Deadlines::default(),
            loopback: VecDeque::new(),
            spare: Vec::new(),
            is_behind: false,
            hearers: Vec::new(),
            headers: Headers::new(),
            sending: Sending::Nothing,
            log: None,
            drops: DropCounters::default(),
            settings: Arc::new(config.tcp.clone()),
            config,
        };
        stack.add_loopback();
        stack
    }

    fn add_loopback(&mut self) {
        self.interfaces.push(Interface {
            name: "lo".to_owned(),
            link: None,
            checksum_offload: ChecksumOffload::On,
            segmentation: 0,
        });
        self.network.add_interface(LOOPBACK, config::LOOPBACK_MTU, InterfaceKind::Loopback);
        for address in [IpAddr::from([127, 0, 0, 1]), IpAddr::from(core::net::Ipv6Addr::LOCALHOST)] {
            let prefix = if address.is_ipv4() { 8 } else { 128 };
            if let Ok(cidr) = Cidr::new(address, prefix) {
                self.network.add_address(LOOPBACK, cidr);
            }
        }
    }

    /// Plugs an interface in. It has no address yet.
    ///
    /// # Errors
    /// [`Error::NoBuffers`] when 255 interfaces exist; [`Error::InvalidArgument`] for an MTU below 68 bytes (RFC 791).
    pub fn add_interface(&mut self, config: InterfaceConfig) -> Result<InterfaceId, Error> {
        let id = InterfaceId(u8::try_from(self.interfaces.len()).map_err(|_| Error::NoBuffers)?);
        if config.mtu < 68 {
            return Err(Error::InvalidArgument);
        }
        self.network.add_interface(id, config.mtu, InterfaceKind::Link);
        let seed = core::hash::BuildHasher::hash_one(&self.secret, ("interface", id.0));
        self.interfaces.push(Interface {
            name: config.name,
            link: Some(Link::new(LinkConfig {
                medium: config.medium,
                mac: config.mac,
                mtu: config.mtu,
                seed,
            })),
            checksum_offload: config.checksum_offload,
            segmentation: config.segmentation.unwrap_or(0),
        });
        Ok(id)
    }

    /// Gives the interface an address, with the subnet that is reached directly through it. It is noticed at once,
    /// or first checked for a duplicate where [`Config::detection`] says so.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown interface or an address that no host can have.
    pub fn add_address(&mut self, now: Instant, interface: InterfaceId, address: Cidr) -> Result<(), Error> {
        let ip = address.address();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        let entry = self.interfaces.get_mut(usize::from(interface.0)).ok_or(Error::InvalidArgument)?;
        if let Some(link) = &mut entry.link {
            link.add_address(now, address, self.config.detection);
        }
        self.network.add_address(interface, address);
        Ok(())
    }

    /// Takes an address away. Connections that use it go on until they time out.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown interface; [`Error::AddressNotAvailable`] if it has no such address.
    pub fn remove_address(&mut self, interface: InterfaceId, address: IpAddr) -> Result<(), Error> {
        let entry = self.interfaces.get_mut(usize::from(interface.0)).ok_or(Error::InvalidArgument)?;
        if let Some(link) = &mut entry.link {
            link.remove_address(address);
        }
        if self.network.remove_address(interface, address) { Ok(()) } else { Err(Error::AddressNotAvailable) }
    }

    /// Says where a neighbour is, for good: it is never asked for and never forgotten (`ip neighbor add … nud permanent`).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an interface that does not exist or has no neighbours.
    pub fn add_neighbor(
        &mut self,
        now: Instant,
        interface: InterfaceId,
        address: IpAddr,
        mac: MacAddr,
    ) -> Result<(), Error> {
        let link = self.link_mut(interface).ok_or(Error::InvalidArgument)?;
        link.add_neighbor(now, address, mac);
        Ok(())
    }

    /// Changes what sockets opened from now on begin with; those that are there stay as they are.
    pub fn set_tcp_defaults(&mut self, settings: Settings) {
        self.settings = Arc::new(settings.clone());
        self.config.tcp = settings;
    }

    /// Starts or stops the recording of [`Trace`] events.
    pub fn set_tracing(&mut self, tracing: Tracing) {
        self.log = match tracing {
            Tracing::Off => None,
            Tracing::On => Some(self.log.take().unwrap_or_default()),
        };
    }

    /// The oldest recorded event not yet polled.
    pub fn poll_trace(&mut self) -> Option<Trace> {
        self.log.as_mut()?.pop()
    }

    /// The next socket whose readiness has grown, or which has more to be read. An event is a hint to look again, not a count.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let id = self.events.pop()?;
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.noticed = false;
                if !socket.has_program() {
                    continue;
                }
                let readiness = socket.readiness();
                socket.reported = readiness;
                socket.noticed = false;
                return Some(Event { socket: id, readiness });
            }
        }
    }

    /// When [`Stack::handle_timeout`] wants to be called next, with the transmissions polled after it. It may be earlier
    /// than anything really due; where work was put off, it is in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_behind {
            return Some(Instant::ZERO);
        }
        let links = self.interfaces.iter().filter_map(|interface| interface.link.as_ref()?.poll_timeout());
        links.chain(self.network.poll_timeout()).chain(self.deadlines.next()).min()
    }

    /// The interface's link layer; the loopback interface has none.
    fn link_mut(&mut self, interface: InterfaceId) -> Option<&mut Link> {
        self.interfaces.get_mut(usize::from(interface.0))?.link.as_mut()
    }

    fn record(&mut self, now: Instant, event: impl FnOnce() -> TraceEvent) {
        if let Some(log) = &mut self.log {
            log.push(now, event());
        }
    }

    /// Counts and records a refusal.
    fn dropped(&mut self, now: Instant, interface: Option<InterfaceId>, reason: DropReason, bytes: &[u8]) {
        self.drops.count(reason);
        self.record(now, || TraceEvent::Drop {
            interface,
            reason,
            excerpt: bytes.get(..128).unwrap_or(bytes).into(),
        });
    }

    fn record_state(
        &mut self,
        now: Instant,
        socket: Option<Handle>,
        ends: Endpoints,
        moved: (State, State),
        cause: &'static str,
    ) {
        if moved.0 != moved.1 {
            let (Endpoints { local, remote }, (from, to)) = (ends, moved);
            self.record(now, || TraceEvent::State { socket, local, remote, from, to, cause });
        }
    }

    /// Puts the socket in the queue of those with something to send.
    fn make_ready(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id)
            && !socket.queued
        {
            socket.queued = true;
            self.ready.push(id, &self.sockets);
        }
    }
}
