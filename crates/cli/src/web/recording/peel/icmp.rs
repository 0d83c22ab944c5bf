//! ICMP for both versions of IP (RFC 792, RFC 4443).

use super::ndp::is_ndp;
use super::{Cut, Next, Pseudo};

impl Cut<'_> {
    pub(super) fn icmpv4(&mut self) -> Option<Next> {
        self.called("ICMP");
        let [kind, code] = [self.byte(0)?, self.byte(1)?];
        let meaning = match (kind, code) {
            (0, _) => "echo reply",
            (3, 0) => "destination unreachable: no way to that network",
            (3, 1) => "destination unreachable: no answer from that host",
            (3, 2) => "destination unreachable: nobody there speaks that protocol",
            (3, 3) => "destination unreachable: nobody is bound to that port",
            (3, 4) => "destination unreachable: too big, and not to be fragmented",
            (3, 9 | 10 | 13) => "destination unreachable: forbidden",
            (3, _) => "destination unreachable",
            (5, _) => "redirect",
            (8, _) => "echo request",
            (11, 0) => "time exceeded: on the way",
            (11, _) => "time exceeded: fragments are missing",
            (12, _) => "parameter problem",
            _ => "unknown here",
        };
        self.field("type", 0, 1, kind).noted(meaning);
        self.field("code", 1, 1, code);
        let stated = self.word(2)?;
        let verdict = self.verdict_without_length();
        self.field("checksum", 2, 2, format!("0x{stated:04x}")).noted(verdict);
        match (kind, code) {
            (0 | 8, _) => self.echo(),
            (3, 4) => {
                let unused = self.word(4)?;
                self.field("unused", 4, 2, unused);
                let mtu = self.word(6)?;
                self.field("next-hop MTU", 6, 2, mtu).noted("RFC 1191");
                Some(Next::Ipv4)
            }
            (5, _) => {
                let gateway = super::address(self.bytes(4, 4)?);
                self.field("gateway", 4, 4, gateway);
                Some(Next::Ipv4)
            }
            (3 | 11 | 12, _) => {
                let rest = self.long(4)?;
                self.field("unused", 4, 4, rest);
                // The packet that it is about.
                Some(Next::Ipv4)
            }
            _ => Some(Next::Payload),
        }
    }

    pub(super) fn icmpv6(&mut self, pseudo: Pseudo) -> Option<Next> {
        self.called("ICMPv6");
        let [kind, code] = [self.byte(0)?, self.byte(1)?];
        let meaning = match (kind, code) {
            (1, 0) => "destination unreachable: no route",
            (1, 1) => "destination unreachable: forbidden",
            (1, 3) => "destination unreachable: no answer from that address",
            (1, 4) => "destination unreachable: nobody is bound to that port",
            (1, _) => "destination unreachable",
            (2, _) => "packet too big",
            (3, _) => "time exceeded",
            (4, _) => "parameter problem",
            (128, _) => "echo request",
            (129, _) => "echo reply",
            (130, _) => "multicast listener query",
            (131 | 143, _) => "multicast listener report",
            (132, _) => "multicast listener done",
            (133, _) => "router solicitation",
            (134, _) => "router advertisement",
            (135, _) => "neighbor solicitation",
            (136, _) => "neighbor advertisement",
            (137, _) => "redirect",
            _ => "unknown here",
        };
        self.field("type", 0, 1, kind).noted(meaning);
        self.field("code", 1, 1, code);
        let stated = self.word(2)?;
        let verdict = self.verdict(pseudo, self.rest().len());
        self.field("checksum", 2, 2, format!("0x{stated:04x}")).noted(verdict);
        match kind {
            128 | 129 => self.echo(),
            1..=4 => {
                let value = self.long(4)?;
                let name = match kind {
                    2 => "MTU",
                    4 => "pointer",
                    _ => "unused",
                };
                self.field(name, 4, 4, value);
                Some(Next::Ipv6)
            }
            kind if is_ndp(kind) => self.ndp(kind),
            _ => Some(Next::Payload),
        }
    }

    fn echo(&mut self) -> Option<Next> {
        let [identifier, sequence] = [self.word(4)?, self.word(6)?];
        self.field("identifier", 4, 2, identifier);
        self.field("sequence number", 6, 2, sequence);
        Some(Next::Payload)
    }

    /// ICMP for IPv4 sums itself only.
    fn verdict_without_length(&self) -> String {
        if self.is_short {
            return super::ABSENT.to_owned();
        }
        let right = super::fold(super::fold(super::sum(self.rest()))) == 0xffff;
        if right { "correct" } else { "wrong: the frame was damaged" }.to_owned()
    }
}
