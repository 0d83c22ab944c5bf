//! Packets: the headers around them, IP's annotations, then TCP, UDP or ICMP.

use super::cursor::Cursor;
use super::option::options;
use crate::ast::packet::MplsEntry;
use crate::ast::{
    Direction, EchoedPacket, Encapsulation, IcmpPacket, IpInfo, Packet, Ports, Sequence, TcpFlags,
    TcpOptions, TcpPacket, Tos, Transport, UdpPacket,
};
use crate::error::ScriptError;
use crate::lexer::Kind;
use std::net::IpAddr;

/// As deep as the headers around a packet may be.
const MOST_HEADERS: usize = 8;
/// As many MPLS labels as a stack may have.
const MOST_LABELS: usize = 16;

pub(super) fn packet(cursor: &mut Cursor<'_>) -> Result<Packet, ScriptError> {
    let line = cursor.line();
    let direction = if cursor.accept('<') {
        Direction::Inbound
    } else {
        cursor.mark('>')?;
        Direction::Outbound
    };
    let mut encapsulation = Vec::new();
    while let Some(header) = outer_header(cursor)? {
        if encapsulation.len() >= MOST_HEADERS {
            return Err(cursor.expected(&format!("at most {MOST_HEADERS} headers around a packet")));
        }
        encapsulation.push(header);
    }
    let start = cursor.here();
    let ip = ip_info(cursor)?;
    if ip.tos == Tos::Ect01 && direction == Direction::Inbound {
        return Err(cursor.error(start, "[ect01] is for packets that the stack sends (>)"));
    }
    let transport = if cursor.accept_word("udp") {
        let ports = ports(cursor)?;
        Transport::Udp(UdpPacket { ports, length: parenthesised(cursor)? })
    } else if cursor.accept_word("icmp") {
        Transport::Icmp(icmp(cursor)?)
    } else {
        if cursor.accept_word("encap") {
            cursor.keyword("psp")?;
            cursor.keyword("spi")?;
            encapsulation.push(Encapsulation::Psp { spi: cursor.number("an SPI", u32::MAX)? });
        }
        Transport::Tcp(tcp(cursor, direction)?)
    };
    Ok(Packet { line, direction, encapsulation, ip, transport })
}

fn outer_header(cursor: &mut Cursor<'_>) -> Result<Option<Encapsulation>, ScriptError> {
    let Some(word) = cursor.word().map(str::to_owned) else { return Ok(None) };
    match word.as_str() {
        "ipv4" | "ipv6" => {
            cursor.advance();
            let info = ip_info(cursor)?;
            let start = cursor.here();
            let source = address(cursor)?;
            cursor.mark('>')?;
            let destination = address(cursor)?;
            let header = match (word.as_str(), source, destination) {
                ("ipv4", IpAddr::V4(source), IpAddr::V4(destination)) => {
                    Encapsulation::Ipv4 { info, source, destination }
                }
                ("ipv6", IpAddr::V6(source), IpAddr::V6(destination)) => {
                    Encapsulation::Ipv6 { info, source, destination }
                }
                _ => return Err(cursor.error(start, format!("expected two {word} addresses"))),
            };
            cursor.mark(':')?;
            Ok(Some(header))
        }
        "gre" | "GREv0" => {
            cursor.advance();
            let header = gre(cursor)?;
            cursor.mark(':')?;
            Ok(Some(header))
        }
        "mpls" => {
            cursor.advance();
            let mut labels = Vec::new();
            while *cursor.peek() == Kind::Mark('(') {
                if labels.len() >= MOST_LABELS {
                    return Err(cursor.expected(&format!("at most {MOST_LABELS} labels")));
                }
                labels.push(label(cursor)?);
            }
            cursor.mark(':')?;
            Ok(Some(Encapsulation::Mpls(labels)))
        }
        _ => Ok(None),
    }
}

fn address(cursor: &mut Cursor<'_>) -> Result<IpAddr, ScriptError> {
    let Kind::Address(text) = cursor.peek() else { return Err(cursor.expected("an IP address")) };
    let address = text.parse().map_err(|_| cursor.expected("an IP address"))?;
    cursor.advance();
    Ok(address)
}

/// `gre`, or `gre flags [key present], sum 0, off 0, key=1, seq 0` of which the commas may be left out.
fn gre(cursor: &mut Cursor<'_>) -> Result<Encapsulation, ScriptError> {
    let (mut flags, mut checksum, mut offset, mut key, mut sequence) = (0, 0, 0, 0, 0);
    if *cursor.peek() != Kind::Mark(':') {
        cursor.accept(',');
        if !cursor.accept_word("Flags") {
            cursor.keyword("flags")?;
        }
        flags =
            if cursor.accept('[') { gre_flags(cursor)? } else { cursor.number("GRE's flags", u16::MAX)? };
        cursor.accept(',');
        cursor.keyword("sum")?;
        checksum = cursor.number("a checksum", u16::MAX)?;
        cursor.accept(',');
        cursor.keyword("off")?;
        offset = cursor.number("an offset", u16::MAX)?;
        cursor.accept(',');
        cursor.keyword("key")?;
        cursor.accept('=');
        key = cursor.number("a key", u32::MAX)?;
        cursor.accept(',');
        cursor.keyword("seq")?;
        sequence = cursor.number("a sequence number", u32::MAX)?;
    }
    Ok(Encapsulation::Gre { flags, checksum, offset, key, sequence })
}

