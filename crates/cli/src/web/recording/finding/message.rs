//! Messages and calls: TCP is a stream, so two sends may be one recv, and one send several (粘包, 半包).

use std::collections::VecDeque;

use sockeye_core::trace::Call;

use super::{Finding, List, Seen, Severity};

/// Ends of sends that wait for their bytes to be read.
const SENDS: usize = 4096;

/// Both directions of a stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
    streams: [Stream; 2],
}

#[derive(Debug, Default)]
struct Stream {
    /// Where sends ended, in bytes from the beginning.
    ends: VecDeque<u64>,
    sent: u64,
    read: u64,
    joined: Option<u64>,
    split: Option<u64>,
    /// Some sends are not known any more: nothing can be said.
    is_lost: bool,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        let Some(call) = seen.call() else { return };
        let Ok(amount) = call.outcome else { return };
        let [there, back] = &mut self.streams;
        let (own, other) = if call.direction == 0 { (there, back) } else { (back, there) };
        match call.call {
            Call::Send { .. } if amount > 0 => own.on_send(amount as u64),
            Call::Receive { .. } if amount > 0 => {
                other.on_receive(seen, 1 - call.direction, amount as u64, list)
            }
            _ => {}
        }
    }
}

impl Stream {
    fn on_send(&mut self, amount: u64) {
        self.sent += amount;
        self.ends.push_back(self.sent);
        if self.ends.len() > SENDS {
            self.ends.pop_front();
            self.is_lost = true;
        }
    }

    fn on_receive(&mut self, seen: &Seen<'_>, direction: usize, amount: u64, list: &mut List) {
        let (from, to) = (self.read, self.read + amount);
        self.read = to;
        let (mut inside, mut is_whole) = (0, false);
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= to) {
            self.ends.pop_front();
            inside += u64::from(end > from && end < to);
            is_whole = end == to;
        }
        // What was sent before anybody watched has no ends.
        if self.is_lost || to > self.sent {
            return;
        }
        let at = seen.row.at;
        let begin = |kind, next| {
            move || Finding::new(seen, kind, Severity::Note).with("direction", direction).says("", next)
        };
        if inside > 0 {
            let sends = inside + 1;
            let next = "no fault: TCP keeps bytes in order and knows no messages; frame them: a length before each, or a delimiter behind";
            list.count(
                &mut self.joined,
                || begin("joined-messages", next)().with("sends", sends).with("bytes", amount),
                at,
                |count| {
                    let more = if count > 1 { format!("; {count} times so far") } else { String::new() };
                    format!("{sends} sends came out of one recv ({amount} bytes){more}")
                },
            );
        }
        if !is_whole {
            let next = "no fault: read on until the whole message is there; framing says how long it is";
            list.count(
                &mut self.split,
                || begin("split-message", next)().with("bytes", amount),
                at,
                |count| {
                    let more = if count > 1 { format!("; {count} times so far") } else { String::new() };
                    format!("one recv ({amount} bytes) ended in the middle of a send{more}")
                },
            );
        }
    }
}
