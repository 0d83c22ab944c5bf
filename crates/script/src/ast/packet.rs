//! Packets as a script writes them: relative sequence numbers, and nothing said about what does not matter.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whose packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `<`: the script sends it to the stack.
    Inbound,
    /// `>`: the stack must send it.
    Outbound,
}

/// A packet in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Line of its `<` or `>`, from 1.
    pub line: u32,
    /// Whose it is.
    pub direction: Direction,
    /// Headers around the packet, the outermost first. Usually none.
    pub encapsulation: Vec<Encapsulation>,
    /// What is said about the (inner) IP header.
    pub ip: IpInfo,
    /// What the (inner) IP header carries.
    pub transport: Transport,
}

/// A header around the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// `ipv4 192.0.2.1 > 192.0.2.2:`
    Ipv4 {
        /// What is said about this header.
        info: IpInfo,
        /// From.
        source: Ipv4Addr,
        /// To.
        destination: Ipv4Addr,
    },
    /// `ipv6 2001:db8::1 > 2001:db8::2:`
    Ipv6 {
        /// What is said about this header.
        info: IpInfo,
        /// From.
        source: Ipv6Addr,
        /// To.
        destination: Ipv6Addr,
    },
    /// `gre:`, or with its fields. RFC 2784, RFC 2890.
    Gre {
        /// The flags of the first 16 bits: checksum 0x8000, key 0x2000, sequence number 0x1000.
        flags: u16,
        /// Checksum.
        checksum: u16,
        /// Offset.
        offset: u16,
        /// Key.
        key: u32,
        /// Sequence number.
        sequence: u32,
    },
    /// `mpls (label 0, tc 0, [S], ttl 0):`, one entry a label. RFC 3032.
    Mpls(Vec<MplsEntry>),
    /// `encap psp spi 7`: PSP in transport mode, between the IP and the TCP header.
    Psp {
        /// Security parameters index.
        spi: u32,
    },
}

/// One entry of an MPLS label stack. RFC 3032, section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MplsEntry {
    /// 20 bits.
    pub label: u32,
    /// 3 bits.
    pub traffic_class: u8,
    /// Whether it is the last: `[S]`.
    pub bottom: bool,
    /// Time to live.
    pub ttl: u8,
}

/// What stands in `[…]` or `(…)` before the flags. What is absent is not checked, and is the default in what the script sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpInfo {
    /// TOS or traffic class.
    pub tos: Tos,
    /// `ttl 64`: TTL or hop limit.
    pub ttl: Option<u8>,
    /// `flowlabel 0x1234`: 20 bits, IPv6 only.
    pub flow_label: Option<u32>,
}

/// What is said about the TOS octet (traffic class in IPv6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tos {
    /// Nothing.
    #[default]
    Unspecified,
    /// `[noecn]`, `[ect0]`, `[ect1]`, `[ce]`: the two ECN bits are this (RFC 3168, section 5): 0, 2, 1, 3.
    Ecn(u8),
    /// `[ect01]`: ECT(0) or ECT(1). Outbound only.
    Ect01,
    /// `[tos 0x4]`: the whole octet.
    Octet(u8),
}

/// What the IP header carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment.
    Tcp(TcpPacket),
    /// A UDP datagram.
    Udp(UdpPacket),
    /// An ICMP or ICMPv6 message; which of them is the run's IP version.
    Icmp(IcmpPacket),
}

/// `8080 > 4000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// From.
    pub source: u16,
    /// To.
    pub destination: u16,
}

/// `1:1001(1000)`. `start + length == end` modulo 2³² holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Sequence number of the first octet, relative to the initial one.
    pub start: u32,
    /// Octets of payload.
    pub length: u16,
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpPacket {
    /// Where the script names them.
    pub ports: Option<Ports>,
    /// The flags.
    pub flags: TcpFlags,
    /// Sequence number and payload.
    pub sequence: Sequence,
    /// `ack 1`; absent means 0, and is compared as 0.
    pub ack: Option<u32>,
    /// `win 1000`: the field as it stands in the header, unscaled; absent (outbound only) means any.
    pub window: Option<u16>,
    /// `urg 1`; absent means 0, and is compared as 0.
    pub urgent: Option<u16>,
    /// The options.
    pub options: TcpOptions,
}

/// The control bits of a segment. RFC 9293, section 3.1; AE is RFC 9768's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// The bits as the header has them, FIN lowest: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256.
    pub bits: u16,
    /// Whether AE, CWR and ECE were written as the number ACE, from 1 to 7. It is in `bits` as well.
    pub ace: bool,
}

