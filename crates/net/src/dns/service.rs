//! The sockets of a name service, and the threads behind them.

use super::forward::{Forwarder, Others, Place, Transport, framed};
use super::names::Names;
use super::resolvers::{Directory, Resolvers};
use super::zone::{Reaction, Zone, failure, fitted};
use crate::datagram::UdpSocket;
use crate::host::Host;
use crate::listener::TcpListener;
use crate::stream::TcpStream;
use domain::base::Message;
use domain::base::iana::Rcode;
use parking_lot::Mutex;
use sockeye_core::time::Duration;
use sockeye_core::wire::Cidr;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;

/// Where names are answered.
const PORT: u16 = 53;

/// Connections at a time: each has a thread.
const MOST_CONNECTIONS: usize = 32;

/// How long a connection may be silent (RFC 7766 section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);

/// The longest question over UDP that is taken.
const LONGEST_DATAGRAM: usize = 4096;

/// A DNS server on a host of a LAN, at port 53 of all its addresses, UDP and TCP. It answers for the hosts in [`Names`],
/// with and without their domain, and backwards for the subnets of its host; whatever else is asked it passes on to the
/// real machine's resolvers. Names of the LAN never leave it. Dropped, it ends.
///
/// ```
/// use sockeye::dns::{NameService, Names, Resolvers, lookup};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let gateway = lan.host("gateway").address("10.0.0.1/24".parse()?).build()?;
/// let names = Names::new("lan");
/// names.insert("web", "10.0.0.2".parse()?);
/// let service = NameService::start(&gateway, &names, Resolvers::Nobody)?;
///
/// let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
/// let found = lookup(&client, "10.0.0.1".parse()?, "web.lan")?;
/// assert_eq!(found, ["10.0.0.2".parse::<std::net::IpAddr>()?]);
/// # Ok(())
/// # }
/// ```
pub struct NameService {
    host: String,
    sockets: Vec<UdpSocket>,
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
}

struct Shared {
    zone: Zone,
    forwarder: Arc<Forwarder>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    open: BTreeMap<u64, TcpStream>,
    count: u64,
    is_over: bool,
}

impl NameService {
    /// Begins to answer on `host`.
    ///
    /// # Errors
    /// `EADDRINUSE` if something else has port 53; or when no thread can be started.
    pub fn start(host: &Host, names: &Names, resolvers: Resolvers) -> io::Result<NameService> {
        let addresses: Vec<IpAddr> = host.addresses().iter().map(Cidr::address).collect();
        NameService::start_at(host, &addresses, names, resolvers)
    }

    /// Begins to answer at these addresses of `host`, such as those of its loopback interface.
    ///
    /// # Errors
    /// As [`start`](Self::start); `EADDRNOTAVAIL` for an address that the host does not have.
    pub fn start_at(
        host: &Host,
        addresses: &[IpAddr],
        names: &Names,
        resolvers: Resolvers,
    ) -> io::Result<NameService> {
        let subnets = host.addresses().iter().map(Cidr::network).collect();
        let zone = Zone::new(names.clone(), subnets);
        NameService::serve(host, addresses, zone, Others::Real(Directory::new(resolvers)))
    }

    /// Begins to answer at these addresses of `host` what the name service at `server` answers, which is asked over the stack of
    /// `host`.
    ///
    /// # Errors
    /// As [`start_at`](Self::start_at).
    pub fn relay(host: &Host, addresses: &[IpAddr], server: IpAddr) -> io::Result<NameService> {
        let others = Others::Inside(host.clone(), SocketAddr::new(server, PORT));
        NameService::serve(host, addresses, Zone::nobodys(), others)
    }

    fn serve(host: &Host, addresses: &[IpAddr], zone: Zone, others: Others) -> io::Result<NameService> {
        let forwarder = Arc::new(Forwarder::new(others));
        let shared = Arc::new(Shared { zone, forwarder, connections: Mutex::default() });
        let mut service =
            NameService { host: host.name().to_owned(), sockets: Vec::new(), listeners: Vec::new(), shared };
        // One socket for each address: an answer comes from where the question went.
        for address in addresses {
            let at = SocketAddr::new(*address, PORT);
            let socket = UdpSocket::bind(host, at)?;
            service.sockets.push(socket.try_clone()?);
            let shared = Arc::clone(&service.shared);
            spawn("dns-udp", move || shared.serve_datagrams(&Arc::new(socket)))?;
            let listener = TcpListener::bind(host, at)?;
            service.listeners.push(listener.try_clone()?);
            let shared = Arc::clone(&service.shared);
            spawn("dns-tcp", move || shared.serve_connections(&listener))?;
        }
        Ok(service)
    }
}

