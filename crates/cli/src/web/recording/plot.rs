//! Plots of a connection: what was sent when, how much was allowed, how long it took, how much of it came.

use serde_json::{Map, Value, json};
use sockeye_core::time::{Duration, Instant};
use sockeye_core::wire::tcp::Flags;

use super::boundary::{Unwrapped, segments};
use super::connection::Connection;
use super::reel::Reel;
use super::row::{Event, FrameRow};
use super::sight::Sample;
use super::told;
use crate::ladder::speech::Speech;

/// Points of a series that an answer has at most.
pub(super) const POINTS: usize = 20_000;
/// Bins that throughput is counted in.
const BINS: usize = 200;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// 0: what the first end sends.
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

impl Wanted {
    fn holds(&self, at: Instant) -> bool {
        self.span.0 <= at && at <= self.span.1
    }

    fn series(&self, name: &str, unit: &str, points: Points) -> Value {
        let points = decimated(points, self.points);
        let points = points.iter().map(|(at, value)| json!([told::seconds(*at, self.start), value]));
        json!({ "name": name, "unit": unit, "points": points.collect::<Vec<_>>() })
    }

    fn answer(&self, series: Vec<Value>, more: Map<String, Value>) -> Value {
        let mut answer = more;
        answer.insert("from".to_owned(), json!(told::seconds(self.span.0, self.start)));
        answer.insert("to".to_owned(), json!(told::seconds(self.span.1, self.start)));
        answer.insert("series".to_owned(), series.into());
        Value::Object(answer)
    }
}

/// So many points at most, with every peak and every valley: of each group the first, the lowest, the highest and the last.
fn decimated(points: Points, most: usize) -> Points {
    if points.len() <= most.max(4) {
        return points;
    }
    let size = points.len().div_ceil((most / 4).max(1));
    let mut kept = Vec::new();
    for group in points.chunks(size) {
        let by_value = |a: &&(Instant, f64), b: &&(Instant, f64)| a.1.total_cmp(&b.1);
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (low, high) = (group.iter().min_by(by_value), group.iter().max_by(by_value));
        let mut corners: Vec<(Instant, f64)> =
            [Some(first), low, high, Some(last)].into_iter().flatten().copied().collect();
        corners.sort_by_key(|corner| corner.0);
        corners.dedup();
        kept.extend(corners);
    }
    kept
}

/// Time-sequence: segments, and what the other end says of them.
pub(super) fn sequence(reel: &Reel, connection: &Connection, wanted: &Wanted) -> Value {
    let (number, direction) = (connection.number, wanted.direction);
    let seconds = |at| told::seconds(at, wanted.start);
    let mut bytes = Unwrapped::default();
    let mut told = Vec::new();
    for (at, frame, tcp) in segments(reel, number, direction) {
        if tcp.length == 0 && !tcp.flags.intersects(Flags::SYN | Flags::FIN) || tcp.numbers.is_keepalive {
            continue;
        }
        let begin = bytes.byte(tcp.numbers.seq);
        let end = begin + u64::from(tcp.length.max(1));
        if !wanted.holds(at) {
            continue;
        }
        let what = match (frame.loss(), tcp.first) {
            (Some(_), _) => "lost",
            (None, Some(_)) => "again",
            (None, None) => "new",
        };
        told.push((at, begin, end, what));
    }
    let is_cut = told.len() > POINTS;
    // What was lost or sent again is what one looks for: it stays.
    let step = told.len().div_ceil(wanted.points.max(1)).max(1);
    let shown = told.iter().enumerate().filter(|(place, it)| place % step == 0 || it.3 != "new");
    let shown = shown.map(|(_, (at, begin, end, what))| json!([seconds(*at), begin, end, what]));
    let shown: Vec<Value> = shown.take(POINTS).collect();

    let mut bytes = Unwrapped::default();
    let (mut acks, mut windows, mut sacks) = (Points::new(), Points::new(), Vec::new());
    for (at, frame, tcp) in segments(reel, number, 1 - direction) {
        let Some(at) = frame.arrives().or(frame.loss().is_none().then_some(at)) else { continue };
        if !tcp.flags.contains(Flags::ACK) || tcp.flags.contains(Flags::RST) {
            continue;
        }
        let acknowledged = bytes.byte(tcp.numbers.ack);
        if !wanted.holds(at) {
            continue;
        }
        acks.push((at, acknowledged as f64));
        windows.push((at, (acknowledged + u64::from(tcp.numbers.window)) as f64));
        if sacks.len() < wanted.points.min(POINTS) {
            sacks.extend(
                sacked(frame, tcp.numbers.ack, acknowledged).map(|(from, to)| json!([seconds(at), from, to])),
            );
        }
    }
    acks.sort_by_key(|(at, _)| *at);
    windows.sort_by_key(|(at, _)| *at);
    let series = vec![wanted.series("ack", "bytes", acks), wanted.series("window", "bytes", windows)];
    let mut more = Map::new();
    more.insert("segments".to_owned(), shown.into());
    more.insert("sacks".to_owned(), sacks.into());
    more.insert("cut".to_owned(), is_cut.into());
    wanted.answer(series, more)
}

