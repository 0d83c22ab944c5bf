//! A switch that learns which hardware address lives behind which port.

use super::PortId;
use crate::time::{Duration, Instant};
use crate::wire::ethernet::{Ethernet, MacAddr};

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Out of this port.
    To(PortId),
    /// Out of every port but the one it came in by.
    Flood,
    /// Nowhere: its destination is behind the port it came in by, or it is meant for the switch itself (the reserved
    /// group addresses 01:80:c2:00:00:00 to 0f).
    Filtered,
    /// Nowhere: it is shorter than an Ethernet header.
    Malformed,
}

/// A learning switch. Its table is bounded and forgets: an address is remembered for [`Switch::AGEING`] after its last
/// frame, and where there is no room for one more it takes the place of the one that was silent longest among the four it
/// could displace.
///
/// ```
/// use sockeye_core::lan::{Forward, PortId, Switch};
/// use sockeye_core::time::Instant;
///
/// let (here, there) = (PortId::new(0), PortId::new(1));
/// let mut switch = Switch::new();
/// let question = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
/// let answer = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
/// let frame = |addresses: Vec<u8>| [addresses, vec![8, 0]].concat();
/// assert_eq!(switch.forward(Instant::ZERO, here, &frame(question)), Forward::Flood);
/// assert_eq!(switch.forward(Instant::ZERO, there, &frame(answer)), Forward::To(here));
/// ```
#[derive(Clone, Debug)]
pub struct Switch {
    table: Vec<Option<Station>>,
}

/// A hardware address and where it was seen.
#[derive(Clone, Copy, Debug)]
struct Station {
    mac: MacAddr,
    port: PortId,
    seen_at: Instant,
}

impl Default for Switch {
    fn default() -> Self {
        Switch::new()
    }
}

impl Switch {
    /// How long an address is remembered after its last frame (the recommendation of IEEE 802.1D, table 7-5).
    pub const AGEING: Duration = Duration::from_secs(300);
    /// How many addresses are remembered at most.
    pub const CAPACITY: usize = Switch::BUCKETS * Switch::WAYS;
    const BUCKETS: usize = 256;
    const WAYS: usize = 4;

    /// A switch that knows nobody.
    pub fn new() -> Switch {
        Switch { table: vec![None; Switch::CAPACITY] }
    }

    /// Learns from the frame's source and says where the frame goes.
    pub fn forward(&mut self, now: Instant, ingress: PortId, frame: &[u8]) -> Forward {
        let Ok((ethernet, _)) = Ethernet::parse(frame) else {
            return Forward::Malformed;
        };
        if ethernet.source.is_unicast() {
            self.learn(now, ingress, ethernet.source);
        }
        if is_reserved(ethernet.destination) {
            return Forward::Filtered;
        }
        match self.port_of(now, ethernet.destination) {
            Some(port) if port == ingress => Forward::Filtered,
            Some(port) => Forward::To(port),
            None => Forward::Flood,
        }
    }

    /// The port behind which an address was seen lately.
    pub fn port_of(&self, now: Instant, mac: MacAddr) -> Option<PortId> {
        let station = self.table.get(bucket(mac))?.iter().flatten().find(|station| station.mac == mac)?;
        station.is_fresh(now).then_some(station.port)
    }

    /// Forgets the addresses behind a port.
    pub fn forget(&mut self, port: PortId) {
        for place in &mut self.table {
            if place.is_some_and(|station| station.port == port) {
                *place = None;
            }
        }
    }

    /// How many addresses are remembered, aged ones that nobody has displaced yet included.
    pub fn stations(&self) -> usize {
        self.table.iter().flatten().count()
    }

    fn learn(&mut self, now: Instant, port: PortId, mac: MacAddr) {
        let station = Station { mac, port, seen_at: now };
        let Some(places) = self.table.get_mut(bucket(mac)) else { return };
        // Its own place, else the oldest; an empty one is older than any.
        let own = places.iter().position(|place| place.is_some_and(|old| old.mac == mac));
        let oldest = || {
            let seen_at = |place: &Option<Station>| place.map(|station| station.seen_at);
            places.iter().enumerate().min_by_key(|(_, place)| seen_at(place)).map(|(way, _)| way)
        };
        if let Some(way) = own.or_else(oldest)
            && let Some(place) = places.get_mut(way)
        {
            *place = Some(station);
        }
    }
}

impl Station {
    fn is_fresh(&self, now: Instant) -> bool {
        now.since(self.seen_at) < Switch::AGEING
    }
}

