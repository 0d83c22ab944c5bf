//! From what observers have seen to rows in the order of time.
//!
//! The cables of a LAN are observed by one thread, each host by another: what they tell waits a moment, so that it can be told in
//! the order of time, and a frame a little longer, so that what it brings about at its receiver can be told with it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use sockeye_core::error::Error;
use sockeye_core::lan::{Direction, Fate};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::{Call, Direction as Crossing, Trace, TraceEvent};
use sockeye_core::transport::tcp::State;
use sockeye_core::wire::LinkType;
use sockeye_core::wire::ethernet::MacAddr;
use sockeye_core::wire::tcp::{Flags, Segment};

use super::at::Then;
use super::cable::{Place, Switchyard, Ticket, arrival, loss, marks};
use super::connection::Connections;
use super::finding::Findings;
use super::reel::Reel;
use super::row::{Arrival, CallRow, Event, FrameRow, Marks, RecoveryRow, Row, StateRow, TcpRow};
use super::sight::{CableSight, HostIndex, Note, Sample, Sight};
use super::{Opening, Station};
use crate::ladder::Side;
use crate::ladder::recovery::{AgainSight, Causes};
use crate::ladder::speech::{Speech, may_cause};

/// So long after something happened its observers have told of it.
const SLACK: Duration = Duration::from_millis(15);
/// So far the times of frames that a host takes at once lie apart at most.
const BATCH: Duration = Duration::from_millis(2);
/// A frame under way is waited for, so that what it leads to can be told with it; but not longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// So much waits at most; then the oldest is told as it stands.
const WAITING: usize = 65_536;
/// Ends of connections whose changes of state wait.
const ENDS: usize = 4096;
/// Hosts that are learned of while it goes on.
pub(super) const STATIONS: usize = 256;

/// When, then what comes first of what happens at one moment, then in which order it was told.
pub(crate) type Key = (Instant, u8, u64);

/// A host, its own address, and the other end's.
type EndKey = (HostIndex, SocketAddr, SocketAddr);

#[derive(Debug)]
enum Waiting {
    Frame(Box<Passing>),
    Host(HostIndex, TraceEvent),
    Sample(Box<Sample>),
    Note(Box<Note>),
}

/// A frame that is not told yet.
#[derive(Debug)]
struct Passing {
    row: FrameRow,
    tickets: [Option<Ticket>; 2],
    /// When everything is known about it.
    known: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    at: Instant,
    from: State,
    to: State,
    is_by_segment: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(super) opening: Opening,
    /// What has been told.
    pub(super) reel: Reel,
    /// Who talks with whom.
    pub(super) connections: Connections,
    /// How everything stood when the first row in full was told.
    pub(super) then: Then,
    /// What it means.
    pub(super) findings: Findings,
    /// When the last row was told.
    pub(super) until: Instant,
    /// Counts changes of rows that were told already.
    pub(super) revision: u64,
    waiting: BTreeMap<Key, Waiting>,
    count: u64,
    yard: Switchyard,
    macs: HashMap<MacAddr, HostIndex>,
    changes: HashMap<EndKey, VecDeque<Change>>,
    causes: Causes,
    /// Where the newest sight is in time: nothing is told that is much older than it.
    newest: Instant,
}

impl Tape {
    /// Nothing has happened yet.
    pub(crate) fn new(opening: Opening) -> Tape {
        let until = opening.start;
        Tape {
            opening,
            reel: Reel::new(),
            connections: Connections::default(),
            then: Then::default(),
            findings: Findings::default(),
            until,
            revision: 0,
            waiting: BTreeMap::new(),
            count: 0,
            yard: Switchyard::default(),
            macs: HashMap::new(),
            changes: HashMap::new(),
            causes: Causes::default(),
            newest: until,
        }
    }

    /// When the newest of what was seen happened.
    pub(super) fn newest(&self) -> Instant {
        self.newest
    }

    /// A host that was not there at the beginning; the number of one that is known already stays.
    pub(crate) fn station(&mut self, station: Station) -> Option<HostIndex> {
        let known = self.opening.stations.iter().position(|known| known.name == station.name);
        if known.is_none() && self.opening.stations.len() < STATIONS {
            self.opening.stations.push(station);
            return Some(self.opening.stations.len() - 1);
        }
        known
    }

