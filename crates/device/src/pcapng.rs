//! Capture files: pcapng as of draft-ietf-opsawg-pcapng, the part of it that a packet needs.

use crate::{Medium, PartialChecksum, complete_checksum};
use numbers::*;
use std::io::{self, IoSlice, Write};
use std::time::Duration;

/// The numbers of blocks and options.
pub(crate) mod numbers {
    pub(crate) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub(crate) const INTERFACE_DESCRIPTION: u32 = 1;
    pub(crate) const SIMPLE_PACKET: u32 = 3;
    pub(crate) const ENHANCED_PACKET: u32 = 6;

    pub(crate) const OPTION_END: u16 = 0;
    pub(crate) const OPTION_COMMENT: u16 = 1;
    pub(crate) const SECTION_APPLICATION: u16 = 4;
    pub(crate) const INTERFACE_NAME: u16 = 2;
    pub(crate) const INTERFACE_RESOLUTION: u16 = 9;
    pub(crate) const INTERFACE_OFFSET: u16 = 14;
    pub(crate) const PACKET_FLAGS: u16 = 2;
}

const LINKTYPE_ETHERNET: u16 = 1;
const LINKTYPE_RAW: u16 = 101;

/// Timestamps count units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// Bytes of whole blocks that [`Flush::WhenFull`] collects.
const BUFFER_BYTES: usize = 64 * 1024;

/// Bytes of a packet that are kept at most, whatever the interface says: as much as Wireshark reads.
const LARGEST_PACKET: usize = 262_144;

/// Bytes of a comment or a name that are kept; the rest is cut off.
const LARGEST_TEXT: usize = 4096;

/// When what is written reaches the file. In either case only whole blocks do, so that the file can be read
/// whenever the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flush {
    /// At once: a program stopped by a signal loses nothing.
    #[default]
    EveryPacket,
    /// When 64 KiB have come together, at [`PcapngWriter::flush`], and when the writer is dropped.
    WhenFull,
}

/// Which way a packet went, seen from the host that captured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It was received.
    Inbound,
    /// It was sent.
    Outbound,
}

/// One of the interfaces in a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceId(u32);

/// A frame to be written into a capture file.
#[derive(Clone, Copy, Debug)]
pub struct CapturedFrame<'a> {
    /// The interface it passed.
    pub interface: InterfaceId,
    /// When: time since 1970-01-01 00:00 UTC.
    pub timestamp: Duration,
    /// Which way, where there is one.
    pub direction: Option<Direction>,
    /// Its bytes, in pieces.
    pub parts: &'a [IoSlice<'a>],
    /// A checksum that nobody has completed: the file shows it completed.
    pub checksum: Option<PartialChecksum>,
    /// A remark that Wireshark shows beside the packet.
    pub comment: Option<&'a str>,
}

