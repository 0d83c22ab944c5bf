//! `socket` and `connect`.

use super::{Answer, Call, Outcome, flags_of};
use crate::address::Given;
use crate::call::name::read_address;
use crate::entry::{Body, Datagram, Front, Mode, Opened, Parked, Stream, Write, errno};
use crate::netlink;
use crate::supervisor::Supervisor;
use crate::sys::notification::{Delivery, Notification};
use crate::task::Descriptor;
use crate::tools::Tools;
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use sockeye::{AnySocket, Family, IpProtocol, Kind, SendFlags};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::task::Poll;

/// Numbers from here on are no type of socket (`SOCK_MAX`), and no protocol (`IPPROTO_MAX`).
const TYPES: i32 = 11;
const PROTOCOLS: i32 = 263;

/// What kind of socket a program asks for.
///
/// # Errors
/// The kernel's, for kinds that there are not.
fn kind(family: Family, socket_type: i32, protocol: i32) -> Result<Kind, Errno> {
    let echo = if family == Family::V4 { libc::IPPROTO_ICMP } else { libc::IPPROTO_ICMPV6 };
    match socket_type {
        libc::SOCK_STREAM if matches!(protocol, 0 | libc::IPPROTO_TCP) => Ok(Kind::Stream),
        libc::SOCK_DGRAM if matches!(protocol, 0 | libc::IPPROTO_UDP) => Ok(Kind::Datagram),
        libc::SOCK_DGRAM if protocol == echo => Ok(Kind::Ping),
        libc::SOCK_STREAM | libc::SOCK_DGRAM => Err(Errno::PROTONOSUPPORT),
        // The network is the program's own: it needs no privileges to have all of it.
        libc::SOCK_RAW => match u8::try_from(protocol) {
            Ok(protocol @ 1..) => Ok(Kind::Raw(IpProtocol::from(protocol))),
            _ => Err(Errno::PROTONOSUPPORT),
        },
        _ => Err(Errno::SOCKTNOSUPPORT),
    }
}

pub(super) fn socket(supervisor: &mut Supervisor, notification: Notification) -> Outcome {
    let [domain, socket_type, protocol, ..] = notification.arguments.map(|argument| argument as i32);
    let family = match domain {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        libc::AF_NETLINK => return netlink::call::socket(supervisor, notification),
        // Frames are none of the program's business.
        libc::AF_PACKET => return Err(Errno::PERM),
        _ => return Ok(Answer::Native),
    };
    let (mode, inheritance) = flags_of(socket_type);
    let bare_type = socket_type & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
    if !(0..TYPES).contains(&bare_type) || !(0..PROTOCOLS).contains(&protocol) {
        return Err(Errno::INVAL);
    }
    let kind = kind(family, bare_type, protocol)?;
    let tools = &mut supervisor.tools;
    let ours = AnySocket::open(&tools.host, family, kind).map_err(|error| errno(&error))?;
    let body = match kind {
        Kind::Stream => Body::Stream(Stream::fresh()),
        _ => Body::Datagram(Datagram::default()),
    };
    let mut opened = Opened::new(tools, ours, (family, kind), (body, mode))?;
    if opened.give(tools, notification.id, notification.thread, inheritance)? == Delivery::Done {
        supervisor.table.extend([opened.entry]);
        supervisor.expect_sweep();
    }
    Ok(Answer::Given)
}

pub(super) fn connect(call: &mut Call<'_>) -> Outcome {
    let given = read_address(call.memory, call.argument(1), call.argument(2), call.entry.front.family)?;
    let front = &mut call.entry.front;
    match (&mut call.entry.body, given) {
        (Body::Datagram(datagram), given) => {
            datagram.there(front, call.tools);
            let to = match given {
                Given::Address(address) => address,
                Given::Unspecified => SocketAddr::new(front.family.unspecified(), 0),
            };
            front.ours.connect(to).map_err(|error| errno(&error))?;
            datagram.is_connected = given != Given::Unspecified;
            Ok(Answer::Value(0))
        }
        (Body::Listening(_), Given::Address(_)) => Err(Errno::ISCONN),
        (Body::Listening(_) | Body::Stream(_), Given::Unspecified) => disconnect(call),
        (Body::Stream(_), Given::Address(to)) => connect_stream(call, to),
    }
}

/// The socket is without connection again. Its pair stays; but one of which an end is closed is broken, and `connect` gives
/// the program another.
fn disconnect(call: &mut Call<'_>) -> Outcome {
    call.entry.front.ours.disconnect().map_err(|error| errno(&error))?;
    if matches!(call.entry.body, Body::Listening(_)) {
        call.entry.advance(call.tools); // who waits in `accept` is told
        call.entry.body = Body::Stream(Stream::fresh());
    }
    let front = &mut call.entry.front;
    if let Body::Stream(stream) = &mut call.entry.body {
        stream.disconnect(front, &call.far, call.tools);
    }
    Ok(Answer::Value(0))
}

