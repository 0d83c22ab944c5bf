//! A socket of any kind, none of whose calls waits: what other faces of the stack are made of.

use crate::engine::State;
use crate::error::io_error;
use crate::group::{By, Change};
use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, OptionName, Readiness, Shutdown, SocketId, SocketOption};
use sockeye_core::stack::{Ancillary, Received};
use sockeye_core::time::Instant;
use sockeye_core::transport::tcp::{SendFlags, Take, TcpInfo};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, Waker};

/// A socket as the system calls have it: one type for streams, listeners, datagrams, echo requests and raw packets, each of which
/// it may become by `connect` and `listen`. It is for programs that bring a loop of their own, such as one that gives
/// sockets to other programs; the typed sockets are more comfortable.
///
/// No call waits. Those named `poll_…` wake the task of their context when it may be worth another try, one task for
/// reading and one for writing; the others answer `EAGAIN`. Dropping the socket closes it and does not wait either,
/// whatever `SO_LINGER` says; a `SO_LINGER` of zero resets the connection as usual.
///
/// ```
/// use sockeye::{AnySocket, Family, Kind};
/// use std::task::{Context, Poll, Waker};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let host = lan.host("host").address("10.0.0.2/24".parse()?).build()?;
///
/// let socket = AnySocket::open(&host, Family::V4, Kind::Stream)?;
/// socket.bind("10.0.0.2:7788".parse()?)?;
/// socket.listen(5)?;
/// let mut nobody_waits = Context::from_waker(Waker::noop());
/// assert!(socket.poll_accept(&mut nobody_waits).is_pending());
///
/// let _peer = sockeye::TcpStream::connect(&host, "10.0.0.2:7788")?;
/// let Poll::Ready(accepted) = socket.poll_accept(&mut nobody_waits) else { panic!("nobody came") };
/// let (stream, _from) = accepted?;
/// assert!(stream.readiness()?.is_writable());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AnySocket {
    socket: Socket,
}

