//! How a Unix socket of the program gets its other end late.
//!
//! A stream socket that is not connected yet is a Unix socket without other end: as a TCP socket, it polls as hung up, and cannot
//! be read. When it connects or listens, it is connected to a listener of ours, which nobody else can reach: its file is gone
//! from its folder before anybody could look, and only we hold a way to it.

use rustix::fs::{CWD, Mode, OFlags, openat, unlink};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where sockets of the program are connected to.
#[derive(Debug)]
pub(crate) struct Pairing {
    listener: OwnedFd,
    /// The way there.
    address: SocketAddrUnix,
    /// Its file, without a name.
    _file: OwnedFd,
}

impl Pairing {
    /// # Errors
    /// When no folder can be made for the moment, or no descriptor is left.
    pub(crate) fn new() -> io::Result<Pairing> {
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let folder = private_folder()?;
        let path = folder.join("pairing");
        let opened = bind(&listener, &SocketAddrUnix::new(&path)?)
            .and_then(|()| openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
        let _ = unlink(&path);
        let _ = std::fs::remove_dir(&folder);
        let file = opened?;
        listen(&listener, 1)?;
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(Pairing { listener, address, _file: file })
    }

    /// Gives `far`, a Unix stream socket without other end, its other end.
    ///
    /// # Errors
    /// `EISCONN` if it has one; `EMFILE`.
    pub(crate) fn pair(&self, far: impl AsFd) -> Result<OwnedFd, Errno> {
        connect(far, &self.address)?;
        accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }
}

/// A new folder that only this user can enter.
fn private_folder() -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    for attempt in 0..16 {
        let name = format!("sockeye-{}-{:x}", std::process::id(), now + attempt);
        let folder = std::env::temp_dir().join(name);
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvFlags, SendFlags, recv, send};

    #[test]
    fn a_socket_gets_its_other_end_late() {
        let pairing = Pairing::new().unwrap();
        let far = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let mut buffer = [0; 10];
        assert!(recv(&far, &mut buffer, RecvFlags::DONTWAIT).is_err());
        let near = pairing.pair(&far).unwrap();
        send(&near, b"hello", SendFlags::empty()).unwrap();
        assert_eq!(recv(&far, &mut buffer, RecvFlags::DONTWAIT).unwrap().0, 5);
        assert_eq!(pairing.pair(&far).unwrap_err(), Errno::ISCONN);
    }
}
