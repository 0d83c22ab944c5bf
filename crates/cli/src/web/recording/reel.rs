//! The rows of a recording: the newest in full, older ones as summaries, so that memory stays bounded however long it goes on.
//!
//! Rows are numbered, and a row in full keeps its number for ever. Summaries stand before them and have the numbers just below:
//! those change as more rows are summarised. So the numbers have no gaps.

use std::collections::VecDeque;

use serde_json::{Value, json};
use sockeye_core::time::{Duration, Instant};

use super::row::{Event, Row};
use super::told;

/// Rows that are kept in full.
const ROWS: usize = 100_000;
/// Bytes of frames that are kept.
const BYTES: usize = 96 << 20;
/// What one summary is about, at first.
const SPAN: Duration = Duration::from_millis(100);
/// Summaries that are kept; when there are more, two become one.
const SUMMARIES: usize = 8192;

/// Frames that are only counted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// When the first of them was sent.
    pub(crate) from: Instant,
    /// And the last.
    pub(crate) until: Instant,
    /// How many.
    pub(crate) frames: u64,
    /// How many of them were lost.
    pub(crate) lost: u64,
    /// How many were sent again.
    pub(crate) again: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl Summary {
    fn of(row: &Row) -> Summary {
        let mut summary = Summary { from: row.at, until: row.at, frames: 0, lost: 0, again: 0, bytes: 0 };
        if let Event::Frame(frame) = &row.event {
            summary.frames = 1;
            summary.lost = frame.loss().is_some().into();
            summary.again = frame.tcp.is_some_and(|tcp| tcp.first.is_some()).into();
            summary.bytes = frame.bytes.len() as u64;
        }
        summary
    }

    fn with(self, other: Summary) -> Summary {
        Summary {
            from: self.from.min(other.from),
            until: self.until.max(other.until),
            frames: self.frames + other.frames,
            lost: self.lost + other.lost,
            again: self.again + other.again,
            bytes: self.bytes + other.bytes,
        }
    }

    fn tell(&self, number: u64, start: Instant) -> Value {
        json!({
            "row": number,
            "time": told::seconds(self.from, start),
            "kind": "summary",
            "until": told::seconds(self.until, start),
            "frames": self.frames,
            "lost": self.lost,
            "again": self.again,
            "bytes": self.bytes,
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Reel {
    rows: VecDeque<Row>,
    /// The number of the first of them.
    first: u64,
    bytes: usize,
    summaries: VecDeque<Summary>,
    summarised: u64,
    span: Duration,
}

impl Reel {
    /// Nothing yet.
    pub(crate) fn new() -> Reel {
        Reel {
            rows: VecDeque::new(),
            first: 0,
            bytes: 0,
            summaries: VecDeque::new(),
            summarised: 0,
            span: SPAN,
        }
    }

    /// The number of the first row, in full or as a summary.
    pub(crate) fn first(&self) -> u64 {
        self.first - self.summaries.len() as u64
    }

    /// The number of the first row in full.
    pub(crate) fn first_whole(&self) -> u64 {
        self.first
    }

    /// The number behind the last row: the next one's.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// How many frames are only counted any more.
    pub(crate) fn summarised(&self) -> u64 {
        self.summarised
    }

    /// Adds a row. Those that have no place any more are shown to `farewell`, the oldest first.
    pub(crate) fn push(&mut self, row: Row, mut farewell: impl FnMut(&Row)) {
        self.bytes += row.size();
        self.rows.push_back(row);
        while self.rows.len() > ROWS || self.bytes > BYTES {
            let Some(row) = self.rows.pop_front() else { return };
            self.first += 1;
            self.bytes -= row.size();
            farewell(&row);
            self.summarise(Summary::of(&row));
        }
    }

    fn summarise(&mut self, summary: Summary) {
        self.summarised += summary.frames;
        match self.summaries.back_mut() {
            Some(last) if summary.until.since(last.from) < self.span => *last = last.with(summary),
            _ => self.summaries.push_back(summary),
        }
        if self.summaries.len() > SUMMARIES {
            self.span *= 2;
            let all: Vec<Summary> = self.summaries.drain(..).collect();
            self.summaries =
                all.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Summary::with)).collect();
        }
    }

    /// The row of this number, where it is there in full.
    pub(crate) fn get(&self, number: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The same, to be completed.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The rows in full with their numbers.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Row)> + ExactSizeIterator {
        let first = self.first;
        self.rows.iter().enumerate().map(move |(place, row)| (first + place as u64, row))
    }

    /// Up to `count` rows from a number on, as they are told.
    pub(crate) fn tell(&self, from: u64, count: usize, start: Instant) -> Vec<Value> {
        let from = from.max(self.first());
        let end = self.end().min(from.saturating_add(count as u64));
        (from..end)
            .filter_map(|number| match self.get(number) {
                Some(row) => Some(row.tell(number, start)),
                None => {
                    let place = usize::try_from(number - self.first()).ok()?;
                    Some(self.summaries.get(place)?.tell(number, start))
                }
            })
            .collect()
    }

    /// The number of the first row at or after a moment.
    pub(crate) fn find(&self, at: Instant) -> u64 {
        if self.rows.front().is_none_or(|row| row.at >= at) {
            let place = self.summaries.partition_point(|summary| summary.until < at);
            return self.first() + place as u64;
        }
        self.first + self.rows.partition_point(|row| row.at < at) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_core::drop_reason::DropReason;

    #[test]
    fn numbers_have_no_gaps_and_rows_keep_theirs() {
        let mut reel = Reel::new();
        let mut gone = 0;
        for millis in 0..ROWS as u64 + 1000 {
            let event = Event::Drop(0, DropReason::Malformed);
            let row = Row { at: Instant::from_millis(millis), connection: None, event };
            reel.push(row, |_| gone += 1);
        }
        assert_eq!((gone, reel.first_whole(), reel.end()), (1000, 1000, ROWS as u64 + 1000));
        assert_eq!(reel.first(), 990, "ten summaries of 100 ms");
        assert_eq!(reel.get(1000).unwrap().at, Instant::from_millis(1000));
        let told = reel.tell(0, 12, Instant::ZERO);
        let numbers: Vec<u64> = told.iter().map(|row| row["row"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (990..1002).collect::<Vec<_>>());
        assert_eq!((told[9]["kind"].as_str(), told[10]["kind"].as_str()), (Some("summary"), Some("drop")));
        assert_eq!(reel.find(Instant::from_millis(5000)), 5000);
        assert_eq!(reel.find(Instant::from_millis(250)), 992);
        assert_eq!(reel.find(Instant::MAX), reel.end());
    }
}
