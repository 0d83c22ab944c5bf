//! Questions that others answer: passed on as they are, but for the transaction's number, to the real machine's resolvers or
//! to a name service that is asked over our own stack.

use super::resolvers::Directory;
use super::zone::failure;
use crate::builder::drawn;
use crate::host::Host;
use domain::base::Message;
use domain::base::iana::Rcode;
use sockeye_core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Questions under way at a time, beyond which they are not passed on: each has a thread.
const MOST: usize = 64;

/// How long one resolver is waited for before the next is asked.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often each is asked.
const ROUNDS: usize = 2;

/// How long all of it may take: who asks gives up after about five seconds.
const TOGETHER: Duration = Duration::from_secs(5);

/// The longest message there is.
const LONGEST: usize = 65_535;

/// How a question came, and is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// Who is asked.
#[derive(Debug)]
pub(super) enum Others {
    /// The real machine's resolvers, over its sockets.
    Real(Directory),
    /// A name service on a LAN of ours, over the stack of this host.
    Inside(Host, SocketAddr),
}

impl Others {
    fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Others::Real(directory) => directory.current(),
            Others::Inside(_, server) => vec![*server],
        }
    }

    /// A socket for datagrams that go to `server`.
    fn datagrams(&self, server: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Ok(match self {
            Others::Real(_) => {
                let socket = UdpSocket::bind((any, 0))?;
                socket.connect(server)?;
                Box::new(socket)
            }
            Others::Inside(host, _) => {
                let socket = crate::UdpSocket::bind(host, (any, 0))?;
                socket.connect(server)?;
                Box::new(socket)
            }
        })
    }

    /// A connection to `server`.
    fn stream(&self, server: SocketAddr, patience: Duration) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Others::Real(_) => Box::new(TcpStream::connect_timeout(&server, patience)?),
            Others::Inside(host, _) => Box::new(crate::TcpStream::connect_timeout(host, &server, patience)?),
        })
    }
}

impl Others {
    fn by_udp(&self, server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
        let socket = self.datagrams(server)?;
        socket.send(question)?;
        let mut buffer = vec![0; LONGEST];
        loop {
            socket.set_read_timeout(Some(left(until)?))?;
            let length = socket.recv(&mut buffer)?;
            let answer = buffer.get(..length).unwrap_or_default();
            if is_answer(answer, question) {
                return Ok(answer.to_vec());
            }
        }
    }

