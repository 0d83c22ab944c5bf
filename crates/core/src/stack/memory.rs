//! The memory that all connections of a host share, and the orphans among them: Linux's `tcp_mem` and `tcp_max_orphans`.

use super::Stack;
use super::config::MemoryLimits;
use crate::socket::{Body, Holder, SocketId};
use crate::time::Instant;
use crate::transport::tcp::{MemoryRoom, State};

/// What connections have taken.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Bytes in their buffers.
    pub(super) used: usize,
    /// Whether more than the pressure limit was used, and not less than the low one since.
    pub(super) is_pressed: bool,
    /// Connections that no program holds any more and that are not finished yet.
    pub(super) orphans: usize,
    /// Sockets whose programs wait for memory to write; each at most once.
    waiting: Vec<SocketId>,
}

impl Memory {
    /// A connection that had `before` bytes has `after`.
    fn change(&mut self, before: usize, after: usize, limits: &MemoryLimits) {
        self.used = self.used.saturating_sub(before).saturating_add(after);
        if self.used > limits.pressure {
            self.is_pressed = true;
        } else if self.used <= limits.low {
            self.is_pressed = false;
        }
    }
}

impl Stack {
    /// What is left for a connection.
    pub(super) fn memory_room(&self) -> MemoryRoom {
        let memory = &self.tcp.memory;
        MemoryRoom {
            is_pressed: memory.is_pressed,
            bytes: self.config.memory.high.saturating_sub(memory.used),
        }
    }

    /// A connection's buffers may have grown or shrunk.
    pub(super) fn account(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        let now = stream.connection.memory();
        let before = core::mem::replace(&mut stream.memory.counted, now);
        if now == before {
            return;
        }
        self.tcp.memory.change(before, now, &self.config.memory);
        if now < before && self.tcp.memory.used <= self.config.memory.pressure {
            self.wake_for_memory();
        }
    }

    /// A connection is gone, and its memory with it.
    pub(super) fn return_memory(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        let before = core::mem::take(&mut stream.memory.counted);
        self.tcp.memory.change(before, 0, &self.config.memory);
        self.end_orphan(id);
        if self.tcp.memory.used <= self.config.memory.pressure {
            self.wake_for_memory();
        }
    }

    /// A program was refused: if it is for want of memory, it is told when there is some again.
    pub(super) fn await_memory(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        if stream.connection.lacks_memory() && !stream.memory.is_waiting {
            stream.memory.is_waiting = true;
            self.tcp.memory.waiting.push(id);
        }
    }

    fn wake_for_memory(&mut self) {
        if self.tcp.memory.waiting.is_empty() {
            return;
        }
        let room = self.memory_room();
        for id in core::mem::take(&mut self.tcp.memory.waiting) {
            if let Some(socket) = self.sockets.get_mut(id)
                && let Body::Stream(stream) = &mut socket.body
            {
                stream.memory.is_waiting = false;
                stream.connection.set_memory_room(room);
                self.report(id);
            }
        }
    }

    /// A program has let go of a connection. Where there are too many such already, or they would keep what there is no
    /// memory for, it is reset.
    pub(super) fn begin_orphan(&mut self, now: Instant, id: SocketId) {
        let is_full = self.tcp.memory.orphans >= self.config.orphan_limit;
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        let is_over = matches!(stream.connection.state(), State::Closed | State::TimeWait);
        if is_over || !stream.in_demux || stream.memory.is_orphan {
            return;
        }
        stream.memory.is_orphan = true;
        self.tcp.memory.orphans += 1;
        if is_full || self.is_out_of_memory() {
            self.with_connection(now, id, "too many orphans", |connection| connection.abort(now));
        }
    }

    /// Whether connections use more than they may.
    fn is_out_of_memory(&self) -> bool {
        self.tcp.memory.used > self.config.memory.high
    }

    /// An orphan's timer has expired: where there is no memory, it is not worth its own.
    pub(super) fn is_orphan_too_dear(&self, id: SocketId) -> bool {
        self.is_out_of_memory() && self.sockets.get(id).is_some_and(|socket| socket.holder == Holder::Nobody)
    }

    /// A connection that may have been an orphan is finished.
    pub(super) fn end_orphan(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Body::Stream(stream) = &mut socket.body else { return };
        if core::mem::take(&mut stream.memory.is_orphan) {
            self.tcp.memory.orphans = self.tcp.memory.orphans.saturating_sub(1);
        }
    }
}
