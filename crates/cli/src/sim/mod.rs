//! `sockeye sim`: experiments in virtual time.

mod cells;
mod grid;
mod options;
mod report;
mod trace;

use clap::Subcommand;

use crate::failure::Failure;

/// The experiments.
#[derive(Subcommand)]
pub(crate) enum Sim {
    /// Measure TCP over a grid of paths: lossy, long, thin, reordering, shared
    Grid(Box<options::GridOptions>),
}

/// Runs an experiment.
pub(crate) fn run(what: Sim) -> Result<(), Failure> {
    match what {
        Sim::Grid(options) => grid::run(&options),
    }
}
