//! From sights to rows, in the order of time.
//!
//! The observers of cables and hosts are different threads: what they tell of is put in order here, and told a little later. A frame
//! from host to host is seen on two cables or more; its row waits until it is known who has heard it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use sockeye_core::error::Error;
use sockeye_core::lan::{Direction, Fate, Passage};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::{Call, Trace, TraceEvent};
use sockeye_core::transport::tcp::RecoveryChange;
use sockeye_core::wire::arp::Arp;
use sockeye_core::wire::tcp::{Flags, Segment};

use super::Station;
use super::connection::{CallAt, Connection, SampleAt, SegmentAt, StateAt, side};
use super::row::{CallRow, FrameRow, RecoveryRow, StateRow, What};
use super::sight::{CableSight, HostIndex, Sample, Sight};
use crate::ladder::Side;
use crate::ladder::conversation::names_of;
use crate::ladder::recovery::{AgainSight, Causes};
use crate::ladder::story::{tcp_in, words_for};

/// So long after something happened its observers have told of it.
const SLACK: Duration = Duration::from_millis(15);
/// A frame under way is waited for, but not longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// Sights that wait at most; then the oldest is told as it stands.
const WAITING_AT_MOST: usize = 65_536;
/// Connections that are known at most; then the oldest is forgotten.
const CONNECTIONS_AT_MOST: usize = 4096;
/// Segments, calls and numbers that all of them keep; then the one that keeps most forgets its older half.
const KEPT_AT_MOST: usize = 400_000;

/// See the module.
pub(super) struct Teller {
    /// Time zero.
    start: Instant,
    pub(super) stations: Vec<Station>,
    /// By time, then by what comes first at one time, then as they came.
    waiting: BTreeMap<(Instant, u8, u64), Sight>,
    count: u64,
    pub(super) connections: BTreeMap<u32, Connection>,
    /// The latest connection between two ends.
    between: HashMap<[SocketAddr; 2], u32>,
    order: VecDeque<[SocketAddr; 2]>,
    /// What the causes of retransmissions are taken from when their segments come.
    causes: Causes,
    last: u32,
    /// What connections keep, at most.
    kept: usize,
    /// Listeners, by host and address: what they were asked to hold.
    pub(super) listeners: BTreeMap<(HostIndex, SocketAddr), Vec<(Instant, usize)>>,
    /// Connections that came to a listener and left its queues, in order.
    pub(super) arrivals: VecDeque<Arrival>,
}

/// A connection at a listener changes its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    pub(super) host: HostIndex,
    /// The listener's end, and the peer's.
    pub(super) local: SocketAddr,
    pub(super) queue: Queue,
    /// One more, or one less.
    pub(super) step: i64,
}

/// The two queues of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    HalfOpen,
    Accept,
}

/// Something to be told.
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) what: What,
}

impl Teller {
    pub(super) fn new(start: Instant, stations: Vec<Station>) -> Teller {
        Teller {
            start,
            stations,
            waiting: BTreeMap::new(),
            count: 0,
            connections: BTreeMap::new(),
            between: HashMap::new(),
            order: VecDeque::new(),
            causes: Causes::default(),
            last: 0,
            kept: 0,
            listeners: BTreeMap::new(),
            arrivals: VecDeque::new(),
        }
    }

