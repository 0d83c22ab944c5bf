//! A device plugged into a LAN: the way from the virtual Ethernet to the kernel, to a virtual machine, to anywhere.

use crate::switchboard::LanPort;
use rustix::event::{PollFd, PollFlags, poll};
use sockeye_device::{Device, Medium, Offload, Received, Signal};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Frames moved one way before the other way has its turn.
const BATCH: usize = 64;

/// A thread that moves frames between a device and a port of a LAN.
pub(crate) struct Uplink {
    device: Lane,
    port: Lane,
    /// Filled when the LAN is gone.
    stop: Arc<Signal>,
    buffer: Vec<u8>,
}

/// One of the two ends, and the frame that waits to be sent on it.
struct Lane {
    device: Box<dyn Device>,
    held: Option<Vec<u8>>,
    needs_flush: bool,
    is_blocked: bool,
    is_gone: bool,
}

impl Uplink {
    /// Starts the thread.
    ///
    /// # Errors
    /// `InvalidInput` for a device without Ethernet, or with offloads, which a cable does not carry.
    pub(crate) fn start(
        name: &str,
        device: Box<dyn Device>,
        port: LanPort,
        stop: Arc<Signal>,
    ) -> io::Result<()> {
        let capabilities = device.capabilities();
        let refuse = |text| Err(io::Error::new(ErrorKind::InvalidInput, text));
        if capabilities.medium != Medium::Ethernet {
            return refuse("only a device that carries Ethernet can be plugged into a LAN");
        }
        if capabilities.checksum || capabilities.segmentation.is_some() {
            return refuse(
                "a device in a LAN must be opened without offloads: its cables carry plain frames",
            );
        }
        let buffer = vec![0; capabilities.frame_capacity().max(port.capabilities().frame_capacity())];
        let uplink = Uplink { device: Lane::new(device), port: Lane::new(Box::new(port)), stop, buffer };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || uplink.run())?;
        Ok(())
    }

    fn run(mut self) {
        loop {
            let is_busy_up = carry(&mut self.device, &mut self.port, &mut self.buffer);
            let is_busy_down = carry(&mut self.port, &mut self.device, &mut self.buffer);
            if self.device.is_gone || self.port.is_gone {
                break;
            }
            let is_busy = is_busy_up || is_busy_down;
            if !is_busy && !self.wait() {
                break;
            }
        }
    }

    /// Waits until something can be moved. `false` when the LAN is gone.
    fn wait(&self) -> bool {
        let mut polled = vec![PollFd::from_borrowed_fd(self.stop.input(), PollFlags::IN)];
        for (from, to) in [(&self.device, &self.port), (&self.port, &self.device)] {
            let fd: Option<BorrowedFd<'_>> =
                if to.is_blocked { to.device.send_readiness() } else { from.device.readiness() };
            let flags = if to.is_blocked { PollFlags::OUT } else { PollFlags::IN };
            polled.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, flags)));
        }
        // An interrupted wait is a turn with nothing to do.
        let _ = poll(&mut polled, None);
        polled.first().is_some_and(|stop| stop.revents().is_empty())
    }
}

impl Lane {
    fn new(device: Box<dyn Device>) -> Lane {
        Lane { device, held: None, needs_flush: false, is_blocked: false, is_gone: false }
    }

    /// Sends a frame, or keeps it until there is room.
    fn send(&mut self, frame: &[u8]) {
        match self.device.send(&[IoSlice::new(frame)], &Offload::NONE) {
            Ok(()) => self.needs_flush = true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.held = Some(frame.to_vec());
                self.is_blocked = true;
            }
            Err(error) => self.is_gone = is_final(&error),
        }
    }

    /// Tries again what did not go. `false` if it still does not.
    fn resume(&mut self) -> bool {
        self.is_blocked = false;
        if let Some(frame) = self.held.take() {
            self.send(&frame);
        }
        self.flush();
        !self.is_blocked
    }

    fn flush(&mut self) {
        if self.needs_flush && !self.is_blocked {
            match self.device.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_blocked = true,
                _ => self.needs_flush = false,
            }
        }
    }
}

fn is_final(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe)
}

/// Moves a batch. `true` if there may be more.
fn carry(from: &mut Lane, to: &mut Lane, buffer: &mut [u8]) -> bool {
    if !to.resume() {
        return false;
    }
    for _ in 0..BATCH {
        match from.device.receive(buffer) {
            Ok(Received { length, .. }) => to.send(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::InvalidData => continue,
            Err(error) => {
                from.is_gone |= is_final(&error);
                to.flush();
                return false;
            }
        }
        if to.is_blocked {
            return false;
        }
    }
    to.flush();
    !to.is_blocked
}
