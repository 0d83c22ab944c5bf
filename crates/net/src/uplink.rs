//! A device plugged into a LAN: the way from the virtual Ethernet to the kernel, to a virtual machine, to anywhere.

use crate::switchboard::LanPort;
use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sockeye_core::time::Duration;
use sockeye_device::{Device, Medium, Offload, Received, Signal};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Frames moved one way before the other way has its turn.
const BATCH: usize = 64;

/// Batches that are still moved when an end is gone.
const LAST_BATCHES: usize = 64;

/// How long the other end may take to have room for them.
const LAST_PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// A device that is plugged into a LAN: what [`Lan::attach`](crate::Lan::attach) answers. The value is a handle; dropping
/// it changes nothing.
///
/// ```
/// use sockeye_device::{Capabilities, Medium, memory_pair};
/// use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lan = sockeye::Lan::builder().seed(7).build()?;
/// let (near, far) = memory_pair(Capabilities::plain(Medium::Ethernet, 1500), 64)?;
/// let attachment = lan.attach("elsewhere", Box::new(near), None)?;
/// assert!(attachment.is_plugged());
/// drop(far); // the other end goes, or: attachment.unplug()
/// assert!(attachment.wait_unplugged(Some(Duration::from_secs(10))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Attachment {
    stop: Arc<Signal>,
    end: Arc<End>,
}

#[derive(Default)]
struct End {
    has_come: Mutex<bool>,
    changed: Condvar,
}

/// Tells that the thread of an uplink has ended, and everything it held is closed.
struct EndOnExit(Arc<End>);

impl Drop for EndOnExit {
    fn drop(&mut self) {
        *self.0.has_come.lock() = true;
        self.0.changed.notify_all();
    }
}

impl Attachment {
    /// Pulls the cable: the device is closed, the port of the LAN is free. It does not wait for that.
    pub fn unplug(&self) {
        self.stop.fill();
    }

    /// Whether the device is still plugged in: nobody has pulled the cable, its other end is there, and so is the LAN.
    pub fn is_plugged(&self) -> bool {
        !*self.end.has_come.lock()
    }

    /// Waits until the device is no longer plugged in and has been closed: for ever, or for `timeout`; `false` if that was
    /// not enough.
    pub fn wait_unplugged(&self, timeout: Option<Duration>) -> bool {
        let mut has_come = self.end.has_come.lock();
        let is_waiting = |has_come: &mut bool| !*has_come;
        match timeout {
            None => self.end.changed.wait_while(&mut has_come, is_waiting),
            Some(timeout) => {
                let _ = self.end.changed.wait_while_for(&mut has_come, is_waiting, timeout);
            }
        }
        *has_come
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("is_plugged", &self.is_plugged()).finish()
    }
}

/// A thread that moves frames between a device and a port of a LAN.
pub(crate) struct Uplink {
    device: Lane,
    port: Lane,
    /// Filled when the LAN is gone, or the cable is to be pulled.
    stop: Arc<Signal>,
    buffer: Vec<u8>,
}

/// How long an uplink waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Not at all: there is more to move.
    Now,
    /// Until something can be moved.
    Moving,
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
    ) -> io::Result<Attachment> {
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
        let attachment = Attachment { stop: Arc::clone(&stop), end: Arc::default() };
        let on_exit = EndOnExit(Arc::clone(&attachment.end));
        let uplink = Uplink { device: Lane::new(device), port: Lane::new(Box::new(port)), stop, buffer };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped after the uplink, whatever ends this thread.
            let _on_exit = on_exit;
            uplink.run();
        })?;
        Ok(attachment)
    }

    fn run(mut self) {
        loop {
            let is_busy_up = carry(&mut self.device, &mut self.port, &mut self.buffer);
            let is_busy_down = carry(&mut self.port, &mut self.device, &mut self.buffer);
            if self.device.is_gone {
                // Who is gone may have left more than what was taken so far.
                carry_last(&mut self.device, &mut self.port, &mut self.buffer);
            }
            if self.device.is_gone || self.port.is_gone {
                break;
            }
            let until = if is_busy_up || is_busy_down { Until::Now } else { Until::Moving };
            if !self.wait(until) {
                carry_last(&mut self.port, &mut self.device, &mut self.buffer);
                break;
            }
        }
    }

    /// Waits until something can be moved. `false` when the LAN is gone, or the cable is to be pulled.
    fn wait(&self, until: Until) -> bool {
        let mut polled = vec![PollFd::from_borrowed_fd(self.stop.input(), PollFlags::IN)];
        let lanes = [(&self.device, &self.port), (&self.port, &self.device)];
        for (from, to) in lanes.into_iter().filter(|_| until == Until::Moving) {
            let fd: Option<BorrowedFd<'_>> =
                if to.is_blocked { to.device.send_readiness() } else { from.device.readiness() };
            let flags = if to.is_blocked { PollFlags::OUT } else { PollFlags::IN };
            polled.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, flags)));
        }
        // An interrupted wait is a turn with nothing to do.
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let _ = poll(&mut polled, (until == Until::Now).then_some(&now));
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

/// Moves what an end has left that is gone, or will be: its last words are in it.
fn carry_last(from: &mut Lane, to: &mut Lane, buffer: &mut [u8]) {
    for _ in 0..LAST_BATCHES {
        if carry(from, to, buffer) {
            continue;
        }
        if to.is_gone || !to.is_blocked {
            return;
        }
        let Some(room) = to.device.send_readiness() else { return };
        let mut polled = [PollFd::from_borrowed_fd(room, PollFlags::OUT)];
        if poll(&mut polled, Some(&LAST_PATIENCE)) == Ok(0) {
            return;
        }
    }
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
