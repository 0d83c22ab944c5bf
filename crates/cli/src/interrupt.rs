//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Code, Failure};

/// Waits until somebody wants the program to end, and says with which code it then does.
pub(crate) async fn interrupted() -> Failure {
    let code = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => Code::Interrupted,
            _ = terminate.recv() => Code::Terminated,
        },
        // Handlers cannot be had: the signals keep their usual effect, and nobody is waited for here.
        _ => std::future::pending().await,
    };
    Failure::new(code, "")
}
