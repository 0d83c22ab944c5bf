//! Two devices in one process, joined back to back.

use crate::signal::Signal;
use crate::{Capabilities, Checksum, Device, Offload, Received};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of empty buffers that a direction keeps for frames to come.
const SPARE_BYTES: usize = 4 << 20;

/// Two devices, each receiving what the other one sends: a cable of no length inside one process.
///
/// Either end may move to another thread. At most `queue_frames` frames (at least one) wait in each direction;
/// then `send` says `WouldBlock`, and [`send_readiness`](Device::send_readiness) turns writable when half of them
/// are gone. Offloads pass through as they are: a partial checksum arrives as [`Checksum::Partial`] and a large
/// segment arrives whole, with its segment size.
///
/// # Errors
/// When the process has no file descriptors left.
///
/// ```
/// use sockeye_device::{Capabilities, Device, Medium, Offload, memory_pair};
/// use std::io::IoSlice;
///
/// let (mut left, mut right) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 64)?;
/// left.send(&[IoSlice::new(b"header, "), IoSlice::new(b"payload")], &Offload::NONE)?;
///
/// let mut buffer = vec![0; right.capabilities().frame_capacity()];
/// let received = right.receive(&mut buffer)?;
/// assert_eq!(&buffer[..received.length], b"header, payload");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn memory_pair(
    capabilities: Capabilities,
    queue_frames: usize,
) -> io::Result<(MemoryDevice, MemoryDevice)> {
    let there = Arc::new(Direction::new(queue_frames)?);
    let back = Arc::new(Direction::new(queue_frames)?);
    let left = MemoryDevice { capabilities, outgoing: Arc::clone(&there), incoming: Arc::clone(&back) };
    let right = MemoryDevice { capabilities, outgoing: back, incoming: there };
    Ok((left, right))
}

/// One end of a [`memory_pair`].
#[derive(Debug)]
pub struct MemoryDevice {
    capabilities: Capabilities,
    outgoing: Arc<Direction>,
    incoming: Arc<Direction>,
}

/// Everything on its way from one end to the other.
#[derive(Debug)]
struct Direction {
    queue: Mutex<Queue>,
    /// Filled while the receiver has something to look at.
    waiting: Signal,
    /// Filled while the sender has to wait for room.
    blocked: Signal,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Frame>,
    limit: usize,
    /// Empty buffers for frames to come, and their capacity in bytes all together.
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
    is_waiting_filled: bool,
    is_blocked_filled: bool,
    is_cut: bool,
}

#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    checksum: Checksum,
    segment_size: Option<u16>,
}

impl Direction {
    fn new(queue_frames: usize) -> io::Result<Self> {
        let queue = Queue {
            frames: VecDeque::new(),
            limit: queue_frames.max(1),
            spare: Vec::new(),
            spare_bytes: 0,
            is_waiting_filled: false,
            is_blocked_filled: false,
            is_cut: false,
        };
        Ok(Self { queue: Mutex::new(queue), waiting: Signal::new()?, blocked: Signal::new()? })
    }

    /// The queue. Nothing that could panic happens under the lock, so a poisoned one is still sound.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        let mut queue = self.lock();
        if queue.is_cut {
            return Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the other end of the memory pair is gone",
            ));
        }
        if queue.frames.len() >= queue.limit {
            if !queue.is_blocked_filled {
                queue.is_blocked_filled = true;
                self.blocked.fill();
            }
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut bytes = queue.spare.pop().unwrap_or_default();
        queue.spare_bytes = queue.spare_bytes.saturating_sub(bytes.capacity());
        bytes.clear();
        for part in parts {
            bytes.extend_from_slice(part);
        }
        let checksum = offload.checksum.map_or(Checksum::Unknown, Checksum::Partial);
        queue.frames.push_back(Frame { bytes, checksum, segment_size: offload.segment_size });
        if !queue.is_waiting_filled {
            queue.is_waiting_filled = true;
            self.waiting.fill();
        }
        Ok(())
    }

    fn pop(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut queue = self.lock();
        let Some(frame) = queue.frames.pop_front() else {
            if queue.is_cut {
                // The signal stays filled: whoever polls must see the end.
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the other end of the memory pair is gone",
                ));
            }
            if queue.is_waiting_filled {
                queue.is_waiting_filled = false;
                self.waiting.drain();
            }
            return Err(io::ErrorKind::WouldBlock.into());
        };
        // Waking at half saves a blocked sender from waking once a frame.
        if queue.is_blocked_filled && queue.frames.len() <= queue.limit / 2 {
            queue.is_blocked_filled = false;
            self.blocked.drain();
        }
        let length = frame.bytes.len();
        let received = match buffer.get_mut(..length) {
            Some(room) => {
                room.copy_from_slice(&frame.bytes);
                Ok(Received { length, checksum: frame.checksum, segment_size: frame.segment_size })
            }
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame longer than the buffer was discarded",
            )),
        };
        if queue.spare_bytes + frame.bytes.capacity() <= SPARE_BYTES {
            queue.spare_bytes += frame.bytes.capacity();
            queue.spare.push(frame.bytes);
        }
        received
    }

    /// Ends this direction: what is queued may still be received, nothing more is sent, and nobody waits.
    fn cut(&self) {
        let mut queue = self.lock();
        queue.is_cut = true;
        queue.is_waiting_filled = true;
        self.waiting.fill();
        queue.is_blocked_filled = false;
        self.blocked.drain();
    }
}

impl Device for MemoryDevice {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        offload.check(&self.capabilities, parts.iter().map(|part| part.len()).sum())?;
        self.outgoing.push(parts, offload)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        self.incoming.pop(buffer)
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.incoming.waiting.input())
    }

    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.outgoing.blocked.output())
    }
}

impl Drop for MemoryDevice {
    fn drop(&mut self) {
        self.outgoing.cut();
        self.incoming.cut();
    }
}

#[cfg(test)]
mod tests;
