//! From requests to answers, as the kernel does it: `netlink_rcv_skb` and `netlink_ack` in `net/netlink/af_netlink.c`,
//! `rtnetlink_rcv_msg` in `net/core/rtnetlink.c`.

use super::message::{HEADER, Header, Message, Request, Requests};
use super::{address, link, neighbor, route, rule};
use crate::interface::View;
use rustix::io::Errno;

/// The first type that is no control message (`NLMSG_MIN_TYPE`), and the last that there is (`RTM_MAX`).
const FIRST_TYPE: u16 = 16;
const LAST_TYPE: u16 = 123;

/// What the last two bits of a type say: `RTNL_KIND_GET`. The others are changes.
const GET: u16 = 2;

/// Messages of a list that go together are no longer than this: programs that do not look first have room for a page
/// (`NLMSG_GOODSIZE` on a machine with pages of 4 KiB, and what the kernel keeps of that for itself).
const TOGETHER: usize = 3776;

/// `RTM_GETNEXTHOP`.
const GET_NEXT_HOP: u16 = 106;

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
}

/// Answers the requests in what a program has sent at once. `tell` takes what the program is to read, one piece after the other,
/// as long as there is room: then the rest is not even looked at.
pub(super) fn answer(bytes: &[u8], asker: Asker, view: &View, mut tell: impl FnMut(Vec<u8>) -> bool) {
    for request in Requests(bytes) {
        let outcome = handle(view, &Wish { request, is_strict: asker.is_strict });
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
            if !tell(piece) {
                return;
            }
        }
    }
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

/// What becomes of one request.
fn handle(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let Header { kind, flags, .. } = wish.request.header;
    if flags & libc::NLM_F_REQUEST as u16 == 0 || kind < FIRST_TYPE {
        return Ok(Reply::Nothing);
    }
    if kind > LAST_TYPE {
        return Err(Errno::OPNOTSUPP);
    }
    if wish.request.payload.is_empty() {
        return Ok(Reply::Nothing);
    }
    if kind & 3 != GET {
        // As for a program without privileges on the real machine: a host's configuration is given from outside.
        return Err(Errno::PERM);
    }
    if flags & libc::NLM_F_DUMP as u16 == 0 {
        return match kind {
            libc::RTM_GETLINK => link::one(view, wish),
            libc::RTM_GETROUTE => route::one(view, wish),
            libc::RTM_GETNEIGH => neighbor::one(view, wish),
            libc::RTM_GETNSID => namespace(wish),
            _ => Err(Errno::OPNOTSUPP),
        };
    }
    Ok(Reply::List(match kind {
        libc::RTM_GETLINK => link::all(view, wish),
        libc::RTM_GETADDR => address::all(view, wish),
        libc::RTM_GETROUTE => route::all(view, wish),
        libc::RTM_GETNEIGH => neighbor::all(view, wish),
        libc::RTM_GETRULE => rule::all(wish),
        // Our hosts have nothing of these, which Linux knows how to list.
        libc::RTM_GETQDISC
        | libc::RTM_GETTCLASS
        | libc::RTM_GETTFILTER
        | libc::RTM_GETNEIGHTBL
        | libc::RTM_GETADDRLABEL
        | libc::RTM_GETMULTICAST
        | libc::RTM_GETANYCAST
        | libc::RTM_GETNETCONF
        | libc::RTM_GETNSID
        | libc::RTM_GETSTATS
        | GET_NEXT_HOP => Vec::new(),
        _ => return Err(Errno::OPNOTSUPP),
    }))
}

/// `NETNSA_NSID`, and what it says of a namespace that has no number here (`NETNSA_NSID_NOT_ASSIGNED`).
const NAMESPACE: u16 = 1;
const NO_NUMBER: u32 = u32::MAX;

/// The number of another network namespace, which none has: the host knows only itself.
fn namespace(wish: &Wish<'_>) -> Result<Reply, Errno> {
    wish.request.attributes(1).next().ok_or(Errno::INVAL)?;
    let mut message = Message::new(libc::RTM_NEWNSID, &[libc::AF_UNSPEC as u8]);
    message.number(NAMESPACE, NO_NUMBER);
    Ok(Reply::One(message))
}
