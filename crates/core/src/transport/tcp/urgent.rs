//! Urgent data (RFC 9293 section 3.8.5, RFC 6093), as Linux and BSD have it: the pointer names the byte behind the
//! urgent one, and that one byte is kept out of the stream unless the program wants it in line.
//!
//! The byte stays where it is in the receive buffer; a read that begins at it steps over it, and one that begins before it
//! ends there. Programs should not use any of this (RFC 6093 section 5); telnet and ftp do.

use super::State;
use super::connection::Connection;
use super::sender::Fin;
use crate::error::Error;
use crate::time::Instant;
use crate::wire::tcp::{Flags, Segment, SeqNumber};

/// What is known of the peer's urgent byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// There is none, or the stream has been read beyond it.
    None,
    /// It was announced.
    Awaited,
    /// It is here.
    Here(u8),
    /// The program has taken it.
    Taken,
}

/// Both directions' urgent pointers.
#[derive(Debug)]
pub(super) struct Urgent {
    /// SND.UP: the number behind the last urgent byte written; of no meaning once it is acknowledged.
    up: Option<SeqNumber>,
    /// The number of the peer's urgent byte.
    place: SeqNumber,
    arrival: Arrival,
}

/// Whether a call leaves what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It is gone then.
    Away,
    /// The next call gives it again (`MSG_PEEK`).
    Not,
}

/// What a read gives: bytes of the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// How many bytes are stepped over.
    pub(super) skip: usize,
    /// How many follow at most.
    pub(super) most: usize,
}

impl Connection {
    /// The number of the first byte in the receive buffer.
    fn read_place(&self) -> SeqNumber {
        let receiver = &self.receiver;
        receiver.nxt - receiver.ring.len() as u32 - u32::from(receiver.is_finished)
    }

    /// The peer's urgent byte, as long as it was not read past: how far before us it lies, and what is known of it.
    fn urgent_ahead(&self) -> Option<(usize, Arrival)> {
        let urgent = self.urgent.as_ref().filter(|urgent| urgent.arrival != Arrival::None)?;
        let ahead = urgent.place.distance(self.read_place());
        (ahead >= 0).then_some((ahead.unsigned_abs() as usize, urgent.arrival))
    }

    /// What a read gives now.
    pub(super) fn readable_run(&self) -> Run {
        let held = self.receiver.ring.len();
        match self.urgent_ahead() {
            Some((0, _)) if held > 0 && !self.settings.urgent_in_line => Run { skip: 1, most: held - 1 },
            Some((ahead, _)) if ahead > 0 => Run { skip: 0, most: held.min(ahead) },
            _ => Run { skip: 0, most: held },
        }
    }

    /// The program has read on: an urgent byte that lies behind is forgotten.
    pub(super) fn forget_urgent_read(&mut self) {
        let place = self.read_place();
        if let Some(urgent) = &mut self.urgent
            && place.is_after(urgent.place)
        {
            urgent.arrival = Arrival::None;
            self.forget_urgent();
        }
    }

    /// SND.UNA has moved: beyond SND.UP nothing is urgent.
    pub(super) fn forget_urgent_sent(&mut self) {
        let una = self.sender.una;
        if let Some(urgent) = &mut self.urgent
            && urgent.up.is_some_and(|up| up.at_or_before(una))
        {
            urgent.up = None;
            self.forget_urgent();
        }
    }

    fn forget_urgent(&mut self) {
        self.urgent =
            self.urgent.take().filter(|urgent| urgent.up.is_some() || urgent.arrival != Arrival::None);
    }

    fn urgent_mut(&mut self) -> &mut Urgent {
        let place = self.read_place() - 1;
        self.urgent.get_or_insert_with(|| Box::new(Urgent { up: None, place, arrival: Arrival::None }))
    }

    /// The last byte written is urgent.
    pub(super) fn mark_urgent(&mut self) {
        let up = self.sender.data_end();
        self.urgent_mut().up = Some(up);
    }

