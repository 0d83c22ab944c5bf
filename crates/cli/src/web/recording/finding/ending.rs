//! Connections that end in another way than by FIN: resets and their cause, keepalives without answer, senders that give up,
//! and half-open connections.

use std::collections::BTreeMap;

use super::{Connection, Finding, FrameRow, Kind, List, Seen, Severity, StateRow, amount, has};

/// A RST that follows a close so soon, in seconds, comes of it.
const AT_ONCE: f64 = 0.02;
/// When one end is gone, the other learns of it within so many seconds, or the connection is half-open.
const PATIENCE: f64 = 3.0;
/// Connections that are waited for.
const WAITING: usize = 64;

/// What a connection has come to, by end.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When its program has closed it.
    closed: [Option<f64>; 2],
    /// Bytes that the program has taken, and that have come.
    taken: [u64; 2],
    came: [u64; 2],
    /// Keepalives without answer.
    keepalives: [u64; 2],
    has_begun: bool,
    /// Why it ended has been told.
    is_told: bool,
}

impl Watch {
    pub(super) fn look(
        &mut self,
        seen: &Seen<'_>,
        connection: &Connection,
        gone: &mut Gone,
        list: &mut List,
    ) {
        if let Some(call) = seen.call() {
            let end = usize::from(connection.hosts.first().copied().flatten() != Some(call.host));
            match (call.call, self.closed.get_mut(end), self.taken.get_mut(end)) {
                ("close", Some(closed), _) if call.error.is_none() => *closed = Some(seen.row.time),
                ("recv", _, Some(taken)) => *taken += amount(call).unwrap_or_default(),
                _ => {}
            }
        }
        if let Some(state) = seen.state() {
            self.on_state(seen, connection, state, gone, list);
        }
        if let Some((frame, direction)) = seen.segment() {
            self.on_segment(seen, connection, (frame, direction), list);
        }
    }

    fn on_segment(
        &mut self,
        seen: &Seen<'_>,
        connection: &Connection,
        (frame, direction): (&FrameRow, usize),
        list: &mut List,
    ) {
        let [left, right] = &mut self.keepalives;
        let (own, other) = if direction == 0 { (left, right) } else { (right, left) };
        *own += u64::from(frame.words.ends_with("keepalive"));
        if frame.arrives.is_some() {
            *other = 0;
        }
        self.has_begun |= !has(frame, "SYN") && !has(frame, "RST");
        if !has(frame, "RST") {
            if let Some(came) = self.came.get_mut(1 - direction)
                && frame.arrives.is_some()
                && frame.first.is_none()
            {
                *came += frame.data.unwrap_or_default() as u64;
            }
            return;
        }
        // Before the handshake is done it is a refusal, and who has given up says so with a RST: both are told elsewhere.
        if self.has_begun && !core::mem::replace(&mut self.is_told, true) {
            list.add(self.reset(seen, connection, (frame, direction)));
        }
    }

    /// Why `end` has sent a RST.
    fn reset(&self, seen: &Seen<'_>, connection: &Connection, (frame, end): (&FrameRow, usize)) -> Finding {
        let host = seen.end(connection, end);
        let of = |pair: [u64; 2]| pair.get(end).copied().unwrap_or_default();
        let closed = self.closed.get(end).copied().flatten();
        let unread = of(self.came).saturating_sub(of(self.taken));
        let is_by_close = closed.is_some_and(|at| seen.row.time - at <= AT_ONCE);
        let knows_nothing = matches!(frame.states.first().copied().flatten(), None | Some("CLOSED"));
        let other_is_open = is_open(connection, 1 - end);
        let (kind, words, next) = if is_by_close && unread > 0 {
            let words = format!(
                "{host} closed with {unread} bytes unread: that is answered with RST (RFC 2525 2.17)"
            );
            ("reset-unread", words, "read until recv returns 0 before closing")
        } else if is_by_close {
            let words =
                format!("{host} closed with linger 0: the connection is reset instead of closed in order");
            ("reset-linger", words, "leave SO_LINGER off unless losing what is under way is meant")
        } else if closed.is_some() {
            let words = format!(
                "{host} had closed already when more data came: nobody is there to read it, so it answers RST"
            );
            (
                "reset-after-close",
                words,
                "let the ends agree on who closes when: shut writing down, read to the end, then close",
            )
        } else if knows_nothing && other_is_open && seen.kind != Kind::File {
            let words = format!(
                "{host} knows nothing of this connection (it was restarted, or gave it up), while the other end thought it open"
            );
            ("reset-half-open", words, "connect again; keepalive finds such connections without data")
        } else {
            ("reset", format!("{host} has reset the connection"), "look what that program did at that moment")
        };
        let finding = Finding::new(seen, kind, Severity::Error).with("host", host);
        finding.with("unread", unread).says(words, next)
    }

