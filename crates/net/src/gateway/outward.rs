//! The handle of a gateway.

use super::crossing::{self, Key};
use super::doorbell::Doorbell;
use super::echoes;
use super::policy::GatewayPolicy;
use crate::host::Host;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The way out of a LAN: what hosts send to addresses that are none of the gateway host's is carried to the real world,
/// through ordinary sockets of the real machine. TCP connections, UDP datagrams and echo requests; every refusal is told
/// inside as what it is.
///
/// The value is a handle; when the last one is dropped, or [`close`](Gateway::close) is called, nothing passes any more and
/// the connections that are being carried are reset, where an end has not been told yet what the other has said. One thread serves a gateway.
///
/// ```
/// use sockeye::{Gateway, GatewayPolicy, HostLoopback};
/// use std::io::{Read, Write};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let router = lan.host("gateway").address("10.0.0.1/24".parse()?).any_address().build()?;
/// let client = lan.host("client").address("10.0.0.2/24".parse()?).gateway("10.0.0.1".parse()?).build()?;
/// // What is sent to the gateway itself shall reach servers on the real machine.
/// let policy = GatewayPolicy { host_loopback: HostLoopback::On, ..GatewayPolicy::default() };
/// let gateway = Gateway::open(&router, policy)?;
/// for warning in gateway.warnings() {
///     eprintln!("{warning}");
/// }
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = server.local_addr()?.port();
/// let mut inside = sockeye::TcpStream::connect(&client, ("10.0.0.1", port))?;
/// let (mut outside, _) = server.accept()?;
/// inside.write_all(b"hello, world")?;
/// let mut text = [0; 12];
/// outside.read_exact(&mut text)?;
/// assert_eq!(&text, b"hello, world");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    host: String,
    policy: GatewayPolicy,
    warnings: Vec<String>,
    doorbell: Arc<Doorbell<Key>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.doorbell.close();
    }
}

impl Gateway {
    /// Opens the way out on `host`, which has been built with [`any_address`](crate::HostBuilder::any_address) and is the
    /// gateway of the others. The gateway holds on to the host.
    ///
    /// # Errors
    /// `AddrNotAvailable` for a host that takes packets for its own addresses only; `AddrInUse` if it has a gateway already;
    /// `InvalidInput` for a policy that makes no sense; or when no thread or no descriptor is left.
    pub fn open(host: &Host, policy: GatewayPolicy) -> io::Result<Gateway> {
        if let Some(problem) = policy.problem(host.engine().look(|stack| stack.hold_time())) {
            return Err(io::Error::new(ErrorKind::InvalidInput, problem));
        }
        let name = host.name();
        let doorbell = crossing::start(host, policy.clone()).map_err(|error| match error.kind() {
            ErrorKind::AddrNotAvailable => io::Error::new(
                error.kind(),
                format!(
                    "host '{name}' takes packets for its own addresses only: build it with any_address()"
                ),
            ),
            ErrorKind::AddrInUse => io::Error::new(
                error.kind(),
                format!("host '{name}' has a gateway to the world already: close that one first"),
            ),
            _ => error,
        })?;
        let warnings = echoes::why_not().into_iter().collect();
        Ok(Gateway { inner: Arc::new(Inner { host: name.to_owned(), policy, warnings, doorbell }) })
    }

    /// What may pass.
    pub fn policy(&self) -> &GatewayPolicy {
        &self.inner.policy
    }

    /// What does not work on this machine although the policy allows it, each with its reason and what to do about it.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Ends it now, for all handles.
    pub fn close(&self) {
        self.inner.doorbell.close();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("host", &self.inner.host).field("policy", &self.inner.policy).finish()
    }
}
