//! `TcpSocket` for tasks: options before `connect` and `listen`.

use super::{TcpListener, TcpStream};
use crate::host::Host;
use sockeye_core::socket::SocketOption;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A TCP socket that is neither listening nor connected yet, the mirror of [`tokio::net::TcpSocket`].
#[derive(Debug)]
pub struct TcpSocket {
    socket: crate::TcpSocket,
}

impl TcpSocket {
    /// An IPv4 socket.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`.
    pub fn new_v4(host: &Host) -> io::Result<TcpSocket> {
        Ok(TcpSocket { socket: crate::TcpSocket::new_v4(host)? })
    }

    /// An IPv6 socket.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`.
    pub fn new_v6(host: &Host) -> io::Result<TcpSocket> {
        Ok(TcpSocket { socket: crate::TcpSocket::new_v6(host)? })
    }

    /// Sets any option.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }

    /// `SO_REUSEADDR`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_address(reuse)
    }

    /// `SO_REUSEPORT`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_port(reuse)
    }

    /// Takes a local address and port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.bind(address)
    }

    /// The address taken by [`bind`](Self::bind).
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Listens, with room for `backlog` connections that wait to be accepted.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        Ok(self.socket.listen(backlog as usize)?.into())
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = Arc::new(self.socket.into_socket());
        TcpStream::finish(socket, address).await
    }

    /// Connects and writes all of `data`, the beginning of it in the SYN where a cookie of the peer is known: TCP Fast
    /// Open (RFC 7413).
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; [`Unsupported`](io::ErrorKind::Unsupported) where the host's `fast_open.client` is off.
    pub async fn connect_with_data(self, address: SocketAddr, data: &[u8]) -> io::Result<TcpStream> {
        use tokio::io::AsyncWriteExt;
        let socket = Arc::new(self.socket.into_socket());
        let sent = socket.begin_connect_with(address, data)?;
        let mut stream = TcpStream::wait(socket).await?;
        stream.write_all(data.get(sent..).unwrap_or_default()).await?;
        Ok(stream)
    }
}
