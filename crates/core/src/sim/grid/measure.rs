//! A cell played in virtual time, and what is told of it.

use super::host::{FlowPlan, GridHost, SENDER};
use super::watch::{Counts, Incident, Watch};
use super::world::World;
use super::{Cell, End};
use crate::error::Error;
use crate::stack::Config;
use crate::time::{Duration, Instant};
use crate::transport::tcp::{CongestionName, Settings, TcpInfo};

/// What is measured of a cell, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The senders' congestion control.
    pub congestion: CongestionName,
    /// How long flows without end send, for goodput and all that is counted.
    pub bulk: Duration,
    /// Sizes whose completion time is measured, in bytes, and how often each: the median is told.
    pub transfers: Vec<(u64, usize)>,
    /// When a transfer is given up.
    pub patience: Duration,
}

impl Default for Plan {
    /// Ten seconds with CUBIC; no transfers.
    fn default() -> Self {
        Plan {
            congestion: CongestionName::Cubic,
            bulk: Duration::from_secs(10),
            transfers: Vec::new(),
            patience: Duration::from_secs(900),
        }
    }
}

/// What a cell came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Bits of data that arrived in order in a second, of all flows together, from the first SYN on.
    pub goodput: f64,
    /// What was counted while the flows without end sent.
    pub counts: Counts,
    /// The time from the first sending of a segment until it had arrived in order that 99 % of them did not exceed.
    pub delay_99: Option<Duration>,
    /// The median of the completion times for each of [`Plan::transfers`], from SYN to last byte; none where that many
    /// did not complete.
    pub completion: Vec<Option<Duration>>,
    /// Jain's index of the flows' goodput, without the first quarter of the time.
    pub fairness: f64,
    /// The least flow's goodput in the same time as a share of the mean.
    pub least: f64,
}

/// Jain's fairness index: 1 where all have the same, 1/n where one of n has everything.
///
/// ```
/// use sockeye_core::sim::grid::jain;
/// assert_eq!(jain(&[3.0, 3.0, 3.0, 3.0]), 1.0);
/// assert_eq!(jain(&[8.0, 0.0, 0.0, 0.0]), 0.25);
/// assert_eq!(jain(&[]), 1.0);
/// ```
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares > 0.0 { sum * sum / (shares.len() as f64 * squares) } else { 1.0 }
}

/// The numbers of a connection at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The time.
    pub at: Instant,
    /// The port of the sender.
    pub port: u16,
    /// The numbers.
    pub info: TcpInfo,
}

impl Cell {
    /// Bytes of send and receive buffer that never are what limits a flow.
    pub fn buffer(&self) -> usize {
        (1 << 20) + 4 * (self.bandwidth_delay_product() + self.queue_bytes())
    }

    /// How a host of this cell is set up: with buffers that are tuned as far as they need to be not to limit it.
    pub fn config(&self, congestion: CongestionName, seed: u64) -> Config {
        let buffer = self.buffer();
        let tcp = Settings {
            congestion,
            send_buffer_max: buffer,
            receive_buffer_max: buffer,
            ..Settings::default()
        };
        Config { seed, tcp, ..Config::default() }
    }

    /// A world with two hosts of ours.
    fn world(
        &self,
        congestion: CongestionName,
        seed: u64,
        flows: Vec<FlowPlan>,
    ) -> Result<World<GridHost, GridHost>, Error> {
        let goal = flows.iter().filter_map(|flow| flow.bytes).max();
        let sender = GridHost::sender(self.config(congestion, seed), SENDER, flows)?;
        let receiver = GridHost::receiver(self.config(congestion, seed.wrapping_add(1)))?;
        Ok(World::new(self.conditions(), seed, Watch::new(goal), sender, receiver))
    }

    /// Flows without end, opened within the first tenth of a second.
    pub fn bulk_flows(&self) -> Vec<FlowPlan> {
        let step = Duration::from_millis(100) / self.flows.max(1) as u32;
        (0..self.flows).map(|flow| FlowPlan { at: Instant::ZERO + step * flow as u32, bytes: None }).collect()
    }
}

