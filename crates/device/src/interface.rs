//! What TAP and TUN have in common: a queue of `/dev/net/tun` attached to an interface.

mod control;

use crate::open_error::{Mode, OpenError};
use crate::virtio;
use crate::{Capabilities, Device, Medium, Offload, Received};
use rustix::fs::{Mode as Permissions, OFlags, open};
use rustix::io::{Errno, readv, writev};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whether an interface shares the work on checksums and segments with the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Offloads {
    /// Partial checksums and large TCP segments cross the interface, both ways.
    #[default]
    On,
    /// As `On`, and large UDP segments too, where the kernel has them (since Linux 6.2). Whoever receives must
    /// cut a UDP packet that has a [`segment_size`](Received::segment_size) into its datagrams.
    OnWithUdp,
    /// Every frame is whole and no larger than the MTU allows, as on a wire.
    Off,
}

/// Pieces of a frame that one `writev` takes without first being gathered, the virtio header included.
const PIECES: usize = 16;

/// An open TAP or TUN interface. It goes away when this is dropped, unless it is a persistent one.
#[derive(Debug)]
pub(crate) struct Interface {
    queue: OwnedFd,
    name: String,
    origin: Origin,
    capabilities: Capabilities,
    offloads: Offloads,
    /// Frames of very many pieces are gathered here.
    gathered: Vec<u8>,
}

/// Where an opened interface came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It was there before, and stays.
    Existing,
    /// It was created by opening it, and goes away when it is closed. It is up and has no address.
    Created,
}

impl Interface {
    pub(crate) fn open(name: &str, mode: Mode, offloads: Offloads) -> Result<Self, OpenError> {
        check_name(name)?;
        let system = |action, error: Errno| OpenError::System {
            name: name.to_owned(),
            action,
            source: io::Error::from(error),
        };
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let queue = open("/dev/net/tun", flags, Permissions::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NODEV | Errno::NXIO => OpenError::NoTunDevice,
            Errno::ACCESS | Errno::PERM => OpenError::NoAccess,
            other => system("opening /dev/net/tun", other),
        })?;
        let control =
            control::Control::new(name).map_err(|error| system("opening a control socket", error))?;
        let origin = match control.kind().map_err(|error| system("asking for the driver", error))? {
            control::Kind::Missing => Origin::Created,
            control::Kind::TunTap(found) if found == mode => Origin::Existing,
            control::Kind::TunTap(found) => {
                return Err(OpenError::WrongMode { name: name.to_owned(), wanted: mode, found });
            }
            control::Kind::Other => return Err(OpenError::NotTunTap { name: name.to_owned(), mode }),
        };
        control::attach(queue.as_fd(), name, mode, offloads).map_err(|error| match (error, origin) {
            (Errno::PERM | Errno::ACCESS, Origin::Created) => {
                OpenError::NotPermitted { name: name.to_owned(), mode }
            }
            (Errno::PERM | Errno::ACCESS, Origin::Existing) => {
                OpenError::NotOwner { name: name.to_owned(), mode }
            }
            (Errno::BUSY, _) => OpenError::Busy { name: name.to_owned() },
            (other, _) => system("attaching", other),
        })?;
        control::set_offloads(queue.as_fd(), offloads)
            .map_err(|error| system("agreeing on offloads", error))?;
        match origin {
            Origin::Created => control.bring_up().map_err(|error| system("bringing it up", error))?,
            Origin::Existing => {
                if !control.is_up().map_err(|error| system("asking whether it is up", error))? {
                    return Err(OpenError::Down { name: name.to_owned() });
                }
            }
        }
        let mtu = control.mtu().map_err(|error| system("asking for the MTU", error))?;
        let medium = match mode {
            Mode::Tap => Medium::Ethernet,
            Mode::Tun => Medium::Ip,
        };
        let capabilities = match offloads {
            Offloads::Off => Capabilities::plain(medium, mtu),
            Offloads::On | Offloads::OnWithUdp => {
                Capabilities { medium, mtu, checksum: true, segmentation: Some(65_535) }
            }
        };
        let name = name.to_owned();
        Ok(Self { queue, name, origin, capabilities, offloads, gathered: Vec::new() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Writes the virtio header, if there is one, and the frame.
    fn write(&mut self, parts: &[IoSlice<'_>], header: &[u8]) -> Result<usize, Errno> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        pieces[0] = IoSlice::new(header);
        if let Some(places) = pieces.get_mut(1..=parts.len()) {
            places.copy_from_slice(parts);
            return writev(&self.queue, &pieces[..=parts.len()]);
        }
        self.gathered.clear();
        for part in parts {
            self.gathered.extend_from_slice(part);
        }
        pieces[1] = IoSlice::new(&self.gathered);
        writev(&self.queue, &pieces[..2])
    }

    /// The system's refusal to move a frame, in the words of [`Device`].
    fn error(&self, errno: Errno, gone: io::ErrorKind) -> io::Error {
        match errno {
            Errno::AGAIN => io::ErrorKind::WouldBlock.into(),
            Errno::BADFD | Errno::FAULT | Errno::NODEV => {
                io::Error::new(gone, format!("the interface {} was removed", self.name))
            }
            Errno::IO => io::Error::new(
                io::ErrorKind::NetworkDown,
                format!("{} is down: run `sudo ip link set {} up`", self.name, self.name),
            ),
            other => other.into(),
        }
    }
}

impl Device for Interface {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        offload.check(&self.capabilities, parts.iter().map(|part| part.len()).sum())?;
        let encoded = virtio::encode(offload, parts, self.capabilities.medium)?;
        let header = match self.offloads {
            Offloads::On | Offloads::OnWithUdp => encoded.as_slice(),
            Offloads::Off => &[],
        };
        loop {
            match self.write(parts, header) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.error(errno, io::ErrorKind::BrokenPipe)),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut header = [0; virtio::HEADER_LENGTH];
        // The kernel cuts a frame that does not fit without a word; one byte more than fits shows it.
        let mut excess = [0];
        let capacity = buffer.len();
        let header_length = match self.offloads {
            Offloads::On | Offloads::OnWithUdp => header.len(),
            Offloads::Off => 0,
        };
        let total = loop {
            let mut pieces = [
                IoSliceMut::new(header.get_mut(..header_length).unwrap_or_default()),
                IoSliceMut::new(buffer),
                IoSliceMut::new(&mut excess),
            ];
            match readv(&self.queue, &mut pieces) {
                Ok(total) => break total,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.error(errno, io::ErrorKind::UnexpectedEof)),
            }
        };
        let length = total.saturating_sub(header_length);
        if length > capacity {
            let reason = "a frame longer than the buffer was discarded";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        // Without the virtio header this is all zeros, which says: nothing is known.
        let (checksum, segment_size) = virtio::decode(&header)?;
        Ok(Received { length, checksum, segment_size })
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.as_fd())
    }
}

/// Refuses names that the kernel refuses, or would take for a pattern.
fn check_name(name: &str) -> Result<(), OpenError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > control::NAME_LENGTH - 1 {
        "it is longer than 15 bytes"
    } else if name == "." || name == ".." {
        "the kernel keeps this one for itself"
    } else if name.contains(|c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control()) {
        "it contains a slash, a colon, a percent sign, white space or a control character"
    } else {
        return Ok(());
    };
    Err(OpenError::InvalidName { name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests;
