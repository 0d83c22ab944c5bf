//! A port of the real machine that leads to a host of ours: TCP connections and UDP datagrams, carried both ways.

use super::doorbell::Doorbell;
use super::service::Key;
use super::{listener, service};
use crate::host::Host;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where the connections of a published port go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
}

impl Target {
    pub(crate) fn new(address: SocketAddr) -> Target {
        Target { address }
    }
}

/// A published port. The value is a handle; when the last one is dropped, or [`close`](Published::close) is called,
/// nothing listens there any more and the connections that are being carried are reset. A LAN keeps one handle to each
/// port it has published.
#[derive(Clone)]
pub struct Published {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    target: SocketAddr,
    doorbell: Arc<Doorbell<Key>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.doorbell.close();
    }
}

impl Published {
    /// Listens on `listen` of the real machine and carries what arrives there over the stack of `carrier`.
    pub(crate) fn start(carrier: Host, listen: SocketAddr, target: Target) -> io::Result<Published> {
        let (address, tcp, udp) = listener::open(listen)?;
        let doorbell = service::start(carrier, target.address, tcp, udp)?;
        Ok(Published { inner: Arc::new(Inner { address, target: target.address, doorbell }) })
    }

    /// Where the real machine listens, TCP and UDP; with the port it chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// Where the connections go.
    pub fn target(&self) -> SocketAddr {
        self.inner.target
    }

    /// Ends it now, for all handles.
    pub fn close(&self) {
        self.inner.doorbell.close();
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("listen", &self.local_addr())
            .field("target", &self.target())
            .finish()
    }
}
