//! `sendmsg` and `recvmsg`.

use super::transfer::Transfer;
use super::{Answer, Arguments, Buffer, Caller, Outcome, Progress, differs};
use crate::ast::Argument;
use crate::run::failure::Failure;
use crate::run::process::Returned;

/// What a message header says.
struct Header<'a> {
    count: usize,
    flags: i64,
    control: &'a [Argument],
}

fn header<'a>(a: &Arguments<'a>, index: usize) -> Result<Header<'a>, Failure> {
    match a.get(index)? {
        Argument::MsgHdr { iov_length, iov, flags, control } => {
            Ok(Header { count: a.iovecs(iov, *iov_length)?.iter().sum(), flags: a.value(flags)?, control })
        }
        other => Err(a.unsupported(format!("the message header {other:?}"))),
    }
}

impl Caller<'_> {
    pub(super) fn sendmsg(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let message = header(a, 1)?;
        if let Some(control) = message.control.first() {
            return Err(a.unsupported(format!("the control message {control:?}")));
        }
        let (descriptor, flags) = (a.descriptor(0)?, a.number(2)?);
        self.put(a, Transfer { descriptor, count: message.count, buffer: Buffer::There, flags })
    }

    pub(super) fn recvmsg(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let message = header(a, 1)?;
        if let Some(control) = message.control.first() {
            return Err(a.unsupported(format!("the control message {control:?}")));
        }
        let (descriptor, flags) = (a.descriptor(0)?, a.number(2)?);
        let transfer = Transfer { descriptor, count: message.count, buffer: Buffer::There, flags };
        let progress = self.take(a, transfer)?;
        Ok(match progress {
            Progress::Done(Answer { returned: Returned::Value(value), mut differences }) => {
                // A stream's messages are never cut short: no flag is ever returned.
                differs("msg_flags", message.flags, 0, &mut differences);
                Progress::Done(Answer { returned: Returned::Value(value), differences })
            }
            other => other,
        })
    }
}
