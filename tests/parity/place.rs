//! Where a test runs: on the kernel's sockets, or on ours.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// What listeners have in common.
pub(crate) trait Listener: Sized + Send + Sync {
    type Stream: Stream;
    fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)>;
    fn incoming(&self) -> impl Iterator<Item = io::Result<Self::Stream>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
}

/// What streams have in common.
pub(crate) trait Stream: Sized + Send + Sync + Read + Write + 'static {
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn read_timeout(&self) -> io::Result<Option<Duration>>;
    fn write_timeout(&self) -> io::Result<Option<Duration>>;
    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;
    fn nodelay(&self) -> io::Result<bool>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    /// `SO_LINGER` of zero; std has no stable call for it.
    fn linger_zero(&self);
    /// Reading and writing through a shared reference.
    fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn write_shared(&self, bytes: &[u8]) -> io::Result<usize>;
    fn write_pieces(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    fn read_pieces(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
}

/// What datagram sockets have in common.
pub(crate) trait Datagrams: Sized + Send + Sync + 'static {
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize>;
    fn connect(&self, to: SocketAddr) -> io::Result<()>;
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    fn try_clone(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn read_timeout(&self) -> io::Result<Option<Duration>>;
    fn set_broadcast(&self, broadcast: bool) -> io::Result<()>;
    fn broadcast(&self) -> io::Result<bool>;
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;
    fn ttl(&self) -> io::Result<u32>;
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
}

/// Implements the traits by the methods of the same names.
macro_rules! same_names {
    ($listener:ty, $stream:ty, $datagrams:ty, $linger_zero:expr) => {
        impl Listener for $listener {
            type Stream = $stream;
            fn accept(&self) -> io::Result<($stream, SocketAddr)> {
                self.accept()
            }
            fn incoming(&self) -> impl Iterator<Item = io::Result<$stream>> {
                self.incoming()
            }
            fn local_addr(&self) -> io::Result<SocketAddr> {
                self.local_addr()
            }
            fn try_clone(&self) -> io::Result<Self> {
                self.try_clone()
            }
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }
            fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.set_ttl(ttl)
            }
            fn ttl(&self) -> io::Result<u32> {
                self.ttl()
            }
            fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.take_error()
            }
        }

        impl Stream for $stream {
            fn local_addr(&self) -> io::Result<SocketAddr> {
                self.local_addr()
            }
            fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.peer_addr()
            }
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
            fn try_clone(&self) -> io::Result<Self> {
                self.try_clone()
            }
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }
            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                self.read_timeout()
            }
            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                self.write_timeout()
            }
            fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.peek(buffer)
            }
            fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
                self.set_nodelay(nodelay)
            }
            fn nodelay(&self) -> io::Result<bool> {
                self.nodelay()
            }
            fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.set_ttl(ttl)
            }
            fn ttl(&self) -> io::Result<u32> {
                self.ttl()
            }
            fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.take_error()
            }
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }
            fn linger_zero(&self) {
                let set: fn(&$stream) = $linger_zero;
                set(self);
            }
            fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize> {
                (&mut &*self).read(buffer)
            }
            fn write_shared(&self, bytes: &[u8]) -> io::Result<usize> {
                (&mut &*self).write(bytes)
            }
            fn write_pieces(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                (&mut &*self).write_vectored(parts)
            }
            fn read_pieces(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&mut &*self).read_vectored(buffers)
            }
        }

        impl Datagrams for $datagrams {
            fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
                self.recv_from(buffer)
            }
            fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
                self.peek_from(buffer)
            }
            fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
                self.send_to(bytes, to)
            }
            fn connect(&self, to: SocketAddr) -> io::Result<()> {
                self.connect(to)
            }
            fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                self.send(bytes)
            }
            fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.recv(buffer)
            }
            fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.peek(buffer)
            }
            fn local_addr(&self) -> io::Result<SocketAddr> {
                self.local_addr()
            }
            fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.peer_addr()
            }
            fn try_clone(&self) -> io::Result<Self> {
                self.try_clone()
            }
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }
            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                self.read_timeout()
            }
            fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
                self.set_broadcast(broadcast)
            }
            fn broadcast(&self) -> io::Result<bool> {
                self.broadcast()
            }
            fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.set_ttl(ttl)
            }
            fn ttl(&self) -> io::Result<u32> {
                self.ttl()
            }
            fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.take_error()
            }
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }
        }
    };
}

same_names!(std::net::TcpListener, std::net::TcpStream, std::net::UdpSocket, |stream| {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
});
same_names!(sockeye::TcpListener, sockeye::TcpStream, sockeye::UdpSocket, |stream| {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
});

