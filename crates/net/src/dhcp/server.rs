//! The server's side: a socket of a host, and a thread that answers.

use super::message::{CLIENT_PORT, Message, SERVER_PORT};
use super::pool::{Answer, Pool, Settings};
use crate::clock;
use crate::datagram::UdpSocket;
use crate::dns::Names;
use crate::host::Host;
use crate::ping::PingSocket;
use parking_lot::Mutex;
use sockeye_core::link::NeighborState;
use sockeye_core::time::Duration;
use sockeye_core::wire::ethernet::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Stations that are kept in mind, those that have left and those that were heard of.
const MOST_STATIONS: usize = 4096;

/// What a [`Server`] gives and tells. By default: addresses for ever, and its own address as the router's.
///
/// ```
/// use std::time::Duration;
/// let names = sockeye::dns::Names::new("lan");
/// let options = sockeye::dhcp::ServerOptions::default()
///     .names(&names)
///     .lease_time(Duration::from_secs(3600))
///     .reserve("10.0.0.9".parse().unwrap());
/// # drop(options);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "Server::start takes it"]
pub struct ServerOptions {
    names: Option<Names>,
    dns: Option<Ipv4Addr>,
    lease_time: Option<Duration>,
    reserved: BTreeSet<Ipv4Addr>,
    is_no_router: bool,
    asks_nobody: bool,
}

impl ServerOptions {
    /// Registers the names of the clients, and tells these that the server's host answers for names
    /// ([`crate::dns::NameService`]), unless [`dns`](Self::dns) says who else does.
    pub fn names(mut self, names: &Names) -> Self {
        self.names = Some(names.clone());
        self
    }

    /// Tells the clients who answers for names.
    pub fn dns(mut self, server: Ipv4Addr) -> Self {
        self.dns = Some(server);
        self
    }

    /// Gives addresses away for this time, which clients have to renew; otherwise for ever.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = Some(time);
        self
    }

    /// Never gives this address away.
    pub fn reserve(mut self, address: Ipv4Addr) -> Self {
        self.reserved.insert(address);
        self
    }

    /// Leaves out the echo request to an address that is newly offered, by which a station shows up that has it already:
    /// for those who tell [`Server::heard`].
    pub fn without_probes(mut self) -> Self {
        self.asks_nobody = true;
        self
    }

    /// Tells the clients of no way out of the subnet.
    pub fn without_router(mut self) -> Self {
        self.is_no_router = true;
        self
    }
}

/// A DHCP server (RFC 2131) on a host: it gives the addresses of the subnet of the host's first IPv4 address, which it leaves
/// out, like those that another station is known to have. Dropped, it ends.
///
/// [`Client`](super::Client) shows it at work.
pub struct Server {
    socket: UdpSocket,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    pool: Pool,
    /// Stations that have left: the host's table of neighbours may still know them.
    departed: BTreeSet<MacAddr>,
    /// Who was heard to have an address.
    heard: BTreeMap<Ipv4Addr, MacAddr>,
}

impl Server {
    /// Begins to serve on `host`.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the host has no IPv4 address; `EADDRINUSE` if something else has port 67; or when no thread
    /// can be started.
    pub fn start(host: &Host, options: ServerOptions) -> io::Result<Server> {
        let mut addresses = host
            .interfaces()
            .iter()
            .flat_map(|interface| interface.addresses.iter().map(|address| (*address, interface.mtu)));
        let found = addresses.find_map(|(subnet, mtu)| match subnet.address() {
            IpAddr::V4(own) => Some((own, subnet, mtu)),
            IpAddr::V6(_) => None,
        });
        let (own, subnet, mtu) = found.ok_or_else(|| {
            io::Error::new(ErrorKind::AddrNotAvailable, "a DHCP server needs an IPv4 address of its own")
        })?;
        let settings = Settings {
            own,
            subnet,
            router: (!options.is_no_router).then_some(own),
            dns: options.dns.or(options.names.is_some().then_some(own)),
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            lease_time: options.lease_time,
            reserved: options.reserved,
            names: options.names,
        };
        let socket = UdpSocket::bind(host, (Ipv4Addr::UNSPECIFIED, SERVER_PORT))?;
        socket.set_broadcast(true)?;
        let (departed, heard) = (BTreeSet::new(), BTreeMap::new());
        let state = State { pool: Pool::new(settings), departed, heard };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let asks_nobody = options.asks_nobody;
        let serving = Serving { socket: socket.try_clone()?, shared: Arc::clone(&shared), asks_nobody };
        std::thread::Builder::new().name("dhcp".into()).spawn(move || serving.run())?;
        Ok(Server { socket, shared })
    }

