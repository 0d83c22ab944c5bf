//! What all sockets have in common: a handle on the stack, timeouts, and the way they wait.

use crate::engine::{State, Wait};
use crate::error::{io_error, zero_timeout};
use crate::host::Host;
use crate::waiting::{Gate, Interest, WakerKey};
use parking_lot::Mutex;
use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, OptionName, Shutdown, SocketId, SocketOption};
use sockeye_core::stack::Stack;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::State as TcpState;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// How often a close that lingers looks whether the peer has acknowledged everything.
const LINGER_CHECK: Duration = Duration::from_millis(2);

/// One open socket of a host. Dropping it closes it.
pub(crate) struct Socket {
    host: Host,
    id: SocketId,
    gate: Arc<Gate>,
    is_nonblocking: AtomicBool,
    timeouts: Mutex<Timeouts>,
    farewell: Farewell,
}

/// What dropping a socket does about `SO_LINGER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It waits, as `close(2)` does.
    Linger,
    /// It never waits.
    Leave,
}

#[derive(Clone, Copy, Default)]
struct Timeouts {
    read: Option<Duration>,
    write: Option<Duration>,
}

impl Socket {
    /// Opens a socket of the family of `address`.
    pub(crate) fn open(host: &Host, address: SocketAddr, kind: Kind) -> io::Result<Socket> {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        Self::open_family(host, family, kind)
    }

    pub(crate) fn open_family(host: &Host, family: Family, kind: Kind) -> io::Result<Socket> {
        let (id, gate) = host.engine().call(|state, _| {
            let id = state.stack.open(family, kind)?;
            Ok((id, state.waiters.add(id)))
        })?;
        Ok(Self::wrap(host.clone(), id, gate))
    }

    fn wrap(host: Host, id: SocketId, gate: Arc<Gate>) -> Socket {
        Socket {
            host,
            id,
            gate,
            is_nonblocking: AtomicBool::new(false),
            timeouts: Mutex::new(Timeouts::default()),
            farewell: Farewell::Linger,
        }
    }

    /// The same socket, whose end never waits.
    pub(crate) fn leaving(mut self) -> Socket {
        self.farewell = Farewell::Leave;
        self
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.is_nonblocking.load(Ordering::Relaxed)
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.is_nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    pub(crate) fn timeout(&self, interest: Interest) -> Option<Duration> {
        let timeouts = self.timeouts.lock();
        match interest {
            Interest::Read => timeouts.read,
            Interest::Write => timeouts.write,
        }
    }

    pub(crate) fn set_timeout(&self, interest: Interest, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(zero_timeout());
        }
        let mut timeouts = self.timeouts.lock();
        match interest {
            Interest::Read => timeouts.read = timeout,
            Interest::Write => timeouts.write = timeout,
        }
        Ok(())
    }

    /// Calls into the stack once.
    pub(crate) fn call<R>(
        &self,
        call: impl FnOnce(&mut State, Instant, SocketId) -> Result<R, Error>,
    ) -> io::Result<R> {
        self.host.engine().call(|state, now| call(state, now, self.id))
    }

    /// Calls into the stack, waiting as this socket's mode and timeouts say while the answer is "would block".
    pub(crate) fn wait<R>(
        &self,
        interest: Interest,
        call: impl FnMut(&mut State, Instant, SocketId) -> Result<R, Error>,
    ) -> io::Result<R> {
        if self.is_nonblocking() {
            self.call(call)
        } else {
            self.wait_for(interest, self.timeout(interest), call)
        }
    }

    /// Calls into the stack, waiting for `patience` at most while the answer is "would block".
    pub(crate) fn wait_for<R>(
        &self,
        interest: Interest,
        patience: Option<Duration>,
        mut call: impl FnMut(&mut State, Instant, SocketId) -> Result<R, Error>,
    ) -> io::Result<R> {
        let wait = Wait { interest, patience };
        self.host.engine().block_on(self.id, &self.gate, wait, |state, now| call(state, now, self.id))
    }

