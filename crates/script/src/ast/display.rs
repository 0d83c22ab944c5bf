//! Packets in the words of scripts, which are nearly tcpdump's: what is printed can be read again.

use super::packet::{
    AccEcnOrder, Direction, EchoedPacket, Encapsulation, IcmpPacket, IpInfo, Packet, Ports, Sequence,
    TcpFlags, TcpOption, TcpOptions, TcpPacket, Tos, Transport, UdpPacket,
};
use std::fmt::{Display, Formatter, Result};

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} ", self.direction)?;
        // PSP stands behind what is said about the IP header it follows, the others before.
        let psp = |header: &&Encapsulation| matches!(header, Encapsulation::Psp { .. });
        for header in self.encapsulation.iter().filter(|header| !psp(header)) {
            write!(f, "{header} ")?;
        }
        let info = self.ip.to_string();
        if !info.is_empty() {
            write!(f, "{info} ")?;
        }
        for header in self.encapsulation.iter().filter(psp) {
            write!(f, "{header} ")?;
        }
        write!(f, "{}", self.transport)
    }
}

impl Display for Direction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Direction::Inbound => "<",
            Direction::Outbound => ">",
        })
    }
}

impl Display for Encapsulation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let said =
            |info: &IpInfo| if *info == IpInfo::default() { String::new() } else { format!("{info} ") };
        match self {
            Encapsulation::Ipv4 { info, source, destination } => {
                write!(f, "ipv4 {}{source} > {destination}:", said(info))
            }
            Encapsulation::Ipv6 { info, source, destination } => {
                write!(f, "ipv6 {}{source} > {destination}:", said(info))
            }
            Encapsulation::Gre { flags: 0, checksum: 0, offset: 0, key: 0, sequence: 0 } => write!(f, "gre:"),
            Encapsulation::Gre { flags, checksum, offset, key, sequence } => {
                write!(f, "gre flags {flags:#x}, sum {checksum}, off {offset}, key={key}, seq {sequence}:")
            }
            Encapsulation::Mpls(entries) => {
                write!(f, "mpls")?;
                for entry in entries {
                    let bottom = if entry.bottom { "[S], " } else { "" };
                    write!(
                        f,
                        " (label {}, tc {}, {bottom}ttl {})",
                        entry.label, entry.traffic_class, entry.ttl
                    )?;
                }
                write!(f, ":")
            }
            Encapsulation::Psp { spi } => write!(f, "encap psp spi {spi}"),
        }
    }
}

impl Display for IpInfo {
    /// Nothing where nothing is said.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let tos = match self.tos {
            Tos::Unspecified => None,
            Tos::Ecn(bits) => Some(["noecn", "ect1", "ect0", "ce"][usize::from(bits & 3)].to_owned()),
            Tos::Ect01 => Some("ect01".to_owned()),
            Tos::Octet(octet) => Some(format!("tos {octet:#x}")),
        };
        let ttl = self.ttl.map(|ttl| format!("ttl {ttl}"));
        let label = self.flow_label.map(|label| format!("flowlabel {label:#x}"));
        let said: Vec<String> = [tos, ttl, label].into_iter().flatten().collect();
        if said.is_empty() { Ok(()) } else { write!(f, "[{}]", said.join(", ")) }
    }
}

impl Display for Transport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Transport::Tcp(packet) => packet.fmt(f),
            Transport::Udp(packet) => packet.fmt(f),
            Transport::Icmp(packet) => packet.fmt(f),
        }
    }
}

impl Display for Ports {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} > {}", self.source, self.destination)
    }
}

impl Display for Sequence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}:{}({})", self.start, self.start.wrapping_add(u32::from(self.length)), self.length)
    }
}

impl Display for TcpPacket {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(ports) = self.ports {
            write!(f, "{ports} ")?;
        }
        write!(f, "{} {}", self.flags, self.sequence)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        if let Some(urgent) = self.urgent {
            write!(f, " urg {urgent}")?;
        }
        match &self.options {
            TcpOptions::These(options) if options.is_empty() => Ok(()),
            options => write!(f, " {options}"),
        }
    }
}

impl Display for TcpFlags {
    /// `-` where none is set.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.bits & 0x1ff == 0 && !self.ace {
            return f.write_str("-");
        }
        let letters = [
            (TcpFlags::SYN, 'S'),
            (TcpFlags::FIN, 'F'),
            (TcpFlags::RST, 'R'),
            (TcpFlags::PSH, 'P'),
            (TcpFlags::URG, 'U'),
            (TcpFlags::ECE, 'E'),
            (TcpFlags::CWR, 'W'),
            (TcpFlags::AE, 'A'),
        ];
        for (bit, letter) in letters {
            if self.has(bit) && !(self.ace && bit >= TcpFlags::ECE) {
                write!(f, "{letter}")?;
            }
        }
        if self.has(TcpFlags::ACK) {
            f.write_str(".")?;
        }
        if self.ace { write!(f, "{}", self.bits >> 6 & 7) } else { Ok(()) }
    }
}

impl Display for TcpOptions {
    /// `<>` where there are none.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            TcpOptions::Any => f.write_str("<...>"),
            TcpOptions::These(options) => {
                let options: Vec<String> = options.iter().map(TcpOption::to_string).collect();
                write!(f, "<{}>", options.join(","))
            }
        }
    }
}

impl Display for TcpOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            TcpOption::EndOfList => f.write_str("eol"),
            TcpOption::NoOperation => f.write_str("nop"),
            TcpOption::MaximumSegmentSize(size) => write!(f, "mss {size}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOption::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            TcpOption::FastOpen(cookie) => named(f, "FO", cookie),
            TcpOption::FastOpenExperimental(cookie) => named(f, "FOEXP", cookie),
            TcpOption::Md5(digest) => named(f, "md5", digest),
            TcpOption::AccEcn { first, counters } => {
                let names = match first {
                    AccEcnOrder::Ect0First => ["e0b", "ceb", "e1b"],
                    AccEcnOrder::Ect1First => ["e1b", "ceb", "e0b"],
                };
                f.write_str("ECN")?;
                names.iter().zip(counters).try_for_each(|(name, counter)| write!(f, " {name} {counter}"))
            }
            TcpOption::Other { kind, data } => named(f, &format!("kind {kind}"), data),
            TcpOption::Raw(octets) => {
                f.write_str("[")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                f.write_str("]")
            }
        }
    }
}

fn named(f: &mut Formatter<'_>, name: &str, octets: &[u8]) -> Result {
    f.write_str(name)?;
    if octets.is_empty() {
        return Ok(());
    }
    f.write_str(" ")?;
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

impl Display for UdpPacket {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.ports {
            Some(ports) => write!(f, "udp {ports} ({})", self.length),
            None => write!(f, "udp ({})", self.length),
        }
    }
}

impl Display for IcmpPacket {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "icmp {}", self.kind)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        match self.echoed {
            EchoedPacket::Unspecified => Ok(()),
            EchoedPacket::Tcp(sequence) => write!(f, " [{sequence}]"),
            EchoedPacket::Udp(length) => write!(f, " [udp ({length})]"),
            EchoedPacket::Raw(length) => write!(f, " [raw ({length})]"),
        }
    }
}
