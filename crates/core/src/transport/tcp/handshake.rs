//! A half-open passive connection: a small record until the handshake is complete.

use super::cookie::Cookie;
use super::{Endpoints, Opening, Settings, empty, reset_for};
use crate::drop_reason::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Options, Segment, SeqNumber, Timestamps};

/// SYN-RECEIVED after a SYN for a listener.
#[derive(Clone, Debug)]
pub struct Handshake {
    ends: Endpoints,
    opening: Opening,
    irs: SeqNumber,
    peer_mss: Option<u16>,
    peer_shift: Option<u8>,
    own_shift: u8,
    sack: bool,
    timestamps: bool,
    ts_recent: u32,
    window: u16,
    own_mss: u16,
    sent: Instant,
    resend_at: Instant,
    rto: Duration,
    sent_count: u32,
    retries: u32,
}

/// What a segment does to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeStep {
    /// The handshake is complete.
    Complete,
    /// An answer, and nothing changes.
    Reply(Segment),
    /// A RST as answer, and nothing changes.
    Reset(Segment),
    /// The peer has taken its SYN back.
    Closed,
    /// Refused.
    Drop(DropReason),
}

/// What the timer does to a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeTimeout {
    /// The SYN-ACK is sent again.
    Resend(Segment),
    /// It is forgotten.
    GiveUp,
}

impl Handshake {
    /// A SYN has come for a listener with these settings.
    pub fn on_syn(
        now: Instant,
        ends: Endpoints,
        syn: &Segment,
        opening: Opening,
        settings: &Settings,
    ) -> Handshake {
        let options = &syn.options;
        Handshake {
            ends,
            opening,
            irs: syn.seq,
            peer_mss: options.mss,
            peer_shift: options.window_scale.filter(|_| settings.window_scaling),
            own_shift: settings.window_shift(),
            sack: settings.sack && options.sack_permitted,
            timestamps: settings.timestamps && options.timestamps.is_some(),
            ts_recent: options.timestamps.map_or(0, |timestamps| timestamps.value),
            window: settings.receive_buffer.min(65_535) as u16,
            own_mss: settings.max_segment.map_or(opening.path_mss, |most| most.min(opening.path_mss)),
            sent: now,
            resend_at: now + settings.initial_rto,
            rto: settings.initial_rto,
            sent_count: 1,
            retries: settings.syn_ack_retries,
        }
    }

    /// What a SYN cookie remembered, completed by its acknowledgement: no scaling, no SACK, no timestamps.
    pub fn from_cookie(
        now: Instant,
        ends: Endpoints,
        ack: &Segment,
        cookie: Cookie,
        settings: &Settings,
    ) -> Handshake {
        let opening = Opening { iss: cookie.iss, timestamp_offset: 0, path_mss: cookie.mss };
        let mut syn = *ack;
        syn.seq = cookie.irs;
        syn.options = Options { mss: Some(cookie.mss), ..Options::default() };
        let mut handshake = Handshake::on_syn(now, ends, &syn, opening, settings);
        handshake.sent_count = 2; // when its SYN-ACK was sent is not known
        handshake
    }

    /// Its two ends.
    pub fn endpoints(&self) -> Endpoints {
        self.ends
    }

    pub(super) fn opening(&self) -> Opening {
        self.opening
    }

    pub(super) fn irs(&self) -> SeqNumber {
        self.irs
    }

    pub(super) fn uses_timestamps(&self) -> bool {
        self.timestamps
    }

    pub(super) fn ts_recent(&self) -> u32 {
        self.ts_recent
    }

    /// When the SYN-ACK was sent, if only once (Karn).
    pub(super) fn sent_once(&self) -> Option<Instant> {
        (self.sent_count == 1).then_some(self.sent)
    }

    /// The peer's options, as far as both ends want them.
    pub(super) fn peer(&self) -> Options {
        Options {
            mss: self.peer_mss,
            window_scale: self.peer_shift,
            sack_permitted: self.sack,
            ..Options::default()
        }
    }

    /// The SYN-ACK.
    pub fn syn_ack(&self, now: Instant) -> Segment {
        let value = (now.as_millis() as u32).wrapping_add(self.opening.timestamp_offset);
        Segment {
            seq: self.opening.iss,
            ack: self.irs + 1,
            flags: Flags::SYN | Flags::ACK,
            window: self.window,
            options: Options {
                mss: Some(self.own_mss),
                window_scale: self.peer_shift.map(|_| self.own_shift),
                sack_permitted: self.sack,
                timestamps: self.timestamps.then_some(Timestamps { value, echo: self.ts_recent }),
                ..Options::default()
            },
            ..empty(self.ends.local.port(), self.ends.remote.port())
        }
    }

    /// The SYN-ACK whose sequence number is a cookie: it offers nothing that would have to be remembered.
    pub fn cookie_syn_ack(&self, now: Instant, iss: SeqNumber, _syn: &Segment) -> Segment {
        let mut answer = self.syn_ack(now);
        answer.seq = iss;
        answer.options = Options { mss: Some(self.own_mss), ..Options::default() };
        answer
    }

    /// A segment for it (RFC 9293, 3.10.7.4, as far as SYN-RECEIVED goes).
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) -> HandshakeStep {
        let flags = segment.flags;
        if flags.contains(Flags::RST) {
            // RFC 5961: only the exact number counts.
            let exact = segment.seq == self.irs + 1;
            return if exact { HandshakeStep::Closed } else { HandshakeStep::Drop(DropReason::OutOfWindow) };
        }
        if flags.contains(Flags::SYN) {
            let again = segment.seq == self.irs && !flags.contains(Flags::ACK);
            return if again {
                HandshakeStep::Reply(self.syn_ack(now))
            } else {
                HandshakeStep::Reply(self.challenge(now))
            };
        }
        if !flags.contains(Flags::ACK) {
            return HandshakeStep::Drop(DropReason::Malformed);
        }
        if segment.ack != self.opening.iss + 1 {
            return reset_for(segment)
                .map_or(HandshakeStep::Drop(DropReason::UnacceptableAck), HandshakeStep::Reset);
        }
        if !segment.seq.in_window(self.irs + 1, u32::from(self.window).max(1)) {
            return HandshakeStep::Reply(self.challenge(now));
        }
        if self.timestamps
            && let Some(timestamps) = segment.options.timestamps
        {
            if (timestamps.value.wrapping_sub(self.ts_recent) as i32) < 0 {
                return HandshakeStep::Reply(self.challenge(now));
            }
            self.ts_recent = timestamps.value;
        }
        HandshakeStep::Complete
    }

    fn challenge(&self, now: Instant) -> Segment {
        let mut segment = self.syn_ack(now);
        segment.flags = Flags::ACK;
        segment.seq = self.opening.iss + 1;
        segment.options = Options { timestamps: segment.options.timestamps, ..Options::default() };
        segment
    }

    /// When the SYN-ACK is due again.
    pub fn poll_timeout(&self) -> Instant {
        self.resend_at
    }

    /// The SYN-ACK is due again, or the handshake is given up.
    pub fn on_timeout(&mut self, now: Instant) -> HandshakeTimeout {
        if self.sent_count > self.retries {
            return HandshakeTimeout::GiveUp;
        }
        self.sent_count += 1;
        self.rto *= 2;
        self.resend_at = now + self.rto;
        HandshakeTimeout::Resend(self.syn_ack(now))
    }
}
