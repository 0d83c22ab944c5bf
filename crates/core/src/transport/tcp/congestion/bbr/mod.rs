//! BBR version 3 (draft-ietf-ccwg-bbr): a model of the path instead of a reaction to losses.
//!
//! The model has two sides. How fast the path delivers and how long it takes without a queue ([`model`]) say how much
//! should be in flight; losses bound that from above, for long (`inflight_longterm`) and for a short while
//! (`inflight_shortterm`, `bw_shortterm`). The states probe for what changes: [`probe_bw`] for more bandwidth,
//! [`probe_rtt`] for a shorter path. What comes of both, pacing rate and window, is reckoned in [`control`].
//!
//! All numbers are bytes, bytes per second and microseconds. The names are the draft's.

mod control;
mod model;
mod probe_bw;
mod probe_rtt;

use super::{Acked, CongestionControl, CwndReason, Window};
use crate::time::{Duration, Instant};
use crate::transport::tcp::rate::Sample;

/// Nothing is known that bounds.
const UNBOUNDED: u64 = u64::MAX;
/// Gains are percent; the pacing gain of Startup is 4 ln 2.
const STARTUP_PACING_GAIN: u64 = 277;
const STARTUP_CWND_GAIN: u64 = 200;
/// Drain empties in one round trip what Startup has queued.
const DRAIN_PACING_GAIN: u64 = 50;
/// A bound is pulled in to this part of what it was.
const BETA: u64 = 70;
/// More than this part of what was in flight may not be lost (LossThresh), in percent.
const LOSS_THRESHOLD: u64 = 2;
/// The same where no queue is to be seen.
const HEAVY_LOSS: u64 = 15;
/// So many losses in a round say something (StartupFullLossCnt).
const STARTUP_LOSSES: u32 = 6;
/// How much of the long-term bound is left to others, in percent.
const HEADROOM: u64 = 15;
/// The least window, in segments.
const LEAST_SEGMENTS: u32 = 4;

/// What the flow is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

impl CongestionControl for Bbr {
    fn per_segment(&mut self, _: Instant, window: &Window, _: Acked) -> u32 {
        window.cwnd // never asked: the model says what the window is
    }

    fn threshold(&mut self, _: &Window) -> u32 {
        u32::MAX
    }

    fn model(&mut self) -> Option<&mut Bbr> {
        Some(self)
    }

    fn on_round_trip(&mut self, _: Instant, sample: Duration) {
        self.init_pacing_rate(u64::try_from(sample.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    fn on_idle(&mut self, now: Instant, _: Duration) {
        self.on_restart(now);
    }
}

impl State {
    fn reason(self) -> CwndReason {
        match self {
            State::Startup => CwndReason::BbrStartup,
            State::Drain => CwndReason::BbrDrain,
            State::Down => CwndReason::BbrProbeDown,
            State::Cruise => CwndReason::BbrCruise,
            State::Refill => CwndReason::BbrRefill,
            State::Up => CwndReason::BbrProbeUp,
            State::ProbeRtt => CwndReason::BbrProbeRtt,
        }
    }

    fn is_probe_bw(self) -> bool {
        matches!(self, State::Down | State::Cruise | State::Refill | State::Up)
    }

    /// Whether more is sent than the path is known to carry: losses then say little.
    fn is_probing(self) -> bool {
        matches!(self, State::Startup | State::Refill | State::Up)
    }
}

/// Which acknowledgements come in, as seen from the last probe for bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckPhase {
    Init,
    Refilling,
    Starting,
    Feedback,
    Stopping,
}

/// What an acknowledgement brings, and what the sender is doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) now: Instant,
    pub(super) sample: Sample,
    /// Whether the window was what limited sending.
    pub(super) is_limited: bool,
    /// Whether losses are being recovered.
    pub(super) is_recovering: bool,
}

/// The whole of it.
#[derive(Clone, Debug)]
pub(super) struct Bbr {
    state: State,
    pacing_gain: u64,
    cwnd_gain: u64,
    /// Bytes per second; zero before anything is known.
    pacing_rate: u64,
    cwnd: u64,
    mss: u64,
    initial_cwnd: u64,
    seed: u64,

    /// The largest delivery rate of this probing cycle and the one before.
    max_bw: [u64; 2],
    bw_shortterm: u64,
    bw_latest: u64,
    inflight_longterm: u64,
    inflight_shortterm: u64,
    inflight_latest: u64,

    /// The shortest round-trip time of ten seconds, in microseconds; zero before the first.
    min_rtt: u64,
    min_rtt_at: Instant,
    probe_rtt_min: u64,
    probe_rtt_min_at: Instant,
    /// When a round trip as short was last seen.
    probe_rtt_seen_at: Instant,
    probe_rtt_done_at: Option<Instant>,
    probe_rtt_round_done: bool,
    is_probe_rtt_due: bool,
    is_idle_restart: bool,

