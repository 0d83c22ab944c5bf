//! Packets that the network layer sends by itself, until they are polled.

use std::collections::VecDeque;

use super::Path;
use crate::drop_reason::DropReason;
use crate::wire::offload::Offload;

/// A packet that the network layer sends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutPacket {
    /// Its way.
    pub path: Path,
    /// The whole packet.
    pub bytes: Vec<u8>,
    /// What is left to the device: only forwarded packets leave something to it.
    pub offload: Offload,
}

/// A bounded queue, and buffers to be used again.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<OutPacket>,
    bytes: usize,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    const MOST_PACKETS: usize = 4096;
    const MOST_BYTES: usize = 4 << 20;
    const MOST_SPARE: usize = 64;
    /// Larger buffers are not kept: a few would hold as much as the whole queue may.
    const LARGEST_SPARE: usize = 16 << 10;

    /// Whether so much more fits.
    pub(super) fn check_room(&self, packets: usize, bytes: usize) -> Result<(), DropReason> {
        let has_room =
            self.packets.len() + packets <= Outbox::MOST_PACKETS && self.bytes + bytes <= Outbox::MOST_BYTES;
        if has_room { Ok(()) } else { Err(DropReason::QueueFull) }
    }

    /// An empty buffer.
    pub(super) fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.reserve(capacity);
        buffer
    }

    /// Queues a packet.
    pub(super) fn push(&mut self, packet: OutPacket) -> Result<(), DropReason> {
        self.check_room(1, packet.bytes.len())?;
        self.bytes += packet.bytes.len();
        self.packets.push_back(packet);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<OutPacket> {
        let packet = self.packets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.bytes.len());
        Some(packet)
    }

    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < Outbox::MOST_SPARE && (1..=Outbox::LARGEST_SPARE).contains(&buffer.capacity()) {
            self.spare.push(buffer);
        }
    }
}
