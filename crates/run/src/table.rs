//! The sockets of the program, by key and by the inode of the program's end.

use crate::entry::Entry;
use std::collections::HashMap;

/// All sockets of the program.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashMap<u64, Entry>,
    keys: HashMap<u64, u64>,
}

impl Table {
    /// The socket whose program's end has this inode.
    pub(crate) fn key_of(&self, inode: u64) -> Option<u64> {
        self.keys.get(&inode).copied()
    }

    pub(crate) fn entry(&mut self, key: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// Takes new sockets in. An inode belongs to the socket that had it last.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if let Some(old) = self.keys.insert(entry.front.inode, entry.front.key) {
                self.entries.remove(&old);
            }
            self.entries.insert(entry.front.key, entry);
        }
    }

    /// The program's end of this socket has this inode now.
    pub(crate) fn name(&mut self, key: u64, inode: u64) {
        if self.keys.insert(inode, key) != Some(key) {
            self.keys.retain(|known, named| *named != key || *known == inode);
        }
    }

    /// Forgets a socket, which closes it.
    pub(crate) fn remove(&mut self, key: u64) {
        if let Some(entry) = self.entries.remove(&key)
            && self.keys.get(&entry.front.inode) == Some(&key)
        {
            self.keys.remove(&entry.front.inode);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}