fn gre_flags(cursor: &mut Cursor<'_>) -> Result<u16, ScriptError> {
    let mut flags = 0;
    loop {
        if !cursor.accept_word("none") {
            let flag = match cursor.word() {
                Some("checksum") => 0x8000,
                Some("key") => 0x2000,
                Some("sequence") => 0x1000,
                _ => {
                    return Err(cursor.expected("'none', or 'checksum', 'key' or 'sequence#' with 'present'"));
                }
            };
            cursor.advance();
            if flag == 0x1000 {
                cursor.mark('#')?;
            }
            cursor.keyword("present")?;
            flags |= flag;
        }
        if !cursor.accept(',') {
            cursor.mark(']')?;
            return Ok(flags);
        }
    }
}

/// `(label 0, tc 0, [S], ttl 0)`
fn label(cursor: &mut Cursor<'_>) -> Result<MplsEntry, ScriptError> {
    cursor.mark('(')?;
    cursor.keyword("label")?;
    let label = cursor.number("a label", 0xf_ffff_u32)?;
    cursor.mark(',')?;
    cursor.keyword("tc")?;
    let traffic_class = cursor.number("an MPLS traffic class", 7_u8)?;
    cursor.mark(',')?;
    let bottom = cursor.accept('[');
    if bottom {
        cursor.keyword("S")?;
        cursor.mark(']')?;
        cursor.mark(',')?;
    }
    cursor.keyword("ttl")?;
    let ttl = cursor.number("a TTL", u8::MAX)?;
    cursor.mark(')')?;
    Ok(MplsEntry { label, traffic_class, bottom, ttl })
}

/// `[ect0]`, `(tos 0x4)`, `[ttl 64]`, `[flowlabel 0x1]`, `[ect0, flowlabel 0x1]`; each thing once.
fn ip_info(cursor: &mut Cursor<'_>) -> Result<IpInfo, ScriptError> {
    let mut info = IpInfo::default();
    let close = match cursor.peek() {
        Kind::Mark('[') => ']',
        Kind::Mark('(') => ')',
        _ => return Ok(info),
    };
    cursor.advance();
    loop {
        let start = cursor.here();
        let tos = match cursor.word() {
            Some("noecn") => Some(Tos::Ecn(0)),
            Some("ect1") => Some(Tos::Ecn(1)),
            Some("ect0") => Some(Tos::Ecn(2)),
            Some("ce") => Some(Tos::Ecn(3)),
            Some("ect01") => Some(Tos::Ect01),
            _ => None,
        };
        let twice = if let Some(tos) = tos {
            cursor.advance();
            std::mem::replace(&mut info.tos, tos) != Tos::Unspecified
        } else if cursor.accept_word("tos") {
            let octet = cursor.number("a TOS octet", u8::MAX)?;
            std::mem::replace(&mut info.tos, Tos::Octet(octet)) != Tos::Unspecified
        } else if cursor.accept_word("ttl") {
            info.ttl.replace(cursor.number("a TTL", u8::MAX)?).is_some()
        } else if cursor.accept_word("flowlabel") {
            info.flow_label.replace(cursor.number("a flow label", 0xf_ffff_u32)?).is_some()
        } else {
            return Err(cursor.expected("noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel"));
        };
        if twice {
            return Err(cursor.error(start, "this is said twice about one header"));
        }
        if !cursor.accept(',') {
            cursor.mark(close)?;
            return Ok(info);
        }
    }
}

fn ports(cursor: &mut Cursor<'_>) -> Result<Option<Ports>, ScriptError> {
    if !matches!(cursor.peek(), Kind::Integer(_)) || *cursor.ahead(1) != Kind::Mark('>') {
        return Ok(None);
    }
    let source = cursor.number("a port", u16::MAX)?;
    cursor.mark('>')?;
    Ok(Some(Ports { source, destination: cursor.number("a port", u16::MAX)? }))
}

/// `(1000)`
fn parenthesised(cursor: &mut Cursor<'_>) -> Result<u16, ScriptError> {
    cursor.mark('(')?;
    let length = cursor.number("a payload's length", u16::MAX)?;
    cursor.mark(')')?;
    Ok(length)
}

/// `1:1001(1000)`
fn sequence(cursor: &mut Cursor<'_>) -> Result<Sequence, ScriptError> {
    let place = cursor.here();
    let start = cursor.number("a sequence number", u32::MAX)?;
    cursor.mark(':')?;
    let end = cursor.number("a sequence number", u32::MAX)?;
    let length = parenthesised(cursor)?;
    if start.wrapping_add(u32::from(length)) != end {
        return Err(cursor.error(place, format!("{start} and {length} octets do not make {end}")));
    }
    Ok(Sequence { start, length })
}

