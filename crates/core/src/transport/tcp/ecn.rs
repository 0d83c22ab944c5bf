//! Explicit congestion notification: what both ends agree on (RFC 3168, RFC 9768), and with the feedback of RFC 3168 what each
//! half remembers and when it acts.
//!
//! The sender's half marks new data as ECN-capable, reduces its window once a round trip where the peer echoes
//! congestion, and says so with CWR. The receiver's half echoes a mark it has seen until that CWR. What is different with
//! accurate ECN is in `accurate_ecn`.

use super::Connection;
use super::accurate_ecn::{self, AccurateReceiver, AccurateSender, Report, ace};
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
    /// Accurate ECN (RFC 9768) is asked for, and granted; so is the other kind to a peer that knows no better (3).
    Accurate,
    /// ECN is asked for, and what is asked is granted, accurate ECN too (4).
    AccurateForPeers,
    /// What is asked is granted, accurate ECN too (5).
    AccuratePassive,
}

/// How congestion is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Feedback {
    /// Not at all: ECN is not in use.
    #[default]
    Off,
    /// Once a round trip (RFC 3168).
    Classic,
    /// Every mark (RFC 9768).
    Accurate,
}

impl EcnMode {
    /// What a SYN of ours asks for.
    fn asks(self) -> Feedback {
        match self {
            EcnMode::On | EcnMode::AccurateForPeers => Feedback::Classic,
            EcnMode::Accurate => Feedback::Accurate,
            EcnMode::Off | EcnMode::Passive | EcnMode::AccuratePassive => Feedback::Off,
        }
    }

    /// What a peer gets whose SYN has these flags. Those that RFC 9768 leaves open ask for whatever will come after it
    /// (section 3.1.3).
    pub(super) fn grants(self, flags: Flags) -> Feedback {
        let is_accurate =
            matches!(self, EcnMode::Accurate | EcnMode::AccurateForPeers | EcnMode::AccuratePassive);
        match ace(flags) {
            0 => Feedback::Off,
            _ if self == EcnMode::Off => Feedback::Off,
            0b011 => Feedback::Classic,
            _ if is_accurate => Feedback::Accurate,
            _ if is_setup(flags) => Feedback::Classic,
            _ => Feedback::Off,
        }
    }
}

/// What an acknowledgement says about congestion.
#[derive(Clone, Copy, Debug)]
pub(super) enum Echo {
    /// Whether there was some, in RFC 3168's way.
    Classic(bool),
    /// In RFC 9768's way.
    Accurate(Report),
}

/// What the sender's half remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnSender {
    /// How the peer reports congestion; before its SYN has come: how we want it to.
    pub(super) feedback: Feedback,
    /// A SYN without ECN was sent or received besides, in the fallback of section 6.1.1.1: such a connection must not
    /// mark its data (section 6.1.1), but goes on echoing what a peer marks that sees it otherwise.
    is_silent: bool,
    /// The next new data tells the peer that the window was reduced.
    cwr_due: bool,
    /// Segments acknowledged together with an echo, or reported as marked.
    pub(super) delivered_ce: u32,
    accurate: AccurateSender,
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
    /// What is counted besides, or instead.
    pub(super) accurate: AccurateReceiver,
}

impl EcnSender {
    /// Before an active open.
    pub(super) fn asking(mode: EcnMode) -> EcnSender {
        EcnSender { feedback: mode.asks(), ..EcnSender::default() }
    }

    /// After a passive one.
    pub(super) fn granted(feedback: Feedback, is_silent: bool) -> EcnSender {
        EcnSender { feedback, is_silent, ..EcnSender::default() }
    }

    /// Whether ECN is in use.
    pub(super) fn is_on(&self) -> bool {
        self.feedback != Feedback::Off
    }

    /// Nothing more is marked as ECN-capable: the path or the peer does not do with it what it should.
    pub(super) fn silence(&mut self) {
        self.is_silent = true;
        self.cwr_due = false;
    }

    /// The window was reduced, for whatever reason: the peer shall know, and stop echoing.
    pub(super) fn on_reduced(&mut self) {
        self.cwr_due = self.feedback == Feedback::Classic && !self.is_silent;
    }

    /// Whether the next new data carries CWR. Such a segment leaves alone: of several that a device cuts only the first
    /// may carry it.
    pub(super) fn is_cwr_due(&self) -> bool {
        self.cwr_due
    }

    /// What this segment says about congestion. In a handshake the flags mean something else.
    pub(super) fn echo(&self, segment: &Segment, is_handshake: bool) -> Echo {
        match self.feedback {
            Feedback::Accurate if !is_handshake => Echo::Accurate(Report::of(segment)),
            Feedback::Classic => {
                Echo::Classic(segment.flags.contains(Flags::ECE) && !segment.flags.contains(Flags::SYN))
            }
            _ => Echo::Classic(false),
        }
    }

    /// Whether any of the segments of `mss` bytes that an acknowledgement reports delivered met congestion. By the counters
    /// of one that reports nothing delivered nothing is known: it may be older than what is known already.
    pub(super) fn on_echo(&mut self, echo: Echo, segments: u32, mss: u32) -> bool {
        let marked = match echo {
            Echo::Classic(is_echo) => return is_echo,
            Echo::Accurate(_) if segments == 0 => return false,
            Echo::Accurate(report) => self.accurate.on_report(report, segments, mss),
        };
        let Some(marked) = marked else {
            self.silence();
            return false;
        };
        self.delivered_ce = self.delivered_ce.wrapping_add(marked);
        marked > 0
    }

