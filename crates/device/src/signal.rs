//! One bit that another thread can set and `poll` can wait for.

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub use counter::Signal;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub use pipe::Signal;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod counter {
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::io::{read, write};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// The largest value an eventfd counts to: at it, the descriptor is not writable.
    const FULL: u64 = u64::MAX - 1;

    /// One bit that a thread sets and `poll` in another waits for: an eventfd that is either empty (writable, not
    /// readable) or full (readable, not writable).
    #[derive(Debug)]
    pub struct Signal {
        fd: OwnedFd,
    }

    impl Signal {
        /// An empty signal.
        ///
        /// # Errors
        /// When the process has no file descriptors left.
        pub fn new() -> io::Result<Self> {
            Ok(Self { fd: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)? })
        }

        /// Makes [`input`](Self::input) readable and [`output`](Self::output) unwritable.
        pub fn fill(&self) {
            // Only fails when it is full already.
            let _ = write(&self.fd, &FULL.to_ne_bytes());
        }

        /// Makes [`input`](Self::input) unreadable and [`output`](Self::output) writable.
        pub fn drain(&self) {
            // Only fails when it is empty already.
            let _ = read(&self.fd, &mut [0u8; 8]);
        }

        /// What to poll for `POLLIN`: readable while the signal is full.
        pub fn input(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }

        /// What to poll for `POLLOUT`: writable while the signal is empty.
        pub fn output(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }
    }
}

#[cfg(any(test, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
#[cfg_attr(any(target_os = "linux", target_os = "android", target_os = "freebsd"), allow(unreachable_pub))]
mod pipe {
    use rustix::io::{fcntl_getfd, fcntl_setfd, ioctl_fionbio, read, write};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// One bit that a thread sets and `poll` in another waits for: a pipe, either empty or filled to the brim.
    #[derive(Debug)]
    pub struct Signal {
        input: OwnedFd,
        output: OwnedFd,
    }

    impl Signal {
        /// An empty signal.
        ///
        /// # Errors
        /// When the process has no file descriptors left.
        pub fn new() -> io::Result<Self> {
            let (input, output) = rustix::pipe::pipe()?;
            for end in [&input, &output] {
                ioctl_fionbio(end, true)?;
                fcntl_setfd(end, fcntl_getfd(end)? | rustix::io::FdFlags::CLOEXEC)?;
            }
            Ok(Self { input, output })
        }

        /// Makes [`input`](Self::input) readable and [`output`](Self::output) unwritable.
        pub fn fill(&self) {
            for piece in [4096, 1] {
                while write(&self.output, &[0u8; 4096][..piece]).is_ok() {}
            }
        }

        /// Makes [`input`](Self::input) unreadable and [`output`](Self::output) writable.
        pub fn drain(&self) {
            while matches!(read(&self.input, &mut [0u8; 4096]), Ok(1..)) {}
        }

        /// What to poll for `POLLIN`: readable while the signal is full.
        pub fn input(&self) -> BorrowedFd<'_> {
            self.input.as_fd()
        }

        /// What to poll for `POLLOUT`: writable while the signal is empty.
        pub fn output(&self) -> BorrowedFd<'_> {
            self.output.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::os::fd::BorrowedFd;

    fn is_ready(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&now)).expect("poll works") == 1
    }

    macro_rules! is_either_empty_or_full {
        ($signal:expr) => {
            let signal = $signal.expect("there are descriptors");
            let state =
                || (is_ready(signal.input(), PollFlags::IN), is_ready(signal.output(), PollFlags::OUT));
            assert_eq!(state(), (false, true));
            for _ in 0..3 {
                signal.fill();
                assert_eq!(state(), (true, false));
                signal.fill();
                assert_eq!(state(), (true, false));
                signal.drain();
                assert_eq!(state(), (false, true));
                signal.drain();
                assert_eq!(state(), (false, true));
            }
        };
    }

    #[test]
    fn a_signal_is_either_empty_or_full() {
        is_either_empty_or_full!(super::Signal::new());
    }

    #[test]
    fn a_pipe_does_as_well() {
        is_either_empty_or_full!(super::pipe::Signal::new());
    }
}
