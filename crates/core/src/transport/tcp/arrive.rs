//! A segment arrives (RFC 9293, 3.10.7): one function per check, in the RFC's order.

use super::{Connection, State};
use crate::drop_reason::DropReason;
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::{Flags, Segment};

/// Timestamps older than this say nothing any more (RFC 7323, 5.5).
const TIMESTAMP_AGE: Duration = Duration::from_secs(24 * 24 * 3600);

impl Connection {
    /// A segment with its payload.
    ///
    /// # Errors
    /// Why it was refused; whatever answer it deserves is owed and leaves by [`Connection::poll_transmit`].
    pub fn on_segment(&mut self, now: Instant, segment: &Segment, payload: &[u8]) -> Result<(), DropReason> {
        match self.state {
            State::Closed | State::Listen => return Err(DropReason::NoSocket),
            State::SynSent => return self.arrive_in_syn_sent(now, segment, payload),
            _ => {}
        }
        self.check_timestamp(now, segment)?;
        self.check_sequence(now, segment)?;
        self.check_reset(now, segment)?;
        self.check_syn(now, segment)?;
        self.check_ack(now, segment)?;
        self.last_heard = now;
        if self.keepalive_probes > 0 {
            self.keepalive_probes = 0;
            self.arm_keepalive(now);
        }
        if let Some(timestamps) = segment.options.timestamps
            && self.timestamps.is_some()
        {
            self.receiver.note_timestamp(now, segment.seq, timestamps.value);
        }
        self.take_text(now, segment, payload);
        self.check_fin(segment);
        self.arm_probe(now);
        Ok(())
    }

    /// RFC 9293, 3.10.7.3.
    fn arrive_in_syn_sent(
        &mut self,
        now: Instant,
        segment: &Segment,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        let flags = segment.flags;
        let acknowledges = flags.contains(Flags::ACK);
        if acknowledges && segment.ack != self.sender.iss + 1 {
            if !flags.contains(Flags::RST) {
                self.reset = Some((segment.ack, None));
            }
            return Err(DropReason::UnacceptableAck);
        }
        if flags.contains(Flags::RST) {
            if acknowledges {
                self.fail(Error::ConnectionRefused);
                return Ok(());
            }
            return Err(DropReason::OutOfWindow);
        }
        if !flags.contains(Flags::SYN) {
            return Err(DropReason::UnexpectedSegment);
        }
        let irs = segment.seq;
        self.receiver =
            super::receiver::Receiver::new(irs, self.settings.window_shift(), self.settings.receive_buffer);
        match segment.options.timestamps {
            Some(timestamps) if self.timestamps.is_some() => {
                self.receiver.ts_recent = timestamps.value;
                self.receiver.ts_recent_at = now;
            }
            _ => self.timestamps = None,
        }
        self.negotiate(&segment.options);
        let sender = &mut self.sender;
        sender.wnd = u32::from(segment.window); // never scaled on a SYN
        sender.max_wnd = sender.wnd;
        sender.wl1 = segment.seq;
        sender.wl2 = segment.ack;
        self.last_heard = now;
        if acknowledges {
            if sender.retries == 0
                && let Some((_, sent)) = sender.timed.take()
            {
                sender.rtt.measured(now, sent);
            }
            self.established(now);
            self.receiver.owed = 1;
        } else {
            // Simultaneous open (RFC 9293, figure 7): our SYN goes again, now with an acknowledgement.
            self.state = State::SynReceived;
            sender.nxt = sender.iss;
        }
        self.take_text(now, segment, payload);
        self.check_fin(segment);
        Ok(())
    }

    fn established(&mut self, now: Instant) {
        self.state = State::Established;
        let sender = &mut self.sender;
        sender.una = sender.iss + 1;
        sender.nxt = sender.nxt.max(sender.una);
        sender.high_rxt = sender.una;
        sender.lost_below = sender.una;
        sender.recovery = None;
        sender.after_timeout = false;
        sender.force = false;
        sender.retries = 0;
        sender.rtt.backoff = 0;
        sender.retransmit_at = None;
        sender.stalled_since = None;
        sender.timed = None;
        self.arm_keepalive(now);
    }

    /// PAWS (RFC 7323, 5.3).
    fn check_timestamp(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        let Some(timestamps) = segment.options.timestamps.filter(|_| self.timestamps.is_some()) else {
            return Ok(());
        };
        let receiver = &self.receiver;
        let old = (timestamps.value.wrapping_sub(receiver.ts_recent) as i32) < 0;
        let young = now.since(receiver.ts_recent_at) < TIMESTAMP_AGE;
        if old && young && !segment.flags.contains(Flags::RST) {
            self.receiver.owed += 1;
            return Err(DropReason::OldTimestamp);
        }
        Ok(())
    }

