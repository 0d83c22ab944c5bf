//! Random and mangled frames thrown at a host in many states: it never panics, keeps within its bounds, and serves a
//! good client afterwards.

use std::cell::RefCell;
use std::rc::Rc;

use sockeye_core::network::InterfaceId;
use sockeye_core::socket::{Family, Kind, Shutdown, SocketId, SocketOption};
use sockeye_core::stack::{ChecksumState, Config, Frame, Stack};
use sockeye_core::time::Duration;
use sockeye_core::wire::checksum;
use sockeye_core::wire::ip::Protocol;
use sockeye_core::wire::tcp::{Flags, Options, SackBlock, Segment, SeqNumber, Timestamps};

use super::wire::Network;

const ETH: InterfaceId = InterfaceId(1);
const SOCKETS: usize = 60;
const HALF_OPEN: usize = 8;
const TIME_WAIT: usize = 5;

/// xorshift64*: small, and the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.roll(256) as u8
    }

    fn word(&mut self) -> u32 {
        (self.roll(1 << 16) << 16 | self.roll(1 << 16)) as u32
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.roll(from.len())).copied()
    }
}

/// Host 1 with sockets in many states towards host 0, and every frame that host 0 has sent so far.
struct Siege {
    network: Network,
    dice: Dice,
    real: Rc<RefCell<Vec<Vec<u8>>>>,
    listener: SocketId,
    streams: Vec<SocketId>,
    /// Sockets of host 0: a peer that means well, in the middle of it all.
    clients: Vec<SocketId>,
    datagrams: Vec<SocketId>,
}

