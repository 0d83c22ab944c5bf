//! What the program of another stack is taken to do, since nobody here can make calls for it: it offers a [`Service`].
//!
//! The calls of a script have to be those that such a service makes of its own accord. [`refusal`] tells which are not,
//! before the first packet leaves: a script that asks for more is not played, and neither passes nor fails.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::options::Options;
use super::setting;
use crate::ast::{
    Action, Argument, Direction, Script, SystemCall, TcpFlags, TcpOption, TcpOptions, TcpPacket, Transport,
};
use crate::setup::Setup;

/// What waits at the other stack's address and at the port of `--bind_port`.
///
/// Both accept at once, read whatever comes as soon as it comes, and close when the peer has closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// It says nothing (RFC 863).
    #[default]
    Discard,
    /// It writes what it has read (RFC 862).
    Echo,
}

impl Service {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Service::Discard => "discard",
            Service::Echo => "echo",
        }
    }
}

/// A service in the middle of a script.
struct Program {
    service: Service,
    listeners: BTreeSet<i64>,
    connections: BTreeSet<i64>,
    read: i64,
    written: i64,
    peer_has_closed: bool,
}

/// Why a script cannot be played against a stack with this service and behind an interface with the MTU of `options`; `None`
/// where it can.
pub fn refusal(script: &Script, service: Service, options: &Options) -> Option<Failure> {
    let mut program = Program {
        service,
        listeners: BTreeSet::new(),
        connections: BTreeSet::new(),
        read: 0,
        written: 0,
        peer_has_closed: false,
    };
    let refused = |line, text: String| Some(Failure::refused(line, text));
    for event in &script.events {
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Inbound => {
                let closes = |tcp: &TcpPacket| tcp.flags.has(TcpFlags::FIN) && !tcp.flags.has(TcpFlags::SYN);
                program.peer_has_closed |= matches!(&packet.transport, Transport::Tcp(tcp) if closes(tcp));
                let length = length(&packet.transport) + if options.local.is_ipv4() { 20 } else { 40 };
                if length > options.mtu {
                    return refused(
                        packet.line,
                        format!("a packet of {length} bytes does not fit the interface"),
                    );
                }
            }
            Action::Packet(packet) if program.must_close() => return refused(packet.line, CLOSES.to_owned()),
            Action::Packet(_) => {}
            Action::Call(call) => {
                if let Err(why) = program.call(call) {
                    return refused(call.line, format!("{}: {why}", call.name));
                }
            }
            Action::Command(command) => match setting::steps(command) {
                Ok(steps) if steps.iter().all(|step| matches!(step.setup, Setup::Sleep(_))) => {}
                Ok(_) => {
                    let text = "a command amid the script: nobody runs it on the other stack";
                    return refused(command.line, text.to_owned());
                }
                Err(failure) => return Some(failure),
            },
            Action::Code(code) => {
                return refused(
                    code.line,
                    "an assertion about TCP_INFO: the other stack's is not known".to_owned(),
                );
            }
        }
    }
    if program.must_close() {
        return refused(0, CLOSES.to_owned());
    }
    if service == Service::Echo && program.read != program.written {
        let (read, written) = (program.read, program.written);
        return refused(
            0,
            format!("of {read} bytes read {written} are written: an echo service writes them all"),
        );
    }
    None
}

/// Bytes of a script's packet above the IP header.
fn length(transport: &Transport) -> usize {
    match transport {
        Transport::Tcp(tcp) => {
            let options = match &tcp.options {
                TcpOptions::Any => 0,
                TcpOptions::These(options) => options.iter().map(TcpOption::length).sum(),
            };
            20 + options + usize::from(tcp.sequence.length)
        }
        Transport::Udp(udp) => 8 + usize::from(udp.length),
        Transport::Icmp(_) => 0,
    }
}

/// What a service does that the script's program does not.
const CLOSES: &str = "the script's program does not close when its peer has: a service does so at once";

impl Program {
    /// Whether its peer has closed and it not yet.
    fn must_close(&self) -> bool {
        self.peer_has_closed && !self.connections.is_empty()
    }

