//! Zero window: a receiver that takes nothing any more, because its program does not read.

use sockeye_core::wire::tcp::Flags;

use super::{Connection, Finding, List, Seen, Severity, end_name};

/// The findings that go on, by direction of the receiver.
#[derive(Debug, Default)]
pub(super) struct Watch {
    closed: [Option<u64>; 2],
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        let Some((_, tcp)) = seen.segment() else { return };
        if tcp.flags.intersects(Flags::SYN | Flags::RST) || !tcp.flags.contains(Flags::ACK) {
            return;
        }
        let Some(closed) = self.closed.get_mut(tcp.direction) else { return };
        match (tcp.numbers.window, *closed) {
            (0, None) => {
                let name = end_name(connection, tcp.direction);
                let words = format!("{name} takes nothing more: its receive buffer is full (window 0)");
                let finding = Finding::new(seen, "zero-window", Severity::Warning)
                    .with("end", tcp.direction)
                    .with("address", name)
                    .says(words, "let the program at that end call recv, faster or at all; the sender asks from time to time (window probes)");
                *closed = Some(list.add(finding));
            }
            (0, Some(number)) => {
                if let Some(finding) = list.get_mut(number) {
                    finding.until = seen.row.at;
                }
            }
            (_, Some(number)) => {
                *closed = None;
                if let Some(finding) = list.get_mut(number) {
                    finding.until = seen.row.at;
                    let seconds = seen.row.at.since(finding.at).as_secs_f64();
                    finding.facts.insert("seconds".to_owned(), seconds.into());
                }
            }
            _ => {}
        }
    }
}