/// Lets a world go on until `end`, or until `is_over` holds after something has happened.
fn run<S: End, R: End>(
    world: &mut World<S, R>,
    start: Instant,
    end: Instant,
    mut is_over: impl FnMut(&World<S, R>, Instant) -> bool,
) -> Instant {
    let mut now = start;
    while now < end {
        world.step(now);
        if is_over(world, now) {
            return now;
        }
        // A time in the past asks for another step at once; time goes on all the same, or a world that is never
        // content would stand still.
        let soonest = now + Duration::from_nanos(1);
        now = world.poll_timeout().map_or(end, |at| at.max(soonest)).min(end);
    }
    now
}

/// Plays a cell.
///
/// # Errors
/// None that a cell can bring about: those of setting up the hosts.
pub fn measure(cell: &Cell, plan: &Plan, seed: u64) -> Result<Measured, Error> {
    let mut world = cell.world(plan.congestion, seed, cell.bulk_flows())?;
    let end = Instant::ZERO + plan.bulk;
    let quarter = run(&mut world, Instant::ZERO, Instant::ZERO + plan.bulk / 4, |_, _| false);
    let before: Vec<(u16, u64)> = world.watch.delivered().collect();
    run(&mut world, quarter, end, |_, _| false);
    let after: Vec<(u16, u64)> = world.watch.delivered().collect();
    let total: u64 = after.iter().map(|(_, bytes)| bytes).sum();
    let earlier = |port| before.iter().find(|(other, _)| *other == port).map_or(0, |(_, bytes)| *bytes);
    let mut shares: Vec<f64> = after.iter().map(|(port, bytes)| (bytes - earlier(*port)) as f64).collect();
    // A flow that never came to be has its share too: none.
    shares.resize(cell.flows.max(shares.len()), 0.0);
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let completion = plan.transfers.iter().map(|(bytes, times)| complete(cell, plan, seed, *bytes, *times));
    Ok(Measured {
        goodput: total as f64 * 8.0 / plan.bulk.as_secs_f64(),
        counts: world.watch.counts(),
        delay_99: world.watch.delay_quantile(0.99),
        completion: completion.collect::<Result<_, _>>()?,
        fairness: jain(&shares),
        least: if mean > 0.0 { least / mean } else { 0.0 },
    })
}

/// The median of the completion times of `times` transfers, each over a path with luck of its own.
fn complete(
    cell: &Cell,
    plan: &Plan,
    seed: u64,
    bytes: u64,
    times: usize,
) -> Result<Option<Duration>, Error> {
    let mut taken = Vec::new();
    for attempt in 0..times as u64 {
        let flow = FlowPlan { at: Instant::ZERO, bytes: Some(bytes) };
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(attempt);
        let mut world = cell.world(plan.congestion, seed, vec![flow])?;
        let is_over = |world: &World<_, _>, _| world.watch.finished().next().is_some();
        run(&mut world, Instant::ZERO, Instant::ZERO + plan.patience, is_over);
        taken.push(world.watch.finished().next().map(|(_, time)| time));
    }
    // What never came is longer than all others.
    taken.sort_by_key(|time| time.unwrap_or(Duration::MAX));
    Ok(taken.get(times / 2).copied().flatten())
}

/// Plays the flows without end of a cell and tells, for somebody who wants to know why its numbers are what they are, what
/// happened, and what the connections knew every `interval`.
///
/// # Errors
/// As [`measure`].
pub fn trace(
    cell: &Cell,
    plan: &Plan,
    seed: u64,
    interval: Duration,
) -> Result<(Vec<Sample>, Vec<Incident>), Error> {
    let mut world = cell.world(plan.congestion, seed, cell.bulk_flows())?;
    world.watch.keep_incidents();
    let mut samples = Vec::new();
    let mut due = Instant::ZERO;
    run(&mut world, Instant::ZERO, Instant::ZERO + plan.bulk, |world, now| {
        if now >= due {
            due = now + interval;
            samples.extend(world.sender.tcp_infos().map(|(port, info)| Sample { at: now, port, info }));
        }
        false
    });
    Ok((samples, world.watch.incidents().to_vec()))
}
