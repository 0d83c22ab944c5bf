//! A ring of bytes between a program and its connection.

/// The smallest piece of memory a ring asks for, in bytes.
const SMALLEST: usize = 4096;

/// A byte ring that grows by powers of two and owns no memory before its first byte.
///
/// The bytes from the front to [`len`](Ring::len) are *in* the ring. Behind them there may be bytes that were
/// [written ahead](Ring::write_ahead): out-of-order data waits at its own place, and is taken in by
/// [`advance`](Ring::advance) without being copied again when the gap before it is closed.
///
/// ```
/// use sockeye_core::buffer::Ring;
/// let mut ring = Ring::new();
/// assert_eq!(ring.push(b"sock", 100), 4);
/// ring.write_ahead(1, b"ye"); // the byte between is missing
/// ring.write_ahead(0, b"e");
/// ring.advance(3);
/// assert_eq!(ring.slices(0, 7).concat(), b"sockeye");
/// ring.consume(4);
/// assert_eq!(ring.len(), 3);
/// ```
#[derive(Default)]
pub struct Ring {
    /// Empty, or a power of two bytes.
    memory: Vec<u8>,
    /// Where the front lies in `memory`.
    front: usize,
    length: usize,
}

impl core::fmt::Debug for Ring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Not the bytes: there may be millions.
        f.debug_struct("Ring").field("length", &self.length).field("capacity", &self.memory.len()).finish()
    }
}

impl Ring {
    /// An empty ring without memory.
    pub const fn new() -> Ring {
        Ring { memory: Vec::new(), front: 0, length: 0 }
    }

    /// Bytes in the ring; those written ahead do not count.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether no byte is in the ring.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes of memory the ring owns.
    pub const fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Appends as many of `bytes` as fit below `limit` bytes in all; says how many those were. Overwrites what was
    /// written ahead.
    pub fn push(&mut self, bytes: &[u8], limit: usize) -> usize {
        let room = limit.saturating_sub(self.length);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.write_ahead(0, taken);
        self.length += taken.len();
        taken.len()
    }

    /// Writes `bytes` so that the first lies `gap` bytes behind the last byte in the ring. The caller bounds the gap:
    /// the memory grows to hold it.
    pub fn write_ahead(&mut self, gap: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let place = self.length + gap;
        self.reserve(place + bytes.len());
        let from = self.wrap(self.front + place);
        let until_wrap = (self.memory.len() - from).min(bytes.len());
        let (first, second) = bytes.split_at(until_wrap);
        if let Some(target) = self.memory.get_mut(from..from + first.len()) {
            target.copy_from_slice(first);
        }
        if let Some(target) = self.memory.get_mut(..second.len()) {
            target.copy_from_slice(second);
        }
    }

    /// Takes in `count` bytes that were written ahead (bounded by the memory there is).
    pub fn advance(&mut self, count: usize) {
        self.length = (self.length + count).min(self.memory.len());
    }

    /// Drops `count` bytes (at most all) from the front.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.length);
        self.front = self.wrap(self.front + count);
        self.length -= count;
    }

    /// `count` bytes from `offset` on, as far as there are any, in two pieces.
    pub fn slices(&self, offset: usize, count: usize) -> [&[u8]; 2] {
        let offset = offset.min(self.length);
        let count = count.min(self.length - offset);
        if count == 0 {
            return [&[], &[]];
        }
        let from = self.wrap(self.front + offset);
        let until_wrap = (self.memory.len() - from).min(count);
        [
            self.memory.get(from..from + until_wrap).unwrap_or_default(),
            self.memory.get(..count - until_wrap).unwrap_or_default(),
        ]
    }

    /// Copies from the front into `buffer`; says how many bytes. They stay in the ring.
    pub fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let [first, second] = self.slices(0, buffer.len());
        let (one, rest) = buffer.split_at_mut(first.len().min(buffer.len()));
        one.copy_from_slice(first);
        if let Some(two) = rest.get_mut(..second.len()) {
            two.copy_from_slice(second);
        }
        first.len() + second.len()
    }

    /// How many bytes the ring can hold if its memory may grow by `room` bytes; some it always gets.
    pub fn reach(&self, room: usize) -> usize {
        let most = self.memory.len().saturating_add(room).min(1 << (usize::BITS - 2));
        let power = if most == 0 { 0 } else { 1 << most.ilog2() };
        power.max(self.memory.len()).max(SMALLEST)
    }

    /// Gives back the memory that is not needed for the first `kept` bytes, where that is much of it. What was written
    /// ahead beyond them is lost.
    pub fn trim(&mut self, kept: usize) {
        let kept = kept.max(self.length);
        let capacity = if kept == 0 { 0 } else { kept.next_power_of_two().max(SMALLEST) };
        if capacity.saturating_mul(4) > self.memory.len() {
            return;
        }
        let length = core::mem::replace(&mut self.length, kept.min(self.memory.len()));
        let memory = moved(capacity, self.slices(0, kept));
        (self.memory, self.front, self.length) = (memory, 0, length);
    }

    /// Forgets every byte and gives the memory back.
    pub fn release(&mut self) {
        *self = Ring::new();
    }

    fn wrap(&self, place: usize) -> usize {
        // The capacity is a power of two, or zero with everything at place zero.
        place & self.memory.len().saturating_sub(1)
    }

    fn reserve(&mut self, wanted: usize) {
        if wanted <= self.memory.len() {
            return;
        }
        let capacity = wanted.next_power_of_two().max(SMALLEST);
        // All of the old memory, from the front around: what was written ahead moves along.
        let (end, start) = self.memory.split_at(self.front.min(self.memory.len()));
        self.memory = moved(capacity, [start, end]);
        self.front = 0;
    }
}

