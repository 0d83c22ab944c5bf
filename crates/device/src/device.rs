//! The contract every device keeps, and the words it is written in.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// The largest frame any device hands up: an Ethernet header with one VLAN tag, an IPv6 header, and 65,535 bytes.
pub const MAXIMUM_FRAME: usize = ETHERNET_OVERHEAD + 40 + 65_535;

/// Bytes a frame may be longer than the IP packet inside it: the Ethernet header and one VLAN tag.
const ETHERNET_OVERHEAD: usize = 18;

/// What the frames of a device start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// An Ethernet II header, without preamble and without frame check sequence.
    Ethernet,
    /// The IPv4 or IPv6 header itself; the first four bits tell which.
    Ip,
}

/// What a device can do. Fixed from the moment it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// What a frame starts with.
    pub medium: Medium,
    /// Largest IP packet in bytes, IP header included and Ethernet header not.
    pub mtu: usize,
    /// Whether the device completes a partial TCP or UDP checksum on [`send`](Device::send), and may hand up
    /// frames whose checksum is [`Checksum::Verified`] or [`Checksum::Partial`].
    pub checksum: bool,
    /// Largest IP packet in bytes, headers included, that may be sent with a
    /// [`segment_size`](Offload::segment_size) for the device to cut up; `None` if it cuts nothing.
    /// A device with `Some` may also hand up such packets.
    pub segmentation: Option<usize>,
}

impl Capabilities {
    /// A device of `medium` and `mtu` bytes that does nothing but move frames.
    pub const fn plain(medium: Medium, mtu: usize) -> Self {
        Self { medium, mtu, checksum: false, segmentation: None }
    }

    /// Bytes of buffer with which [`Device::receive`] can take any frame of this device.
    pub fn frame_capacity(&self) -> usize {
        let packet = match self.segmentation {
            // An IPv6 header does not count itself in its length field.
            Some(largest) => largest.max(self.mtu).max(65_535 + 40),
            None => self.mtu,
        };
        match self.medium {
            Medium::Ethernet => packet + ETHERNET_OVERHEAD,
            Medium::Ip => packet,
        }
    }
}

/// A checksum field that holds only the pseudo-header's sum: somebody must still add up the rest.
///
/// The Internet checksum (RFC 1071) of all bytes from `start` to the end of the frame, the field's present
/// content included, is to be stored at `start + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialChecksum {
    /// Where the sum begins: bytes from the start of the frame to the TCP or UDP header.
    pub start: u16,
    /// Where the field stands: bytes after `start` (16 for TCP, 6 for UDP).
    pub offset: u16,
}

/// What a device is asked to do to a frame on its way out. The default is nothing.
///
/// Only what [`Capabilities`] offers may be asked; anything else is refused with
/// [`InvalidInput`](io::ErrorKind::InvalidInput).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offload {
    /// The checksum to complete. Needed whenever `segment_size` is given.
    pub checksum: Option<PartialChecksum>,
    /// Cut the payload into pieces of this many bytes, each with its own copy of the headers (TSO).
    pub segment_size: Option<u16>,
    /// Bytes of all headers together, from the start of the frame to the payload. Only needed with `segment_size`.
    pub header_length: u16,
}

impl Offload {
    /// Nothing to do: the frame leaves as it is.
    pub const NONE: Self = Self { checksum: None, segment_size: None, header_length: 0 };

    /// Whether the frame leaves as it is.
    pub const fn is_none(&self) -> bool {
        self.checksum.is_none() && self.segment_size.is_none()
    }

