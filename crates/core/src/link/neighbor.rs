//! One cache of neighbours for ARP and NDP, with the states of RFC 4861 section 7.3.2.
//!
//! The cache decides; the link speaks: whatever is to be asked comes out as an [`Ask`]. A reachable neighbour has no
//! timer: that its time is over is noticed when it is next used. So a link without traffic waits for nothing.

use core::hash::BuildHasher;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use super::queue::{Parked, Queue};
use super::{Neighbor, NeighborState};
use crate::hash::{SecretMap, SecretState};
use crate::time::Instant;
use crate::wire::ethernet::MacAddr;

/// The most neighbours; beyond it the least useful is forgotten.
pub(super) const MOST_NEIGHBORS: usize = 1024;
/// The most memory for packets parked for one neighbour, in bytes.
pub(super) const MOST_PARKED_EACH: usize = 256 << 10;
/// The most memory for all parked packets, in bytes.
pub(super) const MOST_PARKED: usize = 4 << 20;

/// `RETRANS_TIMER` (RFC 4861 section 10).
const RETRANSMIT: Duration = Duration::from_secs(1);
/// `MAX_MULTICAST_SOLICIT` and `MAX_UNICAST_SOLICIT`.
const MOST_ASKED: u8 = 3;
/// `DELAY_FIRST_PROBE_TIME`.
const DELAY: Duration = Duration::from_secs(5);
/// `REACHABLE_TIME`, before it is spread between half and one and a half of it.
const REACHABLE: Duration = Duration::from_secs(30);
/// While packets keep coming for a neighbour that has not answered, it is asked this often: a lost question would cost
/// them all a second otherwise.
const IMPATIENT: Duration = Duration::from_millis(250);

/// A question for the link to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// About whom.
    pub(super) address: IpAddr,
    /// Whom: the neighbour itself, or everybody.
    pub(super) at: Option<MacAddr>,
}

/// What has become due.
#[derive(Debug)]
pub(super) enum Due {
    /// A question.
    Ask(Ask),
    /// Nobody has answered: the neighbour is forgotten, its packets come back.
    Failed(IpAddr, Queue),
    /// Only a state changed.
    Nothing,
}

/// What came of parking a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parking {
    /// A question to be put now.
    pub(super) ask: Option<Ask>,
    /// Whether the packet is kept.
    pub(super) is_kept: bool,
}

/// Whether something heard of a neighbour makes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It does: the neighbour spoke to us.
    Add,
    /// It does not: only what is known is brought up to date.
    Ignore,
}

/// An answer heard, in the terms of RFC 4861 section 4.4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) mac: Option<MacAddr>,
    /// It answers a question of ours: the neighbour hears us.
    pub(super) solicited: bool,
    /// It replaces a MAC address known already.
    pub(super) overrides: bool,
}

#[derive(Debug)]
struct Entry {
    mac: Option<MacAddr>,
    state: NeighborState,
    /// When the state began: with it, the place in `order`.
    since: Instant,
    /// The place in `due`; [`Instant::MAX`]: none.
    due: Instant,
    reachable_until: Instant,
    asked: u8,
    last_asked: Instant,
    queue: Queue,
}

/// The neighbours of one link.
#[derive(Debug)]
pub(super) struct Neighbors {
    entries: SecretMap<IpAddr, Entry>,
    due: BTreeSet<(Instant, IpAddr)>,
    /// Who is forgotten first when there are too many; permanent ones are not in it.
    order: BTreeSet<(u8, Instant, IpAddr)>,
    parked_cost: usize,
    parked: usize,
    /// Packets that had to make room.
    dropped: VecDeque<Parked>,
    secret: SecretState,
    rolls: u64,
}

/// Those known of old are forgotten first, those in use last.
fn rank(state: NeighborState) -> u8 {
    match state {
        NeighborState::Stale => 0,
        NeighborState::Incomplete => 1,
        NeighborState::Reachable => 2,
        NeighborState::Delay | NeighborState::Probe | NeighborState::Permanent => 3,
    }
}

impl Neighbors {
    pub(super) fn new(secret: SecretState) -> Neighbors {
        Neighbors {
            entries: SecretMap::with_hasher(secret),
            due: BTreeSet::new(),
            order: BTreeSet::new(),
            parked_cost: 0,
            parked: 0,
            dropped: VecDeque::new(),
            secret,
            rolls: 0,
        }
    }

