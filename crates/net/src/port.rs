//! One interface of a host, seen from outside the stack: its device, and the one frame that waits for it.

use sockeye_core::network::InterfaceId;
use sockeye_core::stack::{ChecksumState, Frame, Stack, Transmit};
use sockeye_core::time::{Duration, Instant};
use sockeye_device::{Device, Offload, PartialChecksum};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::OwnedFd;

/// How long a device that reports errors is left alone.
const RETRY: Duration = Duration::from_millis(100);

/// What a device gave when it was asked for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// No more frames wait.
    None,
    /// The batch is full; more may wait.
    More,
}

/// A device and what the driver knows about it.
pub(crate) struct Port {
    pub(crate) interface: InterfaceId,
    device: Box<dyn Device>,
    /// The frame the device had no room for. While there is one, nothing else is transmitted.
    held: Option<(Vec<u8>, Offload)>,
    spare: Vec<u8>,
    needs_flush: bool,
    is_blocked: bool,
    /// Frames that an error of the device has cost.
    lost: u64,
    /// A broken device is left alone until then; one whose other end is gone, for ever.
    rests_until: Option<Instant>,
}

impl Port {
    pub(crate) fn new(interface: InterfaceId, device: Box<dyn Device>) -> Self {
        Self {
            interface,
            device,
            held: None,
            spare: Vec::new(),
            needs_flush: false,
            is_blocked: false,
            lost: 0,
            rests_until: None,
        }
    }

    /// What to poll for arriving frames, and for room to send.
    pub(crate) fn descriptors(&self) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        let owned =
            |fd: Option<std::os::fd::BorrowedFd<'_>>| fd.map(|fd| fd.try_clone_to_owned()).transpose();
        Ok((owned(self.device.readiness())?, owned(self.device.send_readiness())?))
    }

    /// Whether transmission has to wait until the device has room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Whether nothing that was transmitted is still on the host's cable.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.device.has_sent_all()
    }

    /// When to ask a device that had an error again; `None` if it is well.
    pub(crate) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Frames that errors of the device have cost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Hands frames from the device to the stack, `frames` and `bytes` at most.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        buffer: &mut [u8],
        mut frames: usize,
        mut bytes: usize,
    ) -> Arrivals {
        if let Some(until) = self.rests_until {
            if now < until {
                return Arrivals::None;
            }
            self.rests_until = None;
        }
        while frames > 0 && bytes > 0 {
            frames -= 1;
            match self.device.receive(buffer) {
                Ok(received) => {
                    let Some(frame) = buffer.get(..received.length) else { continue };
                    bytes = bytes.saturating_sub(received.length);
                    let checksum = match received.checksum {
                        sockeye_device::Checksum::Unknown => ChecksumState::Unknown,
                        sockeye_device::Checksum::Verified => ChecksumState::Verified,
                        sockeye_device::Checksum::Partial(_) => ChecksumState::Partial,
                    };
                    let frame = Frame { bytes: frame, checksum, segment_size: received.segment_size };
                    stack.receive(now, self.interface, frame);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Arrivals::None,
                    ErrorKind::InvalidData | ErrorKind::Interrupted => {}
                    ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                        self.rests_until = Some(Instant::MAX);
                        return Arrivals::None;
                    }
                    _ => {
                        self.rests_until = Some(now + RETRY);
                        return Arrivals::None;
                    }
                },
            }
        }
        Arrivals::More
    }

    /// Hands one frame to the device, or keeps a copy of it if there is no room.
    pub(crate) fn send(&mut self, transmit: &Transmit<'_>) {
        let offload = Offload {
            checksum: transmit
                .offload
                .checksum
                .map(|partial| PartialChecksum { start: partial.start, offset: partial.offset }),
            segment_size: transmit.offload.segment_size,
            header_length: transmit.offload.header_length,
        };
        let [first, second] = transmit.payload;
        let parts = [IoSlice::new(transmit.headers), IoSlice::new(first), IoSlice::new(second)];
        let used = match (first.is_empty(), second.is_empty()) {
            (true, true) => 1,
            (_, true) => 2,
            _ => 3,
        };
        match self.device.send(parts.get(..used).unwrap_or(&parts), &offload) {
            Ok(()) => self.needs_flush = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut bytes = std::mem::take(&mut self.spare);
                bytes.clear();
                for part in parts {
                    bytes.extend_from_slice(&part);
                }
                self.held = Some((bytes, offload));
                self.is_blocked = true;
            }
            Err(_) => self.lost += 1,
        }
    }

    /// Tries again what the device had no room for.
    pub(crate) fn resume(&mut self) {
        if !self.is_blocked {
            return;
        }
        self.is_blocked = false;
        if let Some((bytes, offload)) = self.held.take() {
            match self.device.send(&[IoSlice::new(&bytes)], &offload) {
                Ok(()) => self.needs_flush = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.held = Some((bytes, offload));
                    self.is_blocked = true;
                    return;
                }
                Err(_) => self.lost += 1,
            }
            self.spare = bytes;
        }
        self.needs_flush = true;
    }

    /// Ends a burst of frames.
    pub(crate) fn flush(&mut self) {
        if !self.needs_flush {
            return;
        }
        self.needs_flush = false;
        if let Err(error) = self.device.flush()
            && error.kind() == ErrorKind::WouldBlock
        {
            self.needs_flush = true;
            self.is_blocked = true;
        }
    }
}
