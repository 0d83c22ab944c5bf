//! Neighbour discovery (RFC 4861), which is ICMPv6.

use super::{Cut, Next, address, hex, mac};

/// Whether a type of ICMPv6 belongs to it.
pub(super) fn is_ndp(kind: u8) -> bool {
    (133..=137).contains(&kind)
}

impl Cut<'_> {
    pub(super) fn ndp(&mut self, kind: u8) -> Option<Next> {
        let mut at = match kind {
            134 => {
                let [hops, flags] = [self.byte(4)?, self.byte(5)?];
                self.field("hop limit", 4, 1, hops);
                self.field("flags", 5, 1, format!("0x{flags:02x}"))
                    .noted("bit 0: managed addresses, bit 1: other configuration");
                let lifetime = self.word(6)?;
                self.field("router lifetime", 6, 2, format!("{lifetime} s"));
                let [reachable, again] = [self.long(8)?, self.long(12)?];
                self.field("reachable time", 8, 4, format!("{reachable} ms"));
                self.field("retransmission timer", 12, 4, format!("{again} ms"));
                16
            }
            135..=137 => {
                let flags = self.long(4)?;
                if kind == 136 {
                    let [router, solicited, overrides] = [31, 30, 29].map(|bit| flags >> bit & 1);
                    self.field("router", 4, 1, router).noted("bit 0");
                    self.field("solicited", 4, 1, solicited).noted("bit 1: it answers a question");
                    self.field("override", 4, 1, overrides).noted("bit 2: what is known is replaced");
                }
                let (at, length) = if kind == 136 { (5, 3) } else { (4, 4) };
                let reserved = hex(self.bytes(at, length)?);
                self.field("reserved", at, length, reserved);
                let target = address(self.bytes(8, 16)?);
                self.field("target", 8, 16, target);
                if kind == 137 {
                    let destination = address(self.bytes(24, 16)?);
                    self.field("destination", 24, 16, destination);
                    40
                } else {
                    24
                }
            }
            _ => {
                let reserved = self.long(4)?;
                self.field("reserved", 4, 4, format!("0x{reserved:08x}"));
                8
            }
        };
        while at < self.rest().len() {
            let [option, units] = [self.byte(at)?, self.byte(at + 1)?];
            let length = usize::from(units) * 8;
            if length == 0 {
                return None;
            }
            let data = self.bytes(at + 2, length - 2)?;
            let (name, value) = match option {
                1 => ("source link-layer address", mac(data)),
                2 => ("target link-layer address", mac(data)),
                3 => {
                    let prefix = data.get(14..30).map(address).unwrap_or_default();
                    ("prefix", format!("{prefix}/{}", data.first().copied().unwrap_or_default()))
                }
                5 => {
                    let mtu =
                        data.get(2..6).and_then(|bytes| bytes.first_chunk()).copied().map(u32::from_be_bytes);
                    ("MTU", mtu.unwrap_or_default().to_string())
                }
                14 => ("nonce", hex(data)),
                25 => (
                    "DNS servers",
                    data.get(6..).unwrap_or_default().chunks(16).map(address).collect::<Vec<_>>().join(", "),
                ),
                _ => ("option", hex(data)),
            };
            self.field(name, at, length, value).noted(format!("option {option}, {length} bytes"));
            at += length;
        }
        Some(Next::Payload)
    }
}
