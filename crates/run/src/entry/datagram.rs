//! A datagram socket, or one for echo requests: whole messages, each with its other end.
//!
//! The program's end shows the datagram that comes next, so that polls see it and a plain `recv` takes it. A call that
//! asks where it came from is answered here: the datagram is taken out of the program's end on its behalf.

use super::{Front, Parked, Progress, answer_due, errno};
use crate::call::ancillary::Wishes;
use crate::call::receive::{Receive, answer_parked};
use crate::echo;
use crate::sys::unread_there;
use crate::task::Descriptor;
use crate::tools::Tools;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, shutdown};
use sockeye::{Ancillary, Kind, Received};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

/// Datagrams that one socket moves before others have their turn.
const TURNS: usize = 64;

/// Datagrams that the program's end shows of one that is connected: they all have the same source.
const SHOWN: usize = 32;

/// A datagram, with all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: Origin,
}

/// Where a datagram came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

/// What stands in the program's end.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Datagram(Origin),
    /// Nothing but an empty message, so that the program asks, and is told of an error.
    Error(Errno),
}

/// Whether a datagram stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Away,
    Peek,
}

/// A datagram on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Vec<u8>,
    pub(crate) to: Option<SocketAddr>,
    pub(crate) with: Ancillary,
}

/// A datagram or echo socket.
#[derive(Debug, Default)]
pub(crate) struct Datagram {
    pub(crate) receives: VecDeque<Parked<Receive>>,
    pub(crate) sends: VecDeque<Parked<Outgoing>>,
    shown: VecDeque<Shown>,
    /// Datagrams that were taken and not delivered.
    returned: VecDeque<Message>,
    /// The program's own, not sent yet.
    held: Option<Vec<u8>>,
    pub(crate) is_connected: bool,
    /// Whether the program asks where datagrams come from: then an error can be told by letting it ask.
    pub(crate) asks: bool,
    pub(crate) wishes: Wishes,
    is_writing_ended: bool,
    is_reading_ended: bool,
}

impl Datagram {
    pub(super) fn advance(&mut self, front: &mut Front, tools: &mut Tools) -> Progress {
        for _ in 0..TURNS {
            // Not before its turn: what the program has closed before it sent this must be closed by then.
            let is_in_turn = front.has_news || self.held.is_some();
            if !is_in_turn || !self.there(front, tools) {
                // What is held back may have more behind it, of which nobody tells again.
                front.has_news &= self.held.is_some();
                if front.is_hung_up {
                    return Progress::Over;
                }
                self.answer_sends(front, tools);
                answer_parked(self, front, tools);
                self.show(front, tools);
                return Progress::Waiting;
            }
        }
        Progress::More
    }

    pub(super) fn expire(&mut self, tools: &Tools, now: Instant) {
        answer_due(&mut self.receives, tools, now, Errno::AGAIN);
        answer_due(&mut self.sends, tools, now, Errno::AGAIN);
    }

    /// Sends one datagram that the program has written without saying where to. Whether there was one.
    pub(crate) fn there(&mut self, front: &mut Front, tools: &mut Tools) -> bool {
        let Some(near) = &front.near else { return false };
        let bytes = match self.held.take() {
            Some(held) => held,
            None => {
                let buffer = tools.buffer.as_mut_slice();
                match recv(near, &mut *buffer, RecvFlags::DONTWAIT) {
                    // Nothing at all is an empty datagram, or the end.
                    Ok((0, _)) if front.is_hung_up || self.is_writing_ended => return false,
                    Ok((length, _)) => buffer.get(..length).unwrap_or_default().to_vec(),
                    Err(_) => return false,
                }
            }
        };
        let outgoing = Outgoing { bytes, to: None, with: Ancillary::default() };
        match self.submit(front, &outgoing) {
            Poll::Pending => {
                self.held = Some(outgoing.bytes);
                false
            }
            Poll::Ready(outcome) => {
                if let Err(error) = outcome {
                    front.error = Some(error);
                }
                true
            }
        }
    }

    /// Hands a datagram to the stack.
    pub(crate) fn submit(&mut self, front: &Front, outgoing: &Outgoing) -> Poll<Result<usize, Errno>> {
        let Outgoing { bytes, to, with } = outgoing;
        let (mut data, mut with) = (bytes.as_slice(), *with);
        if front.kind == Kind::Ping {
            (with.sequence, data) = match echo::parse_request(bytes, front.family) {
                Ok(request) => request,
                Err(error) => return Poll::Ready(Err(error)),
            };
        }
        let mut context = Front::context(&front.waker);
        let sent = front.ours.poll_send(&mut context, data, *to, &with);
        sent.map_ok(|_| bytes.len()).map_err(|error| errno(&error))
    }

