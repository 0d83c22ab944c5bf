//! The calls that the supervisor answers, one file a family.
//!
//! Each answer is the kernel's own as far as a program can see. A call on a descriptor that is none of ours goes on to the
//! kernel untouched.

pub(crate) mod ancillary;
mod control;
mod interface;
mod listen;
pub(crate) mod message;
mod name;
mod open;
pub(crate) mod option;
mod raw;
pub(crate) mod receive;
mod send;
mod shutdown;
pub(crate) mod tcp_info;

use crate::entry::{Entry, Mode};
use crate::netlink;
use crate::supervisor::{Supervisor, Unheard};
use crate::sys::notification::{Delivery, Inheritance, Notification};
use crate::task::{Descriptor, Memory};
use crate::tools::Tools;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, socket_timeout};
use sockeye::Kind;
use std::time::Instant;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It succeeds, with this value.
    Value(i64),
    /// The kernel does it.
    Native,
    /// It has been answered already.
    Given,
    /// It waits at its socket, and is answered later.
    Later,
}

pub(crate) type Outcome = Result<Answer, Errno>;

/// A call on a socket of ours.
pub(crate) struct Call<'a> {
    pub(crate) notification: Notification,
    pub(crate) memory: Memory,
    pub(crate) entry: &'a mut Entry,
    /// The program's end.
    pub(crate) far: Descriptor,
    pub(crate) tools: &'a mut Tools,
}

impl Call<'_> {
    /// An argument as it is.
    pub(crate) fn argument(&self, index: usize) -> u64 {
        self.notification.arguments.get(index).copied().unwrap_or(0)
    }

    /// An argument as an `int`.
    pub(crate) fn int(&self, index: usize) -> i32 {
        self.argument(index) as i32
    }

    pub(crate) fn id(&self) -> u64 {
        self.notification.id
    }

    /// Whether this call waits, `flags` being those of its own.
    pub(crate) fn mode(&self, flags: i32) -> Mode {
        if flags & libc::MSG_DONTWAIT != 0 || self.far.is_nonblocking() {
            Mode::Nonblocking
        } else {
            Mode::Blocking
        }
    }

    /// When a call that waits now has waited long enough; and its socket is looked at then.
    pub(crate) fn deadline(&mut self, of: Timeout) -> Option<Instant> {
        let patience = socket_timeout(&self.far, of).ok().flatten()?;
        let deadline = Instant::now().checked_add(patience);
        self.tools.expect(deadline, self.entry.front.key);
        deadline
    }
}

/// What `socket` and `accept4` say of the descriptor they make.
pub(crate) fn flags_of(flags: i32) -> (Mode, Inheritance) {
    let mode = if flags & libc::SOCK_NONBLOCK != 0 { Mode::Nonblocking } else { Mode::Blocking };
    let inheritance =
        if flags & libc::SOCK_CLOEXEC != 0 { Inheritance::CloseOnExec } else { Inheritance::Keep };
    (mode, inheritance)
}

/// Answers that nobody has heard, kept at most.
const MOST_UNHEARD: usize = 4096;

/// Answers a call, or lets it wait.
pub(crate) fn answer(supervisor: &mut Supervisor, notification: Notification) {
    let Notification { id, thread, call, arguments } = notification;
    let outcome = match supervisor.unheard.remove(&thread) {
        Some(unheard) if unheard.call == call && unheard.arguments == arguments => {
            unheard.answer.map(Answer::Value)
        }
        _ => match dispatch(supervisor, notification) {
            // Whoever has the port may be gone already.
            Err(Errno::ADDRINUSE) => {
                supervisor.sweep();
                dispatch(supervisor, notification)
            }
            outcome => outcome,
        },
    };
    let listener = &supervisor.tools.listener;
    let answer = match outcome {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(Answer::Native) => {
            let _: Delivery = listener.go_on(id);
            return;
        }
        Ok(Answer::Given | Answer::Later) => return,
        Err(errno) => Err(errno),
    };
    if listener.answer(id, answer) == Delivery::Gone {
        // Threads that are gone for good do not ask again.
        if supervisor.unheard.len() >= MOST_UNHEARD {
            supervisor.unheard.clear();
        }
        supervisor.unheard.insert(thread, Unheard { call, arguments, answer });
    }
}

