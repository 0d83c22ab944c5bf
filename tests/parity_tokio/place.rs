//! Where a test runs: on tokio's sockets, or on ours.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite, Interest, Ready};

/// What streams have in common.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    type Reader: AsyncRead + Send + Unpin + 'static;
    type Writer: AsyncWrite + Send + Unpin + 'static;
    fn into_halves(self) -> (Self::Reader, Self::Writer);
    fn local(&self) -> SocketAddr;
    fn reset_on_drop(&self);
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

/// What listeners have in common.
pub(crate) trait Listener: Send + Sync + 'static {
    type Stream: Stream;
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
    fn address(&self) -> SocketAddr;
}

/// What datagram sockets have in common.
pub(crate) trait Datagrams: Send + Sync + 'static {
    fn send_to(&self, bytes: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;
    fn recv_from(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<()>> + Send;
    fn send(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;
    fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn address(&self) -> SocketAddr;
}

/// Implements the traits by the methods of the same names.
macro_rules! same_names {
    ($module:path, $reset:expr) => {
        const _: () = {
            use $module as sockets;

            impl Stream for sockets::TcpStream {
                type Reader = <HalvesOf<sockets::TcpStream> as Halves>::Reader;
                type Writer = <HalvesOf<sockets::TcpStream> as Halves>::Writer;
                fn into_halves(self) -> (Self::Reader, Self::Writer) {
                    self.into_split()
                }
                fn local(&self) -> SocketAddr {
                    self.local_addr().unwrap()
                }
                fn reset_on_drop(&self) {
                    let reset: fn(&sockets::TcpStream) = $reset;
                    reset(self);
                }
                async fn readable(&self) -> io::Result<()> {
                    self.readable().await
                }
                async fn writable(&self) -> io::Result<()> {
                    self.writable().await
                }
                async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                    self.ready(interest).await
                }
                fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.try_read(buffer)
                }
                fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                    self.try_write(bytes)
                }
                async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.peek(buffer).await
                }
            }

            impl Listener for sockets::TcpListener {
                type Stream = sockets::TcpStream;
                async fn accept(&self) -> io::Result<(sockets::TcpStream, SocketAddr)> {
                    self.accept().await
                }
                fn address(&self) -> SocketAddr {
                    self.local_addr().unwrap()
                }
            }

            impl Datagrams for sockets::UdpSocket {
                async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
                    self.send_to(bytes, to).await
                }
                async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
                    self.recv_from(buffer).await
                }
                async fn connect(&self, to: SocketAddr) -> io::Result<()> {
                    self.connect(to).await
                }
                async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                    self.send(bytes).await
                }
                async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.recv(buffer).await
                }
                fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.try_recv(buffer)
                }
                async fn readable(&self) -> io::Result<()> {
                    self.readable().await
                }
                fn address(&self) -> SocketAddr {
                    self.local_addr().unwrap()
                }
            }
        };
    };
}

/// The types of a stream's owned halves.
pub(crate) trait Halves {
    type Reader;
    type Writer;
}

pub(crate) struct HalvesOf<S>(std::marker::PhantomData<S>);

impl Halves for HalvesOf<tokio::net::TcpStream> {
    type Reader = tokio::net::tcp::OwnedReadHalf;
    type Writer = tokio::net::tcp::OwnedWriteHalf;
}

impl Halves for HalvesOf<sockeye::tokio::TcpStream> {
    type Reader = sockeye::tokio::OwnedReadHalf;
    type Writer = sockeye::tokio::OwnedWriteHalf;
}

same_names!(tokio::net, |stream| stream.set_zero_linger().unwrap());
same_names!(sockeye::tokio, |stream| stream.set_linger(Some(std::time::Duration::ZERO)).unwrap());

