//! Why a TAP or TUN interface could not be opened, and what to do about it.

use std::fmt;
use std::io;

/// The two kinds of interface behind `/dev/net/tun`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Ethernet frames.
    Tap,
    /// IP packets.
    Tun,
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tap => "tap",
            Self::Tun => "tun",
        })
    }
}

/// Why [`Tap::open`](crate::Tap::open) or [`Tun::open`](crate::Tun::open) failed. Its text is one line that names
/// the cause and the next step.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel could not have an interface of that name.
    #[error("{name:?} is no interface name: {reason}")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no `/dev/net/tun`.
    #[error(
        "/dev/net/tun is missing, so there are no TAP or TUN interfaces: run `sudo modprobe tun`, or in a container \
         start it with --device /dev/net/tun"
    )]
    NoTunDevice,
    /// `/dev/net/tun` is there but may not be opened.
    #[error("/dev/net/tun may not be opened by this user: run `sudo chmod 666 /dev/net/tun`")]
    NoAccess,
    /// The interface does not exist and this user may not create it.
    #[error(
        "there is no interface {name} and this user may not create it: run \
         `sudo ip tuntap add dev {name} mode {mode} user $USER && sudo ip link set {name} up`"
    )]
    NotPermitted {
        /// The interface asked for.
        name: String,
        /// The mode asked for.
        mode: Mode,
    },
    /// The interface exists and belongs to somebody else.
    #[error(
        "{name} belongs to another user: run `sudo ip tuntap del dev {name} mode {mode} && \
         sudo ip tuntap add dev {name} mode {mode} user $USER && sudo ip link set {name} up`"
    )]
    NotOwner {
        /// The interface asked for.
        name: String,
        /// Its mode.
        mode: Mode,
    },
    /// Another program has the interface open.
    #[error("{name} is in use by another program: stop that one, or open an interface of another name")]
    Busy {
        /// The interface asked for.
        name: String,
    },
    /// The interface is of the other mode.
    #[error("{name} is a {found} interface, not {wanted}: open it as {found}:{name}, or give another name")]
    WrongMode {
        /// The interface asked for.
        name: String,
        /// The mode asked for.
        wanted: Mode,
        /// The mode it has.
        found: Mode,
    },
    /// The interface is a network card, a bridge, the loopback or the like.
    #[error(
        "{name} is neither a TAP nor a TUN interface: give another name, or make one with \
         `sudo ip tuntap add dev NAME mode {mode} user $USER && sudo ip link set NAME up`"
    )]
    NotTunTap {
        /// The interface asked for.
        name: String,
        /// The mode asked for.
        mode: Mode,
    },
    /// The interface is administratively down.
    #[error("{name} is down: run `sudo ip link set {name} up`")]
    Down {
        /// The interface asked for.
        name: String,
    },
    /// The system refused something it normally does not.
    #[error("{action} for {name}: {source}")]
    System {
        /// The interface asked for.
        name: String,
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}
