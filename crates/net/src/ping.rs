//! `PingSocket`: echo requests, as the ICMP datagram sockets of Linux send them.

use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::Interest;
use sockeye_core::socket::{Family, Kind, SocketOption};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A socket that sends echo requests and takes the replies to them.
///
/// ```
/// use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let here = lan.host("here").address("10.0.0.2/24".parse()?).build()?;
/// let _there = lan.host("there").address("10.0.0.3/24".parse()?).build()?;
///
/// let socket = sockeye::PingSocket::new(&here, "10.0.0.3".parse()?)?;
/// socket.set_read_timeout(Some(Duration::from_secs(5)))?;
/// socket.send(1, b"are you there?")?;
/// let mut buffer = [0; 100];
/// let reply = socket.receive(&mut buffer)?;
/// assert_eq!(reply.sequence, 1);
/// assert_eq!(&buffer[..reply.length], b"are you there?");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PingSocket {
    socket: Arc<Socket>,
    destination: IpAddr,
}

/// An echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// Bytes of the reply's data that the buffer took.
    pub length: usize,
    /// Who replied.
    pub source: IpAddr,
    /// The sequence number of the request.
    pub sequence: u16,
    /// The hop limit (TTL) the reply arrived with.
    pub hop_limit: u8,
}

impl PingSocket {
    /// A socket for echo requests from `host` to `destination`.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`, `ENETUNREACH`.
    pub fn new(host: &Host, destination: IpAddr) -> io::Result<PingSocket> {
        let family = if destination.is_ipv4() { Family::V4 } else { Family::V6 };
        let socket = Socket::open_family(host, family, Kind::Ping)?;
        socket.call(|state, now, id| state.stack.connect(now, id, SocketAddr::new(destination, 0)))?;
        Ok(PingSocket { socket: Arc::new(socket), destination })
    }

    /// Whom the requests ask.
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Sends one echo request with `data`, which is fragmented if it has to be.
    ///
    /// # Errors
    /// `EMSGSIZE` over 65,507 bytes; `EHOSTUNREACH` if an earlier request could not be delivered.
    pub fn send(&self, sequence: u16, data: &[u8]) -> io::Result<()> {
        self.socket.wait(Interest::Write, |state, now, id| {
            state.stack.ping(now, id, sequence, data, None).map(|_| ())
        })
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// `EAGAIN` after the read timeout; `EHOSTUNREACH` if the destination does not answer at all.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<EchoReply> {
        self.socket.wait(Interest::Read, |state, now, id| {
            let datagram = state.stack.receive_from(now, id, buffer)?;
            Ok(EchoReply {
                length: datagram.copied,
                source: datagram.source.ip(),
                sequence: datagram.sequence,
                hop_limit: datagram.hop_limit,
            })
        })
    }

    /// How long [`receive`](Self::receive) may wait; for ever without.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_timeout(Interest::Read, timeout)
    }

    /// Sets the hop limit of the requests.
    ///
    /// # Errors
    /// `EINVAL` outside 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.set_ttl(ttl)
    }

    /// Sets any option.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }
}
