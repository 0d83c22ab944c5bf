//! ARP (RFC 826).

use super::{Cut, Next, address, mac};

impl Cut<'_> {
    pub(super) fn arp(&mut self) -> Option<Next> {
        self.called("ARP");
        let [hardware, protocol] = [self.word(0)?, self.word(2)?];
        self.field("hardware type", 0, 2, hardware).noted(if hardware == 1 {
            "Ethernet"
        } else {
            "unknown here"
        });
        self.field("protocol type", 2, 2, format!("0x{protocol:04x}")).noted(if protocol == 0x0800 {
            "IPv4"
        } else {
            "unknown here"
        });
        let [long, short] = [self.byte(4)?, self.byte(5)?];
        self.field("hardware length", 4, 1, long);
        self.field("protocol length", 5, 1, short);
        let operation = self.word(6)?;
        let meaning = match operation {
            1 => "request: who has the target's IP address?",
            2 => "reply: the sender has it",
            _ => "unknown here",
        };
        self.field("operation", 6, 2, operation).noted(meaning);
        let (long, short) = (usize::from(long), usize::from(short));
        let mut at = 8;
        let mut ips = Vec::new();
        for who in ["sender", "target"] {
            let hardware = mac(self.bytes(at, long)?);
            self.field(&format!("{who} MAC"), at, long, hardware);
            at += long;
            let ip = address(self.bytes(at, short)?);
            self.field(&format!("{who} IP"), at, short, &ip);
            at += short;
            ips.push(ip);
        }
        if ips.first() == ips.get(1)
            && let Some(target) = self.fields.last_mut()
        {
            target.noted("the sender's own: an announcement (RFC 5227)");
        }
        self.limit(at);
        Some(Next::Payload)
    }
}
