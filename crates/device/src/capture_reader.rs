//! Reads capture files: pcapng (draft-ietf-opsawg-pcapng) and the classic pcap, in both byte orders.

use crate::Medium;
use crate::pcapng::Direction;
use crate::pcapng::numbers::*;
use std::time::Duration;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Why something is no capture, or no whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// It does not begin as a capture does.
    NoCapture,
    /// A block or a record ends behind the end of the file, or a length in it lies. What came before was right.
    Broken {
        /// At which byte it begins.
        at: usize,
    },
    /// A packet belongs to an interface that was not described before.
    UnknownInterface {
        /// At which byte the packet begins.
        at: usize,
    },
}

impl std::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CaptureError::NoCapture => f.write_str("this is neither a pcapng nor a pcap file"),
            CaptureError::Broken { at } => write!(f, "the capture is broken, or cut off, at byte {at}"),
            CaptureError::UnknownInterface { at } => {
                write!(f, "the packet at byte {at} names an interface that the capture does not describe")
            }
        }
    }
}

impl std::error::Error for CaptureError {}

/// An interface of a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureInterface {
    /// Its name, where the file gives one.
    pub name: Option<String>,
    /// What its packets begin with: a number of the registry of link types, 1 for Ethernet.
    pub link_type: u16,
    /// Units of time in a second.
    units: Units,
    /// Seconds to be added to each timestamp.
    offset: i64,
}

/// How many units of time make a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Units {
    PowerOfTen(u8),
    PowerOfTwo(u8),
}

impl Units {
    /// From `if_tsresol`.
    fn of(byte: u8) -> Units {
        match byte & 0x80 {
            0 => Units::PowerOfTen(byte),
            _ => Units::PowerOfTwo(byte & 0x7f),
        }
    }

    /// Nanoseconds, as far as they count; a resolution that nothing can be counted in gives zero.
    fn nanoseconds(self, units: u64) -> u128 {
        let units = u128::from(units);
        match self {
            Units::PowerOfTen(power) if power <= 9 => units * 10_u128.pow(9 - u32::from(power)),
            Units::PowerOfTen(power) => {
                10_u128.checked_pow(u32::from(power) - 9).map_or(0, |fine| units / fine)
            }
            Units::PowerOfTwo(power) if power < 128 => {
                (units * 1_000_000_000).checked_shr(power.into()).unwrap_or(0)
            }
            Units::PowerOfTwo(_) => 0,
        }
    }
}

/// A packet of a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedPacket<'a> {
    /// The place of its interface in [`CaptureReader::interfaces`].
    pub interface: usize,
    /// When: time since 1970-01-01 00:00 UTC.
    pub timestamp: Duration,
    /// Which way it went, where the file says so.
    pub direction: Option<Direction>,
    /// Its bytes, as many as were kept.
    pub bytes: &'a [u8],
    /// How many it had.
    pub original_length: usize,
    /// A remark, where the file has one.
    pub comment: Option<String>,
}

