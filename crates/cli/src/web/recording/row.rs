//! The rows of a recording, kept small: what a row says in words is made when somebody asks for it.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use sockeye_core::drop_reason::DropReason;
use sockeye_core::error::Error;
use sockeye_core::time::Instant;
use sockeye_core::trace::Call;
use sockeye_core::transport::tcp::{RecoveryChange, State};
use sockeye_core::wire::LinkType;
use sockeye_core::wire::tcp::Flags;

use super::sight::{HostIndex, Note};
use super::told;
use crate::ladder::conversation::{Numbers, in_words};
use crate::ladder::speech::{Speech, words_for};

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// When.
    pub(crate) at: Instant,
    /// In which connection, if in one.
    pub(crate) connection: Option<u32>,
    /// What.
    pub(crate) event: Event,
}

/// What a row tells.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A frame was sent.
    Frame(Box<FrameRow>),
    /// A program's call was answered.
    Call(Box<CallRow>),
    /// An end of a connection changed its state.
    State(StateRow),
    /// A sender does something else about losses.
    Recovery(RecoveryRow),
    /// A host refused something.
    Drop(HostIndex, DropReason),
    /// Somebody has done something.
    Note(Box<Note>),
}

impl Event {
    /// As the API names it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Event::Frame(_) => "frame",
            Event::Call(_) => "call",
            Event::State(_) => "state",
            Event::Recovery(_) => "recovery",
            Event::Drop(..) => "drop",
            Event::Note(_) => "note",
        }
    }
}

/// A frame, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct FrameRow {
    /// Who sent it; none where nobody in the recording did.
    pub(crate) from: Option<HostIndex>,
    /// As it was sent.
    pub(crate) bytes: Box<[u8]>,
    /// What it begins with.
    pub(crate) link: LinkType,
    /// Where and when it arrived, or did not; one for each cable that it went down.
    pub(crate) arrivals: Vec<Arrival>,
    /// Why it got no further than the sender's cable.
    pub(crate) lost: Option<&'static str>,
    /// What the cables did to it.
    pub(crate) marks: Marks,
    /// Whom it was for, where it reached nobody.
    pub(crate) toward: Option<HostIndex>,
    /// Its payload, readable.
    pub(crate) payload: Option<Box<str>>,
    /// What it says in its connection.
    pub(crate) tcp: Option<TcpRow>,
    /// The state of the sender when it left, and of the receiver when it had come.
    pub(crate) states: [Option<State>; 2],
}

/// A frame at the end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Whose cable.
    pub(crate) host: HostIndex,
    /// When it arrives, or why it does not.
    pub(crate) outcome: Result<Instant, &'static str>,
    /// When a copy of it arrives.
    pub(crate) copy_at: Option<Instant>,
}

/// What cables do to frames that arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A bit was flipped.
    pub(crate) is_corrupted: bool,
    /// It came twice.
    pub(crate) is_duplicated: bool,
    /// It was held back, and could be overtaken.
    pub(crate) is_held: bool,
    /// It was marked with congestion experienced.
    pub(crate) is_marked: bool,
}

impl Marks {
    /// What either of two cables did.
    pub(crate) fn and(self, other: Marks) -> Marks {
        Marks {
            is_corrupted: self.is_corrupted || other.is_corrupted,
            is_duplicated: self.is_duplicated || other.is_duplicated,
            is_held: self.is_held || other.is_held,
            is_marked: self.is_marked || other.is_marked,
        }
    }

    fn names(self) -> Vec<&'static str> {
        let all = [
            (self.is_corrupted, "corrupted"),
            (self.is_duplicated, "duplicated"),
            (self.is_held, "held"),
            (self.is_marked, "marked"),
        ];
        all.into_iter().filter_map(|(applies, name)| applies.then_some(name)).collect()
    }
}

/// A segment in its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpRow {
    /// 0 from the connection's first end.
    pub(crate) direction: usize,
    /// Its flags.
    pub(crate) flags: Flags,
    /// Its numbers.
    pub(crate) numbers: Numbers,
    /// Bytes of payload.
    pub(crate) length: u32,
    /// When and in which row its sequence numbers were first sent.
    pub(crate) first: Option<(Instant, u64)>,
    /// Why they are sent again.
    pub(crate) again: Option<&'static str>,
}

impl FrameRow {
    /// When it first arrives anywhere.
    pub(crate) fn arrives(&self) -> Option<Instant> {
        self.arrivals.iter().filter_map(|arrival| arrival.outcome.ok()).min()
    }

