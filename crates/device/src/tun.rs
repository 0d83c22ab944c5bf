//! TUN interfaces: IP packets to and from the Linux kernel.

use crate::interface::{Interface, Offloads, Origin};
use crate::open_error::{Mode, OpenError};
use crate::{Capabilities, Device, Offload, Received};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// A TUN interface: what is sent here, the kernel receives on it as IP packets, and the other way round.
/// There is no Ethernet, no MAC address and no neighbour to ask for.
///
/// ```no_run
/// use sockeye_device::{Tun, Device, Offloads};
///
/// let tun = Tun::open("tun0", Offloads::On)?;
/// println!("{} carries packets of up to {} bytes", tun.name(), tun.capabilities().mtu);
/// # Ok::<(), sockeye_device::OpenError>(())
/// ```
#[derive(Debug)]
pub struct Tun {
    interface: Interface,
}

impl Tun {
    /// Opens the interface `name`: an existing one, which an ordinary user may open if it was made for that user
    /// (`ip tuntap add dev NAME mode tun user USER`), or else a new one, where that is permitted.
    ///
    /// # Errors
    /// See [`OpenError`]; each names the cause and the next step.
    pub fn open(name: &str, offloads: Offloads) -> Result<Self, OpenError> {
        Ok(Self { interface: Interface::open(name, Mode::Tun, offloads)? })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        self.interface.name()
    }

    /// Whether the interface was there before.
    pub fn origin(&self) -> Origin {
        self.interface.origin()
    }
}

impl Device for Tun {
    fn capabilities(&self) -> Capabilities {
        self.interface.capabilities()
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        self.interface.send(parts, offload)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        self.interface.receive(buffer)
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.interface.readiness()
    }
}
