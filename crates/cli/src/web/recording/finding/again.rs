//! Segments that were sent again: because they were lost, because they were late, or for nothing.

use super::super::row::Event;
use super::{Finding, List, Seen, Severity};

/// The findings that go on.
#[derive(Debug, Default)]
pub(super) struct Watch {
    lost: [Option<u64>; 2],
    late: [Option<u64>; 2],
    needless: [Option<u64>; 2],
    undone: Option<u64>,
}

/// What became of the first sending.
enum Before {
    Lost(&'static str),
    Late,
    There,
    Unknown,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        let at = seen.row.at;
        if let Event::Recovery(recovery) = &seen.row.event
            && recovery.change.is_undone
        {
            let begin = || {
                Finding::new(seen, "undone", Severity::Note)
                    .with("end", recovery.end)
                    .says("", "nothing: the sender has noticed, and has its window back")
            };
            list.count(&mut self.undone, begin, at, |_| {
                "nothing had been lost after all: the sender takes the reduction of its window back"
                    .to_owned()
            });
        }
        let Some((_, tcp)) = seen.segment() else { return };
        let Some((_, row)) = tcp.first else { return };
        let before = match seen.reel.get(row).map(|row| &row.event) {
            Some(Event::Frame(first)) => match (first.loss(), first.arrives()) {
                (Some(why), _) => Before::Lost(why),
                _ if first.marks.is_corrupted => Before::Lost("corrupted"),
                (_, Some(arrives)) if arrives > at => Before::Late,
                (_, Some(_)) if !first.arrivals.is_empty() => Before::There,
                _ => Before::Unknown,
            },
            _ => Before::Unknown,
        };
        let cause = tcp.again.unwrap_or("unknown");
        let begin = |kind, severity, next| {
            move || {
                Finding::new(seen, kind, severity)
                    .with("direction", tcp.direction)
                    .with("cause", cause)
                    .says("", next)
            }
        };
        let pick = |pair: &mut [Option<u64>; 2]| pair.get_mut(tcp.direction).copied().flatten();
        let segments = |count: u64| {
            if count == 1 { "a segment was".to_owned() } else { format!("{count} segments were") }
        };
        let (kind, mut last) = match before {
            Before::Lost(_) => ("lost", pick(&mut self.lost)),
            Before::Late => ("late", pick(&mut self.late)),
            Before::There => ("needless", pick(&mut self.needless)),
            Before::Unknown => return,
        };
        match before {
            Before::Lost(why) => list.count(
                &mut last,
                || begin("retransmission-loss", Severity::Warning, "nothing, where the network loses frames: TCP repairs it, and it costs time; look at the cable")().with("lost", why),
                at,
                |count| format!("{} sent again because the first was lost ({why}); the sender noticed by {cause}", segments(count)),
            ),
            Before::Late => list.count(
                &mut last,
                begin("retransmission-reordering", Severity::Warning, "nothing is lost: the path delays or reorders more than the sender waits for"),
                at,
                |count| format!("{} sent again although the first is only late; the sender was misled by {cause}", segments(count)),
            ),
            _ => list.count(
                &mut last,
                begin("retransmission-needless", Severity::Note, "its acknowledgement was lost or late; the receiver throws the second away"),
                at,
                |count| format!("{} sent again although the first had arrived; {cause}", segments(count)),
            ),
        }
        let kept = match kind {
            "lost" => &mut self.lost,
            "late" => &mut self.late,
            _ => &mut self.needless,
        };
        if let Some(kept) = kept.get_mut(tcp.direction) {
            *kept = last;
        }
    }
}
