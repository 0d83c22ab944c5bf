//! A segment arrives: RFC 9293 section 3.10.7, one function for each check and in its order, with the protection of
//! RFC 5961 and the timestamps of RFC 7323.

use super::connection::{Connection, Reset};
use super::receiver::Timing;
use super::recovery::{Acknowledgement, Watch};
use super::sender::{Fin, Scale};
use super::timers::Timer;
use super::{FinWait2, State};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Segment};

/// As soon as a timer makes sense: two ticks of Linux's clock.
const SOON: Duration = Duration::from_millis(2);

impl Connection {
    /// A segment of this connection, whose checksum is right. `payload` may be several segments' worth (GRO).
    ///
    /// # Errors
    /// Why the segment was of no use. What the RFC wants answered is answered nonetheless: see
    /// [`Connection::has_transmit`].
    pub fn on_segment(&mut self, now: Instant, segment: &Segment, payload: &[u8]) -> Result<(), DropReason> {
        self.sender.clock = now;
        let before = self.progress(segment);
        let outcome = match self.state {
            State::Closed | State::Listen | State::TimeWait => return Err(DropReason::UnexpectedSegment),
            State::SynSent => self.on_segment_in_syn_sent(now, segment, payload),
            _ => self.on_segment_synchronized(now, segment, payload),
        };
        self.count_received(now, segment, before);
        if self.resize_due {
            self.resize(now);
        }
        if self.state != State::Closed {
            self.touch(now);
            self.arm_probe(now);
        }
        outcome
    }

    /// Section 3.10.7.4.
    fn on_segment_synchronized(
        &mut self,
        now: Instant,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        if self.is_syn_again(segment) {
            self.resend_child_syn_ack();
            return Err(DropReason::UnexpectedSegment);
        }
        if let Some(answer) = self.simultaneous_syn_ack(segment) {
            self.receiver.ack.owe();
            if self.sender.uses_sack {
                self.receiver.note_duplicate(segment.seq, segment.seq + 1); // the SYN itself came before
            }
            return self.on_segment_synchronized(now, &answer, payload);
        }
        self.check_timestamp(now, segment)?;
        self.check_sequence(now, segment, payload)?;
        self.check_reset(now, segment)?;
        if self.state == State::Closed {
            return Ok(());
        }
        self.check_syn(now, segment)?;
        self.heard(now);
        let una = self.sender.una;
        self.check_acknowledgement(now, segment, payload)?;
        // Only now: whoever acknowledges what was never sent shall not move the clock that PAWS goes by.
        if let Some(timestamps) = segment.options.timestamps.filter(|_| self.clock.is_some()) {
            self.receiver.note_timestamp(now, segment.seq, timestamps.value);
        }
        if payload.is_empty() || self.sender.una != una {
            self.soft_error = None;
            self.forget_urgent_sent();
            self.push.more = false; // what waited for more has waited for this acknowledgement too
        }
        self.note_congestion(segment);
        self.check_urgent(segment, payload);
        self.take_payload(now, segment, payload)
    }