    /// First: the sequence number.
    fn check_sequence(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if self.receiver.is_acceptable(segment.seq, segment.sequence_length()) {
            return Ok(());
        }
        if segment.flags.contains(Flags::RST) {
            return Err(DropReason::OutOfWindow);
        }
        // A window probe or an old duplicate: an answer is owed.
        self.receiver.owed += 1;
        if segment.length > 0 && segment.end().at_or_before(self.receiver.nxt) {
            self.receiver.note_duplicate(segment.seq, segment.seq + segment.length);
            return Err(DropReason::OldDuplicate);
        }
        if segment.flags.contains(Flags::ACK) && segment.seq == self.receiver.nxt {
            let _ = self.check_ack(now, segment);
        }
        Err(DropReason::OutOfWindow)
    }

    /// Second: RST (RFC 5961, 3.2).
    fn check_reset(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::RST) {
            return Ok(());
        }
        if segment.seq != self.receiver.nxt {
            self.challenge_ack(now);
            return Err(DropReason::OutOfWindow);
        }
        let error = match self.state {
            State::SynReceived if !self.opened_passively => Error::ConnectionRefused,
            State::CloseWait => Error::BrokenPipe,
            State::Closing | State::LastAck | State::TimeWait => {
                self.state = State::Closed;
                return Err(DropReason::Reset);
            }
            _ => Error::ConnectionReset,
        };
        self.fail(error);
        Err(DropReason::Reset)
    }

    /// Fourth: SYN (RFC 5961, 4.2).
    fn check_syn(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::SYN) {
            return Ok(());
        }
        if self.state == State::SynReceived
            && segment.seq == self.receiver.irs
            && segment.flags.contains(Flags::ACK)
        {
            return Ok(()); // the other half of a simultaneous open
        }
        self.challenge_ack(now);
        Err(DropReason::UnexpectedSegment)
    }

    /// Fifth: the acknowledgement.
    fn check_ack(&mut self, now: Instant, segment: &Segment) -> Result<(), DropReason> {
        if !segment.flags.contains(Flags::ACK) {
            return Err(DropReason::UnexpectedSegment);
        }
        let ack = segment.ack;
        if self.state == State::SynReceived {
            if ack != self.sender.iss + 1 {
                self.reset = Some((ack, None));
                return Err(DropReason::UnacceptableAck);
            }
            self.established(now);
            self.sender.wnd = u32::from(segment.window) << self.sender.shift;
        }
        // RFC 5961, 5.2: neither far behind nor ahead.
        let oldest = self.sender.una - self.sender.max_wnd;
        if ack.is_after(self.sender.nxt) || ack.is_before(oldest) {
            self.challenge_ack(now);
            return Err(DropReason::UnacceptableAck);
        }
        self.take_window(now, segment);
        let sack_news = self.sender.uses_sack && self.sender.on_sack(segment.options.sack.as_slice());
        if ack.is_after(self.sender.una) {
            self.take_new_ack(now, segment);
        } else if ack == self.sender.una && self.sender.in_flight() > 0 {
            let pure = segment.length == 0 && !segment.flags.intersects(Flags::SYN | Flags::FIN);
            let same_window = u32::from(segment.window) << self.sender.shift == self.sender.wnd;
            if pure && (sack_news || !self.sender.uses_sack && same_window) {
                self.sender.duplicate_acks += 1;
            }
            self.detect_loss();
        }
        self.after_ack();
        Ok(())
    }

    fn take_window(&mut self, now: Instant, segment: &Segment) {
        let sender = &mut self.sender;
        let newer = sender.wl1.is_before(segment.seq)
            || sender.wl1 == segment.seq && sender.wl2.at_or_before(segment.ack);
        if segment.ack.at_or_after(sender.una) && newer {
            let window = u32::from(segment.window) << sender.shift;
            sender.wnd = window;
            sender.max_wnd = sender.max_wnd.max(window);
            sender.wl1 = segment.seq;
            sender.wl2 = segment.ack;
        }
        if sender.probe_at.is_some() {
            // Any answer to a probe shows that the peer lives.
            sender.retries = 0;
            if sender.wnd > 0 {
                sender.probe_at = None;
                sender.probes = 0;
            }
        }
        let _ = now;
    }

    /// SND.UNA moves on.
    fn take_new_ack(&mut self, now: Instant, segment: &Segment) {
        let sender = &mut self.sender;
        let in_recovery = sender.recovery.is_some();
        self.measure(now, segment);
        let sender = &mut self.sender;
        let bytes = sender.advance(segment.ack);
        sender.rtt.backoff = 0;
        sender.retries = 0;
        sender.stalled_since = (sender.in_flight() > 0).then_some(now);
        sender.retransmit_at = (sender.in_flight() > 0).then(|| now + sender.rtt.rto());
        sender.duplicate_acks = if in_recovery && !sender.uses_sack {
            sender.duplicate_acks.saturating_sub((bytes / sender.mss) as u32)
        } else {
            0
        };
        match sender.recovery {
            Some(point) if segment.ack.at_or_after(point) => {
                sender.recovery = None;
                sender.duplicate_acks = 0;
                if !sender.after_timeout {
                    sender.congestion.on_recovered();
                }
                sender.after_timeout = false;
            }
            Some(_) => {
                if sender.after_timeout {
                    // Slow start again after a time-out.
                    let rtt = sender.rtt.smoothed();
                    sender.congestion.on_ack(now, bytes, rtt);
                } else if !sender.uses_sack {
                    // A partial acknowledgement: the next segment is lost too (RFC 6582, 3.2).
                    sender.lost_below = (sender.una + sender.mss as u32).min(sender.nxt);
                    sender.force = true;
                }
                self.detect_loss();
            }
            None => {
                if sender.was_limited {
                    let rtt = sender.rtt.smoothed();
                    sender.congestion.on_ack(now, bytes, rtt);
                }
                self.detect_loss();
            }
        }
    }

    fn measure(&mut self, now: Instant, segment: &Segment) {
        let offset = self.timestamps;
        let sender = &mut self.sender;
        if let (Some(timestamps), Some(offset)) = (segment.options.timestamps, offset) {
            if timestamps.echo != 0 {
                let sent = timestamps.echo.wrapping_sub(offset);
                let age = (now.as_millis() as u32).wrapping_sub(sent);
                if age < 600_000 {
                    // The clock ticks in milliseconds: what is timed exactly is better.
                    let exact = sender.timed.filter(|(end, _)| segment.ack.at_or_after(*end));
                    let coarse = Instant::from_millis(now.as_millis().saturating_sub(u64::from(age)));
                    let sent = exact.map_or(coarse, |(_, sent)| sent);
                    sender.rtt.measured(now, sent);
                }
            }
        } else if let Some((end, sent)) = sender.timed
            && segment.ack.at_or_after(end)
        {
            sender.rtt.measured(now, sent);
        }
        if sender.timed.is_some_and(|(end, _)| segment.ack.at_or_after(end)) {
            sender.timed = None;
        }
    }

    fn detect_loss(&mut self) {
        let sender = &mut self.sender;
        if sender.mark_lost() && sender.recovery.is_none() && sender.next_hole().is_some() {
            let flight = sender.in_flight();
            sender.congestion.on_loss(flight);
            sender.congestion.cwnd = sender.congestion.ssthresh;
            sender.recovery = Some(sender.nxt);
            sender.force = true;
            sender.timed = None;
        }
    }

    /// Our FIN may be acknowledged now.
    fn after_ack(&mut self) {
        let all = self.sender.fin_sent() && self.sender.una == self.sender.nxt;
        if !all {
            return;
        }
        self.sender.retransmit_at = None;
        self.sender.stalled_since = None;
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.orphan {
                    self.linger_until = Some(self.last_heard + self.settings.fin_wait_2);
                }
            }
            State::Closing => self.enter_time_wait(),
            State::LastAck => self.state = State::Closed,
            _ => {}
        }
    }

    fn enter_time_wait(&mut self) {
        self.state = State::TimeWait;
        self.linger_until = None;
        self.sender.retransmit_at = None;
        self.keepalive_at = None;
    }

    /// Seventh: the text.
    fn take_text(&mut self, now: Instant, segment: &Segment, payload: &[u8]) {
        let mut seq = segment.seq;
        if segment.flags.contains(Flags::SYN) {
            seq += 1;
        }
        if payload.is_empty()
            || !matches!(
                self.state,
                State::Established | State::FinWait1 | State::FinWait2 | State::SynReceived
            )
        {
            return;
        }
        if self.orphan && self.receiver.closed && segment.end().is_after(self.receiver.nxt) {
            // Nobody will ever read it: tell the peer (RFC 2525, 2.17).
            self.reset = Some((self.sender.nxt, Some(self.receiver.nxt)));
            self.state = State::Closed;
            return;
        }
        let mss = self.sender.mss;
        self.receiver.accept(now, seq, payload, mss);
    }

    /// Eighth: FIN.
    fn check_fin(&mut self, segment: &Segment) {
        if matches!(self.state, State::Closed | State::SynSent) {
            return;
        }
        if segment.flags.contains(Flags::FIN) {
            let fin = segment.end() - 1;
            // Beyond the window it will come again.
            if fin.at_or_before(self.receiver.edge) {
                self.receiver.fin.get_or_insert(fin);
            }
        }
        if self.receiver.fin.is_some() && self.receiver.reach_fin() {
            match self.state {
                State::SynReceived | State::Established => self.state = State::CloseWait,
                State::FinWait1 => self.state = State::Closing,
                State::FinWait2 => {
                    self.enter_time_wait();
                }
                _ => {}
            }
        }
    }
}
