//! A half-open passive connection: a small record until the handshake is complete.

use super::accurate_ecn::AccurateReceiver;
use super::connection::{announced_mss, timestamp};
use super::cookie::Cookie;
use super::ecn::{self, EcnSender, Feedback};
use super::receive_space::ReceiveSpace;
use super::{Endpoints, Opening, Settings, State, empty, reset_for};
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::ecn::Codepoint;
use crate::wire::tcp::{AccurateEcn, Flags, Options, Segment, SeqNumber, Timestamps};

/// Between two challenge acknowledgements (RFC 5961 section 7).
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);

/// SYN-RECEIVED, after a SYN for a listener.
#[derive(Clone, Debug)]
pub struct Handshake {
    ends: Endpoints,
    opening: Opening,
    irs: SeqNumber,
    ts_recent: u32,
    /// What the peer offered and we want too.
    peer_mss: Option<u16>,
    peer_shift: Option<u8>,
    own_shift: u8,
    sack: bool,
    timestamps: bool,
    ecn: Feedback,
    /// With which ECN field the SYN came.
    codepoint: Codepoint,
    counts_marks: bool,
    /// Whether a SYN without ECN came too.
    ecn_doubted: bool,
    /// The window announced.
    window: u16,
    own_mss: u16,
    /// How often the SYN-ACK was sent again.
    resent: u8,
    retries: u8,
    /// How many of those times may pass before a silent peer is accepted: `TCP_DEFER_ACCEPT`.
    deferrals: u8,
    /// Whether the peer has acknowledged the SYN-ACK, but said nothing.
    is_silent: bool,
    sent: Instant,
    resend_at: Instant,
    rto: Duration,
    rto_max: Duration,
    last_challenge: Option<Instant>,
    /// Whether the SYN still waits for somebody to say how it shall be answered.
    is_held: bool,
}

/// What a segment does to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeStep {
    /// The handshake is complete: make a [`Connection`](super::Connection::accepted) of it, and give the segment to that.
    Complete,
    /// An answer; nothing changes.
    Reply(Segment),
    /// A RST as an answer; nothing changes.
    Reset(Segment),
    /// The handshake is complete, but nothing was said yet (`TCP_DEFER_ACCEPT`); or the SYN of a record that is held
    /// has come again. The record stays.
    Silent,
    /// The peer has taken its SYN back: forget the record.
    Closed,
    /// Refused; nothing changes.
    Drop(DropReason),
}

/// What the timer does to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeTimeout {
    /// The SYN-ACK is sent again.
    Resend(Segment),
    /// Nothing: a silent peer is waited for.
    Wait,
    /// Forget the record.
    GiveUp,
}

impl Handshake {
    /// A SYN has come for a listener with these settings. Payload of a SYN is not kept: the peer sends it again.
    pub fn on_syn(
        now: Instant,
        ends: Endpoints,
        syn: &Segment,
        opening: Opening,
        settings: &Settings,
    ) -> Handshake {
        let options = &syn.options;
        let own_mss = announced_mss(opening.path_mss, settings);
        Handshake {
            ends,
            opening,
            irs: syn.seq,
            ts_recent: options.timestamps.map_or(0, |timestamps| timestamps.value),
            peer_mss: options.mss,
            peer_shift: options.window_scale.filter(|_| settings.window_scaling),
            own_shift: settings.window_shift(),
            sack: settings.sack && options.sack_permitted,
            timestamps: settings.timestamps && options.timestamps.is_some(),
            ecn: settings.ecn.grants(syn.flags),
            codepoint: Codepoint::NotEct,
            counts_marks: settings.accurate_ecn_option,
            ecn_doubted: false,
            window: ReceiveSpace::first_window(settings, own_mss.into()),
            own_mss,
            resent: 0,
            retries: settings.syn_ack_retries.min(254) as u8,
            deferrals: settings.defer_accept,
            is_silent: false,
            sent: now,
            resend_at: now + settings.initial_rto,
            rto: settings.initial_rto,
            rto_max: settings.rto_max,
            last_challenge: None,
            is_held: false,
        }
    }

    /// The same, of a SYN that is not answered before [`Handshake::admit`], and given up at `until`.
    #[must_use]
    pub fn held(self, until: Instant) -> Handshake {
        Handshake { is_held: true, resend_at: until, ..self }
    }

    /// Whether the SYN waits for [`Handshake::admit`].
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// A SYN that was held shall be answered after all: the SYN-ACK, which leaves now.
    pub fn admit(&mut self, now: Instant) -> Segment {
        self.is_held = false;
        self.sent = now;
        self.resend_at = now + self.rto;
        self.syn_ack(now)
    }

    /// Where it stands: nothing was answered yet, or the SYN-ACK has left.
    pub fn state(&self) -> State {
        if self.is_held { State::Listen } else { State::SynReceived }
    }

