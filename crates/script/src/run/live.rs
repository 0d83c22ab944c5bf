//! A packet as it was on the wire, taken apart as far as scripts look into it.

use core::net::{IpAddr, SocketAddr};

use sockeye_core::time::Instant;
use sockeye_core::wire::ipv4::Ipv4Header;
use sockeye_core::wire::ipv6::Ipv6Header;
use sockeye_core::wire::tcp::{Flags, Segment};
use sockeye_core::wire::udp::Udp;
use sockeye_core::wire::{ChecksumCheck, Protocol};

/// The reserved bits of the word that holds the data offset and the flags.
const RESERVED: u16 = 0x0e00;

/// A packet that the stack sent.
#[derive(Clone, Debug)]
pub struct Live {
    /// When.
    pub at: Instant,
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// TOS or traffic class.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv6's flow label; 0 in IPv4.
    pub flow_label: u32,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub enum Body {
    /// A TCP segment.
    Tcp(Tcp),
    /// A UDP datagram.
    Udp {
        /// From.
        source_port: u16,
        /// To.
        destination_port: u16,
        /// What is in it.
        payload: Vec<u8>,
    },
    /// An ICMP or ICMPv6 message.
    Icmp {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// The four bytes behind the checksum.
        rest: [u8; 4],
        /// What follows.
        payload: Vec<u8>,
    },
    /// A protocol that scripts know nothing of.
    Other(u8),
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// From.
    pub source_port: u16,
    /// To.
    pub destination_port: u16,
    /// Sequence number; absolute until it is mapped to the script's.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// The reserved bits, where they stand.
    pub reserved: u16,
    /// The window field.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options one by one, as they are.
    pub options: Vec<RawOption>,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// A TCP option as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption {
    /// Its kind.
    pub kind: u8,
    /// What follows kind and length.
    pub data: Vec<u8>,
    /// Whether `data` is all there is, and need be no whole option.
    is_verbatim: bool,
}

impl RawOption {
    /// End of the list.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Selective acknowledgement.
    pub const SACK: u8 = 5;
    /// Timestamps.
    pub const TIMESTAMPS: u8 = 8;

    /// An option of this kind.
    pub fn new(kind: u8, data: Vec<u8>) -> RawOption {
        RawOption { kind, data, is_verbatim: false }
    }

    /// Bytes as they are, which need be no whole option.
    pub fn verbatim(data: Vec<u8>) -> RawOption {
        RawOption { kind: u8::MAX, data, is_verbatim: true }
    }

    /// The option's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        if self.is_verbatim {
            return self.data.clone();
        }
        if self.kind <= RawOption::NOP {
            return vec![self.kind];
        }
        let length = u8::try_from(self.data.len() + 2).unwrap_or(u8::MAX);
        [&[self.kind, length], self.data.as_slice()].concat()
    }

    /// Value and echo, if these are timestamps.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        let &[a, b, c, d, e, f, g, h] = self.data.as_slice() else { return None };
        (self.kind == RawOption::TIMESTAMPS)
            .then(|| (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
    }

    /// Moves the edges of SACK blocks by `offset`.
    pub fn shift_sack(&mut self, offset: u32) {
        if self.kind == RawOption::SACK {
            for edge in self.data.as_chunks_mut::<4>().0 {
                *edge = u32::from_be_bytes(*edge).wrapping_add(offset).to_be_bytes();
            }
        }
    }

    /// Reads the options of a header.
    ///
    /// # Errors
    /// What is malformed about them.
    pub fn parse(bytes: &[u8]) -> Result<Vec<RawOption>, String> {
        let mut rest = bytes;
        let mut options = Vec::new();
        while let [kind, after @ ..] = rest {
            if *kind <= RawOption::NOP {
                options.push(RawOption::new(*kind, Vec::new()));
                rest = after;
                continue;
            }
            let length = after.first().copied().map_or(0, usize::from);
            let Some((option, after)) = rest.split_at_checked(length).filter(|_| length >= 2) else {
                return Err(format!("TCP option {kind} has the impossible length {length}"));
            };
            options.push(RawOption::new(*kind, option.get(2..).unwrap_or_default().to_vec()));
            rest = after;
        }
        Ok(options)
    }
}