    /// A moment on the recording's clock.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.since(self.start).as_nanos() as f64 / 1e9
    }

    /// A time on the recording's clock, as a moment.
    pub(super) fn moment(&self, seconds: f64) -> Instant {
        if seconds.is_finite() && seconds > 0.0 {
            Instant::from_nanos(self.start.as_nanos().saturating_add((seconds * 1e9) as u64))
        } else {
            self.start
        }
    }

    /// Takes in what an observer saw.
    pub(super) fn on_sight(&mut self, sight: Sight) {
        let rank = match &sight {
            Sight::Note(_) => 0,
            Sight::Host(_, Trace { event: TraceEvent::Call { call, outcome, .. }, .. })
                if is_beginning(*call, *outcome) =>
            {
                1
            }
            Sight::Host(..) => 2,
            Sight::Cable(CableSight { direction: Direction::Up, .. }) => 3,
            Sight::Cable(_) => 4,
            Sight::Sample(_) => 5,
        };
        self.count += 1;
        self.waiting.insert((sight.at(), rank, self.count), sight);
    }

    /// Whether something waits to be told.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next thing that can be told at `now`, as row number `row`; none when nothing can be told yet. What gives no row is
    /// taken in on the way.
    pub(super) fn poll(&mut self, now: Instant, row: u64) -> Option<Told> {
        loop {
            self.make_room();
            let (key, sight) = self.waiting.first_key_value()?;
            let ready = match sight {
                Sight::Cable(CableSight {
                    at,
                    direction: Direction::Up,
                    fate: Fate::Arrives(passage),
                    ..
                }) => (passage.at + SLACK).min(*at + PATIENCE),
                other => other.at() + SLACK,
            };
            if now < ready && self.waiting.len() <= WAITING_AT_MOST {
                return None;
            }
            let key = *key;
            let sight = self.waiting.remove(&key)?;
            let at = sight.at();
            let what = match sight {
                Sight::Cable(sight) => match sight.direction {
                    Direction::Up => Some(self.tell_frame(sight, row)),
                    // Told with the frame that it belongs to; what is left over is a copy of one.
                    Direction::Down => None,
                },
                Sight::Host(host, trace) => self.tell_trace(host, trace),
                Sight::Sample(sample) => {
                    self.keep(sample);
                    None
                }
                Sight::Note(note) => {
                    Some(What::Note { note: note.note, facts: note.facts, words: note.words })
                }
            };
            if let Some(what) = what {
                return Some(Told { at, what });
            }
        }
    }

    /// What became of a frame behind the switch: who has heard it, when, and why nobody did.
    fn take_passages(&mut self, sight: &CableSight, passage: &Passage) -> Vec<(HostIndex, Fate)> {
        let mut expected = sight.frame.clone();
        if let Some(bit) = passage.corrupted_bit
            && let Some(byte) = expected.get_mut(bit / 8)
        {
            *byte ^= 0x80 >> (bit % 8);
        }
        let mut keys = Vec::new();
        for at in [Some(passage.at), passage.copy_at].into_iter().flatten() {
            for (key, other) in self.waiting.range((at, 4, 0)..(at, 5, 0)) {
                if let Sight::Cable(CableSight { frame, host, .. }) = other
                    && *host != sight.host
                    && (*frame == expected || passage.is_marked && frame.len() == expected.len())
                {
                    keys.push(*key);
                }
            }
        }
        let mut passages = Vec::new();
        for key in keys {
            if let Some(Sight::Cable(CableSight { host, fate, .. })) = self.waiting.remove(&key) {
                passages.push((host, fate));
            }
        }
        passages
    }

    fn tell_frame(&mut self, sight: CableSight, row: u64) -> What {
        let mut told =
            FrameRow { from: sight.host, length: sight.frame.len(), link: sight.link, ..FrameRow::default() };
        let mut arrives: Option<Instant> = None;
        match &sight.fate {
            Fate::Lost(loss) => told.lost = Some(loss.to_string()),
            Fate::Arrives(passage) => {
                mark(&mut told, passage);
                for (host, fate) in self.take_passages(&sight, passage) {
                    match fate {
                        Fate::Arrives(passage) => {
                            mark(&mut told, &passage);
                            arrives = Some(arrives.map_or(passage.at, |at| at.min(passage.at)));
                            if !told.to.contains(&host) {
                                told.to.push(host);
                            }
                        }
                        Fate::Lost(loss) => {
                            told.lost.get_or_insert_with(|| loss.to_string());
                        }
                    }
                }
                if !told.to.is_empty() {
                    told.lost = None;
                }
            }
        }
        match tcp_in(&sight.frame, sight.link) {
            Some((source, destination, segment, payload)) => {
                let kept = payload.len().saturating_sub(sight.missing);
                let payload = payload.get(..kept).unwrap_or_default();
                let ends = (source, destination);
                self.tell_segment(&mut told, &sight, ends, &segment, payload, (arrives, row));
                // Who was meant, where nobody heard it.
                if told.to.is_empty() {
                    told.to.extend(self.host_of(destination).filter(|host| *host != sight.host));
                }
            }
            None => {
                told.words = words_for(&sight.frame, sight.link);
                told.protocol = protocol_of(&told.words);
                if told.protocol == "ARP" {
                    self.learn(sight.host, &sight.frame);
                }
            }
        }
        told.arrives = arrives.map(|at| self.seconds(at));
        told.bytes = sight.frame;
        told.bytes.truncate(told.length.saturating_sub(sight.missing));
        What::Frame(Box::new(told))
    }

    /// A host that came without addresses has those that it announces.
    fn learn(&mut self, host: HostIndex, frame: &[u8]) {
        let Some(station) = self.stations.get_mut(host) else { return };
        let Some(arp) = frame.get(14..).and_then(|packet| Arp::parse(packet).ok()) else { return };
        let address = IpAddr::from(arp.sender_ip);
        if station.cable.is_some() && !address.is_unspecified() && !station.addresses.contains(&address) {
            station.addresses.push(address);
        }
    }

    fn host_of(&self, address: SocketAddr) -> Option<HostIndex> {
        let address = address.ip().to_canonical();
        self.stations.iter().position(|station| station.addresses.contains(&address))
    }

    fn tell_segment(
        &mut self,
        told: &mut FrameRow,
        sight: &CableSight,
        (source, destination): (SocketAddr, SocketAddr),
        segment: &Segment,
        payload: &[u8],
        (arrives, row): (Option<Instant>, u64),
    ) {
        told.protocol = "TCP";
        let is_first_word = segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK);
        if is_first_word
            && let Some(known) = self.find(source, destination)
            && let Some(connection) = self.connections.get(&known)
            && connection.conversation.is_over_for(side(connection.end(source)), segment)
        {
            self.between.remove(&connection.ends);
        }
        let number = self.meet(sight.at, source, destination);
        let cause = self.causes.take((sight.at, SLACK), (Side::Left, source, destination), segment);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let direction = connection.end(source);
        let said = connection.conversation.hear(sight.at, side(direction), segment, payload);
        let length = segment.length;
        told.words = said.words;
        told.payload = said.payload;
        told.connection = Some(number);
        told.direction = Some(direction);
        told.flags = Some(names_of(segment.flags).collect::<Vec<_>>().join(" "));
        told.seq = Some(said.seq);
        told.ack = said.ack;
        told.window = Some(said.window);
        told.data = Some(length as usize);
        told.states = [connection.state(direction), connection.state(1 - direction)];
        let sender = connection.hosts.get(direction).copied().flatten();
        if sender.is_some_and(|sender| sender != sight.host) {
            told.is_forwarded = true;
            let is_keepalive = connection.on_forwarded((direction, said.seq, said.ack), segment, arrives);
            if let Some(words) = told.words.strip_suffix(" keepalive").filter(|_| !is_keepalive) {
                told.words.truncate(words.len());
            }
            return;
        }
        let span = said.seq.wrapping_add(segment.sequence_length());
        let first = connection.place(direction, (said.seq, span), row);
        let is_again = first.is_some();
        if let (Some(bytes), Some(again)) =
            (connection.bytes.get_mut(direction), connection.retransmissions.get_mut(direction))
        {
            *bytes += if is_again { 0 } else { u64::from(length) };
            *again += u64::from(is_again);
        }
        let again = cause.filter(|_| is_again).map(|cause| cause.name());
        let receiver = connection.hosts.get(1 - direction).copied().flatten();
        self.kept += 1;
        connection.keep_segment(SegmentAt {
            at: sight.at,
            // What a router has is on its way still.
            arrives: arrives.filter(|_| receiver.is_none_or(|receiver| told.to.contains(&receiver))),
            direction,
            seq: said.seq,
            length,
            ack: said.ack,
            window: said.window,
            sack: said.sack,
            flags: segment.flags,
            is_again,
            is_keepalive: said.is_keepalive,
        });
        told.first = first;
        told.again = again;
    }

    /// The number of the connection between two addresses.
    fn find(&self, one: SocketAddr, other: SocketAddr) -> Option<u32> {
        self.between.get(&[one, other]).or_else(|| self.between.get(&[other, one])).copied()
    }

    /// An end that was closed opens: the same ports are another connection now.
    fn begin_anew(&mut self, local: SocketAddr, remote: SocketAddr) {
        let Some(known) = self.find(local, remote) else { return };
        let Some(connection) = self.connections.get(&known) else { return };
        if matches!(connection.state(connection.end(local)), Some("CLOSED" | "TIME-WAIT")) {
            self.between.remove(&connection.ends);
        }
    }

    /// Makes the acquaintance of a connection; `from` was heard first.
    fn meet(&mut self, at: Instant, from: SocketAddr, to: SocketAddr) -> u32 {
        if let Some(known) = self.find(from, to) {
            return known;
        }
        if self.connections.len() >= CONNECTIONS_AT_MOST {
            self.connections.pop_first();
            if let Some(oldest) = self.order.pop_front() {
                self.between.remove(&oldest);
            }
        }
        self.last = self.last.wrapping_add(1);
        let hosts = [self.host_of(from), self.host_of(to)];
        self.connections.insert(self.last, Connection::new(self.last, [from, to], hosts, at));
        self.between.insert([from, to], self.last);
        self.order.push_back([from, to]);
        self.last
    }

    fn tell_trace(&mut self, host: HostIndex, Trace { at, event }: Trace) -> Option<What> {
        match event {
            TraceEvent::Call { local, remote, call, outcome, .. } => {
                Some(self.tell_call((at, host), (local, remote), call, outcome))
            }
            TraceEvent::State { socket, local, remote, from, to, cause } => {
                if to.name() == "SYN-SENT" {
                    self.begin_anew(local, remote);
                }
                // The one that asks is end 0, and so is who is in SYN-SENT; an answer names the asker second.
                let number = match to.name() {
                    "SYN-RECEIVED" => self.meet(at, remote, local),
                    _ => self.meet(at, local, remote),
                };
                self.queue_by_state((at, host, local), socket.is_none(), from.name(), to.name());
                let connection = self.connections.get_mut(&number)?;
                let end = connection.end(local);
                if let Some(known) = connection.hosts.get_mut(end) {
                    known.get_or_insert(host);
                }
                connection.enter(end, StateAt { at, state: to.name(), cause });
                let address = local.to_string();
                let (before, state) = (from.name(), to.name());
                Some(What::State(StateRow { host, connection: number, address, before, state, cause }))
            }
            TraceEvent::Retransmission { local, remote, seq, length, cause, .. } => {
                self.causes.push(AgainSight { at, side: Side::Left, local, remote, seq, length, cause });
                None
            }
            TraceEvent::Recovery { local, remote, change, .. } => {
                let connection = self.meet(at, local, remote);
                let RecoveryChange { from, to, cwnd, ssthresh, reason, is_undone } = change;
                let words = if from.name() == to.name() {
                    format!("cwnd {cwnd}")
                } else {
                    format!("{} → {}: cwnd {cwnd}", from.name(), to.name())
                };
                let (reason, undone) = (reason.name(), is_undone);
                Some(What::Recovery(RecoveryRow { host, connection, words, cwnd, ssthresh, reason, undone }))
            }
            TraceEvent::Drop { reason, .. } => {
                Some(What::Drop { host, reason: format!("{reason:?}"), words: reason.to_string() })
            }
            TraceEvent::Overrun { lost } => {
                let mut facts = serde_json::Map::new();
                facts.insert("count".to_owned(), lost.into());
                let words = format!("{lost} events are missing here: there were too many");
                Some(What::Note { note: "missing", facts, words })
            }
            _ => None,
        }
    }

    fn tell_call(
        &mut self,
        (at, host): (Instant, HostIndex),
        (local, remote): (Option<SocketAddr>, Option<SocketAddr>),
        call: Call,
        outcome: Result<usize, Error>,
    ) -> What {
        if let (Call::Connect, Some(local), Some(remote)) = (call, local, remote)
            && outcome == Err(Error::InProgress)
        {
            self.begin_anew(local, remote);
        }
        let number = match (local, remote) {
            (Some(local), Some(remote)) => match (self.find(local, remote), call) {
                (Some(number), _) => Some(number),
                (None, Call::Connect) if outcome == Err(Error::InProgress) => {
                    Some(self.meet(at, local, remote))
                }
                (None, _) => None,
            },
            _ => None,
        };
        let gives_bytes = matches!(call, Call::Send { .. } | Call::Receive { .. });
        let name = |address: Option<SocketAddr>| address.map_or_else(String::new, |it| it.to_string());
        let (arguments, given) = match call {
            Call::Send { length } => (length.to_string(), outcome.map(|sent| Some(sent.to_string()))),
            Call::Receive { room } => (room.to_string(), outcome.map(|read| Some(read.to_string()))),
            Call::Listen { backlog } => (backlog.to_string(), outcome.map(|_| None)),
            Call::Bind => (name(local), outcome.map(|_| None)),
            Call::Connect => (name(remote), outcome.map(|_| None)),
            Call::Accept => (String::new(), outcome.map(|_| Some(name(remote)))),
            Call::Shutdown { read, write } => {
                let how = match (read, write) {
                    (true, false) => "SHUT_RD",
                    (false, _) => "SHUT_WR",
                    (true, true) => "SHUT_RDWR",
                };
                (how.to_owned(), outcome.map(|_| None))
            }
            _ => (String::new(), outcome.map(|_| None)),
        };
        if let (Call::Listen { backlog }, Some(local), Ok(_)) = (call, local, outcome) {
            self.listeners.entry((host, local)).or_default().push((at, backlog));
        }
        if let (Call::Accept, Some(local), Ok(_)) = (call, local, outcome) {
            self.arrive(Arrival { at, host, local, queue: Queue::Accept, step: -1 });
        }
        if let Some(connection) = number.and_then(|number| self.connections.get_mut(&number))
            && let Some(local) = local
        {
            let amount = outcome.ok().filter(|_| gives_bytes);
            let end = connection.end(local);
            self.kept += 1;
            connection.keep_call(CallAt { at, end, call: call.name(), amount });
        }
        let (outcome, error) = match given {
            Ok(given) => (given, None),
            // The handshake has begun, which is what was asked for.
            Err(Error::InProgress) => (None, None),
            Err(error) => (None, Some(error.name().to_owned())),
        };
        What::Call(CallRow { host, connection: number, call: call.name(), arguments, outcome, error })
    }

    /// Which queue of a listener a change of state fills or empties.
    fn queue_by_state(
        &mut self,
        (at, host, local): (Instant, HostIndex, SocketAddr),
        is_half_open: bool,
        before: &str,
        state: &str,
    ) {
        if !is_half_open && before != "SYN-RECEIVED" {
            return;
        }
        let mut arrive = |queue, step| self.arrive(Arrival { at, host, local, queue, step });
        match (before, state) {
            (_, "SYN-RECEIVED") => arrive(Queue::HalfOpen, 1),
            ("SYN-RECEIVED", "ESTABLISHED" | "CLOSE-WAIT") => {
                arrive(Queue::HalfOpen, -1);
                arrive(Queue::Accept, 1);
            }
            ("SYN-RECEIVED", _) => arrive(Queue::HalfOpen, -1),
            _ => {}
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        const KEPT: usize = 200_000;
        if self.arrivals.len() >= KEPT {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(arrival);
    }

    fn make_room(&mut self) {
        if self.kept <= KEPT_AT_MOST {
            return;
        }
        // Connections have forgotten some of it themselves, or were forgotten.
        self.kept = self.connections.values().map(Connection::kept).sum();
        while self.kept > KEPT_AT_MOST / 8 * 7 {
            let Some(largest) = self.connections.values_mut().max_by_key(|connection| connection.kept())
            else {
                return;
            };
            let before = largest.kept();
            largest.forget_half();
            self.kept -= before - largest.kept();
        }
    }

    fn keep(&mut self, sample: Sample) {
        let Sample { at, host, local, remote, receive_queue, send_queue, tcp } = sample;
        if let Some(number) = self.find(local, remote)
            && let Some(connection) = self.connections.get_mut(&number)
        {
            let end = connection.end(local);
            if let Some(known) = connection.hosts.get_mut(end) {
                known.get_or_insert(host);
            }
            self.kept += 1;
            connection.keep_sample(end, SampleAt { at, receive_queue, send_queue, tcp });
        }
    }
}

/// Whether what happens at the same moment comes of this call; otherwise the call comes of it.
fn is_beginning(call: Call, outcome: Result<usize, Error>) -> bool {
    match call {
        Call::Connect => outcome == Err(Error::InProgress),
        Call::Accept => false,
        _ => true,
    }
}

fn mark(told: &mut FrameRow, passage: &Passage) {
    let marks = [
        (passage.corrupted_bit.is_some(), "corrupted"),
        (passage.copy_at.is_some(), "duplicated"),
        (passage.is_held_back, "held"),
        (passage.is_marked, "marked"),
    ];
    for (_, name) in marks.into_iter().filter(|(applies, _)| *applies) {
        if !told.marks.contains(&name) {
            told.marks.push(name);
        }
    }
}

/// What kind of packet these words are about.
fn protocol_of(words: &str) -> &'static str {
    const NAMES: [(&str, &str); 7] = [
        ("ARP", "ARP"),
        ("ICMP6", "ICMPv6"),
        ("ICMPv6", "ICMPv6"),
        ("ICMP", "ICMP"),
        ("UDP", "UDP"),
        ("IGMP", "IGMP"),
        ("frag", "fragment"),
    ];
    NAMES.iter().find(|(word, _)| words.contains(word)).map_or("other", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_together_keep_so_much_and_no_more() {
        let mut teller = Teller::new(Instant::ZERO, Vec::new());
        let end = |port: u16| SocketAddr::from(([10, 0, 0, 3], port));
        let call =
            |number: u64| CallAt { at: Instant::from_millis(number), end: 0, call: "send", amount: Some(10) };
        for number in 1..=5_u32 {
            let ends = [end(50_000), end(number as u16)];
            let mut connection = Connection::new(number, ends, [None; 2], Instant::ZERO);
            // The first has little, and keeps it.
            let calls = if number == 1 { 100 } else { 150_000 };
            (0..calls).for_each(|number| connection.keep_call(call(number)));
            teller.kept += calls as usize;
            teller.connections.insert(number, connection);
        }
        teller.make_room();
        let kept: Vec<usize> = teller.connections.values().map(Connection::kept).collect();
        assert_eq!(kept[0], 100);
        assert!(
            kept.iter().sum::<usize>() <= KEPT_AT_MOST && kept[1..].iter().all(|it| *it >= 50_000),
            "{kept:?}"
        );
        assert_eq!(teller.kept, kept.iter().sum::<usize>());
        for connection in teller.connections.values().skip(1) {
            assert_eq!(connection.forgotten(0, "send") + 10 * connection.kept() as u64, 1_500_000);
        }
    }
}
