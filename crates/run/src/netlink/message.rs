//! Netlink messages (`include/uapi/linux/netlink.h`): a header, a fixed part that the type says, and attributes. All numbers
//! are in the machine's own order, and everything begins at a multiple of four bytes.

/// `NLMSG_HDRLEN`.
pub(super) const HEADER: usize = 16;
/// `NLA_HDRLEN`.
const ATTRIBUTE_HEADER: usize = 4;
/// `NLA_TYPE_MASK`: the bits above say how to read an attribute, and not which one it is.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

/// The number at `at`; 0 where there is none, as where a program sends a shorter fixed part than there is.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array(bytes, at).map_or(0, u32::from_ne_bytes)
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// `struct nlmsghdr`, but for the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) port: u32,
}

impl Header {
    fn encode(self, length: usize) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let fields = (length as u32).to_ne_bytes().into_iter();
        let fields = fields.chain(self.kind.to_ne_bytes()).chain(self.flags.to_ne_bytes());
        let fields = fields.chain(self.sequence.to_ne_bytes()).chain(self.port.to_ne_bytes());
        bytes.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        bytes
    }

    /// The message with this header.
    pub(super) fn frame(self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.encode(HEADER + payload.len()).to_vec();
        bytes.extend(payload);
        bytes
    }
}

/// A message that a program has sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) header: Header,
    /// Behind the header.
    pub(super) payload: &'a [u8],
    /// With the header.
    pub(super) whole: &'a [u8],
}

impl<'a> Request<'a> {
    /// The attributes behind a fixed part of `fixed` bytes.
    pub(super) fn attributes(&self, fixed: usize) -> Attributes<'a> {
        Attributes(self.payload.get(aligned(fixed)..).unwrap_or_default())
    }

    /// The first byte behind the header, which in all route messages is an address family.
    pub(super) fn family(&self) -> i32 {
        self.payload.first().copied().map_or(libc::AF_UNSPEC, i32::from)
    }
}

/// The messages in what a program sends at once. The first that is not whole ends them, as in `netlink_rcv_skb`.
#[derive(Clone, Debug)]
pub(super) struct Requests<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Requests<'a> {
    type Item = Request<'a>;

    fn next(&mut self) -> Option<Request<'a>> {
        let length = array(self.0, 0).map(u32::from_ne_bytes)? as usize;
        let whole = self.0.get(..length).filter(|whole| whole.len() >= HEADER)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        let header = Header {
            kind: u16_at(whole, 4)?,
            flags: u16_at(whole, 6)?,
            sequence: u32_at(whole, 8),
            port: u32_at(whole, 12),
        };
        Some(Request { header, payload: whole.get(HEADER..)?, whole })
    }
}

/// Attributes, by type. The first that is not whole ends them.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & ATTRIBUTE_TYPE;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

impl<'a> Attributes<'a> {
    /// The value of the last attribute of this type, which is the one that counts in the kernel too.
    pub(super) fn find_last(self, kind: u16) -> Option<&'a [u8]> {
        self.filter(|(found, _)| *found == kind).last().map(|(_, value)| value)
    }

    /// The same as a number.
    pub(super) fn number(self, kind: u16) -> Option<u32> {
        self.find_last(kind).and_then(|value| array(value, 0)).map(u32::from_ne_bytes)
    }
}

/// A message on its way to a program, still without sequence number and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) payload: Vec<u8>,
}

impl Message {
    /// A message with this fixed part.
    pub(super) fn new(kind: u16, fixed: &[u8]) -> Message {
        let mut payload = fixed.to_vec();
        payload.resize(aligned(payload.len()), 0);
        Message { kind, payload }
    }

    /// Adds an attribute.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or(u16::MAX);
        let value = value.get(..usize::from(length) - ATTRIBUTE_HEADER).unwrap_or_default();
        self.payload.extend(length.to_ne_bytes());
        self.payload.extend(kind.to_ne_bytes());
        self.payload.extend(value);
        self.payload.resize(aligned(self.payload.len()), 0);
    }

    /// Adds an attribute that is a number.
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Adds an attribute that is a string.
    pub(super) fn string(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GET: Header = Header { kind: 18, flags: 0x301, sequence: 7, port: 0 };

    #[test]
    fn several_messages_come_at_once() {
        let mut bytes = GET.frame(&[0; 17]);
        bytes.resize(aligned(bytes.len()), 0);
        bytes.extend(Header { sequence: 8, ..GET }.frame(&[1]));
        let found: Vec<_> = Requests(&bytes).map(|one| (one.header.sequence, one.payload.len())).collect();
        // The last one needs nothing behind it.
        assert_eq!(found, [(7, 17), (8, 1)]);
    }

    #[test]
    fn what_is_not_whole_ends_the_messages() {
        let whole = GET.frame(&[0; 4]);
        for length in [0u32, 1, 15, 21, u32::MAX, u32::MAX - 3] {
            let mut bytes = whole.clone();
            bytes.splice(..4, length.to_ne_bytes());
            assert_eq!(Requests(&bytes).count(), 0, "{length}");
            let behind = [whole.clone(), bytes].concat();
            assert_eq!(Requests(&behind).count(), 1, "{length}");
        }
        for cut in 0..whole.len() {
            assert_eq!(Requests(&whole[..cut]).count(), 0, "{cut}");
        }
    }

    #[test]
    fn attributes_come_back_as_they_went() {
        let mut message = Message::new(16, &[9; 5]);
        message.string(3, "eth0");
        message.number(4, 1500);
        message.attribute(0x8000 | 26, &[]);
        let bytes = GET.frame(&message.payload);
        let request = Requests(&bytes).next().unwrap();
        let attributes = request.attributes(5);
        assert_eq!(attributes.clone().find_last(3), Some(&b"eth0\0"[..]));
        assert_eq!(attributes.clone().number(4), Some(1500));
        assert_eq!(attributes.clone().number(3), Some(u32::from_ne_bytes(*b"eth0")));
        assert_eq!(attributes.last(), Some((26, &[][..])));
    }

    #[test]
    fn attributes_without_length_are_the_end() {
        for length in [0u16, 1, 3, 9, u16::MAX] {
            let bytes = [length.to_ne_bytes(), [3, 0], [0; 2], [0; 2]].concat();
            assert_eq!(Attributes(&bytes).count(), 0, "{length}");
        }
    }

    proptest! {
        /// Whatever comes: each message and each attribute uses bytes up, and none is read beyond its end.
        #[test]
        fn any_bytes_have_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..600), length in 0u32..80) {
            let mut bytes = bytes;
            if let Some(head) = bytes.get_mut(..4) {
                head.copy_from_slice(&length.to_ne_bytes());
            }
            let mut messages = 0;
            for request in Requests(&bytes) {
                messages += 1;
                prop_assert!(request.attributes(8).count() <= request.payload.len());
            }
            prop_assert!(messages <= bytes.len() / HEADER);
        }
    }
}
