//! Congestion control: numbers in, window out. It never sees the sender.
//!
//! What all algorithms share is in [`Congestion`]: slow start (RFC 5681) and its end ([`hystart`]), the initial window
//! (RFC 6928), what a time-out and an idle time do, and that a window grows only while it is [`usage`]d up. How the window
//! grows beyond `ssthresh` and by how much a loss shrinks it is the algorithm's. Inside recovery the window is not ours:
//! whoever reduces it in proportion (RFC 6937) says what it is by [`Congestion::set_cwnd`].

mod bbr;
mod cubic;
mod hystart;
mod name;
mod reno;
mod usage;

use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;
use bbr::{Bbr, Input};
use cubic::Cubic;
use hystart::{HyStart, Observation, Spread, Verdict};
pub use name::{CongestionName, CwndReason, SlowStartExit};
use reno::Reno;
pub(super) use usage::Sent;
use usage::Usage;

use super::Settings;
use super::rate::Sample;

/// The largest congestion window, in bytes: what a scaled receive window can be.
const LARGEST_WINDOW: u32 = 1 << 30;

/// The two numbers of every algorithm, in bytes, and the segment size they are reckoned in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    mss: u32,
}

impl Window {
    /// The window in whole segments.
    fn segments(&self) -> u32 {
        self.cwnd / self.mss
    }
}

/// What an acknowledgement that moves SND.UNA says while nothing is being recovered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    /// Bytes newly acknowledged.
    pub(super) bytes: u32,
}

/// A round-trip time was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    pub(super) sample: Duration,
    /// The shortest so far.
    pub(super) least: Duration,
    pub(super) una: SeqNumber,
    pub(super) nxt: SeqNumber,
}

/// One algorithm.
trait CongestionControl {
    /// How many bytes of acknowledged data the window grows by a segment for, in congestion avoidance.
    fn per_segment(&mut self, now: Instant, window: &Window, acked: Acked) -> u32;
    /// The new slow-start threshold after a loss.
    fn threshold(&mut self, window: &Window) -> u32;
    /// An algorithm that reckons with rates instead of windows.
    fn model(&mut self) -> Option<&mut Bbr> {
        None
    }
    /// A round-trip time was measured.
    fn on_round_trip(&mut self, _now: Instant, _sample: Duration) {}
    /// The retransmission timer has expired; the threshold is set already.
    fn on_timeout(&mut self) {}
    /// The loss behind the last call of `threshold` was none.
    fn undo(&mut self) {}
    /// Nothing was sent for this time.
    fn on_idle(&mut self, _now: Instant, _idle: Duration) {}
}

#[derive(Clone, Debug)]
enum Algorithm {
    Reno(Reno),
    Cubic(Cubic),
    Bbr(Box<Bbr>),
}

impl Algorithm {
    fn new(name: CongestionName, seed: u32) -> Algorithm {
        match name {
            CongestionName::Reno => Algorithm::Reno(Reno),
            CongestionName::Cubic => Algorithm::Cubic(Cubic::default()),
            CongestionName::Bbr => Algorithm::Bbr(Box::new(Bbr::new(seed))),
        }
    }

    fn control(&mut self) -> &mut dyn CongestionControl {
        match self {
            Algorithm::Reno(reno) => reno,
            Algorithm::Cubic(cubic) => cubic,
            Algorithm::Bbr(bbr) => bbr.as_mut(),
        }
    }
}

/// Pacing rates in percent of a window each round trip: while the window is far below the threshold, and else. Linux has
/// the same.
const SLOW_START_PACE: u64 = 200;
const AVOIDANCE_PACE: u64 = 120;

/// The congestion control of one connection.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    window: Window,
    algorithm: Algorithm,
    exit: SlowStartExit,
    /// Only while slow start goes on.
    hystart: Option<Box<HyStart>>,
    usage: Usage,
    /// Bytes acknowledged that have not opened the window yet.
    counted: u32,
    /// Segments of the initial window.
    initial_segments: u32,
    reason: CwndReason,
    /// When data was last acknowledged.
    acked_at: Instant,
    paces: bool,
    most_pace: Option<u64>,
}

impl Congestion {
    /// `seed` makes flows of BBR differ.
    pub(super) fn new(settings: &Settings, mss: u32, seed: u32) -> Self {
        let mut congestion = Congestion {
            window: Window { cwnd: 0, ssthresh: u32::MAX, mss: 1 },
            algorithm: Algorithm::new(settings.congestion, seed),
            exit: exit(settings),
            hystart: None,
            usage: Usage::new(),
            counted: 0,
            initial_segments: settings.initial_window.max(1),
            reason: CwndReason::Initial,
            acked_at: Instant::ZERO,
            paces: settings.pacing,
            most_pace: settings.max_pacing_rate,
        };
        congestion.start(mss);
        congestion
    }

