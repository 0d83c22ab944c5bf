//! `TcpStream`, call for call as in `std::net`.

use crate::calls::{timeout_calls, ttl_calls};
use crate::host::Host;
use crate::socket::{Socket, each_address};
use crate::waiting::Interest;
use sockeye_core::socket::{Kind, OptionName, Shutdown, SocketOption};
use sockeye_core::transport::tcp::{SendFlags, Take, TcpInfo};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// A TCP connection of a [`Host`], the mirror of [`std::net::TcpStream`].
///
/// Reading and writing work on `&TcpStream` too, so that two threads can share one connection. Dropping the last
/// handle closes it.
///
/// ```
/// use std::io::{Read, Write};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
/// let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
/// let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788")?;
///
/// let mut near = sockeye::TcpStream::connect(&client, "10.0.0.2:7788")?;
/// let (mut far, peer) = listener.accept()?;
/// assert_eq!(peer, near.local_addr()?);
/// near.write_all(b"over a wire that is not there")?;
/// near.shutdown(std::net::Shutdown::Write)?;
/// let mut text = String::new();
/// far.read_to_string(&mut text)?;
/// assert_eq!(text, "over a wire that is not there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TcpStream {
    socket: Arc<Socket>,
}

impl TcpStream {
    /// Connects from `host` to `address`; of several, to the first that answers.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, `ETIMEDOUT`, …
    pub fn connect(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each_address(address, |address| {
            let socket = Socket::open(host, address, Kind::Stream)?;
            socket.connect(address, None)?;
            Ok(TcpStream::from_socket(socket))
        })
    }

    /// [`connect`](Self::connect), waiting for `timeout` at most.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) after the time; `InvalidInput` if it is zero.
    pub fn connect_timeout(host: &Host, address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(crate::error::zero_timeout());
        }
        let socket = Socket::open(host, *address, Kind::Stream)?;
        socket.connect(*address, Some(timeout))?;
        Ok(TcpStream::from_socket(socket))
    }

    pub(crate) fn from_socket(socket: Socket) -> TcpStream {
        TcpStream { socket: Arc::new(socket) }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Ends the reading half, the writing half, or both. Ending the writing half sends a FIN behind what is written.
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection.
    pub fn shutdown(&self, how: net::Shutdown) -> io::Result<()> {
        self.socket.shutdown(match how {
            net::Shutdown::Read => Shutdown::Read,
            net::Shutdown::Write => Shutdown::Write,
            net::Shutdown::Both => Shutdown::Both,
        })
    }

    /// Another handle to the same connection.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream { socket: Arc::clone(&self.socket) })
    }

    timeout_calls!("read", "write");

    /// Reads without taking: the next read gives the same bytes.
    ///
    /// # Errors
    /// As reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.wait(Interest::Read, |state, now, id| state.stack.peek(now, id, buffer))
    }

    /// Writes, saying more about the bytes: that others follow at once ([`SendFlags::MORE`]), or where a record ends.
    ///
    /// # Errors
    /// As writing.
    pub fn send(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        self.socket.send_all_or_some(bytes, flags)
    }

    /// Takes the peer's urgent byte, which otherwise is read over (`recv` with `MSG_OOB`, RFC 6093); `None` where the
    /// stream has ended before it. Never waits. New programs should not use urgent data.
    ///
    /// # Errors
    /// `EINVAL` when there is none, it was taken, or [`SocketOption::UrgentInLine`] is on;
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it was announced and has not come.
    pub fn read_urgent(&self) -> io::Result<Option<u8>> {
        self.socket.call(|state, now, id| state.stack.read_urgent(now, id, Take::Away))
    }

    /// [`read_urgent`](Self::read_urgent) that leaves the byte to be taken.
    ///
    /// # Errors
    /// As [`read_urgent`](Self::read_urgent).
    pub fn peek_urgent(&self) -> io::Result<Option<u8>> {
        self.socket.call(|state, now, id| state.stack.read_urgent(now, id, Take::Not))
    }

    /// Whether the next byte to read is, or stands behind, the one marked as urgent (`sockatmark`).
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn is_at_mark(&self) -> io::Result<bool> {
        self.socket.call(|state, _, id| state.stack.is_at_mark(id))
    }

    /// `TCP_NODELAY`: whether small segments leave at once rather than by Nagle's rule.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set(SocketOption::NoDelay(nodelay))
    }

    /// `TCP_NODELAY`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.nodelay()
    }

    /// `SO_LINGER`: with a time, closing waits that long for everything to be acknowledged; with zero, it resets the
    /// connection.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket.set(SocketOption::Linger(linger))
    }

    /// `SO_LINGER`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket.linger()
    }

    ttl_calls!("this connection's packets");

    /// The error that waits, if any; it is cleared.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Whether calls answer at once, with `EAGAIN` where they would have to wait. All handles to this connection share
    /// the setting.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }

    /// The host this connection belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }

    /// Sets an option that std has no name for: keepalive, buffers, user timeout, …
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads an option.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if a stream has no such option.
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// What the connection knows about itself: windows, round-trip time, retransmissions, …
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.socket.tcp_info()
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.wait(Interest::Read, |state, now, id| state.stack.read(now, id, buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.socket.read_vectored(buffers)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write_all_or_some(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
