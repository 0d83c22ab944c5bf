//! Copies of a script in each of which one thing that it expects is changed.

use std::time::Duration;

use sockeye_script::ast::{
    Action, Argument, Direction, Errno, IcmpPacket, IpInfo, Packet, Ports, Script, SystemCall, TcpFlags,
    TcpOption, TcpOptions, TcpPacket, Time, Tos, Transport,
};
use sockeye_script::constant;

/// A copy that expects something else.
pub struct Mutant {
    pub script: Script,
    pub line: u32,
    pub change: String,
}

/// Changes one event of a copy.
struct Copies<'s> {
    original: &'s Script,
    mutants: Vec<Mutant>,
}

impl Copies<'_> {
    /// A copy whose event `index` is changed.
    fn add(&mut self, index: usize, change: impl Into<String>, edit: impl FnOnce(&mut Time, &mut Action)) {
        let mut script = self.original.clone();
        let event = &mut script.events[index];
        edit(&mut event.time, &mut event.action);
        let change = change.into();
        assert!(*event != self.original.events[index], "line {}: {change}: nothing was changed", event.line);
        let line = event.line;
        self.mutants.push(Mutant { line, script, change });
    }

    fn tcp(&mut self, index: usize, change: impl Into<String>, edit: impl FnOnce(&mut TcpPacket)) {
        self.add(index, change, |_, action| {
            if let Action::Packet(packet) = action
                && let Transport::Tcp(tcp) = &mut packet.transport
            {
                edit(tcp);
            }
        });
    }

    fn call(&mut self, index: usize, change: impl Into<String>, edit: impl FnOnce(&mut SystemCall)) {
        self.add(index, change, |_, action| {
            if let Action::Call(call) = action {
                edit(call);
            }
        });
    }
}

/// All copies of a script.
pub fn all(original: &Script) -> Vec<Mutant> {
    let mut copies = Copies { original, mutants: Vec::new() };
    for (index, event) in original.events.iter().enumerate() {
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Outbound => {
                times(&mut copies, index, event.time);
                lost_and_found(&mut copies, index);
                ip(&mut copies, index, &packet.ip, packet.transport.clone());
                match &packet.transport {
                    Transport::Tcp(tcp) => segment(&mut copies, index, tcp),
                    Transport::Udp(_) => datagram(&mut copies, index),
                    Transport::Icmp(icmp) => message(&mut copies, index, icmp),
                }
            }
            Action::Call(call) => calls(&mut copies, index, call),
            Action::Code(code) => assertions(&mut copies, index, &code.text),
            Action::Packet(_) | Action::Command(_) => {}
        }
    }
    copies.mutants
}

/// The change that only shows where packets that are left over are looked for.
pub const NOT_EXPECTED: &str = "not expected";

/// The packet is not expected, or expected twice.
fn lost_and_found(copies: &mut Copies<'_>, index: usize) {
    let line = copies.original.events[index].line;
    let mut script = copies.original.clone();
    let event = script.events.remove(index);
    let is_last = index == script.events.len();
    // Times of what follows count from where they did.
    if let (Some(next), Some(wait)) = (script.events.get_mut(index), relative(event.time)) {
        next.time = match next.time {
            Time::Relative(time) => Time::Relative(time + wait),
            Time::RelativeRange(first, last) => Time::RelativeRange(first + wait, last + wait),
            other => other,
        };
    }
    // A script that ends before the packet comes is only shorter; and what may come at any time may be this one.
    let is_shorter = is_last && relative(event.time) != Some(Duration::ZERO);
    let next_is_any = script.events.get(index).is_some_and(|next| next.time == Time::Any);
    if !is_shorter && !next_is_any {
        copies.mutants.push(Mutant { line, script, change: NOT_EXPECTED.to_owned() });
    }
    let mut script = copies.original.clone();
    let mut again = script.events[index].clone();
    again.time = Time::Relative(Duration::ZERO);
    script.events.insert(index + 1, again);
    copies.mutants.push(Mutant { line, script, change: "expected twice".to_owned() });
}

fn relative(time: Time) -> Option<Duration> {
    match time {
        Time::Relative(time) => Some(time),
        // By then it has come.
        Time::RelativeRange(_, last) => Some(last),
        _ => None,
    }
}

