//! `sendto`, `sendmsg`, `sendmmsg`. (`write` and `send` are the kernel's own.)

use super::message::{Header, SIZE_OF_MANY};
use super::name::read_address;
use super::{Answer, Call, Outcome, ancillary, open};
use crate::address::Given;
use crate::entry::{Body, Mode, Outgoing, Parked, Write};
use crate::task::Memory;
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{SendFlags as SocketSendFlags, send as socket_send};
use sockeye::{Ancillary, Family, SendFlags};
use std::net::SocketAddr;
use std::task::Poll;

/// More than any datagram has.
const MOST: usize = 65_535;

/// The largest piece of a stream that one call takes; the program's next call has the rest.
const MOST_OF_STREAM: usize = 1 << 20;

pub(super) fn sendto(call: &mut Call<'_>) -> Outcome {
    let flags = call.int(3);
    match &mut call.entry.body {
        Body::Stream(_) if flags & libc::MSG_FASTOPEN == 0 => return send_on_stream(call, flags),
        Body::Stream(_) => {
            let to = match call.argument(4) {
                0 => return Err(Errno::INVAL),
                at => destination(call.memory, at, call.argument(5), call.entry.front.family)?,
            };
            let bytes = stream_bytes(call)?;
            return open::connect_with_data(call, to, bytes, call.mode(flags));
        }
        Body::Listening(_) => return Err(Errno::PIPE),
        Body::Datagram(_) => {}
    }
    let length = usize::try_from(call.argument(2)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(Errno::MSGSIZE);
    }
    let to = match call.argument(4) {
        0 => None,
        at => destination(call.memory, at, call.argument(5), call.entry.front.family)?,
    };
    let mut bytes = vec![0; length];
    call.memory.read_exact(call.argument(1), &mut bytes)?;
    send(call, Outgoing { bytes, to, with: Ancillary::default() }, flags)
}

fn destination(memory: Memory, at: u64, length: u64, family: Family) -> Result<Option<SocketAddr>, Errno> {
    match read_address(memory, at, length, family)? {
        Given::Address(address) => Ok(Some(address)),
        Given::Unspecified => Ok(None),
    }
}

/// Hands a datagram to the stack, behind those that the program has written before.
fn submit(call: &mut Call<'_>, outgoing: &Outgoing, flags: i32) -> Result<Poll<usize>, Errno> {
    let front = &mut call.entry.front;
    let Body::Datagram(datagram) = &mut call.entry.body else { return Err(Errno::OPNOTSUPP) };
    if flags & libc::MSG_OOB != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    while datagram.there(front, call.tools) {}
    if let Some(error) = front.error.take() {
        return Err(error);
    }
    match datagram.submit(front, outgoing) {
        Poll::Pending => Ok(Poll::Pending),
        Poll::Ready(sent) => sent.map(Poll::Ready),
    }
}

/// Sends a datagram, or lets the call wait for room.
fn send(call: &mut Call<'_>, outgoing: Outgoing, flags: i32) -> Outcome {
    if let Poll::Ready(sent) = submit(call, &outgoing, flags)? {
        return Ok(Answer::Value(sent as i64));
    }
    if call.mode(flags) == Mode::Nonblocking {
        return Err(Errno::AGAIN);
    }
    let (id, memory, deadline) = (call.id(), call.memory, call.deadline(Timeout::Send));
    if let Body::Datagram(datagram) = &mut call.entry.body {
        datagram.sends.push_back(Parked { id, memory, deadline, call: outgoing });
    }
    Ok(Answer::Later)
}

/// The message at `header`.
fn message(call: &Call<'_>, header: u64) -> Result<Outgoing, Errno> {
    let header = Header::read(call.memory, header)?;
    let to = match header.name {
        0 => None,
        at => destination(call.memory, at, header.name_length.into(), call.entry.front.family)?,
    };
    let with = ancillary::read(call.memory, &header, &call.entry.front, to)?;
    Ok(Outgoing { bytes: header.gather(call.memory, MOST)?, to, with })
}

