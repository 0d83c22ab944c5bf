//! `TcpListener`, call for call as in `std::net`.

use crate::calls::ttl_calls;
use crate::host::Host;
use crate::socket::{Socket, each_address};
use crate::stream::TcpStream;
use crate::waiting::Interest;
use sockeye_core::socket::{Kind, OptionName, SocketOption};
use std::io;
use std::iter::FusedIterator;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// Connections that may wait to be accepted, unless [`TcpSocket::listen`](crate::TcpSocket::listen) says otherwise.
pub(crate) const BACKLOG: usize = 4096;

/// A socket that listens on a [`Host`], the mirror of [`std::net::TcpListener`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let host = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
/// let listener = sockeye::TcpListener::bind(&host, "0.0.0.0:0")?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    socket: Arc<Socket>,
}

impl TcpListener {
    /// Listens on `address` of `host`; with port 0, on a port that is free. As in std, `SO_REUSEADDR` is on and the
    /// backlog is large; [`TcpSocket`](crate::TcpSocket) sets both.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each_address(address, |address| {
            let socket = Socket::open(host, address, Kind::Stream)?;
            socket.set(SocketOption::ReuseAddress(true))?;
            socket.bind(address)?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from_socket(socket))
        })
    }

    pub(crate) fn from_socket(socket: Socket) -> TcpListener {
        TcpListener { socket: Arc::new(socket) }
    }

    /// Waits for a connection; gives it, and the address of the peer.
    ///
    /// # Errors
    /// `EAGAIN` on a nonblocking listener when none waits.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = self.socket.wait(Interest::Read, Socket::accept_in)?;
        let (socket, peer) = self.socket.accepted(accepted);
        Ok((TcpStream::from_socket(socket), peer))
    }

    /// The connections that arrive, one after the other, without end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// [`incoming`](Self::incoming), keeping the listener.
    pub fn into_incoming(self) -> IntoIncoming {
        IntoIncoming { listener: self }
    }

    /// The address this listener is bound to.
    ///
    /// # Errors
    /// None that a program could cause.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Another handle to the same listener.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener { socket: Arc::clone(&self.socket) })
    }

    ttl_calls!("the connections to come");

    /// The error that waits, if any; it is cleared.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Whether [`accept`](Self::accept) answers at once, with `EAGAIN` if no connection waits. All handles to this
    /// listener share the setting; accepted connections begin blocking.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in std.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }

    /// Sets an option that std has no name for, such as the keepalive times of the connections to come.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads an option.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if a listener has no such option.
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// Ends the waiting of whoever accepts, with an error; nothing arrives any more.
    pub(crate) fn stop_listening(&self) {
        // A host that is down has stopped already.
        let _ = self.socket.shutdown(sockeye_core::socket::Shutdown::Read);
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

/// The iterator of [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

/// The iterator of [`TcpListener::into_incoming`].
#[derive(Debug)]
pub struct IntoIncoming {
    listener: TcpListener,
}

impl Iterator for IntoIncoming {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for IntoIncoming {}
