//! The model, fed by a path of numbers.

use super::*;

const MSS: u64 = 1000;

/// A path of 1 MB/s and 100 ms, and a sender that is always limited by the window.
struct Path {
    bbr: Bbr,
    now: Instant,
    total: u64,
    /// What was delivered when this round trip and the one before began.
    begins: [u64; 2],
    part: u64,
    flight: u64,
    /// Bytes per second.
    rate: u64,
    /// How much is in flight at most, in parts of what the path holds.
    most: u64,
}

impl Path {
    fn new() -> Path {
        let mut bbr = Bbr::new(1);
        let window = Window { cwnd: 10_000, ssthresh: u32::MAX, mss: MSS as u32 };
        bbr.set_window(&window, 10_000);
        Path {
            bbr,
            now: Instant::from_secs(1),
            total: 0,
            begins: [0; 2],
            part: 0,
            flight: 0,
            rate: 1_000_000,
            most: 2,
        }
    }

    /// A tenth of a window is acknowledged, as fast as the path delivers; a share of it is lost.
    fn step(&mut self, lost_percent: u32) {
        let holds = self.rate / 10;
        if self.part == 0 {
            self.begins = [self.total, self.begins[0]];
            self.flight = self.bbr.cwnd.min(holds * self.most);
        }
        let flight = self.flight;
        let queued = flight.saturating_sub(holds);
        let delay = Duration::from_micros(100_000 + queued * 1_000_000 / self.rate);
        let piece = flight / 10;
        self.now += delay / 10;
        self.total += piece;
        let sample = Sample {
            rate: (flight * 1_000_000 / delay.as_micros() as u64).min(self.rate),
            delivered: flight as u32,
            prior_delivered: Some(self.begins[1] + self.part * (self.begins[0] - self.begins[1]) / 10),
            prior_in_flight: flight as u32,
            lost: flight as u32 * lost_percent / 100,
            newly_lost: piece as u32 * lost_percent / 100,
            newly_delivered: piece as u32,
            rtt: Some(delay),
            in_flight: self.bbr.cwnd.min(self.bbr.bdp(self.bbr.bw(), self.bbr.pacing_gain)) as u32,
            total: self.total,
            ..Sample::default()
        };
        self.bbr.on_round_trip(self.now, delay);
        let is_recovering = lost_percent > 0;
        self.bbr.on_ack(&Input { now: self.now, sample, is_limited: true, is_recovering });
        self.part = (self.part + 1) % 10;
    }

    fn round(&mut self, lost_percent: u32) {
        for _ in 0..10 {
            self.step(lost_percent);
        }
    }

    /// Goes on until the state is this one; says for how many round trips.
    fn until(&mut self, state: State) -> usize {
        for step in 0..5000 {
            if self.bbr.state == state {
                return step / 10;
            }
            self.step(0);
        }
        panic!("never {state:?}: {:?}", self.bbr);
    }
}

#[test]
fn startup_finds_the_rate_and_all_states_follow_in_turn() {
    let mut path = Path::new();
    let rounds = path.until(State::Drain);
    assert!((5..15).contains(&rounds), "{rounds} rounds of Startup");
    assert_eq!((path.bbr.bw(), path.bbr.min_rtt), (1_000_000, 100_000));
    for state in [State::Down, State::Cruise, State::Refill, State::Up, State::Down] {
        path.until(state);
    }
    let pace = path.bbr.pacing_rate().unwrap();
    assert_eq!(pace, 904_500, "0.9 of 1.005 of the rate");
    let before = path.now;
    path.until(State::ProbeRtt);
    assert!(path.now.since(before) < Duration::from_secs(10));
    assert!(path.bbr.cwnd <= 50 * MSS, "half of what the path holds: {}", path.bbr.cwnd);
    path.until(State::Cruise);
    path.round(0);
    assert!(path.bbr.cwnd >= 150 * MSS, "the window is back: {}", path.bbr.cwnd);
}

#[test]
fn a_path_that_gets_slower_is_believed_within_two_cycles() {
    let mut path = Path::new();
    path.until(State::Cruise);
    path.rate = 250_000;
    for _ in 0..150 {
        path.round(0);
    }
    assert!(path.bbr.bw() <= 260_000, "{}", path.bbr.bw());
}

#[test]
fn losses_in_a_full_queue_bound_what_is_in_flight() {
    let mut path = Path::new();
    path.until(State::Up);
    assert_eq!(path.bbr.inflight_longterm, UNBOUNDED);
    path.round(5);
    path.round(5);
    assert!(path.bbr.inflight_longterm < 1 << 20, "{}", path.bbr.inflight_longterm);
    assert_ne!(path.bbr.state, State::Up);
}

#[test]
fn chance_losses_do_not() {
    let mut path = Path::new();
    path.until(State::Cruise);
    path.bbr.round_rtt = path.bbr.min_rtt;
    assert!(!path.bbr.is_congested(5_000, 100_000), "5 % without a queue");
    assert!(path.bbr.is_congested(16_000, 100_000), "16 %");
    path.bbr.round_rtt = path.bbr.min_rtt * 5 / 4;
    assert!(path.bbr.is_congested(3_000, 100_000), "3 % with one");
    assert!(!path.bbr.is_congested(1_000, 100_000), "1 %");
}

#[test]
fn a_burst_of_losses_without_a_queue_is_forgiven_and_lasting_ones_are_not() {
    let mut path = Path::new();
    path.until(State::Cruise);
    path.most = 1;
    path.round(0);
    path.round(0);
    path.round(30);
    path.round(0);
    assert_eq!(path.bbr.bw_shortterm, UNBOUNDED, "one round");
    for _ in 0..4 {
        path.round(30);
    }
    assert!(path.bbr.bw_shortterm < UNBOUNDED, "round after round");
}

#[test]
fn on_a_thin_path_the_bounds_leave_a_window_that_survives_a_burst() {
    let mut path = Path::new();
    path.rate = 50_000;
    path.until(State::Cruise);
    path.most = 1;
    for _ in 0..8 {
        path.bbr.inflight_longterm = 5 * MSS;
        path.round(0);
    }
    assert_eq!(path.bbr.cwnd, 20 * MSS, "four times the five segments that the path holds");
}

#[test]
fn droughts_are_rare_where_the_path_is_seen_to_be_short() {
    let seconds_between = |most| {
        let mut path = Path::new();
        path.until(State::ProbeRtt);
        path.until(State::Cruise);
        path.most = most;
        let from = path.now;
        path.until(State::ProbeRtt);
        path.now.since(from).as_secs()
    };
    assert_eq!((seconds_between(2), seconds_between(1)), (5, 10));
}

#[test]
fn undo_takes_the_bounds_back() {
    let mut path = Path::new();
    path.until(State::Cruise);
    let cwnd = path.bbr.cwnd;
    path.bbr.on_loss();
    path.bbr.inflight_shortterm = 10 * MSS;
    path.bbr.inflight_longterm = 20 * MSS;
    path.bbr.on_timeout(0);
    assert_eq!(path.bbr.cwnd, MSS);
    path.bbr.undo.inflight_shortterm = UNBOUNDED;
    assert_eq!(u64::from(path.bbr.on_undo()), cwnd);
    assert_eq!(path.bbr.inflight_shortterm, UNBOUNDED);
}
