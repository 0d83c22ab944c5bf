//! Socket calls as a script writes them, in the words of strace.

use sockeye_core::time::Duration;
use std::fmt::{self, Display, Formatter};
use std::net::{Ipv6Addr, SocketAddr};

/// `socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Line of its name, from 1.
    pub line: u32,
    /// The call's name.
    pub name: String,
    /// Its arguments, in order.
    pub arguments: Vec<Argument>,
    /// `0...0.2 read(…)`: the call blocks until this time, which counts from where the event's own time counts (from the
    /// start of the script, or from the event before). None: it must return at once.
    pub until: Option<Duration>,
    /// What it must return: a number, `?` for a call that may return anything, a word for a pointer or a flag.
    pub result: Argument,
    /// The error that goes with `-1`.
    pub error: Option<Errno>,
    /// A note of strace's behind the result, such as `(flags O_RDWR|O_NONBLOCK)`.
    pub note: Option<String>,
}

/// `EINPROGRESS (Operation now in progress)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errno {
    /// Its name.
    pub name: String,
    /// What stands in parentheses behind it.
    pub text: String,
}

/// An argument, a result or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `...`: something the script does not care about.
    Ellipsis,
    /// `?`: a result not checked.
    Unknown,
    /// `3`, `-1` or `0x10`.
    Integer(i64),
    /// `SOL_SOCKET`, looked up when the call is made.
    Word(String),
    /// `"text"`, adjacent strings joined, escapes resolved.
    Text(Vec<u8>),
    /// `"text"...`: a string that strace cut.
    TextEllipsis(Vec<u8>),
    /// `A|B|C`, the operands in order; never fewer than two.
    Or(Vec<Argument>),
    /// `[1, 2]`, and `[]`.
    Array(Vec<Argument>),
    /// `{1, 2}` whose members have no names.
    Group(Vec<Argument>),
    /// `{…, 1000}`: one iovec, of this many octets.
    Iovec(i64),
    /// `name=value` standing alone, or within a group.
    Assign(String, Box<Argument>),
    /// `{name=value, …}`: a structure no variant below names, such as `tcp_info`. Never empty.
    Struct(Vec<(String, Argument)>),
    /// `{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`.
    Address(SocketAddr),
    /// `inet_addr("192.0.2.1")`, in network order as the call takes it.
    InetAddr(std::net::Ipv4Addr),
    /// `inet6_addr("2001:db8::1")`
    Inet6Addr(Ipv6Addr),
    /// `{onoff=1, linger=5}`
    Linger {
        /// l_onoff
        onoff: i64,
        /// l_linger, in seconds
        linger: i64,
    },
    /// `{fd=3, events=POLLIN, revents=POLLIN}`
    PollFd {
        /// The descriptor.
        fd: Box<Argument>,
        /// Asked for.
        events: Box<Argument>,
        /// Returned; integer 0 where absent.
        revents: Box<Argument>,
    },
    /// `{events=EPOLLIN, fd=4}`
    EpollEvent {
        /// Asked for or returned.
        events: Box<Argument>,
        /// `fd`, `ptr`, `u32` or `u64`.
        member: String,
        /// The member's value.
        data: Box<Argument>,
    },
    /// `{msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0, msg_control=[…]}`
    MsgHdr {
        /// What `msg_iov(n)` says.
        iov_length: i64,
        /// The iovecs.
        iov: Vec<Argument>,
        /// Flags, which recvmsg compares.
        flags: Box<Argument>,
        /// The control messages.
        control: Vec<Argument>,
    },
    /// `{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=…}`
    Cmsg {
        /// cmsg_level
        level: Box<Argument>,
        /// cmsg_type
        kind: Box<Argument>,
        /// cmsg_data
        data: Box<Argument>,
    },
    /// `{scm_sec=0, scm_nsec=20000000}`: the first time of `struct scm_timestamping`.
    Timestamping {
        /// Seconds.
        seconds: i64,
        /// Nanoseconds.
        nanoseconds: i64,
    },
    /// `{ee_errno=…, ee_origin=…, ee_type=…, ee_code=…, ee_info=…, ee_data=…}`: `struct sock_extended_err`, in this order.
    ExtendedError(Box<[Argument; 6]>),
}

impl SystemCall {
    /// The call as it is written, without its result: `read(4, ..., 1000)`.
    pub fn written(&self) -> String {
        format!("{}({})", self.name, joined(&self.arguments, ", "))
    }
}

fn joined(parts: &[Argument], between: &str) -> String {
    parts.iter().map(Argument::to_string).collect::<Vec<_>>().join(between)
}

/// As a script writes it.
impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Ellipsis => f.write_str("..."),
            Argument::Unknown => f.write_str("?"),
            Argument::Integer(number) => write!(f, "{number}"),
            Argument::Word(word) => f.write_str(word),
            Argument::Text(text) => write!(f, "{:?}", String::from_utf8_lossy(text)),
            Argument::TextEllipsis(text) => write!(f, "{:?}...", String::from_utf8_lossy(text)),
            Argument::Or(parts) => f.write_str(&joined(parts, "|")),
            Argument::Array(parts) => write!(f, "[{}]", joined(parts, ", ")),
            Argument::Group(parts) => write!(f, "{{{}}}", joined(parts, ", ")),
            Argument::Iovec(length) => write!(f, "{{..., {length}}}"),
            Argument::Assign(name, value) => write!(f, "{name}={value}"),
            Argument::Struct(members) => {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "{{{}}}", members.join(", "))
            }
            Argument::Address(address) => write!(f, "{address}"),
            Argument::InetAddr(address) => write!(f, "inet_addr(\"{address}\")"),
            Argument::Inet6Addr(address) => write!(f, "inet6_addr(\"{address}\")"),
            Argument::Linger { onoff, linger } => write!(f, "{{onoff={onoff}, linger={linger}}}"),
            Argument::PollFd { fd, events, revents } => {
                write!(f, "{{fd={fd}, events={events}, revents={revents}}}")
            }
            Argument::EpollEvent { events, member, data } => {
                write!(f, "{{events={events}, {member}={data}}}")
            }
            Argument::MsgHdr { iov_length, iov, flags, control } => {
                write!(f, "{{msg_iov({iov_length})=[{}], msg_flags={flags}", joined(iov, ", "))?;
                if !control.is_empty() {
                    write!(f, ", msg_control=[{}]", joined(control, ", "))?;
                }
                f.write_str("}")
            }
            Argument::Cmsg { level, kind, data } => {
                write!(f, "{{cmsg_level={level}, cmsg_type={kind}, cmsg_data={data}}}")
            }
            Argument::Timestamping { seconds, nanoseconds } => {
                write!(f, "{{scm_sec={seconds}, scm_nsec={nanoseconds}}}")
            }
            Argument::ExtendedError(parts) => {
                let [errno, origin, kind, code, info, data] = parts.as_ref();
                write!(f, "{{ee_errno={errno}, ee_origin={origin}, ee_type={kind}, ee_code={code}, ")?;
                write!(f, "ee_info={info}, ee_data={data}}}")
            }
        }
    }
}
