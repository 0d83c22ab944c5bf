//! What went wrong, as one line for people and one number for scripts.

use std::fmt;
use std::io::{self, ErrorKind};

/// The exit codes, all of them; `docs/cli.md` lists the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The network failed in a way no other code names.
    Network = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A script failed.
    ScriptFailed = 3,
    /// A host name is not known.
    NameNotFound = 6,
    /// The other end refused, or no way leads to it.
    Refused = 7,
    /// A port, an address or a device cannot be taken.
    Bind = 8,
    /// Nothing came back in time.
    Timeout = 28,
    /// The other end reset the connection.
    Reset = 56,
    /// `sockeye run`: the program was not run, or not to its end.
    NotRun = 125,
    /// `sockeye run`: the program cannot be executed.
    NotExecutable = 126,
    /// `sockeye run`: there is no such program.
    NotFound = 127,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

/// A reason to stop: the exit code and, unless the code says it all, one line of explanation.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// One line, without the program's name; empty where there is nothing to add (Ctrl-C).
    pub(crate) line: String,
}

impl Failure {
    /// A failure with its explanation.
    pub(crate) fn new(code: Code, line: impl Into<String>) -> Self {
        Failure { code, line: line.into() }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Failure::new(Code::Usage, line)
    }

    /// What the system said while talking to somebody: `doing` is what was tried ("cannot connect to 10.0.0.2:7").
    pub(crate) fn talking(doing: impl fmt::Display, error: &io::Error) -> Self {
        Failure::new(code_of(error.kind()), format!("{doing}: {}", plain(error)))
    }
}

/// The exit code an error met while talking stands for.
fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Code::Refused
        }
        ErrorKind::TimedOut => Code::Timeout,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Code::Reset,
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => Code::Bind,
        _ => Code::Network,
    }
}

/// The system's words without the number behind them, in lower case.
pub(crate) fn plain(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => format!("{:?}", error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_documented_code() {
        let code = |kind| Failure::talking("x", &io::Error::from(kind)).code as u8;
        assert_eq!(code(ErrorKind::ConnectionRefused), 7);
        assert_eq!(code(ErrorKind::HostUnreachable), 7);
        assert_eq!(code(ErrorKind::TimedOut), 28);
        assert_eq!(code(ErrorKind::ConnectionReset), 56);
        assert_eq!(code(ErrorKind::AddrInUse), 8);
        assert_eq!(code(ErrorKind::Other), 1);
    }

    #[test]
    fn the_systems_words_lose_their_number() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(Failure::talking("cannot connect", &refused).line, "cannot connect: connection refused");
    }
}
