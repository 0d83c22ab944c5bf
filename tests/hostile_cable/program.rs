//! The program at one end of a connection: writes, reads, checks every byte, and closes.

use sockeye_core::error::Error;
use sockeye_core::sim::{HostId, Simulation};
use sockeye_core::socket::{Shutdown, SocketId};
use sockeye_core::time::{Duration, Instant};

use crate::scenario::{Choices, Finish, Program};

/// The bytes of a stream, by their place in it.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(pub u64);

impl Pattern {
    fn byte(self, place: usize) -> u8 {
        (self.0.wrapping_add(place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }
}

/// A running program.
#[derive(Debug)]
pub struct Running {
    pub host: HostId,
    pub socket: SocketId,
    plan: Program,
    /// What it writes, and what it must read.
    writes: Pattern,
    reads: Pattern,
    expected: usize,
    written: usize,
    read: usize,
    writing: Writing,
    has_seen_end: bool,
    /// Until when it pauses.
    pause: Option<Instant>,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    ShutDown,
}

impl Running {
    pub fn new(
        host: HostId,
        socket: SocketId,
        plan: &Program,
        patterns: [Pattern; 2],
        expected: usize,
    ) -> Running {
        let [writes, reads] = patterns;
        Running {
            host,
            socket,
            plan: plan.clone(),
            writes,
            reads,
            expected,
            written: 0,
            read: 0,
            writing: Writing::Open,
            has_seen_end: false,
            pause: None,
            closed: false,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether a pause is over: it must run again.
    pub fn is_rested(&self, now: Instant) -> bool {
        self.pause.is_some_and(|until| until <= now)
    }

    /// Does what can be done without waiting. It is called when the socket has become ready for something, and when a
    /// pause is over; never else: a wake-up that the stack forgets is a transfer that stops.
    pub fn run(&mut self, sim: &mut Simulation, choices: &mut Choices) -> Result<(), String> {
        if self.closed || self.pause.is_some_and(|until| sim.now() < until) {
            return Ok(());
        }
        self.pause = None;
        loop {
            let wrote = self.write(sim, choices)?;
            let read = self.read(sim, choices)?;
            self.finish(sim)?;
            if self.closed || !(wrote || read) {
                return Ok(());
            }
            if choices.happens(self.plan.pause) {
                let pause = choices.between(1, self.plan.longest_pause.as_micros() as usize);
                let until = sim.now() + Duration::from_micros(pause as u64);
                self.pause = Some(until);
                sim.wake_at(until);
                return Ok(());
            }
        }
    }

    fn write(&mut self, sim: &mut Simulation, choices: &mut Choices) -> Result<bool, String> {
        if self.writing == Writing::ShutDown || self.written == self.plan.bytes {
            return Ok(false);
        }
        let end = self.plan.bytes.min(self.written + choices.between(1, self.plan.write_chunk));
        let chunk: Vec<u8> = (self.written..end).map(|place| self.writes.byte(place)).collect();
        let now = sim.now();
        match sim.stack_mut(self.host).write(now, self.socket, &chunk) {
            Ok(0) => Err("write took nothing and called that a success".to_owned()),
            Ok(taken) if taken > chunk.len() => Err(format!("write took {taken} of {} bytes", chunk.len())),
            Ok(taken) => {
                self.written += taken;
                Ok(true)
            }
            Err(Error::WouldBlock) => Ok(false),
            Err(error) => Err(format!("write failed after {} bytes: {error}", self.written)),
        }
    }

    fn read(&mut self, sim: &mut Simulation, choices: &mut Choices) -> Result<bool, String> {
        if self.has_seen_end {
            return Ok(false);
        }
        let mut buffer = vec![0; choices.between(1, self.plan.read_chunk)];
        let now = sim.now();
        let bytes = match sim.stack_mut(self.host).read(now, self.socket, &mut buffer) {
            Ok(0) if self.read < self.expected => {
                return Err(format!("the stream ends after {} of {} bytes", self.read, self.expected));
            }
            Ok(0) => {
                self.has_seen_end = true;
                return Ok(true);
            }
            Ok(length) => buffer.get(..length).ok_or("read returned more than fits")?,
            Err(Error::WouldBlock) => return Ok(false),
            Err(error) => {
                return Err(format!("read failed after {} of {} bytes: {error}", self.read, self.expected));
            }
        };
        if self.read + bytes.len() > self.expected {
            return Err(format!("{} bytes read, {} were sent", self.read + bytes.len(), self.expected));
        }
        if let Some(place) =
            bytes.iter().zip(self.read..).find(|(byte, place)| **byte != self.reads.byte(*place))
        {
            return Err(format!("byte {} of the stream is wrong", place.1));
        }
        self.read += bytes.len();
        Ok(true)
    }

    fn finish(&mut self, sim: &mut Simulation) -> Result<(), String> {
        let now = sim.now();
        let stack = sim.stack_mut(self.host);
        let is_written = self.written == self.plan.bytes;
        let may_shut_down = match self.plan.finish {
            Finish::AtOnce => is_written,
            Finish::AfterPeer => is_written && self.has_seen_end,
            Finish::Close => false,
        };
        if may_shut_down && self.writing == Writing::Open {
            stack
                .shutdown(now, self.socket, Shutdown::Write)
                .map_err(|error| format!("shutdown failed: {error}"))?;
            self.writing = Writing::ShutDown;
        }
        let is_done = match self.plan.finish {
            Finish::AtOnce | Finish::AfterPeer => self.writing == Writing::ShutDown && self.has_seen_end,
            Finish::Close => is_written && self.read == self.expected,
        };
        if is_done {
            if let Ok(Some(error)) = stack.take_error(self.socket) {
                return Err(format!("an error waits at the end: {error}"));
            }
            stack.close(now, self.socket).map_err(|error| format!("close failed: {error}"))?;
            self.closed = true;
        }
        Ok(())
    }
}
