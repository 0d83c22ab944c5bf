//! A stream socket: what its connection waits for, and the pump of its bytes.

use super::{Front, Parked, Progress, answer_due, errno};
use crate::sys::notification::Delivery;
use crate::sys::unread_there;
use crate::task::Descriptor;
use crate::tools::{PIECE, Tools};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::sockopt::socket_error;
use rustix::net::{RecvFlags, SendFlags, recv, send, shutdown};
use sockeye::sockeye_core::transport::tcp::Take;
use sockeye::{OptionName, Readiness, Shutdown, SocketOption};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Pieces that one connection moves before others have their turn.
const TURNS: usize = 16;

/// A stream socket that does not listen.
#[derive(Debug)]
pub(crate) struct Stream {
    phase: Phase,
    /// `connect` calls that wait for the handshake, with their destinations.
    connects: VecDeque<Parked<SocketAddr>>,
    /// Calls that write, and wait for room.
    pub(crate) writes: VecDeque<Parked<Write>>,
    /// From the program to the connection.
    there: Lane,
    /// From the connection to the program.
    back: Lane,
    /// Whether a byte stands behind the program's last one, for [`Front::sever`]: the program writes no more.
    has_tail: bool,
    /// Whether the program has ended writing without closing.
    is_writing_ended: bool,
    /// Whether what the program writes is refused, because the connection has failed.
    is_refusing: bool,
    /// How the connection has failed; told when what has come before has been delivered.
    failure: Option<Errno>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not connected.
    Fresh,
    /// The handshake is under way, and the first bytes that come from the program's end are not the program's: they fill
    /// the pair, so that nobody takes the socket for writable.
    Connecting { filling: usize },
    /// Connected, or it has been.
    Connected,
}

/// A call that writes without the pair.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) bytes: Vec<u8>,
    /// How many of them the connection has taken.
    pub(crate) written: usize,
    pub(crate) flags: sockeye::SendFlags,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// What the other side has not taken yet.
    held: Vec<u8>,
    start: usize,
    /// No more will come.
    is_ended: bool,
    /// The other side has been told so.
    is_closed: bool,
}

impl Lane {
    fn held(&self) -> &[u8] {
        self.held.get(self.start..).unwrap_or_default()
    }

    fn hold(&mut self, rest: &[u8]) {
        self.held.clear();
        self.start = 0;
        self.held.extend_from_slice(rest);
    }

    fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start >= self.held.len() {
            // An idle connection owns no memory.
            (self.held, self.start) = (Vec::new(), 0);
        }
    }

    fn wants_closing(&self) -> bool {
        self.is_ended && !self.is_closed && self.held().is_empty()
    }
}

/// How far a pump came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Something,
    Nothing,
}

impl Stream {
    pub(crate) fn fresh() -> Stream {
        Stream::in_phase(Phase::Fresh)
    }

    pub(crate) fn connected() -> Stream {
        Stream::in_phase(Phase::Connected)
    }

    fn in_phase(phase: Phase) -> Stream {
        Stream {
            phase,
            connects: VecDeque::new(),
            writes: VecDeque::new(),
            there: Lane::default(),
            back: Lane::default(),
            has_tail: false,
            is_writing_ended: false,
            is_refusing: false,
            failure: None,
        }
    }

    /// The handshake has begun: until it has ended, the program's end is not writable.
    pub(crate) fn begin(&mut self, far: &Descriptor) {
        let block = vec![0; PIECE];
        let mut filling = 0;
        while let Ok(bytes) = send(far, &block, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            filling += bytes;
        }
        self.phase = Phase::Connecting { filling };
    }

