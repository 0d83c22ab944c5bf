//! Mangled frames for any address, thrown at a gate and at sockets that catch all, while their program decides by dice: it
//! never panics, keeps within its bounds, serves a good client afterwards, and leaves nothing.

use std::cell::RefCell;
use std::rc::Rc;

use sockeye_core::error::Error;
use sockeye_core::network::{InterfaceId, Unreachable};
use sockeye_core::socket::{CatchAll, Family, Kind, SocketId};
use sockeye_core::stack::{Ancillary, ChecksumState, Config, Frame, Received, Refusal, SynId};
use sockeye_core::time::Duration;

use super::gate::world_with;
use super::hostile::{Dice, repair};
use super::wire::Network;

const HALF_OPEN: usize = 16;
const SOCKETS: usize = 40;

/// Host 1 with all that takes foreign packets, and every frame that its client has sent so far.
struct Siege {
    network: Network,
    dice: Dice,
    real: Rc<RefCell<Vec<Vec<u8>>>>,
    gate: SocketId,
    catchers: [SocketId; 2],
    syns: Vec<SynId>,
    streams: Vec<SocketId>,
    /// How many SYNs were told of, connections accepted, and datagrams heard.
    seen: [usize; 3],
}

const WORLD: [&str; 5] =
    ["192.0.2.7:80", "[2001:db8::7]:80", "169.254.1.1:80", "10.0.0.2:80", "[fd00::2]:81"];

impl Siege {
    fn begin(seed: u64) -> Siege {
        let config = Config { half_open_limit: HALF_OPEN, socket_limit: SOCKETS, ..Config::default() };
        let mut network = world_with(config);
        let real = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&real);
        network.loses = Box::new(move |host, frame| {
            if host == 0 && sink.borrow().len() < 500 {
                sink.borrow_mut().push(frame.to_vec());
            }
            false
        });
        let now = network.now;
        let gate = network.hosts[1].open(Family::V6, Kind::Stream).unwrap();
        network.hosts[1].open_gate(now, gate, 4, CatchAll::Unclaimed).unwrap();
        let catchers =
            [(Kind::Datagram, CatchAll::Unclaimed), (Kind::Ping, CatchAll::Foreign)].map(|(kind, what)| {
                let id = network.hosts[1].open(Family::V6, kind).unwrap();
                network.hosts[1].catch_all(now, id, what).unwrap();
                id
            });
        for to in WORLD {
            let to = to.parse().unwrap();
            for kind in [Kind::Datagram, Kind::Ping] {
                let id = network.hosts[0].open(Family::of(&to), kind).unwrap();
                for size in [0, 100, 4000] {
                    network.hosts[0].send_to(now, id, &vec![1; size], Some(to)).unwrap();
                }
            }
        }
        network.settle();
        Siege {
            network,
            dice: Dice(seed),
            real,
            gate,
            catchers,
            syns: Vec::new(),
            streams: Vec::new(),
            seen: [0; 3],
        }
    }

    fn attack(&mut self) {
        let mut frame = {
            let real = self.real.borrow();
            real.get(self.dice.roll(real.len())).cloned().unwrap_or_default()
        };
        for _ in 0..self.dice.roll(4) {
            let place = self.dice.roll(frame.len().min(100));
            let special = self.dice.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x02, 0x12]);
            if let Some(byte) = frame.get_mut(place) {
                *byte = special.unwrap_or(*byte);
            }
        }
        if self.dice.roll(8) == 0 {
            frame.truncate(self.dice.roll(frame.len()));
        }
        repair(&mut frame);
        let checksum = self.dice.pick(&[ChecksumState::Unknown, ChecksumState::Verified]).unwrap();
        let frame = Frame { bytes: &frame, checksum, segment_size: None };
        self.network.hosts[1].receive(self.network.now, InterfaceId(1), frame);
    }

    /// What the program at the gate does, and a client that means well.
    fn call(&mut self) {
        let now = self.network.now;
        let mut buffer = [0; 3000];
        let host = &mut self.network.hosts[1];
        match self.dice.roll(8) {
            0 => {
                if let Ok(syn) = host.next_syn(now, self.gate) {
                    self.syns.push(syn.id);
                    self.seen[0] += 1;
                }
            }
            1 | 2 if !self.syns.is_empty() => {
                let syn = self.syns.swap_remove(self.dice.roll(self.syns.len()));
                let decided = match self.dice.roll(5) {
                    0 => host.refuse(now, self.gate, syn, Refusal::Reset),
                    1 => host.refuse(now, self.gate, syn, Refusal::Unreachable(Unreachable::Host)),
                    2 => host.refuse(now, self.gate, syn, Refusal::Silence),
                    _ => host.admit(now, self.gate, syn),
                };
                assert!(matches!(decided, Ok(()) | Err(Error::ConnectionAborted)), "{decided:?}");
            }
            3 => {
                if let Ok((id, _)) = host.accept(now, self.gate) {
                    self.streams.push(id);
                    self.seen[1] += 1;
                }
            }
            4 if !self.streams.is_empty() => {
                let id = self.streams.swap_remove(self.dice.roll(self.streams.len()));
                let _ = host.read(now, id, &mut buffer);
                host.close(now, id).unwrap();
            }
            5 => {
                let to = self.dice.pick(&WORLD).unwrap();
                let client = self.network.connect(0, to);
                self.network.settle();
                if self.dice.roll(2) == 0 {
                    self.network.close(0, client);
                }
            }
            _ => {
                let which = self.dice.roll(2);
                let Some(id) = self.catchers.get(which).copied() else { return };
                let Ok(received) = host.receive_from(now, id, &mut buffer) else { return };
                self.seen[2] += 1;
                let Received { source, destination, copied, .. } = received;
                let answer = &buffer[..copied];
                let _ = match (self.dice.roll(2), which) {
                    (0, _) => host.refuse_datagram(now, id, &received, Unreachable::Port).map(|()| 0),
                    (_, 0) => {
                        let with = Ancillary { source: Some(destination), ..Ancillary::default() };
                        host.send_with(now, id, answer, Some(source), &with)
                    }
                    _ => host.answer_echo(now, id, &received, answer),
                };
            }
        }
    }

    fn assert_bounded(&self, step: usize) {
        let snapshot = self.network.hosts[1].snapshot();
        assert!(snapshot.half_open <= HALF_OPEN && snapshot.sockets.len() <= SOCKETS, "step {step}");
        assert!(snapshot.waiting <= 8000 && snapshot.reassembly_bytes <= 4 << 20, "step {step}");
    }
}

