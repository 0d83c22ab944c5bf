//! A cell played in real time by a pair.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sockeye_core::sim::grid::{
    Cell, FlowPlan, GridHost, RECEIVER, SECOND_SENDER, SENDER, Watch, World, jain,
};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::CongestionName;
use sockeye_device::Tap;

use crate::cells::Set;
use crate::kernel::{Counters, Programs};
use crate::namespace::Namespace;
use crate::pair::{Control, Pair, Stack};
use crate::peer::{ASKER, CHARGEN, PEER, Peer, Running};
use crate::stand::{Clock, Lateness, Next, Stand, run};
use crate::tap_end::TapEnd;

/// Bytes whose completion time the flows without end tell.
const LARGE: u64 = 10_000_000;
/// What is sent, and how often, for the other completion times.
const SMALL: [(u64, usize); 2] = [(10_000, 8), (100_000, 8)];

/// What a pair came to in a cell, once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Played {
    /// Bits that arrived in order in a second.
    pub(crate) goodput: f64,
    pub(crate) segments: u64,
    pub(crate) needed: u64,
    pub(crate) spurious: u64,
    pub(crate) timeouts: u64,
    pub(crate) spurious_timeouts: u64,
    pub(crate) delay_99: Option<Duration>,
    /// The time until the first 10 MB had arrived, where they did.
    pub(crate) large: Option<Duration>,
    /// Medians for 10 KB and 100 KB, where they were measured.
    pub(crate) small: [Option<Duration>; 2],
    pub(crate) fairness: f64,
    /// The least flow's share of the mean.
    pub(crate) least: f64,
    /// Of two stacks that share the path: ours, as a share of both.
    pub(crate) ours: Option<f64>,
    pub(crate) lateness: Lateness,
    /// Frames that a full queue other than the cable's has lost: with any, the numbers tell of that.
    pub(crate) refused: u64,
}

/// Two namespaces of the kernel with a TAP each, to be joined by a cable.
pub(crate) struct Stage {
    /// Ends before its namespace does.
    _peer: Option<Running>,
    sender: Arc<Namespace>,
    receiver: Arc<Namespace>,
    taps: [Tap; 2],
}

impl Stage {
    /// A stage for a cell, with a peer at the sending end instead of the kernel if one is given.
    pub(crate) fn new(cell: &Cell, peer: Option<(&Peer, Control)>) -> io::Result<Stage> {
        let [sender, receiver] = [Namespace::new()?, Namespace::new()?];
        let addresses = match peer {
            Some(_) => [None, Some(ASKER)],
            None => [Some(SENDER), Some(RECEIVER)],
        };
        let taps = [sender.tap(addresses[0])?, receiver.tap(addresses[1])?];
        // As with our hosts: buffers are not what limits the flows. The kernel counts its overhead too.
        let buffer = 4 * cell.buffer();
        let least = buffer.max(6 << 20);
        for namespace in [&sender, &receiver] {
            namespace.set(&[
                ("ipv4/tcp_rmem", &format!("4096 131072 {least}")),
                ("ipv4/tcp_wmem", &format!("4096 16384 {least}")),
                ("ipv4/tcp_no_metrics_save", "1"),
                ("ipv4/ip_local_port_range", "10000 29999"),
                ("ipv6/conf/all/disable_ipv6", "1"),
            ])?;
        }
        let peer = peer.map(|(peer, control)| peer.start(&sender, control)).transpose()?;
        Ok(Stage { _peer: peer, sender: Arc::new(sender), receiver: Arc::new(receiver), taps })
    }

    /// Flows without end, and all that is told of them.
    pub(crate) fn bulk(&mut self, set: Set, cell: &Cell, pair: Pair, seed: u64) -> io::Result<Played> {
        let duration = set.duration(cell);
        let flows = cell.bulk_flows();
        let before = Counters::of(&self.sender)?;
        let watch = Watch::new(Some(LARGE));
        let (mut world, programs) = self.world(cell, pair, &flows, watch, seed)?;
        let clock = Clock::start();
        run(&mut world, clock, Instant::ZERO + set.settling(cell), |_| false)?;
        let early: Vec<(u16, u64)> = world.watch.delivered().collect();
        let lateness = run(&mut world, clock, Instant::ZERO + duration, |_| false)?;
        let late: Vec<(u16, u64)> = world.watch.delivered().collect();
        let total: u64 = late.iter().map(|(_, bytes)| bytes).sum();
        let earlier = |port| early.iter().find(|(other, _)| *other == port).map_or(0, |(_, bytes)| *bytes);
        let mut shares: Vec<f64> = late.iter().map(|(port, bytes)| (bytes - earlier(*port)) as f64).collect();
        shares.resize(cell.flows.max(shares.len()), 0.0);
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let counts = world.watch.counts();
        let mut played = Played {
            goodput: total as f64 * 8.0 / duration.as_secs_f64(),
            segments: counts.segments,
            needed: counts.needed,
            spurious: counts.spurious,
            timeouts: counts.timeouts,
            spurious_timeouts: counts.spurious_timeouts,
            delay_99: world.watch.delay_quantile(0.99),
            large: world.watch.finished().next().map(|(_, time)| time).filter(|_| cell.flows == 1),
            small: [None; 2],
            fairness: jain(&shares),
            least: if mean > 0.0 { least / mean } else { 0.0 },
            ours: None,
            lateness,
            refused: world.sender.refused() + world.receiver.refused(),
        };
        if let (Stack::Both, Some(host)) = (pair.sender, world.sender.host()) {
            let ours: Vec<u16> = host.tcp_infos().map(|(port, _)| port).collect();
            let of_ours = |(port, bytes): &(u16, u64)| {
                if ours.contains(port) { (bytes - earlier(*port)) as f64 } else { 0.0 }
            };
            let sum: f64 = late.iter().map(of_ours).sum();
            played.ours = Some(sum / shares.iter().sum::<f64>().max(1.0));
        }
        drop(world);
        drop(programs);
        // What our own host tells of itself is counted by the watch; what the kernel does, by the kernel.
        if pair.sender == Stack::Linux {
            let counted = Counters::of(&self.sender)?.since(before);
            (played.timeouts, played.spurious_timeouts) = (counted.timeouts, counted.spurious_timeouts);
        }
        Ok(played)
    }

