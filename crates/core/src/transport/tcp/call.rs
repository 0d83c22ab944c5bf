//! What a program does to its connection, and what it may ask.

use super::connection::{Connection, Reset};
use super::sender::Fin;
use super::timers::Timer;
use super::{FinWait2, QuickAck, SendFlags, Settings, State};
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::tcp::SeqNumber;

impl Connection {
    /// Takes as many of `bytes` as the send buffer has room for; says how many.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when it has room for none or the handshake is not complete; the error that ended the
    /// connection, once; [`Error::BrokenPipe`] after that, and after a shutdown of writing.
    pub fn write(&mut self, now: Instant, bytes: &[u8]) -> Result<usize, Error> {
        self.send(now, bytes, SendFlags::NONE)
    }

    /// [`Connection::write`], saying more about the bytes.
    ///
    /// # Errors
    /// As [`Connection::write`].
    pub fn send(&mut self, now: Instant, bytes: &[u8], flags: SendFlags) -> Result<usize, Error> {
        self.sender.clock = now;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.state {
            _ if self.sender.fin != Fin::None => return Err(Error::BrokenPipe),
            State::SynReceived if self.is_child() => {}
            State::SynSent | State::SynReceived => return Err(Error::WouldBlock),
            State::Established | State::CloseWait => {}
            _ => return Err(Error::BrokenPipe),
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        self.restart_after_idle(now);
        let allowed = bytes.get(..self.send_room(bytes.len())).unwrap_or_default();
        if self.resize_due {
            self.resize(now);
        }
        let taken = self.sender.ring.push(allowed, usize::MAX);
        self.counters.is_refused = taken < bytes.len();
        if taken == 0 {
            self.note_limit(now);
            return Err(Error::WouldBlock);
        }
        self.push_written(taken as u32, taken == bytes.len(), flags);
        if flags.contains(SendFlags::OUT_OF_BAND) {
            self.mark_urgent();
        }
        self.touch(now);
        self.arm_probe(now);
        Ok(taken)
    }

    /// Takes received bytes into `buffer`; says how many. Zero is the end of the stream: the peer's FIN, or a shutdown
    /// of reading. What came before an error is still read first.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when nothing has come; the error that ended the connection, once.
    pub fn read(&mut self, now: Instant, buffer: &mut [u8]) -> Result<usize, Error> {
        let run = self.readable_run();
        let count = self.peek(buffer);
        // A byte that is stepped over is gone even where nothing follows it yet.
        self.take_run(now, run, count.unwrap_or_default());
        count
    }

    /// [`Connection::read`] that leaves the bytes where they are.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let run = self.readable_run();
        let [first, second] = self.receiver.ring.slices(run.skip, run.most.min(buffer.len()));
        let (one, rest) = buffer.split_at_mut(first.len().min(buffer.len()));
        one.copy_from_slice(first);
        if let Some(two) = rest.get_mut(..second.len()) {
            two.copy_from_slice(second);
        }
        let count = first.len() + second.len();
        if count > 0 || buffer.is_empty() && run.most > 0 {
            return Ok(count);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.is_read_closed() { Ok(0) } else { Err(Error::WouldBlock) }
    }

    /// No more will be written: a FIN follows what was. Reading goes on.
    pub fn shutdown_write(&mut self, now: Instant) {
        if self.sender.fin != Fin::None {
            return;
        }
        let next = match self.state {
            State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            State::SynSent | State::SynReceived => self.state, // the FIN waits for the handshake
            _ => return,
        };
        self.sender.fin = Fin::Queued;
        if next != self.state {
            self.set_state(now, next);
        }
        self.arm_probe(now);
    }

    /// Nothing more will be read. As on Linux this tells the peer nothing: what still comes is acknowledged and can even
    /// be read, but a read never waits again.
    pub fn shutdown_read(&mut self, _now: Instant) {
        self.is_read_shut = true;
    }

    /// The program lets go: what was written still goes out, followed by a FIN, and the connection finishes by itself.
    /// With bytes unread, or a linger time of zero, it is reset instead (RFC 1122 section 4.2.2.13, RFC 2525 section
    /// 2.17).
    pub fn close(&mut self, now: Instant) {
        self.is_orphan = true;
        self.is_read_shut = true;
        let is_hard = self.settings.linger == Some(Duration::ZERO);
        match self.state {
            State::Closed | State::SynSent => {
                if self.state == State::SynSent {
                    self.set_state(now, State::Closed);
                }
                self.receiver.ring.release();
            }
            State::TimeWait => self.receiver.ring.release(),
            _ if is_hard || !self.receiver.ring.is_empty() => self.abort(now),
            _ => {
                self.shutdown_write(now);
                self.timers.stop(Timer::Keepalive);
                if self.state == State::FinWait2 {
                    self.await_fin(now);
                }
            }
        }
    }

    /// No program holds the connection any more, and the peer has all of it but has not finished itself. That it is given
    /// three and a half time-outs at least is Linux's rule.
    pub(super) fn await_fin(&mut self, now: Instant) {
        let time = match self.settings.own_fin_wait_2 {
            FinWait2::Host => self.settings.fin_wait_2,
            FinWait2::For(time) => time,
            FinWait2::Never => return self.abort(now),
        };
        let least = self.sender.rtt.rto().saturating_mul(7) / 2;
        self.timers.set(Timer::FinWait2, now + time.max(least));
    }

    /// Ends the connection at once; the peer, if it knows of it, gets a RST (RFC 9293 section 3.10.5).
    pub fn abort(&mut self, now: Instant) {
        self.is_orphan = true;
        match self.state {
            State::Closed => {}
            State::SynSent | State::Listen | State::Closing | State::LastAck | State::TimeWait => {
                self.set_state(now, State::Closed);
            }
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => {
                self.reset = Some(Reset { seq: self.sender.nxt, ack: Some(self.receiver.nxt) });
                self.set_state(now, State::Closed);
            }
        }
        self.receiver.ring.release();
    }

    /// Changes the settings, which act at once: without Nagle what it held back leaves, a keepalive starts or stops.
    /// The segment size and the options of the handshake stay as they were agreed.
    pub fn set_settings(&mut self, now: Instant, settings: Settings) {
        self.receiver.space.set(&settings, self.receiver.shift);
        self.send_space.set(&settings);
        let seed = self.sender.iss.0;
        self.sender.congestion.set_settings(self.settings.congestion, &settings, seed);
        self.settings = settings.into();
        self.sender.set_pace();
        self.timers.stop(Timer::Keepalive);
        self.timers.stop(Timer::UserTimeout);
        self.arm_keepalive(now);
        self.arm_user_timeout();
        self.arm_probe(now);
    }

    /// Says how acknowledgements are held back from now on: `TCP_QUICKACK`. That is a hint, and forgotten as the peers talk.
    pub fn set_quick_ack(&mut self, quick: QuickAck) {
        let ack = &mut self.receiver.ack;
        ack.set_quick(quick != QuickAck::Off);
        // As on Linux, what the program has not read yet is acknowledged when it reads.
        let has_read = self.receiver.ring.is_empty();
        let is_open = matches!(self.state, State::Established | State::CloseWait);
        if quick != QuickAck::Off && is_open && has_read {
            ack.owe_held();
        }
        if quick == QuickAck::Once && is_open {
            ack.set_quick(false);
        }
    }

    /// Whether acknowledgements leave at once as far as the talk allows it.
    pub fn has_quick_ack(&self) -> bool {
        self.receiver.ack.is_quick()
    }

    /// The number behind the last byte that came in order, the peer's FIN included: RCV.NXT.
    pub fn arrived(&self) -> SeqNumber {
        self.receiver.nxt
    }

    /// Whether a read would not wait: bytes, the end of the stream, or an error.
    pub fn is_readable(&self) -> bool {
        self.readable_run().most > 0 || self.is_read_closed() || self.error.is_some()
    }

    /// Whether a write would not wait: a third of the send buffer is free, or it would fail at once.
    pub fn is_writable(&self) -> bool {
        match self.state {
            State::SynSent => self.is_deferred(),
            State::SynReceived if !self.is_child() => false,
            _ if self.is_write_closed() || self.error.is_some() => true,
            _ if self.is_above_low_water() => false,
            _ => self.has_send_space(),
        }
    }

    /// Whether nothing more will come to be read.
    pub fn is_read_closed(&self) -> bool {
        self.receiver.is_finished || self.is_read_shut || self.state == State::Closed
    }

    /// Whether nothing more can be written.
    pub fn is_write_closed(&self) -> bool {
        self.sender.fin != Fin::None || self.state == State::Closed
    }

    /// Whether the connection is over, or was never there.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether an error waits to be taken.
    pub fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether it ended before it was established.
    pub fn was_refused(&self) -> bool {
        self.state == State::Closed && !self.sender.is_synced
    }

    /// The error that ended the connection, once.
    pub fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// What ICMP said of the open connection and nothing has disproved since, once.
    pub fn take_soft_error(&mut self) -> Option<Error> {
        self.soft_error.take()
    }

    /// The size of the receive buffer now: `SO_RCVBUF`.
    pub fn receive_buffer(&self) -> usize {
        (self.receiver.space.size() as usize).max(self.settings.receive_buffer)
    }
}
