//! `setsockopt` and `getsockopt` of netlink sockets.

use super::Socket;
use super::call::Call;
use crate::call::{Answer, Outcome};
use rustix::io::Errno;
use std::collections::BTreeSet;

/// Groups that there are (`RTNLGRP_MAX`).
const GROUPS: u32 = 37;

/// Options that are on or off. `NETLINK_EXT_ACK` lets the kernel say more about errors, which ours do not need;
/// `NETLINK_BROADCAST_ERROR` and `NETLINK_NO_ENOBUFS` concern announcements, of which there are none.
const SWITCHES: &[i32] = &[
    libc::NETLINK_PKTINFO,
    libc::NETLINK_BROADCAST_ERROR,
    libc::NETLINK_NO_ENOBUFS,
    libc::NETLINK_CAP_ACK,
    libc::NETLINK_EXT_ACK,
    libc::NETLINK_GET_STRICT_CHK,
];

/// What a program has set.
#[derive(Debug, Default)]
pub(super) struct Options {
    on: BTreeSet<i32>,
    groups: BTreeSet<u32>,
    /// `SO_PASSCRED`: it wants to be told who has sent a message.
    pub(super) wants_credentials: bool,
}

impl Options {
    pub(super) fn is_on(&self, number: i32) -> bool {
        self.on.contains(&number)
    }

    /// The first 32 groups that it has joined, as `struct sockaddr_nl` has them.
    pub(super) fn groups(&self) -> u32 {
        self.groups.iter().filter(|group| **group <= 32).fold(0, |bits, group| bits | 1 << (group - 1))
    }

    /// Joins these of the first 32 groups, and leaves the others of them.
    pub(super) fn set_groups(&mut self, bits: u32) {
        self.groups.retain(|group| *group > 32);
        self.groups.extend((1..=32).filter(|group| bits & 1 << (group - 1) != 0));
    }

    /// All groups, as `NETLINK_LIST_MEMBERSHIPS` gives them.
    fn memberships(&self) -> Vec<u8> {
        let bits = self.groups.iter().fold(0u64, |bits, group| bits | 1 << (group - 1));
        bits.to_le_bytes().to_vec()
    }
}

pub(super) fn set(socket: &mut Socket, call: &Call<'_>) -> Outcome {
    let (level, number) = (call.int(1), call.int(2));
    let value = || {
        let length = call.argument(4) as i32;
        if length < 4 { Err(Errno::INVAL) } else { call.memory.read_u32(call.argument(3)) }
    };
    match (level, number) {
        (libc::SOL_SOCKET, libc::SO_PASSCRED) => socket.options.wants_credentials = value()? != 0,
        // Buffers, timeouts, filters: those of the program's end do.
        (libc::SOL_SOCKET, _) => return Ok(Answer::Native),
        (libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP | libc::NETLINK_DROP_MEMBERSHIP) => {
            let group = value()?;
            if !(1..=GROUPS).contains(&group) {
                return Err(Errno::INVAL);
            }
            if number == libc::NETLINK_ADD_MEMBERSHIP {
                socket.options.groups.insert(group);
            } else {
                socket.options.groups.remove(&group);
            }
        }
        // Those of other namespaces are for the privileged.
        (libc::SOL_NETLINK, libc::NETLINK_LISTEN_ALL_NSID) => return Err(Errno::PERM),
        (libc::SOL_NETLINK, _) if SWITCHES.contains(&number) => {
            if value()? != 0 {
                socket.options.on.insert(number);
            } else {
                socket.options.on.remove(&number);
            }
        }
        _ => return Err(Errno::NOPROTOOPT),
    }
    Ok(Answer::Value(0))
}

pub(super) fn get(socket: &mut Socket, call: &Call<'_>) -> Outcome {
    let (level, number) = (call.int(1), call.int(2));
    let (at, length_at) = (call.argument(3), call.argument(4));
    let value = match (level, number) {
        (libc::SOL_SOCKET, libc::SO_TYPE) => socket.socket_type,
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => libc::AF_NETLINK,
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => socket.protocol.number(),
        (libc::SOL_SOCKET, libc::SO_ERROR) => socket.error.take().map_or(0, Errno::raw_os_error),
        (libc::SOL_SOCKET, libc::SO_PASSCRED) => socket.options.wants_credentials.into(),
        (libc::SOL_SOCKET, _) => return Ok(Answer::Native),
        (libc::SOL_NETLINK, libc::NETLINK_LIST_MEMBERSHIPS) => {
            call.memory.write_counted(at, length_at, &socket.options.memberships())?;
            return Ok(Answer::Value(0));
        }
        (libc::SOL_NETLINK, _) if SWITCHES.contains(&number) => socket.options.is_on(number).into(),
        _ => return Err(Errno::NOPROTOOPT),
    };
    let room = call.memory.read_u32(length_at)? as i32;
    let room = usize::try_from(room).map_err(|_| Errno::INVAL)?.min(4);
    call.memory.write_cut(at, room, &value.to_ne_bytes())?;
    call.memory.write_all(length_at, &(room as u32).to_ne_bytes())?;
    Ok(Answer::Value(0))
}
