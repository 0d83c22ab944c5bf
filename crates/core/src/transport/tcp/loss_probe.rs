//! Tail loss probes (RFC 8985 section 7): where the end of a flight is lost nothing comes that would show it, so after two
//! round trips one segment is sent for the sake of the answer.

use super::State;
use super::connection::Connection;
use super::recovery::Phase;
use super::sender::Sender;
use super::timers::Timer;
use super::transmit::Next;
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// A timer finer than this would fire before a peer's clock has ticked: Linux's two ticks.
const TICK: Duration = Duration::from_millis(2);

/// A loss probe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossProbe {
    /// One is to be sent.
    pub(super) is_due: bool,
    /// TLP.end_seq: SND.NXT when it was sent; none where none is out.
    pub(super) end: Option<SeqNumber>,
    /// TLP.is_retrans: it was nothing new.
    is_again: bool,
    /// Probes sent so far.
    pub(super) sent: u32,
}

impl LossProbe {
    /// Whether a D-SACK that ends with `right` is of this probe.
    pub(super) fn is_answered_by_duplicate(&self, right: SeqNumber) -> bool {
        self.is_again && self.end == Some(right)
    }

    /// It was sent.
    fn on_sent(&mut self, nxt: SeqNumber, is_again: bool) {
        *self = LossProbe { is_due: false, end: Some(nxt), is_again, sent: self.sent.saturating_add(1) };
    }

    /// None is out any more.
    pub(super) fn forget(&mut self) {
        self.is_due = false;
        self.end = None;
    }
}

/// What an acknowledgement says about a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeAnswer {
    pub(super) ack: SeqNumber,
    /// It reports a duplicate.
    pub(super) has_duplicate: bool,
    /// It moves nothing, reports nothing, carries nothing.
    pub(super) is_pure_duplicate: bool,
}

impl Sender {
    /// Section 7.4.
    pub(super) fn on_probe_answer(&mut self, answer: ProbeAnswer) {
        let Some(end) = self.probe.end else { return };
        if answer.ack.is_before(end) {
            return;
        }
        if !self.probe.is_again || answer.has_duplicate {
            self.probe.end = None; // new data has arrived, or the original too: nothing was lost
        } else if answer.ack.is_after(end) {
            // The probe has mended a loss: that is congestion.
            self.probe.end = None;
            self.begin_reduction();
            self.phase = Phase::Cwr;
            self.end_reduction();
            self.keep_open();
        } else if answer.is_pure_duplicate {
            self.probe.end = None; // the answers to both, without D-SACK
        }
    }
}

impl Connection {
    /// Starts the timer that watches over what is in flight, after progress.
    pub(super) fn arm_after_progress(&mut self, now: Instant) {
        if !self.arm_loss_probe(now, self.sender.rtt.rto()) {
            self.arm_retransmit(now);
        }
    }

    /// New data has left; `was_idle`: nothing was in flight before.
    pub(super) fn arm_after_sending(&mut self, now: Instant, was_idle: bool) {
        let nothing_runs = !self.timers.is_set(Timer::Retransmit) && !self.timers.is_set(Timer::Reordering);
        if was_idle || nothing_runs || self.timers.is_set(Timer::LossProbe) {
            self.arm_retransmit(now);
        }
        if !self.timers.is_set(Timer::Reordering) {
            let left = self.retransmit_left(now);
            self.arm_loss_probe(now, left);
        }
    }

    /// The time until the first unacknowledged segment is overdue.
    fn retransmit_left(&self, now: Instant) -> Duration {
        let sent = self.sender.board.head_sent_at().unwrap_or(now);
        (sent + self.sender.rtt.rto()).since(now)
    }

    /// Starts the retransmission timer; one of the finer timers has used up a part of the time already.
    pub(super) fn arm_retransmit(&mut self, now: Instant) {
        if self.state == State::SynReceived && self.timers.is_set(Timer::Retransmit) {
            return; // the timer of the SYN-ACK
        }
        if self.sender.outstanding() == 0 {
            self.stop_transmit_timers();
            return;
        }
        let finer = self.timers.is_set(Timer::LossProbe) || self.timers.is_set(Timer::Reordering);
        let wait = if finer { self.retransmit_left(now) } else { self.sender.rtt.rto() };
        self.start_transmit_timer(Timer::Retransmit, now + wait);
    }

    /// One of the three timers that watch over what is in flight runs at a time.
    pub(super) fn start_transmit_timer(&mut self, timer: Timer, at: Instant) {
        self.stop_transmit_timers();
        self.timers.set(timer, at);
    }

    /// Whether something will happen if no acknowledgement comes.
    pub(super) fn awaits_acknowledgement(&self) -> bool {
        [Timer::Retransmit, Timer::LossProbe, Timer::Reordering]
            .into_iter()
            .any(|timer| self.timers.is_set(timer))
            || self.sender.probe.is_due
    }

    pub(super) fn stop_transmit_timers(&mut self) {
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::LossProbe);
        self.timers.stop(Timer::Reordering);
    }

    /// Section 7.2: starts the probe timer instead of the retransmission timer, which would fire in `left`.
    fn arm_loss_probe(&mut self, now: Instant, left: Duration) -> bool {
        let sender = &self.sender;
        if !self.settings.loss_probe
            || !sender.uses_sack
            || sender.outstanding() == 0
            || !matches!(sender.phase, Phase::Open | Phase::Cwr)
            || !self.state.is_synchronized()
            || self.state == State::SynReceived
        {
            return false;
        }
        let mut wait = match sender.rtt.smoothed() {
            None => self.settings.initial_rto,
            // A lone segment may meet a delayed acknowledgement.
            Some(smoothed) if sender.outstanding() <= sender.mss => smoothed * 2 + sender.rtt.least_spread(),
            Some(smoothed) => smoothed * 2 + TICK,
        };
        if left > Duration::ZERO {
            wait = wait.min(left);
        }
        self.start_transmit_timer(Timer::LossProbe, now + wait);
        true
    }

    /// Section 7.3: the probe timer expired.
    pub(super) fn on_loss_probe_timeout(&mut self, now: Instant) {
        if self.sender.probe.end.is_none() {
            self.sender.probe.is_due = true;
            if self.next_probe(self.room()).is_some() {
                return; // the timer is started when it has left
            }
            self.sender.probe.is_due = false;
        }
        self.rearm_after_probe(now);
    }

    /// The probe: a new segment if there is one and the peer's window takes it, else the last one again.
    pub(super) fn next_probe(&self, mss: u32) -> Option<Next> {
        let sender = &self.sender;
        if !sender.probe.is_due {
            return None;
        }
        let new = sender.unsent().min(mss);
        if new > 0 && sender.window_room() >= new {
            let fin = sender.fin == super::sender::Fin::Queued
                && new == sender.unsent()
                && sender.window_room() > new;
            return Some(Next::Data { payload: new, fin, mss });
        }
        let fin_too = u32::from(sender.fin == super::sender::Fin::Sent);
        let (start, length) = sender.board.tail(mss + fin_too)?;
        let data = sender.data_end().distance(start).max(0).cast_unsigned().min(length);
        Some(Next::Again { start, payload: data.min(mss), fin: length > data, mss })
    }

    /// The probe has left.
    pub(super) fn on_probe_sent(&mut self, now: Instant, is_again: bool) {
        self.sender.probe.on_sent(self.sender.nxt, is_again);
        self.rearm_after_probe(now);
    }

    fn rearm_after_probe(&mut self, now: Instant) {
        // A full time-out from now: the probe itself wants an answer first.
        self.stop_transmit_timers();
        self.arm_retransmit(now);
    }
}
