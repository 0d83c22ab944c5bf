//! A client and a server over a pipe that loses, delays, reorders and doubles, by seed.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// What the pipe does to segments, in percent, and its delay in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    pub(super) loss: u32,
    pub(super) duplicate: u32,
    pub(super) reorder: u32,
    pub(super) delay: u64,
}

/// One end: what stands behind its flow, as the stack would keep it.
#[derive(Debug)]
pub(super) enum End {
    Listening,
    Half(Handshake),
    Open(Box<Connection>),
    TimeWait(Box<Connection>, TimeWait),
    Gone(Box<Connection>),
}

impl End {
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            End::Open(connection) | End::TimeWait(connection, _) | End::Gone(connection) => Some(connection),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Flying {
    to: usize,
    segment: Segment,
    payload: Vec<u8>,
}

/// Two ends and what lies between them. End 0 is the client.
pub(super) struct Pipe {
    pub(super) now: Instant,
    pub(super) ends: [End; 2],
    pub(super) settings: [Settings; 2],
    pub(super) conditions: Conditions,
    pub(super) largest: usize,
    pub(super) path_mss: u16,
    /// Decides for each segment, by its number, whether it is lost, besides the dice.
    pub(super) rule: fn(usize, &Segment) -> bool,
    pub(super) carried: usize,
    pub(super) lost: usize,
    flying: BTreeMap<(Instant, u64), Flying>,
    serial: u64,
    dice: ChaCha8Rng,
    pub(super) log: Option<Vec<String>>,
}

impl Pipe {
    pub(super) fn new(seed: u64, settings: [Settings; 2], conditions: Conditions) -> Pipe {
        let now = Instant::from_secs(1);
        let client = Connection::connect(now, super::ends(), settings[0].clone(), opening(seed as u32));
        Pipe {
            now,
            ends: [End::Open(Box::new(client)), End::Listening],
            settings,
            conditions,
            largest: 0,
            path_mss: 1460,
            rule: |_, _| false,
            carried: 0,
            lost: 0,
            flying: BTreeMap::new(),
            serial: 0,
            dice: ChaCha8Rng::seed_from_u64(seed),
            log: None,
        }
    }

    fn roll(&mut self, percent: u32) -> bool {
        percent > 0 && self.dice.next_u32() % 100 < percent
    }

    pub(super) fn random(&mut self, below: u32) -> u32 {
        self.dice.next_u32() % below.max(1)
    }

    fn carry(&mut self, from: usize, segment: Segment, payload: &[u8]) {
        if let Some(log) = &mut self.log {
            log.push(format!("{} {} {segment}", self.now, if from == 0 { "->" } else { "<-" }));
        }
        let number = self.carried;
        self.carried += 1;
        if (self.rule)(number, &segment) || self.roll(self.conditions.loss) {
            self.lost += 1;
            return;
        }
        let copies = 1 + u32::from(self.roll(self.conditions.duplicate));
        for _ in 0..copies {
            let mut delay = ms(self.conditions.delay);
            if self.roll(self.conditions.reorder) {
                let percent = self.random(300);
                delay += ms(self.conditions.delay) * percent / 100;
            }
            self.serial += 1;
            let flying = Flying { to: 1 - from, segment, payload: payload.to_vec() };
            self.flying.insert((self.now + delay, self.serial), flying);
        }
    }

    /// Lets both ends send what they have to send.
    pub(super) fn send(&mut self) {
        for end in 0..2 {
            for turn in 0.. {
                assert!(turn < 100_000, "never stops sending");
                let Some(connection) = self.ends[end].connection() else { break };
                let had = connection.has_transmit();
                let Some(outgoing) = connection.poll_transmit(self.now, self.largest) else { break };
                assert!(had || self.largest > 0 && turn == 0, "has_transmit said no to {outgoing:?}");
                let payload = connection.payload(outgoing.offset, outgoing.length).concat();
                assert_eq!(payload.len(), outgoing.segment.length as usize);
                super::check(connection);
                // A device without offload would cut here.
                let size = outgoing.segment_size.map_or(payload.len().max(1), usize::from);
                let mut rest = payload.as_slice();
                let mut segment = outgoing.segment;
                loop {
                    let (now, later) = rest.split_at(size.min(rest.len()));
                    let mut part = segment;
                    part.length = now.len() as u32;
                    if !later.is_empty() {
                        part.flags = part.flags & !(Flags::FIN | Flags::PSH);
                    }
                    assert!(
                        part.length as usize + part.options.len() <= usize::from(self.path_mss),
                        "{part}"
                    );
                    self.carry(end, part, now);
                    segment.seq += now.len() as u32;
                    rest = later;
                    if rest.is_empty() {
                        break;
                    }
                }
                let had = self.ends[end].connection().is_some_and(|c| c.has_transmit());
                let _ = had;
            }
            self.settle(end);
        }
    }

