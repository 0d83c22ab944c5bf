//! `recvfrom`, `recvmsg`, `recvmmsg`. (`read` and `recv` are the kernel's own.)

use super::ancillary::Wishes;
use super::message::{Header, SIZE_OF_MANY};
use super::{Answer, Call, Outcome};
use crate::address;
use crate::entry::{Body, Datagram, Front, Message, Mode, Parked, Take};
use crate::sys::notification::Delivery;
use crate::task::Memory;
use crate::tools::Tools;
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use std::task::Poll;

/// What a call that receives asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receive {
    form: Form,
    flags: i32,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// `recvfrom`: a buffer, and room for an address.
    From { buffer: u64, length: u64, address: u64, address_length: u64 },
    /// `recvmsg`: a header.
    Message { header: u64 },
    /// `recvmmsg`: as many headers as may be filled.
    Messages { headers: u64, count: u32 },
}

pub(super) fn recvfrom(call: &mut Call<'_>) -> Outcome {
    let flags = call.int(3);
    let form = Form::From {
        buffer: call.argument(1),
        length: call.argument(2),
        address: call.argument(4),
        address_length: call.argument(5),
    };
    receive(call, Receive { form, flags })
}

pub(super) fn recvmsg(call: &mut Call<'_>) -> Outcome {
    let receive_call = Receive { form: Form::Message { header: call.argument(1) }, flags: call.int(2) };
    receive(call, receive_call)
}

pub(super) fn recvmmsg(call: &mut Call<'_>) -> Outcome {
    let form = Form::Messages { headers: call.argument(1), count: call.argument(2) as u32 };
    let flags = call.int(3);
    receive(call, Receive { form, flags })
}

fn receive(call: &mut Call<'_>, receive: Receive) -> Outcome {
    if receive.flags & libc::MSG_ERRQUEUE != 0 {
        // No errors are queued here: each is told by the call it concerns.
        return Err(Errno::AGAIN);
    }
    let (id, memory) = (call.id(), call.memory);
    if let Form::Message { header } | Form::Messages { headers: header, count: 1.. } = receive.form {
        // A bad header is told before anything is waited for.
        Header::read(memory, header)?.pieces(memory)?;
    }
    let front = &mut call.entry.front;
    let datagram = match &mut call.entry.body {
        Body::Listening(_) => return Err(Errno::NOTCONN),
        Body::Stream(stream) if stream.is_fresh() => return Err(Errno::NOTCONN),
        // A stream's bytes are in the pair, and come without addresses.
        Body::Stream(_) => return Ok(Answer::Native),
        Body::Datagram(_) if receive.flags & libc::MSG_OOB != 0 => return Err(Errno::OPNOTSUPP),
        Body::Datagram(datagram) => datagram,
    };
    let take = if receive.flags & libc::MSG_PEEK != 0 { Take::Peek } else { Take::Away };
    // Who came first waits already.
    let first = if datagram.receives.is_empty() {
        datagram.take(front, &call.far, call.tools, take)
    } else {
        Poll::Pending
    };
    match first {
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(message)) => {
            give(datagram, front, call.tools, (id, memory), (message, receive));
            Ok(Answer::Given)
        }
        Poll::Pending if datagram.is_reading_ended() => Ok(Answer::Value(0)),
        Poll::Pending if call.mode(receive.flags) == Mode::Nonblocking => Err(Errno::AGAIN),
        Poll::Pending => {
            let deadline = call.deadline(Timeout::Recv);
            if let Body::Datagram(datagram) = &mut call.entry.body {
                datagram.receives.push_back(Parked { id, memory, deadline, call: receive });
            }
            Ok(Answer::Later)
        }
    }
}

/// Answers the calls that have waited, as far as datagrams have come.
pub(crate) fn answer_parked(datagram: &mut Datagram, front: &mut Front, tools: &mut Tools) {
    while let Some(parked) = datagram.receives.front() {
        if !tools.listener.is_waiting(parked.id) {
            datagram.receives.pop_front();
            continue;
        }
        let next = match datagram.next(front, tools) {
            Poll::Pending if datagram.is_reading_ended() => None,
            Poll::Pending => return,
            Poll::Ready(next) => Some(next),
        };
        let Some(parked) = datagram.receives.pop_front() else { return };
        match next {
            None => {
                let _: Delivery = tools.listener.answer(parked.id, Ok(0));
            }
            Some(Err(error)) => {
                let _: Delivery = tools.listener.answer(parked.id, Err(error));
            }
            Some(Ok(message)) => {
                if parked.call.flags & libc::MSG_PEEK != 0 {
                    datagram.put_back(message.clone());
                }
                give(datagram, front, tools, (parked.id, parked.memory), (message, parked.call));
            }
        }
    }
}

/// Answers a call with a datagram; nobody there any more, and it is the next one again.
fn give(
    datagram: &mut Datagram,
    front: &Front,
    tools: &mut Tools,
    (id, memory): (u64, Memory),
    (message, receive): (Message, Receive),
) {
    let mut taken = vec![message];
    let answer = deliver(datagram, front, tools, memory, &mut taken, receive);
    let delivery = tools.listener.answer(id, answer);
    if delivery == Delivery::Gone && receive.flags & libc::MSG_PEEK == 0 {
        for message in taken.into_iter().rev() {
            datagram.put_back(message);
        }
    }
}

fn deliver(
    datagram: &mut Datagram,
    front: &Front,
    tools: &mut Tools,
    memory: Memory,
    taken: &mut Vec<Message>,
    receive: Receive,
) -> Result<i64, Errno> {
    let Some(first) = taken.first() else { return Ok(0) };
    match receive.form {
        Form::From { buffer, length, address, address_length } => {
            let room = usize::try_from(length).unwrap_or(usize::MAX);
            memory.write_cut(buffer, room, &first.bytes)?;
            if address != 0 {
                memory.write_counted(address, address_length, &address::encode(first.origin.source))?;
            }
            Ok(length_of(first, first.bytes.len().min(room), receive.flags))
        }
        Form::Message { header } => {
            let header = Header::read(memory, header)?;
            let copied = fill(&header, datagram.wishes, front, memory, first)?;
            Ok(length_of(first, copied, receive.flags))
        }
        Form::Messages { headers, count } => {
            let mut filled = 0;
            while filled < count {
                let index = filled as usize;
                if taken.len() == index {
                    match datagram.next(front, tools) {
                        Poll::Ready(Ok(message)) => taken.push(message),
                        _ => break,
                    }
                }
                let Some(message) = taken.get(index) else { break };
                let header = Header::read(memory, headers + u64::from(filled) * SIZE_OF_MANY)?;
                let copied = fill(&header, datagram.wishes, front, memory, message)?;
                header.write_length(memory, length_of(message, copied, receive.flags) as usize)?;
                filled += 1;
            }
            Ok(filled.into())
        }
    }
}

/// What the call answers: the bytes that were copied, or all there were.
fn length_of(message: &Message, copied: usize, flags: i32) -> i64 {
    let length = if flags & libc::MSG_TRUNC != 0 { message.bytes.len() } else { copied };
    length as i64
}

fn fill(
    header: &Header,
    wishes: Wishes,
    front: &Front,
    memory: Memory,
    message: &Message,
) -> Result<usize, Errno> {
    let copied = header.scatter(memory, &message.bytes)?;
    let name = address::encode(message.origin.source);
    let flags = if copied < message.bytes.len() { libc::MSG_TRUNC } else { 0 };
    let control = wishes.control(front, message, header.control());
    header.finish(memory, Some(&name), &control, flags)?;
    Ok(copied)
}
