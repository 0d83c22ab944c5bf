//! Plots of a connection: what was sent when, how much was allowed, how long it took, how much of it came.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::tcp::Flags;

use super::boundary::sort;
use super::connection::{Connection, SampleAt, SegmentAt};

/// Points of a series that an answer has at most.
pub(super) const POINTS: usize = 20_000;
/// Stretches of time that throughput is counted in.
const BINS: usize = 200;
/// A threshold from here on is none: there was no loss yet.
const UNSET: usize = i32::MAX as usize;

/// What is wanted of which connection.
pub(super) struct Wanted<'a> {
    pub(super) connection: &'a Connection,
    /// Of what this end sends.
    pub(super) direction: usize,
    /// The stretch of time.
    pub(super) span: (Instant, Instant),
    /// Points of each series, about.
    pub(super) points: usize,
    /// Time zero.
    pub(super) start: Instant,
}

/// Points in the order of time.
type Points = Vec<(Instant, f64)>;

/// So many points at most, with every peak and every valley: of each group the first, the lowest, the highest and the last.
fn thinned(points: Points, most: usize) -> Points {
    if points.len() <= most.max(4) {
        return points;
    }
    let size = points.len().div_ceil((most / 4).max(1));
    let mut kept = Vec::new();
    for group in points.chunks(size) {
        let by_value = |a: &&(Instant, f64), b: &&(Instant, f64)| a.1.total_cmp(&b.1);
        let corners =
            [group.first(), group.iter().min_by(by_value), group.iter().max_by(by_value), group.last()];
        let mut corners: Points = corners.into_iter().flatten().copied().collect();
        corners.sort_by_key(|corner| corner.0);
        corners.dedup();
        kept.extend(corners);
    }
    kept
}

