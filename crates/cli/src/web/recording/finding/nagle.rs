//! Nagle against delayed acknowledgements: each waits for the other, and a small message takes 40 ms or more.

use super::{Connection, Finding, List, Seen, Severity, amount};

/// A wait of so many seconds is a delayed acknowledgement's, and not the network's.
const DELAYED: f64 = 0.03;
/// What is smaller than that Nagle holds back.
const SMALL: usize = 536;

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ways: [Way; 2],
}

#[derive(Debug, Default)]
struct Way {
    /// Bytes that were handed over and have not left, and since when they wait while others are not acknowledged.
    unsent: u64,
    held: Option<f64>,
    /// When the last data arrived at the other end, and its length.
    arrived: Option<(f64, usize)>,
    /// Whether it was not acknowledged yet.
    is_outstanding: bool,
    /// How long the acknowledgement was put off.
    put_off: f64,
    finding: Option<u64>,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        let time = seen.row.time;
        if let Some(call) = seen.call() {
            let end = usize::from(connection.hosts.first().copied().flatten() != Some(call.host));
            if let Some(way) = self.ways.get_mut(end)
                && call.call == "send"
                && let Some(amount) = amount(call).filter(|amount| *amount > 0)
            {
                way.unsent += amount;
                if way.is_outstanding {
                    way.held.get_or_insert(time);
                }
            }
            return;
        }
        let Some((frame, direction)) = seen.segment() else { return };
        let [there, back] = &mut self.ways;
        let (own, other) = if direction == 0 { (there, back) } else { (back, there) };
        let length = frame.data.unwrap_or_default();
        if length == 0 {
            // A pure acknowledgement of what the other end has sent.
            if frame.first.is_none()
                && other.is_outstanding
                && let Some((arrived, _)) = other.arrived
            {
                other.put_off = time - arrived;
                other.is_outstanding = false;
            }
            return;
        }
        let held = own.held.take().filter(|_| frame.first.is_none());
        let was_small = own.arrived.is_some_and(|(_, length)| length < SMALL);
        if let Some(since) = held
            && time - since >= DELAYED
            && own.put_off >= DELAYED
            && was_small
        {
            let host = seen.end(connection, direction);
            let millis = ((time - since) * 1000.0).round() as u64;
            let next = "set TCP_NODELAY at the sender, or hand a whole message over with one send";
            let begin = || {
                let finding = Finding::new(seen, "nagle", Severity::Warning).with("host", host.clone());
                finding.with("millis", millis).says("", next)
            };
            list.count(&mut own.finding, time, begin, |count| {
                let times = if count > 1 { format!(", {count} times") } else { String::new() };
                format!("a small send of {host} waited {millis} ms for an acknowledgement (Nagle) that the other end put off (delayed ACK){times}")
            });
        }
        if frame.first.is_none() {
            own.unsent = own.unsent.saturating_sub(length as u64);
        }
        own.held = (own.unsent > 0).then_some(time);
        own.put_off = 0.0;
        own.arrived = frame.arrives.map(|arrives| (arrives, length));
        own.is_outstanding = own.arrived.is_some();
        // Data takes the acknowledgement along.
        other.is_outstanding = false;
    }
}
