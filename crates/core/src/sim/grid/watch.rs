//! Who watches the cable: what every byte went through, told from the frames alone.
//!
//! It sees what neither end knows: which frame was lost. So the same numbers can be had of any stack, whoever wrote it.

use std::collections::{HashMap, VecDeque};

use super::ranges::Ranges;
use crate::lan::{Direction, Fate};
use crate::time::{Duration, Instant};
use crate::wire::ethernet::{EtherType, Ethernet};
use crate::wire::ipv4::Ipv4Header;
use crate::wire::tcp::{Flags, Segment, SeqNumber};
use crate::wire::{ChecksumCheck, Protocol};

/// What was counted at the cable, of all flows together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Segments with data, SYN or FIN that the sender put on the cable.
    pub segments: u64,
    /// Those of them that it had sent before, and of which every earlier copy was lost.
    pub needed: u64,
    /// Those of them that it had sent before, and of which an earlier copy arrived or was still to arrive.
    pub spurious: u64,
    /// Frames of data that the path lost by chance.
    pub lost: u64,
    /// Frames of data for which the queue was full.
    pub queue_full: u64,
    /// Retransmission time-outs, where the sender tells of them.
    pub timeouts: u64,
    /// Those of them that expired although the awaited bytes were there or on their way, and so was an acknowledgement.
    pub spurious_timeouts: u64,
}

/// Something worth a line in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// When.
    pub at: Instant,
    /// The port of the sender.
    pub port: u16,
    /// Where in the stream: 0 is the SYN, 1 the first byte.
    pub place: u64,
    /// What.
    pub kind: IncidentKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// A segment was lost on the path.
    Lost,
    /// A segment found the queue full.
    QueueFull,
    /// A segment was sent again, which was needed.
    Needed,
    /// A segment was sent again for nothing.
    Spurious,
    /// The retransmission timer expired.
    Timeout,
}

/// One flow of data, from the end [`Direction::Up`] begins at.
#[derive(Debug)]
struct Flow {
    /// The place of `nxt` in the stream, and its sequence number.
    nxt: u64,
    nxt_seq: SeqNumber,
    /// What has arrived or will.
    coming: Ranges,
    /// What has arrived.
    arrived: Ranges,
    /// What was sent the first time: where it ends, and when. Without what has arrived in order.
    first_sent: VecDeque<(u64, Instant)>,
    /// The highest place that an acknowledgement reports which was not lost.
    acked: u64,
    opened_at: Instant,
    finished_at: Option<Instant>,
}

/// Watches the segments of all flows on a cable.
#[derive(Debug, Default)]
pub struct Watch {
    flows: HashMap<(u16, u16), Flow>,
    /// When the first segment of a flow was seen that the other end opens.
    asked: HashMap<(u16, u16), Instant>,
    counts: Counts,
    /// From the first sending of a segment until it had arrived in order, in microseconds.
    delays: Vec<u32>,
    /// Bytes of each flow after which it is finished.
    goal: Option<u64>,
    incidents: Option<Vec<Incident>>,
}

impl Watch {
    /// How many incidents are kept at most.
    pub const INCIDENT_LIMIT: usize = 1 << 20;

    /// Watches flows of `goal` bytes each, or without end.
    pub fn new(goal: Option<u64>) -> Watch {
        Watch { goal, ..Watch::default() }
    }

    /// Keeps [`Incident`]s from now on.
    pub fn keep_incidents(&mut self) {
        self.incidents.get_or_insert_default();
    }

