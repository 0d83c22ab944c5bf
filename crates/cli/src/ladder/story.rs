//! From what observers saw to rows in the order of time, each with the states of both ends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::LinkType;
use sockeye_core::wire::tcp::{Flags, Segment};

use super::conversation::{Conversation, in_words};
use super::recovery::{Causes, RecoverySight};
use super::row::{ConnectionRow, FateFields, FrameRow, Row, StateRow};
use super::speech::{Speech, may_cause, words_for};
use super::{FrameSight, Outcome, Shown, Side, Sight, StateSight};

/// So long after something happened its observers have told of it.
const SLACK: Duration = Duration::from_millis(15);
/// So far the times of frames that a host takes at once lie apart at most.
const BATCH: Duration = Duration::from_millis(2);
/// A frame under way is waited for, so that the state it leads to can be told beside it; but not longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many sights wait at most; then the oldest is told as it stands.
const WAITING_AT_MOST: usize = 65_536;
/// So many of the sights after one are looked at to tell it.
const LOOK_AHEAD: usize = 256;
/// So many connections are known at most; then the oldest is forgotten.
const CONNECTIONS_AT_MOST: usize = 4096;

/// Who stands at the two sides, and how to show it.
pub(crate) struct Party {
    /// What frames begin with.
    pub(crate) link: LinkType,
    /// How payload is shown.
    pub(crate) shown: Shown,
    /// Time zero.
    pub(crate) start: Instant,
    /// Whether the states of each side are observed.
    pub(crate) has_states: [bool; 2],
    /// The ports the right side listens on.
    pub(crate) listening: Vec<u16>,
}

/// The two ends of a connection: the left one's address, the right one's.
type Ends = [SocketAddr; 2];

/// See the module.
pub(crate) struct Story {
    party: Party,
    /// Sights not told yet, by time and then by the order they came in.
    waiting: BTreeMap<(Instant, u64), Sight>,
    count: u64,
    conversations: HashMap<Ends, Conversation>,
    order: VecDeque<Ends>,
    causes: Causes,
    /// The number the next connection gets.
    number: u32,
}

/// A frame taken apart as far as a ladder needs it.
enum Content<'a> {
    Segment(Ends, Segment, &'a [u8]),
    Other(String),
}

impl Story {
    /// A story in which nothing has happened yet.
    pub(crate) fn new(party: Party) -> Self {
        Story {
            party,
            waiting: BTreeMap::new(),
            count: 0,
            conversations: HashMap::new(),
            order: VecDeque::new(),
            causes: Causes::default(),
            number: 1,
        }
    }

    /// Takes in what an observer saw.
    pub(crate) fn on_sight(&mut self, sight: Sight) {
        match sight {
            // Told with the segment.
            Sight::Again(again) => self.causes.push(again),
            sight => {
                self.count += 1;
                self.waiting.insert((sight.at(), self.count), sight);
            }
        }
    }

    /// The next rows that can be told at `now`; none when there is nothing to tell yet.
    pub(crate) fn poll_rows(&mut self, now: Instant) -> Option<Vec<Row>> {
        let (key, sight) = self.waiting.first_key_value()?;
        let ready = match sight {
            Sight::Frame(frame) => match frame.outcome {
                Outcome::Arrives { at, .. } => (at + SLACK).min(frame.at + PATIENCE),
                Outcome::Lost(_) => frame.at + SLACK,
            },
            other => other.at() + SLACK,
        };
        if now < ready && self.waiting.len() <= WAITING_AT_MOST {
            return None;
        }
        let key = *key;
        let sight = self.waiting.remove(&key)?;
        let mut rows = Vec::new();
        match sight {
            Sight::Frame(frame) => self.tell_frame(&frame, &mut rows),
            Sight::State(state) => self.tell_state(&state, &mut rows),
            Sight::Recovery(recovery) => self.tell_recovery(&recovery, &mut rows),
            Sight::Again(_) => {}
        }
        Some(rows)
    }

