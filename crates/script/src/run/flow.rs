//! The socket that packets of the script belong to, and how its numbers in the script map to those on the wire.
//!
//! As in packetdrill there is one socket under test at a time: the last that was opened or that a SYN came for. Sequence
//! numbers in a script are relative to the initial ones except in SYNs, as tcpdump prints them. The stack chooses its
//! initial number and the offset of its timestamps; what it chose is learnt from its packets.

use core::net::SocketAddr;
use std::collections::{BTreeSet, HashMap};

use super::live::{RawOption, Tcp};
use super::pattern;

/// How far a socket has come, seen from its packets and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// After `socket`.
    New,
    /// After `listen`.
    Listening,
    /// A first packet came for a listener.
    PacketReceived,
    /// The stack has answered with a SYN-ACK.
    SynAckSent,
    /// That was acknowledged.
    SynAckAcknowledged,
    /// After `connect`.
    Connecting,
    /// The stack has sent its SYN.
    SynSent,
    /// The script has answered with a SYN-ACK.
    SynAcknowledged,
}

/// What carries a socket's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `SOCK_STREAM`.
    Tcp,
    /// `SOCK_DGRAM`.
    Udp,
    /// `SOCK_DGRAM` with `IPPROTO_ICMP` or `IPPROTO_ICMPV6`.
    Icmp,
}

/// The first timestamps seen, from which all others are reckoned.
#[derive(Clone, Copy, Debug)]
struct FirstTimestamp {
    script: u32,
    live: u32,
}

/// A socket of the script.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its descriptor in the script, once it has one.
    pub descriptor: Option<i32>,
    /// How far it came.
    pub stage: Stage,
    /// What carries its data.
    pub carrier: Carrier,
    /// Our end, once it is known.
    pub local: Option<SocketAddr>,
    /// The script's end.
    pub remote: Option<SocketAddr>,
    /// The stack's initial sequence number in the script.
    script_local_isn: u32,
    /// The same on the wire.
    live_local_isn: u32,
    /// The script's initial sequence number: the same in both.
    remote_isn: u32,
    /// Timestamps that the stack has sent, by what the script says they are.
    timestamps: HashMap<u32, u32>,
    first_timestamp: Option<FirstTimestamp>,
    /// The flow label that the script calls by the first number.
    flow_label: Option<(u32, u32)>,
    /// Where in the script's stream urgent octets stand, the first octet being 0.
    urgent: BTreeSet<u32>,
    /// The last segments in each direction.
    pub last_sent: Option<Tcp>,
    /// The last segment that the script has sent, as it was on the wire.
    pub last_received: Option<Tcp>,
}

impl Flow {
    /// A socket that has just been made.
    pub fn new(descriptor: Option<i32>, stage: Stage, carrier: Carrier) -> Flow {
        Flow {
            descriptor,
            stage,
            carrier,
            local: None,
            remote: None,
            script_local_isn: 0,
            live_local_isn: 0,
            remote_isn: 0,
            timestamps: HashMap::new(),
            first_timestamp: None,
            flow_label: None,
            urgent: BTreeSet::new(),
            last_sent: None,
            last_received: None,
        }
    }

    /// The script says which number the stack begins with.
    pub fn script_begins(&mut self, isn: u32) {
        self.script_local_isn = isn;
    }

    /// The stack has begun with this number.
    pub fn stack_begins(&mut self, isn: u32) {
        self.live_local_isn = isn;
    }

    /// The script's own end begins with this number.
    pub fn peer_begins(&mut self, isn: u32) {
        self.remote_isn = isn;
    }

    /// The script sends a segment whose urgent pointer names the octet before this sequence number (RFC 6093 section 3.1).
    pub fn marks_urgent(&mut self, end: u32) {
        // A script that marks more than so many has lost interest in the octets themselves.
        if self.urgent.len() < 1024 {
            self.urgent.insert(end.wrapping_sub(2));
        }
    }

    /// Whether an urgent octet stands at `position` of the script's stream.
    pub fn is_urgent(&self, position: u32) -> bool {
        self.urgent.contains(&position)
    }

    /// The octets that are urgent in the script's stream.
    pub fn urgent_octets(&self) -> BTreeSet<u8> {
        self.urgent.iter().map(|position| pattern::byte_at(*position)).collect()
    }

    /// What to add to the stack's numbers to have those of the script.
    fn local_offset(&self, is_syn: bool) -> u32 {
        let base = if is_syn { self.script_local_isn } else { 0 };
        base.wrapping_sub(self.live_local_isn)
    }

    /// What to add to the peer's numbers on the wire to have those of the script.
    fn remote_offset(&self, is_syn: bool) -> u32 {
        if is_syn { 0 } else { 0u32.wrapping_sub(self.remote_isn) }
    }