    /// When the last acknowledgement came, and what was delivered altogether.
    now: Instant,
    delivered: u64,
    next_round_delivered: u64,
    round_start: bool,
    rounds: u64,
    loss_round_delivered: u64,
    loss_round_start: bool,
    loss_in_round: bool,
    /// Bytes lost and delivered in this round, and the shortest round-trip time of it and of the last, in microseconds.
    round_lost: u64,
    round_delivered: u64,
    round_rtt: u64,
    last_round_rtt: u64,
    /// Whether much was lost in the last round.
    was_heavy: bool,
    /// Acknowledgements of this round that told of losses.
    loss_events: u32,
    /// Bytes delivered when the recovery that goes on began.
    recovery_since: Option<u64>,

    is_full_bw_reached: bool,
    is_full_bw_now: bool,
    full_bw: u64,
    full_bw_count: u32,

    extra_acked: [u64; 2],
    extra_acked_round: u64,
    extra_acked_at: Instant,
    extra_acked_delivered: u64,

    ack_phase: AckPhase,
    cycle_at: Instant,
    probe_wait: Duration,
    rounds_since_probe: u64,
    probe_up_rounds: u32,
    probe_up_acks: u64,
    probe_up_count: u64,
    has_probe_samples: bool,

    /// The window before a recovery or ProbeRTT.
    prior_cwnd: u64,
    undo: Undo,
}

/// What a loss that was none is to bring back.
#[derive(Clone, Copy, Debug)]
struct Undo {
    state: State,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

impl Bbr {
    pub(super) fn new(seed: u32) -> Self {
        Bbr {
            state: State::Startup,
            pacing_gain: STARTUP_PACING_GAIN,
            cwnd_gain: STARTUP_CWND_GAIN,
            pacing_rate: 0,
            cwnd: 0,
            mss: 1,
            initial_cwnd: 0,
            seed: u64::from(seed),
            max_bw: [0; 2],
            bw_shortterm: UNBOUNDED,
            bw_latest: 0,
            inflight_longterm: UNBOUNDED,
            inflight_shortterm: UNBOUNDED,
            inflight_latest: 0,
            min_rtt: 0,
            min_rtt_at: Instant::ZERO,
            probe_rtt_min: 0,
            probe_rtt_min_at: Instant::ZERO,
            probe_rtt_seen_at: Instant::ZERO,
            probe_rtt_done_at: None,
            probe_rtt_round_done: false,
            is_probe_rtt_due: false,
            is_idle_restart: false,
            now: Instant::ZERO,
            delivered: 0,
            next_round_delivered: 0,
            round_start: false,
            rounds: 0,
            loss_round_delivered: 0,
            loss_round_start: false,
            loss_in_round: false,
            round_lost: 0,
            round_delivered: 0,
            round_rtt: UNBOUNDED,
            last_round_rtt: UNBOUNDED,
            was_heavy: false,
            loss_events: 0,
            recovery_since: None,
            is_full_bw_reached: false,
            is_full_bw_now: false,
            full_bw: 0,
            full_bw_count: 0,
            extra_acked: [0; 2],
            extra_acked_round: 0,
            extra_acked_at: Instant::ZERO,
            extra_acked_delivered: 0,
            ack_phase: AckPhase::Init,
            cycle_at: Instant::ZERO,
            probe_wait: Duration::ZERO,
            rounds_since_probe: 0,
            probe_up_rounds: 0,
            probe_up_acks: 0,
            probe_up_count: UNBOUNDED,
            has_probe_samples: false,
            prior_cwnd: 0,
            undo: Undo {
                state: State::Startup,
                bw_shortterm: UNBOUNDED,
                inflight_shortterm: UNBOUNDED,
                inflight_longterm: UNBOUNDED,
            },
        }
    }

    /// The window as it is set from outside: at the start, and when the size of segments changes.
    pub(super) fn set_window(&mut self, window: &Window, initial: u32) {
        self.mss = u64::from(window.mss);
        self.cwnd = u64::from(window.cwnd);
        self.initial_cwnd = u64::from(initial);
    }

    /// Bytes per second, once there is an idea of it.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        (self.pacing_rate > 0).then_some(self.pacing_rate)
    }

    /// Whether it holds back on purpose, so that what is measured says nothing about the path.
    pub(super) fn holds_back(&self) -> bool {
        self.state == State::ProbeRtt
    }

    /// What it is doing.
    pub(super) fn reason(&self) -> CwndReason {
        self.state.reason()
    }