    /// A station was heard to have an address, as the sender of an ARP message perhaps: nobody else gets it until the
    /// station is [forgotten](Self::forget).
    pub fn heard(&self, mac: MacAddr, address: Ipv4Addr) {
        let mut state = self.shared.state.lock();
        if state.heard.len() < MOST_STATIONS && !address.is_unspecified() {
            state.heard.insert(address, mac);
        }
    }

    /// A station is gone, such as one behind a cable that was pulled: its addresses and names are free again. Says which
    /// addresses these were.
    pub fn forget(&self, mac: MacAddr) -> Vec<IpAddr> {
        let mut state = self.shared.state.lock();
        state.heard.retain(|_, station| *station != mac);
        if state.departed.len() < MOST_STATIONS {
            state.departed.insert(mac);
        }
        state.pool.forget(mac).into_iter().map(IpAddr::V4).collect()
    }

    /// How many addresses are given away, or known to be a host's own.
    pub fn held(&self) -> usize {
        self.shared.state.lock().pool.held()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.socket.stop_reading();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.socket.host().name())
            .field("held", &self.held())
            .finish()
    }
}

/// The server's thread.
struct Serving {
    socket: UdpSocket,
    shared: Arc<Shared>,
    asks_nobody: bool,
}

impl Serving {
    fn run(self) {
        let mut buffer = [0; 1500];
        loop {
            match self.socket.recv_from(&mut buffer) {
                // Reading was stopped: nobody sends from port 0.
                Ok((0, source)) if source.port() == 0 => return,
                Ok((length, _)) => {
                    if let Some(message) = buffer.get(..length).and_then(Message::parse) {
                        self.answer(&message);
                    }
                }
                Err(error) if error.kind() == ErrorKind::NetworkDown => return,
                // What ICMP tells of an answer that did not arrive.
                Err(_) => {}
            }
        }
    }

    fn answer(&self, message: &Message) {
        let neighbors: Vec<_> = {
            let snapshot = self.socket.host().snapshot();
            snapshot.interfaces.into_iter().flat_map(|interface| interface.neighbors).collect()
        };
        let answer = {
            let State { pool, departed, heard } = &mut *self.shared.state.lock();
            departed.remove(&message.chaddr);
            let is_occupied = |address: Ipv4Addr, asker: MacAddr| {
                let is_heard = heard.get(&address).is_some_and(|station| *station != asker);
                is_heard
                    || neighbors.iter().any(|neighbor| {
                        let is_there = neighbor.state != NeighborState::Incomplete;
                        let is_another = |mac: MacAddr| mac != asker && !departed.contains(&mac);
                        neighbor.address == address && is_there && neighbor.mac.is_some_and(is_another)
                    })
            };
            pool.answer(clock::now(), message, &is_occupied)
        };
        let Some(Answer { message, to, probe }) = answer else { return };
        // RFC 2131 section 4.1: where unicast to a client without an address is not possible, to all. A full queue loses
        // the answer, as the cable might: the client asks again.
        let _ = self.socket.send_to(&message.emit(), (to.unwrap_or(Ipv4Addr::BROADCAST), CLIENT_PORT));
        if let Some(address) = probe.filter(|_| !self.asks_nobody) {
            // Before the client accepts the address, whoever has it answers, and is a neighbour then.
            let _ = PingSocket::new(self.socket.host(), address.into()).and_then(|ping| ping.send(1, &[]));
        }
    }
}
