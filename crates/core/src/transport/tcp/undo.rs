//! Undo of a recovery that was for nothing: by D-SACK (RFC 2883, RFC 3708), by timestamps (Eifel, RFC 3522 and 4015) and,
//! after a time-out, by what arrives that was never sent again (F-RTO, RFC 5682; that part is in `recovery`).

use super::recovery::Phase;
use super::sender::Sender;
use crate::time::Instant;
use crate::wire::tcp::{SackBlock, SeqNumber};

/// What is remembered of the time before a reduction.
#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    /// SND.UNA when the reduction began; none where there is nothing to undo.
    pub(super) marker: Option<SeqNumber>,
    /// The window before.
    cwnd: u32,
    /// The threshold before; zero where ECN said that the congestion was real.
    ssthresh: u32,
    /// Segments sent again that no D-SACK has accounted for; none before the first.
    unaccounted: Option<u32>,
    /// When the first retransmission of this recovery left.
    pub(super) first_resent: Option<Instant>,
    /// Reductions undone so far.
    pub(super) undone: u32,
    /// D-SACKs received so far.
    pub(super) duplicates: u32,
}

impl Undo {
    /// The numbers to come back to.
    pub(super) fn remember(&mut self, cwnd: u32, ssthresh: u32) {
        (self.cwnd, self.ssthresh) = (cwnd, ssthresh);
    }

    /// A recovery begins; `resent` segments are on their way again already.
    pub(super) fn begin(&mut self, una: SeqNumber, resent: u32) {
        self.marker = Some(una);
        self.unaccounted = (resent > 0).then_some(resent);
    }

    /// The congestion is real: nothing is to be undone.
    pub(super) fn forbid(&mut self) {
        self.ssthresh = 0;
    }

    /// `segments` were sent again.
    pub(super) fn on_resent(&mut self, now: Instant, segments: u32) {
        self.unaccounted = Some(self.unaccounted.unwrap_or(0).saturating_add(segments));
        self.first_resent.get_or_insert(now);
    }

    /// The peer has received `segments` twice, which end with `end`.
    fn account(&mut self, end: SeqNumber, segments: u32) {
        if self.marker.is_some_and(|marker| end.is_after(marker))
            && let Some(unaccounted) = &mut self.unaccounted
        {
            *unaccounted = unaccounted.saturating_sub(segments);
        }
    }

    /// Whether everything sent again was received twice.
    fn is_all_accounted(&self) -> bool {
        self.unaccounted == Some(0)
    }
}

impl Sender {
    /// The first block of a report may say what was received twice (RFC 2883 section 4): one below the acknowledgement,
    /// or inside the second block.
    pub(super) fn take_duplicate(&mut self, ack: SeqNumber, sack: &[SackBlock]) -> bool {
        let Some(first) = sack.first() else { return false };
        let is_inside =
            |other: &SackBlock| first.left.at_or_after(other.left) && first.right.at_or_before(other.right);
        let is_one = first.left.is_before(first.right)
            && (first.left.is_before(ack) || sack.get(1).is_some_and(is_inside));
        // Older than anything a duplicate could still be of.
        let is_recent =
            first.left.at_or_after(ack - self.max_wnd.max(1 << 16)) && first.right.at_or_before(self.nxt);
        if !is_one || !is_recent {
            return false;
        }
        let segments = first.right.distance(first.left).max(0).cast_unsigned().div_ceil(self.mss.max(1));
        self.undo.duplicates = self.undo.duplicates.saturating_add(segments);
        if self.probe.is_answered_by_duplicate(first.right) {
            return true; // of the loss probe: that is no reordering
        }
        // More received twice than was ever sent twice: the network doubles segments.
        if self.undo.duplicates > self.retransmitted {
            return true;
        }
        self.rack.on_duplicate();
        self.undo.account(first.right, segments);
        true
    }

    /// Whether the acknowledgement answers what was sent before the first retransmission: by its timestamp (RFC 3522), or
    /// because nothing was sent again at all.
    fn is_answer_to_original(&self, echo: Option<u32>) -> bool {
        match (self.undo.first_resent, echo) {
            // Without SACK the time of the first is forgotten where the end of the flight is acknowledged.
            (None, _) => self.uses_sack || self.una.is_before(self.high),
            (Some(first), Some(echo)) => (echo.wrapping_sub(first.as_millis() as u32)).cast_signed() < 0,
            (Some(_), None) => false,
        }
    }

    fn may_undo(&self, echo: Option<u32>) -> bool {
        self.undo.marker.is_some() && (self.undo.is_all_accounted() || self.is_answer_to_original(echo))
    }

    /// RFC 4015 section 3.2: window and threshold are what they were.
    fn undo_reduction(&mut self) {
        if self.undo.ssthresh > 0 {
            self.congestion.undo(self.undo.cwnd, self.undo.ssthresh);
            self.undo.undone = self.undo.undone.saturating_add(1);
        }
        self.undo.marker = None;
        self.rack.has_advanced = true;
    }

    fn undo_with_marks(&mut self) {
        self.board.unmark_lost();
        self.undo_reduction();
    }

    /// Everything in flight when the recovery began is acknowledged. `true`: it is not over yet, because without SACK
    /// duplicates of its retransmissions might begin another (RFC 6582 section 4).
    pub(super) fn try_undo_recovery(&mut self, echo: Option<u32>) -> bool {
        if self.may_undo(echo) {
            self.undo_reduction();
        }
        if self.una == self.high && !self.uses_sack {
            if !self.board.has_resent() {
                self.undo.first_resent = None;
            }
            return true;
        }
        self.phase = Phase::Open;
        self.rack.on_recovered();
        false
    }

    /// A part of what was in flight is acknowledged, and by the first sending: the gap was filled late, not lost.
    /// `true`: wait for what was sent again.
    pub(super) fn try_undo_partial(&mut self, before: SeqNumber, echo: Option<u32>) -> bool {
        if self.undo.marker.is_none() || !self.is_answer_to_original(echo) {
            return false;
        }
        self.rack.on_reordering(before, self.board.sacked_to(), self.mss);
        if self.board.resent() > 0 {
            return true;
        }
        if !self.board.has_resent() {
            self.undo.first_resent = None;
        }
        self.undo_with_marks();
        self.keep_open();
        false
    }

    /// D-SACKs account for everything that was sent again.
    pub(super) fn try_undo_by_duplicates(&mut self) -> bool {
        if self.undo.marker.is_none() || !self.undo.is_all_accounted() {
            return false;
        }
        self.rack.remember_longer();
        self.undo_reduction();
        true
    }

    /// The time-out was too early. `is_certain`: what arrived was never sent again.
    pub(super) fn try_undo_loss(&mut self, is_certain: bool, echo: Option<u32>) -> bool {
        if !is_certain && !self.may_undo(echo) {
            return false;
        }
        self.undo_with_marks();
        self.timeouts = 0;
        if is_certain || self.uses_sack {
            self.phase = Phase::Open;
        }
        true
    }
}
