//! Neighbours: `RTM_GETNEIGH` (`include/uapi/linux/neighbour.h`).

use super::address::{family, from_octets, octets};
use super::answer::{Reply, Wish};
use super::message::{Message, u32_at};
use crate::interface::{Interface, View};
use rustix::io::Errno;
use sockeye::sockeye_core::link::{Neighbor, NeighborState};

/// `sizeof(struct ndmsg)`.
const FIXED: usize = 12;

/// `NTF_PROXY`: asks for addresses that the host answers for in the name of others. There are none.
const FOR_OTHERS: u8 = 0x08;

fn state(neighbor: &Neighbor) -> u16 {
    match neighbor.state {
        NeighborState::Incomplete => libc::NUD_INCOMPLETE,
        NeighborState::Reachable => libc::NUD_REACHABLE,
        NeighborState::Stale => libc::NUD_STALE,
        NeighborState::Delay => libc::NUD_DELAY,
        NeighborState::Probe => libc::NUD_PROBE,
        NeighborState::Permanent => libc::NUD_PERMANENT,
    }
}

fn encode(interface: &Interface, neighbor: &Neighbor) -> Message {
    let mut fixed = vec![family(neighbor.address) as u8, 0, 0, 0];
    fixed.extend(interface.index.to_ne_bytes());
    fixed.extend(state(neighbor).to_ne_bytes());
    fixed.extend([0, libc::RTN_UNICAST]);
    let mut message = Message::new(libc::RTM_NEWNEIGH, &fixed);
    message.attribute(libc::NDA_DST, &octets(neighbor.address));
    if let Some(mac) = neighbor.mac {
        message.attribute(libc::NDA_LLADDR, &mac.0);
    }
    message
}

fn flags(wish: &Wish<'_>) -> u8 {
    wish.request.payload.get(10).copied().unwrap_or(0)
}

/// The index that is asked for, in the fixed part or as an attribute.
fn index(wish: &Wish<'_>) -> Option<u32> {
    let attribute = wish.request.attributes(FIXED).number(libc::NDA_IFINDEX);
    attribute.or_else(|| Some(u32_at(wish.request.payload, 4))).filter(|index| *index != 0)
}

pub(super) fn all(view: &View, wish: &Wish<'_>) -> Vec<Message> {
    if flags(wish) & FOR_OTHERS != 0 {
        return Vec::new();
    }
    let only = index(wish);
    let mut messages = Vec::new();
    for wanted in wish.families() {
        for interface in &view.interfaces {
            if only.is_none_or(|index| index == interface.index) {
                let known = interface.neighbors.iter().filter(|known| family(known.address) == wanted);
                messages.extend(known.map(|known| encode(interface, known)));
            }
        }
    }
    messages
}

/// One neighbour, by address and interface.
pub(super) fn one(view: &View, wish: &Wish<'_>) -> Result<Reply, Errno> {
    let address = wish.request.attributes(FIXED).find_last(libc::NDA_DST).and_then(from_octets);
    let address = address.ok_or(Errno::INVAL)?;
    let interface = view.by_index(index(wish).ok_or(Errno::INVAL)?).ok_or(Errno::NODEV)?;
    let known = interface.neighbors.iter().find(|known| known.address == address).ok_or(Errno::NOENT)?;
    Ok(Reply::One(encode(interface, known)))
}
