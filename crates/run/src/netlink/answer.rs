//! From requests to answers, as the kernel does it for all protocols: `netlink_rcv_skb` and `netlink_ack` in
//! `net/netlink/af_netlink.c`.

use super::message::{HEADER, Header, Message, Request, Requests};
use super::{diagnosis, routing};
use crate::interface::View;
use rustix::io::Errno;

/// The first type that is no control message (`NLMSG_MIN_TYPE`).
const FIRST_TYPE: u16 = 16;

/// Messages of a list that go together are no longer than this: programs that do not look first have room for a page
/// (`NLMSG_GOODSIZE` on a machine with pages of 4 KiB, and what the kernel keeps of that for itself).
const TOGETHER: usize = 3776;

/// What a request asks for, with what is known of who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) request: Request<'a>,
    /// `NETLINK_GET_STRICT_CHK`: the fields of a request for a list say what is to be in it. Otherwise they say nothing.
    pub(super) is_strict: bool,
}

impl Wish<'_> {
    /// The address families that a list is to have.
    pub(super) fn families(&self) -> Vec<i32> {
        match self.request.family() {
            family @ (libc::AF_INET | libc::AF_INET6) => vec![family],
            // There is no list of any other family, so it is all of them.
            _ => vec![libc::AF_INET, libc::AF_INET6],
        }
    }
}

/// What a request comes to, if it does not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    One(Message),
    List(Vec<Message>),
    /// Nothing; an acknowledgement, if it is asked for.
    Nothing,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    /// Its port.
    pub(super) port: u32,
    pub(super) is_strict: bool,
    /// `NETLINK_CAP_ACK`: errors come without the request that they are about.
    pub(super) is_brief: bool,
    pub(super) protocol: Protocol,
}

/// What a program asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `NETLINK_ROUTE`: interfaces, routes, neighbours.
    Routing,
    /// `NETLINK_SOCK_DIAG`: sockets.
    Diagnosis,
}

impl Protocol {
    /// Its number.
    pub(super) fn number(self) -> i32 {
        match self {
            Protocol::Routing => libc::NETLINK_ROUTE,
            Protocol::Diagnosis => libc::NETLINK_SOCK_DIAG,
        }
    }
}

/// Answers the requests in what a program has sent at once. `tell` takes what the program is to read, piece by piece, and says
/// whether there is room for more. Where there is none, the answer begun is finished, and further requests are not looked
/// at. Whether all were.
pub(super) fn answer(bytes: &[u8], asker: Asker, view: &View, mut tell: impl FnMut(Vec<u8>) -> bool) -> bool {
    let mut has_room = true;
    for request in Requests(bytes) {
        if !has_room {
            return false;
        }
        let wish = Wish { request, is_strict: asker.is_strict };
        let is_request = request.header.flags & libc::NLM_F_REQUEST as u16 != 0;
        let outcome = match asker.protocol {
            _ if !is_request || request.header.kind < FIRST_TYPE => Ok(Reply::Nothing),
            Protocol::Routing => routing::handle(view, &wish),
            Protocol::Diagnosis => diagnosis::handle(view, &wish),
        };
        let wants_acknowledgement = request.header.flags & libc::NLM_F_ACK as u16 != 0;
        let head = |kind, flags: i32| Header {
            kind,
            flags: flags as u16,
            sequence: request.header.sequence,
            port: asker.port,
        };
        let mut pieces = Vec::new();
        match outcome {
            // Its end acknowledges a list.
            Ok(Reply::List(messages)) => pieces = list(&messages, head),
            Ok(reply) => {
                if let Reply::One(message) = reply {
                    pieces.push(head(message.kind, 0).frame(&message.payload));
                }
                if wants_acknowledgement {
                    pieces.push(acknowledgement(&request, None, head, asker));
                }
            }
            Err(error) => pieces.push(acknowledgement(&request, Some(error), head, asker)),
        }
        for piece in pieces {
            has_room = tell(piece);
        }
    }
    true
}

/// A list, in pieces that go together, with its end.
fn list(messages: &[Message], head: impl Fn(u16, i32) -> Header) -> Vec<Vec<u8>> {
    let framed = messages.iter().map(|message| head(message.kind, libc::NLM_F_MULTI).frame(&message.payload));
    let end = head(libc::NLMSG_DONE as u16, libc::NLM_F_MULTI).frame(&0i32.to_ne_bytes());
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for message in framed {
        match pieces.last_mut() {
            Some(last) if last.len() + message.len() <= TOGETHER => last.extend(message),
            _ => pieces.push(message),
        }
    }
    // By itself: there are programs that look for it only at the beginning.
    pieces.push(end);
    pieces
}

/// How a request has ended: `NLMSG_ERROR`, with the number 0 for success. It has the request's header behind it, and if it has
/// failed the whole request, unless the program does not want that.
fn acknowledgement(
    request: &Request<'_>,
    error: Option<Errno>,
    head: impl Fn(u16, i32) -> Header,
    asker: Asker,
) -> Vec<u8> {
    let number = error.map_or(0, |error| -error.raw_os_error());
    let is_capped = error.is_none() || asker.is_brief;
    let about = if is_capped { request.whole.get(..HEADER).unwrap_or_default() } else { request.whole };
    let flags = if is_capped { libc::NLM_F_CAPPED } else { 0 };
    head(libc::NLMSG_ERROR as u16, flags).frame(&[&number.to_ne_bytes(), about].concat())
}
