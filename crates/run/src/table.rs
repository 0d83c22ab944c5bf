//! Sockets of the program, by key and by the inode of the program's end.

use std::collections::HashMap;

/// What a table can hold.
pub(crate) trait Keyed {
    fn key(&self) -> u64;

    /// That of the program's end.
    fn inode(&self) -> u64;
}

/// All sockets of the program, or all of one sort.
#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: HashMap<u64, T>,
    keys: HashMap<u64, u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { entries: HashMap::new(), keys: HashMap::new() }
    }
}

impl<T: Keyed> Table<T> {
    /// The socket whose program's end has this inode.
    pub(crate) fn key_of(&self, inode: u64) -> Option<u64> {
        self.keys.get(&inode).copied()
    }

    pub(crate) fn entry(&mut self, key: u64) -> Option<&mut T> {
        self.entries.get_mut(&key)
    }

    /// Takes new sockets in. An inode belongs to the socket that had it last.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = T>) {
        for entry in entries {
            if let Some(old) = self.keys.insert(entry.inode(), entry.key()) {
                self.entries.remove(&old);
            }
            self.entries.insert(entry.key(), entry);
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
            && self.keys.get(&entry.inode()) == Some(&key)
        {
            self.keys.remove(&entry.inode());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }
}
