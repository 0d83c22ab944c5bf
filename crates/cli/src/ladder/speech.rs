//! What a frame says: a segment from one address to another, or something that is put in words.

use std::net::SocketAddr;

use sockeye_core::wire::ethernet::{EtherType, Ethernet};
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::ipv6::Ipv6Header;
use sockeye_core::wire::tcp::{Flags, Segment};
use sockeye_core::wire::{ChecksumCheck, LinkType, Protocol, PseudoHeader, describe};

/// A TCP segment with its addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech<'a> {
    /// Whose it is.
    pub(crate) source: SocketAddr,
    /// Whom it is for.
    pub(crate) destination: SocketAddr,
    /// Its header.
    pub(crate) segment: Segment,
    /// Its payload.
    pub(crate) data: &'a [u8],
}

impl Speech<'_> {
    /// The segment in a frame, if one is in it, whole.
    pub(crate) fn in_frame(frame: &[u8], link: LinkType) -> Option<Speech<'_>> {
        let packet = match link {
            LinkType::Ip => frame,
            LinkType::Ethernet => {
                let (ethernet, packet) = Ethernet::parse(frame).ok()?;
                matches!(ethernet.ethertype, EtherType::Ipv4 | EtherType::Ipv6).then_some(packet)?
            }
        };
        let (pseudo, payload): (PseudoHeader, &[u8]) = match packet.first()? >> 4 {
            4 => {
                let (header, payload) = Ipv4Header::parse(packet).ok()?;
                (!header.is_fragment()).then(|| (header.pseudo(), payload))?
            }
            6 => {
                let (header, payload) = Ipv6Header::parse(packet).ok()?;
                header.fragment.is_none().then(|| (header.pseudo(), payload))?
            }
            _ => return None,
        };
        if pseudo.protocol != Protocol::Tcp {
            return None;
        }
        let (segment, data) = Segment::parse(payload, &pseudo, ChecksumCheck::Trust).ok()?;
        let source = SocketAddr::new(pseudo.source, segment.source_port);
        let destination = SocketAddr::new(pseudo.destination, segment.destination_port);
        Some(Speech { source, destination, segment, data })
    }
}

/// Whether a segment can bring a change of state about; `acknowledges_all`: it acknowledges what the end has said, its FIN included.
pub(crate) fn may_cause(segment: &Segment, (before, state): (&str, &str), acknowledges_all: bool) -> bool {
    let has = |flag| segment.flags.contains(flag);
    if has(Flags::RST) {
        return matches!(state, "CLOSED" | "LISTEN");
    }
    match (before, state) {
        (_, "SYN-RECEIVED") | ("SYN-SENT", _) => has(Flags::SYN),
        (_, "ESTABLISHED") => has(Flags::ACK),
        (_, "FIN-WAIT-2") | ("CLOSING", _) | ("LAST-ACK", _) => acknowledges_all,
        (_, "CLOSE-WAIT" | "CLOSING" | "TIME-WAIT") => has(Flags::FIN),
        // A new SYN takes the place of a connection in TIME-WAIT; all else that closes is a reset.
        ("TIME-WAIT", _) => has(Flags::SYN),
        _ => false,
    }
}

/// Words for a frame without a segment, without those that every line would have.
pub(crate) fn words_for(frame: &[u8], link: LinkType) -> String {
    let words = describe(frame, link).to_string();
    let words = words.replace("ARP, Request ", "ARP ").replace("ARP, Reply ", "ARP ");
    match words.strip_suffix(", length 28") {
        Some(arp) if arp.starts_with("ARP") => arp.to_owned(),
        _ => words,
    }
}
