//! Loss recovery: what an acknowledgement says about the segments in flight, and what follows for the window.
//! NewReno (RFC 6582) without SACK, RFC 6675 with it, slow start after a time-out (RFC 5681, RFC 6298).

use super::RetransmitCause;
use super::congestion::{Acked, RoundTrip, Timeout};
use super::scoreboard::{Delivered, Reports};
use super::sender::{Fin, Sender};
use crate::time::{Duration, Instant};
use crate::wire::tcp::{SackBlock, SeqNumber};

/// Duplicate acknowledgements that mean a loss (RFC 5681 section 3.2).
const DUP_THRESH: u32 = 3;

/// How coarse the timestamp clock is.
const CLOCK: Duration = Duration::from_millis(1);

/// What the sender is doing about losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// Fast recovery until `end` is acknowledged.
    Recovery {
        /// SND.NXT when it began.
        end: SeqNumber,
    },
    /// After a time-out, until `end` is acknowledged.
    Loss {
        /// SND.NXT when it began.
        end: SeqNumber,
    },
}

/// What the acknowledgement part of a segment says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledgement<'a> {
    /// SEG.ACK, between SND.UNA and SND.NXT.
    pub(super) ack: SeqNumber,
    /// The SACK blocks.
    pub(super) sack: &'a [SackBlock],
    /// Whether the segment carries nothing else and leaves the window as it is (RFC 5681 section 2).
    pub(super) is_bare: bool,
    /// The round-trip time by the echoed timestamp.
    pub(super) echoed: Option<Duration>,
    /// Whether it echoes congestion (ECE).
    pub(super) is_congested: bool,
}

impl Sender {
    /// An acceptable acknowledgement. Says whether SND.UNA has moved.
    pub(super) fn on_ack(&mut self, now: Instant, acknowledgement: Acknowledgement<'_>) -> bool {
        let Acknowledgement { ack, sack, is_bare, echoed, is_congested } = acknowledgement;
        let progress = ack.is_after(self.una);
        let mut delivered = Delivered::default();
        let mut acked = 0;
        if progress {
            acked = ack.distance(self.una).cast_unsigned();
            delivered = self.board.acknowledge(ack);
            self.take_acknowledged(ack);
            self.end_round();
        }
        let cumulative = delivered.bytes;
        if self.uses_sack {
            for block in sack {
                // Blocks at or below the acknowledgement are duplicates reported (RFC 2883) or old.
                if block.left.is_before(block.right)
                    && block.left.is_after(self.una)
                    && block.right.at_or_before(self.nxt)
                {
                    self.board.on_sack(*block, &mut delivered);
                }
            }
        }
        self.measure(now, progress, &delivered, echoed);
        if is_congested {
            self.ecn.delivered_ce += delivered.bytes.div_ceil(self.mss.max(1));
        }
        let reported = delivered.bytes - cumulative;
        let is_duplicate =
            !progress && self.una != self.nxt && if self.uses_sack { reported > 0 } else { is_bare };
        if progress {
            self.timeouts = 0;
            self.restart_waiting(now);
        }
        match self.phase {
            Phase::Open => {
                // The window does not grow while congestion is being echoed and answered.
                let acked = if is_congested || self.is_held() { 0 } else { acked };
                self.on_ack_open(now, progress, is_duplicate, acked);
            }
            Phase::Recovery { end } => self.on_ack_recovery(progress, is_duplicate, acked, end),
            Phase::Loss { end } => {
                if progress {
                    self.grow(now, acked);
                    if ack.at_or_after(end) {
                        self.phase = Phase::Open;
                        self.duplicates = 0;
                    }
                }
                self.board.mark_lost(self.mss);
            }
        }
        self.release_hold();
        if is_congested {
            self.on_congestion_echo();
        }
        progress
    }

    /// Takes a round-trip time from what was sent once (Karn), or from the timestamp that shows which of several
    /// transmissions was answered (RFC 7323 section 4). An echo older than the last of them is no use: it may answer the
    /// first, or be what a receiver that had everything before says to a duplicate.
    fn measure(&mut self, now: Instant, progress: bool, delivered: &Delivered, echoed: Option<Duration>) {
        match (delivered.sent_at, delivered.resent_at) {
            (Some(sent_at), None) => self.take_sample(now, now.since(sent_at)),
            (_, Some(resent_at)) if progress => {
                let since = now.since(resent_at) + CLOCK;
                match echoed.filter(|sample| *sample <= since) {
                    Some(sample) => self.take_sample(now, sample),
                    None => self.rtt.on_unmeasured_progress(),
                }
            }
            _ => {}
        }
    }

    fn take_sample(&mut self, now: Instant, sample: Duration) {
        self.rtt.on_sample(sample);
        let least = self.rtt.minimum().unwrap_or(sample);
        self.congestion.on_round_trip(now, RoundTrip { sample, least, una: self.una, nxt: self.nxt });
    }

