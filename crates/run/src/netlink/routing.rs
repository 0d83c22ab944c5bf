//! What there is to ask about interfaces, routes and neighbours: `rtnetlink_rcv_msg` in `net/core/rtnetlink.c`.

use super::answer::{Reply, Wish};
use super::message::{Header, Message};
use super::{address, link, neighbor, route, rule};
use crate::interface::View;
use rustix::io::Errno;

/// The last type that there is (`RTM_MAX`).
const LAST_TYPE: u16 = 123;

/// What the last two bits of a type say: `RTNL_KIND_GET`. The others are changes.
const GET: u16 = 2;

/// `RTM_GETNEXTHOP`.
const GET_NEXT_HOP: u16 = 106;

/// What becomes of one request.
pub(super) fn handle(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let Header { kind, flags, .. } = wish.request.header;
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
