//! What there is to ask about sockets: `include/uapi/linux/inet_diag.h`, `net/core/sock_diag.c`, `net/ipv4/inet_diag.c`.
//!
//! Filters that programs send along (`INET_DIAG_REQ_BYTECODE`) are not run: who sends them looks at what comes, too. Connections
//! in TIME-WAIT and half-open ones are counted by the stack, and not listed; and bytes that stand in the program's end of a pair are
//! read, as far as the stack knows.

use super::address::{family, octets, unspecified};
use super::answer::{Reply, Wish};
use super::message::{Header, Message, u32_at};
use crate::call::tcp_info;
use crate::interface::View;
use rustix::io::Errno;
use sockeye::Kind;
use sockeye::sockeye_core::stack::SocketSnapshot;
use sockeye::sockeye_core::transport::tcp::State;
use std::net::SocketAddr;

/// `SOCK_DIAG_BY_FAMILY`, and `SOCK_DESTROY`, which is for the privileged.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;

/// `sizeof(struct inet_diag_req_v2)`, and where it has the ports (`struct inet_diag_sockid`).
const FIXED: usize = 56;
const PORTS: usize = 8;

/// The attributes that may be asked for: `INET_DIAG_INFO` and `INET_DIAG_CONG`.
const INFO: u16 = 2;
const CONGESTION: u16 = 4;

/// `INET_DIAG_NOCOOKIE`: our sockets are found by their addresses.
const NO_COOKIE: u32 = u32::MAX;

/// What a request says.
#[derive(Clone, Copy, Debug)]
struct Question {
    family: i32,
    protocol: i32,
    /// A bit for each attribute that is asked for, the first for the first.
    extensions: u8,
    /// A bit for each state, by its number.
    states: u32,
    /// Ports; 0 for any.
    local: u16,
    remote: u16,
}

impl Question {
    /// # Errors
    /// `EINVAL` if it is too short.
    fn read(bytes: &[u8]) -> Result<Question, Errno> {
        let [family, protocol, extensions, _, rest @ ..] = bytes else { return Err(Errno::INVAL) };
        let ports = bytes.get(PORTS..).and_then(|ports| ports.first_chunk().copied());
        let (Some([a, b, c, d]), true) = (ports, bytes.len() >= FIXED) else { return Err(Errno::INVAL) };
        Ok(Question {
            family: i32::from(*family),
            protocol: i32::from(*protocol),
            extensions: *extensions,
            states: u32_at(rest, 0),
            local: u16::from_be_bytes([a, b]),
            remote: u16::from_be_bytes([c, d]),
        })
    }

    fn asks_for(&self, attribute: u16) -> bool {
        self.extensions & 1 << (attribute - 1) != 0
    }
}

pub(super) fn handle(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let Header { kind, flags, .. } = wish.request.header;
    match kind {
        BY_FAMILY => {}
        DESTROY => return Err(Errno::PERM),
        _ => return Err(Errno::INVAL),
    }
    if !matches!(wish.request.family(), libc::AF_INET | libc::AF_INET6) {
        // As a kernel without the module for it: what a program has of these is the kernel's, and in `/proc/net`.
        return Err(Errno::NOENT);
    }
    let question = Question::read(wish.request.payload)?;
    let mut found = view.sockets.iter().filter_map(|socket| encode(view, &question, socket));
    if flags & libc::NLM_F_DUMP as u16 != 0 {
        Ok(Reply::List(found.collect()))
    } else {
        found.next().map(Reply::One).ok_or(Errno::NOENT)
    }
}

/// One socket, if it is asked for.
fn encode(view: &View, question: &Question, socket: &SocketSnapshot) -> Option<Message> {
    let protocol = match socket.datagram {
        None => libc::IPPROTO_TCP,
        Some(Kind::Datagram) => libc::IPPROTO_UDP,
        Some(_) => return None,
    };
    let local = socket.local?;
    let nobody = SocketAddr::new(unspecified(local.ip()), 0);
    let remote = socket.remote.unwrap_or(nobody);
    // A datagram socket is called established if it is connected, and closed otherwise.
    let datagram_state = if socket.remote.is_some() { State::Established } else { State::Closed };
    let state = tcp_info::number(socket.state.unwrap_or(datagram_state));
    // Linux lists no stream socket that is not connected and does not listen.
    let is_listed = socket.datagram.is_some() || socket.state != Some(State::Closed);
    let is_asked_for = family(local.ip()) == question.family
        && protocol == question.protocol
        && question.states & 1 << state != 0
        && (question.local == 0 || question.local == local.port())
        && (question.remote == 0 || question.remote == remote.port());
    if !is_listed || !is_asked_for {
        return None;
    }
    let mut fixed = vec![question.family as u8, state, 0, 0];
    fixed.extend(local.port().to_be_bytes());
    fixed.extend(remote.port().to_be_bytes());
    for address in [local.ip(), remote.ip()] {
        let mut field = octets(address);
        field.resize(16, 0);
        fixed.extend(field);
    }
    let queue = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let user = rustix::process::getuid().as_raw();
    let numbers =
        [0, NO_COOKIE, NO_COOKIE, 0, queue(socket.receive_queue), queue(socket.send_queue), user, 0];
    fixed.extend(numbers.map(u32::to_ne_bytes).concat());
    let mut message = Message::new(BY_FAMILY, &fixed);
    if let Some(info) = &socket.tcp {
        if question.asks_for(INFO) {
            message.attribute(INFO, &tcp_info::layout(info, view.now));
        }
        if question.asks_for(CONGESTION) {
            message.string(CONGESTION, info.congestion.name());
        }
    }
    Some(message)
}
