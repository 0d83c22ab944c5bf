//! One seed, from the first SYN to the last TIME-WAIT.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::lan::Observing;
use sockeye_core::sim::{HostId, LanId, Outcome, Simulation};
use sockeye_core::socket::{Family, Kind, SocketId, SocketOption};
use sockeye_core::stack::{Config, Stack};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::Settings;

use crate::program::{Pattern, Running};
use crate::scenario::{Choices, Plan, Program, Scenario};
use crate::topology::{self, Topology};

/// How long all transfers of a seed may take.
const LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How long it may take afterwards until nothing is left: the last FIN's retransmissions, and TIME-WAIT.
const QUIET_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// What a seed did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub bytes: usize,
    /// Until the last transfer was over, and until the last host was silent.
    pub transferred_at: Instant,
    pub silent_at: Instant,
    /// Attempts to connect that failed because the network was too bad.
    pub failed_attempts: usize,
}

/// A seed's world.
pub struct World {
    pub sim: Simulation,
    /// The LANs, with the names of the hosts at their ports.
    pub lans: Vec<(LanId, [&'static str; 2])>,
    transfers: Transfers,
}

impl World {
    pub fn new(scenario: &Scenario, observing: Observing) -> Result<World, Error> {
        let mut sim = Simulation::new(scenario.seed);
        let Topology { client, server, server_address, lans } =
            topology::build(&mut sim, scenario, observing, config())?;
        let server_address = SocketAddr::new(server_address, 7788);
        let now = sim.now();
        let stack = sim.stack_mut(server);
        let listener = stack.open(scenario.family, Kind::Stream)?;
        // Accepted sockets begin with their listener's options.
        set_options(stack, now, listener, &scenario.plans[0].server)?;
        stack.bind(now, listener, server_address)?;
        stack.listen(now, listener, scenario.backlog)?;
        let connections = scenario.plans.iter().zip(0..).map(|(plan, number)| {
            sim.wake_at(now + plan.start);
            let key = scenario.seed.wrapping_mul(31).wrapping_add(1000 * number);
            let patterns = [Pattern(key), Pattern(!key)];
            Connection { plan: plan.clone(), patterns, client: Client::NotYet, server: None }
        });
        let connections = connections.collect();
        let transfers = Transfers {
            family: scenario.family,
            client,
            server,
            server_address,
            listener,
            choices: Choices::new(!scenario.seed),
            connections,
            by_address: HashMap::new(),
            by_socket: HashMap::new(),
            failed_attempts: 0,
        };
        Ok(World { sim, lans, transfers })
    }

    /// Runs all transfers and then the hosts until they are silent.
    pub fn run(&mut self) -> Result<Summary, String> {
        let World { sim, transfers, .. } = self;
        let mut failure = None;
        let outcome = sim.run_until(LIMIT, |sim| {
            failure = transfers.act(sim).err();
            failure.is_some() || transfers.connections.iter().all(Connection::is_over)
        });
        if outcome != Outcome::Met {
            failure = Some(format!("the transfers do not end: {outcome:?}"));
        }
        let mut summary = Summary { transferred_at: sim.now(), ..Summary::default() };
        if failure.is_none() {
            failure = transfers.end(sim).err();
        }
        if let Some(failure) = failure {
            return Err(format!("{failure}\n{}", self.describe()));
        }
        let plans = self.transfers.connections.iter().map(|connection| &connection.plan);
        summary.bytes = plans.map(|plan| plan.client.bytes + plan.server.bytes).sum();
        summary.silent_at = self.sim.now();
        summary.failed_attempts = self.transfers.failed_attempts;
        Ok(summary)
    }

    /// The sockets of all hosts, as they are now.
    fn describe(&self) -> String {
        let mut text = format!("at {}:\n", self.sim.now());
        for host in self.sim.hosts() {
            let snapshot = self.sim.stack(host).snapshot();
            let _ = writeln!(text, "{host:?}: deadline {:?}", self.sim.stack(host).poll_timeout());
            let _ = writeln!(
                text,
                "  half-open {}, time-wait {}, deadlines {}, waiting {}, reassembly {} bytes",
                snapshot.half_open,
                snapshot.time_wait,
                snapshot.deadlines,
                snapshot.waiting,
                snapshot.reassembly_bytes
            );
            let drops: Vec<_> =
                snapshot.drops.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
            let _ = writeln!(text, "  drops: {}", drops.join(", "));
            for socket in &snapshot.sockets {
                let _ = writeln!(text, "  {socket:?}");
            }
        }
        for connection in &self.transfers.connections {
            let _ = writeln!(text, "  {:?}\n  {:?}", connection.client, connection.server);
        }
        text
    }
}

/// Hosts that do not give up: where half of all round trips fail, one connection in some hundreds would time out. And no
/// program is so slow that its peer, closed long ago, stops waiting for its FIN.
fn config() -> Config {
    let tcp = Settings {
        syn_retries: 30,
        syn_ack_retries: 30,
        retries: 60,
        orphan_retries: 60,
        fin_wait_2: LIMIT,
        ..Settings::default()
    };
    Config { tcp, ..Config::default() }
}

fn set_options(stack: &mut Stack, now: Instant, socket: SocketId, program: &Program) -> Result<(), Error> {
    stack.set_option(now, socket, SocketOption::SendBuffer(program.send_buffer))?;
    stack.set_option(now, socket, SocketOption::ReceiveBuffer(program.receive_buffer))?;
    stack.set_option(now, socket, SocketOption::Ecn(program.ecn))?;
    stack.set_option(now, socket, SocketOption::NoDelay(program.no_delay))
}

/// Which program of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

#[derive(Debug)]
struct Connection {
    plan: Plan,
    /// What the client writes, and what the server writes.
    patterns: [Pattern; 2],
    client: Client,
    server: Option<Running>,
}

#[derive(Debug)]
enum Client {
    NotYet,
    Connecting(SocketId),
    Running(Running),
}

impl Connection {
    fn is_over(&self) -> bool {
        matches!(&self.client, Client::Running(running) if running.is_closed())
            && self.server.as_ref().is_some_and(Running::is_closed)
    }
}

/// The programs on both hosts.
struct Transfers {
    family: Family,
    client: HostId,
    server: HostId,
    server_address: SocketAddr,
    listener: SocketId,
    choices: Choices,
    connections: Vec<Connection>,
    /// Which connection a client's address belongs to.
    by_address: HashMap<SocketAddr, usize>,
    /// Who is to run when a socket is ready.
    by_socket: HashMap<(HostId, SocketId), (usize, End)>,
    failed_attempts: usize,
}

impl Transfers {
    /// Lets every program run that has a reason to.
    fn act(&mut self, sim: &mut Simulation) -> Result<(), String> {
        let now = sim.now();
        for number in 0..self.connections.len() {
            let connection = &self.connections[number];
            if matches!(connection.client, Client::NotYet) && Instant::ZERO + connection.plan.start <= now {
                self.connect(sim, number)?;
            }
        }
        while let Some((host, event)) = sim.poll_event() {
            if host == self.server && event.socket == self.listener {
                self.accept(sim)?;
            } else if let Some((number, end)) = self.by_socket.get(&(host, event.socket)).copied() {
                self.wake(sim, number, end)?;
            }
        }
        for number in 0..self.connections.len() {
            let connection = &self.connections[number];
            if matches!(&connection.client, Client::Running(running) if running.is_rested(now)) {
                self.wake(sim, number, End::Client)?;
            }
            if self.connections[number].server.as_ref().is_some_and(|running| running.is_rested(now)) {
                self.wake(sim, number, End::Server)?;
            }
        }
        Ok(())
    }

    fn connect(&mut self, sim: &mut Simulation, number: usize) -> Result<(), String> {
        let now = sim.now();
        let stack = sim.stack_mut(self.client);
        let failed = |call: &str, error: Error| format!("{call} failed: {error}");
        let socket = stack.open(self.family, Kind::Stream).map_err(|error| failed("open", error))?;
        let program = &self.connections[number].plan.client;
        set_options(stack, now, socket, program).map_err(|error| failed("set_option", error))?;
        match stack.connect(now, socket, self.server_address) {
            Err(Error::InProgress) => {}
            other => return Err(format!("connect says {other:?}")),
        }
        let address = stack.local_address(socket).map_err(|error| failed("local_address", error))?;
        self.by_address.insert(address, number);
        self.by_socket.insert((self.client, socket), (number, End::Client));
        self.connections[number].client = Client::Connecting(socket);
        Ok(())
    }

    fn accept(&mut self, sim: &mut Simulation) -> Result<(), String> {
        loop {
            let now = sim.now();
            let (socket, peer) = match sim.stack_mut(self.server).accept(now, self.listener) {
                Ok(accepted) => accepted,
                Err(Error::WouldBlock) => return Ok(()),
                Err(error) => return Err(format!("accept failed: {error}")),
            };
            let number = *self.by_address.get(&peer).ok_or_else(|| format!("{peer} never connected"))?;
            let connection = &mut self.connections[number];
            if connection.server.is_some() {
                return Err(format!("{peer} was accepted twice"));
            }
            let Plan { client, server, .. } = &connection.plan;
            let [from_client, from_server] = connection.patterns;
            let running = Running::new(self.server, socket, server, [from_server, from_client], client.bytes);
            connection.server = Some(running);
            self.by_socket.insert((self.server, socket), (number, End::Server));
            self.wake(sim, number, End::Server)?;
        }
    }

    fn wake(&mut self, sim: &mut Simulation, number: usize, end: End) -> Result<(), String> {
        let connection = &mut self.connections[number];
        if end == End::Server {
            let Some(running) = &mut connection.server else { return Ok(()) };
            return running.run(sim, &mut self.choices).map_err(|error| format!("server {number}: {error}"));
        }
        match &mut connection.client {
            Client::NotYet => Ok(()),
            Client::Running(running) => {
                running.run(sim, &mut self.choices).map_err(|error| format!("client {number}: {error}"))
            }
            Client::Connecting(socket) => {
                let socket = *socket;
                self.connected(sim, number, socket)
            }
        }
    }

    /// The outcome of a client's connect may be known.
    fn connected(&mut self, sim: &mut Simulation, number: usize, socket: SocketId) -> Result<(), String> {
        let now = sim.now();
        let stack = sim.stack_mut(self.client);
        let readiness = stack.readiness(socket).map_err(|error| format!("readiness failed: {error}"))?;
        if !readiness.is_writable() {
            return Ok(());
        }
        match stack.take_error(socket) {
            Ok(None) => {}
            Ok(Some(Error::HostUnreachable | Error::TimedOut)) => {
                // Every SYN or every ARP request was lost. Programs try again.
                stack.close(now, socket).map_err(|error| format!("close failed: {error}"))?;
                self.failed_attempts += 1;
                return self.connect(sim, number);
            }
            other => return Err(format!("connecting: {other:?}")),
        }
        let connection = &mut self.connections[number];
        let Plan { client, server, .. } = &connection.plan;
        connection.client =
            Client::Running(Running::new(self.client, socket, client, connection.patterns, server.bytes));
        self.wake(sim, number, End::Client)
    }

    /// Everything was transferred: nothing may stay behind.
    fn end(&mut self, sim: &mut Simulation) -> Result<(), String> {
        let now = sim.now();
        sim.stack_mut(self.server)
            .close(now, self.listener)
            .map_err(|error| format!("close failed: {error}"))?;
        match sim.run_until(QUIET_LIMIT, |_| false) {
            Outcome::Idle => {}
            outcome => return Err(format!("the hosts do not become silent: {outcome:?}")),
        }
        match sim.hosts().find(|host| !sim.stack(*host).snapshot().is_idle()) {
            None => Ok(()),
            Some(host) => Err(format!("{host:?} keeps something")),
        }
    }
}