    fn answer_sends(&mut self, front: &mut Front, tools: &mut Tools) {
        while let Some(waiting) = self.sends.pop_front() {
            match self.submit(front, &waiting.call) {
                Poll::Pending => {
                    self.sends.push_front(waiting);
                    return;
                }
                Poll::Ready(outcome) => {
                    let _ = tools.listener.answer(waiting.id, outcome.map(|sent| sent as i64));
                }
            }
        }
    }

    /// The next datagram from the stack.
    pub(crate) fn next(&mut self, front: &Front, tools: &mut Tools) -> Poll<Result<Message, Errno>> {
        if let Some(message) = self.returned.pop_front() {
            return Poll::Ready(Ok(message));
        }
        let mut context = Front::context(&front.waker);
        let received = front.ours.poll_receive(&mut context, &mut tools.buffer);
        received.map_ok(|received| message(front, received, &tools.buffer)).map_err(|error| errno(&error))
    }

    /// Lets the program's end show what comes next.
    pub(crate) fn show(&mut self, front: &mut Front, tools: &mut Tools) {
        if self.is_reading_ended {
            return;
        }
        if let Some(near) = &front.near
            && unread_there(near) == 0
        {
            self.shown.clear();
        }
        let most = if self.is_connected { SHOWN } else { 1 };
        while self.shown.len() < most && front.near.is_some() {
            let Poll::Ready(next) = self.next(front, tools) else { return };
            let (bytes, shown) = match next {
                Ok(message) => (message.bytes, Shown::Datagram(message.origin)),
                Err(error) => {
                    front.error = Some(error);
                    if !self.asks {
                        // A plain `recv` can be told by breaking the pair only; the next call mends it.
                        if self.is_connected {
                            front.sever(tools);
                        }
                        continue;
                    }
                    (Vec::new(), Shown::Error(error))
                }
            };
            let Some(near) = &front.near else { return };
            if send(near, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_err() {
                if let Shown::Datagram(origin) = shown {
                    self.returned.push_front(Message { bytes, origin });
                }
                return;
            }
            self.shown.push_back(shown);
        }
    }

    /// The datagram that comes next, as the program asks for it.
    pub(crate) fn take(
        &mut self,
        front: &mut Front,
        far: &Descriptor,
        tools: &mut Tools,
        take: Take,
    ) -> Poll<Result<Message, Errno>> {
        self.asks = true;
        if let Some(shown) = self.shown.front().copied() {
            let mut flags = RecvFlags::DONTWAIT;
            if take == Take::Peek && matches!(shown, Shown::Datagram(_)) {
                flags |= RecvFlags::PEEK;
            }
            match recv(far, tools.buffer.as_mut_slice(), flags) {
                Ok((length, _)) => {
                    if !flags.contains(RecvFlags::PEEK) {
                        self.shown.pop_front();
                    }
                    return Poll::Ready(match shown {
                        Shown::Datagram(origin) => {
                            let bytes = tools.buffer.get(..length).unwrap_or_default().to_vec();
                            Ok(Message { bytes, origin })
                        }
                        Shown::Error(error) => {
                            front.error = None;
                            Err(error)
                        }
                    });
                }
                // Somebody has taken it by a plain `recv`.
                Err(_) => self.shown.clear(),
            }
        }
        if let Some(error) = front.error.take() {
            return Poll::Ready(Err(error));
        }
        let next = self.next(front, tools);
        if let (Poll::Ready(Ok(message)), Take::Peek) = (&next, take) {
            self.returned.push_front(message.clone());
        }
        next
    }

    /// A datagram that was taken, and whose receiver has gone: it is the next one again.
    pub(crate) fn put_back(&mut self, message: Message) {
        self.returned.push_front(message);
    }

    pub(crate) fn is_reading_ended(&self) -> bool {
        self.is_reading_ended
    }

    pub(crate) fn end_writing(&mut self, far: &Descriptor) {
        self.is_writing_ended = true;
        let _ = shutdown(far, rustix::net::Shutdown::Write);
    }

    pub(crate) fn end_reading(&mut self, front: &Front) {
        self.is_reading_ended = true;
        if let Some(near) = &front.near {
            let _ = shutdown(near, rustix::net::Shutdown::Write);
        }
    }
}

/// What the stack has received, as the program sees it.
fn message(front: &Front, received: Received, buffer: &[u8]) -> Message {
    let data = buffer.get(..received.copied).unwrap_or_default();
    let bytes = match front.kind {
        Kind::Ping => {
            let identifier = front.ours.local_addr().map_or(0, |address| address.port());
            echo::reply(front.family, identifier, received.sequence, data)
        }
        _ => data.to_vec(),
    };
    let Received { source, destination, hop_limit, traffic_class, .. } = received;
    Message { bytes, origin: Origin { source, destination, hop_limit, traffic_class } }
}
