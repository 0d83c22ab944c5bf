//! One cell of the grid: a path, by the numbers that make it easy or hard.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::lan::{
    BurstLength, Conditions, Duplex, Probability, QuantityError, QueueLimit, Rate, parse_duration,
};
use crate::time::Duration;

/// Bytes of the largest frame on the paths of the grid: a packet of 1,500 bytes and its Ethernet header.
pub const FRAME: usize = 1514;

/// A path with one narrow place, and how many flows share it. Losses, the narrow place and reordering are on the way of
/// the data; acknowledgements have the same rate and delay and, unless [`Cell::ack_loss`] says so, lose nothing.
///
/// ```
/// use sockeye_core::sim::grid::Cell;
/// let cell: Cell = "loss=1% burst=4 rtt=50ms rate=100mbit queue=1".parse()?;
/// assert_eq!(cell.bandwidth_delay_product(), 625_000);
/// assert_eq!(cell.to_string().parse(), Ok(cell));
/// assert!("rtt=5 furlongs".parse::<Cell>().is_err());
/// # Ok::<(), sockeye_core::sim::grid::CellError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The share of the data frames that is lost on the wire.
    pub loss: Probability,
    /// The mean length of bursts of losses; without it each frame is lost by itself.
    pub burst: Option<BurstLength>,
    /// The round-trip time of the empty path.
    pub rtt: Duration,
    /// The rate of the path, both ways.
    pub rate: Rate,
    /// How much may wait at the narrow place, in bandwidth-delay products; [`Cell::MINIMUM_QUEUE`] frames at least.
    pub queue: f64,
    /// The share of the data frames that is held back so that others overtake.
    pub reorder: Probability,
    /// By how much the delay of each direction varies, either way, as a share of it; order is kept.
    pub jitter: Probability,
    /// The share of the acknowledgements that is lost.
    pub ack_loss: Probability,
    /// How many connections send at a time.
    pub flows: usize,
}

impl Default for Cell {
    /// A good path: 50 ms, 100 Mbit/s, a queue of one bandwidth-delay product, one flow.
    fn default() -> Self {
        Cell {
            loss: Probability::NEVER,
            burst: None,
            rtt: Duration::from_millis(50),
            rate: Cell::FAST_ETHERNET,
            queue: 1.0,
            reorder: Probability::NEVER,
            jitter: Probability::NEVER,
            ack_loss: Probability::NEVER,
            flows: 1,
        }
    }
}

impl Cell {
    /// Frames that fit into the queue whatever the bandwidth-delay product is.
    pub const MINIMUM_QUEUE: usize = 4;
    /// The most flows of a cell.
    pub const MOST_FLOWS: usize = 256;
    const FAST_ETHERNET: Rate = match Rate::new(100_000_000) {
        Some(rate) => rate,
        None => panic!("a hundred million is not zero"),
    };

    /// Bytes that fill the empty path for one round-trip time.
    pub fn bandwidth_delay_product(&self) -> usize {
        (self.rate.bits_per_second() as f64 * self.rtt.as_secs_f64() / 8.0) as usize
    }

    /// Bytes that may wait at the narrow place.
    pub fn queue_bytes(&self) -> usize {
        ((self.bandwidth_delay_product() as f64 * self.queue) as usize).max(Cell::MINIMUM_QUEUE * FRAME)
    }

    /// The conditions of the cable: [`Duplex::up`] is the way of the data.
    pub fn conditions(&self) -> Duplex {
        let delay = self.rtt / 2;
        let both = Conditions {
            delay,
            jitter: delay.mul_f64(self.jitter.value()),
            rate: Some(self.rate),
            ..Conditions::default()
        };
        Duplex {
            up: Conditions {
                loss: self.loss,
                loss_burst: self.burst,
                reorder: self.reorder,
                queue: QueueLimit::Bytes(self.queue_bytes()),
                ..both
            },
            // Acknowledgements shall be lost by chance only, never because so many of them are small.
            down: Conditions { loss: self.ack_loss, queue: QueueLimit::Bytes(1 << 24), ..both },
        }
    }
}

