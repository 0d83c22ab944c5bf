//! Frames in and out of the operating system: the devices under the Sockeye stack, and capture files of what
//! passes through them.
//!
//! A [`Device`] moves frames. It knows no protocol, never blocks, and says what it can do in its [`Capabilities`]:
//! whether frames start with an Ethernet header or an IP header, how large packets may be, and which work it takes
//! off the stack (checksums, cutting large segments).
//!
//! | device | the other end | offloads | needs |
//! |---|---|---|---|
//! | [`MemoryDevice`] from [`memory_pair`] | another part of the same process | whatever it is made with, passed through | nothing |
//! | [`StreamSocket`] | another process, such as QEMU, on a Unix or TCP stream | none | nothing |
//! | [`Tap`] (Linux) | the kernel, by Ethernet | checksums, TCP segments, if wanted UDP segments | an interface of the user's, or privilege |
//! | [`Tun`] (Linux) | the kernel, by IP | the same | the same |
//! | [`Capture`] around any of them | | those of the device | a file |
//!
//! # Driving a device
//!
//! Everything that waits, waits in `poll`, on descriptors that the device names. The rules stand at [`Device`]; a
//! loop that keeps them looks like this:
//!
//! ```
//! use rustix::event::{PollFd, PollFlags, poll};
//! use sockeye_device::{Capabilities, Device, Medium, Offload, memory_pair};
//! use std::io::{ErrorKind, IoSlice};
//!
//! /// Does `attempt` until the device is no longer too full for it.
//! fn when_there_is_room(
//!     device: &mut dyn Device,
//!     attempt: impl Fn(&mut dyn Device) -> std::io::Result<()>,
//! ) -> std::io::Result<()> {
//!     loop {
//!         match attempt(device) {
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => {
//!                 let Some(fd) = device.send_readiness() else { return Err(error) };
//!                 poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None)?;
//!             }
//!             other => return other,
//!         }
//!     }
//! }
//!
//! /// Sends back every frame, until the other end is gone.
//! fn reflect(device: &mut dyn Device) -> std::io::Result<()> {
//!     let mut buffer = vec![0; device.capabilities().frame_capacity()];
//!     loop {
//!         match device.receive(&mut buffer) {
//!             Ok(received) => {
//!                 let frame = [IoSlice::new(&buffer[..received.length])];
//!                 when_there_is_room(device, |device| device.send(&frame, &Offload::NONE))?;
//!             }
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => {
//!                 when_there_is_room(device, |device| device.flush())?;
//!                 let Some(fd) = device.readiness() else { return Err(error) };
//!                 poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None)?;
//!             }
//!             Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
//!             Err(error) => return Err(error),
//!         }
//!     }
//! }
//!
//! let (mut left, mut right) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 64)?;
//! let reflector = std::thread::spawn(move || reflect(&mut right));
//! left.send(&[IoSlice::new(b"there and back")], &Offload::NONE)?;
//! poll(&mut [PollFd::from_borrowed_fd(left.readiness().unwrap(), PollFlags::IN)], None)?;
//! let mut buffer = [0; 100];
//! let received = left.receive(&mut buffer)?;
//! assert_eq!(&buffer[..received.length], b"there and back");
//! drop(left);
//! reflector.join().unwrap()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Offloads
//!
//! A frame may be sent before it is finished: with a [`PartialChecksum`] the device adds up the payload, and with a
//! `segment_size` it cuts one large TCP segment into many. On a path between two programs of one machine nobody
//! ever does that work, which is why frames arrive unfinished too ([`Checksum::Partial`],
//! [`Received::segment_size`]): their contents need no checking, and coming in one piece they cost one traversal of
//! the stack. A frame that leaves for a wire after all is finished with [`complete_checksum`].
//!
//! TAP and TUN speak this to the kernel by the virtio-net header; [`Offloads::Off`] does without.
//!
//! # TAP and TUN without root
//!
//! `sudo ip tuntap add dev tap0 mode tap user $USER && sudo ip link set tap0 up` makes an interface once that the
//! user can then open any number of times. Every [`OpenError`] says in one line what is wrong and what to run.
//!
//! # Captures
//!
//! [`CaptureFile`] is a pcapng file that any number of devices and threads write into, each frame with a timestamp in
//! nanoseconds, its direction and perhaps a comment. It can be read at any time, also after the program was killed.
//! [`PcapngWriter`] is the same for one owner and any output.

mod capture;
mod capture_reader;
mod checksum;
mod device;
#[cfg(target_os = "linux")]
mod interface;
mod memory;
#[cfg(target_os = "linux")]
mod open_error;
mod pcapng;
mod signal;
mod stream_socket;
#[cfg(target_os = "linux")]
mod tap;
#[cfg(test)]
mod tshark;
#[cfg(target_os = "linux")]
mod tun;
#[cfg(target_os = "linux")]
mod virtio;

pub use capture::{Capture, CaptureFile};
pub use capture_reader::{CaptureError, CaptureInterface, CaptureReader, CapturedPacket, captured_content};
pub use checksum::complete_checksum;
pub use device::{Capabilities, Checksum, Device, MAXIMUM_FRAME, Medium, Offload, PartialChecksum, Received};
#[cfg(target_os = "linux")]
pub use interface::{Offloads, Origin};
pub use memory::{MemoryDevice, memory_pair};
#[cfg(target_os = "linux")]
pub use open_error::{Mode, OpenError};
pub use pcapng::{CapturedFrame, Direction, Flush, InterfaceId, PcapngWriter};
pub use signal::Signal;
pub use stream_socket::StreamSocket;
#[cfg(target_os = "linux")]
pub use tap::Tap;
#[cfg(target_os = "linux")]
pub use tun::Tun;
