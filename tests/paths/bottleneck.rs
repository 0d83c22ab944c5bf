//! Senders, each on a cable of its own, and one receiver, whose cable is the bottleneck they share.

use std::net::SocketAddr;

use sockeye_core::lan::{Conditions, Duplex, Probability, QueueLimit, Rate};
use sockeye_core::sim::{HostConfig, HostId, Simulation};
use sockeye_core::socket::{Family, Kind, SocketId, SocketOption};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::{Trace, Tracing};
use sockeye_core::transport::tcp::{CongestionName, EcnMode, TcpInfo};

/// A path, with everything that matters to congestion control.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The bottleneck, in megabits per second.
    pub mbit: u64,
    /// The round-trip time of an empty path, in milliseconds.
    pub rtt: u64,
    /// The queue before the bottleneck, in what the path holds.
    pub queue: f64,
    /// The share of segments lost behind the bottleneck.
    pub loss: f64,
    /// The share of segments held back behind the bottleneck, by up to a quarter of the round-trip time.
    pub reorder: f64,
    /// By how much each direction's delay varies, either way, as a share of it.
    pub jitter: f64,
}

impl Default for Path {
    /// 100 Mbit/s over 50 ms, with a queue as long as the path, and nothing else in the way.
    fn default() -> Path {
        Path { mbit: 100, rtt: 50, queue: 1.0, loss: 0.0, reorder: 0.0, jitter: 0.0 }
    }
}

impl Path {
    /// The cable of the receiver.
    pub fn conditions(&self) -> Duplex {
        let bdp = self.mbit as f64 * 1e6 / 8.0 * self.rtt as f64 / 1e3;
        let wire = Duration::from_micros(self.rtt * 500);
        let jitter = wire.mul_f64(self.jitter);
        Duplex {
            up: Conditions { delay: wire, jitter, ..Conditions::default() },
            down: Conditions {
                delay: wire,
                jitter,
                rate: Rate::new(self.mbit * 1_000_000),
                queue: QueueLimit::Bytes((bdp * self.queue) as usize),
                loss: Probability::new(self.loss).expect("a probability"),
                reorder: Probability::new(self.reorder).expect("a probability"),
                ..Conditions::default()
            },
        }
    }
}

struct Flow {
    client: (HostId, SocketId),
    server: Option<SocketId>,
    received: u64,
    begin: u64,
}

/// A world under way.
pub struct World {
    sim: Simulation,
    server: HostId,
    listener: SocketId,
    flows: Vec<Flow>,
}

impl World {
    /// All flows begin within 100 ms.
    pub fn new(flows: &[CongestionName], path: Path, seed: u64) -> World {
        World::over(flows, path.conditions(), EcnMode::default(), seed)
    }

    /// The same over any cable, and with any mode of ECN at both ends.
    pub fn over(flows: &[CongestionName], conditions: Duplex, ecn: EcnMode, seed: u64) -> World {
        let mut sim = Simulation::new(seed);
        let lan = sim.add_lan();
        let server = HostConfig {
            conditions,
            ..HostConfig::new("server", "10.0.0.1/16".parse().expect("an address"))
        };
        let server = sim.add_host(lan, server).expect("a host");
        let to: SocketAddr = "10.0.0.1:80".parse().expect("an address");
        let listener = sim.stack_mut(server).open(Family::V4, Kind::Stream).expect("a socket");
        let now = sim.now();
        sim.stack_mut(server).set_option(now, listener, SocketOption::Ecn(ecn)).expect("an option");
        sim.stack_mut(server).bind(now, listener, to).expect("a port");
        sim.stack_mut(server).listen(now, listener, 100).expect("a listener");
        let mut world = World { sim, server, listener, flows: Vec::new() };
        for (number, congestion) in flows.iter().enumerate() {
            let address = format!("10.0.1.{}/16", number + 1).parse().expect("an address");
            let host = HostConfig::new(format!("client{number}"), address);
            let host = world.sim.add_host(lan, host).expect("a host");
            let socket = world.sim.stack_mut(host).open(Family::V4, Kind::Stream).expect("a socket");
            let now = world.sim.now();
            let stack = world.sim.stack_mut(host);
            stack.set_option(now, socket, SocketOption::Congestion(*congestion)).expect("an option");
            stack.set_option(now, socket, SocketOption::SendBuffer(16 << 20)).expect("an option");
            stack.set_option(now, socket, SocketOption::Ecn(ecn)).expect("an option");
            let _ = stack.connect(now, socket, to);
            world.flows.push(Flow { client: (host, socket), server: None, received: 0, begin: 0 });
            world.run(Duration::from_millis(100 / flows.len() as u64));
        }
        world
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.sim.now()
    }