    /// The incidents kept so far, in their order.
    pub fn incidents(&self) -> &[Incident] {
        self.incidents.as_deref().unwrap_or_default()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that have arrived in order, by the port of the sender.
    pub fn delivered(&self) -> impl Iterator<Item = (u16, u64)> {
        self.flows.iter().map(|((port, _), flow)| (*port, flow.arrived.gap().saturating_sub(1)))
    }

    /// How long the flows took that have reached their goal, from their first segment on, by the port of the sender.
    pub fn finished(&self) -> impl Iterator<Item = (u16, Duration)> {
        self.flows.iter().filter_map(|((port, _), flow)| Some((*port, flow.finished_at? - flow.opened_at)))
    }

    /// The delay that this share of the segments does not exceed, from their first sending until they had arrived in order;
    /// none where none arrived.
    pub fn delay_quantile(&self, share: f64) -> Option<Duration> {
        let mut delays = self.delays.clone();
        let place = ((delays.len() as f64 * share).ceil() as usize).clamp(1, delays.len().max(1)) - 1;
        (place < delays.len()).then(|| {
            let (_, delay, _) = delays.select_nth_unstable(place);
            Duration::from_micros(u64::from(*delay))
        })
    }

    /// The TCP segment in an Ethernet frame, if there is one over IPv4, unfragmented.
    pub fn segment_of(frame: &[u8]) -> Option<Segment> {
        let (ethernet, packet) = Ethernet::parse(frame).ok()?;
        if ethernet.ethertype != EtherType::Ipv4 {
            return None;
        }
        let (header, payload) = Ipv4Header::parse(packet).ok()?;
        if header.protocol != Protocol::Tcp || header.is_fragment() {
            return None;
        }
        Segment::parse(payload, &header.pseudo(), ChecksumCheck::Trust).ok().map(|(segment, _)| segment)
    }

    /// A segment was put on the cable.
    pub fn on_sent(&mut self, now: Instant, direction: Direction, segment: &Segment, fate: &Fate) {
        match direction {
            Direction::Up => self.on_data(now, segment, fate),
            Direction::Down => self.on_ack(now, segment, fate),
        }
    }

    /// The sender's retransmission timer expired while it waited for `una` to be acknowledged.
    pub fn on_timeout(&mut self, now: Instant, port: u16, una: SeqNumber) {
        self.counts.timeouts += 1;
        let flow = self.flows.iter().find(|((sender, _), _)| *sender == port);
        let Some((_, flow)) = flow else { return };
        let place = flow.place(una);
        let is_there = flow.arrived.covers(place, place + 1);
        if flow.coming.covers(place, place + 1) && (!is_there || flow.acked > place) {
            self.counts.spurious_timeouts += 1;
        }
        self.note(now, port, place, IncidentKind::Timeout);
    }

    fn on_data(&mut self, now: Instant, segment: &Segment, fate: &Fate) {
        let key = (segment.source_port, segment.destination_port);
        let length = u64::from(segment.sequence_length());
        if length == 0 {
            return;
        }
        if segment.flags.contains(Flags::SYN) && !self.flows.contains_key(&key) {
            let opened_at = self.asked.remove(&key).unwrap_or(now);
            self.flows.insert(key, Flow::new(segment.seq, opened_at));
        }
        let Some(flow) = self.flows.get_mut(&key) else { return };
        let start = flow.place(segment.seq);
        let end = start + length;
        let is_lost = fate.loss().is_some();
        self.counts.segments += 1;
        let mut kind = None;
        if end > flow.nxt {
            flow.first_sent.push_back((end, now));
            flow.nxt_seq += (end - flow.nxt) as u32;
            flow.nxt = end;
        } else if flow.coming.covers(start, end) {
            self.counts.spurious += 1;
            kind = Some(IncidentKind::Spurious);
        } else {
            self.counts.needed += 1;
            kind = Some(IncidentKind::Needed);
        }
        if !is_lost {
            flow.coming.insert(start, end);
        }
        if let Some(kind) = kind {
            self.note(now, key.0, start, kind);
        }
        match fate.loss() {
            Some(crate::lan::Loss::QueueFull) => {
                self.counts.queue_full += 1;
                self.note(now, key.0, start, IncidentKind::QueueFull);
            }
            Some(_) => {
                self.counts.lost += 1;
                self.note(now, key.0, start, IncidentKind::Lost);
            }
            None => {}
        }
    }

    fn on_ack(&mut self, now: Instant, segment: &Segment, fate: &Fate) {
        let key = (segment.destination_port, segment.source_port);
        match self.flows.get_mut(&key) {
            Some(flow) => {
                if fate.loss().is_none() && segment.flags.contains(Flags::ACK) {
                    flow.acked = flow.acked.max(flow.place(segment.ack));
                }
            }
            None => {
                self.asked.entry(key).or_insert(now);
            }
        }
    }

    /// A frame came out of the cable.
    pub fn on_arrived(&mut self, now: Instant, direction: Direction, frame: &[u8]) {
        if direction == Direction::Down {
            return;
        }
        if let Some(segment) = Watch::segment_of(frame) {
            self.on_segment_arrived(now, &segment);
        }
    }

    fn on_segment_arrived(&mut self, now: Instant, segment: &Segment) {
        let length = u64::from(segment.sequence_length());
        let Some(flow) = self.flows.get_mut(&(segment.source_port, segment.destination_port)) else { return };
        if length == 0 {
            return;
        }
        let start = flow.place(segment.seq);
        flow.arrived.insert(start, start + length);
        let gap = flow.arrived.gap();
        while let Some(&(end, sent_at)) = flow.first_sent.front()
            && end <= gap
        {
            flow.first_sent.pop_front();
            self.delays.push(u32::try_from((now - sent_at).as_micros()).unwrap_or(u32::MAX));
        }
        if self.goal.is_some_and(|goal| gap > goal) && flow.finished_at.is_none() {
            flow.finished_at = Some(now);
        }
    }

    fn note(&mut self, at: Instant, port: u16, place: u64, kind: IncidentKind) {
        if let Some(incidents) = &mut self.incidents
            && incidents.len() < Watch::INCIDENT_LIMIT
        {
            incidents.push(Incident { at, port, place, kind });
        }
    }
}

impl Flow {
    fn new(iss: SeqNumber, opened_at: Instant) -> Flow {
        Flow {
            nxt: 0,
            nxt_seq: iss,
            coming: Ranges::default(),
            arrived: Ranges::default(),
            first_sent: VecDeque::new(),
            acked: 0,
            opened_at,
            finished_at: None,
        }
    }

