//! Everything that waits, waits here: one heap of deadlines, lazily kept.
//!
//! A connection's earliest deadline moves with every segment. Moving it in the heap each time would cost more than the
//! segment, so an entry stays where it is when the deadline moves *later*: when it comes up, its owner is asked again.
//! Only a deadline that moves *earlier* is put in anew, and the older entry is recognised as stale by its time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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

/// The deadlines of one host.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Owner)>>,
}

impl Deadlines {
    /// Puts a deadline in.
    pub(super) fn push(&mut self, at: Instant, owner: Owner) {
        self.heap.push(Reverse((at, owner)));
    }

    /// The earliest entry's time: no deadline is before it.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out an entry that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Owner)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn entries_come_up_in_order_of_time_and_not_before() {
        let mut table = Table::new();
        let owners: Vec<_> = (0..5).map(|_| Owner::Socket(table.insert(()).unwrap())).collect();
        let mut deadlines = Deadlines::default();
        for (place, owner) in owners.iter().enumerate() {
            deadlines.push(Instant::from_millis(10 * (place as u64 * 3 % 5)), *owner);
        }
        assert_eq!(deadlines.next(), Some(Instant::ZERO));
        let mut order = Vec::new();
        while let Some((at, owner)) = deadlines.pop_due(Instant::from_millis(29)) {
            order.push((at.as_millis(), owner));
        }
        assert_eq!(order, [(0, owners[0]), (10, owners[2]), (20, owners[4])]);
        assert_eq!(deadlines.next(), Some(Instant::from_millis(30)));
    }
}
