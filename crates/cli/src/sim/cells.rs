//! Which cells are played.

use std::time::Duration;

use sockeye_core::lan::{BurstLength, Probability, Rate};
use sockeye_core::sim::grid::Cell;

use super::options::{Dimensions, GridOptions};

const LOSS: [&str; 5] = ["0", "0.1%", "1%", "2%", "5%"];
const BURST: [&str; 2] = ["1", "4"];
const RTT: [u64; 5] = [1, 10, 50, 100, 200];
const RATE: [u64; 3] = [10_000_000, 100_000_000, 1_000_000_000];
const QUEUE: [f64; 3] = [0.25, 1.0, 4.0];
const REORDER: [&str; 3] = ["0", "1%", "5%"];
const JITTER: [&str; 2] = ["0", "10%"];

/// Cells outside the product of all values: shared paths, lost acknowledgements, a path that takes as long as a time-out.
const BESIDES: [&str; 10] = [
    "rtt=10ms rate=10mbit flows=2",
    "rtt=50ms rate=100mbit flows=2",
    "rtt=10ms rate=10mbit flows=8",
    "rtt=50ms rate=100mbit flows=8",
    "rtt=10ms rate=100mbit flows=64",
    "rtt=50ms rate=100mbit flows=64",
    "rtt=10ms rate=100mbit ack-loss=20%",
    "rtt=50ms rate=10mbit ack-loss=20%",
    "rtt=180ms rate=10mbit",
    "rtt=180ms rate=10mbit jitter=10%",
];

/// A small grid: each value beside good ones, and some that are bad together.
const QUICK: [&str; 32] = [
    "rtt=1ms rate=10mbit",
    "rtt=1ms rate=100mbit",
    "rtt=10ms rate=10mbit queue=4",
    "rtt=10ms rate=1gbit",
    "rtt=50ms rate=10mbit",
    "rtt=50ms rate=100mbit queue=0.25",
    "rtt=50ms rate=100mbit",
    "rtt=50ms rate=100mbit queue=4",
    "rtt=100ms rate=100mbit",
    "rtt=200ms rate=10mbit",
    "rtt=200ms rate=100mbit",
    "loss=0.1% rtt=10ms rate=100mbit",
    "loss=0.1% rtt=50ms rate=100mbit",
    "loss=0.1% burst=4 rtt=50ms rate=100mbit",
    "loss=1% rtt=1ms rate=100mbit",
    "loss=1% rtt=10ms rate=100mbit",
    "loss=1% rtt=50ms rate=10mbit",
    "loss=1% burst=4 rtt=50ms rate=100mbit",
    "loss=1% rtt=200ms rate=10mbit",
    "loss=2% rtt=50ms rate=100mbit",
    "loss=2% burst=4 rtt=10ms rate=10mbit",
    "loss=5% rtt=1ms rate=100mbit",
    "loss=5% rtt=50ms rate=10mbit",
    "loss=5% burst=4 rtt=100ms rate=10mbit",
    "rtt=10ms rate=100mbit reorder=1%",
    "rtt=50ms rate=100mbit reorder=1%",
    "rtt=50ms rate=10mbit reorder=5%",
    "rtt=200ms rate=10mbit reorder=5%",
    "rtt=50ms rate=100mbit jitter=10%",
    "loss=1% rtt=50ms rate=10mbit jitter=10%",
    "loss=1% rtt=50ms rate=10mbit reorder=1%",
    "loss=1% rtt=50ms rate=100mbit jitter=10% reorder=5%",
];

/// The cells that the options ask for.
pub(super) fn chosen(options: &GridOptions) -> Vec<Cell> {
    if !options.cell.is_empty() {
        return options.cell.clone();
    }
    if options.quick {
        return named(&QUICK).chain(named(&BESIDES)).collect();
    }
    let mut cells = product(&options.dimensions);
    if options.dimensions.are_defaults() {
        cells.extend(named(&BESIDES));
    }
    cells
}