impl Siege {
    fn begin(seed: u64) -> Siege {
        let target = Config {
            seed: 2,
            socket_limit: SOCKETS,
            half_open_limit: HALF_OPEN,
            time_wait_limit: TIME_WAIT,
            ..Config::default()
        };
        let mut network = Network::pair_with(Config { seed: 1, ..Config::default() }, target, 1500);
        let real = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&real);
        network.loses = Box::new(move |host, frame| {
            if host == 0 && sink.borrow().len() < 500 {
                sink.borrow_mut().push(frame.to_vec());
            }
            false
        });
        let listener = network.listen(1, "[::]:80", 4);
        let mut datagrams = Vec::new();
        for (family, kind, any) in [
            (Family::V4, Kind::Datagram, "0.0.0.0:53"),
            (Family::V6, Kind::Datagram, "[::]:54"),
            (Family::V4, Kind::Ping, "0.0.0.0:7"),
            (Family::V6, Kind::Ping, "[::]:8"),
        ] {
            for host in 0..2 {
                let id = network.hosts[host].open(family, kind).unwrap();
                network.hosts[host].bind(network.now, id, any.parse().unwrap()).unwrap();
                if host == 1 {
                    datagrams.push(id);
                }
                let to = if family == Family::V4 {
                    ["10.0.0.2:53", "10.0.0.1:53"]
                } else {
                    ["[fd00::2]:54", "[fd00::1]:54"]
                };
                let to = to[host].parse().unwrap();
                for size in [0, 100, 4000] {
                    network.hosts[host].send_to(network.now, id, &vec![1; size], Some(to)).unwrap();
                }
            }
        }
        for (family, protocol) in [
            (Family::V4, Protocol::Icmp),
            (Family::V4, Protocol::Tcp),
            (Family::V6, Protocol::Icmpv6),
            (Family::V6, Protocol::Other(253)),
        ] {
            datagrams.push(network.hosts[1].open(family, Kind::Raw(protocol)).unwrap());
        }
        network.hosts[1].join(network.now, datagrams[0], Some(ETH), "224.1.1.1".parse().unwrap()).unwrap();
        let mut streams = Vec::new();
        for state in 0..6 {
            let address = if state % 2 == 0 { "10.0.0.2:80" } else { "[fd00::2]:80" };
            let (client, server) = network.connected(listener, address);
            let now = network.now;
            network.write(0, client, &[1; 5000]).unwrap();
            network.write(1, server, &[2; 5000]).unwrap();
            match state {
                0 => network.hosts[0].shutdown(now, client, Shutdown::Write).unwrap(), // CLOSE-WAIT
                1 => network.hosts[1].shutdown(now, server, Shutdown::Write).unwrap(), // FIN-WAIT-2
                2 => network.hosts[1].set_option(now, server, SocketOption::KeepAlive(true)).unwrap(),
                3 => {
                    network.read(0, client).unwrap();
                    network.read(1, server).unwrap();
                    network.close(0, client); // LAST-ACK follows
                    network.close(1, server);
                    continue;
                }
                _ => {}
            }
            network.settle();
            streams.push(server);
        }
        let (now, dead) = (network.now, "10.0.0.77:9".parse().unwrap());
        let opening = network.hosts[1].open(Family::V4, Kind::Stream).unwrap();
        network.hosts[1].connect(now, opening, dead).unwrap_err();
        streams.push(opening);
        Siege { network, dice: Dice(seed), real, listener, streams, clients: Vec::new(), datagrams }
    }

    /// One frame, from one of many workshops.
    fn attack(&mut self) {
        match self.dice.roll(10) {
            0 => {
                let length = self.dice.roll(200);
                let noise: Vec<u8> = (0..length).map(|_| self.dice.byte()).collect();
                self.throw(&noise);
            }
            1..=4 => self.forge_segment(),
            _ => {
                let frame = self.mangled();
                self.throw(&frame);
            }
        }
    }

    /// A frame that was once sent, with something wrong in it.
    fn mangled(&mut self) -> Vec<u8> {
        let real = self.real.borrow();
        let mut frame = real.get(self.dice.roll(real.len())).cloned().unwrap_or_default();
        for _ in 0..self.dice.roll(6) {
            let place = self.dice.roll(frame.len().min(100));
            let special = self.dice.pick(&[0, 1, 0x7f, 0x80, 0xff]);
            if let Some(byte) = frame.get_mut(place) {
                *byte = special.unwrap_or(*byte);
            }
        }
        match self.dice.roll(8) {
            0 => frame.truncate(self.dice.roll(frame.len())),
            1 => frame.extend((0..self.dice.roll(64)).map(|byte| byte as u8)),
            2 => {
                let other = real.get(self.dice.roll(real.len())).cloned().unwrap_or_default();
                let cut = self.dice.roll(frame.len());
                frame.truncate(cut);
                frame.extend(other.into_iter().skip(cut));
            }
            _ => {}
        }
        drop(real);
        // Mostly the IPv4 header's checksum is put right again, or nothing behind it would be reached.
        if self.dice.roll(4) > 0 {
            repair(&mut frame);
        }
        frame
    }

    /// A segment for a connection that exists, with numbers close to the right ones.
    fn forge_segment(&mut self) {
        let id = self.dice.pick(&self.streams).unwrap();
        let host = &self.network.hosts[1];
        let (Ok(info), Ok(local)) = (host.tcp_info(id), host.local_address(id)) else { return };
        let peer_port = host.peer_address(id).map_or(9, |peer| peer.port());
        let near = |dice: &mut Dice, number: SeqNumber| {
            let far = dice.word();
            let choices = [0, 1, u32::MAX, 1000, 65_535, 0x8000_0000, far];
            SeqNumber(number.0.wrapping_add(dice.pick(&choices).unwrap_or(0)))
        };
        let dice = &mut self.dice;
        let bits = [Flags::SYN, Flags::ACK, Flags::FIN, Flags::RST, Flags::PSH, Flags::URG];
        let mut flags = if dice.roll(3) > 0 { Flags::ACK } else { Flags::default() };
        for flag in bits {
            if dice.roll(4) == 0 {
                flags |= flag;
            }
        }
        let mut options = Options::default();
        if dice.roll(2) == 0 {
            options.timestamps = Some(Timestamps { value: dice.word(), echo: dice.word() });
        }
        if dice.roll(3) == 0 {
            for _ in 0..3 {
                let (left, right) = (near(dice, info.snd_una), near(dice, info.snd_nxt));
                options.sack.push(SackBlock { left, right });
            }
        }
        if dice.roll(5) == 0 {
            options.mss = Some(dice.word() as u16);
            options.window_scale = Some(dice.byte());
        }
        let segment = Segment {
            source_port: peer_port,
            destination_port: dice.pick(&[local.port(), 80, 81]).unwrap_or(80),
            seq: near(dice, info.rcv_nxt),
            ack: near(dice, info.snd_nxt),
            flags,
            window: dice.word() as u16,
            urgent: dice.word() as u16,
            options,
            length: 0,
        };
        self.network.inject(1, [10, 0, 0, 1].into(), [10, 0, 0, 2].into(), &segment);
    }

    /// What the program of host 1 does meanwhile.
    fn call(&mut self) {
        let now = self.network.now;
        let mut buffer = [0; 3000];
        if self.dice.roll(6) == 0 {
            return self.honest_peer();
        }
        let host = &mut self.network.hosts[1];
        match self.dice.roll(12) {
            0 => {
                if let Ok((id, _)) = host.accept(now, self.listener) {
                    self.streams.push(id);
                }
            }
            1 if self.streams.len() > 8 => {
                let victim = self.streams.swap_remove(self.dice.roll(self.streams.len()));
                host.close(now, victim).unwrap();
            }
            2 => {
                let id = self.dice.pick(&self.datagrams).unwrap();
                let _ = host.send_to(now, id, &buffer[..100], Some("10.0.0.1:53".parse().unwrap()));
            }
            3 => {
                let to = "10.0.0.1:80".parse().unwrap();
                if self.streams.len() < 20
                    && let Ok(id) = host.open(Family::V4, Kind::Stream)
                {
                    host.connect(now, id, to).unwrap_err();
                    self.streams.push(id);
                }
            }
            4 => {
                let id = self.dice.pick(&self.streams).unwrap();
                let _ = host.shutdown(now, id, Shutdown::Write);
            }
            5 | 6 => {
                let id = self.dice.pick(&self.streams).unwrap();
                let _ = host.write(now, id, &buffer);
            }
            _ => {
                let id = self.dice.pick(&self.streams).unwrap();
                let _ = host.read(now, id, &mut buffer);
                let id = self.dice.pick(&self.datagrams).unwrap();
                let _ = host.receive_from(now, id, &mut buffer);
            }
        }
    }

    /// Host 0 opens a connection, or goes on with one, and for once its frames and the answers get through.
    fn honest_peer(&mut self) {
        let now = self.network.now;
        if self.clients.len() < 30 {
            let address = self.dice.pick(&["10.0.0.2:80", "[fd00::2]:80"]).unwrap();
            let client = self.network.connect(0, address);
            self.clients.push(client);
        }
        let client = self.dice.pick(&self.clients).unwrap();
        match self.dice.roll(5) {
            0 => {
                self.clients.retain(|id| *id != client);
                self.network.hosts[0].close(now, client).unwrap();
            }
            1 => drop(self.network.hosts[0].shutdown(now, client, Shutdown::Write)),
            _ => drop(self.network.hosts[0].write(now, client, &[3; 4000])),
        }
        self.network.hosts[0].handle_timeout(now);
        self.network.settle();
        while self.network.hosts[0].poll_event().is_some() {}
    }

    fn assert_bounded(&self, step: usize) {
        let snapshot = self.network.hosts[1].snapshot();
        assert!(snapshot.sockets.len() <= SOCKETS, "step {step}: {} sockets", snapshot.sockets.len());
        assert!(snapshot.half_open <= HALF_OPEN && snapshot.time_wait <= TIME_WAIT, "step {step}");
        assert!(snapshot.reassembly_bytes <= 4 << 20, "step {step}: {}", snapshot.reassembly_bytes);
        assert!(snapshot.waiting <= 8000, "step {step}: {} wait", snapshot.waiting);
        let neighbors: usize = snapshot.interfaces.iter().map(|interface| interface.neighbors.len()).sum();
        assert!(neighbors <= 4096, "step {step}: {neighbors} neighbours");
        assert!(snapshot.deadlines <= SOCKETS + HALF_OPEN + TIME_WAIT, "step {step}");
        assert!(snapshot.ports_and_flows <= 3 * (SOCKETS + HALF_OPEN + TIME_WAIT), "step {step}");
        for socket in &snapshot.sockets {
            let most = 16 << 20;
            assert!(socket.receive_queue < most && socket.send_queue < most, "step {step}: {socket:?}");
        }
    }

    fn throw(&mut self, frame: &[u8]) {
        let checksums = [ChecksumState::Unknown, ChecksumState::Verified, ChecksumState::Partial];
        let checksum = self.dice.pick(&checksums).unwrap_or_default();
        let segment_size = (self.dice.roll(10) == 0).then(|| self.dice.word() as u16);
        self.network.hosts[1].receive(self.network.now, ETH, Frame { bytes: frame, checksum, segment_size });
    }
}

