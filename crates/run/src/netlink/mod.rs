//! Netlink sockets, by which programs ask about the machine that they run on, and are told of the host: its interfaces, addresses,
//! routes and neighbours (`NETLINK_ROUTE`, RFC 3549), and its sockets (`NETLINK_SOCK_DIAG`, `sock_diag(7)`). `if_nameindex`,
//! `getifaddrs`, `ip`, `ss` and Go's `net.Interfaces` ask this way. Other protocols are the kernel's.
//!
//! ```text
//! message      bytes <-> messages and their attributes     answer    requests -> answers, errors, ends of lists
//! routing      link, address, route, neighbor, rule        call, option    the system calls
//! diagnosis    sockets
//! ```
//!
//! As elsewhere the program has one end of a pair. What it writes comes to [`Socket::advance`], what it sends by calls with
//! addresses to [`call`]; the answers go into its end. Whoever joins a multicast group waits in vain: nothing is ever
//! announced, because nothing but neighbours changes while a program runs.
//!
//! What programs read in `/proc/net` and `/sys/class/net` is still the real machine's.

mod address;
mod answer;
pub(crate) mod call;
mod diagnosis;
mod link;
mod message;
mod neighbor;
mod option;
mod route;
mod routing;
mod rule;

use crate::entry::{Mode, Parked, Progress, answer_due};
use crate::interface::View;
use crate::table::Keyed;
use crate::tools::{NEAR, Tools};
use answer::{Asker, Protocol};
use call::Receive;
use option::Options;
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Messages of the program that one socket takes before others have their turn.
const TURNS: usize = 16;

/// While more bytes of answers wait outside the pair, requests are lost, and the program is told so (`ENOBUFS`). One answer may be
/// longer: a list has an entry for each of the host's sockets.
const MOST_WAITING: usize = 1 << 20;

/// A netlink socket of the program.
#[derive(Debug)]
pub(crate) struct Socket {
    key: u64,
    /// The program's end of the pair.
    inode: u64,
    protocol: Protocol,
    /// `SOCK_RAW` or `SOCK_DGRAM`, which are the same here.
    socket_type: i32,
    near: OwnedFd,
    /// The number it is to have, and whether it has it already: from `bind`, or from the first message on.
    port: u32,
    is_bound: bool,
    options: Options,
    /// Answers for which there is no room in the pair yet.
    waiting: VecDeque<Vec<u8>>,
    error: Option<Errno>,
    receives: VecDeque<Parked<Receive>>,
    pub(crate) is_hung_up: bool,
}

impl Keyed for Socket {
    fn key(&self) -> u64 {
        self.key
    }

    fn inode(&self) -> u64 {
        self.inode
    }
}

impl Socket {
    /// A socket, and the program's end of its pair.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` when we have no descriptors left.
    fn open(
        tools: &mut Tools,
        (protocol, socket_type): (Protocol, i32),
        mode: Mode,
        port: u32,
    ) -> Result<(Socket, OwnedFd), Errno> {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        ioctl_fionbio(&near, true)?;
        if mode == Mode::Nonblocking {
            ioctl_fionbio(&far, true)?;
        }
        let key = tools.next_key();
        tools.watch(&near, key, NEAR)?;
        let socket = Socket {
            key,
            inode: rustix::fs::fstat(&far)?.st_ino,
            protocol,
            socket_type,
            near,
            port,
            is_bound: false,
            options: Options::default(),
            waiting: VecDeque::new(),
            error: None,
            receives: VecDeque::new(),
            is_hung_up: false,
        };
        Ok((socket, far))
    }

    /// Answers what the program has written, and the calls that wait for answers.
    pub(crate) fn advance(&mut self, tools: &mut Tools) -> Progress {
        let progress = self.catch_up(tools);
        self.answer_receives(tools);
        self.flush();
        match progress {
            Progress::Waiting if self.is_hung_up => Progress::Over,
            other => other,
        }
    }

    /// Answers messages that the program has written without an address, as many as one turn has.
    fn catch_up(&mut self, tools: &mut Tools) -> Progress {
        let is_done = (0..TURNS).any(|_| !self.take(tools));
        if is_done { Progress::Waiting } else { Progress::More }
    }

    /// Answers one such message. Whether there was one.
    fn take(&mut self, tools: &mut Tools) -> bool {
        match recv(&self.near, tools.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            // Nothing at all is an empty message, or the end.
            Ok((0, _)) if self.is_hung_up => false,
            Ok((length, _)) => {
                let bytes = tools.buffer.get(..length).unwrap_or_default().to_vec();
                self.submit(&bytes, tools);
                true
            }
            Err(_) => false,
        }
    }

    /// Answers what the program has sent.
    fn submit(&mut self, bytes: &[u8], tools: &Tools) {
        self.is_bound = true;
        let asker = Asker {
            port: self.port,
            is_strict: self.options.is_on(libc::NETLINK_GET_STRICT_CHK),
            protocol: self.protocol,
            is_brief: self.options.is_on(libc::NETLINK_CAP_ACK),
        };
        let mut held: usize = self.waiting.iter().map(Vec::len).sum();
        let is_answered = held <= MOST_WAITING
            && answer::answer(bytes, asker, &View::of(&tools.host), |piece| {
                held += piece.len();
                self.waiting.push_back(piece);
                held <= MOST_WAITING
            });
        if !is_answered {
            self.error = Some(Errno::NOBUFS);
        }
    }

    /// Puts answers into the program's end.
    fn flush(&mut self) {
        while let Some(piece) = self.waiting.front() {
            if send(&self.near, piece, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Answers the calls that have waited, as far as there is something for them.
    fn answer_receives(&mut self, tools: &Tools) {
        while let (Some(parked), Some(piece)) = (self.receives.front(), self.waiting.front()) {
            if tools.listener.is_waiting(parked.id) {
                let outcome = call::deliver(parked.memory, &self.options, piece, parked.call);
                let is_told = call::tell(tools, parked.id, outcome);
                if is_told && !parked.call.is_peek() {
                    self.waiting.pop_front();
                }
            }
            self.receives.pop_front();
        }
    }

    /// Answers the calls whose time is over.
    pub(crate) fn expire(&mut self, tools: &Tools, now: Instant) {
        answer_due(&mut self.receives, tools, now, Errno::AGAIN);
    }
}

#[cfg(test)]
mod tests;