/// Cells written in this file, where a test reads each.
fn named(texts: &[&str]) -> impl Iterator<Item = Cell> {
    texts.iter().filter_map(|text| text.parse().ok())
}

fn product(dimensions: &Dimensions) -> Vec<Cell> {
    let shares = |given: &Option<Vec<Probability>>, texts: &[&str]| {
        given.clone().unwrap_or_else(|| texts.iter().filter_map(|text| text.parse().ok()).collect())
    };
    let losses = shares(&dimensions.loss, &LOSS);
    let bursts = dimensions.burst.clone();
    let bursts: Vec<BurstLength> =
        bursts.unwrap_or_else(|| BURST.iter().filter_map(|text| text.parse().ok()).collect());
    let rtts = dimensions.rtt.clone().unwrap_or_else(|| RTT.map(Duration::from_millis).to_vec());
    let rates = dimensions.rate.clone();
    let rates = rates.unwrap_or_else(|| RATE.into_iter().filter_map(Rate::new).collect());
    let queues = dimensions.queue.clone().unwrap_or_else(|| QUEUE.to_vec());
    let reorders = shares(&dimensions.reorder, &REORDER);
    let jitters = shares(&dimensions.jitter, &JITTER);
    let ack_losses = shares(&dimensions.ack_loss, &["0"]);
    let flows = dimensions.flows.clone().unwrap_or_else(|| vec![1]);

    let mut cells = vec![Cell::default()];
    spread(&mut cells, &losses, |cell, loss| cell.loss = loss);
    // A burst of no loss is no other cell.
    let (lossy, lossless): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(|cell| !cell.loss.is_never());
    cells = lossy;
    spread(&mut cells, &bursts, |cell, burst| cell.burst = Some(burst).filter(|burst| burst.frames() > 1.0));
    cells.splice(0..0, lossless);
    spread(&mut cells, &rtts, |cell, rtt| cell.rtt = rtt);
    spread(&mut cells, &rates, |cell, rate| cell.rate = rate);
    spread(&mut cells, &queues, |cell, queue| cell.queue = queue);
    spread(&mut cells, &reorders, |cell, reorder| cell.reorder = reorder);
    spread(&mut cells, &jitters, |cell, jitter| cell.jitter = jitter);
    spread(&mut cells, &ack_losses, |cell, loss| cell.ack_loss = loss);
    spread(&mut cells, &flows, |cell, flows| cell.flows = flows);
    cells
}

/// Each cell with each value.
fn spread<T: Copy>(cells: &mut Vec<Cell>, values: &[T], set: impl Fn(&mut Cell, T)) {
    let with = |cell: &Cell, value: T| {
        let mut cell = *cell;
        set(&mut cell, value);
        cell
    };
    *cells = cells.iter().flat_map(|cell| values.iter().map(|value| with(cell, *value))).collect();
}

impl Dimensions {
    fn are_defaults(&self) -> bool {
        let given = [
            self.loss.is_some(),
            self.burst.is_some(),
            self.rtt.is_some(),
            self.rate.is_some(),
            self.queue.is_some(),
            self.reorder.is_some(),
            self.jitter.is_some(),
            self.ack_loss.is_some(),
            self.flows.is_some(),
        ];
        !given.contains(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_written_here_is_one() {
        for texts in [&QUICK[..], &BESIDES] {
            for text in texts {
                text.parse::<Cell>().unwrap_or_else(|error| panic!("{text}: {error}"));
            }
        }
    }

    #[test]
    fn the_whole_grid_has_each_combination_once() {
        let nothing = Dimensions {
            loss: None,
            burst: None,
            rtt: None,
            rate: None,
            queue: None,
            reorder: None,
            jitter: None,
            ack_loss: None,
            flows: None,
        };
        let cells = product(&nothing);
        // Each loss but none comes by itself and in bursts.
        assert_eq!(cells.len(), 9 * 5 * 3 * 3 * 3 * 2);
        let mut texts: Vec<String> = cells.iter().map(Cell::to_string).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), cells.len());
    }
}
