//! Boundaries: what one program handed over in calls, what went in segments, and what the other program got from its calls, on one
//! axis of bytes.

use serde_json::{Value, json};
use sockeye_core::time::Instant;
use sockeye_core::wire::tcp::Flags;

use super::connection::{Connection, SegmentAt};

/// Stretches of one kind that an answer has at most.
const STRETCHES: usize = 5000;

/// A sequence number of a stream as the number of a byte, however often 32 bits have gone round.
#[derive(Clone, Copy, Debug, Default)]
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

/// What became of a segment: `new`, `again` or `lost`.
pub(super) fn sort(segment: &SegmentAt) -> &'static str {
    match (segment.arrives, segment.is_again) {
        (None, _) => "lost",
        (Some(_), true) => "again",
        (Some(_), false) => "new",
    }
}

/// The answer to `recording.boundaries`: of what the end `direction` sends, the bytes from `from` up to `to`.
pub(super) fn tell(
    connection: &Connection,
    direction: usize,
    (from, to): (u64, u64),
    seconds: impl Fn(Instant) -> f64,
) -> Value {
    let is_seen = |begin: u64, end: u64| begin < to && end > from;
    let mut is_cut = false;
    let mut keep = |pieces: &mut Vec<Value>, piece: Value| match pieces.len() < STRETCHES {
        true => pieces.push(piece),
        false => is_cut = true,
    };
    let mut stretches = |end: usize, name: &str| {
        let mut position = connection.forgotten(end, name);
        let mut told = Vec::new();
        let calls = connection.calls.iter().filter(|call| call.end == end && call.call == name);
        for (at, amount) in calls.filter_map(|call| Some((call.at, call.amount? as u64))) {
            let begin = position;
            position += amount;
            if amount > 0 && is_seen(begin, position) {
                keep(&mut told, json!([begin, position, seconds(at)]));
            }
        }
        (told, position)
    };
    let (sends, sent) = stretches(direction, "send");
    let (receives, received) = stretches(1 - direction, "recv");
    let mut bytes = connection.sequenced(direction);
    let (mut total, mut segments) = (sent.max(received), Vec::new());
    for segment in connection.segments.iter().filter(|segment| segment.direction == direction) {
        if segment.length == 0 || segment.flags.contains(Flags::RST) || segment.is_keepalive {
            continue;
        }
        // Data that goes with a SYN stands behind the SYN's own number.
        let begin = bytes.byte(segment.seq.wrapping_add(segment.flags.contains(Flags::SYN).into()));
        let end = begin + u64::from(segment.length);
        total = total.max(end);
        if is_seen(begin, end) {
            keep(&mut segments, json!([begin, end, seconds(segment.at), sort(segment)]));
        }
    }
    json!({ "total": total, "sends": sends, "segments": segments, "receives": receives, "cut": is_cut })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::recording::connection::{CallAt, KEPT};
    use crate::web::recording::tests::played;

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

    fn ranges(told: &Value) -> Vec<(u64, u64)> {
        let pieces = told.as_array().into_iter().flatten();
        pieces.map(|piece| (piece[0].as_u64().unwrap(), piece[1].as_u64().unwrap())).collect()
    }

    #[test]
    fn sends_segments_and_receives_cover_the_same_bytes() {
        let recording = played("sticky", 1, json!({}));
        for direction in [0, 1] {
            let told = recording.boundaries(1, direction, (0, u64::MAX)).unwrap();
            let total = told["total"].as_u64().unwrap();
            for stripe in ["sends", "segments", "receives"] {
                let pieces = ranges(&told[stripe]);
                let mut next = 0;
                for (from, to) in pieces {
                    assert!(from <= next && to > from, "{stripe}: {told}");
                    next = next.max(to);
                }
                assert_eq!(next, total, "{stripe} of direction {direction}: {told}");
            }
        }
        let told = recording.boundaries(1, 0, (0, u64::MAX)).unwrap();
        let (sends, receives) = (ranges(&told["sends"]), ranges(&told["receives"]));
        assert!(
            sends.len() > 1
                && receives.iter().any(|(from, to)| {
                    sends.iter().filter(|send| send.0 >= *from && send.1 <= *to).count() > 1
                }),
            "two sends in one recv: {told}"
        );
    }

    #[test]
    fn bytes_keep_their_numbers_when_the_oldest_are_forgotten() {
        const LENGTH: u64 = 60_000;
        let ends = ["10.0.0.3:50000", "10.0.0.2:7788"].map(|end| end.parse().unwrap());
        let mut connection = Connection::new(1, ends, [Some(0), Some(1)], Instant::ZERO);
        let forgotten = 50_000;
        let all = KEPT as u64 + forgotten;
        for n in 0..all {
            let at = Instant::from_millis(n);
            let amount = Some(LENGTH as usize);
            connection.keep_call(CallAt { at, end: 0, call: "send", amount });
            connection.keep_segment(SegmentAt {
                at,
                arrives: Some(at),
                direction: 0,
                seq: (n * LENGTH + 1) as u32,
                length: LENGTH as u32,
                ack: Some(1),
                window: 65_535,
                sack: Vec::new(),
                flags: Flags::ACK,
                is_again: false,
                is_keepalive: false,
            });
        }
        assert!(forgotten * LENGTH > 1 << 31, "more than a sequence number can tell from what lies behind");
        let begin = forgotten * LENGTH;
        let told = tell(&connection, 0, (0, begin + LENGTH), |at| at.as_nanos() as f64 / 1e9);
        assert_eq!(told["total"], all * LENGTH);
        assert_eq!(ranges(&told["segments"]), [(begin, begin + LENGTH)]);
        assert_eq!(ranges(&told["sends"]), [(begin, begin + LENGTH)]);
        assert_eq!((&told["cut"], told["sends"][0][2].as_f64()), (&json!(false), Some(50.0)));

        let told = tell(&connection, 0, (0, u64::MAX), |_| 0.0);
        assert_eq!((told["segments"].as_array().unwrap().len(), &told["cut"]), (STRETCHES, &json!(true)));

        connection.forget_half();
        let kept = connection.segments.len() as u64;
        assert!(kept <= KEPT as u64 / 2, "{kept}");
        let told = tell(&connection, 0, (0, (all - kept + 1) * LENGTH), |_| 0.0);
        assert_eq!(told["total"], all * LENGTH);
        assert_eq!(ranges(&told["segments"]), [((all - kept) * LENGTH, (all - kept + 1) * LENGTH)]);
        assert_eq!(ranges(&told["sends"]), ranges(&told["segments"]));
    }

    #[test]
    fn a_part_has_what_lies_in_it() {
        let recording = played("fast-retransmit", 1, json!({}));
        let all = recording.boundaries(1, 0, (0, u64::MAX)).unwrap();
        let sorts: Vec<&str> =
            all["segments"].as_array().unwrap().iter().filter_map(|segment| segment[3].as_str()).collect();
        assert!(sorts.contains(&"lost") && sorts.contains(&"again") && sorts.contains(&"new"), "{sorts:?}");
        let part = recording.boundaries(1, 0, (1000, 2000)).unwrap();
        assert_eq!(part["total"], all["total"]);
        assert!(ranges(&part["segments"]).iter().all(|(from, to)| *from < 2000 && *to > 1000), "{part}");
        assert_eq!(recording.boundaries(9, 0, (0, 1)).unwrap_err().code, "gone");
    }
}
