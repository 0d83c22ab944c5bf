//! What is known about the path: its rate, its bounds, and how bunched its acknowledgements are.

use super::{BETA, Bbr, HEAVY_LOSS, Input, LOSS_THRESHOLD, State, UNBOUNDED};

/// A rate has grown if it is larger by this, in percent (section 5.3.1.2).
const GROWTH: u64 = 125;
/// Rounds without growth that mean the pipe is full.
const FULL_ROUNDS: u32 = 3;
/// Rounds that the largest excess of acknowledgements counts.
const EXTRA_ACKED_ROUNDS: u64 = 5;

impl Bbr {
    /// The largest delivery rate known.
    pub(super) fn bw_max(&self) -> u64 {
        self.max_bw[0].max(self.max_bw[1])
    }

    /// The rate to go by.
    pub(super) fn bw(&self) -> u64 {
        self.bw_max().min(self.bw_shortterm)
    }

    /// What the path holds at this rate, times a gain in percent.
    pub(super) fn bdp(&self, bw: u64, gain: u64) -> u64 {
        if self.min_rtt == 0 {
            return self.initial_cwnd * gain / 100;
        }
        let bdp = u128::from(bw) * u128::from(self.min_rtt) * u128::from(gain) / 100_000_000;
        u64::try_from(bdp).unwrap_or(UNBOUNDED).min(1 << 40)
    }

    fn start_of_round(&mut self, input: &Input) {
        self.round_start = false;
        if input.sample.prior_delivered.is_some_and(|prior| prior >= self.next_round_delivered) {
            self.start_round(input.sample.total);
            self.rounds += 1;
            self.rounds_since_probe += 1;
            self.round_start = true;
        }
    }

    /// A round trip begins: it ends when something sent from now on is acknowledged.
    pub(super) fn start_round(&mut self, delivered: u64) {
        self.next_round_delivered = delivered;
    }

    /// Section 5.5.10.1.
    pub(super) fn update_latest_delivery_signals(&mut self, input: &Input) {
        let sample = &input.sample;
        self.loss_round_start = false;
        self.bw_latest = self.bw_latest.max(sample.rate);
        self.inflight_latest = self.inflight_latest.max(u64::from(sample.delivered));
        if sample.prior_delivered.is_some_and(|prior| prior >= self.loss_round_delivered) {
            self.loss_round_delivered = sample.total;
            self.loss_round_start = true;
        }
    }

    pub(super) fn advance_latest_delivery_signals(&mut self, input: &Input) {
        if self.loss_round_start {
            self.bw_latest = input.sample.rate;
            self.inflight_latest = u64::from(input.sample.delivered);
        }
    }