fn connect_stream(call: &mut Call<'_>, to: SocketAddr) -> Outcome {
    let mode = call.mode(0);
    mend(call)?;
    let front = &mut call.entry.front;
    let Body::Stream(stream) = &mut call.entry.body else { return Err(Errno::ISCONN) };
    match front.ours.connect(to) {
        Ok(()) => return Ok(Answer::Value(0)),
        Err(error) => match errno(&error) {
            Errno::INPROGRESS => {
                match begin(front, stream, &call.far, call.tools)? {
                    Poll::Ready(Ok(())) => {
                        if mode == Mode::Nonblocking {
                            return Err(Errno::INPROGRESS);
                        }
                        // Told: to ask again is an error from now on.
                        let _ = front.ours.connect(to);
                        return Ok(Answer::Value(0));
                    }
                    Poll::Ready(Err(error)) if mode == Mode::Blocking => return Err(error),
                    Poll::Ready(Err(error)) => {
                        front.error = Some(error);
                        stream.establish();
                        front.sever(call.tools);
                        return Err(Errno::INPROGRESS);
                    }
                    Poll::Pending => {}
                }
            }
            Errno::ALREADY if mode == Mode::Blocking => {}
            other => return Err(other),
        },
    }
    if mode == Mode::Nonblocking {
        return Err(Errno::INPROGRESS);
    }
    let deadline = call.deadline(Timeout::Send);
    let (id, memory) = (call.id(), call.memory);
    if let Body::Stream(stream) = &mut call.entry.body {
        stream.park(Parked { id, memory, deadline, call: to });
    }
    Ok(Answer::Later)
}

/// A handshake has begun. How it has ended, if it has already.
fn begin(
    front: &mut Front,
    stream: &mut Stream,
    far: &Descriptor,
    tools: &mut Tools,
) -> Result<Poll<Result<(), Errno>>, Errno> {
    front.pair(far, tools)?;
    // Nothing that was written before belongs to this connection.
    stream.discard(front, tools);
    let mut context = Front::context(&front.waker);
    let ended = front.ours.poll_connect(&mut context).map_err(|error| errno(&error));
    match &ended {
        Poll::Ready(Ok(())) => stream.establish(),
        Poll::Ready(Err(_)) => {}
        Poll::Pending => stream.begin(far),
    }
    Ok(ended)
}

/// `sendto` with `MSG_FASTOPEN`: connects, and sends the beginning of `bytes` with the SYN where a cookie of the peer is
/// known (RFC 7413). A call that may wait does so for the handshake, and for room for the rest.
pub(super) fn connect_with_data(
    call: &mut Call<'_>,
    to: Option<SocketAddr>,
    bytes: Vec<u8>,
    mode: Mode,
) -> Outcome {
    let to = to.ok_or(Errno::OPNOTSUPP)?;
    mend(call)?;
    let front = &mut call.entry.front;
    let Body::Stream(stream) = &mut call.entry.body else { return Err(Errno::OPNOTSUPP) };
    if stream.is_established() {
        return Err(Errno::ISCONN);
    }
    let written = match front.ours.connect_with(to, &bytes).map_err(|error| errno(&error)) {
        Err(Errno::INPROGRESS) => 0,
        outcome => outcome?,
    };
    if let Poll::Ready(Err(error)) = begin(front, stream, &call.far, call.tools)? {
        return Err(error);
    }
    match mode {
        Mode::Nonblocking if written > 0 => return Ok(Answer::Value(written as i64)),
        Mode::Nonblocking => return Err(Errno::INPROGRESS),
        Mode::Blocking => {}
    }
    let write = Write { bytes, written, flags: SendFlags::NONE };
    let (id, memory, deadline) = (call.id(), call.memory, call.deadline(Timeout::Send));
    if let Body::Stream(stream) = &mut call.entry.body {
        stream.writes.push_back(Parked { id, memory, deadline, call: write });
    }
    Ok(Answer::Later)
}

/// Sees to it that a stream has a pair that is not broken, once the failure is told.
fn mend(call: &mut Call<'_>) -> Result<(), Errno> {
    let front = &mut call.entry.front;
    if !front.is_broken {
        return Ok(());
    }
    if let Some(error) = front.error.take() {
        return Err(error);
    }
    if front.ours.peer_addr().is_ok() {
        return Err(Errno::ISCONN);
    }
    revive(call)
}

/// The pair has been broken to tell of a failure, and the socket goes on all the same: a stream whose attempt to connect has
/// failed may try again, a datagram that was refused says nothing of the next one. The program gets another end in the place
/// of the broken one. (Duplicates keep the broken one.)
pub(super) fn revive(call: &mut Call<'_>) -> Result<(), Errno> {
    let mode = call.mode(0);
    let (near, far) = match call.entry.front.kind {
        Kind::Stream => {
            (None, socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
        }
        _ => {
            // What the broken end has told need not be told again.
            if let Ok(Ok(())) = rustix::net::sockopt::socket_error(&call.far) {
                call.entry.front.error = None;
            }
            let (near, far) = call.tools.datagram_pair(call.entry.front.key)?;
            (Some(near), far)
        }
    };
    if mode == Mode::Nonblocking {
        ioctl_fionbio(&far, true)?;
    }
    let number = call.argument(0) as u32;
    let inheritance = call.memory.inheritance(number);
    if call.tools.listener.replace_file(call.id(), number, far.as_fd(), inheritance)?.is_none() {
        return Err(Errno::INTR);
    }
    call.far = Descriptor::of(far)?;
    let front = &mut call.entry.front;
    front.inode = call.far.inode;
    front.near = near;
    front.is_broken = false;
    front.is_hung_up = false;
    if let Body::Stream(stream) = &mut call.entry.body {
        *stream = Stream::fresh();
    }
    Ok(())
}
