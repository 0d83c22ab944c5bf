//! `TcpListener`, call for call as in `tokio::net`.

use super::TcpStream;
use super::attempt::Attempt;
use crate::calls::ttl_calls;
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A listening socket of a [`Host`] for tasks, the mirror of [`tokio::net::TcpListener`].
#[derive(Debug)]
pub struct TcpListener {
    socket: Arc<Socket>,
}

impl TcpListener {
    /// Listens on `address` of `host`, as [`crate::TcpListener::bind`] does.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub async fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        Ok(crate::TcpListener::bind(host, address)?.into())
    }

    /// The same listener for tasks.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in tokio.
    pub fn from_std(listener: crate::TcpListener) -> io::Result<TcpListener> {
        Ok(listener.into())
    }

    /// Waits for a connection; gives it, and the address of the peer. Safe to cancel.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = Attempt::new(&self.socket, Interest::Read, Socket::accept_in).await?;
        let (socket, peer) = self.socket.accepted(accepted);
        Ok((TcpStream::from_socket(Arc::new(socket)), peer))
    }

    /// [`accept`](Self::accept) for poll functions: the waker of the last call is the one that is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.socket.poll(Interest::Read, WakerKey::Half, context, Socket::accept_in).map(|accepted| {
            let (socket, peer) = self.socket.accepted(accepted?);
            Ok((TcpStream::from_socket(Arc::new(socket)), peer))
        })
    }

    /// The address this listener is bound to.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    ttl_calls!("the connections to come");

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }
}

impl From<crate::TcpListener> for TcpListener {
    fn from(listener: crate::TcpListener) -> TcpListener {
        TcpListener { socket: Arc::clone(listener.socket()) }
    }
}
