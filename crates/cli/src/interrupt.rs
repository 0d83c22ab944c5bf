//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Code, Failure};

/// Waits until somebody wants the program to end, and says with which code it then does. What counts is what comes after this
/// call, not after the first wait.
pub(crate) fn interrupted() -> impl Future<Output = Failure> {
    let handlers = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let code = match handlers {
            (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
                _ = interrupt.recv() => Code::Interrupted,
                _ = terminate.recv() => Code::Terminated,
            },
            // Handlers cannot be had: the signals keep their usual effect, and nobody is waited for here.
            _ => std::future::pending().await,
        };
        Failure::new(code, "")
    }
}
