//! `TcpStream`, call for call as in `tokio::net`.

use super::attempt::Attempt;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::calls::{readiness_calls, ttl_calls};
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use sockeye_core::socket::{Kind, Shutdown, SocketOption};
use sockeye_core::transport::tcp::{SendFlags, State, Take, TcpInfo};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection of a [`Host`] for tasks, the mirror of [`tokio::net::TcpStream`].
#[derive(Debug)]
pub struct TcpStream {
    socket: Arc<Socket>,
}

impl TcpStream {
    /// Connects from `host` to `address`; of several, to the first that answers.
    ///
    /// # Errors
    /// `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, `ETIMEDOUT`, …
    pub async fn connect(host: &Host, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        for address in addresses {
            let socket = Arc::new(Socket::open(host, address, Kind::Stream)?);
            match Self::finish(socket, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(crate) async fn finish(socket: Arc<Socket>, address: SocketAddr) -> io::Result<TcpStream> {
        socket.begin_connect(address)?;
        Self::wait(socket).await
    }

    /// Waits until the handshake has ended.
    pub(crate) async fn wait(socket: Arc<Socket>) -> io::Result<TcpStream> {
        Attempt::new(&socket, Interest::Write, |state, _, id| Socket::finish_connect(state, id)).await?;
        Ok(TcpStream { socket })
    }

    pub(crate) fn from_socket(socket: Arc<Socket>) -> TcpStream {
        TcpStream { socket }
    }

    /// The same connection for tasks.
    ///
    /// # Errors
    /// None; the answer is a `Result` as in tokio.
    pub fn from_std(stream: crate::TcpStream) -> io::Result<TcpStream> {
        Ok(stream.into())
    }

    /// The address of this end.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `ENOTCONN` when the connection is gone.
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

    readiness_calls!("reading", "writing");

    /// Reads what is there.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.call(|state, now, id| state.stack.read(now, id, buffer))
    }

    /// [`try_read`](Self::try_read) into several buffers.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.socket.call(|state, now, id| Socket::read_pieces(state, now, id, buffers))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.call(|state, now, id| Socket::send_once(state, now, id, bytes, SendFlags::NONE))
    }

    /// [`try_write`](Self::try_write) of several pieces.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.call(|state, now, id| Socket::write_pieces(state, now, id, parts))
    }

    /// Reads without taking.
    ///
    /// # Errors
    /// As reading.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Attempt::new(&self.socket, Interest::Read, |state, now, id| state.stack.peek(now, id, buffer)).await
    }

    /// Writes what there is room for, once there is some, saying more about the bytes: that others follow at once
    /// ([`SendFlags::MORE`]), or where a record ends.
    ///
    /// # Errors
    /// As writing.
    pub async fn send(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        Attempt::new(&self.socket, Interest::Write, |state, now, id| {
            Socket::send_once(state, now, id, bytes, flags)
        })
        .await
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

    /// `TCP_NODELAY`.
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

    /// `SO_LINGER`. A time above zero would make the drop block the task's thread for that long; zero resets.
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

    /// Sets an option that tokio has no name for.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// What the connection knows about itself.
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.socket.tcp_info()
    }

    /// The host this connection belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }

    /// Two borrowed halves, for two futures of one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two owned halves, for two tasks. Dropping the writing half ends the writing side.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    /// Another handle to the same connection.
    pub(super) fn share(&self) -> TcpStream {
        TcpStream { socket: Arc::clone(&self.socket) }
    }

    /// Ends writing, for whoever shares the connection: a FIN follows what was written. [`AsyncWriteExt::shutdown`] does
    /// the same for whoever has it alone.
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection.
    ///
    /// [`AsyncWriteExt::shutdown`]: tokio::io::AsyncWriteExt::shutdown
    pub fn end_writing(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Ends writing, behind the handshake where the first write has only just begun it: a shutdown would call it off.
    pub(crate) fn poll_end_writing(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll(Interest::Write, WakerKey::Half, context, |state, now, id| {
            let is_opening = state.stack.tcp_info(id).is_ok_and(|info| info.state == State::SynSent);
            if is_opening && !state.stack.is_deferred(id) {
                Socket::finish_connect(state, id)?;
            }
            state.stack.shutdown(now, id, Shutdown::Write)
        })
    }

    pub(crate) fn poll_read_shared(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let polled = self
            .socket
            .poll(Interest::Read, WakerKey::Half, context, |state, now, id| state.stack.read(now, id, room));
        polled.map(|read| {
            buffer.advance(read?);
            Ok(())
        })
    }

    pub(crate) fn poll_write_shared(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll(Interest::Write, WakerKey::Half, context, |state, now, id| {
            Socket::send_once(state, now, id, bytes, SendFlags::NONE)
        })
    }

    pub(crate) fn poll_write_vectored_shared(
        &self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll(Interest::Write, WakerKey::Half, context, |state, now, id| {
            Socket::write_pieces(state, now, id, parts)
        })
    }
}

impl From<crate::TcpStream> for TcpStream {
    fn from(stream: crate::TcpStream) -> TcpStream {
        TcpStream { socket: Arc::clone(stream.socket()) }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_shared(context, buffer)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_shared(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_shared(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end_writing(context)
    }
}
