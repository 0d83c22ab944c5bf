//! The headers of one frame on its way down, each put in front of the last.

/// A fixed array filled from the back: transport first, then network, then link, without moving a byte.
///
/// The largest stack of headers that this crate emits is Ethernet (14), IPv6 (40), hop-by-hop (8), fragment (8) and a
/// TCP header with all its options (60): 130 bytes; with IPv4 options it is 134. The rest of the room is there for
/// small whole messages (ARP, ICMP, NDP) to be built in place.
///
/// ```
/// use sockeye_core::wire::Headers;
/// let mut headers = Headers::new();
/// headers.push_front(b"segment");
/// headers.push_front(b"packet ");
/// assert_eq!(headers.as_slice(), b"packet segment");
/// headers.remove_front(7);
/// assert_eq!(headers.as_slice(), b"segment");
/// ```
#[derive(Clone)]
pub struct Headers {
    bytes: [u8; Headers::CAPACITY],
    start: usize,
}

impl Headers {
    /// Bytes that fit.
    pub const CAPACITY: usize = 256;

    /// No header yet.
    pub const fn new() -> Headers {
        Headers { bytes: [0; Headers::CAPACITY], start: Headers::CAPACITY }
    }

    /// Forgets every header.
    pub fn clear(&mut self) {
        self.start = Headers::CAPACITY;
    }

    /// Bytes in use.
    pub fn len(&self) -> usize {
        Headers::CAPACITY - self.start
    }

    /// Whether there is no header yet.
    pub fn is_empty(&self) -> bool {
        self.start == Headers::CAPACITY
    }

    /// Bytes that can still be put in front.
    pub fn room(&self) -> usize {
        self.start
    }

    /// All headers, the outermost first.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// All headers, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// Opens `n` zeroed bytes in front and lends them. Where fewer than `n` are left (no stack of headers comes near,
    /// see the type), lends what is left.
    pub fn prepend(&mut self, n: usize) -> &mut [u8] {
        debug_assert!(n <= self.start, "headers overflow: {n} bytes wanted, {} left", self.start);
        let n = n.min(self.start);
        self.start -= n;
        let opened = self.bytes.get_mut(self.start..self.start + n).unwrap_or_default();
        opened.fill(0);
        opened
    }

    /// Puts `bytes` in front. Where they do not fit, nothing is put, and `false` returned.
    pub fn push_front(&mut self, bytes: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(bytes.len()) else { return false };
        let Some(room) = self.bytes.get_mut(start..self.start) else { return false };
        room.copy_from_slice(bytes);
        self.start = start;
        true
    }

    /// Takes the outermost `n` bytes off again (all of them, where there are fewer).
    pub fn remove_front(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(Headers::CAPACITY);
    }
}

impl Default for Headers {
    fn default() -> Headers {
        Headers::new()
    }
}

impl AsRef<[u8]> for Headers {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl core::fmt::Debug for Headers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Headers").field(&self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepended_bytes_are_zeroed_even_after_use() {
        let mut headers = Headers::new();
        headers.push_front(&[0xff; 8]);
        headers.clear();
        assert!(headers.is_empty());
        assert_eq!(headers.prepend(8), &[0; 8]);
        assert_eq!(headers.len(), 8);
    }

    #[test]
    fn a_header_that_does_not_fit_is_refused_whole() {
        let mut headers = Headers::new();
        assert!(headers.push_front(&[1; 250]));
        assert!(!headers.push_front(&[2; 7]));
        assert_eq!((headers.len(), headers.room()), (250, 6));
        assert!(headers.push_front(&[2; 6]));
        assert_eq!(headers.room(), 0);
    }

    #[test]
    fn removing_more_than_there_is_leaves_nothing() {
        let mut headers = Headers::new();
        headers.push_front(&[1; 4]);
        headers.remove_front(usize::MAX);
        assert!(headers.is_empty());
    }
}
