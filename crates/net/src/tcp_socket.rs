//! A TCP socket before it is a listener or a stream: where options are set that std has no call for.

use crate::host::Host;
use crate::listener::TcpListener;
use crate::socket::Socket;
use crate::stream::TcpStream;
use sockeye_core::socket::{Family, Kind, OptionName, SocketOption};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A TCP socket that is neither listening nor connected yet.
///
/// ```
/// use sockeye::SocketOption;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(1).build()?;
/// let host = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
/// let socket = sockeye::TcpSocket::new_v4(&host)?;
/// socket.set_option(SocketOption::ReceiveBuffer(1 << 20))?;
/// socket.bind("10.0.0.2:80".parse()?)?;
/// let listener = socket.listen(16)?;
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// An IPv4 socket.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`.
    pub fn new_v4(host: &Host) -> io::Result<TcpSocket> {
        Ok(TcpSocket { socket: Socket::open_family(host, Family::V4, Kind::Stream)? })
    }

    /// An IPv6 socket.
    ///
    /// # Errors
    /// `EMFILE`, `ENETDOWN`.
    pub fn new_v6(host: &Host) -> io::Result<TcpSocket> {
        Ok(TcpSocket { socket: Socket::open_family(host, Family::V6, Kind::Stream)? })
    }

    /// Takes a local address and port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EINVAL` if there is one already.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.bind(address)
    }

    /// Listens, with room for `backlog` connections that wait to be accepted.
    ///
    /// # Errors
    /// `EADDRINUSE`.
    pub fn listen(self, backlog: usize) -> io::Result<TcpListener> {
        self.socket.listen(backlog)?;
        Ok(TcpListener::from_socket(self.socket))
    }

    /// Connects, waiting until the peer has answered.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    pub fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        self.socket.connect(address, None)?;
        Ok(TcpStream::from_socket(self.socket))
    }

    /// Connects and writes all of `data`, the beginning of it in the SYN where a cookie of the peer is known: TCP Fast
    /// Open (RFC 7413). Waits until the peer has answered and the rest has found room.
    ///
    /// The peer may take what came in a SYN twice, should the network double it: for requests that may be repeated.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; [`Unsupported`](io::ErrorKind::Unsupported) where the host's `fast_open.client` is off.
    pub fn connect_with_data(self, address: SocketAddr, data: &[u8]) -> io::Result<TcpStream> {
        use std::io::Write;
        let sent = self.socket.begin_connect_with(address, data)?;
        self.socket.wait_to_connect(None)?;
        let mut stream = TcpStream::from_socket(self.socket);
        stream.write_all(data.get(sent..).unwrap_or_default())?;
        Ok(stream)
    }

    /// [`connect`](Self::connect), waiting for `timeout` at most.
    ///
    /// # Errors
    /// As [`TcpStream::connect_timeout`].
    pub fn connect_timeout(self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(crate::error::zero_timeout());
        }
        self.socket.connect(address, Some(timeout))?;
        Ok(TcpStream::from_socket(self.socket))
    }

    /// `SO_REUSEADDR`: whether the port may be taken while old connections of it are left, in TIME-WAIT or not.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        self.socket.set(SocketOption::ReuseAddress(reuse))
    }

    /// `SO_REUSEPORT`: whether the port is shared with others that say so, each of which gets some of the connections; to be
    /// set before [`bind`](Self::bind).
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_reuse_port(&self, reuse: bool) -> io::Result<()> {
        self.socket.set(SocketOption::ReusePort(reuse))
    }

    /// `SO_KEEPALIVE`: whether an idle connection asks the peer whether it is still there.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.socket.set(SocketOption::KeepAlive(keepalive))
    }

    /// `SO_SNDBUF`: the most bytes that wait to be sent or acknowledged.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket.set(SocketOption::SendBuffer(bytes))
    }

    /// `SO_RCVBUF`: the most bytes that wait to be read, which bounds the window.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket.set(SocketOption::ReceiveBuffer(bytes))
    }

    /// Sets any option.
    ///
    /// # Errors
    /// What the stack says: `EINVAL`, `ENOPROTOOPT`.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads any option.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if a stream has no such option.
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// The address taken by [`bind`](Self::bind).
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }
}