impl AnySocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// `EMFILE` when the host has too many; `ENETDOWN` after its shutdown.
    pub fn open(host: &Host, family: Family, kind: Kind) -> io::Result<AnySocket> {
        Ok(AnySocket { socket: Socket::open_family(host, family, kind)?.leaving() })
    }

    /// The host this socket belongs to.
    pub fn host(&self) -> &Host {
        self.socket.host()
    }

    /// Takes a local address and port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EADDRNOTAVAIL`, `EINVAL` if there is one already, `EAFNOSUPPORT`.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.bind(address)
    }

    /// Listens, with room for `backlog` connections that wait to be accepted.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` on a connection; `EOPNOTSUPP` on a datagram socket.
    pub fn listen(&self, backlog: usize) -> io::Result<()> {
        self.socket.listen(backlog)
    }

    /// Connects: a datagram socket at once, a stream socket begins to; [`poll_connect`](Self::poll_connect) tells how
    /// that ends. An unspecified address with port 0 takes the peer of a datagram socket away again.
    ///
    /// # Errors
    /// `EINPROGRESS` for a handshake that has begun; `EALREADY`, `EISCONN`, `ENETUNREACH`, `EADDRNOTAVAIL`, ….
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.call(|state, now, id| state.stack.connect(now, id, address))
    }

    /// [`connect`](Self::connect) of a stream socket, and the beginning of `data` with it (`MSG_FASTOPEN`): says how much of
    /// that was sent; the rest is to be written when the handshake has ended.
    ///
    /// # Errors
    /// As `connect`; `EINPROGRESS` where nothing could be sent yet, `EOPNOTSUPP` where the host may not do so.
    pub fn connect_with(&self, address: SocketAddr, data: &[u8]) -> io::Result<usize> {
        self.socket.call(|state, now, id| {
            let outcome = state.stack.connect_with_data(now, id, address, data);
            if matches!(outcome, Err(Error::InProgress)) || outcome.is_ok_and(|sent| sent < data.len()) {
                state.stack.expect_write(id)?;
            }
            outcome
        })
    }

    /// Takes the peer away: `connect` to `AF_UNSPEC`. A connection is reset; the socket may connect or listen again.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn disconnect(&self) -> io::Result<()> {
        self.socket.call(|state, now, id| state.stack.disconnect(now, id))
    }

    /// Whether the handshake has ended, and how.
    ///
    /// # Errors
    /// Why there is no connection: `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, ….
    pub fn poll_connect(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Interest::Write, context, |state, _, id| Socket::finish_connect(state, id))
    }

    /// Takes the connection that has waited longest.
    ///
    /// # Errors
    /// `EINVAL` if this socket does not listen.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(AnySocket, SocketAddr)>> {
        self.poll(Interest::Read, context, Socket::accept_in).map_ok(|accepted| {
            let (socket, peer) = self.socket.accepted(accepted);
            (AnySocket { socket: socket.leaving() }, peer)
        })
    }

    /// How many connections wait to be accepted.
    ///
    /// # Errors
    /// `EINVAL` if this socket does not listen.
    pub fn waiting_connections(&self) -> io::Result<usize> {
        self.look(|stack, id| stack.waiting_connections(id))
    }

    /// Takes bytes of a stream; none at its end.
    ///
    /// # Errors
    /// `ENOTCONN`; `ECONNRESET`, `ETIMEDOUT`, … once, when the connection has failed.
    pub fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll(Interest::Read, context, |state, now, id| state.stack.read(now, id, buffer))
    }

    /// [`poll_read`](Self::poll_read) for who hands the bytes on to a program, which has not taken `waiting` bytes of them
    /// yet: the receive buffer grows as the program reads, and not as it is read ahead of it.
    ///
    /// # Errors
    /// As `poll_read`.
    pub fn poll_read_ahead(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        waiting: usize,
    ) -> Poll<io::Result<usize>> {
        self.poll(Interest::Read, context, |state, now, id| state.stack.read_ahead(now, id, buffer, waiting))
    }

    /// Hands bytes to a stream, as many as it has room for.
    ///
    /// # Errors
    /// `EPIPE` after a shutdown or a failure; `ECONNRESET`, … once.
    pub fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
        flags: SendFlags,
    ) -> Poll<io::Result<usize>> {
        self.poll(Interest::Write, context, |state, now, id| Socket::send_once(state, now, id, bytes, flags))
    }

    /// Takes a datagram, or an echo reply.
    ///
    /// # Errors
    /// What ICMP has told of an earlier one, once: `ECONNREFUSED`, `EHOSTUNREACH`.
    pub fn poll_receive(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        self.poll(Interest::Read, context, |state, now, id| state.stack.receive_from(now, id, buffer))
    }

    /// Sends a datagram, or an echo request whose identifier is this socket's port, to `to` or to the peer given to
    /// [`connect`](Self::connect); and `with` it what its receiver may be told.
    ///
    /// # Errors
    /// `EMSGSIZE`, `EDESTADDRREQ`, `EACCES` for a broadcast without `SO_BROADCAST`, `ENETUNREACH`, …; `EINVAL` or, over
    /// IPv4, `ENETUNREACH` for a source that is none of the host's addresses; and, once, what ICMP has told of an
    /// earlier one.
    pub fn poll_send(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
        to: Option<SocketAddr>,
        with: &Ancillary,
    ) -> Poll<io::Result<usize>> {
        self.poll(Interest::Write, context, |state, now, id| state.stack.send_with(now, id, bytes, to, with))
    }

    /// Takes the urgent byte of a stream, or looks at it; `None` where the stream has ended before it.
    ///
    /// # Errors
    /// `EINVAL` when there is none, `EAGAIN` when it was announced and has not come, `ENOTCONN`.
    pub fn read_urgent(&self, take: Take) -> io::Result<Option<u8>> {
        self.socket.call(|state, now, id| state.stack.read_urgent(now, id, take))
    }

    /// Whether the next byte to read is, or stands behind, the urgent one: `SIOCATMARK`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn is_at_mark(&self) -> io::Result<bool> {
        self.look(|stack, id| stack.is_at_mark(id))
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// What the socket is ready for.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn readiness(&self) -> io::Result<Readiness> {
        self.look(|stack, id| stack.readiness(id))
    }

    /// What the socket is ready for; the task of `waker` is woken when that grows, for reading or for writing.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn watch(&self, waker: &Waker) -> io::Result<Readiness> {
        let id = self.socket.id();
        self.socket
            .host()
            .engine()
            .inspect(|state| {
                for interest in [Interest::Read, Interest::Write] {
                    state.waiters.register(id, interest, WakerKey::Half, waker);
                }
                state.stack.readiness(id)
            })
            .map_err(io_error)
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
    /// `ENOTCONN`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The error that waits, if any; it is cleared: `SO_ERROR`.
    ///
    /// # Errors
    /// `ENETDOWN` after the host's shutdown.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// Sets an option.
    ///
    /// # Errors
    /// `EINVAL`; `ENOPROTOOPT` if this kind of socket has no such option.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set(option)
    }

    /// Reads an option.
    ///
    /// # Errors
    /// `ENOPROTOOPT` if this kind of socket has no such option.
    pub fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }

    /// What is known about a connection: `TCP_INFO`.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.socket.tcp_info()
    }

    /// Listens to a group on the interface with this address; any for 0.0.0.0.
    ///
    /// # Errors
    /// `EADDRINUSE` if it does already; `EINVAL` for an address that is no group; `ENODEV`.
    pub fn join_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.change_group(Change::Join, group.into(), By::Address(interface))
    }

    /// Ends [`join_v4`](Self::join_v4).
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if it does not listen to the group.
    pub fn leave_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.change_group(Change::Leave, group.into(), By::Address(interface))
    }

    /// Listens to a group on the interface with this number; any for 0.
    ///
    /// # Errors
    /// As [`join_v4`](Self::join_v4).
    pub fn join(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.socket.change_group(Change::Join, group, By::Number(interface))
    }

    /// Ends [`join`](Self::join).
    ///
    /// # Errors
    /// As [`leave_v4`](Self::leave_v4).
    pub fn leave(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.socket.change_group(Change::Leave, group, By::Number(interface))
    }

    fn look<R>(
        &self,
        look: impl FnOnce(&sockeye_core::stack::Stack, SocketId) -> Result<R, Error>,
    ) -> io::Result<R> {
        self.socket.host().engine().look(|stack| look(stack, self.socket.id())).map_err(io_error)
    }

    fn poll<R>(
        &self,
        interest: Interest,
        context: &mut Context<'_>,
        call: impl FnMut(&mut State, Instant, SocketId) -> Result<R, Error>,
    ) -> Poll<io::Result<R>> {
        self.socket.poll(interest, WakerKey::Half, context, call)
    }
}
