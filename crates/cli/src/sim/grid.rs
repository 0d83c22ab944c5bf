//! `sockeye sim grid`: plays the cells, several at a time.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sockeye_core::sim::grid::{Cell, Measured, Plan, measure};

use super::options::GridOptions;
use super::{cells, report, trace};
use crate::failure::{Code, Failure};

/// Sizes of transfers in bytes, and how often each is measured: the shorter one is, the more chance decides.
const TRANSFERS: [(u64, usize); 3] = [(10_000, 21), (100_000, 11), (10_000_000, 1)];

/// Runs the command.
pub(crate) fn run(options: &GridOptions) -> Result<(), Failure> {
    let chosen = cells::chosen(options);
    if let Some(interval) = options.trace {
        return trace::run(&chosen, options, interval);
    }
    let progress = progress(chosen.len() as u64);
    let results = play(&chosen, options, &progress);
    progress.finish_and_clear();
    let mut rows = Vec::new();
    for (cell, result) in chosen.iter().zip(results) {
        let measured =
            result.ok_or_else(|| Failure::new(Code::Network, format!("cannot play the cell {cell}")))?;
        rows.push((*cell, measured));
    }
    report::print(&rows, options)
}

/// What is measured of a cell.
pub(super) fn plan(cell: &Cell, options: &GridOptions) -> Plan {
    // Long enough for a window that a loss has halved to grow again.
    let long = (cell.rtt * 60).max(Duration::from_secs(10));
    // Several flows have to find their shares first.
    let long = if cell.flows > 1 { long.max(Duration::from_secs(40)) } else { long };
    let bulk = options.duration.unwrap_or(long);
    let transfers = if options.no_transfers { Vec::new() } else { TRANSFERS.to_vec() };
    Plan { congestion: options.congestion, bulk, transfers, ..Plan::default() }
}

fn play(cells: &[Cell], options: &GridOptions, progress: &ProgressBar) -> Vec<Option<Measured>> {
    let jobs = options.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, usize::from);
    // The longest first, so that none of them is left for the end.
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order
        .sort_by_key(|place| cells.get(*place).map(|cell| std::cmp::Reverse(cell.bandwidth_delay_product())));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![None; cells.len()]);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some(cell) = cells.get(place) else { continue };
                    let measured = measure(cell, &plan(cell, options), options.seed).ok();
                    if let Some(result) =
                        results.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place)
                    {
                        *result = measured;
                    }
                    progress.inc(1);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A bar on standard error, where somebody looks at it.
fn progress(cells: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(cells), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {pos} of {len} cells, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