/// The stretches that a segment reports received beyond what it acknowledges.
fn sacked(frame: &FrameRow, ack: u32, acknowledged: u64) -> impl Iterator<Item = (u64, u64)> + use<> {
    let speech = Speech::in_frame(&frame.bytes, frame.link);
    let blocks = speech.map(|speech| {
        let zero = speech.segment.ack.0.wrapping_sub(ack);
        let blocks = speech.segment.options.sack;
        let bytes = |seq: u32| {
            let ahead = seq.wrapping_sub(zero).wrapping_sub(ack).cast_signed();
            acknowledged.saturating_add_signed(ahead.into())
        };
        blocks.as_slice().iter().map(|block| (bytes(block.left.0), bytes(block.right.0))).collect::<Vec<_>>()
    });
    blocks.unwrap_or_default().into_iter()
}

fn of_samples(
    connection: &Connection,
    end: usize,
    wanted: &Wanted,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Points {
    let samples = connection.end(end).samples.iter().filter(|sample| wanted.holds(sample.at));
    samples.filter_map(|sample| Some((sample.at, value(sample)?))).collect()
}

/// Congestion window, threshold, bytes in flight, and the peer's window.
pub(super) fn window(reel: &Reel, connection: &Connection, wanted: &Wanted) -> Value {
    let end = wanted.direction;
    let sampled = |value: fn(&Sample) -> Option<f64>| of_samples(connection, end, wanted, value);
    let mut cwnd = sampled(|sample| Some(sample.tcp.cwnd as f64));
    let mut ssthresh =
        sampled(|sample| (sample.tcp.ssthresh != usize::MAX).then_some(sample.tcp.ssthresh as f64));
    // What happens between two samples is told in segments.
    let samples = &connection.end(end).samples;
    for (_, row) in reel.iter().filter(|(_, row)| row.connection == Some(connection.number)) {
        let Event::Recovery(recovery) = &row.event else { continue };
        if recovery.end != end || !wanted.holds(row.at) {
            continue;
        }
        let mss = connection.end(end).sample_at(row.at).or(samples.front()).map_or(1460, |it| it.tcp.snd_mss);
        cwnd.push((row.at, f64::from(recovery.change.cwnd) * f64::from(mss)));
        ssthresh.extend(recovery.change.ssthresh.map(|it| (row.at, f64::from(it) * f64::from(mss))));
    }
    cwnd.sort_by_key(|(at, _)| *at);
    ssthresh.sort_by_key(|(at, _)| *at);
    let (in_flight, peers) = in_flight(reel, connection, wanted);
    let series = vec![
        wanted.series("cwnd", "bytes", cwnd),
        wanted.series("ssthresh", "bytes", ssthresh),
        wanted.series("in flight", "bytes", in_flight),
        wanted.series("peer's window", "bytes", peers),
    ];
    wanted.answer(series, Map::new())
}

/// What changes how much is in flight.
enum Move {
    /// Up to this byte it was sent.
    Sent(u64),
    /// Up to this byte it was acknowledged, and so much more may come.
    Acknowledged(u64, u32),
}

/// What was sent and not acknowledged, as the frames show it, and the window that the peer offered.
fn in_flight(reel: &Reel, connection: &Connection, wanted: &Wanted) -> (Points, Points) {
    let mut moves: Vec<(Instant, Move)> = Vec::new();
    let (mut sent, mut acknowledged) = (Unwrapped::default(), Unwrapped::default());
    for (at, _, tcp) in segments(reel, connection.number, wanted.direction) {
        if tcp.length > 0 && !tcp.numbers.is_keepalive {
            moves.push((at, Move::Sent(sent.byte(tcp.numbers.seq) + u64::from(tcp.length))));
        }
    }
    for (_, frame, tcp) in segments(reel, connection.number, 1 - wanted.direction) {
        if let Some(at) = frame.arrives()
            && tcp.flags.contains(Flags::ACK)
            && !tcp.flags.contains(Flags::RST)
        {
            let ack = acknowledged.byte(tcp.numbers.ack);
            moves.push((at, Move::Acknowledged(ack, tcp.numbers.window)));
        }
    }
    moves.sort_by_key(|(at, _)| *at);
    let (mut highest, mut lowest) = (None::<u64>, None::<u64>);
    let (mut flying, mut windows) = (Points::new(), Points::new());
    for (at, moved) in moves {
        match moved {
            Move::Sent(end) => highest = highest.max(Some(end)),
            Move::Acknowledged(ack, window) => {
                lowest = lowest.max(Some(ack));
                if wanted.holds(at) {
                    windows.push((at, window.into()));
                }
            }
        }
        if let (Some(highest), Some(lowest)) = (highest, lowest)
            && wanted.holds(at)
        {
            flying.push((at, highest.saturating_sub(lowest) as f64));
        }
    }
    (flying, windows)
}

/// Round-trip times and the retransmission time-out, as the sender knows them; and what the frames themselves show.
pub(super) fn rtt(reel: &Reel, connection: &Connection, wanted: &Wanted) -> Value {
    let end = wanted.direction;
    let sampled = |value: fn(&Sample) -> Option<f64>| of_samples(connection, end, wanted, value);
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let series = vec![
        wanted.series("measured", "ms", measured(reel, connection, wanted)),
        wanted.series("rtt", "ms", sampled(|it| it.tcp.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0))),
        wanted.series("rto", "ms", of_samples(connection, end, wanted, |it| Some(millis(it.tcp.rto)))),
    ];
    wanted.answer(series, Map::new())
}

