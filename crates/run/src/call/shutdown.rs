//! `shutdown`.

use super::{Answer, Call, Outcome};
use crate::entry::{Body, errno};
use rustix::io::Errno;
use sockeye::Shutdown;

pub(super) fn shutdown(call: &mut Call<'_>) -> Outcome {
    let how = match call.int(1) {
        libc::SHUT_RD => Shutdown::Read,
        libc::SHUT_WR => Shutdown::Write,
        libc::SHUT_RDWR => Shutdown::Both,
        _ => return Err(Errno::INVAL),
    };
    let (reading, writing) = (how != Shutdown::Write, how != Shutdown::Read);
    let front = &mut call.entry.front;
    let of_stack = |error: std::io::Error| errno(&error);
    match &mut call.entry.body {
        Body::Listening(_) => front.ours.shutdown(how).map_err(of_stack)?,
        Body::Stream(stream) if !stream.is_established() => front.ours.shutdown(how).map_err(of_stack)?,
        Body::Stream(stream) => {
            if front.is_broken || front.ours.peer_addr().is_err() {
                return Err(Errno::NOTCONN);
            }
            if reading {
                front.ours.shutdown(Shutdown::Read).map_err(of_stack)?;
                stream.end_reading(front);
            }
            if writing {
                // The FIN follows what the program has written, which may still be on its way through the pair.
                stream.end_writing(&call.far);
            }
        }
        Body::Datagram(datagram) => {
            datagram.there(front, call.tools);
            let outcome = front.ours.shutdown(how).map_err(of_stack);
            if reading {
                datagram.end_reading(front);
            }
            if writing {
                datagram.end_writing(&call.far);
            }
            outcome?;
        }
    }
    Ok(Answer::Value(0))
}
