//! The grid in real time: Linux, Sockeye and others send over the same cables, in turn, and what came of it is compared.
//!
//! The cable is Sockeye's own, a machine that a thread of this program moves by the clock. The kernel stands at its ends
//! in two network namespaces, with a TAP interface each. Needs root and iproute2.
#![forbid(unsafe_code)]

mod cells;
mod crowd;
mod kernel;
mod namespace;
mod pair;
mod peer;
mod play;
mod plot;
mod record;
mod report;
mod stand;
mod tap_end;

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sockeye_core::sim::grid::Cell;

use crowd::Program;
use pair::Pair;
use peer::Peer;
use record::{Record, median};

/// Compare Linux, Sockeye and others over the same cables, in real time.
#[derive(Parser)]
struct Options {
    /// Play only the cells of the default set that have all of these values, as loss=1%,rate=10mbit
    #[arg(long, value_name = "VALUES", value_delimiter = ',', conflicts_with = "cell")]
    cells: Vec<String>,
    /// Play this cell, as `sockeye sim grid` writes them; repeatable
    #[arg(long, value_name = "CELL")]
    cell: Vec<Cell>,
    /// Pairs that are compared, in turn, again and again
    #[arg(
        long,
        value_name = "PAIRS",
        value_delimiter = ',',
        default_value = "linux>linux:cubic,sockeye>sockeye:cubic,linux>linux:bbr,sockeye>sockeye:bbr"
    )]
    compare: Vec<Pair>,
    /// Pairs that are played once
    #[arg(
        long,
        value_name = "PAIRS",
        value_delimiter = ',',
        default_value = "sockeye>linux:cubic,linux>sockeye:cubic,both>linux:cubic"
    )]
    besides: Vec<Pair>,
    /// A program of another stack that serves chargen at 10.77.0.2:19 on a TAP or TUN interface, {} for its name, as
    /// "smoltcp=tap:/path/to/smolsrv --dev {} --mtu 1500"; names: smoltcp, lwip, ipstack; repeatable
    #[arg(long, value_name = "NAME=KIND:COMMAND")]
    peer: Vec<Peer>,
    /// How often the pairs are compared
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    repeats: u64,
    /// The number that the cables' chance follows from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many cores may be busy with cells
    #[arg(long, value_name = "NUMBER", default_value_t = 1.2)]
    cores: f64,
    /// Where the results are written, a line for each time a cell was played
    #[arg(long, value_name = "FILE", default_value = "target/grid.csv")]
    results: PathBuf,
    /// Put the results into the page grid.md of this folder, and plots beside it
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    /// Play nothing: tell of the results that are there
    #[arg(long)]
    replay: bool,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let records = if options.replay { record::read(&options.results)? } else { play(&options)? };
    if let Some(folder) = &options.docs {
        report::write(folder, &records)?;
    }
    tell(&records, &options.compare)
}

fn play(options: &Options) -> io::Result<Vec<Record>> {
    namespace::remove_leftovers();
    // What is late to the cable is late for whoever sends; where that is not permitted, the results say how late it was.
    rustix::process::nice(-10).ok();
    let cells = if options.cell.is_empty() { cells::default(&options.cells) } else { options.cell.clone() };
    let program = Program {
        compared: options.compare.clone(),
        besides: options.besides.clone(),
        repeats: options.repeats.max(1),
        peers: options.peer.clone(),
        seed: options.seed,
        cores: options.cores,
    };
    let progress = progress(program.count(&cells));
    let (records, error) = crowd::play(&cells, &program, &progress);
    progress.finish_and_clear();
    record::write(&options.results, &records)?;
    match error {
        Some(error) => Err(error),
        None => Ok(records),
    }
}

/// A bar on standard error, where somebody looks at it.
fn progress(plays: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(plays), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A line for each cell: the medians of the compared pairs, and with each second of two its share of the first.
fn tell(records: &[Record], compared: &[Pair]) -> io::Result<()> {
    let mut cells: Vec<&str> = records.iter().map(|record| record.cell.as_str()).collect();
    cells.dedup();
    let mut out = stdout().lock();
    for cell in cells {
        write!(out, "{cell:60}")?;
        let of = |pair: &Pair| {
            let pair = pair.to_string();
            let played = records.iter().filter(move |record| record.cell == cell && record.pair == pair);
            median(played.map(|record| record.goodput_mbit))
        };
        for pairs in compared.chunks(2) {
            for pair in pairs {
                write!(out, " {:9.2}", of(pair).unwrap_or(f64::NAN))?;
            }
            if let [first, second] = pairs {
                write!(out, " {:6.2}", of(second).unwrap_or(f64::NAN) / of(first).unwrap_or(f64::NAN))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
