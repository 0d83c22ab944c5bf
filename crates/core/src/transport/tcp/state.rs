//! The eleven states of a connection (RFC 9293 section 3.3.2), the legal moves between them, and a drawing of both.

use core::fmt;

/// The state of a connection.
///
/// ```
/// use sockeye_core::transport::tcp::State;
/// assert_eq!(State::FinWait2.to_string(), "FIN-WAIT-2");
/// assert!(State::is_legal(State::SynSent, State::Established));
/// assert!(!State::is_legal(State::TimeWait, State::Established));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// No connection: not yet, or no more.
    Closed,
    /// Waiting for anybody's SYN.
    Listen,
    /// Our SYN is sent, the peer's not seen.
    SynSent,
    /// Both SYNs are sent, ours is not acknowledged yet.
    SynReceived,
    /// Data flows both ways.
    Established,
    /// Our FIN is sent (or waits behind data), not acknowledged.
    FinWait1,
    /// Our FIN is acknowledged; the peer may still send.
    FinWait2,
    /// The peer's FIN has come; we may still send.
    CloseWait,
    /// Both FINs are sent, ours is not acknowledged.
    Closing,
    /// The peer closed first, our FIN is sent, not acknowledged.
    LastAck,
    /// Over; the last acknowledgement may be asked for again.
    TimeWait,
}

/// Every legal move and what causes it, in the order of RFC 9293's figure 5; any state may also move to CLOSED by an
/// abort, a reset or a time-out, which is not listed again for each.
const MOVES: &[(State, State, &str)] = &[
    (State::Closed, State::Listen, "listen"),
    (State::Closed, State::SynSent, "connect / SYN"),
    (State::Listen, State::SynReceived, "SYN / SYN-ACK"),
    (State::SynSent, State::SynReceived, "SYN / SYN-ACK"),
    (State::SynSent, State::Established, "SYN-ACK / ACK"),
    (State::SynReceived, State::Established, "ACK"),
    (State::SynReceived, State::FinWait1, "close / FIN"),
    (State::Established, State::FinWait1, "close / FIN"),
    (State::Established, State::CloseWait, "FIN / ACK"),
    (State::FinWait1, State::FinWait2, "ACK of FIN"),
    (State::FinWait1, State::Closing, "FIN / ACK"),
    (State::FinWait1, State::TimeWait, "FIN + ACK of FIN / ACK"),
    (State::FinWait2, State::TimeWait, "FIN / ACK"),
    (State::CloseWait, State::LastAck, "close / FIN"),
    (State::Closing, State::TimeWait, "ACK of FIN"),
    (State::LastAck, State::Closed, "ACK of FIN"),
    (State::TimeWait, State::Closed, "2 MSL"),
];

impl State {
    /// All of them, in the order of a connection's life.
    pub const ALL: [State; 11] = [
        State::Closed,
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];

    /// The RFC's name.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        }
    }

    /// Whether a connection may move from one state to the other in one step. Every state may move to CLOSED.
    pub fn is_legal(from: State, to: State) -> bool {
        to == State::Closed || MOVES.iter().any(|&(a, b, _)| (a, b) == (from, to))
    }

    /// Whether both SYNs were exchanged: the peer's sequence numbers are known.
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, State::Closed | State::Listen | State::SynSent)
    }

    /// The states and moves as a Mermaid state diagram, `current` highlighted where given.
    ///
    /// ```
    /// use sockeye_core::transport::tcp::State;
    /// assert!(State::diagram(Some(State::LastAck)).contains("CLOSE_WAIT --> LAST_ACK : close / FIN"));
    /// ```
    pub fn diagram(current: Option<State>) -> String {
        let id = |state: State| state.name().replace('-', "_");
        let mut text = String::from("stateDiagram-v2\n    [*] --> CLOSED\n");
        for (from, to, cause) in MOVES {
            text += &format!("    {} --> {} : {cause}\n", id(*from), id(*to));
        }
        if let Some(state) = current {
            text += &format!(
                "    classDef current font-weight:bold,stroke-width:3px\n    class {} current\n",
                id(state)
            );
        }
        text
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_reached_and_left() {
        for state in State::ALL {
            assert!(MOVES.iter().any(|(from, _, _)| *from == state), "{state} cannot be left");
            assert!(MOVES.iter().any(|(_, to, _)| *to == state), "{state} cannot be reached");
            assert!(State::diagram(None).contains(&state.name().replace('-', "_")));
        }
        assert!(!State::is_legal(State::Established, State::LastAck));
    }
}
