//! What happens when nothing comes: the timers of a connection.

use super::State;
use super::connection::{Connection, Reset};
use super::timers::{Fired, Timer};
use super::transmit::Next;
use crate::time::{Duration, Instant};

/// Between two looks whether our own device takes something again: Linux's too.
const DEVICE_INTERVAL: Duration = Duration::from_millis(500);

impl Connection {
    /// When [`Connection::on_timeout`] is to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// Lets happen what is due at `now`; says which timers fired. Too early a call does nothing.
    pub fn on_timeout(&mut self, now: Instant) -> Fired {
        let mut fired = Fired::default();
        self.sender.clock = now;
        while let Some(timer) = self.timers.take_due(now) {
            fired.insert(timer);
            match timer {
                Timer::Retransmit => {
                    let earlier = self.sender.timeouts;
                    self.on_retransmit_timeout(now);
                    self.suspect_path(earlier);
                }
                Timer::LossProbe => self.on_loss_probe_timeout(now),
                Timer::Reordering => self.on_reordering_timeout(now),
                Timer::Probe => self.on_probe_timeout(now),
                Timer::DelayedAck => self.receiver.ack.on_timeout(self.sender.rtt.rto()),
                Timer::Keepalive => self.on_keepalive_timeout(now),
                Timer::UserTimeout => self.on_user_timeout(now),
                Timer::FinWait2 => self.set_state(now, State::Closed),
                Timer::Pacing => {}
                Timer::Idle => {
                    self.sender.release_idle();
                    if self.sender.ring.is_empty() {
                        self.push.release_idle();
                    }
                    self.receiver.release_idle();
                }
            }
        }
        fired
    }

    fn on_retransmit_timeout(&mut self, now: Instant) {
        match self.state {
            State::SynReceived if self.is_child() => return self.on_child_timeout(now),
            State::SynSent | State::SynReceived => {
                let most = match self.state {
                    State::SynSent => self.settings.syn_retries,
                    _ => self.settings.syn_ack_retries,
                };
                if self.sender.timeouts >= most {
                    self.time_out(now);
                    return;
                }
                self.sender.timeouts += 1;
                self.sender.rtt.back_off();
                self.syn_due = true;
            }
            _ if self.sender.outstanding() == 0 => return,
            _ => {
                if self.is_out_of_patience(now) {
                    self.time_out(now);
                    return;
                }
                self.suspect_black_hole(now);
                self.sender.on_rto(now);
            }
        }
        self.timers.set(Timer::Retransmit, now + self.sender.rtt.rto());
    }

    fn on_reordering_timeout(&mut self, now: Instant) {
        let next = self.sender.on_reordering_timeout(now);
        self.check_mtu_probe(now);
        match next {
            Some(wait) => self.start_transmit_timer(Timer::Reordering, now + wait),
            None => {
                self.timers.set(Timer::Reordering, now); // a part of the time is used up
                self.arm_retransmit(now);
            }
        }
    }

    /// New data is written, or may leave: after a pause the congestion window forgets what it knew.
    pub(super) fn restart_after_idle(&mut self, now: Instant) {
        if self.settings.slow_start_after_idle && self.sender.is_synced && self.sender.outstanding() == 0 {
            self.sender.on_idle(now);
        }
    }

    /// Whether the peer has been silent for as long as the settings allow.
    fn is_out_of_patience(&self, now: Instant) -> bool {
        let retries = if self.is_orphan { self.settings.orphan_retries } else { self.settings.retries };
        self.sender.waited(now) >= self.settings.patience(retries)
    }

