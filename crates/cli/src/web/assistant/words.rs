//! What happens to connections, in plain words with the next step.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::web::trouble::Trouble;

/// The name of an error for pages in other languages; hosts of ours have no numbers.
fn code(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => "ECONNREFUSED",
        ErrorKind::ConnectionReset => "ECONNRESET",
        ErrorKind::ConnectionAborted => "ECONNABORTED",
        ErrorKind::BrokenPipe => "EPIPE",
        ErrorKind::TimedOut => "ETIMEDOUT",
        ErrorKind::HostUnreachable => "EHOSTUNREACH",
        ErrorKind::NetworkUnreachable => "ENETUNREACH",
        ErrorKind::AddrInUse => "EADDRINUSE",
        ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        ErrorKind::PermissionDenied => "EACCES",
        _ => return None,
    })
}

/// What the system said, with a next step.
fn system(doing: &str, error: &io::Error, next: &str) -> Trouble {
    let mut trouble = Trouble::system(doing, error);
    if let Some(code) = code(error) {
        trouble.code = code.to_owned();
    }
    trouble.next = next.to_owned();
    trouble
}

/// A connection that could not be had.
pub(super) fn connect(to: SocketAddr, error: &io::Error) -> Trouble {
    let next = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "the machine is there, and nothing listens on that port: start the server, or correct the port"
        }
        ErrorKind::TimedOut => {
            "nothing answers: the address is wrong, the machine is off, or a firewall drops what is sent there"
        }
        ErrorKind::HostUnreachable => {
            "nobody on the local network has that address, or a router says it leads nowhere: correct the address"
        }
        ErrorKind::NetworkUnreachable => "this machine has no route there: is it connected to a network?",
        ErrorKind::ConnectionReset => {
            "somebody listens, and has hung up at once: look at the server's own messages"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have the local address that was asked for, or has no free port left: leave `address` away"
        }
        ErrorKind::AddrInUse => {
            "the local port is taken, or the last connection from it is in TIME-WAIT for a minute: leave `port` away to take any"
        }
        ErrorKind::PermissionDenied => {
            "a firewall of this machine forbids it, or the address is a broadcast address"
        }
        _ => "",
    };
    system(&format!("cannot connect to {to}"), error, next).with("address", to.to_string())
}

/// A connection that broke.
pub(super) fn lost(address: &str, error: &io::Error) -> Trouble {
    let next = match error.kind() {
        ErrorKind::ConnectionReset => {
            "the other end has sent a RST: it was killed, it closed without reading everything, or it has LINGER 0"
        }
        ErrorKind::BrokenPipe => "the other end had closed already: what was sent after that is lost",
        ErrorKind::TimedOut => {
            "the other end acknowledges nothing any more: it is off, or the cable is cut; keepalive finds that out sooner"
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "there is no way to it any more",
        _ => "",
    };
    system(&format!("the connection with {address} broke"), error, next).with("address", address)
}

/// A datagram that could not be sent, or an error that an earlier one has brought back.
pub(super) fn datagram(to: Option<SocketAddr>, error: &io::Error) -> Trouble {
    let doing = to.map_or_else(|| "an earlier datagram".to_owned(), |to| format!("cannot send to {to}"));
    let next = match error.kind() {
        ErrorKind::ConnectionRefused => "the machine is there, and nothing listens on that UDP port",
        ErrorKind::PermissionDenied => "that is a broadcast address: open the session with `broadcast`",
        ErrorKind::NetworkUnreachable => {
            "this machine has no route there from the session's own address: 127.0.0.1 reaches only itself"
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
            "a datagram has at most 65507 bytes: send less at once"
        }
        _ => "",
    };
    system(&doing, error, next)
}

/// An option that could not be set.
pub(super) fn option(error: &io::Error) -> Trouble {
    system("an option could not be set", error, "the others are set; take this one back")
}

/// A port that could not be had, but for the reason that somebody has it.
pub(super) fn listen(at: SocketAddr, error: &io::Error) -> Trouble {
    let next = match error.kind() {
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: take one of those that are offered"
        }
        ErrorKind::PermissionDenied if at.port() < 1024 => {
            "ports below 1024 are for the system's own services: take one above, such as 7788"
        }
        _ => "",
    };
    system(&format!("cannot open {at}"), error, next).with("address", at.to_string()).with("port", at.port())
}

/// A connection that was accepted.
pub(super) fn accepted(address: &str) -> Trouble {
    Trouble::new("accepted", format!("{address} has connected"), "").with("address", address)
}

/// A connection that was opened.
pub(super) fn connected(local: Option<SocketAddr>, to: SocketAddr) -> Trouble {
    let from = local.map(|local| format!(" from {local}")).unwrap_or_default();
    Trouble::new("connected", format!("connected to {to}{from}"), "").with("address", to.to_string())
}

/// A socket that is open now.
pub(super) fn opened(code: &str, at: SocketAddr) -> Trouble {
    let words = if code == "listening" { format!("listening on {at}") } else { format!("open on {at}") };
    Trouble::new(code, words, "").with("address", at.to_string())
}

/// The other end's FIN.
pub(super) fn fin_received() -> Trouble {
    Trouble::new("fin-received", "recv() returned 0: the other end has closed (FIN)", "")
}

/// Our end.
pub(super) fn closing(resets: bool) -> Trouble {
    if resets {
        Trouble::new("linger0", "closed with LINGER 0: that sends a RST", "")
    } else {
        Trouble::new("fin-sent", "closed: FIN", "")
    }
}

/// Our reset.
pub(super) fn resetting() -> Trouble {
    Trouble::new("rst-sent", "closed at once: RST", "")
}

/// A client that tries again.
pub(super) fn again(after_ms: u64) -> Trouble {
    Trouble::new("again", format!("connects again in {after_ms} ms"), "").with("after_ms", after_ms)
}

/// Answers that wait for their time.
pub(super) fn too_many_answers(limit: usize) -> Trouble {
    let words = format!("{limit} answers wait for their time: this one is left out");
    Trouble::new("too-many-answers", words, "shorten the delays of the rules")
}

/// Nobody to send to.
pub(super) fn nobody() -> Trouble {
    Trouble::new("nobody", "nobody is connected", "wait until somebody connects, or connect")
}

/// A peer that does not read.
pub(super) fn blocked(address: &str) -> Trouble {
    let words = format!("{address} does not read: its receive buffer and our send buffer are full");
    Trouble::new("blocked", words, "the rest is sent when it reads; or disconnect it")
        .with("address", address)
}
