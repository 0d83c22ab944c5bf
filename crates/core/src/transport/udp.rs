//! UDP (RFC 768): datagrams keep their boundaries and their senders, and wait in a queue of bounded size.

use core::net::SocketAddr;
use std::collections::VecDeque;

/// The most payload a UDP datagram carries over IPv4: 65,535 less the two headers.
pub const MAX_PAYLOAD_V4: usize = 65_507;
/// The most payload a UDP datagram carries over IPv6 without jumbograms.
pub const MAX_PAYLOAD_V6: usize = 65_527;

/// What each queued datagram counts beyond its bytes, so that empty datagrams are bounded too.
const OVERHEAD: usize = 64;

/// One waiting datagram: the other end's address, and how many bytes of the queue are its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom it came from, or goes to.
    pub peer: SocketAddr,
    /// Our own address: the one it came to, or is to leave from; unspecified where the way it takes decides.
    pub local: SocketAddr,
    /// Bytes of payload.
    pub length: usize,
    /// Echo sequence number, on a ping socket.
    pub mark: u16,
    /// The hop limit it arrived with, or is to leave with; `None`: as the socket's options say.
    pub hop_limit: Option<u8>,
    /// The traffic class, likewise.
    pub traffic_class: Option<u8>,
}

/// A first-in first-out queue of datagrams that keeps all their bytes in one ring: no allocation per datagram.
///
/// ```
/// use sockeye_core::transport::udp::{DatagramQueue, Entry};
/// let mut queue = DatagramQueue::new(1000);
/// let (peer, local) = ("10.0.0.1:7".parse().unwrap(), "10.0.0.2:7".parse().unwrap());
/// let entry = Entry { peer, local, length: 2, mark: 0, hop_limit: None, traffic_class: None };
/// assert!(queue.push(entry, &[b"hi"]));
/// let (entry, [front, back]) = queue.front().unwrap();
/// assert_eq!((entry.peer, front, back), (peer, &b"hi"[..], &b""[..]));
/// queue.pop();
/// assert!(queue.is_empty());
/// ```
#[derive(Debug)]
pub struct DatagramQueue {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    limit: usize,
}

impl DatagramQueue {
    /// An empty queue that takes datagrams, of any size, as long as fewer than `limit` bytes wait in it, each datagram
    /// counted with 64 bytes of overhead: it never holds more than one datagram beyond its limit. It owns no memory
    /// until something waits in it.
    pub const fn new(limit: usize) -> Self {
        DatagramQueue { entries: VecDeque::new(), bytes: VecDeque::new(), limit }
    }

    /// Sets the limit; what waits already stays.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The limit, in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the limit is reached: no datagram is taken now, whatever its size. (Were it a matter of size, somebody
    /// who was refused could not be told when to try again.)
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    /// Whether less than half of the limit is used.
    pub fn is_half_empty(&self) -> bool {
        self.used() < self.limit.div_ceil(2)
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.entries.len() * OVERHEAD
    }

    /// Appends a datagram made of `parts`, however long; `false` when the queue is full.
    pub fn push(&mut self, entry: Entry, parts: &[&[u8]]) -> bool {
        if self.is_full() {
            return false;
        }
        let length = parts.iter().map(|part| part.len()).sum();
        parts.iter().for_each(|part| self.bytes.extend(*part));
        self.entries.push_back(Entry { length, ..entry });
        true
    }

    /// The oldest datagram and its bytes, lent.
    pub fn front(&self) -> Option<(Entry, [&[u8]; 2])> {
        let entry = *self.entries.front()?;
        let (front, back) = self.bytes.as_slices();
        let split = entry.length.min(front.len());
        let rest = (entry.length - split).min(back.len());
        Some((entry, [front.get(..split)?, back.get(..rest)?]))
    }

    /// Copies the oldest datagram into `buffer`, as much as fits, and says how much that was.
    pub fn copy_front(&self, buffer: &mut [u8]) -> Option<(Entry, usize)> {
        let (entry, [front, back]) = self.front()?;
        let first = front.len().min(buffer.len());
        let (head, tail) = buffer.split_at_mut(first);
        head.copy_from_slice(&front[..first]);
        let second = back.len().min(tail.len());
        tail[..second].copy_from_slice(&back[..second]);
        Some((entry, first + second))
    }

    /// Writes over bytes of the oldest datagram, as far as it has them.
    pub fn write_front(&mut self, offset: usize, bytes: &[u8]) {
        let length = self.entries.front().map_or(0, |entry| entry.length);
        for (place, byte) in (offset..length).zip(bytes) {
            if let Some(old) = self.bytes.get_mut(place) {
                *old = *byte;
            }
        }
    }

    /// Drops the oldest datagram. The memory goes back when the queue is empty.
    pub fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes.drain(..entry.length.min(self.bytes.len()));
        }
        if self.entries.is_empty() && self.bytes.capacity() > 64 * 1024 {
            self.bytes = VecDeque::new();
            self.entries = VecDeque::new();
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes of payload wait.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let (peer, local) = ("10.0.0.1:7".parse().unwrap(), "10.0.0.2:7".parse().unwrap());
        Entry { peer, local, length: 0, mark: 0, hop_limit: None, traffic_class: None }
    }

    #[test]
    fn boundaries_survive_the_ring_wrapping_around() {
        let mut queue = DatagramQueue::new(4096);
        for round in 0..200_usize {
            let datagram = vec![round as u8; 1 + round % 97];
            assert!(queue.push(entry(), &[&datagram[..1], &datagram[1..]]));
            assert!(queue.push(entry(), &[b""]));
            let mut buffer = [0; 64];
            let (front, copied) = queue.copy_front(&mut buffer).unwrap();
            assert_eq!((front.length, copied), (datagram.len(), datagram.len().min(64)));
            assert_eq!(buffer[..copied], datagram[..copied]);
            queue.pop();
            assert_eq!(queue.front().unwrap().0.length, 0);
            queue.pop();
        }
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn the_limit_holds_for_empty_datagrams_too_but_one_always_fits() {
        let mut queue = DatagramQueue::new(200);
        assert!(queue.push(entry(), &[&[0; 5000]]));
        assert!(!queue.push(entry(), &[b""]));
        queue.pop();
        assert!(queue.is_half_empty());
        let taken = (0..100).filter(|_| queue.push(entry(), &[b""])).count();
        assert_eq!(taken, 200_usize.div_ceil(OVERHEAD));
        assert!(queue.is_full() && !queue.is_half_empty());
    }
}
