//! Frames in and out of the operating system.

mod checksum;
mod device;
#[cfg(target_os = "linux")]
mod interface;
mod memory;
#[cfg(target_os = "linux")]
mod open_error;
mod signal;
mod stream_socket;
#[cfg(target_os = "linux")]
mod tap;
#[cfg(target_os = "linux")]
mod tun;
#[cfg(target_os = "linux")]
mod virtio;

pub use checksum::complete_checksum;
pub use device::{Capabilities, Checksum, Device, MAXIMUM_FRAME, Medium, Offload, PartialChecksum, Received};
#[cfg(target_os = "linux")]
pub use interface::{Offloads, Origin};
pub use memory::{MemoryDevice, memory_pair};
#[cfg(target_os = "linux")]
pub use open_error::{Mode, OpenError};
pub use stream_socket::StreamSocket;
#[cfg(target_os = "linux")]
pub use tap::Tap;
#[cfg(target_os = "linux")]
pub use tun::Tun;