    fn by_tcp(&self, server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
        let mut stream = self.stream(server, left(until)?)?;
        stream.set_write_timeout(Some(left(until)?))?;
        stream.write_all(&framed(question))?;
        let mut prefix = [0; 2];
        read_exactly(stream.as_mut(), &mut prefix, until)?;
        let mut answer = vec![0; u16::from_be_bytes(prefix).into()];
        read_exactly(stream.as_mut(), &mut answer, until)?;
        if is_answer(&answer, question) { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

/// What asking takes of a datagram socket, the kernel's or ours.
trait Datagrams {
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

/// What asking takes of a connection, the kernel's or ours.
trait Stream: Read + Write {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

/// Both kinds of sockets have these calls by the same names.
macro_rules! asks {
    ($datagrams:ty, $stream:ty) => {
        impl Datagrams for $datagrams {
            fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                self.send(bytes)
            }
            fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.recv(buffer)
            }
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }
        }

        impl Stream for $stream {
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }
            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
        }
    };
}

asks!(UdpSocket, TcpStream);
asks!(crate::UdpSocket, crate::TcpStream);

/// The way to whoever is asked.
#[derive(Debug)]
pub(super) struct Forwarder {
    others: Others,
    under_way: AtomicUsize,
}

/// A place among the questions under way; dropped, it is free.
pub(super) struct Place(Arc<Forwarder>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Forwarder {
    pub(super) fn new(others: Others) -> Forwarder {
        Forwarder { others, under_way: AtomicUsize::new(0) }
    }

    /// Whether there is nobody to be asked.
    pub(super) fn knows_nobody(&self) -> bool {
        self.others.servers().is_empty()
    }

    /// A place for one more question, unless too many are under way.
    pub(super) fn place(self: &Arc<Self>) -> Option<Place> {
        let place = self.under_way.fetch_add(1, Ordering::Relaxed);
        let taken = Place(Arc::clone(self));
        (place < MOST).then_some(taken)
    }

    /// The answer to a question that came by `transport`: a resolver's, or `REFUSED` where there is none, or `SERVFAIL` where
    /// none answers. It takes its time, and a place.
    pub(super) fn ask(&self, _place: &Place, question: &[u8], transport: Transport) -> Vec<u8> {
        let Ok(asked) = Message::from_octets(question) else { return Vec::new() };
        let servers = self.others.servers();
        if servers.is_empty() {
            return failure(&asked, Rcode::REFUSED);
        }
        let until = Instant::now() + TOGETHER;
        let mut last = None;
        for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
            let left = until.saturating_duration_since(Instant::now()).min(PATIENCE);
            if left.is_zero() {
                break;
            }
            let Ok(answer) = self.ask_one(*server, question, transport, Instant::now() + left) else {
                continue;
            };
            let rcode = Message::from_octets(answer.as_slice()).map(|answer| answer.header().rcode());
            match rcode {
                // It cannot or will not; another may.
                Ok(Rcode::SERVFAIL | Rcode::REFUSED | Rcode::NOTIMP) => last = Some(answer),
                _ => return answer,
            }
        }
        last.unwrap_or_else(|| failure(&asked, Rcode::SERVFAIL))
    }

    /// Asks one resolver, by TCP where the answer does not fit a datagram.
    fn ask_one(
        &self,
        server: SocketAddr,
        question: &[u8],
        transport: Transport,
        until: Instant,
    ) -> io::Result<Vec<u8>> {
        let mut own = question.to_vec();
        // A number of our own, and with it a port of its own: an answer cannot be guessed (RFC 5452).
        let number = (drawn() as u16).to_be_bytes();
        put_number(&mut own, number);
        let mut answer = match transport {
            Transport::Udp => {
                let answer = self.others.by_udp(server, &own, until)?;
                let is_cut = Message::from_octets(answer.as_slice()).is_ok_and(|answer| answer.header().tc());
                // Where TCP fails, who asked may try it.
                if is_cut { self.others.by_tcp(server, &own, until).unwrap_or(answer) } else { answer }
            }
            Transport::Tcp => self.others.by_tcp(server, &own, until)?,
        };
        put_number(&mut answer, question.first_chunk().copied().unwrap_or_default());
        Ok(answer)
    }
}

fn put_number(message: &mut [u8], number: [u8; 2]) {
    if let Some(place) = message.first_chunk_mut() {
        *place = number;
    }
}

/// Whether `answer` is the answer to `question`: the same number, and the same question, letter by letter or not.
fn is_answer(answer: &[u8], question: &[u8]) -> bool {
    match (Message::from_octets(answer), Message::from_octets(question)) {
        (Ok(answer), Ok(question)) => {
            // Some resolvers leave the question out when they refuse.
            let says_nothing =
                answer.header_counts().qdcount() == 0 && answer.header().rcode() != Rcode::NOERROR;
            let is_same_number = answer.header().qr() && answer.header().id() == question.header().id();
            answer.is_answer(&question) || says_nothing && is_same_number
        }
        _ => false,
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Reads until the buffer is full, however slowly it comes, but not beyond `until`.
fn read_exactly(stream: &mut dyn Stream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => buffer = buffer.split_at_mut_checked(length).map_or(&mut [], |(_, rest)| rest),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A message behind its length, as TCP carries it (RFC 1035 section 4.2.2); none is longer than the length can say.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let message = message.get(..LONGEST).unwrap_or(message);
    [&(message.len() as u16).to_be_bytes(), message].concat()
}