    /// Whether the service makes this call by itself, and gets this result.
    fn call(&mut self, call: &SystemCall) -> Result<(), String> {
        let descriptor = match call.arguments.first() {
            Some(Argument::Integer(descriptor)) => *descriptor,
            _ => -1,
        };
        let is_word = |place: usize, word: &str| match call.arguments.get(place) {
            Some(Argument::Word(found)) => found == word,
            _ => false,
        };
        let result = match (&call.result, &call.error) {
            (Argument::Integer(result), None) => Ok(Some(*result)),
            (Argument::Unknown, None) => Ok(None),
            _ => Err("it fails, which only the other stack's program would see".to_owned()),
        };
        match call.name.as_str() {
            "socket" if is_word(1, "SOCK_STREAM") => {
                self.listeners.extend(result?);
            }
            "bind" | "listen" => drop(result?),
            "setsockopt" if is_word(2, "SO_REUSEADDR") => drop(result?),
            "fcntl" if is_word(1, "F_GETFL") || is_word(1, "F_SETFL") => drop(result?),
            "accept" | "accept4" => {
                self.connections.extend(result?);
            }
            "read" | "recv" if self.connections.contains(&descriptor) => {
                self.read += result?.ok_or("how much it reads must be said")?;
            }
            "write" | "send" if self.connections.contains(&descriptor) => {
                if self.service == Service::Discard {
                    return Err("a discard service writes nothing (--service echo does)".to_owned());
                }
                self.written += result?.ok_or("how much it writes must be said")?;
                if self.written > self.read {
                    return Err("an echo service writes only what it has read".to_owned());
                }
            }
            "close" if self.connections.contains(&descriptor) => {
                if !self.peer_has_closed {
                    return Err("a service closes only when its peer has".to_owned());
                }
                self.connections.remove(&descriptor);
                self.peer_has_closed = false;
            }
            "close" if self.listeners.contains(&descriptor) => {
                return Err("a service goes on listening".to_owned());
            }
            _ => {
                let of_what = match call.arguments.get(2) {
                    Some(Argument::Word(word)) if call.name.ends_with("sockopt") => format!(" for {word}"),
                    _ => String::new(),
                };
                return Err(format!("a {} service does not make this call{of_what}", self.service.name()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Wishes;

    const OPEN: &str = "
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
       +0 bind(3, ..., ...) = 0
       +0 listen(3, 1) = 0
       +0 accept(3, ..., ...) = 4\n";

    fn refused(service: Service, rest: &str) -> Option<String> {
        let source = format!("{OPEN}{rest}");
        let script = crate::parse("t", &source, &[]).unwrap_or_else(|error| panic!("{error}"));
        let options = Options::new(&script, &Wishes::default()).expect("options");
        refusal(&script, service, &options).map(|failure| failure.text)
    }

    #[test]
    fn what_a_service_does_by_itself_is_played() {
        for rest in [
            "",
            "+0 read(4, ..., 10) = 5\n",
            "+0 < F. 1:1(0) ack 1 win 5\n+0 close(4) = 0\n+0 > F. 1:1(0) ack 2\n",
            "+0 `sleep 0.1`\n",
        ] {
            assert_eq!(refused(Service::Discard, rest), None, "{rest}");
        }
        assert_eq!(refused(Service::Echo, "+0 read(4, ..., 9) = 5\n+0 write(4, ..., 5) = 5\n"), None);
    }

    #[test]
    fn what_it_does_not_is_refused_by_name() {
        for (service, rest, why) in [
            (Service::Discard, "+0 write(4, ..., 5) = 5\n", "write: "),
            (Service::Echo, "+0 write(4, ..., 5) = 5\n", "write: "),
            (Service::Echo, "+0 read(4, ..., 9) = 5\n", "of 5 bytes read 0"),
            (Service::Discard, "+0 close(4) = 0\n", "close: "),
            (Service::Discard, "+0 close(3) = 0\n", "close: "),
            (Service::Discard, "+0 < F. 1:1(0) ack 1 win 5\n+0 > . 1:1(0) ack 2\n", "the script's program"),
            (Service::Discard, "+0 < F. 1:1(0) ack 1 win 5\n", "the script's program"),
            (Service::Discard, "+0 read(4, ..., 5) = -1 EAGAIN (none)\n", "read: it fails"),
            (Service::Discard, "+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0\n", "setsockopt: "),
            (Service::Discard, "+0 `sysctl -q net.ipv4.tcp_sack=0`\n", "a command"),
            (Service::Discard, "+0 < . 1:1462(1461) ack 1 win 5\n", "a packet of 1501 bytes"),
            (Service::Discard, "+0 %{ assert tcpi_rtt == 0 }%\n", "an assertion"),
        ] {
            let refused = refused(service, rest).unwrap_or_else(|| panic!("{rest} is played"));
            assert!(refused.starts_with(why), "{rest}: {refused}");
        }
    }
}
