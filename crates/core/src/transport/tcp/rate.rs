//! How fast the path delivers (draft-cheng-iccrg-delivery-rate-estimation).
//!
//! Each transmission takes along a [`Stamp`]: how much had been delivered when it left, and when. When it is acknowledged,
//! what was delivered between is what the path has carried in that time. Two times are known for it, that of the sending
//! and that of the acknowledging; the longer one counts, because bunched acknowledgements make the other too short.

use super::recovery::Phase;
use super::scoreboard::Delivered;
use super::sender::Sender;
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

/// The application had too little to send when this left: a low rate says nothing about the path.
const APPLICATION_LIMITED: u32 = 1 << 31;

/// What a transmission remembers. Numbers are modulo 2^32 and times in microseconds modulo 2^32: more than an hour, in which
/// no transmission stays unanswered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Bytes delivered before it left, and when the last of these was.
    delivered: u32,
    delivered_at: u32,
    /// When the first of what was in flight then had left.
    first_sent_at: u32,
    /// Bytes ever marked lost before it left.
    lost: u32,
    /// Bytes in flight with it; the highest bit is [`APPLICATION_LIMITED`].
    in_flight: u32,
}

/// The transmission that was sent last of those an acknowledgement has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamped {
    pub(super) sent_at: Instant,
    pub(super) end: SeqNumber,
    pub(super) stamp: Stamp,
}

impl Stamped {
    /// Keeps the later one of two.
    pub(super) fn keep_latest(kept: &mut Option<Stamped>, other: Stamped) {
        let is_later = |kept: &Stamped| {
            other.sent_at > kept.sent_at || other.sent_at == kept.sent_at && other.end.is_after(kept.end)
        };
        if kept.as_ref().is_none_or(is_later) {
            *kept = Some(other);
        }
    }
}

/// What an acknowledgement says about the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Bytes per second; zero where it says nothing about that.
    pub(super) rate: u64,
    /// Bytes delivered between the sending of what it acknowledges and now.
    pub(super) delivered: u32,
    /// How much had been delivered altogether when that was sent; none where nothing new was delivered.
    pub(super) prior_delivered: Option<u64>,
    /// What had been in flight then, in bytes.
    pub(super) prior_in_flight: u32,
    /// Bytes marked lost since then.
    pub(super) lost: u32,
    /// Whether the application had too little to send then.
    pub(super) is_application_limited: bool,
    /// Bytes this acknowledgement newly delivers.
    pub(super) newly_delivered: u32,
    /// Bytes newly marked lost.
    pub(super) newly_lost: u32,
    /// The round-trip time it measured.
    pub(super) rtt: Option<Duration>,
    /// Bytes in flight now.
    pub(super) in_flight: u32,
    /// Bytes delivered altogether.
    pub(super) total: u64,
}

/// What the sender knows at an acknowledgement, beside what was delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) now: Instant,
    /// Bytes newly delivered.
    pub(super) newly_delivered: u32,
    /// Bytes ever marked lost, modulo 2^32.
    pub(super) lost: u32,
    /// Bytes in flight.
    pub(super) in_flight: u32,
    pub(super) rtt: Option<Duration>,
    /// The shortest of the connection.
    pub(super) least_rtt: Option<Duration>,
}

/// The estimate of one connection.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    /// Bytes delivered altogether.
    delivered: u64,
    delivered_at: Instant,
    /// When what is measured now began to be sent.
    first_sent_at: Instant,
    /// As long as less than this is delivered, samples are of a time in which the application had too little to send.
    limited_until: u64,
    /// `lost` at the last acknowledgement.
    lost: u32,
    /// The last sample worth telling, bytes in microseconds.
    told: (u32, u32),
    told_limited: bool,
}

impl Rate {
    pub(super) fn new() -> Self {
        Rate {
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            limited_until: 0,
            lost: 0,
            told: (0, 0),
            told_limited: false,
        }
    }

