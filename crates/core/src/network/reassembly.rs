//! Fragments until they are whole packets again (RFC 791, RFC 815, RFC 8200 section 4.5).
//!
//! Pieces are kept as they came and joined once, at the end. Fragments that overlap condemn the whole packet, together
//! with those of its fragments that are still to come (RFC 5722, and for IPv4 too: no honest sender makes them). Exact
//! duplicates are the network's doing and are ignored. Memory is bounded for all and for each source; where it runs
//! out, the oldest packet gives way.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use super::interface::is_link_local;
use super::{Cast, InterfaceId};
use crate::drop_reason::DropReason;
use crate::hash::{SecretMap, SecretState};
use crate::time::Instant;
use crate::wire::checksum;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::ipv6::Ipv6Header;

/// How long the rest of a packet is waited for: as Linux, and within what RFC 1122 section 3.3.2 leaves open.
const PATIENCE_V4: Duration = Duration::from_secs(30);
/// RFC 8200 section 4.5.
const PATIENCE_V6: Duration = Duration::from_secs(60);
/// The longest packet, in bytes.
const LONGEST: usize = 65_535;
/// The most fragments of one packet: enough for the longest on an IPv4 link of the smallest MTU.
const MOST_PIECES: usize = 1536;
/// What bookkeeping costs, in bytes: of a packet, of a piece.
const PACKET_COST: usize = 512;
const PIECE_COST: usize = 64;

/// Not ECN-capable, and "congestion experienced" (RFC 3168).
const NOT_ECT: u8 = 0;
const CE: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    /// IPv4 counts it among what tells packets apart, IPv6 does not: zero there.
    protocol: u8,
    /// Link-local addresses mean somebody else on every link.
    interface: Option<InterfaceId>,
}

/// A fragment as the IP header told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) identification: u32,
    pub(super) protocol: u8,
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) ecn: u8,
    /// All headers in front of the payload, the fragment header included.
    pub(super) head: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) interface: InterfaceId,
    pub(super) cast: Cast,
}

/// What came of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// More are needed.
    Kept,
    /// The packet, as if it had never been cut.
    Whole(Vec<u8>),
    Dropped(DropReason),
}

/// A packet whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expired {
    /// Its first fragment, if that had come: only then its sender is told.
    pub(super) first: Option<Vec<u8>>,
    pub(super) cast: Cast,
}

#[derive(Debug)]
struct Assembly {
    serial: u64,
    deadline: Instant,
    /// Sorted by offset; none overlaps another.
    pieces: Vec<(usize, Vec<u8>)>,
    have: usize,
    /// The length, once the last fragment is there.
    total: Option<usize>,
    /// The headers of the first fragment.
    head: Vec<u8>,
    /// A bit for each ECN codepoint seen.
    ecn: u8,
    cost: usize,
    is_condemned: bool,
    cast: Cast,
}

#[derive(Debug, Default)]
struct Source {
    cost: usize,
    oldest: BTreeMap<u64, Key>,
}

/// All packets that are not whole.
#[derive(Debug)]
pub(super) struct Reassembly {
    assemblies: SecretMap<Key, Assembly>,
    sources: SecretMap<IpAddr, Source>,
    expiry: BTreeMap<(Instant, u64), Key>,
    cost: usize,
    serial: u64,
    most: usize,
    most_each: usize,
}

impl Reassembly {
    pub(super) fn new(secret: SecretState, most: usize, most_each: usize) -> Reassembly {
        Reassembly {
            assemblies: SecretMap::with_hasher(secret),
            sources: SecretMap::with_hasher(secret),
            expiry: BTreeMap::new(),
            cost: 0,
            serial: 0,
            most,
            most_each,
        }
    }

    /// Bytes in use, bookkeeping included.
    pub(super) fn bytes(&self) -> usize {
        self.cost
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.expiry.first_key_value().map(|((at, _), _)| *at)
    }

