//! How the numbers of the grid are told.

use std::io::{self, Write, stdout};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use sockeye_core::sim::grid::{Cell, Measured};

use super::options::{Format, GridOptions};
use crate::failure::{Code, Failure};

/// A cell and its numbers, as CSV and JSON name them.
#[derive(Serialize)]
struct Row {
    loss: f64,
    burst: Option<f64>,
    rtt_ms: f64,
    rate_mbit: f64,
    queue_bdp: f64,
    reorder: f64,
    jitter: f64,
    ack_loss: f64,
    flows: usize,
    congestion: String,
    seed: u64,
    goodput_mbit: f64,
    utilization: f64,
    segments: u64,
    retransmitted_needed: u64,
    retransmitted_spurious: u64,
    lost: u64,
    queue_full: u64,
    timeouts: u64,
    timeouts_spurious: u64,
    delay_p99_ms: Option<f64>,
    completion_10kb_ms: Option<f64>,
    completion_100kb_ms: Option<f64>,
    completion_10mb_ms: Option<f64>,
    jain: f64,
    least_share: f64,
}

impl Row {
    fn new(cell: &Cell, measured: &Measured, options: &GridOptions) -> Row {
        let counts = measured.counts;
        let rate = cell.rate.bits_per_second() as f64;
        let completion = |place: usize| measured.completion.get(place).copied().flatten().map(milliseconds);
        Row {
            loss: cell.loss.value(),
            burst: cell.burst.map(|burst| burst.frames()),
            rtt_ms: milliseconds(cell.rtt),
            rate_mbit: rate / 1e6,
            queue_bdp: cell.queue,
            reorder: cell.reorder.value(),
            jitter: cell.jitter.value(),
            ack_loss: cell.ack_loss.value(),
            flows: cell.flows,
            congestion: options.congestion.to_string(),
            seed: options.seed,
            goodput_mbit: rounded(measured.goodput / 1e6),
            utilization: rounded(measured.goodput / rate),
            segments: counts.segments,
            retransmitted_needed: counts.needed,
            retransmitted_spurious: counts.spurious,
            lost: counts.lost,
            queue_full: counts.queue_full,
            timeouts: counts.timeouts,
            timeouts_spurious: counts.spurious_timeouts,
            delay_p99_ms: measured.delay_99.map(milliseconds),
            completion_10kb_ms: completion(0),
            completion_100kb_ms: completion(1),
            completion_10mb_ms: completion(2),
            jain: rounded(measured.fairness),
            least_share: rounded(measured.least),
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

/// Prints the numbers of all cells.
pub(super) fn print(rows: &[(Cell, Measured)], options: &GridOptions) -> Result<(), Failure> {
    let told = rows.iter().map(|(cell, measured)| Row::new(cell, measured, options));
    let mut text = Vec::new();
    match options.format {
        Format::Table => table(rows).lines().try_for_each(|line| writeln!(text, "{line}")),
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(&mut text);
            told.into_iter().try_for_each(|row| writer.serialize(row).map_err(io::Error::from))
        }
        Format::Json => told.into_iter().try_for_each(|row| {
            serde_json::to_writer(&mut text, &row)?;
            writeln!(text)
        }),
    }
    .and_then(|()| stdout().write_all(&text))
    .map_err(|error| Failure::new(Code::Network, format!("cannot write: {error}")))
}

fn table(rows: &[(Cell, Measured)]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    let mut names = vec!["cell", "Mbit/s", "of rate", "again", "spurious", "RTO", "spurious", "p99 delay"];
    let has_transfers = rows.iter().any(|(_, measured)| !measured.completion.is_empty());
    if has_transfers {
        names.extend(["10 KB", "100 KB", "10 MB"]);
    }
    let has_flows = rows.iter().any(|(cell, _)| cell.flows > 1);
    if has_flows {
        names.extend(["Jain", "least"]);
    }
    for (cell, measured) in rows {
        let counts = measured.counts;
        let rate = cell.rate.bits_per_second() as f64;
        let mut row = vec![
            cell.to_string(),
            format!("{:.2}", measured.goodput / 1e6),
            format!("{:.0} %", measured.goodput / rate * 100.0),
            (counts.needed + counts.spurious).to_string(),
            counts.spurious.to_string(),
            counts.timeouts.to_string(),
            counts.spurious_timeouts.to_string(),
            told(measured.delay_99),
        ];
        if has_transfers {
            row.extend(measured.completion.iter().map(|time| told(*time)));
        }
        if has_flows && cell.flows > 1 {
            row.extend([measured.fairness, measured.least].map(|share| format!("{share:.2}")));
        }
        row.resize(names.len(), String::new());
        table.add_row(row);
    }
    table.set_header(names);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn told(time: Option<Duration>) -> String {
    match time {
        None => "–".to_owned(),
        Some(time) if time < Duration::from_secs(10) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
    }
}