    /// The SYN that began it, without its options: enough to be refused by a RST or quoted in an ICMP error.
    pub fn syn(&self) -> Segment {
        Segment { seq: self.irs, flags: Flags::SYN, ..empty(self.ends.remote.port(), self.ends.local.port()) }
    }

    /// The same, of a SYN that came with this ECN field.
    #[must_use]
    pub fn met(self, codepoint: Codepoint) -> Handshake {
        Handshake { codepoint, ..self }
    }

    /// What a SYN cookie remembered, restored by the acknowledgement that brought it back.
    pub fn from_cookie(
        now: Instant,
        ends: Endpoints,
        ack: &Segment,
        cookie: Cookie,
        settings: &Settings,
    ) -> Handshake {
        let opening = Opening {
            iss: cookie.iss,
            timestamp_offset: cookie.timestamp_offset(now),
            path_mss: cookie.path_mss,
        };
        let options = Options {
            mss: Some(cookie.mss),
            window_scale: cookie.window_scale,
            sack_permitted: cookie.sack,
            timestamps: ack.options.timestamps.filter(|_| cookie.echo.is_some()),
            ..Options::default()
        };
        let ecn = if cookie.ecn { Feedback::Classic } else { Feedback::Off };
        let flags = Flags::SYN | ecn::setup(ecn);
        let mut handshake = Handshake::on_syn(
            now,
            ends,
            &Segment { seq: cookie.irs, flags, options, ..*ack },
            opening,
            settings,
        );
        handshake.resent = 1; // when its SYN-ACK was sent is not known
        handshake
    }

    /// The SYN-ACK, as it is to be sent at `now`.
    pub fn syn_ack(&self, now: Instant) -> Segment {
        Segment {
            seq: self.opening.iss,
            ack: self.irs + 1,
            flags: Flags::SYN | Flags::ACK | ecn::grant(self.ecn, self.codepoint),
            window: self.window,
            options: Options {
                mss: Some(self.own_mss),
                window_scale: self.peer_shift.map(|_| self.own_shift),
                sack_permitted: self.sack,
                timestamps: self.clock(now),
                accurate_ecn: self.counters(),
                ..Options::default()
            },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        }
    }

    /// The counters of accurate ECN as they begin; not again where the first may have been lost because of them (RFC 9768
    /// section 3.2.3.2.2).
    fn counters(&self) -> Option<AccurateEcn> {
        let is_wanted = self.ecn == Feedback::Accurate && self.counts_marks && self.resent == 0;
        is_wanted.then(|| AccurateReceiver::default().option())
    }

    /// The SYN-ACK whose sequence number is the cookie `iss`. Window scale and SACK are kept in its timestamp where the
    /// peer has timestamps, and are not used otherwise. There is no room for accurate ECN: the other kind is granted.
    pub fn cookie_syn_ack(&self, now: Instant, iss: SeqNumber, _syn: &Segment) -> Segment {
        let ecn = if self.ecn == Feedback::Off { Feedback::Off } else { Feedback::Classic };
        let mut answer = Segment { seq: iss, ..Handshake { ecn, ..self.clone() }.syn_ack(now) };
        match &mut answer.options.timestamps {
            Some(timestamps) => {
                timestamps.value =
                    super::cookie::stamp(timestamps.value, self.peer_shift, self.sack, ecn != Feedback::Off);
            }
            None => {
                answer.options = Options { mss: answer.options.mss, ..Options::default() };
                answer.flags = Flags::SYN | Flags::ACK;
            }
        }
        answer
    }

