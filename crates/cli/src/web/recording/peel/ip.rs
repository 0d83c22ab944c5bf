//! IPv4 with its options (RFC 791), IPv6 with its extension headers (RFC 8200).

use super::{Cut, Next, Pseudo, address, fold, hex, sum};

/// Extension headers of a packet that are shown.
const EXTENSIONS: usize = 16;

fn protocol_name(number: u8) -> &'static str {
    match number {
        0 => "hop-by-hop options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        43 => "routing header",
        44 => "fragment header",
        58 => "ICMPv6",
        59 => "nothing",
        60 => "destination options",
        _ => "unknown here",
    }
}

fn ecn_name(bits: u8) -> &'static str {
    match bits & 3 {
        0 => "not ECN-capable",
        1 => "ECT(1)",
        2 => "ECT(0)",
        _ => "congestion experienced",
    }
}

impl Cut<'_> {
    pub(super) fn ipv4(&mut self) -> Option<Next> {
        self.called("IPv4");
        let first = self.byte(0)?;
        self.field("version", 0, 1, first >> 4).noted("bits 0 to 3");
        let header = usize::from(first & 15) * 4;
        self.field("header length", 0, 1, format!("{header} bytes"))
            .noted("bits 4 to 7, in words of 4 bytes");
        let class = self.byte(1)?;
        self.field("DSCP", 1, 1, class >> 2).noted("bits 0 to 5");
        self.field("ECN", 1, 1, class & 3).noted(format!("bits 6 and 7: {}", ecn_name(class)));
        let total = usize::from(self.word(2)?);
        self.field("total length", 2, 2, total);
        let identification = self.word(4)?;
        self.field("identification", 4, 2, identification);
        let flags = self.word(6)?;
        let (keeps, more, offset) = (flags >> 14 & 1, flags >> 13 & 1, usize::from(flags & 0x1fff) * 8);
        self.field("don't fragment", 6, 1, keeps).noted("bit 1");
        self.field("more fragments", 6, 1, more).noted("bit 2");
        self.field("fragment offset", 6, 2, offset).noted("bits 3 to 15, in units of 8 bytes");
        let [hops, protocol] = [self.byte(8)?, self.byte(9)?];
        self.field("time to live", 8, 1, hops);
        self.field("protocol", 9, 1, protocol).noted(protocol_name(protocol));
        let stated = self.word(10)?;
        if first >> 4 != 4 || header < 20 || total < header {
            return None;
        }
        let right = fold(fold(sum(self.bytes(0, header)?))) == 0xffff;
        self.field("header checksum", 10, 2, format!("0x{stated:04x}")).noted(if right {
            "correct"
        } else {
            "wrong: the header was damaged"
        });
        let addresses = self.bytes(12, 8)?;
        let (source, destination) = addresses.split_at_checked(4)?;
        self.field("source", 12, 4, address(source));
        self.field("destination", 16, 4, address(destination));
        self.ipv4_options(header)?;
        let is_there = self.has(total);
        self.ends(header);
        self.limit(total);
        if !is_there {
            return None;
        }
        self.is_short |= more == 1;
        if offset > 0 {
            // Its header is in the first fragment.
            return Some(Next::Payload);
        }
        Some(Next::Protocol(protocol, Pseudo::of(addresses, protocol)))
    }

    fn ipv4_options(&mut self, header: usize) -> Option<()> {
        let mut at = 20;
        while at < header {
            let kind = self.byte(at)?;
            if kind < 2 {
                self.field(if kind == 0 { "end of options" } else { "no operation" }, at, 1, kind);
                at += 1;
                if kind == 0 {
                    break;
                }
                continue;
            }
            let length = usize::from(self.byte(at + 1)?);
            if length < 2 || at + length > header {
                return None;
            }
            let name = match kind {
                7 => "record route",
                68 => "timestamp",
                131 => "loose source route",
                137 => "strict source route",
                148 => "router alert",
                _ => "option",
            };
            let data = hex(self.bytes(at + 2, length - 2)?);
            self.field(name, at, length, data).noted(format!("kind {kind}, {length} bytes"));
            at += length;
        }
        Some(())
    }

    pub(super) fn ipv6(&mut self) -> Option<Next> {
        self.called("IPv6");
        let first = self.long(0)?;
        self.field("version", 0, 1, first >> 28).noted("bits 0 to 3");
        let class = (first >> 20) as u8;
        self.field("DSCP", 0, 2, class >> 2).noted("bits 4 to 9");
        self.field("ECN", 1, 1, class & 3).noted(format!("bits 2 and 3: {}", ecn_name(class)));
        self.field("flow label", 1, 3, format!("0x{:05x}", first & 0xf_ffff)).noted("the lower 20 bits");
        let length = usize::from(self.word(4)?);
        self.field("payload length", 4, 2, length);
        let [mut next, hops] = [self.byte(6)?, self.byte(7)?];
        self.field("next header", 6, 1, next).noted(protocol_name(next));
        self.field("hop limit", 7, 1, hops);
        let addresses = self.bytes(8, 32)?;
        let (source, destination) = addresses.split_at_checked(16)?;
        self.field("source", 8, 16, address(source));
        self.field("destination", 24, 16, address(destination));
        if first >> 28 != 6 || !self.has(40 + length) {
            return None;
        }
        self.limit(40 + length);
        let mut at = 40;
        for _ in 0..EXTENSIONS {
            match next {
                0 | 43 | 60 => {
                    let (after, units) = (self.byte(at)?, self.byte(at + 1)?);
                    let size = (usize::from(units) + 1) * 8;
                    let data = hex(self.bytes(at + 2, size - 2)?);
                    self.field(protocol_name(next), at, size, data)
                        .noted(format!("{size} bytes; next header: {}", protocol_name(after)));
                    (at, next) = (at + size, after);
                }
                44 => {
                    let after = self.byte(at)?;
                    let [place, identification] = [u32::from(self.word(at + 2)?), self.long(at + 4)?];
                    let (offset, more) = (place & !7, place & 1);
                    let value = format!("offset {offset}, more {more}, identification {identification}");
                    self.field(protocol_name(next), at, 8, value)
                        .noted(format!("8 bytes; next header: {}", protocol_name(after)));
                    (at, next) = (at + 8, after);
                    if offset > 0 || more > 0 {
                        return Some(Next::Payload);
                    }
                }
                _ => break,
            }
        }
        Some(Next::Protocol(next, Pseudo::of(addresses, next)))
    }
}
