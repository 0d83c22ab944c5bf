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

use cells::Set;
use crowd::{Means, Program, Turn};
use pair::Pair;
use peer::Peer;
use record::{Record, median};

/// Compare Linux, Sockeye and others over the same cables, in real time.
#[derive(Parser)]
struct Options {
    /// What is looked at: alone (one flow), shared (several flows in one queue), peers (one flow of each stack there is)
    /// [default: alone,shared, and peers with --peers or --peer]
    #[arg(long, value_name = "SETS", value_delimiter = ',')]
    set: Vec<Set>,
    /// Play only the cells of the sets that have all of these values, as loss=1%,rate=10mbit
    #[arg(long, value_name = "VALUES", value_delimiter = ',', conflicts_with = "cell")]
    cells: Vec<String>,
    /// Play this cell, as `sockeye sim grid` writes them; repeatable
    #[arg(long, value_name = "CELL")]
    cell: Vec<Cell>,
    /// Pairs that are compared, in turn, again and again, as linux>sockeye:cubic [default: those of the set]
    #[arg(long, value_name = "PAIRS", value_delimiter = ',')]
    compare: Vec<Pair>,
    /// Pairs that are played once [default: those of the set, or none with --compare]
    #[arg(long, value_name = "PAIRS", value_delimiter = ',')]
    besides: Vec<Pair>,
    /// The folder into which benches/grid/peers/build has built the programs of other stacks
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// A program of another stack that serves chargen at 10.77.0.2:19 on a TAP or TUN interface, {} for its name and
    /// {control} for the congestion control, as "smoltcp=tap:/path/to/smoltcp-chargen --dev {}"; names: smoltcp, lwip,
    /// ipstack; repeatable; goes before --peers
    #[arg(long, value_name = "NAME=KIND:COMMAND")]
    peer: Vec<Peer>,
    /// How often the pairs are compared [default: three times, or twice where flows are many, long or fast]
    #[arg(long, value_name = "NUMBER")]
    repeats: Option<u64>,
    /// The number that the cables' chance follows from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many cores may be busy with cells
    #[arg(long, value_name = "NUMBER", default_value_t = 1.5)]
    cores: f64,
    /// Where the results are written, a line for each time a cell was played
    #[arg(long, value_name = "FILE", default_value = "target/grid.csv")]
    results: PathBuf,
    /// Keep the results that are there already, and add to them
    #[arg(long)]
    append: bool,
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
    tell(&records)
}

/// What the options ask for, set by set.
fn programs(options: &Options, has_peers: bool) -> Vec<Program> {
    let sets = match options.set.as_slice() {
        [] if has_peers => vec![Set::Alone, Set::Shared, Set::Peers],
        [] => vec![Set::Alone, Set::Shared],
        some => some.to_vec(),
    };
    let program = |set: Set| {
        let given = options.cell.iter().filter(|cell| set.admits(cell)).copied();
        let is_own_choice = !options.compare.is_empty();
        Program {
            set,
            cells: if options.cell.is_empty() { set.cells(&options.cells) } else { given.collect() },
            compared: if is_own_choice { options.compare.clone() } else { set.compared() },
            besides: match options.besides.as_slice() {
                [] if !is_own_choice => set.besides(),
                some => some.to_vec(),
            },
            repeats: options.repeats,
            seed: options.seed,
        }
    };
    sets.into_iter().map(program).collect()
}

fn play(options: &Options) -> io::Result<Vec<Record>> {
    let mut peers = options.peer.clone();
    peers.extend(options.peers.as_deref().map(Peer::built).transpose()?.unwrap_or_default());
    let before = if options.append { record::read(&options.results)? } else { Vec::new() };
    namespace::remove_leftovers();
    // What is late to the cable is late for whoever sends; where that is not permitted, the results say how late it was.
    rustix::process::nice(-10).ok();
    let turns: Vec<Turn> = programs(options, !peers.is_empty()).iter().flat_map(Program::turns).collect();
    let (plays, seconds) = crowd::estimate(&turns, options.cores);
    writeln!(stderr(), "{plays} plays, some {:.0} minutes", (seconds / 60.0).ceil())?;
    let progress = progress(plays);
    // Where this fails, the last time tells.
    let keep = |played: &[Record]| {
        record::write(&options.results, &[before.as_slice(), played].concat()).ok();
    };
    let (played, error) = crowd::play(&turns, &Means { peers, cores: options.cores }, &progress, &keep);
    progress.finish_and_clear();
    let records = [before, played].concat();
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

/// A line for each cell and pair: the medians.
fn tell(records: &[Record]) -> io::Result<()> {
    let mut out = stdout().lock();
    let mut told: Vec<(&str, &str, &str)> = Vec::new();
    for record in records {
        let what = (record.set.as_str(), record.cell.as_str(), record.pair.as_str());
        if told.contains(&what) {
            continue;
        }
        told.push(what);
        let of = |number: &dyn Fn(&Record) -> Option<f64>| {
            let same =
                |other: &&Record| (other.set.as_str(), other.cell.as_str(), other.pair.as_str()) == what;
            median(records.iter().filter(same).filter_map(number))
        };
        let goodput = of(&|record| Some(record.goodput_mbit)).unwrap_or(f64::NAN);
        write!(out, "{:60} {:22} {goodput:9.2} Mbit/s", record.cell, record.pair)?;
        if record.set == Set::Shared.to_string() {
            let [jain, least] = [of(&|record| Some(record.jain)), of(&|record| Some(record.least_share))];
            write!(out, "  Jain {:.3}, least {:.2}", jain.unwrap_or(f64::NAN), least.unwrap_or(f64::NAN))?;
        }
        if let Some(ours) = of(&|record| record.our_share) {
            write!(out, ", ours {ours:.2}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
