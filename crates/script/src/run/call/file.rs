//! Files and pipes, as far as they lead to or from sockets.

use std::collections::VecDeque;

use sockeye_core::error::Error;

use super::transfer::Transfer;
use super::{Arguments, Buffer, Caller, Outcome, Progress, done, failed};
use crate::ast::Argument;
use crate::run::process::{Object, Returned};

/// What a pipe holds at most, as Linux's by default.
const PIPE_CAPACITY: usize = 65_536;

impl Caller<'_> {
    /// Opens a file for reading, one that a command has made.
    pub(super) fn open(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[2])?;
        let Argument::Text(path) = a.get(0)? else { return Err(a.unsupported("a name that is no string")) };
        if a.number(1)? != 0 {
            return Err(a.unsupported("any flag but O_RDONLY"));
        }
        match self.process.files.get(&*String::from_utf8_lossy(path)) {
            Some(length) => done(Returned::Descriptor(Object::File(*length))),
            None => failed("ENOENT"),
        }
    }

    pub(super) fn sendfile(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[4])?;
        let length = match self.process.descriptors.get(&a.descriptor(1)?) {
            Some(Object::File(length)) => *length,
            Some(_) => return failed("EINVAL"),
            None => return failed("EBADF"),
        };
        let Ok(offset) = u64::try_from(a.bracketed(2)?) else { return failed("EINVAL") };
        let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (descriptor, count) = (a.descriptor(0)?, a.length(3)?.min(left));
        self.put(a, Transfer { descriptor, count, buffer: Buffer::There, flags: 0 })
    }

    pub(super) fn pipe(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[1])?;
        let Argument::Array(ends) = a.get(0)? else { return Err(a.unsupported("anything but [R, W]")) };
        let [reader, writer] = ends.as_slice() else { return Err(a.unsupported("anything but [R, W]")) };
        let pipe = self.process.pipes.len();
        self.process.pipes.push(VecDeque::new());
        for (end, is_reader) in [(reader, true), (writer, false)] {
            let descriptor = a.narrow(a.value(end)?)?;
            if self.process.descriptors.contains_key(&descriptor) {
                return Err(a.unsupported(format!("descriptor {descriptor} twice")));
            }
            self.process.descriptors.insert(descriptor, Object::Pipe { pipe, is_reader });
        }
        done(Returned::Value(0))
    }

    /// Moves bytes from a socket to a pipe or back.
    pub(super) fn splice(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[6])?;
        for offset in [1, 3] {
            if a.buffer(offset)? != Buffer::Null {
                return failed("ESPIPE");
            }
        }
        let (from, to, count) = (a.descriptor(0)?, a.descriptor(2)?, a.length(4)?);
        let flags = a.number(5)?;
        if flags != 0 {
            return Err(a.unsupported(format!("flags {flags:#x}")));
        }
        let now = self.host.now();
        match (self.process.descriptors.get(&from), self.process.descriptors.get(&to)) {
            (None, _) | (_, None) => failed("EBADF"),
            (Some(Object::Socket(file)), Some(Object::Pipe { pipe, is_reader: false })) => {
                let (mut file, pipe) = (file.clone(), *pipe);
                let room = self.process.pipes.get(pipe).map_or(0, |held| PIPE_CAPACITY - held.len());
                let mut buffer = vec![0; count.min(room)];
                match self.host.stack.read(now, file.id, &mut buffer) {
                    Ok(got) => {
                        buffer.truncate(got);
                        file.read = file.read.wrapping_add(got as u32);
                        self.keep(from, file);
                        if let Some(held) = self.process.pipes.get_mut(pipe) {
                            held.extend(buffer);
                        }
                        done(Returned::Value(got as i64))
                    }
                    Err(Error::WouldBlock) if !file.nonblocking => Ok(Progress::Wait(None)),
                    Err(error) => done(error),
                }
            }
            _ => Err(a.unsupported("anything but from a socket to a pipe")),
        }
    }
}
