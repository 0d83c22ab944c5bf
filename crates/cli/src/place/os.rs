//! The real machine's sockets, through tokio: what our own are compared with.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::{Datagrams, Listener, Place, Stream, TcpOptions, UdpOptions, attempt};

/// The operating system.
#[derive(Clone, Copy)]
pub(crate) struct Os;

impl Place for Os {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Datagrams = UdpSocket;

    const WHOSE: &'static str = "the operating system's TCP/IP";

    async fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(at).await
    }

    async fn open_datagrams(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(at).await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    fn listen_with(&self, at: SocketAddr, options: &TcpOptions) -> io::Result<TcpListener> {
        let socket = socket_for(at)?;
        socket.set_reuseaddr(options.reuseaddr)?;
        // Connections inherit these from their listener, and the handshake announces a window of that size.
        set(&SockRef::from(&socket), at, options)?;
        socket.bind(at)?;
        socket.listen(options.backlog)
    }

    async fn connect_with(
        &self,
        from: Option<SocketAddr>,
        to: SocketAddr,
        options: &TcpOptions,
    ) -> io::Result<TcpStream> {
        let socket = socket_for(to)?;
        socket.set_reuseaddr(options.reuseaddr)?;
        set(&SockRef::from(&socket), to, options)?;
        if let Some(from) = from {
            socket.bind(from)?;
        }
        socket.connect(to).await
    }

    fn open_datagrams_with(&self, at: SocketAddr, options: &UdpOptions) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(options.reuseaddr)?;
        socket.set_broadcast(options.broadcast)?;
        set_buffers(&SockRef::from(&socket), options.receive_buffer, options.send_buffer)?;
        if let Some(ttl) = options.ttl {
            match at {
                SocketAddr::V4(_) => socket.set_ttl_v4(ttl.into())?,
                SocketAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into())?,
            }
            match at {
                SocketAddr::V4(_) => socket.set_multicast_ttl_v4(ttl.into())?,
                SocketAddr::V6(_) => socket.set_multicast_hops_v6(ttl.into())?,
            }
        }
        socket.bind(&at.into())?;
        if let Some(through) = options.through {
            socket.set_multicast_if_v4(&through)?;
        }
        for group in &options.join {
            match group {
                IpAddr::V4(group) => {
                    socket.join_multicast_v4(group, &options.through.unwrap_or(Ipv4Addr::UNSPECIFIED))?;
                }
                IpAddr::V6(group) => socket.join_multicast_v6(group, 0)?,
            }
        }
        UdpSocket::from_std(socket.into())
    }
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
}

/// Sets everything that may be set on a TCP socket at any time.
fn set(socket: &SockRef<'_>, address: SocketAddr, options: &TcpOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay)?;
    socket.set_keepalive(options.keepalive.is_some())?;
    if let Some(keepalive) = options.keepalive {
        let times = TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count);
        socket.set_tcp_keepalive(&times)?;
    }
    socket.set_linger(options.linger0.then_some(Duration::ZERO))?;
    set_buffers(socket, options.receive_buffer, options.send_buffer)?;
    match (options.ttl, address) {
        (Some(ttl), SocketAddr::V4(_)) => socket.set_ttl_v4(ttl.into()),
        (Some(ttl), SocketAddr::V6(_)) => socket.set_unicast_hops_v6(ttl.into()),
        (None, _) => Ok(()),
    }
}

fn set_buffers(socket: &SockRef<'_>, receive: Option<u32>, send: Option<u32>) -> io::Result<()> {
    if let Some(size) = receive {
        socket.set_recv_buffer_size(size as usize)?;
    }
    if let Some(size) = send {
        socket.set_send_buffer_size(size as usize)?;
    }
    Ok(())
}

impl Stream for TcpStream {
    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn apply(&self, options: &TcpOptions) -> io::Result<()> {
        set(&SockRef::from(self), self.local_addr()?, options)
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        attempt(|| self.readable(), || self.try_read(buffer)).await
    }

    async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        attempt(|| self.writable(), || self.try_write(bytes)).await
    }

    fn end_writing(&self) -> io::Result<()> {
        SockRef::from(self).shutdown(Shutdown::Write)
    }

    fn reset_when_closed(&self) -> io::Result<()> {
        SockRef::from(self).set_linger(Some(Duration::ZERO))
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
