//! Cells played at a time, as many as the machine carries.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use sockeye_core::sim::grid::Cell;

use crate::cells::{duration, load};
use crate::pair::{Pair, Stack};
use crate::peer::Peer;
use crate::play::{Played, Stage};
use crate::record::Record;

/// What is played of each cell.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Compared, each in turn, as often as `repeats` says.
    pub(crate) compared: Vec<Pair>,
    /// Played once.
    pub(crate) besides: Vec<Pair>,
    pub(crate) repeats: u64,
    /// The programs of other stacks.
    pub(crate) peers: Vec<Peer>,
    pub(crate) seed: u64,
    /// Cores that may be busy with cells.
    pub(crate) cores: f64,
}

impl Program {
    /// All that is played in a cell: pair and seed, in the order of playing.
    fn plays(&self, cell: &Cell) -> Vec<(Pair, u64)> {
        let is_for = |pair: &Pair| pair.sender != Stack::Both || cell.flows > 1;
        let turns = (0..self.repeats).flat_map(|turn| self.compared.iter().map(move |pair| (*pair, turn)));
        let once = self.besides.iter().map(|pair| (*pair, 0));
        turns
            .chain(once)
            .filter(|(pair, _)| is_for(pair))
            .map(|(pair, turn)| (pair, self.seed + turn))
            .collect()
    }

    /// How many plays there are in these cells.
    pub(crate) fn count(&self, cells: &[Cell]) -> u64 {
        cells.iter().map(|cell| self.plays(cell).len() as u64).sum()
    }
}

/// Plays cells.
///
/// # Errors
/// The first of any cell; the others are played all the same.
pub(crate) fn play(
    cells: &[Cell],
    program: &Program,
    progress: &ProgressBar,
) -> (Vec<Record>, Option<io::Error>) {
    let mut waiting: Vec<Cell> = cells.to_vec();
    // The lightest at the end, so that the last hours of the heavy are shared.
    waiting.sort_by(|one, other| load(one).total_cmp(&load(other)));
    let state = Mutex::new((waiting, 0.0_f64));
    let changed = Condvar::new();
    let results = Mutex::new((Vec::new(), None));
    let work = || {
        while let Some(cell) = take(&state, &changed, program.cores) {
            for (pair, seed) in program.plays(&cell) {
                let outcome = one(&cell, pair, seed, program);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    Ok(played) => results.0.push(Record::new(&cell, pair, seed, &played)),
                    Err(error) => {
                        let told = io::Error::new(error.kind(), format!("{cell}, {pair}: {error}"));
                        results.1.get_or_insert(told);
                    }
                }
                progress.inc(1);
            }
            state.lock().unwrap_or_else(PoisonError::into_inner).1 -= load(&cell);
            changed.notify_all();
        }
    };
    // No more threads than the lightest cells there may be at a time.
    let threads = cells.len().min(16);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (mut records, error) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |record: &Record| cells.iter().position(|cell| cell.to_string() == record.cell);
    records.sort_by_key(place);
    (records, error)
}

/// The heaviest cell that the machine can still carry; waits for one to end where there is none.
fn take(state: &Mutex<(Vec<Cell>, f64)>, changed: &Condvar, cores: f64) -> Option<Cell> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let (waiting, busy) = &mut *state;
        if waiting.is_empty() {
            return None;
        }
        let fits = |cell: &Cell| *busy <= 0.0 || *busy + load(cell) <= cores;
        if let Some(place) = waiting.iter().rposition(fits) {
            let cell = waiting.remove(place);
            *busy += load(&cell);
            return Some(cell);
        }
        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn one(cell: &Cell, pair: Pair, seed: u64, program: &Program) -> io::Result<Played> {
    let peer = program.peers.iter().find(|peer| peer.stack == pair.sender);
    let is_peer = matches!(pair.sender, Stack::Smoltcp | Stack::Lwip | Stack::Ipstack);
    if is_peer && peer.is_none() {
        return Err(io::Error::other(format!("no --peer says how {} is started", pair.sender)));
    }
    let mut stage = Stage::new(cell, peer)?;
    let mut played = stage.bulk(cell, pair, duration(cell), seed)?;
    // A peer sends without end only.
    if seed == program.seed && cell.flows == 1 && !is_peer {
        played.small = stage.small(cell, pair, seed)?;
    }
    Ok(played)
}
