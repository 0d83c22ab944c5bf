//! The link layer: packets to frames and back on one interface. It knows neighbours, and nothing above addresses.
//!
//! [`Link::receive`] takes a frame apart: ARP ends here, IP packets go up. [`Link::send`] puts the frame's header in
//! front of a packet, or parks the packet while the next hop's MAC address is asked for. All that the link itself has to
//! say (ARP, neighbour discovery, packets no longer parked) leaves by [`Link::poll_transmit`].

mod arp;
mod detection;
mod ethernet;
mod ndp;
mod neighbor;
mod queue;

use core::net::{IpAddr, Ipv6Addr};
use std::collections::VecDeque;

use crate::drop_reason::DropReason;
use crate::hash::SecretState;
use crate::time::Instant;
use crate::wire::ethernet::MacAddr;
use crate::wire::ip::Cidr;

use detection::{Addresses, Step};
use neighbor::{Ask, Due, Neighbors};

pub use crate::wire::cast::Cast;
pub use crate::wire::offload::{Offload, PartialChecksum};

/// What the interface carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet II frames.
    Ethernet,
    /// Bare IP packets: a point-to-point interface such as TUN. There are no neighbours to find.
    Ip,
}

/// Whether a new address is checked for a duplicate before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// It is used, and announced, at once.
    Off,
    /// It is probed first, as RFC 5227 (IPv4) and RFC 4862 (IPv6) say: seconds pass before it is answered for.
    On,
}

/// How a link is set up.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// What it carries.
    pub medium: Medium,
    /// Our MAC address; unused with [`Medium::Ip`].
    pub mac: MacAddr,
    /// The largest IP packet it carries, in bytes.
    pub mtu: usize,
    /// Where its random numbers and the key of its neighbour table come from.
    pub seed: u64,
}

/// Where a packet goes on this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// To the neighbour with this address.
    Unicast(IpAddr),
    /// To all.
    Broadcast,
    /// To a group.
    Multicast(IpAddr),
}

/// What came of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkReceive<'f> {
    /// An IP packet (perhaps with padding behind it).
    Packet {
        /// Its bytes.
        packet: &'f [u8],
        /// Whom the frame was addressed to.
        cast: Cast,
    },
    /// It was ARP; look at [`Link::poll_event`].
    Consumed,
    /// It was refused.
    Dropped(DropReason),
}

/// What came of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSend {
    /// Its frame is complete: the link's header stands in front, and the caller transmits.
    Ready,
    /// It was copied and waits for the neighbour's MAC address. It leaves by [`Link::poll_transmit`], or ends in
    /// [`LinkEvent::Unreachable`].
    Parked,
    /// It was refused.
    Dropped(DropReason),
}

/// A frame that the link sends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFrame {
    /// The whole frame.
    pub bytes: Vec<u8>,
    /// What the device has to do; offsets count from the start of the packet, `link_header_length` bytes into the frame.
    pub offload: Offload,
    /// Bytes in front of the packet.
    pub link_header_length: usize,
}

/// Something that the link has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A neighbour never answered; this packet had waited for it. One event a packet.
    Unreachable {
        /// Who does not answer.
        next_hop: IpAddr,
        /// The IP packet.
        packet: Vec<u8>,
    },
    /// A packet that waited for a neighbour was dropped to make room for a later one.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The IP packet.
        packet: Vec<u8>,
    },
    /// An address under [`Detection`] is somebody else's. The link has given it up.
    Conflict {
        /// The address.
        address: IpAddr,
        /// Who has it, where that is known.
        mac: Option<MacAddr>,
    },
    /// An address is ours: nobody has objected, or nobody was asked.
    Ready {
        /// The address.
        address: IpAddr,
    },
}

/// How well a neighbour is known (RFC 4861 section 7.3.2, for ARP too).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NeighborState {
    /// Its MAC address is being asked for.
    Incomplete,
    /// It was heard of within the last half minute or so.
    Reachable,
    /// It was not heard of for long; used, and checked when used.
    Stale,
    /// Used since it became stale; the layer above has five seconds to confirm it.
    Delay,
    /// It is being asked whether it is still there.
    Probe,
    /// Set by hand; never asked for.
    Permanent,
}