/// Two ends, and how sockets are opened at each.
pub(crate) trait Place: Send + Sync + 'static {
    type Listener: Listener<Stream = Self::Stream>;
    type Stream: Stream;
    type Datagrams: Datagrams;
    fn listen(&self) -> impl Future<Output = Self::Listener> + Send;
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn serve_datagrams(&self) -> impl Future<Output = Self::Datagrams> + Send;
    fn datagrams(&self) -> impl Future<Output = Self::Datagrams> + Send;

    /// A connection: the client's end, then the server's.
    fn pair(&self) -> impl Future<Output = (Self::Stream, Self::Stream)> + Send {
        async {
            let listener = self.listen().await;
            let near = self.connect(listener.address()).await.unwrap();
            let (far, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, near.local());
            (near, far)
        }
    }
}

/// tokio's sockets, on the kernel's loopback interface.
pub(crate) struct Kernel;

impl Kernel {
    pub(crate) fn new() -> Kernel {
        Kernel
    }
}

impl Place for Kernel {
    type Listener = tokio::net::TcpListener;
    type Stream = tokio::net::TcpStream;
    type Datagrams = tokio::net::UdpSocket;
    async fn listen(&self) -> Self::Listener {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
    }
    async fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        tokio::net::TcpStream::connect(to).await
    }
    async fn serve_datagrams(&self) -> Self::Datagrams {
        tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }
    async fn datagrams(&self) -> Self::Datagrams {
        tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }
}

/// Two hosts of ours, or one that talks to itself.
pub(crate) struct Ours {
    server: sockeye::Host,
    client: sockeye::Host,
}

/// Two hosts of ours on a LAN.
pub(crate) struct Lan;

impl Lan {
    #[expect(clippy::new_ret_no_self, reason = "all places are made alike")]
    pub(crate) fn new() -> Ours {
        let lan = sockeye::Lan::builder().seed(7).build().unwrap();
        let host =
            |name: &str, address: &str| lan.host(name).address(address.parse().unwrap()).build().unwrap();
        Ours { server: host("server", "10.0.0.2/24"), client: host("client", "10.0.0.3/24") }
    }
}

/// The same, each driven by a task of the runtime that its sockets are used in.
pub(crate) struct Driven;

impl Driven {
    #[expect(clippy::new_ret_no_self, reason = "all places are made alike")]
    pub(crate) fn new() -> Ours {
        let lan = sockeye::Lan::builder().seed(7).build().unwrap();
        let runtime = tokio::runtime::Handle::current();
        let host = |name: &str, address: &str| {
            let host = lan.host(name).address(address.parse().unwrap());
            host.drive_on(runtime.clone()).build().unwrap()
        };
        Ours { server: host("server", "10.0.0.2/24"), client: host("client", "10.0.0.3/24") }
    }
}

/// One host of ours that talks to itself.
pub(crate) struct Loopback;

impl Loopback {
    #[expect(clippy::new_ret_no_self, reason = "all places are made alike")]
    pub(crate) fn new() -> Ours {
        let lan = sockeye::Lan::builder().seed(7).build().unwrap();
        let host = lan.host("alone").address("10.0.0.2/24".parse().unwrap()).build().unwrap();
        Ours { server: host.clone(), client: host }
    }
}

fn any_port_of(host: &sockeye::Host) -> SocketAddr {
    SocketAddr::new(host.addresses()[0].address(), 0)
}

impl Place for Ours {
    type Listener = sockeye::tokio::TcpListener;
    type Stream = sockeye::tokio::TcpStream;
    type Datagrams = sockeye::tokio::UdpSocket;
    async fn listen(&self) -> Self::Listener {
        sockeye::tokio::TcpListener::bind(&self.server, any_port_of(&self.server)).await.unwrap()
    }
    async fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream> {
        sockeye::tokio::TcpStream::connect(&self.client, to).await
    }
    async fn serve_datagrams(&self) -> Self::Datagrams {
        sockeye::tokio::UdpSocket::bind(&self.server, any_port_of(&self.server)).await.unwrap()
    }
    async fn datagrams(&self) -> Self::Datagrams {
        sockeye::tokio::UdpSocket::bind(&self.client, any_port_of(&self.client)).await.unwrap()
    }
}
