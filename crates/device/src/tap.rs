//! TAP interfaces: Ethernet frames to and from the Linux kernel.

use crate::interface::{Interface, Offloads, Origin};
use crate::open_error::{Mode, OpenError};
use crate::{Capabilities, Device, Offload, Received};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// A TAP interface: what is sent here, the kernel receives on it as Ethernet frames, and the other way round.
/// The host's own end has a MAC address of its own, which is not ours to use.
///
/// ```no_run
/// use sockeye_device::{Tap, Device, Offloads};
///
/// let tap = Tap::open("tap0", Offloads::On)?;
/// println!("{} carries packets of up to {} bytes", tap.name(), tap.capabilities().mtu);
/// # Ok::<(), sockeye_device::OpenError>(())
/// ```
#[derive(Debug)]
pub struct Tap {
    interface: Interface,
}

impl Tap {
    /// Opens the interface `name`: an existing one, which an ordinary user may open if it was made for that user
    /// (`ip tuntap add dev NAME mode tap user USER`), or else a new one, where that is permitted.
    ///
    /// # Errors
    /// See [`OpenError`]; each names the cause and the next step.
    pub fn open(name: &str, offloads: Offloads) -> Result<Self, OpenError> {
        Ok(Self { interface: Interface::open(name, Mode::Tap, offloads)? })
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

impl Device for Tap {
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