/// The IP header: what is said of it becomes something else, and what is not said becomes something wrong.
fn ip(copies: &mut Copies<'_>, index: usize, info: &IpInfo, transport: Transport) {
    let edit = |copies: &mut Copies<'_>, change: &str, edit: &dyn Fn(&mut IpInfo)| {
        copies.add(index, change, |_, action| {
            if let Action::Packet(packet) = action {
                edit(&mut packet.ip);
            }
        });
    };
    match info.tos {
        Tos::Ecn(bits) => edit(copies, "another ECN field", &|info| info.tos = Tos::Ecn(bits ^ 1)),
        Tos::Octet(octet) => edit(copies, "another TOS", &|info| info.tos = Tos::Octet(octet ^ 4)),
        Tos::Ect01 => edit(copies, "not ECN-capable", &|info| info.tos = Tos::Ecn(0)),
        Tos::Unspecified => edit(copies, "congestion experienced", &|info| info.tos = Tos::Ecn(3)),
    }
    edit(copies, "another TTL", &|info| info.ttl = Some(info.ttl.unwrap_or(64) ^ 0x81));
    if info.tos == Tos::Unspecified {
        edit(copies, "a class of service", &|info| info.tos = Tos::Octet(0xb8));
    }
    if let Transport::Tcp(TcpPacket { ports: None, .. }) = transport {
        copies.tcp(index, "other ports", |tcp| tcp.ports = Some(Ports { source: 7, destination: 9 }));
    }
}

fn datagram(copies: &mut Copies<'_>, index: usize) {
    copies.add(index, "a byte more", |_, action| {
        if let Action::Packet(Packet { transport: Transport::Udp(udp), .. }) = action {
            udp.length += 1;
        }
    });
}

fn message(copies: &mut Copies<'_>, index: usize, icmp: &IcmpPacket) {
    let edit = |copies: &mut Copies<'_>, change: &str, edit: &dyn Fn(&mut IcmpPacket)| {
        copies.add(index, change, |_, action| {
            if let Action::Packet(Packet { transport: Transport::Icmp(icmp), .. }) = action {
                edit(icmp);
            }
        });
    };
    let other = if icmp.kind == "type_99" { "type_98" } else { "type_99" };
    edit(copies, "another type", &|icmp| icmp.kind = other.to_owned());
    edit(copies, "another code", &|icmp| icmp.code = Some("code_77".to_owned()));
    edit(copies, "another identifier", &|icmp| icmp.id = Some(icmp.id.unwrap_or(0x7777) ^ 1));
}

/// Each assertion becomes its contrary. (Turning `==` round would not do: one of two that `or` joins always holds then.)
fn assertions(copies: &mut Copies<'_>, index: usize, text: &str) {
    const ASSERT: &str = "assert ";
    for (start, _) in text.match_indices(ASSERT) {
        let condition = start + ASSERT.len();
        let rest = &text[condition..];
        let end = condition + rest.find([',', ';', '\n']).unwrap_or(rest.len());
        let (before, held, after) = (&text[..condition], text[condition..end].trim(), &text[end..]);
        // A condition with a comma of its own, in a call, is not cut where it ends.
        if held.matches('(').count() != held.matches(')').count() {
            continue;
        }
        let contrary = format!("{before}not ({held}){after}");
        copies.add(index, format!("not ({held})"), |_, action| {
            if let Action::Code(code) = action {
                code.text = contrary;
            }
        });
    }
}

/// Later than any tolerance: an eighth of the time waited, or what scripts ask for in milliseconds.
fn later(time: Duration) -> Duration {
    time + time / 2 + Duration::from_millis(100)
}

fn times(copies: &mut Copies<'_>, index: usize, time: Time) {
    let (late, early) = match time {
        Time::Absolute(at) => (Time::Absolute(later(at)), earlier(at).map(Time::Absolute)),
        Time::Relative(at) => (Time::Relative(later(at)), earlier(at).map(Time::Relative)),
        Time::AbsoluteRange(_, last) => {
            (Time::AbsoluteRange(later(last), later(last) + Duration::from_millis(1)), None)
        }
        Time::RelativeRange(first, last) => (
            Time::RelativeRange(later(last), later(last) + Duration::from_millis(1)),
            earlier(first).map(|end| Time::RelativeRange(end, end)),
        ),
        Time::Any => return,
    };
    copies.add(index, "expected later", |time, _| *time = late);
    if let Some(early) = early {
        copies.add(index, "expected earlier", |time, _| *time = early);
    }
}

/// Earlier than any tolerance, where there is so much time.
fn earlier(time: Duration) -> Option<Duration> {
    (time > Duration::from_millis(150)).then(|| time / 2)
}

