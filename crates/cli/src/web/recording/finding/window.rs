//! Zero window: a receiver that takes nothing any more, because its program does not read.

use super::{Connection, Finding, List, Seen, Severity, has};

/// The findings that go on, by direction of the receiver.
#[derive(Debug, Default)]
pub(super) struct Watch {
    closed: [Option<u64>; 2],
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        let Some((frame, direction)) = seen.segment() else { return };
        if has(frame, "SYN") || has(frame, "RST") || !has(frame, "ACK") {
            return;
        }
        let Some(closed) = self.closed.get_mut(direction) else { return };
        match (frame.window, *closed) {
            (Some(0), None) => {
                let host = seen.end(connection, direction);
                let words = format!("{host} takes nothing more: its receive buffer is full (window 0)");
                let next = "let the program at that end call recv, faster or at all; the sender asks from time to time (window probes)";
                let finding = Finding::new(seen, "zero-window", Severity::Warning).with("host", host);
                *closed = Some(list.add(finding.says(words, next)));
            }
            (Some(0), Some(number)) => {
                if let Some(finding) = list.get_mut(number) {
                    finding.until = seen.row.time;
                }
            }
            (_, Some(number)) => {
                *closed = None;
                if let Some(finding) = list.get_mut(number) {
                    finding.until = seen.row.time;
                    finding.facts.insert("seconds".to_owned(), (seen.row.time - finding.time).into());
                }
            }
            _ => {}
        }
    }
}
