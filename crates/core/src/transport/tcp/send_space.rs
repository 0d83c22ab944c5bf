//! How large the send buffer is, and when a program may write: Linux's rules, with its way of counting.
//!
//! Linux keeps what is written in pieces and counts the memory of each, and a piece once begun is filled even where that
//! exceeds the size. Programs can tell, by when a write waits and when it goes on; so the same is reckoned here, where
//! there are no pieces.

use super::connection::Connection;
use super::push::Pieces;
use super::{Settings, Tuning};

/// What Linux counts for a piece beside its bytes.
const PIECE_OVERHEAD: u32 = 1280;
/// Segments that leave together, and so become one piece once sent.
const BURST: u32 = 10;
/// What Linux counts for a segment in the worst case beside its bytes, which it then rounds up to a power of two: headers
/// and the end of the buffer. The description follows.
const SEGMENT_OVERHEAD: u32 = 640;
const SEGMENT_DESCRIPTION: u32 = 256;
/// The least number of segments the buffer is made for (RFC 6928).
const LEAST_SEGMENTS: u32 = 10;
/// The most bytes a send buffer may hold, so that sequence numbers stay comparable.
const MOST_BUFFERED: usize = 1 << 30;

/// The send buffer's size.
#[derive(Debug)]
pub(super) struct SendSpace {
    size: u32,
    /// Whether the host is short of memory: nothing grows then.
    pub(super) is_pressed: bool,
    /// How many bytes of memory there are to grow into.
    pub(super) room: usize,
}

impl SendSpace {
    pub(super) fn new(settings: &Settings) -> SendSpace {
        SendSpace { size: bounded(settings.send_buffer), is_pressed: false, room: usize::MAX }
    }

    /// The settings have changed. A size that tuning has reached stays unless a program fixes another.
    pub(super) fn set(&mut self, settings: &Settings) {
        let size = bounded(settings.send_buffer);
        self.size = if settings.send_tuning == Tuning::Fixed { size } else { self.size.max(size) };
    }

    /// Bytes it may hold, overhead included: `SO_SNDBUF`.
    pub(super) fn size(&self) -> u32 {
        self.size
    }
}

impl Connection {
    /// The size of the send buffer now: `SO_SNDBUF`.
    pub fn send_buffer(&self) -> usize {
        self.send_space.size() as usize
    }

    /// How many of `wanted` bytes may be written now. A piece is begun while the buffer is not full, and then filled.
    pub(super) fn send_room(&self, wanted: usize) -> usize {
        let low_water = self.settings.most_unsent().unwrap_or(u32::MAX);
        let size = self.send_space.size;
        let queued = self.sender.ring.len() as u32;
        let most = MOST_BUFFERED.saturating_sub(queued as usize).min(self.memory_to_write());
        let wanted = wanted.min(most) as u32;
        let mut used = self.used();
        let pieces = Pieces::of(&self.sender);
        let begin = self.sender.data_end();
        let target = begin + wanted;
        let (mut end, mut sent) = (begin, pieces.nxt);
        let mut piece = self.push.piece().max(pieces.nxt);
        while end != target {
            if piece.at_or_after(end) || pieces.is_full(piece, end) {
                let unsent = end.distance(sent).max(0).cast_unsigned();
                if used >= size || unsent >= low_water {
                    break;
                }
                used = used.saturating_add(PIECE_OVERHEAD);
                piece = end;
            }
            let before = end;
            end = if target.is_after(piece + pieces.goal) { piece + pieces.goal } else { target };
            used = used.saturating_add(end.distance(before).max(0).cast_unsigned());
            if pieces.is_full(piece, end) {
                sent = sent.max(pieces.sent(end));
                piece = pieces.cut(piece, end);
            }
        }
        end.distance(begin).max(0).cast_unsigned() as usize
    }

    /// Bytes of the buffer in use, overhead included.
    fn used(&self) -> u32 {
        let queued = self.sender.ring.len() as u32;
        let unsent = self.sender.unsent().min(queued);
        let goal = Pieces::of(&self.sender).goal;
        let pieces = (queued - unsent).div_ceil(BURST * self.sender.mss.max(1)) + unsent.div_ceil(goal);
        queued.saturating_add(pieces * PIECE_OVERHEAD)
    }

    /// Whether so much of the buffer is free that a program should write on: a third.
    pub(super) fn has_send_space(&self) -> bool {
        if self.sender.ring.is_empty() {
            return self.memory_to_write() > 0; // asked after every segment, and most often it is
        }
        let used = self.used();
        used.saturating_add(used / 2) <= self.send_space.size && self.memory_to_write() > 0
    }

    /// Grows the buffer, where the program has met its end and more could be in flight than there was to send: to twice
    /// the congestion window (RFC 5681 section 3.2 lets new data leave while as much again is being recovered).
    pub(super) fn expand_send_buffer(&mut self) {
        let sender = &self.sender;
        let is_filled = sender.pipe().saturating_add(sender.unsent()) >= sender.congestion.cwnd();
        if !self.counters.is_refused || is_filled {
            return;
        }
        self.fit_send_buffer();
    }

    /// Makes room for twice the congestion window.
    pub(super) fn fit_send_buffer(&mut self) {
        if self.settings.send_tuning == Tuning::Fixed || self.send_space.is_pressed {
            return;
        }
        let mss = self.sender.mss.max(1);
        let segment = (u32::from(self.peer_mss).max(mss) + SEGMENT_OVERHEAD).next_power_of_two();
        let segments = LEAST_SEGMENTS.max(self.sender.congestion.cwnd() / mss);
        let wanted = segments.saturating_mul(2).saturating_mul(segment + SEGMENT_DESCRIPTION);
        let wanted = wanted.min(bounded(self.settings.send_buffer_max));
        self.send_space.size = self.send_space.size.max(wanted);
    }
}

fn bounded(bytes: usize) -> u32 {
    bytes.min(MOST_BUFFERED) as u32
}
