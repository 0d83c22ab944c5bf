//! Which cells are played, how long, and which of them at a time.

use std::fmt;
use std::str::FromStr;

use sockeye_core::sim::grid::Cell;
use sockeye_core::time::Duration;

use crate::pair::{Control, Pair};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// One flow on a path of its own.
    Alone,
    /// Several flows in one queue.
    Shared,
    /// The paths that other stacks are played on too.
    Peers,
}

impl Set {
    const NAMES: [(Set, &str); 3] = [(Set::Alone, "alone"), (Set::Shared, "shared"), (Set::Peers, "peers")];

    /// The pairs that are compared in it, in turn.
    pub(crate) fn compared(self) -> Vec<Pair> {
        let texts: &[&str] = match self {
            Set::Alone => {
                &["linux>linux:cubic", "sockeye>sockeye:cubic", "linux>linux:bbr", "sockeye>sockeye:bbr"]
            }
            Set::Shared => &[
                "linux>linux:cubic",
                "sockeye>sockeye:cubic",
                "both>linux:cubic",
                "linux>linux:bbr",
                "sockeye>sockeye:bbr",
                "both>linux:bbr",
            ],
            // All to the same receiver.
            Set::Peers => &[
                "linux>linux:cubic",
                "sockeye>linux:cubic",
                "smoltcp>linux:own",
                "smoltcp>linux:cubic",
                "lwip>linux:own",
                "ipstack>linux:own",
            ],
        };
        pairs(texts)
    }

    /// The pairs that are played once in it.
    pub(crate) fn besides(self) -> Vec<Pair> {
        match self {
            Set::Alone => pairs(&["sockeye>linux:cubic", "linux>sockeye:cubic"]),
            Set::Shared | Set::Peers => Vec::new(),
        }
    }

    fn texts(self) -> &'static [&'static str] {
        match self {
            Set::Alone => &ALONE,
            Set::Shared => &SHARED,
            Set::Peers => &PEERS,
        }
    }

    /// How often the pairs are compared in a cell: the longer the flows and the more of them there are, the less chance decides.
    pub(crate) fn repeats(self, cell: &Cell) -> u64 {
        match self {
            Set::Alone if cell.rate.bits_per_second() < 1_000_000_000 => 3,
            _ => 2,
        }
    }

    /// Its cells, those whose text has all of `words`.
    pub(crate) fn cells(self, words: &[String]) -> Vec<Cell> {
        let cells = self.texts().iter().filter_map(|text| text.parse::<Cell>().ok());
        cells
            .filter(|cell| {
                let text = cell.to_string();
                words.iter().all(|word| text.split(' ').any(|part| part == word))
            })
            .collect()
    }

    /// Whether a cell that somebody asks for belongs here.
    pub(crate) fn admits(self, cell: &Cell) -> bool {
        (cell.flows > 1) == (self == Set::Shared)
    }

    /// How long flows without end send.
    pub(crate) fn duration(self, cell: &Cell) -> Duration {
        match self {
            // Long enough to grow again after a loss.
            Set::Alone => (cell.rtt * 100).clamp(Duration::from_secs(4), Duration::from_secs(10)),
            Set::Shared => Duration::from_secs(40),
            // A stack with timers of half a second shall have time to use them.
            Set::Peers => Duration::from_secs(10),
        }
    }

    /// How much of that time passes before it is looked at how the flows share the path: until they have settled.
    pub(crate) fn settling(self, cell: &Cell) -> Duration {
        self.duration(cell) / 2
    }

    /// What a cell takes of this machine, by what its flows can send: as a share of a core.
    pub(crate) fn load(self, cell: &Cell, control: Control) -> f64 {
        let rate = cell.rate.bits_per_second() as f64;
        // The well-known bound of a window that every loss halves: 1.2 segments in a round-trip time, over the root of the
        // loss. BBR knows no such bound.
        let loss = cell.loss.value();
        let bound =
            if loss > 0.0 { 1.5 * 1460.0 * 8.0 / (cell.rtt.as_secs_f64() * loss.sqrt()) } else { rate };
        let bound = if control == Control::Bbr { rate } else { bound };
        // A core carries some 1.2 Gbit/s of full frames, and there is the kernel's part too.
        rate.min(bound) / 4e8 + 0.03
    }
}