impl Live {
    /// Takes a packet apart.
    ///
    /// # Errors
    /// What is malformed about it, a wrong checksum included.
    pub fn parse(at: Instant, packet: &[u8]) -> Result<Live, String> {
        let say = |error: sockeye_core::wire::WireError| error.to_string();
        let (pseudo, tos, ttl, flow_label, payload);
        if packet.first().is_some_and(|first| first >> 4 == 6) {
            let (header, rest) = Ipv6Header::parse(packet).map_err(say)?;
            pseudo = header.pseudo();
            (tos, ttl, flow_label) = (header.dscp << 2 | header.ecn, header.hop_limit, header.flow_label);
            payload = rest;
        } else {
            let (header, rest) = Ipv4Header::parse(packet).map_err(say)?;
            pseudo = header.pseudo();
            (tos, ttl, flow_label) = (header.dscp << 2 | header.ecn, header.ttl, 0);
            payload = rest;
        }
        let body = match pseudo.protocol {
            Protocol::Tcp => {
                let (segment, data) = Segment::parse(payload, &pseudo, ChecksumCheck::Verify).map_err(say)?;
                let header = payload.len() - data.len();
                let options = payload.get(Segment::MIN_LEN..header).unwrap_or_default();
                let word = u16::from_be_bytes([
                    payload.get(12).copied().unwrap_or_default(),
                    payload.get(13).copied().unwrap_or_default(),
                ]);
                Body::Tcp(Tcp {
                    source_port: segment.source_port,
                    destination_port: segment.destination_port,
                    seq: segment.seq.0,
                    ack: segment.ack.0,
                    flags: segment.flags,
                    reserved: word & RESERVED,
                    window: segment.window,
                    urgent: segment.urgent,
                    options: RawOption::parse(options)?,
                    payload: data.to_vec(),
                })
            }
            Protocol::Udp => {
                let (udp, data) = Udp::parse(payload, &pseudo, ChecksumCheck::Verify).map_err(say)?;
                Body::Udp {
                    source_port: udp.source_port,
                    destination_port: udp.destination_port,
                    payload: data.to_vec(),
                }
            }
            Protocol::Icmp | Protocol::Icmpv6 => match *payload {
                [kind, code, _, _, a, b, c, d, ref rest @ ..] => {
                    Body::Icmp { kind, code, rest: [a, b, c, d], payload: rest.to_vec() }
                }
                _ => return Err("ICMP message truncated".to_owned()),
            },
            other => Body::Other(other.into()),
        };
        Ok(Live { at, source: pseudo.source, destination: pseudo.destination, tos, ttl, flow_label, body })
    }

    /// From where, with the port; ICMP has none.
    pub fn from(&self) -> SocketAddr {
        let port = match &self.body {
            Body::Tcp(tcp) => tcp.source_port,
            Body::Udp { source_port, .. } => *source_port,
            _ => 0,
        };
        SocketAddr::new(self.source, port)
    }

    /// Where to, with the port; ICMP has none.
    pub fn to(&self) -> SocketAddr {
        let port = match &self.body {
            Body::Tcp(tcp) => tcp.destination_port,
            Body::Udp { destination_port, .. } => *destination_port,
            _ => 0,
        };
        SocketAddr::new(self.destination, port)
    }

    /// The TCP segment in it.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.body {
            Body::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Bytes of payload above the transport header.
    pub fn payload_length(&self) -> usize {
        match &self.body {
            Body::Tcp(tcp) => tcp.payload.len(),
            Body::Udp { payload, .. } | Body::Icmp { payload, .. } => payload.len(),
            Body::Other(_) => 0,
        }
    }
}
