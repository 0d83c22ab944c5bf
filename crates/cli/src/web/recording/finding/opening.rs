//! SYNs that nobody answers, and those that are refused.

use super::{Connection, Finding, List, Seen, Severity, has};

/// The SYNs of a connection.
#[derive(Debug, Default)]
pub(super) struct Watch {
    tries: u64,
    lost: u64,
    /// The direction that the last SYN went in, if nothing has come back since.
    open: Option<usize>,
    finding: Option<u64>,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        let Some((frame, direction)) = seen.segment() else { return };
        if !has(frame, "SYN") || has(frame, "ACK") {
            if self.open.take_if(|open| *open != direction).is_some() && has(frame, "RST") {
                let host = seen.end(connection, direction);
                let address = connection.ends.get(direction).map_or_else(String::new, ToString::to_string);
                let words = format!("{host} refuses the connection (RST): nobody listens on {address}");
                let next = "start the server first, and look if port and address are the ones it listens on";
                let finding = Finding::new(seen, "refused", Severity::Error);
                list.add(finding.with("host", host).with("address", address).says(words, next));
            }
            return;
        }
        self.open = Some(direction);
        self.tries += 1;
        self.lost += u64::from(frame.lost.is_some());
        if self.tries < 2 || (seen.first.is_none() && self.finding.is_none()) {
            return;
        }
        let host = seen.end(connection, direction);
        let times = self.tries - 1;
        let words = match self.lost {
            0 => format!("{host} has sent its SYN {} times: no answer has come", self.tries),
            lost => {
                format!("{host} has sent its SYN {} times: {lost} of them were lost on the way", self.tries)
            }
        };
        let number = *self.finding.get_or_insert_with(|| {
            let next = "look if the address is right and the host is up; a refusal would be answered at once, silence means loss or a filter";
            list.add(Finding::new(seen, "syn-retries", Severity::Warning).with("host", host).says("", next))
        });
        if let Some(finding) = list.get_mut(number) {
            finding.words = words;
            finding.until = seen.row.time;
            finding.facts.insert("times".to_owned(), times.into());
            finding.facts.insert("lost".to_owned(), self.lost.into());
        }
    }
}