    pub(super) fn reset_congestion_signals(&mut self) {
        self.loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    /// Sections 5.5.5 and 5.5.10.3.
    pub(super) fn update_congestion_signals(&mut self, input: &Input) {
        let sample = &input.sample;
        self.start_of_round(input);
        if sample.rate > 0 && (sample.rate >= self.bw_max() || !sample.is_application_limited) {
            self.max_bw[1] = self.max_bw[1].max(sample.rate);
        }
        if sample.newly_lost > 0 {
            self.loss_in_round = true;
            self.loss_events += 1;
        }
        self.round_lost += u64::from(sample.newly_lost);
        self.round_delivered += u64::from(sample.newly_delivered);
        if let Some(rtt) = sample.rtt {
            self.round_rtt = self.round_rtt.min(u64::try_from(rtt.as_micros()).unwrap_or(UNBOUNDED));
        }
        if !self.loss_round_start {
            return;
        }
        // Outside of probes, where the draft takes any loss for too much: the queue may be our own, which Down is about to drain.
        // Without a queue only what is heavy for more than a round counts, as a burst is not.
        let is_heavy = self.is_congested(self.round_lost, self.round_lost + self.round_delivered);
        let was_heavy = core::mem::replace(&mut self.was_heavy, is_heavy);
        if self.loss_in_round && !self.state.is_probing() && is_heavy && (self.has_queue() || was_heavy) {
            self.adapt_lower_bounds();
        }
        self.loss_in_round = false;
        self.round_lost = 0;
        self.round_delivered = 0;
        if self.round_rtt != UNBOUNDED {
            self.last_round_rtt = core::mem::replace(&mut self.round_rtt, UNBOUNDED);
        }
    }

    /// Whether the shortest round trip of this round, or of the one before, shows a queue.
    pub(super) fn has_queue(&self) -> bool {
        let rtt = if self.round_rtt == UNBOUNDED { self.last_round_rtt } else { self.round_rtt };
        rtt > self.min_rtt + self.min_rtt / 8
    }

    /// Whether more than by chance is lost: `lost` of `all` bytes. The draft takes any loss for congestion, and two percent
    /// for too much in flight, wherever it happens; a path that loses by chance would then be given up bit by bit. So the
    /// queue that overflows must be seen too, unless very much is lost.
    pub(super) fn is_congested(&self, lost: u64, all: u64) -> bool {
        lost * 100 > all * if self.has_queue() { LOSS_THRESHOLD } else { HEAVY_LOSS }
    }

    fn adapt_lower_bounds(&mut self) {
        if self.bw_shortterm == UNBOUNDED {
            self.bw_shortterm = self.bw_max();
        }
        if self.inflight_shortterm == UNBOUNDED {
            self.inflight_shortterm = self.cwnd;
        }
        self.bw_shortterm = self.bw_latest.max(self.bw_shortterm * BETA / 100);
        self.inflight_shortterm = self.inflight_latest.max(self.inflight_shortterm * BETA / 100);
    }

    pub(super) fn reset_shortterm_model(&mut self) {
        self.bw_shortterm = UNBOUNDED;
        self.inflight_shortterm = UNBOUNDED;
    }

    /// A cycle of probing is over: its rate stays for one more.
    pub(super) fn advance_max_bw_filter(&mut self) {
        if self.max_bw[1] > 0 {
            self.max_bw = [self.max_bw[1], 0];
        }
    }

    /// How much more is acknowledged at a time than the rate explains: that much more must be in flight (section 5.5.9).
    pub(super) fn update_ack_aggregation(&mut self, input: &Input) {
        let sample = &input.sample;
        let elapsed = input.now.since(self.extra_acked_at);
        let expected = u128::from(self.bw()) * elapsed.as_micros() / 1_000_000;
        let mut expected = u64::try_from(expected).unwrap_or(UNBOUNDED);
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_at = input.now;
            expected = 0;
        }
        self.extra_acked_delivered += u64::from(sample.newly_delivered);
        let extra = self.extra_acked_delivered.saturating_sub(expected).min(self.cwnd);
        let rounds = if self.is_full_bw_reached { EXTRA_ACKED_ROUNDS } else { 1 };
        if self.rounds - self.extra_acked_round >= rounds {
            self.extra_acked_round = self.rounds;
            self.extra_acked = [self.extra_acked[1], 0];
        }
        self.extra_acked[1] = self.extra_acked[1].max(extra);
    }

    pub(super) fn most_extra_acked(&self) -> u64 {
        self.extra_acked[0].max(self.extra_acked[1])
    }

    /// Section 5.3.1.2: three rounds without a quarter more mean that there is no more.
    pub(super) fn check_full_bw_reached(&mut self, input: &Input) {
        let sample = &input.sample;
        if self.is_full_bw_now || sample.is_application_limited || sample.rate == 0 {
            return;
        }
        if sample.rate.saturating_mul(100) >= self.full_bw.saturating_mul(GROWTH) {
            self.reset_full_bw();
            self.full_bw = sample.rate;
            return;
        }
        if !self.round_start {
            return;
        }
        self.full_bw_count += 1;
        self.is_full_bw_now = self.full_bw_count >= FULL_ROUNDS;
        if self.is_full_bw_now {
            self.is_full_bw_reached = true;
        }
    }

    pub(super) fn reset_full_bw(&mut self) {
        self.full_bw = 0;
        self.full_bw_count = 0;
        self.is_full_bw_now = false;
    }

    /// Whether the path is asked for more right now.
    pub(super) fn is_in_probe_bw(&self) -> bool {
        self.state != State::Startup && self.state.is_probe_bw()
    }
}