fn pairs(texts: &[&str]) -> Vec<Pair> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Set::NAMES.iter().find(|(set, _)| set == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Set, String> {
        let found = Set::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(set, _)| *set).ok_or_else(|| format!("`{text}` is no set: alone, shared and peers are"))
    }
}

/// Every value of every dimension, beside good ones and beside bad ones; what a real path may be like, and some that no
/// real path is.
const ALONE: [&str; 57] = [
    // Clean, of every length, rate and queue.
    "rtt=1ms rate=10mbit queue=1",
    "rtt=1ms rate=100mbit queue=1",
    "rtt=1ms rate=1gbit queue=1",
    "rtt=10ms rate=10mbit queue=0.25",
    "rtt=10ms rate=10mbit queue=1",
    "rtt=10ms rate=100mbit queue=1",
    "rtt=10ms rate=100mbit queue=4",
    "rtt=10ms rate=1gbit queue=1",
    "rtt=50ms rate=10mbit queue=0.25",
    "rtt=50ms rate=10mbit queue=1",
    "rtt=50ms rate=10mbit queue=4",
    "rtt=50ms rate=100mbit queue=0.25",
    "rtt=50ms rate=100mbit queue=1",
    "rtt=50ms rate=100mbit queue=4",
    "rtt=50ms rate=1gbit queue=1",
    "rtt=100ms rate=10mbit queue=1",
    "rtt=100ms rate=100mbit queue=1",
    "rtt=180ms rate=10mbit queue=1",
    "rtt=200ms rate=10mbit queue=0.25",
    "rtt=200ms rate=10mbit queue=4",
    "rtt=200ms rate=100mbit queue=1",
    // Random losses.
    "loss=0.1% rtt=1ms rate=100mbit queue=1",
    "loss=0.1% rtt=10ms rate=100mbit queue=1",
    "loss=0.1% rtt=50ms rate=10mbit queue=1",
    "loss=0.1% rtt=50ms rate=100mbit queue=1",
    "loss=0.1% rtt=200ms rate=100mbit queue=1",
    "loss=1% rtt=1ms rate=100mbit queue=1",
    "loss=1% rtt=10ms rate=10mbit queue=1",
    "loss=1% rtt=10ms rate=1gbit queue=1",
    "loss=1% rtt=50ms rate=10mbit queue=0.25",
    "loss=1% rtt=50ms rate=100mbit queue=1",
    "loss=1% rtt=100ms rate=10mbit queue=4",
    "loss=1% rtt=200ms rate=10mbit queue=1",
    "loss=2% rtt=1ms rate=10mbit queue=1",
    "loss=2% rtt=10ms rate=100mbit queue=1",
    "loss=2% rtt=50ms rate=10mbit queue=1",
    "loss=2% rtt=100ms rate=100mbit queue=1",
    "loss=5% rtt=1ms rate=100mbit queue=1",
    "loss=5% rtt=10ms rate=10mbit queue=1",
    "loss=5% rtt=50ms rate=100mbit queue=1",
    "loss=5% rtt=100ms rate=10mbit queue=1",
    // Losses in bursts.
    "loss=0.1% burst=4 rtt=50ms rate=100mbit queue=1",
    "loss=1% burst=4 rtt=10ms rate=100mbit queue=1",
    "loss=1% burst=4 rtt=100ms rate=10mbit queue=1",
    "loss=2% burst=4 rtt=50ms rate=10mbit queue=1",
    "loss=5% burst=4 rtt=10ms rate=10mbit queue=1",
    "loss=5% burst=4 rtt=50ms rate=10mbit queue=1",
    // Reordering and jitter.
    "rtt=10ms rate=100mbit queue=1 reorder=1%",
    "rtt=50ms rate=10mbit queue=1 reorder=5%",
    "rtt=50ms rate=100mbit queue=1 reorder=1%",
    "rtt=200ms rate=10mbit queue=1 reorder=5%",
    "rtt=50ms rate=100mbit queue=1 jitter=10%",
    "rtt=50ms rate=10mbit queue=1 reorder=1% jitter=10%",
    "loss=1% rtt=50ms rate=10mbit queue=1 reorder=1%",
    "loss=1% rtt=50ms rate=10mbit queue=1 jitter=10%",
    // Acknowledgements lost.
    "rtt=10ms rate=100mbit queue=1 ack-loss=20%",
    "rtt=50ms rate=10mbit queue=1 ack-loss=20%",
];