    /// The place of a sequence number in the stream: 0 is the SYN.
    fn place(&self, seq: SeqNumber) -> u64 {
        self.nxt.saturating_add_signed(i64::from(seq.distance(self.nxt_seq)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lan::{Cable, Duplex, Loss};
    use crate::wire::tcp::Options;

    fn segment(seq: u32, length: u32, flags: Flags) -> Segment {
        Segment {
            source_port: 40_000,
            destination_port: 9,
            seq: SeqNumber(u32::MAX.wrapping_add(seq)),
            ack: SeqNumber(0),
            flags,
            window: 0,
            urgent: 0,
            options: Options::default(),
            length,
        }
    }

    /// What becomes of a frame on a perfect cable.
    fn arrives(at: Instant) -> Fate {
        Cable::new(Duplex::default(), 1).push(at, Direction::Up, vec![0; 14])
    }

    /// The ISS is the largest number there is: the stream wraps at its first byte.
    struct Story(Watch);

    impl Story {
        fn sends(&mut self, millis: u64, seq: u32, length: u32, loss: Option<Loss>) {
            let at = Instant::from_millis(millis);
            let fate = loss.map_or_else(|| arrives(at), Fate::Lost);
            let flags = if seq == 0 { Flags::SYN } else { Flags::ACK };
            self.0.on_sent(at, Direction::Up, &segment(seq, length, flags), &fate);
        }

        fn arrives(&mut self, millis: u64, seq: u32, length: u32) {
            let flags = if seq == 0 { Flags::SYN } else { Flags::ACK };
            self.0.on_segment_arrived(Instant::from_millis(millis), &segment(seq, length, flags));
        }

        fn acknowledges(&mut self, ack: u32, loss: Option<Loss>) {
            let at = Instant::ZERO;
            let fate = loss.map_or_else(|| arrives(at), Fate::Lost);
            let ack = Segment {
                source_port: 9,
                destination_port: 40_000,
                ack: SeqNumber(u32::MAX.wrapping_add(ack)),
                ..segment(0, 0, Flags::ACK)
            };
            self.0.on_sent(at, Direction::Down, &ack, &fate);
        }

        /// Needed, spurious, lost, queue full.
        fn counts(&self) -> [u64; 4] {
            let counts = self.0.counts();
            [counts.needed, counts.spurious, counts.lost, counts.queue_full]
        }

        fn spurious_timeout_at(&mut self, una: u32) -> bool {
            let before = self.0.counts().spurious_timeouts;
            self.0.on_timeout(Instant::from_millis(99), 40_000, SeqNumber(u32::MAX.wrapping_add(una)));
            self.0.counts().spurious_timeouts > before
        }
    }

    #[test]
    fn what_was_lost_is_needed_and_what_was_not_is_spurious() {
        let mut story = Story(Watch::new(Some(200)));
        story.sends(0, 0, 0, None);
        story.arrives(1, 0, 0);
        story.sends(2, 1, 100, Some(Loss::Chance));
        story.sends(2, 101, 100, None);
        story.arrives(3, 101, 100);
        assert_eq!(story.counts(), [0, 0, 1, 0]);
        story.sends(5, 1, 100, Some(Loss::QueueFull));
        assert_eq!(story.counts(), [1, 0, 1, 1]);
        story.sends(6, 1, 100, None);
        assert_eq!(story.counts(), [2, 0, 1, 1]);
        // It is on its way already; and part of it has arrived.
        story.sends(7, 1, 100, None);
        story.sends(7, 51, 100, None);
        assert_eq!(story.counts(), [2, 2, 1, 1]);
        assert_eq!(story.0.finished().count(), 0);
        story.arrives(9, 1, 100);
        assert_eq!(story.0.delivered().next(), Some((40_000, 200)));
        assert_eq!(story.0.finished().next(), Some((40_000, Duration::from_millis(9))));
        // The SYN took 1 ms, and both segments 7: the second waited for the first.
        let quantiles = [0.3, 0.6, 1.0].map(|share| story.0.delay_quantile(share).unwrap().as_millis());
        assert_eq!(quantiles, [1, 7, 7]);
    }

    #[test]
    fn a_timeout_is_spurious_where_the_answer_is_on_its_way() {
        let mut story = Story(Watch::new(None));
        story.sends(0, 0, 0, Some(Loss::Chance));
        assert!(!story.spurious_timeout_at(0), "the SYN was lost");
        story.sends(1, 0, 0, None);
        assert!(story.spurious_timeout_at(0), "the SYN is on its way");
        story.arrives(2, 0, 0);
        story.acknowledges(1, Some(Loss::Chance));
        assert!(!story.spurious_timeout_at(0), "no acknowledgement will come");
        story.acknowledges(1, None);
        assert!(story.spurious_timeout_at(0), "one will");
        assert_eq!(story.0.counts().timeouts, 4);
    }
}
