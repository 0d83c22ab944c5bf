//! The system calls on netlink sockets.

use super::Socket;
use super::answer::Protocol;
use super::option::{self, Options};
use crate::call::message::{Header, SIZE_OF_MANY, add_control};
use crate::call::{Answer, Outcome, flags_of};
use crate::entry::Parked;
use crate::supervisor::Supervisor;
use crate::sys::notification::{Delivery, Notification};
use crate::task::{Descriptor, Memory, leader};
use crate::tools::Tools;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, socket_timeout};
use rustix::net::{RecvFlags, recv};
use std::os::fd::AsFd;
use std::time::Instant;

/// `sizeof(struct sockaddr_nl)`.
const ADDRESS: usize = 12;

/// The most bytes that a program may send at once: what the pump takes from the pair, too.
const MOST: usize = crate::tools::PIECE;

/// Where the ports begin, downwards, of a process that has more than one socket: its own number is the first's.
const FURTHER_PORTS: u32 = u32::MAX - 4096;

/// A call on a netlink socket.
pub(crate) struct Call<'a> {
    pub(super) notification: Notification,
    pub(super) memory: Memory,
    /// The program's end.
    pub(super) far: Descriptor,
    pub(super) tools: &'a mut Tools,
}

impl<'a> Call<'a> {
    pub(crate) fn new(notification: Notification, far: Descriptor, tools: &'a mut Tools) -> Call<'a> {
        Call { notification, memory: Memory { thread: notification.thread }, far, tools }
    }

    pub(super) fn argument(&self, index: usize) -> u64 {
        self.notification.arguments.get(index).copied().unwrap_or(0)
    }

    pub(super) fn int(&self, index: usize) -> i32 {
        self.argument(index) as i32
    }
}

/// An address: `struct sockaddr_nl`. The kernel's has port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    port: u32,
    groups: u32,
}

const KERNEL: Address = Address { port: 0, groups: 0 };

impl Address {
    fn encode(self) -> Vec<u8> {
        let mut bytes = (libc::AF_NETLINK as u32).to_ne_bytes().to_vec();
        bytes.extend(self.port.to_ne_bytes());
        bytes.extend(self.groups.to_ne_bytes());
        bytes
    }

    /// The address at `at`; `None` for `AF_UNSPEC`.
    ///
    /// # Errors
    /// `EFAULT`; `EINVAL` for what is no such address.
    fn read(memory: Memory, at: u64, length: u64) -> Result<Option<Address>, Errno> {
        let mut bytes = [0; ADDRESS];
        let length = usize::try_from(length as i32).map_err(|_| Errno::INVAL)?;
        let given =
            bytes.get_mut(..length.min(ADDRESS)).filter(|given| given.len() >= 2).ok_or(Errno::INVAL)?;
        memory.read_exact(at, given)?;
        let [a, b, _, _, port @ ..] = bytes;
        let [c, d, e, f, g, h, i, j] = port;
        match i32::from(u16::from_ne_bytes([a, b])) {
            libc::AF_UNSPEC => Ok(None),
            libc::AF_NETLINK if length >= ADDRESS => Ok(Some(Address {
                port: u32::from_ne_bytes([c, d, e, f]),
                groups: u32::from_ne_bytes([g, h, i, j]),
            })),
            _ => Err(Errno::INVAL),
        }
    }

    /// Only the kernel may be spoken to.
    fn check(self) -> Result<(), Errno> {
        if self == KERNEL { Ok(()) } else { Err(Errno::PERM) }
    }
}

/// `socket(AF_NETLINK, …)`, for one of the protocols that the filter does not leave to the kernel.
pub(crate) fn socket(supervisor: &mut Supervisor, notification: Notification) -> Outcome {
    let [_, socket_type, protocol, ..] = notification.arguments.map(|argument| argument as i32);
    let (mode, inheritance) = flags_of(socket_type);
    let socket_type = socket_type & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
    if !matches!(socket_type, libc::SOCK_RAW | libc::SOCK_DGRAM) {
        return Err(Errno::SOCKTNOSUPPORT);
    }
    let protocol = match protocol {
        libc::NETLINK_ROUTE => Protocol::Routing,
        libc::NETLINK_SOCK_DIAG => Protocol::Diagnosis,
        _ => return Ok(Answer::Native),
    };
    let is_free = |port: u32| supervisor.netlink.entries().all(|other| other.port != port);
    let own = leader(notification.thread).into_iter();
    let port = own.chain((1..FURTHER_PORTS).rev()).find(|port| is_free(*port)).ok_or(Errno::NOMEM)?;
    let tools = &mut supervisor.tools;
    let (socket, far) = Socket::open(tools, (protocol, socket_type), mode, port)?;
    match tools.listener.answer_with_file(notification.id, far.as_fd(), inheritance)? {
        Some(_) => supervisor.netlink.extend([socket]),
        // Nobody waited any more.
        None => drop(socket),
    }
    Ok(Answer::Given)
}

