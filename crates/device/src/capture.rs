//! Recording what passes through a device.

use crate::{
    Capabilities, CapturedFrame, Checksum, Device, Direction, Flush, InterfaceId, Medium, Offload,
    PcapngWriter, Received,
};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A capture file that several devices, cables and threads write into. Clones write into the same file, which is
/// finished when the last one is dropped.
///
/// A file that cannot be written any more (a full disk) does not stop the network: the first error is kept for
/// [`error`](Self::error), and nothing is recorded after it.
#[derive(Clone)]
pub struct CaptureFile {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    writer: PcapngWriter<Box<dyn Write + Send>>,
    error: Option<io::Error>,
}

impl CaptureFile {
    /// Creates the file `path`, or empties it, to be written frame by frame.
    ///
    /// # Errors
    /// Those of creating and writing the file.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(File::create(path)?, Flush::EveryPacket)
    }

    /// Begins a capture in `output`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(output: impl Write + Send + 'static, flush: Flush) -> io::Result<Self> {
        let writer = PcapngWriter::new(Box::new(output) as Box<dyn Write + Send>, flush)?;
        Ok(Self { shared: Arc::new(Mutex::new(Shared { writer, error: None })) })
    }

    /// Adds an interface whose frames are kept whole.
    ///
    /// # Errors
    /// Those of the output.
    pub fn interface(&self, name: &str, medium: Medium) -> io::Result<InterfaceId> {
        self.lock().writer.interface(name, medium, None)
    }

    /// Adds a frame. An error is kept for [`error`](Self::error).
    pub fn record(&self, frame: &CapturedFrame<'_>) {
        let mut shared = self.lock();
        if shared.error.is_none() {
            shared.error = shared.writer.frame(frame).err();
        }
    }

    /// Hands everything recorded to the output.
    ///
    /// # Errors
    /// Those of the output, now or before.
    pub fn flush(&self) -> io::Result<()> {
        let mut shared = self.lock();
        if shared.error.is_none() {
            shared.error = shared.writer.flush().err();
        }
        copy_of(shared.error.as_ref()).map_or(Ok(()), Err)
    }

    /// The error that ended the recording, if one did.
    pub fn error(&self) -> Option<io::Error> {
        copy_of(self.lock().error.as_ref())
    }

    /// The writer. Only an output can panic under the lock, and the writer does not call such a one again.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy_of(error: Option<&io::Error>) -> Option<io::Error> {
    error.map(|error| io::Error::new(error.kind(), error.to_string()))
}

impl fmt::Debug for CaptureFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CaptureFile").finish_non_exhaustive()
    }
}

/// A device, and a record of every frame it has sent and received.
///
/// A checksum left for a device is recorded as the device will complete it; a large segment is recorded as one
/// frame, as the system's own captures show it. A frame that was refused is not recorded.
///
/// ```
/// use sockeye_device::{Capabilities, Capture, CaptureFile, Device, Medium, Offload, memory_pair};
/// use std::io::IoSlice;
///
/// let path = std::env::temp_dir().join(format!("sockeye-example-{}.pcapng", std::process::id()));
/// let file = CaptureFile::create(&path)?;
/// let (left, _right) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 64)?;
/// let mut left = Capture::new(left, &file, "left")?;
/// left.send(&[IoSlice::new(&[0xff; 60])], &Offload::NONE)?;
/// file.flush()?;
/// # std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Capture<D> {
    device: D,
    file: CaptureFile,
    interface: InterfaceId,
}

impl<D: Device> Capture<D> {
    /// Records `device` into `file`, as an interface called `name`.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(device: D, file: &CaptureFile, name: &str) -> io::Result<Self> {
        let interface = file.interface(name, device.capabilities().medium)?;
        Ok(Self { device, file: file.clone(), interface })
    }

    /// The device, no longer recorded.
    pub fn into_inner(self) -> D {
        self.device
    }
}

/// The time since 1970; a clock before that counts as then.
fn timestamp() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl<D: Device> Device for Capture<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        // Before the other end can answer.
        let timestamp = timestamp();
        self.device.send(parts, offload)?;
        self.file.record(&CapturedFrame {
            interface: self.interface,
            timestamp,
            direction: Some(Direction::Outbound),
            parts,
            checksum: offload.checksum,
            comment: None,
        });
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let received = self.device.receive(buffer)?;
        let checksum = match received.checksum {
            Checksum::Partial(partial) => Some(partial),
            Checksum::Unknown | Checksum::Verified => None,
        };
        self.file.record(&CapturedFrame {
            interface: self.interface,
            timestamp: timestamp(),
            direction: Some(Direction::Inbound),
            parts: &[IoSlice::new(buffer.get(..received.length).unwrap_or_default())],
            checksum,
            comment: None,
        });
        Ok(received)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.flush()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.readiness()
    }

    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.send_readiness()
    }
}

#[cfg(test)]
mod tests;