    fn on_state(
        &mut self,
        seen: &Seen<'_>,
        connection: &Connection,
        state: &StateRow,
        gone: &mut Gone,
        list: &mut List,
    ) {
        if state.state != "CLOSED" {
            return;
        }
        let end =
            usize::from(connection.ends.first().map(ToString::to_string) != Some(state.address.clone()));
        let host = seen.host(state.host);
        // The end of TIME-WAIT, and of FIN-WAIT-2 without a program, is as it should be.
        if state.cause == "timer" && !matches!(state.before, "TIME-WAIT" | "FIN-WAIT-2") {
            self.is_told = true;
            let unanswered = self.keepalives.get(end).copied().unwrap_or_default();
            let (kind, words, next) = match (state.before, unanswered) {
                ("SYN-SENT", _) => (
                    "timed-out",
                    format!("{host} has given up connecting: none of its SYNs was answered"),
                    "look if the address is right, and if the host is up",
                ),
                ("SYN-RECEIVED", _) => (
                    "half-open-forgotten",
                    format!("{host} forgets a connection that was begun and never completed"),
                    "nothing: that is what the half-open queue is for",
                ),
                (_, 0) => (
                    "gave-up",
                    format!("{host} has given up: nothing of what it sent again was acknowledged"),
                    "look if the other host and the way to it are still there",
                ),
                (_, probes) => (
                    "keepalive",
                    format!("{host} has ended the connection: {probes} keepalives were not answered"),
                    "connect again; the other host is gone, or the way to it",
                ),
            };
            let severity = if kind == "half-open-forgotten" { Severity::Note } else { Severity::Error };
            let finding = Finding::new(seen, kind, severity).with("host", host.clone());
            list.add(finding.with("probes", unanswered).says(words, next));
        }
        if is_open(connection, 1 - end) {
            let other = seen.end(connection, 1 - end);
            let words = format!("{host} is gone, and {other} does not know: a half-open connection");
            let next = "send something, or set keepalive: only that finds out";
            let finding = Finding::new(seen, "half-open", Severity::Error).with("host", other);
            gone.push(connection.number, 1 - end, finding.with("gone", host).says(words, next));
        }
    }
}

/// Whether an end thinks that the connection is there.
fn is_open(connection: &Connection, end: usize) -> bool {
    matches!(
        connection.state(end),
        Some("ESTABLISHED" | "FIN-WAIT-1" | "FIN-WAIT-2" | "CLOSE-WAIT" | "CLOSING" | "LAST-ACK")
    )
}

/// Ends that may not know that the other one is gone.
#[derive(Debug, Default)]
pub(super) struct Gone {
    waiting: Vec<(u32, usize, Finding)>,
}

impl Gone {
    fn push(&mut self, connection: u32, end: usize, finding: Finding) {
        if self.waiting.len() < WAITING {
            self.waiting.push((connection, end, finding));
        }
    }

    /// Time has gone on.
    pub(super) fn wait(&mut self, now: f64, connections: &BTreeMap<u32, Connection>, list: &mut List) {
        if self.waiting.is_empty() {
            return;
        }
        self.tell(now, PATIENCE, connections, list);
    }

    /// Nothing more comes: who does not know by now never learns.
    pub(super) fn finish(&mut self, end: f64, connections: &BTreeMap<u32, Connection>, list: &mut List) {
        self.tell(end, f64::NEG_INFINITY, connections, list);
    }

    fn tell(&mut self, now: f64, patience: f64, connections: &BTreeMap<u32, Connection>, list: &mut List) {
        self.waiting.retain(|(number, end, finding)| {
            let is_ignorant = connections.get(number).is_some_and(|connection| is_open(connection, *end));
            let is_late = now - finding.time > patience;
            if is_ignorant && is_late {
                list.add(Finding { until: now, ..finding.clone() });
            }
            is_ignorant && !is_late
        });
    }
}
