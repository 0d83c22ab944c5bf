//! Bytes to and from a socket. Each byte is known by its place in the stream, so that what is read can be checked.

use sockeye_core::error::Error;
use sockeye_core::socket::{OptionName, SocketOption};
use sockeye_core::transport::tcp::{SendFlags, Take};

use super::{Arguments, Buffer, Caller, Outcome, Progress, done, done_with, failed, socket_of};
use crate::constant::value as constant;
use crate::run::failure::{Difference, Failure};
use crate::run::flow::Carrier;
use crate::run::pattern;
use crate::run::process::{Object, Returned, SocketFile};

/// More than any socket ever holds at once.
const LARGEST_READ: usize = 64 << 20;

/// A transfer that a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// Which socket.
    pub(super) descriptor: i32,
    /// How many bytes.
    pub(super) count: usize,
    /// Whether there is a buffer.
    pub(super) buffer: Buffer,
    /// `MSG_…`.
    pub(super) flags: i64,
}

impl Transfer {
    pub(super) fn has(&self, flag: &str) -> bool {
        constant(flag).is_some_and(|bit| self.flags & bit != 0)
    }

    /// Refuses aloud what is neither in `known` nor without meaning here.
    fn check(&self, a: &Arguments<'_>, known: &[&str]) -> Result<(), Failure> {
        // No signal is ever sent, and no other program could be handed a descriptor.
        let harmless = ["MSG_NOSIGNAL", "MSG_CMSG_CLOEXEC"];
        let understood = known.iter().chain(&harmless).filter_map(|name| constant(name));
        let rest = understood.fold(self.flags, |flags, bit| flags & !bit);
        if rest == 0 {
            return Ok(());
        }
        let names =
            ["MSG_ERRQUEUE", "MSG_PEEK", "MSG_OOB", "MSG_WAITALL", "MSG_TRUNC", "MSG_MORE", "MSG_ZEROCOPY"];
        let named = names.into_iter().find(|name| constant(name).is_some_and(|bit| rest & bit != 0));
        Err(a.unsupported(named.map_or_else(|| format!("flags {rest:#x}"), str::to_owned)))
    }
}

