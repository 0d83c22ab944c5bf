//! Why a program cannot be run.

use std::io;

/// Why a program cannot be run on a host of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such program.
    #[error("there is no such program: {0}")]
    NotFound(io::Error),
    /// It cannot be executed.
    #[error("it cannot be executed: {0}")]
    NotExecutable(io::Error),
    /// The kernel does not let us answer a program's system calls.
    #[error(
        "the kernel does not let a program's system calls be answered (seccomp user notification: {0}); it takes Linux 5.14 \
         or later, and a container must allow the call seccomp (docker: --security-opt seccomp=unconfined)"
    )]
    Refused(io::Error),
    /// The kernel does not let us look into a program that we have started.
    #[error(
        "the system does not let us look into a program that we have started ({0}); a container must allow pidfd_getfd and \
         process_vm_readv (docker: --cap-add SYS_PTRACE), and kernel.yama.ptrace_scope must be below 2"
    )]
    Watch(io::Error),
    /// The child ended before it had said how far it got.
    #[error("the program's process ended before it became the program")]
    Untold,
    /// The system has no descriptor, thread or process left.
    #[error("the system has no descriptor, thread or process left: {0}")]
    Resources(io::Error),
    /// The host has been shut down, or gives no socket.
    #[error("the host does not work: {0}")]
    Host(io::Error),
}

impl RunError {
    /// What `exec` says, as the user's fault.
    pub(crate) fn of_program(error: io::Error) -> RunError {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => RunError::NotFound(error),
            Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => RunError::Resources(error),
            _ => RunError::NotExecutable(error),
        }
    }
}