impl Wanted<'_> {
    /// The plot of a name; none where there is no such plot.
    pub(super) fn plot(&self, name: &str) -> Option<Value> {
        Some(match name {
            "sequence" => self.sequence(),
            "window" => self.window(),
            "rtt" => self.rtt(),
            "throughput" => self.throughput(),
            "queues" => self.queues(),
            _ => return None,
        })
    }

    fn holds(&self, at: Instant) -> bool {
        self.span.0 <= at && at <= self.span.1
    }

    fn seconds(&self, at: Instant) -> f64 {
        at.since(self.start).as_nanos() as f64 / 1e9
    }

    fn segments(&self, direction: usize) -> impl Iterator<Item = &SegmentAt> {
        self.connection.segments.iter().filter(move |segment| segment.direction == direction)
    }

    /// Segments of data in this direction, with the bytes they hold.
    fn data(&self) -> impl Iterator<Item = (&SegmentAt, u64, u64)> {
        let mut bytes = self.connection.sequenced(self.direction);
        let segments = self.segments(self.direction);
        segments.filter(|segment| segment.length > 0 && !segment.is_keepalive).map(move |segment| {
            let begin = bytes.byte(segment.seq.wrapping_add(segment.flags.contains(Flags::SYN).into()));
            (segment, begin, begin + u64::from(segment.length))
        })
    }

    /// Acknowledgements of it that arrived, with when and up to which byte, in the order of their arrival.
    fn acknowledgements(&self) -> Vec<(&SegmentAt, Instant, u64)> {
        let mut bytes = self.connection.acknowledged(1 - self.direction);
        let segments =
            self.segments(1 - self.direction).filter(|segment| !segment.flags.contains(Flags::RST));
        let arrived = segments.filter_map(|segment| {
            let acknowledged = bytes.byte(segment.ack?);
            Some((segment, segment.arrives?, acknowledged))
        });
        let mut arrived: Vec<_> = arrived.collect();
        arrived.sort_by_key(|(_, at, _)| *at);
        arrived
    }

    fn series(&self, name: &str, unit: &str, points: Points) -> Value {
        let points = thinned(points, self.points.min(POINTS));
        let points: Vec<Value> = points.iter().map(|(at, value)| json!([self.seconds(*at), value])).collect();
        json!({ "name": name, "unit": unit, "points": points })
    }

    fn answer(&self, series: Vec<Value>) -> Map<String, Value> {
        let mut answer = Map::new();
        answer.insert("from".to_owned(), self.seconds(self.span.0).into());
        answer.insert("to".to_owned(), self.seconds(self.span.1).into());
        // What nobody knows has no points, and is left away: the windows of a host that is not ours.
        let is_known = |series: &Value| series["points"].as_array().is_some_and(|points| !points.is_empty());
        answer.insert("series".to_owned(), series.into_iter().filter(is_known).collect());
        answer
    }

    /// Time-sequence: segments, and what the other end says of them.
    fn sequence(&self) -> Value {
        let told: Vec<_> = self.data().filter(|(segment, ..)| self.holds(segment.at)).collect();
        // What was lost or sent again is what one looks for: it stays.
        let step = told.len().div_ceil(self.points.max(1)).max(1);
        let shown = told.iter().enumerate().filter(|(place, it)| place % step == 0 || sort(it.0) != "new");
        let shown = shown
            .map(|(_, (segment, begin, end))| json!([self.seconds(segment.at), begin, end, sort(segment)]));
        let shown: Vec<Value> = shown.take(POINTS).collect();
        let (mut acks, mut windows, mut sacks) = (Points::new(), Points::new(), Vec::new());
        for (segment, at, acknowledged) in self.acknowledgements() {
            if !self.holds(at) {
                continue;
            }
            acks.push((at, acknowledged as f64));
            windows.push((at, (acknowledged + u64::from(segment.window)) as f64));
            let ack = segment.ack.unwrap_or_default();
            for (left, right) in &segment.sack {
                let byte =
                    |seq: u32| acknowledged.saturating_add_signed(seq.wrapping_sub(ack).cast_signed().into());
                sacks.push((at, byte(*left), byte(*right)));
            }
        }
        let step = sacks.len().div_ceil(self.points.clamp(1, POINTS)).max(1);
        let sacks: Vec<Value> = sacks
            .iter()
            .step_by(step)
            .map(|(at, left, right)| json!([self.seconds(*at), left, right]))
            .collect();
        let mut answer =
            self.answer(vec![self.series("ack", "bytes", acks), self.series("window", "bytes", windows)]);
        answer.insert("segments".to_owned(), shown.into());
        answer.insert("sacks".to_owned(), sacks.into());
        answer.into()
    }

    /// What the host itself knows of an end, at the moments at which it was asked.
    fn sampled(&self, end: usize, value: impl Fn(&SampleAt) -> Option<f64>) -> Points {
        let samples = self.connection.samples.get(end).into_iter().flatten();
        let samples = samples.filter(|sample| self.holds(sample.at));
        samples.filter_map(|sample| Some((sample.at, value(sample)?))).collect()
    }

    /// Congestion window, threshold, bytes in flight, and the peer's window.
    fn window(&self) -> Value {
        let end = self.direction;
        let (in_flight, peer_window) = self.in_flight();
        let ssthresh =
            |sample: &SampleAt| Some(sample.tcp.ssthresh as f64).filter(|_| sample.tcp.ssthresh < UNSET);
        let series = vec![
            self.series("cwnd", "bytes", self.sampled(end, |sample| Some(sample.tcp.cwnd as f64))),
            self.series("ssthresh", "bytes", self.sampled(end, ssthresh)),
            self.series("in_flight", "bytes", in_flight),
            self.series("peer_window", "bytes", peer_window),
        ];
        self.answer(series).into()
    }

    /// What was sent and not acknowledged, as the frames show it, and the window that the peer offered.
    fn in_flight(&self) -> (Points, Points) {
        // Up to which byte was sent, or acknowledged.
        let sent = self.data().map(|(segment, _, end)| (segment.at, Some(end), None));
        let acknowledged = self
            .acknowledgements()
            .into_iter()
            .map(|(segment, at, ack)| (at, None, Some((ack, segment.window))));
        let mut moves: Vec<_> = sent.chain(acknowledged).collect();
        moves.sort_by_key(|(at, ..)| *at);
        let (mut highest, mut lowest) = (0_u64, 0_u64);
        let (mut flying, mut windows) = (Points::new(), Points::new());
        for (at, end, acknowledged) in moves {
            highest = highest.max(end.unwrap_or_default());
            if let Some((ack, window)) = acknowledged {
                lowest = lowest.max(ack);
                if self.holds(at) {
                    windows.push((at, window.into()));
                }
            }
            if self.holds(at) {
                flying.push((at, highest.saturating_sub(lowest) as f64));
            }
        }
        (flying, windows)
    }

    /// Round-trip times and the retransmission time-out, as the sender knows them; and what the frames themselves show.
    fn rtt(&self) -> Value {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let end = self.direction;
        let series = vec![
            self.series("rtt", "ms", self.measured()),
            self.series("srtt", "ms", self.sampled(end, |sample| sample.tcp.rtt.map(millis))),
            self.series("rto", "ms", self.sampled(end, |sample| Some(millis(sample.tcp.rto)))),
        ];
        self.answer(series).into()
    }

    /// From a segment to the first acknowledgement of its end; of those that were sent once only (Karn's rule, RFC 6298 section 3).
    fn measured(&self) -> Points {
        let mut open: BTreeMap<u64, Option<Instant>> = BTreeMap::new();
        let mut acknowledgements = self.acknowledgements().into_iter().peekable();
        let mut points = Points::new();
        let mut answer = |open: &mut BTreeMap<u64, Option<Instant>>, at: Instant, ack: u64| {
            let rest = open.split_off(&(ack + 1));
            // The last of them is the one that the acknowledgement answers.
            if let Some((_, Some(sent))) = core::mem::replace(open, rest).last_key_value()
                && self.holds(at)
            {
                points.push((at, at.since(*sent).as_secs_f64() * 1000.0));
            }
        };
        for (segment, _, end) in self.data() {
            while let Some((_, at, ack)) = acknowledgements.next_if(|(_, at, _)| *at <= segment.at) {
                answer(&mut open, at, ack);
            }
            let at = Some(segment.at).filter(|_| !segment.is_again);
            open.entry(end).and_modify(|known| *known = None).or_insert(at);
        }
        for (_, at, ack) in acknowledgements {
            answer(&mut open, at, ack);
        }
        points
    }

    /// Bytes a second that were sent, and that arrived for the first time.
    fn throughput(&self) -> Value {
        let (from, to) = self.span;
        let bins = BINS.min(self.points.max(1));
        let width = (to.since(from) / bins as u32).max(Duration::from_millis(1));
        let mut counted = vec![(0.0, 0.0); bins];
        let place = |at: Instant| (at.since(from).as_nanos() / width.as_nanos().max(1)) as usize;
        let mut arrived = Covered::default();
        let mut data: Vec<_> = self.data().collect();
        for (segment, begin, end) in &data {
            if self.holds(segment.at)
                && let Some((sent, _)) = counted.get_mut(place(segment.at))
            {
                *sent += (end - begin) as f64;
            }
        }
        data.retain(|(segment, ..)| segment.arrives.is_some());
        data.sort_by_key(|(segment, ..)| segment.arrives);
        for (segment, begin, end) in data {
            let new = arrived.add(begin, end);
            if let Some(at) = segment.arrives.filter(|at| self.holds(*at))
                && let Some((_, came)) = counted.get_mut(place(at))
            {
                *came += new as f64;
            }
        }
        let points = |pick: fn(&(f64, f64)) -> f64| -> Points {
            let at = |place: usize| from + width * place as u32;
            counted.iter().enumerate().map(|(n, it)| (at(n), pick(it) / width.as_secs_f64())).collect()
        };
        let series = vec![
            self.series("throughput", "bytes/s", points(|it| it.0)),
            self.series("goodput", "bytes/s", points(|it| it.1)),
        ];
        self.answer(series).into()
    }

    /// What waits at the sender, at the receiver, and on the cables between them.
    fn queues(&self) -> Value {
        let (here, there) = (self.direction, 1 - self.direction);
        let queue = |end: usize, value: fn(&SampleAt) -> usize| {
            self.sampled(end, |sample| Some(value(sample) as f64))
        };
        let series = vec![
            self.series("send_queue", "bytes", queue(here, |it| it.send_queue)),
            self.series("receive_queue", "bytes", queue(there, |it| it.receive_queue)),
            self.series("out_of_order", "bytes", queue(there, |it| it.tcp.out_of_order)),
            self.series("on_the_way", "bytes", self.on_the_way()),
        ];
        self.answer(series).into()
    }

    /// Bytes of data that have left one host and not yet come to the other: they wait for the cables, or travel.
    fn on_the_way(&self) -> Points {
        let travels =
            self.data().filter_map(|(segment, begin, end)| Some((segment.at, segment.arrives?, end - begin)));
        let mut steps: Vec<(Instant, f64)> =
            travels.flat_map(|(left, came, bytes)| [(left, bytes as f64), (came, -(bytes as f64))]).collect();
        steps.sort_by_key(|(at, _)| *at);
        let mut sum = 0.0;
        let summed = steps.into_iter().map(|(at, step)| {
            sum += step;
            (at, sum)
        });
        summed.filter(|(at, _)| self.holds(*at)).collect()
    }
}

/// Stretches of bytes that have been seen.
#[derive(Debug, Default)]
struct Covered {
    /// By where each begins, where it ends; none touches another.
    stretches: BTreeMap<u64, u64>,
}

impl Covered {
    /// Adds a stretch; says how many of its bytes are new.
    fn add(&mut self, begin: u64, end: u64) -> u64 {
        let mut new = end.saturating_sub(begin);
        let (mut from, mut to) = (begin, end);
        let touching: Vec<(u64, u64)> = self
            .stretches
            .range(..=end)
            .rev()
            .take_while(|(_, until)| **until >= begin)
            .map(|(at, until)| (*at, *until))
            .collect();
        for (known, until) in touching {
            self.stretches.remove(&known);
            new -= until.min(end).saturating_sub(known.max(begin));
            (from, to) = (from.min(known), to.max(until));
        }
        self.stretches.insert(from, to);
        new
    }
}

#[cfg(test)]
mod tests;
