//! The options of `sockeye sim grid`.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::options::parse_congestion;
use clap::{Args, ValueEnum};
use sockeye_core::lan::{BurstLength, Probability, Rate, parse_duration};
use sockeye_core::sim::grid::Cell;
use sockeye_core::transport::tcp::CongestionName;

/// `sockeye sim grid`.
#[derive(Args)]
pub(crate) struct GridOptions {
    #[command(flatten)]
    pub(crate) dimensions: Dimensions,
    /// One cell by its values, as "loss=1% burst=4 rtt=50ms rate=100mbit queue=1 reorder=1% jitter=10% ack-loss=20%
    /// flows=8"; repeatable. What is left out is that of a good path
    #[arg(long, value_name = "CELL")]
    pub(crate) cell: Vec<Cell>,
    /// Some forty cells in which every value occurs, instead of the whole grid
    #[arg(long, conflicts_with = "cell")]
    pub(crate) quick: bool,
    /// The congestion control of the senders
    #[arg(long, value_name = "NAME", value_parser = parse_congestion, default_value = "cubic")]
    pub(crate) congestion: CongestionName,
    /// The number that all chance follows from: the same seed, the same numbers
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long the flows without end send [default: 60 round-trip times; 10 s at least, and 40 s where
    /// flows share the path]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Do not measure how long transfers of 10 KB, 100 KB and 10 MB take
    #[arg(long)]
    pub(crate) no_transfers: bool,
    /// How the numbers are told
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Cells played at a time [default: one for each processor]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Instead of numbers, tell what happened in the cell, and what its connections knew, this often
    #[arg(long, value_name = "TIME", value_parser = parse_interval, requires = "cell",
          conflicts_with_all = ["quick", "no_transfers", "jobs", "format"])]
    pub(crate) trace: Option<Duration>,
}

/// The values of each dimension; every combination of them is a cell.
#[derive(Args)]
#[group(multiple = true, conflicts_with_all = ["cell", "quick"])]
#[command(next_help_heading = "Values, separated by commas; every combination is a cell")]
pub(crate) struct Dimensions {
    /// Shares of the data frames lost on the wire [default: 0,0.1%,1%,2%,5%]
    #[arg(long, value_name = "SHARES", value_delimiter = ',')]
    pub(crate) loss: Option<Vec<Probability>>,
    /// Mean lengths of bursts of losses, in frames; 1: each frame by itself [default: 1,4]
    #[arg(long, value_name = "FRAMES", value_delimiter = ',')]
    pub(crate) burst: Option<Vec<BurstLength>>,
    /// Round-trip times [default: 1ms,10ms,50ms,100ms,200ms]
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = parse_duration)]
    pub(crate) rtt: Option<Vec<Duration>>,
    /// Rates of the narrow place [default: 10mbit,100mbit,1gbit]
    #[arg(long, value_name = "RATES", value_delimiter = ',')]
    pub(crate) rate: Option<Vec<Rate>>,
    /// Its queues, in bandwidth-delay products [default: 0.25,1,4]
    #[arg(long, value_name = "PRODUCTS", value_delimiter = ',', value_parser = parse_queue)]
    pub(crate) queue: Option<Vec<f64>>,
    /// Shares of the data frames held back so that others overtake [default: 0,1%,5%]
    #[arg(long, value_name = "SHARES", value_delimiter = ',')]
    pub(crate) reorder: Option<Vec<Probability>>,
    /// By how much the delay varies, as a share of it [default: 0,10%]
    #[arg(long, value_name = "SHARES", value_delimiter = ',')]
    pub(crate) jitter: Option<Vec<Probability>>,
    /// Shares of the acknowledgements that are lost [default: 0]
    #[arg(long, value_name = "SHARES", value_delimiter = ',')]
    pub(crate) ack_loss: Option<Vec<Probability>>,
    /// Numbers of flows that share the path [default: 1]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = parse_flows)]
    pub(crate) flows: Option<Vec<usize>>,
}

/// How the numbers are told.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One line for each cell, with a line of names in front.
    Csv,
    /// One JSON object for each cell and line.
    Json,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(interval) if interval.is_zero() => Err("it takes some time from one look to the next".to_owned()),
        Ok(interval) => Ok(interval),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_queue(text: &str) -> Result<f64, String> {
    let cell: Cell = format!("queue={text}").parse().map_err(|error| format!("{error}"))?;
    Ok(cell.queue)
}

fn parse_flows(text: &str) -> Result<usize, String> {
    let cell: Cell = format!("flows={text}").parse().map_err(|error| format!("{error}"))?;
    Ok(cell.flows)
}
