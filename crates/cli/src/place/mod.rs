//! Where a command's sockets live: the real machine's, or a host's on our own stack. Services and clients see only this.

mod os;
mod ours;

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use os::Os;

/// Somewhere sockets can be opened.
pub(crate) trait Place: Clone + Send + Sync + 'static {
    /// Connections.
    type Stream: Stream;
    /// What connections arrive at.
    type Listener: Listener<Stream = Self::Stream>;
    /// UDP sockets.
    type Datagrams: Datagrams;

    /// Whose TCP/IP it is, to end the sentence "served by …".
    const WHOSE: &'static str;

    /// Listens on one address and port.
    fn listen(&self, at: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Opens a UDP socket on one address and port; port 0 takes any.
    fn open_datagrams(&self, at: SocketAddr) -> impl Future<Output = io::Result<Self::Datagrams>> + Send;

    /// Connects; returns when the connection is established or known to fail.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A connection: bytes both ways, each way with its own end.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

/// What connections arrive at.
pub(crate) trait Listener: Send + 'static {
    /// The connections.
    type Stream: Stream;

    /// The next connection and where it comes from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// A UDP socket.
pub(crate) trait Datagrams: Send + Sync + 'static {
    /// Fixes the peer: only it is heard, and its refusals become errors.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<()>> + Send;

    /// The next datagram's length, cut to the buffer's, and its sender.
    fn receive_from(&self, buffer: &mut [u8])
    -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Sends one datagram.
    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;

    /// Sends one datagram to the connected peer.
    fn send(&self, datagram: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;
}