    /// The host that has an address.
    pub(super) fn host_at(&self, address: IpAddr) -> Option<HostIndex> {
        self.opening.stations.iter().position(|station| station.addresses.contains(&address))
    }

    fn host_of_mac(&self, frame: &[u8]) -> Option<HostIndex> {
        let mac = MacAddr(*frame.first_chunk()?);
        self.macs.get(&mac).copied()
    }

    /// Takes in what was seen.
    pub(crate) fn on_sight(&mut self, sight: Sight) {
        self.newest = self.newest.max(sight.at());
        match sight {
            Sight::Cable(sight) => self.on_cable(sight),
            Sight::Host(host, trace) => self.on_trace(host, trace),
            Sight::Sample(sample) => self.wait(sample.at, 5, Waiting::Sample(Box::new(sample))),
            Sight::Note(note) => self.wait(note.at, 0, Waiting::Note(Box::new(note))),
        }
        while self.waiting.len() > WAITING {
            self.tell_first();
        }
    }

    fn wait(&mut self, at: Instant, rank: u8, waiting: Waiting) {
        self.count += 1;
        self.waiting.insert((at, rank, self.count), waiting);
    }

    fn on_cable(&mut self, sight: CableSight) {
        match sight.direction {
            Direction::Up => self.on_sent(sight),
            Direction::Down => self.on_came(sight),
        }
    }

    /// A frame goes up the cable of its sender.
    fn on_sent(&mut self, sight: CableSight) {
        if let Some((_, [a, b, c, d, e, f])) =
            sight.frame.split_at_checked(6).and_then(|(to, rest)| Some((to, rest.first_chunk()?)))
        {
            let mac = MacAddr([*a, *b, *c, *d, *e, *f]);
            if mac.is_unicast() && self.macs.len() < STATIONS {
                self.macs.insert(mac, sight.host);
            }
        }
        self.count += 1;
        let key = (sight.at, 9, self.count);
        let mut row = frame_row(Some(sight.host));
        let (mut tickets, mut known) = ([None; 2], sight.at);
        match &sight.fate {
            Fate::Lost(why) => {
                row.lost = Some(loss(*why));
                row.toward = self.host_of_mac(&sight.frame);
            }
            Fate::Arrives(passage) => {
                row.marks = marks(passage);
                tickets = self.yard.expect(&sight, passage, Place::Waiting(key));
                known = passage.at;
            }
        }
        row.bytes = sight.frame.into();
        self.waiting.insert(key, Waiting::Frame(Box::new(Passing { row, tickets, known })));
    }

    /// A frame goes down the cable of a receiver.
    fn on_came(&mut self, sight: CableSight) {
        let (waiting, reel) = (&self.waiting, &self.reel);
        let bytes_of = |place| match place {
            Place::Waiting(key) => match waiting.get(&key)? {
                Waiting::Frame(passing) => Some(&*passing.row.bytes),
                _ => None,
            },
            Place::Told(number) => match &reel.get(number)?.event {
                Event::Frame(frame) => Some(&*frame.bytes),
                _ => None,
            },
        };
        let found = self.yard.find(&sight, bytes_of);
        let came = arrival(&sight);
        let done = sight.fate.passage().map(|passage| marks(&passage)).unwrap_or_default();
        match found {
            Some((Place::Waiting(key), _)) => {
                if let Some(Waiting::Frame(passing)) = self.waiting.get_mut(&key) {
                    add_arrival(&mut passing.row, came, done);
                    passing.known = passing.known.max(came.outcome.unwrap_or(sight.at));
                }
            }
            Some((Place::Told(number), _)) => {
                if let Some(Row { event: Event::Frame(row), .. }) = self.reel.get_mut(number) {
                    add_arrival(row, came, done);
                    self.revision += 1;
                }
            }
            // Somebody put it in that is none of the recording's hosts.
            None => {
                let mut row = frame_row(None);
                row.bytes = sight.frame.into();
                let known = came.outcome.unwrap_or(sight.at);
                add_arrival(&mut row, came, done);
                let passing = Passing { row, tickets: [None; 2], known };
                self.wait(sight.at, 9, Waiting::Frame(Box::new(passing)));
            }
        }
    }