    /// A segment for it: RFC 9293 section 3.10.7.4 as far as SYN-RECEIVED goes.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) -> HandshakeStep {
        let flags = segment.flags;
        let expected = self.irs + 1;
        let in_window = segment.seq.in_window(expected, u32::from(self.window).max(1));
        if flags.contains(Flags::RST) {
            return match segment.seq == expected {
                true => HandshakeStep::Closed,
                false if in_window && !self.is_held => self.challenge(now, DropReason::OutOfWindow),
                false => HandshakeStep::Drop(DropReason::OutOfWindow),
            };
        }
        if self.is_held {
            return self.on_segment_while_held(segment);
        }
        if flags.contains(Flags::SYN) {
            return if segment.seq == self.irs && !flags.contains(Flags::ACK) {
                self.ecn_doubted |= !ecn::is_setup(flags);
                HandshakeStep::Reply(self.syn_ack(now))
            } else {
                self.challenge(now, DropReason::UnexpectedSegment)
            };
        }
        if let Some(timestamps) = segment.options.timestamps.filter(|_| self.timestamps)
            && timestamps.value.wrapping_sub(self.ts_recent).cast_signed() < 0
        {
            return self.challenge(now, DropReason::OldTimestamp);
        }
        if !in_window {
            return self.challenge(now, DropReason::OutOfWindow);
        }
        if !flags.contains(Flags::ACK) {
            return HandshakeStep::Drop(DropReason::UnexpectedSegment);
        }
        if segment.ack != self.opening.iss + 1 {
            return reset_for(segment)
                .map_or(HandshakeStep::Drop(DropReason::UnacceptableAck), HandshakeStep::Reset);
        }
        if let Some(timestamps) = segment.options.timestamps.filter(|_| segment.seq == expected) {
            self.ts_recent = timestamps.value;
        }
        if self.resent < self.deferrals && segment.end() == expected {
            self.is_silent = true;
            return HandshakeStep::Silent;
        }
        HandshakeStep::Complete
    }

    /// The peer can only send its SYN again: it has got no answer, and has none to acknowledge.
    fn on_segment_while_held(&mut self, segment: &Segment) -> HandshakeStep {
        if segment.flags.contains(Flags::ACK) {
            // As in LISTEN (RFC 9293 section 3.10.7.2).
            return reset_for(segment)
                .map_or(HandshakeStep::Drop(DropReason::UnacceptableAck), HandshakeStep::Reset);
        }
        if !segment.flags.contains(Flags::SYN) || segment.seq != self.irs {
            return HandshakeStep::Drop(DropReason::UnexpectedSegment);
        }
        self.ecn_doubted |= !ecn::is_setup(segment.flags);
        if let Some(timestamps) = segment.options.timestamps {
            // The SYN-ACK shall echo the last, or the peer takes the time it was held for the path's.
            self.ts_recent = timestamps.value;
        }
        HandshakeStep::Silent
    }

    fn challenge(&mut self, now: Instant, reason: DropReason) -> HandshakeStep {
        if self.last_challenge.is_some_and(|last| now.since(last) < CHALLENGE_INTERVAL) {
            return HandshakeStep::Drop(reason);
        }
        self.last_challenge = Some(now);
        HandshakeStep::Reply(Segment {
            seq: self.opening.iss + 1,
            ack: self.irs + 1,
            flags: Flags::ACK,
            window: self.window >> self.peer_shift.map_or(0, |_| self.own_shift),
            options: Options { timestamps: self.clock(now), ..Options::default() },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        })
    }

    /// When [`Handshake::on_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Instant {
        self.resend_at
    }

    /// The SYN-ACK was not answered in time.
    pub fn on_timeout(&mut self, now: Instant) -> HandshakeTimeout {
        // A silent peer is asked again only when it would be accepted, and not given up before.
        let is_deferred = self.is_silent && self.resent < self.deferrals;
        if self.is_held || self.resent >= self.retries && !is_deferred {
            return HandshakeTimeout::GiveUp;
        }
        let is_last = self.resent + 1 >= self.deferrals;
        self.resent = self.resent.saturating_add(1);
        self.rto = self.rto.saturating_mul(2).min(self.rto_max);
        self.resend_at = now + self.rto;
        if self.is_silent && !is_last {
            return HandshakeTimeout::Wait;
        }
        HandshakeTimeout::Resend(self.syn_ack(now))
    }

    /// Whether `seq` is the number of its SYN-ACK (RFC 5927 section 4.1).
    pub fn has_sent(&self, seq: SeqNumber) -> bool {
        !self.is_held && seq == self.opening.iss
    }

    /// Its two ends.
    pub fn endpoints(&self) -> Endpoints {
        self.ends
    }

    fn clock(&self, now: Instant) -> Option<Timestamps> {
        let value = timestamp(now, self.opening.timestamp_offset);
        self.timestamps.then_some(Timestamps { value, echo: self.ts_recent })
    }

    pub(super) fn opening(&self) -> Opening {
        self.opening
    }

    pub(super) fn irs(&self) -> SeqNumber {
        self.irs
    }

    pub(super) fn ts_recent(&self) -> u32 {
        self.ts_recent
    }

    pub(super) fn uses_timestamps(&self) -> bool {
        self.timestamps
    }

    /// With which ECN field the SYN came.
    pub(super) fn codepoint(&self) -> Codepoint {
        self.codepoint
    }

    /// How ECN is used.
    pub(super) fn ecn(&self) -> EcnSender {
        EcnSender::granted(self.ecn, self.ecn_doubted)
    }

    pub(super) fn window(&self) -> u16 {
        self.window
    }

    pub(super) fn resent(&self) -> u32 {
        self.resent.into()
    }

    /// When the SYN-ACK was sent, if only once (Karn).
    pub(super) fn sent_once(&self) -> Option<Instant> {
        (self.resent == 0).then_some(self.sent)
    }

    /// The peer's options, as far as both ends want them.
    pub(super) fn agreed(&self) -> Options {
        Options {
            mss: self.peer_mss,
            window_scale: self.peer_shift,
            sack_permitted: self.sack,
            ..Options::default()
        }
    }
}