fn icmp(cursor: &mut Cursor<'_>) -> Result<IcmpPacket, ScriptError> {
    let kind = cursor.any_word("an ICMP type")?;
    let mut packet = IcmpPacket { kind, code: None, mtu: None, id: None, echoed: EchoedPacket::Unspecified };
    if !matches!(cursor.word(), None | Some("mtu" | "id")) {
        packet.code = Some(cursor.any_word("an ICMP code")?);
    }
    if cursor.accept_word("mtu") {
        packet.mtu = Some(cursor.number("an MTU", u32::MAX)?);
    }
    if cursor.accept_word("id") {
        packet.id = Some(cursor.number("an identifier", u16::MAX)?);
    }
    if cursor.accept('[') {
        packet.echoed = if cursor.accept_word("udp") {
            EchoedPacket::Udp(parenthesised(cursor)?)
        } else if cursor.accept_word("raw") {
            EchoedPacket::Raw(parenthesised(cursor)?)
        } else {
            EchoedPacket::Tcp(sequence(cursor)?)
        };
        cursor.mark(']')?;
    }
    Ok(packet)
}

fn tcp(cursor: &mut Cursor<'_>, direction: Direction) -> Result<TcpPacket, ScriptError> {
    let ports = ports(cursor)?;
    let flags = flags(cursor)?;
    let sequence = sequence(cursor)?;
    let ack =
        cursor.accept_word("ack").then(|| cursor.number("an acknowledgment number", u32::MAX)).transpose()?;
    let window = cursor.accept_word("win").then(|| cursor.number("a window", u16::MAX)).transpose()?;
    if window.is_none() && direction == Direction::Inbound {
        return Err(cursor.expected("'win' and a number: a packet that the script sends has a window"));
    }
    let urgent =
        cursor.accept_word("urg").then(|| cursor.number("an urgent pointer", u16::MAX)).transpose()?;
    let start = cursor.here();
    let options = options(cursor)?;
    if options == TcpOptions::Any && direction == Direction::Inbound {
        return Err(cursor.error(start, "<...> is for packets that the stack sends (>)"));
    }
    Ok(TcpPacket { ports, flags, sequence, ack, window, urgent, options })
}

/// `S`, `P.`, `.`, `-` for none, and with ACE as a digit: `.5`, `S.1`, `5`.
fn flags(cursor: &mut Cursor<'_>) -> Result<TcpFlags, ScriptError> {
    let start = cursor.here();
    if cursor.accept('-') {
        return Ok(TcpFlags::default());
    }
    let mut text = String::new();
    if let Some(word) = cursor.word() {
        text.push_str(word);
        cursor.advance();
    } else if let (Kind::Integer(digits), true) = (cursor.peek(), *cursor.ahead(1) != Kind::Mark(':')) {
        text.push_str(digits);
        cursor.advance();
    }
    if text.is_empty() || cursor.adjacent() {
        if let Kind::Float(digits) = cursor.peek() {
            text.push_str(digits);
            cursor.advance();
        } else if cursor.accept('.') {
            text.push('.');
        }
    }
    if text.is_empty() {
        return Err(cursor.expected("TCP flags (letters of FSRPUEWA, '.' for ACK, or '-' for none)"));
    }
    let mut flags = TcpFlags::default();
    let mut ecn = false;
    for letter in text.chars() {
        let bit = match letter {
            'F' => TcpFlags::FIN,
            'S' => TcpFlags::SYN,
            'R' => TcpFlags::RST,
            'P' => TcpFlags::PSH,
            '.' => TcpFlags::ACK,
            'U' => TcpFlags::URG,
            'E' => TcpFlags::ECE,
            'W' => TcpFlags::CWR,
            'A' => TcpFlags::AE,
            '0'..='7' if !flags.ace && !ecn => {
                // ACE counts in AE, CWR, ECE, the highest first.
                let ace = u16::try_from(letter.to_digit(8).unwrap_or(0)).unwrap_or(0);
                flags.ace = true;
                flags.bits |= ace << 6;
                continue;
            }
            '0'..='7' => return Err(cursor.error(start, "ACE is said twice, or besides E, W or A")),
            other => {
                return Err(
                    cursor.error(start, format!("'{other}' is no TCP flag: those are FSRPUEWA and '.'"))
                );
            }
        };
        let of_ecn = matches!(letter, 'E' | 'W' | 'A');
        if flags.ace && of_ecn {
            return Err(cursor.error(start, "ACE is said besides E, W or A"));
        }
        if flags.bits & bit != 0 {
            return Err(cursor.error(start, format!("the flag '{letter}' is said twice")));
        }
        ecn |= of_ecn;
        flags.bits |= bit;
    }
    Ok(flags)
}
