//! MTU black hole: what is small passes, what is large never arrives, and nobody says why.

use super::{Finding, List, Seen, Severity};

/// Frames that were too big.
#[derive(Debug, Default)]
pub(super) struct Watch {
    finding: Option<u64>,
    lost: u64,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        let Some((frame, _)) = seen.segment() else { return };
        if frame.loss() != Some("too big") {
            return;
        }
        self.lost += 1;
        // One alone may be the sender's probe of the path (RFC 4821).
        if self.lost < 2 {
            return;
        }
        let bytes = frame.bytes.len();
        let number = *self.finding.get_or_insert_with(|| {
            let words = format!("frames of {bytes} bytes are too big for a cable on the way and vanish: an MTU black hole");
            let next = "set the MTU of the interface (or MSS) to what the path carries, or let the ICMP messages through that say so";
            list.add(Finding::new(seen, "mtu-black-hole", Severity::Error).with("bytes", bytes).says(words, next))
        });
        if let Some(finding) = list.get_mut(number) {
            finding.until = seen.row.at;
            finding.facts.insert("lost".to_owned(), self.lost.into());
        }
    }
}