    /// Starts the probe timer where the peer's window holds everything back: nothing is in flight whose acknowledgement
    /// could open it.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        self.note_limit(now);
        let is_stuck = self.sender.is_synced
            && self.sender.una == self.sender.nxt
            && self.sender.has_unsent()
            && !matches!(self.state, State::Closed | State::TimeWait | State::SynReceived)
            // The user time-out counts as well where it is our own device that takes nothing.
            && (self.settings.user_timeout.is_some() || !self.is_ready());
        if !is_stuck {
            self.timers.stop(Timer::Probe);
        } else if !self.timers.is_set(Timer::Probe) {
            self.timers.set(Timer::Probe, now + self.probe_interval());
        }
    }

    /// Whether new data may leave as soon as the device takes it.
    fn is_ready(&self) -> bool {
        matches!(self.next(0), Some(Next::Data { .. }))
    }

    /// The time to the next window probe: the RTO, doubled each time.
    fn probe_interval(&self) -> Duration {
        self.sender.rtt.rto().saturating_mul(1 << self.probe_backoff.min(16)).min(self.settings.rto_max)
    }

    /// RFC 9293 section 3.8.6.1: the connection is kept as long as the probes are answered.
    fn on_probe_timeout(&mut self, now: Instant) {
        if !self.small_due && self.is_ready() {
            // Our own device is in the way: no reason to doubt the peer, but time goes by.
            if self.settings.user_timeout.is_some_and(|limit| self.sender.waited(now) >= limit) {
                self.time_out(now);
                return;
            }
            self.probes = self.probes.saturating_add(1);
            self.sender.start_waiting(now);
            self.arm_user_timeout();
            self.timers.set(Timer::Probe, now + DEVICE_INTERVAL);
            return;
        }
        let most = if self.is_orphan { self.settings.orphan_retries } else { self.settings.retries };
        if self.probes >= most {
            self.time_out(now);
            return;
        }
        if self.sender.window_room() > 0 {
            // Silly-window avoidance has waited long enough (RFC 9293 section 3.8.6.2.1, the override time-out).
            self.small_due = true;
        } else {
            self.probe_due = true;
            self.probes += 1;
            self.probe_backoff = self.probe_backoff.saturating_add(1);
            self.sender.start_waiting(now);
            self.arm_user_timeout();
        }
        self.timers.set(Timer::Probe, now + self.probe_interval());
    }

    /// Starts the keepalive timer, if one is wanted.
    pub(super) fn arm_keepalive(&mut self, now: Instant) {
        let has_peer = self.sender.is_synced && !matches!(self.state, State::Closed | State::TimeWait);
        if self.settings.keepalive && has_peer {
            let due = self.last_heard + self.settings.keepalive_values.idle;
            self.timers.set(Timer::Keepalive, due.max(now));
        }
    }

    fn on_keepalive_timeout(&mut self, now: Instant) {
        let values = self.settings.keepalive_values;
        let due = self.last_heard + values.idle;
        if self.sender.outstanding() > 0 || self.sender.has_unsent() {
            // The retransmission or window probe timer watches over the peer.
            self.timers.set(Timer::Keepalive, now + values.idle);
            return;
        }
        if due > now {
            self.timers.set(Timer::Keepalive, due);
            return;
        }
        let gave_up = match self.settings.user_timeout {
            Some(limit) => self.probes > 0 && now.since(self.last_heard) >= limit,
            None => self.probes >= values.probes,
        };
        if gave_up {
            self.reset = Some(Reset { seq: self.sender.nxt, ack: Some(self.receiver.nxt) });
            self.time_out(now);
            return;
        }
        self.probes += 1;
        self.probe_due = true;
        self.timers.set(Timer::Keepalive, now + values.interval);
    }

    /// Starts the user time-out, if one is set and the peer owes an acknowledgement.
    pub(super) fn arm_user_timeout(&mut self) {
        if let Some(limit) = self.settings.user_timeout
            && !self.timers.is_set(Timer::UserTimeout)
            && self.sender.is_waiting()
        {
            self.timers.set(Timer::UserTimeout, self.sender.waiting_since + limit);
        }
    }

    fn on_user_timeout(&mut self, now: Instant) {
        let Some(limit) = self.settings.user_timeout else { return };
        if !self.sender.is_waiting() {
            return;
        }
        if self.sender.waited(now) >= limit {
            self.time_out(now);
        } else {
            self.arm_user_timeout();
        }
    }
}
