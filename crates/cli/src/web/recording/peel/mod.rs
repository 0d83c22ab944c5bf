//! A frame peeled layer by layer, each field with the bytes it stands in.
//!
//! Any bytes do: what is cut off or makes no sense is said to be so, and the layers before it stay.

mod arp;
mod icmp;
mod ip;
mod ndp;
mod tcp;

use serde::Serialize;
use sockeye_core::wire::LinkType;

/// Layers that a frame has at most: tunnels in tunnels end somewhere.
const LAYERS: usize = 16;
/// What is said of a sum that cannot be checked.
const ABSENT: &str = "not to be checked: not all of the packet is here";
/// Bytes of payload that are shown as text.
const TEXT: usize = 256;

/// A header, or the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Layer {
    name: String,
    from: usize,
    to: usize,
    fields: Vec<Field>,
}

/// A field of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    name: String,
    value: String,
    from: usize,
    to: usize,
    /// Which bits, and what it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What comes behind a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Ethernet,
    Arp,
    Ipv4,
    Ipv6,
    /// An IP protocol or next header, with the sum of the pseudo-header behind it.
    Protocol(u8, Pseudo),
    Payload,
}

/// What the checksum of a transport header takes in besides: a sum, not folded, without the length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pseudo(u32);

impl Pseudo {
    fn of(addresses: &[u8], protocol: u8) -> Pseudo {
        Pseudo(sum(addresses) + u32::from(protocol))
    }
}

/// The sum of 16-bit words; an odd byte at the end is the high one.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(0, |sum, pair| {
        let word = match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        fold(sum + u32::from(word))
    })
}

fn fold(sum: u32) -> u32 {
    (sum & 0xffff) + (sum >> 16)
}

/// All layers of a frame that had `length` bytes: a capture need not have kept them all.
pub(crate) fn peel(bytes: &[u8], link: LinkType, length: usize) -> Vec<Layer> {
    let mut layers = Vec::new();
    let mut next = match link {
        LinkType::Ethernet => Next::Ethernet,
        LinkType::Ip if bytes.first().is_some_and(|first| first >> 4 == 6) => Next::Ipv6,
        LinkType::Ip => Next::Ipv4,
    };
    let (mut from, mut end, mut is_short) = (0, bytes.len(), false);
    while from < end && layers.len() < LAYERS {
        let is_quoted = layers.iter().any(|layer: &Layer| layer.name.starts_with("ICMP"));
        let is_cut = length > bytes.len();
        let (name, fields) = (String::new(), Vec::new());
        let mut cut = Cut { bytes, from, end, is_quoted, is_cut, is_short, to: from, name, fields };
        let behind = match next {
            Next::Ethernet => cut.ethernet(),
            Next::Arp => cut.arp(),
            Next::Ipv4 => cut.ipv4(),
            Next::Ipv6 => cut.ipv6(),
            Next::Protocol(protocol, pseudo) => cut.protocol(protocol, pseudo),
            Next::Payload => cut.payload(),
        };
        if behind.is_none() {
            cut.malformed();
        }
        let Cut { to, name, fields, end: limit, is_short: short, .. } = cut;
        layers.push(Layer { name, from, to, fields });
        let Some(behind) = behind else { break };
        (from, end, next, is_short) = (to, limit, behind, short);
    }
    let end = layers.last().map_or(0, |layer| layer.to);
    let is_whole = next == Next::Payload || layers.last().is_some_and(|layer| layer.name == "Payload");
    if is_whole && end < bytes.len() && layers.len() < LAYERS {
        let value = format!("{} bytes", bytes.len() - end);
        let note = Some("behind the packet: fills the frame up to 60 bytes".to_owned());
        let field = Field { name: "padding".to_owned(), value, from: end, to: bytes.len(), note };
        layers.push(Layer { name: "Padding".to_owned(), from: end, to: bytes.len(), fields: vec![field] });
    }
    layers
}

/// A layer that is being cut off. Places are counted from its beginning.
struct Cut<'a> {
    bytes: &'a [u8],
    from: usize,
    /// Where what belongs to it and all above it ends.
    end: usize,
    /// An ICMP message quotes it, perhaps not all of it.
    is_quoted: bool,
    /// The capture has not kept all of the frame.
    is_cut: bool,
    /// It is in a packet that is not all here: in a fragment, or in one that is quoted or cut off.
    is_short: bool,
    /// Where its own header ends, as far as is known.
    to: usize,
    name: String,
    fields: Vec<Field>,
}

