//! Boundaries: what one program handed over in calls, what went in segments, and what the other program got from its calls, on one
//! axis of bytes.

use serde_json::{Value, json};
use sockeye_core::time::Instant;
use sockeye_core::trace::Call;
use sockeye_core::wire::tcp::Flags;

use super::connection::Connection;
use super::reel::Reel;
use super::row::{CallRow, Event, FrameRow, TcpRow};
use super::told;

/// Stretches of one kind that an answer has at most.
const STRETCHES: usize = 5000;

/// A sequence number of a stream as the number of a byte, however often 32 bits have gone round.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    last: u64,
}

impl Unwrapped {
    /// The byte that a relative sequence number stands for: the one nearest to the last. The first byte of data is number 0.
    pub(super) fn byte(&mut self, seq: u32) -> u64 {
        let offset = seq.wrapping_sub(1);
        let distance = offset.wrapping_sub(self.last as u32).cast_signed();
        let byte = self.last.saturating_add_signed(distance.into());
        self.last = self.last.max(byte);
        byte
    }
}

/// Segments of one direction.
pub(super) fn segments(
    reel: &Reel,
    connection: u32,
    direction: usize,
) -> impl Iterator<Item = (Instant, &FrameRow, &TcpRow)> {
    reel.iter().filter(move |(_, row)| row.connection == Some(connection)).filter_map(move |(_, row)| {
        let Event::Frame(frame) = &row.event else { return None };
        let tcp = frame.tcp.as_ref().filter(|tcp| tcp.direction == direction)?;
        Some((row.at, &**frame, tcp))
    })
}

fn calls(reel: &Reel, connection: u32, direction: usize) -> impl Iterator<Item = (Instant, &CallRow, u64)> {
    reel.iter().filter(move |(_, row)| row.connection == Some(connection)).filter_map(move |(_, row)| {
        let Event::Call(call) = &row.event else { return None };
        let amount = call.outcome.ok().filter(|amount| *amount > 0)?;
        (call.direction == direction).then_some((row.at, &**call, amount as u64))
    })
}

/// The answer to `recording.boundaries`.
pub(super) fn tell(
    reel: &Reel,
    connection: &Connection,
    direction: usize,
    (from, to): (u64, u64),
    start: Instant,
) -> Value {
    let number = connection.number;
    let seconds = |at| told::seconds(at, start);
    let is_seen = |begin: u64, end: u64| begin < to && end > from;
    let stretches = |direction: usize, is_meant: fn(&Call) -> bool, before: u64| {
        let mut position = before;
        let mut told = Vec::new();
        for (at, call, amount) in calls(reel, number, direction) {
            if !is_meant(&call.call) {
                continue;
            }
            let begin = position;
            position += amount;
            if is_seen(begin, position) && told.len() < STRETCHES {
                told.push(json!([begin, position, seconds(at)]));
            }
        }
        (told, position)
    };
    let [sent_before, _] = connection.end(direction).forgotten;
    let [_, taken_before] = connection.end(1 - direction).forgotten;
    let (sends, sent) = stretches(direction, |call| matches!(call, Call::Send { .. }), sent_before);
    let (receives, _) = stretches(1 - direction, |call| matches!(call, Call::Receive { .. }), taken_before);
    let mut bytes = Unwrapped::default();
    let mut total = sent;
    let mut told = Vec::new();
    for (at, frame, tcp) in segments(reel, number, direction) {
        if tcp.length == 0 || tcp.flags.intersects(Flags::RST) || tcp.numbers.is_keepalive {
            continue;
        }
        // Data that goes with a SYN stands behind the SYN's own number.
        let seq = tcp.numbers.seq.wrapping_add(tcp.flags.contains(Flags::SYN).into());
        let begin = bytes.byte(seq);
        let end = begin + u64::from(tcp.length);
        total = total.max(end);
        if is_seen(begin, end) && told.len() < STRETCHES {
            let what = match (frame.loss(), tcp.first) {
                (Some(_), _) => "lost",
                (None, Some(_)) => "again",
                (None, None) => "new",
            };
            told.push(json!([begin, end, seconds(at), what]));
        }
    }
    json!({ "total": total, "sends": sends, "segments": told, "receives": receives })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_behind_four_gigabytes() {
        let mut bytes = Unwrapped::default();
        assert_eq!(bytes.byte(0), 0, "the SYN");
        assert_eq!(bytes.byte(1), 0);
        assert_eq!(bytes.byte(0x7000_0001), 0x7000_0000);
        assert_eq!(bytes.byte(0xe000_0001), 0xe000_0000);
        assert_eq!(bytes.byte(0x0000_0001), 1 << 32);
        assert_eq!(bytes.byte(0xffff_0001), 0xffff_0000, "sent again");
        assert_eq!(bytes.byte(0x0000_0101), (1 << 32) + 256);
    }
}
