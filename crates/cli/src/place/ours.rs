//! A host on our own stack: the same sockets, through the crate `sockeye`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sockeye::tokio::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use sockeye::{Host, SocketOption};

use super::{Datagrams, Listener, Place, Stream, TcpOptions, UdpOptions, attempt};

impl Place for Host {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Datagrams = UdpSocket;

    const WHOSE: &'static str = "Sockeye's own TCP/IP stack";

    async fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(self, at).await
    }

    async fn open_datagrams(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(self, at).await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(self, to).await
    }

    fn listen_with(&self, at: SocketAddr, options: &TcpOptions) -> io::Result<TcpListener> {
        let socket = socket_for(self, at)?;
        socket.set_reuseaddr(options.reuseaddr)?;
        set(options, |option| socket.set_option(option))?;
        socket.bind(at)?;
        socket.listen(options.backlog)
    }

    async fn connect_with(
        &self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &TcpOptions,
    ) -> io::Result<TcpStream> {
        let socket = socket_for(self, to)?;
        socket.set_reuseaddr(options.reuseaddr)?;
        set(options, |option| socket.set_option(option))?;
        if let Some(from) = from {
            socket.bind(from)?;
        }
        socket.connect(to).await
    }

    fn open_datagrams_with(&self, at: SocketAddr, options: &UdpOptions) -> io::Result<UdpSocket> {
        if options.reuseaddr {
            let words = "UDP sockets of a host on a LAN do not share a port here: switch `reuseaddr` off";
            return Err(io::Error::new(io::ErrorKind::Unsupported, words));
        }
        let socket = sockeye::UdpSocket::bind(self, at)?;
        socket.set_option(SocketOption::Broadcast(options.broadcast))?;
        if let Some(size) = options.receive_buffer {
            socket.set_option(SocketOption::ReceiveBuffer(size as usize))?;
        }
        if let Some(size) = options.send_buffer {
            socket.set_option(SocketOption::SendBuffer(size as usize))?;
        }
        if let Some(ttl) = options.ttl {
            socket.set_option(SocketOption::HopLimit(ttl))?;
            socket.set_option(SocketOption::MulticastHopLimit(ttl))?;
        }
        let socket = UdpSocket::from(socket);
        for group in &options.join {
            match group {
                IpAddr::V4(group) => {
                    socket.join_multicast_v4(group, &options.through.unwrap_or(Ipv4Addr::UNSPECIFIED))?;
                }
                IpAddr::V6(group) => socket.join_multicast_v6(group, 0)?,
            }
        }
        Ok(socket)
    }
}

fn socket_for(host: &Host, address: SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(host),
        SocketAddr::V6(_) => TcpSocket::new_v6(host),
    }
}

/// Sets everything that may be set on a TCP socket at any time.
fn set(options: &TcpOptions, mut set: impl FnMut(SocketOption) -> io::Result<()>) -> io::Result<()> {
    set(SocketOption::NoDelay(options.nodelay))?;
    if let Some(keepalive) = options.keepalive {
        set(SocketOption::KeepIdle(keepalive.idle))?;
        set(SocketOption::KeepInterval(keepalive.interval))?;
        set(SocketOption::KeepCount(keepalive.count))?;
    }
    set(SocketOption::KeepAlive(options.keepalive.is_some()))?;
    set(SocketOption::Linger(options.linger0.then_some(Duration::ZERO)))?;
    if let Some(size) = options.receive_buffer {
        set(SocketOption::ReceiveBuffer(size as usize))?;
    }
    if let Some(size) = options.send_buffer {
        set(SocketOption::SendBuffer(size as usize))?;
    }
    options.ttl.map_or(Ok(()), |ttl| set(SocketOption::HopLimit(ttl)))
}

impl Stream for TcpStream {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn apply(&self, options: &TcpOptions) -> io::Result<()> {
        set(options, |option| self.set_option(option))
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        attempt(|| self.readable(), || self.try_read(buffer)).await
    }

    async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        attempt(|| self.writable(), || self.try_write(bytes)).await
    }

    fn end_writing(&self) -> io::Result<()> {
        TcpStream::end_writing(self)
    }

    fn reset_when_closed(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl Datagrams for UdpSocket {
    async fn connect(&self, to: SocketAddr) -> io::Result<()> {
        UdpSocket::connect(self, to).await
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buffer).await
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        UdpSocket::send_to(self, datagram, to).await
    }

    async fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        UdpSocket::send(self, datagram).await
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
