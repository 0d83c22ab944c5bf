//! A parsed script: options, a command before, events in time, a command after. Every part keeps the line it began on.
//!
//! Nothing here is looked up or computed yet: a word such as `SOL_SOCKET` is a word, and a command is text.

pub mod call;
mod display;
pub mod packet;

pub use call::{Argument, Errno, SystemCall};
pub use packet::{
    Direction, EchoedPacket, Encapsulation, IcmpPacket, IpInfo, Packet, Ports, Sequence, TcpFlags, TcpOption,
    TcpOptions, TcpPacket, Tos, Transport, UdpPacket,
};

use sockeye_core::time::Duration;

/// One script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The file it was read from, as errors name it.
    pub name: String,
    /// `--name=value` at the top, in order; a `--define` has already been replaced in what follows it.
    pub options: Vec<ScriptOption>,
    /// The command before the first event, which takes no time.
    pub init: Option<Command>,
    /// What happens, in the order of the file.
    pub events: Vec<Event>,
    /// The command after the last event, run whether the script passed or not.
    pub cleanup: Option<Command>,
}

/// `--name` or `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOption {
    /// Line in the file, from 1.
    pub line: u32,
    /// Without the two hyphens.
    pub name: String,
    /// What stands behind the first `=`, quotes removed unless the value is itself `NAME="text"`.
    pub value: Option<String>,
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Line on which its time stands, from 1.
    pub line: u32,
    /// When.
    pub time: Time,
    /// What.
    pub action: Action,
}

/// When an event happens. Only packets the stack sends may have `Any` or a range; the parser sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// `0.1`: since the start of the script.
    Absolute(Duration),
    /// `+0.1`: since the event before.
    Relative(Duration),
    /// `*`: whenever.
    Any,
    /// `0.1~0.2`: since the start of the script, from the first to the last, both included.
    AbsoluteRange(Duration, Duration),
    /// `+0.1~+0.2`: since the event before, from the first to the last, both included.
    RelativeRange(Duration, Duration),
}

/// What an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A packet that the script sends or the stack must send.
    Packet(Packet),
    /// A socket call and what it must return.
    Call(SystemCall),
    /// A shell command, which no shell will see.
    Command(Command),
    /// Assertions about `TCP_INFO` at this moment.
    Code(Code),
}

/// A command between backticks, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Line of the opening backtick.
    pub line: u32,
    /// The text between the backticks.
    pub text: String,
}

/// What stands between `%{` and `}%`, as written, without the blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Line on which `text` begins.
    pub line: u32,
    /// The statements.
    pub text: String,
}