    /// Other settings count from now on. Another algorithm begins with the window there is.
    pub(super) fn set_settings(&mut self, old: CongestionName, settings: &Settings, seed: u32) {
        self.paces = settings.pacing;
        self.most_pace = settings.max_pacing_rate;
        self.exit = exit(settings);
        if settings.congestion == old {
            return;
        }
        self.algorithm = Algorithm::new(settings.congestion, seed);
        self.hystart = None;
        self.counted = 0;
        self.tell_window();
        if self.controls_recovery() {
            self.window.ssthresh = u32::MAX;
        } else if self.window.ssthresh == u32::MAX && matches!(old, CongestionName::Bbr) {
            // The window is what the path holds already.
            self.window.ssthresh = self.window.cwnd.max(2 * self.window.mss);
        }
    }

    fn tell_window(&mut self) {
        let initial = self.initial();
        let window = self.window;
        if let Some(bbr) = self.algorithm.control().model() {
            bbr.set_window(&window, initial);
        }
    }

    /// The congestion window in bytes.
    pub(super) fn cwnd(&self) -> u32 {
        self.window.cwnd
    }

    /// The slow-start threshold in bytes; `u32::MAX` before the first loss.
    pub(super) fn ssthresh(&self) -> u32 {
        self.window.ssthresh
    }

    /// What last changed the window.
    pub(super) fn reason(&self) -> CwndReason {
        self.reason
    }

    /// Whether the window is below the threshold.
    pub(super) fn is_slow_start(&self) -> bool {
        self.window.cwnd < self.window.ssthresh
    }

    /// Whether the algorithm says what the window is during recovery too, so that nobody else may.
    pub(super) fn controls_recovery(&self) -> bool {
        matches!(self.algorithm, Algorithm::Bbr(_))
    }

    /// The segment size has become known, before anything was sent.
    pub(super) fn start(&mut self, mss: u32) {
        self.window.mss = mss.max(1);
        self.window.cwnd = self.initial();
        self.tell_window();
    }

    /// The handshake lost more than one of our segments: start with one (RFC 6928 section 2).
    pub(super) fn start_small(&mut self) {
        self.window.cwnd = self.window.mss;
        self.tell_window();
    }

    /// The initial window. Beyond what RFC 6928 allows only where the settings ask for more.
    fn initial(&self) -> u32 {
        let mss = self.window.mss;
        let asked = self.initial_segments.saturating_mul(mss).min(LARGEST_WINDOW);
        if self.initial_segments > 10 { asked } else { asked.min((2 * mss).max(14_600)) }
    }

    /// The segment size has changed: the window stays the same number of segments.
    pub(super) fn set_mss(&mut self, mss: u32) {
        let mss = mss.max(1);
        let segments = self.window.segments().max(1);
        self.window.cwnd = segments.saturating_mul(mss).min(LARGEST_WINDOW);
        if self.window.ssthresh != u32::MAX {
            let segments = self.window.ssthresh / self.window.mss;
            self.window.ssthresh = segments.saturating_mul(mss).clamp(2 * mss, u32::MAX - 1);
        }
        self.window.mss = mss;
        self.reason = CwndReason::SegmentSize;
        self.tell_window();
    }

    /// Whoever reduces the window in proportion says what it is; nothing happens where the algorithm controls recovery.
    pub(super) fn set_cwnd(&mut self, cwnd: u32) {
        if self.controls_recovery() {
            return;
        }
        self.window.cwnd = cwnd.clamp(self.window.mss, LARGEST_WINDOW);
    }

    /// Something has left, or would have but for the window.
    pub(super) fn on_sent(&mut self, now: Instant, sent: Sent) {
        let is_slow_start = self.is_slow_start();
        self.usage.note(now, sent, self.window.cwnd, is_slow_start);
    }

    /// Whether the window is what limits sending: only then may it grow.
    pub(super) fn is_limited(&self) -> bool {
        self.usage.is_limited(self.window.cwnd, self.is_slow_start())
    }

