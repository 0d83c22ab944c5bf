//! `listen`, `accept`, `accept4`.

use super::{Answer, Call, Outcome, flags_of};
use crate::entry::{AcceptCall, Body, Listening, Mode, Parked, errno};
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use std::task::Poll;

/// What a negative backlog means: as many as there may be.
const MOST: usize = 4096;

pub(super) fn listen(call: &mut Call<'_>) -> Outcome {
    let backlog = usize::try_from(call.int(1)).unwrap_or(MOST);
    if matches!(call.entry.body, Body::Datagram(_)) {
        return Err(Errno::OPNOTSUPP);
    }
    call.entry.front.pair(&call.far, call.tools)?;
    call.entry.front.ours.listen(backlog).map_err(|error| errno(&error))?;
    if matches!(call.entry.body, Body::Stream(_)) {
        call.entry.body = Body::Listening(Listening::default());
    }
    Ok(Answer::Value(0))
}

pub(super) fn accept(call: &mut Call<'_>, flags: i32) -> Outcome {
    if flags & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) != 0 {
        return Err(Errno::INVAL);
    }
    let (mode, inheritance) = flags_of(flags);
    let accept = AcceptCall { address: call.argument(1), length: call.argument(2), mode, inheritance };
    let (id, memory) = (call.id(), call.memory);
    let listening = match &mut call.entry.body {
        Body::Listening(listening) => listening,
        Body::Stream(_) => return Err(Errno::INVAL),
        Body::Datagram(_) => return Err(Errno::OPNOTSUPP),
    };
    match listening.accept(&call.entry.front, &call.far, call.tools, (id, memory), accept) {
        Poll::Ready(outcome) => outcome.map(|()| Answer::Given),
        Poll::Pending if call.mode(0) == Mode::Nonblocking => Err(Errno::AGAIN),
        Poll::Pending => {
            let deadline = call.deadline(Timeout::Recv);
            if let Body::Listening(listening) = &mut call.entry.body {
                listening.park(Parked { id, memory, deadline, call: accept });
            }
            Ok(Answer::Later)
        }
    }
}