    /// The medians of the completion times of small transfers, which begin one after the other.
    pub(crate) fn small(&mut self, cell: &Cell, pair: Pair, seed: u64) -> io::Result<[Option<Duration>; 2]> {
        let mut medians = [None; 2];
        let patience = (cell.rtt * 10).max(Duration::from_secs(3));
        let step = (cell.rtt * 3).max(Duration::from_millis(100));
        for (median, (bytes, times)) in medians.iter_mut().zip(SMALL) {
            let flows: Vec<FlowPlan> = (0..times as u32)
                .map(|number| FlowPlan { at: Instant::ZERO + step * number, bytes: Some(bytes) })
                .collect();
            let (mut world, programs) = self.world(cell, pair, &flows, Watch::new(Some(bytes)), seed)?;
            let end = Instant::ZERO + step * times as u32 + patience;
            run(&mut world, Clock::start(), end, |world| world.watch.finished().count() >= times)?;
            let mut taken: Vec<Duration> = world.watch.finished().map(|(_, time)| time).collect();
            drop(world);
            drop(programs);
            taken.sort();
            // What never came is longer than all others.
            *median = taken.get(times / 2).copied();
        }
        Ok(medians)
    }

    /// The world of a pair, with the programs at the kernel's sockets running.
    fn world<'a>(
        &'a mut self,
        cell: &Cell,
        pair: Pair,
        flows: &[FlowPlan],
        watch: Watch,
        seed: u64,
    ) -> io::Result<(World<Stand<'a>, Stand<'a>>, Vec<Programs>)> {
        let [from, to] = &mut self.taps;
        let mut programs = Vec::new();
        if pair.sender.is_peer() {
            let ends = [TapEnd::new(from), TapEnd::new(to)].map(Stand::Tap);
            for _ in flows {
                programs.push(Programs::asker(&self.receiver, SocketAddr::from((PEER, CHARGEN)))?);
            }
            let [sender, receiver] = ends;
            return Ok((World::new(cell.conditions(), seed, watch, sender, receiver), programs));
        }
        let receiver = match pair.receiver {
            Stack::Sockeye => {
                let config = cell.config(CongestionName::Cubic, seed.wrapping_add(1));
                Stand::Sockeye(Box::new(GridHost::receiver(config).map_err(io::Error::other)?))
            }
            _ => {
                let end = TapEnd::new(to);
                programs.push(Programs::receiver(&self.receiver)?);
                Stand::Tap(end)
            }
        };
        let ours = |flows: &[FlowPlan], address| {
            let name = pair.congestion.name();
            let congestion: CongestionName =
                name.parse().map_err(|_| io::Error::other(format!("Sockeye has no {name}")))?;
            let host = GridHost::sender(cell.config(congestion, seed), address, flows.iter().copied());
            io::Result::Ok(Box::new(host.map_err(io::Error::other)?))
        };
        let sender = match pair.sender {
            Stack::Sockeye => Stand::Sockeye(ours(flows, SENDER)?),
            Stack::Both => {
                let (every_other, others): (Vec<_>, Vec<_>) =
                    flows.iter().enumerate().partition(|(place, _)| place % 2 == 0);
                let flows_of = |part: Vec<(usize, &FlowPlan)>| -> Vec<FlowPlan> {
                    part.into_iter().map(|(_, flow)| *flow).collect()
                };
                let host = ours(&flows_of(every_other), SECOND_SENDER)?;
                let end = TapEnd::new(from);
                programs.push(Programs::senders(&self.sender, &flows_of(others), pair.congestion.name())?);
                Stand::Both(host, end, Next::Ours)
            }
            _ => {
                let end = TapEnd::new(from);
                programs.push(Programs::senders(&self.sender, flows, pair.congestion.name())?);
                Stand::Tap(end)
            }
        };
        Ok((World::new(cell.conditions(), seed, watch, sender, receiver), programs))
    }
}