impl Drop for NameService {
    fn drop(&mut self) {
        for socket in &self.sockets {
            socket.stop_reading();
        }
        for listener in &self.listeners {
            listener.stop_listening();
        }
        let mut connections = self.shared.connections.lock();
        connections.is_over = true;
        for stream in connections.open.values() {
            // Those that have ended already complain.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl fmt::Debug for NameService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameService").field("host", &self.host).finish_non_exhaustive()
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

impl Shared {
    fn serve_datagrams(self: &Arc<Self>, socket: &Arc<UdpSocket>) {
        let mut buffer = vec![0; LONGEST_DATAGRAM];
        loop {
            match socket.recv_from(&mut buffer) {
                // Reading was stopped: nobody sends from port 0.
                Ok((0, source)) if source.port() == 0 => return,
                Ok((length, source)) => {
                    let question = buffer.get(..length).unwrap_or_default();
                    match self.zone.react(question) {
                        Reaction::Answer(answer) => send(socket, question, answer, source),
                        Reaction::Forward => self.forward_datagram(socket, question, source),
                        Reaction::Silence => {}
                    }
                }
                Err(error) if error.kind() == ErrorKind::NetworkDown => return,
                // What ICMP tells of an answer that did not arrive.
                Err(_) => {}
            }
        }
    }

    /// Passes a question on, on a thread of its own, unless the answer is that it is not passed on.
    fn forward_datagram(self: &Arc<Self>, socket: &Arc<UdpSocket>, question: &[u8], source: SocketAddr) {
        let place = match self.place(question) {
            Ok(place) => place,
            Err(refusal) => return send(socket, question, refusal, source),
        };
        let (shared, socket_of_thread, asked) = (Arc::clone(self), Arc::clone(socket), question.to_vec());
        let spawned = spawn("dns-forward", move || {
            let answer = shared.forwarder.ask(&place, &asked, Transport::Udp);
            send(&socket_of_thread, &asked, answer, source);
        });
        if spawned.is_err() {
            send(socket, question, said(question, Rcode::SERVFAIL), source);
        }
    }

    /// A place for a question that is passed on; or its answer, where nobody can be asked, or too many are asked already.
    fn place(&self, question: &[u8]) -> Result<Place, Vec<u8>> {
        if self.forwarder.knows_nobody() {
            return Err(said(question, Rcode::REFUSED));
        }
        self.forwarder.place().ok_or_else(|| said(question, Rcode::SERVFAIL))
    }

    fn serve_connections(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            let Some(number) = self.enter(&stream) else { continue };
            let shared = Arc::clone(self);
            let spawned = spawn("dns-connection", move || {
                // The client has gone, or says nothing more.
                let _ = shared.converse(&stream);
                shared.connections.lock().open.remove(&number);
            });
            if spawned.is_err() {
                self.connections.lock().open.remove(&number);
            }
        }
    }

    /// A place for a connection, unless there are too many.
    fn enter(&self, stream: &TcpStream) -> Option<u64> {
        let mut connections = self.connections.lock();
        if connections.is_over || connections.open.len() >= MOST_CONNECTIONS {
            return None;
        }
        let handle = stream.try_clone().ok()?;
        connections.count += 1;
        let number = connections.count;
        connections.open.insert(number, handle);
        Some(number)
    }

    /// Questions and answers over one connection, one after the other (RFC 7766).
    fn converse(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        loop {
            let mut prefix = [0; 2];
            stream.read_exact(&mut prefix)?;
            let mut question = vec![0; u16::from_be_bytes(prefix).into()];
            stream.read_exact(&mut question)?;
            let answer = match self.zone.react(&question) {
                Reaction::Answer(answer) => answer,
                Reaction::Silence => return Ok(()),
                Reaction::Forward => match self.place(&question) {
                    Ok(place) => self.forwarder.ask(&place, &question, Transport::Tcp),
                    Err(refusal) => refusal,
                },
            };
            stream.write_all(&framed(&answer))?;
        }
    }
}

/// The answer that says only why there is none.
fn said(question: &[u8], rcode: Rcode) -> Vec<u8> {
    Message::from_octets(question).map_or_else(|_| Vec::new(), |message| failure(&message, rcode))
}

/// Sends an answer, cut to what fits; a full queue loses it, as the cable might.
fn send(socket: &UdpSocket, question: &[u8], answer: Vec<u8>, to: SocketAddr) {
    let _ = socket.send_to(&fitted(question, answer), to);
}
