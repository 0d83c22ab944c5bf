//! The seccomp filter: which system calls of the program the supervisor answers, and which the kernel does as ever.
//!
//! A filter is a program for the classic BPF machine: it loads a word of `struct seccomp_data`, compares, jumps, and
//! returns an action. It sees the numbers among the arguments, not what pointers point to. So whatever carries an address
//! in a register that is not null, or in a structure, goes to the supervisor, and `send` and `recv` without one do not.

use libc::sock_filter;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The kernel does it.
    Allow,
    /// The supervisor answers it.
    Notify,
    /// It fails with this number; with 0 it succeeds without having done anything.
    Answer(u16),
}

impl Action {
    fn code(self) -> u32 {
        match self {
            Action::Allow => libc::SECCOMP_RET_ALLOW,
            Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Action::Answer(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        }
    }
}

/// Which half of a 64-bit argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Low,
    High,
}

/// A comparison of one argument's half, after `mask`, with `value`.
#[derive(Clone, Copy, Debug)]
struct Condition {
    argument: u32,
    half: Half,
    mask: u32,
    value: u32,
    /// Whether it holds when they are equal, or when they differ.
    equal: bool,
}

/// The argument, as an `int`, has this value.
fn is(argument: u32, value: libc::c_int) -> Condition {
    Condition { argument, half: Half::Low, mask: u32::MAX, value: value as u32, equal: true }
}

/// The argument has at least one of these bits.
fn has(argument: u32, bits: libc::c_int) -> Condition {
    Condition { argument, half: Half::Low, mask: bits as u32, value: 0, equal: false }
}

/// The argument, as an `unsigned int`, begins with the bits of `value`.
fn begins(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { argument, half: Half::Low, mask, value, equal: true }
}

/// One half of the pointer is not null.
fn points(argument: u32, half: Half) -> Condition {
    Condition { argument, half, mask: u32::MAX, value: 0, equal: false }
}

/// What is done about one system call: the action of the first case all of whose conditions hold.
struct Rule {
    call: libc::c_long,
    cases: Vec<(Vec<Condition>, Action)>,
}

fn always(call: libc::c_long, action: Action) -> Rule {
    Rule { call, cases: vec![(Vec::new(), action)] }
}

fn when(call: libc::c_long, cases: &[&[Condition]], action: Action) -> Rule {
    Rule { call, cases: cases.iter().map(|all| (all.to_vec(), action)).collect() }
}

/// Device-independent socket requests (`SIOC…`), and that for the bytes not yet sent.
const SOCKET_REQUESTS: u32 = 0x8900;

/// Requests about wireless interfaces (`SIOCIWFIRST`), which ours are not; the real machine's may be.
const WIRELESS_REQUESTS: u32 = 0x8b00;

/// The length of musl's requests about interfaces (a `struct nlmsghdr` and a `struct rtgenmsg`). It sends them without an
/// address and looks for the answer without waiting, so that the answer has to be there by then. Others have no such haste.
const ROUTING_REQUEST: libc::c_int = 20;

fn rules() -> Vec<Rule> {
    use Action::{Answer, Notify};
    let with_address = |call, further: &[Condition]| {
        let pointers = [points(4, Half::Low), points(4, Half::High)];
        let cases = pointers.iter().chain(further).map(|condition| (vec![*condition], Notify)).collect();
        Rule { call, cases }
    };
    let mut rules = vec![
        when(
            libc::SYS_socket,
            &[
                &[is(0, libc::AF_INET)],
                &[is(0, libc::AF_INET6)],
                &[is(0, libc::AF_PACKET)],
                &[is(0, libc::AF_NETLINK), is(2, libc::NETLINK_ROUTE)],
                &[is(0, libc::AF_NETLINK), is(2, libc::NETLINK_SOCK_DIAG)],
            ],
            Notify,
        ),
        with_address(libc::SYS_sendto, &[has(3, libc::MSG_OOB), is(2, ROUTING_REQUEST)]),
        with_address(libc::SYS_recvfrom, &[has(3, libc::MSG_ERRQUEUE)]),
        when(
            libc::SYS_ioctl,
            &[
                &[begins(1, !0xff, SOCKET_REQUESTS)],
                &[begins(1, !0xff, WIRELESS_REQUESTS)],
                &[is(1, libc::TIOCOUTQ as libc::c_int)],
            ],
            Notify,
        ),
        // Programs with a ring would make their socket calls where no filter sees them: without one they fall back.
        always(libc::SYS_io_uring_setup, Answer(libc::ENOSYS as u16)),
        // A program that hides its memory could not be answered. It is told that it has, and goes on.
        when(libc::SYS_prctl, &[&[is(0, libc::PR_SET_DUMPABLE), is(1, 0)]], Answer(0)),
    ];
    for call in [
        libc::SYS_bind,
        libc::SYS_connect,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_getsockopt,
        libc::SYS_setsockopt,
        libc::SYS_shutdown,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
    ] {
        rules.push(always(call, Notify));
    }
    rules
}

