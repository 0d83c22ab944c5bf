//! What a socket call can answer besides success: the POSIX errors, by their meaning.

use core::fmt;

/// An error of a socket call. Each variant is one POSIX `errno`; [`Error::name`] gives its symbol.
///
/// ```
/// use sockeye_core::error::Error;
/// assert_eq!(Error::ConnectionRefused.name(), "ECONNREFUSED");
/// assert_eq!(Error::ConnectionRefused.to_string(), "connection refused");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// `EAGAIN`: the call would have to wait; try again when the socket is ready.
    WouldBlock,
    /// `EINPROGRESS`: the handshake has begun; the socket becomes writable when it ends.
    InProgress,
    /// `EALREADY`: an earlier `connect` is still under way.
    AlreadyInProgress,
    /// `EADDRINUSE`: another socket holds that address and port.
    AddressInUse,
    /// `EADDRNOTAVAIL`: the address is not one of this host's, or no ephemeral port is free.
    AddressNotAvailable,
    /// `EAFNOSUPPORT`: an address of the other family than the socket's.
    AddressFamilyNotSupported,
    /// `EDESTADDRREQ`: a datagram socket without peer was asked to send without destination.
    DestinationRequired,
    /// `ECONNREFUSED`: the peer answered with RST, or ICMP port unreachable.
    ConnectionRefused,
    /// `ECONNRESET`: the peer sent RST.
    ConnectionReset,
    /// `ECONNABORTED`: the connection was ended on this side.
    ConnectionAborted,
    /// `EPIPE`: this side has already shut down writing, or the connection is gone.
    BrokenPipe,
    /// `ETIMEDOUT`: the peer stopped answering.
    TimedOut,
    /// `ENOTCONN`: the socket has no peer.
    NotConnected,
    /// `EISCONN`: the socket already has a peer.
    IsConnected,
    /// `EHOSTUNREACH`: the host does not answer ARP or NDP, or a router said so.
    HostUnreachable,
    /// `ENETUNREACH`: no route leads there.
    NetworkUnreachable,
    /// `EMSGSIZE`: the datagram does not fit.
    MessageTooLong,
    /// `EACCES`: a broadcast without `SO_BROADCAST`, or a forbidden destination.
    PermissionDenied,
    /// `EINVAL`: the call makes no sense in this state or with this argument.
    InvalidArgument,
    /// `EOPNOTSUPP`: this kind of socket has no such call.
    NotSupported,
    /// `ENOPROTOOPT`: this socket has no such option.
    UnknownOption,
    /// `EPROTONOSUPPORT`: no such protocol here.
    ProtocolNotSupported,
    /// `ENOBUFS`: a limit of memory or of table size is reached.
    NoBuffers,
    /// `EMFILE`: no more sockets can be opened.
    TooManySockets,
    /// `EBADF`: the handle is stale, its socket closed.
    BadSocket,
}

impl Error {
    /// The symbol of this error in `errno.h`.
    pub const fn name(self) -> &'static str {
        match self {
            Error::WouldBlock => "EAGAIN",
            Error::InProgress => "EINPROGRESS",
            Error::AlreadyInProgress => "EALREADY",
            Error::AddressInUse => "EADDRINUSE",
            Error::AddressNotAvailable => "EADDRNOTAVAIL",
            Error::AddressFamilyNotSupported => "EAFNOSUPPORT",
            Error::DestinationRequired => "EDESTADDRREQ",
            Error::ConnectionRefused => "ECONNREFUSED",
            Error::ConnectionReset => "ECONNRESET",
            Error::ConnectionAborted => "ECONNABORTED",
            Error::BrokenPipe => "EPIPE",
            Error::TimedOut => "ETIMEDOUT",
            Error::NotConnected => "ENOTCONN",
            Error::IsConnected => "EISCONN",
            Error::HostUnreachable => "EHOSTUNREACH",
            Error::NetworkUnreachable => "ENETUNREACH",
            Error::MessageTooLong => "EMSGSIZE",
            Error::PermissionDenied => "EACCES",
            Error::InvalidArgument => "EINVAL",
            Error::NotSupported => "EOPNOTSUPP",
            Error::UnknownOption => "ENOPROTOOPT",
            Error::ProtocolNotSupported => "EPROTONOSUPPORT",
            Error::NoBuffers => "ENOBUFS",
            Error::TooManySockets => "EMFILE",
            Error::BadSocket => "EBADF",
        }
    }

    /// What this error says, in the words of `strerror`.
    pub const fn message(self) -> &'static str {
        match self {
            Error::WouldBlock => "resource temporarily unavailable",
            Error::InProgress => "operation now in progress",
            Error::AlreadyInProgress => "operation already in progress",
            Error::AddressInUse => "address already in use",
            Error::AddressNotAvailable => "cannot assign requested address",
            Error::AddressFamilyNotSupported => "address family not supported by protocol",
            Error::DestinationRequired => "destination address required",
            Error::ConnectionRefused => "connection refused",
            Error::ConnectionReset => "connection reset by peer",
            Error::ConnectionAborted => "software caused connection abort",
            Error::BrokenPipe => "broken pipe",
            Error::TimedOut => "connection timed out",
            Error::NotConnected => "transport endpoint is not connected",
            Error::IsConnected => "transport endpoint is already connected",
            Error::HostUnreachable => "no route to host",
            Error::NetworkUnreachable => "network is unreachable",
            Error::MessageTooLong => "message too long",
            Error::PermissionDenied => "permission denied",
            Error::InvalidArgument => "invalid argument",
            Error::NotSupported => "operation not supported",
            Error::UnknownOption => "protocol not available",
            Error::ProtocolNotSupported => "protocol not supported",
            Error::NoBuffers => "no buffer space available",
            Error::TooManySockets => "too many open sockets",
            Error::BadSocket => "bad socket handle",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}