/// Writes a capture file that Wireshark, tshark and tcpdump read.
///
/// After an error nothing more is written: what had reached the file stays readable.
///
/// ```
/// use sockeye_device::{CapturedFrame, Direction, Flush, Medium, PcapngWriter};
/// use std::io::IoSlice;
/// use std::time::Duration;
///
/// let mut file = Vec::new();
/// let mut writer = PcapngWriter::new(&mut file, Flush::EveryPacket)?;
/// let interface = writer.interface("cable", Medium::Ethernet, None)?;
/// writer.frame(&CapturedFrame {
///     interface,
///     timestamp: Duration::from_nanos(1_700_000_000_123_456_789),
///     direction: Some(Direction::Outbound),
///     parts: &[IoSlice::new(&[0xff; 60])],
///     checksum: None,
///     comment: Some("lost on the way"),
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    output: W,
    flush: Flush,
    /// Whole blocks that the output has not been given.
    blocks: Vec<u8>,
    /// Bytes kept of a packet, of each interface.
    snapshot_lengths: Vec<usize>,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// The output has failed, perhaps in the middle of a block.
    Broken,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a capture file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(output: W, flush: Flush) -> io::Result<Self> {
        let blocks = Vec::new();
        let mut writer = Self { output, flush, blocks, snapshot_lengths: Vec::new(), health: Health::Sound };
        writer.block(SECTION_HEADER, |body| {
            // The byte-order magic, version 1.0, and a section of unknown length.
            body.extend(0x1a2b_3c4du32.to_le_bytes());
            body.extend(1u16.to_le_bytes());
            body.extend(0u16.to_le_bytes());
            body.extend(u64::MAX.to_le_bytes());
            option(body, SECTION_APPLICATION, concat!("Sockeye ", env!("CARGO_PKG_VERSION")).as_bytes());
            option(body, OPTION_END, &[]);
        });
        writer.settle()?;
        Ok(writer)
    }

    /// Adds an interface, of which at most `snapshot_length` bytes of each packet are kept.
    ///
    /// # Errors
    /// Those of the output.
    pub fn interface(
        &mut self,
        name: &str,
        medium: Medium,
        snapshot_length: Option<u32>,
    ) -> io::Result<InterfaceId> {
        self.check_health()?;
        let id = u32::try_from(self.snapshot_lengths.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "too many interfaces in one capture"))?;
        let snapshot_length = snapshot_length.map_or(LARGEST_PACKET, |bytes| bytes as usize);
        self.snapshot_lengths.push(snapshot_length.clamp(1, LARGEST_PACKET));
        let link_type = match medium {
            Medium::Ethernet => LINKTYPE_ETHERNET,
            Medium::Ip => LINKTYPE_RAW,
        };
        self.block(INTERFACE_DESCRIPTION, |body| {
            body.extend(link_type.to_le_bytes());
            body.extend(0u16.to_le_bytes());
            body.extend((snapshot_length.clamp(1, LARGEST_PACKET) as u32).to_le_bytes());
            option(body, INTERFACE_NAME, name.as_bytes());
            option(body, INTERFACE_RESOLUTION, &[NANOSECONDS]);
            option(body, OPTION_END, &[]);
        });
        self.settle()?;
        Ok(InterfaceId(id))
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// Those of the output; `InvalidInput` if the interface is another writer's.
    pub fn frame(&mut self, frame: &CapturedFrame<'_>) -> io::Result<()> {
        self.check_health()?;
        let Some(&snapshot_length) = self.snapshot_lengths.get(frame.interface.0 as usize) else {
            let reason = "the interface is not of this capture";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        };
        self.block(ENHANCED_PACKET, |body| {
            let nanoseconds = u64::try_from(frame.timestamp.as_nanos()).unwrap_or(u64::MAX);
            body.extend(frame.interface.0.to_le_bytes());
            body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
            body.extend((nanoseconds as u32).to_le_bytes());
            let original_length: usize = frame.parts.iter().map(|part| part.len()).sum();
            let kept = original_length.min(snapshot_length);
            body.extend((kept as u32).to_le_bytes());
            body.extend(u32::try_from(original_length).unwrap_or(u32::MAX).to_le_bytes());
            let start = body.len();
            for part in frame.parts {
                body.extend_from_slice(part);
            }
            if let (Some(partial), Some(bytes)) = (frame.checksum, body.get_mut(start..)) {
                // A field outside the frame is left for the reader to wonder at.
                let _ = complete_checksum(bytes, partial);
            }
            body.truncate(start + kept);
            pad(body, start);
            if let Some(direction) = frame.direction {
                let flags: u32 = match direction {
                    Direction::Inbound => 1,
                    Direction::Outbound => 2,
                };
                option(body, PACKET_FLAGS, &flags.to_le_bytes());
            }
            if let Some(comment) = frame.comment {
                option(body, OPTION_COMMENT, comment.as_bytes());
            }
            if frame.direction.is_some() || frame.comment.is_some() {
                option(body, OPTION_END, &[]);
            }
        });
        self.settle()
    }

    /// Hands everything to the output, and flushes that.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.check_health()?;
        // Broken until the output has returned, so that one that panics is not written to again.
        self.health = Health::Broken;
        self.output.write_all(&self.blocks)?;
        self.output.flush()?;
        self.blocks.clear();
        self.health = Health::Sound;
        Ok(())
    }

    /// Collects a block: its type, its length, what `fill` adds, and its length again.
    fn block(&mut self, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let blocks = &mut self.blocks;
        let start = blocks.len();
        blocks.extend(kind.to_le_bytes());
        blocks.extend([0; 4]);
        fill(blocks);
        // Every part has been padded to four bytes, and is far below 2^32.
        let length = ((blocks.len() - start + 4) as u32).to_le_bytes();
        blocks.extend(length);
        if let Some(place) = blocks.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&length);
        }
    }

    /// Flushes if it is time to.
    fn settle(&mut self) -> io::Result<()> {
        match self.flush {
            Flush::WhenFull if self.blocks.len() < BUFFER_BYTES => Ok(()),
            Flush::WhenFull | Flush::EveryPacket => self.flush(),
        }
    }

    fn check_health(&self) -> io::Result<()> {
        match self.health {
            Health::Sound => Ok(()),
            Health::Broken => Err(io::Error::other("the capture ended with an earlier error")),
        }
    }
}

impl<W: Write> Drop for PcapngWriter<W> {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; who wants to know calls `flush` before.
        let _ = self.flush();
    }
}

/// Adds an option; a value that is too long is cut, between characters if it is text.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut length = value.len().min(LARGEST_TEXT);
    while length < value.len() && value.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
        length -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend((length as u16).to_le_bytes());
    let start = body.len();
    body.extend_from_slice(value.get(..length).unwrap_or_default());
    pad(body, start);
}

/// Fills up with zeros to a multiple of four bytes after `start`.
fn pad(body: &mut Vec<u8>, start: usize) {
    let padded = start + (body.len() - start).next_multiple_of(4);
    body.resize(padded, 0);
}

#[cfg(test)]
mod tests;
