//! What a connection may do with the memory of its host, which it shares with all others.

use super::connection::Connection;

/// What is left of the host's memory for buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRoom {
    /// Whether it is scarce: buffers do not grow, and give back what they do not need.
    pub is_pressed: bool,
    /// How many bytes a connection may take now. A little it always may, or it could never let go of anything.
    pub bytes: usize,
}

impl MemoryRoom {
    /// Memory without end.
    pub const UNLIMITED: MemoryRoom = MemoryRoom { is_pressed: false, bytes: usize::MAX };
}

impl Connection {
    /// Bytes of memory the buffers own beyond the connection itself.
    pub fn memory(&self) -> usize {
        self.sender.ring.capacity() + self.receiver.ring.capacity() + self.sender.board.capacity()
    }

    /// Says how much memory there is, until it is said again.
    pub fn set_memory_room(&mut self, room: MemoryRoom) {
        self.receiver.space.is_pressed = room.is_pressed;
        self.send_space.is_pressed = room.is_pressed;
        self.receiver.room = room.bytes;
        self.send_space.room = room.bytes;
    }

    /// Whether memory is all that is missing for something to be written.
    pub fn lacks_memory(&self) -> bool {
        self.memory_to_write() == 0 && !self.is_write_closed()
    }

    /// How many bytes more the send buffer has memory for.
    pub(super) fn memory_to_write(&self) -> usize {
        self.sender.ring.reach(self.send_space.room) - self.sender.ring.len()
    }

    /// Where memory is scarce, what is not needed goes back.
    pub(super) fn trim(&mut self) {
        if self.send_space.is_pressed {
            self.sender.ring.trim(0);
            self.receiver.trim();
        }
    }
}
