//! DHCP messages: the fixed part (RFC 2131 section 2) and the options behind it (RFC 2132, RFC 3396).
//!
//! Written here, because the crate for it (`dhcproto`) brings a DNS library with all tables of Unicode, some fifty crates,
//! to every user of this one.

use sockeye_core::wire::ethernet::MacAddr;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The ports (RFC 2131 section 4.1).
pub(crate) const SERVER_PORT: u16 = 67;
pub(crate) const CLIENT_PORT: u16 = 68;

/// Where the options begin: behind the fixed part and the magic cookie.
const OPTIONS: usize = 240;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// The fields that options may go on in (option 52): `file`, then `sname`.
const FILE: std::ops::Range<usize> = 108..236;
const SERVER_NAME: std::ops::Range<usize> = 44..108;

/// The shortest message of BOOTP (RFC 951), below which old relays drop it.
const LEAST: usize = 300;
/// The longest we write: what every client can take (RFC 2131 section 2: 312 bytes of options).
const MOST: usize = 548;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const ETHERNET: u8 = 1;
const BROADCAST_FLAG: u16 = 0x8000;

/// The options in use, by their numbers in RFC 2132.
pub(crate) mod code {
    pub(crate) const SUBNET_MASK: u8 = 1;
    pub(crate) const ROUTER: u8 = 3;
    pub(crate) const DNS_SERVER: u8 = 6;
    pub(crate) const HOST_NAME: u8 = 12;
    pub(crate) const DOMAIN: u8 = 15;
    pub(crate) const MTU: u8 = 26;
    pub(crate) const REQUESTED_ADDRESS: u8 = 50;
    pub(crate) const LEASE_TIME: u8 = 51;
    pub(crate) const OVERLOAD: u8 = 52;
    pub(crate) const MESSAGE_TYPE: u8 = 53;
    pub(crate) const SERVER_ID: u8 = 54;
    pub(crate) const PARAMETERS: u8 = 55;
    pub(crate) const MESSAGE: u8 = 56;
    pub(crate) const MAXIMUM_SIZE: u8 = 57;
    pub(crate) const CLIENT_ID: u8 = 61;
    pub(super) const PAD: u8 = 0;
    pub(super) const END: u8 = 255;
}

/// What a message says (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Discover = 1,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Discover,
        Kind::Offer,
        Kind::Request,
        Kind::Decline,
        Kind::Ack,
        Kind::Nak,
        Kind::Release,
        Kind::Inform,
    ];

    fn is_of_client(self) -> bool {
        !matches!(self, Kind::Offer | Kind::Ack | Kind::Nak)
    }
}

/// A message. Its names are the RFC's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// Which exchange it belongs to.
    pub(crate) xid: u32,
    /// Seconds since the client began.
    pub(crate) secs: u16,
    /// The client cannot take unicast before it has an address.
    pub(crate) wants_broadcast: bool,
    /// The address the client has.
    pub(crate) ciaddr: Ipv4Addr,
    /// The address the client gets.
    pub(crate) yiaddr: Ipv4Addr,
    /// The relay, if there is one.
    pub(crate) giaddr: Ipv4Addr,
    /// The client.
    pub(crate) chaddr: MacAddr,
    options: BTreeMap<u8, Vec<u8>>,
}

impl Message {
    /// A message without options but its type.
    pub(crate) fn new(kind: Kind, xid: u32, chaddr: MacAddr) -> Message {
        Message {
            kind,
            xid,
            secs: 0,
            wants_broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            options: BTreeMap::new(),
        }
    }

