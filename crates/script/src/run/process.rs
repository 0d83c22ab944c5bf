//! What the program under test holds: its descriptors, and the call it waits in.

use std::collections::{BTreeMap, VecDeque};

use sockeye_core::error::Error;
use sockeye_core::socket::SocketId;
use sockeye_core::time::Instant;

use super::flow::Carrier;

/// A descriptor's meaning.
#[derive(Debug)]
pub enum Object {
    /// A socket.
    Socket(SocketFile),
    /// A file of so many bytes.
    File(u64),
    /// An end of a pipe, which is told by its number.
    Pipe {
        /// Which pipe.
        pipe: usize,
        /// Whether this is the end that is read.
        is_reader: bool,
    },
    /// An epoll instance.
    Epoll(Vec<Watch>),
}

/// What a program knows of a socket besides what the stack does.
#[derive(Clone, Debug)]
pub struct SocketFile {
    /// The stack's name for it.
    pub id: SocketId,
    /// What carries its data.
    pub carrier: Carrier,
    /// `O_NONBLOCK`.
    pub nonblocking: bool,
    /// Who is at the other end of a socket just accepted.
    pub peer: Option<core::net::SocketAddr>,
    /// Bytes written so far.
    pub written: u32,
    /// Bytes read so far.
    pub read: u32,
    /// Whether what is read can be told by its place: not once bytes were thrown away with urgent ones among them.
    pub is_in_step: bool,
    /// An error that came behind the last bytes of a write, for the next call.
    pub late_error: Option<Error>,
    /// Whether `SO_ZEROCOPY` is set: `MSG_ZEROCOPY` means something then, and copying is one way to honour it.
    pub zero_copy: bool,
    /// Whether `TCP_INQ` is set: `recvmsg` says how much is left.
    pub tells_rest: bool,
}

impl SocketFile {
    /// One that has just been made.
    pub fn new(id: SocketId, carrier: Carrier, nonblocking: bool) -> Self {
        SocketFile {
            id,
            carrier,
            nonblocking,
            peer: None,
            written: 0,
            read: 0,
            is_in_step: true,
            late_error: None,
            zero_copy: false,
            tells_rest: false,
        }
    }
}

/// A socket that an epoll instance watches.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its descriptor.
    pub descriptor: i32,
    /// The stack's name for it.
    pub socket: SocketId,
    /// What is asked for, flags included.
    pub events: u32,
    /// What the program gets back with the event.
    pub data: u64,
    /// Whether something happened since it was last told (`EPOLLET`).
    pub is_fresh: bool,
    /// Whether it still tells anything (`EPOLLONESHOT`).
    pub is_armed: bool,
}

/// The program under test.
#[derive(Debug, Default)]
pub struct Process {
    /// Its descriptors, by the numbers that the script gives them.
    pub descriptors: BTreeMap<i32, Object>,
    /// The files it could open, and how many zeros each holds.
    pub files: BTreeMap<String, u64>,
    /// What its pipes hold.
    pub pipes: Vec<VecDeque<u8>>,
}

impl Process {
    /// The socket with this descriptor.
    pub fn socket(&mut self, descriptor: i32) -> Option<&mut SocketFile> {
        match self.descriptors.get_mut(&descriptor) {
            Some(Object::Socket(socket)) => Some(socket),
            _ => None,
        }
    }

    /// The sockets have moved: whoever watches them at the edge is to be told again.
    pub fn on_events(&mut self, events: &[SocketId]) {
        for object in self.descriptors.values_mut() {
            let Object::Epoll(watches) = object else { continue };
            for watch in watches.iter_mut().filter(|watch| events.contains(&watch.socket)) {
                watch.is_fresh = true;
            }
        }
    }
}

/// A call that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Ongoing {
    /// When it began.
    pub began: Instant,
    /// Bytes it has moved so far.
    pub moved: usize,
    /// Until when a `close` waits for the peer.
    pub lingers: Instant,
    /// Whether it was tried before.
    pub is_retry: bool,
    /// Whether it waits for a connection that it has begun itself.
    pub connects: bool,
}

/// What a call returned.
#[derive(Debug)]
pub enum Returned {
    /// A number.
    Value(i64),
    /// A new descriptor, whose number the script chooses.
    Descriptor(Object),
    /// `-1` with this errno.
    Error(&'static str),
}

impl From<Error> for Returned {
    fn from(error: Error) -> Returned {
        Returned::Error(error.name())
    }
}

impl<T: TryInto<i64>> From<Result<T, Error>> for Returned {
    fn from(result: Result<T, Error>) -> Returned {
        match result {
            Ok(value) => Returned::Value(value.try_into().unwrap_or(i64::MAX)),
            Err(error) => error.into(),
        }
    }
}
