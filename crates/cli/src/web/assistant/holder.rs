//! Who has the port that one wants.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use sockeye::{PortOwner, Protocol};

use super::words;
use crate::web::trouble::Trouble;
use crate::web::world::World;

/// Why an address of the real machine cannot be had. Goes through `/proc`, which may take a while.
pub(super) fn explain(world: &World, protocol: Protocol, at: SocketAddr, error: &io::Error) -> Trouble {
    let trouble = words::listen(at, error);
    if error.kind() != ErrorKind::AddrInUse {
        return trouble;
    }
    let port = at.port();
    let Some(owner) = PortOwner::find(protocol, at) else {
        let waiting = if protocol == Protocol::Tcp { in_state(port, "06") } else { 0 };
        if waiting > 0 {
            let words = format!(
                "port {port} is held by {waiting} old connection(s) in TIME-WAIT: who closes first keeps its port for a minute, so that \
                 late segments find nobody else"
            );
            let next = "wait a minute, or switch `reuseaddr` on, as servers do";
            return Trouble { words, next: next.to_owned(), ..trouble }.with("time_wait", waiting);
        }
        let words = format!(
            "port {port} of {} is in use, by a program of another user or by a connection of its own",
            at.ip()
        );
        return Trouble { words, next: "take another port".to_owned(), ..trouble };
    };
    if owner.pid == std::process::id() {
        let ours = world
            .sessions
            .all()
            .into_iter()
            .find(|session| session.inner().local.is_some_and(|local| local.port() == port));
        if let Some(session) = ours {
            let words = format!(
                "port {port} of {} is in use by the session {} of this assistant",
                at.ip(),
                session.name
            );
            let next = "close that session, or take another port".to_owned();
            return Trouble { words, next, ..trouble }
                .with("holder", session.name.clone())
                .with("session", session.name.clone());
        }
    }
    let holder = format!("{} ({})", owner.program, owner.pid);
    let words = format!("port {port} of {} is in use by {holder}", at.ip());
    let next = format!("end that program (kill {}), or take another port", owner.pid);
    Trouble { words, next, ..trouble }.with("holder", holder).with("pid", owner.pid)
}

/// TCP sockets of this port that are in a state, by its number in the kernel's tables.
fn in_state(port: u16, state: &str) -> usize {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
    tables.map(|table| table.lines().filter(|row| is_in_state(row, port, state)).count()).sum()
}

fn is_in_state(row: &str, port: u16, state: &str) -> bool {
    let mut fields = row.split_ascii_whitespace();
    let local = fields.nth(1).and_then(|local| local.rsplit_once(':'));
    let is_port = local.is_some_and(|(_, digits)| u16::from_str_radix(digits, 16) == Ok(port));
    is_port && fields.nth(1) == Some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_in_time_wait_is_recognised() {
        let row = "   3: 0100007F:1E6C 0100007F:C350 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000";
        assert!(is_in_state(row, 7788, "06"));
        assert!(!is_in_state(row, 7789, "06") && !is_in_state(row, 7788, "01") && !is_in_state("", 0, "06"));
    }
}
