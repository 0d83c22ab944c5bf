//! `fcntl` and `ioctl`.

use super::{Arguments, Caller, Outcome, differs, done, done_with, failed, socket_of};
use crate::constant::value as constant;
use crate::run::process::{Object, Returned};

impl Caller<'_> {
    pub(super) fn fcntl(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[2, 3])?;
        let command = a.number(1)?;
        let nonblock = constant("O_NONBLOCK").unwrap_or(0);
        let read_write = constant("O_RDWR").unwrap_or(0);
        let descriptor = a.descriptor(0)?;
        let file = match self.process.descriptors.get_mut(&descriptor) {
            Some(Object::Socket(file)) => file,
            Some(_) => return Err(a.unsupported("what is no socket")),
            None => return failed("EBADF"),
        };
        match command {
            _ if Some(command) == constant("F_GETFL") => {
                let flags = read_write | if file.nonblocking { nonblock } else { 0 };
                done(Returned::Value(flags))
            }
            _ if Some(command) == constant("F_SETFL") => {
                let flags = a.number(2)?;
                let rest = flags & !(nonblock | read_write);
                if rest != 0 {
                    return Err(a.unsupported(format!("flags {rest:#x}")));
                }
                file.nonblocking = flags & nonblock != 0;
                done(Returned::Value(0))
            }
            _ => Err(a.unsupported(format!("command {command}"))),
        }
    }

    pub(super) fn ioctl(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[2, 3])?;
        let file = socket_of!(self, a, 0);
        let command = a.number(1)?;
        let snapshot = self.host.stack.snapshot();
        let Some(socket) = snapshot.sockets.into_iter().find(|socket| socket.id == file.id) else {
            return failed("EBADF");
        };
        let is = |name: &str| Some(command) == constant(name);
        let at_mark = self.host.stack.is_at_mark(file.id);
        let value = match () {
            () if is("SIOCATMARK") => match at_mark {
                Ok(is_there) => usize::from(is_there),
                Err(error) => return done(error),
            },
            () if is("SIOCINQ") || is("FIONREAD") => socket.receive_queue,
            () if is("SIOCOUTQ") => socket.send_queue,
            () if is("SIOCOUTQNSD") => socket.tcp.map_or(0, |info| info.unsent),
            () => return Err(a.unsupported(format!("command {command:#x}"))),
        };
        let mut differences = Vec::new();
        if a.count() == 3 {
            differs("value", a.bracketed(2)?, value as i64, &mut differences);
        }
        done_with(Returned::Value(0), differences)
    }
}
