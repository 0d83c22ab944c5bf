//! Pacing: bursts of about a millisecond instead of a window at once, as Linux sends them.
//!
//! What was sent takes its time at the pacing rate. When a burst has left, nothing more does until its time is over; the connection's `Pacing` timer says when that is. So a device that cuts
//! large segments gets one for each burst, and one that does not gets a handful of small ones.

use crate::time::{Duration, Instant};

/// The largest burst, in bytes.
const LARGEST_BURST: u64 = 65_536;
/// A burst lasts a 2^10th of a second.
const BURST_SHIFT: u32 = 10;
/// The smallest burst, in segments.
const LEAST_SEGMENTS: u64 = 2;
/// What leaves first is not paced: the initial window, for which nothing is measured.
const UNPACED_SEGMENTS: u64 = 10;

/// The state of one connection.
#[derive(Clone, Debug)]
pub(super) struct Pacing {
    /// Bytes per second; zero where nothing is paced.
    rate: u64,
    /// When everything that has left will have taken its time.
    release: Instant,
    /// Bytes that have left, as long as that matters.
    sent: u32,
    /// Bytes of this burst that have left.
    burst_sent: u32,
}

impl Pacing {
    pub(super) fn new() -> Self {
        Pacing { rate: 0, release: Instant::ZERO, sent: 0, burst_sent: 0 }
    }

    /// The rate in bytes per second from now on; none: nothing is paced.
    pub(super) fn set_rate(&mut self, rate: Option<u64>) {
        self.rate = rate.map_or(0, |rate| rate.max(1));
    }

    /// The rate in bytes per second, where there is one.
    pub(super) fn rate(&self) -> Option<u64> {
        (self.rate > 0).then_some(self.rate)
    }

    /// The most bytes that leave at once.
    pub(super) fn burst(&self, mss: u32) -> u32 {
        if self.rate == 0 {
            return u32::MAX;
        }
        let least = LEAST_SEGMENTS * u64::from(mss);
        (self.rate >> BURST_SHIFT).min(LARGEST_BURST).max(least) as u32
    }

    /// Something has left. Says until when the next has to wait, if it has to.
    pub(super) fn on_sent(&mut self, now: Instant, bytes: u32, mss: u32) -> Option<Instant> {
        if self.rate == 0 {
            return None;
        }
        if u64::from(self.sent) < UNPACED_SEGMENTS * u64::from(mss) {
            self.sent += bytes;
            self.release = now;
            return None;
        }
        if now >= self.release {
            self.burst_sent = 0;
            // Who comes late, because of a coarse timer or for want of data, may catch up a little: by half of a burst, not of
            // its first segment, which would be next to nothing where segments leave one by one.
            let late = now.since(self.release);
            let credit = self.time_for(self.burst(mss)) / 2;
            self.release += late.saturating_sub(credit);
        }
        self.burst_sent = self.burst_sent.saturating_add(bytes);
        self.release += self.time_for(bytes);
        (self.burst_sent >= self.burst(mss) && self.release > now).then_some(self.release)
    }

    fn time_for(&self, bytes: u32) -> Duration {
        // No longer than a second: the rate may soon be another.
        Duration::from_nanos((u64::from(bytes) * 1_000_000_000 / self.rate.max(1)).min(1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sender with enough to send lets out, in bytes at microseconds.
    fn departures(rate: u64, piece: u32, until: u64) -> Vec<(u64, u32)> {
        let mut pacing = Pacing::new();
        pacing.set_rate(Some(rate));
        let mut now = Instant::ZERO;
        let mut all: Vec<(u64, u32)> = Vec::new();
        while now.as_micros() < until {
            match all.last_mut() {
                Some((at, bytes)) if *at == now.as_micros() => *bytes += piece,
                _ => all.push((now.as_micros(), piece)),
            }
            if let Some(release) = pacing.on_sent(now, piece, 1000) {
                now = release;
            }
        }
        all
    }

    #[test]
    fn bursts_last_a_millisecond_or_two_segments() {
        // 10 MB/s: ten segments a millisecond. The first ten are not paced.
        let all = departures(10_000_000, 1000, 1_000_000);
        let total: u32 = all.iter().map(|(_, bytes)| bytes).sum();
        assert!((9_900_000..=10_100_000).contains(&total), "{total}");
        assert!(all[1..].iter().all(|(_, bytes)| (9_000..=10_000).contains(bytes)), "{all:?}");
        // 100 kB/s: two segments are 20 ms.
        let all = departures(100_000, 1000, 1_000_000);
        assert!(all[1..].windows(2).all(|pair| pair[1].0 - pair[0].0 <= 20_000), "{all:?}");
        assert!(all[1..].iter().all(|(_, bytes)| *bytes <= 2000));
    }

    #[test]
    fn a_late_sender_catches_up_by_half_at_most() {
        let mut pacing = Pacing::new();
        pacing.set_rate(Some(1_000_000));
        let mut now = Instant::from_secs(1);
        assert_eq!(pacing.on_sent(now, 10_000, 1000), None);
        assert_eq!(pacing.on_sent(now, 2000, 1000), Some(now + Duration::from_millis(2)));
        now += Duration::from_millis(12);
        assert_eq!(pacing.on_sent(now, 2000, 1000), Some(now + Duration::from_millis(1)));
    }

    #[test]
    fn a_timer_that_is_always_late_costs_no_rate() {
        let mut pacing = Pacing::new();
        pacing.set_rate(Some(10_000_000));
        let (mut now, mut sent) = (Instant::ZERO, 0);
        while now < Instant::from_secs(1) {
            // A burst of segments one by one, and then 0.3 ms more than was asked for.
            let mut at_once = 0;
            now = loop {
                at_once += 1000;
                if let Some(release) = pacing.on_sent(now, 1000, 1000) {
                    break release + Duration::from_micros(300);
                }
            };
            sent += at_once;
            assert!(at_once <= 10_000 + 15_000, "{at_once} bytes at once");
        }
        assert!((9_700_000..=10_100_000).contains(&sent), "{sent}");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pacing = Pacing::new();
        assert_eq!((pacing.on_sent(Instant::ZERO, 1 << 30, 1000), pacing.burst(1000)), (None, u32::MAX));
        pacing.set_rate(Some(0));
        assert!(pacing.on_sent(Instant::ZERO, 1 << 30, 1000).is_none());
        let limit = Instant::ZERO + Duration::from_secs(1);
        assert_eq!(pacing.on_sent(Instant::ZERO, 1 << 30, 1000), Some(limit));
    }
}
