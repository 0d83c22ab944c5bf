//! ECN over a cable whose queue marks: the sender slows down without losing anything.

use sockeye_core::lan::{Conditions, Duplex, QueueLimit};
use sockeye_core::sim::{HostConfig, HostId, Simulation};
use sockeye_core::socket::{Family, Kind, SocketId};
use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::trace::{Direction, TraceEvent, Tracing};
use sockeye_core::transport::tcp::{EcnMode, Settings, TcpInfo};

use super::wire::Network;

struct Transfer {
    sim: Simulation,
    hosts: [HostId; 2],
    sockets: [SocketId; 2],
}

/// A connection over 10 Mbit/s and 20 ms, with a queue of 30 packets that marks from 5 on.
fn transfer(ecn: EcnMode) -> Transfer {
    let mut sim = Simulation::new(5);
    let lan = sim.add_lan();
    let narrow = Conditions {
        delay: Duration::from_millis(10),
        rate: Some("10mbit".parse().unwrap()),
        queue: QueueLimit::Frames(30),
        mark: Some(QueueLimit::Frames(5)),
        ..Conditions::default()
    };
    let down = Conditions { delay: Duration::from_millis(10), ..Conditions::default() };
    let mut add = |name: &str, address: &str, conditions| {
        let config = Config { tcp: Settings { ecn, ..Settings::default() }, ..Config::default() };
        let host = HostConfig { config, conditions, ..HostConfig::new(name, address.parse().unwrap()) };
        sim.add_host(lan, host).unwrap()
    };
    let hosts =
        [add("a", "10.0.0.1/24", Duplex { up: narrow, down }), add("b", "10.0.0.2/24", Duplex::default())];
    let now = sim.now();
    let listener = sim.stack_mut(hosts[1]).open(Family::V4, Kind::Stream).unwrap();
    sim.stack_mut(hosts[1]).bind(now, listener, "10.0.0.2:7".parse().unwrap()).unwrap();
    sim.stack_mut(hosts[1]).listen(now, listener, 1).unwrap();
    let client = sim.stack_mut(hosts[0]).open(Family::V4, Kind::Stream).unwrap();
    let _ = sim.stack_mut(hosts[0]).connect(now, client, "10.0.0.2:7".parse().unwrap());
    sim.run_for(Duration::from_secs(3));
    let now = sim.now();
    let (server, _) = sim.stack_mut(hosts[1]).accept(now, listener).unwrap();
    Transfer { sim, hosts, sockets: [client, server] }
}

impl Transfer {
    /// Sends for so many milliseconds; says how many bytes arrived.
    fn run(&mut self, millis: u64) -> usize {
        let (mut buffer, mut arrived) = (vec![0; 1 << 16], 0);
        for _ in 0..millis {
            let now = self.sim.now();
            while self.sim.stack_mut(self.hosts[0]).write(now, self.sockets[0], &buffer).is_ok() {}
            while let Ok(count @ 1..) =
                self.sim.stack_mut(self.hosts[1]).read(now, self.sockets[1], &mut buffer)
            {
                arrived += count;
            }
            self.sim.run_for(Duration::from_millis(1));
        }
        arrived
    }

    fn info(&self) -> TcpInfo {
        self.sim.stack(self.hosts[0]).tcp_info(self.sockets[0]).unwrap()
    }
}

#[test]
fn marks_keep_the_queue_short_and_nothing_is_lost() {
    let mut marked = transfer(EcnMode::On);
    let arrived = marked.run(5000);
    let info = marked.info();
    assert!(info.ecn && info.delivered_ce > 0, "{info:?}");
    assert!(arrived > 5_000_000 * 9 / 10, "{arrived} bytes in 5 s at 1.2 MB/s");
    assert_eq!(info.total_retransmits, 0, "{info:?}");

    let mut dropped = transfer(EcnMode::Passive);
    dropped.run(5000);
    assert!(!dropped.info().ecn && dropped.info().delivered_ce == 0);
    assert!(dropped.info().total_retransmits > 0, "without ECN the queue overflows");
}

/// The traffic class of each packet that the client sends, with its flags.
fn fields(network: &mut Network) -> Vec<(u8, u8)> {
    let mut fields = Vec::new();
    while let Some(trace) = network.hosts[0].poll_trace() {
        if let TraceEvent::Frame { direction: Direction::Sent, frame, .. } = trace.event
            && frame[12..14] == [8, 0]
        {
            fields.push((frame[15], frame[47]));
        }
    }
    fields
}

#[test]
fn the_field_stands_in_the_ip_header() {
    let on = |seed| Config {
        seed,
        tcp: Settings { ecn: EcnMode::On, ..Settings::default() },
        ..Config::default()
    };
    let mut network = Network::pair_with(on(1), on(2), 1500);
    network.hosts[0].set_tracing(Tracing::On);
    let listener = network.listen(1, "10.0.0.2:80", 5);
    let (client, server) = network.connected(listener, "10.0.0.2:80");
    network.write(0, client, b"hello").unwrap();
    assert_eq!(network.read(1, server), Ok(b"hello".to_vec()));
    assert_eq!(fields(&mut network), [(0, 0xc2), (0, 0x10), (2, 0x18)], "SYN with ECE and CWR, ACK, data");
    assert!(network.hosts[1].tcp_info(server).unwrap().ecn_seen);
}

#[test]
fn a_syn_that_is_itself_marked_is_not_granted_ecn() {
    for (mark, granted) in [(0, true), (2, false), (3, false)] {
        let on = |seed| Config {
            seed,
            tcp: Settings { ecn: EcnMode::On, ..Settings::default() },
            ..Config::default()
        };
        let mut network = Network::pair_with(on(1), on(2), 1500);
        let listener = network.listen(1, "[fd00::2]:80", 5);
        network.changes = Box::new(move |_, frame| {
            if frame[12..14] == [0x86, 0xdd] && frame[20] == 6 && frame[67] & 2 != 0 {
                frame[15] |= mark << 4;
            }
        });
        let (client, server) = network.connected(listener, "[fd00::2]:80");
        assert_eq!(network.hosts[0].tcp_info(client).unwrap().ecn, granted);
        assert_eq!(network.hosts[1].tcp_info(server).unwrap().ecn, granted);
    }
}