    /// A frame of a capture file: how it went is all that is known.
    pub(crate) fn on_captured(&mut self, at: Instant, mut row: FrameRow) {
        let ends = |address: SocketAddr| self.host_at(address.ip());
        if let Some(speech) = Speech::in_frame(&row.bytes, row.link) {
            row.from = row.from.or(ends(speech.source));
            row.toward = row.toward.or(ends(speech.destination));
        }
        self.wait(at, 9, Waiting::Frame(Box::new(Passing { row, tickets: [None; 2], known: at })));
        self.newest = self.newest.max(at);
        while self.waiting.len() > WAITING {
            self.tell_first();
        }
    }

    fn on_trace(&mut self, host: HostIndex, trace: Trace) {
        let at = trace.at;
        let rank = match &trace.event {
            TraceEvent::Call { .. } => 1,
            TraceEvent::State { local, remote, from, to, cause, .. } => {
                if self.changes.len() < ENDS {
                    let change = Change { at, from: *from, to: *to, is_by_segment: *cause == "segment" };
                    self.changes.entry((host, *local, *remote)).or_default().push_back(change);
                }
                2
            }
            TraceEvent::Recovery { .. } => 3,
            TraceEvent::Drop { .. } => 4,
            TraceEvent::Retransmission { local, remote, seq, length, cause, .. } => {
                // The addresses tell whose it is; there are no sides here.
                self.causes.push(AgainSight {
                    at,
                    side: Side::Left,
                    local: *local,
                    remote: *remote,
                    seq: *seq,
                    length: *length,
                    cause: *cause,
                });
                return;
            }
            // What leaves the host is seen on its cable.
            TraceEvent::Frame { interface, direction: Crossing::Sent, .. }
                if *interface == sockeye_core::stack::LOOPBACK =>
            {
                9
            }
            TraceEvent::Overrun { .. } => 0,
            _ => return,
        };
        self.wait(at, rank, Waiting::Host(host, trace.event));
    }