    /// An acknowledgement; says what the window is from now on.
    pub(super) fn on_ack(&mut self, input: &Input) -> u32 {
        self.now = input.now;
        self.delivered = input.sample.total;
        self.follow_recovery(input);
        self.update_latest_delivery_signals(input);
        self.update_congestion_signals(input);
        self.update_ack_aggregation(input);
        self.check_full_bw_reached(input);
        self.check_startup_done(input);
        self.check_drain(input);
        self.update_probe_bw_cycle_phase(input);
        self.update_min_rtt(input);
        self.check_probe_rtt(input);
        self.advance_latest_delivery_signals(input);
        self.set_pacing_rate();
        self.set_cwnd(input);
        u32::try_from(self.cwnd).unwrap_or(u32::MAX)
    }

    fn check_startup_done(&mut self, input: &Input) {
        if self.state != State::Startup {
            return;
        }
        self.check_startup_high_loss(input);
        if self.is_full_bw_reached {
            self.state = State::Drain;
            self.pacing_gain = DRAIN_PACING_GAIN;
            self.cwnd_gain = STARTUP_CWND_GAIN;
        }
    }

    /// Startup also ends where it loses too much for a whole round (section 5.3.1.3).
    fn check_startup_high_loss(&mut self, input: &Input) {
        if !self.loss_round_start {
            return;
        }
        let events = core::mem::take(&mut self.loss_events);
        let has_lasted = self.recovery_since.is_some_and(|since| {
            input.is_recovering && input.sample.prior_delivered.is_some_and(|prior| prior >= since)
        });
        if has_lasted && events >= STARTUP_LOSSES && self.is_inflight_too_high(&input.sample) {
            self.is_full_bw_reached = true;
            self.inflight_longterm = self.bdp(self.bw_max(), 100).max(self.inflight_latest);
        }
    }

    fn check_drain(&mut self, input: &Input) {
        if self.state == State::Drain
            && u64::from(input.sample.in_flight) <= self.inflight(self.bw_max(), 100)
        {
            self.start_down(input.now);
        }
    }

    fn enter_startup(&mut self) {
        self.state = State::Startup;
        self.pacing_gain = STARTUP_PACING_GAIN;
        self.cwnd_gain = STARTUP_CWND_GAIN;
    }

    /// Losses were found: what follows for the window is reckoned with the acknowledgement that shows them.
    pub(super) fn on_loss(&mut self) {
        self.save_cwnd();
        self.save_undo();
        self.recovery_since = Some(self.delivered);
    }

    /// The retransmission timer expired: the window lets one segment out besides the `pipe` bytes that are not given up.
    pub(super) fn on_timeout(&mut self, pipe: u32) -> u32 {
        self.save_cwnd();
        self.save_undo();
        self.recovery_since = Some(self.delivered);
        self.cwnd = u64::from(pipe) + self.mss;
        u32::try_from(self.cwnd).unwrap_or(u32::MAX)
    }

    fn save_undo(&mut self) {
        self.undo = Undo {
            state: self.state,
            bw_shortterm: self.bw_shortterm,
            inflight_shortterm: self.inflight_shortterm,
            inflight_longterm: self.inflight_longterm,
        };
    }

    /// The loss was none (section 5.5.11).
    pub(super) fn on_undo(&mut self) -> u32 {
        let undo = self.undo;
        self.loss_in_round = false;
        self.reset_full_bw();
        self.bw_shortterm = self.bw_shortterm.max(undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(undo.inflight_longterm);
        if self.state != State::ProbeRtt && self.state != undo.state {
            match undo.state {
                State::Startup => {
                    self.is_full_bw_reached = false;
                    self.enter_startup();
                }
                State::Up => self.start_up(self.now),
                _ => {}
            }
        }
        self.restore_cwnd();
        u32::try_from(self.cwnd).unwrap_or(u32::MAX)
    }

    /// Sending begins again while nothing is in flight: the pace is known, a burst is not needed (section 5.4.1).
    pub(super) fn on_restart(&mut self, now: Instant) {
        self.is_idle_restart = true;
        self.extra_acked_at = now;
        self.extra_acked_delivered = 0;
        if self.state.is_probe_bw() {
            self.set_pacing_rate_with(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }

    fn follow_recovery(&mut self, input: &Input) {
        if self.recovery_since.is_none() {
            return;
        }
        if !input.is_recovering {
            self.recovery_since = None;
            self.restore_cwnd();
        }
    }

    /// Whether more was lost of what was in flight than a path may lose by chance.
    fn is_inflight_too_high(&self, sample: &Sample) -> bool {
        self.is_congested(u64::from(sample.lost), u64::from(sample.prior_in_flight))
    }

    /// The next of this connection's random numbers: flows that probe at different times find more.
    fn random(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below.max(1)
    }
}

#[cfg(test)]
mod tests;