    /// A segment of the script gets the numbers it has on the wire.
    ///
    /// # Errors
    /// It echoes a timestamp that the stack has not sent.
    pub fn to_live(&self, tcp: &mut Tcp, is_syn: bool, echo_scaled: bool) -> Result<(), String> {
        use sockeye_core::wire::tcp::Flags;
        tcp.seq = tcp.seq.wrapping_sub(self.remote_offset(is_syn));
        let offset = 0u32.wrapping_sub(self.local_offset(is_syn));
        let has_ack = tcp.flags.contains(Flags::ACK);
        if has_ack {
            tcp.ack = tcp.ack.wrapping_add(offset);
        }
        for option in &mut tcp.options {
            option.shift_sack(offset);
            let Some((value, echo)) = option.timestamps().filter(|_| has_ack) else { continue };
            let live = match (self.timestamps.get(&echo), self.first_timestamp) {
                (Some(live), _) => *live,
                (None, Some(first)) if echo_scaled => {
                    echo.wrapping_sub(first.script).wrapping_add(first.live)
                }
                _ => return Err(format!("the stack has sent no timestamp {echo} that could be echoed")),
            };
            option.data = [value.to_be_bytes(), live.to_be_bytes()].concat();
        }
        Ok(())
    }

    /// Sequence numbers of a segment from the stack become those of the script.
    pub fn numbers_to_script(&self, tcp: &mut Tcp) {
        use sockeye_core::wire::tcp::Flags;
        let is_syn = tcp.flags.contains(Flags::SYN);
        tcp.seq = tcp.seq.wrapping_add(self.local_offset(is_syn));
        let offset = self.remote_offset(is_syn);
        if tcp.flags.contains(Flags::ACK) {
            tcp.ack = tcp.ack.wrapping_add(offset);
        }
        for option in &mut tcp.options {
            option.shift_sack(offset);
        }
    }

    /// The sequence number that an ICMP error quotes, on the wire.
    pub fn quoted_seq(&self, seq: u32) -> u32 {
        seq.wrapping_sub(self.local_offset(false))
    }

    /// The stack's timestamp becomes the script's, given what the script expects it to be.
    pub fn timestamp_to_script(&mut self, option: &mut RawOption, expected: &RawOption) {
        let (Some((script, _)), Some((live, echo))) = (expected.timestamps(), option.timestamps()) else {
            return;
        };
        self.timestamps.insert(script, live);
        let first = *self.first_timestamp.get_or_insert(FirstTimestamp { script, live });
        let mapped = live.wrapping_sub(first.live).wrapping_add(first.script);
        option.data = [mapped.to_be_bytes(), echo.to_be_bytes()].concat();
    }

    /// Whether the flow label is the one the script means: labels are told apart, their values do not count.
    ///
    /// # Errors
    /// In words, why not.
    pub fn check_flow_label(&mut self, script: u32, live: u32) -> Result<(), String> {
        if live == 0 {
            return Err("none".to_owned());
        }
        match self.flow_label {
            Some((known, seen)) if known == script && seen == live => Ok(()),
            Some((known, seen)) if known == script => Err(format!("{live:#x}, no longer {seen:#x}")),
            Some((_, seen)) if seen == live => Err(format!("still {live:#x}")),
            _ => {
                self.flow_label = Some((script, live));
                Ok(())
            }
        }
    }
}

/// The sockets of a script, the one under test among them.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    flows: Vec<Flow>,
}

impl Flows {
    /// Makes a socket the one under test.
    pub fn push(&mut self, flow: Flow) -> &mut Flow {
        self.flows.push(flow);
        let last = self.flows.len() - 1;
        &mut self.flows[last]
    }

    /// The socket under test.
    pub fn under_test(&mut self) -> Option<&mut Flow> {
        self.flows.last_mut()
    }

    /// Whether a socket that is no longer under test has begun with this number between these ends.
    pub fn is_begun_elsewhere(&self, local: SocketAddr, remote: SocketAddr, isn: u32) -> bool {
        let earlier = self.flows.len().saturating_sub(1);
        self.flows.iter().take(earlier).any(|flow| {
            flow.local == Some(local) && flow.remote == Some(remote) && flow.live_local_isn == isn
        })
    }

    /// The one with this descriptor.
    pub fn by_descriptor(&mut self, descriptor: i32) -> Option<&mut Flow> {
        self.flows.iter_mut().rev().find(|flow| flow.descriptor == Some(descriptor))
    }

    /// A descriptor was closed and may be given anew.
    pub fn forget_descriptor(&mut self, descriptor: i32) {
        if let Some(flow) = self.by_descriptor(descriptor) {
            flow.descriptor = None;
        }
    }

    /// The connection that `accept` has answered, of those that a packet has opened.
    pub fn accepted(&mut self, peer: SocketAddr) -> Option<&mut Flow> {
        self.flows.iter_mut().rev().find(|flow| {
            matches!(flow.stage, Stage::SynAckSent | Stage::SynAckAcknowledged | Stage::PacketReceived)
                && flow.descriptor.is_none()
                && flow.remote == Some(peer)
        })
    }
}
