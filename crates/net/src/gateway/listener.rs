//! The real machine's side of a published port.

use crate::port_owner::{Protocol, explain};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// How often a free port is drawn until it is free for TCP and for UDP.
const DRAWS: usize = 16;

/// Listens on `address`, TCP and UDP; with port 0, on a port that is free for both.
pub(super) fn open(
    address: SocketAddr,
) -> io::Result<(SocketAddr, mio::net::TcpListener, mio::net::UdpSocket)> {
    let mut draws = if address.port() == 0 { DRAWS } else { 1 };
    loop {
        draws -= 1;
        match open_both(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && draws > 0 => {}
            other => return other,
        }
    }
}

fn open_both(address: SocketAddr) -> io::Result<(SocketAddr, mio::net::TcpListener, mio::net::UdpSocket)> {
    let tcp = TcpListener::bind(address).map_err(|error| explain(error, Protocol::Tcp, address))?;
    let bound = tcp.local_addr()?;
    let udp = UdpSocket::bind(bound).map_err(|error| explain(error, Protocol::Udp, bound))?;
    tcp.set_nonblocking(true)?;
    udp.set_nonblocking(true)?;
    Ok((bound, mio::net::TcpListener::from_std(tcp), mio::net::UdpSocket::from_std(udp)))
}