fn dispatch(supervisor: &mut Supervisor, notification: Notification) -> Outcome {
    if notification.call == libc::SYS_socket {
        return open::socket(supervisor, notification);
    }
    let [number, ..] = notification.arguments;
    let number = number as u32;
    // The kernel says better what is wrong with a descriptor that cannot be had.
    let Ok(far) = supervisor.tools.tasks.descriptor(notification.thread, number) else {
        return Ok(Answer::Native);
    };
    // The number of a thread that has just died may be another's by now: then this was not the descriptor, and what will be
    // read and written is not the memory, that the call is about.
    if !supervisor.tools.listener.is_waiting(notification.id) {
        return Ok(Answer::Given);
    }
    if notification.call == libc::SYS_ioctl && interface::is_request(notification.arguments) {
        return interface::ioctl(supervisor, &notification, &far);
    }
    if let Some(key) = supervisor.netlink.key_of(far.inode) {
        return ask_netlink(supervisor, notification, far, key);
    }
    let Some(key) = supervisor.table.key_of(far.inode) else { return Ok(Answer::Native) };
    let Some(entry) = supervisor.table.entry(key) else { return Ok(Answer::Native) };
    if is_plain_send(&notification) {
        return Ok(Answer::Native);
    }
    entry.front.seen = (notification.thread, number);
    let memory = Memory { thread: notification.thread };
    let mut call = Call { notification, memory, entry, far, tools: &mut supervisor.tools };
    if call.entry.front.is_broken && call.entry.front.kind != Kind::Stream {
        open::revive(&mut call)?;
    }
    let outcome = match notification.call {
        libc::SYS_bind => name::bind(&mut call),
        libc::SYS_connect => open::connect(&mut call),
        libc::SYS_listen => listen::listen(&mut call),
        libc::SYS_accept => listen::accept(&mut call, 0),
        libc::SYS_accept4 => {
            let flags = call.int(3);
            listen::accept(&mut call, flags)
        }
        libc::SYS_getsockname => name::local(&mut call),
        libc::SYS_getpeername => name::peer(&mut call),
        libc::SYS_getsockopt => option::get(&mut call),
        libc::SYS_setsockopt => option::set(&mut call),
        libc::SYS_shutdown => shutdown::shutdown(&mut call),
        libc::SYS_sendto => send::sendto(&mut call),
        libc::SYS_sendmsg => send::sendmsg(&mut call),
        libc::SYS_sendmmsg => send::sendmmsg(&mut call),
        libc::SYS_recvfrom => receive::recvfrom(&mut call),
        libc::SYS_recvmsg => receive::recvmsg(&mut call),
        libc::SYS_recvmmsg => receive::recvmmsg(&mut call),
        libc::SYS_ioctl => control::ioctl(&mut call),
        _ => Ok(Answer::Native),
    };
    let accepted = call.entry.take_accepted();
    let inode = call.entry.front.inode;
    supervisor.table.extend(accepted);
    supervisor.table.name(key, inode);
    supervisor.work.push_back(key);
    outcome
}

/// A call on a netlink socket.
fn ask_netlink(
    supervisor: &mut Supervisor,
    notification: Notification,
    far: Descriptor,
    key: u64,
) -> Outcome {
    let Some(socket) = supervisor.netlink.entry(key) else { return Ok(Answer::Native) };
    let mut call = netlink::call::Call::new(notification, far, &mut supervisor.tools);
    let outcome = netlink::call::answer(socket, &mut call);
    supervisor.work.push_back(key);
    outcome
}

/// Whether this is a `send` that came here only because a netlink socket could have made it: see the filter.
fn is_plain_send(notification: &Notification) -> bool {
    let [_, _, _, flags, to, _] = notification.arguments;
    notification.call == libc::SYS_sendto && to == 0 && flags as i32 & libc::MSG_OOB == 0
}
