//! A host: one stack at work on its devices, and the handle that sockets are opened on.

use crate::builder::HostBuilder;
use crate::engine::Engine;
use crate::gateway::{Published, Target};
use sockeye_core::stack::Snapshot;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Trace;
use sockeye_core::wire::Cidr;
use sockeye_core::wire::ethernet::MacAddr;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How long connections may go on after the last handle to their host is gone, unless the builder says otherwise.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// A host with its own TCP/IP stack. The value is a handle: clone it freely, use it from many threads.
///
/// ```
/// use std::io::{Read, Write};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
/// let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
///
/// let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788")?;
/// let serving = std::thread::spawn(move || -> std::io::Result<()> {
///     let (mut stream, _peer) = listener.accept()?;
///     let mut text = [0; 5];
///     stream.read_exact(&mut text)?;
///     stream.write_all(&text)
/// });
///
/// let mut stream = sockeye::TcpStream::connect(&client, "10.0.0.2:7788")?;
/// stream.write_all(b"hello")?;
/// let mut echo = String::new();
/// stream.read_to_string(&mut echo)?;
/// assert_eq!(echo, "hello");
/// serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
///
/// # The end of a host
/// Every socket holds on to its host. When the last handle and the last socket are gone, connections that still have
/// something to send or to have acknowledged go on for five seconds at most ([`HostBuilder::linger`]); then the
/// devices are closed and the host's thread ends. The drop itself does not wait. A program that is about to exit
/// calls [`shutdown`](Host::shutdown), which does.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

/// One interface of a host, as it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name within the host: `eth0`, `eth1`, …
    pub name: String,
    /// Its hardware address; unused where the device carries no Ethernet.
    pub mac: MacAddr,
    /// Its largest IP packet in bytes.
    pub mtu: usize,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
}

pub(crate) struct Inner {
    pub(crate) engine: Arc<Engine>,
    interfaces: Vec<Interface>,
    linger: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.close(self.linger);
    }
}

impl Host {
    /// Begins to describe a host.
    pub fn builder(name: impl Into<String>) -> HostBuilder {
        HostBuilder::new(name.into())
    }

    pub(crate) fn new(engine: Arc<Engine>, interfaces: Vec<Interface>, linger: Duration) -> Host {
        Host { inner: Arc::new(Inner { engine, interfaces, linger }) }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn downgrade(&self) -> std::sync::Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) fn upgrade(weak: &std::sync::Weak<Inner>) -> Option<Host> {
        weak.upgrade().map(|inner| Host { inner })
    }

    /// The name given to [`Host::builder`].
    pub fn name(&self) -> &str {
        &self.inner.engine.name
    }

    /// The addresses of all interfaces, in the order they were given.
    pub fn addresses(&self) -> Vec<Cidr> {
        self.inner.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied()).collect()
    }

    /// The interfaces, in the order they were given.
    pub fn interfaces(&self) -> &[Interface] {
        &self.inner.interfaces
    }

    /// What the stack holds at this moment: sockets, interfaces, neighbours, counters.
    pub fn snapshot(&self) -> Snapshot {
        self.engine().look(|stack| stack.snapshot())
    }

    /// Shows every event of the stack to `sink` from now on: frames, changes of state, retransmissions, timers, drops.
    ///
    /// The sink runs on a thread of its own, outside every lock, and sees the events in their order. If it is too slow
    /// for the traffic, the traffic waits for it; nothing is left out. It must not hold a handle to this host, which
    /// would keep the host alive.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn trace(&self, sink: impl FnMut(&Trace) + Send + 'static) -> io::Result<()> {
        self.engine().trace(Box::new(sink))
    }

    /// Ends the host: waits until no connection has anything left to say, `timeout` at most, then closes the devices
    /// and shows the last events to the sinks of [`trace`](Host::trace).
    ///
    /// Whatever sockets are still open fail from then on with `ENETDOWN`; connections they hold end with the
    /// `timeout` if they do not end by themselves.
    pub fn shutdown(&self, timeout: Duration) {
        let drain = self.engine().state.lock().outlet.as_ref().map(|outlet| outlet.drain());
        self.engine().shut_down(timeout);
        if let Some(drain) = drain {
            drain.wait(timeout.max(Duration::from_millis(100)));
        }
    }

    /// Waits until the sinks of [`trace`](Host::trace) have seen every event so far, `timeout` at most; `false` if
    /// that was not enough.
    pub fn flush_trace(&self, timeout: Duration) -> bool {
        let drain = self.engine().state.lock().outlet.as_ref().map(|outlet| outlet.drain());
        drain.is_none_or(|drain| drain.wait(timeout))
    }

    /// Listens on the real machine and carries every connection and every datagram that arrives there to `target`,
    /// over this host's stack, as long as a handle to the answer exists.
    ///
    /// # Errors
    /// When the real machine's port cannot be listened on; if it is in use, the message says by whom where that can
    /// be found out.
    pub fn publish(&self, listen: SocketAddr, target: SocketAddr) -> io::Result<Published> {
        Published::start(self.clone(), listen, Target::new(target))
    }

    /// Frames that errors of a device have cost so far, such as an interface that is down.
    pub fn frames_lost(&self) -> u64 {
        self.engine().state.lock().ports.iter().map(|port| port.lost()).sum()
    }

    /// The present moment on the clock of this host, which is every host's.
    pub fn now(&self) -> Instant {
        crate::clock::now()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name())
            .field("interfaces", &self.inner.interfaces)
            .finish()
    }
}
