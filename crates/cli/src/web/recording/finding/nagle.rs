//! Nagle against delayed acknowledgements: each waits for the other, and a small message takes 40 ms or more.

use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Call;

use super::{Finding, List, Seen, Severity};

/// A wait from here on is a delayed acknowledgement's, and not the network's.
const DELAYED: Duration = Duration::from_millis(30);

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ways: [Way; 2],
}

#[derive(Debug, Default)]
struct Way {
    /// A send whose bytes have not left, while others were not acknowledged.
    held: Option<Instant>,
    /// When the last data arrived at the other end, and its length.
    arrived: Option<(Instant, u32)>,
    /// Whether it was not acknowledged yet.
    is_outstanding: bool,
    /// How long the acknowledgement was put off.
    put_off: Duration,
    finding: Option<u64>,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, list: &mut List) {
        let at = seen.row.at;
        if let Some(call) = seen.call() {
            if let (Call::Send { .. }, Ok(1..), Some(way)) =
                (call.call, call.outcome, self.ways.get_mut(call.direction))
                && way.is_outstanding
            {
                way.held.get_or_insert(at);
            }
            return;
        }
        let Some((frame, tcp)) = seen.segment() else { return };
        let [there, back] = &mut self.ways;
        let (own, other) = if tcp.direction == 0 { (there, back) } else { (back, there) };
        if tcp.length == 0 && tcp.first.is_none() {
            // A pure acknowledgement of what the other end has sent.
            if other.is_outstanding
                && let Some((arrived, _)) = other.arrived
            {
                other.put_off = at.since(arrived);
                other.is_outstanding = false;
            }
            return;
        }
        if tcp.length == 0 {
            return;
        }
        let held = own.held.take().filter(|_| tcp.first.is_none());
        let was_small = own.arrived.is_some_and(|(_, length)| length < 536);
        if let Some(since) = held
            && at.since(since) >= DELAYED
            && own.put_off >= DELAYED
            && was_small
        {
            let millis = at.since(since).as_millis() as u64;
            let next = "set TCP_NODELAY at the sender, or hand a whole message over with one send";
            let begin = || {
                Finding::new(seen, "nagle-delayed-ack", Severity::Warning)
                    .with("direction", tcp.direction)
                    .with("millis", millis)
                    .says("", next)
            };
            list.count(&mut own.finding, begin, at, |count| {
                let times = if count > 1 { format!(", {count} times") } else { String::new() };
                format!("a small send waited {millis} ms for an acknowledgement (Nagle) that the other end put off (delayed ACK){times}")
            });
        }
        own.put_off = Duration::ZERO;
        own.arrived = frame.arrives().map(|arrives| (arrives, tcp.length));
        own.is_outstanding = own.arrived.is_some();
        // Data takes the acknowledgement along.
        other.is_outstanding = false;
    }
}