    /// Tells what can be told at `now`. Says whether that was anything.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        let before = (self.reel.end(), self.revision);
        while let Some((key, waiting)) = self.waiting.first_key_value() {
            let ready = match waiting {
                Waiting::Frame(passing) => (passing.known + SLACK).min(key.0 + PATIENCE),
                _ => key.0 + SLACK,
            };
            if now < ready {
                break;
            }
            self.tell_first();
        }
        self.yard.forget(now);
        let end = if now == Instant::MAX { self.newest } else { now };
        self.findings.on_time(end, &self.connections);
        before != (self.reel.end(), self.revision)
    }

    fn tell_first(&mut self) {
        let Some((key, waiting)) = self.waiting.pop_first() else { return };
        let at = key.0;
        match waiting {
            Waiting::Frame(passing) => self.tell_frame(at, *passing),
            Waiting::Host(host, event) => self.tell_event(at, host, event),
            Waiting::Note(note) => self.push(Row { at, connection: None, event: Event::Note(note) }),
            Waiting::Sample(sample) => {
                let number = self.connections.between(sample.local, sample.remote);
                if let Some(connection) = number.and_then(|number| self.connections.get_mut(number)) {
                    let end = connection.end_of(sample.local);
                    let end = connection.end_mut(end);
                    end.host = end.host.or(Some(sample.host));
                    end.keep(*sample);
                }
            }
        }
    }

    fn push(&mut self, row: Row) {
        self.until = self.until.max(row.at);
        let number = self.reel.end();
        self.findings.on_row(number, &row, &self.connections, &self.reel);
        let (then, connections) = (&mut self.then, &mut self.connections);
        self.reel.push(row, |row| {
            then.apply(row);
            if let (Event::Call(call), Some(connection)) = (&row.event, row.connection)
                && let (Some(connection), Ok(amount)) = (connections.get_mut(connection), call.outcome)
            {
                let end = connection.end_mut(call.direction);
                match (call.call, &mut end.forgotten) {
                    (Call::Send { .. }, [sent, _]) => *sent += amount as u64,
                    (Call::Receive { .. }, [_, taken]) => *taken += amount as u64,
                    _ => {}
                }
            }
        });
    }

    fn tell_frame(&mut self, at: Instant, passing: Passing) {
        let Passing { mut row, tickets, .. } = passing;
        let mut number = None;
        let bytes = core::mem::take(&mut row.bytes);
        if let Some(speech) = Speech::in_frame(&bytes, row.link) {
            number = Some(self.tell_segment(at, &mut row, &speech));
        }
        row.bytes = bytes;
        self.yard.moved(tickets, self.reel.end());
        self.push(Row { at, connection: number, event: Event::Frame(Box::new(row)) });
    }

    /// Finds a segment's connection, and its place there.
    fn tell_segment(&mut self, at: Instant, row: &mut FrameRow, speech: &Speech<'_>) -> u32 {
        let Speech { source, destination, segment, data } = *speech;
        let known = self.connections.between(source, destination).filter(|number| {
            let connection = self.connections.get(*number);
            !connection.is_some_and(|it| it.conversation.is_over_for(side(it.end_of(source)), &segment))
        });
        let number = known.unwrap_or_else(|| {
            let from = row.from.or_else(|| self.host_at(source.ip()));
            let to = self.host_at(destination.ip());
            // Of one that was under way already, who answers a SYN or has the lower port is the one that was asked.
            let is_asked = segment.flags.contains(Flags::SYN | Flags::ACK)
                || !segment.flags.contains(Flags::SYN) && source.port() < destination.port();
            match is_asked {
                true => self.connections.meet(at, (to, destination), (from, source)),
                false => self.connections.meet(at, (from, source), (to, destination)),
            }
        });
        let place = self.reel.end();
        let Some(connection) = self.connections.get_mut(number) else { return number };
        let direction = connection.end_of(source);
        let acknowledges_all = connection.conversation.is_all_acknowledged_by(side(direction), &segment);
        let said = connection.conversation.hear((at, place), side(direction), &segment, data);
        let sender = connection.end_mut(direction);
        sender.host = sender.host.or(row.from);
        match said.first_sent {
            Some(_) if !said.numbers.is_keepalive => sender.retransmissions += 1,
            Some(_) => {}
            None => sender.bytes += data.len() as u64,
        }
        let first = said.first_sent.filter(|_| !said.numbers.is_keepalive);
        row.payload = said.payload.map(String::into_boxed_str);
        let again = first
            .is_some()
            .then(|| self.causes.take((at, SLACK), (Side::Left, source, destination), &segment));
        row.tcp = Some(TcpRow {
            direction,
            flags: segment.flags,
            numbers: said.numbers,
            length: segment.length,
            first,
            again: again.flatten().map(|cause| cause.name()),
        });
        let sending = connection.end(direction).state;
        let receiving = connection.end(1 - direction).state;
        let receiver = row.arrivals.iter().find_map(|it| Some((it.host, it.outcome.ok()?)));
        let arriving = match receiver {
            Some((host, arrival)) => {
                let end = (host, destination, source);
                self.state_on_arrival(end, receiving, arrival, (&segment, acknowledges_all))
            }
            None => receiving,
        };
        row.states = [sending, arriving];
        number
    }

    /// The state of an end when a segment has come: what it was, moved on by what waits to be told until then.
    ///
    /// Times alone do not tell what the segment brings about: a host takes several frames at once and stamps all that follows with
    /// one time, a little before the arrival of the later ones or a little after.
    fn state_on_arrival(
        &self,
        end: EndKey,
        mut state: Option<State>,
        arrival: Instant,
        (segment, acknowledges_all): (&Segment, bool),
    ) -> Option<State> {
        for change in self.changes.get(&end).into_iter().flatten() {
            let continues = state.is_none_or(|state| state == change.from);
            let is_before = change.at + BATCH < arrival;
            let is_caused = change.is_by_segment
                && change.at <= arrival + SLACK
                && may_cause(segment, (change.from.name(), change.to.name()), acknowledges_all);
            if !(is_before || continues && is_caused) {
                break;
            }
            state = Some(change.to);
        }
        state
    }

    fn tell_event(&mut self, at: Instant, host: HostIndex, event: TraceEvent) {
        match event {
            TraceEvent::State { local, remote, from, to, cause, .. } => {
                self.tell_state(at, StateRow { host, local, remote, end: 0, before: from, state: to, cause });
            }
            TraceEvent::Call { local, remote, call, outcome, .. } => {
                let call = CallRow { host, direction: 0, local, remote, call, outcome };
                self.tell_call(at, call);
            }
            TraceEvent::Recovery { local, remote, change, .. } => {
                let number = self.connections.between(local, remote);
                let end = number.and_then(|it| self.connections.get(it)).map_or(0, |it| it.end_of(local));
                let event = Event::Recovery(RecoveryRow { host, end, change });
                self.push(Row { at, connection: number, event });
            }
            TraceEvent::Drop { reason, .. } => {
                self.push(Row { at, connection: None, event: Event::Drop(host, reason) });
            }
            TraceEvent::Frame { frame, .. } => {
                let mut row = frame_row(Some(host));
                row.link = LinkType::Ip;
                row.bytes = frame;
                row.arrivals.push(Arrival { host, outcome: Ok(at), copy_at: None });
                self.tell_frame(at, Passing { row, tickets: [None; 2], known: at });
            }
            TraceEvent::Overrun { lost } => self.push(Row {
                at,
                connection: None,
                event: Event::Note(Box::new(Note {
                    at,
                    note: "missing",
                    words: format!("{lost} events of a host were too much to take: they are missing here"),
                    facts: [("count".to_owned(), json!(lost)), ("host".to_owned(), json!(host))]
                        .into_iter()
                        .collect(),
                })),
            }),
            _ => {}
        }
    }

    fn tell_state(&mut self, at: Instant, mut row: StateRow) {
        let key = (row.host, row.local, row.remote);
        if let Some(changes) = self.changes.get_mut(&key) {
            changes.pop_front();
            if changes.is_empty() {
                self.changes.remove(&key);
            }
        }
        let begins = matches!(row.before, State::Closed | State::Listen);
        let known = self.connections.between(row.local, row.remote).filter(|number| {
            let connection = self.connections.get(*number);
            let is_over = connection.is_none_or(|it| {
                let state = it.end(it.end_of(row.local)).state;
                it.to.is_some() || matches!(state, Some(State::Closed | State::TimeWait))
            });
            !(begins && is_over)
        });
        let number = known.unwrap_or_else(|| {
            let other = self.host_at(row.remote.ip());
            let (here, there) = ((Some(row.host), row.local), (other, row.remote));
            match row.before == State::Listen {
                true => self.connections.meet(at, there, here),
                false => self.connections.meet(at, here, there),
            }
        });
        if let Some(connection) = self.connections.get_mut(number) {
            row.end = connection.end_of(row.local);
            connection.end_mut(row.end).host = Some(row.host);
            connection.moved(at, row.end, row.state);
        }
        self.push(Row { at, connection: Some(number), event: Event::State(row) });
    }

    fn tell_call(&mut self, at: Instant, mut call: CallRow) {
        let mut number = None;
        if let (Some(local), Some(remote)) = (call.local, call.remote) {
            number = self.connections.between(local, remote);
            let is_over = |it| self.connections.get(it).is_none_or(|it| it.to.is_some());
            if call.call == Call::Connect
                && call.outcome == Err(Error::InProgress)
                && number.is_none_or(is_over)
            {
                let other = self.host_at(remote.ip());
                number = Some(self.connections.meet(at, (Some(call.host), local), (other, remote)));
            }
            if let Some(connection) = number.and_then(|number| self.connections.get(number)) {
                call.direction = connection.end_of(local);
            }
        }
        self.push(Row { at, connection: number, event: Event::Call(Box::new(call)) });
    }
}

/// A frame of which nothing is known yet.
pub(crate) fn frame_row(from: Option<HostIndex>) -> FrameRow {
    FrameRow {
        from,
        bytes: Box::default(),
        link: LinkType::Ethernet,
        arrivals: Vec::new(),
        lost: None,
        marks: Marks::default(),
        toward: None,
        payload: None,
        tcp: None,
        states: [None; 2],
    }
}

fn add_arrival(row: &mut FrameRow, arrival: Arrival, marks: Marks) {
    row.marks = row.marks.and(marks);
    row.arrivals.push(arrival);
}

fn side(direction: usize) -> Side {
    if direction == 0 { Side::Left } else { Side::Right }
}