/// The packets of a capture file, one after the other. After an error there are no more.
///
/// ```
/// use sockeye_device::{CaptureReader, CapturedFrame, Flush, Medium, PcapngWriter};
/// use std::io::IoSlice;
/// use std::time::Duration;
///
/// let mut file = Vec::new();
/// let mut writer = PcapngWriter::new(&mut file, Flush::EveryPacket)?;
/// let interface = writer.interface("cable", Medium::Ethernet, None)?;
/// let (timestamp, parts) = (Duration::from_secs(7), [IoSlice::new(&[0xff; 60])]);
/// writer.frame(&CapturedFrame { interface, timestamp, direction: None, parts: &parts, checksum: None, comment: None })?;
/// drop(writer);
///
/// let mut reader = CaptureReader::new(&file)?;
/// let packet = reader.next().unwrap()?;
/// assert_eq!((packet.timestamp, packet.bytes), (timestamp, &[0xff; 60][..]));
/// assert_eq!(reader.interfaces()[packet.interface].name.as_deref(), Some("cable"));
/// assert_eq!(reader.next(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CaptureReader<'a> {
    file: &'a [u8],
    at: usize,
    form: Form,
    order: Order,
    interfaces: Vec<CaptureInterface>,
    /// Interfaces of earlier sections: numbers in a section begin anew.
    earlier: usize,
    application: Option<String>,
    /// A packet without timestamp was at about that of the one before.
    last: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pcapng,
    Pcap,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn word(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Order::Little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    }

    fn long(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = *bytes.get(at..)?.first_chunk()?;
        Some(if self == Order::Little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    }

    /// The options of a block, up to the end or to one whose length lies.
    fn options(self, bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (code, length) = (self.word(bytes, at)?, usize::from(self.word(bytes, at + 2)?));
            let value = bytes.get(at + 4..at + 4 + length)?;
            at += 4 + length.next_multiple_of(4);
            (code != OPTION_END).then_some((code, value))
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'a> CaptureReader<'a> {
    /// Begins to read a file.
    ///
    /// # Errors
    /// [`CaptureError::NoCapture`].
    pub fn new(file: &'a [u8]) -> Result<CaptureReader<'a>, CaptureError> {
        let mut reader = CaptureReader {
            file,
            at: 0,
            form: Form::Pcapng,
            order: Order::Little,
            interfaces: Vec::new(),
            earlier: 0,
            application: None,
            last: Duration::ZERO,
        };
        let first = Order::Little.long(file, 0).ok_or(CaptureError::NoCapture)?;
        if first == SECTION_HEADER {
            return Ok(reader);
        }
        let (order, nanoseconds) = match (first, first.swap_bytes()) {
            (PCAP_MICROSECONDS, _) => (Order::Little, false),
            (PCAP_NANOSECONDS, _) => (Order::Little, true),
            (_, PCAP_MICROSECONDS) => (Order::Big, false),
            (_, PCAP_NANOSECONDS) => (Order::Big, true),
            _ => return Err(CaptureError::NoCapture),
        };
        // The upper bits say whether a frame check sequence follows; the link type is in the lower ones.
        let link = order.long(file, 20).ok_or(CaptureError::NoCapture)?;
        let units = Units::PowerOfTen(if nanoseconds { 9 } else { 6 });
        reader.interfaces.push(CaptureInterface { name: None, link_type: link as u16, units, offset: 0 });
        (reader.form, reader.order, reader.at) = (Form::Pcap, order, 24);
        Ok(reader)
    }

    /// The interfaces that were described so far.
    pub fn interfaces(&self) -> &[CaptureInterface] {
        &self.interfaces
    }

    /// The program that wrote the file, where it says so.
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The next packet of a classic file.
    fn next_record(&mut self) -> Result<Option<CapturedPacket<'a>>, CaptureError> {
        let at = self.at;
        if at >= self.file.len() {
            return Ok(None);
        }
        let broken = CaptureError::Broken { at };
        let long = |place: usize| self.order.long(self.file, at + place).ok_or(CaptureError::Broken { at });
        let [seconds, fraction, kept, original] = [long(0)?, long(4)?, long(8)?, long(12)?];
        let bytes = at.checked_add(16).and_then(|from| self.file.get(from..from.checked_add(kept as usize)?));
        let bytes = bytes.ok_or(broken)?;
        let units = self.interfaces.first().map_or(Units::PowerOfTen(6), |interface| interface.units);
        let nanoseconds = units.nanoseconds(fraction.into()).min(u128::from(u64::MAX)) as u64;
        self.at = at + 16 + bytes.len();
        Ok(Some(CapturedPacket {
            interface: 0,
            timestamp: Duration::from_secs(seconds.into()) + Duration::from_nanos(nanoseconds),
            direction: None,
            bytes,
            original_length: original as usize,
            comment: None,
        }))
    }

    /// The next packet of a pcapng file, with all that is before it.
    fn next_block(&mut self) -> Result<Option<CapturedPacket<'a>>, CaptureError> {
        loop {
            let at = self.at;
            if at >= self.file.len() {
                return Ok(None);
            }
            let broken = || CaptureError::Broken { at };
            let block = self.file.get(at..).ok_or_else(broken)?;
            let kind = self.order.long(block, 0).ok_or_else(broken)?;
            if kind == SECTION_HEADER {
                // Its own order of bytes; its type reads the same in both.
                self.order = match Order::Little.long(block, 8).ok_or_else(broken)? {
                    BYTE_ORDER => Order::Little,
                    magic if magic.swap_bytes() == BYTE_ORDER => Order::Big,
                    _ => return Err(broken()),
                };
                self.earlier = self.interfaces.len();
            }
            let length = self.order.long(block, 4).ok_or_else(broken)? as usize;
            if length < 12 || !length.is_multiple_of(4) {
                return Err(broken());
            }
            let body = block.get(8..length - 4).ok_or_else(broken)?;
            self.at = at + length;
            if block.get(..length).is_none() {
                return Err(broken());
            }
            match kind {
                SECTION_HEADER => {
                    let options = self.order.options(body.get(16..).unwrap_or_default());
                    let mut application = options.filter(|(code, _)| *code == SECTION_APPLICATION);
                    self.application =
                        application.next().map(|(_, value)| text(value)).or(self.application.take());
                }
                INTERFACE_DESCRIPTION => self.describe(body).ok_or_else(broken)?,
                ENHANCED_PACKET => return self.enhanced(body, at).map(Some),
                SIMPLE_PACKET => return self.simple(body, at).map(Some),
                // Names, statistics, what others have added: nothing of it is a packet.
                _ => {}
            }
        }
    }

    fn describe(&mut self, body: &[u8]) -> Option<()> {
        let link_type = self.order.word(body, 0)?;
        // Without a word about it they are microseconds.
        let mut interface =
            CaptureInterface { name: None, link_type, units: Units::PowerOfTen(6), offset: 0 };
        for (code, value) in self.order.options(body.get(8..)?) {
            match (code, value) {
                (INTERFACE_NAME, name) => interface.name = Some(text(name)),
                (INTERFACE_RESOLUTION, [byte, ..]) => interface.units = Units::of(*byte),
                (INTERFACE_OFFSET, [a, b, c, d, e, f, g, h, ..]) => {
                    let bytes = [*a, *b, *c, *d, *e, *f, *g, *h];
                    interface.offset = match self.order {
                        Order::Little => i64::from_le_bytes(bytes),
                        Order::Big => i64::from_be_bytes(bytes),
                    };
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Some(())
    }

    fn enhanced(&mut self, body: &'a [u8], at: usize) -> Result<CapturedPacket<'a>, CaptureError> {
        let order = self.order;
        let long = |place| order.long(body, place).ok_or(CaptureError::Broken { at });
        let interface = self.earlier.saturating_add(long(0)? as usize);
        let units = u64::from(long(4)?) << 32 | u64::from(long(8)?);
        let (kept, original) = (long(12)? as usize, long(16)? as usize);
        let bytes = body.get(20..).and_then(|data| data.get(..kept)).ok_or(CaptureError::Broken { at })?;
        let described = self.interfaces.get(interface).ok_or(CaptureError::UnknownInterface { at })?;
        let nanoseconds = described.units.nanoseconds(units).min(u128::from(u64::MAX)) as u64;
        let since = Duration::from_nanos(nanoseconds);
        let shift = Duration::from_secs(described.offset.unsigned_abs());
        let timestamp =
            if described.offset < 0 { since.saturating_sub(shift) } else { since.saturating_add(shift) };
        self.last = timestamp;
        let (mut direction, mut comment) = (None, None);
        for (code, value) in order.options(body.get(20 + kept.next_multiple_of(4)..).unwrap_or_default()) {
            match code {
                PACKET_FLAGS => {
                    direction = match order.long(value, 0).map(|flags| flags & 3) {
                        Some(1) => Some(Direction::Inbound),
                        Some(2) => Some(Direction::Outbound),
                        _ => None,
                    }
                }
                OPTION_COMMENT => comment = Some(text(value)),
                _ => {}
            }
        }
        Ok(CapturedPacket { interface, timestamp, direction, bytes, original_length: original, comment })
    }

    fn simple(&mut self, body: &'a [u8], at: usize) -> Result<CapturedPacket<'a>, CaptureError> {
        let original = self.order.long(body, 0).ok_or(CaptureError::Broken { at })? as usize;
        let interface = self.earlier;
        self.interfaces.get(interface).ok_or(CaptureError::UnknownInterface { at })?;
        // What is kept fills the block; the length says how much of the rest is padding.
        let data = body.get(4..).unwrap_or_default();
        let bytes = data.get(..original).unwrap_or(data);
        let timestamp = self.last;
        let (direction, comment) = (None, None);
        Ok(CapturedPacket { interface, timestamp, direction, bytes, original_length: original, comment })
    }
}

impl<'a> Iterator for CaptureReader<'a> {
    type Item = Result<CapturedPacket<'a>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.form {
            Form::Pcapng => self.next_block(),
            Form::Pcap => self.next_record(),
            Form::Over => return None,
        };
        if !matches!(next, Ok(Some(_))) {
            self.form = Form::Over;
        }
        next.transpose()
    }
}

/// What a packet of this link type is to us: a frame or an IP packet, without what some captures put before it. `None` for
/// link types that carry neither.
pub fn captured_content(link_type: u16, bytes: &[u8]) -> Option<(Medium, &[u8])> {
    match link_type {
        1 => Some((Medium::Ethernet, bytes)),
        // LINKTYPE_RAW, and what BSDs call it; LINKTYPE_IPV4, LINKTYPE_IPV6.
        12 | 14 | 101 | 228 | 229 => Some((Medium::Ip, bytes)),
        // BSD's loopback: four bytes with the family of addresses.
        0 | 108 => Some((Medium::Ip, bytes.get(4..)?)),
        // Linux's "any" interface: a header of its own, with the protocol.
        113 if matches!(bytes.get(14..16)?, [0x08, 0x00] | [0x86, 0xdd]) => {
            Some((Medium::Ip, bytes.get(16..)?))
        }
        276 if matches!(bytes.get(..2)?, [0x08, 0x00] | [0x86, 0xdd]) => Some((Medium::Ip, bytes.get(20..)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
