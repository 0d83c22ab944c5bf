//! A future that tries a call on the stack until it does not have to wait.

use crate::engine::State;
use crate::socket::Socket;
use crate::waiting::{Interest, WakerKey};
use sockeye_core::error::Error;
use sockeye_core::socket::{Readiness, SocketId};
use sockeye_core::time::Instant;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{Interest as TokioInterest, Ready};

/// The future; whoever drops it before the end leaves no registration behind.
pub(crate) struct Attempt<'a, F> {
    socket: &'a Socket,
    interest: Interest,
    call: F,
    key: Option<WakerKey>,
}

impl<'a, F> Attempt<'a, F> {
    pub(crate) fn new<R>(socket: &'a Socket, interest: Interest, call: F) -> Self
    where
        F: FnMut(&mut State, Instant, SocketId) -> Result<R, Error> + Unpin,
    {
        Attempt { socket, interest, call, key: None }
    }
}

impl<R, F> Future for Attempt<'_, F>
where
    F: FnMut(&mut State, Instant, SocketId) -> Result<R, Error> + Unpin,
{
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = &mut *self;
        let key = match this.key {
            Some(key) => key,
            None => *this.key.insert(this.socket.host().engine().state.lock().waiters.key()),
        };
        let polled = this.socket.poll(this.interest, key, context, &mut this.call);
        if polled.is_ready() {
            // Nothing is registered any more unless an earlier turn did so for a waker that never fired.
            this.forget();
        }
        polled
    }
}

impl<F> Attempt<'_, F> {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.socket.unregister(self.interest, key);
        }
    }
}

impl<F> Drop for Attempt<'_, F> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Whether a socket is ready for reading, and for what exactly.
pub(crate) fn read_ready(readiness: Readiness) -> Ready {
    let mut ready = Ready::EMPTY;
    if readiness.is_readable() {
        ready |= Ready::READABLE;
    }
    if readiness.is_read_closed() {
        ready |= Ready::READABLE | Ready::READ_CLOSED;
    }
    if readiness.has_failed() {
        ready |= Ready::READABLE | Ready::ERROR;
    }
    ready
}

/// Whether a socket is ready for writing, and for what exactly.
pub(crate) fn write_ready(readiness: Readiness) -> Ready {
    let mut ready = Ready::EMPTY;
    if readiness.is_writable() {
        ready |= Ready::WRITABLE;
    }
    if readiness.is_write_closed() {
        ready |= Ready::WRITABLE | Ready::WRITE_CLOSED;
    }
    if readiness.has_failed() {
        ready |= Ready::WRITABLE | Ready::ERROR;
    }
    ready
}

impl Socket {
    /// Waits until a read (or an accept) is worth trying.
    pub(crate) async fn ready_to_read(&self) -> io::Result<Ready> {
        Attempt::new(self, Interest::Read, |state, _, id| non_empty(read_ready(state.stack.readiness(id)?)))
            .await
    }

    /// Waits until a write is worth trying.
    pub(crate) async fn ready_to_write(&self) -> io::Result<Ready> {
        Attempt::new(self, Interest::Write, |state, _, id| non_empty(write_ready(state.stack.readiness(id)?)))
            .await
    }

    /// Waits until something of `interest` is worth trying.
    pub(crate) async fn ready(&self, interest: TokioInterest) -> io::Result<Ready> {
        if !interest.is_writable() {
            return self.ready_to_read().await;
        }
        if !interest.is_readable() {
            return self.ready_to_write().await;
        }
        let mut reading = std::pin::pin!(self.ready_to_read());
        let mut writing = std::pin::pin!(self.ready_to_write());
        std::future::poll_fn(|context| {
            match (reading.as_mut().poll(context), writing.as_mut().poll(context)) {
                (Poll::Ready(Ok(read)), Poll::Ready(Ok(write))) => Poll::Ready(Ok(read | write)),
                (Poll::Ready(one), Poll::Pending) | (Poll::Pending, Poll::Ready(one)) => Poll::Ready(one),
                (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
                (Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }
}

fn non_empty(ready: Ready) -> Result<Ready, Error> {
    if ready.is_empty() { Err(Error::WouldBlock) } else { Ok(ready) }
}
