//! One TCP connection as an onlooker knows it: where its sequence numbers begin, what was sent before.

use std::collections::VecDeque;

use sockeye_core::time::Instant;
use sockeye_core::wire::tcp::{Flags, Segment, SeqNumber};

use super::payload::Reader;
use super::{Shown, Side};

/// So many segments are remembered with their time, in each direction.
const REMEMBERED: usize = 4096;

/// What is known about a connection.
pub(crate) struct Conversation {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// The state of each end, where it is known.
    pub(crate) states: [Option<String>; 2],
    voices: [Voice; 2],
}

/// What one end has said.
struct Voice {
    /// The sequence number shown as 0; with it, the shift of the windows this end announces.
    start: Option<SeqNumber>,
    shift: Option<u8>,
    /// The first sequence number never seen.
    next: Option<SeqNumber>,
    /// It has said FIN.
    has_ended: bool,
    /// What was said last: the first sequence number, the one behind it, and when.
    said: VecDeque<(SeqNumber, SeqNumber, Instant)>,
    reader: Reader,
}

/// A segment in words.
pub(crate) struct Said {
    /// In tcpdump's manner, sequence numbers counted from the connection's beginning.
    pub(crate) words: String,
    /// Its payload, if it has any that was not shown before.
    pub(crate) payload: Option<String>,
    /// When its sequence numbers were first sent, if they had been.
    pub(crate) first_sent: Option<Instant>,
    /// Its sequence number, counted from the beginning.
    pub(crate) seq: u32,
    /// What it acknowledges, counted from the other end's beginning, if it acknowledges anything.
    pub(crate) ack: Option<u32>,
    /// The window that it announces, in bytes.
    pub(crate) window: u32,
    /// What it reports by SACK, counted as `ack`.
    pub(crate) sack: Vec<(u32, u32)>,
    /// Whether it asks for nothing but an answer.
    pub(crate) is_keepalive: bool,
}

impl Conversation {
    /// A connection seen for the first time.
    pub(crate) fn new(number: u32, shown: Shown) -> Self {
        let voice = || Voice {
            start: None,
            shift: None,
            next: None,
            has_ended: false,
            said: VecDeque::new(),
            reader: Reader::new(shown),
        };
        Conversation { number, states: [None, None], voices: [voice(), voice()] }
    }

    /// Whether this SYN begins a new connection between the same ports.
    pub(crate) fn is_over_for(&self, from: Side, segment: &Segment) -> bool {
        let is_first_word = segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK);
        is_first_word && from.of(&self.voices).start.is_some_and(|start| start != segment.seq)
    }

    /// Whether a segment acknowledges everything that the other end has said, its FIN included.
    pub(super) fn is_all_acknowledged_by(&self, from: Side, segment: &Segment) -> bool {
        let other = from.other().of(&self.voices);
        let is_all_said = other.next.is_none_or(|next| other.has_ended && segment.ack.at_or_after(next));
        segment.flags.contains(Flags::ACK) && is_all_said
    }

    /// Takes a segment in and puts it in words.
    pub(crate) fn hear(&mut self, at: Instant, from: Side, segment: &Segment, payload: &[u8]) -> Said {
        let [left, right] = &mut self.voices;
        let (speaker, listener) = match from {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        let is_syn = segment.flags.contains(Flags::SYN);
        if is_syn {
            speaker.start = Some(segment.seq);
            speaker.shift = segment.options.window_scale;
        }
        speaker.has_ended |= segment.flags.contains(Flags::FIN);
        // A reset out of nowhere has a sequence number of the other's choice: no beginning to count from.
        let start = match speaker.start {
            None if segment.flags.contains(Flags::RST) => segment.seq,
            _ => *speaker.start.get_or_insert(segment.seq + u32::MAX),
        };
        let mut their_start = segment.ack;
        if segment.flags.contains(Flags::ACK) {
            their_start = *listener.start.get_or_insert(segment.ack + u32::MAX);
        }
        let (first_sent, payload) = speaker.place(at, segment, payload);
        let is_keepalive = segment.sequence_length() == 0
            && speaker.next.is_some_and(|next| segment.seq.distance(next) == -1)
            && !segment.flags.intersects(Flags::RST);
        // A window is scaled only where both ends announced that they scale, and never in a SYN itself.
        let shift = match (is_syn, speaker.shift, listener.shift) {
            (false, Some(shift), Some(_)) => shift.min(14),
            _ => 0,
        };
        let window = u32::from(segment.window) << shift;
        let mut words = in_words(segment, start, their_start, window);
        if is_keepalive {
            words.push_str(" keepalive");
        }
        let ack = segment.flags.contains(Flags::ACK).then(|| relative(segment.ack, their_start));
        let blocks = segment.options.sack.as_slice().iter();
        let sack = blocks
            .map(|block| (relative(block.left, their_start), relative(block.right, their_start)))
            .collect();
        Said {
            words,
            payload,
            first_sent,
            seq: relative(segment.seq, start),
            ack,
            window,
            sack,
            is_keepalive,
        }
    }
}