/// Puts the checksum of an IPv4 header right.
pub fn repair(frame: &mut [u8]) {
    let Some(packet) = frame.get_mut(14..) else { return };
    let length = packet.first().map_or(0, |byte| usize::from(byte & 15) * 4);
    if let Some(header) = packet.get_mut(..length)
        && length >= 20
    {
        header[10..12].fill(0);
        let sum = !checksum::sum(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn drain(host: &mut Stack, now: sockeye_core::time::Instant, most: usize) -> usize {
    (0..most).take_while(|_| host.poll_transmit(now).is_some()).count()
}

fn besiege(seed: u64) {
    let mut siege = Siege::begin(seed);
    for step in 0..2500 {
        siege.attack();
        if siege.dice.roll(4) == 0 {
            siege.call();
        }
        if siege.dice.roll(8) == 0 {
            let millis = siege.dice.pick(&[0, 1, 40, 300, 5000]).unwrap_or(0);
            siege.network.now += Duration::from_millis(millis);
            let now = siege.network.now;
            siege.network.hosts[1].handle_timeout(now);
        }
        if siege.dice.roll(3) == 0 {
            let now = siege.network.now;
            let sent = drain(&mut siege.network.hosts[1], now, 20_000);
            assert!(sent < 20_000, "step {step}: one frame brings an endless answer");
        }
        if step % 50 == 0 {
            siege.assert_bounded(step);
        }
        while siege.network.hosts[1].poll_event().is_some() {}
    }
    // Had the frames not reached far, nothing would be proved.
    let reasons = siege.network.hosts[1].snapshot().drops.iter().count();
    assert!(reasons >= 15, "only {reasons} kinds of refusals");
    serves_a_good_client(siege);
}

/// The attacker goes away. What he has left behind dies down; then somebody honest comes.
fn serves_a_good_client(mut siege: Siege) {
    let network = &mut siege.network;
    network.run(Duration::from_secs(2));
    for id in siege.clients.drain(..) {
        network.hosts[0].close(network.now, id).unwrap();
    }
    for id in siege.streams.drain(..).chain(siege.datagrams.drain(..)) {
        network.hosts[1].close(network.now, id).unwrap();
    }
    while let Ok((id, _)) = network.hosts[1].accept(network.now, siege.listener) {
        network.close(1, id);
    }
    network.run(Duration::from_secs(1200));
    while let Ok((id, _)) = network.hosts[1].accept(network.now, siege.listener) {
        network.close(1, id);
    }
    for address in ["10.0.0.2:80", "[fd00::2]:80"] {
        let client = network.connect(0, address);
        network.run(Duration::from_secs(60));
        let (server, _) = network.hosts[1].accept(network.now, siege.listener).expect(address);
        network.write(0, client, b"still there?").unwrap();
        network.run(Duration::from_secs(2));
        assert_eq!(network.read(1, server), Ok(b"still there?".to_vec()));
        network.close(0, client);
        network.close(1, server);
    }
    network.close(1, siege.listener);
    network.run(Duration::from_secs(1200));
    let snapshot = network.hosts[1].snapshot();
    assert!(snapshot.is_idle(), "{snapshot:#?}");
}

#[test]
fn a_host_outlives_hostile_frames() {
    for seed in 1..=30 {
        let outcome = std::panic::catch_unwind(|| besiege(seed * 0x9e37_79b9));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
