//! TCP with all its options (RFC 9293, and those of RFC 7323, 2018, 7413, 2385, 5925, 9768).

use super::{Cut, Next, Pseudo, hex};

/// The flags, the highest bit first: bit 7 of byte 12 is AE, then byte 13.
const FLAGS: [(&str, &str); 8] = [
    ("CWR", "bit 0: congestion window reduced"),
    ("ECE", "bit 1: congestion was experienced"),
    ("URG", "bit 2: the urgent pointer counts"),
    ("ACK", "bit 3: the acknowledgement number counts"),
    ("PSH", "bit 4: hand it to the program at once"),
    ("RST", "bit 5: the connection is no more"),
    ("SYN", "bit 6: sequence numbers begin here"),
    ("FIN", "bit 7: nothing more comes from here"),
];

impl Cut<'_> {
    pub(super) fn tcp(&mut self, pseudo: Pseudo) -> Option<Next> {
        self.called("TCP");
        let [source, destination] = [self.word(0)?, self.word(2)?];
        self.field("source port", 0, 2, source);
        self.field("destination port", 2, 2, destination);
        let [sequence, acknowledgement] = [self.long(4)?, self.long(8)?];
        self.field("sequence number", 4, 4, sequence).noted("of the first byte of data, or of the SYN");
        self.field("acknowledgement number", 8, 4, acknowledgement).noted("the next byte that is expected");
        let [offset, flags] = [self.byte(12)?, self.byte(13)?];
        let header = usize::from(offset >> 4) * 4;
        self.field("data offset", 12, 1, format!("{header} bytes")).noted("bits 0 to 3, in words of 4 bytes");
        self.field("AE", 12, 1, offset & 1).noted("bit 7: accurate ECN (RFC 9768)");
        for (place, (name, note)) in FLAGS.iter().enumerate() {
            self.field(name, 13, 1, flags >> (7 - place) & 1).noted(*note);
        }
        let window = self.word(14)?;
        self.field("window", 14, 2, window).noted("as it stands; times 2^scale where both ends scale");
        let stated = self.word(16)?;
        let verdict = self.verdict(pseudo, self.rest().len());
        self.field("checksum", 16, 2, format!("0x{stated:04x}")).noted(verdict);
        let urgent = self.word(18)?;
        self.field("urgent pointer", 18, 2, urgent);
        if header < 20 || header > self.rest().len() {
            return None;
        }
        self.tcp_options(header)?;
        self.ends(header);
        Some(Next::Payload)
    }

    fn tcp_options(&mut self, header: usize) -> Option<()> {
        let mut at = 20;
        while at < header {
            let kind = self.byte(at)?;
            if kind < 2 {
                let (name, note) = if kind == 0 {
                    ("end of options", "kind 0")
                } else {
                    ("no operation", "kind 1: fills up")
                };
                self.field(name, at, 1, kind).noted(note);
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
            let data = self.bytes(at + 2, length - 2)?;
            let (name, value) = option(kind, data);
            self.field(name, at, length, value).noted(format!("kind {kind}, {length} bytes"));
            at += length;
        }
        Some(())
    }
}

fn option(kind: u8, data: &[u8]) -> (&'static str, String) {
    let longs = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks_exact(4).filter_map(|four| four.first_chunk()).copied().map(u32::from_be_bytes).collect()
    };
    match (kind, data) {
        (2, [high, low]) => ("maximum segment size", u16::from_be_bytes([*high, *low]).to_string()),
        (3, [shift]) => ("window scale", format!("{shift} (times {})", 1_u32 << (*shift).min(14))),
        (4, []) => ("SACK permitted", "yes".to_owned()),
        (5, blocks) => {
            let blocks = longs(blocks);
            let blocks =
                blocks.chunks_exact(2).filter_map(|pair| Some(format!("{}-{}", pair.first()?, pair.last()?)));
            ("SACK", blocks.collect::<Vec<_>>().join(", "))
        }
        (8, [..]) if data.len() == 8 => match longs(data).as_slice() {
            [value, echo] => ("timestamps", format!("value {value}, echo {echo}")),
            _ => ("timestamps", hex(data)),
        },
        (19, _) => ("MD5 signature", hex(data)),
        (29, _) => ("authentication", hex(data)),
        (34, []) => ("fast open", "asks for a cookie".to_owned()),
        (34, _) => ("fast open cookie", hex(data)),
        (172 | 174, _) => ("accurate ECN", hex(data)),
        (253 | 254, [0xf9, 0x89, cookie @ ..]) => ("fast open (experiment)", hex(cookie)),
        (253 | 254, _) => ("experiment", hex(data)),
        _ => ("option", hex(data)),
    }
}
