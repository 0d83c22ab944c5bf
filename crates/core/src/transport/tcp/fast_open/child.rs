//! The server's side: a connection made of a SYN with a good cookie, at once and in SYN-RECEIVED (RFC 7413 section
//! 4.2.2). Its SYN-ACK is not among what SND.UNA counts, as on Linux: data may leave before it is acknowledged.

use std::sync::Arc;

use super::super::connection::Connection;
use super::super::receiver::Timing;
use super::super::sender::{Fin, Scale};
use super::super::timers::Timer;
use super::super::{Handshake, Settings, State};
use super::{FastOpenState, Role};
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{FastOpenCookie, Flags, Segment};

/// A connection whose SYN-ACK is not acknowledged yet.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Child {
    /// A new cookie for the client, in the first SYN-ACK only.
    cookie: Option<FastOpenCookie>,
    /// When the first SYN-ACK was sent, and the last.
    first_sent: Instant,
    last_sent: Instant,
    resent: u8,
    rto: Duration,
    /// A program has taken it from the queue.
    is_accepted: bool,
}

impl Connection {
    /// A SYN with a good cookie makes a connection at once: `payload` is to be read, what is written leaves. `cookie` is
    /// a new one for the client. The SYN-ACK waits to be polled.
    pub fn accept_fast(
        now: Instant,
        handshake: &Handshake,
        (syn, payload): (&Segment, &[u8]),
        settings: impl Into<Arc<Settings>>,
        cookie: Option<FastOpenCookie>,
    ) -> Connection {
        let mut connection = Connection::half_accepted(now, handshake, settings);
        let rto = connection.settings.initial_rto;
        let child = Child { cookie, first_sent: now, last_sent: now, resent: 0, rto, is_accepted: false };
        connection.fast_open =
            Some(Box::new(FastOpenState { role: Role::Child(child), ..FastOpenState::default() }));
        connection.sender.on_synced();
        connection.sender.delivered = 0; // the SYN-ACK is still to be acknowledged
        connection.sender.set_window(syn, Scale::Raw);
        connection.syn_due = true;
        if !payload.is_empty() {
            let timing = Timing { rtt: None, rto, most: connection.settings.ack_delay, echo: None };
            // What does not fit is not acknowledged, and comes again.
            let taken = connection.receiver.on_payload(now, handshake.irs() + 1, payload, timing).is_ok();
            connection
                .count_syn_data(connection.receiver.nxt.distance(handshake.irs() + 1).max(0).cast_unsigned());
            if let Some(fast_open) = &mut connection.fast_open {
                fast_open.syn_data = taken;
            }
        }
        connection.touch(now);
        connection
    }

    fn child(&self) -> Option<&Child> {
        match &self.fast_open.as_ref()?.role {
            Role::Child(child) => Some(child),
            _ => None,
        }
    }

    fn child_mut(&mut self) -> Option<&mut Child> {
        match &mut self.fast_open.as_mut()?.role {
            Role::Child(child) => Some(child),
            _ => None,
        }
    }

    /// Whether the connection is in use although its handshake is not complete.
    pub(in super::super) fn is_child(&self) -> bool {
        self.state == State::SynReceived && self.child().is_some()
    }

    /// A program has taken the connection from its listener's queue.
    pub fn on_accepted(&mut self) {
        if let Some(child) = self.child_mut() {
            child.is_accepted = true;
        }
    }

    /// Whether an ICMP error ends it: a connection that a program holds goes on trying, as an established one does.
    pub(in super::super) fn is_ended_by_icmp(&self) -> bool {
        match self.child() {
            Some(child) if self.state == State::SynReceived => !child.is_accepted,
            _ => matches!(self.state, State::SynSent | State::SynReceived),
        }
    }

    /// Whether a RST of the peer is what ended it.
    pub fn was_reset(&self) -> bool {
        self.state == State::Closed && self.error == Some(Error::ConnectionReset)
    }

    /// A SYN-ACK leaves now. Says which cookie it takes along, and when it is to be answered at the latest.
    pub(in super::super) fn on_child_syn_ack(
        &mut self,
        now: Instant,
    ) -> Option<(Option<FastOpenCookie>, Instant)> {
        let child = self.child_mut()?;
        let is_first = child.cookie.take();
        child.last_sent = now;
        Some((is_first, now + child.rto))
    }

    /// The client's SYN has come again: our SYN-ACK was lost, or is late.
    pub(in super::super) fn is_syn_again(&self, segment: &Segment) -> bool {
        let syn_only =
            segment.flags.contains(Flags::SYN) && !segment.flags.intersects(Flags::ACK | Flags::RST);
        self.is_child() && syn_only && segment.seq == self.receiver.irs
    }

    /// The SYN-ACK goes out once more; nothing else does before it is acknowledged.
    pub(in super::super) fn resend_child_syn_ack(&mut self) {
        if let Some(child) = self.child_mut() {
            child.resent = child.resent.saturating_add(1);
        }
        self.syn_due = true;
    }

    /// The SYN-ACK was not answered in time. It is tried once more often than that of an ordinary handshake, as on Linux:
    /// somebody may be waiting already.
    pub(in super::super) fn on_child_timeout(&mut self, now: Instant) {
        if self.sender.timeouts > self.settings.syn_ack_retries {
            self.fail(now, self.soft_error.unwrap_or(Error::TimedOut));
            return;
        }
        self.sender.timeouts += 1;
        let most = self.settings.rto_max;
        let Some(child) = self.child_mut() else { return };
        child.rto = child.rto.saturating_mul(2).min(most);
        let due = now + child.rto;
        self.resend_child_syn_ack();
        self.timers.set(Timer::Retransmit, due);
    }

    /// An acceptable acknowledgement: the handshake is complete.
    pub(in super::super) fn confirm_child(&mut self, now: Instant, segment: &Segment) {
        let Some(child) = self.child().copied() else { return };
        if let Some(fast_open) = &mut self.fast_open {
            fast_open.role = Role::Done;
        }
        self.sender.delivered = self.sender.delivered.wrapping_add(1);
        let echoed = self.echoed(now, segment);
        let mut was_needless = false;
        if child.resent == 0 {
            self.first_round_trip(now, now.since(child.first_sent));
        } else if let Some(sample) = echoed {
            // An echo older than the last SYN-ACK answers an earlier one, which was not lost (RFC 3522).
            was_needless = sample > now.since(child.last_sent) + Duration::from_millis(1);
            self.first_round_trip(now, sample.min(now.since(child.first_sent)));
        }
        // RFC 6928 section 2, as after an ordinary handshake.
        let is_lossy = self.sender.timeouts > 1 && !was_needless;
        self.sender.timeouts = 0;
        self.sender.set_window(segment, Scale::Apply);
        self.sender.restart_waiting(now);
        self.set_state(now, State::Established);
        self.syn_due = false;
        self.last_heard = now;
        self.timers.stop(Timer::UserTimeout);
        self.timers.stop(Timer::Retransmit);
        if is_lossy {
            self.sender.congestion.start_small();
            self.sender.resend_all();
        }
        if self.sender.outstanding() > 0 {
            self.timers.set(Timer::Retransmit, now + self.sender.rtt.rto());
        }
        self.arm_keepalive(now);
        if self.sender.fin != Fin::None {
            self.set_state(now, State::FinWait1);
        }
    }
}
