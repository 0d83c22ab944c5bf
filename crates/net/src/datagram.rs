//! `UdpSocket`, call for call as in `std::net`.

use crate::calls::{multicast_calls, timeout_calls, ttl_calls};
use crate::engine::State;
use crate::host::Host;
use crate::socket::{Socket, each_address, first_address};
use crate::waiting::Interest;
use sockeye_core::error::Error;
use sockeye_core::socket::{Kind, OptionName, SocketId, SocketOption};
use sockeye_core::time::Instant;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// A UDP socket of a [`Host`], the mirror of [`std::net::UdpSocket`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let left = lan.host("left").address("10.0.0.2/24".parse()?).build()?;
/// let right = lan.host("right").address("10.0.0.3/24".parse()?).build()?;
/// let near = sockeye::UdpSocket::bind(&left, "10.0.0.2:5000")?;
/// let far = sockeye::UdpSocket::bind(&right, "10.0.0.3:5000")?;
///
/// near.send_to(b"a datagram", "10.0.0.3:5000")?;
/// let mut buffer = [0; 100];
/// let (length, source) = far.recv_from(&mut buffer)?;
/// assert_eq!(&buffer[..length], b"a datagram");
/// assert_eq!(source.to_string(), "10.0.0.2:5000");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    socket: Arc<Socket>,
}

impl UdpSocket {
    /// Opens a socket on `address` of `host`; with port 0, on a port that is free.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each_address(address, |address| {
            let socket = Socket::open(host, address, Kind::Datagram)?;
            socket.bind(address)?;
            Ok(UdpSocket { socket: Arc::new(socket) })
        })
    }

    /// Takes the next datagram; gives the bytes of it that fitted, and where it came from.
    ///
    /// # Errors
    /// `EAGAIN` after the read timeout.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.wait(Interest::Read, |state, now, id| receive(state, now, id, buffer))
    }

    /// [`recv_from`](Self::recv_from) without taking: the next call gives the same datagram.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.wait(Interest::Read, |state, now, id| peek(state, now, id, buffer))
    }

    /// Sends one datagram to `address`.
    ///
    /// # Errors
    /// `EMSGSIZE`, `EACCES` for a broadcast without [`set_broadcast`](Self::set_broadcast), `ENETUNREACH`, …
    pub fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let address = first_address(address)?;
        self.socket.wait(Interest::Write, |state, now, id| state.stack.send_to(now, id, bytes, Some(address)))
    }

    /// Fixes the other end: only its datagrams arrive, [`send`](Self::send) goes there, and its refusals are errors.
    ///
    /// # Errors
    /// `ENETUNREACH` when no route leads there.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each_address(address, |address| {
            self.socket.call(|state, now, id| state.stack.connect(now, id, address))
        })
    }

    /// Sends one datagram to the other end.
    ///
    /// # Errors
    /// `EDESTADDRREQ` without [`connect`](Self::connect); `ECONNREFUSED` if an earlier one was refused.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.wait(Interest::Write, |state, now, id| state.stack.send_to(now, id, bytes, None))
    }

    /// Takes the next datagram of the other end.
    ///
    /// # Errors
    /// `ECONNREFUSED` if an earlier datagram was refused.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).map(|(length, _)| length)
    }

    /// [`recv`](Self::recv) without taking.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).map(|(length, _)| length)
    }

    /// The other end.
    ///
    /// # Errors
    /// `ENOTCONN` without [`connect`](Self::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The address this socket is bound to.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Another handle to the same socket.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: Arc::clone(&self.socket) })
    }

    timeout_calls!("receive", "send");

    /// `SO_BROADCAST`: whether datagrams may go to a broadcast address.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.set(SocketOption::Broadcast(broadcast))
    }

    /// `SO_BROADCAST`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.broadcast()
    }

    ttl_calls!("this socket's packets");

    /// The error that waits, if any; it is cleared.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Whether calls answer at once, with `EAGAIN` where they would have to wait. All handles to this socket share the
    /// setting.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }

    multicast_calls!();

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }

    /// Sets an option that std has no name for.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads an option.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if a datagram socket has no such option.
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// Ends the waiting of whoever reads this socket, by an empty datagram from nowhere; nothing arrives any more.
    pub(crate) fn stop_reading(&self) {
        // As the kernel does, it complains of the missing peer, and does it.
        let _ = self.socket.shutdown(sockeye_core::socket::Shutdown::Read);
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

/// One attempt to take a datagram.
pub(crate) fn receive(
    state: &mut State,
    now: Instant,
    id: SocketId,
    buffer: &mut [u8],
) -> Result<(usize, SocketAddr), Error> {
    let datagram = state.stack.receive_from(now, id, buffer)?;
    Ok((datagram.copied, datagram.source))
}

/// One attempt to look at a datagram.
pub(crate) fn peek(
    state: &mut State,
    now: Instant,
    id: SocketId,
    buffer: &mut [u8],
) -> Result<(usize, SocketAddr), Error> {
    let datagram = state.stack.peek_from(now, id, buffer)?;
    Ok((datagram.copied, datagram.source))
}