impl TcpFlags {
    /// `F`
    pub const FIN: u16 = 0x001;
    /// `S`
    pub const SYN: u16 = 0x002;
    /// `R`
    pub const RST: u16 = 0x004;
    /// `P`
    pub const PSH: u16 = 0x008;
    /// `.`
    pub const ACK: u16 = 0x010;
    /// `U`
    pub const URG: u16 = 0x020;
    /// `E`
    pub const ECE: u16 = 0x040;
    /// `W`
    pub const CWR: u16 = 0x080;
    /// `A`
    pub const AE: u16 = 0x100;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u16) -> bool {
        self.bits & bits == bits
    }
}

/// The options of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOptions {
    /// `<...>`: whatever they are. Outbound only.
    Any,
    /// Exactly these, in this order; empty where the script writes none.
    These(Vec<TcpOption>),
}

/// One TCP option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// `eol`
    EndOfList,
    /// `nop`
    NoOperation,
    /// `mss 1460`
    MaximumSegmentSize(u16),
    /// `wscale 8`
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:1001 2001:3001`: left and right edges.
    Sack(Vec<(u32, u32)>),
    /// `TS val 100 ecr 0`
    Timestamps {
        /// TSval.
        value: u32,
        /// TSecr.
        echo: u32,
    },
    /// `FO`, `FO abcd`: RFC 7413; empty asks for a cookie.
    FastOpen(Vec<u8>),
    /// `FOEXP`, `FOEXP abcd`: the same in the experimental option, kind 254 with magic number 0xF989.
    FastOpenExperimental(Vec<u8>),
    /// `md5 00…`: RFC 2385.
    Md5(Vec<u8>),
    /// `ECN e1b 1 ceb 0 e0b 1`: RFC 9768, section 3.2.3.
    AccEcn {
        /// Whether the EE0B counter comes first (kind 172), or EE1B (kind 174).
        first: AccEcnOrder,
        /// One to three counters of 24 bits in the order of the option.
        counters: Vec<u32>,
    },
    /// A kind without a name here: `kind 99 0102`, and `exp f9890102`, which is kind 254.
    Other {
        /// The kind's number.
        kind: u8,
        /// What follows kind and length.
        data: Vec<u8>,
    },
    /// `[630401]`: octets as they are, which need not make a whole option.
    Raw(Vec<u8>),
}

/// Which counter begins an AccECN option. RFC 9768, section 3.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccEcnOrder {
    /// e0b, ceb, e1b: kind 172.
    Ect0First,
    /// e1b, ceb, e0b: kind 174.
    Ect1First,
}

/// A UDP datagram: `udp (1000)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpPacket {
    /// Where the script names them.
    pub ports: Option<Ports>,
    /// Octets of payload.
    pub length: u16,
}

/// An ICMP message: `icmp unreachable frag_needed mtu 1400 [1:1001(1000)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpPacket {
    /// The type's name, as written: `unreachable`. What it means depends on the IP version.
    pub kind: String,
    /// The code's name, where there is one: `frag_needed`.
    pub code: Option<String>,
    /// `mtu 1400`
    pub mtu: Option<u32>,
    /// `id 7`, of echo messages.
    pub id: Option<u16>,
    /// What the message quotes.
    pub echoed: EchoedPacket,
}

/// The packet that an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoedPacket {
    /// Nothing said: a segment of sequence number 0 without payload.
    Unspecified,
    /// `[1:1001(1000)]`: a segment the stack sent.
    Tcp(Sequence),
    /// `[udp (1000)]`: a datagram the stack sent.
    Udp(u16),
    /// `[raw (1000)]`: octets behind the IP header.
    Raw(u16),
}

impl TcpOption {
    /// Octets it takes in the header.
    pub fn length(&self) -> usize {
        match self {
            TcpOption::EndOfList | TcpOption::NoOperation => 1,
            TcpOption::MaximumSegmentSize(_) => 4,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 2,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Timestamps { .. } => 10,
            TcpOption::FastOpen(cookie) => 2 + cookie.len(),
            TcpOption::FastOpenExperimental(cookie) => 4 + cookie.len(),
            TcpOption::Md5(digest) => 2 + digest.len(),
            TcpOption::AccEcn { counters, .. } => 2 + 3 * counters.len(),
            TcpOption::Other { data, .. } => 2 + data.len(),
            TcpOption::Raw(octets) => octets.len(),
        }
    }
}
