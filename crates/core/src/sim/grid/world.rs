//! Two ends and the cable between them.

use super::watch::Watch;
use crate::lan::{Cable, Direction, Duplex};
use crate::time::Instant;
use crate::wire::ethernet::{EtherType, Ethernet};
use crate::wire::tcp::SeqNumber;

/// What stands at an end of the cable: a stack of ours with its programs, or somebody else's behind a device.
pub trait End {
    /// A frame has come out of the cable.
    fn receive(&mut self, now: Instant, frame: &[u8]);
    /// Does what is due: timers, programs.
    fn wake(&mut self, now: Instant);
    /// Appends the next frame it sends to the empty `frame`; false where there is none.
    fn poll_transmit(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool;
    /// When it wants to be woken next; none where only a frame can do so.
    fn poll_timeout(&self) -> Option<Instant>;
    /// A retransmission timer that has expired: the port and SND.UNA. An end that does not know tells of none.
    fn poll_expired(&mut self) -> Option<(u16, SeqNumber)> {
        None
    }
}

impl<E: End + ?Sized> End for Box<E> {
    fn receive(&mut self, now: Instant, frame: &[u8]) {
        (**self).receive(now, frame);
    }

    fn wake(&mut self, now: Instant) {
        (**self).wake(now);
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Vec<u8>) -> bool {
        (**self).poll_transmit(now, frame)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn poll_expired(&mut self) -> Option<(u16, SeqNumber)> {
        (**self).poll_expired()
    }
}

/// Two ends, the cable between them, and who watches it. Data goes [`Direction::Up`], from `sender` to `receiver`.
#[derive(Debug)]
pub struct World<S, R> {
    /// The end that sends data.
    pub sender: S,
    /// The end that receives it.
    pub receiver: R,
    /// What is seen of the frames.
    pub watch: Watch,
    cable: Cable,
    /// Carries what is not IPv4, at once and without losses: it is TCP that is measured, not the search for neighbours.
    aside: Cable,
    spare: Vec<Vec<u8>>,
}

impl<S: End, R: End> World<S, R> {
    const SPARE_LIMIT: usize = 1024;

    /// Plugs two ends in.
    pub fn new(conditions: Duplex, seed: u64, watch: Watch, sender: S, receiver: R) -> World<S, R> {
        World {
            sender,
            receiver,
            watch,
            cable: Cable::new(conditions, seed),
            aside: Cable::new(Duplex::default(), seed),
            spare: Vec::new(),
        }
    }

    /// Lets everything happen that is due by now: first what has come out of the cables. Where a loop in real time was late, a
    /// timer would expire else although what it waits for is there.
    pub fn step(&mut self, now: Instant) {
        loop {
            while self.deliver(now) {
                self.collect(now);
            }
            self.sender.wake(now);
            while let Some((port, una)) = self.sender.poll_expired() {
                self.watch.on_timeout(now, port, una);
            }
            self.receiver.wake(now);
            if self.collect(now) == 0 {
                return;
            }
        }
    }

    /// When something happens next, as far as the ends can tell.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let times = [
            self.sender.poll_timeout(),
            self.receiver.poll_timeout(),
            self.cable.poll_timeout(),
            self.aside.poll_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    /// Takes what both ends send. Says how many frames that were.
    fn collect(&mut self, now: Instant) -> usize {
        Direction::BOTH.into_iter().map(|direction| self.collect_from(now, direction)).sum()
    }

    fn collect_from(&mut self, now: Instant, direction: Direction) -> usize {
        let mut sent = 0;
        loop {
            let mut frame = self.spare.pop().unwrap_or_default();
            let any = match direction {
                Direction::Up => self.sender.poll_transmit(now, &mut frame),
                Direction::Down => self.receiver.poll_transmit(now, &mut frame),
            };
            if !any {
                self.recycle(frame);
                return sent;
            }
            sent += 1;
            if is_ipv4(&frame) {
                // The cable keeps the frame: it is read first.
                let segment = Watch::segment_of(&frame);
                let fate = self.cable.push(now, direction, frame);
                if let Some(segment) = segment {
                    self.watch.on_sent(now, direction, &segment, &fate);
                }
            } else {
                self.aside.push(now, direction, frame);
            }
        }
    }

    /// Hands over the next frame that has come out of the cables. One at a time, so that its receiver can answer before the
    /// next: where a loop in real time was late, frames that came one after the other would be one batch else, and answered as
    /// one.
    fn deliver(&mut self, now: Instant) -> bool {
        let Some(arrival) = self.aside.poll(now).or_else(|| self.cable.poll(now)) else { return false };
        self.watch.on_arrived(arrival.at, arrival.direction, &arrival.frame);
        match arrival.direction {
            Direction::Up => self.receiver.receive(now, &arrival.frame),
            Direction::Down => self.sender.receive(now, &arrival.frame),
        }
        self.recycle(arrival.frame);
        true
    }

    fn recycle(&mut self, mut frame: Vec<u8>) {
        if self.spare.len() < Self::SPARE_LIMIT {
            frame.clear();
            self.spare.push(frame);
        }
    }
}

fn is_ipv4(frame: &[u8]) -> bool {
    Ethernet::parse(frame).is_ok_and(|(ethernet, _)| ethernet.ethertype == EtherType::Ipv4)
}