    /// The stamp of something that leaves now. `in_flight` counts it; `is_first`: nothing else was outstanding.
    pub(super) fn stamp(&mut self, now: Instant, in_flight: u32, lost: u32, is_first: bool) -> Stamp {
        if is_first {
            self.first_sent_at = now;
            self.delivered_at = now;
        }
        let limited = if self.is_application_limited() { APPLICATION_LIMITED } else { 0 };
        Stamp {
            delivered: self.delivered as u32,
            delivered_at: self.delivered_at.as_micros() as u32,
            first_sent_at: self.first_sent_at.as_micros() as u32,
            lost,
            in_flight: in_flight & !APPLICATION_LIMITED | limited,
        }
    }

    /// Nothing more is to be sent although the congestion window has room: what is in flight now is measured low.
    pub(super) fn on_application_limited(&mut self, in_flight: u32) {
        self.limited_until = (self.delivered + u64::from(in_flight)).max(1);
    }

    fn is_application_limited(&self) -> bool {
        self.limited_until > 0
    }

    /// An acknowledgement was taken in, with everything it reports and what follows from it.
    pub(super) fn on_ack(&mut self, latest: Option<Stamped>, known: Known) -> Sample {
        let now = known.now;
        self.delivered += u64::from(known.newly_delivered);
        if self.limited_until > 0 && self.delivered > self.limited_until {
            self.limited_until = 0;
        }
        let newly_lost = known.lost.wrapping_sub(self.lost);
        self.lost = known.lost;
        let mut sample = Sample {
            newly_delivered: known.newly_delivered,
            newly_lost,
            rtt: known.rtt,
            in_flight: known.in_flight,
            total: self.delivered,
            ..Sample::default()
        };
        let Some(Stamped { sent_at, stamp, .. }) = latest else { return sample };
        self.delivered_at = now;
        self.first_sent_at = sent_at;
        let since = |then: u32, now: Instant| (now.as_micros() as u32).wrapping_sub(then);
        let interval = since(stamp.first_sent_at, sent_at).max(since(stamp.delivered_at, now));
        sample.delivered = (self.delivered as u32).wrapping_sub(stamp.delivered);
        sample.prior_delivered = Some(self.delivered - u64::from(sample.delivered));
        sample.prior_in_flight = stamp.in_flight & !APPLICATION_LIMITED;
        sample.lost = known.lost.wrapping_sub(stamp.lost);
        sample.is_application_limited = stamp.in_flight & APPLICATION_LIMITED != 0;
        // Faster than a round trip nothing can be measured: that is what a retransmission looks like whose original came.
        let least = known.least_rtt.map_or(1, |least| u32::try_from(least.as_micros()).unwrap_or(u32::MAX));
        if interval >= least.max(1) {
            sample.rate = u64::from(sample.delivered) * 1_000_000 / u64::from(interval);
            let told = u64::from(self.told.0) * 1_000_000 / u64::from(self.told.1.max(1));
            if !sample.is_application_limited || sample.rate >= told {
                self.told = (sample.delivered, interval);
                self.told_limited = sample.is_application_limited;
            }
        }
        sample
    }

    /// The last rate worth telling, in bytes per second, and whether the application limited it.
    pub(super) fn told(&self) -> (u64, bool) {
        let (delivered, interval) = self.told;
        (u64::from(delivered) * 1_000_000 / u64::from(interval.max(1)), self.told_limited)
    }

    /// Bytes delivered altogether.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }
}

impl Sender {
    /// What the acknowledgement says about the path's rate, and the pace that follows.
    pub(super) fn learn_rate(&mut self, now: Instant, delivered: &Delivered, rtt: Option<Duration>) {
        let known = Known {
            now,
            newly_delivered: delivered.bytes,
            lost: self.board.lost_ever(),
            in_flight: self.pipe(),
            rtt,
            least_rtt: self.rtt.minimum(),
        };
        let sample = self.rate.on_ack(delivered.latest, known);
        self.congestion.on_sample(now, sample, self.phase >= Phase::Recovery);
        if self.congestion.holds_back() {
            self.rate.on_application_limited(self.pipe());
        }
        self.set_pace();
    }

