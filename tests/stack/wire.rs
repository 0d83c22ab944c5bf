//! A perfect network: hosts, and wires that carry every frame at once or lose what a test wants lost.

use std::net::{Ipv4Addr, SocketAddr};

use sockeye_core::error::Error;
use sockeye_core::link::Medium;
use sockeye_core::network::InterfaceId;
use sockeye_core::socket::{Family, Kind, SocketId};
use sockeye_core::stack::{ChecksumOffload, Config, Frame, InterfaceConfig, Stack};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::Protocol;
use sockeye_core::wire::checksum::{ChecksumEmit, PseudoHeader};
use sockeye_core::wire::ethernet::{EtherType, Ethernet, MacAddr};
use sockeye_core::wire::headers::Headers;
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::Segment;

/// Where an interface is plugged in: host and interface number.
pub type Plug = (usize, InterfaceId);

/// Whether the frame a host has sent is lost.
type Loss = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// Changes a frame that a host has sent.
type Change = Box<dyn FnMut(usize, &mut Vec<u8>)>;

/// Hosts and point-to-point wires between their interfaces.
pub struct Network {
    pub now: Instant,
    pub hosts: Vec<Stack>,
    wires: Vec<(Plug, Plug)>,
    /// Frames for which this says so are lost.
    pub loses: Loss,
    /// Does this to the others on their way.
    pub changes: Change,
    /// Frames delivered so far.
    pub delivered: usize,
}

impl Network {
    pub fn new(configs: impl IntoIterator<Item = Config>) -> Network {
        Network {
            now: Instant::from_secs(1),
            hosts: configs.into_iter().map(Stack::new).collect(),
            wires: Vec::new(),
            loses: Box::new(|_, _| false),
            changes: Box::new(|_, _| {}),
            delivered: 0,
        }
    }

    /// Two hosts on one wire: 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2.
    pub fn pair() -> Network {
        Network::pair_with(
            Config { seed: 1, ..Config::default() },
            Config { seed: 2, ..Config::default() },
            1500,
        )
    }

    pub fn pair_with(first: Config, second: Config, mtu: usize) -> Network {
        let mut network = Network::new([first, second]);
        let one = network.plug(0, &["10.0.0.1/24", "fd00::1/64"], mtu);
        let two = network.plug(1, &["10.0.0.2/24", "fd00::2/64"], mtu);
        network.wires.push((one, two));
        network
    }

    pub fn plug(&mut self, host: usize, addresses: &[&str], mtu: usize) -> Plug {
        let mac = MacAddr([2, 0, 0, 0, host as u8, self.hosts[host].snapshot().interfaces.len() as u8]);
        let config = InterfaceConfig {
            name: "eth".to_owned(),
            medium: Medium::Ethernet,
            mac,
            mtu,
            checksum_offload: ChecksumOffload::Off,
            segmentation: None,
        };
        let id = self.hosts[host].add_interface(config).unwrap();
        for address in addresses {
            self.hosts[host].add_address(self.now, id, address.parse().unwrap()).unwrap();
        }
        (host, id)
    }

    pub fn wire(&mut self, one: Plug, two: Plug) {
        self.wires.push((one, two));
    }

    fn other_end(&self, plug: Plug) -> Option<Plug> {
        self.wires.iter().find_map(|&(one, two)| match plug {
            plug if plug == one => Some(two),
            plug if plug == two => Some(one),
            _ => None,
        })
    }

    /// Carries frames until no host has one to send. Time stands still.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for host in 0..self.hosts.len() {
                while let Some(transmit) = self.hosts[host].poll_transmit(self.now) {
                    moved = true;
                    let (interface, mut frame) = (transmit.interface, transmit.to_vec());
                    if (self.loses)(host, &frame) {
                        continue;
                    }
                    (self.changes)(host, &mut frame);
                    if let Some((other, end)) = self.other_end((host, interface)) {
                        self.delivered += 1;
                        self.hosts[other].receive(self.now, end, Frame::new(&frame));
                    }
                }
            }
            if !moved {
                return;
            }
        }
        panic!("the hosts never fall silent");
    }

    /// Lets time pass, with everything that happens in it.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.settle();
        while let Some(next) =
            self.hosts.iter().filter_map(Stack::poll_timeout).min().filter(|next| *next <= end)
        {
            self.now = self.now.max(next);
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    /// A listening socket.
    pub fn listen(&mut self, host: usize, address: &str, backlog: usize) -> SocketId {
        let address: SocketAddr = address.parse().unwrap();
        let id = self.hosts[host].open(Family::of(&address), Kind::Stream).unwrap();
        self.hosts[host].bind(self.now, id, address).unwrap();
        self.hosts[host].listen(self.now, id, backlog).unwrap();
        id
    }

    /// A socket whose connection has begun.
    pub fn connect(&mut self, host: usize, address: &str) -> SocketId {
        let address: SocketAddr = address.parse().unwrap();
        let id = self.hosts[host].open(Family::of(&address), Kind::Stream).unwrap();
        assert_eq!(self.hosts[host].connect(self.now, id, address), Err(Error::InProgress));
        id
    }

    /// A connection of host 0 to a listener of host 1: client's socket, server's socket.
    pub fn connected(&mut self, listener: SocketId, address: &str) -> (SocketId, SocketId) {
        let client = self.connect(0, address);
        self.settle();
        let (server, _) = self.hosts[1].accept(self.now, listener).unwrap();
        assert_eq!(self.hosts[0].take_error(client), Ok(None));
        (client, server)
    }

    pub fn write(&mut self, host: usize, id: SocketId, bytes: &[u8]) -> Result<usize, Error> {
        let result = self.hosts[host].write(self.now, id, bytes);
        self.settle();
        result
    }

    pub fn read(&mut self, host: usize, id: SocketId) -> Result<Vec<u8>, Error> {
        let mut buffer = vec![0; 65_536];
        let length = self.hosts[host].read(self.now, id, &mut buffer)?;
        self.settle();
        buffer.truncate(length);
        Ok(buffer)
    }

    pub fn close(&mut self, host: usize, id: SocketId) {
        self.hosts[host].close(self.now, id).unwrap();
        self.settle();
    }

    /// Lets the two hosts of a pair learn each other's MAC addresses.
    pub fn introduce(&mut self) {
        let client = self.connect(0, "10.0.0.2:1");
        self.settle();
        self.close(0, client);
    }

    /// Throws a TCP segment at the first interface of a host, as if its neighbour had sent it.
    pub fn inject(&mut self, host: usize, from: Ipv4Addr, to: Ipv4Addr, segment: &Segment) {
        let mut headers = Headers::new();
        let pseudo = PseudoHeader::new(from.into(), to.into(), Protocol::Tcp, 0);
        segment.prepend(&mut headers, &pseudo, [&[], &[]], ChecksumEmit::Full);
        Ipv4Header { payload_length: headers.len(), ..Ipv4Header::new(from, to, Protocol::Tcp) }
            .prepend(&mut headers);
        let mac = self.hosts[host].snapshot().interfaces[1].mac.unwrap();
        Ethernet { destination: mac, source: MacAddr([2, 9, 9, 9, 9, 9]), ethertype: EtherType::Ipv4 }
            .prepend(&mut headers);
        self.hosts[host].receive(self.now, InterfaceId(1), Frame::new(headers.as_slice()));
    }

    /// Asserts that no host holds anything any more.
    pub fn assert_idle(&self) {
        for (host, stack) in self.hosts.iter().enumerate() {
            let snapshot = stack.snapshot();
            assert!(snapshot.is_idle(), "host {host} is not idle: {snapshot:#?}");
        }
    }
}
