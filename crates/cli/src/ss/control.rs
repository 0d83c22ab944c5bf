//! The socket at which a process with hosts tells of them: whoever connects gets one JSON object, and the end.

use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sockeye::Host;

use super::report::ProcessReport;
use crate::folder::{Claim, ClaimError, Folder};

/// How the names of such sockets end; before it stands the number of the process.
pub(super) const SUFFIX: &str = ".sock";

/// How long somebody who asks and does not read is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a process without descriptors waits before it answers the next.
const RETRY: Duration = Duration::from_millis(100);

/// The socket, at work. Dropped, it is gone.
pub(crate) struct Control {
    claim: Claim,
    is_over: Arc<AtomicBool>,
}

impl Control {
    /// Begins to tell of `hosts`. `None` where there is no folder for it: that is no reason for a command not to do what it
    /// was asked to.
    pub(crate) fn start(hosts: Vec<Host>) -> Option<Control> {
        let folder = Folder::open().ok()?;
        Control::open(&folder, hosts).ok()
    }

    fn open(folder: &Folder, hosts: Vec<Host>) -> Result<Control, ClaimError> {
        let claim = folder.claim(&format!("{}{SUFFIX}", std::process::id()))?;
        let control = Control { claim, is_over: Arc::default() };
        let (listener, is_over) = (control.claim.listener.try_clone()?, Arc::clone(&control.is_over));
        std::thread::Builder::new().name("control".into()).spawn(move || {
            while !is_over.load(Ordering::Acquire) {
                if answer(&listener, &hosts).is_err() {
                    std::thread::sleep(RETRY);
                }
            }
        })?;
        Ok(control)
    }
}

/// Answers the next who asks.
///
/// # Errors
/// When nobody can be let in at the moment.
fn answer(listener: &UnixListener, hosts: &[Host]) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let report = serde_json::to_vec(&ProcessReport::of(hosts))?;
    // Who has gone meanwhile, or does not read, has no answer.
    let _ = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(&report));
    Ok(())
}

impl Drop for Control {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // Wakes the thread; where that fails, it goes with the process.
        let _ = std::os::unix::net::UnixStream::connect(self.claim.path());
    }
}
