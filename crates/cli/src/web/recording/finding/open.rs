//! SYNs that nobody answers, and those that are refused.

use sockeye_core::wire::tcp::Flags;

use super::{Finding, List, Seen, Severity};

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
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        let Some((frame, tcp)) = seen.segment() else { return };
        let (is_syn, is_ack) = (tcp.flags.contains(Flags::SYN), tcp.flags.contains(Flags::ACK));
        if !is_syn || is_ack {
            if tcp.flags.contains(Flags::RST) && self.open.is_some_and(|open| open != tcp.direction) {
                let address = seen.connection.map(|it| it.end(tcp.direction).address.to_string());
                let address = address.unwrap_or_default();
                let words = format!("{address} refuses the connection (RST): nobody listens at that port");
                list.add(Finding::new(seen, "refused", Severity::Error).with("address", address).says(
                    words,
                    "start the server first, and look if port and address are the ones it listens on",
                ));
            }
            if self.open.is_some_and(|open| open != tcp.direction) {
                self.open = None;
            }
            return;
        }
        self.open = Some(tcp.direction);
        self.tries += 1;
        self.lost += u64::from(frame.loss().is_some());
        if self.tries < 2 {
            return;
        }
        let words = match self.lost {
            0 => format!("the SYN was sent {} times: no answer has come", self.tries),
            lost => format!("the SYN was sent {} times: {lost} of them were lost on the way", self.tries),
        };
        let begin = || {
            let next = "look if the address is right and the host is up; a refusal would be answered at once, silence means loss or a filter";
            Finding::new(seen, "syn-retries", Severity::Warning).says("", next)
        };
        let number = *self.finding.get_or_insert_with(|| list.add(begin()));
        if let Some(finding) = list.get_mut(number) {
            finding.words = words;
            finding.until = seen.row.at;
            finding.facts.insert("tries".to_owned(), self.tries.into());
            finding.facts.insert("lost".to_owned(), self.lost.into());
        }
    }
}