/// Any other call on a netlink socket.
pub(crate) fn answer(socket: &mut Socket, call: &mut Call<'_>) -> Outcome {
    match call.notification.call {
        libc::SYS_bind => bind(socket, call),
        libc::SYS_connect => connect(socket, call),
        libc::SYS_getsockname => {
            let port = if socket.is_bound { socket.port } else { 0 };
            name(call, Address { port, groups: socket.options.groups() })
        }
        libc::SYS_getpeername => name(call, KERNEL),
        libc::SYS_getsockopt => option::get(socket, call),
        libc::SYS_setsockopt => option::set(socket, call),
        libc::SYS_sendto => sendto(socket, call),
        libc::SYS_sendmsg => {
            let header = Header::read(call.memory, call.argument(1))?;
            let sent = send_message(socket, call, &header)?;
            Ok(Answer::Value(sent as i64))
        }
        libc::SYS_sendmmsg => sendmmsg(socket, call),
        libc::SYS_recvfrom => {
            let form = Form::From {
                buffer: call.argument(1),
                length: call.argument(2),
                address: call.argument(4),
                address_length: call.argument(5),
            };
            let flags = call.int(3);
            receive(socket, call, Receive { form, flags })
        }
        libc::SYS_recvmsg => {
            let (header, flags) = (call.argument(1), call.int(2));
            receive(socket, call, Receive { form: Form::Message { header }, flags })
        }
        libc::SYS_recvmmsg => {
            let (header, count, flags) = (call.argument(1), call.argument(2), call.int(3));
            if count == 0 {
                return Ok(Answer::Value(0));
            }
            // One after the other, as when there is no more.
            receive(socket, call, Receive { form: Form::Messages { header }, flags })
        }
        libc::SYS_listen | libc::SYS_accept | libc::SYS_accept4 | libc::SYS_shutdown => Err(Errno::OPNOTSUPP),
        libc::SYS_ioctl => Err(Errno::NOTTY),
        _ => Ok(Answer::Native),
    }
}

fn name(call: &Call<'_>, address: Address) -> Outcome {
    call.memory.write_counted(call.argument(1), call.argument(2), &address.encode())?;
    Ok(Answer::Value(0))
}

/// Nobody else speaks to this port, so that it may be in use elsewhere makes no difference.
fn bind(socket: &mut Socket, call: &Call<'_>) -> Outcome {
    let address = Address::read(call.memory, call.argument(1), call.argument(2))?.ok_or(Errno::INVAL)?;
    match address.port {
        0 => {}
        port if socket.is_bound && port != socket.port => return Err(Errno::INVAL),
        port => socket.port = port,
    }
    socket.is_bound = true;
    socket.options.set_groups(address.groups);
    Ok(Answer::Value(0))
}

fn connect(socket: &mut Socket, call: &Call<'_>) -> Outcome {
    if let Some(address) = Address::read(call.memory, call.argument(1), call.argument(2))? {
        address.check()?;
        socket.is_bound = true;
    }
    Ok(Answer::Value(0))
}

fn destination(memory: Memory, at: u64, length: u64) -> Result<(), Errno> {
    match at {
        0 => Ok(()),
        _ => Address::read(memory, at, length)?.ok_or(Errno::INVAL)?.check(),
    }
}

fn sendto(socket: &mut Socket, call: &mut Call<'_>) -> Outcome {
    let length = usize::try_from(call.argument(2)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(Errno::MSGSIZE);
    }
    destination(call.memory, call.argument(4), call.argument(5))?;
    let mut bytes = vec![0; length];
    call.memory.read_exact(call.argument(1), &mut bytes)?;
    let flags = call.int(3);
    let sent = submit(socket, call, &bytes, flags)?;
    Ok(Answer::Value(sent as i64))
}

fn send_message(socket: &mut Socket, call: &mut Call<'_>, header: &Header) -> Result<usize, Errno> {
    destination(call.memory, header.name, header.name_length.into())?;
    let bytes = header.gather(call.memory, MOST)?;
    let flags = call.int(2);
    submit(socket, call, &bytes, flags)
}

fn sendmmsg(socket: &mut Socket, call: &mut Call<'_>) -> Outcome {
    let (headers, count) = (call.argument(1), call.argument(2).min(1024));
    let mut sent = 0;
    while sent < count {
        let Some(at) = headers.checked_add(sent * SIZE_OF_MANY) else { return Err(Errno::FAULT) };
        let header = Header::read(call.memory, at);
        match header.and_then(|header| Ok((send_message(socket, call, &header)?, header))) {
            Ok((length, header)) => header.write_length(call.memory, length)?,
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
        }
        sent += 1;
    }
    Ok(Answer::Value(sent as i64))
}

