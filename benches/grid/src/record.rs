//! One line for each time a cell was played, as it stands in the file of results.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sockeye_core::sim::grid::Cell;
use sockeye_core::time::Duration;

use crate::cells::Set;
use crate::pair::Pair;
use crate::play::Played;

/// What came of a cell, a pair and a repetition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) set: String,
    pub(crate) cell: String,
    pub(crate) pair: String,
    pub(crate) seed: u64,
    pub(crate) goodput_mbit: f64,
    pub(crate) segments: u64,
    pub(crate) needed: u64,
    pub(crate) spurious: u64,
    pub(crate) timeouts: u64,
    pub(crate) timeouts_spurious: u64,
    pub(crate) delay_p99_ms: Option<f64>,
    pub(crate) completion_10kb_ms: Option<f64>,
    pub(crate) completion_100kb_ms: Option<f64>,
    pub(crate) completion_10mb_ms: Option<f64>,
    pub(crate) jain: f64,
    pub(crate) least_share: f64,
    /// Of two stacks that share the path, ours.
    pub(crate) our_share: Option<f64>,
    /// How late this program was on average to do what was due, in microseconds.
    pub(crate) late_us: f64,
    /// The worst of that.
    pub(crate) late_worst_us: f64,
    /// Frames lost elsewhere than on the cable.
    pub(crate) refused: u64,
}

impl Record {
    pub(crate) fn new(set: Set, cell: &Cell, pair: Pair, seed: u64, played: &Played) -> Record {
        let [small, medium] = played.small;
        Record {
            set: set.to_string(),
            cell: cell.to_string(),
            pair: pair.to_string(),
            seed,
            goodput_mbit: rounded(played.goodput / 1e6),
            segments: played.segments,
            needed: played.needed,
            spurious: played.spurious,
            timeouts: played.timeouts,
            timeouts_spurious: played.spurious_timeouts,
            delay_p99_ms: played.delay_99.map(milliseconds),
            completion_10kb_ms: small.map(milliseconds),
            completion_100kb_ms: medium.map(milliseconds),
            completion_10mb_ms: played.large.map(milliseconds),
            jain: rounded(played.fairness),
            least_share: rounded(played.least),
            our_share: played.ours.map(rounded),
            late_us: rounded(played.lateness.mean().as_secs_f64() * 1e6),
            late_worst_us: rounded(played.lateness.worst.as_secs_f64() * 1e6),
            refused: played.refused,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e3)
}

/// Three decimals: what is behind them is no result.
fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

/// Writes records into a file.
pub(crate) fn write(path: &Path, records: &[Record]) -> io::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    records.iter().try_for_each(|record| writer.serialize(record))?;
    writer.flush()
}

/// Reads what [`write()`] wrote.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Record>> {
    let mut reader = csv::Reader::from_path(path)?;
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

/// The middle of some numbers, none of none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        odd if odd % 2 == 1 => numbers.get(half).copied(),
        _ => Some((numbers.get(half - 1)? + numbers.get(half)?) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
