//! Which cells are played, how long, and which of them at a time.

use sockeye_core::sim::grid::Cell;
use sockeye_core::time::Duration;

/// Every value of every dimension, beside good ones and beside bad ones; what a real path may be like, and some that no
/// real path is.
const DEFAULT: [&str; 60] = [
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
    // Shared.
    "rtt=20ms rate=100mbit queue=1 flows=2",
    "rtt=20ms rate=100mbit queue=1 flows=8",
    "rtt=20ms rate=100mbit queue=1 flows=64",
];

/// The cells above, those whose text has all of `words`.
pub(crate) fn default(words: &[String]) -> Vec<Cell> {
    let cells = DEFAULT.iter().filter_map(|text| text.parse::<Cell>().ok());
    cells
        .filter(|cell| {
            let text = cell.to_string();
            words.iter().all(|word| text.split(' ').any(|part| part == word))
        })
        .collect()
}

/// How long flows without end send in a cell: long enough to grow again after a loss, and for many flows to settle.
pub(crate) fn duration(cell: &Cell) -> Duration {
    match cell.flows {
        1 => (cell.rtt * 100).clamp(Duration::from_secs(4), Duration::from_secs(10)),
        _ => Duration::from_secs(20),
    }
}

/// What a cell takes of this machine, by what its flows can send: as a share of a core.
pub(crate) fn load(cell: &Cell) -> f64 {
    let rate = cell.rate.bits_per_second() as f64;
    // The well-known bound of a window that every loss halves: 1.2 segments in a round-trip time, over the root of the loss.
    let loss = cell.loss.value();
    let bound = if loss > 0.0 { 1.5 * 1460.0 * 8.0 / (cell.rtt.as_secs_f64() * loss.sqrt()) } else { rate };
    // A core carries some 1.2 Gbit/s of full frames, and there is the kernel's part too.
    rate.min(bound) / 4e8 + 0.03
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_are_cells_and_no_two_are_the_same() {
        let mut texts: Vec<String> = default(&[]).iter().map(Cell::to_string).collect();
        assert_eq!(texts.len(), DEFAULT.len());
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), DEFAULT.len());
    }

    #[test]
    fn words_choose() {
        let chosen = default(&["loss=1%".to_owned(), "rate=10mbit".to_owned()]);
        assert!(!chosen.is_empty() && chosen.len() < 10, "{}", chosen.len());
        assert!(chosen.iter().all(|cell| cell.to_string().starts_with("loss=1% ")));
        assert!(default(&["loss=7%".to_owned()]).is_empty());
    }
}