    /// Why it arrives nowhere.
    pub(crate) fn loss(&self) -> Option<&'static str> {
        let elsewhere = || self.arrivals.iter().find_map(|arrival| arrival.outcome.err());
        if self.arrives().is_some() { None } else { self.lost.or_else(elsewhere) }
    }

    fn protocol(&self) -> &'static str {
        if self.tcp.is_some() {
            return "TCP";
        }
        let (ethertype, packet) = match self.link {
            LinkType::Ip => (None, &*self.bytes),
            LinkType::Ethernet => (self.bytes.get(12..14), self.bytes.get(14..).unwrap_or_default()),
        };
        let number = match (ethertype, packet.first().map(|first| first >> 4)) {
            (Some([0x08, 0x06]), _) => return "ARP",
            (Some([0x08, 0x00]) | None, Some(4)) => packet.get(9),
            (Some([0x86, 0xdd]) | None, Some(6)) => packet.get(6),
            _ => None,
        };
        match number {
            Some(1) => "ICMP",
            Some(2) => "IGMP",
            Some(6) => "TCP",
            Some(17) => "UDP",
            Some(0 | 58) => "ICMPv6",
            Some(_) => "IP",
            None => "other",
        }
    }

    /// What it is, in a line.
    pub(crate) fn words(&self) -> String {
        match (&self.tcp, Speech::in_frame(&self.bytes, self.link)) {
            (Some(tcp), Some(speech)) => in_words(&speech.segment, &tcp.numbers),
            _ => words_for(&self.bytes, self.link),
        }
    }

    fn tell(&self, into: &mut Map<String, Value>, start: Instant) {
        let seconds = |at: Instant| told::seconds(at, start);
        let arrived: Vec<&Arrival> = self.arrivals.iter().filter(|it| it.outcome.is_ok()).collect();
        let mut to: Vec<HostIndex> = arrived.iter().map(|arrival| arrival.host).collect();
        to.dedup();
        let toward: Vec<HostIndex> = match to.is_empty() {
            true => self.arrivals.first().map(|arrival| arrival.host).or(self.toward).into_iter().collect(),
            false => to.clone(),
        };
        let mut times: Vec<f64> = arrived
            .iter()
            .flat_map(|arrival| [arrival.outcome.ok(), arrival.copy_at])
            .flatten()
            .map(seconds)
            .collect();
        times.sort_by(f64::total_cmp);
        let mut put = |name: &str, value: Value| drop(into.insert(name.to_owned(), value));
        put("from", json!(self.from));
        put("to", json!(to));
        put("toward", json!(toward));
        put("arrives", json!(times.first()));
        if self.marks.is_duplicated {
            put("copies", json!(times.get(1..).unwrap_or_default()));
        }
        put("lost", json!(self.loss()));
        put("words", json!(self.words()));
        put("protocol", json!(self.protocol()));
        put("length", json!(self.bytes.len()));
        put("payload", json!(self.payload));
        put("marks", json!(self.marks.names()));
        put("states", json!(self.states.map(|state| state.map(State::name))));
        let Some(tcp) = &self.tcp else { return };
        let Numbers { seq, ack, window, .. } = tcp.numbers;
        put("direction", json!(tcp.direction));
        put("flags", json!(flag_names(tcp.flags)));
        put("seq", json!(seq));
        put("ack", json!(tcp.flags.contains(Flags::ACK).then_some(ack)));
        put("window", json!(window));
        put("bytes", json!(tcp.length));
        if let Some((at, row)) = tcp.first {
            put("first", json!(row));
            put("first_sent", json!(seconds(at)));
            put("again", json!(tcp.again));
        }
    }
}

/// The flags that are set, by name.
pub(crate) fn flag_names(flags: Flags) -> Vec<&'static str> {
    const NAMES: [(Flags, &str); 8] = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::ACK, "ACK"),
        (Flags::URG, "URG"),
        (Flags::ECE, "ECE"),
        (Flags::CWR, "CWR"),
    ];
    NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect()
}

/// A call and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallRow {
    /// At which host.
    pub(crate) host: HostIndex,
    /// The connection's direction in which this host sends, if it is of one.
    pub(crate) direction: usize,
    /// Its own address.
    pub(crate) local: Option<SocketAddr>,
    /// The other end.
    pub(crate) remote: Option<SocketAddr>,
    /// Which.
    pub(crate) call: Call,
    /// What it gave.
    pub(crate) outcome: Result<usize, Error>,
}

