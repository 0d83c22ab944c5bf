//! What a recording knows of one TCP connection: its segments, calls, states and numbers, for plots, boundaries and explanations.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};
use sockeye_core::time::Instant;
use sockeye_core::transport::tcp::TcpInfo;
use sockeye_core::wire::tcp::{Flags, Segment};

use super::boundary::Unwrapped;
use super::sight::HostIndex;
use crate::ladder::conversation::Conversation;
use crate::ladder::{Shown, Side};

/// Segments, calls and numbers kept of one connection; the oldest go first.
pub(super) const KEPT: usize = 200_000;
/// Segments that are looked through for one.
const LOOKED_AT: usize = 4096;
/// First sendings that are remembered of each direction, to point back to.
const REMEMBERED: usize = 8192;

/// A TCP connection; end 0 is the one that was heard first.
pub(crate) struct Connection {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// The two ends, and the hosts they are on, where these are known.
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) hosts: [Option<HostIndex>; 2],
    pub(crate) from: Instant,
    /// When both ends were closed.
    pub(crate) to: Option<Instant>,
    /// Bytes of payload sent for the first time, each way.
    pub(crate) bytes: [u64; 2],
    pub(crate) retransmissions: [u64; 2],
    /// What each end went through, in order.
    pub(crate) states: [Vec<StateAt>; 2],
    pub(crate) segments: VecDeque<SegmentAt>,
    pub(crate) calls: VecDeque<CallAt>,
    pub(crate) samples: [VecDeque<SampleAt>; 2],
    pub(super) conversation: Conversation,
    /// By direction: first and behind the last sequence number, and the row, of what was sent first.
    sent: [VecDeque<(u32, u32, u64)>; 2],
    /// By direction: behind the highest of these numbers.
    beyond: [Option<u32>; 2],
    /// Bytes of calls that are not kept any more: sent and received, by end.
    forgotten: [[u64; 2]; 2],
    /// How far sequence numbers and acknowledgements had come in the segments that are not kept any more, by direction.
    sequenced: [Unwrapped; 2],
    acknowledged: [Unwrapped; 2],
}

/// A state that an end came into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateAt {
    pub(crate) at: Instant,
    pub(crate) state: &'static str,
    pub(crate) cause: &'static str,
}

/// A segment on the cable; numbers count from the beginning of each direction.
#[derive(Clone, Debug)]
pub(crate) struct SegmentAt {
    pub(crate) at: Instant,
    pub(crate) arrives: Option<Instant>,
    /// From which end.
    pub(crate) direction: usize,
    pub(crate) seq: u32,
    /// Bytes of payload.
    pub(crate) length: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) window: u32,
    pub(crate) sack: Vec<(u32, u32)>,
    pub(crate) flags: Flags,
    pub(crate) is_again: bool,
    /// It asks for nothing but an answer.
    pub(crate) is_keepalive: bool,
}

/// A call of a program on the connection.
#[derive(Clone, Debug)]
pub(crate) struct CallAt {
    pub(crate) at: Instant,
    /// At which end.
    pub(crate) end: usize,
    pub(crate) call: &'static str,
    /// Bytes that it gave, or nothing when it failed.
    pub(crate) amount: Option<usize>,
}

/// The numbers of one end at one moment.
#[derive(Clone, Debug)]
pub(crate) struct SampleAt {
    pub(crate) at: Instant,
    pub(crate) receive_queue: usize,
    pub(crate) send_queue: usize,
    pub(crate) tcp: Box<TcpInfo>,
}

impl Connection {
    pub(super) fn new(
        number: u32,
        ends: [SocketAddr; 2],
        hosts: [Option<HostIndex>; 2],
        from: Instant,
    ) -> Connection {
        Connection {
            number,
            ends,
            hosts,
            from,
            to: None,
            bytes: [0; 2],
            retransmissions: [0; 2],
            states: [Vec::new(), Vec::new()],
            segments: VecDeque::new(),
            calls: VecDeque::new(),
            samples: [VecDeque::new(), VecDeque::new()],
            conversation: Conversation::new(number, Shown::Text(encoding_rs::UTF_8)),
            sent: [VecDeque::new(), VecDeque::new()],
            beyond: [None; 2],
            forgotten: [[0; 2]; 2],
            sequenced: [Unwrapped::default(); 2],
            acknowledged: [Unwrapped::default(); 2],
        }
    }

    /// Which end has this address.
    pub(crate) fn end(&self, address: SocketAddr) -> usize {
        usize::from(self.ends[0] != address)
    }

