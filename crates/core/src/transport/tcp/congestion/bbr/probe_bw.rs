//! ProbeBW: down, cruise, refill, up, and down again (section 5.3.3).

use super::{AckPhase, BETA, Bbr, HEADROOM, Input, State, UNBOUNDED};
use crate::time::{Duration, Instant};

/// Rounds after which a flow of Reno would have grown by what a probe costs, at most.
const MOST_RENO_ROUNDS: u64 = 63;
/// How often the slope of a probe may double.
const MOST_UP_ROUNDS: u32 = 30;

impl Bbr {
    pub(super) fn start_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_count = UNBOUNDED;
        // Two to three seconds, and not all flows in the same round.
        self.rounds_since_probe = self.random(2);
        self.probe_wait = Duration::from_micros(2_000_000 + self.random(1_000_000));
        self.cycle_at = now;
        self.ack_phase = AckPhase::Stopping;
        self.start_round_now();
        self.set_state(State::Down);
    }

    fn start_cruise(&mut self) {
        self.set_state(State::Cruise);
    }

    /// From ProbeRTT straight into cruising.
    pub(super) fn resume_cruise(&mut self, now: Instant) {
        self.start_down(now);
        self.start_cruise();
    }

    fn start_refill(&mut self) {
        self.reset_shortterm_model();
        self.probe_up_rounds = 0;
        self.probe_up_acks = 0;
        self.ack_phase = AckPhase::Refilling;
        self.start_round_now();
        self.set_state(State::Refill);
    }

    pub(super) fn start_up(&mut self, now: Instant) {
        self.ack_phase = AckPhase::Starting;
        self.start_round_now();
        self.reset_full_bw();
        self.full_bw = self.bw_latest;
        self.cycle_at = now;
        self.set_state(State::Up);
        self.raise_slope();
    }

    fn set_state(&mut self, state: State) {
        self.state = state;
        (self.pacing_gain, self.cwnd_gain) = match state {
            State::Down => (90, 200),
            State::Up => (125, 225),
            _ => (100, 200),
        };
    }

    fn start_round_now(&mut self) {
        let delivered = self.delivered;
        self.start_round(delivered);
    }

    pub(super) fn update_probe_bw_cycle_phase(&mut self, input: &Input) {
        if !self.is_full_bw_reached {
            return;
        }
        self.adapt_longterm_model(input);
        let state = self.state;
        match state {
            State::Down => {
                if self.is_time_to_probe(input.now) {
                    self.start_refill();
                } else if self.is_time_to_cruise(input) {
                    self.start_cruise();
                }
            }
            State::Cruise if self.is_time_to_probe(input.now) => self.start_refill(),
            State::Refill if self.round_start => {
                // One round with what is known, so that the probe finds the queue as it is.
                self.has_probe_samples = true;
                self.start_up(input.now);
            }
            State::Up if self.is_time_to_go_down(input) => self.start_down(input.now),
            _ => {}
        }
    }

    fn is_time_to_cruise(&self, input: &Input) -> bool {
        let in_flight = u64::from(input.sample.in_flight);
        in_flight <= self.inflight_with_headroom() && in_flight <= self.inflight(self.bw_max(), 100)
    }

    /// After two to three seconds, or as soon as a flow of Reno on the same path would have grown by as much.
    fn is_time_to_probe(&self, now: Instant) -> bool {
        let reno_rounds = (self.target_inflight() / self.mss.max(1)).min(MOST_RENO_ROUNDS);
        now.since(self.cycle_at) > self.probe_wait || self.rounds_since_probe >= reno_rounds.max(1)
    }

    fn is_time_to_go_down(&mut self, input: &Input) -> bool {
        if input.is_limited && self.cwnd >= self.inflight_longterm {
            // The bound is what holds it back, not the path.
            self.reset_full_bw();
            self.full_bw = input.sample.rate;
            return false;
        }
        self.is_full_bw_now
    }

    fn target_inflight(&self) -> u64 {
        self.bdp(self.bw(), 100).min(self.cwnd)
    }

    /// The long-term bound, less what is left to others.
    pub(super) fn inflight_with_headroom(&self) -> u64 {
        if self.inflight_longterm == UNBOUNDED {
            return UNBOUNDED;
        }
        let headroom = (self.inflight_longterm * HEADROOM / 100).max(self.mss);
        self.inflight_longterm.saturating_sub(headroom).max(self.least_cwnd())
    }

    /// Section 5.5.10.2: the bound follows what was in flight without harm, and what was not.
    fn adapt_longterm_model(&mut self, input: &Input) {
        let sample = &input.sample;
        if self.round_start {
            match self.ack_phase {
                AckPhase::Starting => self.ack_phase = AckPhase::Feedback,
                AckPhase::Stopping => {
                    self.has_probe_samples = false;
                    self.ack_phase = AckPhase::Init;
                    if self.is_in_probe_bw() && !sample.is_application_limited {
                        self.advance_max_bw_filter();
                    }
                }
                _ => {}
            }
        }
        if self.is_inflight_too_high(sample) {
            if self.has_probe_samples {
                self.on_inflight_too_high(input);
            }
            return;
        }
        if self.inflight_longterm == UNBOUNDED || sample.prior_delivered.is_none() {
            return;
        }
        self.inflight_longterm = self.inflight_longterm.max(u64::from(sample.prior_in_flight));
        if self.state == State::Up {
            self.probe_upward(input);
        }
    }

    fn on_inflight_too_high(&mut self, input: &Input) {
        self.has_probe_samples = false;
        if !input.sample.is_application_limited {
            self.inflight_longterm =
                u64::from(input.sample.prior_in_flight).max(self.target_inflight() * BETA / 100);
        }
        if self.state == State::Up {
            self.start_down(input.now);
        }
    }

    /// The bound rises by one segment a round at first, then by two, by four, …
    fn raise_slope(&mut self) {
        let growth = self.mss << self.probe_up_rounds;
        self.probe_up_rounds = (self.probe_up_rounds + 1).min(MOST_UP_ROUNDS);
        self.probe_up_count = (self.cwnd / growth.max(1)).max(1) * self.mss;
    }

    fn probe_upward(&mut self, input: &Input) {
        if !input.is_limited || self.cwnd < self.inflight_longterm {
            return;
        }
        self.probe_up_acks += u64::from(input.sample.newly_delivered);
        let count = self.probe_up_count.max(1);
        if self.probe_up_acks >= count {
            let segments = self.probe_up_acks / count;
            self.probe_up_acks %= count;
            self.inflight_longterm = self.inflight_longterm.saturating_add(segments * self.mss);
        }
        if self.round_start {
            self.raise_slope();
        }
    }
}
