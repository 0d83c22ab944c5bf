//! Cells played at a time, as many as the machine carries.

use std::io;
use std::num::NonZeroU64;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use sockeye_core::sim::grid::Cell;

use crate::cells::Set;
use crate::pair::{Control, Pair, Stack};
use crate::peer::Peer;
use crate::play::{Played, Stage};
use crate::record::Record;

/// What is played of each cell of a set.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) set: Set,
    pub(crate) cells: Vec<Cell>,
    /// Compared, each in turn, as often as `repeats` says, or as the set does.
    pub(crate) compared: Vec<Pair>,
    /// Played once.
    pub(crate) besides: Vec<Pair>,
    pub(crate) repeats: Option<u64>,
    pub(crate) seed: u64,
}

/// What all cells have to do with.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    /// The programs of other stacks.
    pub(crate) peers: Vec<Peer>,
    /// Cores that may be busy with cells.
    pub(crate) cores: f64,
}

/// A cell with the pairs of one congestion control that take their turns in it, one after the other, under the same luck.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    set: Set,
    cell: Cell,
    seed: u64,
    control: Control,
    pairs: Vec<Pair>,
    /// Whether short transfers are timed as well.
    is_first: bool,
}

impl Turn {
    fn load(&self) -> f64 {
        self.set.load(&self.cell, self.control)
    }

    /// About how many seconds the turn takes.
    fn seconds(&self) -> f64 {
        let small = if self.is_first && self.set == Set::Alone {
            self.cell.rtt.as_secs_f64() * 60.0 + 2.0
        } else {
            0.0
        };
        self.pairs.len() as f64 * (self.set.duration(&self.cell).as_secs_f64() + 1.0 + small)
    }
}

impl Program {
    /// All turns, cell by cell. Other stacks take theirs together with Linux's.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        let fits = |pair: &&Pair, cell: &Cell| pair.sender != Stack::Both || cell.flows > 1;
        let turn = |cell: &Cell, number: u64, control: Control| {
            let besides = self.besides.iter().filter(|_| number == 0);
            let pairs =
                self.compared.iter().chain(besides).filter(|pair| {
                    fits(pair, cell) && (self.set == Set::Peers || pair.congestion == control)
                });
            let pairs: Vec<Pair> = pairs.copied().collect();
            let seed = self.seed + number;
            (!pairs.is_empty()).then_some(Turn {
                set: self.set,
                cell: *cell,
                seed,
                control,
                pairs,
                is_first: number == 0,
            })
        };
        let controls: &[Control] = match self.set {
            Set::Peers => &[Control::Cubic],
            Set::Alone | Set::Shared => &[Control::Cubic, Control::Bbr, Control::Reno, Control::Own],
        };
        let of = |cell: &Cell| -> Vec<Turn> {
            let repeats = self.repeats.unwrap_or_else(|| self.set.repeats(cell)).max(1);
            let numbers =
                (0..repeats).flat_map(|number| controls.iter().map(move |control| (number, *control)));
            numbers.filter_map(|(number, control)| turn(cell, number, control)).collect()
        };
        self.cells.iter().flat_map(of).collect()
    }
}

/// How many plays there are in some turns, and about how many seconds they take on this many cores.
pub(crate) fn estimate(turns: &[Turn], cores: f64) -> (u64, f64) {
    let plays = turns.iter().map(|turn| turn.pairs.len() as u64).sum();
    let work: f64 = turns.iter().map(|turn| turn.seconds() * turn.load().min(cores)).sum();
    (plays, work / cores)
}

/// Plays. What has come of it so far is handed to `keep` after each turn: somebody may not want to wait for the end.
///
/// # Errors
/// The first of any cell; the others are played all the same.
pub(crate) fn play(
    turns: &[Turn],
    means: &Means,
    progress: &ProgressBar,
    keep: &(dyn Fn(&[Record]) + Sync),
) -> (Vec<Record>, Option<io::Error>) {
    let mut waiting: Vec<Turn> = turns.to_vec();
    // The lightest at the end, so that the last hours of the heavy are shared.
    waiting.sort_by(|one, other| one.load().total_cmp(&other.load()));
    let state = Mutex::new((waiting, 0.0_f64));
    let changed = Condvar::new();
    let results = Mutex::new((Vec::new(), None));
    let work = || {
        // By default the kernel wakes a thread some 50 µs late on purpose, which is much at a gigabit.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
        while let Some(turn) = take(&state, &changed, means.cores) {
            for pair in &turn.pairs {
                let outcome = one(&turn, *pair, means);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    Ok(played) => {
                        results.0.push(Record::new(turn.set, &turn.cell, *pair, turn.seed, &played));
                    }
                    Err(error) => {
                        let told = io::Error::new(error.kind(), format!("{}, {pair}: {error}", turn.cell));
                        results.1.get_or_insert(told);
                    }
                }
                progress.inc(1);
            }
            keep(&results.lock().unwrap_or_else(PoisonError::into_inner).0);
            state.lock().unwrap_or_else(PoisonError::into_inner).1 -= turn.load();
            changed.notify_all();
        }
    };
    // No more threads than the lightest cells there may be at a time.
    let threads = turns.len().min(16);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (mut records, error) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |record: &Record| {
        let is_it = |turn: &Turn| turn.set.to_string() == record.set && turn.cell.to_string() == record.cell;
        (turns.iter().position(is_it), record.seed)
    };
    records.sort_by_cached_key(place);
    (records, error)
}

/// The heaviest turn that the machine can still carry; waits for one to end where there is none.
fn take(state: &Mutex<(Vec<Turn>, f64)>, changed: &Condvar, cores: f64) -> Option<Turn> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let (waiting, busy) = &mut *state;
        if waiting.is_empty() {
            return None;
        }
        // What is left of a sum of such numbers is seldom nothing at all.
        let fits = |turn: &Turn| *busy <= 1e-6 || *busy + turn.load() <= cores;
        if let Some(place) = waiting.iter().rposition(fits) {
            let turn = waiting.remove(place);
            *busy += turn.load();
            return Some(turn);
        }
        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn one(turn: &Turn, pair: Pair, means: &Means) -> io::Result<Played> {
    let peer = means.peers.iter().find(|peer| peer.stack == pair.sender);
    if pair.sender.is_peer() && peer.is_none() {
        return Err(io::Error::other(format!(
            "neither --peers nor --peer says how {} is started",
            pair.sender
        )));
    }
    let mut stage = Stage::new(&turn.cell, peer.map(|peer| (peer, pair.congestion)))?;
    let mut played = stage.bulk(turn.set, &turn.cell, pair, turn.seed)?;
    if turn.is_first && turn.set == Set::Alone && !pair.sender.is_peer() {
        played.small = stage.small(&turn.cell, pair, turn.seed)?;
    }
    Ok(played)
}
