//! `ioctl` on a socket.

use super::{Answer, Call, Outcome};
use crate::entry::Body;
use rustix::io::Errno;

/// `SIOCATMARK`.
const AT_MARK: u32 = 0x8905;

pub(super) fn ioctl(call: &mut Call<'_>) -> Outcome {
    let request = call.argument(1) as u32;
    let value = match request {
        // The mark stands in the program's end.
        AT_MARK => return Ok(Answer::Native),
        _ if libc::c_ulong::from(request) == libc::TIOCOUTQ as libc::c_ulong => {
            i32::try_from(unsent(call)).unwrap_or(i32::MAX)
        }
        _ => return Err(Errno::NOTTY),
    };
    call.memory.write_all(call.argument(2), &value.to_ne_bytes())?;
    Ok(Answer::Value(0))
}

/// Bytes that the program has written and the peer has not acknowledged.
fn unsent(call: &Call<'_>) -> usize {
    let front = &call.entry.front;
    let on_the_way = match &call.entry.body {
        Body::Stream(stream) => stream.unsent(front),
        _ => 0,
    };
    on_the_way + front.ours.tcp_info().map_or(0, |info| info.unsent + info.in_flight)
}