    fn take_acknowledged(&mut self, ack: SeqNumber) {
        let bytes = ack.distance(self.una).max(0) as usize;
        if bytes > self.ring.len() && self.fin == Fin::Sent {
            self.fin = Fin::Acknowledged;
        }
        self.ring.consume(bytes);
        self.una = ack;
    }

    fn grow(&mut self, now: Instant, bytes: u32) {
        self.congestion.on_ack(now, Acked { bytes });
    }

    /// The congestion window has long been larger than what is sent, and nothing else is wrong.
    pub(super) fn validate_window(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.congestion.validate(now, self.rtt.rto());
        }
    }

    fn on_ack_open(&mut self, now: Instant, progress: bool, is_duplicate: bool, acked: u32) {
        if progress {
            self.duplicates = 0;
        }
        if is_duplicate {
            self.duplicates += 1;
        }
        if self.uses_sack {
            self.board.mark_lost(self.mss);
        }
        // RFC 6582 section 4: duplicates of what was sent again after a time-out are no news of a loss.
        let is_news = self.uses_sack || self.una.is_after(self.recover);
        if self.duplicates >= DUP_THRESH && is_news {
            self.board.lose_head(self.mss);
        }
        if self.board.to_resend() > 0 {
            self.enter_recovery();
        } else if progress && acked > 0 {
            self.grow(now, acked);
        }
    }

    /// RFC 6675 section 5, step 4; RFC 6582 section 3.2, step 2.
    fn enter_recovery(&mut self) {
        // After an echo of congestion in this round trip the window is reduced already.
        if !self.is_held() {
            self.reduce();
        }
        self.recover = self.nxt;
        self.phase = Phase::Recovery { end: self.nxt };
        self.cause = RetransmitCause::FastRetransmit;
        self.forced = true;
        self.rescued = false;
    }

    fn on_ack_recovery(&mut self, progress: bool, is_duplicate: bool, acked: u32, end: SeqNumber) {
        if is_duplicate {
            self.duplicates += 1;
        }
        if progress && self.una.at_or_after(end) {
            self.phase = Phase::Open;
            self.duplicates = 0;
            self.forced = false;
        } else if progress {
            // A partial acknowledgement: what comes next is missing too (RFC 6582 section 3.2, step 3).
            self.duplicates = self.duplicates.saturating_sub((acked / self.mss.max(1)).saturating_sub(1));
            self.board.lose_head(self.mss);
            self.forced |= !self.uses_sack;
            self.rescued = false;
        }
        if self.uses_sack {
            self.board.mark_lost(self.mss);
        }
    }

    /// The retransmission timer expired: everything that is not reported received counts as lost, and sending starts
    /// again from one segment.
    pub(super) fn on_rto(&mut self) {
        let flight = self.recent_flight().min(self.congestion.cwnd());
        let which = if self.timeouts == 0 { Timeout::First } else { Timeout::Again };
        self.congestion.on_timeout(flight, which);
        self.ecn.on_reduced();
        let reports = if self.board.is_reneged() { Reports::Disbelieve } else { Reports::Believe };
        self.board.lose_all(reports);
        self.duplicates = 0;
        self.recover = self.nxt;
        self.phase = Phase::Loss { end: self.nxt };
        self.cause = RetransmitCause::Timeout;
        self.forced = true;
        self.timeouts += 1;
        self.rtt.back_off();
    }

    /// Segments have become too large for the path and are cut anew. That is no congestion: the window stays.
    pub(super) fn resend_all(&mut self) {
        if self.board.outstanding() == 0 {
            return;
        }
        self.board.lose_all(Reports::Believe);
        self.duplicates = 0;
        self.recover = self.nxt;
        self.cause = RetransmitCause::PathMtu;
        self.forced = true;
        if self.phase == Phase::Open {
            self.phase = Phase::Recovery { end: self.nxt };
        }
    }

    /// The stretch to send again next, if the congestion window lets it: where it begins and how long it may be.
    pub(super) fn next_again(&self) -> Option<(SeqNumber, u32)> {
        if self.phase == Phase::Open {
            return None;
        }
        let room = self.congestion_room();
        if let Some((start, length)) = self.board.next_lost() {
            return if self.forced || room >= self.mss.min(length) { Some((start, length)) } else { None };
        }
        // RFC 6675 section 5, NextSeg (4): nothing else to send, and the tail of the flight may be lost as well.
        let may_rescue = matches!(self.phase, Phase::Recovery { .. })
            && self.uses_sack
            && !self.rescued
            && self.board.sacked() > 0
            && !self.has_unsent()
            && room >= self.mss;
        let (start, length) = self.board.rescue().filter(|_| may_rescue)?;
        let tail = length.min(self.mss);
        Some((start + (length - tail), tail))
    }

    /// `length` sequence numbers from `start` on leave once more.
    pub(super) fn on_sent_again(&mut self, now: Instant, start: SeqNumber, length: u32) {
        if self.board.next_lost().is_none_or(|(lost, _)| lost != start) {
            self.rescued = true;
        }
        self.board.on_resent(now, start, length);
        self.forced = false;
        self.last_sent = now;
        self.retransmitted = self.retransmitted.saturating_add(1);
    }
}
