//! What crosses the TAP interface, connection by connection: which options the SYNs carry, and what is used after them.

use sockeye::sockeye_core::wire::ethernet::{EtherType, Ethernet};
use sockeye::sockeye_core::wire::ipv4::Ipv4Header;
use sockeye::sockeye_core::wire::ipv6::Ipv6Header;
use sockeye::sockeye_core::wire::tcp::{Flags, Options, Segment};
use sockeye::sockeye_core::wire::{ChecksumCheck, Protocol};
use sockeye::sockeye_device::{Capabilities, Device, Offload, Received};
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

/// What was seen of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The SYNs, and those with an ACK.
    pub(crate) syns: Vec<Syn>,
    pub(crate) syn_acks: Vec<Syn>,
    /// Segments after the SYNs, resets not counted.
    pub(crate) segments: usize,
    /// Of these, those with timestamps.
    pub(crate) stamped: usize,
    /// Of these, those that report blocks.
    pub(crate) reports: usize,
    /// Segments with data, and those of them whose packets are ECN-capable or marked.
    pub(crate) with_data: usize,
    pub(crate) capable: usize,
    /// Segments that echo a mark.
    pub(crate) echoes: usize,
    /// Bytes of payload in the longest segment of each end.
    pub(crate) longest: HashMap<SocketAddr, u32>,
}

/// A SYN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syn {
    pub(crate) flags: Flags,
    pub(crate) options: Options,
    /// Bytes of data in it.
    pub(crate) length: u32,
}

impl Syn {
    /// The flags with which a SYN asks for ECN, or a SYN-ACK grants it (RFC 3168, section 6.1.1).
    pub(crate) fn is_ecn(&self) -> bool {
        let both = Flags::ECE.union(Flags::CWR);
        let of_kind = if self.flags.contains(Flags::ACK) { Flags::ECE } else { both };
        Flags::from_bits(self.flags.bits() & both.bits()) == of_kind
    }
}

impl Seen {
    fn note(&mut self, source: SocketAddr, segment: &Segment, ecn: u8) {
        let longest = self.longest.entry(source).or_default();
        *longest = segment.length.max(*longest);
        let syn = Syn { flags: segment.flags, options: segment.options, length: segment.length };
        if segment.flags.contains(Flags::SYN) {
            match segment.flags.contains(Flags::ACK) {
                true => self.syn_acks.push(syn),
                false => self.syns.push(syn),
            }
        } else if !segment.flags.contains(Flags::RST) {
            self.segments += 1;
            self.stamped += usize::from(segment.options.timestamps.is_some());
            self.reports += usize::from(!segment.options.sack.is_empty());
            self.echoes += usize::from(segment.flags.contains(Flags::ECE));
            if segment.length > 0 {
                self.with_data += 1;
                self.capable += usize::from(ecn != 0);
            }
        }
    }
}

/// Where it is noted. Clones note in the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    seen: Arc<Mutex<HashMap<(SocketAddr, SocketAddr), Seen>>>,
}

impl Wire {
    /// `device`, watched.
    pub(crate) fn watch<D: Device>(&self, device: D) -> Watched<D> {
        Watched { device, wire: self.clone() }
    }

    /// What was seen of the connection between the two addresses, which is forgotten.
    pub(crate) fn take(&self, one: SocketAddr, other: SocketAddr) -> Seen {
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.remove(&pair(one, other)).expect("the connection was on the wire")
    }

    fn note(&self, frame: &[u8]) {
        let Some((segment, ecn, source, destination)) = segment(frame) else { return };
        let source = SocketAddr::new(source, segment.source_port);
        let destination = SocketAddr::new(destination, segment.destination_port);
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.entry(pair(source, destination)).or_default().note(source, &segment, ecn);
    }
}

fn pair(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    (one.min(other), one.max(other))
}

/// The TCP segment of a frame, its ECN field, and between whom it travels.
fn segment(frame: &[u8]) -> Option<(Segment, u8, IpAddr, IpAddr)> {
    let (ethernet, packet) = Ethernet::parse(frame).ok()?;
    let (ecn, source, destination, protocol, pseudo, payload) = match ethernet.ethertype {
        EtherType::Ipv4 => {
            let (ip, payload) = Ipv4Header::parse(packet).ok()?;
            (ip.ecn, ip.source.into(), ip.destination.into(), ip.protocol, ip.pseudo(), payload)
        }
        EtherType::Ipv6 => {
            let (ip, payload) = Ipv6Header::parse(packet).ok()?;
            (ip.ecn, ip.source.into(), ip.destination.into(), ip.protocol, ip.pseudo(), payload)
        }
        _ => return None,
    };
    if protocol != Protocol::Tcp {
        return None;
    }
    let (segment, _) = Segment::parse(payload, &pseudo, ChecksumCheck::Trust).ok()?;
    Some((segment, ecn, source, destination))
}

/// A device whose frames are noted.
pub(crate) struct Watched<D> {
    device: D,
    wire: Wire,
}

impl<D: Device> Device for Watched<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn send(&mut self, parts: &[IoSlice<'_>], offload: &Offload) -> io::Result<()> {
        let frame: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.device.send(parts, offload)?;
        self.wire.note(&frame);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let received = self.device.receive(buffer)?;
        self.wire.note(buffer.get(..received.length).unwrap_or_default());
        Ok(received)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.flush()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.readiness()
    }

    fn send_readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.send_readiness()
    }
}
