//! A program at work on a host.

use crate::error::RunError;
use crate::supervisor::Supervisor;
use crate::sys::spawn;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use sockeye::Host;
use std::io;
use std::process::{Command, ExitStatus};
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
        let (child, listener) = spawn::spawn(command)?;
        let pid = child.id();
        let (tell, ended) = sync_channel(1);
        let supervise = Supervisor::new(host.clone(), listener).and_then(|supervisor| {
            std::thread::Builder::new().name(format!("run-{pid}")).spawn(move || supervisor.run(child, &tell))
        });
        match supervise {
            Ok(supervisor) => Ok(Program { pid, ended, status: None, supervisor: Some(supervisor) }),
            Err(error) => {
                // Nobody would answer its calls.
                if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::KILL);
                    let _ = waitpid(Some(pid), WaitOptions::empty());
                }
                Err(RunError::Resources(error))
            }
        }
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
