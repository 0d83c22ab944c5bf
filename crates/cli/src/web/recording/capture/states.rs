//! The states of both ends of a connection, as far as the segments of a capture tell them (RFC 9293, figure 5).
//!
//! What an end has sent shows what it had received. Only of the last acknowledgement it is taken for granted that it arrived, unless
//! the file says that it did not.

use std::collections::HashMap;
use std::net::SocketAddr;

use sockeye_core::transport::tcp::State;
use sockeye_core::wire::tcp::{Flags, Segment};

/// All connections of a capture, by their ends in order.
#[derive(Debug, Default)]
pub(super) struct States {
    connections: HashMap<[SocketAddr; 2], [End; 2]>,
}

/// What is known of one end.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// None: it has said nothing yet.
    state: Option<State>,
    /// Its first sequence number, as far as the capture goes back.
    start: Option<u32>,
    /// Behind its FIN.
    fin: Option<u32>,
    /// That has been acknowledged.
    is_fin_acknowledged: bool,
}

/// A state that an end has come into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// At the end that has sent the segment, not at the one that receives it.
    pub(super) is_sender: bool,
    pub(super) from: State,
    pub(super) to: State,
}

impl States {
    /// What a segment tells.
    pub(super) fn take(
        &mut self,
        (source, destination): (SocketAddr, SocketAddr),
        segment: &Segment,
        is_lost: bool,
    ) -> Vec<Change> {
        if source == destination {
            return Vec::new();
        }
        let key = if source < destination { [source, destination] } else { [destination, source] };
        let [first, second] = self.connections.entry(key).or_default();
        let (sender, receiver) = if source < destination { (first, second) } else { (second, first) };
        let is_asking = segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK);
        if is_asking && sender.start.is_some_and(|start| start != segment.seq.0) {
            // A new connection between the same ports.
            (*sender, *receiver) = (End::default(), End::default());
        }
        let (before, was_ended) = ([sender.state, receiver.state], sender.fin.is_some());
        let mut passed = Vec::new();
        sender.send(segment, receiver.fin, &mut passed);
        let sent = passed.len();
        if !is_lost {
            receiver.receive(segment, was_ended, &mut passed);
        }
        let (mut changes, [mut own, mut other]) =
            (Vec::new(), before.map(|state| state.unwrap_or(State::Closed)));
        for (place, to) in passed.into_iter().enumerate() {
            let is_sender = place < sent;
            let from = std::mem::replace(if is_sender { &mut own } else { &mut other }, to);
            changes.push(Change { is_sender, from, to });
        }
        changes
    }
}

impl End {
    fn enter(&mut self, state: State, passed: &mut Vec<State>) {
        self.state = Some(state);
        passed.push(state);
    }

    fn send(&mut self, segment: &Segment, their_fin: Option<u32>, passed: &mut Vec<State>) {
        let has = |flag| segment.flags.contains(flag);
        if has(Flags::RST) {
            // One that answers for a port where nobody listens has no state.
            if self.state.is_some_and(|state| state != State::Closed) {
                self.enter(State::Closed, passed);
            }
            return;
        }
        self.start.get_or_insert(segment.seq.0);
        match self.state {
            None | Some(State::Closed | State::TimeWait) if has(Flags::SYN) && !has(Flags::ACK) => {
                self.enter(State::SynSent, passed);
            }
            None | Some(State::SynSent) if has(Flags::SYN) && has(Flags::ACK) => {
                self.enter(State::SynReceived, passed);
            }
            // Without a SYN before, the capture has begun in the middle of it.
            None | Some(State::SynSent) if has(Flags::ACK) => self.enter(State::Established, passed),
            _ => {}
        }
        let acknowledges_fin =
            has(Flags::ACK) && their_fin.is_some_and(|fin| is_at_or_after(segment.ack.0, fin));
        match self.state {
            Some(State::SynReceived | State::Established) if acknowledges_fin => {
                self.enter(State::CloseWait, passed);
            }
            Some(State::FinWait1) if acknowledges_fin && !self.is_fin_acknowledged => {
                self.enter(State::Closing, passed);
            }
            Some(State::FinWait1 | State::FinWait2) if acknowledges_fin => {
                self.enter(State::TimeWait, passed)
            }
            _ => {}
        }
        if has(Flags::FIN) {
            match self.state {
                Some(State::SynReceived | State::Established) => self.enter(State::FinWait1, passed),
                Some(State::CloseWait) => self.enter(State::LastAck, passed),
                _ => return,
            }
            self.fin = Some(segment.seq.0.wrapping_add(segment.sequence_length()));
        }
    }

    fn receive(&mut self, segment: &Segment, was_ended: bool, passed: &mut Vec<State>) {
        if segment.flags.contains(Flags::RST) {
            if self.state.is_some_and(|state| state != State::Closed) {
                self.enter(State::Closed, passed);
            }
            return;
        }
        if !segment.flags.contains(Flags::ACK) {
            return;
        }
        self.start.get_or_insert(segment.ack.0.wrapping_sub(1));
        if self.fin.is_some_and(|fin| is_at_or_after(segment.ack.0, fin)) {
            self.is_fin_acknowledged = true;
        }
        match self.state {
            None if !segment.flags.contains(Flags::SYN) => self.enter(State::Established, passed),
            Some(State::SynReceived) if !segment.flags.contains(Flags::SYN) => {
                self.enter(State::Established, passed);
            }
            // Both have closed at once: the other's FIN came before this.
            Some(State::FinWait1) if self.is_fin_acknowledged && was_ended => {
                self.enter(State::Closing, passed);
                self.enter(State::TimeWait, passed);
            }
            // With a FIN in it, the next state is TIME-WAIT: its own acknowledgement tells.
            Some(State::FinWait1) if self.is_fin_acknowledged && !segment.flags.contains(Flags::FIN) => {
                self.enter(State::FinWait2, passed);
            }
            Some(State::Closing) if self.is_fin_acknowledged => self.enter(State::TimeWait, passed),
            Some(State::LastAck) if self.is_fin_acknowledged => self.enter(State::Closed, passed),
            _ => {}
        }
    }
}

/// Sequence numbers begin anew after the largest.
fn is_at_or_after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other) < 1 << 31
}