/// Where `struct seccomp_data` has the number of the call, the architecture, and the arguments.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// The calls of the architecture's older, 32-bit brother that open sockets. Such a program has no network, rather than the
/// real machine's; everything else it does as ever.
#[cfg(target_arch = "x86_64")]
const FOREIGN: &[(u32, i32)] = &[(102, libc::EAFNOSUPPORT), (359, libc::EAFNOSUPPORT), (425, libc::ENOSYS)];
#[cfg(target_arch = "aarch64")]
const FOREIGN: &[(u32, i32)] = &[(281, libc::EAFNOSUPPORT), (425, libc::ENOSYS)];

/// The bit that marks a call of the x32 ABI, which is another way into the same kernel.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn act(action: Action) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action.code())
}

/// Goes on with the next instruction if the accumulator compares as wanted, otherwise skips `skipped`.
fn unless(comparison: u32, value: u32, equal: bool, skipped: usize) -> sock_filter {
    let skipped = u8::try_from(skipped).unwrap_or(u8::MAX);
    let (jt, jf) = if equal { (0, skipped) } else { (skipped, 0) };
    sock_filter { code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16, jt, jf, k: value }
}

fn case(conditions: &[Condition], action: Action) -> Vec<sock_filter> {
    // From the end, so that each condition knows how far the next case is.
    let mut code = vec![act(action)];
    for condition in conditions.iter().rev() {
        let half = if (condition.half == Half::High) == cfg!(target_endian = "little") { 4 } else { 0 };
        let mut test = vec![load(ARGUMENTS + 8 * condition.argument + half)];
        if condition.mask != u32::MAX {
            test.push(statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, condition.mask));
        }
        test.push(unless(libc::BPF_JEQ, condition.value, condition.equal, code.len()));
        test.append(&mut code);
        code = test;
    }
    code
}

/// What is done about the calls of another architecture than this one.
fn foreign() -> Vec<sock_filter> {
    let mut code = vec![load(NUMBER)];
    for (call, errno) in FOREIGN {
        code.push(unless(libc::BPF_JEQ, *call, true, 1));
        code.push(act(Action::Answer(*errno as u16)));
    }
    code.push(act(Action::Allow));
    code
}

/// The whole filter.
pub(super) fn program() -> Vec<sock_filter> {
    let foreign = foreign();
    let mut code = vec![load(ARCHITECTURE), unless(libc::BPF_JEQ, NATIVE, false, foreign.len())];
    code.extend(foreign);
    code.push(load(NUMBER));
    #[cfg(target_arch = "x86_64")]
    code.extend([unless(libc::BPF_JGE, X32, true, 1), act(Action::Answer(libc::ENOSYS as u16))]);
    for rule in rules() {
        let mut body: Vec<sock_filter> =
            rule.cases.iter().flat_map(|(conditions, action)| case(conditions, *action)).collect();
        if rule.cases.iter().all(|(conditions, _)| !conditions.is_empty()) {
            body.push(act(Action::Allow));
        }
        code.push(unless(libc::BPF_JEQ, rule.call as u32, true, body.len()));
        code.append(&mut body);
    }
    code.push(act(Action::Allow));
    code
}