    /// A fragment for this host.
    pub(super) fn on_fragment(&mut self, now: Instant, fragment: &Fragment<'_>) -> Outcome {
        if let Err(reason) = check(fragment) {
            return Outcome::Dropped(reason);
        }
        let key = Key {
            source: fragment.source,
            destination: fragment.destination,
            identification: fragment.identification,
            protocol: if fragment.source.is_ipv4() { fragment.protocol } else { 0 },
            interface: is_link_local(fragment.source).then_some(fragment.interface),
        };
        let is_new = !self.assemblies.contains_key(&key);
        let cost = fragment.payload.len() + PIECE_COST + if is_new { PACKET_COST } else { 0 };
        if !self.make_room(fragment.source, cost, &key) {
            return Outcome::Dropped(DropReason::ReassemblyFailed);
        }
        if is_new {
            self.begin(now, key, fragment.cast);
        }
        let Some(assembly) = self.assemblies.get_mut(&key) else {
            return Outcome::Dropped(DropReason::ReassemblyFailed);
        };
        match assembly.insert(fragment) {
            Placed::Duplicate => Outcome::Kept,
            Placed::Refused(reason) => Outcome::Dropped(reason),
            Placed::Condemned(freed) => {
                self.refund(key.source, freed);
                Outcome::Dropped(DropReason::FragmentOverlap)
            }
            Placed::Kept(cost) => {
                assembly.cost += cost;
                let is_whole = assembly.is_whole();
                self.cost += cost;
                if let Some(source) = self.sources.get_mut(&key.source) {
                    source.cost += cost;
                }
                if !is_whole {
                    return Outcome::Kept;
                }
                match self.remove(&key).map(|assembly| assembly.join(&key)) {
                    Some(Ok(packet)) => Outcome::Whole(packet),
                    Some(Err(reason)) => Outcome::Dropped(reason),
                    None => Outcome::Dropped(DropReason::ReassemblyFailed),
                }
            }
        }
    }

    /// A packet whose time is over at `now`.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Expired> {
        let (&(at, _), &key) = self.expiry.first_key_value()?;
        if at > now {
            return None;
        }
        let assembly = self.remove(&key)?;
        let first = assembly.pieces.into_iter().next().filter(|(offset, _)| *offset == 0);
        Some(Expired { first: first.map(|(_, piece)| [assembly.head, piece].concat()), cast: assembly.cast })
    }

    fn begin(&mut self, now: Instant, key: Key, cast: Cast) {
        let patience = if key.source.is_ipv4() { PATIENCE_V4 } else { PATIENCE_V6 };
        self.serial += 1;
        let assembly = Assembly {
            serial: self.serial,
            deadline: now + patience,
            pieces: Vec::new(),
            have: 0,
            total: None,
            head: Vec::new(),
            ecn: 0,
            cost: PACKET_COST,
            is_condemned: false,
            cast,
        };
        self.expiry.insert((assembly.deadline, assembly.serial), key);
        let source = self.sources.entry(key.source).or_default();
        source.cost += PACKET_COST;
        source.oldest.insert(assembly.serial, key);
        self.cost += PACKET_COST;
        self.assemblies.insert(key, assembly);
    }

    fn remove(&mut self, key: &Key) -> Option<Assembly> {
        let assembly = self.assemblies.remove(key)?;
        self.expiry.remove(&(assembly.deadline, assembly.serial));
        if let Some(source) = self.sources.get_mut(&key.source) {
            source.oldest.remove(&assembly.serial);
        }
        self.refund(key.source, assembly.cost);
        Some(assembly)
    }

    fn refund(&mut self, source: IpAddr, cost: usize) {
        self.cost = self.cost.saturating_sub(cost);
        if let Some(entry) = self.sources.get_mut(&source) {
            entry.cost = entry.cost.saturating_sub(cost);
            if entry.oldest.is_empty() {
                self.sources.remove(&source);
            }
        }
    }

    /// Makes room for so much from a source, first at its own cost, then at that of the oldest. The packet `kept` does
    /// not give way to its own fragment.
    fn make_room(&mut self, source: IpAddr, cost: usize, kept: &Key) -> bool {
        while self.sources.get(&source).map_or(0, |entry| entry.cost) + cost > self.most_each {
            let oldest =
                self.sources.get(&source).and_then(|entry| entry.oldest.values().find(|key| *key != kept));
            let Some(oldest) = oldest.copied() else { return false };
            self.remove(&oldest);
        }
        while self.cost + cost > self.most {
            let Some(oldest) = self.expiry.values().find(|key| *key != kept).copied() else { return false };
            self.remove(&oldest);
        }
        true
    }
}

/// What no fragment can be, whatever the others are.
fn check(fragment: &Fragment<'_>) -> Result<(), DropReason> {
    let end = fragment.offset + fragment.payload.len();
    let header = if fragment.source.is_ipv4() { fragment.head.len() } else { 0 };
    let is_uneven = fragment.more && !fragment.payload.len().is_multiple_of(8);
    if fragment.payload.is_empty() || is_uneven || end + header > LONGEST {
        return Err(DropReason::Malformed);
    }
    // The first fragment holds the whole transport header, and no later one comes near it (RFC 1858, 3128, 7112).
    let needed = match fragment.protocol {
        6 => 20,
        17 | 1 | 58 => 8,
        _ => 0,
    };
    if fragment.offset == 0 && fragment.payload.len() < needed
        || fragment.protocol == 6 && fragment.offset == 8
    {
        return Err(DropReason::Malformed);
    }
    Ok(())
}

