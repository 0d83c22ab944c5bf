//! Messages and calls: TCP is a stream, so two sends may be one recv, and one send several (粘包, 半包).

use std::collections::VecDeque;

use super::{Connection, Finding, List, Seen, Severity, amount};

/// Ends of sends that wait for their bytes to be read.
const SENDS: usize = 4096;
/// Of what is larger nobody expects to see messages.
const MESSAGE: u64 = 4096;

/// Both directions of a stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
    streams: [Stream; 2],
}

#[derive(Debug, Default)]
struct Stream {
    /// Where sends began and ended, in bytes from the beginning.
    sends: VecDeque<(u64, u64)>,
    sent: u64,
    read: u64,
    joined: Option<u64>,
    split: Option<u64>,
    /// Some sends are not known any more: nothing can be said.
    is_lost: bool,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        let Some(call) = seen.call() else { return };
        let Some(amount) = amount(call).filter(|amount| *amount > 0) else { return };
        let end = usize::from(connection.hosts.first().copied().flatten() != Some(call.host));
        let [there, back] = &mut self.streams;
        let (own, other) = if end == 0 { (there, back) } else { (back, there) };
        match call.call {
            "send" => own.on_send(amount),
            "recv" => other.on_receive(seen, amount, list),
            _ => {}
        }
    }
}

impl Stream {
    fn on_send(&mut self, amount: u64) {
        self.sends.push_back((self.sent, self.sent + amount));
        self.sent += amount;
        if self.sends.len() > SENDS {
            self.sends.pop_front();
            self.is_lost = true;
        }
    }

    fn on_receive(&mut self, seen: &Seen<'_>, amount: u64, list: &mut List) {
        let (from, to) = (self.read, self.read + amount);
        self.read = to;
        let (mut inside, mut is_whole) = (0, false);
        while let Some((_, end)) = self.sends.front().copied().filter(|(_, end)| *end <= to) {
            self.sends.pop_front();
            inside += u64::from(end > from && end < to);
            is_whole = end == to;
        }
        // Of a long one nobody expects to see the end at once.
        let is_long = self.sends.front().is_some_and(|(begin, end)| end - begin > MESSAGE);
        // What was sent before anybody watched is not known.
        if self.is_lost || to > self.sent || amount > MESSAGE {
            return;
        }
        let time = seen.row.time;
        let more = |count: u64| if count > 1 { format!("; {count} times so far") } else { String::new() };
        if inside > 0 {
            let sends = inside + 1;
            let next = "no fault: TCP keeps bytes in order and knows no messages; frame them: a length before each, or a delimiter behind";
            let begin = || {
                let finding = Finding::new(seen, "joined-messages", Severity::Note).with("sends", sends);
                finding.with("bytes", amount).says("", next)
            };
            let words = |count| format!("{sends} sends came out of one recv ({amount} bytes){}", more(count));
            list.count(&mut self.joined, time, begin, words);
        }
        if !is_whole && !is_long {
            let next = "no fault: read on until the whole message is there; framing says how long it is";
            let begin =
                || Finding::new(seen, "split-message", Severity::Note).with("bytes", amount).says("", next);
            let words =
                |count| format!("one recv ({amount} bytes) ended in the middle of a send{}", more(count));
            list.count(&mut self.split, time, begin, words);
        }
    }
}