    /// With the feedback of RFC 3168 it is not known how many: all are counted.
    pub(super) fn count_echo(&mut self, is_echo: bool, segments: u32) {
        if is_echo && self.feedback == Feedback::Classic {
            self.delivered_ce = self.delivered_ce.wrapping_add(segments);
        }
    }

    /// How new data leaves: its ECN field, and its additional flag.
    pub(super) fn on_new_data(&mut self) -> (Codepoint, Flags) {
        if !self.is_on() || self.is_silent {
            return (Codepoint::NotEct, Flags::NONE);
        }
        let was_due = core::mem::take(&mut self.cwr_due);
        (Codepoint::Ect0, if was_due { Flags::CWR } else { Flags::NONE })
    }
}

impl EcnReceiver {
    /// The flags that every segment behind the handshake carries.
    pub(super) fn flags(&self, feedback: Feedback) -> Flags {
        match feedback {
            Feedback::Accurate => self.accurate.flags(),
            _ if self.echo => Flags::ECE,
            _ => Flags::NONE,
        }
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

/// The flags of a SYN that asks for this.
pub(super) fn setup(feedback: Feedback) -> Flags {
    match feedback {
        Feedback::Off => Flags::NONE,
        Feedback::Classic => SETUP,
        Feedback::Accurate => SETUP | Flags::AE,
    }
}

/// The flags of a SYN-ACK that grants this to a SYN which came with this field.
pub(super) fn grant(feedback: Feedback, field: Codepoint) -> Flags {
    match feedback {
        Feedback::Off => Flags::NONE,
        Feedback::Classic => Flags::ECE,
        Feedback::Accurate => accurate_ecn::handshake_flags(field),
    }
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
        // RFC 3168 section 6.1.1.1: something on the path may drop what it does not know. RFC 9768 section 3.1.4.1 would
        // rather have it tried once more: losses are common, such paths are not.
        let patience = if self.sender.ecn.feedback == Feedback::Accurate { 1 } else { 0 };
        let falls_back = is_again && self.sender.timeouts > patience && self.settings.ecn_fallback;
        self.sender.ecn.is_silent |= falls_back;
        setup(if falls_back { Feedback::Off } else { self.sender.ecn.feedback })
    }

    /// The peer's SYN or SYN-ACK has come in answer to ours.
    pub(super) fn negotiate_ecn(&mut self, flags: Flags) {
        let (asked, ace) = (self.sender.ecn.feedback, ace(flags));
        let is_answer = flags.contains(Flags::ACK);
        let feedback = match asked {
            Feedback::Off => Feedback::Off,
            // Both ends have sent a SYN: what both have asked for.
            _ if !is_answer && ace == 0b111 => asked,
            _ if !is_answer && is_setup(flags) => Feedback::Classic,
            _ if !is_answer => Feedback::Off,
            Feedback::Classic if flags.contains(Flags::ECE) && !flags.contains(Flags::CWR) => {
                Feedback::Classic
            }
            Feedback::Classic => Feedback::Off,
            // RFC 9768 table 2: one that knows no ECN, and one that sends our flags back; one that knows RFC 3168.
            Feedback::Accurate if matches!(ace, 0b000 | 0b111) => Feedback::Off,
            Feedback::Accurate if matches!(ace, 0b001 | 0b101) => Feedback::Classic,
            Feedback::Accurate => Feedback::Accurate,
        };
        self.sender.ecn.feedback = feedback;
        if feedback == Feedback::Accurate {
            let receiver = &mut self.receiver.ecn;
            receiver.accurate.first = receiver.codepoint;
            receiver.accurate.tells_first = is_answer;
            if is_answer {
                receiver.accurate.on_packets(receiver.codepoint, 0, 1, &mut self.receiver.ack);
            }
            if is_answer && accurate_ecn::shows_mangling(ace) {
                self.sender.ecn.silence();
            }
        }
    }

    /// What an acceptable segment with payload or without says about congestion on the peer's way to us.
    pub(super) fn note_congestion(&mut self, segment: &Segment) {
        let receiver = &mut self.receiver;
        match self.sender.ecn.feedback {
            Feedback::Off => return,
            Feedback::Classic => {}
            Feedback::Accurate => {
                // Several segments that a device has joined had the same field.
                let packets = segment.length.div_ceil(receiver.ack.segment().max(1)).max(1);
                let field = receiver.ecn.codepoint;
                receiver.ecn.is_seen |= segment.length > 0 && field != Codepoint::NotEct;
                receiver.ecn.accurate.on_packets(field, segment.length, packets, &mut receiver.ack);
                return;
            }
        }
        receiver.ecn.on_reduced(segment, &mut receiver.ack);
        // A mark on what came before says nothing new, and one beyond the window may be anybody's (section 6.1.5).
        if segment.length > 0 && (segment.seq + segment.length).is_after(receiver.nxt) {
            receiver.ecn.on_data(&mut receiver.ack);
        }
    }
}
