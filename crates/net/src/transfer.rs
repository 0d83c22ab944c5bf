//! Bytes in and out of a stream: what the blocking and the polled sockets share.

use crate::engine::State;
use crate::error::io_error;
use crate::socket::Socket;
use crate::waiting::Interest;
use sockeye_core::error::Error;
use sockeye_core::socket::SocketId;
use sockeye_core::time::Instant;
use sockeye_core::transport::tcp::{SendFlags, TcpInfo};
use std::io::{self, IoSlice, IoSliceMut};

impl Socket {
    /// Writes as a blocking kernel socket does: all of it, or what was written when an error or the timeout came.
    pub(crate) fn write_all_or_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_all_or_some(bytes, SendFlags::NONE)
    }

    /// [`write_all_or_some`](Self::write_all_or_some), saying more about the bytes.
    pub(crate) fn send_all_or_some(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        let is_nonblocking = self.is_nonblocking();
        let mut written = 0;
        let outcome = self.wait(Interest::Write, |state, now, id| {
            while let Some(rest) = bytes.get(written..)
                && (!rest.is_empty() || written == 0)
            {
                let count = state.stack.send(now, id, rest, flags)?;
                written += count;
                // A nonblocking call is over with the first piece; an empty write is over at once.
                if is_nonblocking || count == 0 {
                    break;
                }
            }
            Ok(())
        });
        match outcome {
            Err(error) if written == 0 => Err(error),
            _ => Ok(written),
        }
    }

    /// One attempt to write several pieces in their order.
    pub(crate) fn write_pieces(
        state: &mut State,
        now: Instant,
        id: SocketId,
        parts: &[IoSlice<'_>],
    ) -> Result<usize, Error> {
        let mut written = 0;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            match state.stack.write(now, id, part) {
                Ok(count) => {
                    written += count;
                    if count < part.len() {
                        break;
                    }
                }
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// One attempt to read into several buffers in their order.
    pub(crate) fn read_pieces(
        state: &mut State,
        now: Instant,
        id: SocketId,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<usize, Error> {
        let mut read = 0;
        for buffer in buffers.iter_mut().filter(|buffer| !buffer.is_empty()) {
            match state.stack.read(now, id, buffer) {
                Ok(count) => {
                    read += count;
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(_) if read > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    pub(crate) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.wait(Interest::Write, |state, now, id| Self::write_pieces(state, now, id, parts))
    }

    pub(crate) fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.wait(Interest::Read, |state, now, id| Self::read_pieces(state, now, id, buffers))
    }

    pub(crate) fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.host().engine().look(|stack| stack.tcp_info(self.id())).map_err(io_error)
    }
}
