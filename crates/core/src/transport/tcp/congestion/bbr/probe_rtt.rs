//! The path's shortest round-trip time, and the short drought that shows it (section 5.3.4).

use super::{AckPhase, Bbr, Input, State};
use crate::time::{Duration, Instant};

/// How long the shortest round-trip time counts.
const MIN_RTT_LIFE: Duration = Duration::from_secs(10);
/// How long a flow goes without a drought where the path is seen to be as short as ever meanwhile, and where it is not. The draft
/// knows the second only. Others who share the path might keep it as long as it is: so there is an end to the first.
const LONG_INTERVAL: Duration = Duration::from_secs(10);
const SHORT_INTERVAL: Duration = Duration::from_secs(5);
/// How long a drought lasts, beside a round trip.
const PROBE_TIME: Duration = Duration::from_millis(200);
/// Its window, in percent of what the path holds.
const PROBE_GAIN: u64 = 50;

impl Bbr {
    pub(super) fn update_min_rtt(&mut self, input: &Input) {
        let now = input.now;
        let due = (self.probe_rtt_seen_at + SHORT_INTERVAL).min(self.probe_rtt_min_at + LONG_INTERVAL);
        self.is_probe_rtt_due = self.probe_rtt_min > 0 && now > due;
        if let Some(rtt) = input.sample.rtt {
            let rtt = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).max(1);
            if self.probe_rtt_min == 0 || rtt < self.probe_rtt_min || self.is_probe_rtt_due {
                self.probe_rtt_min = rtt;
                self.probe_rtt_min_at = now;
            }
            if rtt <= self.probe_rtt_min + self.probe_rtt_min / 32 {
                self.probe_rtt_seen_at = now;
            }
        }
        let is_expired = now > self.min_rtt_at + MIN_RTT_LIFE;
        if self.probe_rtt_min > 0 && (self.min_rtt == 0 || self.probe_rtt_min < self.min_rtt || is_expired) {
            self.min_rtt = self.probe_rtt_min;
            self.min_rtt_at = self.probe_rtt_min_at;
        }
    }

    pub(super) fn check_probe_rtt(&mut self, input: &Input) {
        if self.state != State::ProbeRtt && self.is_probe_rtt_due && !self.is_idle_restart {
            self.state = State::ProbeRtt;
            self.pacing_gain = 100;
            self.cwnd_gain = PROBE_GAIN;
            self.save_cwnd();
            self.probe_rtt_done_at = None;
            self.ack_phase = AckPhase::Stopping;
            self.start_round(input.sample.total);
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(input);
        }
        if input.sample.newly_delivered > 0 {
            self.is_idle_restart = false;
        }
    }

    fn handle_probe_rtt(&mut self, input: &Input) {
        let in_flight = u64::from(input.sample.in_flight);
        if self.probe_rtt_done_at.is_none() {
            if in_flight <= self.probe_rtt_cwnd() {
                self.probe_rtt_done_at = Some(input.now + PROBE_TIME);
                self.probe_rtt_round_done = false;
                self.start_round(input.sample.total);
            }
            return;
        }
        self.probe_rtt_round_done |= self.round_start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(input.now);
        }
    }

    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done_at.is_none_or(|done| now <= done) {
            return;
        }
        self.probe_rtt_min_at = now;
        self.probe_rtt_seen_at = now;
        self.restore_cwnd();
        self.reset_shortterm_model();
        if self.is_full_bw_reached {
            self.resume_cruise(now);
        } else {
            self.enter_startup();
        }
    }

    /// The window of the drought.
    pub(super) fn probe_rtt_cwnd(&self) -> u64 {
        self.bdp(self.bw(), PROBE_GAIN).max(self.least_cwnd())
    }
}