impl Voice {
    /// Finds a segment's place among what was said before: when it was said first, and what of it is new.
    fn place(&mut self, at: Instant, segment: &Segment, payload: &[u8]) -> (Option<Instant>, Option<String>) {
        if segment.sequence_length() == 0 || segment.flags.contains(Flags::RST) {
            return (None, None);
        }
        let end = segment.end();
        let next = *self.next.get_or_insert(segment.seq);
        let known = next.distance(segment.seq);
        let first_sent = (known > 0).then(|| {
            let before = self
                .said
                .iter()
                .find(|(start, end, _)| start.at_or_before(segment.seq) && end.is_after(segment.seq));
            before.map_or(at, |(_, _, at)| *at)
        });
        if known < 0 {
            self.reader.skip();
        }
        // The SYN's own sequence number stands before the payload.
        let known_payload = known.max(0).unsigned_abs() as usize
            - usize::from(known > 0 && segment.flags.contains(Flags::SYN));
        let new = payload.get(known_payload..).filter(|new| !new.is_empty());
        let readable = new.map(|new| self.reader.read(new));
        if end.is_after(next) {
            self.next = Some(end);
            self.said.push_back((next.max(segment.seq), end, at));
            if self.said.len() > REMEMBERED {
                self.said.pop_front();
            }
        }
        (first_sent, readable)
    }
}

/// The names of the flags that are set, in the order in which ladders tell them.
pub(crate) fn names_of(flags: Flags) -> impl Iterator<Item = &'static str> {
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
    NAMES.into_iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, name)| name)
}

/// Flags, numbers and options; timestamps only where they are agreed on, they would fill every line.
fn in_words(segment: &Segment, start: SeqNumber, their_start: SeqNumber, window: u32) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(names_of(segment.flags).map(str::to_owned));
    if words.is_empty() {
        words.push("no flags".to_owned());
    }
    let seq = relative(segment.seq, start);
    if segment.length > 0 {
        words.push(format!("seq {seq}:{}", relative(segment.seq + segment.length, start)));
    } else if segment.flags.intersects(Flags::SYN | Flags::FIN | Flags::RST) {
        words.push(format!("seq {seq}"));
    }
    if segment.flags.contains(Flags::ACK) {
        words.push(format!("ack {}", relative(segment.ack, their_start)));
    }
    words.push(format!("win {window}"));
    if segment.flags.contains(Flags::URG) {
        words.push(format!("urg {}", segment.urgent));
    }
    let options = &segment.options;
    words.extend(options.mss.map(|mss| format!("mss {mss}")));
    words.extend(options.window_scale.map(|shift| format!("wscale {shift}")));
    words.extend(options.sack_permitted.then(|| "sackOK".to_owned()));
    let is_syn = segment.flags.contains(Flags::SYN);
    words.extend(options.timestamps.filter(|_| is_syn).map(|_| "TS".to_owned()));
    for block in options.sack.as_slice() {
        words.push(format!(
            "sack {}:{}",
            relative(block.left, their_start),
            relative(block.right, their_start)
        ));
    }
    words.join(" ")
}

/// A sequence number counted from the beginning, as far as 32 bits go.
fn relative(seq: SeqNumber, start: SeqNumber) -> u32 {
    seq.0.wrapping_sub(start.0)
}