impl CallRow {
    /// What stands between the parentheses.
    pub(crate) fn arguments(&self, is_connected: bool) -> String {
        let address = |address: Option<SocketAddr>| address.map(|it| it.to_string()).unwrap_or_default();
        match self.call {
            Call::Bind => address(self.local),
            Call::Listen { backlog } => backlog.to_string(),
            Call::Connect => address(self.remote),
            Call::Send { length } if is_connected => length.to_string(),
            Call::Send { length } => format!("{length}, {}", address(self.remote)),
            Call::Receive { room } => room.to_string(),
            Call::Shutdown { read, write } => match (read, write) {
                (true, true) => "SHUT_RDWR",
                (true, false) => "SHUT_RD",
                _ => "SHUT_WR",
            }
            .to_owned(),
            _ => String::new(),
        }
    }

    fn tell(&self, into: &mut Map<String, Value>, is_connected: bool) {
        let mut put = |name: &str, value: Value| drop(into.insert(name.to_owned(), value));
        put("host", json!(self.host));
        put("call", json!(self.call.name()));
        put("arguments", json!(self.arguments(is_connected)));
        put("local", json!(self.local));
        put("remote", json!(self.remote));
        match (self.call, self.outcome) {
            (_, Err(error)) => put("error", json!(error.name())),
            (Call::Accept, Ok(_)) => put("outcome", json!(self.remote)),
            (_, Ok(amount)) => put("outcome", json!(amount)),
        }
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateRow {
    /// At which host.
    pub(crate) host: HostIndex,
    /// Its own address.
    pub(crate) local: SocketAddr,
    /// The other end.
    pub(crate) remote: SocketAddr,
    /// Which end of the connection that is.
    pub(crate) end: usize,
    /// The state it was in.
    pub(crate) before: State,
    /// The state it is in.
    pub(crate) state: State,
    /// What moved it.
    pub(crate) cause: &'static str,
}

/// What a sender does about losses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryRow {
    /// At which host.
    pub(crate) host: HostIndex,
    /// Which end of the connection that is.
    pub(crate) end: usize,
    /// What has changed.
    pub(crate) change: RecoveryChange,
}

impl RecoveryRow {
    fn tell(&self, into: &mut Map<String, Value>) {
        let RecoveryChange { from, to, cwnd, ssthresh, reason, is_undone } = self.change;
        let mut words = match from == to {
            true => format!("{}, cwnd {cwnd}", to.name()),
            false => format!("{} to {}, cwnd {cwnd}", from.name(), to.name()),
        };
        if let Some(ssthresh) = ssthresh {
            words.push_str(&format!(", ssthresh {ssthresh}"));
        }
        words.push_str(&format!(" ({})", reason.name()));
        let mut put = |name: &str, value: Value| drop(into.insert(name.to_owned(), value));
        put("host", json!(self.host));
        put("words", json!(words));
        put("before", json!(from.name()));
        put("recovery", json!(to.name()));
        put("cwnd", json!(cwnd));
        put("ssthresh", json!(ssthresh));
        put("reason", json!(reason.name()));
        put("undone", json!(is_undone));
    }
}

impl Row {
    /// As `docs/web-api.md` describes it.
    pub(crate) fn tell(&self, number: u64, start: Instant) -> Value {
        let mut told = Map::new();
        told.insert("row".to_owned(), json!(number));
        told.insert("time".to_owned(), json!(told::seconds(self.at, start)));
        told.insert("kind".to_owned(), json!(self.event.kind()));
        told.insert("connection".to_owned(), json!(self.connection));
        match &self.event {
            Event::Frame(frame) => frame.tell(&mut told, start),
            Event::Call(call) => call.tell(&mut told, self.connection.is_some()),
            Event::State(state) => told.extend(object(json!({
                "host": state.host,
                "address": state.local,
                "remote": state.remote,
                "before": state.before.name(),
                "state": state.state.name(),
                "cause": state.cause,
            }))),
            Event::Recovery(recovery) => recovery.tell(&mut told),
            Event::Drop(host, reason) => told.extend(object(json!({
                "host": host,
                "reason": format!("{reason:?}"),
                "words": reason.message(),
            }))),
            Event::Note(note) => told.extend(object(json!({
                "note": note.note,
                "facts": note.facts,
                "words": note.words,
            }))),
        }
        Value::Object(told)
    }

    /// Bytes of memory that it takes, roughly.
    pub(crate) fn size(&self) -> usize {
        match &self.event {
            Event::Frame(frame) => frame.bytes.len() + frame.payload.as_ref().map_or(0, |text| text.len()),
            _ => 0,
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