impl<'a> Cut<'a> {
    fn called(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// All that is there, from the layer's beginning.
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.from..self.end).unwrap_or_default()
    }

    fn bytes(&mut self, at: usize, length: usize) -> Option<&'a [u8]> {
        let bytes = self.rest().get(at..at.checked_add(length)?)?;
        self.to = self.to.max(self.from + at + length);
        Some(bytes)
    }

    fn byte(&mut self, at: usize) -> Option<u8> {
        self.bytes(at, 1)?.first().copied()
    }

    fn word(&mut self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes(*self.bytes(at, 2)?.first_chunk()?))
    }

    fn long(&mut self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.bytes(at, 4)?.first_chunk()?))
    }

    fn field(&mut self, name: &str, at: usize, length: usize, value: impl ToString) -> &mut Field {
        let (from, to) = (self.from + at, self.from + at + length);
        self.fields.push(Field { name: name.to_owned(), value: value.to_string(), from, to, note: None });
        let last = self.fields.len() - 1;
        &mut self.fields[last]
    }

    fn malformed(&mut self) {
        let (at, length) = (self.to - self.from, self.end.saturating_sub(self.to));
        self.to = self.end.max(self.to);
        let (name, value) = match (self.is_quoted, self.is_cut) {
            (true, _) => ("cut off", "the quotation ends here"),
            (_, true) => ("cut off", "the capture has kept no more of it"),
            _ => ("malformed", "it ends too early, or a length in it lies"),
        };
        self.field(name, at, length, value);
    }

    /// The header ends here, `length` bytes from its beginning.
    fn ends(&mut self, length: usize) {
        self.to = (self.from + length).min(self.end);
    }

    /// Takes in the length that a packet states: whether that can be.
    fn has(&mut self, length: usize) -> bool {
        let is_less = length > self.rest().len();
        self.is_short |= is_less;
        !is_less || self.is_quoted || self.is_cut
    }

    /// All that belongs to the layer ends here: what is behind it is none of it.
    fn limit(&mut self, length: usize) {
        self.end = self.end.min(self.from.saturating_add(length));
    }

    fn ethernet(&mut self) -> Option<Next> {
        self.called("Ethernet");
        let destination = mac(self.bytes(0, 6)?);
        let note = match self.rest().first() {
            _ if destination == "ff:ff:ff:ff:ff:ff" => Some("broadcast: to everybody"),
            Some(first) if first & 1 == 1 => Some("the lowest bit of the first byte is 1: to a group"),
            _ => None,
        };
        self.field("destination", 0, 6, destination).note = note.map(str::to_owned);
        let source = mac(self.bytes(6, 6)?);
        self.field("source", 6, 6, source);
        let mut at = 12;
        let mut kind = self.word(at)?;
        // IEEE 802.1Q, and 802.1ad around it.
        while matches!(kind, 0x8100 | 0x88a8) && at < 12 + 8 {
            let tag = self.word(at + 2)?;
            self.field("VLAN", at, 4, tag & 0xfff)
                .noted(format!("bits 4 to 15 of the tag; priority {}", tag >> 13));
            at += 4;
            kind = self.word(at)?;
        }
        let (name, next) = match kind {
            0x0800 => ("IPv4", Next::Ipv4),
            0x0806 => ("ARP", Next::Arp),
            0x86dd => ("IPv6", Next::Ipv6),
            length if length < 0x600 => ("a length (IEEE 802.3)", Next::Payload),
            _ => ("unknown here", Next::Payload),
        };
        self.field("type", at, 2, format!("0x{kind:04x}")).noted(name);
        Some(next)
    }

    fn protocol(&mut self, protocol: u8, pseudo: Pseudo) -> Option<Next> {
        match protocol {
            1 => self.icmpv4(),
            4 => {
                self.called("IPv4");
                self.ipv4()
            }
            6 => self.tcp(pseudo),
            17 => self.udp(pseudo),
            41 => self.ipv6(),
            58 => self.icmpv6(pseudo),
            _ => self.payload(),
        }
    }

    /// RFC 768.
    fn udp(&mut self, pseudo: Pseudo) -> Option<Next> {
        self.called("UDP");
        let [source, destination] = [self.word(0)?, self.word(2)?];
        self.field("source port", 0, 2, source);
        self.field("destination port", 2, 2, destination);
        let length = self.word(4)?;
        self.field("length", 4, 2, length).noted("header and data");
        let stated = self.word(6)?;
        let note = match stated {
            0 => "none: the sender has made no sum".to_owned(),
            _ => self.verdict(pseudo, length.into()),
        };
        self.field("checksum", 6, 2, format!("0x{stated:04x}")).noted(note);
        // The whole datagram's length stands in the first fragment.
        if length < 8 || !self.is_short && !self.has(length.into()) {
            return None;
        }
        self.limit(length.into());
        Some(Next::Payload)
    }

    /// Whether the checksum over the whole layer is right.
    fn verdict(&self, pseudo: Pseudo, length: usize) -> String {
        let all = self.rest().get(..length).filter(|_| !self.is_short);
        let Some(all) = all else { return ABSENT.to_owned() };
        match fold(fold(pseudo.0 + sum(all) + fold(length as u32))) {
            0xffff => "correct".to_owned(),
            // The device completes it on its way out.
            _ => "wrong: the frame was damaged, or the sum is left to the device".to_owned(),
        }
    }

    fn payload(&mut self) -> Option<Next> {
        self.called("Payload");
        let data = self.rest();
        self.bytes(0, data.len())?;
        let excerpt = data.get(..TEXT).unwrap_or(data);
        let text: String = String::from_utf8_lossy(excerpt)
            .chars()
            .map(|letter| if letter.is_control() && letter != '\n' { '·' } else { letter })
            .collect();
        let more = if excerpt.len() < data.len() { " …" } else { "" };
        self.field("data", 0, data.len(), format!("{} bytes", data.len())).noted(format!("{text}{more}"));
        Some(Next::Payload)
    }
}

impl Field {
    fn noted(&mut self, note: impl Into<String>) {
        self.note = Some(note.into());
    }
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// An address, from the bytes it stands in.
fn address(bytes: &[u8]) -> String {
    match (bytes.first_chunk::<16>(), bytes.first_chunk::<4>()) {
        (Some(sixteen), _) => std::net::Ipv6Addr::from(*sixteen).to_string(),
        (None, Some(four)) => std::net::Ipv4Addr::from(*four).to_string(),
        _ => hex(bytes),
    }
}

#[cfg(test)]
mod tests;