    /// Calls into the stack for a task.
    pub(crate) fn poll<R>(
        &self,
        interest: Interest,
        key: WakerKey,
        context: &mut Context<'_>,
        mut call: impl FnMut(&mut State, Instant, SocketId) -> Result<R, Error>,
    ) -> Poll<io::Result<R>> {
        self.host.engine().poll_on(self.id, (interest, key), context, |state, now| call(state, now, self.id))
    }

    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.call(|state, now, id| state.stack.bind(now, id, address))
    }

    pub(crate) fn listen(&self, backlog: usize) -> io::Result<()> {
        self.call(|state, now, id| state.stack.listen(now, id, backlog))
    }

    /// Takes a connection off the accept queue, within the stack's lock.
    pub(crate) fn accept_in(
        state: &mut State,
        now: Instant,
        id: SocketId,
    ) -> Result<(SocketId, Arc<Gate>, SocketAddr), Error> {
        let (accepted, peer) = state.stack.accept(now, id)?;
        Ok((accepted, state.waiters.add(accepted), peer))
    }

    /// The socket that [`accept_in`](Self::accept_in) has taken.
    pub(crate) fn accepted(
        &self,
        (id, gate, peer): (SocketId, Arc<Gate>, SocketAddr),
    ) -> (Socket, SocketAddr) {
        (Self::wrap(self.host.clone(), id, gate), peer)
    }

    /// Begins to connect, within the stack's lock; [`finish_connect`](Self::finish_connect) says how it ended.
    pub(crate) fn begin_connect(&self, address: SocketAddr) -> io::Result<()> {
        self.call(|state, now, id| match state.stack.connect(now, id, address) {
            Err(Error::InProgress) => Ok(()),
            other => other,
        })
    }

    /// Whether the handshake has ended, and how.
    pub(crate) fn finish_connect(state: &mut State, id: SocketId) -> Result<(), Error> {
        let readiness = state.stack.readiness(id)?;
        if !readiness.is_writable() && !readiness.has_failed() && !readiness.is_write_closed() {
            return Err(Error::WouldBlock);
        }
        match state.stack.take_error(id)? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// [`begin_connect`](Self::begin_connect) with the beginning of `data` in the SYN; says how much of it.
    pub(crate) fn begin_connect_with(&self, address: SocketAddr, data: &[u8]) -> io::Result<usize> {
        self.call(|state, now, id| {
            let sent = match state.stack.connect_with_data(now, id, address, data) {
                Err(Error::InProgress) => 0,
                other => other?,
            };
            if sent < data.len() {
                state.stack.expect_write(id)?;
            }
            Ok(sent)
        })
    }

    pub(crate) fn connect(&self, address: SocketAddr, patience: Option<Duration>) -> io::Result<()> {
        self.begin_connect(address)?;
        self.wait_to_connect(patience)
    }

    pub(crate) fn wait_to_connect(&self, patience: Option<Duration>) -> io::Result<()> {
        self.wait_for(Interest::Write, patience, |state, _, id| Self::finish_connect(state, id)).map_err(
            |error| match error.kind() {
                io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "connection timed out"),
                _ => error,
            },
        )
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.host.engine().look(|stack| stack.local_address(self.id)).map_err(io_error)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.host.engine().look(|stack| stack.peer_address(self.id)).map_err(io_error)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.call(|state, now, id| state.stack.shutdown(now, id, how))
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.call(|state, _, id| state.stack.take_error(id))?.map(io_error))
    }

    pub(crate) fn set(&self, option: SocketOption) -> io::Result<()> {
        self.call(|state, now, id| state.stack.set_option(now, id, option))
    }

    pub(crate) fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.host.engine().look(|stack| stack.option(self.id, name)).map_err(io_error)
    }

    /// What a future does when it no longer waits.
    #[cfg(feature = "tokio")]
    pub(crate) fn unregister(&self, interest: Interest, key: WakerKey) {
        self.host.engine().state.lock().waiters.unregister(self.id, interest, key);
    }

    /// `SO_LINGER`: closing waits until everything is acknowledged, or the time is over; as on Linux, whether or not other
    /// calls would wait.
    fn wait_to_linger(&self, patience: Duration) {
        let deadline = std::time::Instant::now().checked_add(patience);
        while deadline.is_none_or(|deadline| std::time::Instant::now() < deadline) {
            if self.host.engine().look(|stack| has_flushed(stack, self.id)) {
                return;
            }
            std::thread::sleep(LINGER_CHECK);
        }
    }
}

/// Whether the peer of a closed socket has acknowledged everything, the FIN too.
fn has_flushed(stack: &Stack, id: SocketId) -> bool {
    let waits = |state| matches!(state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
    !stack.tcp_info(id).is_ok_and(|info| waits(info.state))
}

impl Drop for Socket {
    fn drop(&mut self) {
        let lingers = self.farewell == Farewell::Linger;
        let patience = self.linger().ok().flatten().filter(|patience| lingers && !patience.is_zero());
        // A host that is down has closed everything already.
        let _ = self.call(|state, now, id| {
            state.waiters.remove(id);
            state.stack.close(now, id)
        });
        if let Some(patience) = patience {
            self.wait_to_linger(patience);
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Socket");
        shown.field("host", &self.host.name());
        if let Ok(local) = self.local_addr() {
            shown.field("local", &local);
        }
        if let Ok(peer) = self.peer_addr() {
            shown.field("peer", &peer);
        }
        shown.finish()
    }
}

/// Tries `attempt` with every address that `addresses` stands for, until one works.
pub(crate) fn each_address<R>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    Err(last
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses")))
}

/// The one address of a call that takes exactly one.
pub(crate) fn first_address(addresses: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    addresses
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to"))
}
