//! Two hosts of ours and a hostile cable between them: whatever is lost, reordered, doubled or damaged, the bytes arrive
//! exactly once and in order, both ends close, and nothing stays behind: no socket, no record, no timer, no parked packet.
//!
//! By default 10,000 seeds run; `SOCKEYE_SEEDS=100000` runs more. Each that fails is printed with the command that runs
//! it alone, which then shows every frame on the cables.

mod program;
mod scenario;
mod topology;
mod transfer;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sockeye_core::lan::{Direction, Fate, Observation, Observing};
use sockeye_core::trace::{TraceEvent, Tracing};
use sockeye_core::wire::{LinkType, describe};

use scenario::Scenario;
use transfer::{Summary, World};

/// Failing seeds that are shown before the rest is given up.
const FAILURES_SHOWN: usize = 5;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs one seed; a panic is a failure like others.
fn run(seed: u64) -> Result<Summary, String> {
    let scenario = Scenario::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world =
            World::new(&scenario, Observing::Off).map_err(|error| format!("setting up: {error}"))?;
        world.run()
    }));
    outcome.unwrap_or_else(|_| Err("a panic, shown above".to_owned()))
}

#[test]
fn every_transfer_arrives_once_in_order_and_both_ends_close() {
    if let Some(seed) = setting("SOCKEYE_SEED") {
        return replay(seed);
    }
    let seeds = setting("SOCKEYE_SEEDS").unwrap_or(10_000);
    let next = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    let summaries = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds
                || failures.lock().unwrap_or_else(PoisonError::into_inner).len() >= FAILURES_SHOWN
            {
                return;
            }
            match run(seed) {
                Ok(summary) => summaries.lock().unwrap_or_else(PoisonError::into_inner).push(summary),
                Err(failure) => {
                    failures.lock().unwrap_or_else(PoisonError::into_inner).push((seed, failure));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let summaries = summaries.into_inner().unwrap_or_else(PoisonError::into_inner);
    let bytes: usize = summaries.iter().map(|summary| summary.bytes).sum();
    let attempts: usize = summaries.iter().map(|summary| summary.failed_attempts).sum();
    let slowest = summaries.iter().map(|summary| summary.transferred_at).max().unwrap_or_default();
    println!(
        "{} seeds: {bytes} bytes, {attempts} failed attempts to connect, the slowest took {slowest}",
        summaries.len()
    );
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (seed, failure) in &failures {
        eprintln!("seed {seed} fails: {failure}\n{}", Scenario::new(*seed));
        eprintln!("run it alone, with every frame shown:\n  {}\n", command(*seed));
    }
    assert!(failures.is_empty(), "{} of {} seeds fail", failures.len(), summaries.len() + failures.len());
    assert_eq!(summaries.len() as u64, seeds);
}

fn command(seed: u64) -> String {
    format!(
        "SOCKEYE_SEED={seed} cargo test -p sockeye-core --features sim --test hostile_cable -- --nocapture once"
    )
}

/// Runs one seed and shows the frames, and what the stacks made of them.
fn replay(seed: u64) {
    let scenario = Scenario::new(seed);
    println!("{scenario}");
    let mut world = World::new(&scenario, Observing::On).expect("a world");
    for host in world.sim.hosts() {
        world.sim.stack_mut(host).set_tracing(Tracing::On);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let mut lines = Vec::new();
    for (lan, names) in &world.lans {
        let lan = world.sim.lan_mut(*lan);
        if lan.observations_lost() > 0 {
            println!("({} earlier frames are not shown)", lan.observations_lost());
        }
        while let Some(observation) = lan.poll_observation() {
            lines.push((observation.at, line(names, &observation)));
        }
    }
    // The order in which the topology adds them.
    for (host, name) in world.sim.hosts().zip(["client", "server", "router 1", "router 2"]) {
        while let Some(trace) = world.sim.stack_mut(host).poll_trace() {
            if !matches!(trace.event, TraceEvent::Frame { .. }) {
                lines.push((trace.at, format!("{} {name}: {}", trace.at, event(&trace.event))));
            }
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.iter().for_each(|(_, line)| println!("{line}"));
    match outcome {
        Ok(Ok(summary)) => println!("seed {seed}: {summary:?}"),
        Ok(Err(failure)) => panic!("seed {seed} fails: {failure}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn event(event: &TraceEvent) -> String {
    match event {
        TraceEvent::State { local, from, to, cause, .. } => format!("{local} {from} -> {to} ({cause})"),
        TraceEvent::Retransmission { local, seq, length, cause, .. } => {
            format!("{local} sends {length} bytes from {seq} again: {cause:?}")
        }
        TraceEvent::Timer { timer, .. } => format!("timer {timer}"),
        TraceEvent::Drop { reason, .. } => format!("refused: {reason}"),
        other => format!("{other:?}"),
    }
}

fn line(names: &[&str], observation: &Observation) -> String {
    let host = names.get(observation.port.number() as usize).unwrap_or(&"?");
    let arrow = if observation.direction == Direction::Up { "->" } else { "<-" };
    let fate = match observation.fate {
        Fate::Lost(loss) => format!("  ✗ {loss}"),
        Fate::Arrives(passage) => {
            let copy = passage.copy_at.map(|at| format!(", again {at}")).unwrap_or_default();
            let corrupted =
                passage.corrupted_bit.map(|bit| format!(", bit {bit} flipped")).unwrap_or_default();
            format!("  arrives {}{copy}{corrupted}", passage.at)
        }
    };
    format!("{} {host} {arrow} {}{fate}", observation.at, describe(&observation.frame, LinkType::Ethernet))
}

/// Everything that was on the cables, in one number.
fn fingerprint(seed: u64) -> u64 {
    let mut world = World::new(&Scenario::new(seed), Observing::On).expect("a world");
    world.run().unwrap_or_else(|failure| panic!("seed {seed} fails: {failure}"));
    let mut hasher = DefaultHasher::new();
    for (lan, _) in &world.lans {
        while let Some(observation) = world.sim.lan_mut(*lan).poll_observation() {
            (observation.at, observation.port, observation.direction, &observation.frame).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    if setting("SOCKEYE_SEED").is_some() {
        return;
    }
    let prints: Vec<u64> = (0..50).map(fingerprint).collect();
    assert_eq!(prints, (0..50).map(fingerprint).collect::<Vec<_>>());
    assert!(prints.windows(2).all(|pair| pair[0] != pair[1]), "different seeds give different frames");
}
