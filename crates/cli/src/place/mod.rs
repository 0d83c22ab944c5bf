//! Where a command's sockets live: the real machine's, or a host's on our own stack. Services and clients see only this.

mod options;
mod os;
mod ours;

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use options::{KeepAlive, TcpOptions, UdpOptions};
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

    /// [`listen`](Self::listen) with options.
    fn listen_with(&self, at: SocketAddr, options: &TcpOptions) -> io::Result<Self::Listener>;

    /// [`connect`](Self::connect) with options, from an address and port of one's own where one is given.
    fn connect_with(
        &self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &TcpOptions,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// [`open_datagrams`](Self::open_datagrams) with options.
    fn open_datagrams_with(&self, at: SocketAddr, options: &UdpOptions) -> io::Result<Self::Datagrams>;
}

/// A connection: bytes both ways, each way with its own end.
///
/// As a value it is read and written like any; several futures that share it use the calls of a program, one at a time.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// This end.
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// Sets the options of connections that are established.
    fn apply(&self, options: &TcpOptions) -> io::Result<()>;

    /// One `recv()`, as soon as it has something to return: bytes, or 0 at the peer's end.
    fn receive(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// One `send()`, as soon as there is room: the bytes taken.
    fn send(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Ends writing: a FIN behind what was written.
    fn end_writing(&self) -> io::Result<()>;

    /// From now on closing resets.
    fn reset_when_closed(&self) -> io::Result<()>;
}

/// Tries a call that does not wait, whenever it is worth trying, until it does not have to.
async fn attempt<R, W: Future<Output = io::Result<()>>>(
    ready: impl Fn() -> W,
    mut call: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    loop {
        ready().await?;
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}

/// What connections arrive at.
pub(crate) trait Listener: Send + 'static {
    /// The connections.
    type Stream: Stream;

    /// The next connection and where it comes from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Where it listens.
    fn local_address(&self) -> io::Result<SocketAddr>;
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

    /// Where it receives.
    fn local_address(&self) -> io::Result<SocketAddr>;
}
