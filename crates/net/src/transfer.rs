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
    /// One attempt to write. After a `connect` that left the SYN to the first write (`TCP_FASTOPEN_CONNECT`) the SYN may
    /// have to leave without data: then this waits for the handshake like any other write.
    pub(crate) fn send_once(
        state: &mut State,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        flags: SendFlags,
    ) -> Result<usize, Error> {
        match state.stack.send(now, id, bytes, flags) {
            Err(Error::InProgress) => state.stack.send(now, id, bytes, flags),
            other => other,
        }
    }

    /// Writes as a blocking kernel socket does: all of it, or what was written when an error or the timeout came.
    pub(crate) fn write_all_or_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_all_or_some(bytes, SendFlags::NONE)
    }

    /// [`write_all_or_some`](Self::write_all_or_some), saying more about the bytes.
    pub(crate) fn send_all_or_some(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        let is_nonblocking = self.is_nonblocking();
        let (mut written, mut opens) = (0, false);
        let outcome = self.wait(Interest::Write, |state, now, id| {
            // A blocking write that opens the connection ends with its handshake, as on Linux: only then is it known
            // whether anybody is there, and may the socket be shut down.
            let begins = !is_nonblocking && state.stack.is_deferred(id);
            opens |= begins;
            while let Some(rest) = bytes.get(written..)
                && (!rest.is_empty() || written == 0)
            {
                let count = Self::send_once(state, now, id, rest, flags)?;
                written += count;
                if begins && written < bytes.len() {
                    state.stack.expect_write(id)?;
                }
                // A nonblocking call is over with the first piece; an empty write is over at once.
                if is_nonblocking || count == 0 {
                    break;
                }
            }
            if opens { Self::finish_connect(state, id) } else { Ok(()) }
        });
        match outcome {
            Err(error) if written == 0 || opens => Err(error),
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
            match Self::send_once(state, now, id, part, SendFlags::NONE) {
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
        let is_deferred = self.host().engine().look(|stack| stack.is_deferred(self.id()));
        if is_deferred && !self.is_nonblocking() {
            // The piece that opens the connection; the caller goes on with the others.
            let first = parts.iter().find(|part| !part.is_empty());
            return self.write_all_or_some(first.map_or(&[], |part| part));
        }
        self.wait(Interest::Write, |state, now, id| Self::write_pieces(state, now, id, parts))
    }

    pub(crate) fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.wait(Interest::Read, |state, now, id| Self::read_pieces(state, now, id, buffers))
    }

    pub(crate) fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.host().engine().look(|stack| stack.tcp_info(self.id())).map_err(io_error)
    }
}