/// Answers requests, behind those that the program has written before. The answers are there when the call returns.
fn submit(socket: &mut Socket, call: &mut Call<'_>, bytes: &[u8], flags: i32) -> Result<usize, Errno> {
    if flags & libc::MSG_OOB != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    if bytes.is_empty() {
        return Err(Errno::NODATA);
    }
    socket.catch_up(call.tools);
    socket.submit(bytes, call.tools);
    socket.answer_receives(call.tools);
    socket.flush();
    Ok(bytes.len())
}

/// What a call that receives asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receive {
    form: Form,
    flags: i32,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// `recvfrom`: a buffer, and room for an address.
    From { buffer: u64, length: u64, address: u64, address_length: u64 },
    /// `recvmsg`: a header.
    Message { header: u64 },
    /// `recvmmsg`: the first of several headers.
    Messages { header: u64 },
}

impl Receive {
    /// Whether the message is to stay where it is.
    pub(super) fn is_peek(self) -> bool {
        self.flags & libc::MSG_PEEK != 0
    }
}

fn receive(socket: &mut Socket, call: &mut Call<'_>, receive: Receive) -> Outcome {
    if receive.flags & libc::MSG_OOB != 0 {
        return Err(Errno::OPNOTSUPP);
    }
    if receive.flags & libc::MSG_ERRQUEUE != 0 {
        return Err(Errno::AGAIN);
    }
    socket.catch_up(call.tools);
    socket.flush();
    let mut flags = RecvFlags::DONTWAIT;
    if receive.is_peek() {
        flags |= RecvFlags::PEEK;
    }
    // Who came first waits already.
    if socket.receives.is_empty() {
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if let Ok((length, _)) = recv(&call.far, call.tools.buffer.as_mut_slice(), flags) {
            let bytes = call.tools.buffer.get(..length).unwrap_or_default();
            // As when the kernel cannot put a message where it is to go: it is lost.
            return deliver(call.memory, &socket.options, bytes, receive).map(Answer::Value);
        }
    }
    if receive.flags & libc::MSG_DONTWAIT != 0 || call.far.is_nonblocking() {
        return Err(Errno::AGAIN);
    }
    let patience = socket_timeout(&call.far, Timeout::Recv).ok().flatten();
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    call.tools.expect(deadline, socket.key);
    let (id, memory) = (call.notification.id, call.memory);
    socket.receives.push_back(Parked { id, memory, deadline, call: receive });
    Ok(Answer::Later)
}

/// Puts a message where a call wants it, and says what the call answers.
pub(super) fn deliver(
    memory: Memory,
    options: &Options,
    bytes: &[u8],
    receive: Receive,
) -> Result<i64, Errno> {
    let length_of = |copied: usize| {
        let is_whole = receive.flags & libc::MSG_TRUNC != 0;
        (if is_whole { bytes.len() } else { copied }) as i64
    };
    match receive.form {
        Form::From { buffer, length, address, address_length } => {
            let room = usize::try_from(length).unwrap_or(usize::MAX);
            memory.write_cut(buffer, room, bytes)?;
            if address != 0 {
                memory.write_counted(address, address_length, &KERNEL.encode())?;
            }
            Ok(length_of(bytes.len().min(room)))
        }
        Form::Message { header } | Form::Messages { header } => {
            let header = Header::read(memory, header)?;
            let copied = header.scatter(memory, bytes)?;
            let flags = if copied < bytes.len() { libc::MSG_TRUNC } else { 0 };
            header.finish(memory, Some(&KERNEL.encode()), &control(options), flags)?;
            if matches!(receive.form, Form::Messages { .. }) {
                header.write_length(memory, length_of(copied) as usize)?;
                return Ok(1);
            }
            Ok(length_of(copied))
        }
    }
}

/// What goes along with a message: that it is the kernel's (`struct ucred`), and no announcement (`struct nl_pktinfo`).
fn control(options: &Options) -> Vec<u8> {
    let mut control = Vec::new();
    if options.wants_credentials {
        add_control(&mut control, (libc::SOL_SOCKET, libc::SCM_CREDENTIALS), &[0; 12]);
    }
    if options.is_on(libc::NETLINK_PKTINFO) {
        add_control(&mut control, (libc::SOL_NETLINK, libc::NETLINK_PKTINFO), &[0; 4]);
    }
    control
}

/// Answers a call that has waited. Whether somebody has heard it.
pub(super) fn tell(tools: &Tools, id: u64, outcome: Result<i64, Errno>) -> bool {
    tools.listener.answer(id, outcome) != Delivery::Gone
}
