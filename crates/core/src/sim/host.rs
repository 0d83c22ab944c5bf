//! A host of a simulation: a stack, and the cables its interfaces are plugged into.

use crate::lan::{Duplex, PortId};
use crate::link::Medium;
use crate::stack::{ChecksumOffload, Config, InterfaceConfig, Stack};
use crate::wire::ethernet::MacAddr;
use crate::wire::ip::Cidr;

use super::LanId;

/// A host of a [`Simulation`](super::Simulation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub(super) usize);

/// What a host is like, and the cable of its first interface.
///
/// ```
/// use sockeye_core::sim::HostConfig;
/// let host = HostConfig { mtu: 576, ..HostConfig::new("server", "10.0.0.2/24".parse()?) };
/// assert_eq!(host.addresses.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name, for people.
    pub name: String,
    /// The addresses of the interface; their subnets are reached through it.
    pub addresses: Vec<Cidr>,
    /// The largest packet the interface sends, in bytes.
    pub mtu: usize,
    /// What the cable between interface and switch does to frames. Its `mtu` is not set by [`HostConfig::mtu`].
    pub conditions: Duplex,
    /// How the host behaves. Its seed is replaced by one that the simulation chooses.
    pub config: Config,
}

impl HostConfig {
    /// An ordinary host with one address on a perfect cable of 1,500 bytes.
    pub fn new(name: impl Into<String>, address: Cidr) -> HostConfig {
        HostConfig {
            name: name.into(),
            addresses: vec![address],
            mtu: 1500,
            conditions: Duplex::default(),
            config: Config::default(),
        }
    }
}

/// Where an interface is plugged in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plug {
    pub(super) lan: LanId,
    pub(super) port: PortId,
}

/// A stack and its cables.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) stack: Stack,
    /// By number of the interface; none for the loopback interface, which has no cable.
    pub(super) plugs: Vec<Option<Plug>>,
}

/// An Ethernet interface whose frames carry their checksums, since a cable may damage them.
pub(super) fn interface(name: String, mac: MacAddr, mtu: usize) -> InterfaceConfig {
    InterfaceConfig {
        name,
        medium: Medium::Ethernet,
        mac,
        mtu,
        checksum_offload: ChecksumOffload::Off,
        segmentation: None,
    }
}
