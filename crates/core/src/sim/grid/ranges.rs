//! Sets of places in a stream.

use std::collections::BTreeMap;

/// A set of places, kept as ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds the places from `start` up to `end`.
    pub(super) fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        while let Some((&first, &last)) = self.0.range(..=end).next_back()
            && last >= start
        {
            self.0.remove(&first);
            start = start.min(first);
            end = end.max(last);
        }
        self.0.insert(start, end);
    }

    /// Whether all places from `start` up to `end` are in the set.
    pub(super) fn covers(&self, start: u64, end: u64) -> bool {
        self.0.range(..=start).next_back().is_some_and(|(_, &last)| last >= end)
    }

    /// The first place that is missing.
    pub(super) fn gap(&self) -> u64 {
        self.0.first_key_value().filter(|(start, _)| **start == 0).map_or(0, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_becomes_one() {
        let mut ranges = Ranges::default();
        assert_eq!((ranges.gap(), ranges.covers(0, 1)), (0, false));
        for (start, end) in [(5, 10), (20, 30), (10, 12), (40, 40)] {
            ranges.insert(start, end);
        }
        assert_eq!(ranges.0, BTreeMap::from([(5, 12), (20, 30)]));
        assert!(ranges.covers(5, 12) && ranges.covers(6, 7));
        assert!(!ranges.covers(5, 13) && !ranges.covers(4, 6) && !ranges.covers(12, 13));
        assert_eq!(ranges.gap(), 0);
        ranges.insert(0, 25);
        assert_eq!((ranges.0.len(), ranges.gap()), (1, 30));
    }
}
