//! Starting the program under the filter, and getting hold of the descriptor on which its calls arrive.

use super::filter;
use super::notification::Listener;
use crate::error::RunError;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, Signal, getrlimit, pidfd_getfd, pidfd_open,
    set_parent_process_death_signal, setrlimit,
};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;

/// Starts `command` under the filter. It is killed when the calling thread ends.
///
/// # Errors
/// Where the kernel or a container does not let us, or where there is no such program.
pub(crate) fn spawn(mut command: Command) -> Result<(Child, Listener), RunError> {
    let (ours, theirs) = UnixStream::pair().map_err(RunError::Resources)?;
    let program = filter::program();
    let limit = raise_limit();
    // The child says which of its descriptors is the listener, and waits until we have taken it. This thread waits in
    // `spawn` until the child has become the program, so another one takes it.
    let taking = std::thread::Builder::new()
        .name("take-listener".to_owned())
        .spawn(move || take(ours))
        .map_err(RunError::Resources)?;
    // SAFETY: between fork and exec the closure only makes system calls: it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            setrlimit(Resource::Nofile, limit)?;
            // Without the thread that answers it, its calls would fail, and programs that try again would do so for ever.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            let listener = install(&program)?;
            hand_over(&theirs, listener.as_raw_fd())
        });
    }
    let spawned = command.spawn();
    // Lets go of our copy of the child's end: if the child is gone, the other thread sees the end.
    drop(command);
    let taken = taking.join().unwrap_or_else(|_| Err(RunError::Refused(io::Error::other("lost"))));
    match (spawned, taken) {
        (Ok(child), Ok(listener)) => Ok((child, listener)),
        (Ok(mut child), Err(error)) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
        // The filter stood, so what failed is the program.
        (Err(error), Ok(_)) => Err(RunError::of_program(error)),
        (Err(error), Err(RunError::Untold)) => Err(RunError::Refused(error)),
        (Err(_), Err(error)) => Err(error),
    }
}

/// Lets this process have as many descriptors as it may; gives the limit as it was the first time.
fn raise_limit() -> Rlimit {
    static BEFORE: OnceLock<(Option<u64>, Option<u64>)> = OnceLock::new();
    let now = getrlimit(Resource::Nofile);
    let (current, maximum) = *BEFORE.get_or_init(|| (now.current, now.maximum));
    // Where it may not be raised, it stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    Rlimit { current, maximum }
}

/// Installs the filter in the calling process, for good.
fn install(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap_or(u16::MAX),
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: prctl with these arguments touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` and what it points to live until the call returns, and the kernel only reads them.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(listener as libc::c_int) })
}

/// Says the number of the listener and waits for the answer: by `send` and `recv` without addresses, which the filter, that
/// stands already, lets pass.
fn hand_over(mut channel: &UnixStream, listener: i32) -> io::Result<()> {
    // SAFETY: `getpid` has no preconditions.
    let pid = unsafe { libc::getpid() };
    let mut message = [0; 8];
    message[..4].copy_from_slice(&pid.to_ne_bytes());
    message[4..].copy_from_slice(&listener.to_ne_bytes());
    channel.write_all(&message)?;
    let mut answer = [0];
    channel.read_exact(&mut answer)
}

/// Takes the listener out of the child.
fn take(mut channel: UnixStream) -> Result<Listener, RunError> {
    let mut message = [0; 8];
    channel.read_exact(&mut message).map_err(|_| RunError::Untold)?;
    let [a, b, c, d, e, f, g, h] = message;
    let (pid, number) = (i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]));
    let pid = Pid::from_raw(pid).ok_or(RunError::Untold)?;
    let listener = pidfd_open(pid, PidfdFlags::empty())
        .and_then(|child| pidfd_getfd(child, number, PidfdGetfdFlags::empty()))
        .map_err(|errno| RunError::Watch(errno.into()))?;
    channel.write_all(&[1]).map_err(RunError::Resources)?;
    Ok(Listener::new(listener))
}
