//! The largest packets known to get through to certain destinations (RFC 1191, RFC 8201).

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use super::{Fragmentation, Network};
use crate::hash::{SecretMap, SecretState};
use crate::time::Instant;

/// After this time a larger packet is tried again (RFC 1191 section 6.3, RFC 8201 section 4).
const AGE: Duration = Duration::from_secs(600);
/// The most destinations; beyond it the one that would be forgotten first makes room.
const MOST: usize = 1024;
/// No router is believed that claims less. IPv6 guarantees its number (RFC 8200 section 5). IPv4's is that of Linux:
/// below it somebody is more likely to lie, so as to make us send crumbs.
const LEAST_V4: usize = 552;
const LEAST_V6: usize = 1280;

/// Typical MTUs, for routers that report none (RFC 1191 section 7.1).
const PLATEAUS: [usize; 10] = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 552, 296];

/// What is known of paths.
#[derive(Debug)]
pub(super) struct PathMtus {
    table: SecretMap<IpAddr, Known>,
    expiry: BTreeSet<(Instant, IpAddr)>,
}

/// What is known of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The largest packet, in bytes.
    pub(super) mtu: usize,
    /// Whether routers may cut packets: where one claims to carry less than is believed.
    pub(super) fragmentation: Fragmentation,
    expires: Instant,
}

impl PathMtus {
    pub(super) fn new(secret: SecretState) -> PathMtus {
        PathMtus { table: SecretMap::with_hasher(secret), expiry: BTreeSet::new() }
    }

    /// What a destination is known to receive.
    pub(super) fn get(&self, destination: IpAddr) -> Option<Known> {
        if self.table.is_empty() {
            return None;
        }
        self.table.get(&destination).copied()
    }

    /// Notes a report, and answers what is now believed. Reports of more than is known already change nothing.
    pub(super) fn lower(&mut self, now: Instant, destination: IpAddr, mtu: usize) -> usize {
        let least = if destination.is_ipv4() { LEAST_V4 } else { LEAST_V6 };
        // Should the claim be true all the same, packets must be cut on the way, or none would arrive.
        let mut fragmentation = if mtu < least && destination.is_ipv4() {
            Fragmentation::Allowed
        } else {
            Fragmentation::Forbidden
        };
        let mtu = mtu.max(least);
        if let Some(known) = self.table.get(&destination).copied() {
            if known.mtu < mtu {
                return known.mtu;
            }
            if known.fragmentation == Fragmentation::Allowed {
                fragmentation = known.fragmentation;
            }
            self.expiry.remove(&(known.expires, destination));
        } else if self.table.len() >= MOST
            && let Some((_, oldest)) = self.expiry.pop_first()
        {
            self.table.remove(&oldest);
        }
        self.table.insert(destination, Known { mtu, fragmentation, expires: now + AGE });
        self.expiry.insert((now + AGE, destination));
        mtu
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.expiry.first().map(|(at, _)| *at)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(&(at, destination)) = self.expiry.first()
            && at <= now
        {
            self.expiry.pop_first();
            self.table.remove(&destination);
        }
    }
}

/// What to assume when a packet of `length` bytes was too big for a router that does not say what would fit.
pub(super) fn plateau_below(length: usize) -> usize {
    PLATEAUS.into_iter().find(|plateau| *plateau < length).unwrap_or(68)
}

impl Network {
    /// A router on the way to `destination` carries packets of at most `mtu` bytes. Answers what is now believed.
    /// [`Network::receive`] only hands such reports up ([`IcmpError::mtu`](super::IcmpError::mtu)): whether the packet that
    /// they are about was ever sent, and so whether they are to be believed, the transport layer knows (RFC 5927 section 7).
    pub fn on_packet_too_big(&mut self, now: Instant, destination: IpAddr, mtu: usize) -> usize {
        self.path_mtus.lower(now, destination, mtu)
    }

    /// The largest packet known to reach `destination`, in bytes, if a router has said so in the last ten minutes.
    pub fn path_mtu(&self, destination: IpAddr) -> Option<usize> {
        self.path_mtus.get(destination).map(|known| known.mtu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PathMtus {
        PathMtus::new(SecretState::new(1, 2))
    }

    fn mtu(mtus: &PathMtus, destination: IpAddr) -> Option<usize> {
        mtus.get(destination).map(|known| known.mtu)
    }

    #[test]
    fn only_less_is_believed_and_not_too_little() {
        let (mut mtus, now) = (table(), Instant::ZERO);
        let (v4, v6) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(mtu(&mtus, v4), None);
        assert_eq!(mtus.lower(now, v4, 1400), 1400);
        assert_eq!(mtus.lower(now, v4, 1450), 1400);
        assert_eq!(mtus.lower(now, v4, 68), 552);
        assert_eq!(mtus.lower(now, v6, 68), 1280);
        assert_eq!((mtu(&mtus, v4), mtu(&mtus, v6)), (Some(552), Some(1280)));
    }

    #[test]
    fn packets_may_be_cut_where_a_claim_is_not_believed() {
        let (mut mtus, now) = (table(), Instant::ZERO);
        let to = IpAddr::from([10, 0, 0, 1]);
        let fragmentation = |mtus: &PathMtus| mtus.get(to).map(|known| known.fragmentation);
        mtus.lower(now, to, 552);
        assert_eq!(fragmentation(&mtus), Some(Fragmentation::Forbidden));
        mtus.lower(now, to, 551);
        assert_eq!((mtu(&mtus, to), fragmentation(&mtus)), (Some(552), Some(Fragmentation::Allowed)));
        mtus.lower(now, to, 552);
        assert_eq!(fragmentation(&mtus), Some(Fragmentation::Allowed), "the narrow link is still there");
    }

    #[test]
    fn what_is_known_is_forgotten_after_ten_minutes() {
        let mut mtus = table();
        let to = IpAddr::from([10, 0, 0, 1]);
        mtus.lower(Instant::ZERO, to, 1400);
        mtus.lower(Instant::from_secs(60), to, 1400); // heard again: counts from then
        assert_eq!(mtus.next_due(), Some(Instant::from_secs(660)));
        mtus.expire(Instant::from_secs(659));
        assert_eq!(mtu(&mtus, to), Some(1400));
        mtus.expire(Instant::from_secs(660));
        assert_eq!((mtu(&mtus, to), mtus.next_due()), (None, None));
    }

    #[test]
    fn a_flood_of_reports_takes_bounded_memory() {
        let mut mtus = table();
        for number in 0..10_000u32 {
            mtus.lower(Instant::from_millis(number.into()), IpAddr::from(number.to_be_bytes()), 1400);
        }
        assert_eq!((mtus.table.len(), mtus.expiry.len()), (MOST, MOST));
        assert_eq!(mtu(&mtus, IpAddr::from(9999u32.to_be_bytes())), Some(1400));
        assert_eq!(mtu(&mtus, IpAddr::from(1u32.to_be_bytes())), None);
    }

    #[test]
    fn plateaus_go_down_to_the_least_there_is() {
        assert_eq!([1500, 1492, 1006, 552, 100].map(plateau_below), [1492, 1006, 552, 296, 68]);
    }
}