    /// Lets the flows send and the server read for so long.
    pub fn run(&mut self, time: Duration) {
        let World { sim, server, listener, flows } = self;
        let (server, listener) = (*server, *listener);
        let mut buffer = vec![0; 1 << 20];
        let mut wake = Instant::ZERO;
        sim.run_until(time, |sim| {
            let now = sim.now();
            // Programs look every millisecond.
            if now < wake {
                return false;
            }
            wake = now + Duration::from_millis(1);
            sim.wake_at(wake);
            while let Ok((socket, peer)) = sim.stack_mut(server).accept(now, listener) {
                let mine = |sim: &Simulation, flow: &Flow| {
                    let (host, socket) = flow.client;
                    sim.stack(host).local_address(socket).is_ok_and(|local| local == peer)
                };
                if let Some(flow) = flows.iter_mut().find(|flow| mine(sim, flow)) {
                    flow.server = Some(socket);
                }
            }
            for flow in flows.iter_mut() {
                let (host, socket) = flow.client;
                while sim.stack_mut(host).write(now, socket, &buffer[..65_536]).is_ok() {}
                let Some(socket) = flow.server else { continue };
                while let Ok(count @ 1..) = sim.stack_mut(server).read(now, socket, &mut buffer) {
                    flow.received += count as u64;
                }
            }
            false
        });
    }

    /// Sets an option of a sender.
    pub fn set_option(&mut self, flow: usize, option: SocketOption) {
        let (host, socket) = self.flows[flow].client;
        let now = self.sim.now();
        self.sim.stack_mut(host).set_option(now, socket, option).expect("an option");
    }

    /// Lets a sender's host tell what happens.
    pub fn watch(&mut self, flow: usize) {
        let (host, _) = self.flows[flow].client;
        self.sim.stack_mut(host).set_tracing(Tracing::On);
    }

    /// What a sender's host has told since this was last asked.
    pub fn traces(&mut self, flow: usize) -> Vec<Trace> {
        let (host, _) = self.flows[flow].client;
        let stack = self.sim.stack_mut(host);
        std::iter::from_fn(|| stack.poll_trace()).collect()
    }

    /// What a sender knows.
    pub fn info(&self, flow: usize) -> TcpInfo {
        let (host, socket) = self.flows[flow].client;
        self.sim.stack(host).tcp_info(socket).expect("a connection")
    }

    /// What the receiver of a flow knows.
    pub fn receiver_info(&self, flow: usize) -> TcpInfo {
        let socket = self.flows[flow].server.expect("an accepted connection");
        self.sim.stack(self.server).tcp_info(socket).expect("a connection")
    }

    /// Begins to count.
    pub fn mark(&mut self) {
        for flow in &mut self.flows {
            flow.begin = flow.received;
        }
    }

    /// Bytes received by each since then.
    pub fn counted(&self) -> Vec<u64> {
        self.flows.iter().map(|flow| flow.received - flow.begin).collect()
    }
}

/// Megabits per second of each flow over `seconds`, the first `skip` not counted.
pub fn goodputs(flows: &[CongestionName], path: Path, skip: u64, seconds: u64) -> Vec<f64> {
    goodputs_by(7, flows, path, skip, seconds)
}

/// The same with another seed.
pub fn goodputs_by(seed: u64, flows: &[CongestionName], path: Path, skip: u64, seconds: u64) -> Vec<f64> {
    let mut world = World::new(flows, path, seed);
    let trace = std::env::var_os("SOCKEYE_TRACE_PATHS").is_some();
    for second in 0..(skip + seconds) * 10 {
        if second == skip * 10 {
            world.mark();
        }
        world.run(Duration::from_millis(100));
        if trace {
            for flow in 0..flows.len() {
                let info = world.info(flow);
                println!(
                    "{} {flow} cwnd {} ssthresh {} {} rtt {:?} min {:?} pace {:.1} rate {:.1} fl {} {:?} re {} rto {}",
                    world.now(),
                    info.cwnd / usize::from(info.snd_mss),
                    info.ssthresh / usize::from(info.snd_mss),
                    info.cwnd_reason,
                    info.rtt.unwrap_or_default(),
                    info.rtt_minimum.unwrap_or_default(),
                    info.pacing_rate.unwrap_or(0) as f64 * 8e-6,
                    info.delivery_rate as f64 * 8e-6,
                    info.in_flight / usize::from(info.snd_mss),
                    info.recovering,
                    info.total_retransmits,
                    info.retransmits,
                );
            }
        }
    }
    world.counted().into_iter().map(|bytes| bytes as f64 * 8e-6 / seconds as f64).collect()
}

/// Jain's index: 1 where all shares are equal, 1/n where one has everything.
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares.max(f64::MIN_POSITIVE))
}