pub(super) fn sendmsg(call: &mut Call<'_>) -> Outcome {
    let flags = call.int(2);
    match &call.entry.body {
        Body::Stream(_) => return Ok(Answer::Native),
        Body::Listening(_) => return Err(Errno::PIPE),
        Body::Datagram(_) => {}
    }
    let outgoing = message(call, call.argument(1))?;
    send(call, outgoing, flags)
}

pub(super) fn sendmmsg(call: &mut Call<'_>) -> Outcome {
    let (headers, count, flags) = (call.argument(1), call.argument(2) as u32, call.int(3));
    match &call.entry.body {
        Body::Stream(_) => return Ok(Answer::Native),
        Body::Listening(_) => return Err(Errno::PIPE),
        Body::Datagram(_) => {}
    }
    let mut sent = 0;
    while sent < count.min(1024) {
        let at = headers + u64::from(sent) * SIZE_OF_MANY;
        let outcome = message(call, at).and_then(|outgoing| submit(call, &outgoing, flags));
        match outcome {
            Ok(Poll::Ready(length)) => {
                Header::read(call.memory, at)?.write_length(call.memory, length)?;
                sent += 1;
            }
            // What comes after the first is the next call's.
            Ok(Poll::Pending) | Err(_) if sent > 0 => break,
            Ok(Poll::Pending) => return Err(Errno::AGAIN),
            Err(error) => return Err(error),
        }
    }
    Ok(Answer::Value(sent.into()))
}

/// The bytes that `sendto` gives to a stream.
fn stream_bytes(call: &Call<'_>) -> Result<Vec<u8>, Errno> {
    let length = usize::try_from(call.argument(2)).unwrap_or(usize::MAX).min(MOST_OF_STREAM);
    let mut bytes = vec![0; length];
    call.memory.read_exact(call.argument(1), &mut bytes)?;
    Ok(bytes)
}

/// Bytes for a stream, behind what the program has written before: those the last of which is urgent, and those with an
/// address, which a connection does not need and Linux does not look at.
fn send_on_stream(call: &mut Call<'_>, flags: i32) -> Outcome {
    let bytes = stream_bytes(call)?;
    let mode = call.mode(flags);
    let mut written = 0;
    if flags & libc::MSG_OOB == 0 {
        // As the program itself would write: `poll` tells it of this buffer, and of no other.
        match socket_send(&call.far, &bytes, SocketSendFlags::DONTWAIT | SocketSendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() || mode == Mode::Nonblocking => {
                return Ok(Answer::Value(sent as i64));
            }
            Ok(sent) => written = sent,
            Err(Errno::AGAIN) if mode == Mode::Nonblocking => return Err(Errno::AGAIN),
            // It has to wait, or the connection says what is wrong.
            Err(_) => {}
        }
    }
    let flags = if flags & libc::MSG_OOB != 0 { SendFlags::OUT_OF_BAND } else { SendFlags::NONE };
    let front = &mut call.entry.front;
    let Body::Stream(stream) = &mut call.entry.body else { return Err(Errno::OPNOTSUPP) };
    let mut write = Write { bytes, written, flags };
    let outcome = match stream.write(front, call.tools, &mut write) {
        Err(_) if write.written > 0 => Poll::Ready(write.written),
        outcome => outcome?,
    };
    match outcome {
        Poll::Ready(sent) => return Ok(Answer::Value(sent as i64)),
        Poll::Pending if mode == Mode::Nonblocking && write.written > 0 => {
            return Ok(Answer::Value(write.written as i64));
        }
        Poll::Pending if mode == Mode::Nonblocking => return Err(Errno::AGAIN),
        Poll::Pending => {}
    }
    let (id, memory, deadline) = (call.id(), call.memory, call.deadline(Timeout::Send));
    if let Body::Stream(stream) = &mut call.entry.body {
        stream.writes.push_back(Parked { id, memory, deadline, call: write });
    }
    Ok(Answer::Later)
}