/// From a segment to the first acknowledgement of its end; of those that were sent once only (Karn's rule, RFC 6298 section 3).
fn measured(reel: &Reel, connection: &Connection, wanted: &Wanted) -> Points {
    let (mut sent, mut acknowledged) = (Unwrapped::default(), Unwrapped::default());
    let mut open: std::collections::BTreeMap<u64, Option<Instant>> = std::collections::BTreeMap::new();
    let mut points = Points::new();
    let rows = reel.iter().filter(|(_, row)| row.connection == Some(connection.number));
    for (_, row) in rows {
        let Event::Frame(frame) = &row.event else { continue };
        let Some(tcp) = &frame.tcp else { continue };
        if tcp.direction == wanted.direction && tcp.length > 0 {
            let end = sent.byte(tcp.numbers.seq) + u64::from(tcp.length);
            let at = tcp.first.is_none().then_some(row.at);
            open.entry(end).and_modify(|known| *known = None).or_insert(at);
            if open.len() > POINTS {
                open.pop_first();
            }
        } else if tcp.direction != wanted.direction
            && tcp.flags.contains(Flags::ACK)
            && let Some(arrives) = frame.arrives()
        {
            let rest = open.split_off(&(acknowledged.byte(tcp.numbers.ack) + 1));
            let done = std::mem::replace(&mut open, rest);
            // The last of them is the one that the acknowledgement answers.
            if let Some((_, Some(at))) = done.last_key_value()
                && wanted.holds(arrives)
            {
                points.push((arrives, arrives.since(*at).as_secs_f64() * 1000.0));
            }
        }
    }
    points.sort_by_key(|(at, _)| *at);
    points
}

/// Bytes that were sent, and that arrived for the first time, in a second.
pub(super) fn throughput(reel: &Reel, connection: &Connection, wanted: &Wanted) -> Value {
    let (from, to) = wanted.span;
    let bins = BINS.min(wanted.points.max(1));
    let width = (to.since(from) / bins as u32).max(Duration::from_millis(1));
    let mut counted = vec![(0.0, 0.0); bins];
    let bin = |at: Instant| (at.since(from).as_nanos() / width.as_nanos().max(1)) as usize;
    for (at, frame, tcp) in segments(reel, connection.number, wanted.direction) {
        if wanted.holds(at)
            && let Some((sent, _)) = counted.get_mut(bin(at))
        {
            *sent += f64::from(tcp.length);
        }
        if let Some(arrives) = frame.arrives()
            && wanted.holds(arrives)
            && tcp.first.is_none_or(|(_, first)| {
                reel.get(first)
                    .is_some_and(|row| matches!(&row.event, Event::Frame(first) if first.arrives().is_none()))
            })
            && let Some((_, came)) = counted.get_mut(bin(arrives))
        {
            *came += f64::from(tcp.length);
        }
    }
    let points = |pick: fn(&(f64, f64)) -> f64| -> Points {
        let at = |place: usize| from + width * place as u32;
        counted.iter().enumerate().map(|(place, it)| (at(place), pick(it) / width.as_secs_f64())).collect()
    };
    let series = vec![
        wanted.series("sent", "bytes/s", points(|it| it.0)),
        wanted.series("goodput", "bytes/s", points(|it| it.1)),
    ];
    wanted.answer(series, Map::new())
}

/// What waits at the sender, and at the receiver.
pub(super) fn queues(connection: &Connection, wanted: &Wanted) -> Value {
    let end = wanted.direction;
    let at = |end: usize, value: fn(&Sample) -> f64| {
        of_samples(connection, end, wanted, |sample| Some(value(sample)))
    };
    let series = vec![
        wanted.series("send queue", "bytes", at(end, |it| it.send_queue as f64)),
        wanted.series("unsent", "bytes", at(end, |it| it.tcp.unsent as f64)),
        wanted.series("receive queue", "bytes", at(1 - end, |it| it.receive_queue as f64)),
        wanted.series("out of order", "bytes", at(1 - end, |it| it.tcp.out_of_order as f64)),
    ];
    wanted.answer(series, Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_survive() {
        let points: Points =
            (0..10_000).map(|at| (Instant::from_millis(at), if at == 7777 { 99.0 } else { 1.0 })).collect();
        let kept = decimated(points, 100);
        assert!(kept.len() <= 100);
        assert!(kept.contains(&(Instant::from_millis(7777), 99.0)));
        assert!(kept.is_sorted_by_key(|(at, _)| *at));
    }
}
