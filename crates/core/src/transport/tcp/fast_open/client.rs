//! The client's side: a SYN that carries a cookie and data, and what the SYN-ACK makes of them (RFC 7413 section 4.2.1).

use super::super::RetransmitCause;
use super::super::State;
use super::super::connection::Connection;
use super::super::scoreboard::Delivered;
use super::super::sender::Sender;
use super::super::timers::Timer;
use super::{FastOpenFailure, FastOpenLesson, FastOpenPlan, FastOpenState, Role};
use crate::time::Instant;
use crate::wire::tcp::{FastOpenCookie, Segment, SeqNumber};

/// Room left in a SYN for options that others may add on the way: all there can be, as Linux.
const OPTION_SPACE: u16 = 40;

/// A SYN with the fast open option or with data.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Attempt {
    /// The option of the first SYN; those sent again have none.
    option: Option<FastOpenCookie>,
    /// Bytes of payload that the first SYN takes along.
    data: u32,
}

impl Connection {
    /// `connect` has been called and waits for the first write (`TCP_FASTOPEN_CONNECT`): no SYN leaves before
    /// [`Connection::open_with_data`].
    pub fn defer(&mut self) {
        self.syn_due = false;
        self.fast_open = Some(Box::new(FastOpenState { role: Role::Deferred, ..FastOpenState::default() }));
    }

    /// Whether the SYN waits for the first write.
    pub fn is_deferred(&self) -> bool {
        self.state == State::SynSent
            && matches!(&self.fast_open, Some(fast_open) if matches!(fast_open.role, Role::Deferred))
    }

    /// Before its SYN has left: it leaves with the option that `plan` names and, if that allows it, with as many of
    /// `bytes` as fit. Says how many.
    pub fn open_with_data(&mut self, now: Instant, plan: &FastOpenPlan, bytes: &[u8]) -> usize {
        if self.state != State::SynSent || self.sender.nxt != self.sender.iss {
            return 0;
        }
        let (mut taken, mut failure) = (0, FastOpenFailure::None);
        if plan.carries_data() {
            let own = self.own_mss();
            let room = plan.mss.unwrap_or(own).min(own).saturating_sub(OPTION_SPACE);
            let fitting = bytes.get(..usize::from(room)).unwrap_or(bytes);
            taken = self.sender.ring.push(fitting, self.send_buffer());
        } else if !plan.is_paused {
            failure = FastOpenFailure::CookieUnavailable;
        }
        let option = plan.option.filter(|_| !plan.is_paused);
        if taken > 0 {
            self.push.on_end(self.sender.data_end());
        }
        let role = Role::Client(Attempt { option, data: taken as u32 });
        let was_tried = option.is_some() || taken > 0;
        self.fast_open =
            Some(Box::new(FastOpenState { role, failure, was_tried, ..FastOpenState::default() }));
        self.syn_due = true;
        self.touch(now);
        taken
    }

    /// A program waits for the handshake in order to write what the SYN did not take: the acknowledgement of the SYN-ACK
    /// is left to that data, for as long as any acknowledgement may be held back.
    pub fn expect_write(&mut self) {
        if let Some(fast_open) = self.fast_open.as_mut().filter(|_| self.state == State::SynSent) {
            fast_open.expects_write = true;
        }
    }

    /// The SYN-ACK wants an acknowledgement: at once, unless data is about to carry it.
    pub(in super::super) fn acknowledge_syn_ack(&mut self, now: Instant) {
        // Only a bare acknowledgement can say how the SYN-ACK has come (RFC 9768 section 3.2.2.1).
        let can_wait = !self.receiver.ecn.accurate.tells_first;
        let expects_write = self.fast_open.as_ref().is_some_and(|fast_open| fast_open.expects_write);
        // As on Linux, who defers or wants no quick acknowledgement has something to say.
        if can_wait && (expects_write || self.settings.defer_accept > 0 || !self.settings.quick_ack) {
            self.receiver.ack.hold_for_write();
            self.timers.set(Timer::DelayedAck, now + self.settings.ack_delay);
        } else {
            self.receiver.ack.owe();
        }
    }

    /// The option and the bytes of payload of a first SYN.
    pub(in super::super) fn syn_extras(&self) -> (Option<FastOpenCookie>, u32) {
        match &self.fast_open {
            Some(fast_open) => match &fast_open.role {
                Role::Client(attempt) => (attempt.option, attempt.data),
                _ => (None, 0),
            },
            None => (None, 0),
        }
    }

    /// Whether data went with a SYN that is not answered yet.
    pub(in super::super) fn has_syn_data(&self) -> bool {
        self.state == State::SynSent && self.sender.nxt.is_after(self.sender.iss + 1)
    }

    /// The SYN-ACK has come and the connection is established: what the SYN carried is acknowledged, or leaves again at
    /// once.
    pub(in super::super) fn finish_fast_open(&mut self, now: Instant, syn_ack: &Segment) {
        let Some(fast_open) = &mut self.fast_open else { return };
        let Role::Client(Attempt { option, data }) = fast_open.role else { return };
        self.sender.take_syn_data(syn_ack.ack);
        let was_resent = self.sender.retransmitted > 0;
        let is_left = self.sender.outstanding() > 0;
        fast_open.role = Role::Done;
        if is_left {
            fast_open.failure = match was_resent {
                true => FastOpenFailure::SynRetransmitted,
                false => FastOpenFailure::DataNotAcked,
            };
            self.sender.resend_all();
            self.sender.cause = RetransmitCause::SynData;
            self.sender.start_waiting(now);
            self.timers.set(Timer::Retransmit, now + self.sender.rtt.rto());
        } else {
            fast_open.syn_data = data > 0;
        }
        if option.is_none() && data == 0 {
            return;
        }
        // Cookies that were not asked for are not kept.
        let given = syn_ack.options.fast_open.filter(|_| option.is_some());
        let unanswered = option.filter(|_| given.is_none() && data == 0 && !was_resent);
        fast_open.role = Role::Taught(FastOpenLesson {
            mss: self.peer_mss,
            cookie: given.filter(|cookie| !cookie.is_request()),
            unanswered: unanswered.map(|cookie| cookie.form()),
        });
    }

    /// What a SYN-ACK has taught about the server, once.
    pub fn take_fast_open_lesson(&mut self) -> Option<FastOpenLesson> {
        let role = &mut self.fast_open.as_mut()?.role;
        let Role::Taught(lesson) = *role else { return None };
        *role = Role::Done;
        Some(lesson)
    }
}

impl Sender {
    /// The SYN-ACK acknowledges data too. That is no measure of anything but the handshake, whose round-trip time is taken
    /// already, and the congestion window begins only now.
    fn take_syn_data(&mut self, ack: SeqNumber) {
        if !ack.is_after(self.una) || ack.is_after(self.nxt) {
            return;
        }
        let mut delivered = Delivered::new(self.last_sent, None, self.una, self.una);
        self.board.acknowledge(ack, self.mss, &mut delivered);
        self.ring.consume(ack.distance(self.una).max(0) as usize);
        self.una = ack;
    }
}
