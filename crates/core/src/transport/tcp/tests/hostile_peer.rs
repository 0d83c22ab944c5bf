//! A peer that sends anything, a program that calls anything, a clock that jumps: nothing panics, memory stays bounded,
//! what must hold holds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::error::Error;
use crate::wire::tcp::{AccurateEcn, AccurateEcnOrder, SackBlock, SackBlocks, Timestamps};

struct Peer {
    dice: ChaCha8Rng,
}

impl Peer {
    fn below(&mut self, bound: u32) -> u32 {
        self.dice.next_u32() % bound.max(1)
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    /// A number about `around`, at times far away.
    fn about(&mut self, around: SeqNumber) -> SeqNumber {
        match self.below(8) {
            0..=3 => around,
            4 => around + self.below(5),
            5 => around - self.below(2000),
            6 => around + self.below(70_000),
            _ => SeqNumber(self.dice.next_u32()),
        }
    }

    fn segment(&mut self, connection: &Connection) -> (Segment, Vec<u8>) {
        let info = connection.info();
        let mut flags = if self.one_in(10) { Flags::NONE } else { Flags::ACK };
        for (flag, rarity) in
            [(Flags::SYN, 12), (Flags::FIN, 15), (Flags::RST, 60), (Flags::URG, 20), (Flags::PSH, 3)]
        {
            if self.one_in(rarity) {
                flags |= flag;
            }
        }
        let length = if self.one_in(2) { 0 } else { self.below(3000) as usize };
        let window = [0, 1, 100, 65_535][self.below(4) as usize];
        let sack: SackBlocks = (0..self.below(4))
            .map(|_| {
                let around = info.snd_una + self.below(20_000);
                let left = self.about(around);
                SackBlock { left, right: left + self.below(6000) }
            })
            .collect();
        let timestamps = Timestamps { value: self.below(3000), echo: self.dice.next_u32() };
        let options = Options {
            mss: self.one_in(3).then(|| self.dice.next_u32() as u16),
            window_scale: self.one_in(3).then(|| self.dice.next_u32() as u8),
            sack_permitted: self.one_in(2),
            timestamps: self.one_in(2).then_some(timestamps),
            sack,
            fast_open: None,
            accurate_ecn: self
                .one_in(3)
                .then(|| AccurateEcn::new(AccurateEcnOrder::Ect0First, &[1, self.dice.next_u32(), 1])),
            is_signed: false,
        };
        let ack = if self.one_in(2) { info.snd_nxt } else { info.snd_una };
        let segment = Segment {
            seq: self.about(info.rcv_nxt),
            ack: self.about(ack),
            flags,
            window,
            urgent: self.dice.next_u32() as u16,
            options,
            length: length as u32,
            ..from_peer(flags, 0, 0)
        };
        (segment, vec![7; length])
    }
}

fn session(seed: u64) {
    let mut peer = Peer { dice: ChaCha8Rng::seed_from_u64(seed) };
    let settings = Settings {
        send_buffer: 20_000,
        send_tuning: Tuning::Fixed,
        receive_buffer: 1 + peer.below(200_000) as usize,
        nagle: peer.one_in(2),
        keepalive: peer.one_in(3),
        user_timeout: peer.one_in(3).then_some(ms(5000)),
        sack: !peer.one_in(3),
        timestamps: peer.one_in(2),
        ..Settings::default()
    };
    let mut now = Instant::from_secs(1);
    let mut connection = if peer.one_in(4) {
        Connection::connect(now, ends(), settings.clone(), opening(u32::MAX - 500))
    } else {
        established(settings.clone())
    };
    let mut buffer = [0; 5000];
    for _ in 0..200 {
        match peer.below(12) {
            0..=5 => {
                let (segment, payload) = peer.segment(&connection);
                let _ = connection.on_segment(now, &segment, &payload);
            }
            6 => {
                let length = peer.below(5000) as usize;
                let outcome = connection.write(now, &buffer[..length]);
                assert!(outcome != Err(Error::NotConnected));
            }
            7 => {
                let length = peer.below(5000) as usize;
                let _ = connection.read(now, &mut buffer[..length]);
            }
            8 => match peer.below(30) {
                0 => connection.close(now),
                1 => connection.shutdown_write(now),
                2 => connection.shutdown_read(now),
                3 => connection.on_path_mss(now, peer.below(2000) as u16),
                4 => connection.set_settings(
                    now,
                    Settings { receive_buffer: 6000, receive_tuning: Tuning::Fixed, ..settings.clone() },
                ),
                _ => {}
            },
            9 => {
                now += ms(peer.below(400).into());
                connection.on_timeout(now);
            }
            10 => {
                if let Some(due) = connection.poll_timeout() {
                    now = now.max(due);
                    connection.on_timeout(now);
                }
            }
            _ => {
                let largest = if peer.one_in(2) { 0 } else { 40_000 };
                for turn in 0.. {
                    assert!(turn < 5000, "never stops sending");
                    let Some(outgoing) = connection.poll_transmit(now, largest) else { break };
                    let [front, back] = connection.payload(outgoing.offset, outgoing.length);
                    assert_eq!(front.len() + back.len(), outgoing.length);
                }
                assert!(!connection.has_transmit());
            }
        }
        check(&connection);
        assert!(connection.memory() < 4 << 20, "{}", connection.memory());
    }
}

#[test]
fn nothing_a_peer_sends_does_harm() {
    for seed in 0..10_000 {
        if let Err(cause) = std::panic::catch_unwind(|| session(seed)) {
            println!("seed {seed} failed");
            std::panic::resume_unwind(cause);
        }
    }
}