/// The places where an address can be.
fn bucket(mac: MacAddr) -> core::ops::Range<usize> {
    let [a, b, c, d, e, f] = mac.0;
    let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    // Multiplying by an odd number mixes into the high bits (Fibonacci hashing); the top eight choose the bucket.
    let first = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize * Switch::WAYS;
    first..first + Switch::WAYS
}

/// Group addresses that no bridge passes on (IEEE 802.1D, table 7-10).
fn is_reserved(mac: MacAddr) -> bool {
    matches!(mac.0, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mac(number: u16) -> MacAddr {
        let [high, low] = number.to_be_bytes();
        MacAddr([2, 0, 0, 0, high, low])
    }

    fn frame(destination: MacAddr, source: MacAddr) -> Vec<u8> {
        [destination.0.as_slice(), &source.0, &[8, 0, 1, 2, 3]].concat()
    }

    const A: PortId = PortId::new(0);
    const B: PortId = PortId::new(1);

    #[test]
    fn an_unknown_destination_is_flooded_and_then_learned() {
        let mut switch = Switch::new();
        let now = Instant::ZERO;
        assert_eq!(switch.forward(now, A, &frame(mac(2), mac(1))), Forward::Flood);
        assert_eq!(switch.forward(now, B, &frame(mac(1), mac(2))), Forward::To(A));
        assert_eq!(switch.forward(now, A, &frame(mac(2), mac(1))), Forward::To(B));
        assert_eq!(switch.forward(now, A, &frame(mac(1), mac(9))), Forward::Filtered, "both behind one port");
    }

    #[test]
    fn groups_are_flooded_and_never_learned() {
        let mut switch = Switch::new();
        let group = MacAddr([1, 0, 0x5e, 0, 0, 1]);
        assert_eq!(switch.forward(Instant::ZERO, A, &frame(MacAddr::BROADCAST, group)), Forward::Flood);
        assert_eq!(switch.forward(Instant::ZERO, B, &frame(group, mac(1))), Forward::Flood);
        assert_eq!(switch.stations(), 1);
        let reserved = MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x0e]);
        assert_eq!(switch.forward(Instant::ZERO, B, &frame(reserved, mac(1))), Forward::Filtered);
    }

    #[test]
    fn a_station_that_moves_is_found_and_one_that_is_silent_forgotten() {
        let mut switch = Switch::new();
        switch.forward(Instant::ZERO, A, &frame(mac(2), mac(1)));
        switch.forward(Instant::from_secs(1), B, &frame(mac(2), mac(1)));
        assert_eq!(switch.port_of(Instant::from_secs(2), mac(1)), Some(B));
        assert_eq!(switch.port_of(Instant::from_secs(300), mac(1)), Some(B));
        assert_eq!(switch.port_of(Instant::from_secs(301), mac(1)), None);
        switch.forget(B);
        assert_eq!(switch.stations(), 0);
    }

    #[test]
    fn short_frames_are_malformed() {
        let mut switch = Switch::new();
        assert_eq!(switch.forward(Instant::ZERO, A, &[2; 13]), Forward::Malformed);
        assert_eq!(switch.forward(Instant::ZERO, A, &[2; 14]), Forward::Filtered);
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_room() {
        let mut switch = Switch::new();
        for number in 0..20_000 {
            switch.forward(
                Instant::from_millis(u64::from(number)),
                A,
                &frame(MacAddr::BROADCAST, mac(number)),
            );
        }
        assert_eq!(switch.stations(), Switch::CAPACITY, "the addresses spread over all places");
        assert_eq!(switch.port_of(Instant::from_secs(20), mac(19_999)), Some(A), "the newest is known");
        assert_eq!(switch.port_of(Instant::from_secs(20), mac(0)), None, "the oldest is displaced");
    }

    proptest! {
        #[test]
        fn never_back_and_never_to_strangers(frames in proptest::collection::vec((0u32..4, 0u16..6, 0u16..6), 1..60)) {
            let mut switch = Switch::new();
            for (at, (port, destination, source)) in frames.into_iter().enumerate() {
                let ingress = PortId::new(port);
                let forward = switch.forward(Instant::from_secs(at as u64), ingress, &frame(mac(destination), mac(source)));
                prop_assert_ne!(forward, Forward::To(ingress));
                prop_assert_ne!(forward, Forward::Malformed);
            }
        }
    }
}