/// A neighbour, for listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its IP address.
    pub address: IpAddr,
    /// Its MAC address, if known.
    pub mac: Option<MacAddr>,
    /// How well it is known.
    pub state: NeighborState,
    /// Packets that wait for its MAC address.
    pub parked: usize,
}

/// One interface's link layer.
///
/// ```
/// use sockeye_core::link::{Detection, Link, LinkConfig, LinkReceive, LinkSend, Medium, NextHop, Offload};
/// use sockeye_core::time::Instant;
/// use sockeye_core::wire::{Headers, describe, LinkType, ethernet::MacAddr};
///
/// let now = Instant::ZERO;
/// let mut link = |last| {
///     let mac = MacAddr([2, 0, 0, 0, 0, last]);
///     let mut link = Link::new(LinkConfig { medium: Medium::Ethernet, mac, mtu: 1500, seed: last.into() });
///     link.add_address(now, format!("10.0.0.{last}/24").parse().unwrap(), Detection::Off);
///     link.poll_transmit(now); // the announcement, which nobody hears
///     link
/// };
/// let (mut ours, mut peer) = (link(1), link(2));
///
/// // Nobody knows yet where 10.0.0.2 is: the packet waits, and ARP asks.
/// let mut headers = Headers::new();
/// headers.push_front(&[0x45; 20]);
/// let to = NextHop::Unicast("10.0.0.2".parse().unwrap());
/// assert_eq!(ours.send(now, to, &mut headers, [b"hello", b""], &Offload::default()), LinkSend::Parked);
/// let question = ours.poll_transmit(now).unwrap();
/// let line = describe(&question.bytes, LinkType::Ethernet).to_string();
/// assert!(line.contains("who-has 10.0.0.2 tell 10.0.0.1"), "{line}");
///
/// // The answer sets it free.
/// peer.receive(now, &question.bytes);
/// ours.receive(now, &peer.poll_transmit(now).unwrap().bytes);
/// let frame = ours.poll_transmit(now).unwrap();
/// assert!(matches!(peer.receive(now, &frame.bytes), LinkReceive::Packet { packet, .. } if packet.ends_with(b"hello")));
/// ```
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    addresses: Addresses,
    neighbors: Neighbors,
    outbox: VecDeque<LinkFrame>,
    events: VecDeque<LinkEvent>,
}

impl Link {
    /// The most frames of its own that wait to be polled; packets no longer parked are bounded by their memory.
    const OUTBOX_LIMIT: usize = 1024;
    /// The most events that wait to be polled.
    const EVENT_LIMIT: usize = 32_768;

