//! A slab whose handles carry a generation: a stale handle finds nothing, never somebody else's entry.

use core::fmt;

/// A copyable name of one entry of a [`Table`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    index: u32,
    generation: u32,
}

impl Handle {
    /// The entry's slot, below the largest number of entries that ever existed at once. Slots are used again.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// How many entries had this slot before this one.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index)
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
}

/// Entries by [`Handle`], each operation in constant time.
///
/// ```
/// use sockeye_core::table::Table;
/// let mut table = Table::new();
/// let first = table.insert("first").unwrap();
/// table.remove(first);
/// let second = table.insert("second").unwrap();
/// assert_eq!((table.get(first), table.get(second)), (None, Some(&"second")));
/// ```
#[derive(Debug)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    length: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T> Table<T> {
    /// An empty table, which owns no memory.
    pub const fn new() -> Self {
        Table { slots: Vec::new(), free: Vec::new(), length: 0 }
    }

    /// Puts an entry in a free slot; `None` when 2^32 entries exist already.
    pub fn insert(&mut self, entry: T) -> Option<Handle> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, entry: None });
                index
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.entry = Some(entry);
        self.length += 1;
        Some(Handle { index, generation: slot.generation })
    }

    /// The entry of this handle, if it still exists.
    #[inline]
    pub fn get(&self, handle: Handle) -> Option<&T> {
        let slot = self.slots.get(handle.index())?;
        if slot.generation == handle.generation { slot.entry.as_ref() } else { None }
    }

    /// The entry of this handle, if it still exists.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation == handle.generation { slot.entry.as_mut() } else { None }
    }

    /// Takes the entry out; its handle is stale from now on.
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(handle.index);
        self.length -= 1;
        Some(entry)
    }

    /// How many entries exist.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All entries, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let handle = Handle { index: index as u32, generation: slot.generation };
            slot.entry.as_ref().map(|entry| (handle, entry))
        })
    }
}
