//! A TCP/IP stack that lives in your program, with the sockets everybody knows.
//!
//! A [`Host`] is a machine of its own: addresses, routes, TCP, UDP and ICMP. It stands on a [`Lan`], a virtual Ethernet
//! inside this process, or on a device: a TAP or TUN interface, a stream to a virtual machine, a pair of queues. Its
//! sockets mirror `std::net` call for call, and with the feature `tokio` those of `tokio::net`.
//!
//! ```
//! use std::io::{Read, Write};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lan = sockeye::Lan::builder().seed(7).build()?;
//! let server = lan.host("server").address("10.0.0.2/24".parse()?).build()?;
//! let client = lan.host("client").address("10.0.0.3/24".parse()?).build()?;
//!
//! let listener = sockeye::TcpListener::bind(&server, "10.0.0.2:7788")?;
//! let mut near = sockeye::TcpStream::connect(&client, "10.0.0.2:7788")?;
//! let (mut far, _) = listener.accept()?;
//! near.write_all(b"ping")?;
//! let mut text = [0; 4];
//! far.read_exact(&mut text)?;
//! assert_eq!(&text, b"ping");
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//! Any number of threads may use one host. A socket call does its work in the caller's own thread, up to the frame that
//! leaves by the device; each host has one thread besides, which waits for frames and for deadlines. A LAN has a thread
//! only if frames take time on its cables, and sinks for traces have one. All of them end by themselves: see [`Host`].
#![forbid(unsafe_code)]

mod any_socket;
mod builder;
mod calls;
mod clock;
mod datagram;
pub mod dhcp;
pub mod dns;
mod driver;
mod engine;
mod error;
mod gateway;
mod group;
mod host;
mod lan;
mod listener;
mod option;
mod outlet;
mod ping;
mod port;
mod port_owner;
mod raw;
mod socket;
mod stream;
mod switchboard;
mod tcp_socket;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transfer;
mod uplink;
mod waiting;

pub use any_socket::AnySocket;
pub use builder::{BuildError, HostBuilder};
pub use clock::{now, wall_clock};
pub use datagram::UdpSocket;
pub use gateway::{Gateway, GatewayPolicy, GatewayRule, HostLoopback, Published, RuleError};
pub use host::{Host, Interface};
pub use lan::{Lan, LanBuilder, PlugError, Publish};
pub use listener::{Incoming, IntoIncoming, TcpListener};
pub use ping::{EchoReply, PingSocket};
pub use port_owner::{PortOwner, Protocol};
pub use raw::RawSocket;
pub use stream::TcpStream;
pub use switchboard::LanObservation;
pub use tcp_socket::TcpSocket;
pub use uplink::Attachment;

pub use sockeye_core::lan::Conditions;
pub use sockeye_core::socket::{Family, IcmpFilter, Kind, OptionName, Readiness, Shutdown, SocketOption};
pub use sockeye_core::stack::{Ancillary, Received, Snapshot};
pub use sockeye_core::time::Instant;
pub use sockeye_core::trace::{Trace, TraceEvent};
pub use sockeye_core::transport::tcp::{EcnMode, FastOpen, FastOpenKeys, SendFlags, TcpInfo};
pub use sockeye_core::wire::ethernet::MacAddr;
pub use sockeye_core::wire::{Cidr, Protocol as IpProtocol};
pub use {sockeye_core, sockeye_device};
