//! The stack's errors as the operating system's, number and all.

use rustix::io::Errno;
use sockeye_core::error::Error;
use std::io;

/// The error the kernel would give: the same kind, the same number, the same words.
pub(crate) fn io_error(error: Error) -> io::Error {
    let errno = match error {
        Error::WouldBlock => Errno::AGAIN,
        Error::InProgress => Errno::INPROGRESS,
        Error::AlreadyInProgress => Errno::ALREADY,
        Error::AddressInUse => Errno::ADDRINUSE,
        Error::AddressNotAvailable => Errno::ADDRNOTAVAIL,
        Error::AddressFamilyNotSupported => Errno::AFNOSUPPORT,
        Error::DestinationRequired => Errno::DESTADDRREQ,
        Error::ConnectionRefused => Errno::CONNREFUSED,
        Error::ConnectionReset => Errno::CONNRESET,
        Error::ConnectionAborted => Errno::CONNABORTED,
        Error::BrokenPipe => Errno::PIPE,
        Error::TimedOut => Errno::TIMEDOUT,
        Error::NotConnected => Errno::NOTCONN,
        Error::IsConnected => Errno::ISCONN,
        Error::HostUnreachable => Errno::HOSTUNREACH,
        Error::NetworkUnreachable => Errno::NETUNREACH,
        Error::MessageTooLong => Errno::MSGSIZE,
        Error::PermissionDenied => Errno::ACCESS,
        Error::InvalidArgument => Errno::INVAL,
        Error::NotSupported => Errno::OPNOTSUPP,
        Error::UnknownOption => Errno::NOPROTOOPT,
        Error::ProtocolNotSupported => Errno::PROTONOSUPPORT,
        Error::NoBuffers => Errno::NOBUFS,
        Error::TooManySockets => Errno::MFILE,
        Error::BadSocket => Errno::BADF,
        other => return io::Error::other(other),
    };
    io::Error::from_raw_os_error(errno.raw_os_error())
}

/// What every call says once its host has been shut down.
pub(crate) fn host_is_down() -> io::Error {
    io::Error::from_raw_os_error(Errno::NETDOWN.raw_os_error())
}

/// What the kernel says of an interface that is not there.
pub(crate) fn no_such_device() -> io::Error {
    io::Error::from_raw_os_error(Errno::NODEV.raw_os_error())
}

/// What std answers to a timeout of zero.
pub(crate) fn zero_timeout() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_the_kernels_own() {
        let refused = io_error(Error::ConnectionRefused);
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(refused.to_string().starts_with("Connection refused (os error"), "{refused}");
        assert_eq!(io_error(Error::WouldBlock).kind(), io::ErrorKind::WouldBlock);
        assert_eq!(io_error(Error::TimedOut).kind(), io::ErrorKind::TimedOut);
        assert_eq!(io_error(Error::HostUnreachable).kind(), io::ErrorKind::HostUnreachable);
    }
}