    /// Refuses what a device with `capabilities` does not do, and what makes no sense in a frame of `length` bytes.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput), with the reason.
    pub(crate) fn check(&self, capabilities: &Capabilities, length: usize) -> io::Result<()> {
        let refuse = |reason| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        if let Some(checksum) = self.checksum {
            if !capabilities.checksum {
                return refuse("this device completes no checksums");
            }
            if usize::from(checksum.start) + usize::from(checksum.offset) + 2 > length {
                return refuse("the checksum field lies outside the frame");
            }
        }
        let limit = match self.segment_size {
            None => capabilities.mtu,
            Some(size) => {
                let Some(largest) = capabilities.segmentation else {
                    return refuse("this device segments nothing");
                };
                if size == 0 || usize::from(self.header_length) > length || self.checksum.is_none() {
                    return refuse(
                        "segmentation needs a segment size, a header length and a partial checksum",
                    );
                }
                largest
            }
        };
        let overhead = match capabilities.medium {
            Medium::Ethernet => ETHERNET_OVERHEAD,
            Medium::Ip => 0,
        };
        if length > limit + overhead {
            return refuse("the frame is longer than the device's MTU");
        }
        if length == 0 {
            return refuse("the frame is empty");
        }
        Ok(())
    }
}

/// What is known about the TCP or UDP checksum of a received frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Nothing: verify it.
    #[default]
    Unknown,
    /// The device has verified it.
    Verified,
    /// The sender left it for a device that was never needed: the field holds only the pseudo-header's sum,
    /// and the contents can be trusted. Whoever passes the frame on to a wire completes it first
    /// ([`complete_checksum`](crate::complete_checksum)).
    Partial(PartialChecksum),
}

/// A frame that [`Device::receive`] has put in the caller's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Received {
    /// Bytes of the buffer that the frame takes.
    pub length: usize,
    /// What is known about its TCP or UDP checksum.
    pub checksum: Checksum,
    /// Set when the frame stands for several: payload bytes in each of them but the last.
    pub segment_size: Option<u16>,
}

/// Something that moves frames. It knows no protocol and never blocks.
///
/// Whoever drives a device keeps three rules:
/// 1. [`receive`](Self::receive) until `WouldBlock`, then poll [`readiness`](Self::readiness) for `POLLIN`.
/// 2. When [`send`](Self::send) says `WouldBlock`, poll [`send_readiness`](Self::send_readiness) for `POLLOUT`,
///    then send the same frame again.
/// 3. After a burst of sends, call [`flush`](Self::flush); when that says `WouldBlock`, poll as in rule 2,
///    then flush again.
///
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) and [`BrokenPipe`](io::ErrorKind::BrokenPipe) mean that the other
/// end is gone for good; [`NetworkDown`](io::ErrorKind::NetworkDown) that it is for now. Any other error but
/// `WouldBlock` concerns one frame, which is lost.
pub trait Device: Send {
    /// What this device can do; always the same answer.
    fn capabilities(&self) -> Capabilities;

    /// Sends one frame, given in pieces that make it up in their order.
    ///
    /// # Errors
    /// `WouldBlock`: the queue is full and nothing of the frame was taken; try again later.
    /// `InvalidInput`: the frame is empty or too long, or `offload` asks for what the device does not do.
    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()>;

    /// Takes the next frame into `buffer`, which should hold [`Capabilities::frame_capacity`] bytes.
    ///
    /// # Errors
    /// `WouldBlock`: nothing waits. `InvalidData`: a frame that did not fit the buffer, or made no sense, was
    /// discarded; the next call takes the next one.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received>;

    /// Passes on what `send` has accepted and the device still holds a part of.
    ///
    /// # Errors
    /// `WouldBlock`: something is still held; poll for `POLLOUT` and flush again.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether all that was sent has left. What is still on the device's own cable when the device is dropped may be lost.
    fn has_sent_all(&self) -> bool {
        true
    }

    /// What to poll for `POLLIN` while waiting for frames; `None` if there is nothing to wait on.
    fn readiness(&self) -> Option<BorrowedFd<'_>>;

    /// What to poll for `POLLOUT` after `WouldBlock` from `send` or `flush`. Often the same as
    /// [`readiness`](Self::readiness), but not always.
    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        self.readiness()
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        (**self).send(parts, offload)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        (**self).receive(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn has_sent_all(&self) -> bool {
        (**self).has_sent_all()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        (**self).readiness()
    }

    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        (**self).send_readiness()
    }
}