impl Caller<'_> {
    pub(super) fn write(&mut self, a: &Arguments<'_>, call: &str) -> Outcome {
        match call {
            "write" => a.expect(&[3])?,
            "send" => a.expect(&[4])?,
            _ => a.expect(&[6])?,
        }
        let flags = if call == "write" { 0 } else { a.number(3)? };
        let transfer =
            Transfer { descriptor: a.descriptor(0)?, count: a.length(2)?, buffer: a.buffer(1)?, flags };
        if call == "sendto" {
            let _ = a.get(4)?;
        }
        self.put(a, transfer)
    }

    pub(super) fn writev(&mut self, a: &Arguments<'_>) -> Outcome {
        let count = self.vector(a)?;
        self.put(a, Transfer { descriptor: a.descriptor(0)?, count, buffer: Buffer::There, flags: 0 })
    }

    fn vector(&self, a: &Arguments<'_>) -> Result<usize, Failure> {
        a.expect(&[3])?;
        let crate::ast::Argument::Array(list) = a.get(1)? else {
            return Err(a.unsupported("an array of iovecs that is none"));
        };
        Ok(a.iovecs(list, a.number(2)?)?.iter().sum())
    }

    /// Sends bytes, all of them if the call may wait.
    pub(super) fn put(&mut self, a: &Arguments<'_>, transfer: Transfer) -> Outcome {
        let known = ["MSG_DONTWAIT", "MSG_ZEROCOPY", "MSG_MORE", "MSG_EOR", "MSG_OOB", "MSG_FASTOPEN"];
        transfer.check(a, &known)?;
        let mut file = socket_of!(self, a, 0);
        let now = self.host.now();
        if let Some(error) = file.late_error.take() {
            self.keep(transfer.descriptor, file);
            return done(error);
        }
        if file.carrier != Carrier::Tcp {
            return self.put_datagram(a, &file, transfer);
        }
        let may_wait = !file.nonblocking && !transfer.has("MSG_DONTWAIT");
        if transfer.buffer == Buffer::Null {
            return match self.host.stack.write(now, file.id, &[]) {
                Ok(_) if transfer.count > 0 => failed("EFAULT"),
                other => done(other),
            };
        }
        let is_deferred = self.host.stack.is_deferred(file.id);
        if transfer.has("MSG_FASTOPEN") && !self.ongoing.is_retry {
            if a.count() == 6 && self.address(a, 4, self.options.connect_address())?.is_none() {
                return failed("EOPNOTSUPP");
            }
            match self.open_with_data(&mut file, transfer) {
                // As Linux: who may not wait is told how much went with the SYN.
                Ok(sent) if !may_wait && sent > 0 => return done(Returned::Value(sent as i64)),
                Ok(_) => self.ongoing.connects = may_wait,
                Err(Error::InProgress | Error::AlreadyInProgress) if may_wait => self.ongoing.connects = true,
                Err(error) => return done(error),
            }
        }
        if self.ongoing.connects && !self.ongoing.is_retry {
            self.expect_write(&file, transfer)?;
        }
        if self.ongoing.connects
            && let Some(outcome) = self.connecting(&mut file, transfer)
        {
            return outcome;
        }
        let mut flags = SendFlags::NONE;
        for (name, flag) in [
            ("MSG_MORE", SendFlags::MORE),
            ("MSG_EOR", SendFlags::END_OF_RECORD),
            ("MSG_OOB", SendFlags::OUT_OF_BAND),
        ] {
            if transfer.has(name) {
                flags |= flag;
            }
        }
        // Who waits to write is woken when a third of the buffer is free, however much he could have written before.
        let is_writable = self.host.stack.readiness(file.id).is_ok_and(|readiness| readiness.is_writable());
        if may_wait && self.ongoing.is_retry && !is_writable {
            return Ok(Progress::Wait(None));
        }
        loop {
            let left = transfer.count - self.ongoing.moved;
            let bytes = pattern::bytes(file.written, left);
            match self.host.stack.send(now, file.id, &bytes, flags) {
                Ok(taken) => {
                    self.ongoing.moved += taken;
                    file.written = file.written.wrapping_add(taken as u32);
                    self.keep(transfer.descriptor, file.clone());
                    if is_deferred && may_wait {
                        // The SYN has left with the beginning: the call returns when it is known what became of it.
                        self.ongoing.connects = true;
                        self.expect_write(&file, transfer)?;
                        return Ok(Progress::Wait(None));
                    }
                    if self.ongoing.moved >= transfer.count {
                        return done(Returned::Value(transfer.count as i64));
                    }
                }
                Err(Error::WouldBlock) if may_wait => return Ok(Progress::Wait(None)),
                Err(Error::WouldBlock) if self.ongoing.moved > 0 => {
                    return done(Returned::Value(self.ongoing.moved as i64));
                }
                Err(error) if self.ongoing.moved > 0 => {
                    // What was taken counts; the error is for the next call, as POSIX has it.
                    file.late_error = Some(error);
                    self.keep(transfer.descriptor, file);
                    return done(Returned::Value(self.ongoing.moved as i64));
                }
                Err(error) => return done(error),
            }
        }
    }

    /// What a call returns that has begun a connection and may wait for it; `None` once that is there and more is to be sent.
    fn connecting(&mut self, file: &mut SocketFile, transfer: Transfer) -> Option<Outcome> {
        match self.connected(file) {
            Ok(Progress::Done(answer)) if matches!(answer.returned, Returned::Value(0)) => {
                self.ongoing.connects = false;
                let is_over = self.ongoing.moved >= transfer.count;
                is_over.then(|| done(Returned::Value(transfer.count as i64)))
            }
            other => Some(other),
        }
    }

    /// The call waits in order to send what the SYN did not take, if there is any.
    fn expect_write(&mut self, file: &SocketFile, transfer: Transfer) -> Result<(), Failure> {
        if self.ongoing.moved < transfer.count {
            let expected = self.host.stack.expect_write(file.id);
            expected.map_err(|error| Failure::script(0, format!("cannot wait to write: {error}")))?;
        }
        Ok(())
    }

    /// Connects with the beginning of what is to be sent in the SYN (RFC 7413); says how much went.
    fn open_with_data(&mut self, file: &mut SocketFile, transfer: Transfer) -> Result<usize, Error> {
        let to = self.options.connect_address();
        self.begin_connect(transfer.descriptor, to);
        let bytes = pattern::bytes(file.written, transfer.count);
        let now = self.host.now();
        let sent = self.host.stack.connect_with_data(now, file.id, to, &bytes)?;
        self.ongoing.moved += sent;
        file.written = file.written.wrapping_add(sent as u32);
        self.keep(transfer.descriptor, file.clone());
        Ok(sent)
    }

    /// `MSG_OOB`: the peer's urgent byte, out of the stream.
    fn take_urgent(&mut self, file: &SocketFile, transfer: Transfer) -> Outcome {
        let take = if transfer.has("MSG_PEEK") { Take::Not } else { Take::Away };
        let now = self.host.now();
        let result = self.host.stack.read_urgent(now, file.id, take);
        let differences = match result {
            Ok(Some(byte)) => self.check_urgent(transfer.descriptor, byte),
            _ => Vec::new(),
        };
        match result {
            Ok(byte) => {
                done_with(Returned::Value(i64::from(byte.is_some() && transfer.count > 0)), differences)
            }
            Err(error) => done(error),
        }
    }

    /// Whether an urgent byte is one that the script has marked.
    fn check_urgent(&mut self, descriptor: i32, byte: u8) -> Vec<Difference> {
        let known = self.flows.by_descriptor(descriptor).map(|flow| flow.urgent_octets());
        let Some(known) = known.filter(|known| !known.contains(&byte)) else { return Vec::new() };
        let expected = known.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" or ");
        vec![Difference { field: "urgent octet", expected, actual: format!("{byte:02x}") }]
    }

    fn put_datagram(&mut self, a: &Arguments<'_>, file: &SocketFile, transfer: Transfer) -> Outcome {
        let now = self.host.now();
        let bytes = pattern::bytes(0, transfer.count);
        let to = if a.count() == 6 { self.address(a, 4, self.options.connect_address())? } else { None };
        if let Some(to) = to {
            self.begin_connect(transfer.descriptor, to);
        }
        done(self.host.stack.send_to(now, file.id, &bytes, to))
    }

    /// Remembers what a call has changed about a socket.
    pub(super) fn keep(&mut self, descriptor: i32, file: SocketFile) {
        self.process.descriptors.insert(descriptor, Object::Socket(file));
    }

    pub(super) fn read(&mut self, a: &Arguments<'_>, call: &str) -> Outcome {
        match call {
            "read" => a.expect(&[3])?,
            "recv" => a.expect(&[4])?,
            _ => a.expect(&[6])?,
        }
        let flags = if call == "read" { 0 } else { a.number(3)? };
        if call == "recvfrom" {
            a.nowhere(4)?;
            a.nowhere(5)?;
        }
        let transfer =
            Transfer { descriptor: a.descriptor(0)?, count: a.length(2)?, buffer: a.buffer(1)?, flags };
        self.take(a, transfer)
    }

    pub(super) fn readv(&mut self, a: &Arguments<'_>) -> Outcome {
        let count = self.vector(a)?;
        self.take(a, Transfer { descriptor: a.descriptor(0)?, count, buffer: Buffer::There, flags: 0 })
    }

    /// Receives bytes: what is there, or with `MSG_WAITALL` all that was asked for.
    pub(super) fn take(&mut self, a: &Arguments<'_>, transfer: Transfer) -> Outcome {
        transfer.check(a, &["MSG_DONTWAIT", "MSG_PEEK", "MSG_WAITALL", "MSG_TRUNC", "MSG_OOB"])?;
        let mut file = socket_of!(self, a, 0);
        if transfer.has("MSG_OOB") && file.carrier == Carrier::Tcp {
            return self.take_urgent(&file, transfer);
        }
        let now = self.host.now();
        if let Some(error) = file.late_error.take() {
            self.keep(transfer.descriptor, file);
            return done(error);
        }
        let may_wait = !file.nonblocking && !transfer.has("MSG_DONTWAIT");
        let peeks = transfer.has("MSG_PEEK");
        if transfer.buffer == Buffer::Null {
            // Linux looks whether there is anything to copy before it looks where to; MSG_TRUNC copies nothing.
            if transfer.has("MSG_TRUNC") && file.carrier == Carrier::Tcp {
                return self.discard(&mut file, transfer, may_wait);
            }
            let mut probe = [0];
            let there = self.host.stack.peek(now, file.id, &mut probe);
            return match there {
                Ok(1..) if transfer.count > 0 => failed("EFAULT"),
                Err(Error::WouldBlock) if may_wait => Ok(Progress::Wait(None)),
                other => done(other),
            };
        }
        if transfer.has("MSG_TRUNC") && file.carrier == Carrier::Tcp {
            return self.discard(&mut file, transfer, may_wait);
        }
        let wanted = transfer.count - self.ongoing.moved;
        let mut buffer = vec![0; wanted.min(LARGEST_READ)];
        let result = match (file.carrier, peeks) {
            (Carrier::Tcp, false) => self.host.stack.read(now, file.id, &mut buffer),
            (Carrier::Tcp, true) => self.host.stack.peek(now, file.id, &mut buffer),
            (_, false) => self.host.stack.receive_from(now, file.id, &mut buffer).map(|got| got.copied),
            (_, true) => return Err(a.unsupported("MSG_PEEK of datagrams")),
        };
        match result {
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let (end, differences) = self.check_content(transfer.descriptor, &file, bytes);
                let total = self.ongoing.moved + count;
                if !peeks {
                    file.read = end;
                    self.ongoing.moved = total;
                    self.keep(transfer.descriptor, file);
                }
                let wants_all = transfer.has("MSG_WAITALL") && may_wait && !peeks;
                if wants_all && count > 0 && total < transfer.count && differences.is_empty() {
                    return Ok(Progress::Wait(None));
                }
                done_with(Returned::Value(total as i64), differences)
            }
            Err(Error::WouldBlock) if may_wait => Ok(Progress::Wait(None)),
            Err(_) if self.ongoing.moved > 0 => done(Returned::Value(self.ongoing.moved as i64)),
            Err(error) => done(error),
        }
    }

    /// `MSG_TRUNC` on a stream: the bytes are taken and thrown away (tcp(7)).
    fn discard(&mut self, file: &mut SocketFile, transfer: Transfer, may_wait: bool) -> Outcome {
        let mut buffer = vec![0; transfer.count.min(LARGEST_READ)];
        let now = self.host.now();
        match self.host.stack.read(now, file.id, &mut buffer) {
            Ok(count) => {
                let flow = self.flows.by_descriptor(transfer.descriptor);
                let has_urgent = (0..=count as u32).any(|offset| {
                    flow.as_ref().is_some_and(|flow| flow.is_urgent(file.read.wrapping_add(offset)))
                });
                file.is_in_step &= !has_urgent;
                file.read = file.read.wrapping_add(count as u32);
                self.keep(transfer.descriptor, file.clone());
                done(Returned::Value(count as i64))
            }
            Err(Error::WouldBlock) if may_wait => Ok(Progress::Wait(None)),
            Err(error) => done(error),
        }
    }
}

