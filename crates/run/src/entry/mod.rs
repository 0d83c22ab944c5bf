//! One socket of the program: a socket of ours behind, a kernel descriptor in front, and a pump between them.
//!
//! The program holds one end of a Unix socket pair, we hold the other. Reading, writing, polling and handing down to children
//! are the kernel's own. When the last descriptor of the program's end is closed, our end hangs up: that is how we learn of
//! `close`, of `exit` and of `kill -9` alike.

mod datagram;
mod listening;
mod stream;

use crate::sys::notification::{Delivery, Inheritance};
use crate::table::Keyed;
use crate::task::{Descriptor, Memory};
use crate::tools::Tools;
use rustix::io::{Errno, ioctl_fionbio, ioctl_fionread};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socket_with};
use sockeye::{AnySocket, Family, Kind, OptionName, SocketOption};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Waker};
use std::time::Instant;

pub(crate) use datagram::{Datagram, Message, Outgoing, Take};
pub(crate) use listening::{AcceptCall, Listening};
pub(crate) use stream::{Stream, Write};

/// What each direction of a pair holds where nobody asks for less (`net.core.wmem_default`).
const PAIR_BUFFER: usize = 212_992;

/// The least that it is made to hold, half of it in fact.
const LEAST_PAIR_BUFFER: usize = 16 << 10;

/// What a pump has left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing, until something happens.
    Waiting,
    /// More, after others have had their turn.
    More,
    /// The program has closed the socket, and all it has written is ours.
    Over,
}

/// A call that waits for something to happen at its socket.
#[derive(Debug)]
pub(crate) struct Parked<T> {
    pub(crate) id: u64,
    pub(crate) memory: Memory,
    /// When it is answered anyway: `SO_RCVTIMEO`, `SO_SNDTIMEO`.
    pub(crate) deadline: Option<Instant>,
    pub(crate) call: T,
}

impl<T> Parked<T> {
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// A socket of the program.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) front: Front,
    pub(crate) body: Body,
}

/// What all sockets have.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) key: u64,
    /// The program's end of the pair.
    pub(crate) inode: u64,
    pub(crate) family: Family,
    pub(crate) kind: Kind,
    pub(crate) ours: AnySocket,
    /// Our end of the pair; none before a stream socket connects or listens, and none once the pair is broken.
    pub(crate) near: Option<OwnedFd>,
    /// Whether the connection has failed, and the program's end with it.
    pub(crate) is_broken: bool,
    pub(crate) waker: Waker,
    /// Where the program's end was last seen: a thread and its number there.
    pub(crate) seen: (u32, u32),
    /// What `SO_ERROR` will say.
    pub(crate) error: Option<Errno>,
    /// Options that change nothing here, as they were set.
    pub(crate) kept: HashMap<(i32, i32), i32>,
    /// Whether our end has been seen readable, and not empty since.
    pub(crate) has_news: bool,
    /// Whether our end has been seen hung up.
    pub(crate) is_hung_up: bool,
}

/// What kind of socket it is, and how far it got.
#[derive(Debug)]
pub(crate) enum Body {
    Stream(Stream),
    Listening(Listening),
    Datagram(Datagram),
}

/// A new entry, and the program's end of its pair.
pub(crate) struct Opened {
    pub(crate) entry: Entry,
    pub(crate) far: OwnedFd,
}

/// Whether calls on a descriptor wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Blocking,
    Nonblocking,
}

impl Opened {
    /// A pair for `ours`; but a stream socket without connection has no other end yet.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` when we have no descriptors left.
    pub(crate) fn new(
        tools: &mut Tools,
        ours: AnySocket,
        (family, kind): (Family, Kind),
        (body, mode): (Body, Mode),
    ) -> Result<Opened, Errno> {
        let key = tools.next_key();
        let (near, far) = if matches!(&body, Body::Stream(stream) if stream.is_fresh()) {
            (None, socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
        } else {
            let (near, far) = match kind {
                Kind::Stream => tools.stream_pair(key)?,
                _ => tools.datagram_pair(key)?,
            };
            (Some(near), far)
        };
        if mode == Mode::Nonblocking {
            ioctl_fionbio(&far, true)?;
        }
        let front = Front {
            key,
            inode: rustix::fs::fstat(&far)?.st_ino,
            family,
            kind,
            ours,
            near,
            is_broken: false,
            waker: tools.doorbell.waker(key),
            seen: (0, 0),
            error: None,
            kept: HashMap::new(),
            has_news: false,
            is_hung_up: false,
        };
        Ok(Opened { entry: Entry { front, body }, far })
    }

    /// Gives the program its end, as the answer to the call `id` of `thread`.
    ///
    /// # Errors
    /// `EMFILE` when the program may have no more descriptors.
    pub(crate) fn give(
        &mut self,
        tools: &Tools,
        id: u64,
        thread: u32,
        inheritance: Inheritance,
    ) -> Result<Delivery, Errno> {
        let given = tools.listener.answer_with_file(id, self.far.as_fd(), inheritance)?;
        let Some(number) = given else { return Ok(Delivery::Gone) };
        self.entry.front.seen = (thread, number);
        Ok(Delivery::Done)
    }
}

impl Front {
    /// The context in which ours is polled: whatever it becomes ready for, the pump has its turn.
    pub(crate) fn context(waker: &Waker) -> Context<'_> {
        Context::from_waker(waker)
    }