    /// The peer has given a sign of life.
    fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.probes = 0;
        if self.sender.outstanding() == 0 || self.sender.wnd == 0 {
            // What is unanswered is a probe, or something the peer has no room for: it is there, so wait on.
            self.sender.restart_waiting(now);
        }
    }

    /// The SYN-ACK that crosses ours in a simultaneous open, as the plain acknowledgement that it is for us.
    fn simultaneous_syn_ack(&self, segment: &Segment) -> Option<Segment> {
        let is_it = self.state == State::SynReceived
            && segment.flags.contains(Flags::SYN | Flags::ACK)
            && !segment.flags.contains(Flags::RST)
            && segment.seq == self.receiver.irs
            && segment.ack.is_after(self.sender.iss)
            && segment.ack.at_or_before(self.sender.nxt)
            && !self.is_child();
        let flags = segment.flags & !Flags::SYN;
        is_it.then_some(Segment { seq: segment.seq + 1, flags, ..*segment })
    }

    /// RFC 7323 section 5.3, R1: protection against wrapped sequence numbers. A RST is exempt.
    fn check_timestamp(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if self.clock.is_none() || segment.flags.contains(Flags::RST) {
            return Ok(());
        }
        // A peer that stops sending timestamps is no attack: Linux takes its segments too.
        let Some(timestamps) = segment.options.timestamps else { return Ok(()) };
        if !self.receiver.is_old(now, segment, timestamps.value) {
            return Ok(());
        }
        // Most often a segment sent again for nothing, overtaken by its copy: the sender must hear of it, as from Linux.
        if segment.length > 0 && segment.seq.is_before(self.receiver.nxt) {
            let end = (segment.seq + segment.length).min(self.receiver.nxt);
            self.receiver.note_duplicate(segment.seq, end);
        }
        self.answer_unacceptable(now, segment);
        Err(DropReason::OldTimestamp)
    }

    /// First check: the sequence number.
    fn check_sequence(&mut self, now: Instant, segment: &Segment, payload: &[u8]) -> Result<(), DropReason> {
        if self.receiver.is_acceptable(segment) || self.is_reset_at_fin(segment) {
            return Ok(());
        }
        if segment.flags.contains(Flags::RST) {
            return Err(DropReason::OutOfWindow);
        }
        let is_old = segment.end().at_or_before(self.receiver.nxt);
        if is_old && !payload.is_empty() {
            self.receiver.note_duplicate(segment.seq, segment.seq + payload.len() as u32);
        }
        self.answer_unacceptable(now, segment);
        Err(if is_old { DropReason::OldDuplicate } else { DropReason::OutOfWindow })
    }

    /// An acknowledgement answers what is not acceptable. Bare ones are answered seldom, so that two confused ends do
    /// not acknowledge each other for ever.
    fn answer_unacceptable(&mut self, now: Instant, segment: &Segment) {
        if segment.length > 0 && !segment.flags.contains(Flags::SYN) || segment.flags.contains(Flags::FIN) {
            self.receiver.ack.owe_another();
        } else {
            self.challenge(now);
        }
    }

    /// Whether it is the RST of somebody who has closed, and then got data: it has the number that the data acknowledged,
    /// which is that of the FIN. Linux takes it, and sends it so itself.
    fn is_reset_at_fin(&self, segment: &Segment) -> bool {
        segment.flags.contains(Flags::RST)
            && matches!(self.state, State::CloseWait | State::Closing | State::LastAck)
            && segment.seq + 1 == self.receiver.nxt
    }

    /// Second check: RST. Only one with exactly the number expected counts (RFC 5961 section 3.2); as on Linux that may
    /// also be the number behind the last byte received out of order, or that of the peer's FIN.
    fn check_reset(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::RST) {
            return Ok(());
        }
        let is_expected = segment.seq == self.receiver.nxt || self.receiver.highest() == Some(segment.seq);
        if !is_expected && !self.is_reset_at_fin(segment) {
            self.challenge(now);
            return Err(DropReason::OutOfWindow);
        }
        let error = match self.state {
            State::SynReceived if !self.is_child() => Error::ConnectionRefused,
            State::CloseWait => Error::BrokenPipe,
            _ => Error::ConnectionReset,
        };
        self.fail(now, error);
        Ok(())
    }

    /// Fourth check: SYN. It is answered and otherwise disregarded (RFC 5961 section 4.2).
    fn check_syn(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::SYN) {
            return Ok(());
        }
        if self.state == State::SynReceived && segment.seq == self.receiver.irs {
            self.syn_due = true; // the peer's SYN again: our SYN-ACK was lost
        } else {
            // Ours may be what was lost, and with it how the SYN-ACK had come.
            self.receiver.ecn.accurate.tells_first |= segment.flags.contains(Flags::ACK);
            self.challenge(now);
        }
        Err(DropReason::UnexpectedSegment)
    }

    /// Fifth check: the acknowledgement.
    fn check_acknowledgement(
        &mut self,
        now: Instant,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::ACK) {
            return Err(DropReason::UnexpectedSegment);
        }
        let is_handshake = self.state == State::SynReceived;
        if is_handshake {
            if !segment.ack.is_after(self.sender.iss) || segment.ack.is_after(self.sender.nxt) {
                self.reset = Some(Reset { seq: segment.ack, ack: None });
                return Err(DropReason::UnacceptableAck);
            }
            self.check_third_ack(segment);
            if self.is_child() {
                self.confirm_child(now, segment);
            } else {
                self.establish(now, segment, Scale::Apply);
            }
        }
        if segment.ack.is_after(self.sender.nxt) {
            self.challenge(now);
            return Err(DropReason::UnacceptableAck);
        }
        // RFC 5961 section 5.2: too old to be anything but a guess.
        if segment.ack.is_before(self.sender.una - self.sender.max_wnd) {
            self.challenge(now);
            return Err(DropReason::UnacceptableAck);
        }
        // An old one says nothing new about the window, but its reports may be news.
        let is_old = segment.ack.is_before(self.sender.una);
        let bound = self.sender.half_of_largest_window();
        let window_changed = !is_old && self.sender.update_window(segment, Scale::Apply);
        if bound <= self.sender.mss && self.sender.half_of_largest_window() > bound {
            self.fit_segments_to_window();
        }
        if window_changed && self.sender.has_unsent() {
            self.restart_after_idle(now);
        }
        if self.sender.wnd > 0 {
            self.probe_backoff = 0;
        }
        if is_old && segment.options.sack.as_slice().is_empty() {
            return Ok(());
        }
        let is_bare = payload.is_empty() && !segment.flags.contains(Flags::FIN) && !window_changed && !is_old;
        let acknowledgement = Acknowledgement {
            ack: segment.ack.max(self.sender.una),
            sack: segment.options.sack.as_slice(),
            is_bare,
            congestion: self.sender.ecn.echo(segment, is_handshake),
            echoed: self.echoed(now, segment),
            echo: self.echo(segment),
        };
        let outcome = self.sender.on_ack(now, acknowledgement);
        self.check_mtu_probe(now);
        match outcome.watch {
            Watch::Unchanged => {}
            Watch::Anew => self.arm_after_progress(now),
            Watch::Reordering(wait) => self.start_transmit_timer(Timer::Reordering, now + wait),
            Watch::Reneging(wait) => self.start_transmit_timer(Timer::Retransmit, now + wait),
        }
        if self.sender.outstanding() == 0 {
            self.stop_transmit_timers();
        } else if !self.awaits_acknowledgement() {
            // The probe timer has expired, and before the probe could leave came news that makes it needless.
            self.arm_after_progress(now);
        }
        if outcome.progress {
            self.expand_send_buffer();
            self.trim();
            self.on_progress(now);
        }
        Ok(())
    }

    /// The echoed timestamp by our clock, in milliseconds.
    fn echo(&self, segment: &Segment) -> Option<u32> {
        let (timestamps, offset) = (segment.options.timestamps?, self.clock?);
        (timestamps.echo != 0).then(|| timestamps.echo.wrapping_sub(offset))
    }

    /// The round-trip time that the echoed timestamp shows.
    pub(super) fn echoed(&self, now: Instant, segment: &Segment) -> Option<Duration> {
        let (timestamps, offset) = (segment.options.timestamps?, self.clock?);
        if timestamps.echo == 0 {
            return None;
        }
        let age = super::connection::timestamp(now, offset).wrapping_sub(timestamps.echo);
        // Half the clock's range is no round trip.
        (age < 1 << 31).then(|| Duration::from_millis(u64::from(age.max(1))))
    }

    /// Whether the echoed timestamp shows that a SYN-ACK answers something older than our first SYN, or something that
    /// was never sent. As Linux, with a grain of the clock allowed.
    fn answers_no_syn_of_ours(&self, now: Instant, segment: &Segment) -> bool {
        let (Some(timestamps), Some(offset)) = (segment.options.timestamps, self.clock) else { return false };
        let age = super::connection::timestamp(now, offset).wrapping_sub(timestamps.echo);
        timestamps.echo != 0 && u64::from(age) > self.sender.waited(now).as_millis() as u64 + 1
    }

    /// SND.UNA has moved: if that was over our FIN, closing goes on.
    fn on_progress(&mut self, now: Instant) {
        if self.sender.fin != Fin::Acknowledged {
            return;
        }
        match self.state {
            State::FinWait1 if self.is_orphan && self.settings.own_fin_wait_2 == FinWait2::Never => {
                // An answer to this very acknowledgement, as to one for nobody.
                self.reset = Some(Reset { seq: self.sender.nxt, ack: None });
                self.set_state(now, State::Closed);
            }
            State::FinWait1 => self.set_state(now, State::FinWait2),
            State::Closing => self.set_state(now, State::TimeWait),
            State::LastAck => self.set_state(now, State::Closed),
            _ => {}
        }
    }

    /// Seventh and eighth check: the payload and the FIN.
    fn take_payload(&mut self, now: Instant, segment: &Segment, payload: &[u8]) -> Result<(), DropReason> {
        if !matches!(self.state, State::Established | State::FinWait1 | State::FinWait2) {
            // In the other states the peer has sent its FIN: nothing can follow it. What was before it comes again
            // because our acknowledgement was lost.
            if self.state == State::Closed || segment.sequence_length() == 0 {
                return Ok(());
            }
            self.receiver.ack.owe_another();
            return Err(DropReason::OldDuplicate);
        }
        let has_fin = segment.flags.contains(Flags::FIN);
        let end = segment.seq + payload.len() as u32;
        if self.is_orphan && !payload.is_empty() && end.is_after(self.receiver.nxt) {
            // Nobody will ever read this (RFC 1122 section 4.2.2.13).
            self.reset = Some(Reset { seq: segment.ack, ack: None });
            self.set_state(now, State::Closed);
            return Err(DropReason::NoSocket);
        }
        let mut outcome = Ok(());
        if !payload.is_empty() {
            let timing = Timing {
                rtt: self.sender.rtt.smoothed(),
                rto: self.sender.rtt.rto(),
                most: self.settings.ack_delay,
                echo: segment
                    .options
                    .timestamps
                    .map(|timestamps| timestamps.echo)
                    .zip(self.echoed(now, segment)),
            };
            match self.receiver.on_payload(now, segment.seq, payload, timing) {
                Ok(None) => {}
                Ok(Some(delay)) => {
                    let due = (now + delay).min(self.timers.at(Timer::DelayedAck));
                    self.timers.set(Timer::DelayedAck, due);
                }
                Err(reason) => outcome = Err(reason),
            }
        }
        if has_fin {
            self.receiver.note_fin(end);
        }
        if self.receiver.take_fin() {
            outcome = Ok(());
            self.on_fin(now);
        } else if has_fin && payload.is_empty() {
            self.receiver.ack.owe_another();
        }
        outcome
    }

    /// The peer's FIN has been taken.
    fn on_fin(&mut self, now: Instant) {
        match self.state {
            State::Established => self.set_state(now, State::CloseWait),
            State::FinWait1 if self.sender.fin == Fin::Acknowledged => self.set_state(now, State::TimeWait),
            State::FinWait1 => self.set_state(now, State::Closing),
            State::FinWait2 => self.set_state(now, State::TimeWait),
            _ => {}
        }
    }

    /// Section 3.10.7.3.
    fn on_segment_in_syn_sent(
        &mut self,
        now: Instant,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let flags = segment.flags;
        let acknowledges = flags.contains(Flags::ACK);
        let is_ours = segment.ack.is_after(self.sender.iss) && segment.ack.at_or_before(self.sender.nxt);
        if acknowledges && (!is_ours || self.answers_no_syn_of_ours(now, segment)) {
            if !flags.contains(Flags::RST) {
                self.reset = Some(Reset { seq: segment.ack, ack: None });
            }
            // The peer speaks of another connection, which our RST or its own ends: the SYN is worth another try at once.
            // Not where only the echoed timestamp is wrong, as on Linux.
            if !is_ours && self.sender.timeouts == 0 && self.timers.is_set(Timer::Retransmit) {
                self.timers.set(Timer::Retransmit, now + SOON);
            }
            return Err(DropReason::UnacceptableAck);
        }
        if flags.contains(Flags::RST) {
            if !acknowledges {
                return Err(DropReason::UnexpectedSegment);
            }
            self.fail(now, Error::ConnectionRefused);
            return Ok(());
        }
        if !flags.contains(Flags::SYN) {
            return Err(DropReason::UnexpectedSegment);
        }
        if segment.options.timestamps.is_none() {
            self.clock = None;
        }
        let announced = self.first_window();
        self.receiver.on_synced(segment.seq, announced);
        self.negotiate(&segment.options);
        self.negotiate_ecn(flags);
        self.last_heard = now;
        if !acknowledges {
            // Simultaneous open: both have sent a SYN, each now answers the other's.
            self.sender.set_window(segment, Scale::Raw);
            self.sender.timeouts = 0;
            self.set_state(now, State::SynReceived);
            self.syn_due = true;
            return Ok(());
        }
        let since = now.since(self.sender.last_sent);
        if self.sender.retransmitted == 0 {
            self.first_round_trip(now, since);
        } else if let Some(sample) =
            self.echoed(now, segment).filter(|sample| *sample <= since + Duration::from_millis(1))
        {
            self.first_round_trip(now, sample);
        } else {
            self.sender.rtt.on_unmeasured_progress();
        }
        self.establish(now, segment, Scale::Raw);
        self.finish_fast_open(now, segment);
        self.acknowledge_syn_ack(now);
        // Data and FIN may come along with the SYN.
        let rest = Segment { seq: segment.seq + 1, flags: flags & !Flags::SYN, ..*segment };
        if payload.is_empty() && !flags.contains(Flags::FIN) {
            return Ok(());
        }
        self.take_payload(now, &rest, payload)
    }
}
