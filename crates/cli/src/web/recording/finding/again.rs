//! Segments that were sent again: because they were lost, because they were late, because they are too large, or for nothing.

use super::{Connection, Finding, Kind, List, Seen, Severity, What, has};

/// Why the cable did not take a frame that is too large for it.
const TOO_BIG: &str = "too big for the cable";

/// The findings that go on, by direction.
#[derive(Debug, Default)]
pub(super) struct Watch {
    lost: [Option<u64>; 2],
    late: [Option<u64>; 2],
    needless: [Option<u64>; 2],
    unknown: [Option<u64>; 2],
    undone: Option<u64>,
    hole: Option<u64>,
    too_big: u64,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        if let What::Recovery(recovery) = &seen.row.what
            && recovery.undone
        {
            let host = seen.host(recovery.host);
            let begin = || Finding::new(seen, "undone", Severity::Note).with("host", host.clone());
            list.count(&mut self.undone, seen.row.time, begin, |_| {
                format!("nothing had been lost after all: {host} takes the reduction of its window back")
            });
        }
        // Most often it is a router whose next link is too small.
        if let What::Frame(frame) = &seen.row.what
            && let Some(direction) = frame.direction
            && frame.lost.as_deref() == Some(TOO_BIG)
        {
            self.on_too_big(seen, (frame.length, direction), connection, list);
        }
        let Some((frame, direction)) = seen.segment() else { return };
        // A SYN that is sent again is told of as an attempt to connect.
        let Some(first) = seen.first.filter(|_| !has(frame, "SYN")) else { return };
        let host = seen.end(connection, direction);
        let cause = frame.again.unwrap_or("unknown");
        let receiver = connection.hosts.get(1 - direction).copied().flatten();
        // What came as far as a router only.
        let is_stuck = first.lost.is_none() && receiver.is_some_and(|host| !first.to.contains(&host));
        if is_stuck && !connection.has_arrived(direction, first.seq.unwrap_or_default()) {
            return;
        }
        let is_late = first.arrives.is_some_and(|arrives| arrives > seen.row.time);
        let is_damaged = first.marks.contains(&"corrupted");
        let (kind, severity, next, kept) = match &first.lost {
            Some(why) if why == TOO_BIG => return,
            Some(_) => (
                "lost",
                Severity::Warning,
                "nothing, where a network loses frames: TCP repairs it, and it costs time; look at the cable",
                &mut self.lost,
            ),
            None if is_damaged => (
                "lost",
                Severity::Warning,
                "nothing, where a network damages frames: TCP repairs it, and it costs time; look at the cable",
                &mut self.lost,
            ),
            None if is_late => (
                "reordering",
                Severity::Warning,
                "nothing is lost: the path delays or reorders more than the sender waits for",
                &mut self.late,
            ),
            None if seen.kind == Kind::File => (
                "again",
                Severity::Note,
                "capture at both ends to see which of them it was",
                &mut self.unknown,
            ),
            None => (
                "needless",
                Severity::Note,
                "its acknowledgement was lost or late; the receiver throws the second away",
                &mut self.needless,
            ),
        };
        let Some(last) = kept.get_mut(direction) else { return };
        let begin = || {
            let finding = Finding::new(seen, kind, severity).with("host", host.clone()).with("cause", cause);
            match &first.lost {
                Some(why) => finding.with("lost", why.clone()),
                None => finding,
            }
            .says("", next)
        };
        list.count(last, seen.row.time, begin, |count| {
            let segments = if count == 1 { "a segment".to_owned() } else { format!("{count} segments") };
            match kind {
                "lost" => {
                    let why = if is_damaged { "damaged" } else { first.lost.as_deref().unwrap_or("lost") };
                    format!("{host} sends {segments} again, because the first did not arrive ({why}); it noticed by {cause}")
                }
                "reordering" => format!("{host} sends {segments} again although the first is only late; it was misled by {cause}"),
                "needless" => format!("{host} sends {segments} again although the first had arrived ({cause})"),
                _ => format!("{host} sends {segments} again: lost or late, which one capture cannot tell"),
            }
        });
    }

    /// What is small passes, what is large never arrives, and nobody says why.
    fn on_too_big(
        &mut self,
        seen: &Seen<'_>,
        (bytes, direction): (usize, usize),
        connection: &Connection,
        list: &mut List,
    ) {
        self.too_big += 1;
        // One alone may be the sender's probe of the path (RFC 4821).
        if self.too_big < 2 {
            return;
        }
        let number = *self.hole.get_or_insert_with(|| {
            let host = seen.end(connection, direction);
            let words = format!("frames of {bytes} bytes from {host} are too big for a cable on the way and vanish: an MTU black hole");
            let next = "set the MTU of the interface (or the MSS) to what the path carries, or let the ICMP messages through that say so";
            let finding = Finding::new(seen, "mtu-black-hole", Severity::Error);
            list.add(finding.with("host", host).with("bytes", bytes).says(words, next))
        });
        if let Some(finding) = list.get_mut(number) {
            finding.until = seen.row.time;
            finding.facts.insert("times".to_owned(), self.too_big.into());
        }
    }
}