    /// Breaks the program's end: whatever it still does there fails with `ECONNRESET`, and polls see an error. (The kernel
    /// says so of a Unix socket whose other end was closed with something unread.)
    pub(crate) fn sever(&mut self, tools: &mut Tools) {
        let Some(near) = self.near.take() else { return };
        self.is_broken = true;
        if ioctl_fionread(&near).is_ok_and(|unread| unread == 0)
            && let Some(far) = tools.find(self.seen, self.inode)
        {
            let _ = send(&far, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }

    /// Makes sure that there is a pair.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` when we have no descriptors left.
    pub(crate) fn pair(&mut self, far: &Descriptor, tools: &Tools) -> Result<(), Errno> {
        if self.near.is_none() && !self.is_broken {
            self.near = Some(tools.pair(far, self.key)?);
            self.fit_pair(far);
        }
        Ok(())
    }

    /// Lets the pair hold no more than the program wants to have on its way: who asks for small buffers wants to be held
    /// back early.
    pub(crate) fn fit_pair(&self, far: impl AsFd) {
        let fit = |end: BorrowedFd<'_>, name| {
            let asked = match self.ours.option(name) {
                Ok(SocketOption::SendBuffer(bytes) | SocketOption::ReceiveBuffer(bytes)) => bytes,
                _ => return,
            };
            if asked < PAIR_BUFFER {
                // The kernel doubles it. A pair that holds less than the connection's own buffer would hand it the program's
                // bytes in pieces smaller than those of the program, and Nagle's algorithm would wait between them.
                let _ = set_socket_send_buffer_size(end, asked.max(LEAST_PAIR_BUFFER));
            }
        };
        fit(far.as_fd(), OptionName::SendBuffer);
        if let Some(near) = &self.near {
            fit(near.as_fd(), OptionName::ReceiveBuffer);
        }
    }

    /// Whether nothing tells us when the program closes its end.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.near.is_none()
    }

    /// Whether the program still has its end.
    pub(crate) fn is_held(&self, tools: &mut Tools) -> bool {
        self.near.as_ref().is_some_and(|near| tools.is_held(near, self.seen, self.inode))
    }
}

impl Keyed for Entry {
    fn key(&self) -> u64 {
        self.front.key
    }

    fn inode(&self) -> u64 {
        self.front.inode
    }
}

impl Entry {
    /// Moves what can be moved now, and answers whoever can be answered.
    pub(crate) fn advance(&mut self, tools: &mut Tools) -> Progress {
        match &mut self.body {
            Body::Stream(stream) => stream.advance(&mut self.front, tools),
            Body::Listening(listening) => listening.advance(&mut self.front, tools),
            Body::Datagram(datagram) => datagram.advance(&mut self.front, tools),
        }
    }

    /// Sockets that `accept` has made, for the table.
    pub(crate) fn take_accepted(&mut self) -> Vec<Entry> {
        match &mut self.body {
            Body::Listening(listening) => std::mem::take(&mut listening.accepted),
            _ => Vec::new(),
        }
    }

    /// Answers the calls whose time is over.
    pub(crate) fn expire(&mut self, tools: &Tools, now: Instant) {
        match &mut self.body {
            Body::Stream(stream) => stream.expire(tools, now),
            Body::Listening(listening) => listening.expire(tools, now),
            Body::Datagram(datagram) => datagram.expire(tools, now),
        }
    }
}

/// The number of an error of the stack.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Answers the parked calls that are due with `late`.
pub(crate) fn answer_due<T>(parked: &mut VecDeque<Parked<T>>, tools: &Tools, now: Instant, late: Errno) {
    parked.retain(|waiting| {
        let is_due = waiting.is_due(now);
        if is_due {
            let _: Delivery = tools.listener.answer(waiting.id, Err(late));
        }
        !is_due
    });
}