    /// The MAC address to send to, if known. Using a neighbour that was not heard of for long starts its check.
    pub(super) fn resolve(&mut self, now: Instant, address: IpAddr) -> Option<MacAddr> {
        let entry = self.entries.get_mut(&address)?;
        match entry.state {
            NeighborState::Incomplete => None,
            NeighborState::Permanent | NeighborState::Delay | NeighborState::Probe => entry.mac,
            NeighborState::Reachable if now <= entry.reachable_until => entry.mac,
            NeighborState::Reachable | NeighborState::Stale => {
                let mac = entry.mac;
                self.enter(now, address, NeighborState::Delay, now + DELAY);
                mac
            }
        }
    }

    /// Keeps a packet for a neighbour whose MAC address [`Neighbors::resolve`] does not know.
    pub(super) fn park(&mut self, now: Instant, address: IpAddr, packet: Parked) -> Parking {
        let mut ask = None;
        if !self.entries.contains_key(&address) {
            self.add(now, address, None, NeighborState::Incomplete, now + RETRANSMIT);
            ask = Some(Ask { address, at: None });
        }
        let Some(entry) = self.entries.get_mut(&address) else { return Parking { ask, is_kept: false } };
        if ask.is_none() && now.since(entry.last_asked) >= IMPATIENT {
            entry.last_asked = now;
            ask = Some(Ask { address, at: None });
        }
        let cost = packet.cost();
        while entry.queue.cost() + cost > MOST_PARKED_EACH || self.parked_cost + cost > MOST_PARKED {
            let Some(oldest) = entry.queue.pop() else { break };
            self.parked_cost = self.parked_cost.saturating_sub(oldest.cost());
            self.parked -= 1;
            self.dropped.push_back(oldest);
        }
        if self.parked_cost + cost > MOST_PARKED {
            return Parking { ask, is_kept: false };
        }
        self.parked_cost += cost;
        self.parked += 1;
        entry.queue.push(packet);
        Parking { ask, is_kept: true }
    }

    /// The next packet that had to make room for others.
    pub(super) fn pop_dropped(&mut self) -> Option<Parked> {
        self.dropped.pop_front()
    }

    /// A neighbour said something by the way from which its MAC address can be seen (an ARP request, a solicitation).
    /// Whether its packets can leave now.
    pub(super) fn on_hint(&mut self, now: Instant, address: IpAddr, mac: MacAddr, unknown: Unknown) -> bool {
        match self.entries.get_mut(&address) {
            None if unknown == Unknown::Add => {
                self.add(now, address, Some(mac), NeighborState::Stale, Instant::MAX);
                false
            }
            Some(entry) if entry.state != NeighborState::Permanent && entry.mac != Some(mac) => {
                entry.mac = Some(mac);
                self.enter(now, address, NeighborState::Stale, Instant::MAX);
                true
            }
            _ => false,
        }
    }

    /// A neighbour answered, or announced itself (RFC 4861 section 7.2.5). Whether its packets can leave now. Of
    /// neighbours nobody asked for nothing is learnt.
    pub(super) fn on_answer(&mut self, now: Instant, address: IpAddr, answer: Answer) -> bool {
        let Some(entry) = self.entries.get_mut(&address) else { return false };
        if entry.state == NeighborState::Permanent {
            return false;
        }
        let is_changed = answer.mac.is_some_and(|mac| entry.mac != Some(mac));
        if entry.state == NeighborState::Incomplete && !is_changed {
            return false; // it does not say where it is
        }
        if is_changed && !answer.overrides && entry.state != NeighborState::Incomplete {
            // Somebody contradicts what is known, without claiming to know better: it is to be checked.
            if entry.state == NeighborState::Reachable {
                self.enter(now, address, NeighborState::Stale, Instant::MAX);
            }
            return false;
        }
        if is_changed {
            entry.mac = answer.mac;
        }
        if answer.solicited {
            self.reached(now, address);
        } else if is_changed {
            self.enter(now, address, NeighborState::Stale, Instant::MAX);
        }
        is_changed
    }

    /// The layer above knows that packets reach the neighbour.
    pub(super) fn confirm(&mut self, now: Instant, address: IpAddr) {
        match self.entries.get(&address).map(|entry| (entry.state, entry.reachable_until)) {
            // Often called: the half that is left does until the next call.
            Some((NeighborState::Reachable, until)) if until.since(now) > REACHABLE / 3 => {}
            None | Some((NeighborState::Incomplete | NeighborState::Permanent, _)) => {}
            Some(_) => self.reached(now, address),
        }
    }

