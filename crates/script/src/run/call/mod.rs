//! Socket calls of the script: what each does to the stack, and what it returns.
//!
//! The stack's own calls never wait. A call that has to wait is tried again whenever something has happened, until it is
//! done: in virtual time that costs nothing.

mod arguments;
mod control;
mod file;
mod message;
mod option;
mod poll;
mod socket;
mod transfer;

pub use arguments::{Arguments, Buffer};

use sockeye_core::time::Instant;

use super::failure::{Difference, Failure};
use super::flow::Flows;
use super::host::Host;
use super::options::Options;
use super::process::{Object, Ongoing, Process, Returned, SocketFile};
use crate::ast::SystemCall;

/// What a call may touch.
#[derive(Debug)]
pub struct Caller<'r> {
    /// The host it runs on.
    pub host: &'r mut Host,
    /// The program that makes it.
    pub process: &'r mut Process,
    /// The sockets as the packets of the script see them.
    pub flows: &'r mut Flows,
    /// How the script is run.
    pub options: &'r Options,
    /// How far it is.
    pub ongoing: &'r mut Ongoing,
}

/// What has become of a call.
#[derive(Debug)]
pub enum Progress {
    /// It has returned.
    Done(Answer),
    /// It waits, at the latest until this time.
    Wait(Option<Instant>),
}

/// What a call has returned.
#[derive(Debug)]
pub struct Answer {
    /// Its value, or its error.
    pub returned: Returned,
    /// What else it has returned that the script does not expect.
    pub differences: Vec<Difference>,
}

/// What a call ends with.
pub type Outcome = Result<Progress, Failure>;

/// A call that has returned.
fn done(returned: impl Into<Returned>) -> Outcome {
    Ok(Progress::Done(Answer { returned: returned.into(), differences: Vec::new() }))
}

/// A call that has returned more than a number.
fn done_with(returned: impl Into<Returned>, differences: Vec<Difference>) -> Outcome {
    Ok(Progress::Done(Answer { returned: returned.into(), differences }))
}

/// A call that has failed.
fn failed(errno: &'static str) -> Outcome {
    done(Returned::Error(errno))
}

/// Adds to `differences` where a number returned is not the one expected.
fn differs(field: &'static str, expected: i64, actual: i64, differences: &mut Vec<Difference>) {
    if expected != actual {
        differences.push(Difference { field, expected: expected.to_string(), actual: actual.to_string() });
    }
}

impl Caller<'_> {
    /// Makes the call, or goes on with it.
    ///
    /// # Errors
    /// A call that makes no sense or is not offered.
    pub fn attempt(&mut self, call: &SystemCall) -> Outcome {
        let arguments = Arguments::new(call);
        let a = &arguments;
        match call.name.as_str() {
            "socket" => self.socket(a),
            "bind" => self.bind(a),
            "listen" => self.listen(a),
            "accept" | "accept4" => self.accept(a),
            "connect" => self.connect(a),
            "close" => self.close(a),
            "shutdown" => self.shutdown(a),
            "getsockname" | "getpeername" => self.name(a, &call.name),
            "read" | "recv" | "recvfrom" => self.read(a, &call.name),
            "readv" => self.readv(a),
            "write" | "send" | "sendto" => self.write(a, &call.name),
            "writev" => self.writev(a),
            "sendmsg" => self.sendmsg(a),
            "recvmsg" => self.recvmsg(a),
            "getsockopt" => self.getsockopt(a),
            "setsockopt" => self.setsockopt(a),
            "fcntl" => self.fcntl(a),
            "ioctl" => self.ioctl(a),
            "poll" => self.poll(a),
            "epoll_create" | "epoll_create1" => self.epoll_create(a),
            "epoll_ctl" => self.epoll_ctl(a),
            "epoll_wait" => self.epoll_wait(a),
            "open" => self.open(a),
            "sendfile" => self.sendfile(a),
            "pipe" => self.pipe(a),
            "splice" => self.splice(a),
            other => Err(Failure::unsupported(call.line, format!("call {other}"))),
        }
    }

    /// The socket that an argument names; or what the call returns where it names none.
    fn socket_at(
        &mut self,
        a: &Arguments<'_>,
        index: usize,
    ) -> Result<Result<SocketFile, &'static str>, Failure> {
        let descriptor = a.descriptor(index)?;
        Ok(match self.process.descriptors.get(&descriptor) {
            Some(Object::Socket(socket)) => Ok(socket.clone()),
            Some(_) => Err("ENOTSOCK"),
            None => Err("EBADF"),
        })
    }
}

/// Takes the socket an argument names, or returns from the call with the error that it names none.
macro_rules! socket_of {
    ($caller:expr, $arguments:expr, $index:expr) => {
        match $caller.socket_at($arguments, $index)? {
            Ok(socket) => socket,
            Err(errno) => return $crate::run::call::failed(errno),
        }
    };
}
use socket_of;