enum Placed {
    Kept(usize),
    Duplicate,
    Refused(DropReason),
    /// The packet is given up; so many bytes are free again.
    Condemned(usize),
}

impl Assembly {
    fn insert(&mut self, fragment: &Fragment<'_>) -> Placed {
        if self.is_condemned {
            return Placed::Refused(DropReason::FragmentOverlap);
        }
        let (start, end) = (fragment.offset, fragment.offset + fragment.payload.len());
        let index = self.pieces.partition_point(|(offset, _)| *offset < start);
        if let Some((offset, piece)) = self.pieces.get(index)
            && *offset == start
            && piece.as_slice() == fragment.payload
        {
            // Exactly what is there, unless it now claims to be the last, or not to be.
            let was_last = self.total == Some(end);
            return if was_last != fragment.more { Placed::Duplicate } else { self.condemn() };
        }
        let before = index.checked_sub(1).and_then(|index| self.pieces.get(index));
        let is_overlapping = before.is_some_and(|(offset, piece)| offset + piece.len() > start)
            || self.pieces.get(index).is_some_and(|(offset, _)| *offset < end);
        let is_beyond = match (self.total, fragment.more) {
            (Some(total), true) => end >= total,
            (Some(total), false) => end != total,
            (None, true) => false,
            // The last one must lie behind all others.
            (None, false) => index < self.pieces.len(),
        };
        if is_overlapping || is_beyond {
            return self.condemn();
        }
        if self.pieces.len() >= MOST_PIECES {
            return Placed::Refused(DropReason::ReassemblyFailed);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if start == 0 {
            self.head = fragment.head.to_vec();
        }
        self.ecn |= 1 << (fragment.ecn & 3);
        self.have += fragment.payload.len();
        self.pieces.insert(index, (start, fragment.payload.to_vec()));
        Placed::Kept(fragment.payload.len() + PIECE_COST)
    }

    /// The packet is given up, but remembered, so that what is still to come of it is refused too.
    fn condemn(&mut self) -> Placed {
        self.is_condemned = true;
        self.pieces = Vec::new();
        self.head = Vec::new();
        let freed = self.cost.saturating_sub(PACKET_COST);
        self.cost -= freed;
        Placed::Condemned(freed)
    }

    fn is_whole(&self) -> bool {
        // No two overlap and none lies beyond the end, so that the sum says it all.
        self.total == Some(self.have)
    }

    /// The packet in one piece, under the headers of the first fragment with what speaks of fragments taken out.
    fn join(self, key: &Key) -> Result<Vec<u8>, DropReason> {
        let ecn = self.ecn()?;
        let mut packet = Vec::with_capacity(self.head.len() + self.have);
        if key.source.is_ipv4() {
            packet.extend_from_slice(&self.head);
            let total = u16::try_from(self.head.len() + self.have).map_err(|_| DropReason::Malformed)?;
            let Some(h) = packet.first_chunk_mut::<{ Ipv4Header::MIN_LEN }>() else {
                return Err(DropReason::Malformed);
            };
            if let Some(ecn) = ecn {
                h[1] = h[1] & !3 | ecn;
            }
            h[2..4].copy_from_slice(&total.to_be_bytes());
            h[6..8].fill(0);
            h[10..12].fill(0);
            let sum = !checksum::sum(&packet);
            if let Some(field) = packet.get_mut(10..12) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
        } else {
            // Extension headers in front of the fragment header have done their work; the fixed one now names what the
            // fragment header named.
            let Some(fixed) = self.head.first_chunk::<{ Ipv6Header::LEN }>() else {
                return Err(DropReason::Malformed);
            };
            let next = self.head.len().checked_sub(Ipv6Header::FRAGMENT_LEN).and_then(|at| self.head.get(at));
            let mut h = *fixed;
            let length = u16::try_from(self.have).map_err(|_| DropReason::Malformed)?;
            h[4..6].copy_from_slice(&length.to_be_bytes());
            h[6] = *next.ok_or(DropReason::Malformed)?;
            if let Some(ecn) = ecn {
                h[1] = h[1] & !0x30 | ecn << 4;
            }
            packet.extend_from_slice(&h);
        }
        for (_, piece) in &self.pieces {
            packet.extend_from_slice(piece);
        }
        Ok(packet)
    }

    /// What the fragments say of congestion together (RFC 3168 section 5.3), where it is not what the first one says.
    fn ecn(&self) -> Result<Option<u8>, DropReason> {
        let has = |codepoint: u8| self.ecn & 1 << codepoint != 0;
        match (has(CE), has(NOT_ECT)) {
            (true, true) => Err(DropReason::ReassemblyFailed),
            (true, false) => Ok(Some(CE)),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
