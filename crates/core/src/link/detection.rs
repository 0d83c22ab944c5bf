//! Our own addresses on the link, and whether they are ours already: duplicate address detection (RFC 5227 for IPv4,
//! RFC 4862 section 5.4 for IPv6) and announcements.

use core::hash::BuildHasher;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::Detection;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::ip::Cidr;

/// `PROBE_WAIT`, `MAX_RTR_SOLICITATION_DELAY`: the first probe is spread over this time.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// `PROBE_NUM`.
const ARP_PROBES: u8 = 3;
/// `PROBE_MIN`; `PROBE_MAX` is twice as long.
const PROBE_MIN: Duration = Duration::from_secs(1);
/// `ANNOUNCE_WAIT`.
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
/// `ANNOUNCE_NUM`.
const ANNOUNCEMENTS: u8 = 2;
/// `ANNOUNCE_INTERVAL`.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
/// `DupAddrDetectTransmits`.
const NDP_PROBES: u8 = 1;
/// `RETRANS_TIMER`.
const NDP_INTERVAL: Duration = Duration::from_secs(1);
/// `DEFEND_INTERVAL`: an address is not defended more often.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asking whether somebody has it; this many times so far.
    Tentative(u8),
    /// Ours; this many announcements are left.
    Ours(u8),
}

/// What is to be done for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask whether somebody has it.
    Probe(IpAddr),
    /// It is ours from now on; announce it.
    Settle(IpAddr),
    /// Announce it once more.
    Announce(IpAddr),
}

#[derive(Debug)]
struct Own {
    cidr: Cidr,
    phase: Phase,
    /// [`Instant::MAX`]: nothing is due.
    due: Instant,
    /// Before this time it is not defended again.
    defend_after: Instant,
}

/// Our addresses on one link: a handful.
#[derive(Debug)]
pub(super) struct Addresses {
    all: Vec<Own>,
    secret: SecretState,
    rolls: u64,
}

impl Addresses {
    pub(super) fn new(secret: SecretState) -> Addresses {
        Addresses { all: Vec::new(), secret, rolls: 0 }
    }

    /// Adds an address (again). It is ours at once with [`Detection::Off`], which the caller then announces.
    pub(super) fn add(&mut self, now: Instant, cidr: Cidr, detection: Detection) {
        self.remove(cidr.address());
        let (phase, due) = match detection {
            Detection::Off => (Phase::Ours(0), Instant::MAX),
            Detection::On => (Phase::Tentative(0), now + self.spread(PROBE_WAIT)),
        };
        self.all.push(Own { cidr, phase, due, defend_after: now });
    }

    /// Takes an address away. Whether it was there.
    pub(super) fn remove(&mut self, address: IpAddr) -> bool {
        let before = self.all.len();
        self.all.retain(|own| own.cidr.address() != address);
        self.all.len() < before
    }

    /// Whether the address is ours, and to be answered for.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        self.find(address).is_some_and(|own| matches!(own.phase, Phase::Ours(_)))
    }

    /// Whether the address is being probed.
    pub(super) fn is_tentative(&self, address: IpAddr) -> bool {
        self.find(address).is_some_and(|own| matches!(own.phase, Phase::Tentative(_)))
    }

    /// Whether an address that could ask for `target` is still being probed.
    pub(super) fn awaits(&self, target: IpAddr) -> bool {
        let is_same = |own: &Own| own.cidr.address().is_ipv4() == target.is_ipv4();
        self.all.iter().any(|own| is_same(own) && matches!(own.phase, Phase::Tentative(_)))
    }

    /// The address to ask for an IPv4 neighbour with.
    pub(super) fn source_v4(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        match self.source(target.into())? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }

    /// The address to ask for an IPv6 neighbour with.
    pub(super) fn source_v6(&self, target: Ipv6Addr) -> Option<Ipv6Addr> {
        match self.source(target.into())? {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        }
    }

    /// One of the target's subnet, or else any of its family.
    fn source(&self, target: IpAddr) -> Option<IpAddr> {
        let usable = || {
            let is_same = |own: &&Own| own.cidr.address().is_ipv4() == target.is_ipv4();
            self.all.iter().filter(is_same).filter(|own| matches!(own.phase, Phase::Ours(_)))
        };
        let own = usable().find(|own| own.cidr.contains(target)).or_else(|| usable().next())?;
        Some(own.cidr.address())
    }

    /// Whether an address that somebody else claims is to be defended now: not more than once in ten seconds, or two
    /// stubborn hosts would fill the link.
    pub(super) fn defends(&mut self, now: Instant, address: IpAddr) -> bool {
        let Some(own) = self.all.iter_mut().find(|own| own.cidr.address() == address) else { return false };
        if !matches!(own.phase, Phase::Ours(_)) || now < own.defend_after {
            return false;
        }
        own.defend_after = now + DEFEND_INTERVAL;
        true
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.all.iter().map(|own| own.due).min().filter(|due| *due != Instant::MAX)
    }

    /// The next thing that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Step> {
        let between = PROBE_MIN + self.spread(PROBE_MIN);
        let own = self.all.iter_mut().find(|own| own.due <= now && own.due != Instant::MAX)?;
        let address = own.cidr.address();
        let (probes, interval, wait, announcements) = match address {
            IpAddr::V4(_) => (ARP_PROBES, between, ANNOUNCE_WAIT, ANNOUNCEMENTS),
            IpAddr::V6(_) => (NDP_PROBES, NDP_INTERVAL, NDP_INTERVAL, 1),
        };
        match own.phase {
            Phase::Tentative(sent) if sent < probes => {
                own.phase = Phase::Tentative(sent + 1);
                own.due = now + if sent + 1 < probes { interval } else { wait };
                Some(Step::Probe(address))
            }
            Phase::Tentative(_) => {
                own.phase = Phase::Ours(announcements - 1);
                own.due = if announcements > 1 { now + ANNOUNCE_INTERVAL } else { Instant::MAX };
                Some(Step::Settle(address))
            }
            Phase::Ours(left) => {
                own.phase = Phase::Ours(left.saturating_sub(1));
                own.due = if left > 1 { now + ANNOUNCE_INTERVAL } else { Instant::MAX };
                Some(Step::Announce(address))
            }
        }
    }

    fn find(&self, address: IpAddr) -> Option<&Own> {
        self.all.iter().find(|own| own.cidr.address() == address)
    }

    /// A time between nothing and `most`.
    fn spread(&mut self, most: Duration) -> Duration {
        self.rolls += 1;
        most * (self.secret.hash_one(self.rolls) % 1024) as u32 / 1024
    }
}
