//! One TCP connection that is carried, inwards or outwards: a real socket, one of ours, and a buffer each way.

use crate::host::Host;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use mio::Registry;
use mio::net::TcpStream;
use sockeye_core::socket::{Kind, Shutdown, SocketOption};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Bytes that wait in each direction at most.
const BUFFER: usize = 64 << 10;

/// Turns of one connection before others have theirs.
const TURNS: usize = 16;

/// How a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits.
    Waiting,
    /// It could go on at once.
    More,
    /// Both ends are closed.
    Done,
}

/// A connection that is being carried.
pub(super) struct Relay {
    real: TcpStream,
    ours: Socket,
    waker: Waker,
    is_connecting: bool,
    there: Pipe,
    back: Pipe,
}

/// One direction: bytes between a source and a sink.
#[derive(Default)]
struct Pipe {
    /// None while empty: an idle connection holds no buffers.
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// The source has sent its FIN.
    is_ended: bool,
    /// The sink has been told.
    is_closed: bool,
}

impl Pipe {
    /// Where the next bytes go; `None` if they have to wait or none will come.
    fn room(&mut self) -> Option<&mut [u8]> {
        if self.is_ended {
            return None;
        }
        let buffer = self.buffer.get_or_insert_with(|| vec![0; BUFFER].into_boxed_slice());
        buffer.get_mut(self.end..).filter(|room| !room.is_empty())
    }

    fn filled(&mut self, bytes: usize) {
        self.end += bytes;
        self.is_ended |= bytes == 0;
    }

    /// What the sink has not taken yet.
    fn waiting(&self) -> Option<&[u8]> {
        self.buffer.as_ref()?.get(self.start..self.end).filter(|bytes| !bytes.is_empty())
    }

    fn taken(&mut self, bytes: usize) {
        self.start += bytes;
        self.rewind();
    }

    fn rewind(&mut self) {
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Lets the memory go while nothing waits.
    fn rest(&mut self) {
        if self.start >= self.end {
            self.buffer = None;
        }
    }

    /// Whether the sink is to be told that there is no more.
    fn wants_closing(&self) -> bool {
        self.is_ended && !self.is_closed && self.start >= self.end
    }
}

impl Relay {
    /// Begins to carry `real` inwards, to `target`. `waker` is for our end.
    pub(super) fn inwards(
        carrier: &Host,
        target: SocketAddr,
        real: TcpStream,
        waker: Waker,
    ) -> io::Result<Relay> {
        match Self::begin(carrier, target) {
            Ok(ours) => Ok(Relay { is_connecting: true, ..Self::between(real, ours, waker) }),
            Err(error) => {
                reset_real(&real);
                Err(error)
            }
        }
    }

    /// Carries what two connected sockets have to say to each other.
    pub(super) fn between(real: TcpStream, ours: Socket, waker: Waker) -> Relay {
        // What has been put together at one end shall not wait at the other.
        let _ = real.set_nodelay(true);
        let _ = ours.set(SocketOption::NoDelay(true));
        // Nor shall it wait for ever at one end when the other has vanished without a word.
        let _ = ours.set(SocketOption::KeepAlive(true));
        let _ = rustix::net::sockopt::set_socket_keepalive(&real, true);
        Relay { real, ours, waker, is_connecting: false, there: Pipe::default(), back: Pipe::default() }
    }

    fn begin(carrier: &Host, target: SocketAddr) -> io::Result<Socket> {
        let ours = Socket::open(carrier, target, Kind::Stream)?;
        ours.begin_connect(target)?;
        Ok(ours)
    }

    /// Carries what can be carried now. A failure of either end is passed on to the other as a reset.
    pub(super) fn advance(&mut self) -> Progress {
        match self.try_advance() {
            Ok(progress) => {
                self.there.rest();
                self.back.rest();
                progress
            }
            Err(_) => {
                self.reset();
                Progress::Done
            }
        }
    }

    /// Takes the real end out of `registry`, and closes both.
    pub(super) fn leave(mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.real);
    }

    /// Ends both ends with a reset.
    pub(super) fn reset(&self) {
        reset_real(&self.real);
        let _ = self.ours.set(SocketOption::Linger(Some(Duration::ZERO)));
    }

    /// Ends both ends because the way is closed: one that has been told all that the other had to say, its FIN too, as it would
    /// have ended; one that has not, with a reset.
    pub(super) fn cut(&self) {
        if !self.back.is_closed {
            reset_real(&self.real);
        }
        if !self.there.is_closed {
            let _ = self.ours.set(SocketOption::Linger(Some(Duration::ZERO)));
        }
    }

    fn try_advance(&mut self) -> io::Result<Progress> {
        if self.is_connecting {
            let mut context = Context::from_waker(&self.waker);
            match self.ours.poll(Interest::Write, WakerKey::Half, &mut context, |state, _, id| {
                Socket::finish_connect(state, id)
            }) {
                Poll::Pending => return Ok(Progress::Waiting),
                Poll::Ready(outcome) => outcome?,
            }
            self.is_connecting = false;
        }
        for _ in 0..TURNS {
            let moved_there = self.there()?;
            let moved_back = self.back()?;
            if self.there.is_closed && self.back.is_closed {
                return Ok(Progress::Done);
            }
            if !moved_there && !moved_back {
                return Ok(Progress::Waiting);
            }
        }
        Ok(Progress::More)
    }

    /// From the real socket to ours. Whether anything moved.
    fn there(&mut self) -> io::Result<bool> {
        let mut has_moved = false;
        if let Some(room) = self.there.room()
            && let Some(bytes) = ready(self.real.read(room))?
        {
            self.there.filled(bytes);
            has_moved = true;
        }
        if let Some(bytes) = self.there.waiting() {
            let mut context = Context::from_waker(&self.waker);
            let polled = self.ours.poll(Interest::Write, WakerKey::Half, &mut context, |state, now, id| {
                state.stack.write(now, id, bytes)
            });
            if let Poll::Ready(written) = polled {
                self.there.taken(written?);
                has_moved = true;
            }
        }
        if self.there.wants_closing() {
            self.ours.shutdown(Shutdown::Write)?;
            self.there.is_closed = true;
            has_moved = true;
        }
        Ok(has_moved)
    }

    /// From our socket to the real one. Whether anything moved.
    fn back(&mut self) -> io::Result<bool> {
        let mut has_moved = false;
        if let Some(room) = self.back.room() {
            let mut context = Context::from_waker(&self.waker);
            let polled = self.ours.poll(Interest::Read, WakerKey::Half, &mut context, |state, now, id| {
                state.stack.read(now, id, room)
            });
            if let Poll::Ready(read) = polled {
                self.back.filled(read?);
                has_moved = true;
            }
        }
        if let Some(bytes) = self.back.waiting()
            && let Some(written) = ready(self.real.write(bytes))?
        {
            self.back.taken(written);
            has_moved = true;
        }
        if self.back.wants_closing() {
            self.real.shutdown(net::Shutdown::Write)?;
            self.back.is_closed = true;
            has_moved = true;
        }
        Ok(has_moved)
    }
}

/// What a nonblocking call has done; `None` if it has to be tried again later.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lets the real socket end with an RST when it is dropped.
pub(super) fn reset_real(real: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(real, Some(Duration::ZERO));
}