    /// A link without addresses.
    pub fn new(config: LinkConfig) -> Link {
        Link {
            config,
            addresses: Addresses::new(SecretState::new(config.seed, u64::from_be_bytes(*b"address "))),
            neighbors: Neighbors::new(SecretState::new(config.seed, u64::from_be_bytes(*b"neighbor"))),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What it carries.
    pub fn medium(&self) -> Medium {
        self.config.medium
    }

    /// The largest IP packet, in bytes.
    pub fn mtu(&self) -> usize {
        self.config.mtu
    }

    /// Our MAC address; `None` where there is no Ethernet.
    pub fn ethernet_address(&self) -> Option<MacAddr> {
        (self.config.medium == Medium::Ethernet).then_some(self.config.mac)
    }

    /// Gives the link an address to answer for, with the subnet it stands in. [`LinkEvent::Ready`] tells when it is
    /// ours: at once, unless it is to be checked for a duplicate first, which a point-to-point link never does.
    pub fn add_address(&mut self, now: Instant, address: Cidr, detection: Detection) {
        let detection = if self.config.medium == Medium::Ip { Detection::Off } else { detection };
        self.addresses.add(now, address, detection);
        if detection == Detection::Off {
            self.settle(address.address());
        }
    }

    /// Takes an address away. Whether it was there.
    pub fn remove_address(&mut self, address: IpAddr) -> bool {
        self.addresses.remove(address)
    }

    /// A neighbour set by hand: it is never asked for and never forgotten.
    pub fn add_neighbor(&mut self, now: Instant, address: IpAddr, mac: MacAddr) {
        if self.neighbors.set_permanent(now, address, mac) {
            self.release(address, mac);
        }
        self.report_dropped();
    }

    /// The layer above has proof that packets reach this neighbour and come back (RFC 4861 section 7.3.1).
    pub fn confirm(&mut self, now: Instant, next_hop: IpAddr) {
        self.neighbors.confirm(now, next_hop);
    }

    /// The next frame that the link has to send by itself.
    pub fn poll_transmit(&mut self, _now: Instant) -> Option<LinkFrame> {
        self.outbox.pop_front()
    }

    /// What the link has found out since.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// When [`Link::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.neighbors.next_due(), self.addresses.next_due()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Lets everything happen that is due. Calling it early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(step) = self.addresses.pop_due(now) {
            match step {
                Step::Probe(address) => self.probe(address),
                Step::Settle(address) => self.settle(address),
                Step::Announce(address) => self.announce(address),
            }
        }
        while let Some(due) = self.neighbors.pop_due(now) {
            match due {
                Due::Ask(ask) => self.ask(ask),
                Due::Failed(next_hop, mut queue) => {
                    while let Some(parked) = queue.pop() {
                        self.tell(LinkEvent::Unreachable { next_hop, packet: parked.into_packet() });
                    }
                }
                Due::Nothing => {}
            }
        }
    }

    /// The neighbours known or asked for, in no particular order.
    pub fn neighbors(&self) -> impl Iterator<Item = Neighbor> {
        self.neighbors.iter()
    }

    /// Packets that wait for a neighbour's MAC address.
    pub fn parked(&self) -> usize {
        self.neighbors.parked()
    }

    /// Puts a question. A full outbox loses it, as the link might: it is put again.
    fn ask(&mut self, ask: Ask) {
        let sent = match ask.address {
            IpAddr::V4(target) => {
                self.addresses.source_v4(target).map(|source| self.ask_v4(source, target, ask.at))
            }
            IpAddr::V6(target) => {
                self.addresses.source_v6(target).map(|source| self.ask_v6(source, target, ask.at))
            }
        };
        if sent.is_none() && self.addresses.awaits(ask.address) {
            // Until an address of ours is found to be free, nothing can be asked with it.
            self.neighbors.on_not_asked(ask.address);
        }
    }

    fn probe(&mut self, address: IpAddr) {
        // Lost where the outbox is full, as it might be on the link.
        let _ = match address {
            IpAddr::V4(address) => self.ask_v4(core::net::Ipv4Addr::UNSPECIFIED, address, None),
            IpAddr::V6(address) => self.ask_v6(Ipv6Addr::UNSPECIFIED, address, None),
        };
    }

    fn announce(&mut self, address: IpAddr) {
        let _ = match (self.config.medium, address) {
            (Medium::Ip, _) => Ok(()),
            (Medium::Ethernet, IpAddr::V4(address)) => self.announce_v4(address),
            (Medium::Ethernet, IpAddr::V6(address)) => self.announce_v6(address),
        };
    }

    /// The address is ours.
    fn settle(&mut self, address: IpAddr) {
        self.announce(address);
        self.tell(LinkEvent::Ready { address });
    }

    /// The address is somebody else's.
    fn give_up(&mut self, address: IpAddr, mac: Option<MacAddr>) {
        self.addresses.remove(address);
        self.tell(LinkEvent::Conflict { address, mac });
    }

    fn tell(&mut self, event: LinkEvent) {
        if self.events.len() >= Link::EVENT_LIMIT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests;
