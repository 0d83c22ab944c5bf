//! The halves of a stream.

use super::TcpStream;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The reading half of [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading half of [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<TcpStream>,
}

/// The writing half of [`TcpStream::into_split`]. Dropping it sends a FIN, unless [`forget`](Self::forget) is called.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    ends_on_drop: bool,
}

/// Two halves that are not of the same stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves belong to different streams")
    }
}

impl std::error::Error for ReuniteError {}

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf { stream: Arc::clone(&stream) }, OwnedWriteHalf { stream, ends_on_drop: true })
}

impl OwnedReadHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// Gives both halves back if they are not of the same stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.stream, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        let OwnedReadHalf { stream } = self;
        other.forget();
        match Arc::try_unwrap(stream) {
            Ok(stream) => Ok(stream),
            // The halves cannot be cloned: nobody else holds it.
            Err(stream) => Ok(stream.share()),
        }
    }
}

impl OwnedWriteHalf {
    /// [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    /// Gives both halves back if they are not of the same stream.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }

    /// Drops the half without ending the writing side.
    pub fn forget(mut self) {
        self.ends_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.ends_on_drop {
            // Whoever reads finds out what is wrong, if anything is.
            let _ = self.stream.end_writing();
        }
    }
}

/// What both kinds of reading half can do.
macro_rules! reading {
    ($half:ty, $stream:tt) => {
        impl $half {
            /// Reads without taking.
            ///
            /// # Errors
            /// As reading.
            pub async fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.$stream.peek(buffer).await
            }

            /// Waits until reading is worth trying.
            ///
            /// # Errors
            /// `ENETDOWN` after the host's shutdown.
            pub async fn readable(&self) -> io::Result<()> {
                self.$stream.readable().await
            }

            /// Reads what is there.
            ///
            /// # Errors
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.$stream.try_read(buffer)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `ENOTCONN` when the connection is gone.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// `ENETDOWN` after the host's shutdown.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.local_addr()
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.$stream.poll_read_shared(context, buffer)
            }
        }
    };
}

/// What both kinds of writing half can do.
macro_rules! writing {
    ($half:ty, $stream:tt) => {
        impl $half {
            /// Waits until writing is worth trying.
            ///
            /// # Errors
            /// `ENETDOWN` after the host's shutdown.
            pub async fn writable(&self) -> io::Result<()> {
                self.$stream.writable().await
            }

            /// Writes what there is room for.
            ///
            /// # Errors
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.$stream.try_write(bytes)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `ENOTCONN` when the connection is gone.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// `ENETDOWN` after the host's shutdown.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.local_addr()
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.$stream.poll_write_shared(context, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                parts: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$stream.poll_write_vectored_shared(context, parts)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.$stream.poll_end_writing(context)
            }
        }
    };
}

reading!(ReadHalf<'_>, 0);
reading!(OwnedReadHalf, stream);
writing!(WriteHalf<'_>, 0);
writing!(OwnedWriteHalf, stream);