    /// Reads a message; `None` for what is none, or not one over Ethernet.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
        let (fixed, options) = bytes.split_first_chunk::<OPTIONS>()?;
        let address = |at: usize| {
            fixed.get(at..at + 4).and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(Ipv4Addr::from)
        };
        let &[op, hardware, hardware_length, _hops, x0, x1, x2, x3, s0, s1, f0, f1, ..] = fixed;
        if hardware != ETHERNET || hardware_length != 6 || fixed.get(236..)? != COOKIE {
            return None;
        }
        let mut found = BTreeMap::new();
        read_options(options, &mut found);
        // Bit 0: `file` holds options too; bit 1: `sname` does, after it.
        let overload =
            found.get(&code::OVERLOAD).and_then(|value: &Vec<u8>| value.first().copied()).unwrap_or(0);
        for (bit, field) in [(1, FILE), (2, SERVER_NAME)] {
            if overload & bit != 0 {
                read_options(fixed.get(field)?, &mut found);
            }
        }
        let kind = match found.remove(&code::MESSAGE_TYPE)?.as_slice() {
            [number] => Kind::ALL.into_iter().find(|kind| *kind as u8 == *number)?,
            _ => return None,
        };
        if (op == BOOT_REQUEST) != kind.is_of_client() || (op == BOOT_REPLY) == kind.is_of_client() {
            return None;
        }
        Some(Message {
            kind,
            xid: u32::from_be_bytes([x0, x1, x2, x3]),
            secs: u16::from_be_bytes([s0, s1]),
            wants_broadcast: u16::from_be_bytes([f0, f1]) & BROADCAST_FLAG != 0,
            ciaddr: address(12)?,
            yiaddr: address(16)?,
            giaddr: address(24)?,
            chaddr: MacAddr(fixed.get(28..34)?.try_into().ok()?),
            options: found,
        })
    }

    /// The message's bytes. Options that do not fit are left out, those with the highest numbers first.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut bytes = vec![0; OPTIONS];
        let op = if self.kind.is_of_client() { BOOT_REQUEST } else { BOOT_REPLY };
        let flags = if self.wants_broadcast { BROADCAST_FLAG } else { 0 };
        let mut put = |at: usize, field: &[u8]| {
            if let Some(room) = bytes.get_mut(at..at + field.len()) {
                room.copy_from_slice(field);
            }
        };
        put(0, &[op, ETHERNET, 6, 0]);
        put(4, &self.xid.to_be_bytes());
        put(8, &self.secs.to_be_bytes());
        put(10, &flags.to_be_bytes());
        put(12, &self.ciaddr.octets());
        put(16, &self.yiaddr.octets());
        put(24, &self.giaddr.octets());
        put(28, &self.chaddr.0);
        put(236, &COOKIE);
        bytes.extend([code::MESSAGE_TYPE, 1, self.kind as u8]);
        for (&number, value) in &self.options {
            // RFC 3396: what is longer than an option continues in the next of the same number.
            let pieces = value.chunks(255);
            let length: usize = pieces.clone().map(|piece| piece.len() + 2).sum();
            if bytes.len() + length < MOST {
                for piece in pieces {
                    bytes.extend([number, piece.len() as u8]);
                    bytes.extend_from_slice(piece);
                }
            }
        }
        bytes.push(code::END);
        bytes.resize(bytes.len().max(LEAST), code::PAD);
        bytes
    }

    /// Adds an option; an empty value is none.
    pub(crate) fn set(&mut self, number: u8, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !value.is_empty() {
            self.options.insert(number, value);
        }
    }

    /// Adds an option that is an address.
    pub(crate) fn set_address(&mut self, number: u8, address: Ipv4Addr) {
        self.set(number, address.octets());
    }

    /// An option's bytes.
    pub(crate) fn get(&self, number: u8) -> Option<&[u8]> {
        self.options.get(&number).map(Vec::as_slice)
    }

    /// An option that is one address.
    pub(crate) fn address(&self, number: u8) -> Option<Ipv4Addr> {
        self.addresses(number).next()
    }

    /// An option that is a list of addresses.
    pub(crate) fn addresses(&self, number: u8) -> impl Iterator<Item = Ipv4Addr> {
        let (addresses, _) = self.get(number).unwrap_or_default().as_chunks::<4>();
        addresses.iter().map(|octets| Ipv4Addr::from(*octets))
    }

    /// An option that is a number of 32 bits.
    pub(crate) fn number(&self, number: u8) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(number)?.try_into().ok()?))
    }

    /// An option that is a number of 16 bits.
    pub(crate) fn short_number(&self, number: u8) -> Option<u16> {
        Some(u16::from_be_bytes(self.get(number)?.try_into().ok()?))
    }

    /// An option that is text; some write a zero behind it.
    pub(crate) fn text(&self, number: u8) -> Option<String> {
        let text = String::from_utf8_lossy(self.get(number)?).trim_end_matches('\0').to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Adds the options in `field`, as far as they make sense; what comes again continues what came before (RFC 3396).
fn read_options(mut field: &[u8], found: &mut BTreeMap<u8, Vec<u8>>) {
    while let Some((&number, rest)) = field.split_first() {
        match (number, rest.split_first()) {
            (code::PAD, _) => field = rest,
            (code::END, _) | (_, None) => return,
            (_, Some((&length, rest))) => {
                let Some((value, rest)) = rest.split_at_checked(length.into()) else { return };
                found.entry(number).or_default().extend_from_slice(value);
                field = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Message {
        let mut message = Message::new(Kind::Ack, 0x1234_5678, MacAddr([2, 0, 0, 0, 0, 9]));
        message.secs = 7;
        message.wants_broadcast = true;
        message.yiaddr = Ipv4Addr::new(10, 0, 0, 9);
        message.set_address(code::SERVER_ID, Ipv4Addr::new(10, 0, 0, 1));
        message.set(code::HOST_NAME, "web");
        message.set(code::LEASE_TIME, u32::MAX.to_be_bytes());
        message
    }

    #[test]
    fn what_is_written_is_read() {
        let message = full();
        let bytes = message.emit();
        assert_eq!(bytes.len(), LEAST);
        assert_eq!(Message::parse(&bytes), Some(message.clone()));
        assert_eq!(message.text(code::HOST_NAME).as_deref(), Some("web"));
        assert_eq!(message.number(code::LEASE_TIME), Some(u32::MAX));
        assert_eq!(message.address(code::ROUTER), None);
    }

    #[test]
    fn long_options_come_in_pieces_and_overloaded_fields_are_read() {
        let mut message = full();
        message.set(code::MESSAGE, vec![b'x'; 280]);
        assert_eq!(Message::parse(&message.emit()), Some(message));
        let mut bytes = full().emit();
        bytes.truncate(OPTIONS);
        bytes.extend([53, 1, 5, 52, 1, 3, 12, 1, b'a', 255]);
        bytes[FILE][..4].copy_from_slice(&[12, 1, b'b', 255]);
        bytes[SERVER_NAME][..4].copy_from_slice(&[12, 1, b'c', 255]);
        assert_eq!(Message::parse(&bytes).unwrap().text(code::HOST_NAME).as_deref(), Some("abc"));
    }

    #[test]
    fn nothing_that_comes_makes_it_panic() {
        let bytes = full().emit();
        for length in 0..bytes.len() {
            let _ = Message::parse(&bytes[..length]);
        }
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % damaged.len();
                damaged[at] = (state >> 25) as u8;
            }
            if let Some(message) = Message::parse(&damaged) {
                let _ = Message::parse(&message.emit());
            }
        }
        // A reply that says it is a request, and the other way round.
        let mut bytes = full().emit();
        bytes[0] = BOOT_REQUEST;
        assert_eq!(Message::parse(&bytes), None);
    }
}