    /// A neighbour set by hand. Whether packets can leave now.
    pub(super) fn set_permanent(&mut self, now: Instant, address: IpAddr, mac: MacAddr) -> bool {
        if !self.entries.contains_key(&address) {
            self.add(now, address, Some(mac), NeighborState::Permanent, Instant::MAX);
        }
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.mac = Some(mac);
        }
        self.enter(now, address, NeighborState::Permanent, Instant::MAX);
        true
    }

    /// The oldest packet parked for a neighbour.
    pub(super) fn unpark(&mut self, address: IpAddr) -> Option<Parked> {
        let packet = self.entries.get_mut(&address)?.queue.pop()?;
        self.parked_cost = self.parked_cost.saturating_sub(packet.cost());
        self.parked -= 1;
        Some(packet)
    }

    /// The question just asked could not be put: it does not count.
    pub(super) fn on_not_asked(&mut self, address: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.asked = entry.asked.saturating_sub(1);
        }
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next thing that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        let &(at, address) = self.due.first()?;
        if at > now {
            return None;
        }
        let Some(entry) = self.entries.get_mut(&address) else {
            self.due.remove(&(at, address));
            return Some(Due::Nothing);
        };
        match entry.state {
            NeighborState::Incomplete | NeighborState::Probe if entry.asked >= MOST_ASKED => {
                let queue = self.forget(address);
                Some(Due::Failed(address, queue))
            }
            NeighborState::Incomplete | NeighborState::Probe => {
                entry.asked += 1;
                entry.last_asked = now;
                let ask = Ask { address, at: entry.mac };
                self.reschedule(address, now + RETRANSMIT);
                Some(Due::Ask(ask))
            }
            NeighborState::Delay => {
                let ask = Ask { address, at: entry.mac };
                self.enter(now, address, NeighborState::Probe, now + RETRANSMIT);
                Some(Due::Ask(ask))
            }
            _ => {
                self.reschedule(address, Instant::MAX);
                Some(Due::Nothing)
            }
        }
    }

    /// Packets that wait.
    pub(super) fn parked(&self) -> usize {
        self.parked
    }

    /// Every neighbour.
    pub(super) fn iter(&self) -> impl Iterator<Item = Neighbor> {
        self.entries.iter().map(|(address, entry)| Neighbor {
            address: *address,
            mac: entry.mac,
            state: entry.state,
            parked: entry.queue.len(),
        })
    }

    fn reached(&mut self, now: Instant, address: IpAddr) {
        self.rolls += 1;
        // Spread, so that the neighbours of many hosts are not all checked at once.
        let spread = self.secret.hash_one(self.rolls) % 1024;
        let time = REACHABLE / 2 + REACHABLE * (spread as u32) / 1024;
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.reachable_until = now + time;
        }
        self.enter(now, address, NeighborState::Reachable, Instant::MAX);
    }

    fn add(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: Option<MacAddr>,
        state: NeighborState,
        due: Instant,
    ) {
        if self.entries.len() >= MOST_NEIGHBORS
            && let Some(&(_, _, least)) = self.order.first()
        {
            let mut queue = self.forget(least);
            self.dropped.extend(core::iter::from_fn(|| queue.pop()));
        }
        let entry = Entry {
            mac,
            state,
            since: now,
            due: Instant::MAX,
            reachable_until: now,
            asked: 1,
            last_asked: now,
            queue: Queue::default(),
        };
        self.entries.insert(address, entry);
        self.order.insert((rank(state), now, address));
        self.reschedule(address, due);
    }

    fn forget(&mut self, address: IpAddr) -> Queue {
        self.reschedule(address, Instant::MAX);
        let Some(entry) = self.entries.remove(&address) else { return Queue::default() };
        self.order.remove(&(rank(entry.state), entry.since, address));
        self.parked_cost = self.parked_cost.saturating_sub(entry.queue.cost());
        self.parked -= entry.queue.len();
        entry.queue
    }

    fn enter(&mut self, now: Instant, address: IpAddr, state: NeighborState, due: Instant) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        self.order.remove(&(rank(entry.state), entry.since, address));
        entry.state = state;
        entry.since = now;
        entry.asked = 1;
        if state != NeighborState::Permanent {
            self.order.insert((rank(state), now, address));
        }
        self.reschedule(address, due);
    }

    fn reschedule(&mut self, address: IpAddr, due: Instant) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        if entry.due != Instant::MAX {
            self.due.remove(&(entry.due, address));
        }
        entry.due = due;
        if due != Instant::MAX {
            self.due.insert((due, address));
        }
    }
}
