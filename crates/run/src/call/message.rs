//! `struct msghdr` in the program's memory: where bytes come from and go to, and what goes along with them.

use crate::task::Memory;
use rustix::io::Errno;

/// `sizeof(struct msghdr)` and `sizeof(struct mmsghdr)` where pointers have 64 bits.
const SIZE: usize = 56;
pub(crate) const SIZE_OF_MANY: u64 = 64;
/// `msg_len` in a `struct mmsghdr`.
const LENGTH_AT: u64 = 56;

/// The most pieces that a message may be in (`UIO_MAXIOV`).
const MOST_PIECES: u64 = 1024;

/// `sizeof(struct cmsghdr)`, likewise, and what it is aligned to.
pub(super) const CONTROL_HEADER: usize = 16;
pub(super) const ALIGNMENT: usize = 8;

/// A message header of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    at: u64,
    pub(crate) name: u64,
    pub(crate) name_length: u32,
    pieces: u64,
    count: u64,
    pub(super) control: u64,
    pub(super) control_length: u64,
}

impl Header {
    /// Reads the header at `at`.
    ///
    /// # Errors
    /// `EFAULT`; `EMSGSIZE` for more pieces than there may be.
    pub(crate) fn read(memory: Memory, at: u64) -> Result<Header, Errno> {
        let mut bytes = [0; SIZE];
        memory.read_exact(at, &mut bytes)?;
        let word = |index: usize| {
            let field = bytes.get(index..index + 8).and_then(|field| field.try_into().ok());
            field.map_or(0, u64::from_ne_bytes)
        };
        let header = Header {
            at,
            name: word(0),
            name_length: word(8) as u32,
            pieces: word(16),
            count: word(24),
            control: word(32),
            control_length: word(40),
        };
        if header.count > MOST_PIECES { Err(Errno::MSGSIZE) } else { Ok(header) }
    }

    /// Where the pieces are, and how long.
    pub(super) fn pieces(&self, memory: Memory) -> Result<Vec<(u64, usize)>, Errno> {
        let mut bytes = vec![0; 16 * self.count as usize];
        memory.read_exact(self.pieces, &mut bytes)?;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        let pieces = bytes.chunks_exact(16).map(|piece| {
            let (at, length) = piece.split_at(8);
            (word(at), usize::try_from(word(length)).unwrap_or(usize::MAX))
        });
        Ok(pieces.collect())
    }

    /// All the bytes of the message.
    ///
    /// # Errors
    /// `EFAULT`; `EMSGSIZE` for more than `most`.
    pub(crate) fn gather(&self, memory: Memory, most: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        for (at, length) in self.pieces(memory)? {
            if length > most.saturating_sub(bytes.len()) {
                return Err(Errno::MSGSIZE);
            }
            let start = bytes.len();
            bytes.resize(start + length, 0);
            memory.read_exact(at, bytes.get_mut(start..).unwrap_or_default())?;
        }
        Ok(bytes)
    }

    /// Puts `bytes` where the message is to go, and says how many found room.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn scatter(&self, memory: Memory, bytes: &[u8]) -> Result<usize, Errno> {
        let mut rest = bytes;
        for (at, length) in self.pieces(memory)? {
            let (now, later) = rest.split_at(length.min(rest.len()));
            memory.write_all(at, now)?;
            rest = later;
        }
        Ok(bytes.len() - rest.len())
    }

    /// Writes who sent the message, what came along with it, and the flags.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn finish(
        &self,
        memory: Memory,
        name: Option<&[u8]>,
        control: &Control,
        mut flags: i32,
    ) -> Result<(), Errno> {
        if let (Some(name), true) = (name, self.name != 0) {
            memory.write_cut(self.name, self.name_length as usize, name)?;
            memory.write_all(self.at + 8, &(name.len() as u32).to_ne_bytes())?;
        } else if self.name != 0 {
            memory.write_all(self.at + 8, &0u32.to_ne_bytes())?;
        }
        memory.write_all(self.control, &control.bytes)?;
        memory.write_all(self.at + 40, &(control.bytes.len() as u64).to_ne_bytes())?;
        if control.is_cut {
            flags |= libc::MSG_CTRUNC;
        }
        memory.write_all(self.at + 48, &flags.to_ne_bytes())
    }

    /// Control messages for which there is as much room as the program has given.
    pub(crate) fn control(&self) -> Control {
        let length = usize::try_from(self.control_length).unwrap_or(usize::MAX);
        Control { room: if self.control == 0 { 0 } else { length }, ..Control::default() }
    }

    /// Writes how long the message is, in a header of several.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn write_length(&self, memory: Memory, length: usize) -> Result<(), Errno> {
        memory.write_all(self.at + LENGTH_AT, &(length as u32).to_ne_bytes())
    }
}

/// Control messages on their way into a program's buffer, as `put_cmsg` of Linux fills it: the one for which the room does
/// not suffice is cut, and those for whose headers it does not are left out.
#[derive(Debug, Default)]
pub(crate) struct Control {
    room: usize,
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Control {
    /// Adds one: a `struct cmsghdr` and what follows it.
    pub(crate) fn put(&mut self, (level, kind): (i32, i32), data: &[u8]) {
        let left = self.room - self.bytes.len();
        if left < CONTROL_HEADER {
            self.is_cut = true;
            return;
        }
        let length = CONTROL_HEADER + data.len();
        self.is_cut |= length > left;
        let end = self.bytes.len() + length.next_multiple_of(ALIGNMENT).min(left);
        self.bytes.extend((length.min(left) as u64).to_ne_bytes());
        self.bytes.extend(level.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(data);
        self.bytes.resize(end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(room: usize) -> (usize, bool) {
        let mut control = Control { room, ..Control::default() };
        control.put((libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT), &[0; 4]);
        control.put((libc::IPPROTO_IPV6, libc::IPV6_TCLASS), &[0; 4]);
        assert!(control.bytes.len() <= room);
        (control.bytes.len(), control.is_cut)
    }

    #[test]
    fn the_message_without_room_is_cut_and_without_room_for_its_header_left_out() {
        for (room, length, is_cut) in
            [(0, 0, true), (15, 0, true), (16, 16, true), (19, 19, true), (24, 24, true), (39, 24, true)]
                .into_iter()
                .chain([(40, 40, true), (43, 43, true), (44, 44, false), (48, 48, false), (99, 48, false)])
        {
            assert_eq!(filled(room), (length, is_cut), "{room} bytes");
        }
    }
}
