//! `sendmsg` and `recvmsg`.

use super::transfer::Transfer;
use super::{Answer, Arguments, Buffer, Caller, Outcome, Progress, differs, socket_of};
use crate::ast::Argument;
use crate::constant::value as constant;
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
        other => Err(a.unsupported(format!("the message header {other}"))),
    }
}

impl Caller<'_> {
    pub(super) fn sendmsg(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let message = header(a, 1)?;
        if let Some(control) = message.control.first() {
            return Err(a.unsupported(format!("the control message {control}")));
        }
        let (descriptor, flags) = (a.descriptor(0)?, a.number(2)?);
        self.put(a, Transfer { descriptor, count: message.count, buffer: Buffer::There, flags })
    }

    pub(super) fn recvmsg(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let message = header(a, 1)?;
        let rest = expected_rest(a, message.control)?;
        let (descriptor, flags) = (a.descriptor(0)?, a.number(2)?);
        let file = socket_of!(self, a, 0);
        let transfer = Transfer { descriptor, count: message.count, buffer: Buffer::There, flags };
        let progress = self.take(a, transfer)?;
        Ok(match progress {
            Progress::Done(Answer { returned: Returned::Value(value), mut differences }) => {
                // A stream's messages are never cut short: no flag is ever returned.
                differs("msg_flags", message.flags, 0, &mut differences);
                if let Some(rest) = rest {
                    let unread = self.host.stack.unread_hint(file.id).unwrap_or(0) as i64;
                    // Without the option there is no such message.
                    let actual = if file.tells_rest { unread } else { -1 };
                    differs("TCP_CM_INQ", rest, actual, &mut differences);
                }
                Progress::Done(Answer { returned: Returned::Value(value), differences })
            }
            other => other,
        })
    }
}

/// What a script expects to be told of what is left (`TCP_CM_INQ`), the one control message there is.
fn expected_rest(a: &Arguments<'_>, control: &[Argument]) -> Result<Option<i64>, Failure> {
    match control {
        [] => Ok(None),
        [message @ Argument::Cmsg { level, kind, data }] => {
            let is_rest = Some(a.value(level)?) == constant("SOL_TCP")
                && Some(a.value(kind)?) == constant("TCP_CM_INQ");
            if !is_rest {
                return Err(a.unsupported(format!("the control message {message}")));
            }
            a.value(data).map(Some)
        }
        [_, other, ..] => Err(a.unsupported(format!("the control message {other}"))),
        [other] => Err(a.unsupported(format!("the control message {other}"))),
    }
}
