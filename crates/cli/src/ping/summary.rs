//! What has been asked, what was answered, and how long that took.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Answer;

/// The book kept over a run of echo requests.
pub(crate) struct Summary {
    host: String,
    started: Instant,
    ended: Instant,
    sent: u64,
    received: u64,
    duplicates: u64,
    errors: u64,
    /// Requests not answered yet; at most as many as sequence numbers.
    waiting: HashMap<u16, Request>,
    shortest: Duration,
    longest: Duration,
    /// Sum and sum of squares of the times, in milliseconds.
    sum: f64,
    squares: f64,
}

struct Request {
    at: Instant,
    told_missing: bool,
}

impl Summary {
    /// An empty book about the host, as the user named it.
    pub(crate) fn new(host: String) -> Self {
        let now = Instant::now();
        Summary {
            host,
            started: now,
            ended: now,
            sent: 0,
            received: 0,
            duplicates: 0,
            errors: 0,
            waiting: HashMap::new(),
            shortest: Duration::MAX,
            longest: Duration::ZERO,
            sum: 0.0,
            squares: 0.0,
        }
    }

    /// Requests sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Requests answered.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Whether no request is waiting for its answer.
    pub(crate) fn is_all_answered(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts a request, and gives it its sequence number: 1 first, as ping does.
    pub(crate) fn on_send(&mut self, now: Instant) -> u16 {
        if self.sent == 0 {
            self.started = now;
        }
        self.ended = now;
        self.sent += 1;
        let [low, high, ..] = self.sent.to_le_bytes();
        let sequence = u16::from_le_bytes([low, high]);
        self.waiting.insert(sequence, Request { at: now, told_missing: false });
        sequence
    }

    /// Counts an answer and describes it; nothing for an answer to no request of ours.
    pub(crate) fn on_answer(&mut self, answer: Answer, now: Instant, from: IpAddr) -> Option<String> {
        self.ended = self.ended.max(now);
        let from = format!("{} bytes from {from}: icmp_seq={}", answer.length, answer.sequence);
        let Some(request) = self.waiting.remove(&answer.sequence) else {
            self.duplicates += 1;
            return (u64::from(answer.sequence) <= self.sent).then(|| format!("{from} (DUP!)"));
        };
        let time = now.saturating_duration_since(request.at);
        let millis = time.as_secs_f64() * 1e3;
        self.received += 1;
        self.shortest = self.shortest.min(time);
        self.longest = self.longest.max(time);
        self.sum += millis;
        self.squares += millis * millis;
        Some(format!("{from} time={} ms", Millis(millis)))
    }

    /// Counts an ICMP error.
    pub(crate) fn on_error(&mut self) {
        self.errors += 1;
    }

    /// The requests that have now waited longer than `limit`, each named once.
    pub(crate) fn overdue(&mut self, now: Instant, limit: Duration) -> Vec<u16> {
        let mut overdue: Vec<u16> = self
            .waiting
            .iter_mut()
            .filter(|(_, request)| !request.told_missing && now.saturating_duration_since(request.at) > limit)
            .map(|(sequence, request)| {
                request.told_missing = true;
                *sequence
            })
            .collect();
        overdue.sort_unstable();
        overdue
    }
}

/// Milliseconds with as many decimals as matter.
struct Millis(f64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            millis if millis < 10.0 => 3,
            millis if millis < 100.0 => 1,
            _ => 0,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost =
            if self.sent == 0 { 0.0 } else { 100.0 * (self.sent - self.received) as f64 / self.sent as f64 };
        write!(f, "\n--- {} ping statistics ---\n", self.host)?;
        write!(f, "{} packets transmitted, {} received, ", self.sent, self.received)?;
        if self.duplicates > 0 {
            write!(f, "+{} duplicates, ", self.duplicates)?;
        }
        if self.errors > 0 {
            write!(f, "+{} errors, ", self.errors)?;
        }
        write!(f, "{}% packet loss, ", (lost * 10.0).round() / 10.0)?;
        write!(f, "time {}ms", self.ended.saturating_duration_since(self.started).as_millis())?;
        if self.received > 0 {
            let count = self.received as f64;
            let mean = self.sum / count;
            let deviation = (self.squares / count - mean * mean).max(0.0).sqrt();
            let [shortest, longest] = [self.shortest, self.longest].map(|time| time.as_secs_f64() * 1e3);
            write!(f, "\nrtt min/avg/max/mdev = {shortest:.3}/{mean:.3}/{longest:.3}/{deviation:.3} ms")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_and_the_numbers() {
        let mut summary = Summary::new("server".to_owned());
        let start = Instant::now();
        let from = "10.0.0.2".parse().unwrap();
        let millis = Duration::from_millis;
        for n in 0..4 {
            assert_eq!(summary.on_send(start + millis(1000 * n)), n as u16 + 1);
        }
        let answer = |sequence| Answer { sequence, length: 64 };
        let line = summary.on_answer(answer(1), start + millis(2), from).unwrap();
        assert_eq!(line, "64 bytes from 10.0.0.2: icmp_seq=1 time=2.000 ms");
        summary.on_answer(answer(3), start + millis(2104), from).unwrap();
        summary.on_answer(answer(4), start + millis(3050), from).unwrap();
        assert!(summary.on_answer(answer(4), start + millis(3051), from).unwrap().ends_with("(DUP!)"));
        assert_eq!(summary.overdue(start + millis(3000), millis(1000)), [2]);
        assert_eq!(summary.overdue(start + millis(3001), millis(1000)), [0u16; 0]);
        assert_eq!(
            summary.to_string(),
            "\n--- server ping statistics ---\n\
             4 packets transmitted, 3 received, +1 duplicates, 25% packet loss, time 3051ms\n\
             rtt min/avg/max/mdev = 2.000/52.000/104.000/41.665 ms"
        );
    }
}