    /// Whether something waits to be told.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn seconds(&self, at: Instant) -> f64 {
        // Whole microseconds: what the ladder shows, and no digits that mean nothing.
        at.since(self.party.start).as_micros() as f64 / 1e6
    }

    fn tell_frame(&mut self, frame: &FrameSight, rows: &mut Vec<Row>) {
        let mut row = FrameRow {
            time: self.seconds(frame.at),
            connection: None,
            from: frame.from,
            length: frame.bytes.len(),
            words: String::new(),
            payload: None,
            first_sent: None,
            again: None,
            fate: self.fate(&frame.outcome),
            left_state: None,
            right_state: None,
        };
        match take_apart(&frame.bytes, self.party.link, frame.from) {
            Content::Other(words) => row.words = words,
            Content::Segment(ends, segment, payload) => {
                if self.conversations.get(&ends).is_some_and(|known| known.is_over_for(frame.from, &segment))
                {
                    self.forget(&ends);
                }
                self.meet(ends, frame.at, rows);
                self.expect_states(&ends, frame.from, &segment);
                let departing = self.state_of(&ends, frame.from);
                if let Outcome::Arrives { at, .. } = frame.outcome {
                    self.apply_arrival(&ends, frame.from, at, &segment);
                }
                let arriving = self.state_of(&ends, frame.from.other());
                (row.left_state, row.right_state) = match frame.from {
                    Side::Left => (departing, arriving),
                    Side::Right => (arriving, departing),
                };
                if let Some(conversation) = self.conversations.get_mut(&ends) {
                    let said = conversation.hear((frame.at, 0), frame.from, &segment, payload);
                    row.connection = Some(conversation.number);
                    row.words = in_words(&segment, &said.numbers);
                    row.payload = said.payload;
                    row.first_sent = said.first_sent.map(|(at, _)| self.seconds(at));
                }
                if row.first_sent.is_some() {
                    let [left, right] = ends;
                    let end = match frame.from {
                        Side::Left => (Side::Left, left, right),
                        Side::Right => (Side::Right, right, left),
                    };
                    row.again = self.causes.take((frame.at, SLACK), end, &segment).map(|cause| cause.name());
                }
                if let Some(size) = frame.segment_size.filter(|size| payload.len() > usize::from(*size)) {
                    let segments = payload.len().div_ceil(usize::from(size.max(1)));
                    row.words.push_str(&format!(" ({segments} segments at once)"));
                }
            }
        }
        rows.push(Row::Frame(row));
    }

    fn fate(&self, outcome: &Outcome) -> FateFields {
        match outcome {
            Outcome::Arrives { at, is_doubled, is_damaged, is_held_back } => FateFields {
                arrives: Some(self.seconds(*at)),
                lost: None,
                duplicated: *is_doubled,
                corrupted: *is_damaged,
                held_back: *is_held_back,
            },
            Outcome::Lost(why) => FateFields { lost: Some(why.clone()), ..FateFields::default() },
        }
    }

    /// Makes the acquaintance of a connection.
    fn meet(&mut self, ends: Ends, at: Instant, rows: &mut Vec<Row>) {
        if self.conversations.contains_key(&ends) {
            return;
        }
        if self.order.len() >= CONNECTIONS_AT_MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.conversations.remove(&oldest);
        }
        let number = self.number;
        self.number = self.number.wrapping_add(1);
        self.conversations.insert(ends, Conversation::new(number, self.party.shown));
        self.order.push_back(ends);
        let [left, right] = ends;
        rows.push(Row::Connection(ConnectionRow { time: self.seconds(at), connection: number, left, right }));
    }

    fn forget(&mut self, ends: &Ends) {
        self.conversations.remove(ends);
        self.order.retain(|known| known != ends);
    }

    /// A sender does something else about losses.
    fn tell_recovery(&mut self, sight: &RecoverySight, rows: &mut Vec<Row>) {
        let ends = in_order(sight.side, sight.local, sight.remote);
        self.meet(ends, sight.at, rows);
        if let Some(conversation) = self.conversations.get(&ends) {
            rows.push(Row::Recovery(sight.row(self.seconds(sight.at), conversation.number)));
        }
    }

    /// The states that a connection has before anybody tells of one.
    fn expect_states(&mut self, ends: &Ends, from: Side, segment: &Segment) {
        let is_first_word = segment.flags.contains(Flags::SYN) && !segment.flags.contains(Flags::ACK);
        let Some(conversation) = self.conversations.get_mut(ends) else { return };
        let is_listening = self.party.listening.contains(&ends[1].port());
        for side in [Side::Left, Side::Right] {
            if *side.of(&self.party.has_states) {
                let listens = is_first_word && side == Side::Right && from == Side::Left && is_listening;
                let expected = if listens { "LISTEN" } else { "CLOSED" };
                side.of_mut(&mut conversation.states).get_or_insert_with(|| expected.to_owned());
            }
        }
    }

    fn state_of(&self, ends: &Ends, side: Side) -> Option<String> {
        self.conversations.get(ends).and_then(|conversation| side.of(&conversation.states).clone())
    }

    /// Takes those changes of state out of what waits that the segment arriving now brings about.
    ///
    /// Times alone do not tell which these are: a host takes several frames at once and stamps all that follows with one
    /// time, a little before the arrival of the later ones or a little after. So each change has to continue from the
    /// state the connection is in, and has to be one that such a segment can cause.
    fn apply_arrival(&mut self, ends: &Ends, from: Side, arrival: Instant, segment: &Segment) {
        let side = from.other();
        let early = Instant::from_nanos(arrival.as_nanos().saturating_sub(BATCH.as_nanos() as u64));
        let Some(conversation) = self.conversations.get_mut(ends) else { return };
        let acknowledges_all = conversation.is_all_acknowledged_by(from, segment);
        let current = side.of_mut(&mut conversation.states);
        let changes = self.waiting.range((early, 0)..=(arrival + SLACK, u64::MAX));
        let changes = changes.filter_map(|(key, sight)| match sight {
            Sight::State(state) if state.side == side && ends_of(state) == *ends => Some((*key, state)),
            _ => None,
        });
        let mut caused = Vec::new();
        for (key, change) in changes {
            let continues = current.as_ref().is_none_or(|current| *current == change.before);
            if !(continues
                && change.by_segment
                && may_cause(segment, (&change.before, &change.state), acknowledges_all))
            {
                break;
            }
            *current = Some(change.state.clone());
            caused.push(key);
        }
        for key in caused {
            self.waiting.remove(&key);
        }
    }

    /// When and what arrives at `side` by this sight, if it is a segment of the connection.
    fn arrival_at(&self, sight: &Sight, ends: &Ends, side: Side) -> Option<(Instant, Segment)> {
        let Sight::Frame(FrameSight { from, bytes, outcome: Outcome::Arrives { at, .. }, .. }) = sight else {
            return None;
        };
        match take_apart(bytes, self.party.link, *from) {
            Content::Segment(others, segment, _) if others == *ends && *from == side.other() => {
                Some((*at, segment))
            }
            _ => None,
        }
    }

    /// A change of state that no arriving segment has taken along.
    fn tell_state(&mut self, sight: &StateSight, rows: &mut Vec<Row>) {
        let ends = ends_of(sight);
        if sight.by_segment {
            let cause = self.waiting.values().take(LOOK_AHEAD).find_map(|later| {
                let (at, segment) = self.arrival_at(later, &ends, sight.side)?;
                (at.since(sight.at) <= BATCH && may_cause(&segment, (&sight.before, &sight.state), true))
                    .then_some(at)
            });
            // Stamped a little too early: it is told with the frame that brought it about.
            if let Some(at) = cause {
                self.on_sight(Sight::State(StateSight { at: at.max(sight.at), ..sight.clone() }));
                return;
            }
        }
        self.meet(ends, sight.at, rows);
        let time = self.seconds(sight.at);
        let Some(conversation) = self.conversations.get_mut(&ends) else { return };
        *sight.side.of_mut(&mut conversation.states) = Some(sight.state.clone());
        let connection = conversation.number;
        // The segment that it makes this end send will have it beside it.
        let link = self.party.link;
        let is_told_soon = self.waiting.range(..=(sight.at + SLACK, u64::MAX)).take(LOOK_AHEAD).any(|(_, later)| match later {
            Sight::Frame(frame) if frame.from == sight.side => {
                matches!(take_apart(&frame.bytes, link, frame.from), Content::Segment(others, ..) if others == ends)
            }
            _ => false,
        });
        if !is_told_soon {
            let StateSight { side, state, cause, .. } = sight.clone();
            rows.push(Row::State(StateRow { time, connection, side, state, cause }));
        }
    }
}

fn ends_of(state: &StateSight) -> Ends {
    in_order(state.side, state.local, state.remote)
}

/// The ends of a connection that the host at `side` tells of.
fn in_order(side: Side, local: SocketAddr, remote: SocketAddr) -> Ends {
    match side {
        Side::Left => [local, remote],
        Side::Right => [remote, local],
    }
}

/// Finds the segment in a frame, or words for what else it is.
fn take_apart(frame: &[u8], link: LinkType, from: Side) -> Content<'_> {
    match Speech::in_frame(frame, link) {
        Some(Speech { source, destination, segment, data }) => {
            Content::Segment(in_order(from, source, destination), segment, data)
        }
        None => Content::Other(words_for(frame, link)),
    }
}