fn segment(copies: &mut Copies<'_>, index: usize, tcp: &TcpPacket) {
    for (name, bit) in [
        ("FIN", TcpFlags::FIN),
        ("SYN", TcpFlags::SYN),
        ("RST", TcpFlags::RST),
        ("PSH", TcpFlags::PSH),
        ("ACK", TcpFlags::ACK),
        ("URG", TcpFlags::URG),
        ("ECE", TcpFlags::ECE),
        ("CWR", TcpFlags::CWR),
        ("AE", TcpFlags::AE),
    ] {
        copies.tcp(index, format!("{name} changed"), |tcp| tcp.flags.bits ^= bit);
    }
    // The numbers of SYNs are the script's to choose: the runner learns from them what the stack's mean.
    if !tcp.flags.has(TcpFlags::SYN) {
        copies.tcp(index, "sequence number one more", |tcp| {
            tcp.sequence.start = tcp.sequence.start.wrapping_add(1);
        });
        copies.tcp(index, "sequence number one less", |tcp| {
            tcp.sequence.start = tcp.sequence.start.wrapping_sub(1);
        });
    }
    copies.tcp(index, "a byte more", |tcp| tcp.sequence.length += 1);
    if tcp.sequence.length > 0 {
        copies.tcp(index, "a byte less", |tcp| tcp.sequence.length -= 1);
        copies.tcp(index, "no payload", |tcp| tcp.sequence.length = 0);
    }
    copies.tcp(index, "acknowledgement one more", |tcp| {
        tcp.ack = Some(tcp.ack.unwrap_or(0).wrapping_add(1));
    });
    if tcp.window.is_some() {
        copies.tcp(index, "window one more", |tcp| {
            tcp.window = tcp.window.map(|window| window.wrapping_add(1));
        });
    }
    if tcp.window.is_none() {
        copies.tcp(index, "a window that nothing has", |tcp| tcp.window = Some(54_321));
    }
    copies.tcp(index, "another urgent pointer", |tcp| {
        tcp.urgent = Some(tcp.urgent.unwrap_or(0).wrapping_add(1));
    });
    match &tcp.options {
        TcpOptions::These(options) => change_options(copies, index, options),
        TcpOptions::Any => copies.tcp(index, "an option of no kind", |tcp| {
            tcp.options = TcpOptions::These(vec![TcpOption::Other { kind: 99, data: vec![1, 2] }]);
        }),
    }
}

fn change_options(copies: &mut Copies<'_>, index: usize, options: &[TcpOption]) {
    let edit = |copies: &mut Copies<'_>, change: String, edit: &dyn Fn(&mut Vec<TcpOption>)| {
        copies.tcp(index, change, |tcp| {
            if let TcpOptions::These(options) = &mut tcp.options {
                edit(options);
            }
        });
    };
    edit(copies, "four nops more".to_owned(), &|options| {
        options.extend([const { TcpOption::NoOperation }; 4]);
    });
    for place in 0..options.len() {
        edit(copies, format!("option {place} missing"), &|options| drop(options.remove(place)));
        let Some(other) = changed(&options[place]) else { continue };
        edit(copies, format!("option {place} changed"), &|options| options[place] = other.clone());
    }
    if options.len() > 1 && options.first() != options.last() {
        edit(copies, "options in another order".to_owned(), &|options| options.reverse());
    }
}

/// The option with another value; `None` where it has none that is always compared.
fn changed(option: &TcpOption) -> Option<TcpOption> {
    Some(match option {
        TcpOption::MaximumSegmentSize(bytes) => TcpOption::MaximumSegmentSize(bytes ^ 1),
        TcpOption::WindowScale(shift) => TcpOption::WindowScale(shift ^ 1),
        TcpOption::Sack(blocks) => {
            let mut blocks = blocks.clone();
            blocks.last_mut()?.1 ^= 1;
            TcpOption::Sack(blocks)
        }
        TcpOption::Timestamps { value, echo } => TcpOption::Timestamps { value: *value, echo: echo ^ 1 },
        TcpOption::FastOpen(cookie) => TcpOption::FastOpen(other_bytes(cookie)?),
        TcpOption::FastOpenExperimental(cookie) => TcpOption::FastOpenExperimental(other_bytes(cookie)?),
        _ => return None,
    })
}

fn other_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    *bytes.last_mut()? ^= 1;
    Some(bytes)
}

