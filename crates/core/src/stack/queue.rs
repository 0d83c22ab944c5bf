//! Sockets that wait for their turn, each at most once.

use std::collections::VecDeque;

use crate::socket::{Socket, SocketId};
use crate::table::Table;

/// A queue of sockets. A flag in each socket says whether it stands here, so that none stands here twice. One that is
/// removed from the stack leaves its name behind, which is skipped when its turn comes.
#[derive(Debug, Default)]
pub(super) struct SocketQueue {
    ids: VecDeque<SocketId>,
}

impl SocketQueue {
    /// How many names of removed sockets are put up with, beyond one for each that exists.
    const SLACK: usize = 64;

    /// Puts a socket at the end. When more names stand here than sockets exist, those of removed ones are taken out:
    /// however many sockets come and go while nobody polls, the queue stays as short as the table.
    pub(super) fn push(&mut self, id: SocketId, sockets: &Table<Socket>) {
        if self.ids.len() >= 2 * sockets.len() + SocketQueue::SLACK {
            self.ids.retain(|id| sockets.get(*id).is_some());
        }
        self.ids.push_back(id);
    }

    /// Takes out the first.
    pub(super) fn pop(&mut self) -> Option<SocketId> {
        self.ids.pop_front()
    }

    /// The first.
    pub(super) fn front(&self) -> Option<SocketId> {
        self.ids.front().copied()
    }

    /// The first becomes the last.
    pub(super) fn rotate(&mut self) {
        if self.ids.len() > 1 {
            self.ids.rotate_left(1);
        }
    }

    /// How many stand here.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
