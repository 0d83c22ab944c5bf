//! Everything that waits, waits here: one heap of deadlines, with one entry for each owner at most.
//!
//! A connection's earliest deadline moves with every segment. Moving it in the heap each time would cost more than the
//! segment, so an entry stays where it is when the deadline moves *later*: when it comes up, its owner is asked again.
//! Only a deadline that moves *earlier* moves its entry. Owners that are gone take their entry with them, so that the heap
//! is never larger than there are sockets and records, however long their deadlines were.

use crate::table::Handle;
use crate::time::Instant;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A socket's connection.
    Socket(Handle),
    /// A half-open passive connection.
    Handshake(Handle),
    /// A TIME-WAIT record.
    TimeWait(Handle),
}

type Entry = (Instant, Owner);

/// The deadlines of one host.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// A binary heap: no entry is earlier than its parent, which stands at half its place.
    heap: Vec<Entry>,
    /// Where in the heap an owner's entry stands, plus one, by kind of owner and slot of its handle; zero for nowhere.
    places: [Vec<u32>; 3],
}

impl Deadlines {
    /// Makes sure that the owner is asked at `at`, or earlier.
    pub(super) fn arm(&mut self, at: Instant, owner: Owner) {
        let entry = (at, owner);
        match self.place(owner) {
            Some(place) => match self.heap.get_mut(place) {
                Some(old) if entry < *old => {
                    *old = entry;
                    self.rise(place);
                }
                _ => {}
            },
            None => {
                self.heap.push(entry);
                self.note(self.heap.len() - 1);
                self.rise(self.heap.len() - 1);
            }
        }
    }

    /// Forgets the deadline of an owner that is gone.
    pub(super) fn disarm(&mut self, owner: Owner) {
        if let Some(place) = self.place(owner) {
            self.take(place);
        }
    }

    /// The earliest entry's time: no deadline is before it.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Takes out an owner that is to be asked at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Owner> {
        if self.next()? > now {
            return None;
        }
        self.take(0).map(|(_, owner)| owner)
    }

    /// How many owners wait.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes an entry out of the heap.
    fn take(&mut self, place: usize) -> Option<Entry> {
        if place >= self.heap.len() {
            return None;
        }
        let entry = self.heap.swap_remove(place);
        if let Some(slot) = self.slot(entry.1) {
            *slot = 0;
        }
        if place < self.heap.len() {
            self.note(place);
            self.sink(place);
            self.rise(place);
        }
        Some(entry)
    }

    /// Moves an entry up until its parent is earlier.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap.get(parent) <= self.heap.get(place) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    /// Moves an entry down until both children are later.
    fn sink(&mut self, mut place: usize) {
        loop {
            let children =
                [2 * place + 1, 2 * place + 2].into_iter().filter(|child| *child < self.heap.len());
            let Some(child) = children.min_by_key(|child| self.heap.get(*child)) else { return };
            if self.heap.get(place) <= self.heap.get(child) {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    /// Writes down where an entry stands.
    fn note(&mut self, place: usize) {
        if let Some((_, owner)) = self.heap.get(place).copied()
            && let Some(slot) = self.slot(owner)
        {
            *slot = place as u32 + 1;
        }
    }

    /// Where the owner's entry stands. Who had its slot before was disarmed when it went.
    fn place(&self, owner: Owner) -> Option<usize> {
        let (kind, index) = key(owner);
        let place = self.places.get(kind)?.get(index).copied()?;
        (place as usize).checked_sub(1)
    }

    fn slot(&mut self, owner: Owner) -> Option<&mut u32> {
        let (kind, index) = key(owner);
        let places = self.places.get_mut(kind)?;
        if places.len() <= index {
            places.resize(index + 1, 0);
        }
        places.get_mut(index)
    }
}

fn key(owner: Owner) -> (usize, usize) {
    match owner {
        Owner::Socket(handle) => (0, handle.index()),
        Owner::Handshake(handle) => (1, handle.index()),
        Owner::TimeWait(handle) => (2, handle.index()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn owners(count: usize) -> Vec<Owner> {
        let mut table = Table::new();
        (0..count).map(|_| Owner::Socket(table.insert(()).unwrap())).collect()
    }

    #[test]
    fn entries_come_up_in_order_of_time_and_not_before() {
        let owners = owners(5);
        let mut deadlines = Deadlines::default();
        for (place, owner) in owners.iter().enumerate() {
            deadlines.arm(Instant::from_millis(10 * (place as u64 * 3 % 5)), *owner);
        }
        assert_eq!(deadlines.next(), Some(Instant::ZERO));
        let due: Vec<_> = core::iter::from_fn(|| deadlines.pop_due(Instant::from_millis(29))).collect();
        assert_eq!(due, [owners[0], owners[2], owners[4]]);
        assert_eq!((deadlines.next(), deadlines.len()), (Some(Instant::from_millis(30)), 2));
    }

    #[test]
    fn only_earlier_deadlines_move_an_entry_and_it_stays_the_only_one() {
        let owner = owners(1)[0];
        let mut deadlines = Deadlines::default();
        for (at, next) in [(50, 50), (70, 50), (20, 20), (60, 20)] {
            deadlines.arm(Instant::from_millis(at), owner);
            assert_eq!((deadlines.next(), deadlines.len()), (Some(Instant::from_millis(next)), 1));
        }
        deadlines.disarm(owner);
        deadlines.disarm(owner);
        assert_eq!((deadlines.next(), deadlines.len()), (None, 0));
    }

    proptest! {
        #[test]
        fn it_is_a_map_with_the_earliest_in_front(
            steps in proptest::collection::vec((0usize..20, 0u64..50, 0u8..8), 0..300),
        ) {
            let owners = owners(20);
            let mut deadlines = Deadlines::default();
            let mut model: BTreeMap<Owner, Instant> = BTreeMap::new();
            for (owner, at, step) in steps {
                let (owner, at) = (owners[owner], Instant::from_millis(at));
                match step {
                    0 => {
                        deadlines.disarm(owner);
                        model.remove(&owner);
                    }
                    1 => {
                        let due = deadlines.pop_due(at);
                        let first = model.iter().map(|(owner, at)| (*at, *owner)).min();
                        prop_assert_eq!(due, first.filter(|(first, _)| *first <= at).map(|(_, owner)| owner));
                        due.map(|owner| model.remove(&owner));
                    }
                    _ => {
                        deadlines.arm(at, owner);
                        let entry = model.entry(owner).or_insert(at);
                        *entry = at.min(*entry);
                    }
                }
                prop_assert_eq!(deadlines.len(), model.len());
                prop_assert_eq!(deadlines.next(), model.values().min().copied());
            }
        }
    }
}
