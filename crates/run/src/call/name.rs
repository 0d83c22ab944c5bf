//! `bind`, `getsockname`, `getpeername`.

use super::{Answer, Call, Outcome};
use crate::address::{self, Given};
use crate::entry::{Body, errno};
use crate::task::Memory;
use rustix::io::Errno;
use sockeye::Family;
use std::net::SocketAddr;

/// The address at `at`, of `length` bytes, that a program gives to a socket of `family`.
///
/// # Errors
/// `EFAULT`, `EINVAL`, `EAFNOSUPPORT`.
pub(super) fn read_address(memory: Memory, at: u64, length: u64, family: Family) -> Result<Given, Errno> {
    let length = usize::try_from(length as i32).map_err(|_| Errno::INVAL)?;
    let mut bytes = [0; address::LONGEST];
    let bytes = bytes.get_mut(..length).ok_or(Errno::INVAL)?;
    memory.read_exact(at, bytes)?;
    address::decode(bytes, family)
}

pub(super) fn bind(call: &mut Call<'_>) -> Outcome {
    let front = &call.entry.front;
    let address = match read_address(call.memory, call.argument(1), call.argument(2), front.family)? {
        Given::Address(address) => address,
        // As Linux does for old programs that leave the family out; for IPv4 only.
        Given::Unspecified if front.family == Family::V4 => {
            let mut bytes = [0; 16];
            call.memory.read_exact(call.argument(1), &mut bytes)?;
            let [_, _, high, low, a, b, c, d, ..] = bytes;
            if [a, b, c, d] != [0; 4] {
                return Err(Errno::AFNOSUPPORT);
            }
            SocketAddr::new(Family::V4.unspecified(), u16::from_be_bytes([high, low]))
        }
        Given::Unspecified => return Err(Errno::AFNOSUPPORT),
    };
    front.ours.bind(address).map_err(|error| errno(&error))?;
    Ok(Answer::Value(0))
}

pub(super) fn local(call: &mut Call<'_>) -> Outcome {
    let front = &call.entry.front;
    let address = front.ours.local_addr().unwrap_or_else(|_| address::unspecified(front.family));
    answer(call, address)
}

pub(super) fn peer(call: &mut Call<'_>) -> Outcome {
    if matches!(call.entry.body, Body::Listening(_)) {
        return Err(Errno::NOTCONN);
    }
    let address = call.entry.front.ours.peer_addr().map_err(|error| errno(&error))?;
    answer(call, address)
}

fn answer(call: &Call<'_>, address: SocketAddr) -> Outcome {
    call.memory.write_counted(call.argument(1), call.argument(2), &address::encode(address))?;
    Ok(Answer::Value(0))
}
