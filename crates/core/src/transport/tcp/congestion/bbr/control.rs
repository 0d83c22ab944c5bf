//! What the model comes to: the pacing rate and the window (section 5.6).

use super::{Bbr, Input, LEAST_SEGMENTS, State, UNBOUNDED};

/// The pace in thousandths of the path's rate. The draft stays a percent below it, so that queues drain. They do so in ProbeBW's
/// Down; that percent would be missing all the time, as is what timers are late by. (Linux has the percent, but takes headers
/// for a part of its rate and paces by payload, which comes to 1,026.)
const PACING: u64 = 1005;

/// The least window, where four times what the path holds is no less.
const SURVIVAL_SEGMENTS: u64 = 32;
const SURVIVAL_GAIN: u64 = 400;

impl Bbr {
    pub(super) fn least_cwnd(&self) -> u64 {
        u64::from(LEAST_SEGMENTS) * self.mss
    }

    /// Before anything is measured: the initial window in a round trip of a millisecond, or of the handshake's.
    pub(super) fn init_pacing_rate(&mut self, rtt_micros: u64) {
        if self.pacing_rate == 0 && rtt_micros > 0 {
            self.pacing_rate = self.cwnd * 1_000_000 / rtt_micros * super::STARTUP_PACING_GAIN / 100;
        }
    }

    pub(super) fn set_pacing_rate(&mut self) {
        self.set_pacing_rate_with(self.pacing_gain);
    }

    pub(super) fn set_pacing_rate_with(&mut self, gain: u64) {
        let rate = u128::from(self.bw()) * u128::from(gain * PACING) / 100_000;
        let rate = u64::try_from(rate).unwrap_or(UNBOUNDED);
        if rate > 0 && (self.is_full_bw_reached || rate > self.pacing_rate) {
            self.pacing_rate = rate;
        }
    }

    /// What is to be in flight at this rate and gain, with room for bursts and for probing.
    pub(super) fn inflight(&self, bw: u64, gain: u64) -> u64 {
        self.with_room(self.bdp(bw, gain))
    }

    fn with_room(&self, inflight: u64) -> u64 {
        let burst = (self.pacing_rate >> 10).clamp(2 * self.mss, 65_536.max(2 * self.mss));
        let room = if self.state == State::Up { 2 * self.mss } else { 0 };
        inflight.max(3 * burst).max(self.least_cwnd()) + room
    }

    pub(super) fn set_cwnd(&mut self, input: &Input) {
        let sample = &input.sample;
        let newly = u64::from(sample.newly_delivered);
        let most = self.with_room(self.bdp(self.bw(), self.cwnd_gain) + self.most_extra_acked());
        let most = most.max(self.survival());
        if input.is_recovering {
            // With what is added below, an acknowledgement releases at most twice what it delivers.
            self.cwnd = self.cwnd.saturating_sub(u64::from(sample.newly_lost)).max(self.mss);
        }
        if self.is_full_bw_reached {
            self.cwnd = (self.cwnd + newly).min(most);
        } else if self.cwnd < most || sample.total < self.initial_cwnd {
            self.cwnd += newly;
        }
        self.cwnd = self.cwnd.max(self.least_cwnd());
        if self.state == State::ProbeRtt {
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
        self.bound_cwnd();
    }

    fn bound_cwnd(&mut self) {
        let bound = match self.state {
            State::Down | State::Refill | State::Up => self.inflight_longterm.max(self.survival()),
            // Room is left to others where a queue shows that there may be any.
            State::Cruise if !self.has_queue() => self.inflight_longterm.max(self.survival()),
            State::ProbeRtt | State::Cruise => self.inflight_with_headroom(),
            State::Startup | State::Drain => UNBOUNDED,
        };
        let bound = bound.min(self.inflight_shortterm).max(self.least_cwnd());
        self.cwnd = self.cwnd.min(bound).min(1 << 30);
    }

    /// How large the window of a thin path is at least. Where a burst of losses takes a whole window there is nothing left to be
    /// answered, and a time-out follows, which takes longer than everything else. It is the pace that keeps the queue short.
    fn survival(&self) -> u64 {
        (SURVIVAL_SEGMENTS * self.mss).min(self.bdp(self.bw(), SURVIVAL_GAIN))
    }

    /// Remembers the window before it is taken away.
    pub(super) fn save_cwnd(&mut self) {
        let is_whole = self.recovery_since.is_none() && self.state != State::ProbeRtt;
        self.prior_cwnd = if is_whole { self.cwnd } else { self.prior_cwnd.max(self.cwnd) };
    }

    pub(super) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}
