//! The life of a socket, as the script's calls have it.

use core::net::SocketAddr;

use sockeye_core::error::Error;
use sockeye_core::socket::{Family, Kind, OptionName, Shutdown, SocketId, SocketOption};
use sockeye_core::time::Instant;
use sockeye_core::transport::tcp::State;

use super::{Arguments, Caller, Outcome, Progress, differs, done, done_with, failed, socket_of};
use crate::ast::Argument;
use crate::constant::value as constant;
use crate::run::failure::{Difference, Failure};
use crate::run::flow::{Carrier, Flow, Stage};
use crate::run::options::IpVersion;
use crate::run::process::{Object, Returned, SocketFile};

/// `SOCK_NONBLOCK` and `SOCK_CLOEXEC` stand above the types.
const TYPE_BITS: i64 = 0xf;

impl Caller<'_> {
    pub(super) fn socket(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let family = if a.is_ellipsis(0)? {
            match self.options.ip_version {
                IpVersion::V4 => Family::V4,
                IpVersion::V6 | IpVersion::Mapped => Family::V6,
            }
        } else {
            let family = a.number(0)?;
            match family {
                _ if Some(family) == constant("AF_INET") => Family::V4,
                _ if Some(family) == constant("AF_INET6") => Family::V6,
                _ => return failed("EAFNOSUPPORT"),
            }
        };
        let (kind, protocol) = (a.number(1)?, a.number(2)?);
        let is = |name: &str| Some(protocol) == constant(name);
        let stream = Some(kind & TYPE_BITS) == constant("SOCK_STREAM");
        let datagram = Some(kind & TYPE_BITS) == constant("SOCK_DGRAM");
        let (kind_of, carrier) = match () {
            () if stream && (protocol == 0 || is("IPPROTO_TCP")) => (Kind::Stream, Carrier::Tcp),
            () if datagram && (protocol == 0 || is("IPPROTO_UDP")) => (Kind::Datagram, Carrier::Udp),
            () if datagram && (is("IPPROTO_ICMP") || is("IPPROTO_ICMPV6")) => (Kind::Ping, Carrier::Icmp),
            () if stream || datagram => return failed("EPROTONOSUPPORT"),
            () => return Err(a.unsupported(format!("type {kind} of socket"))),
        };
        let nonblocking = kind & constant("SOCK_NONBLOCK").unwrap_or(0) != 0;
        match self.host.stack.open(family, kind_of) {
            Ok(id) => {
                self.flows.push(Flow::new(None, Stage::New, carrier));
                done(Returned::Descriptor(Object::Socket(SocketFile::new(id, carrier, nonblocking))))
            }
            Err(error) => done(error),
        }
    }

    /// The address a call names: `...` is the one the options say.
    pub(super) fn address(
        &self,
        a: &Arguments<'_>,
        index: usize,
        default: SocketAddr,
    ) -> Result<Option<SocketAddr>, Failure> {
        match a.get(index)? {
            Argument::Ellipsis => Ok(Some(default)),
            Argument::Address(address) => Ok(Some(*address)),
            other if a.value(other).ok().is_some_and(|family| Some(family) == constant("AF_UNSPEC")) => {
                Ok(None)
            }
            other => Err(a.unsupported(format!("the address {other}"))),
        }
    }

    pub(super) fn bind(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let file = socket_of!(self, a, 0);
        let Some(address) = self.address(a, 1, self.options.bind_address())? else {
            return failed("EAFNOSUPPORT");
        };
        let now = self.host.now();
        done(self.host.stack.bind(now, file.id, address).map(|()| 0))
    }

    pub(super) fn listen(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[2])?;
        let file = socket_of!(self, a, 0);
        let backlog = usize::try_from(a.number(1)?).unwrap_or(usize::MAX);
        let now = self.host.now();
        let result = self.host.stack.listen(now, file.id, backlog);
        if result.is_ok()
            && let Some(flow) = self.flows.by_descriptor(a.descriptor(0)?)
        {
            flow.stage = Stage::Listening;
        }
        done(result.map(|()| 0))
    }

    pub(super) fn accept(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3, 4])?;
        let file = socket_of!(self, a, 0);
        a.ellipsis(1)?;
        a.ellipsis(2)?;
        let flags = if a.count() == 4 { a.number(3)? } else { 0 };
        let now = self.host.now();
        match self.host.stack.accept(now, file.id) {
            Ok((id, peer)) => {
                let nonblocking = flags & constant("SOCK_NONBLOCK").unwrap_or(0) != 0;
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if self.flows.accepted(peer).is_none() {
                    return Err(Failure::mismatch(
                        a.line(),
                        format!("a connection from {peer}, which sent no SYN"),
                    ));
                }
                let mut accepted = SocketFile::new(id, Carrier::Tcp, nonblocking);
                accepted.peer = Some(peer);
                done(Returned::Descriptor(Object::Socket(accepted)))
            }
            Err(Error::WouldBlock) if !file.nonblocking => Ok(Progress::Wait(None)),
            Err(error) => done(error),
        }
    }

    pub(super) fn connect(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[3])?;
        let file = socket_of!(self, a, 0);
        let now = self.host.now();
        if self.ongoing.is_retry {
            return self.connected(&file);
        }
        let Some(address) = self.address(a, 1, self.options.connect_address())? else {
            return Err(a.unsupported("AF_UNSPEC, to dissolve a connection"));
        };
        self.begin_connect(a.descriptor(0)?, address);
        match self.host.stack.connect(now, file.id, address) {
            Err(Error::InProgress | Error::AlreadyInProgress) if !file.nonblocking => {
                Ok(Progress::Wait(None))
            }
            other => done(other.map(|()| 0)),
        }
    }

    /// The socket with this descriptor is about to say something to somebody, and who that is is known.
    pub(super) fn begin_connect(&mut self, descriptor: i32, address: SocketAddr) {
        if let Some(flow) = self.flows.by_descriptor(descriptor)
            && flow.stage == Stage::New
        {
            flow.stage = Stage::Connecting;
            flow.remote = Some(SocketAddr::new(address.ip().to_canonical(), address.port()));
            flow.local = None;
        }
    }

    /// Whether an attempt to connect has come to an end.
    pub(super) fn connected(&mut self, file: &SocketFile) -> Outcome {
        let state = self.host.stack.tcp_info(file.id).map(|info| info.state);
        match state {
            Ok(State::SynSent | State::SynReceived) => Ok(Progress::Wait(None)),
            Ok(_) => match self.host.stack.take_error(file.id) {
                Ok(Some(error)) | Err(error) => done(error),
                Ok(None) => done(Returned::Value(0)),
            },
            Err(error) => done(error),
        }
    }

    pub(super) fn close(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[1])?;
        let descriptor = a.descriptor(0)?;
        if let Some(Object::Socket(file)) = self.process.descriptors.get(&descriptor)
            && let Some(until) = self.lingers_until(file.id)
        {
            return Ok(Progress::Wait(Some(until)));
        }
        match self.process.descriptors.remove(&descriptor) {
            None => failed("EBADF"),
            Some(Object::Socket(file)) => {
                let now = self.host.now();
                self.flows.forget_descriptor(descriptor);
                for object in self.process.descriptors.values_mut() {
                    if let Object::Epoll(watches) = object {
                        watches.retain(|watch| watch.socket != file.id);
                    }
                }
                if self.ongoing.is_retry {
                    return done(Returned::Value(0)); // it was closed before it waited
                }
                done(self.host.stack.close(now, file.id).map(|()| 0))
            }
            Some(_) => done(Returned::Value(0)),
        }
    }

    /// Closes a socket with a linger time; until when `close` waits for its peer, if it does.
    fn lingers_until(&mut self, id: SocketId) -> Option<Instant> {
        if !self.ongoing.is_retry {
            let Ok(SocketOption::Linger(Some(time))) = self.host.stack.option(id, OptionName::Linger) else {
                return None;
            };
            if time.is_zero() {
                return None;
            }
            self.ongoing.lingers = self.ongoing.began + time;
            let now = self.host.now();
            self.host.stack.close(now, id).ok()?;
            self.ongoing.is_retry = true;
        }
        let state = self.host.stack.tcp_info(id).ok()?.state;
        let waits = matches!(state, State::FinWait1 | State::Closing | State::LastAck);
        (waits && self.host.now() < self.ongoing.lingers).then_some(self.ongoing.lingers)
    }

    pub(super) fn shutdown(&mut self, a: &Arguments<'_>) -> Outcome {
        a.expect(&[2])?;
        let file = socket_of!(self, a, 0);
        let how = match a.number(1)? {
            0 => Shutdown::Read,
            1 => Shutdown::Write,
            2 => Shutdown::Both,
            _ => return failed("EINVAL"),
        };
        let now = self.host.now();
        done(self.host.stack.shutdown(now, file.id, how).map(|()| 0))
    }

    /// `getsockname` and `getpeername`: with `...` only whether there is a name.
    pub(super) fn name(&mut self, a: &Arguments<'_>, call: &str) -> Outcome {
        a.expect(&[3])?;
        let file = socket_of!(self, a, 0);
        let name = match call {
            "getsockname" => self.host.stack.local_address(file.id),
            _ => self.host.stack.peer_address(file.id),
        };
        let name = match name {
            Ok(name) => name,
            Err(error) => return done(error),
        };
        let mut differences = Vec::new();
        match a.get(1)? {
            Argument::Ellipsis => {}
            Argument::Address(expected) if *expected == name => {}
            Argument::Address(expected) => differences.push(Difference {
                field: "address",
                expected: expected.to_string(),
                actual: name.to_string(),
            }),
            other => return Err(a.unsupported(format!("the address {other}"))),
        }
        if !a.is_ellipsis(2)? {
            // struct sockaddr_in and sockaddr_in6.
            let length = if name.is_ipv4() { 16 } else { 28 };
            differs("length", a.bracketed(2)?, length, &mut differences);
        }
        done_with(Returned::Value(0), differences)
    }
}
