//! A listener: its program's end is readable while connections wait.

use super::{Body, Entry, Front, Mode, Opened, Parked, Progress, Stream, answer_due, errno};
use crate::address;
use crate::sys::notification::{Delivery, Inheritance};
use crate::task::{Descriptor, Memory};
use crate::tools::Tools;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use sockeye::{AnySocket, Family, Kind};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

/// Waiting connections that the program's end shows at most: one byte each.
const MARKS: usize = 64;

/// A stream socket that listens.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    /// `accept` calls that wait.
    accepts: VecDeque<Parked<AcceptCall>>,
    /// Connections that were taken for a call that nobody waited for any more.
    returned: VecDeque<(AnySocket, SocketAddr)>,
    /// Bytes in the program's end, which make it readable.
    marks: usize,
    /// New sockets, for the table.
    pub(crate) accepted: Vec<Entry>,
}

/// What `accept` asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptCall {
    /// Where the peer's address goes, and its length; nowhere if null.
    pub(crate) address: u64,
    pub(crate) length: u64,
    pub(crate) mode: Mode,
    pub(crate) inheritance: Inheritance,
}

impl Listening {
    pub(super) fn advance(&mut self, front: &mut Front, tools: &mut Tools) -> Progress {
        if front.is_hung_up {
            return Progress::Over;
        }
        while let Some(accept) = self.accepts.front() {
            if !tools.listener.is_waiting(accept.id) {
                self.accepts.pop_front();
                continue;
            }
            let connection = match self.next(front) {
                Poll::Pending => break,
                Poll::Ready(connection) => connection,
            };
            let Some(accept) = self.accepts.pop_front() else { break };
            let outcome = connection.and_then(|connection| {
                self.hand_over(front.family, tools, connection, (accept.id, accept.memory), accept.call)
            });
            if let Err(error) = outcome {
                let _: Delivery = tools.listener.answer(accept.id, Err(error));
            }
        }
        // Asked for before counting, or a connection that comes in between would go unseen.
        let _ = front.ours.watch(&front.waker);
        self.mark(front);
        Progress::Waiting
    }

    pub(super) fn expire(&mut self, tools: &Tools, now: Instant) {
        answer_due(&mut self.accepts, tools, now, Errno::AGAIN);
    }

    pub(crate) fn park(&mut self, accept: Parked<AcceptCall>) {
        self.accepts.push_back(accept);
    }

    fn next(&mut self, front: &Front) -> Poll<Result<(AnySocket, SocketAddr), Errno>> {
        if let Some(returned) = self.returned.pop_front() {
            return Poll::Ready(Ok(returned));
        }
        let mut context = Front::context(&front.waker);
        front.ours.poll_accept(&mut context).map_err(|error| errno(&error))
    }

    /// Answers a call with the connection that has waited longest; `Pending` if none waits.
    pub(crate) fn accept(
        &mut self,
        front: &Front,
        far: &Descriptor,
        tools: &mut Tools,
        (id, memory): (u64, Memory),
        call: AcceptCall,
    ) -> Poll<Result<(), Errno>> {
        // Who came first waits already.
        let next = if self.accepts.is_empty() { self.next(front) } else { Poll::Pending };
        let answer = next.map(|connection| {
            connection
                .and_then(|connection| self.hand_over(front.family, tools, connection, (id, memory), call))
        });
        let _ = front.ours.watch(&front.waker);
        self.unmark(front, far);
        self.mark(front);
        answer
    }

    fn hand_over(
        &mut self,
        family: Family,
        tools: &mut Tools,
        (ours, peer): (AnySocket, SocketAddr),
        (id, memory): (u64, Memory),
        call: AcceptCall,
    ) -> Result<(), Errno> {
        if call.address != 0 {
            memory.write_counted(call.address, call.length, &address::encode(peer))?;
        }
        let body = Body::Stream(Stream::connected());
        let mut opened = Opened::new(tools, ours, (family, Kind::Stream), (body, call.mode))?;
        opened.entry.front.fit_pair(&opened.far);
        let given = opened.give(tools, id, memory.thread, call.inheritance);
        if given == Ok(Delivery::Done) {
            self.accepted.push(opened.entry);
        } else {
            // A signal came in between, or there is no descriptor left: the connection waits for the next call.
            self.returned.push_front((opened.entry.front.ours, peer));
        }
        given.map(|_| ())
    }

    /// How many connections wait, as far as the program's end shows it.
    fn waiting(&self, front: &Front) -> usize {
        (front.ours.waiting_connections().unwrap_or(0) + self.returned.len()).min(MARKS)
    }

    /// One byte for each connection that waits: a new one wakes whoever waits for edges, too.
    fn mark(&mut self, front: &Front) {
        let waiting = self.waiting(front);
        let (Some(near), Some(missing)) = (&front.near, waiting.checked_sub(self.marks)) else { return };
        if let Some(marks) = [0; MARKS].get(..missing).filter(|marks| !marks.is_empty())
            && let Ok(sent) = send(near, marks, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        {
            self.marks += sent;
        }
    }

    /// Takes back the bytes of connections that do not wait any more.
    fn unmark(&mut self, front: &Front, far: &Descriptor) {
        let surplus = self.marks.saturating_sub(self.waiting(front));
        let mut buffer = [0; MARKS];
        if let Some(room) = buffer.get_mut(..surplus).filter(|room| !room.is_empty())
            && let Ok((taken, _)) = recv(far, room, RecvFlags::DONTWAIT)
        {
            self.marks -= taken.min(self.marks);
        }
    }
}