/// Few, some and many flows with equal round-trip times.
const SHARED: [&str; 3] = [
    "rtt=20ms rate=100mbit queue=1 flows=2",
    "rtt=20ms rate=100mbit queue=1 flows=8",
    "rtt=20ms rate=100mbit queue=1 flows=64",
];

/// One or two of each kind, not so fast that a stack is judged by what its program costs.
const PEERS: [&str; 12] = [
    "rtt=10ms rate=10mbit queue=1",
    "rtt=10ms rate=100mbit queue=1",
    "rtt=50ms rate=10mbit queue=1",
    "rtt=50ms rate=100mbit queue=1",
    "rtt=200ms rate=10mbit queue=1",
    "loss=0.1% rtt=10ms rate=100mbit queue=1",
    "loss=1% rtt=10ms rate=10mbit queue=1",
    "loss=1% burst=4 rtt=10ms rate=100mbit queue=1",
    "loss=2% rtt=50ms rate=10mbit queue=1",
    "rtt=50ms rate=10mbit queue=1 reorder=5%",
    "rtt=50ms rate=10mbit queue=1 jitter=10%",
    "rtt=50ms rate=10mbit queue=1 ack-loss=20%",
];

#[cfg(test)]
mod tests {
    use super::*;

    const SETS: [Set; 3] = [Set::Alone, Set::Shared, Set::Peers];

    #[test]
    fn the_cells_are_cells_that_their_sets_admit_and_no_two_are_the_same() {
        for set in SETS {
            let mut texts: Vec<String> = set.cells(&[]).iter().map(Cell::to_string).collect();
            assert!(set.cells(&[]).iter().all(|cell| set.admits(cell)), "{set}");
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), set.texts().len(), "{set}");
        }
    }

    #[test]
    fn the_pairs_are_pairs_and_the_names_are_read() {
        assert_eq!(SETS.map(|set| set.compared().len() + set.besides().len()), [6, 6, 6]);
        for set in SETS {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        assert!("crowded".parse::<Set>().is_err());
    }

    /// What the grid promises to look at: each value in some cell.
    #[test]
    fn every_value_of_every_dimension_occurs() {
        let cells = Set::Alone.cells(&[]);
        let texts: Vec<String> = cells.iter().map(Cell::to_string).collect();
        let values = "loss=0% loss=0.1% loss=1% loss=2% loss=5% burst=4 rtt=1ms rtt=10ms rtt=50ms rtt=100ms rtt=180ms \
                      rtt=200ms rate=10mbit rate=100mbit rate=1gbit queue=0.25 queue=1 queue=4 reorder=1% reorder=5% \
                      jitter=10% ack-loss=20%";
        for value in values.split_whitespace() {
            assert!(texts.iter().any(|text| text.split(' ').any(|part| part == value)), "{value}");
        }
        let flows: Vec<usize> = Set::Shared.cells(&[]).iter().map(|cell| cell.flows).collect();
        assert_eq!(flows, [2, 8, 64]);
    }

    #[test]
    fn words_choose() {
        let chosen = Set::Alone.cells(&["loss=1%".to_owned(), "rate=10mbit".to_owned()]);
        assert!(!chosen.is_empty() && chosen.len() < 10, "{}", chosen.len());
        assert!(chosen.iter().all(|cell| cell.to_string().starts_with("loss=1% ")));
        assert!(Set::Alone.cells(&["loss=7%".to_owned()]).is_empty());
    }
}
