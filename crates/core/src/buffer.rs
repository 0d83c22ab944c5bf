//! A ring of bytes that grows by powers of two up to a limit, and owns no memory while nothing was put in.

/// Bytes between a program and its connection.
///
/// ```
/// use sockeye_core::buffer::Ring;
/// let mut ring = Ring::default();
/// assert_eq!(ring.push(b"hello", 4), 4);
/// assert_eq!(ring.slices(1, 3).concat(), b"ell");
/// ring.consume(2);
/// assert_eq!(ring.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Ring {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

const SMALLEST: usize = 4096;
/// An emptied ring up to this size gives its memory back at once; a larger one is worth keeping for the next burst.
const KEPT: usize = 64 * 1024;

impl Ring {
    /// Bytes in the ring.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of memory the ring owns.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    fn reserve(&mut self, wanted: usize) {
        if wanted <= self.bytes.len() {
            return;
        }
        let capacity = wanted.next_power_of_two().max(SMALLEST);
        let mut bytes = Vec::with_capacity(capacity);
        let (front, back) = self.bytes.split_at(self.start);
        bytes.extend_from_slice(back);
        bytes.extend_from_slice(front);
        bytes.resize(capacity, 0);
        self.bytes = bytes;
        self.start = 0;
    }

    /// Appends what fits below `limit` bytes in all, and says how much that was.
    pub fn push(&mut self, bytes: &[u8], limit: usize) -> usize {
        let count = bytes.len().min(limit.saturating_sub(self.length));
        self.write(0, &bytes[..count]);
        self.length += count;
        count
    }

    /// Writes `bytes` at `offset` behind the end, where they wait for the gap to be filled.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let place = self.length + offset;
        self.reserve(place + bytes.len());
        let capacity = self.bytes.len();
        let from = (self.start + place) & (capacity - 1);
        let first = bytes.len().min(capacity - from);
        self.bytes[from..from + first].copy_from_slice(&bytes[..first]);
        self.bytes[..bytes.len() - first].copy_from_slice(&bytes[first..]);
    }

    /// Takes `count` bytes written behind the end into the ring.
    pub fn extend(&mut self, count: usize) {
        self.length = (self.length + count).min(self.bytes.len());
    }

    /// `count` bytes from `offset`, in two pieces.
    pub fn slices(&self, offset: usize, count: usize) -> [&[u8]; 2] {
        let offset = offset.min(self.length);
        let count = count.min(self.length - offset);
        if count == 0 {
            return [&[], &[]];
        }
        let from = (self.start + offset) & (self.bytes.len() - 1);
        let first = count.min(self.bytes.len() - from);
        [&self.bytes[from..from + first], &self.bytes[..count - first]]
    }

    /// Copies from the front into `buffer`, and says how much that was.
    pub fn copy_front(&self, buffer: &mut [u8]) -> usize {
        let [front, back] = self.slices(0, buffer.len());
        buffer[..front.len()].copy_from_slice(front);
        buffer[front.len()..front.len() + back.len()].copy_from_slice(back);
        front.len() + back.len()
    }

    /// Drops `count` bytes from the front. `Idle` memory goes back when nothing waits behind the end either.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.length);
        if self.bytes.is_empty() {
            return;
        }
        self.start = (self.start + count) & (self.bytes.len() - 1);
        self.length -= count;
    }

    /// Gives the memory of an empty ring back, unless it is large enough to be worth keeping.
    pub fn release_if_empty(&mut self) {
        if self.length == 0 && self.bytes.len() <= KEPT {
            self.release();
        }
    }

    /// Forgets everything.
    pub fn release(&mut self) {
        *self = Ring::default();
    }
}
