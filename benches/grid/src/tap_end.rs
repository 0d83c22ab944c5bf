//! An end of the cable behind which stands the kernel, or a stack that shares the namespace with it.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;

use sockeye_core::sim::grid::End;
use sockeye_core::time::Instant;
use sockeye_device::{Device, Offload, Tap};

/// The program's end of a TAP interface.
pub(crate) struct TapEnd<'a> {
    tap: &'a mut Tap,
    buffer: Vec<u8>,
    /// Frames that the kernel did not take, because its queue was full: more than none, and the numbers are worthless.
    pub(crate) refused: u64,
}

impl<'a> TapEnd<'a> {
    /// Begins with an empty queue: what a run before has left there is thrown away.
    pub(crate) fn new(tap: &'a mut Tap) -> TapEnd<'a> {
        let buffer = vec![0; tap.capabilities().frame_capacity()];
        let mut end = TapEnd { tap, buffer, refused: 0 };
        while end.tap.receive(&mut end.buffer).is_ok() {}
        end
    }

    /// What to poll for frames.
    pub(crate) fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.tap.readiness()
    }
}

impl End for TapEnd<'_> {
    fn receive(&mut self, _now: Instant, frame: &[u8]) {
        if self.tap.send(&[IoSlice::new(frame)], &Offload::NONE).is_err() {
            self.refused += 1;
        }
    }

    fn wake(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, _now: Instant, frame: &mut Vec<u8>) -> bool {
        loop {
            match self.tap.receive(&mut self.buffer) {
                Ok(received) => {
                    frame.extend_from_slice(self.buffer.get(..received.length).unwrap_or_default());
                    return true;
                }
                // A frame without sense, thrown away: the next one.
                Err(error) if error.kind() == ErrorKind::InvalidData => {}
                Err(_) => return false,
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