/// Two ends, and how sockets are opened at each.
pub(crate) trait Place: Sync {
    type Listener: Listener<Stream = Self::Stream>;
    type Stream: Stream;
    type Datagrams: Datagrams;
    /// Listens at the server's end, on the port or a free one.
    fn listen(&self, port: u16) -> io::Result<Self::Listener>;
    /// Connects from the client's end.
    fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream>;
    /// A datagram socket at the server's end.
    fn serve_datagrams(&self, port: u16) -> io::Result<Self::Datagrams>;
    /// A datagram socket at the client's end.
    fn datagrams(&self) -> io::Result<Self::Datagrams>;

    /// A connection: the client's end, then the server's.
    fn pair(&self) -> (Self::Stream, Self::Stream) {
        let listener = self.listen(0).unwrap();
        let near = self.connect(listener.local_addr().unwrap()).unwrap();
        let (far, peer) = listener.accept().unwrap();
        assert_eq!(peer, near.local_addr().unwrap());
        (near, far)
    }
}

/// The kernel's sockets, on the loopback interface.
pub(crate) struct Kernel;

impl Kernel {
    pub(crate) fn new() -> Kernel {
        Kernel
    }
}

impl Place for Kernel {
    type Listener = std::net::TcpListener;
    type Stream = std::net::TcpStream;
    type Datagrams = std::net::UdpSocket;
    fn listen(&self, port: u16) -> io::Result<Self::Listener> {
        std::net::TcpListener::bind(("127.0.0.1", port))
    }
    fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        std::net::TcpStream::connect(to)
    }
    fn serve_datagrams(&self, port: u16) -> io::Result<Self::Datagrams> {
        std::net::UdpSocket::bind(("127.0.0.1", port))
    }
    fn datagrams(&self) -> io::Result<Self::Datagrams> {
        std::net::UdpSocket::bind("127.0.0.1:0")
    }
}

/// Two hosts of ours on a LAN.
pub(crate) struct Lan {
    server: sockeye::Host,
    client: sockeye::Host,
}

impl Lan {
    pub(crate) fn v4() -> Lan {
        Lan::new("10.0.0.2/24", "10.0.0.3/24")
    }

    pub(crate) fn v6() -> Lan {
        Lan::new("fd00::2/64", "fd00::3/64")
    }

    fn new(server: &str, client: &str) -> Lan {
        let lan = sockeye::Lan::builder().seed(7).build().unwrap();
        let host =
            |name: &str, address: &str| lan.host(name).address(address.parse().unwrap()).build().unwrap();
        Lan { server: host("server", server), client: host("client", client) }
    }
}

fn address_of(host: &sockeye::Host, port: u16) -> SocketAddr {
    SocketAddr::new(host.addresses()[0].address(), port)
}

impl Place for Lan {
    type Listener = sockeye::TcpListener;
    type Stream = sockeye::TcpStream;
    type Datagrams = sockeye::UdpSocket;
    fn listen(&self, port: u16) -> io::Result<Self::Listener> {
        sockeye::TcpListener::bind(&self.server, address_of(&self.server, port))
    }
    fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        sockeye::TcpStream::connect(&self.client, to)
    }
    fn serve_datagrams(&self, port: u16) -> io::Result<Self::Datagrams> {
        sockeye::UdpSocket::bind(&self.server, address_of(&self.server, port))
    }
    fn datagrams(&self) -> io::Result<Self::Datagrams> {
        sockeye::UdpSocket::bind(&self.client, address_of(&self.client, 0))
    }
}

/// One host of ours that talks to itself.
pub(crate) struct Loopback {
    host: sockeye::Host,
}

impl Loopback {
    pub(crate) fn new() -> Loopback {
        let lan = sockeye::Lan::builder().seed(7).build().unwrap();
        Loopback { host: lan.host("alone").address("10.0.0.2/24".parse().unwrap()).build().unwrap() }
    }
}

impl Place for Loopback {
    type Listener = sockeye::TcpListener;
    type Stream = sockeye::TcpStream;
    type Datagrams = sockeye::UdpSocket;
    fn listen(&self, port: u16) -> io::Result<Self::Listener> {
        sockeye::TcpListener::bind(&self.host, ("127.0.0.1", port))
    }
    fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        sockeye::TcpStream::connect(&self.host, to)
    }
    fn serve_datagrams(&self, port: u16) -> io::Result<Self::Datagrams> {
        sockeye::UdpSocket::bind(&self.host, ("127.0.0.1", port))
    }
    fn datagrams(&self) -> io::Result<Self::Datagrams> {
        sockeye::UdpSocket::bind(&self.host, "127.0.0.1:0")
    }
}