fn calls(copies: &mut Copies<'_>, index: usize, call: &SystemCall) {
    let makes_descriptor = matches!(
        call.name.as_str(),
        "socket" | "accept" | "accept4" | "open" | "epoll_create" | "epoll_create1"
    );
    if call.until.is_some() {
        copies.call(index, "returns later", |call| call.until = call.until.map(later));
        if let Some(early) = call.until.and_then(earlier) {
            copies.call(index, "returns earlier", |call| call.until = Some(early));
        }
    }
    match (&call.result, &call.error) {
        (Argument::Integer(-1), Some(_)) => {
            copies.call(index, "another errno", |call| {
                let name = match &call.error {
                    Some(errno) if errno.name == "EPERM" => "EIO",
                    _ => "EPERM",
                };
                call.error = Some(Errno { name: name.to_owned(), text: String::new() });
            });
            copies.call(index, "succeeds", |call| {
                call.result = Argument::Integer(0);
                call.error = None;
            });
        }
        // What a descriptor is called is the script's to choose; that there is one is not.
        (Argument::Integer(_), None) => {
            if !makes_descriptor {
                copies.call(index, "result one more", |call| {
                    if let Argument::Integer(result) = &mut call.result {
                        *result += 1;
                    }
                });
                copies.call(index, "result one less", |call| {
                    if let Argument::Integer(result) = &mut call.result {
                        *result -= 1;
                    }
                });
            }
            copies.call(index, "fails", |call| {
                call.result = Argument::Integer(if call.result == Argument::Integer(-1) { 0 } else { -1 });
            });
        }
        _ => {}
    }
    results(copies, index, call);
    if matches!(call.name.as_str(), "getsockopt" | "ioctl")
        && let Some(place) = call.arguments.iter().position(|argument| matches!(argument, Argument::Array(_)))
    {
        copies.call(index, "another value", |call| {
            if let Some(Argument::Array(list)) = call.arguments.get_mut(place)
                && let Some(value) = list.first_mut()
            {
                let number = match value {
                    Argument::Integer(number) => Some(*number),
                    Argument::Word(word) => constant::value(word),
                    _ => None,
                };
                *value = Argument::Integer(number.expect("a value to change") + 1);
            }
        });
    }
}

/// What a call puts into the program's memory becomes something else.
fn results(copies: &mut Copies<'_>, index: usize, call: &SystemCall) {
    for place in 0..call.arguments.len() {
        let argument = |copies: &mut Copies<'_>, change: &str, edit: &dyn Fn(&mut Argument)| {
            copies.call(index, change, |call| edit(&mut call.arguments[place]));
        };
        let other = |value: &Argument| {
            let number = match value {
                Argument::Integer(number) => Some(*number),
                Argument::Word(word) => constant::value(word),
                Argument::Or(parts) => parts.iter().try_fold(0, |all, part| match part {
                    Argument::Word(word) => Some(all | constant::value(word)?),
                    _ => None,
                }),
                _ => None,
            };
            Argument::Integer(number.expect("a number") ^ 0x20)
        };
        match (&call.arguments[place], call.name.as_str()) {
            (Argument::Array(_), "poll") => argument(copies, "another revents", &|argument| {
                if let Argument::Array(list) = argument
                    && let Some(Argument::PollFd { revents, .. }) = list.first_mut()
                {
                    **revents = other(revents);
                }
            }),
            (Argument::EpollEvent { .. }, "epoll_wait") => argument(copies, "another event", &|argument| {
                if let Argument::EpollEvent { events, .. } = argument {
                    **events = other(events);
                }
            }),
            (Argument::MsgHdr { .. }, "recvmsg") if call.error.is_none() => {
                argument(copies, "other flags of the message", &|argument| {
                    if let Argument::MsgHdr { flags, .. } = argument {
                        **flags = other(flags);
                    }
                });
            }
            (Argument::Address(_), "getsockname" | "getpeername") if call.error.is_none() => {
                argument(copies, "another port", &|argument| {
                    if let Argument::Address(address) = argument {
                        address.set_port(address.port() ^ 1);
                    }
                });
            }
            (Argument::Linger { .. }, "getsockopt") => argument(copies, "another value", &|argument| {
                if let Argument::Linger { onoff, linger } = argument {
                    (*onoff, *linger) = (1, *linger + 1);
                }
            }),
            (Argument::Text(_), "getsockopt") => argument(copies, "another value", &|argument| {
                if let Argument::Text(text) = argument {
                    text.insert(0, b'x');
                }
            }),
            _ => {}
        }
    }
}
