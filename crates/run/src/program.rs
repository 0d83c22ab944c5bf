//! A program at work on a host.

use crate::error::RunError;
use crate::supervisor::Supervisor;
use crate::sys::spawn;
use sockeye::Host;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// A program whose sockets are a host's, with all the processes it starts.
#[derive(Debug)]
pub struct Program {
    pid: u32,
    ended: Receiver<io::Result<ExitStatus>>,
    /// How its first process has ended.
    status: Option<ExitStatus>,
    supervisor: Option<JoinHandle<io::Result<()>>>,
}

impl Program {
    /// Starts `command` on `host`. Everything else of it, such as its files and its standard output, is the real machine's.
    ///
    /// From the first program on, this process adopts orphans among the processes of its programs
    /// (`PR_SET_CHILD_SUBREAPER`), and may have as many descriptors as its hard limit allows: each socket of a program takes one
    /// here. The program itself keeps the limit as it was.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn start(host: &Host, command: Command) -> Result<Program, RunError> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| RunError::Resources(errno.into()))?;
        let (tell_started, started) = sync_channel(1);
        let (tell, ended) = sync_channel(1);
        let host = host.clone();
        let supervise = move || {
            let (supervisor, child) = match begin(host, command) {
                Ok(begun) => begun,
                Err(error) => {
                    let _ = tell_started.send(Err(error));
                    return Ok(());
                }
            };
            let _ = tell_started.send(Ok(child.id()));
            supervisor.run(child, &tell)
        };
        // The thread that starts the program is the one that answers it: the program does not outlive it.
        let thread = std::thread::Builder::new().name("run".to_owned());
        let supervisor = thread.spawn(supervise).map_err(RunError::Resources)?;
        let pid = started.recv().unwrap_or(Err(RunError::Untold))?;
        Ok(Program { pid, ended, status: None, supervisor: Some(supervisor) })
    }

    /// The number of its first process.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Waits until its first process has ended, and says how. Its other processes go on.
    ///
    /// # Errors
    /// When the supervisor has failed, which only a lack of memory or descriptors explains.
    pub fn wait_for_first(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let failed = |_| Err(io::Error::other("the program's supervisor has failed"));
        let status = self.ended.recv().unwrap_or_else(failed)?;
        self.status = Some(status);
        Ok(status)
    }

    /// Waits until all its processes have ended and its connections have said their last words, and says how the first one ended.
    ///
    /// # Errors
    /// As [`wait_for_first`](Self::wait_for_first).
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.wait_for_first()?;
        if let Some(supervisor) = self.supervisor.take() {
            let outcome = supervisor.join();
            outcome.unwrap_or_else(|_| Err(io::Error::other("the program's supervisor has failed")))?;
        }
        Ok(status)
    }
}

/// The program, waiting for its first answer, and who will give it.
fn begin(host: Host, command: Command) -> Result<(Supervisor, Child), RunError> {
    let (mut child, listener) = spawn::spawn(command)?;
    match Supervisor::new(host, listener) {
        Ok(supervisor) => Ok((supervisor, child)),
        Err(error) => {
            // Nobody would answer its calls.
            let _ = child.kill();
            let _ = child.wait();
            Err(RunError::Resources(error))
        }
    }
}
