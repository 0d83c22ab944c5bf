//! The link layer: packets to frames and back on one interface. It knows neighbours, and nothing above addresses.
//!
//! [`Link::receive`] takes a frame apart: ARP ends here, IP packets go up. [`Link::send`] puts the frame's header in
//! front of a packet, or parks the packet while the next hop's MAC address is asked for. All that the link itself has to
//! say (ARP, neighbour discovery, packets no longer parked) leaves by [`Link::poll_transmit`].

use core::net::{IpAddr, Ipv6Addr};

use crate::drop_reason::DropReason;
use crate::time::Instant;
use crate::wire::ethernet::MacAddr;
use crate::wire::headers::Headers;
use crate::wire::ip::Cidr;
use crate::wire::ndp::Ndp;

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
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
}

impl Link {
    /// A link without addresses.
    pub fn new(config: LinkConfig) -> Link {
        Link { config }
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

    /// Gives the link an address to answer for, with the subnet it stands in.
    pub fn add_address(&mut self, now: Instant, address: Cidr, detection: Detection) {
        let _ = (now, address, detection);
    }

    /// Takes an address away. Whether it was there.
    pub fn remove_address(&mut self, address: IpAddr) -> bool {
        let _ = address;
        false
    }

    /// A neighbour set by hand: it is never asked for and never forgotten.
    pub fn add_neighbor(&mut self, now: Instant, address: IpAddr, mac: MacAddr) {
        let _ = (now, address, mac);
    }

    /// A frame has arrived.
    pub fn receive<'f>(&mut self, now: Instant, frame: &'f [u8]) -> LinkReceive<'f> {
        let _ = now;
        LinkReceive::Packet { packet: frame, cast: Cast::Unicast }
    }

    /// A neighbour discovery message that the network layer has found valid. The answer, if any, is polled.
    ///
    /// # Errors
    /// The reason, where the message is not believed or not for us.
    pub fn on_ndp(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: &Ndp,
    ) -> Result<(), DropReason> {
        let _ = (now, source, destination, message);
        Ok(())
    }

    /// The layer above has proof that packets reach this neighbour and come back (RFC 4861 section 7.3.1).
    pub fn confirm(&mut self, now: Instant, next_hop: IpAddr) {
        let _ = (now, next_hop);
    }

    /// Puts the frame's header in front of a packet, whose first bytes stand in `headers` and the rest in `payload`.
    pub fn send(
        &mut self,
        now: Instant,
        next_hop: NextHop,
        headers: &mut Headers,
        payload: [&[u8]; 2],
        offload: &Offload,
    ) -> LinkSend {
        let _ = (now, next_hop, headers, payload, offload);
        LinkSend::Ready
    }

    /// The next frame that the link has to send by itself.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<LinkFrame> {
        let _ = now;
        None
    }

    /// What the link has found out since.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        None
    }

    /// When [`Link::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Lets everything happen that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// The neighbours known or asked for.
    pub fn neighbors(&self) -> impl Iterator<Item = Neighbor> {
        core::iter::empty()
    }

    /// Packets that wait for a neighbour's MAC address.
    pub fn parked(&self) -> usize {
        0
    }
}