    /// What a transmission of `length` bytes that leaves now remembers.
    pub(super) fn stamp(&mut self, now: Instant, length: u32) -> Stamp {
        let is_first = self.board.outstanding() == 0;
        self.rate.stamp(now, self.pipe().saturating_add(length), self.board.lost_ever(), is_first)
    }

    /// Nothing more leaves now. If that is for want of data, what is measured of it says nothing about the path.
    pub(super) fn note_limit(&mut self, now: Instant) {
        let has_room = self.congestion_room() >= self.mss;
        if has_room && self.unsent() < self.mss && self.board.to_resend() == 0 {
            self.rate.on_application_limited(self.pipe());
        } else if !has_room && self.unsent() > 0 {
            self.note_usage(now);
        }
    }

    /// The pace from now on.
    pub(super) fn set_pace(&mut self) {
        let rate = if self.congestion.is_paced() { self.pacing_rate() } else { None };
        self.pacing.set_rate(rate);
    }

    /// The pacing rate in bytes per second, whether it is kept to or not.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        self.congestion.pacing_rate(self.rtt.smoothed(), self.outstanding())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn known(now: Instant, newly_delivered: u32) -> Known {
        let rtt = Some(MS(10));
        Known { now, newly_delivered, lost: 0, in_flight: 0, rtt, least_rtt: rtt }
    }

    fn stamped(rate: &mut Rate, at: Instant, end: u32, is_first: bool) -> Stamped {
        Stamped { sent_at: at, end: SeqNumber(end), stamp: rate.stamp(at, end, 0, is_first) }
    }

    #[test]
    fn a_steady_flow_is_measured() {
        // 1000 bytes each millisecond over a round trip of 10 ms, far beyond the wrap of the microseconds.
        let begin = Instant::from_secs(5000);
        let mut rate = Rate::new();
        let mut flight = std::collections::VecDeque::new();
        for tick in 0..100_u32 {
            let now = begin + MS(tick.into());
            if tick >= 10 {
                let latest = flight.pop_front();
                let sample = rate.on_ack(latest, known(now, 1000));
                if tick >= 20 {
                    assert_eq!((sample.rate, sample.delivered), (1_000_000, 10_000), "at {tick}");
                }
            }
            flight.push_back(stamped(&mut rate, now, tick * 1000, tick == 0));
        }
        assert_eq!((rate.told(), rate.delivered()), ((1_000_000, false), 90_000));
    }

    #[test]
    fn bunched_acknowledgements_do_not_look_fast() {
        let begin = Instant::from_secs(1);
        let mut rate = Rate::new();
        let sent: Vec<_> =
            (0..10).map(|n| stamped(&mut rate, begin + MS(n.into()), n * 1000, n == 0)).collect();
        // All ten come at once: sent in 9 ms, delivered within 20 ms of the first sending.
        let sample = rate.on_ack(sent.last().copied(), known(begin + MS(20), 10_000));
        assert_eq!(sample.rate, 500_000);
    }

    #[test]
    fn a_pause_of_the_application_is_noted_until_it_is_over() {
        let begin = Instant::from_secs(1);
        let mut rate = Rate::new();
        rate.on_application_limited(2000);
        let low = stamped(&mut rate, begin, 1000, true);
        let sample = rate.on_ack(Some(low), known(begin + MS(10), 2001));
        assert!(sample.is_application_limited);
        let high = stamped(&mut rate, begin + MS(10), 2000, false);
        assert!(!rate.on_ack(Some(high), known(begin + MS(20), 1000)).is_application_limited);
    }

    #[test]
    fn what_comes_sooner_than_any_round_trip_is_no_sample() {
        let begin = Instant::from_secs(1);
        let mut rate = Rate::new();
        let again = stamped(&mut rate, begin, 1000, true);
        let sample = rate.on_ack(Some(again), known(begin + MS(3), 1000));
        assert_eq!((sample.rate, sample.delivered), (0, 1000));
    }
}
