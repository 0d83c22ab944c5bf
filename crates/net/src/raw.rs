//! `RawSocket`: the packets of one protocol as they are.

use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::Interest;
use sockeye_core::socket::{Family, Kind, OptionName, SocketOption};
use sockeye_core::stack::{Ancillary, Received};
use sockeye_core::wire::Protocol;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A socket that sends and hears the packets of one IP protocol, as `SOCK_RAW` does (`raw(7)`). It hears a copy of all that
/// come to its host, whoever else has them; over IPv4 with the IP header in front.
///
/// ```
/// use sockeye::{Family, IpProtocol, RawSocket};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let here = lan.host("here").address("10.0.0.2/24".parse()?).build()?;
/// let there = lan.host("there").address("10.0.0.3/24".parse()?).build()?;
///
/// // A number for experiments (RFC 3692).
/// let near = RawSocket::new(&here, Family::V4, IpProtocol::Other(253))?;
/// let far = RawSocket::new(&there, Family::V4, IpProtocol::Other(253))?;
/// near.send_to(b"a new protocol", "10.0.0.3".parse()?)?;
/// let mut buffer = [0; 100];
/// let (length, source) = far.recv_from(&mut buffer)?;
/// assert_eq!(source, "10.0.0.2".parse::<std::net::IpAddr>()?);
/// assert_eq!((buffer[9], &buffer[20..length]), (253, &b"a new protocol"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RawSocket {
    socket: Arc<Socket>,
}

impl RawSocket {
    /// A socket for packets of `protocol`.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`.
    pub fn new(host: &Host, family: Family, protocol: Protocol) -> io::Result<RawSocket> {
        let socket = Socket::open_family(host, family, Kind::Raw(protocol))?;
        Ok(RawSocket { socket: Arc::new(socket) })
    }

    /// Hears what comes to this address only, and sends from it.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`, `EAFNOSUPPORT`; `EINVAL` on a connected socket.
    pub fn bind(&self, address: IpAddr) -> io::Result<()> {
        self.socket.bind(SocketAddr::new(address, 0))
    }

    /// Hears what comes from this peer only, and sends to it.
    ///
    /// # Errors
    /// `ENETUNREACH`, `EAFNOSUPPORT`.
    pub fn connect(&self, peer: IpAddr) -> io::Result<()> {
        self.socket.call(|state, now, id| state.stack.connect(now, id, SocketAddr::new(peer, 0)))
    }

    /// Sends one packet with this payload to the peer given to [`connect`](Self::connect).
    ///
    /// # Errors
    /// `EDESTADDRREQ`; as [`send_to`](Self::send_to).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_with(bytes, None, &Ancillary::default())
    }

    /// Sends one packet with this payload; or, with [`SocketOption::HeaderIncluded`], this packet.
    ///
    /// # Errors
    /// `EMSGSIZE`, `ENETUNREACH`; `EACCES` for a broadcast without [`SocketOption::Broadcast`]; `EINVAL` for less than a header.
    pub fn send_to(&self, bytes: &[u8], to: IpAddr) -> io::Result<usize> {
        self.send_with(bytes, Some(to), &Ancillary::default())
    }

    /// [`send_to`](Self::send_to), or [`send`](Self::send), with what goes along with this one packet.
    ///
    /// # Errors
    /// As `send_to`.
    pub fn send_with(&self, bytes: &[u8], to: Option<IpAddr>, with: &Ancillary) -> io::Result<usize> {
        let to = to.map(|ip| SocketAddr::new(ip, 0));
        self.socket.wait(Interest::Write, |state, now, id| state.stack.send_with(now, id, bytes, to, with))
    }

    /// Waits for the next packet, and says how many bytes of it the buffer took, and who sent it.
    ///
    /// # Errors
    /// `EAGAIN` after the read timeout; on a connected socket, what ICMP has told of an earlier packet, once.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        self.receive(buffer).map(|received| (received.copied, received.source.ip()))
    }

    /// [`recv_from`](Self::recv_from), with all that is known of the packet.
    ///
    /// # Errors
    /// As `recv_from`.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.socket.wait(Interest::Read, |state, now, id| state.stack.receive_from(now, id, buffer))
    }

    /// How long receiving may wait; for ever without.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_timeout(Interest::Read, timeout)
    }

    /// Whether calls that would wait fail with `EAGAIN` instead.
    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.socket.set_nonblocking(nonblocking);
    }

    /// Sets any option.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`; `EOPNOTSUPP` for a filter of ICMP on a socket of something else.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads any option.
    ///
    /// # Errors
    /// As [`set_option`](Self::set_option).
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }
}
