//! Ends that hear nothing any more: keepalives without answer, senders that give up, half-open connections.

use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::State;

use super::{Connection, Finding, List, Seen, Severity, end_name};

/// When one end is gone, the other learns of it within this time, or it is half-open.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who has heard what.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Keepalives without answer, by direction.
    keepalives: [u64; 2],
    /// An end that is gone, while the other may not know.
    gone: Option<Gone>,
}

#[derive(Debug)]
struct Gone {
    end: usize,
    finding: Finding,
}

impl Watch {
    pub(super) fn look(&mut self, seen: &Seen<'_>, connection: &Connection, list: &mut List) {
        if let Some((frame, tcp)) = seen.segment() {
            let [here, there] = &mut self.keepalives;
            let (own, other) = if tcp.direction == 0 { (here, there) } else { (there, here) };
            if tcp.numbers.is_keepalive {
                *own += 1;
            }
            if frame.arrives().is_some() {
                *other = 0;
            }
        }
        if let Some(state) = seen.state() {
            let is_over = state.before == State::TimeWait;
            let cause = if is_over { "" } else { state.cause };
            self.on_state(seen, connection, (state.end, state.state, cause), list);
        }
        self.wait(seen.row.at, connection, list);
    }

    fn on_state(
        &mut self,
        seen: &Seen<'_>,
        connection: &Connection,
        (end, state, cause): (usize, State, &str),
        list: &mut List,
    ) {
        let is_gone = |state: Option<State>| matches!(state, None | Some(State::Closed | State::TimeWait));
        if is_gone(connection.end(1 - end).state)
            || is_gone(connection.end(end).state) && state != State::Closed
        {
            self.gone = None;
        }
        if state != State::Closed {
            return;
        }
        let name = end_name(connection, end);
        if cause == "timer" {
            let unanswered = if end == 0 { self.keepalives[0] } else { self.keepalives[1] };
            let finding = match unanswered {
                0 => Finding::new(seen, "gave-up", Severity::Error).says(
                    format!("{name} has given up: nothing of what it sent again was acknowledged"),
                    "look if the other host and the way to it are still there",
                ),
                probes => Finding::new(seen, "keepalive-death", Severity::Error).with("probes", probes).says(
                    format!("{name} has ended the connection: {probes} keepalives were not answered"),
                    "connect again; the other host is gone, or the way to it",
                ),
            };
            list.add(finding.with("end", end).with("address", name.clone()));
        }
        if connection
            .end(1 - end)
            .state
            .is_some_and(|other| other >= State::Established && other != State::TimeWait)
        {
            let other = end_name(connection, 1 - end);
            let finding = Finding::new(seen, "half-open", Severity::Error)
                .with("end", 1 - end)
                .with("address", other.clone())
                .says(
                    format!("{name} is gone, and {other} does not know: a half-open connection"),
                    "send something, or set keepalive: only that finds out",
                );
            self.gone = Some(Gone { end, finding });
        }
    }

    /// Time has gone on.
    pub(super) fn wait(&mut self, now: Instant, connection: &Connection, list: &mut List) {
        let Some(gone) = &self.gone else { return };
        let other = connection.end(1 - gone.end).state;
        let knows_not = other.is_some_and(|it| it >= State::Established && it != State::TimeWait);
        if !knows_not {
            self.gone = None;
        } else if now.since(gone.finding.at) > PATIENCE
            && let Some(gone) = self.gone.take()
        {
            list.add(Finding { until: now, ..gone.finding });
        }
    }
}
