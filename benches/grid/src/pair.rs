//! Who sends to whom.

use std::fmt;
use std::str::FromStr;

/// A stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stack {
    Linux,
    Sockeye,
    /// Half of the flows each, on one wire.
    Both,
    /// A program of the peers' directory, which only sends.
    Smoltcp,
    Lwip,
    Ipstack,
}

impl Stack {
    const NAMES: [(Stack, &str); 6] = [
        (Stack::Linux, "linux"),
        (Stack::Sockeye, "sockeye"),
        (Stack::Both, "both"),
        (Stack::Smoltcp, "smoltcp"),
        (Stack::Lwip, "lwip"),
        (Stack::Ipstack, "ipstack"),
    ];

    /// Whether it is a program besides this one, and the kernel is not there at that end.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Stack::Smoltcp | Stack::Lwip | Stack::Ipstack)
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Stack::NAMES.iter().find(|(stack, _)| stack == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

/// A sender with its congestion control, and a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) sender: Stack,
    pub(crate) receiver: Stack,
    pub(crate) congestion: Control,
}

/// A congestion control that both Linux and we may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Control {
    Cubic,
    Bbr,
    Reno,
    /// The peer's own, or none.
    Own,
}

impl Control {
    const NAMES: [(Control, &str); 4] =
        [(Control::Cubic, "cubic"), (Control::Bbr, "bbr"), (Control::Reno, "reno"), (Control::Own, "own")];

    pub(crate) fn name(self) -> &'static str {
        Control::NAMES.iter().find(|(control, _)| *control == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}:{}", self.sender, self.receiver, self.congestion.name())
    }
}

impl FromStr for Pair {
    type Err = String;

    /// Reads `linux>sockeye:cubic`.
    fn from_str(text: &str) -> Result<Pair, String> {
        let error =
            || format!("`{text}` is no pair: write SENDER>RECEIVER:CONTROL, such as linux>sockeye:cubic");
        let (ends, control) = text.split_once(':').ok_or_else(error)?;
        let (sender, receiver) = ends.split_once('>').ok_or_else(error)?;
        let stack =
            |name: &str| Stack::NAMES.iter().find(|(_, known)| *known == name).map(|(stack, _)| *stack);
        let control = Control::NAMES.iter().find(|(_, known)| *known == control).map(|(control, _)| *control);
        let pair = Pair {
            sender: stack(sender).ok_or_else(error)?,
            receiver: stack(receiver).ok_or_else(error)?,
            congestion: control.ok_or_else(error)?,
        };
        if !matches!(pair.receiver, Stack::Linux | Stack::Sockeye) {
            return Err(format!("{} only sends", pair.receiver));
        }
        Ok(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_reads_what_it_writes() {
        for text in ["linux>linux:cubic", "both>sockeye:bbr", "smoltcp>linux:own"] {
            assert_eq!(text.parse::<Pair>().map(|pair| pair.to_string()), Ok(text.to_owned()));
        }
        for text in ["linux", "linux>linux", "linux>mars:cubic", "linux>both:cubic", "linux>linux:hope"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }
}
