//! Frames in and out of the operating system.

mod checksum;
mod device;
mod memory;
mod signal;

pub use checksum::complete_checksum;
pub use device::{Capabilities, Checksum, Device, MAXIMUM_FRAME, Medium, Offload, PartialChecksum, Received};
pub use memory::{MemoryDevice, memory_pair};
