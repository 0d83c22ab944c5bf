//! A RST, and why it was sent.

use sockeye_core::time::{Duration, Instant};
use sockeye_core::trace::Call;
use sockeye_core::transport::tcp::State;
use sockeye_core::wire::tcp::Flags;

use super::{Connection, Finding, List, Seen, Severity, end_name};

/// A RST that follows a close so soon comes from it.
const AT_ONCE: Duration = Duration::from_millis(20);

/// What a RST is judged by, by end.
#[derive(Debug, Default)]
pub(super) struct Watch {
    closed: [Option<Instant>; 2],
    /// Bytes that the program has taken.
    taken: [u64; 2],
    /// Bytes that have come.
    came: [u64; 2],
    has_begun: bool,
    is_found: bool,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        if let Some(call) = seen.call() {
            let (Some(closed), Some(taken)) =
                (self.closed.get_mut(call.direction), self.taken.get_mut(call.direction))
            else {
                return;
            };
            match (call.call, call.outcome) {
                (Call::Close, Ok(_)) => *closed = Some(seen.row.at),
                (Call::Receive { .. }, Ok(amount)) => *taken += amount as u64,
                _ => {}
            }
        }
        if let Some(state) = seen.state() {
            // Who gives up says so with a RST: that is told as giving up.
            self.is_found |= state.state == State::Closed && state.cause == "timer";
        }
        let Some((frame, tcp)) = seen.segment() else { return };
        self.has_begun |= !tcp.flags.intersects(Flags::SYN | Flags::RST);
        if !tcp.flags.contains(Flags::RST) {
            if let Some(came) = self.came.get_mut(1 - tcp.direction)
                && frame.arrives().is_some()
                && tcp.first.is_none()
            {
                *came += u64::from(tcp.length);
            }
            return;
        }
        // Before the handshake is done it is a refusal, which is told elsewhere.
        if !self.has_begun || core::mem::replace(&mut self.is_found, true) {
            return;
        }
        let end = tcp.direction;
        let name = end_name(connection, end);
        let of = |pair: [u64; 2]| if end == 0 { pair[0] } else { pair[1] };
        let closed = if end == 0 { self.closed[0] } else { self.closed[1] };
        let unread = of(self.came).saturating_sub(of(self.taken));
        let is_by_close = closed.is_some_and(|at| seen.row.at.since(at) <= AT_ONCE);
        let other = connection.end(1 - end).state;
        let knows_nothing =
            matches!(frame.states[0].or(connection.end(end).state), None | Some(State::Closed));
        let (kind, words, next) = if is_by_close && unread > 0 {
            let words = format!(
                "{name} was closed with {unread} bytes unread: what is unread at close is answered with RST (RFC 2525 2.17)"
            );
            ("reset-unread", words, "read until recv returns 0 before closing")
        } else if is_by_close {
            let words = format!(
                "{name} was closed with linger 0: the connection is reset instead of closed in order"
            );
            ("reset-linger", words, "leave SO_LINGER off unless losing what is under way is meant")
        } else if closed.is_some() {
            let words = format!(
                "{name} was closed already when more data came: nobody is there to read it, so it answers RST"
            );
            (
                "reset-after-close",
                words,
                "let the ends agree on who closes when: shut writing down, read to the end, then close",
            )
        } else if knows_nothing && other.is_some_and(State::is_synchronized) {
            let words = format!(
                "{name} knows nothing of this connection (it was restarted, or gave it up), while the other end thought it open: a half-open connection"
            );
            ("reset-half-open", words, "connect again; keepalive finds such connections without data")
        } else {
            ("reset", format!("{name} has reset the connection"), "look what that program did at that moment")
        };
        list.add(
            Finding::new(seen, kind, Severity::Error)
                .with("end", end)
                .with("address", name)
                .with("unread", unread)
                .says(words, next),
        );
    }
}
