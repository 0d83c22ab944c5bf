//! How a host and its interfaces are set up.

use crate::link::{Detection, Medium};
use crate::network::{ForeignAddresses, Forwarding};
use crate::time::Duration;
use crate::transport::tcp::{FastOpen, FastOpenKeys, Settings};
use crate::wire::ethernet::MacAddr;

/// MTU of the loopback interface, as Linux's.
pub(super) const LOOPBACK_MTU: usize = 65_536;

/// How a host behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where all its secrets and random numbers come from. Two hosts that shall not guess each other's sequence
    /// numbers and ports need different ones; outside simulations it should come from the operating system.
    pub seed: u64,
    /// Whether packets for others are passed on: whether the host is a router.
    pub forwarding: Forwarding,
    /// Whether packets to addresses that are none of the host's, and that are not passed on, are taken for sockets that
    /// ask for them ([`super::Stack::open_gate`], [`super::Stack::catch_all`]).
    pub foreign: ForeignAddresses,
    /// For how long a gate holds a SYN that its program says nothing about.
    pub hold_time: Duration,
    /// Whether a new address is first checked for a duplicate (RFC 5227, RFC 4862), which takes a second or more.
    pub detection: Detection,
    /// What TCP connections start with.
    pub tcp: Settings,
    /// Who may use TCP Fast Open (RFC 7413).
    pub fast_open: FastOpen,
    /// What listeners make their cookies with; `None`: a key from the seed.
    pub fast_open_keys: Option<FastOpenKeys>,
    /// For how long clients do without fast open when a path seems to swallow what it sends
    /// (`tcp_fastopen_blackhole_timeout_sec`), doubled each time in a row; not at all with zero, as Linux has it.
    pub fast_open_pause: Duration,
    /// How many half-open connections a listener keeps before SYN cookies answer.
    pub half_open_limit: usize,
    /// How many TIME-WAIT records are kept; beyond it connections are forgotten at once.
    pub time_wait_limit: usize,
    /// The most that a program may ask for with `SO_SNDBUF`, in bytes, before it is doubled (`net.core.wmem_max`).
    pub send_buffer_limit: usize,
    /// The most that a program may ask for with `SO_RCVBUF`, in bytes, before it is doubled (`net.core.rmem_max`).
    pub receive_buffer_limit: usize,
    /// How much memory the buffers of all connections together may take (`tcp_mem`).
    pub memory: MemoryLimits,
    /// How many connections that no program holds any more are kept; beyond it they are reset (`tcp_max_orphans`).
    pub orphan_limit: usize,
    /// How many sockets may exist, those waiting to be accepted included.
    pub socket_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 0,
            forwarding: Forwarding::Off,
            foreign: ForeignAddresses::Refuse,
            hold_time: Duration::from_secs(75),
            detection: Detection::Off,
            tcp: Settings::default(),
            fast_open: FastOpen::default(),
            fast_open_keys: None,
            fast_open_pause: Duration::ZERO,
            half_open_limit: 1024,
            time_wait_limit: 262_144,
            send_buffer_limit: 4 << 20,
            receive_buffer_limit: 4 << 20,
            memory: MemoryLimits::default(),
            orphan_limit: 65_536,
            socket_limit: 4_194_304,
        }
    }
}

/// How much memory the buffers of all connections together may take, in bytes. Beyond the last limit each connection still
/// has 4 KiB for each direction: with less it could never give anything back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Below this nothing is scarce any more.
    pub low: usize,
    /// Above this memory is scarce until it is below `low`: buffers do not grow, and windows shrink as they are used.
    pub pressure: usize,
    /// Above this nothing is taken: data is refused, to be sent again, and a program that writes waits.
    pub high: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits { low: 384 << 20, pressure: 512 << 20, high: 768 << 20 }
    }
}

/// Whether the device completes the TCP and UDP checksums of what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumOffload {
    /// Checksums are computed here.
    Off,
    /// Only the pseudo-header is summed here; see [`super::FrameOffload::checksum`].
    On,
}

/// An interface of a host.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Its name, for people.
    pub name: String,
    /// Ethernet frames, or bare IP packets.
    pub medium: Medium,
    /// Its MAC address; unused with [`Medium::Ip`].
    pub mac: MacAddr,
    /// The largest IP packet it carries, in bytes.
    pub mtu: usize,
    /// Whether the device completes checksums.
    pub checksum_offload: ChecksumOffload,
    /// The largest TCP packet the device takes to cut it into segments by itself, in bytes; `None` if it cannot.
    pub segmentation: Option<usize>,
}
