//! What can be set on sockets, for programs that set more than an address.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Options of TCP sockets. What is `None` is as the place has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TcpOptions {
    /// `TCP_NODELAY`.
    pub(crate) nodelay: bool,
    /// `SO_KEEPALIVE` and its times.
    pub(crate) keepalive: Option<KeepAlive>,
    /// `SO_LINGER` with zero: closing resets.
    pub(crate) linger0: bool,
    /// `SO_REUSEADDR`; counts when the socket is opened.
    pub(crate) reuseaddr: bool,
    /// `SO_RCVBUF`, in bytes.
    pub(crate) receive_buffer: Option<u32>,
    /// `SO_SNDBUF`, in bytes.
    pub(crate) send_buffer: Option<u32>,
    /// `IP_TTL`.
    pub(crate) ttl: Option<u8>,
    /// Of a listener, when it is opened.
    pub(crate) backlog: u32,
}

/// When a silent peer is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeepAlive {
    /// Silence before the first probe.
    pub(crate) idle: Duration,
    /// Between probes.
    pub(crate) interval: Duration,
    /// Probes without an answer before the connection is given up.
    pub(crate) count: u32,
}

/// Options of UDP sockets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UdpOptions {
    /// `SO_BROADCAST`.
    pub(crate) broadcast: bool,
    /// `SO_REUSEADDR`.
    pub(crate) reuseaddr: bool,
    /// `SO_RCVBUF`, in bytes.
    pub(crate) receive_buffer: Option<u32>,
    /// `SO_SNDBUF`, in bytes.
    pub(crate) send_buffer: Option<u32>,
    /// `IP_TTL` and `IP_MULTICAST_TTL`.
    pub(crate) ttl: Option<u8>,
    /// The groups to hear.
    pub(crate) join: Vec<IpAddr>,
    /// Of which interface the groups are, by its address; any of the place's otherwise.
    pub(crate) through: Option<Ipv4Addr>,
}
