//! Frames over a byte stream, each after its length: what QEMU's `-netdev stream` speaks.

use crate::{Capabilities, Device, MAXIMUM_FRAME, Medium, Offload, Received};
use rustix::io::{Errno, ioctl_fionbio, read, writev};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of the length before each frame, most significant first.
const LENGTH_BYTES: usize = 4;

/// Bytes that are read ahead. The longest frame fits with its length.
const AHEAD_BYTES: usize = 128 * 1024;

/// Pieces of a frame that one `writev` takes without first being gathered, the length included.
const PIECES: usize = 16;

/// A device whose other end is another process, over a connected Unix or TCP stream.
///
/// Each frame follows its length as a 4-byte big-endian number. QEMU joins with
/// `-netdev stream,id=n0,addr.type=unix,addr.path=PATH -device virtio-net,netdev=n0`.
///
/// A frame that the stream takes only a part of counts as sent: its rest waits here and leaves with the next
/// [`flush`](Device::flush) or `send`.
///
/// ```
/// use sockeye_device::{Device, Medium, Offload, StreamSocket};
/// use std::io::{IoSlice, Read};
/// use std::os::unix::net::UnixStream;
///
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let mut device = StreamSocket::new(ours, Medium::Ethernet, 1500)?;
/// device.send(&[IoSlice::new(b"frame")], &Offload::NONE)?;
///
/// let mut bytes = [0; 9];
/// theirs.read_exact(&mut bytes)?;
/// assert_eq!(&bytes, b"\0\0\0\x05frame");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct StreamSocket {
    stream: OwnedFd,
    capabilities: Capabilities,
    /// Bytes read: those from `start` to `end` have not been handed up.
    ahead: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes still to come of a frame that is being discarded.
    discard: usize,
    /// The rest of a frame that was accepted: those bytes from `unsent_start` on.
    unsent: Vec<u8>,
    unsent_start: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has closed its half.
    Ended,
    /// A length was impossible, so that nobody knows where the next frame begins.
    OutOfStep(usize),
}

impl StreamSocket {
    /// A device on a connected stream, such as a `UnixStream` or a `TcpStream`, whose frames start with what
    /// `medium` says and carry packets of up to `mtu` bytes.
    ///
    /// # Errors
    /// When the stream cannot be made non-blocking.
    pub fn new(stream: impl Into<OwnedFd>, medium: Medium, mtu: usize) -> io::Result<Self> {
        let stream = stream.into();
        ioctl_fionbio(&stream, true)?;
        // Frames should leave at once. A Unix stream refuses this, and never waits anyway.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&stream, true);
        Ok(Self {
            stream,
            capabilities: Capabilities::plain(medium, mtu),
            ahead: vec![0; AHEAD_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            discard: 0,
            unsent: Vec::new(),
            unsent_start: 0,
            state: State::Open,
        })
    }

    /// Bytes read and not handed up.
    fn waiting(&self) -> &[u8] {
        self.ahead.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes the next frame out of the bytes read; `None` if it is not complete.
    fn next_frame(&mut self, buffer: &mut [u8]) -> Option<io::Result<Received>> {
        if self.discard > 0 {
            let gone = self.discard.min(self.end - self.start);
            self.discard -= gone;
            self.start += gone;
            if self.discard > 0 {
                return None;
            }
        }
        let (prefix, rest) = self.waiting().split_first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_be_bytes(*prefix) as usize;
        let refuse = |reason| Some(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
        if length > MAXIMUM_FRAME {
            self.state = State::OutOfStep(length);
            return Some(Err(self.out_of_step(length)));
        }
        if length == 0 {
            self.start += LENGTH_BYTES;
            return refuse("an empty frame was discarded");
        }
        let Some(room) = buffer.get_mut(..length) else {
            self.start += LENGTH_BYTES;
            self.discard = length;
            return refuse("a frame longer than the buffer was discarded");
        };
        room.copy_from_slice(rest.get(..length)?);
        self.start += LENGTH_BYTES + length;
        Some(Ok(Received { length, ..Received::default() }))
    }

    fn out_of_step(&self, length: usize) -> io::Error {
        io::Error::new(
            io::ErrorKind::BrokenPipe,
            format!("the stream announces a frame of {length} bytes: the other end does not send frames"),
        )
    }

    fn ended(&self) -> io::Error {
        let reason = match (self.waiting(), self.discard) {
            ([], 0) => "the other end closed the stream",
            _ => "the other end closed the stream in the middle of a frame",
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, reason)
    }

    /// Reads ahead as much as there is room for; 0 at the end.
    fn read_ahead(&mut self) -> io::Result<usize> {
        // What is left is less than one frame, which is why there is always room after this.
        if self.start > 0 {
            self.ahead.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = self.ahead.get_mut(self.end..).unwrap_or_default();
        loop {
            match read(&self.stream, &mut *room) {
                Ok(length) => {
                    self.end += length;
                    return Ok(length);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(broken(errno, io::ErrorKind::UnexpectedEof)),
            }
        }
    }

    /// Writes once; how many bytes were taken.
    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match writev(&self.stream, pieces) {
                Err(Errno::INTR) => {}
                other => return other.map_err(|errno| broken(errno, io::ErrorKind::BrokenPipe)),
            }
        }
    }
}

/// A stream that failed is gone, in the words of [`Device`].
fn broken(errno: Errno, gone: io::ErrorKind) -> io::Error {
    match errno {
        Errno::AGAIN => io::ErrorKind::WouldBlock.into(),
        other => io::Error::new(gone, format!("the stream broke: {}", io::Error::from(other))),
    }
}

impl Device for StreamSocket {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        offload.check(&self.capabilities, length)?;
        if length > MAXIMUM_FRAME {
            let reason = "the frame is longer than any";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.flush()?;
        // Bounded by the check above, far below 2^32.
        let prefix = (length as u32).to_be_bytes();
        let mut taken = 0;
        let mut pieces = [IoSlice::new(&[]); PIECES];
        pieces[0] = IoSlice::new(&prefix);
        if let Some(places) = pieces.get_mut(1..=parts.len()) {
            places.copy_from_slice(parts);
            taken = self.write(&pieces[..=parts.len()])?;
        }
        if taken < LENGTH_BYTES + length {
            for part in std::iter::once(prefix.as_slice()).chain(parts.iter().map(|part| &**part)) {
                let gone = taken.min(part.len());
                taken -= gone;
                self.unsent.extend_from_slice(part.get(gone..).unwrap_or_default());
            }
            match self.flush() {
                // The frame has been accepted; whoever flushes next learns that it waits.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            if let State::OutOfStep(length) = self.state {
                return Err(self.out_of_step(length));
            }
            if let Some(result) = self.next_frame(buffer) {
                return result;
            }
            if self.state == State::Ended || self.read_ahead()? == 0 {
                self.state = State::Ended;
                return Err(self.ended());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.unsent.get(self.unsent_start..) {
            let taken = self.write(&[IoSlice::new(rest)])?;
            self.unsent_start += taken;
        }
        self.unsent.clear();
        self.unsent_start = 0;
        Ok(())
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.stream.as_fd())
    }
}

#[cfg(test)]
mod tests;
