//! A host on our own stack: the same sockets, through the crate `sockeye`.

use std::io;
use std::net::SocketAddr;

use sockeye::Host;
use sockeye::tokio::{TcpListener, TcpStream, UdpSocket};

use super::{Datagrams, Listener, Place, Stream};

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
}

impl Stream for TcpStream {}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
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
}