/// Memory that begins with these bytes. The rest is asked for as zeros and not filled with them: of large memory the system
/// hands out pages as they are first used, where to fill them at once would hold everything up for milliseconds.
fn moved(capacity: usize, [first, second]: [&[u8]; 2]) -> Vec<u8> {
    let mut memory = vec![0; capacity];
    let (one, rest) = memory.split_at_mut(first.len());
    one.copy_from_slice(first);
    if let Some(two) = rest.get_mut(..second.len()) {
        two.copy_from_slice(second);
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn an_unused_ring_owns_nothing_and_a_released_one_neither() {
        let mut ring = Ring::new();
        assert_eq!((ring.capacity(), ring.slices(0, 9)), (0, [&[][..], &[][..]]));
        ring.consume(3);
        ring.advance(3);
        assert_eq!(ring.len(), 0);
        ring.push(&[1; 5000], 6000);
        assert_eq!(ring.capacity(), 8192);
        assert_eq!(ring.push(&[2; 5000], 6000), 1000);
        ring.release();
        assert_eq!((ring.capacity(), ring.len()), (0, 0));
    }

    #[test]
    fn a_trimmed_ring_keeps_its_bytes_and_those_ahead() {
        let mut ring = Ring::new();
        ring.push(&[1; 60_000], 60_000);
        ring.consume(59_000);
        ring.push(&[2; 9000], 60_000);
        ring.write_ahead(500, &[3; 100]);
        ring.trim(10_600);
        assert_eq!((ring.capacity(), ring.len()), (16_384, 10_000));
        ring.write_ahead(0, &[4; 500]);
        ring.advance(600);
        let expected = [[1; 1000].as_slice(), &[2; 9000], &[4; 500], &[3; 100]].concat();
        assert_eq!(ring.slices(0, 20_000).concat(), expected);
        ring.trim(0);
        assert_eq!(ring.capacity(), 16_384, "what is in the ring stays, and half of it is not much");
        ring.consume(20_000);
        ring.trim(0);
        assert_eq!(ring.capacity(), 0);
    }

    #[test]
    fn a_ring_reaches_as_far_as_its_memory_may_grow() {
        let mut ring = Ring::new();
        assert_eq!(
            [0, 4096, 8191, 8192, 100_000].map(|room| ring.reach(room)),
            [4096, 4096, 4096, 8192, 65_536]
        );
        ring.push(&[1; 5000], 5000);
        assert_eq!([0, 8191, 8192].map(|room| ring.reach(room)), [8192, 8192, 16_384]);
        assert!(ring.reach(usize::MAX) > 1 << 40);
    }

    proptest! {
        #[test]
        fn behaves_as_a_queue(steps in proptest::collection::vec((0_u8..4, 0_usize..3000), 1..60)) {
            let mut ring = Ring::new();
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut next = 0_u8;
            for (step, count) in steps {
                let bytes: Vec<u8> = (0..count).map(|i| next.wrapping_add(i as u8)).collect();
                match step {
                    0 => {
                        let taken = ring.push(&bytes, 9000);
                        prop_assert_eq!(taken, count.min(9000 - model.len()));
                        model.extend(&bytes[..taken]);
                        next = next.wrapping_add(taken as u8);
                    }
                    1 => {
                        // The second half first, as out-of-order data comes.
                        let half = count / 2;
                        ring.write_ahead(half, &bytes[half..]);
                        ring.write_ahead(0, &bytes[..half]);
                        if model.len() + count <= 9000 {
                            ring.advance(count);
                            model.extend(&bytes);
                            next = next.wrapping_add(count as u8);
                        }
                    }
                    2 => {
                        ring.consume(count);
                        model.drain(..count.min(model.len()));
                    }
                    _ => {
                        let offset = count / 3;
                        let expected: Vec<u8> = model.iter().copied().skip(offset).take(count).collect();
                        prop_assert_eq!(ring.slices(offset, count).concat(), expected);
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                let mut all = vec![0; model.len() + 3];
                prop_assert_eq!(ring.copy_to(&mut all), model.len());
                prop_assert!(all[..model.len()].iter().eq(model.iter()));
            }
        }
    }
}