impl fmt::Display for Cell {
    /// Every number of the cell, as [`Cell::from_str`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss={}", self.loss)?;
        if let Some(burst) = self.burst {
            write!(f, " burst={burst}")?;
        }
        write!(f, " rtt={:?} rate={} queue={}", self.rtt, self.rate, self.queue)?;
        for (name, share) in [("reorder", self.reorder), ("jitter", self.jitter), ("ack-loss", self.ack_loss)]
        {
            if !share.is_never() {
                write!(f, " {name}={share}")?;
            }
        }
        if self.flows != 1 {
            write!(f, " flows={}", self.flows)?;
        }
        Ok(())
    }
}

/// Text that is no cell.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CellError {
    /// One of its values is not written as it should be.
    #[error("{name}: {error}")]
    Quantity {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        error: QuantityError,
    },
    /// A number is out of its bounds, or none.
    #[error("`{text}` is not {expected}")]
    Number {
        /// What was read.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No such name.
    #[error(
        "`{0}` is no part of a cell: write NAME=VALUE with loss, burst, rtt, rate, queue, reorder, jitter, ack-loss or flows"
    )]
    Name(String),
}

impl FromStr for Cell {
    type Err = CellError;

    /// Reads `NAME=VALUE` pairs, separated by spaces or commas; what is not named is as in [`Cell::default`].
    fn from_str(text: &str) -> Result<Cell, CellError> {
        let mut cell = Cell::default();
        for part in text.split([' ', ',']).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| CellError::Name(part.to_owned()))?;
            let number = |expected| CellError::Number { text: value.to_owned(), expected };
            match name {
                "loss" => cell.loss = quantity("loss", value.parse())?,
                "burst" => cell.burst = Some(quantity("burst", value.parse())?),
                "rtt" => cell.rtt = quantity("rtt", parse_duration(value))?,
                "rate" => cell.rate = quantity("rate", value.parse())?,
                "queue" => {
                    let products = value.parse().ok().filter(|queue| (0.0..=1000.0).contains(queue));
                    cell.queue = products.ok_or_else(|| number("a queue in bandwidth-delay products"))?;
                }
                "reorder" => cell.reorder = quantity("reorder", value.parse())?,
                "jitter" => cell.jitter = quantity("jitter", value.parse())?,
                "ack-loss" => cell.ack_loss = quantity("ack-loss", value.parse())?,
                "flows" => {
                    let flows = value.parse().ok().filter(|flows| (1..=Cell::MOST_FLOWS).contains(flows));
                    cell.flows = flows.ok_or_else(|| number("a number of flows from 1 to 256"))?;
                }
                _ => return Err(CellError::Name(part.to_owned())),
            }
        }
        Ok(cell)
    }
}

fn quantity<T>(name: &'static str, value: Result<T, QuantityError>) -> Result<T, CellError> {
    value.map_err(|error| CellError::Quantity { name, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_what_it_writes() {
        let text =
            "loss=0.1% burst=4 rtt=1ms rate=1gbit queue=0.25 reorder=5% jitter=10% ack-loss=20% flows=64";
        assert_eq!(text.parse::<Cell>().map(|cell| cell.to_string()), Ok(text.to_owned()));
        assert_eq!("".parse(), Ok(Cell::default()));
        for text in ["rtt=50", "loss", "hops=3", "flows=0", "flows=257", "queue=-1", "queue=x", "loss=101%"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_queue_is_a_share_of_the_path() {
        let cell: Cell = "rtt=100ms rate=10mbit queue=0.25".parse().unwrap();
        assert_eq!((cell.bandwidth_delay_product(), cell.queue_bytes()), (125_000, 31_250));
        let tiny: Cell = "rtt=1ms rate=10mbit queue=0.25".parse().unwrap();
        assert_eq!(tiny.queue_bytes(), 4 * FRAME);
        assert_eq!(cell.conditions().up.delay, Duration::from_millis(50));
    }
}