    /// What the stack does after a connection has moved.
    fn settle(&mut self, end: usize) {
        let Some(connection) = self.ends[end].connection() else { return };
        super::check(connection);
        let state = connection.state();
        if connection.has_transmit() || !matches!(self.ends[end], End::Open(_)) {
            return;
        }
        let old = core::mem::replace(&mut self.ends[end], End::Listening);
        let End::Open(connection) = old else { unreachable!() };
        self.ends[end] = match state {
            State::TimeWait => {
                let record = connection.time_wait(self.now);
                End::TimeWait(connection, record)
            }
            State::Closed => End::Gone(connection),
            _ => End::Open(connection),
        };
    }

    fn deliver(&mut self, flying: Flying) {
        let Flying { to, segment, payload } = flying;
        let now = self.now;
        match &mut self.ends[to] {
            End::Listening => {
                if segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK) {
                    let opening = Opening { path_mss: self.path_mss, ..opening(0xffff_f000) };
                    let ends = reversed(super::ends());
                    let handshake = Handshake::on_syn(now, ends, &segment, opening, &self.settings[to]);
                    let answer = handshake.syn_ack(now);
                    self.ends[to] = End::Half(handshake);
                    self.carry(to, answer, &[]);
                } else if let Some(reset) = reset_for(&segment) {
                    self.carry(to, reset, &[]);
                }
            }
            End::Half(handshake) => match handshake.on_segment(now, &segment) {
                HandshakeStep::Complete => {
                    let mut connection = Connection::accepted(now, handshake, &segment, &self.settings[to]);
                    let _ = connection.on_segment(now, &segment, &payload);
                    self.ends[to] = End::Open(Box::new(connection));
                }
                HandshakeStep::Reply(answer) | HandshakeStep::Reset(answer) => self.carry(to, answer, &[]),
                HandshakeStep::Closed => self.ends[to] = End::Listening,
                HandshakeStep::Drop(_) | HandshakeStep::Silent => {}
            },
            End::Open(connection) => {
                let _ = connection.on_segment(now, &segment, &payload);
                super::check(connection);
            }
            End::TimeWait(_, record) => {
                if let TimeWaitStep::Acknowledge(answer) = record.on_segment(now, &segment) {
                    self.carry(to, answer, &[]);
                }
            }
            End::Gone(_) => {
                if let Some(reset) = reset_for(&segment) {
                    self.carry(to, reset, &[]);
                }
            }
        }
        self.settle(to);
    }

    fn deadline(&self, end: usize) -> Option<Instant> {
        match &self.ends[end] {
            End::Listening | End::Gone(_) => None,
            End::Half(handshake) => Some(handshake.poll_timeout()),
            End::Open(connection) => connection.poll_timeout(),
            End::TimeWait(_, record) => Some(record.expires()),
        }
    }

    /// Goes on to the next thing that happens, no further than `until`. `false` when nothing will.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        self.send();
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let next = [arrival, self.deadline(0), self.deadline(1)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= until) else { return false };
        self.now = self.now.max(next);
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let flying = entry.remove();
            self.deliver(flying);
        }
        for end in 0..2 {
            if self.deadline(end).is_none_or(|due| due > self.now) {
                continue;
            }
            let now = self.now;
            match &mut self.ends[end] {
                End::Half(handshake) => match handshake.on_timeout(now) {
                    HandshakeTimeout::Resend(segment) => self.carry(end, segment, &[]),
                    HandshakeTimeout::Wait => {}
                    HandshakeTimeout::GiveUp => self.ends[end] = End::Listening,
                },
                End::Open(connection) => {
                    connection.on_timeout(now);
                }
                End::TimeWait(..) => {
                    let old = core::mem::replace(&mut self.ends[end], End::Listening);
                    let End::TimeWait(connection, _) = old else { unreachable!() };
                    self.ends[end] = End::Gone(connection);
                }
                _ => {}
            }
            self.settle(end);
        }
        true
    }

    /// Goes on for this long.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
        self.now = until;
        self.send();
    }

    pub(super) fn client(&mut self) -> &mut Connection {
        self.ends[0].connection().unwrap()
    }

    pub(super) fn server(&mut self) -> &mut Connection {
        self.ends[1].connection().unwrap()
    }
}
