//! Questions that others answer: passed on to the real machine's resolvers as they are, but for the transaction's number.

use super::resolvers::Directory;
use super::zone::failure;
use crate::builder::drawn;
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

/// The way to the real machine's resolvers.
#[derive(Debug)]
pub(super) struct Forwarder {
    directory: Directory,
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
    pub(super) fn new(directory: Directory) -> Forwarder {
        Forwarder { directory, under_way: AtomicUsize::new(0) }
    }

    /// Whether there is nobody to be asked.
    pub(super) fn knows_nobody(&self) -> bool {
        self.directory.current().is_empty()
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
        let servers = self.directory.current();
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
            let Ok(answer) = ask_one(*server, question, transport, Instant::now() + left) else { continue };
            let rcode = Message::from_octets(answer.as_slice()).map(|answer| answer.header().rcode());
            match rcode {
                // It cannot or will not; another may.
                Ok(Rcode::SERVFAIL | Rcode::REFUSED | Rcode::NOTIMP) => last = Some(answer),
                _ => return answer,
            }
        }
        last.unwrap_or_else(|| failure(&asked, Rcode::SERVFAIL))
    }
}

/// Asks one resolver, by TCP where the answer does not fit a datagram.
fn ask_one(server: SocketAddr, question: &[u8], transport: Transport, until: Instant) -> io::Result<Vec<u8>> {
    let mut own = question.to_vec();
    // A number of our own, and with it a port of its own: an answer cannot be guessed (RFC 5452).
    let number = (drawn() as u16).to_be_bytes();
    put_number(&mut own, number);
    let mut answer = match transport {
        Transport::Udp => {
            let answer = by_udp(server, &own, until)?;
            let is_cut = Message::from_octets(answer.as_slice()).is_ok_and(|answer| answer.header().tc());
            // Where TCP fails, who asked may try it.
            if is_cut { by_tcp(server, &own, until).unwrap_or(answer) } else { answer }
        }
        Transport::Tcp => by_tcp(server, &own, until)?,
    };
    put_number(&mut answer, question.first_chunk().copied().unwrap_or_default());
    Ok(answer)
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

fn by_udp(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
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

fn by_tcp(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(&framed(question))?;
    let mut prefix = [0; 2];
    read_exactly(&mut stream, &mut prefix, until)?;
    let mut answer = vec![0; u16::from_be_bytes(prefix).into()];
    read_exactly(&mut stream, &mut answer, until)?;
    if is_answer(&answer, question) { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Reads until the buffer is full, however slowly it comes, but not beyond `until`.
fn read_exactly(stream: &mut TcpStream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
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