#[test]
fn a_gate_under_siege() {
    for seed in 1..=8 {
        let mut siege = Siege::begin(seed * 7919);
        for step in 0..6000 {
            siege.attack();
            siege.call();
            if siege.dice.roll(20) == 0 {
                let time = siege.dice.roll(2000) as u64;
                siege.network.run(Duration::from_millis(time));
            }
            siege.assert_bounded(step);
        }
        assert!(siege.seen[0] > 100 && siege.seen[1] > 10 && siege.seen[2] > 100, "{:?}", siege.seen);
        for id in siege.streams.drain(..) {
            siege.network.hosts[1].close(siege.network.now, id).unwrap();
        }
        siege.network.run(Duration::from_secs(400));
        while let Ok((id, _)) = siege.network.hosts[1].accept(siege.network.now, siege.gate) {
            siege.network.close(1, id);
        }
        while siege.network.hosts[1].next_syn(siege.network.now, siege.gate).is_ok() {}

        let client = siege.network.connect(0, "198.51.100.9:443");
        siege.network.settle();
        let now = siege.network.now;
        let syn = siege.network.hosts[1].next_syn(now, siege.gate).unwrap();
        siege.network.hosts[1].admit(now, siege.gate, syn.id).unwrap();
        siege.network.settle();
        assert_eq!(siege.network.hosts[0].take_error(client), Ok(None), "seed {seed}");
        let (served, _) = siege.network.hosts[1].accept(now, siege.gate).unwrap();
        siege.network.close(1, served);
        siege.network.close(1, siege.gate);
        for id in siege.catchers {
            siege.network.close(1, id);
        }
        siege.network.loses = Box::new(|_, _| true);
        siege.network.run(Duration::from_secs(4000));
        let snapshot = siege.network.hosts[1].snapshot();
        assert!(snapshot.is_idle(), "seed {seed}: {snapshot:#?}");
    }
}
