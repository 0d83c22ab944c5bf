//! How much a session has sent and received, and how fast.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::entry::wall_clock;

/// Rates are of the last whole second.
const SECOND: Duration = Duration::from_secs(1);

/// The counters of a session.
#[derive(Debug)]
pub(crate) struct Counters {
    since: u64,
    sent: Flow,
    received: Flow,
}

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    bytes: u64,
    calls: u64,
    rate: u64,
    /// Bytes at the beginning of this second.
    before: u64,
    began: Option<Instant>,
}

impl Flow {
    fn add(&mut self, bytes: usize) {
        self.began.get_or_insert_with(Instant::now);
        self.bytes += bytes as u64;
        self.calls += 1;
    }

    /// Whether the rate is another than before.
    fn tick(&mut self, now: Instant) -> bool {
        let Some(began) = self.began else { return false };
        let passed = now.saturating_duration_since(began);
        if passed < SECOND {
            return false;
        }
        let rate = ((self.bytes - self.before) as f64 / passed.as_secs_f64()) as u64;
        self.before = self.bytes;
        self.began = Some(now);
        let is_new = rate != self.rate;
        self.rate = rate;
        is_new
    }
}

impl Counters {
    /// All zero, from now on.
    pub(crate) fn new() -> Counters {
        Counters { since: wall_clock(), sent: Flow::default(), received: Flow::default() }
    }

    /// A `send()` took so many bytes.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent.add(bytes);
    }

    /// A `recv()` returned so many bytes.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.received.add(bytes);
    }

    /// Measures the rates; whether they have changed.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        // Both, whatever the first says.
        self.sent.tick(now) | self.received.tick(now)
    }

    /// As the API writes it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "since": self.since,
            "sent_bytes": self.sent.bytes,
            "sent_calls": self.sent.calls,
            "received_bytes": self.received.bytes,
            "received_calls": self.received.calls,
            "sent_rate": self.sent.rate,
            "received_rate": self.received.rate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_falls_to_zero_when_nothing_comes() {
        let mut counters = Counters::new();
        counters.received(5000);
        let later = Instant::now() + Duration::from_secs(2);
        assert!(counters.tick(later));
        let rate = counters.to_json()["received_rate"].as_u64().unwrap();
        assert!((2400..=2600).contains(&rate), "{rate}");
        assert!(counters.tick(later + SECOND));
        assert_eq!(counters.to_json()["received_rate"], 0);
        assert!(!counters.tick(later + SECOND * 2));
    }
}
