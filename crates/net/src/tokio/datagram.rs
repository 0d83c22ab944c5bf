//! `UdpSocket`, call for call as in `tokio::net`.

use super::attempt::Attempt;
use crate::calls::{multicast_calls, readiness_calls, ttl_calls};
use crate::datagram::{peek, receive};
use crate::host::Host;
use crate::socket::{Socket, first_address};
use crate::waiting::{Interest, WakerKey};
use sockeye_core::socket::SocketOption;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

/// A UDP socket of a [`Host`] for tasks, the mirror of [`tokio::net::UdpSocket`].
#[derive(Debug)]
pub struct UdpSocket {
    socket: Arc<Socket>,
}

impl UdpSocket {
    /// Opens a socket on `address` of `host`.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub async fn bind(host: &Host, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        Ok(crate::UdpSocket::bind(host, address)?.into())
    }

    /// The same socket for tasks.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in tokio.
    pub fn from_std(socket: crate::UdpSocket) -> io::Result<UdpSocket> {
        Ok(socket.into())
    }

    /// Fixes the other end.
    ///
    /// # Errors
    /// `ENETUNREACH` when no route leads there.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        crate::socket::each_address(address, |address| {
            self.socket.call(|state, now, id| state.stack.connect(now, id, address))
        })
    }

    /// Sends one datagram to the other end.
    ///
    /// # Errors
    /// `EDESTADDRREQ` without [`connect`](Self::connect); `ECONNREFUSED` if an earlier one was refused.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Attempt::new(&self.socket, Interest::Write, |state, now, id| {
            state.stack.send_to(now, id, bytes, None)
        })
        .await
    }

    /// Sends one datagram to `address`.
    ///
    /// # Errors
    /// `EMSGSIZE`, `EACCES`, `ENETUNREACH`, …
    pub async fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let address = first_address(address)?;
        Attempt::new(&self.socket, Interest::Write, |state, now, id| {
            state.stack.send_to(now, id, bytes, Some(address))
        })
        .await
    }

    /// Takes the next datagram of the other end.
    ///
    /// # Errors
    /// `ECONNREFUSED` if an earlier datagram was refused.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(length, _)| length)
    }

    /// Takes the next datagram; gives its length and where it came from.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Attempt::new(&self.socket, Interest::Read, |state, now, id| receive(state, now, id, buffer)).await
    }

    /// [`recv_from`](Self::recv_from) without taking.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Attempt::new(&self.socket, Interest::Read, |state, now, id| peek(state, now, id, buffer)).await
    }

    /// [`recv`](Self::recv) without taking.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).await.map(|(length, _)| length)
    }

    /// Takes the next datagram if one is there.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if none is.
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.call(|state, now, id| receive(state, now, id, buffer))
    }

    /// [`try_recv_from`](Self::try_recv_from), length only.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buffer).map(|(length, _)| length)
    }

    /// Sends to the other end if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.call(|state, now, id| state.stack.send_to(now, id, bytes, None))
    }

    /// Sends to `address` if there is room.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none.
    pub fn try_send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.socket.call(|state, now, id| state.stack.send_to(now, id, bytes, Some(address)))
    }

    /// [`recv_from`](Self::recv_from) for poll functions: the waker of the last call is the one that is woken.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let room = buffer.initialize_unfilled();
        let polled = self
            .socket
            .poll(Interest::Read, WakerKey::Half, context, |state, now, id| receive(state, now, id, room));
        polled.map(|received| {
            let (length, source) = received?;
            buffer.advance(length);
            Ok(source)
        })
    }

    /// [`send_to`](Self::send_to) for poll functions: the waker of the last call is the one that is woken.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.socket.poll(Interest::Write, WakerKey::Half, context, |state, now, id| {
            state.stack.send_to(now, id, bytes, Some(address))
        })
    }

    readiness_calls!("receiving", "sending");

    /// The address this socket is bound to.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The other end.
    ///
    /// # Errors
    /// `ENOTCONN` without [`connect`](Self::connect).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The error that waits, if any; it is cleared.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// `SO_BROADCAST`.
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

    multicast_calls!();

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }
}

impl From<crate::UdpSocket> for UdpSocket {
    fn from(socket: crate::UdpSocket) -> UdpSocket {
        UdpSocket { socket: Arc::clone(socket.socket()) }
    }
}