    /// The state an end is in.
    pub(crate) fn state(&self, end: usize) -> Option<&'static str> {
        self.states.get(end)?.last().map(|state| state.state)
    }

    /// The state an end was in at a time.
    pub(crate) fn state_at(&self, end: usize, at: Instant) -> Option<StateAt> {
        let states = self.states.get(end)?;
        let until = states.partition_point(|state| state.at <= at);
        states.get(until.checked_sub(1)?).copied()
    }

    pub(super) fn enter(&mut self, end: usize, state: StateAt) {
        if let Some(states) = self.states.get_mut(end) {
            // One connection has a few of them; a port that is used again and again begins new ones.
            if states.len() < 1024 {
                states.push(state);
            }
        }
        let is_closed = |end: usize| matches!(self.state(end), Some("CLOSED" | "TIME-WAIT"));
        if self.to.is_none() && is_closed(0) && is_closed(1) {
            self.to = Some(state.at);
        }
    }

    /// The row in which these numbers were sent first, if they were; otherwise this is it.
    pub(super) fn place(&mut self, direction: usize, (seq, end): (u32, u32), row: u64) -> Option<u64> {
        let (sent, beyond) = (self.sent.get_mut(direction)?, self.beyond.get_mut(direction)?);
        if seq == end {
            return None;
        }
        let is_behind = |one: u32, other: u32| one.wrapping_sub(other) < 1 << 31;
        // Nearly all go on where the last one ended: then there is nothing to look for.
        if beyond.is_some_and(|beyond| !is_behind(seq, beyond)) {
            let is_in = |start: u32, stop: u32| seq.wrapping_sub(start) < stop.wrapping_sub(start);
            if let Some((.., first)) = sent.iter().rev().find(|(start, stop, _)| is_in(*start, *stop)) {
                return Some(*first);
            }
        }
        if beyond.is_none_or(|beyond| is_behind(end, beyond)) {
            *beyond = Some(end);
        }
        if sent.len() >= REMEMBERED {
            sent.pop_front();
        }
        sent.push_back((seq, end, row));
        None
    }

    pub(super) fn keep_segment(&mut self, segment: SegmentAt) {
        if self.segments.len() >= KEPT {
            self.forget_segment();
        }
        self.segments.push_back(segment);
    }

    fn forget_segment(&mut self) {
        let Some(segment) = self.segments.pop_front().filter(|it| !it.flags.contains(Flags::RST)) else {
            return;
        };
        let SegmentAt { direction, seq, length, ack, .. } = segment;
        if let (Some(sequenced), Some(acknowledged)) =
            (self.sequenced.get_mut(direction), self.acknowledged.get_mut(direction))
        {
            sequenced.byte(seq.wrapping_add(length));
            ack.map(|ack| acknowledged.byte(ack));
        }
    }

    /// Where the sequence numbers of a direction go on in the segments that are kept.
    pub(super) fn sequenced(&self, direction: usize) -> Unwrapped {
        self.sequenced.get(direction).copied().unwrap_or_default()
    }

    /// The same of the acknowledgements in its segments.
    pub(super) fn acknowledged(&self, direction: usize) -> Unwrapped {
        self.acknowledged.get(direction).copied().unwrap_or_default()
    }

    /// Segments, calls and numbers that are kept.
    pub(super) fn kept(&self) -> usize {
        let [left, right] = &self.samples;
        self.segments.len() + self.calls.len() + left.len() + right.len()
    }

    /// Forgets the older half of them.
    pub(super) fn forget_half(&mut self) {
        for _ in 0..self.segments.len().div_ceil(2) {
            self.forget_segment();
        }
        for _ in 0..self.calls.len().div_ceil(2) {
            self.forget_call();
        }
        for samples in &mut self.samples {
            samples.drain(..samples.len().div_ceil(2));
        }
    }

    /// A router has passed a segment on: only when it comes out there, it has arrived. Answers whether that one asks for
    /// nothing but an answer, which cannot be told of what is heard a second time.
    pub(super) fn on_forwarded(
        &mut self,
        (direction, seq, ack): (usize, u32, Option<u32>),
        segment: &Segment,
        arrives: Option<Instant>,
    ) -> bool {
        let is_it = |it: &&mut SegmentAt| {
            (it.direction, it.seq, it.ack) == (direction, seq, ack)
                && (it.length, it.flags) == (segment.length, segment.flags)
        };
        let Some(first) = self.segments.iter_mut().rev().take(LOOKED_AT).find(is_it) else { return false };
        first.arrives = arrives;
        first.is_keepalive
    }

    /// Whether a segment, as it was sent first, has come through.
    pub(super) fn has_arrived(&self, direction: usize, seq: u32) -> bool {
        let is_it = |it: &&SegmentAt| it.direction == direction && it.seq == seq && !it.is_again;
        self.segments
            .iter()
            .rev()
            .take(LOOKED_AT)
            .find(is_it)
            .is_some_and(|segment| segment.arrives.is_some())
    }

    pub(super) fn keep_call(&mut self, call: CallAt) {
        if self.calls.len() >= KEPT {
            self.forget_call();
        }
        self.calls.push_back(call);
    }

    fn forget_call(&mut self) {
        if let Some(CallAt { end, call, amount: Some(amount), .. }) = self.calls.pop_front()
            && let Some([sent, received]) = self.forgotten.get_mut(end)
        {
            *(if call == "send" { sent } else { received }) += amount as u64;
        }
    }

    /// Bytes that an end gave to calls of this name that are not kept any more.
    pub(super) fn forgotten(&self, end: usize, call: &str) -> u64 {
        self.forgotten.get(end).map_or(0, |[sent, received]| if call == "send" { *sent } else { *received })
    }

    pub(super) fn keep_sample(&mut self, end: usize, sample: SampleAt) {
        if let Some(samples) = self.samples.get_mut(end) {
            if samples.len() >= KEPT {
                samples.pop_front();
            }
            samples.push_back(sample);
        }
    }

    /// As `docs/web-api.md` describes it; `seconds` tells times.
    pub(super) fn summary(&self, seconds: impl Fn(Instant) -> f64) -> Value {
        let end = |n: usize| json!({ "host": self.hosts.get(n).copied().flatten(), "address": self.ends.get(n).map(ToString::to_string) });
        json!({
            "connection": self.number,
            "ends": [end(0), end(1)],
            "from": seconds(self.from),
            "to": self.to.map(seconds),
            "bytes": self.bytes,
            "retransmissions": self.retransmissions,
            "state": [self.state(0), self.state(1)],
        })
    }
}

/// The side of the conversation that a direction stands for.
pub(super) fn side(direction: usize) -> Side {
    if direction == 0 { Side::Left } else { Side::Right }
}
