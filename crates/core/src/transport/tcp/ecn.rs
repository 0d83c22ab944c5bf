//! Explicit congestion notification (RFC 3168): what both ends agree on, what each half remembers, and when it acts.
//!
//! The sender's half marks new data as ECN-capable, reduces its window once a round trip where the peer echoes
//! congestion, and says so with CWR. The receiver's half echoes a mark it has seen until that CWR. The marks of RFC 9768
//! (accurate ECN) are neither sent nor asked for.

use super::Connection;
use super::delayed_ack::DelayedAck;
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::{Flags, Segment};

/// The two flags of an ECN-setup SYN (RFC 3168 section 6.1.1).
const SETUP: Flags = Flags::ECE.union(Flags::CWR);
/// How many acknowledgements leave at once after a mark, or where a mark may be missing.
const QUICK: u8 = 2;

/// Whether ECN is negotiated: Linux's `tcp_ecn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EcnMode {
    /// Neither asked for nor granted (0).
    Off,
    /// Asked for and granted (1).
    On,
    /// Granted to a peer that asks (2).
    #[default]
    Passive,
}

/// What the sender's half remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnSender {
    /// Both ends know about ECN; before the peer's SYN has come: we want to.
    pub(super) is_on: bool,
    /// A SYN without ECN was sent or received besides, in the fallback of section 6.1.1.1: such a connection must not
    /// mark its data (section 6.1.1), but goes on echoing what a peer marks that sees it otherwise.
    is_silent: bool,
    /// The next new data tells the peer that the window was reduced.
    cwr_due: bool,
    /// Segments acknowledged together with an echo.
    pub(super) delivered_ce: u32,
}

/// What the receiver's half remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnReceiver {
    /// The field of the packet being looked at.
    codepoint: Codepoint,
    /// Congestion was experienced, and the peer has not said yet that it knows.
    echo: bool,
    /// The peer has marked data as ECN-capable.
    pub(super) is_seen: bool,
}

impl EcnSender {
    /// Before an active open.
    pub(super) fn asking(mode: EcnMode) -> EcnSender {
        EcnSender { is_on: mode == EcnMode::On, ..EcnSender::default() }
    }

    /// After a passive one.
    pub(super) fn granted(is_on: bool, is_silent: bool) -> EcnSender {
        EcnSender { is_on, is_silent, ..EcnSender::default() }
    }

    /// The window was reduced, for whatever reason: the peer shall know, and stop echoing.
    pub(super) fn on_reduced(&mut self) {
        self.cwr_due = self.is_on && !self.is_silent;
    }

    /// Whether the next new data carries CWR. Such a segment leaves alone: of several that a device cuts only the first
    /// may carry it.
    pub(super) fn is_cwr_due(&self) -> bool {
        self.cwr_due
    }

    /// Whether an acknowledgement with these flags echoes congestion.
    pub(super) fn is_echo(&self, flags: Flags) -> bool {
        self.is_on && flags.contains(Flags::ECE) && !flags.contains(Flags::SYN)
    }

    /// How new data leaves: its ECN field, and its additional flag.
    pub(super) fn on_new_data(&mut self) -> (Codepoint, Flags) {
        if !self.is_on || self.is_silent {
            return (Codepoint::NotEct, Flags::NONE);
        }
        let was_due = core::mem::take(&mut self.cwr_due);
        (Codepoint::Ect0, if was_due { Flags::CWR } else { Flags::NONE })
    }
}

impl EcnReceiver {
    /// The flag that every segment behind the handshake carries.
    pub(super) fn echo(&self) -> Flags {
        if self.echo { Flags::ECE } else { Flags::NONE }
    }

    /// An acceptable segment says that the peer has reduced its window: the echo has done its work.
    fn on_reduced(&mut self, segment: &Segment, ack: &mut DelayedAck) {
        if !segment.flags.contains(Flags::CWR) {
            return;
        }
        self.echo = false;
        if segment.length > 0 {
            // Its window may be so small now that it waits for this very acknowledgement.
            ack.owe();
        }
    }

    /// New data has come with this field.
    fn on_data(&mut self, ack: &mut DelayedAck) {
        match self.codepoint {
            // Most probably a retransmission, which is never marked as capable: the peer is recovering.
            Codepoint::NotEct if self.is_seen => ack.hurry(QUICK),
            Codepoint::NotEct => {}
            Codepoint::Ce => {
                if !self.echo {
                    ack.hurry(QUICK);
                }
                self.echo = true;
                self.is_seen = true;
            }
            Codepoint::Ect0 | Codepoint::Ect1 => self.is_seen = true,
        }
    }
}

/// Whether this SYN asks for ECN (RFC 3168 section 6.1.1). One from an end that knows RFC 9768 does too.
pub(super) fn is_setup(flags: Flags) -> bool {
    flags.contains(SETUP)
}

/// The flags of a SYN that asks for ECN.
pub(super) fn setup(is_asking: bool) -> Flags {
    if is_asking { SETUP } else { Flags::NONE }
}

/// The flag of a SYN-ACK that grants it.
pub(super) fn grant(is_granted: bool) -> Flags {
    if is_granted { Flags::ECE } else { Flags::NONE }
}

impl Connection {
    /// As [`Connection::on_segment`], for a segment whose packet had this ECN field.
    ///
    /// # Errors
    /// The same.
    pub fn on_marked_segment(
        &mut self,
        now: crate::time::Instant,
        segment: &Segment,
        payload: &[u8],
        codepoint: Codepoint,
    ) -> Result<(), crate::drop_reason::DropReason> {
        self.receiver.ecn.codepoint = codepoint;
        let outcome = self.on_segment(now, segment, payload);
        self.receiver.ecn.codepoint = Codepoint::NotEct;
        outcome
    }

    /// The flags of a SYN of ours.
    pub(super) fn syn_flags(&mut self, is_again: bool) -> Flags {
        // RFC 3168 section 6.1.1.1: something on the path may drop what it does not know.
        let falls_back = is_again && self.settings.ecn_fallback;
        self.sender.ecn.is_silent |= falls_back;
        setup(self.sender.ecn.is_on && !falls_back)
    }

    /// The peer's SYN or SYN-ACK has come in answer to ours.
    pub(super) fn negotiate_ecn(&mut self, flags: Flags) {
        let is_granted = if flags.contains(Flags::ACK) {
            flags.contains(Flags::ECE) && !flags.contains(Flags::CWR)
        } else {
            is_setup(flags)
        };
        self.sender.ecn.is_on &= is_granted;
    }

    /// What an acceptable segment with payload or without says about congestion on the peer's way to us.
    pub(super) fn note_congestion(&mut self, segment: &Segment) {
        if !self.sender.ecn.is_on {
            return;
        }
        let receiver = &mut self.receiver;
        receiver.ecn.on_reduced(segment, &mut receiver.ack);
        // A mark on what came before says nothing new, and one beyond the window may be anybody's (section 6.1.5).
        if segment.length > 0 && (segment.seq + segment.length).is_after(receiver.nxt) {
            receiver.ecn.on_data(&mut receiver.ack);
        }
    }
}