impl Caller<'_> {
    /// Whether the bytes read are those that stand there in the stream, or in a datagram, and where in the stream they end.
    fn check_content(&mut self, descriptor: i32, file: &SocketFile, bytes: &[u8]) -> (u32, Vec<Difference>) {
        let begin = if file.carrier == Carrier::Tcp { file.read } else { 0 };
        let count = bytes.len() as u32;
        if file.carrier == Carrier::Icmp || !file.is_in_step {
            return (begin.wrapping_add(count), Vec::new());
        }
        let in_line = self.host.stack.option(file.id, OptionName::UrgentInLine);
        let in_line = matches!(in_line, Ok(SocketOption::UrgentInLine(true)));
        let flow = self.flows.by_descriptor(descriptor).filter(|_| !in_line && file.carrier == Carrier::Tcp);
        let mut position = begin;
        for (offset, byte) in bytes.iter().enumerate() {
            // An urgent octet is not in the stream, unless a later one has taken its place (RFC 6093 section 3.3).
            if let Some(flow) = &flow
                && flow.is_urgent(position)
                && pattern::first_wrong(position.wrapping_add(1), bytes.get(offset..).unwrap_or_default())
                    .is_none_or(|at| flow.is_urgent(position.wrapping_add(1 + at as u32)))
            {
                position = position.wrapping_add(1);
            }
            if *byte != pattern::byte_at(position) {
                let expected = format!("byte {position} of the stream, {:02x}", pattern::byte_at(position));
                let actual = format!("{byte:02x}");
                return (begin, vec![Difference { field: "data read", expected, actual }]);
            }
            position = position.wrapping_add(1);
        }
        (position, Vec::new())
    }
}
