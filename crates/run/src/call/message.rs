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

/// A message header of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    at: u64,
    pub(crate) name: u64,
    pub(crate) name_length: u32,
    pieces: u64,
    count: u64,
    pub(crate) control: u64,
    pub(crate) control_length: u64,
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
        control: &[u8],
        mut flags: i32,
    ) -> Result<(), Errno> {
        if let (Some(name), true) = (name, self.name != 0) {
            memory.write_cut(self.name, self.name_length as usize, name)?;
            memory.write_all(self.at + 8, &(name.len() as u32).to_ne_bytes())?;
        } else if self.name != 0 {
            memory.write_all(self.at + 8, &0u32.to_ne_bytes())?;
        }
        let room = usize::try_from(self.control_length).unwrap_or(usize::MAX);
        let fits = self.control != 0 && control.len() <= room;
        if fits {
            memory.write_all(self.control, control)?;
        } else if !control.is_empty() {
            flags |= libc::MSG_CTRUNC;
        }
        let written = if fits { control.len() } else { 0 };
        memory.write_all(self.at + 40, &(written as u64).to_ne_bytes())?;
        memory.write_all(self.at + 48, &flags.to_ne_bytes())
    }

    /// Writes how long the message is, in a header of several.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn write_length(&self, memory: Memory, length: usize) -> Result<(), Errno> {
        memory.write_all(self.at + LENGTH_AT, &(length as u32).to_ne_bytes())
    }
}

/// Adds one piece of ancillary data: a `struct cmsghdr` and what follows it.
pub(crate) fn add_control(control: &mut Vec<u8>, (level, kind): (i32, i32), data: &[u8]) {
    const HEADER: usize = 16;
    control.extend(((HEADER + data.len()) as u64).to_ne_bytes());
    control.extend(level.to_ne_bytes());
    control.extend(kind.to_ne_bytes());
    control.extend(data);
    control.resize(control.len().next_multiple_of(8), 0);
}