    /// The program has not used the window up for an RTO or longer: halfway down to what was used (RFC 7661, as Linux).
    pub(super) fn validate(&mut self, now: Instant, rto: Duration) {
        if self.controls_recovery() {
            return;
        }
        let Some(used) = self.usage.take_unused(now, rto) else { return };
        let used = used.max(self.initial());
        if used < self.window.cwnd {
            self.remember_three_quarters();
            self.window.cwnd = self.window.cwnd / 2 + used / 2;
            self.reason = CwndReason::ApplicationLimited;
        }
    }

    /// A round-trip time was measured; before the same acknowledgement lets the window grow.
    pub(super) fn on_round_trip(&mut self, now: Instant, trip: RoundTrip) {
        self.algorithm.control().on_round_trip(now, trip.sample);
        if self.controls_recovery() {
            return;
        }
        // RFC 9406 section 4.3: once the threshold is known, standard slow start does.
        let is_first = self.window.ssthresh == u32::MAX;
        let is_wanted = match self.exit {
            SlowStartExit::HyStartPlusPlus => is_first,
            SlowStartExit::HyStart => self.is_slow_start(),
            SlowStartExit::Loss => false,
        };
        if !is_wanted {
            self.hystart = None;
            return;
        }
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX - 1).max(1);
        let seen = Observation {
            now,
            rtt: micros(trip.sample),
            least_rtt: micros(trip.least),
            una: trip.una,
            nxt: trip.nxt,
            segments: self.window.segments(),
            spread: match (self.is_limited(), self.is_paced()) {
                (false, _) => Spread::Unlimited,
                (true, false) => Spread::Clocked,
                (true, true) => Spread::Paced,
            },
        };
        let hystart = self.hystart.get_or_insert_with(|| Box::new(HyStart::new()));
        if hystart.observe(self.exit, seen) == Verdict::Exit {
            self.hystart = None;
            self.window.ssthresh = self.window.cwnd;
            self.reason = CwndReason::HyStart;
        }
    }

    /// New data was acknowledged while nothing was being recovered.
    pub(super) fn on_ack(&mut self, now: Instant, acked: Acked) {
        self.acked_at = now;
        if self.controls_recovery() || !self.is_limited() {
            return;
        }
        let mut rest = acked.bytes;
        if self.is_slow_start() {
            let careful = self.hystart.as_ref().and_then(|hystart| hystart.careful_divisor());
            let divisor = careful.unwrap_or(1);
            let taken = (rest / divisor).min(self.window.ssthresh - self.window.cwnd);
            self.window.cwnd = self.window.cwnd.saturating_add(taken).min(LARGEST_WINDOW);
            self.reason = if careful.is_some() { CwndReason::HyStart } else { CwndReason::SlowStart };
            if self.is_slow_start() {
                return;
            }
            rest -= taken.saturating_mul(divisor).min(rest);
        }
        if rest > 0 {
            self.avoid(now, Acked { bytes: rest });
        }
    }

    /// What an acknowledgement says about the path; after `on_ack`, and for every acknowledgement.
    pub(super) fn on_sample(&mut self, now: Instant, sample: Sample, is_recovering: bool) {
        let input = Input { now, sample, is_limited: self.usage.was_full(), is_recovering };
        if let Some(bbr) = self.algorithm.control().model() {
            let cwnd = bbr.on_ack(&input);
            let reason = bbr.reason();
            self.window.cwnd = cwnd.min(LARGEST_WINDOW);
            self.reason = reason;
        }
    }

    /// Whether the algorithm holds back on purpose, so that what is measured says nothing about the path.
    pub(super) fn holds_back(&mut self) -> bool {
        self.algorithm.control().model().is_some_and(|bbr| bbr.holds_back())
    }

    /// The pacing rate in bytes per second, whether it is kept to or not; none before a round-trip time is measured.
    pub(super) fn pacing_rate(&self, rtt: Option<Duration>, outstanding: u32) -> Option<u64> {
        let rate = match &self.algorithm {
            Algorithm::Bbr(bbr) => bbr.pacing_rate(),
            _ => rtt.map(|rtt| {
                let far = self.window.cwnd < self.window.ssthresh / 2;
                let percent = if far { SLOW_START_PACE } else { AVOIDANCE_PACE };
                let bytes = u64::from(self.window.cwnd.max(outstanding)) * percent * 10_000;
                bytes / u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).max(1)
            }),
        };
        match (rate, self.most_pace) {
            (Some(rate), Some(most)) => Some(rate.min(most)),
            (rate, most) => rate.or(most),
        }
    }

    /// Whether the pacing rate is kept to.
    pub(super) fn is_paced(&self) -> bool {
        self.paces || self.most_pace.is_some() || matches!(self.algorithm, Algorithm::Bbr(_))
    }

    /// Congestion avoidance: whole segments, as many as were paid for.
    fn avoid(&mut self, now: Instant, acked: Acked) {
        let window = self.window;
        let price = self.algorithm.control().per_segment(now, &window, acked).max(window.mss);
        if self.counted >= price {
            // The price has come down below what is saved already: no burst for that.
            self.counted = 0;
            self.grow(window.mss);
        }
        self.counted = self.counted.saturating_add(acked.bytes);
        let segments = self.counted / price;
        self.counted %= price;
        self.grow(segments.saturating_mul(window.mss));
    }

    fn grow(&mut self, bytes: u32) {
        if bytes > 0 {
            self.window.cwnd = self.window.cwnd.saturating_add(bytes).min(LARGEST_WINDOW);
            self.reason = CwndReason::Avoidance;
        }
    }

    /// A loss was found with `flight` bytes in flight: the threshold shrinks, and recovery brings the window down to it.
    pub(super) fn on_loss(&mut self, _flight: u32) {
        self.reason = CwndReason::Loss;
        if let Some(bbr) = self.algorithm.control().model() {
            bbr.on_loss();
            return;
        }
        self.reduce_threshold();
    }

    fn reduce_threshold(&mut self) {
        let window = self.window;
        self.window.ssthresh = self.algorithm.control().threshold(&window).max(2 * window.mss);
        self.counted = 0;
    }

    /// The retransmission timer expired: the window lets one segment out besides the `pipe` bytes that left too lately to
    /// be given up. `Timeout::Again` leaves the threshold alone
    /// (RFC 5681 section 3.1: it is set when the first retransmission of the same data times out, not each time).
    pub(super) fn on_timeout(&mut self, pipe: u32, which: Timeout) {
        self.reason = CwndReason::Timeout;
        if let Some(bbr) = self.algorithm.control().model() {
            self.window.cwnd = bbr.on_timeout(pipe);
            return;
        }
        if which == Timeout::First {
            self.reduce_threshold();
        }
        self.algorithm.control().on_timeout();
        self.hystart = None;
        self.counted = 0;
        self.window.cwnd = pipe.saturating_add(self.window.mss).min(LARGEST_WINDOW);
    }

    /// The last reduction was a mistake: back to what was before it, unless more has been reached since.
    pub(super) fn undo(&mut self, cwnd: u32, ssthresh: u32) {
        self.reason = CwndReason::Undo;
        if let Some(bbr) = self.algorithm.control().model() {
            self.window.cwnd = bbr.on_undo().max(cwnd).min(LARGEST_WINDOW);
            self.tell_window();
            return;
        }
        self.window.cwnd = self.window.cwnd.max(cwnd).min(LARGEST_WINDOW);
        self.window.ssthresh = self.window.ssthresh.max(ssthresh);
        self.algorithm.control().undo();
    }

    /// Nothing was sent for `idle`: the window shrinks by half for each RTO down to the initial window, as Linux does
    /// (RFC 5681 section 4.1 would allow no more than the initial window at once).
    pub(super) fn on_idle(&mut self, idle: Duration, rto: Duration) {
        if self.controls_recovery() {
            return;
        }
        let floor = self.initial().min(self.window.cwnd);
        let mut rest = idle;
        self.remember_three_quarters();
        let before = self.window.cwnd;
        while rest > rto && self.window.cwnd > floor {
            self.window.cwnd = (self.window.cwnd / 2).max(floor);
            rest -= rto;
        }
        if self.window.cwnd < before {
            self.reason = CwndReason::Idle;
        }
    }

    /// Sending begins again while nothing is in flight.
    pub(super) fn on_restart(&mut self, now: Instant) {
        self.algorithm.control().on_idle(now, now.since(self.acked_at));
    }

    /// What the window was may come back by slow start, most of it.
    fn remember_three_quarters(&mut self) {
        self.window.ssthresh = self.window.ssthresh.max(self.window.cwnd / 4 * 3);
    }
}

/// Only CUBIC looks for the end of slow start.
fn exit(settings: &Settings) -> SlowStartExit {
    match settings.congestion {
        CongestionName::Cubic => settings.slow_start_exit,
        CongestionName::Reno | CongestionName::Bbr => SlowStartExit::Loss,
    }
}

/// Which time-out of a row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    /// The first for this data.
    First,
    /// One more without an acknowledgement between.
    Again,
}

#[cfg(test)]
mod tests;