    /// Whether the peer has yet to acknowledge an urgent byte: nothing is held back, and no burst is cut by the device,
    /// since each segment has its own pointer.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent.as_ref().and_then(|urgent| urgent.up).is_some_and(|up| up.is_after(self.sender.una))
    }

    /// Points a segment that leaves at the urgent byte, if that lies before it. One too far away is only announced.
    pub(super) fn point_at_urgent(&self, segment: &mut Segment) {
        let Some(up) = self.urgent.as_ref().and_then(|urgent| urgent.up) else { return };
        if !self.is_urgent() || !segment.seq.is_before(up) {
            return;
        }
        let distance = up.distance(segment.seq).unsigned_abs();
        if let Ok(pointer) = u16::try_from(distance) {
            segment.urgent = pointer;
        } else if (segment.seq + 0xffff).is_after(self.sender.nxt) {
            segment.urgent = u16::MAX;
        } else {
            return;
        }
        segment.flags |= Flags::URG;
    }

    /// Sixth check of RFC 9293 section 3.10.7.4: URG.
    pub(super) fn check_urgent(&mut self, segment: &Segment, payload: &[u8]) {
        if !matches!(self.state, State::Established | State::FinWait1 | State::FinWait2) {
            return;
        }
        if segment.flags.contains(Flags::URG) {
            self.announce_urgent(segment.seq + u32::from(segment.urgent.saturating_sub(1)));
        }
        if let Some(urgent) = self.urgent.as_mut().filter(|urgent| urgent.arrival == Arrival::Awaited) {
            let index = urgent.place.distance(segment.seq);
            if let Some(byte) = usize::try_from(index).ok().and_then(|index| payload.get(index)) {
                urgent.arrival = Arrival::Here(*byte);
            }
        }
    }

    /// The peer has an urgent byte at `place`.
    fn announce_urgent(&mut self, place: SeqNumber) {
        // What has come already cannot be taken out of the stream any more.
        if place.is_before(self.receiver.nxt) {
            return;
        }
        match self.urgent_ahead() {
            Some((ahead, _)) if !place.is_after(self.read_place() + ahead as u32) => return,
            // The old one stands at the head of the stream, and was not read over: what replaces it does so now, or it
            // would be read as data.
            Some((0, _)) if !self.settings.urgent_in_line && !self.receiver.ring.is_empty() => {
                self.receiver.ring.consume(1);
            }
            _ => {}
        }
        let urgent = self.urgent_mut();
        (urgent.place, urgent.arrival) = (place, Arrival::Awaited);
    }

    /// The urgent byte (`MSG_OOB`); `None` where the stream has ended before it. Never waits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is none, it was taken, or it is to be read in line;
    /// [`Error::WouldBlock`] when it was announced and has not come; [`Error::NotConnected`] when the connection was
    /// reset.
    pub fn read_urgent(&mut self, take: Take) -> Result<Option<u8>, Error> {
        let is_in_line = self.settings.urgent_in_line;
        let is_closed = self.state == State::Closed;
        let is_finished = self.receiver.is_finished;
        let is_read_closed = self.is_read_closed();
        let urgent = self.urgent.as_mut().filter(|_| !is_in_line).ok_or(Error::InvalidArgument)?;
        match urgent.arrival {
            Arrival::None | Arrival::Taken => Err(Error::InvalidArgument),
            _ if is_closed && !is_finished => Err(Error::NotConnected),
            Arrival::Here(byte) => {
                if take == Take::Away {
                    urgent.arrival = Arrival::Taken;
                }
                Ok(Some(byte))
            }
            Arrival::Awaited if is_read_closed => Ok(None),
            Arrival::Awaited => Err(Error::WouldBlock),
        }
    }

    /// Whether the next byte to read is the one marked as urgent, or follows it: `SIOCATMARK`.
    pub fn is_at_mark(&self) -> bool {
        self.urgent_ahead().is_some_and(|(ahead, _)| ahead == 0)
    }

    /// Whether an urgent byte waits to be taken (`POLLPRI`).
    pub fn has_urgent(&self) -> bool {
        self.urgent.as_ref().is_some_and(|urgent| matches!(urgent.arrival, Arrival::Here(_)))
    }

    /// Bytes that wait to be read, up to the urgent one where there is one (`SIOCINQ`).
    pub fn receive_queue(&self) -> usize {
        let held = self.receiver.ring.len();
        match self.urgent_ahead() {
            Some((ahead, _)) if ahead < held && !self.settings.urgent_in_line => ahead,
            _ => held,
        }
    }

    /// What reading would find now: bytes, and one more for the end of the stream (`TCP_CM_INQ`). Unlike
    /// [`receive_queue`](Connection::receive_queue) it is not zero while there is an end to be read.
    pub fn unread_hint(&self) -> usize {
        self.receiver.ring.len() + usize::from(self.receiver.is_finished)
    }

    /// Sequence numbers that wait to be sent or acknowledged: bytes, and the FIN (`SIOCOUTQ`).
    pub fn send_queue(&self) -> usize {
        let owes_fin = self.state != State::Closed && matches!(self.sender.fin, Fin::Queued | Fin::Sent);
        self.sender.ring.len() + usize::from(owes_fin)
    }

    /// Somebody reads ahead of the program, and `waiting` bytes of what was read before have not reached it yet.
    pub fn keep_ahead(&mut self, waiting: usize) {
        self.receiver.space.keep_ahead(waiting);
    }

    /// Takes bytes out of the receive buffer: those of the run that fit into `buffer`.
    pub(super) fn take_run(&mut self, now: Instant, run: Run, count: usize) {
        self.receiver.ring.consume(run.skip + count);
        self.forget_urgent_read();
        if count > 0 {
            self.receiver.space.on_read(now, count);
            self.trim();
        }
    }
}
