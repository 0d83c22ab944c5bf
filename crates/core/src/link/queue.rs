//! Packets parked until their next hop's MAC address is known.

use std::collections::VecDeque;

use crate::wire::ethernet::Ethernet;
use crate::wire::offload::Offload;

/// One parked packet.
#[derive(Debug)]
pub(super) struct Parked {
    /// Room for the Ethernet header, so that leaving needs no second copy, and the packet.
    pub(super) frame: Vec<u8>,
    pub(super) offload: Offload,
}

impl Parked {
    /// Copies a packet that lies in pieces.
    pub(super) fn copy(pieces: [&[u8]; 3], offload: Offload) -> Parked {
        let length = Ethernet::LEN + pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut frame = Vec::with_capacity(length);
        frame.resize(Ethernet::LEN, 0);
        for piece in pieces {
            frame.extend_from_slice(piece);
        }
        Parked { frame, offload }
    }

    /// The packet without the room in front of it.
    pub(super) fn into_packet(mut self) -> Vec<u8> {
        self.frame.drain(..Ethernet::LEN.min(self.frame.len()));
        self.frame
    }

    /// What it costs in memory: its bytes and its share of the bookkeeping.
    pub(super) fn cost(&self) -> usize {
        self.frame.len() + Parked::OVERHEAD
    }

    const OVERHEAD: usize = 192;
}

/// The packets that wait for one neighbour, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: VecDeque<Parked>,
    cost: usize,
}

impl Queue {
    pub(super) fn push(&mut self, parked: Parked) {
        self.cost += parked.cost();
        self.packets.push_back(parked);
    }

    pub(super) fn pop(&mut self) -> Option<Parked> {
        let parked = self.packets.pop_front()?;
        self.cost = self.cost.saturating_sub(parked.cost());
        Some(parked)
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// What all of them cost in memory.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }
}