    /// A connection that was there at once.
    pub(crate) fn establish(&mut self) {
        self.phase = Phase::Connected;
    }

    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. })
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.phase == Phase::Fresh
    }

    /// Writes behind all that the program has written before.
    ///
    /// # Errors
    /// What the connection says.
    pub(crate) fn write(
        &mut self,
        front: &mut Front,
        tools: &mut Tools,
        write: &mut Write,
    ) -> Result<Poll<usize>, Errno> {
        // The news of what it has written may still be on its way.
        front.has_news = true;
        while self.there(front, tools) == Moved::Something {}
        if self.phase != Phase::Connected || self.there.is_closed {
            return Err(self.failure.unwrap_or(Errno::PIPE));
        }
        while self.there.held().is_empty() {
            let rest = write.bytes.get(write.written..).unwrap_or_default();
            match hand(front, rest, write.flags)? {
                0 if !rest.is_empty() => break,
                sent => write.written += sent,
            }
            if write.written == write.bytes.len() {
                return Ok(Poll::Ready(write.written));
            }
        }
        Ok(Poll::Pending)
    }

    /// Goes on with the calls that write.
    fn answer_writes(&mut self, front: &mut Front, tools: &mut Tools) {
        while let Some(mut parked) = self.writes.pop_front() {
            if !tools.listener.is_waiting(parked.id) {
                continue;
            }
            let answer = match self.write(front, tools, &mut parked.call) {
                Ok(Poll::Pending) => {
                    self.writes.push_front(parked);
                    return;
                }
                Ok(Poll::Ready(sent)) => Ok(sent as i64),
                Err(_) if parked.call.written > 0 => Ok(parked.call.written as i64),
                Err(error) => Err(error),
            };
            let _: Delivery = tools.listener.answer(parked.id, answer);
        }
    }

    pub(crate) fn is_established(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// Forgets the connection and what was under way, and answers those who wait.
    pub(crate) fn disconnect(&mut self, front: &mut Front, far: &Descriptor, tools: &mut Tools) {
        self.answer_all(tools, Errno::CONNRESET);
        if self.there.is_closed || self.back.is_closed || self.is_writing_ended {
            front.sever(tools);
        }
        if let Some(near) = &front.near {
            while receive(near, &mut tools.buffer).is_ok_and(|bytes| bytes > 0) {}
            let mut take = || recv(far, tools.buffer.as_mut_slice(), RecvFlags::DONTWAIT);
            while take().is_ok_and(|(bytes, _)| bytes > 0) {}
        }
        *self = Stream::fresh();
    }

    /// Answers those who wait for the handshake. Whether anybody has heard it.
    fn answer_all(&mut self, tools: &Tools, error: Errno) -> bool {
        let connects = std::mem::take(&mut self.connects).into_iter().map(|connect| connect.id);
        let writes = std::mem::take(&mut self.writes).into_iter().map(|write| write.id);
        connects.chain(writes).filter(|id| tools.listener.answer(*id, Err(error)) == Delivery::Done).count()
            > 0
    }

    /// Forgets what was written without a connection.
    pub(crate) fn discard(&mut self, front: &Front, tools: &mut Tools) {
        if let (Phase::Fresh, Some(near)) = (self.phase, &front.near) {
            while receive(near, &mut tools.buffer).is_ok_and(|bytes| bytes > 0) {}
        }
    }

    /// Bytes of the program's that the connection has not taken yet.
    pub(crate) fn unsent(&self, front: &Front) -> usize {
        let unread = front.near.as_ref().and_then(|near| ioctl_fionread(near).ok()).unwrap_or(0);
        let unread = if self.phase == Phase::Connected { unread as usize } else { 0 };
        self.there.held().len() + unread.saturating_sub(usize::from(self.has_tail))
    }

    /// One more call waits for the handshake.
    pub(crate) fn park(&mut self, connect: Parked<SocketAddr>) {
        self.connects.push_back(connect);
    }

    pub(super) fn expire(&mut self, tools: &Tools, now: Instant) {
        // As Linux has it: the attempt goes on.
        answer_due(&mut self.connects, tools, now, Errno::INPROGRESS);
        self.writes.retain(|waiting| {
            let is_due = waiting.is_due(now);
            if is_due {
                let written = waiting.call.written as i64;
                let answer = if written > 0 { Ok(written) } else { Err(Errno::AGAIN) };
                let _: Delivery = tools.listener.answer(waiting.id, answer);
            }
            !is_due
        });
    }

    /// The program has ended writing, and a byte follows its last one.
    pub(crate) fn end_writing(&mut self, far: &Descriptor) {
        if !self.has_tail && !self.there.is_ended {
            self.has_tail = matches!(send(far, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL), Ok(1));
        }
        self.is_writing_ended = true;
        let _ = shutdown(far, rustix::net::Shutdown::Write);
    }

    /// The program reads no more: what is there already may still be read.
    pub(crate) fn end_reading(&mut self, front: &Front) {
        self.back.is_ended = true;
        self.back.is_closed = true;
        if let Some(near) = &front.near {
            let _ = shutdown(near, rustix::net::Shutdown::Write);
        }
    }

    pub(super) fn advance(&mut self, front: &mut Front, tools: &mut Tools) -> Progress {
        if self.is_connecting() {
            self.settle(front, tools);
        }
        if self.phase != Phase::Connected {
            return if front.is_hung_up { Progress::Over } else { Progress::Waiting };
        }
        if front.is_broken {
            return Progress::Waiting;
        }
        self.answer_writes(front, tools);
        for _ in 0..TURNS {
            let there = self.there(front, tools);
            let back = if front.is_hung_up { Moved::Nothing } else { self.back(front, tools) };
            if let (Moved::Nothing, Moved::Nothing) = (there, back) {
                return self.rest(front, tools);
            }
        }
        Progress::More
    }

    /// How the handshake has ended, if it has.
    fn settle(&mut self, front: &mut Front, tools: &mut Tools) {
        let mut context = Front::context(&front.waker);
        match front.ours.poll_connect(&mut context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.unfill(front, tools);
                self.phase = Phase::Connected;
                for connect in std::mem::take(&mut self.connects) {
                    // Whoever hears of it has been told: to ask again is an error from then on.
                    if tools.listener.answer(connect.id, Ok(0)) == Delivery::Done {
                        let _ = front.ours.connect(connect.call);
                    }
                }
            }
            Poll::Ready(Err(error)) => {
                let error = errno(&error);
                if self.answer_all(tools, error) {
                    // It may try again.
                    self.unfill(front, tools);
                    self.phase = Phase::Fresh;
                } else {
                    front.error = Some(error);
                    self.phase = Phase::Connected;
                    front.sever(tools);
                }
            }
        }
    }

    /// Takes away what made the program's end unwritable.
    fn unfill(&mut self, front: &Front, tools: &mut Tools) {
        let (Phase::Connecting { mut filling }, Some(near)) = (self.phase, &front.near) else { return };
        while filling > 0 {
            let room = filling.min(tools.buffer.len());
            let buffer = tools.buffer.get_mut(..room).unwrap_or_default();
            match recv(near, buffer, RecvFlags::DONTWAIT) {
                Ok((bytes, _)) if bytes > 0 => filling -= bytes,
                _ => break,
            }
        }
        self.phase = Phase::Connecting { filling };
    }

    /// Nothing can be moved now.
    fn rest(&mut self, front: &mut Front, tools: &mut Tools) -> Progress {
        if front.is_hung_up && !self.there.is_closed && is_closed_unread(front) {
            // What it has written does not wait until the peer reads.
            let _ = front.ours.set_option(SocketOption::Linger(Some(Duration::ZERO)));
            return Progress::Over;
        }
        if front.is_hung_up {
            // With both directions shut down, our end hangs up while the program still has its own.
            if self.there.is_closed && self.back.is_closed && front.is_held(tools) {
                front.is_hung_up = false;
            } else if self.there.is_closed || is_reset_on_close(front) {
                return Progress::Over;
            }
        }
        let readiness = front.ours.watch(&front.waker);
        if self.back.is_closed && readiness.is_ok_and(Readiness::has_failed) {
            let error = front.ours.take_error().ok().flatten();
            self.fail(error.as_ref().map_or(Errno::CONNRESET, errno));
        }
        if let Some(failure) = self.failure
            && self.back.is_ended
            && self.back.held().is_empty()
        {
            front.error = Some(failure);
            front.sever(tools);
        }
        Progress::Waiting
    }

    /// The connection has failed: nothing goes there any more.
    fn fail(&mut self, error: Errno) {
        self.failure.get_or_insert(error);
        self.there = Lane { is_ended: true, is_closed: true, ..Lane::default() };
    }

    /// From the program to the connection.
    fn there(&mut self, front: &mut Front, tools: &mut Tools) -> Moved {
        let Some(near) = &front.near else { return Moved::Nothing };
        if self.there.is_closed {
            // What has come before a failure may still be read; but who writes is told, and does not wait for ever.
            if self.failure.is_some()
                && !self.is_refusing
                && ioctl_fionread(near).is_ok_and(|unread| unread > 0)
            {
                self.is_refusing = true;
                let _ = shutdown(near, rustix::net::Shutdown::Read);
            }
            return Moved::Nothing;
        }
        if self.there.held().is_empty() && !self.there.is_ended && front.has_news {
            let room = match self.has_tail {
                false => PIECE,
                true => ioctl_fionread(near).map_or(0, |unread| unread.saturating_sub(1) as usize).min(PIECE),
            };
            let buffer = tools.buffer.get_mut(..room).unwrap_or_default();
            let received = if room == 0 { Ok(0) } else { receive(near, buffer) };
            match received {
                Ok(0) => {
                    self.there.is_ended = true;
                    // Nobody has shut it down, so it is closed.
                    front.is_hung_up |= !self.is_writing_ended;
                }
                Ok(bytes) => {
                    let bytes = buffer.get(..bytes).unwrap_or_default();
                    match hand(front, bytes, sockeye::SendFlags::NONE) {
                        Ok(written) => self.there.hold(bytes.get(written..).unwrap_or_default()),
                        Err(error) => self.fail(error),
                    }
                    return Moved::Something;
                }
                Err(Errno::INTR) => return Moved::Nothing,
                Err(Errno::AGAIN) => {
                    // Only this is the end of the news: behind a short piece may be the program's last word.
                    front.has_news = false;
                    return Moved::Nothing;
                }
                Err(_) => {
                    // The program has closed its end with something unread: that is a reset (RFC 2525, 2.17).
                    front.is_hung_up = true;
                    let _ = front.ours.set_option(SocketOption::Linger(Some(Duration::ZERO)));
                    self.there.is_ended = true;
                }
            }
        }
        if !self.there.held().is_empty() {
            return match hand(front, self.there.held(), sockeye::SendFlags::NONE) {
                Ok(0) => Moved::Nothing,
                Ok(written) => {
                    self.there.pass(written);
                    Moved::Something
                }
                Err(error) => {
                    self.fail(error);
                    Moved::Something
                }
            };
        }
        if self.there.wants_closing() {
            // A socket that is closed says its FIN, or its RST, by itself.
            if !front.is_hung_up {
                let _ = front.ours.shutdown(Shutdown::Write);
            }
            self.there.is_closed = true;
            return Moved::Something;
        }
        Moved::Nothing
    }

    /// From the connection to the program.
    fn back(&mut self, front: &mut Front, tools: &mut Tools) -> Moved {
        let (Some(near), false) = (&front.near, self.back.is_closed) else { return Moved::Nothing };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if self.back.held().is_empty() && !self.back.is_ended {
            if front.ours.readiness().is_ok_and(Readiness::has_urgent)
                && front.ours.is_at_mark().is_ok_and(|at_mark| at_mark)
                && let Ok(Some(byte)) = front.ours.read_urgent(Take::Away)
            {
                // The mark goes through the pair as well: what the program is told of it there is the kernel's own.
                let _ = send(near, &[byte], flags | SendFlags::OOB);
                return Moved::Something;
            }
            let mut context = Front::context(&front.waker);
            match front.ours.poll_read_ahead(&mut context, &mut tools.buffer, unread_there(near)) {
                Poll::Pending => return Moved::Nothing,
                Poll::Ready(Ok(0)) => self.back.is_ended = true,
                Poll::Ready(Ok(bytes)) => {
                    let bytes = tools.buffer.get(..bytes).unwrap_or_default();
                    match send(near, bytes, flags) {
                        Ok(sent) => self.back.hold(bytes.get(sent..).unwrap_or_default()),
                        Err(Errno::AGAIN) => self.back.hold(bytes),
                        Err(_) => self.give_up_delivery(),
                    }
                    return Moved::Something;
                }
                Poll::Ready(Err(error)) => {
                    self.back.is_ended = true;
                    self.fail(errno(&error));
                }
            }
        }
        if !self.back.held().is_empty() {
            return match send(near, self.back.held(), flags) {
                Ok(sent) => {
                    self.back.pass(sent);
                    Moved::Something
                }
                Err(Errno::AGAIN) => Moved::Nothing,
                Err(_) => {
                    self.give_up_delivery();
                    Moved::Something
                }
            };
        }
        // The end of a connection that has failed is told by breaking the pair.
        if self.back.wants_closing() && self.failure.is_none() {
            let _ = shutdown(near, rustix::net::Shutdown::Write);
            self.back.is_closed = true;
            return Moved::Something;
        }
        Moved::Nothing
    }

    /// The program's end is closed: what is done about the connection is decided when ours hangs up.
    fn give_up_delivery(&mut self) {
        self.back = Lane { is_ended: true, is_closed: true, ..Lane::default() };
    }
}

/// `SO_LINGER` with a time of zero: closing is a reset.
fn is_reset_on_close(front: &Front) -> bool {
    matches!(front.ours.option(OptionName::Linger), Ok(SocketOption::Linger(Some(Duration::ZERO))))
}

/// Whether the program has closed its end with something unread: that is a reset (RFC 2525, 2.17).
fn is_closed_unread(front: &Front) -> bool {
    front.near.as_ref().is_some_and(|near| matches!(socket_error(near), Ok(Err(Errno::CONNRESET))))
}

fn receive(near: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    recv(near, buffer, RecvFlags::DONTWAIT).map(|(bytes, _)| bytes)
}

/// As many of `bytes` as the connection takes now.
fn hand(front: &Front, bytes: &[u8], flags: sockeye::SendFlags) -> Result<usize, Errno> {
    let mut context = Front::context(&front.waker);
    match front.ours.poll_write(&mut context, bytes, flags) {
        Poll::Pending => Ok(0),
        Poll::Ready(written) => written.map_err(|error| errno(&error)),
    }
}
