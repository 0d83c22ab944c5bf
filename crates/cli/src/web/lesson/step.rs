//! The steps of a lesson: what is said, and at which of the things that happen.

use std::collections::VecDeque;

use serde_json::{Map, Value};
use sockeye_core::lan::Direction;
use sockeye_core::time::Instant;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::{RetransmitCause, State};
use sockeye_core::wire::ChecksumCheck;
use sockeye_core::wire::Protocol;
use sockeye_core::wire::arp::Arp;
use sockeye_core::wire::ethernet::{EtherType, Ethernet};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::tcp::{Flags, Segment};

use crate::web::recording::{HostIndex, Sight};

/// One thing that a lesson says.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its name, for translations: `handshake.syn`.
    pub(super) key: &'static str,
    /// What it says, in English.
    pub(super) text: &'static str,
    /// When.
    pub(super) cue: Cue,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cue {
    /// A program comes to it.
    Said,
    /// A host sends such a segment.
    Segment(HostIndex, fn(&Segment) -> bool),
    /// A host sends such a packet, of whatever sort.
    Packet(HostIndex, fn(&Packet) -> bool),
    /// A connection or a half-open one of a host reaches a state.
    State(HostIndex, State),
    /// A host sends something again.
    Again(HostIndex, RetransmitCause),
    /// Something else happens in a host.
    Event(HostIndex, fn(&TraceEvent) -> bool),
}

impl Cue {
    /// Whether this is it.
    fn is(&self, sight: &Sight) -> bool {
        match (*self, sight) {
            (Cue::Segment(host, is_it), Sight::Cable(cable)) => {
                let sent = (cable.host, cable.direction) == (host, Direction::Up);
                sent && matches!(Packet::of(&cable.frame), Packet::Tcp(segment) if is_it(&segment))
            }
            (Cue::Packet(host, is_it), Sight::Cable(cable)) => {
                (cable.host, cable.direction) == (host, Direction::Up) && is_it(&Packet::of(&cable.frame))
            }
            (Cue::State(host, state), Sight::Host(at, trace)) => {
                host == *at && matches!(trace.event, TraceEvent::State { to, .. } if to == state)
            }
            (Cue::Again(host, why), Sight::Host(at, trace)) => {
                host == *at && matches!(trace.event, TraceEvent::Retransmission { cause, .. } if cause == why)
            }
            (Cue::Event(host, is_it), Sight::Host(at, trace)) => host == *at && is_it(&trace.event),
            _ => false,
        }
    }
}

/// What a frame carries, as far as lessons care.
#[derive(Debug)]
pub(super) enum Packet {
    /// Who has this address?
    Arp(Arp),
    /// A segment.
    Tcp(Segment),
    /// A datagram.
    Udp,
    /// A word about the network.
    Icmp,
    /// Something else.
    Other,
}

impl Packet {
    /// What is in a frame.
    pub(super) fn of(frame: &[u8]) -> Packet {
        Packet::read(frame).unwrap_or(Packet::Other)
    }

    fn read(frame: &[u8]) -> Option<Packet> {
        let (ethernet, packet) = Ethernet::parse(frame).ok()?;
        if ethernet.ethertype == EtherType::Arp {
            return Some(Packet::Arp(Arp::parse(packet).ok()?));
        }
        if ethernet.ethertype != EtherType::Ipv4 {
            return None;
        }
        let (header, payload) = Ipv4Header::parse(packet).ok()?;
        Some(match header.protocol {
            Protocol::Tcp => {
                Packet::Tcp(Segment::parse(payload, &header.pseudo(), ChecksumCheck::Trust).ok()?.0)
            }
            Protocol::Udp => Packet::Udp,
            Protocol::Icmp => Packet::Icmp,
            _ => return None,
        })
    }
}

/// Whether it is a SYN and no SYN-ACK.
pub(super) fn is_syn(segment: &Segment) -> bool {
    segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK)
}

/// Whether it is a SYN-ACK.
pub(super) fn is_syn_ack(segment: &Segment) -> bool {
    segment.flags.contains(Flags::SYN | Flags::ACK)
}

/// Whether it acknowledges, and nothing else.
pub(super) fn is_plain_ack(segment: &Segment) -> bool {
    segment.flags == Flags::ACK && segment.length == 0
}

/// Whether it brings data.
pub(super) fn is_data(segment: &Segment) -> bool {
    segment.length > 0
}

/// Whether it ends a direction.
pub(super) fn is_fin(segment: &Segment) -> bool {
    segment.flags.contains(Flags::FIN)
}

/// Whether it ends the connection at once.
pub(super) fn is_rst(segment: &Segment) -> bool {
    segment.flags.contains(Flags::RST)
}

/// A step that was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reached {
    /// When.
    pub(crate) at: Instant,
    /// Which: [`Step::key`].
    pub(crate) key: &'static str,
    /// What it says.
    pub(crate) text: &'static str,
    /// The numbers in it, where there are any.
    pub(crate) facts: Map<String, Value>,
}

/// Where a lesson stands among its steps: each is reached once, none after a later one. So what is said up to a time depends on
/// nothing that happens after it.
///
/// A step that a program says has to be said before those behind it can be reached; others may be passed over.
#[derive(Debug)]
pub(super) struct Prompter {
    steps: VecDeque<&'static Step>,
}

impl Prompter {
    pub(super) fn new(steps: &'static [Step]) -> Prompter {
        Prompter { steps: steps.iter().collect() }
    }

    /// Leaves out what no program will say, and what has no place in this run.
    pub(super) fn leave_out(&mut self, is_out: impl Fn(&Step) -> bool) {
        self.steps.retain(|step| !is_out(step));
    }

    /// The step that this is the cue for.
    pub(super) fn on_sight(&mut self, sight: &Sight) -> Option<&'static Step> {
        let mut ahead = self.steps.iter().take_while(|step| !matches!(step.cue, Cue::Said));
        let place = ahead.position(|step| step.cue.is(sight))?;
        self.reach(place)
    }

    /// The step of this name.
    pub(super) fn say(&mut self, key: &str) -> Option<&'static Step> {
        let place = self.steps.iter().position(|step| step.key == key)?;
        self.reach(place)
    }

    /// The step of this name will never be said.
    pub(super) fn pass(&mut self, key: &str) {
        self.leave_out(|step| step.key == key);
    }

    fn reach(&mut self, place: usize) -> Option<&'static Step> {
        self.steps.drain(..place);
        self.steps.pop_front()
    }
}
